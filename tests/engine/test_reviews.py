"""What people decide: the five answers, versions and conflicts, the forms they fill in, and what waits for them."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest

from treadle_tui.engine import (
    Approve,
    ApproveWithEdits,
    Feedback,
    InvalidDecision,
    ItemNotFound,
    NeedsReview,
    PickAttempt,
    Reject,
    Rejected,
    RequestChanges,
    RetryBudget,
    ReviewConflict,
    ReviewField,
    ReviewPolicy,
    ReviewResolved,
    StageNotFound,
    StageState,
    Uncertain,
    Workflow,
)
from treadle_tui.engine.testing import ScriptedStage

from .workflows import asked, chain, fan_out, names_told, ran, scripted, state, states, told, until

# --- the five decisions -------------------------------------------------------------------------------------------------------


async def test_approving_completes_the_stage_without_running_it_again(store, start, clock):
    work, after = ScriptedStage([asked({"n": 1})]), ScriptedStage([lambda item, ctx: (ctx.upstream, ctx.decisions["work"].by)])
    engine = await start(chain("work", "after", work=work, after=after))
    await ran(engine)
    clock.advance(60)

    assert await engine.resolve_review("a", "work", Approve(by="ana", note="fine")) is StageState.COMPLETED
    assert await state(store, "after") is StageState.PENDING
    await engine.run_until_idle()

    assert len(work.calls) == 1
    status = await store.get_status("a", "work")
    assert (status.decision.verb, status.decision.by, status.decision.note) == ("approve", "ana", "fine")
    assert status.decision.at == status.completed_at == clock.now()
    assert (await store.get_status("a", "after")).output == [{"work": {"n": 1}}, "ana"]


async def test_a_decision_is_told_and_then_where_it_led(store, start):
    engine = await start(chain("one", "two", "three", one=asked(), two=asked(), three=ScriptedStage([asked(), asked()])))
    await ran(engine)
    before = await store.last_seq()
    await engine.resolve_review("a", "one", Approve())
    await engine.run_until_idle()
    await engine.resolve_review("a", "two", ApproveWithEdits(2))
    await engine.run_until_idle()
    await engine.resolve_review("a", "three", RequestChanges("more"))
    await engine.run_until_idle()
    await engine.resolve_review("a", "three", Reject("no"))

    names = [type(event).__name__ async for event in store.events(since=before)]

    assert names == [
        *("ReviewResolved", "StageCompleted", "StageStarted", "ReviewRequired"),
        *("ReviewResolved", "StageCompleted", "StageStarted", "ReviewRequired"),
        *("ReviewResolved", "StageStarted", "ReviewRequired"),
        *("ReviewResolved", "StageFailed"),
    ]
    assert [event.decision.verb for event in await told(store, ReviewResolved)] == [
        "approve",
        "approve_with_edits",
        "request_changes",
        "reject",
    ]


def _without_address(decision: object) -> str:
    return re.sub(r" at 0x[0-9a-f]+", "", repr(decision))


@pytest.mark.parametrize("edited", [{"title": "b", "tags": ["x"]}, None, 0, "", [], False])
async def test_edits_replace_the_output_downstream_and_the_original_is_kept(store, start, edited):
    after = ScriptedStage([lambda item, ctx: ctx.upstream["work"]])
    engine = await start(chain("work", "after", work=asked({"title": "a"}), after=after))
    await ran(engine)

    await engine.resolve_review("a", "work", ApproveWithEdits(edited, by="ana"))
    await engine.run_until_idle()

    status = await store.get_status("a", "work")
    assert (status.output, status.decision.output) == (edited, edited)
    assert (await store.get_status("a", "after")).output == edited
    assert (await store.get_attempts("a", "work"))[0].output == {"title": "a"}


async def test_edits_that_do_not_fit_the_return_annotation_are_refused(store, start):
    workflow = Workflow("docs")

    @workflow.stage(review=ReviewPolicy.ALWAYS)
    async def work() -> dict[str, int]:
        return {"n": 1}

    engine = await start(workflow)
    await ran(engine)

    for edits in ({"n": "one"}, [1], object(), {"n": float("nan")}):
        with pytest.raises(InvalidDecision, match="output"):
            await engine.resolve_review("a", "work", ApproveWithEdits(edits))
        assert await state(store) is StageState.AWAITING_REVIEW
    await engine.resolve_review("a", "work", ApproveWithEdits({"n": 2}))

    assert (await store.get_status("a", "work")).output == {"n": 2}


async def test_rejecting_fails_the_stage_and_keeps_the_reason(store, start):
    engine = await start(chain("work", "after", work=asked()))
    await ran(engine)

    assert await engine.resolve_review("a", "work", Reject("wrong title", by="ana")) is StageState.FAILED

    status = await store.get_status("a", "work")
    assert (status.error, status.decision.reason, status.decision.by) == ("wrong title", "wrong title", "ana")
    await engine.run_until_idle()
    assert await states(store) == {"work": "failed", "after": "pending"}


async def test_a_rejection_without_a_reason_still_says_rejected(store, start):
    engine = await start(scripted(asked())[0])
    await ran(engine)

    await engine.resolve_review("a", "work", Reject(""))

    assert (await store.get_status("a", "work")).error == "rejected"


async def test_requested_changes_are_run_with_the_feedback_and_one_attempt_more(store, start):
    workflow, stage = scripted(ValueError("no"), asked(1), asked(2), asked(3), retry=RetryBudget(max_attempts=2))
    engine = await start(workflow)
    await ran(engine)
    assert [(context.attempt, context.max_attempts) for context in stage.contexts] == [(1, 2), (2, 2)]

    assert await engine.resolve_review("a", "work", RequestChanges("shorter", by="ana")) is StageState.PENDING
    await engine.run_until_idle()
    await engine.resolve_review("a", "work", RequestChanges(Feedback("still shorter", guidance={"words": 3})))
    await engine.run_until_idle()

    assert [(context.attempt, context.max_attempts) for context in stage.contexts[2:]] == [(3, 3), (4, 4)]
    first, second = (context.feedback for context in stage.contexts[2:])
    assert (first.summary, first.source) == ("shorter", "person")
    assert (second.summary, second.guidance, second.source) == ("still shorter", {"words": 3}, "person")
    attempts = await store.get_attempts("a", "work")
    assert [attempt.feedback and attempt.feedback.summary for attempt in attempts] == [None, "shorter", "still shorter", None]
    assert (await store.get_status("a", "work")).output == 3


async def test_changes_can_be_requested_without_a_word(store, start):
    workflow, stage = scripted(asked(1), asked(2))
    engine = await start(workflow)
    await ran(engine)

    await engine.resolve_review("a", "work", RequestChanges(""))
    await engine.run_until_idle()

    assert len(stage.calls) == 2
    assert stage.contexts[1].feedback.summary == ""
    assert (await told(store, ReviewResolved))[0].decision.feedback == ""


async def test_picking_an_attempt_completes_with_its_output(store, start):
    workflow, _ = scripted(
        {"n": 1}, {"n": 2}, asked({"n": 3}), gates=[lambda output: Rejected("no") if output["n"] < 3 else Uncertain("?")]
    )
    engine = await start(workflow_with(workflow, RetryBudget(max_attempts=3)))
    await ran(engine)

    await engine.resolve_review("a", "work", PickAttempt(1, by="ana"))

    status = await store.get_status("a", "work")
    assert (status.state, status.output, status.decision.number) == (StageState.COMPLETED, {"n": 1}, 1)
    assert [attempt.output for attempt in await store.get_attempts("a", "work")] == [{"n": 1}, {"n": 2}, {"n": 3}]


def workflow_with(workflow: Workflow, retry: RetryBudget) -> Workflow:
    """The one-stage workflow with that budget."""
    again = Workflow("docs")
    again.add_stage("work", workflow.definition("work").stage, gates=list(workflow.definition("work").gates), retry=retry)
    return again


@pytest.mark.parametrize("number", [2, 0, -1, 99, 2**70])
async def test_an_attempt_that_has_no_output_cannot_be_picked(store, start, number):
    workflow, _ = scripted(asked(1), ValueError("no"), asked(3), retry=RetryBudget(max_attempts=2))
    engine = await start(workflow)
    await ran(engine)
    await engine.resolve_review("a", "work", RequestChanges("more"))
    await engine.run_until_idle()

    with pytest.raises(InvalidDecision, match=f"attempt {number} has no output"):
        await engine.resolve_review("a", "work", PickAttempt(number))

    assert await state(store) is StageState.AWAITING_REVIEW


async def test_an_escalated_stage_without_output_cannot_be_approved_but_edited(store, start):
    workflow, _ = scripted(ValueError("no"), repeat=True, retry=RetryBudget(on_exhausted="escalate"))
    engine = await start(workflow)
    await ran(engine)

    with pytest.raises(InvalidDecision, match="no output to approve"):
        await engine.resolve_review("a", "work", Approve())
    assert await state(store) is StageState.AWAITING_REVIEW
    await engine.resolve_review("a", "work", ApproveWithEdits("by hand"))

    status = await store.get_status("a", "work")
    assert (status.state, status.output, status.error) == (StageState.COMPLETED, "by hand", None)


async def test_an_output_of_none_can_be_approved(store, start):
    engine = await start(scripted(NeedsReview())[0])
    await ran(engine)

    await engine.resolve_review("a", "work", Approve())

    assert await state(store) is StageState.COMPLETED


# --- misuse -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decision", ["approve", None, Approve, object()], ids=_without_address)
async def test_what_is_no_decision_is_refused(store, start, decision):
    engine = await start(scripted(asked())[0])
    await ran(engine)

    with pytest.raises(InvalidDecision, match="is no decision"):
        await engine.resolve_review("a", "work", decision)


@pytest.mark.parametrize(
    "decision",
    [
        Approve(values=["not", "a", "dict"]),  # type: ignore[arg-type]
        Approve(note=object()),  # type: ignore[arg-type]
        PickAttempt("1"),  # type: ignore[arg-type]
        PickAttempt(None),  # type: ignore[arg-type]
        PickAttempt(True),
        RequestChanges(7),  # type: ignore[arg-type]
        RequestChanges(Feedback("x", guidance=object())),
        Reject(object()),  # type: ignore[arg-type]
        Reject(None),  # type: ignore[arg-type]
        Approve(by=None),  # type: ignore[arg-type]
        Approve(by=7),  # type: ignore[arg-type]
        Reject("half a pair \ud800"),
    ],
    ids=_without_address,
)
async def test_a_decision_with_the_wrong_kind_of_value_is_refused_and_the_review_stays_open(store, start, decision):
    engine = await start(scripted(asked())[0])
    await ran(engine)

    with pytest.raises(InvalidDecision):
        await engine.resolve_review("a", "work", decision)

    status = await store.get_status("a", "work")
    assert (status.state, status.decision) == (StageState.AWAITING_REVIEW, None)


async def test_names_that_nobody_has_are_refused_with_the_nearest(store, start):
    engine = await start(scripted(asked())[0])
    await ran(engine)

    with pytest.raises(ItemNotFound, match="'b'"):
        await engine.resolve_review("b", "work", Approve())
    with pytest.raises(StageNotFound, match="did you mean 'work'"):
        await engine.resolve_review("a", "wrok", Approve())
    with pytest.raises(StageNotFound, match="subtasks"):
        await engine.resolve_review("a", "work", Approve(), subtask="x")


# --- versions and conflicts ---------------------------------------------------------------------------------------------------


async def test_the_second_decision_conflicts_and_is_told_who_was_first_and_when(store, start, clock):
    engine = await start(scripted(asked())[0])
    await ran(engine)
    (review,) = await engine.pending_reviews()
    decided_at = clock.now()
    await engine.resolve_review("a", "work", Approve(by="ana"), version=review.version)
    clock.advance(5)

    with pytest.raises(ReviewConflict, match="already decided by ana") as caught:
        await engine.resolve_review("a", "work", Reject("no", by="ben"), version=review.version)

    assert (caught.value.by, caught.value.at) == ("ana", decided_at)
    assert await state(store) is StageState.COMPLETED


async def test_a_decision_on_an_older_version_conflicts_though_the_review_waits(store, start):
    engine = await start(scripted(asked(1), asked(2))[0])
    await ran(engine)
    version = (await store.get_status("a", "work")).version
    await engine.resolve_review("a", "work", RequestChanges("more", by="ana"), version=version)
    await engine.run_until_idle()

    with pytest.raises(ReviewConflict, match="changed since it was looked at"):
        await engine.resolve_review("a", "work", Approve(), version=version)

    assert await state(store) is StageState.AWAITING_REVIEW


async def test_of_two_decisions_at_the_same_moment_one_wins(store, start):
    engine = await start(scripted(asked())[0])
    await ran(engine)
    version = (await store.get_status("a", "work")).version

    results = await asyncio.gather(
        engine.resolve_review("a", "work", Approve(by="ana"), version=version),
        engine.resolve_review("a", "work", Reject("no", by="ben"), version=version),
        return_exceptions=True,
    )

    assert sorted(type(result).__name__ for result in results) == ["ReviewConflict", "StageState"]
    assert len(await told(store, ReviewResolved)) == 1


async def test_many_decisions_are_one_transaction_with_a_result_per_line(store, start):
    engine = await start(scripted(asked(), repeat=True)[0])
    await ran(engine, "a", "b", "c", "d")
    versions = {review.item_id: review.version for review in await engine.pending_reviews()}
    await engine.resolve_review("b", "work", Approve(by="ana"))

    results = await engine.resolve_reviews(
        [
            ("a", "work", Approve(by="ben"), versions["a"]),
            ("b", "work", Approve(by="ben"), versions["b"]),
            ("?", "work", Approve(by="ben"), 1),
            ("c", "work", "approve", 1),
            ("c", "work", PickAttempt(7), versions["c"]),
            ("d", "work", Reject("no"), versions["d"], None),
        ]
    )

    assert results[0] is StageState.COMPLETED
    assert [type(result) for result in results[1:5]] == [ReviewConflict, ItemNotFound, InvalidDecision, InvalidDecision]
    assert results[5] is StageState.FAILED
    assert [await state(store, item_id=id) for id in "abcd"] == [
        StageState.COMPLETED,
        StageState.COMPLETED,
        StageState.AWAITING_REVIEW,
        StageState.FAILED,
    ]


async def test_several_decisions_on_subtasks_in_one_transaction(store, start):
    engine = await start(fan_out(["x", "y", "z"], lambda name, ctx: asked(name)))
    await ran(engine)

    results = await engine.resolve_reviews(
        [(review.item_id, review.stage, Approve(), review.version, review.subtask) for review in await engine.pending_reviews()]
    )
    await engine.run_until_idle()

    assert results == [StageState.COMPLETED] * 3
    assert (await store.get_status("a", "work")).output == {"x": "x", "y": "y", "z": "z"}


async def test_in_a_list_of_decisions_a_refused_one_between_two_that_rewrite_rows_changes_nothing(store, start):
    engine = await start(fan_out(["x", "y"], lambda name, ctx: name, review=ReviewPolicy.ALWAYS))
    await ran(engine, "a", "b", "c")

    results = await engine.resolve_reviews(
        [("a", "work", RequestChanges("more"), None), ("b", "work", PickAttempt(9), None), ("c", "work", RequestChanges("more"), None)]
    )

    assert [type(result) for result in results] == [StageState, InvalidDecision, StageState]
    assert [len((await store.get_status(id, "work")).subtasks) for id in "abc"] == [0, 2, 0]
    await engine.run_until_idle()
    assert sorted((review.item_id, review.attempt) for review in await engine.pending_reviews()) == [("a", 2), ("b", 1), ("c", 2)]


async def test_no_decisions_at_all_are_fine(store, start):
    engine = await start(scripted(asked())[0])

    assert await engine.resolve_reviews([]) == []
    assert await engine.retry_stages([]) == []


# --- forms --------------------------------------------------------------------------------------------------------------------

FIELDS = [
    ReviewField("title", required=True),
    ReviewField("year", "number"),
    ReviewField("final", "bool", default=False),
    ReviewField("mood", "choice", choices=["good", "bad"]),
]


async def test_answers_reach_every_stage_behind(store, start):
    last = ScriptedStage([lambda item, ctx: ctx.values])
    engine = await start(chain("work", "between", "last", work=asked(fields=FIELDS), last=last))
    await ran(engine)

    await engine.resolve_review("a", "work", Approve(values={"title": "T", "year": 1999, "mood": "good"}))
    await engine.run_until_idle()

    assert (await store.get_status("a", "last")).output == {"work": {"title": "T", "year": 1999, "mood": "good"}}
    assert (await store.get_status("a", "work")).decision.values == {"title": "T", "year": 1999, "mood": "good"}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"title": 7}, "'title' is 7"),
        ({"title": "T", "year": "1999"}, "'year' is '1999'"),
        ({"title": "T", "year": True}, "'year' is True"),
        ({"title": "T", "year": float("nan")}, "year is nan"),
        ({"title": "T", "year": float("inf")}, "year is inf"),
        ({"title": "T", "final": "yes"}, "'final' is 'yes'"),
        ({"title": "T", "mood": "ugly"}, "one of good, bad"),
        ({"title": "T", "mood": ["good"]}, "one of good, bad"),
        ({"title": "T", "other": 1}, "no field 'other'"),
        ({}, "'title' must be answered"),
        (None, "'title' must be answered"),
        ({"title": ""}, "'title' must be answered"),
        ({"title": None}, "'title' must be answered"),
    ],
)
async def test_answers_that_do_not_fit_the_form_are_refused_and_the_review_stays_open(store, start, values, named):
    engine = await start(scripted(asked(fields=FIELDS))[0])
    await ran(engine)

    with pytest.raises(InvalidDecision, match=named):
        await engine.resolve_review("a", "work", Approve(values=values))

    assert await state(store) is StageState.AWAITING_REVIEW


async def test_a_decision_is_recorded_alike_on_every_store(store, start):
    engine = await start(scripted(asked(fields=FIELDS))[0])
    await ran(engine)

    await engine.resolve_review("a", "work", ApproveWithEdits({1: (2, 3)}, values={"title": "T", "year": 10**40}))

    decision = (await store.get_status("a", "work")).decision
    assert (decision.output, decision.values) == ({"1": [2, 3]}, {"title": "T", "year": 10**40})


async def test_a_required_field_with_a_default_need_not_be_answered(store, start):
    engine = await start(scripted(asked(fields=[ReviewField("title", default="T", required=True)]))[0])
    await ran(engine)

    await engine.resolve_review("a", "work", Approve())

    assert await state(store) is StageState.COMPLETED


async def test_sending_something_back_asks_for_no_answers(store, start):
    engine = await start(scripted(asked(fields=FIELDS), asked(fields=FIELDS))[0])
    await ran(engine)

    await engine.resolve_review("a", "work", RequestChanges("more"))
    await engine.run_until_idle()
    await engine.resolve_review("a", "work", Reject("no", values={"mood": "bad"}))

    assert (await store.get_status("a", "work")).decision.values == {"mood": "bad"}


# --- what is waiting ----------------------------------------------------------------------------------------------------------


async def test_reviews_are_listed_longest_waiting_first_with_their_group(store, start, clock):
    workflow, _ = scripted(1, repeat=True, review=ReviewPolicy("always", group="editors", reasons=("too dark",)))
    other = Workflow("other")
    other.add_stage("look", ScriptedStage([asked()], repeat=True))
    engine = await start(workflow, other)
    for item_id in ("b", "a"):
        await ran(engine, item_id)
        clock.advance(60)
    await engine.submit(other, [{"id": "c"}])
    await engine.run_until_idle()

    reviews = await engine.pending_reviews()

    assert [(review.item_id, review.workflow, review.stage, review.group) for review in reviews] == [
        ("b", "docs", "work", "editors"),
        ("a", "docs", "work", "editors"),
        ("c", "other", "look", None),
    ]
    assert [clock.now() - review.waiting_since for review in reviews] == [timedelta(minutes=2), timedelta(minutes=1), timedelta(0)]
    assert [review.item_id for review in await engine.pending_reviews(other)] == ["c"]
    assert [review.item_id for review in await engine.pending_reviews("docs")] == ["b", "a"]


async def test_the_group_of_a_subtask_is_that_of_its_own_policy(store, start):
    engine = await start(
        fan_out(
            ["x"], lambda name, ctx: 1, each={"review": ReviewPolicy("always", group="parts")}, review=ReviewPolicy("always", group="all")
        )
    )
    await ran(engine)

    assert [(review.subtask, review.group) for review in await engine.pending_reviews()] == [("x", "parts")]


# --- pausing and reviews ------------------------------------------------------------------------------------------------------


async def test_a_paused_item_may_be_reviewed_and_goes_on_when_it_is_resumed(store, start):
    engine = await start(chain("work", "after", work=asked()))
    await ran(engine)
    await engine.pause("a")

    await engine.resolve_review("a", "work", Approve())
    await engine.run_until_idle()
    assert await states(store) == {"work": "completed", "after": "pending"}
    await engine.resume("a")
    await engine.run_until_idle()

    assert await states(store) == {"work": "completed", "after": "completed"}


async def test_events_of_a_review_are_in_their_order(store, start):
    engine = await start(scripted(asked())[0])
    await ran(engine)
    await engine.resolve_review("a", "work", Approve())

    assert await names_told(store) == [
        "ItemAdded",
        "StageStarted",
        "ReviewRequired",
        "ReviewResolved",
        "StageCompleted",
        "WorkflowCompleted",
    ]
    await until(lambda: not engine.running)


async def test_pending_reviews_can_be_those_of_one_group(store, start):
    workflow = Workflow("texts")
    workflow.add_stage("proof", lambda item: 1, review=ReviewPolicy("always", group="editors"))
    workflow.add_stage("sign", lambda item: 2, review=ReviewPolicy("always", group="lawyers"))
    engine = await start(workflow)
    await ran(engine)

    assert [review.stage for review in await engine.pending_reviews(group="lawyers")] == ["sign"]
    assert {review.stage for review in await engine.pending_reviews()} == {"proof", "sign"}
    assert await engine.pending_reviews(group="nobody") == []
