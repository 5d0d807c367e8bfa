"""A store that lives in memory: for tests, for trying things, for work that need not survive."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from treadle_tui.engine.errors import StoreError
from treadle_tui.engine.store import memory_plainly
from treadle_tui.engine.store.commits import CommitNews
from treadle_tui.engine.store.desk_verbs import DeskVerbs
from treadle_tui.engine.store.memory_desk import MemoryDeskReads
from treadle_tui.engine.store.memory_log_reads import MemoryLogReads
from treadle_tui.engine.store.memory_reads import MemoryReads
from treadle_tui.engine.store.memory_retention import MemoryRetentionReads
from treadle_tui.engine.store.memory_unit import MemoryUnit
from treadle_tui.engine.store.results import Ended, Recorded, Submitted
from treadle_tui.engine.store.retention_verbs import RetentionVerbs
from treadle_tui.engine.store.rows import Hold, Worker
from treadle_tui.engine.store.transactional import TransactionalStore
from treadle_tui.engine.store.unit import Unit

T = TypeVar("T")


class MemoryStateStore(MemoryReads, MemoryLogReads, MemoryDeskReads, MemoryRetentionReads, DeskVerbs, RetentionVerbs, TransactionalStore):
    """Everything in memory, for as long as the object lives. May be used from several threads and event loops."""

    def __init__(self) -> None:
        self._unit = MemoryUnit()
        self._lock = threading.RLock()
        self._is_closed = False
        self._news = CommitNews(self)

    @property
    def news(self) -> CommitNews:
        """Who is told of commits."""
        return self._news

    @property
    def is_closed(self) -> bool:
        """Whether `close` has been called."""
        return self._is_closed

    async def __aenter__(self) -> MemoryStateStore:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Nothing can be asked any more; may be called again."""
        self._is_closed = True
        self.news.close()

    def _open_unit(self) -> MemoryUnit:
        if self._is_closed:
            raise StoreError("the store is closed; open a new one")
        return self._unit

    async def add_items(self, workflow: int, batch: Sequence[tuple[str, bytes]], priority: int, now: int) -> Submitted:
        """As every store does it, all at once: see `memory_plainly`."""
        return self._run_now(lambda unit: memory_plainly.submit(unit, workflow, batch, priority), now)

    async def finish_plainly(
        self, worker: int, batch: Sequence[Ended], contenders: Collection[int], fingerprints: Mapping[int, str], now: int
    ) -> Recorded:
        """As every store does it, all at once: see `memory_plainly`."""
        return self._run_now(lambda unit: memory_plainly.finish(unit, worker, batch, contenders, fingerprints), now)

    async def _run(self, verb: Callable[[Unit], T], now: int = 0) -> T:
        return self._run_now(verb, now)

    def _post(self, verb: Callable[[Unit], object], now: int = 0) -> None:
        if not self._is_closed:
            self._run_now(verb, now)

    def _run_now(self, verb: Callable[[MemoryUnit], T], now: int) -> T:
        with self._lock:
            unit = self._open_unit()
            unit.now = now
            unit.rings = False
            unit.begin_verb()
            try:
                result = verb(unit)
                self.before_commit()
            except BaseException:
                unit.take_back()
                unit.deltas.clear()
                raise
            told = unit.commit()
            if told:
                self.news.publish(told, unit.rings)  # under the lock, so that two threads tell in the order of their commits
        return result

    def before_commit(self) -> None:
        """Called inside every transaction before it commits; the test kit cuts here."""

    async def workers(self) -> list[Worker]:
        """Every engine that may hold leases."""
        with self._lock:
            return self._open_unit().workers()

    async def holds(self) -> dict[int, Hold]:
        """Stages that start no more."""
        with self._lock:
            return self._open_unit().holds()
