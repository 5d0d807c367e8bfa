"""The rows every store keeps, as the verbs see them.

A stage of an item and a subtask of a fan-out are the same kind of row, a *task*: the stage is subtask number 0. Rows are
changed only through a `Unit` (`unit.py`), which remembers what they were.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from treadle_tui.engine.states import StageState

STATES: tuple[StageState, ...] = tuple(StageState)
"""A state's number in a store is its place here. Only ever append."""
STATE_NUMBER: dict[StageState, int] = {state: number for number, state in enumerate(STATES)}

PENDING, RUNNING, RETRY_WAIT, AWAITING_REVIEW, COMPLETED, SKIPPED, FAILED, CANCELLED = range(8)
SATISFIED = frozenset({COMPLETED, SKIPPED})
ENDED = frozenset({COMPLETED, SKIPPED, FAILED, CANCELLED})

NOT_READY, READY, READY_BUT_PAUSED, READY_BUT_HELD = range(4)
"""Whether a task can be claimed: only `READY` can. Paused: its item is. Held: a hold's condition matched it."""

DECLARE, FANNED_OUT, REDUCE = range(3)
"""What the next claim of a stage runs: its function, its subtasks, or its reduce."""

PAUSED, CANCELLED_ITEM, DECIDED, OUTPUTS_DROPPED, REVIVED = 1, 2, 4, 8, 16
"""Flags of an item. DECIDED: some stage of it carries a person's decision. OUTPUTS_DROPPED: retention has, see `retention`. REVIVED: it was
cancelled, and went on: its events say of stages they do not name that they were cancelled.
"""

TURN = 100
"""How many items submitted later come before the next of an item's tasks that became ready in one moment.

So claims go round the items, and still nothing waits for ever: only so many items can come before a task, however many are submitted.
"""

TaskKey = tuple[int, int, int]
"""(item, stage, subtask number; 0 for the stage itself)"""

Lease = tuple[TaskKey, int]
"""(task, fence): one claim of one task"""


class Row(msgspec.Struct, eq=False, gc=False):
    """A mutable record that can be photographed and put back. No row refers to another, so none is looked at for garbage in a circle."""

    def photograph(self) -> tuple[Any, ...]:
        """The values of all fields."""
        return msgspec.structs.astuple(self)

    def put_back(self, values: tuple[Any, ...]) -> None:
        """Make every field what it was when `values` was taken."""
        for name, value in zip(self.__struct_fields__, values, strict=True):
            setattr(self, name, value)


class Task(Row, eq=False, gc=False):
    """One stage, or one subtask, of one item."""

    item: int
    stage: int
    sub: int = 0
    name: str | None = None
    """The subtask's name."""
    state: int = PENDING
    ready: int = NOT_READY
    priority: int = 0
    turn: int = 0
    """Where it stands in line when it is not the first of its item that became ready: see `place`. 0: it is the first."""
    attempt: int = 0
    is_open: int = 0
    """1 while attempt `attempt` has begun and not ended: the next claim goes on with that number."""
    extra: int = 0
    """Attempts allowed beyond the budget: granted ones, and those used up before the budget was given anew."""
    open_deps: int = 0
    """Direct dependencies that are neither completed nor skipped."""
    fence: int = 0
    worker: int | None = None
    """Who holds the lease; None when nobody does."""
    due_at: int | None = None
    """Milliseconds: when the retry is due, or when the waiting review expires."""
    started_at: int | None = None
    completed_at: int | None = None
    updated_at: int = 0
    version: int = 0
    phase: int = DECLARE
    interruptions: int = 0
    """Crashes in a row."""
    subs: int = 0
    """Subtasks declared."""
    open_subs: int = 0
    """Subtasks that have not ended."""
    failed_subs: int = 0
    """Subtasks that failed or were cancelled."""
    out: int = 0
    """The attempt whose output stands; 0: none; negative: that attempt's, edited by the decision."""
    raw_detail: bytes | dict[str, Any] | None = None

    @property
    def key(self) -> TaskKey:
        """(item, stage, subtask number)."""
        return self.item, self.stage, self.sub

    @property
    def place(self) -> int:
        """Where it stands in line among those of its priority, as the number of an item: its own item's, or that of a later one."""
        return self.turn or self.item

    @property
    def detail(self) -> dict[str, Any]:
        """What is rarely there: error, summary, review, decision, feedback, metadata, reason. Never changed in place; see `put`."""
        raw = self.raw_detail
        if raw is None:
            return {}
        if not isinstance(raw, dict):
            raw = self.raw_detail = msgspec.json.decode(raw)
        return raw

    def put(self, **changes: Any) -> None:
        """Set detail fields; None removes one."""
        detail = {key: value for key, value in {**self.detail, **changes}.items() if value is not None}
        self.raw_detail = detail or None

    def encoded_detail(self) -> bytes | None:
        """The detail as JSON; None when there is none."""
        raw = self.raw_detail
        return msgspec.json.encode(raw) if isinstance(raw, dict) else raw

    def max_attempts(self, budget: int) -> int:
        """The number of the last attempt allowed, given the budget's `max_attempts`."""
        return budget + self.extra


class Item(Row, eq=False, gc=False):
    """One work item."""

    key: int
    id: str
    workflow: int
    data: bytes
    priority: int
    created_at: int
    flags: int = 0
    open_stages: int = 0
    """Stages that are neither completed nor skipped."""

    @property
    def is_paused(self) -> bool:
        """Whether a person paused it."""
        return bool(self.flags & PAUSED)

    def revive(self) -> None:
        """Some of it runs again: it is not cancelled any more."""
        if self.flags & CANCELLED_ITEM:
            self.flags = (self.flags & ~CANCELLED_ITEM) | REVIVED


class Attempt(Row, eq=False, gc=False):
    """One attempt that has ended, or a fan-out's that has declared its subtasks."""

    item: int
    stage: int
    sub: int
    number: int
    started_at: int | None = None
    completed_at: int | None = None
    outcome: int | None = None
    """Its place in `attempt_record.OUTCOMES`."""
    output: bytes | None = None
    """JSON; None when it gave none (b"null" when it gave None)."""
    raw_detail: bytes | None = None
    """JSON of error, summary, verdict, feedback and pending SQL statements; None when there is none."""

    @property
    def key(self) -> tuple[int, int, int, int]:
        """(item, stage, subtask number, attempt number)."""
        return self.item, self.stage, self.sub, self.number

    @property
    def detail(self) -> dict[str, Any]:
        """error, summary, verdict, feedback, statements: those there are."""
        return {} if self.raw_detail is None else dict(msgspec.json.decode(self.raw_detail))

    def put(self, **changes: Any) -> None:
        """Set detail fields; None removes one."""
        detail = {key: value for key, value in {**self.detail, **changes}.items() if value is not None}
        self.raw_detail = msgspec.json.encode(detail) if detail else None


class RawEvent(NamedTuple):
    """An event as it is kept; `event_codec` makes an `Event` of it."""

    seq: int
    at: int
    kind: int
    workflow: int | None
    item: int | None
    stage: int | None
    subtask: str | None
    attempt: int
    data: bytes | None


StoredEvent = tuple[int, int, int, int | None, int | None, int | None, str | None, int, bytes | None]
"""A `RawEvent`, or a tuple of its fields: thousands a second are told that nobody in this process listens to."""


class Worker(NamedTuple):
    """An engine that may hold leases."""

    id: int
    uuid: str
    host: str
    pid: int
    pid_start: str
    """When the process began, as its system tells it: a pid alone is used again."""
    beat: int


class Hold(NamedTuple):
    """A stage that starts no more."""

    stage: int
    when: str | None
    """A condition on the item; None holds every item."""
