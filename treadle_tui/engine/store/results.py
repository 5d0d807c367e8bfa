"""What passes between the engine and the store's verbs: claimed work one way, results of attempts the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

import msgspec

from treadle_tui.engine.attempt_record import OUTCOMES
from treadle_tui.engine.record import Record
from treadle_tui.engine.store.rows import TaskKey

Statement = tuple[str, Any, int | None]
"""(sql, parameters, expected row count or None)"""

OUTCOME_NUMBER: Mapping[str, int] = {name: number for number, name in enumerate(OUTCOMES)}


class Work(Enum):
    """What a claim asks the runner to do."""

    #: Call the stage.
    STAGE = "stage"
    #: Call one subtask.
    SUBTASK = "subtask"
    #: Put the subtasks' results together.
    REDUCE = "reduce"


class Claim(Record, frozen=True, kw_only=True, gc=False):
    """One attempt to run, with all its code will be told. Bytes are JSON."""

    key: TaskKey
    fence: int
    work: Work
    workflow: int
    item_id: str
    item_data: bytes
    priority: int
    created_at: int
    """When the item was submitted, in milliseconds."""
    stage: int
    subtask: str | None
    metadata: Any
    attempt: int
    started_at: int | None
    """When the attempt began, in milliseconds; earlier than this claim when it was interrupted."""
    extra: int
    """Attempts allowed beyond the budget."""
    idempotency_key: str
    upstream: Mapping[int, bytes | None]
    """Outputs of direct dependencies by stage number; None for a skipped one."""
    feedback: Mapping[str, Any] | None = None
    previous: Sequence[Any] = ()
    """Stored attempts, oldest first."""
    decisions: Mapping[int, Mapping[str, Any]] = msgspec.field(default_factory=dict)
    """Decisions of every stage upstream, direct or not, by stage number."""
    results: Mapping[str, bytes | None] = msgspec.field(default_factory=dict)
    """For `Work.REDUCE`: outputs by subtask name, in the order they were declared."""


class Move(Enum):
    """Where an attempt's end leads."""

    #: The output stands; dependents may start.
    COMPLETE = "complete"
    #: A person must decide.
    REVIEW = "review"
    #: There was nothing to do.
    SKIP = "skip"
    #: Subtasks were declared.
    FAN_OUT = "fan_out"
    #: Another attempt is due.
    RETRY = "retry"
    #: Failed for good.
    FAIL = "fail"
    #: The engine stopped: the same attempt runs again.
    HAND_BACK = "hand_back"


class Result(Record, frozen=True, kw_only=True):
    """How an attempt ended, ready to be recorded."""

    move: Move
    outcome: str = "completed"
    """The attempt's place in history, one of `attempt_record.OUTCOMES`."""
    output: bytes | None = None
    """JSON; None when the attempt gave none."""
    summary: str | None = None
    error: str | None = None
    verdict: Mapping[str, Any] | None = None
    feedback: Mapping[str, Any] | None = None
    """What was said about the attempt; the next one receives it."""
    review: Mapping[str, Any] | None = None
    why: str | None = None
    """Why a person is asked."""
    escalated: str | None = None
    """Set when attempts are exhausted and a person is called."""
    expires_after_ms: int | None = None
    delay_ms: int = 0
    max_attempts: int = 1
    """The number of the last attempt allowed."""
    subtasks: Sequence[tuple[str, Any]] = ()
    """(name, metadata), in order."""
    statements: Sequence[Statement] = ()
    reason: str = ""
    """Why it was skipped."""
    if_statements_fail: Callable[[str], Result] | None = None
    """What to record instead when a statement fails."""


class Ended(Record, frozen=True, gc=False):
    """An attempt that has ended, and the dependents its engine has room for."""

    claim: Claim
    result: Result
    onward: Sequence[int] = ()
    """Stages, by number, of which one more may be claimed in the same transaction: dependents, or for a subtask the stage itself."""


class Recorded(NamedTuple):
    """What became of a batch of plain completions."""

    claims: Sequence[Claim]
    """What was claimed with them: dependents, or the next subtasks."""
    left: Sequence[Ended] = ()
    """Those that are not the ordinary case after all, of which nothing is recorded: to be finished one by one."""


_COMPLETE, _REDUCE = Move.COMPLETE, Work.REDUCE
"""Looked up once: a member of an `Enum` costs more to look up than all of `is_plain`."""


def is_plain(claim: Claim, result: Result) -> bool:
    """Whether it is the ordinary case, which a store may record set-wise: a stage's or subtask's first attempt that just completed."""
    return (
        claim.attempt == 1
        and result.move is _COMPLETE
        and claim.work is not _REDUCE
        and not (claim.decisions or claim.extra)
        and not (result.summary or result.verdict or result.feedback or result.statements or result.error)
        and result.outcome == "completed"
    )


class StageRoom(Record, frozen=True, kw_only=True):
    """How much of a stage an engine can take on."""

    stage: int
    room: int
    tags: Sequence[str] = ()


class Submitted(Record, frozen=True):
    """What became of a batch of items."""

    new: int
    elsewhere: Sequence[str] = ()
    """Ids that another workflow of the database already has."""


class Standing(NamedTuple):
    """A stage of an item that has a row."""

    stage: int
    """Its number in the store."""
    state: int
    has_begun: bool
    """Whether an attempt of it has ever begun."""


class Situation(NamedTuple):
    """How an item stands: all that decides what a change of its workflow means for it."""

    flags: int
    standings: tuple[Standing, ...]
    """By stage number."""
