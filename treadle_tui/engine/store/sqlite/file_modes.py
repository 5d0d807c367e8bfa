"""Who may read and write a database on the disk: the files beside it are given the database's own mode and group.

SQLite makes `-wal` and `-shm` with the mode of the database, but only root's are given its group; the lock file is ours. A file that
belongs to another account is left as it is: that account keeps it right.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

COMPANIONS = ("-wal", "-shm", "-lock")
"""What stands behind the database's name in the names of the files beside it."""

_has_modes: bool = sys.platform != "win32"


def companions(path: Path) -> list[Path]:
    """The files beside the database that are there now."""
    files = [path.with_name(path.name + ending) for ending in COMPANIONS]
    return [file for file in files if file.exists()]


def unlike_the_database(path: Path) -> list[Path]:
    """The files beside the database whose permissions or group are not the database's."""
    if not _has_modes:
        return []
    wanted = path.stat()
    found = []
    for file in companions(path):
        try:
            is_alike = _rights(file.stat()) == _rights(wanted)
        except FileNotFoundError:  # the last one who had the database open has just closed it
            continue
        if not is_alike:
            found.append(file)
    return found


def _rights(status: os.stat_result) -> tuple[int, int]:
    return stat.S_IMODE(status.st_mode) & 0o777, status.st_gid


def match_companions(path: Path) -> list[Path]:
    """Give the files beside the database its permissions and its group; those that could not be given them."""
    failed = []
    for file in unlike_the_database(path):
        try:
            set_rights(file, stat.S_IMODE(path.stat().st_mode) & 0o777, path.stat().st_gid)
        except FileNotFoundError:
            continue
        except OSError:
            failed.append(file)
    return failed


def set_rights(file: Path, mode: int, group: int) -> None:
    """Set permissions and group of a file or folder, touching only what differs. Raises: OSError when that is not ours to do."""
    now = file.stat()
    if sys.platform != "win32" and now.st_gid != group:
        os.chown(file, -1, group)
    if stat.S_IMODE(file.stat().st_mode) != mode:  # a change of the group may have dropped bits
        file.chmod(mode)
