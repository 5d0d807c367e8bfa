"""The rows of a SQLite file, as the verbs see them.

Rows are loaded once and kept for as long as nobody else writes to the file (`PRAGMA data_version` tells); changed ones are written
back set-wise, by `executemany`, before the commit or before a question that needs them. All of it happens on the writer's thread.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from treadle_tui.engine.codec import decode_json, encode_json
from treadle_tui.engine.store.results import Situation, Standing, Statement
from treadle_tui.engine.store.rows import Attempt, Hold, Item, Row, StoredEvent, Task, TaskKey, Worker
from treadle_tui.engine.store.shape import WorkflowShape
from treadle_tui.engine.store.sqlite.columns import PLACE, TASK_COLUMNS, item_from_row, shape_from_row, task_from_row, unpack
from treadle_tui.engine.store.sqlite.desk import SqliteDesk
from treadle_tui.engine.store.sqlite.folding import ATTEMPT, ATTEMPTS, IS_FOLDED, UNFOLD, UNFOLD_ITEM, UNFOLD_SUBTASKS
from treadle_tui.engine.store.sqlite.retention import SqliteRetention
from treadle_tui.engine.store.sqlite.rowwise import execute_rows
from treadle_tui.engine.store.statements import Guard
from treadle_tui.engine.store.unit import Unit

BIG_OUTPUT = 64 * 1024
"""Bytes above which an output is kept compressed, under its hash, in a table of its own."""
CACHED_ROWS = 10_000
"""Items, tasks and attempts kept between transactions; beyond that all are let go and read again when asked for."""

_TASK_SELECT = f"SELECT {', '.join(TASK_COLUMNS)}, {IS_FOLDED}, detail FROM treadle_tasks"
_TASK_WRITE = f"INSERT OR REPLACE INTO treadle_tasks ({', '.join(TASK_COLUMNS)}, detail) VALUES {{rows}}"
_task_values = attrgetter(*TASK_COLUMNS)

_SUBTASKS_WRITE = (
    "INSERT INTO treadle_tasks (item, stage, sub, state, ready, attempt, is_open, open_deps, fence, version, out, updated_at,"
    " priority, turn, extra, interruptions, phase, subs, open_subs, failed_subs, name, detail)"
    " SELECT v.column1, v.column2, v.column3, 0, v.column4, 0, 0, 0, 0, 0, 0, v.column5,"
    " v.column6, v.column7, 0, 0, 0, 0, 0, 0, v.column8, v.column9 FROM (VALUES {rows}) v"
)
_OUTPUTS_OF_SUBTASKS = (
    "SELECT t.name, t.out, t.detail, coalesce(t.output, a.output) FROM treadle_tasks t LEFT JOIN treadle_attempts a"
    " ON a.item = t.item AND a.stage = t.stage AND a.sub = t.sub AND a.number = t.out"
    " WHERE t.item = ? AND t.stage = ? AND t.sub > 0 ORDER BY t.sub"
)
_ITEM_SELECT = "SELECT key, id, workflow, data, priority, created_at, flags, open_stages FROM treadle_items"
_ITEM_WRITE = "INSERT INTO treadle_items (key, id, workflow, data, priority, created_at, flags, open_stages) VALUES {rows}"
_ATTEMPT_WRITE = "INSERT OR REPLACE INTO treadle_attempts VALUES {rows}"
_EVENT_WRITE = "INSERT INTO treadle_events VALUES {rows}"
_COUNT_WRITE = "INSERT INTO treadle_counts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n"


_SITUATIONS = (
    "SELECT i.key, i.flags, group_concat(t.stage || ' ' || t.state || ' ' || (t.attempt > 0 OR t.subs > 0))"
    " FROM treadle_items i LEFT JOIN treadle_tasks t ON t.item = i.key AND t.sub = 0 WHERE i.workflow = ? GROUP BY i.key"
)
"""One row per item: "stage state begun" of each of its stages, in one text. Most items of many share theirs with others."""


def _standings(rows: str | None) -> tuple[Standing, ...]:
    parts = [] if rows is None else [[int(number) for number in row.split()] for row in rows.split(",")]
    return tuple(sorted(Standing(stage, state, bool(has_begun)) for stage, state, has_begun in parts))


def _metadata(metadata: Any) -> bytes | None:
    return None if metadata is None else msgspec.json.encode({"metadata": metadata})


def _parts(keys: Sequence[int]) -> Iterator[tuple[str, Sequence[int]]]:
    """Few hundred at a time, with as many question marks."""
    for at in range(0, len(keys), 500):
        part = keys[at : at + 500]
        yield ", ".join("?" * len(part)), part


class BatchLost(Exception):
    """The transaction cannot go on as it is; everything in it must be done again, this verb by itself."""


class SqliteUnit(Unit):
    """One transaction on the writer's connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__()
        self.connection = connection
        self.last_seq = 0
        self.desk: SqliteDesk = SqliteDesk(connection, self.undo_with, self.note_written)
        self.retention: SqliteRetention = SqliteRetention(self)
        self.store_id = ""
        self.failed_statements: dict[str, str] = {}
        """SQL that ended a transaction → what it said: not run again when the transaction is repeated."""
        self._data_version = -1
        self._shapes: dict[int, WorkflowShape] = {}
        self._items: dict[int, Item] = {}
        self._item_keys: dict[str, int] = {}
        self._tasks: dict[TaskKey, Task] = {}
        self._attempts: dict[tuple[int, int, int, int], Attempt] = {}
        self._dirty: dict[int, Row] = {}
        self._new: dict[int, Row] = {}
        self._doomed: list[Row] = []
        self._folded: set[TaskKey] = set()
        """Of the tasks read, those whose row is also their first attempt's; see `folding`."""
        self._whole_items: set[int] = set()
        """Items whose every stage-level row is in `_tasks`."""
        self._last_item = 0
        self._has_written = False
        self._is_seq_moved = False

    # --- the transaction --------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Open the transaction, and forget what is cached when somebody else has written."""
        self.connection.execute("BEGIN IMMEDIATE")
        version = self.connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._data_version or len(self._tasks) + len(self._attempts) + len(self._items) > CACHED_ROWS:
            self.forget()
            self._data_version = version
            self._read_basics()
        self.events = []
        self.rings = False
        self.deltas.clear()
        self._has_written = False

    def _read_basics(self) -> None:
        meta = dict(self.connection.execute("SELECT key, value FROM treadle_meta WHERE key IN ('store_id', 'last_seq')").fetchall())
        self.store_id, self.last_seq = meta["store_id"], meta["last_seq"]
        row = self.connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'treadle_items'").fetchone()
        self._last_item = 0 if row is None else row[0]
        self._shapes = read_shapes(self.connection)

    def commit(self) -> list[StoredEvent]:
        """Write what has changed and make it last; the events told."""
        self.flush()
        self.desk.flush()
        told = self.events
        if told:
            execute_rows(self.connection, _EVENT_WRITE, told)
            self.connection.execute("UPDATE treadle_meta SET value = ? WHERE key = 'last_seq'", (self.last_seq,))
        changes = [(*key, change) for key, change in self.deltas.items() if change]
        if changes:
            self.connection.executemany(_COUNT_WRITE, changes)
        self.connection.execute("COMMIT")
        self.begin_verb()
        self.events = []
        self.deltas.clear()
        return told

    def abandon(self) -> None:
        """Take the whole transaction back."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        self.begin_verb()
        self.forget()
        self._data_version = -1

    def forget(self) -> None:
        """Let go of every cached row."""
        for cache in (self._whole_items, self._items, self._item_keys, self._tasks, self._attempts, self._folded, self._dirty, self._new):
            cache.clear()
        self._doomed.clear()
        self.desk.forget()

    def note_written(self) -> None:
        """What is written now cannot be taken back by itself."""
        self._has_written = True

    def forget_tasks(self, keys: Iterable[TaskKey]) -> None:
        """Let go of the cached rows of tasks, flushed before, that are changed by SQL."""
        for key in keys:
            if self._tasks.pop(key, None) is not None:
                self._whole_items.discard(key[0])

    def forget_items(self, keys: Collection[int]) -> None:
        """Let go of the cached rows of items, flushed before, that are changed by SQL."""
        for key in keys:
            self._whole_items.discard(key)
            item = self._items.pop(key, None)
            if item is not None:
                self._item_keys.pop(item.id, None)
                for stage in self.shape_of(item).every:
                    self._tasks.pop((key, stage.id, 0), None)

    def take_back(self) -> None:
        """Undo the verb; what it wrote by SQL of its own cannot be undone alone."""
        if self._has_written:
            raise BatchLost
        super().take_back()

    def begin_verb(self) -> None:
        super().begin_verb()
        self._has_written = False

    def _execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Change the database past the cache."""
        self._has_written = True
        self.connection.execute(sql, parameters)

    def changed(self, row: Row) -> None:
        self._dirty[id(row)] = row

    def _undo_edit(self, row: Row, values: tuple[Any, ...]) -> None:
        super()._undo_edit(row, values)
        if id(row) not in self._new:
            self._dirty[id(row)] = row

    def flush(self) -> None:
        """Write changed rows, so that questions see them."""
        if self._doomed:
            self._unfold([row.key for row in self._doomed if isinstance(row, Task)])
            self.connection.executemany(
                "DELETE FROM treadle_tasks WHERE item = ? AND stage = ? AND sub = ?",
                [row.key for row in self._doomed if isinstance(row, Task)],
            )
            self.connection.executemany(
                "DELETE FROM treadle_attempts WHERE item = ? AND stage = ? AND sub = ? AND number = ?",
                [row.key for row in self._doomed if isinstance(row, Attempt)],
            )
            self.connection.executemany(
                "DELETE FROM treadle_items WHERE key = ?", [(row.key,) for row in self._doomed if isinstance(row, Item)]
            )
            self._doomed.clear()
        if not self._dirty:
            return
        tasks, attempts, items = [], [], []
        for row in self._dirty.values():
            if isinstance(row, Task):
                tasks.append((*_task_values(row), row.encoded_detail()))
            elif isinstance(row, Attempt):
                attempts.append(self._attempt_values(row))
            elif isinstance(row, Item):
                items.append(row)
        if items:
            self._write_items(items)
        if self._folded:
            self._unfold([row[:3] for rows in (tasks, attempts) for row in rows])
        if tasks:
            execute_rows(self.connection, _TASK_WRITE, tasks)
        if attempts:
            execute_rows(self.connection, _ATTEMPT_WRITE, attempts)
        # The verb that is under way may go on changing the rows it has announced: they are written once more at the end.
        self._dirty = {key: row for key, row in self._dirty.items() if key in self._edited}
        self._new.clear()

    def _unfold(self, keys: Iterable[TaskKey]) -> None:
        """Give the attempts that are kept in these tasks' rows rows of their own."""
        folded = self._folded.intersection(keys)
        for statement in UNFOLD:
            self.connection.executemany(statement, sorted(folded))
        self._folded -= folded

    def _write_items(self, items: list[Item]) -> None:
        new = [item for item in items if id(item) in self._new]
        if new:
            execute_rows(
                self.connection,
                _ITEM_WRITE,
                [(i.key, i.id, i.workflow, i.data, i.priority, i.created_at, i.flags, i.open_stages) for i in new],
            )
        if len(new) < len(items):
            self.connection.executemany(
                "UPDATE treadle_items SET flags = ?, open_stages = ? WHERE key = ?",
                [(item.flags, item.open_stages, item.key) for item in items if id(item) not in self._new],
            )

    def _attempt_values(self, attempt: Attempt) -> tuple[Any, ...]:
        output = self.stored_output(attempt.output)
        return (*attempt.key, attempt.started_at, attempt.completed_at, attempt.outcome, output, attempt.raw_detail)

    def stored_output(self, output: bytes | None) -> bytes | str | None:
        """The output as its column has it: a big one is kept apart, under its hash."""
        return output if output is None or len(output) <= BIG_OUTPUT else self._keep_blob(output)

    def _keep_blob(self, data: bytes) -> str:
        import hashlib

        digest = hashlib.sha256(data).hexdigest()
        self.connection.execute("INSERT OR IGNORE INTO treadle_blobs VALUES (?, ?)", (digest, zlib.compress(data, 1)))
        return digest

    # --- shapes -----------------------------------------------------------------------------------------------------

    @property
    def shapes(self) -> Mapping[int, WorkflowShape]:
        return self._shapes

    def save_shape(self, name: str, fingerprint: str, specs: Sequence[Mapping[str, Any]]) -> WorkflowShape:
        self._execute(
            "INSERT INTO treadle_workflows (name, fingerprint, shape) VALUES (?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET fingerprint = excluded.fingerprint, shape = excluded.shape",
            (name, fingerprint, encode_json(list(specs))),
        )
        number = self.connection.execute("SELECT id FROM treadle_workflows WHERE name = ?", (name,)).fetchone()[0]
        for spec in specs:
            self._execute("INSERT OR IGNORE INTO treadle_stages (workflow, name) VALUES (?, ?)", (number, spec["name"]))
        self._shapes = read_shapes(self.connection)
        return self._shapes[number]

    def rename_stage(self, stage: int, name: str) -> None:
        self._execute("UPDATE treadle_stages SET name = ? WHERE id = ?", (name, stage))

    def stage_number(self, workflow: int, name: str) -> int | None:
        row = self.connection.execute("SELECT id FROM treadle_stages WHERE workflow = ? AND name = ?", (workflow, name)).fetchone()
        return None if row is None else row[0]

    def stage_names(self) -> dict[int, str]:
        """Names of all stages by number, also of those their workflow no longer has."""
        return dict(self.connection.execute("SELECT id, name FROM treadle_stages").fetchall())

    # --- items ------------------------------------------------------------------------------------------------------

    def item(self, key: int) -> Item | None:
        found = self._items.get(key)
        if found is None:
            row = self.connection.execute(f"{_ITEM_SELECT} WHERE key = ?", (key,)).fetchone()
            found = None if row is None else self._keep_item(item_from_row(row))
        return found

    def load_items(self, keys: Collection[int]) -> None:
        self.load_bare_items(keys)
        for marks, part in _parts([key for key in keys if key not in self._whole_items]):
            for row in self.connection.execute(f"{_TASK_SELECT} WHERE item IN ({marks}) AND sub = 0", part).fetchall():
                self._tasks.setdefault((row[0], row[1], 0), self._task_from_row(row))
            self._whole_items.update(part)

    def load_bare_items(self, keys: Collection[int]) -> None:
        """These items are about to be asked for, and not their stages."""
        for marks, part in _parts([key for key in keys if key not in self._items]):
            for row in self.connection.execute(f"{_ITEM_SELECT} WHERE key IN ({marks})", part).fetchall():
                self._keep_item(item_from_row(row))

    def _keep_item(self, item: Item) -> Item:
        self._items[item.key] = item
        self._item_keys[item.id] = item.key
        return item

    def find_items(self, ids: Sequence[str]) -> dict[str, Item]:
        found = {id: self._items[self._item_keys[id]] for id in ids if id in self._item_keys}
        missing = [id for id in ids if id not in found]
        if not missing:
            return found
        if len(missing) == 1:
            rows = self.connection.execute(f"{_ITEM_SELECT} WHERE id = ?", (missing[0],)).fetchall()
        else:
            listed = encode_json(missing).decode()
            rows = self.connection.execute(f"{_ITEM_SELECT} WHERE id IN (SELECT value FROM json_each(?))", (listed,)).fetchall()
        for row in rows:
            item = self._keep_item(item_from_row(row))
            found[item.id] = item
        return found

    @property
    def last_item(self) -> int:
        return self._last_item

    def reserve_items(self, count: int) -> int:
        """The first of so many numbers for items that are written past the cache; see `note_written`."""
        first = self._last_item + 1
        self._last_item += count
        return first

    def insert_item(self, id: str, workflow: int, data: bytes, priority: int) -> Item:
        self._last_item += 1
        item = Item(self._last_item, id, workflow, data, priority, self.now)
        self._keep_item(item)
        self._whole_items.add(item.key)
        self._insert(item)

        def undo() -> None:
            self._items.pop(item.key, None)
            self._whole_items.discard(item.key)
            self._item_keys.pop(id, None)
            self._last_item -= 1
            self._take_out(item)

        self.undo_with(undo)
        return item

    def _insert(self, row: Row) -> None:
        self._dirty[id(row)] = row
        self._new[id(row)] = row
        self._edited.add(id(row))

    def _take_out(self, row: Row) -> None:
        """A row that was inserted is so no longer: it is not written, or removed when it has been."""
        self._dirty.pop(id(row), None)
        if self._new.pop(id(row), None) is None:
            self._doomed.append(row)

    def delete_item(self, item: Item) -> None:
        self.flush()
        big = self.connection.execute(
            "SELECT DISTINCT output FROM treadle_attempts WHERE item = ? AND typeof(output) = 'text'", (item.key,)
        ).fetchall()
        for table in ("tasks", "attempts", "memos", "subs", "events", "outbox", "jottings", "decisions", "baselines"):
            self._execute(f"DELETE FROM treadle_{table} WHERE item = ?", (item.key,))
        self.drop_unused_blobs({digest for (digest,) in big})
        self._execute("DELETE FROM treadle_items WHERE key = ?", (item.key,))
        self.events = [event for event in self.events if event[4] != item.key]
        self._items.pop(item.key, None)
        self._item_keys.pop(item.id, None)
        for key in [key for key in self._tasks if key[0] == item.key]:
            del self._tasks[key]
        self.forget_attempts({item.key})

    def drop_unused_blobs(self, digests: Collection[str]) -> None:
        """Drop those of these big outputs that no attempt has any more."""
        for digest in digests:
            self._execute(
                "DELETE FROM treadle_blobs WHERE hash = ?1 AND NOT EXISTS"
                " (SELECT 1 FROM treadle_attempts WHERE output = ?1 AND typeof(output) = 'text')",
                (digest,),
            )

    def unfold_item(self, item: int) -> None:
        """Give every attempt of an item, flushed before, a row of its own."""
        for statement in UNFOLD_ITEM:
            self._execute(statement, (item,))
        self._folded = {key for key in self._folded if key[0] != item}

    def forget_attempts(self, items: Collection[int]) -> None:
        """Let go of the cached attempts of these items: they have been changed in the database."""
        for key in [key for key in self._attempts if key[0] in items]:
            del self._attempts[key]

    def items_of(self, workflow: int) -> Iterable[Item]:
        self.flush()
        rows = self.connection.execute(f"{_ITEM_SELECT} WHERE workflow = ?", (workflow,)).fetchall()
        return [self._items.get(row[0]) or self._keep_item(item_from_row(row)) for row in rows]

    def situations(self, workflow: int) -> Iterable[tuple[int, Situation]]:
        self.flush()
        known: dict[tuple[int, str | None], Situation] = {}
        for key, flags, rows in self.connection.execute(_SITUATIONS, (workflow,)):
            situation = known.get((flags, rows))
            if situation is None:
                situation = known[flags, rows] = Situation(flags, _standings(rows))
            yield key, situation

    # --- tasks ------------------------------------------------------------------------------------------------------

    def stored_task(self, item: int, stage: int, sub: int) -> Task | None:
        found = self._tasks.get((item, stage, sub))
        if found is None and not sub:
            if item not in self._whole_items:
                self._read_stages(item)
                found = self._tasks.get((item, stage, 0))
        elif found is None:
            row = self.connection.execute(f"{_TASK_SELECT} WHERE item = ? AND stage = ? AND sub = ?", (item, stage, sub)).fetchone()
            if row is not None:
                found = self._tasks[item, stage, sub] = self._task_from_row(row)
        return found

    def _task_from_row(self, row: Sequence[Any]) -> Task:
        task = task_from_row(row)
        if row[-2]:
            self._folded.add(task.key)
        return task

    def _read_stages(self, item: int) -> None:
        """Every stage of the item that has a row; what is not among them then has none."""
        for row in self.connection.execute(f"{_TASK_SELECT} WHERE item = ? AND sub = 0", (item,)).fetchall():
            self._tasks.setdefault((row[0], row[1], 0), self._task_from_row(row))
        self._whole_items.add(item)

    def insert_task(self, task: Task) -> None:
        self._tasks[task.key] = task
        self._insert(task)

        def undo() -> None:
            self._tasks.pop(task.key, None)
            self._take_out(task)

        self.undo_with(undo)

    def insert_subtasks(self, stage: Task, first: int, declared: Sequence[tuple[str, Any]], ready: int) -> None:
        self._has_written = True
        rows = [
            (stage.item, stage.stage, first + before, ready, self.now, stage.priority, self.turn(before), name, _metadata(metadata))
            for before, (name, metadata) in enumerate(declared)
        ]
        execute_rows(self.connection, _SUBTASKS_WRITE, rows)

    def delete_task(self, task: Task) -> None:
        self._has_written = True
        del self._tasks[task.key]
        self._take_out(task)

    def reserve_subs(self, item: int, stage: int, count: int) -> int:
        row = self.connection.execute("SELECT last FROM treadle_subs WHERE item = ? AND stage = ?", (item, stage)).fetchone()
        first = 1 if row is None else int(row[0]) + 1
        self.connection.execute("INSERT OR REPLACE INTO treadle_subs VALUES (?, ?, ?)", (item, stage, first + count - 1))
        return first

    def delete_subtasks(self, item: int, stage: int) -> None:
        self.flush()
        for statement in UNFOLD_SUBTASKS:
            self._execute(statement, (item, stage))
        self._execute("DELETE FROM treadle_tasks WHERE item = ? AND stage = ? AND sub > 0", (item, stage))
        for key in [key for key in self._tasks if key[0] == item and key[1] == stage and key[2]]:
            del self._tasks[key]

    def _rows(self, condition: str, parameters: Sequence[Any]) -> list[Task]:
        """Tasks the database finds, as the objects that are cached where there are any."""
        self.flush()
        rows = self.connection.execute(f"{_TASK_SELECT} WHERE {condition}", parameters).fetchall()
        found = []
        for row in rows:
            key = row[0], row[1], row[2]
            task = self._tasks.get(key)
            if task is None:
                task = self._tasks[key] = self._task_from_row(row)
            found.append(task)
        return found

    def subtasks(self, item: int, stage: int) -> list[Task]:
        return self._rows("item = ? AND stage = ? AND sub > 0 ORDER BY sub", (item, stage))

    def outputs_of_subtasks(self, item: int, stage: int) -> dict[str, bytes | None]:
        self.flush()
        outputs: dict[str, bytes | None] = {}
        for name, out, detail, output in self.connection.execute(_OUTPUTS_OF_SUBTASKS, (item, stage)):
            edited = encode_json(decode_json(detail)["decision"]["output"]) if out < 0 else None
            outputs[name] = edited or (self._read_blob(output) if isinstance(output, str) else output)
        return outputs

    # --- attempts and memos -----------------------------------------------------------------------------------------

    def attempt(self, item: int, stage: int, sub: int, number: int) -> Attempt | None:
        found = self._attempts.get((item, stage, sub, number))
        if found is None:
            row = self.connection.execute(ATTEMPT, (item, stage, sub, number)).fetchone()
            found = None if row is None else self._attempt_from_row(row)
        return found

    def attempts(self, item: int, stage: int, sub: int) -> list[Attempt]:
        self.flush()
        rows = self.connection.execute(ATTEMPTS, (item, stage, sub)).fetchall()
        return [self._attempts.get((row[0], row[1], row[2], row[3])) or self._attempt_from_row(row) for row in rows]

    def _attempt_from_row(self, row: Sequence[Any]) -> Attempt:
        attempt = Attempt(row[0], row[1], row[2], row[3])
        attempt.started_at, attempt.completed_at, attempt.outcome = row[4], row[5], row[6]
        attempt.output = self._read_blob(row[7]) if isinstance(row[7], str) else row[7]
        attempt.raw_detail = row[8]
        if row[9]:
            self._folded.add((row[0], row[1], row[2]))
        self._attempts[attempt.key] = attempt
        return attempt

    def _read_blob(self, digest: str) -> bytes:
        return unpack(self.connection.execute("SELECT data FROM treadle_blobs WHERE hash = ?", (digest,)).fetchone()[0])

    def insert_attempt(self, attempt: Attempt) -> None:
        self._attempts[attempt.key] = attempt
        self._insert(attempt)

        def undo() -> None:
            self._attempts.pop(attempt.key, None)
            self._take_out(attempt)

        self.undo_with(undo)

    def memo(self, item: int, stage: int, sub: int, key: str) -> bytes | None:
        row = self.connection.execute(
            "SELECT value FROM treadle_memos WHERE item = ? AND stage = ? AND sub = ? AND key = ?", (item, stage, sub, key)
        ).fetchone()
        return None if row is None else row[0]

    def insert_memo(self, item: int, stage: int, sub: int, key: str, value: bytes) -> None:
        self._execute("INSERT INTO treadle_memos VALUES (?, ?, ?, ?, ?)", (item, stage, sub, key, value))

    # --- questions --------------------------------------------------------------------------------------------------

    def ready(self, stage: int, limit: int, item: int | None) -> list[Task]:
        order = f"ORDER BY priority DESC, {PLACE}, item, sub LIMIT ?"
        if item is not None:
            return self._rows(f"item = ? AND stage = ? AND +ready = 1 {order}", (item, stage, limit))
        return self._rows(f"stage = ? AND ready = 1 {order}", (stage, limit))

    def due(self, state: int, now: int, limit: int) -> list[Task]:
        where = "due_at <= ? AND state = ? AND due_at IS NOT NULL AND ready = 0 ORDER BY due_at LIMIT ?"
        return self._rows(where, (now, state, limit))

    def next_due(self, stages: Collection[int], state: int | None, item: int | None) -> int | None:
        self.flush()
        marks = ", ".join("?" * len(stages))
        sql = f"SELECT min(due_at) FROM treadle_tasks WHERE due_at IS NOT NULL AND ready = 0 AND stage IN ({marks})"
        parameters: list[Any] = list(stages)
        if state is not None:
            sql += " AND state = ?"
            parameters.append(state)
        if item is not None:
            sql += " AND item = ?"
            parameters.append(item)
        return self.connection.execute(sql, parameters).fetchone()[0]  # type: ignore[no-any-return]

    def held(self, stage: int) -> list[Task]:
        return self._rows("stage = ? AND ready = 3", (stage,))

    def leased(self, worker: int) -> list[Task]:
        return self._rows("worker = ?", (worker,))

    def orphaned(self) -> list[Task]:
        return self._rows("worker IS NOT NULL AND worker NOT IN (SELECT id FROM treadle_workers)", ())

    def leased_elsewhere(self, worker: int, stages: Collection[int], item: int | None) -> bool:
        self.flush()
        rows = self.connection.execute("SELECT item, stage FROM treadle_tasks WHERE worker IS NOT NULL AND worker <> ?", (worker,))
        return any(row[1] in stages and item in (None, row[0]) for row in rows.fetchall())

    # --- workers and holds ------------------------------------------------------------------------------------------

    def workers(self) -> list[Worker]:
        return [Worker(*row) for row in self.connection.execute("SELECT id, uuid, host, pid, pid_start, beat FROM treadle_workers")]

    def knows_worker(self, worker: int) -> bool:
        return self.connection.execute("SELECT 1 FROM treadle_workers WHERE id = ?", (worker,)).fetchone() is not None

    def insert_worker(self, uuid: str, host: str, pid: int, pid_start: str) -> int:
        self._has_written = True
        self.connection.execute(
            "INSERT INTO treadle_workers (uuid, host, pid, pid_start, beat) VALUES (?, ?, ?, ?, 0) ON CONFLICT DO NOTHING",
            (uuid, host, pid, pid_start),
        )
        return int(self.connection.execute("SELECT id FROM treadle_workers WHERE uuid = ?", (uuid,)).fetchone()[0])

    def delete_worker(self, worker: int) -> None:
        self._execute("DELETE FROM treadle_workers WHERE id = ?", (worker,))

    def beat(self, worker: int) -> bool:
        self._has_written = True
        return self.connection.execute("UPDATE treadle_workers SET beat = beat + 1 WHERE id = ?", (worker,)).rowcount > 0

    def holds(self) -> dict[int, Hold]:
        return {row[0]: Hold(*row) for row in self.connection.execute("SELECT stage, condition FROM treadle_holds")}

    def save_hold(self, hold: Hold) -> None:
        self._execute("INSERT OR REPLACE INTO treadle_holds VALUES (?, ?)", hold)

    def delete_hold(self, stage: int) -> None:
        self._execute("DELETE FROM treadle_holds WHERE stage = ?", (stage,))

    # --- a user's own SQL -------------------------------------------------------------------------------------------

    runs_sql = True

    def run_statements(self, statements: Sequence[Statement]) -> str | None:
        known = self.failed_statements.get(repr(statements))
        if known is not None:
            return known
        self.flush()
        self.connection.execute("SAVEPOINT treadle_statements")
        guard = Guard()
        problem = None
        try:
            self.connection.set_authorizer(guard)
            for sql, parameters, expected in statements:
                problem = self._run_statement(sql, parameters, expected, guard)
                if problem is not None:
                    break
        finally:
            self.connection.set_authorizer(None)
        if problem is not None and not self.connection.in_transaction:
            self.failed_statements[repr(statements)] = problem
            raise BatchLost
        if problem is not None:
            self.connection.execute("ROLLBACK TO treadle_statements")
        self.connection.execute("RELEASE treadle_statements")
        return problem

    def _run_statement(self, sql: str, parameters: Any, expected: int | None, guard: Guard) -> str | None:
        try:
            cursor = self.connection.execute(sql, parameters)
            rows = len(cursor.fetchall())
            if cursor.description is None or cursor.rowcount >= 0:
                rows = max(cursor.rowcount, 0)
        except Exception as error:  # the driver's errors, and those of parameters it cannot take
            if guard.refused is not None:
                return f"{guard.refused} is not allowed in ctx.transaction: {sql!r}"
            return f"{error}: {sql!r}"
        if not self.connection.in_transaction:
            return f"the statement ended the transaction: {sql!r}"
        if expected is not None and rows != expected:
            return f"{rows} rows instead of {expected}: {sql!r}"
        return None


def read_shapes(connection: sqlite3.Connection) -> dict[int, WorkflowShape]:
    """Every workflow in the file, by number."""
    ids: dict[int, dict[str, int]] = {}
    for number, workflow, name in connection.execute("SELECT id, workflow, name FROM treadle_stages"):
        ids.setdefault(workflow, {})[name] = number
    rows = connection.execute("SELECT id, name, fingerprint, shape FROM treadle_workflows ORDER BY id").fetchall()
    return {row[0]: shape_from_row(row[0], row[1], row[2], row[3], ids.get(row[0], {})) for row in rows}
