"""A wall clock that is set forward or back: leases take no notice, delays keep their length, nothing runs twice or is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from treadle_tui.engine import (
    Engine,
    MemoryStateStore,
    RetryBudget,
    ReviewPolicy,
    SqliteStateStore,
    StageRecovered,
    StageState,
    StoreError,
    Workflow,
)
from treadle_tui.engine.rooms import Rate
from treadle_tui.engine.testing import ManualClock, disagreements

HOUR = 3600.0


class SettableClock(ManualClock):
    """A clock that somebody sets."""

    def set_by(self, seconds: float) -> None:
        """Set it forward or back; nobody who sleeps is woken by that."""
        self._now += timedelta(seconds=seconds)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """Of each kind."""
    opened = MemoryStateStore() if request.param == "memory" else await SqliteStateStore.open(":memory:", synchronous="NORMAL")
    async with opened:
        yield opened
        assert await disagreements(opened) == []


def failing_once(calls: list[int]) -> Workflow:
    """One stage that fails the first time and is tried again after ten seconds."""
    workflow = Workflow("docs")

    @workflow.stage(retry=RetryBudget(max_attempts=2, delay=10.0))
    async def work(item: Any, ctx: Any) -> None:
        calls.append(ctx.attempt)
        if ctx.attempt == 1:
            raise ValueError("not yet")

    return workflow


async def looked(engine: Engine) -> None:
    """As the running engine does every few seconds."""
    await engine._dispatcher.reap()


@pytest.mark.parametrize("hours", [-1.0, -24.0])
async def test_a_retry_keeps_its_delay_when_the_clock_is_set_back_while_the_engine_runs(store, hours):
    calls: list[int] = []
    clock = SettableClock()
    async with Engine(store, failing_once(calls), clock=clock) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.advance("a")
        clock.set_by(hours * HOUR)
        await looked(engine)

        clock.advance(9.9)
        await engine.advance("a")
        assert calls == [1]
        clock.advance(0.2)
        await engine.advance("a")

    assert calls == [1, 2]


async def test_a_retry_keeps_its_delay_when_the_clock_was_set_back_between_two_lives(store):
    calls: list[int] = []
    clock = SettableClock()
    async with Engine(store, failing_once(calls), clock=clock) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.advance("a")
    clock.set_by(-HOUR)

    async with Engine(store, failing_once(calls), clock=clock) as engine:
        clock.advance(10.1)
        await engine.advance("a")

    assert calls == [1, 2]
    assert (await store.get_status("a", "work")).state is StageState.COMPLETED


async def test_a_clock_set_forward_makes_what_waits_due_and_nothing_else_happens(store):
    calls: list[int] = []
    clock = SettableClock()
    async with Engine(store, failing_once(calls), clock=clock) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.advance("a")
        clock.set_by(HOUR)
        await looked(engine)
        await engine.advance("a")

    assert calls == [1, 2]
    assert [event async for event in store.events() if isinstance(event, StageRecovered)] == []


async def test_leases_take_no_notice_of_the_clock(store):
    """Two engines, one of them in the midst of a stage while a day is taken from the clock and two are added."""
    clock = SettableClock()
    go, begun = asyncio.Event(), asyncio.Event()
    workflow = Workflow("docs")
    calls = 0

    @workflow.stage
    async def work(item: Any) -> None:
        nonlocal calls
        calls += 1
        begun.set()
        await go.wait()

    async with Engine(store, workflow, clock=clock) as one, Engine(store, workflow, clock=clock) as other:
        await one.submit("docs", [{"id": "a"}])
        drive = asyncio.create_task(one.run_until_idle())
        await begun.wait()
        for hours in (-24, 48, -23):
            clock.set_by(hours * HOUR)
            await looked(other)
            await looked(one)
        go.set()
        await drive

    assert calls == 1
    assert [event async for event in store.events() if isinstance(event, StageRecovered)] == []


async def test_a_review_expires_as_long_after_it_was_asked_for_as_was_said(store):
    workflow = Workflow("docs")
    clock = SettableClock()

    @workflow.stage(review=ReviewPolicy("always", expires_after=100.0, on_expiry="approve"))
    async def work(item: Any) -> int:
        return 1

    async with Engine(store, workflow, clock=clock) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()
        clock.set_by(-HOUR)
        await looked(engine)
        clock.advance(99)
        await engine.advance("a")
        assert (await store.get_status("a", "work")).state is StageState.AWAITING_REVIEW
        clock.advance(2)
        await engine.advance("a")

    assert (await store.get_status("a", "work")).state is StageState.COMPLETED


async def test_no_run_is_said_to_have_taken_less_than_no_time(store):
    workflow = Workflow("docs")
    clock = SettableClock()

    @workflow.stage
    async def work(item: Any) -> None:
        clock.set_by(-HOUR)

    async with Engine(store, workflow, clock=clock) as engine:
        await engine.submit("docs", [{"id": "a"}, {"id": "b"}])
        await engine.run_until_idle()
        runs = await store.stage_runs("docs")
        await engine.statistics("docs")
        str(await engine.status("a"))

    assert [run.seconds for run in runs["work"]] == [0.0, 0.0]
    assert [run.attempt_seconds for run in runs["work"]] == [(0.0,), (0.0,)]


def test_a_rate_starts_again_at_once_when_the_clock_is_set_back():
    rate = Rate(2.0)
    for moment in (10_000_000, 10_000_100):
        rate.started(moment)
    assert rate.room(10_000_200) == 0

    assert rate.next_room(6_400_000) <= 6_401_001
    assert rate.room(6_401_001) == 2


async def test_a_clock_that_runs_a_little_behind_another_process_is_not_one_that_was_set_back(store):
    calls: list[int] = []
    clock = SettableClock()
    async with Engine(store, failing_once(calls), clock=clock) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.advance("a")
        before = await store.get_status("a", "work")
        clock.set_by(-1.0)
        await looked(engine)

        assert await store.get_status("a", "work") == before


async def test_a_store_that_refuses_meanwhile_is_asked_again(store, monkeypatch):
    calls: list[int] = []
    clock = SettableClock()
    monkeypatch.setattr("treadle_tui.engine.dispatch.REFUSED_PAUSE_SECONDS", 0.001)
    async with Engine(store, failing_once(calls), clock=clock) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.advance("a")
        clock.set_by(-HOUR)
        refusals = iter([True])

        def refuse_once() -> None:
            if next(refusals, False):
                raise StoreError("the disk is full")

        monkeypatch.setattr(store, "before_commit", refuse_once)
        for _ in range(2):
            await looked(engine)
        clock.advance(10.1)
        await engine.advance("a")

    assert calls == [1, 2]
