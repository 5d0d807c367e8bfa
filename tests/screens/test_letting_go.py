"""What has been closed is let go of: a program that runs for weeks opens and closes thousands of screens."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

from textual.widget import Widget

from tests.screens.driving import running
from tests.screens.papers import WAITING, Paper, papers
from treadle_tui.screens.item_screen import ItemScreen


async def test_a_closed_item_keeps_nothing_of_what_it_has_drawn(tmp_path: Path) -> None:
    async with running(papers(), items=[Paper("one")], db=tmp_path / "work.db", size=(100, 30)) as ui:
        await ui.seen(WAITING)
        await ui.press("home", "enter")
        await ui.until(lambda: isinstance(ui.app.screen, ItemScreen))
        await ui.seen("fetch")
        drawn = [weakref.ref(each._styles_cache) for each in ui.app.screen.walk_children(Widget, with_self=True)]
        assert any(each() is not None and len(each()._cache) for each in drawn)  # type: ignore[union-attr, arg-type]

        await ui.press("escape")
        await ui.until(lambda: not isinstance(ui.app.screen, ItemScreen))

        def is_gone() -> bool:
            gc.collect()
            return all(each() is None for each in drawn)

        await ui.until(is_gone)
