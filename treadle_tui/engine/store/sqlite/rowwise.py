"""Many rows by few statements: one `VALUES` list of up to 256 rows a statement.

`executemany` lets go of the interpreter lock at every row, and must wait for it again at every row while the engine's loop is busy;
a statement of many rows lets go of it once, so that SQLite works beside the loop. Measured: `docs/performance.md`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

_SIZES = (256, 32, 4, 1)
"""Rows of one statement; few different ones, so that each is prepared once."""


@cache
def _statement(template: str, columns: int, rows: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return template.replace("{rows}", ", ".join([row] * rows))


def execute_rows(connection: sqlite3.Connection, template: str, rows: Sequence[Sequence[Any]], before: tuple[Any, ...] = ()) -> int:
    """Execute `template`, its "{rows}" replaced by rows of values, until all rows are through; how many rows it changed, or counted.

    `before` are the parameters that come ahead of the rows, in every statement. A SELECT must give one number; those are added up.
    """
    if not rows:
        return 0
    columns, at, total = len(rows[0]), 0, 0
    for size in _SIZES:
        sql = None
        while len(rows) - at >= size:
            sql = sql or _statement(template, columns, size)
            part = rows if size == len(rows) else rows[at : at + size]
            cursor = connection.execute(sql, (*before, *chain.from_iterable(part)))
            total += cursor.rowcount if cursor.description is None else cursor.fetchone()[0]
            at += size
    return total
