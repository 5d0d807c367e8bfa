"""A view of lines that are drawn once: what has been drawn before is handed out again as it is.

A strip that is the same object as before need not be cut, styled and encoded again, so the cost of a frame is the cost of the lines
that are new. Another number of lines moves the scrollbar and nothing else; Textual would lay the whole screen out for it.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip

from treadle_tui.widgets.part_styles import PartStyles


class LineView(ScrollView, PartStyles):
    """Subclasses answer `draw_line`, from what they have drawn before where they can, and end every strip with `finish`."""

    DEFAULT_CSS = """
    LineView {
        background: $background;
        color: $foreground;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
    }
    """

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._on_screen: dict[int, Strip] = {}
        self._ahead: dict[int, Strip] = {}
        """Lines that have been drawn because they will be asked for in a moment."""
        self._room: tuple[int, int] | None = None

    # for subclasses -------------------------------------------------------------------------------------------------------------

    def draw_line(self, number: int) -> Strip:
        """One line of the text, `number` from 0; also for numbers beyond the last line."""
        raise NotImplementedError

    def forget_drawn(self) -> None:
        """Width or styles have changed: nothing that has been drawn is right any more. To be extended."""
        self._room = None
        self._ahead.clear()

    @property
    def text_width(self) -> int:
        """Cells beside the scrollbar, whether that is shown or not."""
        return self._widths[0]

    @property
    def _widths(self) -> tuple[int, int]:
        if self._room is None:
            room = self.scrollable_content_region.width, self.region.width
            self._room = room if room[1] else None  # before the first layout there is none
            return room
        return self._room

    def finish(self, segments: Iterable[Segment], base: Style) -> Strip:
        """The segments as a strip as wide as the view, `base` up to the scrollbar."""
        text, whole = self._widths
        strip = Strip(segments).adjust_cell_length(text, base)
        return strip if text >= whole else Strip.join([strip, Strip([Segment(" " * (whole - text), self.base)], whole - text)])

    @property
    def first_line(self) -> int:
        """The number of the line at the top."""
        return round(self.scroll_y)

    # what is shown --------------------------------------------------------------------------------------------------------------

    def set_line_count(self, count: int) -> None:
        """There are so many lines: the scrollbar follows, and nothing is laid out anew."""
        before, size = self.virtual_size, Size(self.text_width, count)
        if size == before:
            return
        self.set_reactive(ScrollView.virtual_size, size)
        if self.show_vertical_scrollbar and self._thumb(count) == self._thumb(before.height) and self.scroll_y <= self.max_scroll_y:
            self.vertical_scrollbar.set_reactive(ScrollBar.window_virtual_size, count)  # it looks the same
        else:
            self._scroll_update(size)

    def _thumb(self, count: int) -> tuple[int, int]:
        """Where the scrollbar's handle begins and how long it is, in eighths of a cell; it is not shown when everything fits."""
        height = self.size.height
        return (0, 0) if count <= height else (int(self.scroll_y * height * 8 / count), int(height * height * 8 / count))

    def show_line(self, number: int) -> None:
        """Scroll as little as brings the line on the screen."""
        first, height = self.first_line, max(1, self.size.height)
        if number < first:
            self.scroll_to(y=number, animate=False, force=True)
        elif number >= first + height:
            self.scroll_to(y=number - height + 1, animate=False, force=True)

    def repaint(self) -> None:
        """Draw again what is another line now than the one on the screen."""
        first, height, width = self.first_line, self.size.height, self._widths[1]
        self._ahead = {first + y: self.draw_line(first + y) for y in range(height)}
        changed = [y for y in range(height) if self._on_screen.get(y) is not self._ahead[first + y]]
        if changed:
            self.refresh(*(Region(0, start, width, end - start) for start, end in _runs(changed)))

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        number = self.first_line + y
        strip = self._ahead.pop(number) if number in self._ahead else self.draw_line(number)
        self._on_screen[y] = strip
        return strip

    def render_lines(self, crop: Region) -> list[Strip]:
        """Lines of the screen. Without a border or padding to draw, they are what has been prepared."""
        if self.styles.gutter:
            return super().render_lines(crop)
        strips = [self.render_line(y) for y in crop.line_range]
        for each in self.get_line_filters():
            background = self.background_colors[1]
            strips = [strip.apply_filter(each, background) for strip in strips]
        first, last = crop.column_span
        return strips if (first, last) == (0, self._widths[1]) else [strip.crop(first, last) for strip in strips]

    # what happens to it ---------------------------------------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        """The theme has changed, or the focus."""
        super().notify_style_update()
        self.forget_drawn()

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        self.forget_drawn()
        return super()._size_updated(size, virtual_size, container_size, layout)


def _runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Rising numbers as stretches: the first of each, and the one behind its last."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number:
            runs[-1] = runs[-1][0], number + 1
        else:
            runs.append((number, number + 1))
    return runs
