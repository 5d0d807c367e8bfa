"""Reviews nobody answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from treadle_tui.engine import (
    Approve,
    Escalated,
    Reject,
    Retry,
    RetryBudget,
    ReviewField,
    ReviewPolicy,
    ReviewRequired,
    StageState,
    Workflow,
    WorkflowCompleted,
)
from treadle_tui.engine.testing import ScriptedStage, collect_events

from .workflows import asked, fan_out, ran, state, states, submitted, told


def expiring(on_expiry: str, **data: Any) -> Workflow:
    """A stage whose review expires after an hour, and one behind it."""
    policy = ReviewPolicy("always", expires_after=3600, on_expiry=on_expiry)  # type: ignore[arg-type]
    workflow = Workflow("docs")
    workflow.add_stage("work", ScriptedStage([asked(1, **data)], repeat=True), review=policy)
    workflow.add_stage("after", ScriptedStage(["done"], repeat=True), after=["work"])
    return workflow


@pytest.mark.parametrize(("on_expiry", "expected"), [("approve", "completed"), ("reject", "failed")])
async def test_an_expired_review_is_decided_when_the_policy_says_so(store, start, clock, on_expiry, expected):
    engine = await start(expiring(on_expiry))
    await ran(engine)
    clock.advance(3599)
    await engine.run_until_idle()
    assert await state(store) is StageState.AWAITING_REVIEW

    clock.advance(1)
    await engine.run_until_idle()

    status = await store.get_status("a", "work")
    assert status.state.value == expected
    assert (status.decision.by, status.decision.at) == ("expiry", clock.now())
    assert "3600 seconds" in status.decision.note
    assert (await state(store, "after")).value == ("completed" if expected == "completed" else "pending")


async def test_a_reminder_tells_again_and_again(store, start, clock):
    engine = await start(expiring("remind"))
    await ran(engine)

    for _ in range(3):
        clock.advance(3600)
        await engine.run_until_idle()

    assert await state(store) is StageState.AWAITING_REVIEW
    assert len(await told(store, ReviewRequired)) == 4
    await engine.resolve_review("a", "work", Approve())


async def test_an_escalation_is_told_once(store, start, clock):
    engine = await start(expiring("escalate"))
    await ran(engine)

    for _ in range(3):
        clock.advance(3600)
        await engine.run_until_idle()

    assert await state(store) is StageState.AWAITING_REVIEW
    assert [event.reason for event in await told(store, Escalated)] == ["nobody answered within 3600 seconds"]


async def test_an_engine_that_runs_for_ever_wakes_for_an_expiry(store, start, clock):
    engine = await start(expiring("approve"))
    await submitted(engine, "a")
    drive = asyncio.create_task(engine.run_forever())
    await clock.until_sleeping()

    clock.advance(3600)
    await collect_events(engine.events(), until=WorkflowCompleted)
    assert await states(store) == {"work": "completed", "after": "completed"}

    drive.cancel()
    await asyncio.wait({drive})


async def test_an_answered_review_does_not_expire(store, start, clock):
    engine = await start(expiring("reject"))
    await ran(engine)
    await engine.resolve_review("a", "work", Approve(by="ana"))

    clock.advance(7200)
    await engine.run_until_idle()

    assert (await store.get_status("a", "work")).decision.by == "ana"


async def test_a_reopened_review_does_not_expire_by_the_old_time(store, start, clock):
    engine = await start(expiring("reject"))
    await ran(engine)
    clock.advance(3000)
    await engine.resolve_review("a", "work", Reject("no"))
    await engine.reopen_review("a", "work")

    clock.advance(700)
    await engine.run_until_idle()

    assert await state(store) is StageState.AWAITING_REVIEW


async def test_an_expiry_that_cannot_approve_leaves_the_review_to_people(store, start, clock):
    """A required answer is missing, so nobody can approve for them; the engine goes on with other items."""
    engine = await start(expiring("approve", fields=[ReviewField("title", required=True)]))
    await ran(engine, "a")
    clock.advance(3600)

    await ran(engine, "b")

    assert await state(store, item_id="a") is StageState.AWAITING_REVIEW
    assert await state(store, item_id="b") is StageState.AWAITING_REVIEW
    assert len(await told(store, Escalated)) == 1


async def test_the_review_of_a_subtask_expires_by_its_own_policy(store, start, clock):
    policy = ReviewPolicy("always", expires_after=60, on_expiry="approve")
    engine = await start(fan_out(["x", "y"], lambda name, ctx: name, each={"review": policy}))
    await ran(engine)
    assert await state(store, subtask="x") is StageState.AWAITING_REVIEW

    clock.advance(60)
    await engine.run_until_idle()

    assert (await store.get_status("a", "work")).output == {"x": "x", "y": "y"}


async def test_reviews_that_no_engine_ends_do_not_hide_retries_that_are_due(store, start, clock):
    """A thousand expired reviews of one workflow, whose engine is gone, come before the retry of another."""
    engine = await start(expiring("approve"))
    await ran(engine, *(f"item-{n}" for n in range(1001)))
    await engine.close()
    clock.advance(3600)
    retried = Workflow("other")
    retried.add_stage("work", ScriptedStage([Retry("busy", after=60.0), "done"]), retry=RetryBudget(max_attempts=2))
    engine = await start(retried)
    await submitted(engine, "late")
    await engine.advance("late")

    clock.advance(60)
    await engine.advance("late")

    assert await state(store, item_id="late") is StageState.COMPLETED
