"""Every kind of work, cut off at every commit on both stores: the outcome is the one of a run that nothing disturbed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from treadle_tui.engine import (
    Accepted,
    Approve,
    ApproveWithEdits,
    Engine,
    FanOut,
    NeedsReview,
    PickAttempt,
    Reject,
    Rejected,
    RequestChanges,
    RetryBudget,
    ReviewPolicy,
    ReviewReopened,
    Skipped,
    StageReleased,
    StageRetried,
    StageState,
    Workflow,
)
from treadle_tui.engine.testing import ManualClock, ScriptedStage, crash_at_every_commit

from .workflows import told

ITEMS = [{"id": "a"}, {"id": "b"}]


def program(make: Callable[[], Workflow], *steps: Any, items: Any = ITEMS, **options: Any) -> Callable[[Any], Any]:
    """Submit the items and run; then, one after the other, each step and run again."""

    async def scenario(store: Any) -> None:
        clock = ManualClock()
        async with Engine(store, [make()], clock=clock, **options) as engine:
            await engine.submit("docs", items)
            await clock.run(engine.run_until_idle())
            for step in steps:
                await step(engine)
                await clock.run(engine.run_until_idle())

    return scenario


def deciding(decision: Any, attempt: int = 1) -> Any:
    """A step that gives this answer to whatever waits in that attempt."""

    async def step(engine: Engine) -> None:
        for review in await engine.pending_reviews():
            if review.attempt == attempt:
                await engine.resolve_review(review.item_id, review.stage, decision, review.version, review.subtask)

    return step


def stages(**answers: Any) -> Callable[[], Workflow]:
    """A chain of stages, each with its one answer for ever."""

    def make() -> Workflow:
        workflow = Workflow("docs")
        before: list[str] = []
        for name, answer in answers.items():
            workflow.add_stage(name, ScriptedStage([answer], repeat=True), after=before)
            before = [name]
        return workflow

    return make


def retried() -> Workflow:
    """Attempts that fail in every way there is."""
    workflow = Workflow("docs")

    @workflow.stage(retry=RetryBudget(max_attempts=4, delay=60, backoff=2))
    async def work(ctx: Any) -> Any:
        if ctx.attempt == 1:
            raise ValueError("first")
        return {"attempt": ctx.attempt, "heard": ctx.feedback.summary if ctx.feedback else None}

    @work.gate
    def thick(output: Any, ctx: Any) -> Any:
        return Rejected("thin") if ctx.attempt < 4 else Accepted()

    workflow.add_stage("skipped", ScriptedStage([Skipped("no")], repeat=True), after=["work"])
    workflow.add_stage("failed", ScriptedStage([ValueError("no")], repeat=True), after=["skipped"])
    return workflow


def spread() -> Workflow:
    """A fan-out with a subtask that fails at first, and a reduce that does."""
    workflow = Workflow("docs")

    @workflow.stage(retry=RetryBudget(max_attempts=2, delay=10))
    async def work() -> FanOut:
        return FanOut(["x", "y", "z"])

    @work.each(retry=RetryBudget(max_attempts=2, delay=5))
    async def part(subtask: str, ctx: Any) -> Any:
        if subtask == "y" and ctx.attempt == 1:
            raise ValueError("not yet")
        return NeedsReview(subtask) if subtask == "z" else f"{subtask}{ctx.attempt}"

    @work.reduce
    def joined(results: dict[str, str], ctx: Any) -> Any:
        if ctx.attempt == 1:
            raise ValueError("not yet")
        return results

    workflow.add_stage("after", ScriptedStage([lambda item, ctx: ctx.upstream["work"]], repeat=True), after=["work"])
    return workflow


def reviewed() -> Workflow:
    """Everything is looked at; attempts are numbered."""
    workflow = Workflow("docs")
    workflow.add_stage("work", ScriptedStage([lambda item, ctx: {"n": ctx.attempt}], repeat=True), review=ReviewPolicy.ALWAYS)
    workflow.add_stage("after", ScriptedStage([lambda item, ctx: ctx.upstream["work"]], repeat=True), after=["work"])
    return workflow


def remembering() -> Workflow:
    """A memo, progress and log lines, and a failure after them."""
    workflow = Workflow("docs")

    @workflow.stage(retry=RetryBudget(max_attempts=2))
    async def work(item: Any, ctx: Any) -> Any:
        ctx.progress(0.5, "half")
        value = await ctx.memo("costly", lambda: {"of": item["id"]})
        ctx.log("nearly")
        if ctx.attempt == 1:
            raise ValueError("after the memo")
        return value

    return workflow


async def rejected_once(engine: Engine) -> None:
    """Reject what waits, unless that was done and taken back already."""
    for review in await engine.pending_reviews():
        if not await told(engine.store, ReviewReopened, item_id=review.item_id):
            await engine.resolve_review(review.item_id, review.stage, Reject("no"))


async def reopened_once(engine: Engine) -> None:
    """Take the decision on `work` back, unless that has been done."""
    for item in ITEMS:
        if not await told(engine.store, ReviewReopened, item_id=item["id"]):
            await engine.reopen_review(item["id"], "work", by="ben")


async def retried_once(engine: Engine) -> None:
    """Send what has failed back, unless that has been done."""
    for item in ITEMS:
        if not await told(engine.store, StageRetried, item_id=item["id"]):
            await engine.retry_stage(item["id"], "work", by="ben")


async def rerun_once(engine: Engine) -> None:
    """Run the first stage again, unless that has been done."""
    for item in ITEMS:
        if not await told(engine.store, StageRetried, item_id=item["id"]):
            await engine.rerun_stage(item["id"], "one", by="ben")


async def cancelled(engine: Engine) -> None:
    """Call the first item off."""
    await engine.cancel("a", by="ben")


async def held_and_released(engine: Engine) -> None:
    """Hold a stage, change the condition, let it go; submit more in between."""
    if not await told(engine.store, StageReleased):
        await engine.pause_stage("docs", "one", when="item.id == 'c'")
        await engine.pause_stage("docs", "one", when="item.id == 'd'")
        await engine.submit("docs", [{"id": "c"}, {"id": "d"}])
        await engine.pause("c")
        await engine.run_until_idle()
        await engine.resume_stage("docs", "one")
    await engine.resume("c")


async def all_at_once(engine: Engine) -> None:
    """Decide everything in one transaction."""
    await engine.resolve_reviews(
        [(review.item_id, review.stage, Approve(by="ana"), review.version) for review in await engine.pending_reviews()]
    )


async def deleted(engine: Engine) -> None:
    """Remove an item, unless that has been done."""
    if "b" in await engine.store.list_items():
        await engine.delete_item("b")


def failing_once() -> Workflow:
    """A fan-out of which one part fails for good, once."""
    workflow = Workflow("docs")

    @workflow.stage
    async def work(ctx: Any) -> Any:
        if ctx.subtask is None:
            return FanOut(["x", "y"])
        if ctx.subtask == "y" and ctx.attempt == 1:
            raise ValueError("no")
        return ctx.subtask

    return workflow


SCENARIOS = {
    "retries, rejections, a skip and a failure": program(retried, items=ITEMS[:1]),
    "a fan-out with retries and a review of its own": program(spread, deciding(Approve(by="ana")), items=ITEMS[:1]),
    "an approval": program(reviewed, deciding(Approve(by="ana", note="fine"))),
    "edits": program(reviewed, deciding(ApproveWithEdits({"n": 99}))),
    "a rejection": program(reviewed, deciding(Reject("no"))),
    "changes": program(reviewed, deciding(RequestChanges("more")), deciding(Approve(), 2)),
    "an earlier attempt": program(reviewed, deciding(RequestChanges("more")), deciding(PickAttempt(1), 2)),
    "a decision taken back": program(reviewed, rejected_once, reopened_once, deciding(Approve(by="ana"))),
    "many decisions in one": program(reviewed, all_at_once),
    "memos and news": program(remembering),
    "a retry of what failed": program(failing_once, retried_once),
    "a stage run again": program(stages(one=1, two=2, three=NeedsReview(3)), rerun_once),
    "a cancellation": program(stages(one=NeedsReview(1), two=2), cancelled),
    "a deletion": program(stages(one=1, two=2), deleted),
    "holds, pauses and more items": program(stages(one=1, two=2), held_and_released),
}


@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_crash_at_any_commit_changes_nothing_in_the_end(name: str):
    survived = await crash_at_every_commit(SCENARIOS[name])

    assert survived >= 8


async def test_a_submission_that_is_cut_off_is_made_up_for():
    """In batches, each all or nothing; here the stage is held, so that only the submission commits."""
    workflow = stages(one=1)

    async def scenario(store: Any) -> None:
        async with Engine(store, [workflow()]) as engine:
            await engine.pause_stage("docs", "one")
            await engine.submit("docs", [{"id": str(number)} for number in range(501)])
            assert len(await store.list_items()) == 501
            assert await store.query_items("one", StageState.COMPLETED) == []

    survived = await crash_at_every_commit(scenario)

    assert survived >= 6
