"""The part of the store contract about work: claims, attempts, retries, fan-outs, crashes."""

from __future__ import annotations

import asyncio
from typing import Any

from treadle_tui.engine import events as ev
from treadle_tui.engine.clock import to_ms
from treadle_tui.engine.engine import Engine
from treadle_tui.engine.outcomes import Completed, FanOut, Retry, Skipped
from treadle_tui.engine.retry import RetryBudget
from treadle_tui.engine.states import ItemState, StageState
from treadle_tui.engine.store.results import Move, Result, StageRoom
from treadle_tui.engine.testing.clock import START, ManualClock
from treadle_tui.engine.testing.contract import every_store
from treadle_tui.engine.testing.crash import crash_engine
from treadle_tui.engine.testing.folding import disagreements
from treadle_tui.engine.testing.scripted import ScriptedStage
from treadle_tui.engine.workflow import Workflow

NOW = to_ms(START)


def one_stage(stage: Any, **options: Any) -> Workflow:
    """A workflow `docs` of the single stage `work`."""
    workflow = Workflow("docs")
    workflow.add_stage("work", stage, **options)
    return workflow


@every_store
async def outputs_are_handed_to_dependents_as_plain_json(store: Any) -> None:
    """Tuples become lists; text and None stay what they are."""
    workflow = Workflow("docs")

    @workflow.stage
    async def first() -> Any:
        return {"pages": (1, 2), "text": "ü", "nothing": None}

    @workflow.stage
    async def second(first: Any) -> Any:
        return [type(first["pages"]).__name__, first["text"], first["nothing"]]

    async with Engine(store, [workflow]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()

        statuses = await store.get_all_statuses("a")

        assert statuses["first"].output == {"pages": [1, 2], "text": "ü", "nothing": None}
        assert statuses["second"].output == ["list", "ü", None]
        assert (await store.get_item("a")).state is ItemState.COMPLETED


@every_store
async def a_big_output_is_kept_whole(store: Any) -> None:
    """400 000 characters, in the status, in the attempt and for dependents."""
    big = {"text": "ab" * 200_000}
    workflow = one_stage(ScriptedStage([big]))
    workflow.add_stage("length", ScriptedStage([lambda item, ctx: len(ctx.upstream["work"]["text"])]), after=["work"])

    async with Engine(store, [workflow]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()

        assert (await store.get_status("a", "work")).output == big
        assert (await store.get_status("a", "length")).output == 400_000
        assert (await store.get_attempts("a", "work"))[0].output == big


@every_store
async def times_come_from_the_engines_clock(store: Any) -> None:
    """When an attempt began and ended; the status tells the same."""
    clock = ManualClock()

    async def work() -> Completed:
        clock.advance(3)
        return Completed(1, summary="done")

    async with Engine(store, [one_stage(work)], clock=clock) as engine:
        await engine.submit("docs", [{"id": "a"}])
        clock.advance(2)
        await engine.run_until_idle()

        status = await store.get_status("a", "work")
        (attempt,) = await store.get_attempts("a", "work")

        assert ((status.started_at - START).seconds, (status.completed_at - START).seconds) == (2, 5)
        assert (attempt.started_at, attempt.completed_at) == (status.started_at, status.completed_at)
        assert (attempt.number, attempt.outcome, attempt.summary, status.summary) == (1, "completed", "done", "done")


@every_store
async def every_attempt_is_kept(store: Any) -> None:
    """With number, outcome, error and output, in their order; later attempts see those before."""
    stage = ScriptedStage([ValueError("first"), Retry("second"), Completed(3)])

    async with Engine(store, [one_stage(stage, retry=RetryBudget(max_attempts=3))]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()

        attempts = await store.get_attempts("a", "work")

        assert [(attempt.number, attempt.outcome, attempt.error, attempt.output) for attempt in attempts] == [
            (1, "error", "ValueError: first", None),
            (2, "retry", "second", None),
            (3, "completed", None, 3),
        ]
        status = await store.get_status("a", "work")
        assert (status.state, status.attempt, status.error) == (StageState.COMPLETED, 3, None)
        assert [len(ctx.previous_attempts) for ctx in stage.contexts] == [0, 1, 2]


@every_store
async def a_retry_waits_until_it_is_due(store: Any) -> None:
    """The delay is seconds of the engine's clock; not a moment sooner."""
    clock = ManualClock()
    stage = ScriptedStage([ValueError("no"), 2])

    async with Engine(store, [one_stage(stage, retry=RetryBudget(max_attempts=2, delay=60))], clock=clock) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.advance("a")
        assert (await store.get_status("a", "work")).state is StageState.RETRY_WAIT
        clock.advance(59.9)
        await engine.advance("a")
        assert len(stage.calls) == 1
        clock.advance(0.1)
        await engine.advance("a")

        assert (await store.get_status("a", "work")).output == 2


@every_store
async def a_skipped_stage_satisfies_its_dependents(store: Any) -> None:
    """They receive None, and the item is complete in the end."""
    workflow = one_stage(ScriptedStage([Skipped("nothing to do")]))
    workflow.add_stage("after", ScriptedStage([lambda item, ctx: ctx.upstream]), after=["work"])

    async with Engine(store, [workflow]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()

        status = await store.get_status("a", "work")
        assert (status.state, status.output) == (StageState.SKIPPED, None)
        assert (await store.get_status("a", "after")).output == {"work": None}
        assert (await store.get_item("a")).state is ItemState.COMPLETED


@every_store
async def subtasks_have_rows_attempts_and_errors_of_their_own(store: Any) -> None:
    """One failing fails the stage once all have ended; a retry runs only that one again."""
    calls: list[str] = []

    async def work(ctx: Any) -> Any:
        if ctx.subtask is None:
            return FanOut(["x", "y"])
        calls.append(ctx.subtask)
        if ctx.subtask == "y" and calls.count("y") == 1:
            raise ValueError("y fails")
        return ctx.subtask * 2

    async with Engine(store, [one_stage(work)]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()
        failed = await store.get_status("a", "work")
        await engine.retry_stage("a", "work")
        await engine.run_until_idle()

        status = await store.get_status("a", "work")

        assert [(each.name, each.state, each.error) for each in failed.subtasks] == [
            ("x", StageState.COMPLETED, None),
            ("y", StageState.FAILED, "ValueError: y fails"),
        ]
        assert (failed.state, status.state, status.output) == (StageState.FAILED, StageState.COMPLETED, {"x": "xx", "y": "yy"})
        assert calls == ["x", "y", "y"]
        assert [attempt.outcome for attempt in await store.get_attempts("a", "work", "y")] == ["error", "completed"]
        assert await disagreements(store) == []


@every_store
async def memos_are_kept_for_later_attempts(store: Any) -> None:
    """Per item and stage; the function runs once."""
    asked: list[str] = []

    async def work(item: Any, ctx: Any) -> Any:
        def costly() -> Any:
            asked.append(item["id"])
            return {"for": item["id"]}

        memo = await ctx.memo("costly", costly)
        if ctx.attempt == 1:
            raise ValueError("later")
        return memo

    async with Engine(store, [one_stage(work, retry=RetryBudget(max_attempts=2))]) as engine:
        await engine.submit("docs", [{"id": "a"}, {"id": "b"}])
        await engine.run_until_idle()

        assert sorted(asked) == ["a", "b"]
        assert (await store.get_status("b", "work")).output == {"for": "b"}


@every_store
async def progress_and_log_lines_become_events(store: Any) -> None:
    """In the order they were told, from any thread."""

    async def work(ctx: Any) -> None:
        ctx.progress(0.5, "half")
        await asyncio.to_thread(ctx.log, "from a thread")

    async with Engine(store, [one_stage(work)], clock=ManualClock()) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.run_until_idle()

        told = [event async for event in store.events() if isinstance(event, (ev.StageProgress, ev.StageLogged))]

        assert [getattr(event, "fraction", None) for event in told] == [0.5, None]
        assert [event.message for event in told] == ["half", "from a thread"]


@every_store
async def claims_go_by_priority_and_then_round_the_items(store: Any) -> None:
    """The higher first; then one task of each item in turn, so that a fan-out starves nobody."""
    order: list[str] = []

    async def work(item: Any, ctx: Any) -> Any:
        if ctx.subtask is None and item["id"] != "late":
            return FanOut(["1", "2"])
        order.append(f"{item['id']}{ctx.subtask or ''}")
        return None

    async with Engine(store, [one_stage(work)], concurrency=1) as engine:
        await engine.submit("docs", [{"id": "a"}, {"id": "b"}])
        await engine.submit("docs", [{"id": "late"}], priority=1)
        await engine.run_until_idle()

        assert order[0] == "late"
        assert order.index("b1") < order.index("a2")


@every_store
async def a_task_is_claimed_by_one_worker_only(store: Any) -> None:
    """`claim` gives at most as many as are asked for, each with a key of its own."""
    workflow = one_stage(ScriptedStage([]))
    async with Engine(store, [workflow]) as engine:
        await engine.submit("docs", [{"id": str(number)} for number in range(5)])
        shape = await store.shape_named("docs")
        rooms = [StageRoom(stage=shape.by_name["work"].id, room=9)]
        workers = [await store.add_worker(f"worker {number}", "elsewhere", 1, "") for number in range(2)]

        claims = [await store.claim(worker, rooms, 3, {}, _no_condition, None, NOW) for worker in workers]

        assert [len(claim) for claim in claims] == [3, 2]
        assert len({claim.item_id for one in claims for claim in one}) == 5
        assert len({claim.idempotency_key for one in claims for claim in one}) == 5
        await store.reap(workers, NOW)


def _no_condition(expression: str) -> Any:
    raise AssertionError("nothing is held")


@every_store
async def a_late_result_changes_nothing(store: Any) -> None:
    """`finish` with a fence that is not the newest, or a second time, is False; a task that was recovered keeps its attempt and its key."""
    workflow = one_stage(ScriptedStage([]))
    async with Engine(store, [workflow]) as engine:
        await engine.submit("docs", [{"id": "a"}])
        rooms = [StageRoom(stage=(await store.shape_named("docs")).by_name["work"].id, room=9)]
        first = await store.add_worker("first", "elsewhere", 1, "")
        (lost,) = await store.claim(first, rooms, 1, {}, _no_condition, None, NOW)
        assert await store.reap([first], NOW) == 1
        second = await store.add_worker("second", "elsewhere", 1, "")
        (held,) = await store.claim(second, rooms, 1, {}, _no_condition, None, NOW)

        done = Result(move=Move.COMPLETE, output=b"1")
        assert not await store.finish(first, lost.key, lost.fence, done, NOW)
        assert not await store.finish(second, lost.key, lost.fence, done, NOW)
        assert (await store.get_status("a", "work")).state is StageState.RUNNING
        assert await store.finish(second, held.key, held.fence, done, NOW)
        assert not await store.finish(second, held.key, held.fence, done, NOW)

        assert (held.attempt, held.idempotency_key) == (lost.attempt, lost.idempotency_key)
        assert [attempt.outcome for attempt in await store.get_attempts("a", "work")] == ["completed"]
        assert await disagreements(store) == []


@every_store
async def work_of_a_vanished_engine_is_recovered(store: Any) -> None:
    """By the next engine: the same attempt and idempotency key, told once."""
    started = asyncio.Event()
    keys: list[str] = []

    async def work(ctx: Any) -> Any:
        keys.append(ctx.idempotency_key)
        started.set()
        if len(keys) == 1:
            await asyncio.Event().wait()
        return ctx.attempt

    engine = Engine(store, [one_stage(work)])
    await engine.__aenter__()
    await engine.submit("docs", [{"id": "a"}])
    drive = asyncio.create_task(engine.run_until_idle())
    await asyncio.wait_for(started.wait(), 10)
    await crash_engine(engine)
    await asyncio.wait({drive})
    assert (await store.get_status("a", "work")).state is StageState.RUNNING

    async with Engine(store, [one_stage(work)]) as again:
        await again.run_until_idle()

    status = await store.get_status("a", "work")
    told = [type(event) async for event in store.events()]
    assert (status.state, status.output, status.attempt) == (StageState.COMPLETED, 1, 1)
    assert keys[0] == keys[1]
    assert told.count(ev.StageRecovered) == 1
    assert [worker.uuid for worker in await store.workers()] == []


@every_store
async def an_engine_that_is_closed_hands_its_work_back(store: Any) -> None:
    """The stage is pending again, in the same attempt however often that happens; nothing is left of the engine."""
    started = asyncio.Event()

    async def work(ctx: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    for _ in range(4):
        started.clear()
        async with Engine(store, [one_stage(work)]) as engine:
            await engine.submit("docs", [{"id": "a"}])
            drive = asyncio.create_task(engine.run_forever())
            await asyncio.wait_for(started.wait(), 10)
        await asyncio.wait({drive})

    status = await store.get_status("a", "work")
    assert (status.state, status.attempt) == (StageState.PENDING, 1)
    assert await store.workers() == []
    assert await disagreements(store) == []


@every_store
async def two_engines_share_the_work_and_none_of_it_runs_twice(store: Any) -> None:
    """Both drive the same store at the same time."""
    ran: list[str] = []

    async def work(item: Any) -> None:
        ran.append(item["id"])
        await asyncio.sleep(0)

    ids = [f"{number:02}" for number in range(30)]
    async with Engine(store, [one_stage(work)], concurrency=3) as one, Engine(store, [one_stage(work)], concurrency=3) as two:
        await one.submit("docs", [{"id": id} for id in ids])
        await asyncio.gather(one.run_until_idle(), two.run_until_idle())

    assert sorted(ran) == ids
    assert await store.query_items("work", StageState.COMPLETED) == ids
