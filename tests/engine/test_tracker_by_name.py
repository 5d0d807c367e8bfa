"""Orders that go pending → validated → charged → shipped, by a JSON list of steps: what a workflow tracker in one file does, by name.

Steps stand in any order and say what they wait for, how long they take, how likely they fail and how often they are tried again.
What a step does to the order happens in the transaction that records the step, so it happens once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from treadle_tui.engine import (
    DagCycle,
    DuplicateStage,
    Engine,
    InvalidDefinition,
    SqliteStateStore,
    StageFailed,
    StageNotFound,
    StageStarted,
    StageState,
    Workflow,
    load_definition,
)
from treadle_tui.engine.testing import ManualClock, crash_at_every_commit, crash_engine
from treadle_tui.engine.testing.clock import START

from .workflows import ran, states, submitted, told

ROOT = Path(__file__).resolve().parents[2]

SCHEMA = """
CREATE TABLE orders (id TEXT PRIMARY KEY, status TEXT NOT NULL DEFAULT 'pending');
CREATE TABLE order_log (order_id TEXT, status TEXT);
INSERT INTO orders (id) VALUES ('order-1');
"""
"""A shop's own tables, in the database of the workflow. Nothing in the log is unique: what happens twice is seen twice."""

STEPS: list[dict[str, Any]] = [
    {"id": "ship", "type": "task", "config": {"action": "ship_order"}, "depends_on": ["charge"]},
    {"id": "validate", "type": "task", "config": {"action": "validate_order", "duration_seconds": 1}},
    {"id": "charge", "type": "task", "config": {"action": "charge_payment", "duration_seconds": 2.5}, "depends_on": ["validate"]},
]
"""The last step first: what counts is `depends_on`."""


def moves_order(from_status: str, to_status: str) -> Callable[[Any, Any], dict[str, str]]:
    """An action: the order goes from one status to the next, and the log says so, together with the step's completion."""

    def action(item: Any, ctx: Any) -> dict[str, str]:
        ctx.transaction(
            "UPDATE orders SET status = ? WHERE id = ? AND status = ?",
            (to_status, item["id"], from_status),
            expect_rows=1,
        )
        ctx.transaction("INSERT INTO order_log VALUES (?, ?)", (item["id"], to_status))
        return {"status": to_status}

    return action


ACTIONS = {
    "validate_order": moves_order("pending", "validated"),
    "charge_payment": moves_order("validated", "charged"),
    "ship_order": moves_order("charged", "shipped"),
}


@pytest.fixture
def load(tmp_path):
    """Writes a step list to `orders.json` and loads it."""

    def load_steps(steps: Any = STEPS, actions: Any = None) -> Workflow:
        file = tmp_path / "orders.json"
        file.write_text(json.dumps({"name": "orders", "steps": steps}, indent=1))
        return load_definition(file, actions)

    return load_steps


@pytest.fixture
async def shop(tmp_path):
    """A database with the shop's tables and one pending order, opened as a store."""
    path = tmp_path / "shop.db"
    make_shop(path)
    async with SqliteStateStore.open(path, synchronous="NORMAL") as store:
        yield store


def make_shop(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA)


def log_of(path: Path) -> list[str]:
    """The statuses the order went through, in order."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [status for (status,) in connection.execute("SELECT status FROM order_log ORDER BY rowid")]


def status_of(path: Path) -> str:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (status,) = connection.execute("SELECT status FROM orders WHERE id = 'order-1'").fetchone()
        return str(status)


# --- a step list --------------------------------------------------------------------------------------------------------------


async def test_steps_run_in_the_order_of_their_dependencies_wherever_they_stand_in_the_file(load, store, start, clock):
    workflow = load()

    await clock.run(ran(await start(workflow)))

    assert workflow.stages() == ["validate", "charge", "ship"]
    assert [event.stage for event in await told(store, StageStarted)] == ["validate", "charge", "ship"]
    assert await states(store) == dict.fromkeys(["validate", "charge", "ship"], "completed")


async def test_the_branches_of_a_diamond_of_steps_take_their_time_together(load, store, start, clock):
    steps = [
        {"id": "join", "config": {"duration_seconds": 1}, "depends_on": ["left", "right"]},
        {"id": "left", "config": {"duration_seconds": 5}, "depends_on": ["split"]},
        {"id": "right", "config": {"duration_seconds": 7}, "depends_on": ["split"]},
        {"id": "split", "config": {"duration_seconds": 1}},
    ]

    await clock.run(ran(await start(load(steps))))

    began = {event.stage: (event.at - START).total_seconds() for event in await told(store, StageStarted)}
    assert began == {"split": 0, "left": 1, "right": 1, "join": 8}


async def test_a_step_takes_its_duration_by_the_clock_of_the_engine(load, store, start, clock):
    await clock.run(ran(await start(load())))

    statuses = await store.get_all_statuses("a")
    took = {name: (status.completed_at - status.started_at).total_seconds() for name, status in statuses.items()}
    assert took == {"validate": 1, "charge": 2.5, "ship": 0}


async def test_a_step_is_not_done_before_its_duration_is_over(load, store, start, clock):
    engine = await start(load([{"id": "wait", "config": {"duration_seconds": 60}}]))
    await submitted(engine, "a")
    driving = asyncio.ensure_future(engine.run_until_idle())
    await clock.until_sleeping()

    clock.advance(59.5)
    assert await states(store) == {"wait": "running"}
    clock.advance(0.5)
    await driving

    assert await states(store) == {"wait": "completed"}


async def test_an_unknown_action_does_nothing_and_the_step_succeeds(load, store, start):
    await ran(await start(load([{"id": "step", "type": "task", "config": {"action": "ring_the_bell"}}], {})))

    status = await store.get_status("a", "step")
    assert (status.state, status.output) == (StageState.COMPLETED, {"step": "step", "type": "task"})


async def test_what_an_action_returns_is_the_output_of_its_step(load, store, start):
    async def look(item: Any, ctx: Any) -> dict[str, Any]:
        return {"order": item["id"], "before": ctx.upstream["first"]}

    steps = [
        {"id": "first", "config": {"action": "count"}},
        {"id": "second", "config": {"action": "look"}, "depends_on": ["first"]},
    ]

    await ran(await start(load(steps, {"count": lambda item, ctx: 7, "look": look})))

    assert (await store.get_status("a", "second")).output == {"order": "a", "before": 7}


# --- failing and trying again -------------------------------------------------------------------------------------------------


async def test_a_fail_probability_of_0_never_fails_and_one_of_1_always_does(load, store, start):
    steps = [{"id": "never", "config": {"fail_probability": 0}}, {"id": "always", "config": {"fail_probability": 1}}]
    ids = [f"order-{number}" for number in range(50)]

    await ran(await start(load(steps)), *ids)

    assert await store.query_items("never", StageState.COMPLETED) == ids
    assert await store.query_items("always", StageState.FAILED) == ids
    error = (await store.get_status("order-0", "always")).error
    assert error == "step 'always' failed, as its fail_probability of 1 asks for"


@pytest.mark.parametrize("max_retries", [0, 1, 3])
async def test_max_retries_are_tries_beyond_the_first(load, store, start, max_retries):
    calls: list[int] = []

    def fail(item: Any, ctx: Any) -> None:
        calls.append(ctx.attempt)
        raise OSError("the bank is closed")

    steps = [{"id": "charge", "config": {"action": "fail", "max_retries": max_retries}}]

    await ran(await start(load(steps, {"fail": fail})))

    status = await store.get_status("a", "charge")
    assert calls == list(range(1, max_retries + 2))
    assert (status.state, status.attempt, status.error) == (StageState.FAILED, max_retries + 1, "OSError: the bank is closed")


async def test_a_step_that_failed_keeps_what_depends_on_it_waiting_and_nothing_else(load, store, start):
    steps = [
        {"id": "charge", "config": {"fail_probability": 1}},
        {"id": "ship", "depends_on": ["charge"]},
        {"id": "thank"},
    ]

    await ran(await start(load(steps)))

    assert await states(store) == {"charge": "failed", "ship": "pending", "thank": "completed"}


# --- idempotency keys ---------------------------------------------------------------------------------------------------------


async def test_the_idempotency_key_is_the_same_after_a_crash_and_fresh_for_a_retry(load, store, start):
    keys: list[tuple[int, str]] = []
    is_charging = asyncio.Event()

    async def charge(item: Any, ctx: Any) -> str:
        keys.append((ctx.attempt, ctx.idempotency_key))
        if len(keys) == 1:
            is_charging.set()
            await asyncio.Event().wait()
        if len(keys) == 2:
            raise OSError("declined")
        return "charged"

    workflow = load([{"id": "charge", "config": {"action": "charge", "max_retries": 1}}], {"charge": charge})
    first_engine = await start(workflow)
    await submitted(first_engine, "a")
    driving = asyncio.ensure_future(first_engine.run_until_idle())
    await is_charging.wait()
    await crash_engine(first_engine)
    await asyncio.wait({driving})

    await (await start(workflow)).run_until_idle()

    (number, crashed), (again, recovered), (next_number, retried) = keys
    assert (number, again, next_number) == (1, 1, 2)
    assert crashed == recovered != retried
    assert (await store.get_status("a", "charge")).output == "charged"


async def test_no_two_steps_or_orders_share_an_idempotency_key(load, store, start, clock):
    keys: list[str] = []
    actions = dict.fromkeys(ACTIONS, lambda item, ctx: keys.append(ctx.idempotency_key))

    await clock.run(ran(await start(load(STEPS, actions)), "order-1", "order-2"))

    assert len(keys) == len(set(keys)) == 6
    assert all(key.isascii() and key.isprintable() and len(key) <= 255 for key in keys)


# --- actions in the completing transaction ------------------------------------------------------------------------------------


async def test_an_order_goes_from_pending_to_validated_to_charged_to_shipped(load, shop, start, clock):
    engine = await start(load(STEPS, ACTIONS), on=shop)

    await clock.run(ran(engine, "order-1"))

    assert log_of(shop.path) == ["validated", "charged", "shipped"]
    assert status_of(shop.path) == "shipped"


async def test_what_an_action_changes_is_seen_together_with_its_completion_and_never_before(load, shop, start, clock):
    seen: list[str] = []

    def look(item: Any, ctx: Any) -> dict[str, str]:
        result = ACTIONS["validate_order"](item, ctx)
        seen.append(status_of(shop.path))
        return result

    engine = await start(load(STEPS[1:2], {"validate_order": look}), on=shop)

    await clock.run(ran(engine, "order-1"))

    assert seen == ["pending"]
    assert status_of(shop.path) == "validated"


async def test_an_action_that_fails_takes_its_changes_back_and_is_tried_again(load, shop, start):
    def unsteady(item: Any, ctx: Any) -> dict[str, str]:
        result = ACTIONS["validate_order"](item, ctx)
        if ctx.attempt == 1:
            raise OSError("no answer")
        return result

    steps = [{"id": "validate", "config": {"action": "validate", "max_retries": 1}}]

    await ran(await start(load(steps, {"validate": unsteady}), on=shop), "order-1")

    assert [attempt.outcome for attempt in await shop.get_attempts("order-1", "validate")] == ["error", "completed"]
    assert log_of(shop.path) == ["validated"]


async def test_an_action_on_an_order_in_the_wrong_status_fails_the_step_and_records_nothing(load, shop, start):
    steps = [{"id": "ship", "config": {"action": "ship_order", "max_retries": 1}}]

    await ran(await start(load(steps, ACTIONS), on=shop), "order-1")

    status = await shop.get_status("order-1", "ship")
    assert (status.state, status.attempt, status.output) == (StageState.FAILED, 2, None)
    assert "the transaction failed" in status.error
    assert (status_of(shop.path), log_of(shop.path)) == ("pending", [])
    assert len(await told(shop, StageFailed)) == 1


async def test_an_action_without_an_order_fails_only_its_own_item(load, shop, start, clock):
    engine = await start(load(STEPS, ACTIONS), on=shop)

    await clock.run(ran(engine, "order-1", "no such order"))

    assert (await states(shop, "no such order"))["validate"] == "failed"
    assert status_of(shop.path) == "shipped"


async def test_whatever_commit_a_crash_comes_at_the_order_is_shipped_once(load):
    workflow = load(STEPS, ACTIONS)

    async def scenario(store: Any) -> None:
        clock = ManualClock()
        async with Engine(store, [workflow], clock=clock) as engine:
            await engine.submit(workflow, [{"id": "order-1"}])
            await clock.run(engine.run_until_idle())

    survived = await crash_at_every_commit(scenario, schema=SCHEMA)

    assert survived >= 7, "at least: the item, and a claim and a result of each of the three steps"


PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from treadle_tui.engine import Engine, SqliteStateStore, load_definition

folder = Path(sys.argv[1])

def moves_order(from_status, to_status):
    def action(item, ctx):
        ctx.transaction("UPDATE orders SET status = ? WHERE id = ? AND status = ?", (to_status, item["id"], from_status), expect_rows=1)
        ctx.transaction("INSERT INTO order_log VALUES (?, ?)", (item["id"], to_status))
        with (folder / "keys.txt").open("a") as file:
            file.write(f"{to_status} {ctx.idempotency_key}\\n")
        marker = folder / f"died before {to_status}"
        if not marker.exists():
            marker.touch()
            os._exit(9)
        return {"status": to_status}
    return action

actions = {
    "validate_order": moves_order("pending", "validated"),
    "charge_payment": moves_order("validated", "charged"),
    "ship_order": moves_order("charged", "shipped"),
}

async def main():
    workflow = load_definition(folder / "orders.json", actions)
    async with SqliteStateStore.open(folder / "shop.db") as store, Engine(store, [workflow]) as engine:
        await engine.submit(workflow, [{"id": "order-1"}])
        await engine.run_until_idle()

asyncio.run(main())
"""


def test_an_order_is_shipped_once_though_the_process_is_killed_in_every_action(load, tmp_path):
    quick = [{**step, "config": {"action": step["config"]["action"]}} for step in STEPS]
    load(quick)
    make_shop(tmp_path / "shop.db")
    endings, statuses = [], []

    for _ in range(4):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], env=environment, capture_output=True, timeout=60)
        endings.append((done.returncode, done.stderr))
        statuses.append(status_of(tmp_path / "shop.db"))

    keys = [line.split() for line in (tmp_path / "keys.txt").read_text().splitlines()]
    assert endings == [(9, b""), (9, b""), (9, b""), (0, b"")]
    assert statuses == ["pending", "validated", "charged", "shipped"]
    assert log_of(tmp_path / "shop.db") == ["validated", "charged", "shipped"]
    assert [status for status, _ in keys] == ["validated", "validated", "charged", "charged", "shipped", "shipped"]
    assert len({key for _, key in keys}) == 3, "an attempt that a kill interrupted runs again under its own key"


# --- mistakes in the file -----------------------------------------------------------------------------------------------------


def test_a_circle_of_steps_is_refused_with_file_line_step_field_and_the_whole_circle(load):
    steps = [
        {"id": "start"},
        {"id": "a", "depends_on": ["c"]},
        {"id": "b", "depends_on": ["a"]},
        {"id": "c", "depends_on": ["b"]},
    ]

    with pytest.raises(DagCycle, match=r"orders\.json, line 9, step 'a', depends_on: .* in a circle: a → b → c → a; remove one") as caught:
        load(steps)

    assert caught.value.cycle == ["a", "b", "c"]


def test_a_step_that_depends_on_itself_is_refused(load):
    with pytest.raises(DagCycle, match=r"orders\.json, line 6, step 'a', depends_on: .* in a circle: a → a"):
        load([{"id": "a", "depends_on": ["a"]}])


def test_an_unknown_dependency_is_refused_with_file_line_step_field_and_the_nearest_name(load):
    with pytest.raises(
        StageNotFound,
        match=r"orders\.json, line \d+, step 'ship', depends_on: no stage is called 'chrage'; did you mean 'charge'\?",
    ):
        load([{"id": "charge"}, {"id": "ship", "depends_on": ["chrage"]}])


def test_two_steps_of_one_id_are_refused_with_file_line_step_and_field(load):
    with pytest.raises(DuplicateStage, match=r"orders\.json, line \d+, step 'a', id: workflow 'orders' already has a stage 'a'"):
        load([{"id": "a"}, {"id": "a"}])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"duration_seconds": -1}, "config, duration_seconds: -1 must be a number, 0 or more"),
        ({"fail_probability": 1.5}, "config, fail_probability: 1.5 must be a number, between 0 and 1"),
        ({"max_retries": 2.5}, "config, max_retries: 2.5 must be a whole number, 0 or more"),
        ({"max_retry": 2}, "config, max_retry: unknown key; did you mean 'max_retries'"),
    ],
)
def test_an_impossible_setting_is_refused_with_file_line_step_and_field(load, config, message):
    with pytest.raises(InvalidDefinition, match=rf"orders\.json, line \d+, step 'charge', {message}"):
        load([{"id": "charge", "config": config}])
