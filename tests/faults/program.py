"""The processes that are killed: an engine at work, and a person who decides, each on a store of its own in one file.

They write down what their stages begin and end, what they were told after a commit, and what they were told had been recorded;
`checking` compares that with the file.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sqlite3
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.faults.journal import Journal
from treadle_tui.engine import (
    Approve,
    Completed,
    Engine,
    FanOut,
    InvalidTransition,
    ItemNotFound,
    RequestChanges,
    RetryBudget,
    ReviewConflict,
    ReviewPolicy,
    SqliteStateStore,
    StoreError,
    Workflow,
    dispatch,
    leases,
)
from treadle_tui.engine.events import Event
from treadle_tui.engine.store.sqlite import checkpoints

EFFECTS = "CREATE TABLE IF NOT EXISTS effects (item TEXT, stage TEXT, subtask TEXT, pid INTEGER)"
PARTS = ("left", "middle", "right")


@dataclass(frozen=True)
class Orders:
    """What a process is told to do."""

    path: Path
    journal: Path
    items: tuple[str, ...] = ()
    seed: int = 0
    supply_seconds: float = 0.0
    """A new item comes so often; 0: none but `items`."""
    concurrency: int = 8
    forever: bool = False
    pause_seconds: float = 0.002
    """How long a stage takes, at most."""
    kill_at: tuple[str, int] = ("", 0)
    """Where the process ends itself by SIGKILL: (place, how often that place is passed first)."""
    lease_seconds: float = 0.0
    """0: as long as ever."""
    is_blind: bool = False
    """Whether it never looks after its leases, and finds out by the store's answers alone."""
    clock_file: Path | None = None
    """Holds the seconds by which the wall clock is wrong at this moment."""
    disk_fills: bool = False
    """Whether the disk is full now and then, so that what a person or a source asks for may be refused."""
    changes: float = 0.1
    """Share of reviews that a person sends back once."""


class WrongClock:
    """A wall clock that somebody sets forward and back meanwhile; sleeping is not concerned by that."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(self._path.read_text() or 0))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def trial(journal: Journal, pause_seconds: float) -> Workflow:
    """A workflow with everything that must not happen twice: a thread, a retry, a memo, a fan-out, a review, and SQL of a user's own."""
    workflow = Workflow("trial")

    def begins(ctx: Any) -> dict[str, Any]:
        fact = {"item": ctx.item_id, "stage": ctx.stage_name, "subtask": ctx.subtask, "attempt": ctx.attempt, "key": ctx.idempotency_key}
        journal.note("begin", **fact)
        return fact

    def effect(ctx: Any) -> None:
        ctx.transaction("INSERT INTO effects VALUES (?, ?, ?, ?)", (ctx.item_id, ctx.stage_name, ctx.subtask, os.getpid()), expect_rows=1)

    @workflow.stage
    async def start(item: Any, ctx: Any) -> Any:
        fact = begins(ctx)
        try:
            await asyncio.sleep(random.random() * pause_seconds)
            effect(ctx)
            return {"length": len(item["id"])}
        finally:
            journal.note("end", **fact)

    @workflow.stage(retry=RetryBudget(max_attempts=3, delay=0.005))
    def flaky(item: Any, start: Any, ctx: Any) -> Any:
        fact = begins(ctx)
        try:
            time.sleep(random.random() * pause_seconds)
            effect(ctx)
            if ctx.attempt == 1 and sum(map(ord, item["id"])) % 3 == 0:
                raise ValueError("not yet")
            return start
        finally:
            journal.note("end", **fact)

    @workflow.stage
    async def parts(item: Any, start: Any, ctx: Any) -> Any:
        fact = begins(ctx)
        journal.note("end", **fact)
        return FanOut(PARTS)

    @parts.each(retry=RetryBudget(max_attempts=2))
    async def part(subtask: str, item: Any, ctx: Any) -> Any:
        fact = begins(ctx)
        try:
            made = await ctx.memo("made", lambda: f"{item['id']} {subtask}")
            await asyncio.sleep(random.random() * pause_seconds)
            effect(ctx)
            return made
        finally:
            journal.note("end", **fact)

    @workflow.stage(after=["parts"], review=ReviewPolicy.ALWAYS)
    async def look(item: Any, flaky: Any, ctx: Any) -> Any:
        fact = begins(ctx)
        effect(ctx)
        journal.note("end", **fact)
        return Completed({"attempt": ctx.attempt})

    @workflow.stage(after=["look"])
    async def end(item: Any, ctx: Any) -> Any:
        fact = begins(ctx)
        effect(ctx)
        journal.note("end", **fact)

    return workflow


EFFECTIVE = ("start", "flaky", "look", "end")
"""Stages that leave one row in `effects`; every part of `parts` leaves one too."""


class _Notes(logging.Handler):
    """What the engine has to say, into the journal."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(logging.WARNING)
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        self._journal.note("log", level=record.levelname, words=record.getMessage())


def run(role: str, orders: Orders) -> None:
    """The whole life of a process, unless somebody ends it."""
    journal = Journal(orders.journal)
    logging.getLogger().addHandler(_Notes(journal))
    random.seed(orders.seed)
    if orders.lease_seconds:
        leases.LEASE_SECONDS = orders.lease_seconds
        leases.BEAT_SECONDS = orders.lease_seconds / 6
        leases.GAP_SECONDS = orders.lease_seconds / 2
        dispatch.REAP_SECONDS = dispatch.IDLE_LOOK_SECONDS = orders.lease_seconds / 6
    if orders.is_blind:
        dispatch.REAP_SECONDS = dispatch.IDLE_LOOK_SECONDS = 3600.0
    if orders.clock_file is not None:
        dispatch.REAP_SECONDS = dispatch.IDLE_LOOK_SECONDS = 0.1
    checkpoints.CHECKPOINT_BYTES = 256 * 1024  # often, so that kills meet them
    try:
        asyncio.run({"engine": _engine, "person": _person}[role](orders, journal))
    except StoreError as error:
        journal.note("refused" if orders.disk_fills else "crash", words=str(error))
        os._exit(4)
    except BaseException:
        journal.note("crash", words=traceback.format_exc())
        os._exit(3)
    journal.note("leaves")


async def _engine(orders: Orders, journal: Journal) -> None:
    async with SqliteStateStore.open(orders.path) as store:
        _arm(store, orders.kill_at)
        workflow = trial(journal, orders.pause_seconds)
        store.news.listen(workflow, lambda events: _heard(journal, events), lambda: True)
        clock = None if orders.clock_file is None else WrongClock(orders.clock_file)
        async with Engine(store, workflow, concurrency=orders.concurrency, clock=clock) as engine:
            stop = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
            journal.note("open")
            for id in orders.items:
                await engine.submit(workflow, [{"id": id}])
                journal.note("submitted", item=id)
            supply = asyncio.create_task(_supply(engine, orders, journal))
            drive = asyncio.create_task(engine.run_forever() if orders.forever else engine.run_until_idle())
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({drive, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in (stopping, supply):
                task.cancel()
            if drive.done():
                drive.result()
            drive.cancel()
            await asyncio.wait({drive})


async def _supply(engine: Engine, orders: Orders, journal: Journal) -> None:
    for number in range(10**6 if orders.supply_seconds else 0):
        await asyncio.sleep(orders.supply_seconds)
        id = f"{os.getpid()}-{number}"
        try:
            await engine.submit("trial", [{"id": id}])
        except StoreError as error:
            if not orders.disk_fills:
                raise
            journal.note("refused", words=str(error))
        else:
            journal.note("submitted", item=id)


def _heard(journal: Journal, events: Any) -> None:
    for event in events:
        if isinstance(event, Event):
            journal.note("heard", seq=event.seq, kind=type(event).__name__, item=getattr(event, "item_id", ""))


async def _person(orders: Orders, journal: Journal) -> None:
    """Decides whatever waits; a second person decides the same things."""
    async with SqliteStateStore.open(orders.path) as store, Engine(store, []) as engine:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        journal.note("open")
        while not stop.is_set():
            for review in await engine.pending_reviews():
                # Only a first attempt is sent back, so that every item comes to its end.
                sends_back = review.attempt == 1 and random.random() < orders.changes
                decision = RequestChanges("again") if sends_back else Approve(by=str(os.getpid()))
                said = {"item": review.item_id, "version": review.version, "verb": decision.verb}
                try:
                    await engine.resolve_review(review.item_id, review.stage, decision, version=review.version)
                except (ReviewConflict, InvalidTransition, ItemNotFound):
                    journal.note("too late", **said)
                except StoreError as error:
                    if not orders.disk_fills:
                        raise
                    journal.note("refused", words=str(error))
                    await asyncio.sleep(0.05)
                else:
                    journal.note("decided", **said)
            await store.changed(await store.last_seq(), 0.05)


# --- ending oneself -----------------------------------------------------------------------------------------------------------


def _arm(store: SqliteStateStore, kill_at: tuple[str, int]) -> None:
    """Have the process end itself at a place: before a commit, after one and before anybody is told, within one, in a checkpoint."""
    place, passes = kill_at
    left = passes

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def passing(*arguments: Any) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            die()
        return 0

    if place == "before commit":
        _wrap(store, "before_commit", passing)
    elif place == "after commit":
        _wrap(store._writer, "_publish", passing)
    elif place == "within":
        connection: sqlite3.Connection = store._writer.unit.connection
        connection.set_progress_handler(passing, 200)
    elif place == "checkpoint":
        _wrap(store._writer._checkpoints, "run", passing)


def _wrap(owner: Any, name: str, before: Callable[[], Any]) -> None:
    function = getattr(owner, name)

    def wrapped(*arguments: Any, **keywords: Any) -> Any:
        before()
        return function(*arguments, **keywords)

    setattr(owner, name, wrapped)
