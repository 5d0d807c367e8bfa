"""The inbox as a list: one line per review, drawn as far as it is on the screen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from treadle_tui.board.history_outline import decision_words
from treadle_tui.board.review_line import ReviewKey, ReviewLine, Tab
from treadle_tui.board.review_queue import ReviewQueue
from treadle_tui.board.safe_text import fit, safe_line, shorten, shorten_middle, width_of
from treadle_tui.board.time_text import age, clock_time
from treadle_tui.widgets.line_view import LineView

_MARK, _CURSOR = "●", "▌"
_AGE_CELLS = 4
_TITLE_MOST, _TITLE_LEAST = 48, 16
_WHY_CELLS = 12
_WHY_FROM = 64
"""Cells from which there is room for why a person is asked."""
_MOST_DRAWN = 512

_Drawn = tuple[ReviewLine, str, bool, bool, int]
"""What a line was drawn from: itself, its age, whether the cursor is on it, whether it is marked, cells for its name."""


class ReviewList(LineView, can_focus=True):
    """Lines of a `ReviewQueue`; the cursor is the queue's."""

    PARTS = "review-list"

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
        & > .review-list--cursor { background: $cursor-row; text-style: $line-cursor-style; }
        & > .review-list--quiet { color: $quiet; }
        & > .review-list--mark { color: $accent; }
        & > .review-list--why { color: $state-awaiting-review; }
        & > .review-list--good { color: $state-completed; }
        & > .review-list--bad { color: $state-failed; }
        & > .review-list--pill { color: $accent; text-style: bold; }
    }
    """

    class CursorMoved(Message):
        """The cursor is on another line, by a key or the mouse."""

    class Opened(Message):
        """The line under the cursor is to be opened."""

    def __init__(self, queue: ReviewQueue, now: Callable[[], datetime]) -> None:
        super().__init__()
        self.queue = queue
        self._now = now
        self._drawn: dict[tuple[ReviewKey, int], tuple[_Drawn, Strip]] = {}
        self._title_cells = 0

    # drawing --------------------------------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Draw what the queue says now."""
        self._title_cells = 0
        self.set_line_count(len(self.queue.lines) + (1 if self._pill else 0))
        self.show_line(self.queue.place)
        self.repaint()

    @property
    def _pill(self) -> int:
        return self.queue.newcomers if self.queue.tab is Tab.WAITING else 0

    def on_resize(self, event: events.Resize) -> None:
        """Other lines are on the screen."""
        self.queue.look_at(event.size.height)
        self.show()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Other lines are on the screen, whose names may be longer."""
        self._title_cells = 0
        super().watch_scroll_y(old_value, new_value)

    def forget_drawn(self) -> None:
        """Width or styles have changed."""
        super().forget_drawn()
        self._drawn.clear()
        self._title_cells = 0

    def draw_line(self, number: int) -> Strip:
        """One line, as it was drawn before when nothing it shows has changed."""
        lines = self.queue.lines
        if number >= len(lines):
            return self._beyond(number == len(lines))
        line, is_current = lines[number], number == self.queue.place
        is_marked = line.key in self.queue.marks and line.decision is None
        state = line, age(line.since, self._now()), is_current, is_marked, self._longest_title()
        name = line.key, line.number
        drawn = self._drawn.get(name)
        if drawn is not None and drawn[0] == state:
            return drawn[1]
        base = self.whole_part("cursor") if is_current else self.base
        pieces = self._pieces(state, self.text_width)
        strip = self.finish([Segment(text, base + style) for text, style in pieces], base)
        if len(self._drawn) >= _MOST_DRAWN:
            self._drawn.clear()
        self._drawn[name] = state, strip
        return strip

    def _beyond(self, is_next: bool) -> Strip:
        """Below the last line: how many have come, and nothing."""
        words = f"       +{self._pill:,} new" if is_next and self._pill else ""
        style = self.base + self.part("pill") if words else self.base
        name = ReviewKey(words, "", ""), 0
        if name not in self._drawn:
            nothing = ReviewLine(name[0], "")
            self._drawn[name] = (nothing, "", False, False, 0), self.finish([Segment(words, style)], self.base)
        return self._drawn[name][1]

    def _pieces(self, drawn: _Drawn, width: int) -> list[tuple[str, Style]]:
        line, waited, is_current, is_marked, title_cells = drawn
        plain, quiet, mark = Style.null(), self.part("quiet"), self.part("mark")
        pieces = [(_CURSOR if is_current else " ", mark), (_MARK if is_marked else " ", mark), (f"{waited:>{_AGE_CELLS}}  ", quiet)]
        if line.decision is not None:
            return _shortened(pieces + self._decision_pieces(line, title_cells), width)
        pieces.append((fit(shorten_middle(line.title, title_cells), title_cells) + "  ", plain))
        if width >= _WHY_FROM:
            pieces.append((fit(safe_line(_why_word(line)), _WHY_CELLS) + "  ", self.part("why")))
        if line.looked_at_by:
            pieces.append((f"{safe_line(line.looked_at_by)} looks  ", mark))
        if line.until is not None:
            pieces.append((f"until {clock_time(line.until, self._now())}  ", quiet))
        if line.attempt > 1:
            pieces.append((f"{line.attempt}× ", quiet))
        pieces.append((safe_line(line.summary), quiet))
        return _shortened(pieces, width)

    def _decision_pieces(self, line: ReviewLine, title_cells: int) -> list[tuple[str, Style]]:
        assert line.decision is not None
        quiet, is_bad = self.part("quiet"), bool(line.problem) or line.decision.verb == "reject"
        words = "reopened" if line.is_undone else decision_words(line.decision)
        pieces = [(fit(shorten_middle(line.title, title_cells), title_cells) + "  ", Style.null())]
        pieces.append((fit(words, 19) + " ", quiet if line.is_undone else self.part("bad" if is_bad else "good")))
        pieces.append((fit(safe_line(line.decision.by), 8) + "  ", quiet))
        if line.problem:
            pieces.append((f"! {safe_line(line.problem)}  ", self.part("bad")))
        if line.decision.seconds is not None and self.queue.tab is Tab.DECIDED:
            pieces.append((f"{line.decision.seconds:.0f} s  ", quiet))
        pieces.append((safe_line(line.summary), quiet))
        return pieces

    def _longest_title(self) -> int:
        """Cells for the names of what is on the screen."""
        if not self._title_cells:
            first, lines, width = self.first_line, self.queue.lines, self.text_width
            seen = lines[first : first + max(1, self.size.height)]
            longest = max((width_of(line.title) for line in seen), default=_TITLE_LEAST)
            if any(line.decision is not None for line in seen):
                room = (width - 8) // 2
            else:
                room = (width - 8 - (_WHY_CELLS + 2 if width >= _WHY_FROM else 0)) * 3 // 5
            self._title_cells = max(_TITLE_LEAST, min(_TITLE_MOST, longest, room))
        return self._title_cells

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
        number = self.first_line + event.y
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
