"""`ctx.memo`: a sub-result that was paid for once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from treadle_tui.engine import FanOut, RequestChanges, RetryBudget, ReviewPolicy, StageState, Workflow
from treadle_tui.engine.testing import ScriptedStage, crash_engine

from .workflows import fan_out, ran, scripted, state, submitted


class Costly:
    """Counts how often it is asked, and for what."""

    def __init__(self, answer: Any = "answer") -> None:
        self.answer = answer
        self.asked = 0

    def plain(self) -> Any:
        self.asked += 1
        return self.answer

    async def asynchronous(self) -> Any:
        await asyncio.sleep(0)
        return self.plain()


@pytest.mark.parametrize("kind", ["plain", "asynchronous"])
async def test_a_result_is_computed_once_and_reused_by_later_attempts(store, start, kind):
    costly = Costly({"n": (1, 2)})

    async def work(item: Any, ctx: Any) -> Any:
        first = await ctx.memo("key", getattr(costly, kind))
        second = await ctx.memo("key", getattr(costly, kind))
        assert first == second == {"n": [1, 2]}
        if ctx.attempt < 3:
            raise ValueError("later")
        return first

    engine = await start(scripted(work, repeat=True, retry=RetryBudget(max_attempts=3))[0])

    await ran(engine)

    assert (costly.asked, (await store.get_status("a", "work")).output) == (1, {"n": [1, 2]})


@pytest.mark.parametrize("answer", [None, 0, "", [], False])
async def test_a_result_of_nothing_is_a_result(store, start, answer):
    costly = Costly(answer)

    async def work(item: Any, ctx: Any) -> Any:
        return [await ctx.memo("key", costly.plain), await ctx.memo("key", costly.plain)]

    engine = await start(scripted(work)[0])

    await ran(engine)

    assert (costly.asked, (await store.get_status("a", "work")).output) == (1, [answer, answer])


async def test_each_item_stage_subtask_and_key_has_its_own(store, start):
    costly = Costly()

    async def work(item: Any, ctx: Any) -> Any:
        if ctx.subtask is None:
            await ctx.memo("key", costly.plain)
            return FanOut(["x", "y"])
        await ctx.memo("key", costly.plain)
        return await ctx.memo("another", costly.plain)

    workflow = Workflow("docs")
    for name in ("one", "two"):
        workflow.add_stage(name, ScriptedStage([work], repeat=True))
    engine = await start(workflow)

    await ran(engine, "a", "b")

    assert costly.asked == 2 * 2 * (1 + 2 * 2)


async def test_a_memo_survives_a_crash_and_a_retry(store, start):
    costly, begun = Costly(), asyncio.Event()

    async def work(item: Any, ctx: Any) -> Any:
        value = await ctx.memo("key", costly.plain)
        if not begun.is_set():
            begun.set()
            await asyncio.Event().wait()
        if ctx.attempt == 1:
            raise ValueError("no")
        return value

    workflow, _ = scripted(work, repeat=True)
    engine = await start(workflow)
    await submitted(engine, "a")
    drive = asyncio.create_task(engine.run_until_idle())
    await begun.wait()
    await crash_engine(engine)
    await asyncio.wait({drive})

    again = await start(workflow)
    await again.run_until_idle()
    await again.retry_stage("a", "work")
    await again.run_until_idle()

    assert (costly.asked, await state(store)) == (1, StageState.COMPLETED)


async def test_a_function_that_fails_is_asked_again(store, start):
    asked: list[int] = []

    def failing() -> int:
        asked.append(1)
        if len(asked) == 1:
            raise ValueError("busy")
        return 7

    engine = await start(scripted(lambda item, ctx: ctx.memo("key", failing), repeat=True, retry=RetryBudget(max_attempts=2))[0])

    await ran(engine)

    assert (len(asked), (await store.get_status("a", "work")).output) == (2, 7)
    assert (await store.get_attempts("a", "work"))[0].error == "ValueError: busy"


@pytest.mark.parametrize(("key", "answer", "named"), [("key", object(), "object"), ("", 1, "memo key ''"), (7, 1, "memo key 7")])
async def test_what_cannot_be_kept_is_a_failed_attempt(store, start, key, answer, named):
    engine = await start(scripted(lambda item, ctx: ctx.memo(key, lambda: answer))[0])

    await ran(engine)

    status = await store.get_status("a", "work")
    assert status.state is StageState.FAILED
    assert named in status.error


async def test_two_questions_at_the_same_time_give_one_answer(store, start):
    answers = iter(range(10))

    async def work(item: Any, ctx: Any) -> Any:
        async def ask() -> int:
            await asyncio.sleep(0)
            return next(answers)

        return await asyncio.gather(*(ctx.memo("key", ask) for _ in range(3)))

    engine = await start(scripted(work)[0])

    await ran(engine)

    assert len(set((await store.get_status("a", "work")).output)) == 1


@pytest.mark.parametrize("kind", ["plain", "asynchronous"])
async def test_whoever_asks_while_it_is_computed_waits_for_that_one(store, start, kind):
    costly = Costly()

    async def work(item: Any, ctx: Any) -> Any:
        return await asyncio.gather(*(ctx.memo("key", getattr(costly, kind)) for _ in range(3)))

    await ran(await start(scripted(work)[0]))

    assert (costly.asked, (await store.get_status("a", "work")).output) == (1, ["answer"] * 3)


async def test_when_computing_fails_the_next_one_who_waits_tries_it(store, start):
    calls = 0

    async def fails_once() -> int:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        if calls == 1:
            raise ValueError("not yet")
        return calls

    async def work(item: Any, ctx: Any) -> Any:
        answers = await asyncio.gather(*(ctx.memo("key", fails_once) for _ in range(3)), return_exceptions=True)
        return [str(answer) for answer in answers]

    await ran(await start(scripted(work)[0]))

    assert (await store.get_status("a", "work")).output == ["not yet", "2", "2"]


async def test_a_memo_that_asks_for_itself_is_refused_instead_of_waiting_for_ever(store, start):
    async def work(item: Any, ctx: Any) -> Any:
        async def again() -> Any:
            return await ctx.memo("key", again)

        return await ctx.memo("key", again)

    await ran(await start(scripted(work)[0]))

    assert "asks for itself" in (await store.get_status("a", "work")).error


async def test_a_key_that_cannot_be_written_is_refused_on_every_store(store, start):
    await ran(await start(scripted(lambda item, ctx: ctx.memo("\ud800", lambda: 1))[0]))

    assert "surrogate" in (await store.get_status("a", "work")).error


async def test_subtasks_declared_anew_begin_anew(store, start):
    costly = Costly()
    engine = await start(fan_out(["x"], lambda name, ctx: ctx.memo("key", costly.plain), review=ReviewPolicy.ALWAYS))
    await ran(engine)

    await engine.resolve_review("a", "work", RequestChanges("more"))
    await engine.run_until_idle()

    assert costly.asked == 2


async def test_memos_go_with_their_item(store, start):
    costly = Costly()
    engine = await start(scripted(lambda item, ctx: ctx.memo("key", costly.plain), repeat=True)[0])
    await ran(engine)
    await engine.delete_item("a")

    await ran(engine)

    assert costly.asked == 2
