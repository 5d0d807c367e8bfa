"""What a stage has been through, and what a person is asked, as they are worded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from treadle_tui.board.item_tabs import ItemHistory, tab_nodes
from treadle_tui.board.outline import Node, Outline
from treadle_tui.board.review_answers import AnswerRefused, answers
from treadle_tui.board.review_subject import ReviewSubject, review_outline, review_subject
from treadle_tui.engine import (
    Approve,
    ApproveWithEdits,
    AttemptRecord,
    Criterion,
    Feedback,
    Reject,
    Rejected,
    RequestChanges,
    ReviewData,
    ReviewDecision,
    ReviewField,
    StageState,
    StageStatus,
    StoredItem,
    SubTaskStatus,
    Uncertain,
)
from treadle_tui.engine.states import ItemState

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
AGO = NOW - timedelta(minutes=14)
ITEM = StoredItem(id="one", workflow="papers", data={"pages": 3}, state=ItemState.ACTIVE, created_at=AGO)


def words(nodes: list[Node], width: int = 100) -> str:
    outline = Outline(nodes)
    for _ in range(4):
        outline.fold_all(True)
        lines = outline.lines(width)
    return "\n".join("".join(span.text for span in line.spans).rstrip() for line in lines)


def stage_words(status: StageStatus, attempts: Any = ()) -> str:
    return words(tab_nodes("Stages", ItemHistory(ITEM, {"judge": status}, {"judge": attempts}, NOW), "", 80))


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (Approve(by="ana", at=AGO, note="fine"), "approved by ana"),
        (Reject("too short", by="ben", at=AGO), "rejected by ben"),
        (RequestChanges(Feedback("more pages"), by="ben", at=AGO), "changes requested by ben"),
        (ApproveWithEdits({"a": 1}, by="cy", at=AGO), "approved with edits by cy"),
    ],
)
def test_a_decision_says_who_what_and_when(decision: ReviewDecision, said: str) -> None:
    text = stage_words(StageStatus(state=StageState.COMPLETED, decision=decision, updated_at=NOW))

    assert f"{said} · " in text


def test_reason_note_feedback_and_answers_are_shown() -> None:
    text = stage_words(StageStatus(state=StageState.FAILED, decision=Reject("too short", by="ben", note="see page 2", values={"n": 1})))
    asked = stage_words(StageStatus(decision=RequestChanges(Feedback("more pages"))))

    assert "reason    too short" in text
    assert "note      see page 2" in text
    assert "n  1" in text
    assert "more pages" in asked


def test_a_stage_tells_its_state_attempts_error_and_output() -> None:
    status = StageStatus(
        state=StageState.FAILED,
        attempt=2,
        started_at=AGO,
        completed_at=AGO + timedelta(milliseconds=40),
        error="no such file",
        output={"text": "so far"},
    )
    attempts = [
        AttemptRecord(number=1, started_at=AGO, completed_at=AGO, outcome="timeout", error="too slow"),
        AttemptRecord(number=2, started_at=AGO, outcome="error", error="no such file"),
    ]

    text = stage_words(status, attempts)

    for part in ("✗ F2", "40 ms", "failed, attempt 2", "no such file", "so far", "timeout", "too slow"):
        assert part in text
    assert text.index("▾ 2") < text.index("▾ 1")


def test_what_waits_says_for_how_long() -> None:
    assert "awaiting review for 14m" in stage_words(StageStatus(state=StageState.AWAITING_REVIEW, updated_at=AGO, review=ReviewData("?")))


def test_subtasks_stand_under_their_stage() -> None:
    subtasks = [
        SubTaskStatus(name="small", state=StageState.COMPLETED, output={"w": 1}),
        SubTaskStatus(name="large", state=StageState.FAILED, error="too large", decision=Reject("no", by="ben")),
    ]

    text = stage_words(StageStatus(state=StageState.RUNNING, subtasks=subtasks))

    assert "1 of 2 done" in text
    assert "too large" in text
    assert "rejected by ben" in text


def waiting(**facts: Any) -> ReviewSubject:
    status = StageStatus(state=StageState.AWAITING_REVIEW, version=7, attempt=2, updated_at=AGO, **facts)
    attempts = [
        AttemptRecord(
            number=1,
            outcome="rejected",
            output={"pages": 1},
            verdict=Rejected(Feedback("too short", criteria=[Criterion("pages", ">= 3", "1", False)], guidance={"strategy": "longer"})),
        ),
        AttemptRecord(number=2, outcome="uncertain", output={"pages": 2}, verdict=Uncertain("cannot tell")),
    ]
    subject = review_subject("one", "papers", "judge", None, status, attempts, max_attempts=3, reasons=("a", "b"))
    assert subject is not None
    return subject


def test_a_review_says_where_it_stands() -> None:
    subject = waiting()

    assert subject.title == "one › judge"
    assert subject.standing(NOW) == "waiting 14m · attempt 2/3"
    assert subject.summary == "judge asks for a decision"
    assert (subject.version, subject.is_waiting) == (7, True)


def test_a_review_shows_why_details_output_and_attempts_with_their_criteria() -> None:
    text = words(review_outline(waiting(review=ReviewData("good?", {"links": ["a", "b"]}), output={"pages": 2}), NOW))

    for part in ("the gate could not tell: cannot tell", "links", "a, b", "output", "attempts", "turned down", "✗", ">= 3", "longer"):
        assert part in text
    assert text.index("cannot tell") < text.index("links") < text.index("output") < text.index("attempts")


def test_a_text_as_details_is_read_as_text() -> None:
    text = words(review_outline(waiting(review=ReviewData("good?", "line one\nline two")), NOW))

    assert "line one\n" in text
    assert "line two\n" in text


def test_a_subtask_that_is_gone_has_no_review() -> None:
    assert review_subject("one", "papers", "judge", "nobody", StageStatus()) is None


FIELDS = [
    ReviewField("licence"),
    ReviewField("pages", kind="number", label="Pages"),
    ReviewField("sharp", kind="bool", default=True),
    ReviewField("size", kind="choice", choices=["small", "large"], required=True),
]


def test_answers_have_the_types_their_fields_ask_for() -> None:
    assert answers(FIELDS, {"licence": " MIT ", "pages": "3,5", "sharp": "no", "size": "L"}) == {
        "licence": "MIT",
        "pages": 3.5,
        "sharp": False,
        "size": "large",
    }
    assert answers(FIELDS[:3], {}) is None


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        ({"size": ""}, "size: an answer is required"),
        ({"size": "huge"}, "size: 'huge' is none of small, large"),
        ({"size": "s", "pages": "many"}, "Pages: 'many' is no number"),
        ({"size": "s", "sharp": "perhaps"}, "sharp: 'perhaps' is neither yes nor no"),
    ],
)
def test_what_is_no_answer_is_refused_in_a_sentence(texts: dict[str, str], sentence: str) -> None:
    with pytest.raises(AnswerRefused, match=sentence):
        answers(FIELDS, texts)


def test_a_rejection_needs_no_answers() -> None:
    assert answers(FIELDS, {}, all_required=False) is None
