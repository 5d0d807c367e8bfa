"""What stands in the palette: the actions of the screen it was opened on, and where else there is to go."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from textual.binding import ActiveBinding
from textual.screen import Screen

from treadle_tui.board.safe_text import safe_line
from treadle_tui.screens.palette import PaletteLine
from treadle_tui.themes import THEMES

if TYPE_CHECKING:
    from treadle_tui.full_screen import TreadleApp
    from treadle_tui.workbench import Workbench

#: Found items that are listed.
MOST_ITEMS = 8


@runtime_checkable
class AddsPaletteLines(Protocol):
    """A screen with more to offer than its keys do: saved views, for example."""

    def palette_lines(self) -> Sequence[PaletteLine]:
        """Lines for the palette."""
        ...


def palette_lines(app: TreadleApp, screen: Screen[Any]) -> list[PaletteLine]:
    """Everything, what is most likely wanted first: what the key bar offers, where to go, and last what does nothing at the moment."""
    shown, hidden, idle = _actions(app, screen)
    lines = list(shown)
    if isinstance(screen, AddsPaletteLines):
        lines += screen.palette_lines()
    exports = [_picture(app)]
    if not screen.is_modal and app.workbench is not None:
        lines += _workflows(app.workbench)
        lines += _views(app.workbench)
        exports += _exports(app.workbench)
    return [*lines, *hidden, *_themes(app), *exports, *idle]


def _actions(app: TreadleApp, screen: Screen[Any]) -> tuple[list[PaletteLine], list[PaletteLine], list[PaletteLine]]:
    """Every action of the screen once, with all its keys: those of the key bar and the screens, the others, those that do nothing now."""
    found: dict[str, list[ActiveBinding]] = {}
    for active in screen.active_bindings.values():
        if active.binding.id is not None and active.binding.id != "app.palette":
            found.setdefault(active.binding.id, []).append(active)
    shown: list[PaletteLine] = []
    hidden: list[PaletteLine] = []
    idle: list[PaletteLine] = []
    for id, bindings in found.items():
        binding = bindings[0].binding
        keys = " ".join(dict.fromkeys(app.get_key_display(each.binding) for each in bindings))
        run = functools.partial(app.run_action, binding.action, bindings[0].node)
        line = PaletteLine(binding.description or id, binding.tooltip, keys, run, is_enabled=bindings[0].enabled, id=id)
        is_likely = binding.show or binding.action.startswith("show_main")
        (idle if not line.is_enabled else shown if is_likely else hidden).append(line)
    return shown, hidden, idle


def _workflows(workbench: Workbench) -> Iterator[PaletteLine]:
    for name in workbench.workflow_names:
        show = functools.partial(workbench.show_workflow, name)
        yield PaletteLine(f"Workflow {name}", "Show its items on the board", "workflow", show, is_enabled=name != workbench.workflow_shown)


def _views(workbench: Workbench) -> Iterator[PaletteLine]:
    if workbench.host.store is None:
        return
    from treadle_tui.saved_views import about

    desk = workbench.board_desk
    for name, view in desk.saved.views.items():
        yield PaletteLine(f"View {safe_line(name)}", safe_line(about(view)), "view", functools.partial(desk.show_saved, name))
    for name in desk.saved.views:
        forget = functools.partial(desk.forget_saved, name)
        yield PaletteLine(f"Forget view {safe_line(name)}", "Keep it no longer", "view", forget)


def _exports(workbench: Workbench) -> Iterator[PaletteLine]:
    board = workbench.board
    can_be = workbench.host.store is not None and bool(board.every_stage)
    for form, words in (("jsonl", "as JSON lines"), ("csv", "as a table (CSV)")):
        export = functools.partial(workbench.board_desk.export, form)
        yield PaletteLine(
            f"Export the listed items {words}", "What the board lists, as a file in the current directory", "export", export, can_be
        )


def _themes(app: TreadleApp) -> Iterator[PaletteLine]:
    ours = [theme.name for theme in THEMES]
    for name in [*ours, *sorted(set(app.available_themes) - set(ours))]:
        use = functools.partial(setattr, app, "theme", name)
        yield PaletteLine(
            f"Theme {name}", "Colours, until the program ends; a setting keeps them", "theme", use, is_enabled=name != app.theme
        )


def _picture(app: TreadleApp) -> PaletteLine:
    return PaletteLine("Export a picture of the screen", "As an SVG file in the current directory", "export", app.export_picture)


def item_finder(app: TreadleApp) -> Callable[[str], Awaitable[Sequence[PaletteLine]]] | None:
    """Finds items by their id, once there is a database."""
    workbench = app.workbench
    if workbench is None or workbench.host.store is None:
        return None

    async def find(text: str) -> Sequence[PaletteLine]:
        ids = await workbench.find_ids(text, MOST_ITEMS)
        return [PaletteLine(id, "Show the item", "item", functools.partial(workbench.show_item, id)) for id in ids]

    return find
