"""What a stage can answer. A plain value means `Completed(value)`; raising means a failed attempt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from treadle_tui.engine.review import ReviewData


@dataclass(frozen=True, slots=True)
class SubTask:
    """One part of a fan-out."""

    name: str
    """Unique within the fan-out, not empty."""
    metadata: Any = None
    """Any JSON value; the subtask finds it as `ctx.subtask_metadata`."""


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """The base of every answer."""


@dataclass(frozen=True, slots=True)
class Completed(StageOutcome):
    """Done; dependents may start."""

    output: Any = None
    summary: str | None = None


@dataclass(frozen=True, slots=True)
class NeedsReview(StageOutcome):
    """Done, but a person must decide before dependents start."""

    output: Any = None
    data: ReviewData | None = None
    summary: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped(StageOutcome):
    """Nothing to do; dependents may start and receive None."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class FanOut(StageOutcome):
    """Run these subtasks, concurrently, each tracked and retried on its own."""

    subtasks: Iterable[str | SubTask]


@dataclass(frozen=True, slots=True)
class Retry(StageOutcome):
    """A failed attempt; try again within the budget, after so many seconds when given."""

    reason: str
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Failed(StageOutcome):
    """Failed for good; no retry."""

    error: str
