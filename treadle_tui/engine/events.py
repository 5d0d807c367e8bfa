"""What happened, one record per kind: frozen, and a dataclass to whoever asks.

An event is written in the transaction of the change it tells and published only after the commit. `seq` is commit order.
Folding the events of an item gives its states; `STATE_AFTER` is that fold's table. Events with a `subtask` move
the subtask, not the stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from treadle_tui.engine.feedback import Feedback
from treadle_tui.engine.record import Record, refuse_changes
from treadle_tui.engine.review import ReviewData, ReviewDecision
from treadle_tui.engine.states import StageState


class Event(Record, frozen=True, kw_only=True):
    """The base of every durable event."""

    seq: int = 0
    """Its place in commit order; 1 is the first ever."""
    at: datetime | None = None
    """When it happened, by the engine's clock."""
    workflow: str = ""


class ItemEvent(Event, frozen=True, kw_only=True):
    """Something happened to a work item."""

    item_id: str = ""


class StageEvent(ItemEvent, frozen=True, kw_only=True):
    """Something happened to a stage of an item, or to one of its subtasks."""

    stage: str = ""
    subtask: str | None = None
    attempt: int = 0


class ItemAdded(ItemEvent, frozen=True, kw_only=True):
    """A new item was submitted."""


class ItemDeleted(ItemEvent, frozen=True, kw_only=True):
    """An item was deleted; its other events went with it."""


class ItemPaused(ItemEvent, frozen=True, kw_only=True):
    """Nothing new starts for this item."""


class ItemResumed(ItemEvent, frozen=True, kw_only=True):
    """The item goes on."""


class ItemCancelled(ItemEvent, frozen=True, kw_only=True):
    """Its unfinished stages are cancelled."""

    by: str = ""


class WorkflowCompleted(ItemEvent, frozen=True, kw_only=True):
    """Every stage of the item is completed or skipped; told once, and again only after a reopen."""


class StageHeld(Event, frozen=True, kw_only=True):
    """A stage of a workflow starts no more: for all items, or for those that match `when`."""

    stage: str = ""
    when: str | None = None


class StageReleased(Event, frozen=True, kw_only=True):
    """The hold of a stage has ended."""

    stage: str = ""


class StageStarted(StageEvent, frozen=True, kw_only=True):
    """An attempt began."""


class FanOutStarted(StageEvent, frozen=True, kw_only=True):
    """The stage declared subtasks and runs until all have ended."""

    subtasks: tuple[str, ...] = ()


class SubTaskStarted(StageEvent, frozen=True, kw_only=True):
    """An attempt of a subtask began."""


class StageCompleted(StageEvent, frozen=True, kw_only=True):
    """Done; dependents may start."""


class SubTaskCompleted(StageEvent, frozen=True, kw_only=True):
    """A subtask is done."""


class StageFailed(StageEvent, frozen=True, kw_only=True):
    """The stage is failed for good, or rejected."""

    error: str = ""


class SubTaskFailed(StageEvent, frozen=True, kw_only=True):
    """A subtask is failed for good, or rejected."""

    error: str = ""


class StageSkipped(StageEvent, frozen=True, kw_only=True):
    """There was nothing to do."""

    reason: str = ""


class ReviewRequired(StageEvent, frozen=True, kw_only=True):
    """A person must decide."""

    data: ReviewData | None = None


class ReviewResolved(StageEvent, frozen=True, kw_only=True):
    """A person decided."""

    decision: ReviewDecision | None = None


class ReviewReopened(StageEvent, frozen=True, kw_only=True):
    """A decision was taken back; the review waits again."""

    by: str = ""


class RetryScheduled(StageEvent, frozen=True, kw_only=True):
    """An attempt failed; the next is due at a known time."""

    due_at: datetime | None = None
    reason: str = ""
    max_attempts: int = 1


class StageRetried(StageEvent, frozen=True, kw_only=True):
    """A person sent the stage, or a subtask, back to the start."""

    by: str = ""


class StageRecovered(StageEvent, frozen=True, kw_only=True):
    """An attempt was interrupted by a crash; it runs again with the same number and key."""


class QualityCheckPassed(StageEvent, frozen=True, kw_only=True):
    """All gates accepted."""


class QualityCheckFailed(StageEvent, frozen=True, kw_only=True):
    """A gate rejected, or was uncertain."""

    feedback: Feedback | None = None


class Escalated(StageEvent, frozen=True, kw_only=True):
    """Attempts are exhausted, or a review expired, and a person is called."""

    reason: str = ""


class StageProgress(StageEvent, frozen=True, kw_only=True):
    """How far an attempt says it is."""

    fraction: float = 0.0
    message: str = ""


class StageLogged(StageEvent, frozen=True, kw_only=True):
    """A line an attempt wrote."""

    message: str = ""


class Lagged(Record, frozen=True):
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


refuse_changes(Event, Lagged)
