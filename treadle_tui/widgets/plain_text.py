"""Text that is shown as it is: no markup is read in it."""

from __future__ import annotations

from typing import ClassVar

from textual.content import Content
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from treadle_tui.board.safe_text import safe_line, width_of
from treadle_tui.widgets.part_styles import PartStyles
from treadle_tui.widgets.span_line import line_of

#: How long a message stands before it goes by itself.
MESSAGE_SECONDS = 6.0

#: Between the parts of where things stand.
DOT = " · "

Line = str | tuple[str, ...]
"""A line, or its pieces: alternating text and style, a last text without one."""


class PlainText(Widget):
    """Safe lines, wrapped at spaces."""

    DEFAULT_CSS = """
    PlainText { width: 1fr; height: auto; }
    """

    def __init__(self, *lines: Line, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._content = content_of(*lines)

    def show(self, *lines: Line) -> None:
        """Show other lines."""
        self._content = content_of(*lines)
        self.refresh(layout=True)

    def render(self) -> Content:
        """The lines."""
        return self._content


def content_of(*lines: Line) -> Content:
    """Lines as content; nothing in them is markup."""
    return Content("\n").join(_line_content(line) for line in lines)


def _line_content(line: Line) -> Content:
    if isinstance(line, str):
        return Content(line)
    pairs = [(line[at], line[at + 1]) for at in range(0, len(line) - 1, 2)]
    rest = [line[-1]] if len(line) % 2 else []
    return Content.assemble(*pairs, *rest)


class TitleLine(PartStyles):
    """A title on the left, where things stand on the right: where there is not enough room, the end of that gives way, then the title."""

    PARTS = "title-line"

    COMPONENT_CLASSES: ClassVar[set[str]] = {"title-line--title", "title-line--standing", "title-line--message"}

    DEFAULT_CSS = """
    TitleLine {
        height: 1;
        width: 1fr;
        & > .title-line--title { color: $accent; text-style: bold; }
        & > .title-line--standing { color: $quiet; }
        & > .title-line--message { color: $foreground; }
    }
    """

    ALLOW_SELECT = False

    def __init__(self, title: str, standing: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title = safe_line(title)
        self._standing = safe_line(standing)
        self._message = ""
        self._forgetting: Timer | None = None

    def show(self, title: str, standing: str) -> None:
        """Show another title."""
        self._title, self._standing = safe_line(title), safe_line(standing)
        self.refresh()

    def say(self, message: str) -> None:
        """For a while, say something in the place of where things stand."""
        if self._forgetting is not None:
            self._forgetting.stop()
        self._message = safe_line(message)
        self._forgetting = self.set_timer(MESSAGE_SECONDS, self._forget)
        self.refresh()

    def _forget(self) -> None:
        self._message = ""
        self.refresh()

    def _fitting_standing(self) -> str:
        """As many parts of where things stand as the title leaves room for, the first one in any case."""
        parts = self._standing.split(DOT)
        while len(parts) > 1 and width_of(DOT.join(parts)) + width_of(self._title) + 5 > self.size.width:
            parts.pop()
        return DOT.join(parts)

    def render_line(self, y: int) -> Strip:
        """Title, room, standing or the latest message."""
        title = self.part("title")
        right = self.part("message" if self._message else "standing")
        words = self._message or self._fitting_standing()
        return line_of([(" " + self._title, title)], [(f" {words} ", right)], self.size.width, self.base)
