"""The lists of a screen by name, with how many each has; one of them is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual import events
from textual.message import Message
from textual.strip import Strip

from treadle_tui.board.safe_text import width_of
from treadle_tui.widgets.part_styles import PartStyles
from treadle_tui.widgets.span_line import Piece, line_of, pieces_width

_GAP = "   "


class TabName(NamedTuple):
    """One tab."""

    id: str
    word: str
    key: str = ""
    """The key that shows it; empty when none does."""
    total: int = 0


class TabLine(PartStyles):
    """One line; a click shows a tab. On the right stands how things go."""

    PARTS = "tab-line"

    COMPONENT_CLASSES: ClassVar[set[str]] = {"tab-line--shown", "tab-line--other", "tab-line--key", "tab-line--right"}

    DEFAULT_CSS = """
    TabLine {
        height: 1;
        width: 1fr;
        background: $background;
        & > .tab-line--shown { color: $accent; text-style: bold underline; }
        & > .tab-line--other { color: $quiet; }
        & > .tab-line--key { color: $faint; }
        & > .tab-line--right { color: $quiet; }
    }
    """

    ALLOW_SELECT = False

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, id: str) -> None:
            super().__init__()
            self.id = id

    def __init__(self, tabs: Sequence[TabName] = (), shown: str = "", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._tabs = list(tabs)
        self._shown = shown
        self._right = ""

    def show(self, tabs: Sequence[TabName], shown: str, right: str = "") -> None:
        """Show other tabs, or another one of them."""
        if (list(tabs), shown, right) != (self._tabs, self._shown, self._right):
            self._tabs, self._shown, self._right = list(tabs), shown, right
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The tabs, and what stands on the right where there is room for it."""
        parts = {name: self.part(name) for name in ("shown", "other", "key", "right")}
        pieces: list[Piece] = [("  ", parts["other"])]
        for number, tab in enumerate(self._tabs):
            pieces.append((_GAP if number else "", parts["other"]))
            pieces.append((f"{tab.key} " if tab.key else "", parts["key"]))
            pieces.append((_words(tab), parts["shown" if tab.id == self._shown else "other"]))
        right: list[Piece] = [(f"{self._right}  ", parts["right"])] if self._right else []
        if pieces_width(pieces) + pieces_width(right) + 2 > self.size.width:
            right = []
        return line_of(pieces, right, self.size.width, self.base)

    def on_click(self, event: events.Click) -> None:
        """Show the tab that was clicked."""
        x = 2
        for tab in self._tabs:
            cells = width_of(_words(tab)) + (len(tab.key) + 1 if tab.key else 0)
            if x <= event.x < x + cells:
                self.post_message(self.Chosen(tab.id))
                return
            x += cells + len(_GAP)


def _words(tab: TabName) -> str:
    return f"{tab.word} {tab.total:,}" if tab.total else tab.word
