"""The durable log as far as it is looked at: some hundred events around a cursor, of however many there are.

Pages go by `seq` and are read at both ends as one comes near them, so a million events scroll like ten. While it follows, the last
event is under the cursor; otherwise the cursor stays where it is and what comes is only counted. Pure: whoever reads asks `want`,
and hands the page to `take`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from treadle_tui.engine.events import Event
from treadle_tui.engine.store.log_view import EVERYTHING, EventMatch, EventPage, LogBounds

#: Events read at once, and held at most.
PAGE, MOST = 200, 1200
#: Lines beyond the screen that are read ahead.
_AHEAD = 60
#: Following, so many events behind are not read one after the other: the end is.
_JUMP = 1000


class Want(NamedTuple):
    """A page to be read."""

    is_after: bool
    """Events after `seq`; else those before it."""
    seq: int


class EventLog:
    """See the module's first lines."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        """Ascending; a piece of the log without gaps, as far as events match."""
        self.match = EVERYTHING
        self.bounds = LogBounds()
        self.cursor = 0
        """Its place among the events held."""
        self.top = 0
        """The event on the first line of the screen."""
        self.height = 20
        self.is_following = True
        self.epoch = 0
        """Grows with every question: a page read for an earlier one is of no use."""
        self.low = self.high = 0
        """What has been looked at lies between: the first event that is not wanted any more at the top, the last one at the bottom."""
        self.is_begun = False
        self._starts = self._ends = False
        self._paused_at = 0

    # asking ---------------------------------------------------------------------------------------------------------------------

    def ask(self, match: EventMatch) -> None:
        """Show what matches, from the end."""
        self.match = match
        self._begin(LogBounds(), seq=None)
        self.is_following = True

    def _begin(self, bounds: LogBounds, seq: int | None) -> None:
        self.epoch += 1
        self.events = []
        self.cursor = self.top = 0
        self.is_begun = self._starts = self._ends = False
        self.high = 0 if seq is None else seq
        self.low = self.high + 1
        self.bounds = bounds if bounds.last else self.bounds

    def take_bounds(self, bounds: LogBounds) -> None:
        """The log is so long now."""
        self.bounds = bounds
        if bounds.last > self.high:
            self._ends = False
        if self.is_following and self.is_begun and bounds.last - self.high > _JUMP:
            self._begin(bounds, None)

    @property
    def newer(self) -> int:
        """Events of any kind that have come since it follows no more."""
        return 0 if self.is_following else max(0, self.bounds.last - self._paused_at)

    def want(self) -> Want | None:
        """The next page to read; None when there is enough."""
        if not self.bounds.last:
            return None
        if not self.is_begun:
            return Want(False, self.bounds.last + 1)
        is_near_end = self.top + self.height + _AHEAD > len(self.events)
        if not self._ends and (self.is_following or is_near_end):
            return Want(True, self.high)
        if not self._starts and self.top < _AHEAD:
            return Want(False, self.low)
        return None

    def take(self, want: Want, page: EventPage) -> None:
        """Take a page in."""
        if not self.is_begun:
            self.is_begun = True
            self.high = self.bounds.last
            self._ends = True
        if want.is_after:
            self._append(page)
        else:
            self._prepend(page)
        if self.is_following:
            self.cursor = max(0, len(self.events) - 1)
        self._settle()

    def _append(self, page: EventPage) -> None:
        self.events += page.events
        self.high = max(self.high, page.reached)
        self._ends = page.is_end
        surplus = len(self.events) - MOST
        if surplus > 0 and (self.is_following or self.top > surplus):
            del self.events[:surplus]
            self.low = self.events[0].seq
            self._starts = False
            self.cursor, self.top = max(0, self.cursor - surplus), max(0, self.top - surplus)

    def _prepend(self, page: EventPage) -> None:
        self.events[:0] = page.events
        self.cursor, self.top = self.cursor + len(page.events), self.top + len(page.events)
        self.low = page.reached
        self._starts = page.is_end
        if len(self.events) > MOST and self.top + self.height < MOST:
            del self.events[MOST:]
            self.high = self.events[-1].seq
            self._ends = False

    # looking --------------------------------------------------------------------------------------------------------------------

    @property
    def current(self) -> Event | None:
        """The event under the cursor."""
        return self.events[self.cursor] if self.cursor < len(self.events) else None

    def visible(self) -> Sequence[Event]:
        """The events on the screen, top first."""
        return self.events[self.top : self.top + self.height]

    def look(self, height: int) -> None:
        """The screen has so many lines."""
        self.height = max(1, height)
        self._settle()

    def _settle(self) -> None:
        self.cursor = max(0, min(self.cursor, len(self.events) - 1))
        least, most = self.cursor - self.height + 1, self.cursor
        self.top = max(0, min(max(self.top, least), most, max(0, len(self.events) - self.height)))

    def share(self) -> tuple[float, float]:
        """Where in the whole log the screen begins, and how much of it that is; both between 0 and 1."""
        total = max(1, self.bounds.last - self.bounds.first + 1)
        shown = self.visible()
        if not shown:
            return 0.0, 1.0
        span = shown[-1].seq - shown[0].seq + 1
        return (shown[0].seq - self.bounds.first) / total, min(1.0, span / total)

    # going ----------------------------------------------------------------------------------------------------------------------

    def follow(self) -> None:
        """To the end, and stay there."""
        self.is_following = True
        if not self._ends and self.bounds.last - self.high > _JUMP:
            self._begin(self.bounds, None)
        self.cursor = max(0, len(self.events) - 1)
        self._settle()

    def pause(self) -> None:
        """Stay where one is."""
        if self.is_following:
            self.is_following = False
            self._paused_at = self.bounds.last

    def move(self, delta: int) -> None:
        """So many events down; up means staying there, and down beyond the end following again."""
        if delta < 0:
            self.pause()
        elif self.cursor >= len(self.events) - 1 and self._ends:
            self.follow()
        self.cursor += delta
        self._settle()

    def to_start(self) -> None:
        """To the first event there is."""
        self.pause()
        if self._starts:
            self.cursor = 0
            self._settle()
            return
        self._begin(self.bounds, self.bounds.first - 1)
        self.is_begun = self._starts = True

    def go_to(self, seq: int) -> None:
        """Put the cursor on that event, or the next one that is held; elsewhere in the log, begin there."""
        self.pause()
        found = next((number for number, event in enumerate(self.events) if event.seq >= seq), None)
        if found is not None and (found > 0 or self.events[0].seq == seq):
            self.cursor = found
            self._settle()
            return
        self._begin(self.bounds, seq - 1)
        self.is_begun = True
