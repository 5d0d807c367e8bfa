"""One advisory lock beside the database, and when it is needed.

SQLite 3.7.0 to 3.51.2 can lose committed pages of a WAL when two connections write or checkpoint at the same instant (fixed in
3.51.3, 3.50.7 and 3.44.6; sqlite.org, "WAL-reset bug"). On such a version every write transaction and every checkpoint of ours, in
every process, happens under this lock. `flock`, not `lockf`: POSIX record locks are granted twice within one process.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import time
from pathlib import Path

from treadle_tui.engine.errors import StoreError, StoreLocked

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def holder_of(descriptor: int) -> str:
    """Who holds the lock on an open file, and whether it sleeps, where Linux tells: "process 123, which is stopped,"; else ""."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        inode = str(os.fstat(descriptor).st_ino)
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == inode:
                pid = int(fields[4])
                state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
                return f"process {pid}{', which is stopped,' if state in 'Tt' else ''}"
    return ""


LOCK_SECONDS = 30.0
"""How long a writer waits for the lock."""


def is_affected(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> bool:
    """Whether this SQLite can lose committed pages of a WAL."""
    if version < (3, 7, 0) or version >= (3, 51, 3):
        return False
    return not ((3, 44, 6) <= version < (3, 45, 0) or (3, 50, 7) <= version < (3, 51, 0))


class FileLock:
    """An exclusive lock on a file of its own; one descriptor for as long as the store is open. Belongs to one thread."""

    def __init__(self, path: Path, mode: int) -> None:
        """`mode`: permissions of the file when it is new."""
        self._path = path
        self._mode = mode
        self._descriptor = self._open()

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), self._mode)
        except OSError as error:
            raise StoreError(f"cannot open the lock file {self._path}: {error.strerror}; check the folder's permissions") from error

    def acquire(self, seconds: float = LOCK_SECONDS) -> None:
        """Wait for the lock. Raises `StoreLocked` when somebody holds it for so long."""
        deadline = time.monotonic() + seconds
        pause = 0.0005
        while not self._try():
            if time.monotonic() >= deadline:
                raise StoreLocked(
                    f"{holder_of(self._descriptor) or 'another process'} has been writing for {seconds:g} seconds"
                    f" (lock file {self._path}); try again later, or end it"
                )
            time.sleep(pause)
            pause = min(pause * 2, 0.02)
        if os.fstat(self._descriptor).st_nlink == 0:  # it was removed: others lock another file of that name
            removed, self._descriptor = self._descriptor, self._open()
            os.close(removed)
            self.acquire(max(0.0, deadline - time.monotonic()))

    def remove(self) -> None:
        """Take the file away; only while holding it. Whoever waits for it finds out, and makes a new one."""
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _try(self) -> bool:
        try:
            _lock(self._descriptor)
        except OSError:
            return False
        return True

    def release(self) -> None:
        """Let the others go on."""
        _unlock(self._descriptor)

    def close(self) -> None:
        """Let go of the descriptor."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
