"""The part of the store contract about people: decisions, taking them back, pausing, calling off, running again, holding."""

from __future__ import annotations

import asyncio
from typing import Any

from treadle_tui.engine import events as ev
from treadle_tui.engine.engine import Engine
from treadle_tui.engine.errors import InvalidDecision, InvalidTransition, ReviewConflict
from treadle_tui.engine.outcomes import FanOut, NeedsReview
from treadle_tui.engine.review import Approve, ApproveWithEdits, PickAttempt, Reject, RequestChanges, ReviewData, ReviewField
from treadle_tui.engine.states import ItemState, StageState
from treadle_tui.engine.testing.clock import START, ManualClock
from treadle_tui.engine.testing.contract import every_store
from treadle_tui.engine.testing.contract_items import raised, two_steps
from treadle_tui.engine.testing.folding import disagreements
from treadle_tui.engine.testing.scripted import ScriptedStage
from treadle_tui.engine.workflow import Workflow

ASKED = ReviewData("look at this", details={"rows": [1, {"deep": True}]}, fields=[ReviewField("mood", "choice", choices=["good", "bad"])])


def reviewed(*script: Any) -> Workflow:
    """`work`, which answers the script, and `after`, which gives what it was handed."""
    workflow = Workflow("docs")
    workflow.add_stage("work", ScriptedStage(script))
    workflow.add_stage("after", ScriptedStage([lambda item, ctx: ctx.upstream["work"]], repeat=True), after=["work"])
    return workflow


@every_store
async def what_a_person_is_asked_is_kept_until_it_is_answered(store: Any) -> None:
    """The whole `ReviewData`, with the moment it was asked; the version is that of the stage's status."""
    clock = ManualClock()
    async with Engine(store, [reviewed(NeedsReview(1, ASKED))], clock=clock) as engine:
        await engine.submit("docs", [{"id": "a"}])
        clock.advance(5)
        await engine.run_until_idle()

    (review,) = await store.pending_reviews()
    status = await store.get_status("a", "work")

    assert status.state is StageState.AWAITING_REVIEW
    assert status.review is not None
    assert (status.review.summary, status.review.details, status.review.fields) == (ASKED.summary, ASKED.details, ASKED.fields)
    assert (status.review.created_at - START).seconds == 5
    assert (review.item_id, review.workflow, review.stage, review.subtask) == ("a", "docs", "work", None)
    assert (review.attempt, review.version, review.review) == (1, status.version, status.review)
    assert review.waiting_since == status.review.created_at


@every_store
async def an_approval_is_recorded_and_dependents_run(store: Any) -> None:
    """Who, when, a note and the answers are kept; dependents are ready in the same transaction."""
    clock = ManualClock()
    async with Engine(store, [reviewed(NeedsReview(1, ASKED))], clock=clock) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()
        clock.advance(7)

        state = await engine.resolve_review("a", "work", Approve(by="ana", note="fine", values={"mood": "good"}))
        await engine.run_until_idle()

        decision = (await store.get_status("a", "work")).decision
        assert state is StageState.COMPLETED
        assert (decision.verb, decision.by, decision.note, decision.values) == ("approve", "ana", "fine", {"mood": "good"})
        assert (decision.at - START).seconds == 7
        assert (await store.get_status("a", "after")).output == 1
        assert await store.pending_reviews() == []
        assert await disagreements(store) == []


@every_store
async def the_second_decision_is_told_who_was_first(store: Any) -> None:
    """`ReviewConflict`; the first decision stands."""
    async with Engine(store, [reviewed(NeedsReview(1))]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()
        version = (await store.get_status("a", "work")).version
        await engine.resolve_review("a", "work", Approve(by="ana"), version)

        error = await raised(ReviewConflict, engine.resolve_review("a", "work", Reject("no", by="ben"), version))

        assert getattr(error, "by", None) == "ana"
        assert (await store.get_status("a", "work")).state is StageState.COMPLETED


@every_store
async def a_decision_on_an_older_version_is_refused(store: Any) -> None:
    """`ReviewConflict`, though the stage waits again; the version looked at must be the newest."""
    async with Engine(store, [reviewed(NeedsReview(1), NeedsReview(2))]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()
        version = (await store.get_status("a", "work")).version
        await engine.resolve_review("a", "work", RequestChanges("more"), version)
        await engine.run_until_idle()

        await raised(ReviewConflict, engine.resolve_review("a", "work", Approve(), version))

        assert (await store.get_status("a", "work")).state is StageState.AWAITING_REVIEW
        await engine.resolve_review("a", "work", Approve(), (await store.get_status("a", "work")).version)
        assert (await store.get_status("a", "work")).output == 2


@every_store
async def edits_replace_the_output_and_the_original_is_kept(store: Any) -> None:
    """In the status and for dependents; the attempt keeps what the stage gave."""
    async with Engine(store, [reviewed(NeedsReview({"title": "a"}))]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()
        await engine.resolve_review("a", "work", ApproveWithEdits({"title": "b"}))
        await engine.run_until_idle()

        assert (await store.get_status("a", "work")).output == {"title": "b"}
        assert (await store.get_status("a", "after")).output == {"title": "b"}
        assert (await store.get_attempts("a", "work"))[0].output == {"title": "a"}


@every_store
async def a_rejection_fails_the_stage_and_keeps_the_reason(store: Any) -> None:
    """As its error and in the decision; dependents stay pending."""
    async with Engine(store, [reviewed(NeedsReview(1))]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()
        await engine.resolve_review("a", "work", Reject("wrong title", by="ana"))
        await engine.run_until_idle()

        status = await store.get_status("a", "work")
        assert (status.state, status.error, status.decision.reason) == (StageState.FAILED, "wrong title", "wrong title")
        assert (await store.get_status("a", "after")).state is StageState.PENDING


@every_store
async def requested_changes_run_the_stage_again_with_the_feedback(store: Any) -> None:
    """The next attempt is granted beyond the budget."""
    stage = ScriptedStage([NeedsReview(1), NeedsReview(2)])
    workflow = Workflow("docs")
    workflow.add_stage("work", stage)

    async with Engine(store, [workflow]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()
        await engine.resolve_review("a", "work", RequestChanges("shorter", by="ana"))
        await engine.run_until_idle()

        context = stage.contexts[1]
        assert context.feedback is not None
        assert (context.feedback.summary, context.feedback.source) == ("shorter", "person")
        assert (context.attempt, context.max_attempts) == (2, 2)
        assert (await store.get_status("a", "work")).output == 2


@every_store
async def an_earlier_attempt_can_be_picked(store: Any) -> None:
    """Its output goes downstream; an attempt that does not exist is refused, and the review stays open."""
    async with Engine(store, [reviewed(NeedsReview("first"), NeedsReview("second"))]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()
        await engine.resolve_review("a", "work", RequestChanges("again"))
        await engine.run_until_idle()

        await raised(InvalidDecision, engine.resolve_review("a", "work", PickAttempt(9)))
        assert (await store.get_status("a", "work")).state is StageState.AWAITING_REVIEW
        await engine.resolve_review("a", "work", PickAttempt(1))
        await engine.run_until_idle()

        assert (await store.get_status("a", "after")).output == "first"


@every_store
async def a_reopened_review_waits_with_the_original_output(store: Any) -> None:
    """Edits are undone and the decision is gone; once a dependent has started it is a `ReviewConflict`."""
    async with Engine(store, [reviewed(NeedsReview({"n": 1}))]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()
        await engine.resolve_review("a", "work", ApproveWithEdits({"n": 2}, by="ana"))
        await engine.reopen_review("a", "work", by="ben")

        status = await store.get_status("a", "work")
        assert (status.state, status.output, status.decision) == (StageState.AWAITING_REVIEW, {"n": 1}, None)
        await engine.run_until_idle()
        assert (await store.get_status("a", "after")).state is StageState.PENDING
        await engine.resolve_review("a", "work", Approve())
        await engine.run_until_idle()
        await raised(ReviewConflict, engine.reopen_review("a", "work"))
        assert await disagreements(store) == []


@every_store
async def subtasks_wait_for_decisions_of_their_own(store: Any) -> None:
    """The stage is running until all are decided."""

    async def work(ctx: Any) -> Any:
        return FanOut(["x", "y"]) if ctx.subtask is None else NeedsReview(ctx.subtask)

    workflow = Workflow("docs")
    workflow.add_stage("work", work)
    async with Engine(store, [workflow]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()
        assert [review.subtask for review in await store.pending_reviews()] == ["x", "y"]
        assert (await store.get_status("a", "work")).state is StageState.RUNNING
        for review in await store.pending_reviews():
            await engine.resolve_review("a", "work", Approve(), review.version, review.subtask)
        await engine.run_until_idle()

        assert (await store.get_status("a", "work")).output == {"x": "x", "y": "y"}
        assert await disagreements(store) == []


@every_store
async def a_paused_item_starts_nothing_new(store: Any) -> None:
    """Other items go on; resumed, it goes on where it was."""
    async with Engine(store, [two_steps()]) as engine:
        await engine.submit("docs", [{"id": "a"}, {"id": "b"}])
        await engine.pause("a")
        await engine.run_until_idle()
        assert (await store.get_item("a")).state is ItemState.PAUSED
        assert await store.query_items("parse", StageState.COMPLETED) == ["b"]
        await engine.resume("a")
        await engine.run_until_idle()

        assert await store.query_items("review", StageState.AWAITING_REVIEW) == ["a", "b"]


@every_store
async def cancelling_calls_off_what_has_not_ended(store: Any) -> None:
    """Stages and the item are cancelled, and nobody is waited for any more."""
    workflow = reviewed(NeedsReview(1))
    async with Engine(store, [workflow]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()
        await engine.cancel("a", by="ana")

        states = {name: status.state for name, status in (await store.get_all_statuses("a")).items()}
        assert states == {"work": StageState.CANCELLED, "after": StageState.CANCELLED}
        assert (await store.get_item("a")).state is ItemState.CANCELLED
        assert await store.pending_reviews() == []
        await raised(InvalidTransition, engine.resolve_review("a", "work", Approve()))
        assert await disagreements(store) == []


@every_store
async def cancelling_interrupts_what_runs(store: Any) -> None:
    """The attempt is recorded as interrupted."""
    started = asyncio.Event()
    interrupted: list[str] = []

    async def work(item: Any) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            interrupted.append(item["id"])
            raise

    workflow = Workflow("docs")
    workflow.add_stage("work", work)
    async with Engine(store, [workflow]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        drive = asyncio.create_task(engine.run_until_idle())
        await asyncio.wait_for(started.wait(), 10)

        await engine.cancel("a")
        await asyncio.wait_for(drive, 10)

    assert interrupted == ["a"]
    assert (await store.get_status("a", "work")).state is StageState.CANCELLED
    assert [attempt.outcome for attempt in await store.get_attempts("a", "work")] == ["interrupted"]
    assert await disagreements(store) == []


@every_store
async def retrying_gives_the_budget_anew_and_numbers_go_on(store: Any) -> None:
    """With another idempotency key; only what failed or was cancelled can be retried."""
    stage = ScriptedStage([ValueError("no"), 2])
    workflow = Workflow("docs")
    workflow.add_stage("work", stage)
    async with Engine(store, [workflow]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()
        await engine.retry_stage("a", "work", by="ana")
        await engine.run_until_idle()
        await raised(InvalidTransition, engine.retry_stage("a", "work"))

        assert [context.attempt for context in stage.contexts] == [1, 2]
        assert stage.contexts[0].idempotency_key != stage.contexts[1].idempotency_key
        assert (await store.get_status("a", "work")).output == 2
        assert await disagreements(store) == []


@every_store
async def running_a_stage_again_sends_everything_behind_it_back(store: Any) -> None:
    """To pending; when all is done again, the workflow's completion is told again."""
    workflow = reviewed("first", "second")
    async with Engine(store, [workflow]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()
        await engine.rerun_stage("a", "work", by="ana")
        states = {name: status.state for name, status in (await store.get_all_statuses("a")).items()}
        assert states == {"work": StageState.PENDING, "after": StageState.PENDING}
        await engine.run_until_idle()

        assert (await store.get_status("a", "after")).output == "second"
        told = [type(event) async for event in store.events()]
        assert told.count(ev.WorkflowCompleted) == 2
        assert await disagreements(store) == []


@every_store
async def a_held_stage_starts_no_more(store: Any) -> None:
    """For all items or for those a condition fits; it can be run by hand, and goes on when it is released."""
    async with Engine(store, [two_steps()]) as engine:
        await engine.submit("docs", [{"id": "a", "pages": 5}, {"id": "b", "pages": 500}])
        await engine.pause_stage("docs", "parse", when="item.pages > 100")
        await engine.run_until_idle()
        assert await store.query_items("parse", StageState.COMPLETED) == ["a"]
        await engine.pause_stage("docs", "parse")
        await engine.submit("docs", [{"id": "c", "pages": 5}])
        await engine.run_until_idle()
        assert await store.query_items("parse", StageState.PENDING) == ["b", "c"]
        await engine.run_stage("c", "parse")
        assert await store.query_items("parse", StageState.PENDING) == ["b"]
        await engine.resume_stage("docs", "parse")
        await engine.run_until_idle()

        assert await store.query_items("parse", StageState.COMPLETED) == ["a", "b", "c"]
        assert await store.holds() == {}
