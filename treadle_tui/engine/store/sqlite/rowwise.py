"""Many rows by few statements: one `VALUES` list of up to 256 rows a statement.

`executemany` lets go of the interpreter lock at every row, and must wait for it again at every row while the engine's loop is busy;
a statement of many rows lets go of it once, so that SQLite works beside the loop. Measured: `docs/performance.md`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any

_SIZES = (256, 32, 4, 1)
"""Rows of one statement; few different ones, so that each is prepared once."""

_WORTH_A_TABLE = 16
"""Rows from which on a table in memory pays: it costs about 90 µs, and saves about 5 for each row."""


@cache
def _statement(template: str, columns: int, rows: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return template.replace("{rows}", ", ".join([row] * rows))


def _cursors(connection: sqlite3.Connection, template: str, rows: Sequence[Sequence[Any]]) -> Iterator[sqlite3.Cursor]:
    at = 0
    for size in _SIZES:
        sql = None
        while len(rows) - at >= size:
            sql = sql or _statement(template, len(rows[0]), size)
            part = rows if size == len(rows) else rows[at : at + size]
            yield connection.execute(sql, tuple(chain.from_iterable(part)))
            at += size


def execute_rows(connection: sqlite3.Connection, template: str, rows: Sequence[Sequence[Any]]) -> None:
    """Execute `template`, its "{rows}" replaced by rows of values, until all rows are through."""
    for _ in _cursors(connection, template, rows):
        pass


def update_rows(connection: sqlite3.Connection, template: str, one: str, rows: Sequence[Sequence[Any]]) -> None:
    """As `execute_rows`, for a template that makes SQLite build a table in memory: for a few rows, `one` for each is quicker."""
    if len(rows) < _WORTH_A_TABLE:
        connection.executemany(one, rows)
    else:
        execute_rows(connection, template, rows)


def select_rows(connection: sqlite3.Connection, template: str, rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """What a SELECT gives, its "{rows}" replaced by rows of values."""
    return [found for cursor in _cursors(connection, template, rows) for found in cursor.fetchall()]
