"""What happened, one frozen dataclass per kind.

An event is written in the transaction of the change it tells and published only after the commit. `seq` is commit order.
Folding the events of an item gives its states (API.md §5); `STATE_AFTER` is that fold's table. Events with a `subtask` move
the subtask, not the stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from treadle_tui.engine.feedback import Feedback
from treadle_tui.engine.review import ReviewData, ReviewDecision
from treadle_tui.engine.states import StageState


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The base of every durable event."""

    seq: int = 0
    """Its place in commit order; 1 is the first ever."""
    at: datetime | None = None
    """When it happened, by the engine's clock."""
    workflow: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemEvent(Event):
    """Something happened to a work item."""

    item_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEvent(ItemEvent):
    """Something happened to a stage of an item, or to one of its subtasks."""

    stage: str = ""
    subtask: str | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemAdded(ItemEvent):
    """A new item was submitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemDeleted(ItemEvent):
    """An item was deleted; its other events went with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPaused(ItemEvent):
    """Nothing new starts for this item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResumed(ItemEvent):
    """The item goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemCancelled(ItemEvent):
    """Its unfinished stages are cancelled."""

    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowCompleted(ItemEvent):
    """Every stage of the item is completed or skipped; told once, and again only after a reopen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageHeld(Event):
    """A stage of a workflow starts no more: for all items, or for those that match `when`."""

    stage: str = ""
    when: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageReleased(Event):
    """The hold of a stage has ended."""

    stage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStarted(StageEvent):
    """An attempt began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOutStarted(StageEvent):
    """The stage declared subtasks and runs until all have ended."""

    subtasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubTaskStarted(StageEvent):
    """An attempt of a subtask began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCompleted(StageEvent):
    """Done; dependents may start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubTaskCompleted(StageEvent):
    """A subtask is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFailed(StageEvent):
    """The stage is failed for good, or rejected."""

    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubTaskFailed(StageEvent):
    """A subtask is failed for good, or rejected."""

    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSkipped(StageEvent):
    """There was nothing to do."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRequired(StageEvent):
    """A person must decide."""

    data: ReviewData | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewResolved(StageEvent):
    """A person decided."""

    decision: ReviewDecision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewReopened(StageEvent):
    """A decision was taken back; the review waits again."""

    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryScheduled(StageEvent):
    """An attempt failed; the next is due at a known time."""

    due_at: datetime | None = None
    reason: str = ""
    max_attempts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRetried(StageEvent):
    """A person sent the stage, or a subtask, back to the start."""

    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRecovered(StageEvent):
    """An attempt was interrupted by a crash; it runs again with the same number and key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityCheckPassed(StageEvent):
    """All gates accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityCheckFailed(StageEvent):
    """A gate rejected, or was uncertain."""

    feedback: Feedback | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalated(StageEvent):
    """Attempts are exhausted, or a review expired, and a person is called."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageProgress(StageEvent):
    """How far an attempt says it is."""

    fraction: float = 0.0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLogged(StageEvent):
    """A line an attempt wrote."""

    message: str = ""


@dataclass(frozen=True, slots=True)
class Lagged:
    """A reader fell behind, or asked for what retention has dropped: so many events are not delivered here."""

    missed: int


EVENT_KINDS: tuple[type[Event], ...] = (
    ItemAdded,
    ItemDeleted,
    ItemPaused,
    ItemResumed,
    ItemCancelled,
    WorkflowCompleted,
    StageHeld,
    StageReleased,
    StageStarted,
    FanOutStarted,
    SubTaskStarted,
    StageCompleted,
    SubTaskCompleted,
    StageFailed,
    SubTaskFailed,
    StageSkipped,
    ReviewRequired,
    ReviewResolved,
    ReviewReopened,
    RetryScheduled,
    StageRetried,
    StageRecovered,
    QualityCheckPassed,
    QualityCheckFailed,
    Escalated,
    StageProgress,
    StageLogged,
)
"""Every durable kind; its place here, from 1, is its number in a database. Only ever append."""

STATE_AFTER: Mapping[type[Event], StageState] = MappingProxyType(
    {
        StageStarted: StageState.RUNNING,
        FanOutStarted: StageState.RUNNING,
        SubTaskStarted: StageState.RUNNING,
        StageCompleted: StageState.COMPLETED,
        SubTaskCompleted: StageState.COMPLETED,
        StageFailed: StageState.FAILED,
        SubTaskFailed: StageState.FAILED,
        StageSkipped: StageState.SKIPPED,
        ReviewRequired: StageState.AWAITING_REVIEW,
        ReviewReopened: StageState.AWAITING_REVIEW,
        RetryScheduled: StageState.RETRY_WAIT,
        StageRetried: StageState.PENDING,
        StageRecovered: StageState.PENDING,
    }
)
"""The state a stage or subtask is in after an event; `ReviewResolved` with `RequestChanges` means pending besides."""
