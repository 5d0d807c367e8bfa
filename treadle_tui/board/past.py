"""A moment of the past: which event was the last one then, and where in the log that is."""

from __future__ import annotations

from datetime import datetime

from treadle_tui.board.event_text import WORDS as EVENT_WORDS
from treadle_tui.board.event_text import detail_of, place_of, sign_of, tone_for, when
from treadle_tui.board.outline import Span, Tone
from treadle_tui.board.time_text import age
from treadle_tui.engine.events import Event
from treadle_tui.engine.store.log_view import LogBounds

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
