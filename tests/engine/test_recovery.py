"""Crashes, stops, and code that does not behave: what was finished stays finished, what was interrupted runs again, nobody is stuck."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

import pytest

from treadle_tui.engine import (
    Approve,
    Engine,
    FanOut,
    NeedsReview,
    RetryBudget,
    StageFailed,
    StageRecovered,
    StageState,
    StoreError,
    Workflow,
)
from treadle_tui.engine.leases import LEASE_SECONDS, Observer, process_is_alive, process_start
from treadle_tui.engine.store.rows import Worker
from treadle_tui.engine.testing import ScriptedStage, crash_engine

from .workflows import chain, fan_out, names_told, ran, scripted, state, states, submitted, told, until


class Hangs:
    """A stage that hangs the first so many times, and notes what it was told."""

    def __init__(self, times: int = 1) -> None:
        self.times = times
        self.begun = asyncio.Event()
        self.seen: list[tuple[int, str]] = []

    async def __call__(self, item: Any, ctx: Any) -> int:
        self.seen.append((ctx.attempt, ctx.idempotency_key))
        self.begun.set()
        if len(self.seen) <= self.times:
            await asyncio.Event().wait()
        return ctx.attempt


async def crashed(start: Any, workflow: Workflow, stage: Hangs) -> None:
    """Open an engine, let it reach the stage, and let it vanish."""
    engine = await start(workflow)
    stage.begun.clear()
    drive = asyncio.create_task(engine.run_until_idle())
    await stage.begun.wait()
    await crash_engine(engine)
    await asyncio.wait({drive})


# --- crashes ------------------------------------------------------------------------------------------------------------------


async def test_an_interrupted_attempt_runs_again_with_the_same_number_and_key(store, start):
    stage = Hangs()
    workflow, _ = scripted(stage, repeat=True)
    await submitted(await start(workflow), "a")
    await crashed(start, workflow, stage)
    assert await state(store) is StageState.RUNNING

    engine = await start(workflow)
    assert await state(store) is StageState.PENDING
    await engine.run_until_idle()

    assert stage.seen[0] == stage.seen[1]
    assert (await store.get_status("a", "work")).output == 1
    assert [attempt.number for attempt in await store.get_attempts("a", "work")] == [1]
    assert await names_told(store) == [
        *("ItemAdded", "StageStarted", "StageRecovered", "StageStarted"),
        *("StageCompleted", "WorkflowCompleted"),
    ]


async def test_an_interruption_uses_no_attempt_of_the_budget(store, start):
    stage = Hangs()
    workflow, script = scripted(ValueError("no"), stage, ValueError("no"), stage, retry=RetryBudget(max_attempts=3))
    await submitted(await start(workflow), "a")
    await crashed(start, workflow, stage)

    await (await start(workflow)).run_until_idle()

    assert [context.attempt for context in script.contexts] == [1, 2, 2, 3]
    assert (await store.get_status("a", "work")).output == 3


async def test_the_third_interruption_in_a_row_fails_the_stage_and_it_can_be_retried(store, start):
    stage = Hangs(times=3)
    workflow = chain("work", "after", work=ScriptedStage([stage], repeat=True))
    await submitted(await start(workflow), "a")
    for _ in range(3):
        assert await state(store) in (StageState.PENDING, StageState.RUNNING)
        await crashed(start, workflow, stage)

    engine = await start(workflow)
    await engine.run_until_idle()

    status = await store.get_status("a", "work")
    assert (status.state, status.error) == (StageState.FAILED, "interrupted 3 times")
    assert len(stage.seen) == 3
    assert len(set(stage.seen)) == 1
    assert len(await told(store, StageRecovered)) == 3
    assert [event.error for event in await told(store, StageFailed)] == ["interrupted 3 times"]
    assert (await names_told(store))[-2:] == ["StageRecovered", "StageFailed"]
    assert [(attempt.outcome, attempt.error) for attempt in await store.get_attempts("a", "work")] == [
        ("interrupted", "interrupted 3 times")
    ]
    await engine.retry_stage("a", "work")
    await engine.run_until_idle()
    assert await states(store) == {"work": "completed", "after": "completed"}
    assert stage.seen[-1] != stage.seen[0]


async def test_interruptions_count_only_in_a_row(store, start):
    """An attempt that ends, however it ends, begins the count anew."""
    stage = Hangs(times=2)
    workflow, _ = scripted(stage, stage, ValueError("no"), stage, stage, stage, retry=RetryBudget(max_attempts=2), repeat=True)
    await submitted(await start(workflow), "a")
    for _ in range(2):
        await crashed(start, workflow, stage)
    stage.times = 4
    for _ in range(2):
        await crashed(start, workflow, stage)

    await (await start(workflow)).run_until_idle()

    assert await state(store) is StageState.COMPLETED
    assert [attempt.outcome for attempt in await store.get_attempts("a", "work")] == ["error", "completed"]


async def test_subtasks_are_recovered_one_by_one(store, start):
    begun, seen = asyncio.Event(), []

    async def part(name: str, ctx: Any) -> str:
        seen.append((name, ctx.idempotency_key))
        if name == "hangs" and len(seen) == 2:
            begun.set()
            await asyncio.Event().wait()
        return name

    workflow = fan_out(["done", "hangs", "waits"], part, concurrency=1)
    engine = await start(workflow)
    await submitted(engine, "a")
    drive = asyncio.create_task(engine.run_until_idle())
    await begun.wait()
    await crash_engine(engine)
    await asyncio.wait({drive})

    await (await start(workflow)).run_until_idle()

    assert [name for name, _ in seen] == ["done", "hangs", "hangs", "waits"]
    assert seen[1] == seen[2]
    assert (await store.get_status("a", "work")).output == {"done": "done", "hangs": "hangs", "waits": "waits"}
    assert [event.subtask for event in await told(store, StageRecovered)] == ["hangs"]


async def test_a_subtask_that_is_interrupted_three_times_fails_alone(store, start):
    begun = asyncio.Event()

    async def part(name: str, ctx: Any) -> str:
        if name == "kills":
            begun.set()
            await asyncio.Event().wait()
        return name

    workflow = fan_out(["fine", "kills"], part)
    await submitted(await start(workflow), "a")
    for _ in range(3):
        begun.clear()
        engine = await start(workflow)
        drive = asyncio.create_task(engine.run_until_idle())
        await begun.wait()
        await crash_engine(engine)
        await asyncio.wait({drive})

    await (await start(workflow)).run_until_idle()

    status = await store.get_status("a", "work")
    assert (status.state, [each.error for each in status.subtasks]) == (StageState.FAILED, [None, "interrupted 3 times"])


async def test_a_crash_in_reduce_runs_reduce_again(store, start):
    begun, reduced, parts = asyncio.Event(), [], []
    workflow = Workflow("docs")

    @workflow.stage
    async def work() -> FanOut:
        return FanOut(["x"])

    @work.each
    async def part(subtask: str) -> str:
        parts.append(subtask)
        return subtask

    @work.reduce
    async def joined(results: dict[str, str], ctx: Any) -> str:
        reduced.append(ctx.idempotency_key)
        begun.set()
        if len(reduced) == 1:
            await asyncio.Event().wait()
        return "joined"

    engine = await start(workflow)
    await submitted(engine, "a")
    drive = asyncio.create_task(engine.run_until_idle())
    await begun.wait()
    await crash_engine(engine)
    await asyncio.wait({drive})

    await (await start(workflow)).run_until_idle()

    assert (await store.get_status("a", "work")).output == "joined"
    assert (parts, len(reduced), len(set(reduced))) == (["x"], 2, 1)


async def test_finished_stages_and_waiting_reviews_survive_a_crash(store, start):
    stage = Hangs()
    workflow = Workflow("docs")
    first = ScriptedStage(["first"])
    workflow.add_stage("first", first)
    workflow.add_stage("reviewed", ScriptedStage([NeedsReview({"n": 1})]), after=["first"])
    workflow.add_stage("work", ScriptedStage([stage], repeat=True), after=["first"])
    await submitted(await start(workflow), "a")
    await crashed(start, workflow, stage)

    engine = await start(workflow)
    await engine.run_until_idle()

    assert len(first.calls) == 1
    assert await states(store) == {"first": "completed", "reviewed": "awaiting_review", "work": "completed"}
    await engine.resolve_review("a", "reviewed", Approve())
    assert (await store.get_status("a", "reviewed")).output == {"n": 1}


async def test_a_retry_that_came_due_while_nobody_ran_is_made_up_for(store, start, clock):
    workflow, stage = scripted(ValueError(), "ok", retry=RetryBudget(max_attempts=2, delay=3600))
    engine = await start(workflow)
    await submitted(engine, "a")
    await engine.advance("a")
    await crash_engine(engine)
    clock.advance(7200)

    await (await start(workflow)).advance("a")

    assert (len(stage.calls), await state(store)) == (2, StageState.COMPLETED)


async def test_a_paused_item_is_recovered_but_not_started(store, start):
    stage = Hangs()
    workflow, _ = scripted(stage, repeat=True)
    await submitted(await start(workflow), "a")
    engine = await start(workflow)
    drive = asyncio.create_task(engine.run_until_idle())
    await stage.begun.wait()
    await engine.pause("a")
    await crash_engine(engine)
    await asyncio.wait({drive})

    again = await start(workflow)
    await again.run_until_idle()
    assert await state(store) is StageState.PENDING
    await again.resume("a")
    await again.run_until_idle()

    assert await state(store) is StageState.COMPLETED


async def test_a_running_engine_recovers_the_work_of_one_that_vanished(store, start, monkeypatch):
    monkeypatch.setattr("treadle_tui.engine.dispatch.REAP_SECONDS", 0.01)
    stage = Hangs()
    workflow, _ = scripted(stage, repeat=True)
    survivor = await start(workflow)
    await submitted(survivor, "a")
    await crashed(start, workflow, stage)

    await asyncio.wait_for(survivor.run_until_idle(), 10)

    assert await state(store) is StageState.COMPLETED


async def test_an_engine_waits_for_what_another_one_is_doing(store, start):
    stage = Hangs()
    workflow, _ = scripted(stage, repeat=True)
    first, second = await start(workflow), await start(workflow)
    await submitted(first, "a")
    drive = asyncio.create_task(first.run_until_idle())
    await stage.begun.wait()

    other = asyncio.create_task(second.run_until_idle())
    await asyncio.sleep(0.01)
    assert not other.done()
    drive.cancel()
    await asyncio.wait_for(other, 10)

    assert len(stage.seen) == 2
    assert await state(store) is StageState.COMPLETED


# --- who is dead --------------------------------------------------------------------------------------------------------------


def worker(**fields: Any) -> Worker:
    """A worker of another host unless told otherwise."""
    return Worker(**{"id": 1, "uuid": "u", "host": "elsewhere", "pid": 1, "pid_start": "1", "beat": 0, **fields})


def test_a_worker_of_another_host_is_dead_when_its_heart_stands_still_by_our_own_clock():
    now = [100.0]
    observer = Observer(lambda: now[0])

    assert observer.dead([worker(beat=5)]) == []
    now[0] += LEASE_SECONDS - 0.1
    assert observer.dead([worker(beat=5)]) == []
    now[0] += 0.2
    assert observer.dead([worker(beat=5)]) == [1]
    assert observer.dead([worker(beat=6)]) == []
    now[0] += LEASE_SECONDS + 1
    assert observer.dead([worker(beat=6)], own=1) == []


def test_a_worker_of_this_host_is_dead_when_its_process_is_gone():
    import socket
    import subprocess
    import sys

    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = process_start(child.pid)
    here = worker(host=socket.gethostname(), pid=child.pid, pid_start=start)
    assert process_is_alive(child.pid, start)
    assert Observer().dead([here]) == []
    assert Observer().dead([here._replace(pid_start="another process")]) == [1]

    child.communicate()

    assert Observer().dead([here]) == [1]


def test_an_engine_of_this_process_is_dead_when_it_was_let_go():
    import socket

    from treadle_tui.engine import leases

    here = worker(host=socket.gethostname(), pid=os.getpid(), pid_start=process_start(os.getpid()), uuid="of this test")
    leases._alive_here.add("of this test")
    assert Observer().dead([here]) == []

    leases.declare_dead("of this test")

    assert Observer().dead([here]) == [1]


async def test_a_dead_worker_leaves_no_row_behind(store, start):
    stage = Hangs()
    workflow, _ = scripted(stage, repeat=True)
    await submitted(await start(workflow), "a")
    await crashed(start, workflow, stage)
    assert len(await store.workers()) == 1

    engine = await start(workflow)
    await engine.run_until_idle()
    await engine.close()

    assert await store.workers() == []


# --- being stopped ------------------------------------------------------------------------------------------------------------


async def test_work_that_ends_while_the_engine_stops_is_recorded(store, start):
    """A stage that catches its cancellation and answers all the same has answered."""

    async def stubborn(item: Any, ctx: Any) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "saved at the last moment"
        return "never"

    workflow, script = scripted(stubborn)
    engine = await start(workflow)
    await submitted(engine, "a")
    drive = asyncio.create_task(engine.run_forever())
    await until(lambda: script.calls)

    drive.cancel()
    await asyncio.wait({drive})

    assert await state(store) in (StageState.COMPLETED, StageState.PENDING)
    assert engine.running == 0


@pytest.mark.parametrize("turns", range(12))
async def test_a_run_that_is_cancelled_at_any_moment_leaves_nothing_behind(store, start, turns):
    """Also in the middle of a claim: what was claimed and never begun is handed back."""
    workflow, _ = scripted(1, repeat=True)
    engine = await start(workflow, concurrency=2)
    await submitted(engine, *(str(number) for number in range(6)))

    for _ in range(4):
        drive = asyncio.create_task(engine.run_until_idle())
        for _ in range(turns):
            await asyncio.sleep(0)
        drive.cancel()
        await asyncio.wait({drive})
        assert await store.query_items("work", StageState.RUNNING) == []
    await asyncio.wait_for(engine.run_until_idle(), 10)

    assert len(await store.query_items("work", StageState.COMPLETED)) == 6


async def test_a_stage_run_by_hand_that_is_cancelled_is_handed_back(store, start):
    stage = Hangs()
    workflow, _ = scripted(stage, repeat=True)
    engine = await start(workflow)
    await submitted(engine, "a")
    run = asyncio.create_task(engine.run_stage("a", "work"))
    await stage.begun.wait()

    run.cancel()
    await asyncio.wait({run})

    assert await state(store) is StageState.PENDING
    assert await engine.run_stage("a", "work") is StageState.COMPLETED


async def test_code_that_refuses_to_stop_does_not_hold_up_the_close(store, start, monkeypatch):
    monkeypatch.setattr("treadle_tui.engine.dispatch.STOP_SECONDS", 0.05)
    go = asyncio.Event()

    async def deaf(item: Any, ctx: Any) -> str:
        while not go.is_set():
            try:
                await go.wait()
            except asyncio.CancelledError:
                continue
        return "too late"

    workflow, script = scripted(deaf, "second")
    engine = await start(workflow)
    await submitted(engine, "a")
    drive = asyncio.create_task(engine.run_forever())
    await until(lambda: script.calls)
    drive.cancel()
    await asyncio.wait_for(asyncio.wait({drive}), 10)
    await asyncio.wait_for(engine.close(), 10)
    assert await state(store) is StageState.PENDING

    again = await start(workflow)
    await again.run_until_idle()
    go.set()
    await asyncio.sleep(0.01)

    assert (await store.get_status("a", "work")).output == "second"


# --- code that does not behave --------------------------------------------------------------------------------------------------


ERRORS = [KeyboardInterrupt(), SystemExit(3), asyncio.CancelledError(), StopIteration(1), StopAsyncIteration(), BaseException("base")]


@pytest.mark.parametrize(
    ("kind", "error"),
    [*(("async", error) for error in ERRORS), *(("plain", error) for error in (*ERRORS, GeneratorExit()))],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
async def test_whatever_a_stage_raises_is_a_failed_attempt_and_others_go_on(store, start, kind, error):
    workflow = Workflow("docs")

    def plain(item: Any) -> str:
        if item["id"] == "a":
            raise error
        return "fine"

    async def asynchronous(item: Any) -> str:
        return plain(item)

    workflow.add_stage("work", asynchronous if kind == "async" else plain, retry=RetryBudget(max_attempts=2))
    engine = await start(workflow)

    await asyncio.wait_for(ran(engine, "a", "b"), 10)

    status = await store.get_status("a", "work")
    assert (status.state, status.attempt) == (StageState.FAILED, 2)
    assert type(error).__name__ in status.error
    assert await state(store, item_id="b") is StageState.COMPLETED


@pytest.mark.parametrize("where", ["gate", "skip_if", "before_execute", "reduce", "memo"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), asyncio.CancelledError(), SystemExit()], ids=lambda error: type(error).__name__)
async def test_whatever_is_raised_anywhere_ends_no_engine(store, start, where, error):
    def raising(*arguments: Any, **named: Any) -> Any:
        raise error

    workflow = Workflow("docs")
    if where == "gate":
        workflow.add_stage("work", ScriptedStage([1]), gates=[lambda output: raising()])
    elif where == "skip_if":
        workflow.add_stage("work", ScriptedStage([1]), skip_if=lambda item: raising())
    elif where == "before_execute":
        stage = ScriptedStage([1])
        stage.before_execute = raising  # type: ignore[method-assign]
        workflow.add_stage("work", stage)
    elif where == "reduce":
        workflow = fan_out(["x"], lambda name, ctx: 1)
        reduced = Workflow("docs")
        handle = reduced.add_stage("work", ScriptedStage([lambda item, ctx: FanOut(["x"]) if ctx.subtask is None else 1], repeat=True))
        handle.reduce(lambda results: raising())
        workflow = reduced
    else:
        workflow.add_stage("work", ScriptedStage([lambda item, ctx: ctx.memo("key", raising)]))
    engine = await start(workflow)

    await asyncio.wait_for(ran(engine), 10)

    assert await state(store) in (StageState.FAILED, StageState.AWAITING_REVIEW)
    assert engine.running == 0


async def test_a_cancellation_from_inside_a_stage_is_its_own_failure(store, start):
    """A task the stage made was cancelled by the stage itself; nobody stopped the engine."""

    async def work(item: Any, ctx: Any) -> None:
        inner = asyncio.ensure_future(asyncio.Event().wait())
        inner.cancel()
        await inner

    engine = await start(scripted(work)[0])

    await asyncio.wait_for(ran(engine), 10)

    assert "CancelledError" in (await store.get_status("a", "work")).error


async def test_a_hung_plain_stage_does_not_hold_up_others(store, start):
    release = threading.Event()
    workflow = Workflow("docs")

    @workflow.stage
    def work(item: Any) -> str:
        if item["id"] == "a":
            release.wait(10)
        return "fine"

    engine = await start(workflow)
    await submitted(engine, "a", "b", "c")
    drive = asyncio.create_task(engine.run_until_idle())
    async with asyncio.timeout(10):
        while len(await store.query_items("work", StageState.COMPLETED)) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    release.set()
    await drive

    assert len(await store.query_items("work", StageState.COMPLETED)) == 3


async def test_an_output_that_no_longer_fits_its_item_type_is_named(store, start):
    from dataclasses import dataclass

    @dataclass
    class Old:
        id: str

    @dataclass
    class New:
        id: str
        pages: int

    before = Workflow("docs", item=Old)
    before.add_stage("work", ScriptedStage([ValueError()]))
    engine = await start(before)
    await engine.submit(before, [Old("a")])
    await engine.run_until_idle()
    await engine.close()
    after = Workflow("docs", item=New)
    after.add_stage("work", ScriptedStage([1]))
    again = await start(after)
    await again.retry_stage("a", "work")

    await again.run_until_idle()

    assert "no longer fits its type" in (await store.get_status("a", "work")).error


# --- a store that refuses for a while -------------------------------------------------------------------------------------------


async def test_a_store_that_refuses_for_a_while_is_asked_again_and_no_stage_fails_for_it(store, start, monkeypatch):
    monkeypatch.setattr("treadle_tui.engine.dispatch.STORE_PAUSES", (0.001, 0.001, 0.001, 0.001))
    workflow, stage = scripted(1, repeat=True)
    engine = await start(workflow)
    await submitted(engine, "a", "b")
    refusals = iter([False, True, True, False, False, True, True, True, False, True] + [False] * 1000)

    def refuse_sometimes() -> None:
        if next(refusals):
            raise StoreError("the disk is full")

    monkeypatch.setattr(store, "before_commit", refuse_sometimes)

    await asyncio.wait_for(engine.run_until_idle(), 20)

    assert len(stage.calls) == 2
    assert await store.query_items("work", StageState.COMPLETED) == ["a", "b"]
    assert engine.trouble is None
    assert isinstance(engine, Engine)
