"""The inbox as a list: one line per review, drawn as far as it is on the screen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from treadle_tui.board.history_outline import decision_words
from treadle_tui.board.review_line import ReviewLine, Tab
from treadle_tui.board.review_queue import ReviewQueue
from treadle_tui.board.safe_text import fit, safe_line, shorten, shorten_middle, width_of
from treadle_tui.board.time_text import age, clock_time

_MARK, _CURSOR = "●", "▌"
_AGE_CELLS = 4
_TITLE_MOST, _TITLE_LEAST = 48, 16
_WHY_CELLS = 12
_WHY_FROM = 64
"""Cells from which there is room for why a person is asked."""


class ReviewList(ScrollView, can_focus=True):
    """Lines of a `ReviewQueue`; the cursor is the queue's."""

    BINDING_GROUP_TITLE = "List"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Next", show=False, id="reviews.down", tooltip="To the next one, without deciding"),
        Binding("up,k", "move(-1)", "Previous", show=False, id="reviews.up", tooltip="To the one before, without deciding"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="reviews.page_down", tooltip="One screen down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="reviews.page_up", tooltip="One screen up"),
        Binding("home", "top", "Top", show=False, id="reviews.top", tooltip="To the first one"),
        Binding("end,G", "bottom", "Bottom", show=False, id="reviews.bottom", tooltip="To the last one, newcomers included"),
        Binding("enter", "open", "Open", id="reviews.open", key_display="enter", tooltip="Open it: everything about it, and edits"),
    ]

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "review-list--cursor",
        "review-list--quiet",
        "review-list--mark",
        "review-list--good",
        "review-list--bad",
        "review-list--why",
        "review-list--pill",
    }
    """
    | Class | Description |
    | :- | :- |
    | `review-list--cursor` | The line under the cursor |
    | `review-list--mark`, `--why`, `--quiet` | The mark, why a person is asked, what matters less |
    | `review-list--good`, `--bad` | Approved; rejected, or not recorded |
    | `review-list--pill` | How many have come |
    """

    DEFAULT_CSS = """
    ReviewList {
        background: $background;
        color: $foreground;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        & > .review-list--cursor { background: $cursor-row; text-style: $line-cursor-style; }
        & > .review-list--quiet { color: $quiet; }
        & > .review-list--mark { color: $accent; }
        & > .review-list--why { color: $state-awaiting-review; }
        & > .review-list--good { color: $state-completed; }
        & > .review-list--bad { color: $state-failed; }
        & > .review-list--pill { color: $accent; text-style: bold; }
    }
    """

    ALLOW_SELECT = False

    class CursorMoved(Message):
        """The cursor is on another line, by a key or the mouse."""

    class Opened(Message):
        """The line under the cursor is to be opened."""

    def __init__(self, queue: ReviewQueue, now: Callable[[], datetime]) -> None:
        super().__init__()
        self.queue = queue
        self._now = now

    # drawing --------------------------------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Draw what the queue says now."""
        extra = 1 if self._pill else 0
        self.virtual_size = Size(self.scrollable_content_region.width, len(self.queue.lines) + extra)
        self._show_cursor()
        self.refresh()

    @property
    def _pill(self) -> int:
        return self.queue.newcomers if self.queue.tab is Tab.WAITING else 0

    def _show_cursor(self) -> None:
        first, height, at = round(self.scroll_y), max(1, self.size.height), self.queue.place
        if at < first:
            self.scroll_to(y=at, animate=False, force=True)
        elif at >= first + height:
            self.scroll_to(y=at - height + 1, animate=False, force=True)

    def on_resize(self, event: events.Resize) -> None:
        """Other lines are on the screen."""
        self.queue.look_at(event.size.height)
        self.show()

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        number, width, lines = round(self.scroll_y) + y, self.scrollable_content_region.width, self.queue.lines
        base = self.rich_style
        if number == len(lines) and self._pill:
            pill = self.get_component_rich_style("review-list--pill", partial=True)
            return Strip([Segment(f"       +{self._pill:,} new", base + pill)]).extend_cell_length(width, base).crop(0, width)
        if number >= len(lines):
            return Strip.blank(width, base)
        is_current = number == self.queue.place
        if is_current:
            base = self.get_component_rich_style("review-list--cursor")
        segments = [Segment(text, base + style) for text, style in self._pieces(lines[number], width, is_current=is_current)]
        return Strip(segments).extend_cell_length(width, base).crop(0, width)

    def _part(self, name: str) -> Style:
        return self.get_component_rich_style(f"review-list--{name}", partial=True)

    def _pieces(self, line: ReviewLine, width: int, *, is_current: bool) -> list[tuple[str, Style]]:
        plain, quiet = Style.null(), self._part("quiet")
        is_marked = line.key in self.queue.marks and line.decision is None
        pieces = [(_CURSOR if is_current else " ", self._part("mark")), (_MARK if is_marked else " ", self._part("mark"))]
        pieces.append((f"{age(line.since, self._now()):>{_AGE_CELLS}}  ", quiet))
        if line.decision is not None:
            return _shortened(pieces + self._decision_pieces(line, width - 8), width)
        room = width - 8 - (_WHY_CELLS + 2 if width >= _WHY_FROM else 0)
        title_cells = max(_TITLE_LEAST, min(_TITLE_MOST, self._longest_title(), room * 3 // 5))
        pieces.append((fit(shorten_middle(line.title, title_cells), title_cells) + "  ", plain))
        if width >= _WHY_FROM:
            pieces.append((fit(safe_line(_why_word(line)), _WHY_CELLS) + "  ", self._part("why")))
        if line.looked_at_by:
            pieces.append((f"{safe_line(line.looked_at_by)} looks  ", self._part("mark")))
        if line.until is not None:
            pieces.append((f"until {clock_time(line.until, self._now())}  ", quiet))
        if line.attempt > 1:
            pieces.append((f"{line.attempt}× ", quiet))
        pieces.append((safe_line(line.summary), quiet))
        return _shortened(pieces, width)

    def _decision_pieces(self, line: ReviewLine, room: int) -> list[tuple[str, Style]]:
        assert line.decision is not None
        quiet, is_bad = self._part("quiet"), bool(line.problem) or line.decision.verb == "reject"
        words = "reopened" if line.is_undone else decision_words(line.decision)
        title_cells = max(_TITLE_LEAST, min(_TITLE_MOST, self._longest_title(), room // 2))
        pieces = [(fit(shorten_middle(line.title, title_cells), title_cells) + "  ", Style.null())]
        pieces.append((fit(words, 19) + " ", quiet if line.is_undone else self._part("bad" if is_bad else "good")))
        pieces.append((fit(safe_line(line.decision.by), 8) + "  ", quiet))
        if line.problem:
            pieces.append((f"! {safe_line(line.problem)}  ", self._part("bad")))
        if line.decision.seconds is not None and self.queue.tab is Tab.DECIDED:
            pieces.append((f"{line.decision.seconds:.0f} s  ", quiet))
        pieces.append((safe_line(line.summary), quiet))
        return pieces

    def _longest_title(self) -> int:
        first, lines = round(self.scroll_y), self.queue.lines
        seen = lines[first : first + max(1, self.size.height)]
        return max((width_of(line.title) for line in seen), default=_TITLE_LEAST)

    # moving ---------------------------------------------------------------------------------------------------------------------

    def _moved(self) -> None:
        self.show()
        self.post_message(self.CursorMoved())

    def action_move(self, delta: int) -> None:
        """Some lines up or down; past the last one newcomers are taken in."""
        if delta > 0 and self.queue.place == len(self.queue.lines) - 1 and self._pill:
            self.queue.show_newcomers(self._now())
        self.queue.move(delta)
        self._moved()

    def action_page(self, delta: int) -> None:
        """Some screens up or down."""
        self.queue.move(delta * max(1, self.size.height - 1))
        self._moved()

    def action_top(self) -> None:
        """To the first line."""
        self.queue.move_to(0)
        self._moved()

    def action_bottom(self) -> None:
        """To the last line, newcomers included."""
        if self._pill:
            self.queue.show_newcomers(self._now())
        self.queue.move_to(len(self.queue.lines) - 1)
        self._moved()

    def action_open(self) -> None:
        """Open the line under the cursor."""
        if self.queue.current is not None:
            self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        """The cursor goes where it was clicked; a second click opens; a click on the newcomers takes them in."""
        event.stop()
        number = round(self.scroll_y) + event.y
        if number == len(self.queue.lines) and self._pill:
            self.queue.show_newcomers(self._now())
            self._moved()
        elif number < len(self.queue.lines):
            was_current = number == self.queue.place
            self.queue.move_to(number)
            self._moved()
            if was_current:
                self.action_open()


def _shortened(pieces: list[tuple[str, Style]], width: int) -> list[tuple[str, Style]]:
    """The pieces that fit, with a sign where one is cut."""
    fitting: list[tuple[str, Style]] = []
    for text, style in pieces:
        room = width - sum(width_of(each) for each, _ in fitting)
        if room > 0:
            fitting.append((shorten(text, room), style))
    return fitting


def _why_word(line: ReviewLine) -> str:
    """Why a person is asked, in a word."""
    why = line.why.partition(":")[0].partition(",")[0].strip()
    return {"asked by the stage": "asked", "always reviewed": "always"}.get(why, why)
