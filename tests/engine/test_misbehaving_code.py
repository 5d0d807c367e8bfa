"""Code that does not behave: whatever a stage raises, or however it hangs, others go on."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from treadle_tui.engine import (
    FanOut,
    RetryBudget,
    StageState,
    Workflow,
)
from treadle_tui.engine.testing import ScriptedStage

from .workflows import fan_out, ran, scripted, state, submitted

ERRORS = [KeyboardInterrupt(), SystemExit(3), asyncio.CancelledError(), StopIteration(1), StopAsyncIteration(), BaseException("base")]


@pytest.mark.parametrize(
    ("kind", "error"),
    [(kind, error) for kind in ("async", "plain") for error in (*ERRORS, GeneratorExit())],
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
@pytest.mark.parametrize("error", [*ERRORS[:3], GeneratorExit()], ids=lambda error: type(error).__name__)
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
