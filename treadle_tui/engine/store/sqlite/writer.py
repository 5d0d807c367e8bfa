"""The one writer: a thread that owns its connection and commits whatever has queued up, all of it at once.

A batch is one thread hop and one `BEGIN IMMEDIATE … COMMIT`; each caller's future resolves after the commit. A verb that refuses is
taken back alone. An unexpected error rolls the batch back, and its verbs are done again one by one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treadle_tui.engine.errors import StoreError, TreadleError
from treadle_tui.engine.store.rows import RawEvent
from treadle_tui.engine.store.sqlite.file_lock import FileLock, is_affected
from treadle_tui.engine.store.sqlite.file_modes import match_companions
from treadle_tui.engine.store.sqlite.opening import check_ours, connect, migrate, prepare_file, sentence_of
from treadle_tui.engine.store.sqlite.unit import BatchLost, SqliteUnit
from treadle_tui.engine.store.unit import Unit

log = logging.getLogger("treadle.store")

CHECKPOINT_BYTES = 4 * 1024 * 1024
"""Size of the WAL file at which it is copied into the database."""
CLOSED = "the store is closed; open it again"


@dataclass(slots=True)
class Operation:
    """One verb, and who waits for it."""

    verb: Callable[[Unit], Any]
    now: int
    future: asyncio.Future[Any] | None = None
    loop: asyncio.AbstractEventLoop | None = None
    value: Any = None
    error: BaseException | None = None


class Writer:
    """Commits verbs. Any thread and any event loop may ask."""

    def __init__(
        self,
        path: Path,
        synchronous: str,
        publish: Callable[[Sequence[RawEvent], bool], None],
        before_commit: Callable[[], None],
    ) -> None:
        self.path = path
        self._synchronous = synchronous
        self._publish = publish
        self._before_commit = before_commit
        self._queue: list[Operation] = []
        self._wake = threading.Event()
        self._guard = threading.Lock()
        self._is_stopping = False
        self._rings = False
        """Whether what was committed last may have given somebody something to do."""
        self._lock: FileLock | None = None
        self._unit: SqliteUnit | None = None
        self._opened: Operation | None = None
        self._thread = threading.Thread(target=self._run, name="treadle-writer", daemon=True)
        self.commits = 0
        """Transactions committed, for figures."""

    # --- asking -----------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Start the thread and open the file. Raises what `opening` refuses."""
        loop = asyncio.get_running_loop()
        self._opened = Operation(lambda unit: None, 0, loop.create_future(), loop)
        self._thread.start()
        assert self._opened.future is not None
        await self._opened.future

    async def run(self, verb: Callable[[Unit], Any], now: int) -> Any:
        """What the verb returned, once it is committed."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._put(Operation(verb, now, future, loop))
        return await future

    def post(self, verb: Callable[[Unit], Any], now: int) -> None:
        """Do this some time soon; nobody waits."""
        with contextlib.suppress(StoreError):
            self._put(Operation(verb, now))

    def _put(self, operation: Operation) -> None:
        with self._guard:
            if self._is_stopping:
                raise StoreError(CLOSED)
            self._queue.append(operation)
        if not self._wake.is_set():
            self._wake.set()

    def stop(self) -> None:
        """Commit what is queued, close the connection, end the thread."""
        with self._guard:
            self._is_stopping = True
        self._wake.set()

    def join(self) -> None:
        """Wait for the thread's end."""
        if self._thread.ident is not None:
            self._thread.join()

    def item_id(self, key: int) -> str:
        """An item's id, for an event; called by whoever publishes, on this thread."""
        item = None if self._unit is None else self._unit.item(key)
        return "" if item is None else item.id

    @property
    def unit(self) -> SqliteUnit:
        """The transaction's rows; only on the writer's own thread."""
        assert self._unit is not None, "the writer is open"
        return self._unit

    # --- the thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        assert self._opened is not None
        try:
            self._open_file()
        except sqlite3.Error as error:
            self._opened.error = sentence_of(error, self.path)
            self._opened.error.__cause__ = error
        except TreadleError as error:
            self._opened.error = error
        self._resolve([self._opened])
        if self._opened.error is None:
            self._work()
        self._close_file()

    def _open_file(self) -> None:
        mode = prepare_file(self.path)
        self._lock = FileLock(self.path.with_name(self.path.name + "-lock"), mode) if is_affected() else None
        with self._locked():
            connection = connect(self.path, synchronous=self._synchronous)
            try:
                if not check_ours(connection, self.path):
                    migrate(connection, self.path)
                else:
                    connection.execute("PRAGMA journal_mode=WAL")
            except BaseException:
                connection.close()
                self._remove_empty()
                raise
            match_companions(self.path)
            self._unit = SqliteUnit(connection)

    def _remove_empty(self) -> None:
        """A file that was only just made, and could not be used, is taken away again."""
        with contextlib.suppress(OSError):
            if self.path.stat().st_size == 0:
                self.path.unlink()

    def _work(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            with self._guard:
                batch, self._queue = self._queue, []
                is_last = self._is_stopping
            if batch:
                self._do(batch)
                self._resolve(batch)
                self._checkpoint_when_due()
            elif is_last:
                return
            if is_last:
                self._wake.set()

    def _do(self, batch: list[Operation]) -> None:
        self._rings = False
        try:
            told = self._transaction(batch)
        except BatchLost:
            told = self._one_by_one(batch)
        except sqlite3.Error as error:
            if len(batch) > 1:
                log.info("a batch of %d is done again one by one: %s", len(batch), error)
                told = self._one_by_one(batch)
            else:
                batch[0].error = sentence_of(error, self.path)
                batch[0].error.__cause__ = error
                return
        except BaseException as error:
            for operation in batch:
                operation.error = error
            return
        if told:
            self._publish(told, self._rings)

    def _one_by_one(self, batch: list[Operation]) -> list[RawEvent]:
        told: list[RawEvent] = []
        for operation in batch:
            # A statement that ended its transaction is not run again the second time.
            if not self._alone(operation, told):
                self._alone(operation, told)
        self.unit.failed_statements.clear()
        return told

    def _alone(self, operation: Operation, told: list[RawEvent]) -> bool:
        """Do one verb in a transaction of its own; False when it must be done once more."""
        operation.value = operation.error = None
        try:
            told += self._transaction([operation])
        except BatchLost:
            return operation.error is not None
        except sqlite3.Error as error:
            operation.error = sentence_of(error, self.path)
            operation.error.__cause__ = error
        except BaseException as error:
            operation.error = error
        return True

    def _transaction(self, batch: list[Operation]) -> list[RawEvent]:
        unit = self.unit
        with self._locked():
            try:
                unit.begin()
                for operation in batch:
                    self._do_verb(unit, operation)
                self._before_commit()
                told = unit.commit()
            except BaseException:
                unit.abandon()
                raise
        self.commits += 1
        self._rings = self._rings or unit.rings
        return told

    def _do_verb(self, unit: SqliteUnit, operation: Operation) -> None:
        unit.now = operation.now
        unit.begin_verb()
        try:
            operation.value = operation.verb(unit)
        except (sqlite3.Error, BatchLost):
            raise
        except Exception as error:
            operation.error = error
            unit.take_back()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self._lock is None:
            yield
            return
        self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    def _resolve(self, batch: list[Operation]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[Operation]] = defaultdict(list)
        for operation in batch:
            if operation.loop is not None:
                by_loop[operation.loop].append(operation)
        for loop, operations in by_loop.items():
            # A loop that has closed meanwhile waits for nothing.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, operations)

    def _checkpoint_when_due(self) -> None:
        try:
            size = os.stat(f"{self.path}-wal").st_size
        except OSError:
            return
        if size >= CHECKPOINT_BYTES:
            try:
                with self._locked():
                    self.unit.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                    if size >= 8 * CHECKPOINT_BYTES:
                        self.unit.connection.execute("PRAGMA busy_timeout=50")
                        self.unit.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                        self.unit.connection.execute("PRAGMA busy_timeout=10000")
            except (sqlite3.Error, TreadleError) as error:
                log.info("checkpoint put off: %s", error)

    def _close_file(self) -> None:
        if self._unit is not None:
            try:
                with self._locked():
                    self._unit.connection.close()
            except (sqlite3.Error, TreadleError) as error:
                log.warning("closing %s: %s", self.path, error)
        if self._lock is not None:
            self._lock.close()


def _settle(operations: list[Operation]) -> None:
    """On the loop of those who wait."""
    for operation in operations:
        future = operation.future
        if future is None or future.done():
            continue
        if operation.error is not None:
            future.set_exception(operation.error)
        else:
            future.set_result(operation.value)
