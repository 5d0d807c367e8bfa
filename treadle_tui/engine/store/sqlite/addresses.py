"""How a database is opened for reading only.

A plain `mode=ro` connection still makes `-wal` and `-shm` beside a database in WAL mode, and fails where it cannot. Where nobody has the
database open there is no `-wal`, and `immutable=1` reads the file as it lies, touching nothing. That takes no locks, so whoever reads
so must look afterwards whether somebody has come meanwhile (`Stillness`).
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from urllib.parse import quote

from treadle_tui.engine.record import Record

RECENTLY_SECONDS = 0.05
"""A file changed so short a time ago may be changed again without its time moving on: file times have the kernel's ticks."""


def address(path: Path, *options: str) -> str:
    """The URI of a database to be read only, with more options."""
    return f"file:{quote(str(path.absolute()))}?{'&'.join(('mode=ro', *options))}"


def _has_log(path: Path) -> bool:
    try:
        return os.stat(f"{path}-wal").st_size > 0
    except OSError:
        return False


class Stillness(Record, frozen=True):
    """A database that nobody has open, as it lay at one moment."""

    inode: int
    size: int
    changed_ns: int

    @classmethod
    def of(cls, path: Path) -> Stillness | None:
        """How the file lies; None when somebody has it open, or has just had it. Raises: OSError when it is not there."""
        if _has_log(path):
            return None
        status = path.stat()
        if abs(time.time() - status.st_mtime) < RECENTLY_SECONDS:
            return None
        return cls(status.st_ino, status.st_size, status.st_mtime_ns)
