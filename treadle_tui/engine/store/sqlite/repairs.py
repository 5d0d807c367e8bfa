"""Puts right what an examination has found and what can be put right without losing anything: all of it in one transaction.

Call it with a copy of the file at hand (`backing_up`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from treadle_tui.engine import events as ev
from treadle_tui.engine.clock import SystemClock, to_ms
from treadle_tui.engine.store.rows import (
    AWAITING_REVIEW,
    ENDED,
    NOT_READY,
    PENDING,
    READY,
    READY_BUT_PAUSED,
    RETRY_WAIT,
    RUNNING,
    Item,
    Task,
)
from treadle_tui.engine.store.sqlite.examining import expected_indexes, standing_of
from treadle_tui.engine.store.sqlite.file_modes import match_companions
from treadle_tui.engine.store.sqlite.finding import Repair
from treadle_tui.engine.store.sqlite.row_checks import (
    LONELY_SUBTASKS,
    OF_ITEMS,
    UNUSED_BLOBS,
    WRONG_SUBTASK_COUNTS,
    orphans_of,
    right_totals,
    stuck,
    unbegun,
    wrong_open_deps,
    wrong_open_stages,
)
from treadle_tui.engine.store.sqlite.schema import PREFIX, tables_of
from treadle_tui.engine.store.sqlite.store import SqliteStateStore
from treadle_tui.engine.store.sqlite.unit import SqliteUnit
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs.claiming import reap
from treadle_tui.engine.store.verbs.moves import make_ready, move


def repair(path: Path, wanted: Sequence[Repair]) -> None:
    """Do these repairs. Raises: `StoreError` when the database cannot be opened or written; then nothing has been changed."""
    if set(wanted) - {Repair.MODES}:
        asyncio.run(_repair_rows(path, wanted))
    match_companions(path)


async def _repair_rows(path: Path, wanted: Sequence[Repair]) -> None:
    async with SqliteStateStore.open(path) as store:
        await store.change(lambda unit: repair_rows(unit, wanted), to_ms(SystemClock().now()))


def repair_rows(unit: Unit, wanted: Sequence[Repair]) -> None:
    """The repairs of rows, in the order in which they build on each other."""
    rows = cast("SqliteUnit", unit)
    for each in Repair:
        if each in wanted and each in _REPAIRS:
            rows.flush()
            rows.note_written()
            _REPAIRS[each](rows)
            rows.flush()
            rows.forget()


def _indexes(unit: SqliteUnit) -> None:
    there = {row[0] for row in unit.connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    for table in tables_of(unit.connection):
        assert table.startswith(PREFIX), "a user's own tables are not ours to touch"
        unit.connection.execute(f"REINDEX {table}")
    for name, statement in expected_indexes().items():
        if name not in there:
            unit.connection.execute(statement)


def _numbers(unit: SqliteUnit) -> None:
    (newest,) = unit.connection.execute("SELECT coalesce(max(seq), 0) FROM treadle_events").fetchone()
    unit.last_seq = max(unit.last_seq, newest)
    unit.connection.execute("UPDATE treadle_meta SET value = ? WHERE key = 'last_seq'", (unit.last_seq,))


def _orphans(unit: SqliteUnit) -> None:
    for table in OF_ITEMS:
        unit.connection.execute(f"DELETE FROM treadle_{table} WHERE {orphans_of(table)}")
    unit.connection.execute(f"DELETE FROM treadle_tasks WHERE {LONELY_SUBTASKS}")


def _blobs(unit: SqliteUnit) -> None:
    unit.connection.execute(f"DELETE FROM treadle_blobs WHERE {UNUSED_BLOBS}")


def _leases(unit: SqliteUnit) -> None:
    reap(unit, [worker.id for worker in unit.workers() if standing_of(worker.host, worker.pid, worker.pid_start) == "dead"])


def _counters(unit: SqliteUnit) -> None:
    connection = unit.connection
    for row in connection.execute(WRONG_SUBTASK_COUNTS).fetchall():
        sql = "UPDATE treadle_tasks SET subs = ?, open_subs = ?, failed_subs = ? WHERE item = ? AND stage = ? AND sub = 0"
        connection.execute(sql, (*row[2:5], *row[:2]))
    for shape in unit.shapes.values():
        for item, right in connection.execute(*wrong_open_stages(shape)).fetchall():
            connection.execute("UPDATE treadle_items SET open_stages = ? WHERE key = ?", (right, item))
        for statement in wrong_open_deps(shape):
            for item, stage, right in connection.execute(*statement).fetchall():
                connection.execute(
                    f"UPDATE treadle_tasks SET open_deps = ?1, ready = CASE WHEN ?1 > 0 THEN {NOT_READY} ELSE ready END"
                    " WHERE item = ?2 AND stage = ?3 AND sub = 0",
                    (right, item, stage),
                )


def _readiness(unit: SqliteUnit) -> None:
    for condition in stuck(unit.shapes).values():
        keys = unit.connection.execute(
            f"SELECT t.item, t.stage, t.sub FROM treadle_tasks t JOIN treadle_items i ON i.key = t.item WHERE {condition}"
        ).fetchall()
        for key in keys:
            task, item = unit.stored_task(*key), unit.item(key[0])
            if task is not None and item is not None:
                _free(unit, item, task)
        unit.flush()
    for shape in unit.shapes.values():
        for stage in shape.stages:
            for key, _, _ in unit.connection.execute(*unbegun(shape, stage.id)).fetchall():
                item = unit.item(key)
                if item is not None:
                    make_ready(unit, item, unit.fresh_task(item, stage.id, 0))
            unit.flush()


def _free(unit: Unit, item: Item, task: Task) -> None:
    """Put a row where the engine finds it, or no longer finds it."""
    unit.edit(task)
    if task.state in (AWAITING_REVIEW, *ENDED):
        task.ready = NOT_READY
        task.worker = None
    elif task.state == RUNNING:
        move(unit, item, task, PENDING)
        task.fence += 1
        unit.emit(ev.StageRecovered, task, workflow=item.workflow)
        make_ready(unit, item, task)
    elif task.worker is not None:
        task.worker = None
        task.fence += 1
    elif task.ready in (READY, READY_BUT_PAUSED):
        task.ready = READY_BUT_PAUSED if item.is_paused else READY
    else:
        assert task.state in (PENDING, RETRY_WAIT), "the other states have been dealt with"
        make_ready(unit, item, task)


def _totals(unit: SqliteUnit) -> None:
    rows = [(*key, count) for key, count in right_totals(unit.connection, unit.shapes).items()]
    unit.connection.execute("DELETE FROM treadle_counts")
    unit.connection.executemany("INSERT INTO treadle_counts VALUES (?, ?, ?, ?)", rows)
    unit.deltas.clear()  # what the repairs before this one have changed is counted already


_REPAIRS: dict[Repair, Callable[[SqliteUnit], None]] = {
    Repair.INDEXES: _indexes,
    Repair.NUMBERS: _numbers,
    Repair.ORPHANS: _orphans,
    Repair.BLOBS: _blobs,
    Repair.LEASES: _leases,
    Repair.COUNTERS: _counters,
    Repair.READINESS: _readiness,
    Repair.TOTALS: _totals,
}
