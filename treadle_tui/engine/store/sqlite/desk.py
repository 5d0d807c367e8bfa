"""Held decisions, jottings and the log of decisions in a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from treadle_tui.engine.codec import encode_json
from treadle_tui.engine.desk import DecisionRecord, HeldDecision, Jotting
from treadle_tui.engine.store import desk_views
from treadle_tui.engine.store.desk_rows import DecisionRow, DeskRows, HeldRow, JottingRow
from treadle_tui.engine.store.sqlite.columns import Question
from treadle_tui.engine.store.sqlite.reader import Reader

_HELD = "o.id, o.session, o.reviewer, o.host, o.pid, o.pid_start, o.item, o.stage, o.subtask, o.version, o.decision, o.made_at, o.problem"
_JOTTING = "j.item, j.stage, j.subtask, j.reviewer, j.kind, j.version, j.at, j.until, j.text"
_DECISION = "d.number, d.at, d.item, d.stage, d.sub, d.subtask, d.attempt, d.decision, d.is_undone"
_NAMES = "JOIN treadle_items i ON i.key = {0}.item JOIN treadle_stages s ON s.id = {0}.stage JOIN treadle_workflows w ON w.id = i.workflow"


class SqliteDesk(DeskRows):
    """The three tables, on the writer's connection. The log's new lines are written together, at the commit."""

    def __init__(
        self, connection: sqlite3.Connection, undo_with: Callable[[Callable[[], object]], None], has_written: Callable[[], None]
    ) -> None:
        """`has_written` is called before the database is changed past what can be taken back alone."""
        self._connection = connection
        self._undo_with = undo_with
        self._has_written = has_written
        self._new_decisions: list[DecisionRow] = []

    def _many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            self._has_written()
            self._connection.executemany(sql, rows)

    def insert_held(self, rows: Sequence[HeldRow]) -> list[int]:
        self._has_written()
        sql = "INSERT INTO treadle_outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        last = self._connection.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'treadle_outbox'").fetchone()[0]
        numbered = [row._replace(id=last + place) for place, row in enumerate(rows, 1)]
        self._many(sql, numbered)
        return [row.id for row in numbered]

    def held(self, ids: Sequence[int]) -> list[HeldRow]:
        listed = encode_json(list(ids)).decode()
        rows = self._connection.execute(
            f"SELECT {_HELD} FROM json_each(?) e JOIN treadle_outbox o ON o.id = e.value ORDER BY e.key", (listed,)
        )
        return [HeldRow(*row) for row in rows]

    def delete_held(self, ids: Sequence[int]) -> None:
        self._many("DELETE FROM treadle_outbox WHERE id = ?", [(id,) for id in ids])

    def set_problem(self, id: int, problem: str) -> None:
        self._many("UPDATE treadle_outbox SET problem = ? WHERE id = ?", [(problem, id)])

    def adopt_held(self, ids: Sequence[int], session: str, host: str, pid: int, pid_start: str) -> None:
        sql = "UPDATE treadle_outbox SET session = ?, host = ?, pid = ?, pid_start = ? WHERE id = ?"
        self._many(sql, [(session, host, pid, pid_start, id) for id in ids])

    def save_jottings(self, rows: Sequence[JottingRow]) -> None:
        self._many("INSERT OR REPLACE INTO treadle_jottings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def delete_jottings(self, reviewer: str, kind: str | None = None, item: int = 0, stage: int = 0, subtask: str = "") -> None:
        values: list[Any] = [reviewer] if kind is None else [reviewer, kind]
        sql = "DELETE FROM treadle_jottings WHERE reviewer = ?"
        if kind is not None:
            sql += " AND kind = ?"
        if item:
            sql += " AND item = ? AND stage = ? AND subtask = ?"
            values += [item, stage, subtask]
        self._has_written()
        self._connection.execute(sql, values)

    def insert_decision(self, row: DecisionRow) -> None:
        self._new_decisions.append(row)
        self._undo_with(self._new_decisions.pop)

    def flush(self) -> None:
        """Write the log's new lines."""
        if self._new_decisions:
            self._connection.executemany(
                "INSERT INTO treadle_decisions VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", [r[1:] for r in self._new_decisions]
            )
            self._new_decisions.clear()

    def forget(self) -> None:
        """The transaction was taken back as a whole."""
        self._new_decisions.clear()

    def undo_decision(self, item: int, stage: int, sub: int) -> None:
        self._has_written()
        self.flush()
        self._connection.execute(
            "UPDATE treadle_decisions SET is_undone = 1 WHERE number ="
            " (SELECT max(number) FROM treadle_decisions WHERE item = ? AND stage = ? AND sub = ?)",
            (item, stage, sub),
        )


def decision_batch(after: int, limit: int, workflow: str | None) -> Question[list[DecisionRecord]]:
    """The log of decisions after the line of that number, oldest first."""
    rows = yield (
        f"SELECT {_DECISION}, w.name, i.id, s.name FROM treadle_decisions d {_NAMES.format('d')}"
        " WHERE d.number > ? AND (? IS NULL OR w.name = ?) ORDER BY d.number LIMIT ?",
        (after, workflow, workflow, limit),
    )
    return [desk_views.decision_record(DecisionRow(*row[:-3]), *row[-3:]) for row in rows]


class SqliteDeskReads:
    """The reads of `DeskReads`, over a `Reader`."""

    _reader: Reader

    async def held_decisions(self) -> list[HeldDecision]:
        """Every decision that is held, or could not be recorded, oldest first."""
        rows = await self._reader.fetch(f"SELECT {_HELD}, w.name, i.id, s.name FROM treadle_outbox o {_NAMES.format('o')} ORDER BY o.id")
        return [desk_views.held_decision(HeldRow(*row[:-3]), *row[-3:]) for row in rows]

    async def jottings(self, reviewer: str | None = None) -> list[Jotting]:
        """What reviewers keep about reviews, of one of them or of all."""
        rows = await self._reader.fetch(
            f"SELECT {_JOTTING}, i.id, s.name FROM treadle_jottings j {_NAMES.format('j')} WHERE ? IS NULL OR j.reviewer = ?",
            (reviewer, reviewer),
        )
        return [desk_views.jotting(JottingRow(*row[:-2]), *row[-2:]) for row in rows]

    async def decisions(self, *, before: int | None = None, limit: int = 200, workflow: str | None = None) -> list[DecisionRecord]:
        """The log of decisions, newest first."""
        rows = await self._reader.fetch(
            f"SELECT {_DECISION}, w.name, i.id, s.name FROM treadle_decisions d {_NAMES.format('d')}"
            " WHERE d.number < ? AND (? IS NULL OR w.name = ?) ORDER BY d.number DESC LIMIT ?",
            (2**62 if before is None else before, workflow, workflow, limit),
        )
        return [desk_views.decision_record(DecisionRow(*row[:-3]), *row[-3:]) for row in rows]
