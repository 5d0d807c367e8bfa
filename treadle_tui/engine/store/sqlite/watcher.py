"""Notices what other processes commit: `PRAGMA data_version` on a connection of its own, which costs microseconds."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import threading
import time
from pathlib import Path
from urllib.parse import quote

from treadle_tui.engine.store.commits import CommitNews

BUSY_SECONDS = 0.1
"""Between looks while others are at work."""
IDLE_SECONDS = 1.0
"""Between looks while nothing happens."""
BUSY_FOR = 10.0
"""Seconds after a change for which others count as being at work."""


class Watcher:
    """A thread that wakes those who wait when somebody else has committed. Looks only while somebody waits."""

    def __init__(self, path: Path, news: CommitNews) -> None:
        self._path = path
        self._news = news
        self._stop = threading.Event()
        self._busy_until = 0.0
        self.sees_others = False
        """Whether a worker of another process has a row, as of the last look."""
        self._here = (socket.gethostname(), os.getpid())
        self._thread = threading.Thread(target=self._run, name="treadle-watcher", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()

    def join(self) -> None:
        """Wait for the thread's end."""
        if self._thread.ident is not None:
            self._thread.join(timeout=5)

    def stir(self) -> None:
        """Something happened here: look often for a while."""
        self._busy_until = time.monotonic() + BUSY_FOR

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        seen = -1
        while not self._stop.wait(self.pause_seconds):
            if not self._news.is_awaited:
                continue
            try:
                connection = connection or self._open()
                seen = self._look(connection, seen)
            except sqlite3.Error:
                # A moment in which the file cannot be read passes; what is wrong for good is said by the next verb or read.
                _close(connection)
                connection, seen = None, -1
        _close(connection)

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{quote(str(self._path.absolute()))}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)

    @property
    def pause_seconds(self) -> float:
        """Until the next look."""
        return BUSY_SECONDS if self.sees_others or time.monotonic() < self._busy_until else IDLE_SECONDS

    def _look(self, connection: sqlite3.Connection, seen: int) -> int:
        version = int(connection.execute("PRAGMA data_version").fetchone()[0])
        if version != seen:
            last = connection.execute("SELECT value FROM treadle_meta WHERE key = 'last_seq'").fetchone()
            others = "SELECT EXISTS (SELECT 1 FROM treadle_workers WHERE NOT (host = ? AND pid = ?))"
            self.sees_others = bool(connection.execute(others, self._here).fetchone()[0])
            if last is not None and last[0] > self._news.last_seq:
                self.stir()
                self._news.wake(last[0])
        return version


def _close(connection: sqlite3.Connection | None) -> None:
    if connection is not None:
        with contextlib.suppress(sqlite3.Error):
            connection.close()
