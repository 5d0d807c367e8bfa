"""What anybody may ask of a SQLite file about what it keeps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping

from treadle_tui.engine.codec import decode_json
from treadle_tui.engine.retention import Retention
from treadle_tui.engine.store.baseline import BaselineRow, ItemBaseline
from treadle_tui.engine.store.retention_rows import ALL_WORKFLOWS
from treadle_tui.engine.store.retention_verbs import FreeRoom, KeepFrom, item_baseline
from treadle_tui.engine.store.shape import WorkflowShape
from treadle_tui.engine.store.sqlite.reader import Reader
from treadle_tui.engine.store.sqlite.retention import FINISHED

BASELINES_AT_ONCE = 1000
INCREMENTAL = 2
"""`PRAGMA auto_vacuum` of files whose free pages can be given back."""


class SqliteRetentionReads:
    """The reads of `RetentionReads`, over a `Reader`."""

    _reader: Reader

    @abstractmethod
    async def _shapes(self) -> Mapping[int, WorkflowShape]: ...

    @abstractmethod
    def stage_name(self, stage: int) -> str: ...

    async def retention(self) -> dict[str | None, Retention]:
        """The policies there are by workflow; under None the one for workflows without their own."""
        shapes = await self._shapes()
        rows = await self._reader.fetch("SELECT workflow, policy FROM treadle_retention WHERE policy IS NOT NULL ORDER BY workflow")
        return {None if number == ALL_WORKFLOWS else shapes[number].name: Retention(**decode_json(policy)) for number, policy in rows}

    async def horizon(self) -> int:
        """The `seq` of the newest event that has been dropped; 0 when none has."""
        return int((await self._reader.fetch("SELECT coalesce(max(horizon), 0) FROM treadle_retention"))[0][0])

    async def baselines(self) -> AsyncIterator[ItemBaseline]:
        """Where folding the events begins, for every item that has lost some."""
        shapes = await self._shapes()
        sql = (
            "SELECT b.item, b.seq, b.dropped, b.fold, i.id, i.workflow FROM treadle_baselines b JOIN treadle_items i ON i.key = b.item"
            f" WHERE b.item > ? ORDER BY b.item LIMIT {BASELINES_AT_ONCE}"
        )
        last = 0
        while rows := await self._reader.fetch(sql, (last,)):
            for row in rows:
                yield item_baseline(row[4], shapes[row[5]], BaselineRow(*row[:4]), self.stage_name)
            last = rows[-1][0]

    async def keep_from(self, workflow: int, policy: Retention) -> KeepFrom:
        """The first event and items that a policy keeps because of their number."""
        events = "SELECT seq FROM treadle_events WHERE workflow = ? ORDER BY seq DESC LIMIT 1 OFFSET ?"
        items = f"SELECT key FROM treadle_items WHERE workflow = ? AND {FINISHED} ORDER BY key DESC LIMIT 1 OFFSET ?"
        return KeepFrom(
            event=await self._nth_last(events, workflow, policy.events_count),
            outputs=await self._nth_last(items, workflow, policy.outputs_count),
            item=await self._nth_last(items, workflow, policy.items_count),
        )

    async def _nth_last(self, sql: str, workflow: int, count: int | None) -> int:
        """One more than the last one that is too many; 0 when there are no more than so many."""
        if count is None:
            return 0
        rows = await self._reader.fetch(sql, (workflow, count))
        return int(rows[0][0]) + 1 if rows else 0

    async def free_room(self) -> FreeRoom:
        """How much of the file is not in use."""
        pages, free, mode = [(await self._reader.fetch(f"PRAGMA {name}"))[0][0] for name in ("page_count", "freelist_count", "auto_vacuum")]
        return FreeRoom(pages, free, mode == INCREMENTAL)
