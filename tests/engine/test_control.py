"""Pausing, calling off, running again: what people do to items while they run."""

from __future__ import annotations

import asyncio

import pytest

from treadle_tui.engine import (
    Approve,
    Failed,
    InvalidTransition,
    ItemCancelled,
    ItemNotFound,
    ItemPaused,
    ItemResumed,
    ItemState,
    NeedsReview,
    RetryBudget,
    Skipped,
    StageRetried,
    StageState,
    Workflow,
    WorkflowCompleted,
)
from treadle_tui.engine.testing import ScriptedStage

from .workflows import Hanging, chain, hanging, ran, scripted, state, states, submitted, told

# --- pause --------------------------------------------------------------------------------------------------------------------


async def test_a_paused_item_finishes_what_runs_and_starts_nothing_new(store, start):
    workflow, stage = hanging("after")
    engine = await start(workflow)
    await submitted(engine, "a")
    drive = asyncio.create_task(engine.run_until_idle())
    await stage.begun.wait()

    await engine.pause("a")
    stage.go.set()
    await asyncio.wait_for(drive, 10)

    assert await states(store) == {"work": "completed", "after": "pending"}
    assert (await store.get_item("a")).state is ItemState.PAUSED
    await engine.resume("a")
    await engine.run_until_idle()
    assert await states(store) == {"work": "completed", "after": "completed"}
    assert [type(event) for event in await told(store, ItemPaused, ItemResumed)] == [ItemPaused, ItemResumed]


async def test_pausing_twice_and_resuming_twice_is_doing_it_once(store, start):
    engine = await start(scripted(1)[0])
    await submitted(engine, "a")

    for _ in range(2):
        await engine.pause("a")
    for _ in range(2):
        await engine.resume("a")
    await engine.run_until_idle()

    assert [type(event) for event in await told(store, ItemPaused, ItemResumed)] == [ItemPaused, ItemResumed]
    assert await state(store) is StageState.COMPLETED


async def test_a_retry_of_a_paused_item_waits_for_the_resume(store, start, clock):
    workflow, stage = scripted(ValueError(), "ok", retry=RetryBudget(max_attempts=2, delay=60))
    engine = await start(workflow)
    await submitted(engine, "a")
    await engine.advance("a")
    await engine.pause("a")
    clock.advance(60)
    await engine.run_until_idle()
    assert (len(stage.calls), await state(store)) == (1, StageState.RETRY_WAIT)

    await engine.resume("a")
    await engine.run_until_idle()

    assert await state(store) is StageState.COMPLETED


async def test_a_paused_item_stays_paused_for_the_next_engine(store, start):
    first = await start(scripted(1)[0])
    await submitted(first, "a")
    await first.pause("a")
    await first.close()

    second = await start(scripted(1)[0])
    await second.run_until_idle()
    assert await state(store) is StageState.PENDING
    await second.resume("a")
    await second.run_until_idle()

    assert await state(store) is StageState.COMPLETED


async def test_a_paused_item_does_not_run_by_hand_either(store, start):
    engine = await start(scripted(1)[0])
    await submitted(engine, "a")
    await engine.pause("a")

    with pytest.raises(InvalidTransition, match="paused"):
        await engine.run_stage("a", "work")


# --- cancel -------------------------------------------------------------------------------------------------------------------


async def test_cancelling_interrupts_what_runs_and_keeps_what_is_finished(store, start):
    stage = Hanging()
    engine = await start(chain("done", "work", "after", work=ScriptedStage([stage])))
    await submitted(engine, "a")
    drive = asyncio.create_task(engine.run_until_idle())
    await stage.begun.wait()

    await engine.cancel("a", by="ana")
    await asyncio.wait_for(drive, 10)

    assert await states(store) == {"done": "completed", "work": "cancelled", "after": "cancelled"}
    assert (stage.interrupted, stage.saw_cancelled) == (1, True)
    assert [event.by for event in await told(store, ItemCancelled)] == ["ana"]
    assert await told(store, WorkflowCompleted) == []
    assert [attempt.outcome for attempt in await store.get_attempts("a", "work")] == ["interrupted"]


async def test_failed_and_skipped_stages_stay_what_they_are_when_an_item_is_cancelled(store, start):
    workflow = Workflow("docs")
    workflow.add_stage("failed", ScriptedStage([Failed("no")]))
    workflow.add_stage("skipped", ScriptedStage([Skipped()]))
    workflow.add_stage("reviewed", ScriptedStage([NeedsReview()]))
    workflow.add_stage("waits", ScriptedStage([]), after=["reviewed"])
    engine = await start(workflow)
    await ran(engine)

    await engine.cancel("a")

    assert await states(store) == {"failed": "failed", "skipped": "skipped", "reviewed": "cancelled", "waits": "cancelled"}


async def test_cancelling_twice_is_cancelling_once(store, start):
    engine = await start(chain("one", "two"))
    await submitted(engine, "a")

    await engine.cancel("a")
    await engine.cancel("a")

    assert len(await told(store, ItemCancelled)) == 1


async def test_a_late_result_of_a_cancelled_attempt_changes_nothing(store, start):
    """A plain function cannot be interrupted; what it returns is dropped."""
    import threading

    begun, go = threading.Event(), threading.Event()
    workflow = Workflow("docs")

    @workflow.stage
    def work() -> str:
        begun.set()
        go.wait(10)
        return "too late"

    engine = await start(workflow)
    await submitted(engine, "a")
    drive = asyncio.create_task(engine.run_until_idle())
    await asyncio.to_thread(begun.wait, 10)
    await engine.cancel("a")
    await asyncio.wait_for(drive, 10)
    go.set()

    assert await state(store) is StageState.CANCELLED


async def test_a_cancelled_stage_can_be_retried_with_what_is_behind_it(store, start):
    engine = await start(chain("one", "two", one=NeedsReview(1)))
    await ran(engine)
    await engine.cancel("a")

    await engine.retry_stage("a", "one")
    assert (await store.get_item("a")).state is ItemState.ACTIVE
    await engine.run_until_idle()
    await engine.resolve_review("a", "one", Approve())
    await engine.run_until_idle()
    assert await states(store) == {"one": "completed", "two": "cancelled"}
    await engine.retry_stage("a", "two")
    await engine.run_until_idle()

    assert (await store.get_item("a")).state is ItemState.COMPLETED
    assert len(await told(store, WorkflowCompleted)) == 1


async def test_retrying_what_is_behind_first_waits_for_what_is_before(store, start):
    engine = await start(chain("one", "two"))
    await submitted(engine, "a")
    await engine.cancel("a")

    await engine.retry_stage("a", "two")
    await engine.run_until_idle()
    assert await states(store) == {"one": "cancelled", "two": "pending"}
    await engine.retry_stage("a", "one")
    await engine.run_until_idle()

    assert await states(store) == {"one": "completed", "two": "completed"}


# --- retry and rerun ----------------------------------------------------------------------------------------------------------


async def test_a_retry_gives_the_budget_anew_and_numbers_and_keys_go_on(store, start):
    workflow, stage = scripted(ValueError(), repeat=True, retry=RetryBudget(max_attempts=2))
    engine = await start(workflow)
    await ran(engine)

    await engine.retry_stage("a", "work", by="ana")
    status = await store.get_status("a", "work")
    assert (status.state, status.error, status.decision) == (StageState.PENDING, None, None)
    await engine.run_until_idle()

    assert [(context.attempt, context.max_attempts) for context in stage.contexts] == [(1, 2), (2, 2), (3, 4), (4, 4)]
    assert len({context.idempotency_key for context in stage.contexts}) == 4
    assert [event.by for event in await told(store, StageRetried)] == ["ana"]


async def test_many_stages_are_retried_in_one_transaction_with_a_result_per_line(store, start):
    workflow, _ = scripted(lambda item, ctx: 1 / 0 if item["id"] != "b" else 1, repeat=True)
    engine = await start(workflow)
    await ran(engine, "a", "b", "c")

    results = await engine.retry_stages([("a", "work"), ("b", "work"), ("?", "work"), ("c", "work", None)], by="ana")

    assert results[0] is None
    assert [type(result) for result in results[1:3]] == [InvalidTransition, ItemNotFound]
    assert results[3] is None
    assert [await state(store, item_id=id) for id in "abc"] == [StageState.PENDING, StageState.COMPLETED, StageState.PENDING]


async def test_running_a_stage_again_sends_it_and_all_behind_it_back(store, start):
    workflow = Workflow("docs")
    for name, after in (("one", []), ("two", ["one"]), ("aside", ["one"]), ("three", ["two"]), ("other", [])):
        workflow.add_stage(name, ScriptedStage([name, name + " again"], repeat=True), after=after)
    engine = await start(workflow)
    await ran(engine)

    await engine.rerun_stage("a", "two", by="ana")

    assert await states(store) == {"one": "completed", "other": "completed", "two": "pending", "aside": "completed", "three": "pending"}
    assert [(event.stage, event.by) for event in await told(store, StageRetried)] == [("two", "ana"), ("three", "ana")]
    await engine.run_until_idle()
    assert (await store.get_status("a", "three")).output == "three again"
    assert (await store.get_status("a", "aside")).output == "aside"
    assert len(await told(store, WorkflowCompleted)) == 2


async def test_running_again_interrupts_what_runs_behind(store, start):
    workflow, stage = hanging()
    workflow = Workflow("docs")
    workflow.add_stage("first", ScriptedStage(["first"], repeat=True))
    workflow.add_stage("work", ScriptedStage([stage, "second time"]), after=["first"])
    engine = await start(workflow)
    await submitted(engine, "a")
    drive = asyncio.create_task(engine.run_until_idle())
    await stage.begun.wait()

    await engine.rerun_stage("a", "first")
    await asyncio.wait_for(drive, 10)

    assert stage.interrupted == 1
    assert await states(store) == {"first": "completed", "work": "completed"}
    assert (await store.get_status("a", "work")).output == "second time"
    numbers = [attempt.number for attempt in await store.get_attempts("a", "work")]
    assert len(set(numbers)) == len(numbers)


async def test_running_again_takes_back_waiting_reviews_behind(store, start):
    engine = await start(chain("one", "two", two=NeedsReview(1)))
    await ran(engine)

    await engine.rerun_stage("a", "one")

    assert await engine.pending_reviews() == []
    await engine.run_until_idle()
    assert await states(store) == {"one": "completed", "two": "awaiting_review"}


async def test_a_skipped_stage_can_be_run_again(store, start):
    engine = await start(scripted(Skipped(), "now")[0])
    await ran(engine)

    await engine.rerun_stage("a", "work")
    await engine.run_until_idle()

    assert (await store.get_status("a", "work")).output == "now"
