"""The engine's public names. Never imports Textual, Rich or click; networkx only where a graph is asked for.

A name is imported when it is first asked for: whoever needs the states of a stage does not pay for the engine (goal 13 of the start
figures; all of it takes 100 ms).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treadle_tui.engine.attempt_record import AttemptRecord as AttemptRecord
    from treadle_tui.engine.clock import Clock as Clock
    from treadle_tui.engine.clock import SystemClock as SystemClock
    from treadle_tui.engine.definitions.loading import load_definition as load_definition
    from treadle_tui.engine.engine import Engine as Engine
    from treadle_tui.engine.errors import DagCycle as DagCycle
    from treadle_tui.engine.errors import DefinitionError as DefinitionError
    from treadle_tui.engine.errors import DuplicateStage as DuplicateStage
    from treadle_tui.engine.errors import InvalidDecision as InvalidDecision
    from treadle_tui.engine.errors import InvalidDefinition as InvalidDefinition
    from treadle_tui.engine.errors import InvalidItem as InvalidItem
    from treadle_tui.engine.errors import InvalidTransition as InvalidTransition
    from treadle_tui.engine.errors import ItemNotFound as ItemNotFound
    from treadle_tui.engine.errors import ReviewConflict as ReviewConflict
    from treadle_tui.engine.errors import StageExecutionError as StageExecutionError
    from treadle_tui.engine.errors import StageNotFound as StageNotFound
    from treadle_tui.engine.errors import StoreCorrupt as StoreCorrupt
    from treadle_tui.engine.errors import StoreError as StoreError
    from treadle_tui.engine.errors import StoreLocked as StoreLocked
    from treadle_tui.engine.errors import StoreTooNew as StoreTooNew
    from treadle_tui.engine.errors import TreadleError as TreadleError
    from treadle_tui.engine.errors import WorkflowChanged as WorkflowChanged
    from treadle_tui.engine.events import Escalated as Escalated
    from treadle_tui.engine.events import Event as Event
    from treadle_tui.engine.events import FanOutStarted as FanOutStarted
    from treadle_tui.engine.events import ItemAdded as ItemAdded
    from treadle_tui.engine.events import ItemCancelled as ItemCancelled
    from treadle_tui.engine.events import ItemDeleted as ItemDeleted
    from treadle_tui.engine.events import ItemEvent as ItemEvent
    from treadle_tui.engine.events import ItemPaused as ItemPaused
    from treadle_tui.engine.events import ItemResumed as ItemResumed
    from treadle_tui.engine.events import Lagged as Lagged
    from treadle_tui.engine.events import QualityCheckFailed as QualityCheckFailed
    from treadle_tui.engine.events import QualityCheckPassed as QualityCheckPassed
    from treadle_tui.engine.events import RetryScheduled as RetryScheduled
    from treadle_tui.engine.events import ReviewReopened as ReviewReopened
    from treadle_tui.engine.events import ReviewRequired as ReviewRequired
    from treadle_tui.engine.events import ReviewResolved as ReviewResolved
    from treadle_tui.engine.events import StageCompleted as StageCompleted
    from treadle_tui.engine.events import StageEvent as StageEvent
    from treadle_tui.engine.events import StageFailed as StageFailed
    from treadle_tui.engine.events import StageHeld as StageHeld
    from treadle_tui.engine.events import StageLogged as StageLogged
    from treadle_tui.engine.events import StageProgress as StageProgress
    from treadle_tui.engine.events import StageRecovered as StageRecovered
    from treadle_tui.engine.events import StageReleased as StageReleased
    from treadle_tui.engine.events import StageRetried as StageRetried
    from treadle_tui.engine.events import StageSkipped as StageSkipped
    from treadle_tui.engine.events import StageStarted as StageStarted
    from treadle_tui.engine.events import SubTaskCompleted as SubTaskCompleted
    from treadle_tui.engine.events import SubTaskFailed as SubTaskFailed
    from treadle_tui.engine.events import SubTaskStarted as SubTaskStarted
    from treadle_tui.engine.events import WorkflowCompleted as WorkflowCompleted
    from treadle_tui.engine.feedback import Criterion as Criterion
    from treadle_tui.engine.feedback import Feedback as Feedback
    from treadle_tui.engine.migration import Change as Change
    from treadle_tui.engine.migration import MigrationPlan as MigrationPlan
    from treadle_tui.engine.outcomes import Completed as Completed
    from treadle_tui.engine.outcomes import Failed as Failed
    from treadle_tui.engine.outcomes import FanOut as FanOut
    from treadle_tui.engine.outcomes import NeedsReview as NeedsReview
    from treadle_tui.engine.outcomes import Retry as Retry
    from treadle_tui.engine.outcomes import Skipped as Skipped
    from treadle_tui.engine.outcomes import StageOutcome as StageOutcome
    from treadle_tui.engine.outcomes import SubTask as SubTask
    from treadle_tui.engine.quality import Gate as Gate
    from treadle_tui.engine.quality import gate as gate
    from treadle_tui.engine.retry import RetryBudget as RetryBudget
    from treadle_tui.engine.review import Approve as Approve
    from treadle_tui.engine.review import ApproveWithEdits as ApproveWithEdits
    from treadle_tui.engine.review import PickAttempt as PickAttempt
    from treadle_tui.engine.review import Reject as Reject
    from treadle_tui.engine.review import RequestChanges as RequestChanges
    from treadle_tui.engine.review import ReviewData as ReviewData
    from treadle_tui.engine.review import ReviewDecision as ReviewDecision
    from treadle_tui.engine.review import ReviewField as ReviewField
    from treadle_tui.engine.review import ReviewPolicy as ReviewPolicy
    from treadle_tui.engine.runner.local import LocalRunner as LocalRunner
    from treadle_tui.engine.runner.protocol import Runner as Runner
    from treadle_tui.engine.stage import Stage as Stage
    from treadle_tui.engine.stage import StageContext as StageContext
    from treadle_tui.engine.states import TRANSITIONS as TRANSITIONS
    from treadle_tui.engine.states import ItemState as ItemState
    from treadle_tui.engine.states import StageState as StageState
    from treadle_tui.engine.states import StageStatus as StageStatus
    from treadle_tui.engine.states import StoredItem as StoredItem
    from treadle_tui.engine.states import SubTaskStatus as SubTaskStatus
    from treadle_tui.engine.status import Cell as Cell
    from treadle_tui.engine.status import Eta as Eta
    from treadle_tui.engine.status import Explanation as Explanation
    from treadle_tui.engine.status import ItemRow as ItemRow
    from treadle_tui.engine.status import PendingReview as PendingReview
    from treadle_tui.engine.status import PipelineStatus as PipelineStatus
    from treadle_tui.engine.status import StageEntry as StageEntry
    from treadle_tui.engine.status import StageRun as StageRun
    from treadle_tui.engine.status import StageStatistics as StageStatistics
    from treadle_tui.engine.store.memory import MemoryStateStore as MemoryStateStore
    from treadle_tui.engine.store.protocol import StateStore as StateStore
    from treadle_tui.engine.store.sqlite.store import SqliteStateStore as SqliteStateStore
    from treadle_tui.engine.verdict import Accepted as Accepted
    from treadle_tui.engine.verdict import Rejected as Rejected
    from treadle_tui.engine.verdict import Uncertain as Uncertain
    from treadle_tui.engine.verdict import Verdict as Verdict
    from treadle_tui.engine.workflow import Workflow as Workflow

_HOMES = {
    "attempt_record": "AttemptRecord",
    "clock": "Clock SystemClock",
    "definitions.loading": "load_definition",
    "engine": "Engine",
    "errors": (
        "DagCycle DefinitionError DuplicateStage InvalidDecision InvalidDefinition InvalidItem InvalidTransition "
        "ItemNotFound ReviewConflict StageExecutionError StageNotFound StoreCorrupt StoreError StoreLocked StoreTooNew "
        "TreadleError WorkflowChanged"
    ),
    "events": (
        "Escalated Event FanOutStarted ItemAdded ItemCancelled ItemDeleted ItemEvent ItemPaused ItemResumed Lagged "
        "QualityCheckFailed QualityCheckPassed RetryScheduled ReviewReopened ReviewRequired ReviewResolved "
        "StageCompleted StageEvent StageFailed StageHeld StageLogged StageProgress StageRecovered StageReleased "
        "StageRetried StageSkipped StageStarted SubTaskCompleted SubTaskFailed SubTaskStarted WorkflowCompleted"
    ),
    "feedback": "Criterion Feedback",
    "migration": "Change MigrationPlan",
    "outcomes": "Completed Failed FanOut NeedsReview Retry Skipped StageOutcome SubTask",
    "quality": "Gate gate",
    "verdict": "Accepted Rejected Uncertain Verdict",
    "retry": "RetryBudget",
    "review": "Approve ApproveWithEdits PickAttempt Reject RequestChanges ReviewData ReviewDecision ReviewField ReviewPolicy",
    "runner.local": "LocalRunner",
    "runner.protocol": "Runner",
    "stage": "Stage StageContext",
    "states": "ItemState StageState StageStatus StoredItem SubTaskStatus TRANSITIONS",
    "status": "Cell Eta Explanation ItemRow PendingReview PipelineStatus StageEntry StageRun StageStatistics",
    "store.memory": "MemoryStateStore",
    "store.protocol": "StateStore",
    "store.sqlite.store": "SqliteStateStore",
    "workflow": "Workflow",
}
"""Module → the public names it holds."""

_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

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
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
