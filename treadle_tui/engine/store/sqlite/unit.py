"""One transaction on a SQLite file, as the verbs see it: its beginning and its end, and the questions that find rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from treadle_tui.engine.codec import encode_json
from treadle_tui.engine.store.results import Statement
from treadle_tui.engine.store.rows import Hold, StoredEvent, Task, Worker
from treadle_tui.engine.store.shape import WorkflowShape
from treadle_tui.engine.store.sqlite.columns import PLACE, shape_from_row
from treadle_tui.engine.store.sqlite.desk import SqliteDesk
from treadle_tui.engine.store.sqlite.retention import SqliteRetention
from treadle_tui.engine.store.sqlite.row_access import RowAccess
from treadle_tui.engine.store.sqlite.row_cache import BatchLost
from treadle_tui.engine.store.sqlite.rowwise import execute_rows
from treadle_tui.engine.store.statements import Guard

CACHED_ROWS = 10_000
"""Items, tasks and attempts kept between transactions; beyond that all are let go and read again when asked for."""
_EVENT_WRITE = "INSERT INTO treadle_events VALUES {rows}"
_COUNT_WRITE = "INSERT INTO treadle_counts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n"


class SqliteUnit(RowAccess):
    """One transaction on the writer's connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.last_seq = 0
        self.desk: SqliteDesk = SqliteDesk(connection, self.undo_with, self.note_written)
        self.retention: SqliteRetention = SqliteRetention(self)
        self.store_id = ""
        self.failed_statements: dict[str, str] = {}
        """SQL that ended a transaction → what it said: not run again when the transaction is repeated."""
        self._data_version = -1
        self._shapes: dict[int, WorkflowShape] = {}

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
        super().forget()
        self.desk.forget()

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

    def _changed_rows(self) -> int:
        """How many rows the last INSERT, UPDATE or DELETE changed, those of triggers not counted."""
        rows: int = self.connection.execute("SELECT changes()").fetchone()[0]
        return rows

    def _run_statement(self, sql: str, parameters: Any, expected: int | None, guard: Guard) -> str | None:
        before = self.connection.total_changes
        try:
            cursor = self.connection.execute(sql, parameters)
            rows = len(cursor.fetchall())
            if cursor.rowcount >= 0:
                rows = cursor.rowcount
            elif cursor.description is None:  # the driver does not count what begins with WITH
                rows = self._changed_rows() if self.connection.total_changes > before else 0
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
