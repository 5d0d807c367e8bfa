"""Text that is shown as it is: no markup is read in it."""

from __future__ import annotations

from typing import ClassVar

from textual.content import Content
from textual.strip import Strip
from textual.widget import Widget

from treadle_tui.board.safe_text import safe_line
from treadle_tui.widgets.span_line import line_of

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


class TitleLine(Widget):
    """A title on the left and where things stand on the right; the title gives way when there is not enough room."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"title-line--title", "title-line--standing"}

    DEFAULT_CSS = """
    TitleLine {
        height: 1;
        width: 1fr;
        & > .title-line--title { color: $accent; text-style: bold; }
        & > .title-line--standing { color: $quiet; }
    }
    """

    ALLOW_SELECT = False

    def __init__(self, title: str, standing: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title = safe_line(title)
        self._standing = safe_line(standing)

    def show(self, title: str, standing: str) -> None:
        """Show another title."""
        self._title, self._standing = safe_line(title), safe_line(standing)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Title, room, standing."""
        title = self.get_component_rich_style("title-line--title", partial=True)
        standing = self.get_component_rich_style("title-line--standing", partial=True)
        return line_of([(" " + self._title, title)], [(f" {self._standing} ", standing)], self.size.width, self.rich_style)
