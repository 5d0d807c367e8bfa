"""Attempts share tasks only as long as nobody can tell: they run side by side, and what one leaves behind does not reach another."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest

from treadle_tui.engine import StageState, Workflow

from .workflows import ran, state

ARRAY: contextvars.ContextVar[object] = contextvars.ContextVar("array")
COLOUR: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")


def one_stage(function: Any, **options: Any) -> Workflow:
    workflow = Workflow("docs")
    workflow.add_stage("work", function, **options)
    return workflow


NAMES = [f"i{number}" for number in range(40)]


async def test_attempts_that_wait_for_each_other_run_side_by_side(store, start):
    all_here = asyncio.Barrier(len(NAMES))

    async def work(item: Any) -> None:
        await all_here.wait()

    engine = await start(one_stage(work), concurrency=len(NAMES))
    await asyncio.wait_for(ran(engine, *NAMES), 20)

    assert await state(store, "work", NAMES[-1]) is StageState.COMPLETED


async def test_a_context_variable_of_one_attempt_is_not_seen_by_another(store, start):
    seen = []

    async def work(item: Any) -> None:
        seen.append(COLOUR.get())
        COLOUR.set(item["id"])

    await ran(await start(one_stage(work)), *NAMES)

    assert seen == ["none"] * len(NAMES)


@pytest.mark.parametrize("waits", [False, True])
async def test_a_context_variable_is_not_seen_by_what_its_completion_sets_free(store, start, waits):
    seen = []
    workflow = Workflow("docs")

    @workflow.stage
    async def above(item: Any) -> None:
        COLOUR.set(item["id"])
        if waits:
            await asyncio.sleep(0)

    @workflow.stage(after=["above"])
    async def below() -> None:
        seen.append(COLOUR.get())

    await ran(await start(workflow), *NAMES)

    assert seen == ["none"] * len(NAMES)


async def test_a_context_variable_whose_values_cannot_be_compared_stops_nothing(store, start):
    class Array:
        def __eq__(self, other: object) -> bool:
            raise ValueError("the truth of an array is ambiguous")

        __hash__ = None  # type: ignore[assignment]

    async def work() -> None:
        ARRAY.set(Array())

    ARRAY.set(Array())
    await asyncio.wait_for(ran(await start(one_stage(work)), *NAMES), 10)

    assert await state(store, "work", NAMES[-1]) is StageState.COMPLETED


async def test_an_attempt_that_cancels_its_own_task_is_the_only_one_that_suffers(store, start):
    calls = []

    async def work(item: Any) -> None:
        calls.append(item["id"])
        if item["id"] == "i3" and calls.count("i3") == 1:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()

    await ran(await start(one_stage(work)), *NAMES)

    assert {name: await state(store, "work", name) for name in NAMES} == dict.fromkeys(NAMES, StageState.COMPLETED)
    assert sorted(set(calls)) == sorted(NAMES)


async def test_timeouts_and_task_groups_work_inside_attempts(store, start):
    async def work(item: Any) -> str:
        async def part(number: int) -> int:
            await asyncio.sleep(0)
            return number

        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            parts = [group.create_task(part(number)) for number in range(3)]
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            return f"{item['id']}: {sum(part.result() for part in parts)}"
        return "never"

    await ran(await start(one_stage(work)), *NAMES)

    assert [(await store.get_status(name, "work")).output for name in NAMES] == [f"{name}: 3" for name in NAMES]


@pytest.mark.parametrize("waits", [True, False])
async def test_calling_off_one_item_leaves_its_neighbours_alone(store, start, waits):
    begun, go = asyncio.Event(), asyncio.Event()

    async def work(item: Any) -> None:
        if waits or item["id"] == "i1":
            begun.set()
            await go.wait()

    engine = await start(one_stage(work), concurrency=len(NAMES))
    drive = asyncio.create_task(ran(engine, *NAMES))
    await begun.wait()
    await asyncio.sleep(0)
    await engine.cancel("i1")
    go.set()
    await asyncio.wait_for(drive, 20)

    states = {name: await state(store, "work", name) for name in NAMES}
    assert states.pop("i1") is StageState.CANCELLED
    assert set(states.values()) == {StageState.COMPLETED}


async def test_no_more_run_at_once_than_the_stage_allows_though_completions_claim(store, start):
    running, most = 0, 0

    async def first(item: Any) -> None:
        return None

    async def second(item: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    workflow = Workflow("docs")
    workflow.add_stage("first", first)
    workflow.add_stage("second", second, after=["first"], concurrency=2)
    await ran(await start(workflow), *NAMES)

    assert most == 2
    assert {await state(store, "second", name) for name in NAMES} == {StageState.COMPLETED}
