"""A moment of the past: which event was the last one then, and where in the log that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from treadle_tui.board.event_text import WORDS as EVENT_WORDS
from treadle_tui.board.event_text import detail_of, place_of, sign_of, tone_for, when
from treadle_tui.board.outline import Span, Tone
from treadle_tui.board.tally import Tally, tally
from treadle_tui.board.time_text import age
from treadle_tui.engine.events import Event
from treadle_tui.engine.states import StageState
from treadle_tui.engine.status import ItemRow
from treadle_tui.engine.store.log_view import LogBounds

_STATES = dict[str, Counter[StageState]]
_BAR, _DONE, _HANDLE = "─", "━", "●"


def moment_words(event: Event, now: datetime) -> str:
    """ "as it was · 14:03:22 · 3m ago"."""
    ago = age(event.at, now)
    since = "just now" if ago in ("now", "") else f"{ago} ago"
    return f"AS IT WAS · {when(event.at, now, is_relative=False).strip()} · {since}"


def scrub_line(event: Event, bounds: LogBounds, width: int) -> tuple[Span, ...]:
    """Where in the log that is, in so many cells."""
    numbers = f"  {event.seq - bounds.first + 1:,} of {bounds.last - bounds.first + 1:,}"
    room = max(10, width - len(numbers))
    span = max(1, bounds.last - bounds.first)
    at = max(0, min(room - 1, round((event.seq - bounds.first) / span * (room - 1))))
    return (
        Span(_DONE * at, Tone.AWAITING_REVIEW),
        Span(_HANDLE, Tone.AWAITING_REVIEW),
        Span(_BAR * (room - 1 - at) + numbers, Tone.MUTED),
    )


def event_line(event: Event) -> tuple[Span, ...]:
    """What happened at that moment."""
    detail = detail_of(event)
    return (
        Span(f"{sign_of(event)} {EVENT_WORDS[type(event)]}  ", tone_for(event)),
        Span(place_of(event), Tone.HEADING),
        Span(f"  {detail}" if detail else "", Tone.MUTED),
    )


class PastCounts:
    """How many stages were in which state at a moment, counted from rows as they were then."""

    def __init__(self, seq: int) -> None:
        self.seq = seq
        """The moment."""
        self._states: _STATES = {}
        self._waiting: Counter[str] = Counter()

    @property
    def tally(self) -> Tally:
        """The totals as the board shows them."""
        states = {stage: {state: n for state, n in counts.items() if n} for stage, counts in self._states.items()}
        return tally({"": states}, "", {"": {stage: n for stage, n in self._waiting.items() if n}})

    def add(self, rows: Iterable[ItemRow], times: int = 1) -> None:
        """Count these rows, or with -1 count them no more."""
        for row in rows:
            for stage, cell in row.cells.items():
                self._states.setdefault(stage, Counter())[cell.state] += times
                self._waiting[stage] += times * cell.subtasks_by_state.get(StageState.AWAITING_REVIEW, 0)

    def move(self, seq: int, before: Iterable[ItemRow], after: Iterable[ItemRow]) -> None:
        """To another moment: the rows that differ, as they were at this one and at that."""
        self.add(before, -1)
        self.add(after)
        self.seq = seq
