"""What retention reads and drops in a SQLite file, on the writer's connection."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from treadle_tui.engine.codec import encode_json
from treadle_tui.engine.store.baseline import BaselineRow
from treadle_tui.engine.store.retention_rows import Chunk, FinishedItem, Mark, RetentionRows, SpareAttempt
from treadle_tui.engine.store.rows import CANCELLED, CANCELLED_ITEM, COMPLETED, FAILED, OUTPUTS_DROPPED, SKIPPED, RawEvent

if TYPE_CHECKING:
    from treadle_tui.engine.store.sqlite.unit import SqliteUnit

FINISHED = f"(open_stages = 0 OR flags & {CANCELLED_ITEM})"
"""Of an item: nothing of it will run again by itself."""
_ENDED = f"{COMPLETED}, {SKIPPED}, {FAILED}, {CANCELLED}"
_FINISHED_OF = (
    "SELECT i.key, i.id, max(coalesce(t.completed_at, t.updated_at)), i.flags & ? FROM treadle_items i"
    " JOIN treadle_tasks t ON t.item = i.key AND t.sub = 0"
    f" WHERE i.key BETWEEN ? AND ? AND i.workflow = ? AND {FINISHED} GROUP BY i.key"
)
_SPARE = (
    "SELECT a.item, a.stage, a.sub, a.number, coalesce(a.completed_at, a.started_at, 0), coalesce(t.attempt - a.number, 1000000000)"
    " FROM treadle_attempts a JOIN treadle_items i ON i.key = a.item AND i.workflow = ?"
    " LEFT JOIN treadle_tasks t ON t.item = a.item AND t.stage = a.stage AND t.sub = a.sub"
    f" WHERE a.item BETWEEN ? AND ? AND (t.item IS NULL OR (t.state IN ({_ENDED}) AND a.number <> t.attempt AND a.number <> abs(t.out)))"
)
_KEYS = "SELECT key FROM treadle_items WHERE key > ? AND workflow = ? ORDER BY key LIMIT ?"


class SqliteRetention(RetentionRows):
    """The tables of retention, and what may be dropped from the others. What changes here is put past the unit's cached rows."""

    def __init__(self, unit: SqliteUnit) -> None:
        self._unit = unit
        self._connection = unit.connection

    def policies(self) -> dict[int, bytes]:
        return dict(self._connection.execute("SELECT workflow, policy FROM treadle_retention WHERE policy IS NOT NULL").fetchall())

    def save_policy(self, workflow: int, policy: bytes | None) -> None:
        self._unit.note_written()
        sql = "INSERT INTO treadle_retention VALUES (?, ?, 0, 0) ON CONFLICT DO UPDATE SET policy = excluded.policy"
        self._connection.execute(sql, (workflow, policy))

    def mark(self, workflow: int) -> Mark:
        row = self._connection.execute("SELECT horizon, dropped FROM treadle_retention WHERE workflow = ?", (workflow,)).fetchone()
        return Mark() if row is None else Mark(*row)

    def save_mark(self, workflow: int, mark: Mark) -> None:
        self._unit.note_written()
        sql = (
            "INSERT INTO treadle_retention VALUES (?, NULL, ?, ?)"
            " ON CONFLICT DO UPDATE SET horizon = excluded.horizon, dropped = excluded.dropped"
        )
        self._connection.execute(sql, (workflow, *mark))

    def events_of(self, workflow: int, after: int, limit: int) -> list[RawEvent]:
        sql = (
            "SELECT seq, at, kind, workflow, item, stage, subtask, attempt, data FROM treadle_events"
            " WHERE seq > ? AND workflow = ? ORDER BY seq LIMIT ?"
        )
        return [RawEvent(*row) for row in self._connection.execute(sql, (after, workflow, limit))]

    def delete_events(self, seqs: Sequence[int]) -> None:
        self._unit.note_written()
        self._connection.executemany("DELETE FROM treadle_events WHERE seq = ?", [(seq,) for seq in seqs])

    def baselines(self, items: Collection[int]) -> Mapping[int, BaselineRow]:
        listed = encode_json(list(items)).decode()
        sql = "SELECT item, seq, dropped, fold FROM treadle_baselines WHERE item IN (SELECT value FROM json_each(?))"
        return {row[0]: BaselineRow(*row) for row in self._connection.execute(sql, (listed,))}

    def save_baselines(self, rows: Iterable[BaselineRow]) -> None:
        self._unit.note_written()
        self._connection.executemany("INSERT OR REPLACE INTO treadle_baselines VALUES (?, ?, ?, ?)", list(rows))

    def chunk(self, workflow: int, after: int, limit: int) -> Chunk:
        self._unit.flush()
        keys = [row[0] for row in self._connection.execute(_KEYS, (after, workflow, limit))]
        if not keys:
            return Chunk(0, (), ())
        span = (keys[0], keys[-1], workflow)
        rows = self._connection.execute(_FINISHED_OF, (OUTPUTS_DROPPED, *span))
        finished = [FinishedItem(key, id, at, not dropped) for key, id, at, dropped in rows]
        spare = [SpareAttempt(*row) for row in self._connection.execute(_SPARE, (workflow, keys[0], keys[-1]))]
        return Chunk(keys[-1] if len(keys) == limit else 0, finished, spare)

    def delete_attempts(self, attempts: Sequence[SpareAttempt]) -> None:
        if not attempts:
            return
        self._unit.note_written()
        keys = [attempt[:4] for attempt in attempts]
        where = "item = ? AND stage = ? AND sub = ? AND number = ?"
        big = f"SELECT output FROM treadle_attempts WHERE {where} AND typeof(output) = 'text'"
        digests = {row[0] for key in keys for row in self._connection.execute(big, key)}
        self._connection.executemany(f"DELETE FROM treadle_attempts WHERE {where}", keys)
        self._unit.forget_attempts({attempt.item for attempt in attempts})
        self._unit.drop_unused_blobs(digests)

    def drop_outputs(self, item: int) -> None:
        self._unit.flush()
        self._unit.unfold_item(item)
        big = "SELECT DISTINCT output FROM treadle_attempts WHERE item = ? AND typeof(output) = 'text'"
        digests = {row[0] for row in self._connection.execute(big, (item,))}
        self._connection.execute("UPDATE treadle_attempts SET output = NULL WHERE item = ? AND output IS NOT NULL", (item,))
        self._connection.execute("DELETE FROM treadle_memos WHERE item = ?", (item,))
        self._unit.forget_attempts({item})
        self._unit.drop_unused_blobs(digests)

    def give_back(self, pages: int) -> int:
        free = self._connection.execute("PRAGMA freelist_count").fetchone()[0]
        for _ in range(min(pages, free)):
            # The driver takes one step, and each step of this pragma gives one page back.
            self._connection.execute("PRAGMA incremental_vacuum(1)").fetchall()
        return int(free - self._connection.execute("PRAGMA freelist_count").fetchone()[0])
