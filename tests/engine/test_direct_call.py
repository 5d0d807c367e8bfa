"""An async function that nothing stands around is called directly; nobody can tell it from one that is not."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest

from treadle_tui.engine import Completed, Engine, Failed, FanOut, MemoryStateStore, NeedsReview, Retry, RetryBudget, Skipped, Workflow
from treadle_tui.engine.runner.local import LocalRunner

from .workflows import ran

spoilt: contextvars.ContextVar[str] = contextvars.ContextVar("spoilt", default="")


class Roundabout(LocalRunner):
    """Runs everything as `LocalRunner` does; that it is another one keeps stages from being called directly."""


def raising(error: BaseException) -> Any:
    async def stage(item: Any) -> None:
        raise error

    return stage


def answering(answer: Any) -> Any:
    async def stage(item: Any) -> Any:
        return answer

    return stage


async def takes_nothing() -> str:
    return "nothing"


async def takes_everything(first, item, ctx) -> Any:
    told = [name for name in ctx.__slots__ if not name.startswith("_") and name not in ("idempotency_key", "previous_attempts")]
    return {"first": first, "item": item, "ctx": {name: repr(getattr(ctx, name)) for name in told}, "tries": len(ctx.previous_attempts)}


async def takes_what_does_not_fit(first: int, item: Any) -> None: ...


async def takes_what_is_converted(first: dict[str, float], other: str = "default") -> Any:
    return [first, other]


async def gives_what_it_does_not_promise(item: Any) -> int:
    return "text"  # type: ignore[return-value]


async def gives_none_against_its_promise(item: Any) -> str:
    return None  # type: ignore[return-value]


async def keeps_sql(item: Any, ctx: Any) -> None:
    ctx.transaction("INSERT INTO mine VALUES (1)")


async def tells(item: Any, ctx: Any) -> None:
    ctx.progress(0.5, "half")
    ctx.log("a line")


async def waits(item: Any) -> str:
    await asyncio.sleep(0)
    return "waited"


async def leaves_a_variable(item: Any) -> str:
    before = spoilt.get()
    spoilt.set("spoilt")
    return f"found {before!r}"


async def is_cancelled_by_itself(item: Any) -> None:
    task = asyncio.ensure_future(asyncio.sleep(60))
    task.cancel()
    await task


CASES = [
    answering(None),
    answering({"pages": 3}),
    answering(Completed(1, "one")),
    answering(Completed),
    answering(Failed),
    answering(FanOut),
    answering(Skipped("not today")),
    answering(NeedsReview("look")),
    answering(Retry("later")),
    answering(Failed("no")),
    answering({1, 2}),
    answering(object()),
    answering(FanOut([])),
    raising(ValueError("bad")),
    raising(KeyboardInterrupt()),
    raising(SystemExit(3)),
    raising(asyncio.CancelledError()),
    raising(GeneratorExit()),
    takes_nothing,
    takes_everything,
    takes_what_does_not_fit,
    takes_what_is_converted,
    gives_what_it_does_not_promise,
    gives_none_against_its_promise,
    keeps_sql,
    tells,
    waits,
    leaves_a_variable,
    is_cancelled_by_itself,
]


async def told_of(case: Any, runner: LocalRunner) -> Any:
    """Everything anybody can know of two items that have gone through the stage."""
    workflow = Workflow("docs")
    workflow.add_stage("first", answering({"width": 600}))
    workflow.add_stage("second", case, after=["first"], retry=RetryBudget(max_attempts=2))
    async with MemoryStateStore() as store, Engine(store, [workflow], runner=runner) as engine:
        await ran(engine, "a", "b", pages=3)
        told: list[Any] = []
        for id in ("a", "b"):
            for status in (await store.get_all_statuses(id)).values():
                told.append((status.state, status.attempt, status.error, status.output, status.summary, status.review is None))
            for attempt in await store.get_attempts(id, "second"):
                told.append((attempt.number, attempt.outcome, attempt.error, attempt.output, attempt.summary))
        events = [(type(event).__name__, event.item_id, getattr(event, "stage", None)) async for event in store.events()]
    return told, sorted(events, key=repr)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_a_stage_that_is_called_directly_is_like_every_other(case):
    assert await told_of(case, LocalRunner()) == await told_of(case, Roundabout())
