"""The states of a stage, the moves between them, and what a reader of a stage sees.

The table `TRANSITIONS` is the law: stores enforce it, tests walk all of it. The glyph and the letter of a state are here too,
so that a board, a log line and a plain listing say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Any

import msgspec

from treadle_tui.engine.errors import InvalidTransition
from treadle_tui.engine.record import Record, refuse_changes
from treadle_tui.engine.review import ReviewData, ReviewDecision


class StageState(str, Enum):
    """Where a stage, or one of its subtasks, stands."""

    #: Not started: waits for its dependencies, for a free place, or for a hold to end.
    PENDING = "pending"
    #: Claimed by a worker; or fanned out, with subtasks that have not all ended.
    RUNNING = "running"
    #: An attempt failed; the next one is due at a known time.
    RETRY_WAIT = "retry_wait"
    #: Its code has ended and a person must decide.
    AWAITING_REVIEW = "awaiting_review"
    #: Done; dependents may start.
    COMPLETED = "completed"
    #: Nothing to do; dependents may start, and receive None.
    SKIPPED = "skipped"
    #: Failed for good, or rejected by a person.
    FAILED = "failed"
    #: Called off by a person.
    CANCELLED = "cancelled"

    @property
    def glyph(self) -> str:
        """One cell wide, told apart without colour."""
        return _GLYPHS[self]

    @property
    def letter(self) -> str:
        """One ASCII character, for terminals and eyes that have no glyphs."""
        return _LETTERS[self]

    @property
    def word(self) -> str:
        """As a person says it: "awaiting review"."""
        return self.value.replace("_", " ")

    @property
    def is_satisfied(self) -> bool:
        """Whether dependents may start."""
        return self in (StageState.COMPLETED, StageState.SKIPPED)

    @property
    def is_finished(self) -> bool:
        """Whether nothing more happens without a person."""
        return self in _FINISHED


READING_ORDER = (
    StageState.AWAITING_REVIEW,
    StageState.FAILED,
    StageState.RUNNING,
    StageState.RETRY_WAIT,
    StageState.COMPLETED,
    StageState.SKIPPED,
    StageState.CANCELLED,
    StageState.PENDING,
)
"""The order of totals and of lists by state: what needs a person, what moves, what is done, what is left."""

_GLYPHS = {
    StageState.PENDING: "·",
    StageState.RUNNING: "▸",
    StageState.RETRY_WAIT: "↻",
    StageState.AWAITING_REVIEW: "◆",
    StageState.COMPLETED: "✓",
    StageState.SKIPPED: "−",
    StageState.FAILED: "✗",
    StageState.CANCELLED: "⊘",
}
_LETTERS = {
    StageState.PENDING: "P",
    StageState.RUNNING: "R",
    StageState.RETRY_WAIT: "W",
    StageState.AWAITING_REVIEW: "?",
    StageState.COMPLETED: "C",
    StageState.SKIPPED: "S",
    StageState.FAILED: "F",
    StageState.CANCELLED: "X",
}
_FINISHED = frozenset({StageState.COMPLETED, StageState.SKIPPED, StageState.FAILED, StageState.CANCELLED})

_P, _R, _W, _A = StageState.PENDING, StageState.RUNNING, StageState.RETRY_WAIT, StageState.AWAITING_REVIEW
_C, _S, _F, _X = StageState.COMPLETED, StageState.SKIPPED, StageState.FAILED, StageState.CANCELLED

TRANSITIONS: Mapping[StageState, frozenset[StageState]] = MappingProxyType(
    {
        _P: frozenset({_R, _S, _X, _A}),
        _R: frozenset({_C, _F, _A, _W, _S, _P, _X}),
        _W: frozenset({_P, _R, _X}),
        _A: frozenset({_C, _F, _P, _X}),
        _C: frozenset({_A, _P}),
        _S: frozenset({_P}),
        _F: frozenset({_P, _A}),
        _X: frozenset({_P}),
    }
)
"""Every legal move; any other raises `InvalidTransition`."""


def check_transition(item_id: str, stage: str, from_state: StageState, to_state: StageState, remedy: str = "") -> None:
    """Raise `InvalidTransition` unless `TRANSITIONS` has the move."""
    if to_state not in TRANSITIONS[from_state]:
        raise InvalidTransition(item_id, stage, from_state, to_state, remedy)


class ItemState(str, Enum):
    """Where a work item stands as a whole; derived from its stages."""

    #: Something can still happen by itself or by a person.
    ACTIVE = "active"
    #: Paused by a person: running work finishes, nothing new starts.
    PAUSED = "paused"
    #: Every stage is completed or skipped.
    COMPLETED = "completed"
    #: Called off by a person.
    CANCELLED = "cancelled"


class SubTaskStatus(Record, frozen=True, kw_only=True):
    """One subtask of a fan-out."""

    name: str
    state: StageState = StageState.PENDING
    attempt: int = 0
    """The number of the latest attempt; 0 before the first."""
    error: str | None = None
    output: Any = None
    metadata: Any = None
    review: ReviewData | None = None
    updated_at: datetime | None = None
    version: int = 0
    """Grows with every change; a decision names the one it was made on."""
    decision: ReviewDecision | None = None


class StageStatus(Record, frozen=True, kw_only=True):
    """One stage of one item."""

    state: StageState = StageState.PENDING
    attempt: int = 0
    """The number of the latest attempt; 0 before the first."""
    updated_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error: str | None = None
    output: Any = None
    """Plain JSON value; what dependents receive. An approved edit stands here in place of the original."""
    summary: str | None = None
    review: ReviewData | None = None
    decision: ReviewDecision | None = None
    subtasks: list[SubTaskStatus] = msgspec.field(default_factory=list)
    """In the order they were declared."""
    version: int = 0
    """Grows with every change; a decision names the one it was made on."""


class StoredItem(Record, frozen=True, kw_only=True):
    """A work item as the store keeps it."""

    id: str
    workflow: str
    data: Any
    """The item's fields as a plain JSON value."""
    state: ItemState
    created_at: datetime


refuse_changes(SubTaskStatus, StageStatus, StoredItem)
