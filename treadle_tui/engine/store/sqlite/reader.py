"""Read-only connections: every statement of a question is one hop, and no transaction is held across an `await`."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiosqlite

from treadle_tui.engine.errors import StoreError
from treadle_tui.engine.store.sqlite.columns import Question
from treadle_tui.engine.store.sqlite.complaints import sentence_of
from treadle_tui.engine.store.sqlite.opening import BUSY_MS

T = TypeVar("T")

IDLE_CONNECTIONS = 4
"""Kept open for the next question."""
_CACHE_KB = 512
"""Of each: what is asked again and again is small, and behind it stands the system's own cache of the file."""


class Reader:
    """Answers SQL from any event loop of the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: list[aiosqlite.Connection] = []
        self._guard = threading.Lock()
        self._is_closed = False

    def check_open(self) -> None:
        """Raise `StoreError` once `close` has been called."""
        if self._is_closed:
            raise StoreError("the store is closed; open it again")

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of one statement."""
        connection = await self._take()
        try:
            rows = await connection.execute_fetchall(sql, parameters)
        except sqlite3.Error as error:
            await connection.close()
            raise sentence_of(error, self.path) from error
        except BaseException:  # nobody waits for the answer any more: do not work on it
            await connection.interrupt()
            await connection.close()
            raise
        await self._give_back(connection)
        return list(rows)

    async def ask(self, question: Question[T]) -> T:
        """The answer to a question; each of its statements is one hop."""
        try:
            statement = next(question)
            while True:
                statement = question.send(await self.fetch(*statement))
        except StopIteration as end:
            answer: T = end.value
            return answer

    async def _take(self) -> aiosqlite.Connection:
        with self._guard:
            self.check_open()
            if self._idle:
                return self._idle.pop()
        try:
            connection = await aiosqlite.connect(
                f"file:{quote(str(self.path.absolute()))}?mode=ro", uri=True, isolation_level=None, timeout=BUSY_MS / 1000
            )
            await connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
            return connection
        except sqlite3.Error as error:
            raise sentence_of(error, self.path) from error

    async def _give_back(self, connection: aiosqlite.Connection) -> None:
        with self._guard:
            if not self._is_closed and len(self._idle) < IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        await connection.close()

    async def close(self) -> None:
        """Close what is idle; a question under way closes its own connection."""
        with self._guard:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            with contextlib.suppress(sqlite3.Error):
                await connection.close()
