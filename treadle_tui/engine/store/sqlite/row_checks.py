"""What must be true of the rows of a database, asked by SQL: each check says what is not, and what would put it right.

The same statements find rows to be repaired (`repairs`), so that what is told is what is done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping

from treadle_tui.engine.store.rows import (
    AWAITING_REVIEW,
    CANCELLED,
    COMPLETED,
    FAILED,
    FANNED_OUT,
    PAUSED,
    PENDING,
    READY,
    READY_BUT_PAUSED,
    RETRY_WAIT,
    RUNNING,
    SKIPPED,
    STATES,
)
from treadle_tui.engine.store.shape import WorkflowShape
from treadle_tui.engine.store.sqlite.finding import Finding, Repair, some

_SATISFIED = f"({COMPLETED}, {SKIPPED})"
_ENDED = f"({COMPLETED}, {SKIPPED}, {FAILED}, {CANCELLED})"
Shapes = Mapping[int, WorkflowShape]
Check = Callable[[sqlite3.Connection, Shapes], Iterator[Finding]]

OF_ITEMS = ("tasks", "attempts", "memos", "subs", "events", "baselines", "outbox", "jottings", "decisions")
"""Tables whose rows are about an item."""


def orphans_of(table: str) -> str:
    """The condition on rows whose item does not exist."""
    return f"item IS NOT NULL AND item NOT IN (SELECT key FROM treadle_items) /* {table} */"


LONELY_SUBTASKS = (
    "sub > 0 AND NOT EXISTS"
    " (SELECT 1 FROM treadle_tasks s WHERE s.item = treadle_tasks.item AND s.stage = treadle_tasks.stage AND s.sub = 0)"
)
UNUSED_BLOBS = "hash NOT IN (SELECT output FROM treadle_attempts WHERE typeof(output) = 'text')"


def orphans(connection: sqlite3.Connection, shapes: Shapes) -> Iterator[Finding]:
    """Rows about something that does not exist."""
    for table in OF_ITEMS:
        (count,) = connection.execute(f"SELECT count(*) FROM treadle_{table} WHERE {orphans_of(table)}").fetchone()
        if count:
            yield Finding("orphans", f"{count:,} rows in treadle_{table} are about items that do not exist", True, Repair.ORPHANS, count)
    (count,) = connection.execute(f"SELECT count(*) FROM treadle_tasks WHERE {LONELY_SUBTASKS}").fetchone()
    if count:
        yield Finding("orphans", f"{count:,} subtasks belong to stages that have not begun", True, Repair.ORPHANS, count)
    (count,) = connection.execute(f"SELECT count(*) FROM treadle_blobs WHERE {UNUSED_BLOBS}").fetchone()
    if count:
        yield Finding("blobs", f"{count:,} large outputs are kept that no attempt has", True, Repair.BLOBS, count)
    missing = connection.execute(
        "SELECT DISTINCT i.id FROM treadle_attempts a JOIN treadle_items i ON i.key = a.item"
        " WHERE typeof(a.output) = 'text' AND a.output NOT IN (SELECT hash FROM treadle_blobs)"
    ).fetchall()
    if missing:
        ids = some([row[0] for row in missing], len(missing))
        yield Finding(
            "lost outputs", f"large outputs of {len(missing):,} items are missing ({ids}); restore a backup", True, None, len(missing)
        )


WRONG_SUBTASK_COUNTS = (
    "SELECT * FROM (SELECT t.item, t.stage,"
    " (SELECT count(*) FROM treadle_tasks s WHERE s.item = t.item AND s.stage = t.stage AND s.sub > 0) AS right_subs,"
    f" (SELECT count(*) FROM treadle_tasks s WHERE s.item = t.item AND s.stage = t.stage AND s.sub > 0 AND s.state NOT IN {_ENDED})"
    " AS right_open,"
    " (SELECT count(*) FROM treadle_tasks s WHERE s.item = t.item AND s.stage = t.stage AND s.sub > 0"
    f" AND s.state IN ({FAILED}, {CANCELLED})) AS right_failed,"
    " t.subs, t.open_subs, t.failed_subs FROM treadle_tasks t WHERE t.sub = 0 AND (t.phase > 0 OR t.subs > 0))"
    " WHERE subs <> right_subs OR open_subs <> right_open OR failed_subs <> right_failed"
)


def wrong_open_stages(shape: WorkflowShape) -> tuple[str, tuple[int, ...]]:
    """Items of a workflow whose number of open stages is not right: rows (item, right number)."""
    live = ", ".join(str(stage.id) for stage in shape.stages) or "-1"
    gone = ", ".join(str(stage.id) for stage in shape.removed) or "-1"
    rows = "SELECT count(*) FROM treadle_tasks t WHERE t.item = i.key AND t.sub = 0"
    return (
        f"SELECT key, right FROM (SELECT i.key, i.open_stages, {len(shape.stages)}"
        f" - ({rows} AND t.stage IN ({live}) AND t.state IN {_SATISFIED})"
        f" + ({rows} AND t.stage IN ({gone}) AND t.state NOT IN {_SATISFIED})"
        " AS right FROM treadle_items i WHERE i.workflow = ?) WHERE open_stages <> right",
        (shape.id,),
    )


def wrong_open_deps(shape: WorkflowShape) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Pending stages whose number of open dependencies is not right: rows (item, stage, right number)."""
    for stage in shape.stages:
        above = ", ".join(map(str, stage.dependencies)) or "-1"
        satisfied = f"d.sub = 0 AND d.stage IN ({above}) AND d.state IN {_SATISFIED}"
        yield (
            f"SELECT item, stage, right FROM (SELECT t.item, t.stage, t.open_deps, {len(stage.dependencies)}"
            f" - (SELECT count(*) FROM treadle_tasks d WHERE d.item = t.item AND {satisfied})"
            f" AS right FROM treadle_tasks t WHERE t.stage = ? AND t.sub = 0 AND t.state = {PENDING}) WHERE open_deps <> right",
            (stage.id,),
        )


def counters(connection: sqlite3.Connection, shapes: Shapes) -> Iterator[Finding]:
    """Numbers in rows that other rows say otherwise."""
    count = len(connection.execute(WRONG_SUBTASK_COUNTS).fetchall())
    if count:
        yield Finding("subtask counters", f"{count:,} stages count their subtasks wrongly", True, Repair.COUNTERS, count)
    for shape in shapes.values():
        stages = len(connection.execute(*wrong_open_stages(shape)).fetchall())
        if stages:
            sentence = f"{stages:,} items of {shape.name!r} count their open stages wrongly"
            yield Finding("stage counters", sentence, True, Repair.COUNTERS, stages)
        for statement in wrong_open_deps(shape):
            found = len(connection.execute(*statement).fetchall())
            if found:
                name = shape.by_id[statement[1][0]].name
                sentence = f"stage {name!r} of {found:,} items counts what it waits for wrongly, so it may start too early, or never"
                yield Finding("dependency counters", sentence, True, Repair.COUNTERS, found)


def live_stages(shapes: Shapes) -> str:
    """Numbers of the stages that workflows have, for SQL."""
    return ", ".join(str(stage.id) for shape in shapes.values() for stage in shape.stages) or "-1"


def stuck(shapes: Shapes) -> dict[str, str]:
    """Conditions on rows `t` of items `i` that nothing would ever move, or that would move though they must not, by what is wrong."""
    waits_for_subtasks = f"(t.phase = {FANNED_OUT} AND t.open_subs > 0)"
    stage = "(SELECT {} FROM treadle_tasks s WHERE s.item = t.item AND s.stage = t.stage AND s.sub = 0)"
    live = f"t.stage IN ({live_stages(shapes)})"
    return {
        "could start, and would never be started": (
            f"{live} AND t.state = {PENDING} AND t.ready = 0 AND t.worker IS NULL AND t.due_at IS NULL AND"
            f" ((t.sub = 0 AND t.open_deps <= 0 AND NOT {waits_for_subtasks}) OR (t.sub > 0 AND {stage.format('state')} = {RUNNING}))"
        ),
        "are running, and nobody runs them": (
            f"t.state = {RUNNING} AND t.worker IS NULL AND t.ready = 0 AND NOT (t.sub = 0 AND {waits_for_subtasks})"
        ),
        "wait to be tried again, and no time is set": f"t.state = {RETRY_WAIT} AND t.ready = 0 AND t.due_at IS NULL",
        "are held by an engine, and are not running": f"t.worker IS NOT NULL AND t.state <> {RUNNING}",
        "have ended or wait for a person, and would be started again": (
            f"t.ready <> 0 AND t.state IN ({AWAITING_REVIEW}, {COMPLETED}, {SKIPPED}, {FAILED}, {CANCELLED})"
        ),
        "would start though their item is paused": f"t.ready = {READY} AND i.flags & {PAUSED}",
        "are kept back though their item is not paused": f"t.ready = {READY_BUT_PAUSED} AND NOT i.flags & {PAUSED}",
    }


def readiness(connection: sqlite3.Connection, shapes: Shapes) -> Iterator[Finding]:
    """Rows that are stuck."""
    for what, condition in stuck(shapes).items():
        rows = connection.execute(
            "SELECT i.id || ' › ' || s.name || coalesce('/' || t.name, '') FROM treadle_tasks t JOIN treadle_items i ON i.key = t.item"
            f" JOIN treadle_stages s ON s.id = t.stage WHERE {condition}"
        ).fetchall()
        if rows:
            names = some([row[0] for row in rows], len(rows))
            yield Finding("stuck", f"{len(rows):,} stages or subtasks {what}: {names}", True, Repair.READINESS, len(rows))
    for shape in shapes.values():
        rows = [row for stage in shape.stages for row in connection.execute(*unbegun(shape, stage.id)).fetchall()]
        if rows:
            names = some([f"{id} › {shape.by_id[stage].name}" for _, stage, id in rows], len(rows))
            sentence = f"{len(rows):,} stages could start, and there is no row that says so: {names}"
            yield Finding("stuck", sentence, True, Repair.READINESS, len(rows))


def unbegun(shape: WorkflowShape, stage: int) -> tuple[str, tuple[int, ...]]:
    """Items that have no row for a stage all of whose dependencies are satisfied: rows (item, stage, id)."""
    dependencies = shape.by_id[stage].dependencies
    above = ", ".join(map(str, dependencies)) or "-1"
    return (
        f"SELECT i.key, {stage}, i.id FROM treadle_items i WHERE i.workflow = ? AND NOT EXISTS"
        " (SELECT 1 FROM treadle_tasks t WHERE t.item = i.key AND t.stage = ? AND t.sub = 0) AND"
        f" (SELECT count(*) FROM treadle_tasks d WHERE d.item = i.key AND d.sub = 0 AND d.stage IN ({above}) AND d.state IN {_SATISFIED})"
        f" = {len(dependencies)}",
        (shape.id, stage),
    )


def right_totals(connection: sqlite3.Connection, shapes: Shapes) -> dict[tuple[int, int, int], int]:
    """How many stages and subtasks are in each state, by (stage, is subtask, state); counted."""
    found: dict[tuple[int, int, int], int] = {
        (stage, is_subtask, state): count
        for stage, is_subtask, state, count in connection.execute(
            "SELECT stage, sub > 0, state, count(*) FROM treadle_tasks GROUP BY stage, sub > 0, state"
        )
    }
    items = dict(connection.execute("SELECT workflow, count(*) FROM treadle_items GROUP BY workflow").fetchall())
    for shape in shapes.values():
        for stage in shape.stages:
            with_row = sum(count for (number, is_subtask, _), count in found.items() if number == stage.id and not is_subtask)
            without = items.get(shape.id, 0) - with_row
            if without:
                found[stage.id, 0, PENDING] = found.get((stage.id, 0, PENDING), 0) + without
    return found


def totals(connection: sqlite3.Connection, shapes: Shapes) -> Iterator[Finding]:
    """Kept totals that are not what there is."""
    kept = {row[:3]: row[3] for row in connection.execute("SELECT stage, is_subtask, state, n FROM treadle_counts WHERE n <> 0")}
    right = right_totals(connection, shapes)
    names = {stage.id: stage.name for shape in shapes.values() for stage in shape.every}
    wrong = sorted(key for key in {*kept, *right} if kept.get(key, 0) != right.get(key, 0))
    if wrong:
        told = [
            f"{names.get(stage, stage)}: {kept.get((stage, is_subtask, state), 0)} {'subtasks ' if is_subtask else ''}counted as"
            f" {STATES[state].word}, {right.get((stage, is_subtask, state), 0)} are"
            for stage, is_subtask, state in wrong
        ]
        yield Finding("totals", f"{len(wrong):,} kept totals are wrong ({some(told, len(wrong))})", True, Repair.TOTALS, len(wrong))


def numbers(connection: sqlite3.Connection, shapes: Shapes) -> Iterator[Finding]:
    """A number of the newest event that is older than the newest event: the next one would not find a place."""
    last, newest = connection.execute(
        "SELECT (SELECT value FROM treadle_meta WHERE key = 'last_seq'), (SELECT coalesce(max(seq), 0) FROM treadle_events)"
    ).fetchone()
    if last < newest:
        yield Finding("numbers", f"the newest event has the number {newest}, and {last} is remembered as the newest", True, Repair.NUMBERS)


JSON_COLUMNS = (
    ("items", "data", "i.id", "JOIN treadle_items i ON i.key = x.key"),
    ("tasks", "detail", "i.id", "JOIN treadle_items i ON i.key = x.item"),
    ("attempts", "detail", "i.id", "JOIN treadle_items i ON i.key = x.item"),
    ("attempts", "output", "i.id", "JOIN treadle_items i ON i.key = x.item"),
    ("events", "data", "x.seq", ""),
)


def contents(connection: sqlite3.Connection, shapes: Shapes) -> Iterator[Finding]:
    """Values that are no JSON."""
    for table, column, name, join in JSON_COLUMNS:
        rows = connection.execute(
            f"SELECT {name} FROM treadle_{table} x {join}"
            f" WHERE x.{column} IS NOT NULL AND typeof(x.{column}) = 'blob' AND NOT json_valid(CAST(x.{column} AS TEXT))"
        ).fetchall()
        if rows:
            names = some([str(row[0]) for row in rows], len(rows))
            sentence = f"{len(rows):,} values in treadle_{table}.{column} cannot be read ({names}); restore a backup"
            yield Finding("contents", sentence, True, None, len(rows))


CHECKS: tuple[Check, ...] = (orphans, counters, readiness, totals, numbers, contents)
