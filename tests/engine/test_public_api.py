"""The names other people's programs import."""

from __future__ import annotations

import inspect
import pickle
from datetime import UTC, datetime

import pytest

import treadle_tui.engine as engine
from treadle_tui.engine import DagCycle, InvalidTransition, ReviewConflict, StageExecutionError, StageState, testing

NAMES = """
Accepted Approve ApproveWithEdits AttemptRecord Completed Criterion DagCycle DefinitionError DuplicateStage Engine Escalated Failed
FanOut FanOutStarted Feedback Gate InvalidDecision InvalidDefinition InvalidItem InvalidTransition ItemAdded ItemCancelled ItemDeleted
ItemNotFound ItemPaused ItemResumed Lagged LocalRunner MemoryStateStore NeedsReview PendingReview PickAttempt PipelineStatus
QualityCheckFailed QualityCheckPassed Reject Rejected RequestChanges Retry RetryBudget RetryScheduled ReviewConflict ReviewData
ReviewField ReviewPolicy ReviewReopened ReviewRequired ReviewResolved ReviewDecision Skipped SqliteStateStore Stage StageCompleted
StageContext StageEntry StageExecutionError StageFailed StageHeld StageLogged StageNotFound StageProgress StageRecovered StageReleased
StageRetried StageSkipped StageStarted StageState StageStatus StateStore StoreCorrupt StoreError StoreLocked StoreTooNew StoredItem
SubTask SubTaskCompleted SubTaskFailed SubTaskStarted SubTaskStatus TRANSITIONS TreadleError Uncertain Workflow WorkflowCompleted
Explanation gate load_definition
"""
"""Every name the contract gives to a program; written down by hand, so that a rename here is a decision."""

TESTING = ["ManualClock", "ScriptedStage", "collect_events", "crash_at_every_commit", "store_contract"]


@pytest.mark.parametrize("name", NAMES.split())
def test_a_name_of_the_contract_is_public(name: str):
    assert name in engine.__all__
    assert getattr(engine, name) is not None


@pytest.mark.parametrize("name", engine.__all__)
def test_a_public_name_is_there_and_documented(name: str):
    value = getattr(engine, name)

    assert name == "TRANSITIONS" or inspect.getdoc(value)


def test_public_names_are_sorted_and_none_twice():
    assert sorted(set(engine.__all__), key=lambda name: (not name.isupper(), name[0].islower(), name)) == list(engine.__all__)


@pytest.mark.parametrize("name", TESTING)
def test_the_test_kit_is_public(name: str):
    assert name in testing.__all__


@pytest.mark.parametrize("name", testing.__all__)
def test_a_name_of_the_test_kit_is_there_and_documented(name: str):
    assert inspect.getdoc(getattr(testing, name))


VERBS = {
    engine.Engine: """submit run_until_idle run_forever advance run_stage resolve_review resolve_reviews reopen_review retry_stage
        retry_stages rerun_stage pause resume cancel pause_stage resume_stage status summary pending_reviews explain plan_migration
        events""",
    engine.Workflow: """stage source add_stage include limit builder build stages dependencies dependents root_stages leaf_stages
        has_stage graph to_dot to_mermaid fingerprint advance approve_review reject_review resolve_review retry_stage ready_stages
        is_complete is_blocked status subscribe""",
    engine.MemoryStateStore: """get_status get_all_statuses query_items get_attempts get_item list_items delete_item events close""",
    engine.SqliteStateStore: """open get_status get_all_statuses query_items get_attempts get_item list_items delete_item events close""",
    engine.PipelineStatus: """progress_percent is_complete has_failures failed_stages running_stages has_pending_reviews review_stages""",
    engine.StageContext: """progress log cancelled memo transaction""",
    engine.ReviewPolicy: """NEVER ALWAYS ON_ESCALATION ON_UNCERTAIN ON_ESCALATION_OR_UNCERTAIN sample""",
}


@pytest.mark.parametrize(("owner", "name"), [(owner, name) for owner, names in VERBS.items() for name in names.split()])
def test_a_verb_of_the_contract_is_there(owner: type, name: str):
    assert hasattr(owner, name)


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        ("DagCycle", "DefinitionError"),
        ("DuplicateStage", "DefinitionError"),
        ("StageNotFound", "DefinitionError"),
        ("InvalidDefinition", "DefinitionError"),
        ("DefinitionError", "TreadleError"),
        ("StoreLocked", "StoreError"),
        ("StoreCorrupt", "StoreError"),
        ("StoreTooNew", "StoreError"),
        ("StoreError", "TreadleError"),
        *((name, "TreadleError") for name in ("StageExecutionError", "InvalidTransition", "ReviewConflict", "InvalidDecision")),
        *((name, "TreadleError") for name in ("ItemNotFound", "InvalidItem")),
    ],
)
def test_errors_have_one_root(child: str, parent: str):
    assert issubclass(getattr(engine, child), getattr(engine, parent))


def test_an_invalid_definition_is_a_value_error_too():
    assert issubclass(engine.InvalidDefinition, ValueError)


def test_decisions_take_who_why_and_answers_by_keyword_only():
    for decision in (engine.Approve, engine.ApproveWithEdits, engine.Reject, engine.RequestChanges, engine.PickAttempt):
        parameters = inspect.signature(decision).parameters
        assert all(parameters[name].kind is inspect.Parameter.KEYWORD_ONLY for name in ("by", "note", "values"))
    with pytest.raises(TypeError):
        engine.Approve("ana")  # type: ignore[misc]


def test_errors_are_made_of_what_they_tell_and_cross_to_another_process():
    at = datetime(2026, 1, 2, tzinfo=UTC)
    conflict = ReviewConflict("ana", at)
    errors = [
        conflict,
        InvalidTransition("a", "work", StageState.PENDING, StageState.COMPLETED),
        StageExecutionError("work"),
        DagCycle(["a", "b"], "docs"),
    ]

    assert (conflict.by, conflict.at) == ("ana", at)
    assert "ana" in str(conflict)
    assert "work" in str(errors[2])
    for error in errors:
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
