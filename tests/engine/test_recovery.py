"""Crashes and stops: what was finished stays finished, what was interrupted runs again, nobody is stuck."""

from __future__ import annotations

import asyncio
import os
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
from treadle_tui.engine.leases import LEASE_SECONDS, Observer
from treadle_tui.engine.other_processes import process_is_alive, process_start
from treadle_tui.engine.store.rows import Worker
from treadle_tui.engine.testing import ScriptedStage, crash_engine

from .workflows import chain, fan_out, names_told, scripted, state, states, submitted, told, until


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


# --- another engine's word ------------------------------------------------------------------------------------------------------


async def test_what_another_engine_calls_off_is_interrupted(store, start, monkeypatch):
    monkeypatch.setattr("treadle_tui.engine.dispatch.REAP_SECONDS", 0.01)
    stage = Hangs()
    workflow, _ = scripted(stage, repeat=True)
    runs, decides = await start(workflow), await start(workflow)
    await submitted(runs, "a")
    drive = asyncio.create_task(runs.run_until_idle())
    await stage.begun.wait()

    await decides.cancel("a", by="ana")
    await asyncio.wait_for(drive, 10)

    assert await state(store) is StageState.CANCELLED
    assert runs.running == 0


async def test_an_engine_that_was_taken_for_dead_begins_anew_and_nothing_runs_twice_at_once(store, start, clock, monkeypatch):
    """As after a laptop has slept: others have recovered what it held, and do not know its number any more."""
    monkeypatch.setattr("treadle_tui.engine.dispatch.REAP_SECONDS", 0.01)
    stage = Hangs()
    at_once, most = 0, 0

    async def work(item: Any, ctx: Any) -> Any:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        try:
            return await stage(item, ctx)
        finally:
            at_once -= 1

    workflow, _ = scripted(work, repeat=True)
    sleeper, other = await start(workflow), await start(workflow)
    await submitted(sleeper, "a")
    drive = asyncio.create_task(sleeper.run_until_idle())
    await stage.begun.wait()
    (asleep,) = await store.workers()
    stage.times = 2

    await store.reap([asleep.id], 0)
    await until(lambda: len(stage.seen) == 2)
    assert [worker.uuid for worker in await store.workers()] == [asleep.uuid]
    stage.times = 0
    for _ in range(3):
        await other._dispatcher.reap()
    assert len(await told(store, StageRecovered)) == 1
    await sleeper.close()
    await asyncio.wait({drive})
    await other.run_until_idle()

    assert (await state(store), most) == (StageState.COMPLETED, 1)


# --- who is dead --------------------------------------------------------------------------------------------------------------


def worker(**fields: Any) -> Worker:
    """A worker of another host unless told otherwise."""
    return Worker(**{"id": 1, "uuid": "u", "host": "elsewhere", "pid": 1, "pid_start": "1", "beat": 0, **fields})


def test_a_worker_of_another_host_is_dead_when_its_heart_stands_still_by_our_own_clock():
    now = [100.0]
    observer = Observer(lambda: now[0])

    def look(seconds: float, beat: int, own: int | None = None) -> list[int]:
        now[0] += seconds
        return observer.dead([worker(beat=beat)], own)

    assert look(0, beat=5) == []
    for _ in range(2):
        assert look(LEASE_SECONDS / 3, beat=5) == []
    assert look(LEASE_SECONDS / 3 - 0.1, beat=5) == []
    assert look(0.2, beat=5) == [1]
    assert look(1, beat=6) == []
    for _ in range(4):
        assert look(LEASE_SECONDS / 3, beat=6, own=1) == []


def test_an_observer_that_was_stopped_itself_takes_nobody_for_dead_by_that():
    """As when all programs of a computer were stopped for a night: the first to wake must not take the others' work."""
    now = [100.0]
    observer = Observer(lambda: now[0])
    assert observer.dead([worker(beat=5)]) == []

    now[0] += 8 * 3600
    assert observer.dead([worker(beat=5)]) == []
    now[0] += 2
    assert observer.dead([worker(beat=6)]) == []


def test_what_an_observer_has_seen_can_be_forgotten():
    now = [100.0]
    observer = Observer(lambda: now[0])
    for _ in range(3):
        assert observer.dead([worker(beat=5)]) == []
        now[0] += LEASE_SECONDS / 3

    observer.forget()

    assert observer.dead([worker(beat=5)]) == []


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


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="the system does not tell")
def test_a_worker_whose_process_has_ended_and_was_not_looked_after_is_dead():
    """As in a container whose first process looks after no children: a killed engine stays behind as a zombie."""
    import socket
    import subprocess
    import sys
    import time

    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    here = worker(host=socket.gethostname(), pid=child.pid, pid_start=process_start(child.pid))
    assert Observer().dead([here]) == []

    child.kill()
    deadline = time.monotonic() + 10
    while process_is_alive(child.pid, here.pid_start) and time.monotonic() < deadline:
        time.sleep(0.005)

    assert child.returncode is None
    assert Observer().dead([here]) == [1]
    child.communicate()


def test_an_engine_of_this_process_is_dead_when_it_was_let_go():
    import socket

    from treadle_tui.engine import leases

    here = worker(host=socket.gethostname(), pid=os.getpid(), pid_start=process_start(os.getpid()), uuid="of this test")
    leases._alive_here.add("of this test")
    assert Observer().dead([here]) == []

    leases.declare_dead("of this test")

    assert Observer().dead([here]) == [1]


async def test_an_idle_engine_that_others_took_for_dead_says_nothing_and_works_on(store, start, caplog):
    """It holds no lease, so it shows no sign of life; after half a minute any other engine clears its number away."""
    workflow = chain("work")
    engine = await start(workflow)
    await submitted(engine, "a")
    await engine.run_until_idle()
    (idle,) = await store.workers()
    await store.reap([idle.id], 0)

    await engine._dispatcher.reap()
    await submitted(engine, "b")
    await engine.run_until_idle()

    assert await state(store, item_id="b") is StageState.COMPLETED
    assert "taken for dead" not in caplog.text


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


# --- a store that refuses for a while -------------------------------------------------------------------------------------------


async def test_a_store_that_refuses_for_a_while_is_asked_again_and_no_stage_fails_for_it(store, start, monkeypatch):
    monkeypatch.setattr("treadle_tui.engine.recording.STORE_PAUSES", (0.001, 0.001, 0.001, 0.001))
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
