"""An open review shows what the stage made as what it is, as it was written when asked, and finds words in it."""

from __future__ import annotations

from typing import Any

from tests.screens.driving import Driver, running
from tests.screens.papers import WAITING
from treadle_tui.engine import NeedsReview, ReviewData, Workflow
from treadle_tui.screens.review_modal import ReviewModal
from treadle_tui.widgets.outline_view import OutlineView
from treadle_tui.widgets.search_line import SearchInput


def written(output: Any, details: Any = None) -> Workflow:
    workflow = Workflow("letters")

    @workflow.stage
    def write(item: Any) -> NeedsReview:
        return NeedsReview(output, ReviewData("send it?", details))

    return workflow


async def opened(ui: Driver) -> OutlineView:
    await ui.seen(WAITING)
    await ui.press("enter")
    await ui.shows(ReviewModal)
    await ui.seen("send it?")
    return ui.app.screen.query_one(OutlineView)


async def test_markdown_is_drawn_and_t_shows_it_as_it_was_written() -> None:
    async with running(written("# On looms\n\n- **warp**\n- weft\n"), items=[{"id": "a"}], size=(80, 24)) as ui:
        await opened(ui)
        await ui.seen("• warp")
        assert "**warp**" not in ui.text

        await ui.press("t")
        await ui.seen("output, as written", "- **warp**")
        await ui.press("t")
        await ui.gone("**warp**")


async def test_records_in_the_details_are_a_table() -> None:
    async with running(written(1, [{"part": "warp", "threads": 40}, {"part": "weft", "threads": 12}]), items=[{"id": "a"}]) as ui:
        await opened(ui)
        await ui.seen("part  threads", "warp  40", "weft  12")


async def test_words_are_looked_for_and_n_walks_the_places() -> None:
    text = "\n".join("a shuttle" if line in (30, 60) else f"line {line}" for line in range(90))
    async with running(written({"text": text}), items=[{"id": "a"}], size=(80, 24)) as ui:
        outline = await opened(ui)
        await ui.press("slash", *"shuttle")
        await ui.seen("1 of 2", "a shuttle")
        first = outline.cursor_line
        await ui.press("enter", "n")
        await ui.seen("2 of 2")
        assert outline.has_focus
        assert outline.cursor_line == first + 30
        await ui.press("n")
        await ui.seen("1 of 2")
        await ui.press("N")
        await ui.seen("2 of 2")

        await ui.press("slash", "escape")
        await ui.gone("2 of 2")
        assert isinstance(ui.app.screen, ReviewModal)
        assert outline.hits == (0, 0)


async def test_letters_looked_for_decide_nothing_and_what_is_not_there_is_said() -> None:
    async with running(written("plain words"), items=[{"id": "a"}], size=(80, 24)) as ui:
        await opened(ui)
        await ui.press("slash", *"axge")
        await ui.seen("nothing has it")
        assert ui.app.screen.query_one(SearchInput).value == "axge"
        await ui.press("backspace", "escape", "escape")
        await ui.until(lambda: not isinstance(ui.app.screen, ReviewModal))
        assert (await ui.status("a", "write")).decision is None
