"""Crashes on purpose: an engine that is gone between one moment and the next, and what must be true after the recovery.

A crash is simulated inside the process: the store is cut off, so that nothing reaches its rows any more, and the engines on it
count as dead. Code of stages that is under way is cancelled; plain functions in threads run on, and what they return is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import sqlite3
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from treadle_tui.engine import events as ev
from treadle_tui.engine import leases
from treadle_tui.engine.engine import Engine
from treadle_tui.engine.errors import StoreError
from treadle_tui.engine.store.memory import MemoryStateStore
from treadle_tui.engine.store.memory_unit import MemoryUnit
from treadle_tui.engine.store.sqlite.reader import Reader
from treadle_tui.engine.store.sqlite.store import SqliteStateStore
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.testing.folding import disagreements

Scenario = Callable[[Any], Awaitable[None]]
Effects = Callable[[Any], Any]

MAX_CUTS = 10_000
"""A scenario with more commits than this is taken for one that never ends."""


class EngineCut(StoreError):
    """The crash that the test kit made: this store can do nothing any more."""

    def __init__(self) -> None:
        super().__init__("the engine was cut off here by the test kit; recover on a new store")


async def crash_engine(engine: Engine) -> None:
    """Let an engine vanish as if its process had been killed: nothing is handed back, its worker stays behind as a dead one.

    The store stays usable; another engine on it recovers what this one was doing, when it is entered or within seconds.
    """
    dispatcher = engine._dispatcher
    dead: Any = _DeadStore(engine._store)
    attempts = list(dispatcher.running.values())
    for holder in (engine, dispatcher, dispatcher.recorder):
        holder.__dict__.update({name: dead for name in ("_store", "store") if name in holder.__dict__})
    for attempt in attempts:
        attempt.around = attempt.around._replace(store=dead)
    dispatcher.keeper.stop()
    for stop in engine._stop_listening:
        stop()
    engine._is_open = False
    tasks = {attempt.task for attempt in attempts if attempt.task is not None} | set(engine._drives) | dispatcher.recorder.tasks
    for task in tasks:
        task.cancel()
    if tasks:
        done, _ = await asyncio.wait(tasks, timeout=15)
        for task in done:
            if not task.cancelled():
                task.exception()  # that of a dead store; nobody else will ask


class _DeadStore:
    """What a vanished engine holds instead of its store."""

    is_closed = True

    def __init__(self, store: Any) -> None:
        self.news = store.news

    def post_notes(self, *arguments: Any) -> None:
        """Told to nobody."""

    def post_beat(self, worker: int) -> None:
        """Told to nobody."""

    def __getattr__(self, name: str) -> Any:
        raise EngineCut


class CrashSite(Protocol):
    """A place that keeps a store's rows through a crash. One per run of a scenario; bring your own to test your own store."""

    async def open(self, before_commit: Callable[[], None]) -> Any:
        """A new store over the rows as they stand. It must call `before_commit()` inside every transaction before the commit, on
        any thread; when that raises, the transaction is lost, and so must be everything that store is asked afterwards.
        """
        ...

    async def abandon(self, store: Any) -> None:
        """Let go of a store that was cut off, without writing anything."""
        ...

    async def close(self, store: Any) -> None:
        """Close the last store, and remove what was kept."""
        ...


class _CutMemoryStore(MemoryStateStore):
    """A memory store that can be cut off; the rows may be those of another."""

    def __init__(self, unit: MemoryUnit | None, before_commit: Callable[[], None]) -> None:
        super().__init__()
        if unit is not None:
            self._unit = unit
        self._check = before_commit
        self._is_cut = False

    def before_commit(self) -> None:
        try:
            self._check()
        except BaseException:
            self._is_cut = True
            raise

    @property
    def is_closed(self) -> bool:
        return self._is_cut or super().is_closed

    def _open_unit(self) -> MemoryUnit:
        if self._is_cut:
            raise EngineCut
        return super()._open_unit()

    def _post(self, verb: Callable[[Unit], object], now: int = 0) -> None:
        with contextlib.suppress(EngineCut):  # nobody waits for it
            super()._post(verb, now)

    @property
    def rows_kept(self) -> MemoryUnit:
        """For the next store."""
        return self._unit


class MemorySite:
    """The rows of a `MemoryStateStore`."""

    def __init__(self) -> None:
        self._unit: MemoryUnit | None = None

    async def open(self, before_commit: Callable[[], None]) -> MemoryStateStore:
        """A store on the rows that the one before has left."""
        store = _CutMemoryStore(self._unit, before_commit)
        self._unit = store.rows_kept
        return store

    async def abandon(self, store: Any) -> None:
        """Let go of a store whose engine has crashed."""
        await store.close()

    async def close(self, store: Any) -> None:
        """Let go of the last store, and of what it was kept in."""
        await store.close()


class _CutReader(Reader):
    is_cut = False

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        if self.is_cut:
            raise EngineCut
        return await super().fetch(sql, parameters)


class _CutSqliteStore(SqliteStateStore):
    """A SQLite store that can be cut off."""

    def __init__(self, path: Path, before_commit: Callable[[], None]) -> None:
        super().__init__(path, "NORMAL")
        self._reader: _CutReader = _CutReader(path)
        self._check = before_commit

    async def start(self) -> None:
        """Open the file."""
        await self._start()

    def before_commit(self) -> None:
        if self._reader.is_cut:
            raise EngineCut
        try:
            self._check()
        except BaseException:
            self._reader.is_cut = True
            raise

    @property
    def is_closed(self) -> bool:
        return self._reader.is_cut or super().is_closed


class SqliteSite:
    """A SQLite file in a temporary folder."""

    def __init__(self, schema: str = "") -> None:
        """`schema`: SQL that makes a user's own tables, run once."""
        self._folder = tempfile.TemporaryDirectory(prefix="treadle-crash-")
        self.path = Path(self._folder.name) / "work.db"
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            connection.executescript(schema)

    async def open(self, before_commit: Callable[[], None]) -> SqliteStateStore:
        """A store on the file that the one before has left."""
        store = _CutSqliteStore(self.path, before_commit)
        await store.start()
        return store

    async def abandon(self, store: Any) -> None:
        """Let go of a store whose engine has crashed."""
        await store.close()

    async def close(self, store: Any) -> None:
        """Let go of the last store, and of what it was kept in."""
        await store.close()
        self._folder.cleanup()


class _Knife:
    """Lets so many transactions commit and cuts the next one off."""

    def __init__(self, commits: int | None) -> None:
        """`commits`: None never cuts."""
        self._left = commits
        self.has_cut = False

    def __call__(self) -> None:
        if self._left is None:
            return
        if self.has_cut or self._left == 0:
            self.has_cut = True
            raise EngineCut
        self._left -= 1


async def crash_at_every_commit(
    scenario: Scenario,
    *,
    schema: str = "",
    effects: Effects | None = None,
    sites: Sequence[Callable[[], CrashSite]] | None = None,
    timeout: float = 60.0,
) -> int:
    """Run a scenario once for each of its commits, crash there, recover, and check that nothing is lost or done twice.

    `scenario(store)` builds its engines on the store it is given, and drives its items to the end, people's decisions included:

        async def scenario(store):
            clock = ManualClock()
            async with Engine(store, [papers], clock=clock) as engine:
                await engine.submit(papers, items)
                await clock.run(engine.run_until_idle())
                for review in await engine.pending_reviews():
                    await engine.resolve_review(review.item_id, review.stage, Approve(by="ana"))
                await clock.run(engine.run_until_idle())

    It runs to the end once undisturbed; what is in the store then is what must be there after every crash. Then it runs again and
    again, each time on a new store, and its first, second, … transaction is lost at the moment of the commit, together with the
    engine: every later call on that store raises `EngineCut`. On a new store over the same rows the scenario is called once more,
    like a program that is started again, so it must be one that may be: submitting again, and deciding what is not decided yet.

    Checked after each recovery, against the undisturbed run: statuses, outputs, errors, reviews and decisions of all stages and
    subtasks; the whole history of attempts; how often each stage was told to have completed, failed, waited, been retried; a user's
    own tables, in which what `ctx.transaction` did twice would show; and that the store does not contradict itself.

    `schema`: SQL for a user's own tables; the scenario then runs on SQLite only. `effects(store)`, plain or async: what else must
    be the same, as something that can be compared. `sites`: where to run, instead of a memory and a SQLite store. `timeout`: seconds
    of real time for one run.

    Returns how many crashes were survived. Raises AssertionError naming the commit and the difference.
    """
    default: list[Callable[[], CrashSite]] = [lambda: SqliteSite(schema)] if schema else [MemorySite, SqliteSite]
    survived = 0
    for make_site in default if sites is None else sites:
        expected = await _undisturbed(scenario, make_site, effects, timeout)
        for commits in range(MAX_CUTS):
            if not await _crashes(scenario, make_site, effects, timeout, commits, expected):
                break
            survived += 1
        else:
            raise AssertionError(f"the scenario has not ended after {MAX_CUTS} commits")
    return survived


async def _undisturbed(scenario: Scenario, make_site: Callable[[], CrashSite], effects: Effects | None, timeout: float) -> dict[str, Any]:
    async with _store_on(make_site(), _Knife(None)) as store:
        await asyncio.wait_for(scenario(store), timeout)
        return await _outcome(store, effects)


async def _crashes(
    scenario: Scenario,
    make_site: Callable[[], CrashSite],
    effects: Effects | None,
    timeout: float,
    commits: int,
    expected: dict[str, Any],
) -> bool:
    """One crash after so many commits, and the recovery; False when the scenario has no more commits than that."""
    site = make_site()
    knife = _Knife(commits)
    store = await site.open(knife)
    try:
        await asyncio.wait_for(scenario(store), timeout)
    except Exception:
        if not knife.has_cut:
            await site.close(store)
            raise
    if not knife.has_cut:
        await site.close(store)
        return False
    await site.abandon(store)
    async with _store_on(site, _Knife(None)) as again:
        for worker in await again.workers():
            leases.declare_dead(worker.uuid)
        where = f"after a crash at commit {commits + 1} ({type(site).__name__})"
        try:
            await asyncio.wait_for(scenario(again), timeout)
        except Exception as error:
            raise AssertionError(f"{where} the scenario could not be finished: {type(error).__name__}: {error}") from error
        found = await _outcome(again, effects)
        differences = [f"{what}: {found[what]!r} instead of {expected[what]!r}" for what in expected if found[what] != expected[what]]
        if differences:
            raise AssertionError("\n  ".join([f"{where} the outcome is another:", *differences]))
    return True


@asynccontextmanager
async def _store_on(site: CrashSite, knife: _Knife) -> AsyncIterator[Any]:
    store = await site.open(knife)
    try:
        yield store
    finally:
        await site.close(store)


_TOLD_ONCE = (
    ev.ItemAdded,
    ev.WorkflowCompleted,
    ev.FanOutStarted,
    ev.StageCompleted,
    ev.SubTaskCompleted,
    ev.StageFailed,
    ev.SubTaskFailed,
    ev.StageSkipped,
    ev.ReviewRequired,
    ev.ReviewResolved,
    ev.RetryScheduled,
    ev.StageRetried,
    ev.Escalated,
)
"""Told with the record of something that must be recorded once. Starts and recoveries are not: a crash adds to them."""


async def _outcome(store: Any, effects: Effects | None) -> dict[str, Any]:
    """Everything that a crash must not change, by a name for the message."""
    found: dict[str, Any] = {"contradictions": await disagreements(store)}
    for item_id in await store.list_items():
        for stage, status in (await store.get_all_statuses(item_id)).items():
            found[f"{item_id}/{stage}"] = (*_standing(status), status.summary)
            found[f"attempts of {item_id}/{stage}"] = await _history(store, item_id, stage, None)
            for subtask in status.subtasks:
                found[f"{item_id}/{stage}/{subtask.name}"] = (*_standing(subtask), subtask.metadata)
                found[f"attempts of {item_id}/{stage}/{subtask.name}"] = await _history(store, item_id, stage, subtask.name)
    told = [event async for event in store.events()]
    found["told"] = Counter(
        (type(event).__name__, getattr(event, "item_id", ""), getattr(event, "stage", ""), getattr(event, "subtask", None))
        for event in told
        if isinstance(event, _TOLD_ONCE)
    )
    found["the user's tables"] = _tables(store)
    if effects is not None:
        answer = effects(store)
        found["effects"] = await answer if inspect.isawaitable(answer) else answer
    store_id = await store.change(lambda unit: unit.store_id, 0)
    return {what: _without(value, store_id) for what, value in found.items()}


def _without(value: Any, store_id: str) -> Any:
    """The value as it would be in any store: every store has a name of its own, which is part of all idempotency keys."""
    if isinstance(value, str):
        return value.replace(store_id, "store")
    if isinstance(value, Counter):
        return Counter({_without(key, store_id): count for key, count in value.items()})
    if isinstance(value, dict):
        return {_without(key, store_id): _without(part, store_id) for key, part in value.items()}
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(_without(part, store_id) for part in value)
    return value


def _standing(status: Any) -> tuple[Any, ...]:
    review, decision = status.review, status.decision
    return (
        status.state.value,
        status.attempt,
        status.error,
        status.output,
        None if review is None else (review.summary, review.details, review.fields),
        None if decision is None else (decision.verb, decision.by, decision.note, decision.values),
    )


async def _history(store: Any, item_id: str, stage: str, subtask: str | None) -> list[tuple[Any, ...]]:
    records = await store.get_attempts(item_id, stage, subtask)
    return [(each.number, each.outcome, each.error, each.output, each.summary, each.verdict, each.feedback) for each in records]


def _tables(store: Any) -> dict[str, list[str]]:
    """The rows of every table that is not the engine's, in one order; nothing for a store that is no SQLite file."""
    if not isinstance(store, SqliteStateStore):
        return {}
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        own = [name for name in names if not name.startswith(("treadle_", "sqlite_"))]
        return {name: sorted(repr(row) for row in connection.execute(f'SELECT * FROM "{name}"')) for name in own}
