"""How a verb reads and adds rows of a SQLite file: items, tasks, attempts and memos."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from treadle_tui.engine.codec import decode_json, encode_json
from treadle_tui.engine.store.results import Situation, Standing
from treadle_tui.engine.store.rows import Attempt, Item, Row, Task
from treadle_tui.engine.store.sqlite.columns import TASK_COLUMNS, item_from_row, task_from_row, unpack
from treadle_tui.engine.store.sqlite.folding import ATTEMPT, ATTEMPTS, IS_FOLDED, UNFOLD_ITEM, UNFOLD_SUBTASKS
from treadle_tui.engine.store.sqlite.row_cache import RowCache
from treadle_tui.engine.store.sqlite.rowwise import execute_rows

_TASK_SELECT = f"SELECT {', '.join(TASK_COLUMNS)}, {IS_FOLDED}, detail FROM treadle_tasks"
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


class RowAccess(RowCache):
    """Rows by their keys."""

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
        self.changed(row)
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
        self.flush_attempts(item, stage)
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
        self.flush_attempts()
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
