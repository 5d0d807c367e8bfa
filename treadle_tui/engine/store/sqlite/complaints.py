"""What SQLite or the system refuses, as one of our errors: what, where, what to do. By the driver's error code, not by its words."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from treadle_tui.engine.errors import StoreCorrupt, StoreError, StoreLocked, TreadleError

_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_PRIMARY = 0xFF
"""The low byte of an extended code is what went wrong; the rest says where."""
FILES_OF_A_DATABASE = 4
"""The file, its log, the index of that, and the lock."""


def sentence_of(error: sqlite3.Error, path: Path) -> TreadleError:
    """SQLite's complaint as one of ours."""
    text = str(error)
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & _PRIMARY
    if primary in _LOCKED or (primary is None and ("locked" in text or "busy" in text)):
        return StoreLocked(f"{path} is locked by another program ({text}); close it there, or try again later")
    if primary == sqlite3.SQLITE_NOTADB or "not a database" in text:
        return StoreCorrupt(f"{path} is not a SQLite database; it was left untouched; give another --db file")
    if primary == sqlite3.SQLITE_CORRUPT or "malformed" in text:
        return damaged(path, text)
    if primary == sqlite3.SQLITE_FULL or "is full" in text:
        return StoreError(f"no room is left to write {path} ({text}); free some space, nothing that was recorded is lost")
    if primary == sqlite3.SQLITE_READONLY or "readonly" in text or "read-only" in text:
        return StoreError(f"{path} cannot be written ({text}); check its permissions and its folder's")
    if primary == sqlite3.SQLITE_CANTOPEN and not _can_open_files():
        return StoreError(f"{path} cannot be opened, as too many files are open already; raise the limit (ulimit -n) and try again")
    if primary == sqlite3.SQLITE_CANTOPEN or "unable to open" in text:
        return StoreError(f"{path} cannot be opened ({text}); check that its folder exists and may be written")
    if primary == sqlite3.SQLITE_IOERR or "disk I/O" in text:
        where = getattr(error, "sqlite_errorname", "") or text
        return StoreError(
            f"the system cannot read or write {path} ({text}, {where}); check the disk, its quota and its connection,"
            " nothing that was recorded is lost"
        )
    return StoreError(f"{path}: {text}")


def _can_open_files() -> bool:
    """Whether the system lets this process open as many files as a database needs; SQLite does not say when that was the reason."""
    opened: list[int] = []
    try:
        for _ in range(FILES_OF_A_DATABASE):
            opened.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return False
    finally:
        for each in opened:
            os.close(each)
    return True


def damaged(path: Path, how: str) -> StoreCorrupt:
    """The file holds something that cannot be right."""
    return StoreCorrupt(f"{path} is damaged ({how}); restore a backup, or try `sqlite3 {path.name} .recover` on a copy")


def of_system(error: OSError | ValueError, path: Path) -> StoreError:
    """What the system says about the path itself: a name that is too long, a folder nobody may enter."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return StoreError(f"{path} cannot be used: {reason}; check the path and its folder, or give another --db file")
