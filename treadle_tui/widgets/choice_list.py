"""A list to choose one line from, below a field in which one types: the field keeps the focus, this draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from treadle_tui.board.safe_text import safe_line, shorten, width_of
from treadle_tui.widgets.span_line import Piece, line_of

#: Cells of the explanation that must fit for it to be shown.
_ABOUT_LEAST = 20
#: Explanations stand below each other behind titles of up to so many cells.
_TITLE_MOST = 24


@dataclass(frozen=True, slots=True)
class ChoiceLine:
    """One line: what it is, what it does, and the key or the kind it belongs to."""

    title: str
    about: str = ""
    hint: str = ""
    places: tuple[int, ...] = ()
    """Characters of the title that were typed."""
    is_enabled: bool = True


class ChoiceList(Widget):
    """Lines, one of them chosen; as many as fit, the chosen one among them."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "choice-list--title",
        "choice-list--typed",
        "choice-list--about",
        "choice-list--hint",
        "choice-list--disabled",
        "choice-list--chosen",
    }
    """
    | Class | Description |
    | :- | :- |
    | `choice-list--title`, `--typed` | What a line is; the letters of it that were typed |
    | `choice-list--about`, `--hint` | What it does; its key or kind |
    | `choice-list--disabled`, `--chosen` | A line that does nothing at the moment; the chosen one |
    """

    DEFAULT_CSS = """
    ChoiceList {
        height: 1fr;
        width: 1fr;
        & > .choice-list--title { color: $foreground; }
        & > .choice-list--typed { color: $accent; text-style: bold; }
        & > .choice-list--about { color: $quiet; }
        & > .choice-list--hint { color: $accent; text-style: $key-style; }
        & > .choice-list--disabled { color: $faint; }
        & > .choice-list--chosen { background: $cursor-row; text-style: $line-cursor-style; }
    }
    """

    ALLOW_SELECT = False

    class Clicked(Message):
        """A line was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, empty: str) -> None:
        """`empty`: what stands there when there is no line."""
        super().__init__()
        self._empty = empty
        self._lines: Sequence[ChoiceLine] = ()
        self._title_width = 0
        self._first = 0
        self.chosen = 0
        """The index of the chosen line."""

    @property
    def lines(self) -> Sequence[ChoiceLine]:
        """What there is to choose from."""
        return self._lines

    def show(self, lines: Sequence[ChoiceLine], chosen: int = 0) -> None:
        """Show other lines."""
        self._lines = lines
        self._title_width = max((width for line in lines if (width := width_of(safe_line(line.title))) <= _TITLE_MOST), default=0)
        self._choose(chosen)

    def move(self, delta: int) -> None:
        """Choose another line; past the end it stays."""
        self._choose(self.chosen + delta)

    def page(self, direction: int) -> None:
        """As many lines on as there are on the screen."""
        self.move(direction * max(1, self.size.height - 1))

    def _choose(self, index: int) -> None:
        self.chosen = max(0, min(index, len(self._lines) - 1))
        self._keep_in_sight()
        self.refresh()

    def _keep_in_sight(self) -> None:
        height = max(1, self.size.height)
        self._first = max(0, min(self._first, self.chosen, len(self._lines) - height))
        self._first = max(self._first, self.chosen - height + 1)

    def on_resize(self) -> None:
        """Keep the chosen line on the screen."""
        self._keep_in_sight()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """One line on."""
        event.stop()
        self.move(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """One line back."""
        event.stop()
        self.move(-1)

    def on_click(self, event: events.Click) -> None:
        """Choose what was clicked, and say so."""
        event.stop()
        index = self._first + event.y
        if index < len(self._lines):
            self._choose(index)
            self.post_message(self.Clicked(index))

    def render_line(self, y: int) -> Strip:
        """One line."""
        index = self._first + y
        if not self._lines and y == 0:
            return line_of([("  " + self._empty, self._style("about"))], [], self.size.width, self.rich_style)
        if index >= len(self._lines):
            return Strip.blank(self.size.width, self.rich_style)
        return self._draw(self._lines[index], is_chosen=index == self.chosen)

    def _draw(self, line: ChoiceLine, *, is_chosen: bool) -> Strip:
        base = self.rich_style + self._style("chosen") if is_chosen else self.rich_style
        left: list[Piece] = [("▸ " if is_chosen else "  ", self._style("hint")), *self._title_pieces(line)]
        right: list[Piece] = [(f"  {safe_line(line.hint)} ", self._style("hint" if line.is_enabled else "disabled"))]
        gap = " " * (3 + max(0, self._title_width - width_of(safe_line(line.title))))
        room = self.size.width - sum(width_of(text) for text, _ in (*left, *right)) - len(gap)
        if line.about and room >= _ABOUT_LEAST:
            left.append((gap + shorten(safe_line(line.about), room), self._style("about" if line.is_enabled else "disabled")))
        return line_of(left, right, self.size.width, base)

    def _title_pieces(self, line: ChoiceLine) -> list[Piece]:
        title = safe_line(line.title)
        if not line.is_enabled:
            return [(title, self._style("disabled"))]
        typed = set(line.places) if title == line.title else set()
        return (
            [(letter, self._style("typed" if place in typed else "title")) for place, letter in enumerate(title)]
            if typed
            else [(title, self._style("title"))]
        )

    def _style(self, part: str) -> Style:
        return self.get_component_rich_style(f"choice-list--{part}", partial=True)
