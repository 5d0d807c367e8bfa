"""When the write-ahead log is copied into the database, so that it stays small whoever reads meanwhile.

A passive checkpoint waits for nobody, and after a whole one the next commit begins the log anew, unless somebody reads at that very
moment. With readers all the time that moment may never come; then, once the log is large, a checkpoint waits a little for those who read
what is old: a read is short, so they are soon gone, and those who come later read from the database itself.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from treadle_tui.engine.store.sqlite.opening import BUSY_MS

CHECKPOINT_BYTES = 4 * 1024 * 1024
"""How much the log grows between two checkpoints."""
LARGE_BYTES = 8 * CHECKPOINT_BYTES
"""From here on a checkpoint waits for readers."""
PATIENCE_MS = 50
"""How long: several times an ordinary read, and too short to be noticed by who waits for a commit."""
REST = 19
"""After having waited in vain it is not tried again for so many times as long: at most a twentieth of the writer's time is lost."""


class Checkpoints:
    """The policy of one writer."""

    def __init__(self, path: Path) -> None:
        self._log = f"{path}-wal"
        self._next_size = CHECKPOINT_BYTES
        self._last_size = 0
        self._not_before = 0.0

    def is_due(self) -> bool:
        """Whether the log has grown enough since the last time. One look at the file's size."""
        try:
            size = os.stat(self._log).st_size
        except OSError:
            return False
        if size < self._last_size:  # it has been begun anew
            self._next_size = CHECKPOINT_BYTES
        self._last_size = size
        return size >= self._next_size

    def run(self, connection: sqlite3.Connection) -> None:
        """Copy what can be copied. Raises: sqlite3.Error."""
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self._next_size = self._last_size + CHECKPOINT_BYTES
        now = time.monotonic()
        if self._last_size < LARGE_BYTES or now < self._not_before:
            return
        connection.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
        try:
            is_busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        if is_busy:
            self._not_before = now + (time.monotonic() - now) * (1 + REST)
            self._next_size = self._last_size  # as soon as it may be tried again
