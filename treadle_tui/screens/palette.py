"""Everything there is to do or to go to, found by a few letters. Returns the line that was chosen; its opener does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from treadle_tui.board.palette_search import search
from treadle_tui.screens.modal import Modal
from treadle_tui.widgets.choice_list import ChoiceLine, ChoiceList
from treadle_tui.widgets.key_bar import KeyBar


@dataclass(frozen=True, slots=True)
class PaletteLine:
    """Something to do or to go to."""

    title: str
    about: str
    """The line of help."""
    hint: str
    """Its key, else what kind of thing it is."""
    run: Callable[[], Awaitable[Any] | None]
    """Does it; called after the palette has gone."""
    is_enabled: bool = True
    """Whether it does something at the moment."""
    id: str = ""
    """The action's id, when it is one."""


FindItems = Callable[[str], Awaitable[Sequence[PaletteLine]]]
"""Items whose id fits what was typed, as lines that go there."""


class PaletteInput(Input):
    """Where one types; arrows choose meanwhile."""

    BINDING_GROUP_TITLE = "Palette"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Do it", id="palette.run", key_display="enter", tooltip="Do what is chosen, or go there"),
        Binding("up", "screen.move(-1)", "Choose", id="palette.previous", key_display="↑↓", tooltip="The line above"),
        Binding("down", "screen.move(1)", "Choose", show=False, id="palette.next", tooltip="The line below"),
        Binding("pageup", "screen.page(-1)", "Page up", show=False, id="palette.page_up", tooltip="A page back"),
        Binding("pagedown", "screen.page(1)", "Page down", show=False, id="palette.page_down", tooltip="A page on"),
    ]


class Palette(Modal[PaletteLine | None]):
    """A field and the lines that fit what stands in it."""

    BINDING_GROUP_TITLE = "Palette"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+p", "leave", "Close", id="palette.leave", key_display="esc", tooltip="Close the palette"),
    ]

    DEFAULT_CSS = """
    Palette {
        align: center top;
        background: $background 70%;
        & > Vertical {
            width: 96; max-width: 94%; height: 22; max-height: 90%; margin-top: 2; background: $surface; border: round $line; padding: 0 1;
        }
        & PaletteInput { background: $panel; padding: 0 1; margin: 0 1 1 1; }
        & ChoiceList { background: $surface; }
        & KeyBar { background: $surface; margin-top: 1; }
    }
    """

    def __init__(self, lines: Sequence[PaletteLine], find_items: FindItems | None = None) -> None:
        super().__init__()
        self._known = lines
        self._find_items = find_items
        self._items: Sequence[PaletteLine] | None = ()
        """Those found for what stands in the field; None while they are looked for."""
        self._shown: list[PaletteLine] = []

    def compose(self) -> ComposeResult:
        """The field, the lines, the keys."""
        with Vertical():
            yield PaletteInput(placeholder="an action, a screen, a theme, or an item's id", compact=True)
            yield ChoiceList("nothing is called so")
            yield KeyBar(indent=1)

    def on_mount(self) -> None:
        """Typing can begin."""
        self.query_one(PaletteInput).focus()
        self._show_what_fits("")

    def action_move(self, delta: int) -> None:
        """Another line."""
        self.query_one(ChoiceList).move(delta)

    def action_page(self, direction: int) -> None:
        """A page on or back."""
        self.query_one(ChoiceList).page(direction)

    def action_leave(self) -> None:
        """Close."""
        self.dismiss(None)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._items = None if self._find_items is not None and event.value.strip() else ()
        self._show_what_fits(event.value)
        if self._items is None:
            self._seek_items(event.value.strip())

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._take(self.query_one(ChoiceList).chosen)

    @on(ChoiceList.Clicked)
    def _clicked(self, event: ChoiceList.Clicked) -> None:
        event.stop()
        self._take(event.index)

    def _take(self, index: int) -> None:
        if index < len(self._shown) and self._shown[index].is_enabled:
            self.dismiss(self._shown[index])

    @work(exclusive=True)
    async def _seek_items(self, text: str) -> None:
        """Look for items beside the typing; the newest text counts."""
        assert self._find_items is not None
        self._items = await self._find_items(text)
        if self.is_attached:
            self._show_what_fits(self.query_one(PaletteInput).value, self.query_one(ChoiceList).chosen)

    def _show_what_fits(self, query: str, chosen: int = 0) -> None:
        """Lines by their titles, then items, then lines by what they do; these wait for the items, so that nothing moves away."""
        found = search(query, [line.title for line in self._known], [f"{line.about} {line.id}" for line in self._known])
        by_title = [(self._known[each.index], each.places) for each in found if each.places or not query.strip()]
        items = [(line, ()) for line in self._items or ()]
        by_about = [(self._known[each.index], ()) for each in found if not each.places and query.strip() and self._items is not None]
        lines: list[tuple[PaletteLine, tuple[int, ...]]] = [*by_title, *items, *by_about]
        self._shown = [line for line, _ in lines]
        self.query_one(ChoiceList).show(
            [ChoiceLine(line.title, line.about, line.hint, places, line.is_enabled) for line, places in lines], chosen
        )
