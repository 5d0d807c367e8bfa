"""When each stage of an item ran, as a bar of a common length: its attempts one by one, the pauses, the wait for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise

from treadle_tui.board.outline import Span, Tone
from treadle_tui.engine.attempt_record import AttemptRecord
from treadle_tui.engine.states import StageState, StageStatus

#: Signs of a bar: work that came to something, work that did not, waiting to try again, waiting for a person, work going on.
DONE, VAIN, PAUSE, WAITING, GOING = "━", "╍", "·", "◆", "▸"
_VAIN_OUTCOMES = frozenset({"retry", "failed", "rejected", "timeout", "error", "interrupted"})


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """From the first start to the last end, or to now."""

    start: datetime
    end: datetime

    def cell(self, moment: datetime, width: int) -> int:
        """The cell of so many that a moment falls into."""
        total = (self.end - self.start).total_seconds()
        share = (moment - self.start).total_seconds() / total if total > 0 else 0.0
        return max(0, min(width - 1, int(share * width)))


def time_span(statuses: Mapping[str, StageStatus], attempts: Mapping[str, Sequence[AttemptRecord]], now: datetime) -> TimeSpan | None:
    """The time all bars of an item share; None before anything has begun."""
    begun = [attempt.started_at for records in attempts.values() for attempt in records if attempt.started_at is not None]
    if not begun:
        return None
    is_open = any(status.state in _OPEN for status in statuses.values())
    ended = [status.completed_at for status in statuses.values() if status.completed_at is not None]
    ended += [attempt.completed_at for records in attempts.values() for attempt in records if attempt.completed_at is not None]
    return TimeSpan(min(begun), now if is_open or not ended else max(ended))


_OPEN = (StageState.RUNNING, StageState.RETRY_WAIT, StageState.AWAITING_REVIEW)


def stage_bar(status: StageStatus, attempts: Sequence[AttemptRecord], span: TimeSpan | None, width: int) -> tuple[Span, ...]:
    """A stage's bar in exactly so many cells; blank where nothing happened."""
    if span is None or width <= 0:
        return (Span(" " * max(0, width)),)
    cells: list[tuple[str, Tone]] = [(" ", Tone.PLAIN)] * width
    begun = [attempt for attempt in attempts if attempt.started_at is not None]
    for earlier, later in pairwise(begun):
        _fill(cells, span, earlier.completed_at, later.started_at, PAUSE, Tone.RETRY_WAIT)
    last_end = begun[-1].completed_at if begun else None
    if status.state is StageState.RETRY_WAIT:
        _fill(cells, span, last_end, span.end, PAUSE, Tone.RETRY_WAIT)
    if status.state is StageState.AWAITING_REVIEW:
        _fill(cells, span, last_end, span.end, WAITING, Tone.AWAITING_REVIEW)
    elif status.decision is not None:
        _fill(cells, span, last_end, status.decision.at or status.completed_at, WAITING, Tone.AWAITING_REVIEW)
    for attempt in begun:
        sign, tone = attempt_sign(attempt)
        _fill(cells, span, attempt.started_at, attempt.completed_at or span.end, sign, tone)
    return tuple(
        Span("".join(sign for sign, _ in group), tone)
        for tone, group in ((tone, list(same)) for tone, same in groupby(cells, lambda cell: cell[1]))
    )


def attempt_bar(attempt: AttemptRecord, span: TimeSpan | None, width: int) -> tuple[Span, ...]:
    """One attempt's bar in exactly so many cells."""
    cells: list[tuple[str, Tone]] = [(" ", Tone.PLAIN)] * width
    if span is not None:
        sign, tone = attempt_sign(attempt)
        _fill(cells, span, attempt.started_at, attempt.completed_at or span.end, sign, tone)
    return tuple(
        Span("".join(sign for sign, _ in same), tone) for tone, same in ((t, list(g)) for t, g in groupby(cells, lambda cell: cell[1]))
    )


def attempt_sign(attempt: AttemptRecord) -> tuple[str, Tone]:
    """What its part of a bar is made of."""
    if attempt.completed_at is None:
        return GOING, Tone.RUNNING
    return (VAIN, Tone.FAILED) if attempt.outcome in _VAIN_OUTCOMES else (DONE, Tone.COMPLETED)


def _fill(cells: list[tuple[str, Tone]], span: TimeSpan, start: datetime | None, end: datetime | None, sign: str, tone: Tone) -> None:
    if start is None or end is None:
        return
    first, last = span.cell(start, len(cells)), span.cell(end, len(cells))
    for at in range(first, last + 1):
        cells[at] = (sign, tone)
