"""What a stage can answer. A plain value means `Completed(value)`; raising means a failed attempt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from treadle_tui.engine.record import Record, refuse_changes
from treadle_tui.engine.review import ReviewData


class SubTask(Record, frozen=True):
    """One part of a fan-out."""

    name: str
    """Unique within the fan-out, not empty."""
    metadata: Any = None
    """Any JSON value; the subtask finds it as `ctx.subtask_metadata`."""


class StageOutcome(Record, frozen=True):
    """The base of every answer."""


class Completed(StageOutcome, frozen=True):
    """Done; dependents may start."""

    output: Any = None
    summary: str | None = None


class NeedsReview(StageOutcome, frozen=True):
    """Done, but a person must decide before dependents start."""

    output: Any = None
    data: ReviewData | None = None
    summary: str | None = None


class Skipped(StageOutcome, frozen=True):
    """Nothing to do; dependents may start and receive None."""

    reason: str = ""


class FanOut(StageOutcome, frozen=True):
    """Run these subtasks, concurrently, each tracked and retried on its own."""

    subtasks: Iterable[str | SubTask]


class Retry(StageOutcome, frozen=True):
    """A failed attempt; try again within the budget, after so many seconds when given."""

    reason: str
    after: float | None = None


class Failed(StageOutcome, frozen=True):
    """Failed for good; no retry."""

    error: str


refuse_changes(SubTask, StageOutcome)
