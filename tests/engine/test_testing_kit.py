"""`treadle_tui.engine.testing`, as somebody who tests their own workflow uses it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from treadle_tui.engine import (
    Approve,
    Completed,
    Engine,
    FanOut,
    ItemAdded,
    MemoryStateStore,
    NeedsReview,
    RetryBudget,
    StageCompleted,
    StageState,
    Workflow,
    WorkflowCompleted,
)
from treadle_tui.engine.testing import (
    ManualClock,
    ScriptedStage,
    collect_events,
    crash_at_every_commit,
    fold_events,
    store_contract,
)

from .workflows import ran, scripted, submitted

# --- ManualClock --------------------------------------------------------------------------------------------------------------


def test_a_clock_begins_where_it_is_told_and_moves_only_by_hand():
    clock = ManualClock(datetime(2020, 5, 4, 12, tzinfo=timezone(timedelta(hours=2))))

    clock.advance(90.5)

    assert clock.now() == datetime(2020, 5, 4, 10, 1, 30, 500_000, tzinfo=UTC)
    assert clock.now().tzinfo is UTC


def test_a_clock_refuses_a_naive_start_and_steps_back():
    with pytest.raises(ValueError, match="no time zone"):
        ManualClock(datetime(2020, 1, 1))
    with pytest.raises(ValueError, match="only goes forward"):
        ManualClock().advance(-1)


async def test_advance_wakes_whoever_is_due_in_the_order_they_are_due():
    clock = ManualClock()
    woken: list[str] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("third", 30), ("first", 10), ("second", 20), ("also second", 20)):
            group.create_task(sleeper(name, seconds))
        await clock.until_sleeping(4)
        clock.advance(25)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert woken == ["first", "second", "also second"]
        assert clock.next_due == clock.now() + timedelta(seconds=5)
        clock.advance(5)

    assert woken == ["first", "second", "also second", "third"]
    assert clock.sleeping == 0


async def test_sleeping_no_time_returns_at_once():
    await asyncio.wait_for(ManualClock().sleep(0), 1)
    await asyncio.wait_for(ManualClock().sleep(-5), 1)


async def test_a_cancelled_sleeper_is_forgotten():
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(5))
    await clock.until_sleeping()

    task.cancel()
    await asyncio.wait({task})

    assert (clock.sleeping, clock.next_due) == (0, None)
    clock.advance(10)


async def test_a_clock_may_be_advanced_from_another_thread():
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(5))
    await clock.until_sleeping()

    await asyncio.to_thread(clock.advance, 5)

    await asyncio.wait_for(task, 10)


async def test_waiting_for_a_sleeper_who_never_comes_ends():
    with pytest.raises(TimeoutError):
        await ManualClock().until_sleeping(timeout=0.01)


async def test_sleeping_for_longer_than_dates_reach_waits_for_ever():
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(1e15))
    await clock.until_sleeping()

    clock.advance(3600)
    await asyncio.sleep(0)

    assert not task.done()
    task.cancel()


async def test_run_moves_the_time_to_each_sleeper_in_turn():
    clock = ManualClock()
    workflow, stage = scripted(ValueError(), ValueError(), 3, retry=RetryBudget(max_attempts=3, delay=3600, backoff=24))

    async with MemoryStateStore() as store, Engine(store, [workflow], clock=clock) as engine:
        began = clock.now()
        await submitted(engine, "a")
        await clock.run(engine.run_until_idle())

    assert len(stage.calls) == 3
    assert clock.now() - began == timedelta(hours=1 + 24)


async def test_run_gives_what_it_ran_and_raises_what_that_raised():
    clock = ManualClock()

    async def answer(after: float, error: Exception | None = None) -> int:
        await clock.sleep(after)
        if error:
            raise error
        return 7

    assert await clock.run(answer(10)) == 7
    with pytest.raises(KeyError):
        await clock.run(answer(10, KeyError()))


# --- ScriptedStage ------------------------------------------------------------------------------------------------------------


async def test_a_scripted_stage_answers_line_by_line_and_remembers_what_it_was_asked():
    async def later(item: Any, ctx: Any) -> Any:
        return f"{item['id']}{ctx.attempt}"

    workflow, stage = scripted(ValueError("raised"), KeyError, lambda item, ctx: ctx.fail, later, retry=RetryBudget(max_attempts=9))

    async with MemoryStateStore() as store, Engine(store, [workflow]) as engine:
        await ran(engine, "a")
        attempts = await store.get_attempts("a", "work")

    assert [attempt.error for attempt in attempts] == [
        "ValueError: raised",
        "KeyError",
        "AttributeError: 'StageContext' object has no attribute 'fail'",
        None,
    ]
    assert attempts[-1].output == "a4"
    assert stage.items == [{"id": "a"}] * 4
    assert [context.attempt for context in stage.contexts] == [1, 2, 3, 4]


async def test_a_call_beyond_the_script_says_so():
    workflow, _ = scripted(1)

    async with MemoryStateStore() as store, Engine(store, [workflow]) as engine:
        await ran(engine, "a", "b")
        status = await store.get_status("b", "work")

    assert status is not None
    assert status.state is StageState.FAILED
    assert "has 1 lines, and this is call 2 (item 'b', attempt 1)" in (status.error or "")


async def test_the_last_line_can_be_repeated():
    workflow, _ = scripted(1, 2, repeat=True)

    async with MemoryStateStore() as store, Engine(store, [workflow], concurrency=1) as engine:
        await ran(engine, "a", "b", "c")

        assert [(await store.get_status(id, "work")).output for id in "abc"] == [1, 2, 2]  # type: ignore[union-attr]


# --- collect_events -----------------------------------------------------------------------------------------------------------


async def test_events_are_collected_up_to_a_kind_a_number_a_predicate_or_the_end():
    workflow, _ = scripted(1, repeat=True)

    async with MemoryStateStore() as store, Engine(store, [workflow]) as engine:
        listening = asyncio.create_task(collect_events(workflow.subscribe(), until=WorkflowCompleted))
        await asyncio.sleep(0)
        await ran(engine, "a")

        live = await listening
        everything = await collect_events(store.events())

        assert live == everything
        assert await collect_events(engine.events(), until=WorkflowCompleted) == everything
        assert await collect_events(engine.events(), until=2) == everything[:2]
        assert await collect_events(engine.events(), until=lambda event: event.seq == 3) == everything[:3]
        assert await collect_events(engine.events(follow=False)) == everything


async def test_collecting_what_does_not_come_names_what_did():
    workflow, _ = scripted(1)

    async with MemoryStateStore() as store, Engine(store, [workflow]) as engine:
        await submitted(engine, "a")

        with pytest.raises(AssertionError, match=r"StageCompleted did not come within 0\.01 seconds; 1 came: ItemAdded"):
            await collect_events(engine.events(), until=StageCompleted, timeout=0.01)
        with pytest.raises(AssertionError, match="ended before StageCompleted came; 1 came: ItemAdded"):
            await collect_events(store.events(), until=StageCompleted)
        with pytest.raises(AssertionError, match="ended before 2 events came"):
            await collect_events(store.events(), until=2)


# --- fold_events --------------------------------------------------------------------------------------------------------------


async def test_folding_events_gives_the_states():
    workflow, _ = scripted(NeedsReview(1))

    async with MemoryStateStore() as store, Engine(store, [workflow]) as engine:
        await ran(engine, "a")
        await submitted(engine, "b")

        folded = fold_events(await collect_events(store.events()), await store.stage_names())

    assert folded.stages == {"a": {"work": StageState.AWAITING_REVIEW}, "b": {"work": StageState.PENDING}}


def test_folding_refuses_events_out_of_order():
    added = [ItemAdded(seq=seq, workflow="docs", item_id=str(seq)) for seq in (2, 1)]

    with pytest.raises(AssertionError, match="came after event 2"):
        fold_events(added, {"docs": ["work"]})


# --- store_contract -----------------------------------------------------------------------------------------------------------


def test_the_contract_is_a_list_of_named_tests():
    tests = store_contract(MemoryStateStore)

    assert len(tests) > 40
    assert len({test.__name__ for test in tests}) == len(tests)
    assert str(tests[0]) == tests[0].name == "a_new_store_has_nothing_in_it"


async def test_the_contract_finds_a_store_that_forgets():
    class Forgetful(MemoryStateStore):
        async def list_items(self, workflow: str | None = None) -> list[str]:
            return []

    @asynccontextmanager
    async def open_store() -> Any:
        async with Forgetful() as store:
            yield store

    (test,) = [test for test in store_contract(open_store) if test.name == "items_are_listed_in_the_order_of_submission"]

    with pytest.raises(AssertionError):
        await test()


# --- crash_at_every_commit ----------------------------------------------------------------------------------------------------


def orders() -> Workflow:
    """An order that is charged in the transaction that completes the stage."""
    workflow = Workflow("orders")

    @workflow.stage
    async def check(item: Any) -> Any:
        return {"amount": item["amount"]}

    @workflow.stage(retry=RetryBudget(max_attempts=2, delay=10))
    async def charge(item: Any, check: Any, ctx: Any) -> Any:
        if ctx.attempt == 1:
            raise ConnectionError("the bank does not answer")
        ctx.transaction("UPDATE account SET balance = balance - ?", (check["amount"],), expect_rows=1)
        ctx.transaction("INSERT INTO payments VALUES (?, ?)", (item["id"], check["amount"]))
        return check["amount"]

    @workflow.stage
    async def pack(charge: Any, ctx: Any) -> Any:
        if ctx.subtask is None:
            return FanOut(["box", "label"])
        ctx.transaction("INSERT INTO packed VALUES (?, ?)", (ctx.item_id, ctx.subtask))
        return ctx.subtask

    workflow.add_stage("ship", ScriptedStage([lambda item, ctx: NeedsReview("shipped")], repeat=True), after=["pack"])
    return workflow


SCHEMA = """
CREATE TABLE account (balance INTEGER);
INSERT INTO account VALUES (100);
CREATE TABLE payments (id TEXT, amount INTEGER);
CREATE TABLE packed (id TEXT, part TEXT);
"""


async def shop(store: Any) -> None:
    clock = ManualClock()
    async with Engine(store, [orders()], clock=clock) as engine:
        await engine.submit("orders", [{"id": "a", "amount": 5}, {"id": "b", "amount": 7}])
        await clock.run(engine.run_until_idle())
        for review in await engine.pending_reviews():
            await engine.resolve_review(review.item_id, review.stage, Approve(by="ana"))
        await clock.run(engine.run_until_idle())


async def test_a_crash_at_any_commit_loses_nothing_and_does_nothing_twice():
    def balance(store: Any) -> int:
        with closing(sqlite3.connect(store.path)) as connection:
            return int(connection.execute("SELECT balance FROM account").fetchone()[0])

    survived = await crash_at_every_commit(shop, schema=SCHEMA, effects=balance)

    assert survived > 15


async def test_a_crash_at_any_commit_on_every_store():
    async def scenario(store: Any) -> None:
        workflow, _ = scripted(lambda item, ctx: FanOut(["x", "y"]) if ctx.subtask is None else ctx.subtask, repeat=True)
        async with Engine(store, [workflow]) as engine:
            await ran(engine, "a", "b")

    survived = await crash_at_every_commit(scenario)

    assert survived > 20


async def test_a_key_that_names_its_store_is_no_difference():
    """Every store draws a name of its own, so a user's table, an output and an effect that hold keys look different in each."""

    async def scenario(store: Any) -> None:
        async def work(ctx: Any) -> Any:
            ctx.transaction("INSERT INTO done VALUES (?)", (ctx.idempotency_key,))
            return {"key": ctx.idempotency_key}

        workflow = Workflow("docs")
        workflow.add_stage("work", work)
        async with Engine(store, [workflow]) as engine:
            await ran(engine, "a")

    def keys(store: Any) -> list[str]:
        with closing(sqlite3.connect(store.path)) as connection:
            return [key for (key,) in connection.execute("SELECT id FROM done")]

    assert await crash_at_every_commit(scenario, schema="CREATE TABLE done (id TEXT)", effects=keys) > 3


async def test_an_effect_that_happens_twice_is_found():
    """Here the stage writes past the engine: just what `ctx.transaction` is there to prevent."""

    async def scenario(store: Any) -> None:
        async def work(ctx: Any) -> None:
            with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
                connection.execute("INSERT INTO done VALUES (?)", (ctx.item_id,))

        workflow = Workflow("docs")
        workflow.add_stage("work", work)
        async with Engine(store, [workflow]) as engine:
            await ran(engine, "a")

    with pytest.raises(AssertionError, match="the user's tables"):
        await crash_at_every_commit(scenario, schema="CREATE TABLE done (id TEXT)")


async def test_a_scenario_that_fails_by_itself_says_why():
    async def scenario(store: Any) -> None:
        raise KeyError("a bug of the scenario")

    with pytest.raises(KeyError, match="a bug of the scenario"):
        await crash_at_every_commit(scenario)


async def test_a_difference_outside_the_store_is_found():
    calls: list[str] = []

    async def scenario(store: Any) -> None:
        calls.clear()
        workflow, _ = scripted(lambda item, ctx: calls.append(ctx.item_id) or Completed(), repeat=True)  # type: ignore[func-returns-value]
        async with Engine(store, [workflow]) as engine:
            await ran(engine, "a")

    with pytest.raises(AssertionError, match="effects"):
        await crash_at_every_commit(scenario, effects=lambda store: list(calls))
