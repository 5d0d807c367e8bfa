"""A look at the file without an engine, an event loop or a thread: plain `sqlite3`, for verbs that only read and for the first page.

Whatever happens, the file stays as it was: nothing is created, migrated or locked for writing. What a store would refuse to open is
refused here too, in the same words.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from treadle_tui.engine.store.sqlite.columns import Question
from treadle_tui.engine.store.sqlite.complaints import sentence_of
from treadle_tui.engine.store.sqlite.opening import BUSY_MS, check_ours, check_version
from treadle_tui.engine.store.sqlite.questions import Questions

T = TypeVar("T")


class FileReading:
    """An open look: `with FileReading(path) as file: file.ask(file.questions.counts())`. Use it in one thread."""

    def __init__(self, path: Path, patience_seconds: float = BUSY_MS / 1000) -> None:
        """`patience_seconds`: how long somebody else's lock is waited for."""
        self.path = path
        self._patience_seconds = patience_seconds
        self.questions = Questions()
        self.is_current = True
        """Whether the tables are those of this version; an older file can only be read once a store has brought it up to date."""
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> FileReading:
        """Open the file, which must exist.

        Raises: `StoreCorrupt` for what is no database, or not ours; `StoreTooNew`; `StoreLocked`; `StoreError`.
        """
        try:
            self._connection = sqlite3.connect(
                address_for_reading(self.path), uri=True, isolation_level=None, timeout=self._patience_seconds
            )
            self._connection.execute("PRAGMA query_only=ON")
            self.is_current = check_version(self._connection, self.path)
        except sqlite3.Error as error:
            self.close()
            raise sentence_of(error, self.path) from error
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; may be called again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ask(self, question: Question[T]) -> T:
        """The answer to a question, all of it from one moment of the file."""
        assert self._connection is not None, "only an open look answers"
        try:
            self._connection.execute("BEGIN")
            try:
                return self._answer(question)
            finally:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            if "no such" in str(error):
                check_ours(self._connection, self.path)  # tables of our names in another shape: says which
            raise sentence_of(error, self.path) from error

    def _answer(self, question: Question[T]) -> T:
        try:
            statement = next(question)
            while True:
                statement = question.send(self._fetch(*statement))
        except StopIteration as end:
            answer: T = end.value
            return answer

    def _fetch(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        assert self._connection is not None
        return self._connection.execute(sql, parameters).fetchall()


def address_for_reading(path: Path) -> str:
    """The URI under which a look at the file leaves nothing behind.

    A read-only connection makes `-wal` and `-shm` where there are none and cannot remove them; one that may write (and is told not to)
    removes them as it closes. Where there is a `-wal`, an engine is at work or has been killed: read-only, and neither is touched.
    Where nothing can be made, the file is read as it lies.
    """
    mode = "mode=ro"
    if not Path(f"{path}-wal").exists():
        mode = "mode=rw" if os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK) else "mode=ro&immutable=1"
    return f"file:{quote(str(path.absolute()), safe='/:')}?{mode}"
