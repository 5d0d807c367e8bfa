"""Taking a decision back, and the reviews of subtasks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from treadle_tui.engine import (
    Approve,
    ApproveWithEdits,
    InvalidTransition,
    PickAttempt,
    Reject,
    Rejected,
    RequestChanges,
    RetryBudget,
    ReviewConflict,
    ReviewReopened,
    StageState,
    Uncertain,
    Workflow,
    WorkflowCompleted,
)
from treadle_tui.engine.testing import ScriptedStage

from .workflows import asked, chain, fan_out, ran, scripted, state, states, told

# --- reopening ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "decision",
    [Approve(by="ana"), ApproveWithEdits({"n": 2}, by="ana"), Reject("no", by="ana"), RequestChanges("more", by="ana"), PickAttempt(1)],
    ids=lambda decision: decision.verb,
)
async def test_any_decision_can_be_taken_back_and_the_original_output_waits_again(store, start, decision):
    work = ScriptedStage([{"n": 0}, {"n": 1}])
    workflow = Workflow("docs")
    verdicts = iter([Rejected("no"), Uncertain("?")])
    workflow.add_stage("work", work, gates=[lambda output: next(verdicts)], retry=RetryBudget(max_attempts=2))
    workflow.add_stage("after", ScriptedStage([lambda item, ctx: ctx.upstream["work"]]), after=["work"])
    engine = await start(workflow)
    await ran(engine)
    before = await store.get_status("a", "work")

    await engine.resolve_review("a", "work", decision)
    await engine.reopen_review("a", "work", by="ben")

    status = await store.get_status("a", "work")
    assert (status.state, status.output, status.decision) == (StageState.AWAITING_REVIEW, {"n": 1}, None)
    assert (status.attempt, status.review) == (2, before.review)
    assert status.version > before.version
    assert [event.by for event in await told(store, ReviewReopened)] == ["ben"]
    await engine.run_until_idle()
    assert (len(work.calls), await state(store, "after")) == (2, StageState.PENDING)
    await engine.resolve_review("a", "work", Approve(), version=status.version)
    await engine.run_until_idle()
    assert (await store.get_status("a", "after")).output == {"n": 1}
    assert len(await told(store, WorkflowCompleted)) == 1


async def test_the_attempt_that_requested_changes_granted_is_taken_back_too(store, start):
    workflow, stage = scripted(asked(1), ValueError("no"), repeat=True)
    engine = await start(workflow)
    await ran(engine)
    await engine.resolve_review("a", "work", RequestChanges("more"))
    await engine.reopen_review("a", "work")

    await engine.resolve_review("a", "work", RequestChanges("more, really"))
    await engine.run_until_idle()

    assert [(context.attempt, context.max_attempts) for context in stage.contexts] == [(1, 1), (2, 2)]
    assert stage.contexts[1].feedback.summary == "more, really"


async def test_a_review_cannot_be_reopened_once_a_dependent_has_started(store, start):
    engine = await start(chain("work", "after", work=asked()))
    await ran(engine)
    await engine.resolve_review("a", "work", Approve(by="ana"))
    await engine.run_until_idle()

    with pytest.raises(ReviewConflict, match="'after' has already started") as caught:
        await engine.reopen_review("a", "work")

    assert caught.value.by == "ana"
    assert await states(store) == {"work": "completed", "after": "completed"}


async def test_requested_changes_cannot_be_taken_back_once_the_next_attempt_has_begun(store, start):
    """Nothing is as it was then: the attempt that is under way has a new number and a new key."""
    begun = asyncio.Event()

    async def hang(item: Any, ctx: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    workflow, _ = scripted(asked(1), hang, asked(2))
    engine = await start(workflow)
    await ran(engine)
    await engine.resolve_review("a", "work", RequestChanges("more", by="ana"))
    drive = asyncio.create_task(engine.run_until_idle())
    await begun.wait()
    with pytest.raises((InvalidTransition, ReviewConflict)):
        await engine.reopen_review("a", "work")

    drive.cancel()
    await asyncio.wait({drive})
    assert await state(store) is StageState.PENDING
    with pytest.raises((InvalidTransition, ReviewConflict)):
        await engine.reopen_review("a", "work")

    await engine.run_until_idle()
    assert (await store.get_status("a", "work")).output == 2


async def test_a_last_stage_completes_the_workflow_again_after_a_reopen(store, start):
    engine = await start(scripted(asked())[0])
    await ran(engine)
    for _ in range(2):
        await engine.resolve_review("a", "work", Approve())
        await engine.reopen_review("a", "work")
    await engine.resolve_review("a", "work", Approve())

    assert len(await told(store, WorkflowCompleted)) == 3


async def test_what_awaits_review_already_cannot_be_reopened(store, start):
    engine = await start(scripted(asked())[0])
    await ran(engine)

    with pytest.raises(InvalidTransition, match="awaits review already"):
        await engine.reopen_review("a", "work")


async def test_a_retried_rejection_can_no_longer_be_taken_back(store, start):
    engine = await start(scripted(asked(1), asked(2))[0])
    await ran(engine)
    await engine.resolve_review("a", "work", Reject("no"))
    await engine.retry_stage("a", "work")

    with pytest.raises(InvalidTransition):
        await engine.reopen_review("a", "work")

    await engine.run_until_idle()
    assert (await store.get_status("a", "work")).output == 2


# --- reviews of subtasks ------------------------------------------------------------------------------------------------------


async def test_a_rejected_subtask_fails_its_stage_and_can_be_reopened(store, start):
    engine = await start(fan_out(["x", "y"], lambda name, ctx: asked(name)))
    await ran(engine)
    await engine.resolve_review("a", "work", Approve(), subtask="x")
    assert await engine.resolve_review("a", "work", Reject("bad part"), subtask="y") is StageState.FAILED
    status = await store.get_status("a", "work")
    assert (status.state, "bad part" in status.error) == (StageState.FAILED, True)

    await engine.reopen_review("a", "work", subtask="y")
    await engine.resolve_review("a", "work", Approve(), subtask="y")
    await engine.run_until_idle()

    status = await store.get_status("a", "work")
    assert (status.state, status.output, status.error) == (StageState.COMPLETED, {"x": "x", "y": "y"}, None)


async def test_changes_requested_of_a_subtask_run_that_subtask_again(store, start):
    calls: list[str] = []

    async def part(name: str, ctx: Any) -> Any:
        calls.append(name)
        return asked(f"{name}{ctx.attempt}{ctx.feedback.summary if ctx.feedback else ''}")

    engine = await start(fan_out(["x", "y"], part))
    await ran(engine)
    await engine.resolve_review("a", "work", RequestChanges("!"), subtask="x")
    await engine.run_until_idle()
    for name in "xy":
        await engine.resolve_review("a", "work", Approve(), subtask=name)
    await engine.run_until_idle()

    assert calls == ["x", "y", "x"]
    assert (await store.get_status("a", "work")).output == {"x": "x2!", "y": "y1"}


async def test_an_edited_subtask_goes_into_the_reduce(store, start):
    engine = await start(fan_out(["x", "y"], lambda name, ctx: asked(name)))
    await ran(engine)
    await engine.resolve_review("a", "work", ApproveWithEdits("X"), subtask="x")
    await engine.resolve_review("a", "work", Approve(), subtask="y")
    await engine.run_until_idle()

    assert (await store.get_status("a", "work")).output == {"x": "X", "y": "y"}


async def test_a_subtask_cannot_be_reopened_once_the_stage_has_gone_on(store, start):
    engine = await start(fan_out(["x"], lambda name, ctx: asked(name)))
    await ran(engine)
    await engine.resolve_review("a", "work", Approve(), subtask="x")
    await engine.run_until_idle()

    with pytest.raises(ReviewConflict):
        await engine.reopen_review("a", "work", subtask="x")


async def test_a_subtask_can_be_reopened_while_others_are_open(store, start):
    engine = await start(fan_out(["x", "y"], lambda name, ctx: asked(name)))
    await ran(engine)
    await engine.resolve_review("a", "work", Approve(), subtask="x")
    await engine.reopen_review("a", "work", subtask="x")

    assert [review.subtask for review in await engine.pending_reviews()] == ["x", "y"]
    for name in "xy":
        await engine.resolve_review("a", "work", Approve(), subtask=name)
    await engine.run_until_idle()
    assert await state(store) is StageState.COMPLETED


@pytest.mark.parametrize(
    "decision", [Approve(), Reject("no"), RequestChanges("more"), ApproveWithEdits(7)], ids=lambda decision: decision.verb
)
async def test_any_decision_on_a_subtask_can_be_taken_back_and_the_stage_still_comes_to_its_end(store, start, decision):
    engine = await start(fan_out(["x", "y"], lambda name, ctx: asked(name)))
    await ran(engine)
    for _ in range(2):
        await engine.resolve_review("a", "work", decision, subtask="x")
        await engine.reopen_review("a", "work", subtask="x")
    await engine.run_until_idle()
    assert [(await state(store)).value, await state(store, subtask="x")] == ["running", StageState.AWAITING_REVIEW]

    await engine.resolve_review("a", "work", Approve(), subtask="x")
    await engine.resolve_review("a", "work", Approve(), subtask="y")
    await engine.run_until_idle()

    assert (await store.get_status("a", "work")).output == {"x": "x", "y": "y"}
