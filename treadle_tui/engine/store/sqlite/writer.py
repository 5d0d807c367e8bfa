"""The one writer: a thread that owns its connection and commits whatever has queued up, all of it at once.

A batch is one thread hop and one `BEGIN IMMEDIATE … COMMIT`; each caller's future resolves after the commit. A verb that refuses is
taken back alone. An unexpected error rolls the batch back, and its verbs are done again one by one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from treadle_tui.engine.errors import StoreError, TreadleError
from treadle_tui.engine.store.rows import StoredEvent
from treadle_tui.engine.store.sqlite.checkpoints import Checkpoints
from treadle_tui.engine.store.sqlite.complaints import damaged, of_system, sentence_of
from treadle_tui.engine.store.sqlite.file_lock import FileLock, is_affected
from treadle_tui.engine.store.sqlite.file_modes import match_companions
from treadle_tui.engine.store.sqlite.inspecting import connect_to_read, has_log, refuse_foreign_log, refuse_network
from treadle_tui.engine.store.sqlite.opening import check_ours, connect, migrate, prepare_file, remove_new
from treadle_tui.engine.store.sqlite.place import LogGone, Place, leave_open
from treadle_tui.engine.store.sqlite.row_cache import BatchLost
from treadle_tui.engine.store.sqlite.unit import SqliteUnit
from treadle_tui.engine.store.unit import Unit

log = logging.getLogger("treadle.store")

DAMAGE = (msgspec.DecodeError, zlib.error)
"""What reading back something that cannot be what was written raises; `msgspec.ValidationError`, of a user's values, is not meant."""
CLOSED = "the store is closed; open it again"


class Operation(msgspec.Struct):
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
        publish: Callable[[Sequence[StoredEvent], bool], None],
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
        self._place = Place(path)
        self._checkpoints = Checkpoints(path)
        self._has_begun = False
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
        except BaseException as error:
            self._opened.error = self._said(error)
        self._resolve([self._opened])
        if self._opened.error is None:
            self._work()
        self._close_file()

    def _open_file(self) -> None:
        refuse_network(self.path)
        mode, is_new = prepare_file(self.path)
        self._lock = FileLock(self.path.with_name(self.path.name + "-lock"), mode) if is_affected() else None
        with self._locked():
            is_new = prepare_file(self.path)[1] or is_new  # whoever was before us in the lock may have taken it away
            try:
                self._unit = SqliteUnit(self._connected())
                self._place.remember()
            except BaseException:
                if is_new:
                    remove_new(self.path)
                    if self._lock is not None:
                        self._lock.remove()
                raise
            match_companions(self.path)

    def _connected(self) -> sqlite3.Connection:
        if has_log(self.path):
            refuse_foreign_log(self.path)
            with contextlib.closing(connect_to_read(self.path)) as looking:
                check_ours(looking, self.path)  # closing the writer's connection would copy the log of a file that is refused
        connection = connect(self.path, synchronous=self._synchronous)
        try:
            if not check_ours(connection, self.path):
                migrate(connection, self.path)
            else:
                connection.execute("PRAGMA journal_mode=WAL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _said(self, error: BaseException) -> BaseException:
        """The error as those who wait are told it."""
        said: BaseException = error
        if isinstance(error, sqlite3.Error):
            said = sentence_of(error, self.path)
        elif isinstance(error, DAMAGE) and not isinstance(error, msgspec.ValidationError):
            said = damaged(self.path, str(error))
        elif isinstance(error, OSError) or (isinstance(error, ValueError) and self._unit is None):
            said = of_system(error, self.path)
        if said is not error:
            said.__cause__ = error
        return said

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
            if len(batch) == 1 or not self._has_begun:  # without a beginning none of them would fare better alone
                self._fail(batch, error)
                return
            log.info("a batch of %d is done again one by one: %s", len(batch), error)
            told = self._one_by_one(batch)
        except BaseException as error:
            self._fail(batch, error)
            return
        if told:
            self._tell(told)

    def _fail(self, batch: list[Operation], error: BaseException) -> None:
        said = self._said(error)
        for operation in batch:
            operation.error = said

    def _tell(self, told: Sequence[StoredEvent]) -> None:
        """Tell what is committed; whoever listens and fails does not undo it, and does not end this thread."""
        try:
            self._publish(told, self._rings)
        except Exception:
            log.exception("events %d to %d are recorded, but a listener failed over them", told[0][0], told[-1][0])

    def _one_by_one(self, batch: list[Operation]) -> list[StoredEvent]:
        told: list[StoredEvent] = []
        for operation in batch:
            # A statement that ended its transaction is not run again the second time.
            if not self._alone(operation, told):
                self._alone(operation, told)
        self.unit.failed_statements.clear()
        return told

    def _alone(self, operation: Operation, told: list[StoredEvent]) -> bool:
        """Do one verb in a transaction of its own; False when it must be done once more."""
        operation.value = operation.error = None
        try:
            told += self._transaction([operation])
        except BatchLost:
            return operation.error is not None
        except BaseException as error:
            operation.error = self._said(error)
        return True

    def _transaction(self, batch: list[Operation]) -> list[StoredEvent]:
        self._has_begun = False
        self._check_place()
        with self._locked():
            unit = self.unit
            try:
                unit.begin()
                self._has_begun = True
                for operation in batch:
                    self._do_verb(unit, operation)
                self._before_commit()
                told = unit.commit()
            except BaseException:
                self._abandon(unit)
                raise
        self.commits += 1
        self._rings = self._rings or unit.rings
        return told

    def _check_place(self) -> None:
        """Raise when the file is no longer the one that was opened. A log that was removed is saved into the file first."""
        try:
            self._place.check()
        except LogGone:
            with self._locked():
                self.unit.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                self._place.remember_change()
            raise StoreError(
                f"{self.path}-wal was removed while it was in use; all that was recorded is in {self.path} now, but nothing more is"
                " written: stop every program that has it open, and start again"
            ) from None

    def _abandon(self, unit: SqliteUnit) -> None:
        """Take the transaction back, whatever the disk does; a connection that cannot even do that is replaced."""
        try:
            unit.abandon()
        except sqlite3.Error as error:
            log.warning("a transaction could not be taken back (%s); the connection is opened again", error)
        if unit.connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                unit.connection.close()
            renewed = SqliteUnit(connect(self.path, synchronous=self._synchronous))
            renewed.failed_statements = unit.failed_statements
            self._unit = renewed

    def _do_verb(self, unit: SqliteUnit, operation: Operation) -> None:
        unit.now = operation.now
        unit.begin_verb()
        try:
            operation.value = operation.verb(unit)
        except (sqlite3.Error, BatchLost):
            raise
        except Exception as error:
            operation.error = self._said(error) if isinstance(error, DAMAGE) else error
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
        if not self._checkpoints.is_due():
            return
        try:
            self._place.check()
            with self._locked():
                try:
                    self._checkpoints.run(self.unit.connection)
                finally:
                    self._place.remember_change()
        except (sqlite3.Error, TreadleError, LogGone) as error:
            log.info("checkpoint put off: %s", error)

    def _close_file(self) -> None:
        if self._unit is not None:
            try:
                with self._locked():
                    self._close_connection(self._unit.connection)
            except (sqlite3.Error, TreadleError) as error:
                log.warning("closing %s: %s", self.path, error)
        if self._lock is not None:
            self._lock.close()

    def _close_connection(self, connection: sqlite3.Connection) -> None:
        if self._place.is_taken:
            log.warning("%s was replaced while it was in use; what lies there now is left alone", self.path)
            leave_open(connection)
        else:
            connection.close()


def _settle(operations: list[Operation]) -> None:
    """On the loop of those who wait."""
    for operation in operations:
        future = operation.future
        if future is None or future.done():
            if isinstance(operation.error, StoreError):
                log.warning("a change that nobody waits for any more was not recorded: %s", operation.error)
            continue
        if operation.error is not None:
            future.set_exception(operation.error)
        else:
            future.set_result(operation.value)
