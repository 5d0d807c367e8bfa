"""The engine beside the screen: opens, runs, fails, starts again, ends in time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from treadle_tui.board.standing import Phase, Standing
from treadle_tui.daemon_thread import in_daemon_thread
from treadle_tui.engine import Engine, MemoryStateStore, StoreCorrupt, Workflow
from treadle_tui.engine_host import EngineHost, EngineNotRunning


def one_stage(work: Callable[[], Any] = lambda: None) -> Workflow:
    workflow = Workflow("one")

    @workflow.stage
    def stage(item: Any) -> Any:
        return work()

    return workflow


class Hosted:
    def __init__(self, *workflows: Workflow, opens: Exception | None = None) -> None:
        self.phases: list[Phase] = []
        self.standings: list[Standing] = []
        self._opens = opens
        self.host = EngineHost(self._open, lambda: workflows, self._hear)

    async def _open(self) -> Any:
        if self._opens is not None:
            raise self._opens
        return MemoryStateStore()

    def _hear(self, standing: Standing) -> None:
        self.standings.append(standing)
        self.phases.append(standing.phase)

    async def until(self, phase: Phase) -> None:
        async with asyncio.timeout(10):
            while phase not in self.phases:  # noqa: ASYNC110 - heard from another thread
                await asyncio.sleep(0.005)


async def test_it_opens_runs_and_ends_in_order() -> None:
    it = Hosted(one_stage())
    it.host.start()
    await it.until(Phase.RUNNING)

    new = await it.host.call(lambda engine: engine.submit("one", [{"id": "a"}]))

    assert new == 1
    assert await it.host.stop(5)
    assert it.phases == [Phase.OPEN, Phase.RUNNING, Phase.STOPPING, Phase.CLOSED]


async def test_stages_run_in_another_thread_than_the_screen() -> None:
    seen: list[str] = []

    async def where(item: Any) -> None:
        seen.append(threading.current_thread().name)

    workflow = Workflow("one")
    workflow.stage(where)
    it = Hosted(workflow)
    it.host.start()
    await it.until(Phase.RUNNING)
    await it.host.call(lambda engine: engine.submit("one", [{"id": "a"}]))
    async with asyncio.timeout(5):
        while not seen:  # noqa: ASYNC110 - heard from another thread
            await asyncio.sleep(0.005)

    assert seen == ["treadle engine"]
    await it.host.stop(5)


async def test_a_store_that_cannot_be_opened_is_a_sentence() -> None:
    it = Hosted(opens=StoreCorrupt("work.db is no database"))
    it.host.start()
    await it.until(Phase.UNOPENED)

    assert it.host.standing == Standing(Phase.UNOPENED, "work.db is no database")
    with pytest.raises(EngineNotRunning):
        await it.host.call(lambda engine: engine.summary())
    assert await it.host.stop(5)


async def test_an_engine_that_fails_can_be_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    works = Engine.run_forever

    async def fails(self: Engine) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(Engine, "run_forever", fails)
    it = Hosted(one_stage())
    it.host.start()
    await it.until(Phase.STOPPED)
    assert it.standings[-1].words == "out of luck"
    assert it.host.store is not None
    assert await it.host.store.list_items() == []

    monkeypatch.setattr(Engine, "run_forever", works)
    it.phases.clear()
    it.host.restart()
    await it.until(Phase.RUNNING)
    assert await it.host.stop(5)


async def test_a_stage_that_hangs_in_its_thread_does_not_hold_up_the_end() -> None:
    hangs = threading.Event()
    it = Hosted(one_stage(lambda: hangs.wait(30)))
    it.host.start()
    await it.until(Phase.RUNNING)
    await it.host.call(lambda engine: engine.submit("one", [{"id": "a"}]))
    assert it.host.store is not None
    async with asyncio.timeout(5):
        while (status := await it.host.store.get_status("a", "stage")) is None or status.state.value != "running":  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    started = time.monotonic()
    await it.host.stop(5)

    assert time.monotonic() - started < 5
    hangs.set()


async def test_stopping_before_it_has_begun_ends_it_too() -> None:
    it = Hosted(one_stage())
    it.host.ask_to_stop()
    it.host.start()

    assert await it.host.stop(5)


async def test_a_daemon_thread_brings_back_what_the_call_returned_or_raised() -> None:
    def divide(a: int, b: int) -> float:
        return a / b

    assert await in_daemon_thread(divide, 6, 3) == 2
    with pytest.raises(ZeroDivisionError):
        await in_daemon_thread(divide, 6, 0)


async def test_what_is_asked_while_the_engine_starts_waits_for_it() -> None:
    it = Hosted()
    it.host.start()

    assert await it.host.call(lambda engine: engine.summary()) is not None
    assert it.host.standing.phase is Phase.RUNNING
    assert await it.host.stop(5)
