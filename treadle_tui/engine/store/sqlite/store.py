"""`SqliteStateStore`: the state in one file, durable against a power cut."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from treadle_tui.engine.events import Event
from treadle_tui.engine.store.commits import CommitNews
from treadle_tui.engine.store.desk_verbs import DeskVerbs
from treadle_tui.engine.store.event_codec import decode_event
from treadle_tui.engine.store.results import Claim, Ended, Recorded, StageRoom, Submitted
from treadle_tui.engine.store.retention_verbs import RetentionVerbs
from treadle_tui.engine.store.rows import RawEvent, StoredEvent
from treadle_tui.engine.store.sqlite import claims_plainly, plainly, subtasks_plainly
from treadle_tui.engine.store.sqlite.desk import SqliteDeskReads
from treadle_tui.engine.store.sqlite.log_reads import SqliteLogReads
from treadle_tui.engine.store.sqlite.questions import Questions
from treadle_tui.engine.store.sqlite.reader import Reader
from treadle_tui.engine.store.sqlite.reads import SqliteReads
from treadle_tui.engine.store.sqlite.retention_reads import SqliteRetentionReads
from treadle_tui.engine.store.sqlite.unit import SqliteUnit
from treadle_tui.engine.store.sqlite.watcher import Watcher
from treadle_tui.engine.store.sqlite.writer import Writer
from treadle_tui.engine.store.transactional import TransactionalStore
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs.claiming import Condition

if TYPE_CHECKING:
    import tempfile

T = TypeVar("T")


class SqliteStateStore(SqliteReads, SqliteLogReads, SqliteDeskReads, SqliteRetentionReads, DeskVerbs, RetentionVerbs, TransactionalStore):
    """One SQLite file, which may hold a user's own tables too. Made by `SqliteStateStore.open(path)`.

    May be asked from any event loop of the process. Several processes may have the file open.
    """

    def __init__(self, path: Path, synchronous: Literal["FULL", "NORMAL", "OFF"] = "FULL") -> None:
        self.path = path
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._questions = Questions()
        self._news = CommitNews(self)
        self._writer = Writer(path, synchronous, self._publish, lambda: self.before_commit())
        self._reader = Reader(path)
        self._watcher = Watcher(path, self._news)
        self._is_closed = False

    @staticmethod
    def open(path: str | Path, *, synchronous: Literal["FULL", "NORMAL", "OFF"] = "FULL") -> Opening:
        """The opened store: await it, or use it as `async with`. Creates the file, or adds its tables to an existing database.

        ":memory:" is a private temporary file, removed on close. `synchronous="NORMAL"` gives up the last commits in a power cut,
        "OFF" perhaps the whole file: for files that are thrown away.

        Raises: `StoreCorrupt` for what is no database, or not ours; `StoreTooNew`; `StoreLocked`; `StoreError`.
        """
        return Opening(path, synchronous)

    async def __aenter__(self) -> SqliteStateStore:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def _start(self) -> None:
        await self._writer.open()
        self._news.last_seq = await self.last_seq()
        self._watcher.start()

    async def close(self) -> None:
        """Commit what is under way and let go of the file; may be called again. Any other use afterwards raises `StoreError`."""
        if self._is_closed:
            return
        self._is_closed = True
        self._news.close()
        self._watcher.stop()
        await self._reader.close()
        self._writer.stop()
        await asyncio.to_thread(self._join)

    def _join(self) -> None:
        self._watcher.join()
        self._writer.join()
        if self._temporary is not None:
            self._temporary.cleanup()

    @property
    def news(self) -> CommitNews:
        """Who is told of commits."""
        return self._news

    @property
    def is_closed(self) -> bool:
        """Whether `close` has been called."""
        return self._is_closed

    def stir(self) -> None:
        """A person is at the keyboard: look often for a while whether others have changed something."""
        self._watcher.stir()

    @property
    def commits(self) -> int:
        """Transactions this store has committed."""
        return self._writer.commits

    async def _run(self, verb: Callable[[Unit], T], now: int = 0) -> T:
        result: T = await self._writer.run(verb, now)
        return result

    async def add_items(self, workflow: int, batch: Sequence[tuple[str, bytes]], priority: int, now: int) -> Submitted:
        """As every store does it, set-wise: see `plainly`."""

        def verb(unit: Unit) -> Submitted:
            assert isinstance(unit, SqliteUnit)
            return plainly.submit(unit, workflow, batch, priority)

        return await self._run(verb, now)

    async def finish_plainly(
        self, worker: int, batch: Sequence[Ended], contenders: Collection[int], fingerprints: Mapping[int, str], now: int
    ) -> Recorded:
        """As every store does it, set-wise: see `plainly`."""

        def verb(unit: Unit) -> plainly.Finished:
            assert isinstance(unit, SqliteUnit)
            return plainly.finish(unit, worker, batch, contenders, fingerprints)

        return (await self._run(verb, now)).recorded()

    async def finish_subtasks(
        self, worker: int, batch: Sequence[Ended], contenders: Collection[int], fingerprints: Mapping[int, str], now: int
    ) -> Recorded:
        """As every store does it, set-wise: see `subtasks_plainly`."""

        def verb(unit: Unit) -> Recorded:
            assert isinstance(unit, SqliteUnit)
            return subtasks_plainly.finish(unit, worker, batch, contenders, fingerprints)

        return await self._run(verb, now)

    def _claim_in(
        self,
        unit: Unit,
        worker: int,
        wants: Sequence[StageRoom],
        room: int,
        tag_rooms: Mapping[str, int],
        condition: Callable[[str], Condition],
        item: int | None,
    ) -> list[Claim] | None:
        assert isinstance(unit, SqliteUnit)
        return claims_plainly.claim(unit, worker, wants, room, tag_rooms, condition, item)

    def _post(self, verb: Callable[[Unit], object], now: int = 0) -> None:
        self._writer.post(verb, now)

    def before_commit(self) -> None:
        """Called inside every transaction before it commits, on the writer's thread; the test kit cuts here."""

    def _publish(self, told: Sequence[StoredEvent], rings: bool) -> None:
        self._news.publish(told, rings)

    def decode_events(self, raw: Sequence[StoredEvent]) -> list[Event]:
        """The events of rows that were just committed; on the writer's thread."""
        unit = self._writer.unit
        names = {stage.id: stage.name for shape in unit.shapes.values() for stage in shape.every}
        rows = [RawEvent._make(row) for row in raw]
        if any(row.stage is not None and row.stage not in names for row in rows):  # of a stage that has just gone
            names = unit.stage_names()
        return [
            decode_event(row, lambda number: unit.shapes[number].name, self._writer.item_id, lambda stage: names.get(stage, ""))
            for row in rows
        ]


class Opening:
    """A store that is being opened: await it, or use it as `async with`."""

    def __init__(self, path: str | Path, synchronous: Literal["FULL", "NORMAL", "OFF"]) -> None:
        self._path = path
        self._synchronous = synchronous
        self._store: SqliteStateStore | None = None

    def __await__(self) -> Generator[Any, None, SqliteStateStore]:
        return self._open().__await__()

    async def _open(self) -> SqliteStateStore:
        temporary = None
        path = Path(self._path)
        if str(self._path) == ":memory:":
            import tempfile

            temporary = tempfile.TemporaryDirectory(prefix="treadle-")
            path = Path(temporary.name) / "work.db"
        store = SqliteStateStore(path, self._synchronous)
        store._temporary = temporary
        try:
            await store._start()
        except BaseException:
            # Opened or not, and also when the wait for it was cancelled: the writer's thread lets go of the file and ends.
            store._writer.stop()
            await asyncio.shield(store.close())
            raise
        return store

    async def __aenter__(self) -> SqliteStateStore:
        self._store = await self._open()
        return self._store

    async def __aexit__(self, *exc: object) -> None:
        if self._store is not None:
            await self._store.close()
