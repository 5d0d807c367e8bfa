"""A disk that fails on purpose, at the driver's edge: every connection of the process refuses what it is told to refuse."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

FULL = (sqlite3.SQLITE_FULL, "SQLITE_FULL", "database or disk is full")
IO_ERROR = (sqlite3.SQLITE_IOERR_WRITE, "SQLITE_IOERR_WRITE", "disk I/O error")
READ_ONLY = (sqlite3.SQLITE_READONLY, "SQLITE_READONLY", "attempt to write a readonly database")
BUSY = (sqlite3.SQLITE_BUSY, "SQLITE_BUSY", "database is locked")
MALFORMED = (sqlite3.SQLITE_CORRUPT, "SQLITE_CORRUPT", "database disk image is malformed")

Problem = tuple[int, str, str]

WRITES = ("INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "COMMIT")


def refusal(problem: Problem) -> sqlite3.OperationalError:
    """The driver's error, with the code it would carry."""
    code, name, words = problem
    error = sqlite3.OperationalError(words)
    error.sqlite_errorcode = code
    error.sqlite_errorname = name
    return error


class Disk:
    """What the disk does at this moment; set `problem` and `hits` to change it."""

    def __init__(self) -> None:
        self.problem: Problem | None = None
        self.hits: Callable[[str], bool] = is_write
        self.refused = 0
        self.asked = 0

    def check(self, sql: str) -> None:
        """Raise when the statement meets the problem."""
        if self.problem is not None and self.hits(sql.lstrip()):
            self.refused += 1
            raise refusal(self.problem)
        self.asked += 1

    @contextmanager
    def failing(self, problem: Problem, hits: Callable[[str], bool] | None = None) -> Iterator[None]:
        """The problem is there meanwhile."""
        self.hits = hits or is_write
        self.problem = problem
        try:
            yield
        finally:
            self.problem = None


def is_write(sql: str) -> bool:
    """Whether a statement writes, or commits what was written."""
    return sql.startswith(WRITES)


def records_an_attempt(sql: str) -> bool:
    """Whether a statement writes down how an attempt ended."""
    return (sql.startswith("INSERT") and "treadle_attempts" in sql) or (sql.startswith("UPDATE treadle_tasks") and "completed_at" in sql)


def begins(*words: str) -> Callable[[str], bool]:
    """Statements that begin so."""
    return lambda sql: sql.startswith(words)


@contextmanager
def failing_disk() -> Iterator[Disk]:
    """Every SQLite connection that is opened meanwhile lies on this disk."""
    disk = Disk()

    class OnDisk(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            disk.check(sql)
            return super().execute(sql, *arguments)

        def executemany(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            disk.check(sql)
            return super().executemany(sql, *arguments)

    connect = sqlite3.connect

    def connect_on_disk(*arguments: Any, **keywords: Any) -> sqlite3.Connection:
        return connect(*arguments, **{"factory": OnDisk, **keywords})

    with patch("sqlite3.connect", connect_on_disk):
        yield disk
