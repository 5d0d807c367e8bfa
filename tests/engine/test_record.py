"""The engine's values are structs for the sake of speed, and dataclasses for the sake of everybody else."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from datetime import UTC, datetime

import pytest

from treadle_tui.engine import ApproveWithEdits, Cell, Feedback, Rejected, ReviewPolicy, StageFailed, StageState, StageStatus, Verdict

FAILED = StageFailed(seq=3, at=datetime(2026, 1, 2, tzinfo=UTC), workflow="papers", item_id="a", stage="read", error="no")


def test_a_record_answers_what_a_dataclass_answers():
    assert dataclasses.is_dataclass(FAILED)
    assert dataclasses.is_dataclass(Cell)
    assert dataclasses.replace(FAILED, error="late").error == "late"
    assert dataclasses.asdict(FAILED)["error"] == "no"
    assert vars(FAILED)["error"] == "no"
    assert list(vars(Feedback("a"))) == ["summary", "criteria", "guidance", "source"]
    assert [field.name for field in dataclasses.fields(Feedback)] == ["summary", "criteria", "guidance", "source"]


def test_each_kind_tells_its_own_fields_whichever_was_asked_first():
    above = {field.name for field in dataclasses.fields(Verdict)}
    below = {field.name for field in dataclasses.fields(Rejected)}

    assert (above, below) == (set(), {"feedback"})


def test_defaults_are_told_as_they_are():
    by_name = {field.name: field for field in dataclasses.fields(StageStatus)}

    assert by_name["state"].default is StageState.PENDING
    assert by_name["subtasks"].default_factory is list
    assert by_name["subtasks"].kw_only
    assert not dataclasses.fields(ApproveWithEdits)[0].kw_only


def test_records_do_not_change_and_are_compared_by_their_fields():
    for record, field in [(FAILED, "error"), (Feedback("a"), "summary"), (ReviewPolicy.ALWAYS, "when"), (StageStatus(), "state")]:
        with pytest.raises(dataclasses.FrozenInstanceError, match=f"assign to field '{field}'"):
            setattr(record, field, "never")
        with pytest.raises(dataclasses.FrozenInstanceError, match=f"delete field '{field}'"):
            delattr(record, field)
    assert StageFailed.__dataclass_params__.frozen  # type: ignore[attr-defined]

    assert dataclasses.replace(FAILED) == FAILED
    assert hash(FAILED) == hash(copy.copy(FAILED))
    assert Feedback("a").criteria is not Feedback("a").criteria


def test_records_cross_to_another_process():
    assert pickle.loads(pickle.dumps(FAILED)) == FAILED


def test_a_position_means_only_what_it_says():
    assert ReviewPolicy("sample", rate=0.5).rate == 0.5
    with pytest.raises(TypeError):
        ReviewPolicy("sample", 0.5)  # type: ignore[misc]
    with pytest.raises(TypeError):
        Cell(StageState.PENDING)  # type: ignore[misc]


def test_a_rejection_takes_a_text_for_feedback():
    assert Rejected("too short") == Rejected(Feedback("too short"))
    with pytest.raises(TypeError, match="Rejected takes a Feedback"):
        Rejected(3)  # type: ignore[arg-type]
