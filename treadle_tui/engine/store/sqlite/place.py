"""Whether the file that is open is still the one of its name.

SQLite goes on writing to a file that was removed, and deletes a `-wal` by its name when it closes: what is recorded would be gone, or
the log of a database that has taken the place of ours. So every batch begins with two questions to the system.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

from treadle_tui.engine.errors import StoreError

Identity = tuple[int, int]


class LogGone(Exception):
    """The `-wal` was removed while it was in use, and nobody has written to the file since: what is in it can still be saved."""


class Place:
    """The file and its write-ahead log, as they were when they were opened. Belongs to the writer's thread."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._log_path = f"{path}-wal"
        self._file: Identity | None = None
        self._log: Identity | None = None
        self._changed_at = 0

    def remember(self) -> None:
        """This is it, from now on."""
        self._file, self._changed_at = _identity(self._path)
        self._log = None

    def remember_change(self) -> None:
        """We have just copied the log into the file ourselves."""
        self._changed_at = _identity(self._path)[1]

    def check(self) -> None:
        """Raises `StoreError` when the file of this name is gone or another one, `LogGone` when only its log is gone."""
        found, changed_at = _identity(self._path)
        if found != self._file:
            raise StoreError(self._sentence(found))
        log = _identity(self._log_path)[0]
        if self._log is None:
            self._log = log
        elif log is None and changed_at == self._changed_at:
            raise LogGone
        elif log != self._log:
            raise StoreError(
                f"{self._log_path} was removed or replaced while it was in use, so nothing is written any more, and the newest changes"
                f" may be missing; stop every program that has {self._path} open, and start again"
            )
        self._changed_at = changed_at

    def _sentence(self, found: Identity | None) -> str:
        if found is None:
            return (
                f"{self._path} is gone: it, or its folder, was moved or removed while it was in use; put it back,"
                " nothing is recorded until then"
            )
        return f"{self._path} was replaced by another file while it was in use, so nothing is written to it; start again"

    @property
    def is_taken(self) -> bool:
        """Whether something else lies here under our names, which closing our connection could harm."""
        file, log = _identity(self._path)[0], _identity(self._log_path)[0]
        return (self._file is not None and file not in (None, self._file)) or (self._log is not None and log not in (None, self._log))


def _identity(path: str) -> tuple[Identity | None, int]:
    """Which file has this name, and when its content was last changed."""
    try:
        found = os.stat(path)
    except OSError:
        return None, 0
    return (found.st_dev, found.st_ino), found.st_mtime_ns


def leave_open(connection: sqlite3.Connection) -> None:
    """Let go of a connection without closing it, for the rest of the process's life: closing deletes the `-wal` of that name."""
    threading.Thread(target=_hold, args=(connection,), name="treadle abandoned connection", daemon=True).start()


def _hold(connection: sqlite3.Connection) -> None:
    threading.Event().wait()
    del connection
