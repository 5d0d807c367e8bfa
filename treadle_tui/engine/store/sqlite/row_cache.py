"""Rows of a SQLite file that have been read, and those that have changed since.

Rows are loaded once and kept for as long as nobody else writes to the file (`PRAGMA data_version` tells); changed ones are written
back many at once, before the commit or before a question that needs them. All of it happens on the writer's thread.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Collection, Iterable, Sequence
from operator import attrgetter
from typing import Any

from treadle_tui.engine.store.rows import Attempt, Item, Row, Task, TaskKey
from treadle_tui.engine.store.sqlite.columns import TASK_COLUMNS
from treadle_tui.engine.store.sqlite.folding import UNFOLD
from treadle_tui.engine.store.sqlite.rowwise import execute_rows
from treadle_tui.engine.store.unit import Unit

BIG_OUTPUT = 64 * 1024
"""Bytes above which an output is kept compressed, under its hash, in a table of its own."""
_TASK_WRITE = f"INSERT OR REPLACE INTO treadle_tasks ({', '.join(TASK_COLUMNS)}, detail) VALUES {{rows}}"
_task_values = attrgetter(*TASK_COLUMNS)
_ITEM_WRITE = "INSERT INTO treadle_items (key, id, workflow, data, priority, created_at, flags, open_stages) VALUES {rows}"
_ATTEMPT_WRITE = "INSERT OR REPLACE INTO treadle_attempts VALUES {rows}"


class BatchLost(Exception):
    """The transaction cannot go on as it is; everything in it must be done again, this verb by itself."""


class RowCache(Unit):
    """What is known of the rows, and what is still to be written."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__()
        self.connection = connection
        self._items: dict[int, Item] = {}
        self._item_keys: dict[str, int] = {}
        self._tasks: dict[TaskKey, Task] = {}
        self._attempts: dict[tuple[int, int, int, int], Attempt] = {}
        self._dirty: dict[int, Row] = {}
        self._new: dict[int, Row] = {}
        self._doomed: list[Row] = []
        self._unwritten_subtasks: set[tuple[int, int]] = set()
        """Stages (item, stage) of which a subtask has changed since it was written."""
        self._are_attempts_unwritten = False
        self._folded: set[TaskKey] = set()
        """Of the tasks read, those whose row is also their first attempt's; see `folding`."""
        self._whole_items: set[int] = set()
        """Items whose every stage-level row is in `_tasks`."""
        self._last_item = 0
        self._has_written = False

    def forget(self) -> None:
        """Let go of every cached row."""
        for cache in (self._whole_items, self._items, self._item_keys, self._tasks, self._attempts, self._folded, self._dirty, self._new):
            cache.clear()
        self._doomed.clear()
        self._look_at_unwritten()

    def note_written(self) -> None:
        """What is written now cannot be taken back by itself."""
        self._has_written = True

    def forget_tasks(self, keys: Iterable[TaskKey]) -> None:
        """Let go of the cached rows of tasks, flushed before, that are changed by SQL."""
        for key in keys:
            if self._tasks.pop(key, None) is not None:
                self._whole_items.discard(key[0])

    def forget_items(self, keys: Collection[int]) -> None:
        """Let go of the cached rows of items, flushed before, that are changed by SQL; see `forget_tasks` for those of their stages."""
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
        if isinstance(row, Attempt):
            self._are_attempts_unwritten = True
        elif isinstance(row, Task) and row.sub:
            self._unwritten_subtasks.add((row.item, row.stage))

    def _look_at_unwritten(self) -> None:
        self._unwritten_subtasks.clear()
        self._are_attempts_unwritten = False
        for row in self._dirty.values():
            if isinstance(row, Attempt):
                self._are_attempts_unwritten = True
            elif isinstance(row, Task) and row.sub:
                self._unwritten_subtasks.add((row.item, row.stage))

    def _undo_edit(self, row: Row, values: tuple[Any, ...]) -> None:
        super()._undo_edit(row, values)
        if id(row) not in self._new:
            self.changed(row)

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
        self._look_at_unwritten()

    def flush_attempts(self, item: int | None = None, stage: int | None = None) -> None:
        """Write changed rows if attempts, or subtasks of that stage, are among them.

        A verb may ask for the history of a thousand tasks that it changes one after the other; `flush` writes all of them each time.
        """
        if self._doomed or self._are_attempts_unwritten or (item, stage) in self._unwritten_subtasks:
            self.flush()

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
