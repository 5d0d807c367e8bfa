"""Fan-outs that go on: after a retry, a cancellation, a pause; only what failed runs again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from treadle_tui.engine import (
    FanOut,
    RetryBudget,
    StageNotFound,
    StageState,
    Workflow,
)
from treadle_tui.engine.testing import ScriptedStage

from .workflows import Parts, fan_out, ran, scripted, state, states, submitted, until

# --- retrying -----------------------------------------------------------------------------------------------------------------


async def test_after_a_retry_only_what_failed_runs_again_and_reduce_runs_once(store, start):
    parts = Parts("y")
    declared, reduced = [], []
    workflow = Workflow("docs")

    @workflow.stage
    async def work() -> FanOut:
        declared.append(1)
        return FanOut(["x", "y", "z"])

    @work.each
    async def part(subtask: str, ctx: Any) -> str:
        return await parts(subtask, ctx)

    @work.reduce
    def joined(results: dict[str, str]) -> str:
        reduced.append(results)
        return "".join(results.values())

    engine = await start(workflow)
    await ran(engine)
    assert reduced == []
    parts.failing.clear()

    await engine.retry_stage("a", "work", by="ana")
    await engine.run_until_idle()

    status = await store.get_status("a", "work")
    assert (status.state, status.output, status.error) == (StageState.COMPLETED, "xyz", None)
    assert (declared, parts.calls) == ([1], {"x": 1, "y": 2, "z": 1})
    assert reduced == [{"x": "x", "y": "y", "z": "z"}]
    assert len(set(parts.keys)) == 4
    assert [attempt.outcome for attempt in await store.get_attempts("a", "work", "y")] == ["error", "completed"]


async def test_one_subtask_can_be_retried_while_others_have_failed_and_the_stage_stays_failed(store, start):
    parts = Parts("x", "y")
    engine = await start(fan_out(["x", "y", "z"], parts))
    await ran(engine)
    parts.failing.clear()

    await engine.retry_stage("a", "work", subtask="x")
    assert (await state(store), await state(store, subtask="x")) == (StageState.FAILED, StageState.PENDING)
    await engine.run_until_idle()
    assert (await state(store), await state(store, subtask="x")) == (StageState.FAILED, StageState.COMPLETED)
    await engine.retry_stage("a", "work", subtask="y")
    await engine.run_until_idle()

    assert (await store.get_status("a", "work")).output == {"x": "x", "y": "y", "z": "z"}
    assert parts.calls == {"x": 2, "y": 2, "z": 1}


async def test_retried_subtasks_that_fail_again_fail_the_stage_again(store, start):
    parts = Parts("x", "y")
    engine = await start(fan_out(["x", "y"], parts))
    await ran(engine)

    for _ in range(2):
        await engine.retry_stage("a", "work", subtask="x")
        await engine.run_until_idle()
        assert await state(store) is StageState.FAILED
        await engine.retry_stage("a", "work")
        await engine.run_until_idle()
        assert await state(store) is StageState.FAILED
    parts.failing = {"x"}
    await engine.retry_stages([("a", "work", "x"), ("a", "work", "y")])
    await engine.run_until_idle()

    status = await store.get_status("a", "work")
    assert (status.state, [each.state.value for each in status.subtasks]) == (StageState.FAILED, ["failed", "completed"])
    assert status.error == "1 of 2 subtasks failed (x: ValueError: x fails)"


async def test_several_subtasks_can_be_retried_one_after_the_other(store, start):
    parts = Parts("x", "y", "z")
    engine = await start(fan_out(["x", "y", "z"], parts))
    await ran(engine)
    parts.failing.clear()

    assert await engine.retry_stages([("a", "work", name) for name in "xyz"]) == [None, None, None]
    await engine.run_until_idle()

    assert await state(store) is StageState.COMPLETED


async def test_a_subtask_that_did_not_fail_cannot_be_retried(store, start):
    engine = await start(fan_out(["x", "y"], Parts("x")))
    await ran(engine)

    from treadle_tui.engine import InvalidTransition

    with pytest.raises(InvalidTransition, match="'work/y' of item 'a' is completed"):
        await engine.retry_stage("a", "work", subtask="y")
    with pytest.raises(StageNotFound, match="subtasks of stage 'work'"):
        await engine.retry_stage("a", "work", subtask="q")


async def test_a_retried_stage_can_be_run_by_hand(store, start):
    parts = Parts("x")
    engine = await start(fan_out(["x", "y"], parts))
    await ran(engine)
    parts.failing.clear()
    await engine.retry_stage("a", "work")

    assert await engine.run_stage("a", "work") is StageState.RUNNING
    assert await engine.run_stage("a", "work", "x") is StageState.COMPLETED
    await engine.run_until_idle()

    assert await state(store) is StageState.COMPLETED


# --- control ------------------------------------------------------------------------------------------------------------------


async def test_cancelling_calls_off_open_subtasks_and_keeps_finished_ones(store, start):
    hanging = asyncio.Event()

    async def part(name: str, ctx: Any) -> str:
        if name == "hangs":
            hanging.set()
            await asyncio.Event().wait()
        return name

    engine = await start(fan_out(["done", "hangs", "waits"], part), concurrency=2)
    await submitted(engine, "a")
    await engine.pause_stage("docs", "work")
    await engine.run_stage("a", "work")
    await engine.run_stage("a", "work", "done")
    await engine.resume_stage("docs", "work")
    drive = asyncio.create_task(engine.run_until_idle())
    await hanging.wait()

    await engine.cancel("a")
    await asyncio.wait_for(drive, 10)

    status = await store.get_status("a", "work")
    assert status.state is StageState.CANCELLED
    assert [each.state.value for each in status.subtasks][:2] == ["completed", "cancelled"]
    assert {each.state for each in status.subtasks} <= {StageState.COMPLETED, StageState.CANCELLED}


async def test_a_cancelled_fan_out_goes_on_where_it_was_after_a_retry(store, start):
    parts = Parts("x")
    engine = await start(fan_out(["w", "x", "y"], parts, each={"retry": RetryBudget(max_attempts=9, delay=3600)}))
    await submitted(engine, "a")
    await engine.advance("a")
    await engine.cancel("a")
    assert [each.state.value for each in (await store.get_status("a", "work")).subtasks] == ["completed", "cancelled", "completed"]
    parts.failing.clear()

    await engine.retry_stage("a", "work")
    await engine.run_until_idle()

    assert await state(store) is StageState.COMPLETED
    assert parts.calls == {"w": 1, "x": 2, "y": 1}


async def test_one_cancelled_subtask_can_be_retried_alone(store, start):
    parts = Parts("x", "y")
    engine = await start(fan_out(["x", "y"], parts, each={"retry": RetryBudget(max_attempts=9, delay=3600)}))
    await submitted(engine, "a")
    await engine.advance("a")
    await engine.cancel("a")
    parts.failing.clear()

    await engine.retry_stage("a", "work", subtask="x")
    await engine.run_until_idle()

    assert await state(store, subtask="x") is StageState.COMPLETED
    assert await state(store, subtask="y") is StageState.CANCELLED
    assert await state(store) in (StageState.FAILED, StageState.CANCELLED)
    await engine.retry_stage("a", "work", subtask="y")
    await engine.run_until_idle()
    assert await state(store) is StageState.COMPLETED


async def test_a_paused_item_starts_no_more_subtasks(store, start):
    begun, go = asyncio.Event(), asyncio.Event()

    async def part(name: str, ctx: Any) -> str:
        begun.set()
        await go.wait()
        return name

    engine = await start(fan_out(["x", "y"], part), concurrency=1)
    await submitted(engine, "a")
    drive = asyncio.create_task(engine.run_until_idle())
    await begun.wait()
    await engine.pause("a")
    go.set()
    await asyncio.wait_for(drive, 10)
    assert [each.state.value for each in (await store.get_status("a", "work")).subtasks] == ["completed", "pending"]

    await engine.resume("a")
    await engine.run_until_idle()

    assert await state(store) is StageState.COMPLETED


async def test_running_a_fan_out_again_declares_it_anew(store, start):
    parts = Parts()
    engine = await start(fan_out(["x", "y"], parts))
    await ran(engine)

    await engine.rerun_stage("a", "work")
    assert (await store.get_status("a", "work")).subtasks == []
    await engine.run_until_idle()

    assert parts.calls == {"x": 2, "y": 2}
    assert len(set(parts.keys)) == 4


async def test_a_stage_that_fans_out_once_may_return_a_value_the_next_time(store, start):
    workflow, _ = scripted(FanOut([]), "plain")
    engine = await start(workflow)
    await ran(engine)

    await engine.rerun_stage("a", "work")
    await engine.run_until_idle()

    assert (await store.get_status("a", "work")).output == "plain"


async def test_dependents_wait_for_the_whole_fan_out(store, start):
    go = asyncio.Event()

    async def part(name: str, ctx: Any) -> str:
        if name == "late":
            await go.wait()
        return name

    workflow = fan_out(["early", "late"], part)
    workflow.add_stage("after", ScriptedStage([lambda item, ctx: ctx.upstream["work"]]), after=["work"])
    engine = await start(workflow)
    await submitted(engine, "a")
    drive = asyncio.create_task(engine.run_until_idle())
    await until(lambda: engine.running == 1)
    assert await states(store) == {"work": "running", "after": "pending"}
    go.set()
    await drive

    assert (await store.get_status("a", "after")).output == {"early": "early", "late": "late"}


async def test_a_thousand_subtasks(store, start):
    names = [f"{number:04}" for number in range(1000)]
    engine = await start(fan_out(names, lambda name, ctx: int(name)))

    await ran(engine)

    status = await store.get_status("a", "work")
    assert status.output == {name: int(name) for name in names}
    assert [each.name for each in status.subtasks] == names
