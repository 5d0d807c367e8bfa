"""A database that is only looked at: nothing of it is opened for writing, and it may lie on a file system that cannot be written.

While nobody has the database open, it is read as it lies (`immutable=1`), and every answer is thrown away when somebody came meanwhile.
While somebody has it open, it is read beside them, with SQLite's shared memory opened for reading only.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from treadle_tui.engine.errors import StoreCorrupt, StoreError, StoreLocked, StoreTooNew
from treadle_tui.engine.events import Event
from treadle_tui.engine.store.commits import CommitNews
from treadle_tui.engine.store.desk_verbs import DeskVerbs
from treadle_tui.engine.store.retention_verbs import RetentionVerbs
from treadle_tui.engine.store.rows import StoredEvent
from treadle_tui.engine.store.sqlite.addresses import Stillness, address
from treadle_tui.engine.store.sqlite.complaints import sentence_of
from treadle_tui.engine.store.sqlite.desk import SqliteDeskReads
from treadle_tui.engine.store.sqlite.log_reads import SqliteLogReads
from treadle_tui.engine.store.sqlite.opening import BUSY_MS, check_ours
from treadle_tui.engine.store.sqlite.questions import Questions
from treadle_tui.engine.store.sqlite.reader import IDLE_CONNECTIONS, Reader
from treadle_tui.engine.store.sqlite.reads import SqliteReads
from treadle_tui.engine.store.sqlite.retention_reads import SqliteRetentionReads
from treadle_tui.engine.store.sqlite.watcher import Watcher
from treadle_tui.engine.store.transactional import TransactionalStore
from treadle_tui.engine.store.unit import Unit

T = TypeVar("T")

TRIES = 20
"""How often a question is asked again because somebody has come or gone meanwhile."""
PAUSE_SECONDS = 0.03
"""Between two of them; together longer than `addresses.RECENTLY_SECONDS`."""
REFUSAL = "this database was opened read-only, so nothing in it can be changed here; open it without --read-only"


def place_of(path: Path, still: Stillness | None) -> str:
    """The URI under which the database is read now; only after a crash must SQLite make its shared memory anew to read the log."""
    if still is not None:
        return address(path, "immutable=1")
    return address(path, "readonly_shm=1") if os.path.exists(f"{path}-shm") else address(path)


class ReadOnlyReader(Reader):
    """Answers SQL as the file lies, or beside those who have it open."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._at_rest: list[tuple[Stillness | None, aiosqlite.Connection]] = []

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of one statement."""
        failure: sqlite3.Error | OSError | None = None
        for _ in range(TRIES):
            self.check_open()
            try:
                still = Stillness.of(self.path)
                rows = await self._ask(still, sql, parameters)
                if still is None or Stillness.of(self.path) == still:
                    return rows
            except (sqlite3.Error, OSError) as error:
                if not _may_pass(error):
                    raise self._sentence(error) from error
                failure = error
            await asyncio.sleep(PAUSE_SECONDS)
        if failure is not None:
            raise self._sentence(failure) from failure
        raise StoreLocked(f"{self.path} changes too often to be read as it lies; try again later")

    async def _ask(self, still: Stillness | None, sql: str, parameters: Sequence[Any]) -> list[Any]:
        connection = await self._connection(still)
        try:
            rows = list(await connection.execute_fetchall(sql, parameters))
        except BaseException:
            await connection.close()
            raise
        with self._guard:
            if not self._is_closed and len(self._at_rest) < IDLE_CONNECTIONS:
                self._at_rest.append((still, connection))
                return rows
        await connection.close()
        return rows

    async def _connection(self, still: Stillness | None) -> aiosqlite.Connection:
        """A connection of this very moment: one made while the file lay otherwise has pages of then."""
        outdated: list[aiosqlite.Connection] = []
        found = None
        with self._guard:
            while self._at_rest and found is None:
                made, connection = self._at_rest.pop()
                if made == still:
                    found = connection
                else:
                    outdated.append(connection)
        for connection in outdated:
            await connection.close()
        if found is not None:
            return found
        return await aiosqlite.connect(place_of(self.path, still), uri=True, isolation_level=None, timeout=BUSY_MS / 1000)

    def _sentence(self, error: sqlite3.Error | OSError) -> Exception:
        if isinstance(error, OSError):
            return StoreError(f"{self.path} cannot be read: {error.strerror or error}")
        if "unable to open" in str(error) and Path(f"{self.path}-wal").exists():
            return StoreError(
                f"{self.path} was not closed, and what belongs to it in {self.path.name}-wal cannot be read where nothing can be"
                " written; copy both files to a place that can be written"
            )
        return sentence_of(error, self.path)

    async def close(self) -> None:
        """Close what is idle."""
        await super().close()
        with self._guard:
            at_rest, self._at_rest = self._at_rest, []
        for _, connection in at_rest:
            with contextlib.suppress(sqlite3.Error):
                await connection.close()


def _may_pass(error: sqlite3.Error | OSError) -> bool:
    """Whether it may be because somebody is just opening or closing the database."""
    words = ("unable to open", "readonly", "malformed", "locked", "disk I/O")
    return isinstance(error, FileNotFoundError) or any(word in str(error) for word in words)


class ReadOnlyWatcher(Watcher):
    """Notices changes by the file's own times while nobody has it open, by `data_version` while somebody has."""

    def _run(self) -> None:
        still: Stillness | None = None
        beside: sqlite3.Connection | None = None
        seen = -1
        while not self._stop.wait(self.pause_seconds):
            if not self._news.is_awaited:
                continue
            with contextlib.suppress(sqlite3.Error, OSError):
                before, still = still, Stillness.of(self._path)
                if beside is not None and still is not None:
                    beside.close()
                    beside = None
                if still is None:
                    beside = beside or self._connect(None)
                    seen = self._look(beside, seen)
                elif still != before:
                    with contextlib.closing(self._connect(still)) as lying:
                        self._look(lying, -1)
                    seen = -1
        if beside is not None:
            beside.close()

    def _connect(self, still: Stillness | None) -> sqlite3.Connection:
        return sqlite3.connect(place_of(self._path, still), uri=True, isolation_level=None, check_same_thread=False)


class ReadOnlySqliteStore(
    SqliteReads, SqliteLogReads, SqliteDeskReads, SqliteRetentionReads, DeskVerbs, RetentionVerbs, TransactionalStore
):
    """What a `SqliteStateStore` answers; every verb that would change something is refused. Made by `open`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._questions = Questions()
        self._news = CommitNews(self)
        self._reader: Reader = ReadOnlyReader(path)
        self._watcher = ReadOnlyWatcher(path, self._news)
        self._is_closed = False

    @classmethod
    async def open(cls, path: str | Path) -> ReadOnlySqliteStore:
        """The store, to be closed by its `close`.

        Raises: `StoreCorrupt` for what is no database of ours; `StoreTooNew`; `StoreError` for one of an older version, which would
        have to be written first.
        """
        place = Path(path)
        await asyncio.to_thread(_check, place)
        store = cls(place)
        store._news.last_seq = await store.last_seq()
        store._watcher.start()
        return store

    async def __aenter__(self) -> ReadOnlySqliteStore:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the file; may be called again."""
        if self._is_closed:
            return
        self._is_closed = True
        self._news.close()
        self._watcher.stop()
        await self._reader.close()
        await asyncio.to_thread(self._watcher.join)

    @property
    def news(self) -> CommitNews:
        """Who is told of commits."""
        return self._news

    @property
    def is_closed(self) -> bool:
        """Whether `close` has been called."""
        return self._is_closed

    async def _run(self, verb: Callable[[Unit], T], now: int = 0) -> T:
        raise StoreError(REFUSAL)

    def _post(self, verb: Callable[[Unit], object], now: int = 0) -> None:
        raise StoreError(REFUSAL)

    def stir(self) -> None:
        """A person is at the keyboard: look often for a while whether others have changed something."""
        self._watcher.stir()

    def decode_events(self, raw: Sequence[StoredEvent]) -> list[Event]:
        """Never called: nothing is committed here."""
        raise StoreError(REFUSAL)


def _check(path: Path) -> None:
    """Raise what opening for writing would refuse, and what reading alone cannot mend."""
    if not path.is_file():
        raise StoreError(f"there is no database {path} to look at")
    for attempt in range(TRIES):
        try:
            with contextlib.closing(sqlite3.connect(place_of(path, Stillness.of(path)), uri=True, timeout=BUSY_MS / 1000)) as connection:
                if not check_ours(connection, path):
                    raise StoreError(
                        f"{path} has no work items in it, or was written by an older version; open it once without --read-only,"
                        " so that its tables can be brought up to date"
                    )
            return
        except (StoreCorrupt, StoreTooNew):
            raise
        except sqlite3.Error as error:
            if attempt == TRIES - 1 or not _may_pass(error):
                raise ReadOnlyReader(path)._sentence(error) from error
            time.sleep(PAUSE_SECONDS)
