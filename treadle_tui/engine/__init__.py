"""The engine's public names (docs/reference, API.md). Never imports Textual, Rich or click; networkx only where a graph is asked for."""

from typing import TYPE_CHECKING, Any

from treadle_tui.engine.attempt_record import AttemptRecord
from treadle_tui.engine.clock import Clock, SystemClock
from treadle_tui.engine.engine import Engine
from treadle_tui.engine.errors import (
    DagCycle,
    DefinitionError,
    DuplicateStage,
    InvalidDecision,
    InvalidDefinition,
    InvalidItem,
    InvalidTransition,
    ItemNotFound,
    ReviewConflict,
    StageExecutionError,
    StageNotFound,
    StoreCorrupt,
    StoreError,
    StoreLocked,
    StoreTooNew,
    TreadleError,
    WorkflowChanged,
)
from treadle_tui.engine.events import (
    Escalated,
    Event,
    FanOutStarted,
    ItemAdded,
    ItemCancelled,
    ItemDeleted,
    ItemEvent,
    ItemPaused,
    ItemResumed,
    Lagged,
    QualityCheckFailed,
    QualityCheckPassed,
    RetryScheduled,
    ReviewReopened,
    ReviewRequired,
    ReviewResolved,
    StageCompleted,
    StageEvent,
    StageFailed,
    StageHeld,
    StageLogged,
    StageProgress,
    StageRecovered,
    StageReleased,
    StageRetried,
    StageSkipped,
    StageStarted,
    SubTaskCompleted,
    SubTaskFailed,
    SubTaskStarted,
    WorkflowCompleted,
)
from treadle_tui.engine.feedback import Criterion, Feedback
from treadle_tui.engine.migration import Change, MigrationPlan
from treadle_tui.engine.outcomes import Completed, Failed, FanOut, NeedsReview, Retry, Skipped, StageOutcome, SubTask
from treadle_tui.engine.quality import Accepted, Gate, Rejected, Uncertain, Verdict, gate
from treadle_tui.engine.retry import RetryBudget
from treadle_tui.engine.review import (
    Approve,
    ApproveWithEdits,
    PickAttempt,
    Reject,
    RequestChanges,
    ReviewData,
    ReviewDecision,
    ReviewField,
    ReviewPolicy,
)
from treadle_tui.engine.runner.local import LocalRunner
from treadle_tui.engine.runner.protocol import Runner
from treadle_tui.engine.stage import Stage, StageContext
from treadle_tui.engine.states import TRANSITIONS, ItemState, StageState, StageStatus, StoredItem, SubTaskStatus
from treadle_tui.engine.status import Cell, Eta, Explanation, ItemRow, PendingReview, PipelineStatus, StageEntry, StageRun, StageStatistics
from treadle_tui.engine.store.memory import MemoryStateStore
from treadle_tui.engine.store.protocol import StateStore
from treadle_tui.engine.store.sqlite.store import SqliteStateStore
from treadle_tui.engine.workflow import Workflow

if TYPE_CHECKING:
    from treadle_tui.engine.definition import load_definition

__all__ = [
    "TRANSITIONS",
    "Accepted",
    "Approve",
    "ApproveWithEdits",
    "AttemptRecord",
    "Cell",
    "Change",
    "Clock",
    "Completed",
    "Criterion",
    "DagCycle",
    "DefinitionError",
    "DuplicateStage",
    "Engine",
    "Escalated",
    "Eta",
    "Event",
    "Explanation",
    "Failed",
    "FanOut",
    "FanOutStarted",
    "Feedback",
    "Gate",
    "InvalidDecision",
    "InvalidDefinition",
    "InvalidItem",
    "InvalidTransition",
    "ItemAdded",
    "ItemCancelled",
    "ItemDeleted",
    "ItemEvent",
    "ItemNotFound",
    "ItemPaused",
    "ItemResumed",
    "ItemRow",
    "ItemState",
    "Lagged",
    "LocalRunner",
    "MemoryStateStore",
    "MigrationPlan",
    "NeedsReview",
    "PendingReview",
    "PickAttempt",
    "PipelineStatus",
    "QualityCheckFailed",
    "QualityCheckPassed",
    "Reject",
    "Rejected",
    "RequestChanges",
    "Retry",
    "RetryBudget",
    "RetryScheduled",
    "ReviewConflict",
    "ReviewData",
    "ReviewDecision",
    "ReviewField",
    "ReviewPolicy",
    "ReviewReopened",
    "ReviewRequired",
    "ReviewResolved",
    "Runner",
    "Skipped",
    "SqliteStateStore",
    "Stage",
    "StageCompleted",
    "StageContext",
    "StageEntry",
    "StageEvent",
    "StageExecutionError",
    "StageFailed",
    "StageHeld",
    "StageLogged",
    "StageNotFound",
    "StageOutcome",
    "StageProgress",
    "StageRecovered",
    "StageReleased",
    "StageRetried",
    "StageRun",
    "StageSkipped",
    "StageStarted",
    "StageState",
    "StageStatistics",
    "StageStatus",
    "StateStore",
    "StoreCorrupt",
    "StoreError",
    "StoreLocked",
    "StoreTooNew",
    "StoredItem",
    "SubTask",
    "SubTaskCompleted",
    "SubTaskFailed",
    "SubTaskStarted",
    "SubTaskStatus",
    "SystemClock",
    "TreadleError",
    "Uncertain",
    "Verdict",
    "Workflow",
    "WorkflowChanged",
    "WorkflowCompleted",
    "gate",
    "load_definition",
]


def __getattr__(name: str) -> Any:
    """What most programs do not need is imported when it is first asked for: 10 ms for `load_definition`."""
    if name == "load_definition":
        from treadle_tui.engine.definition import load_definition

        return load_definition
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
