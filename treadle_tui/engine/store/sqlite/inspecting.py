"""Looking at a file before anything may be written to it: whose its write-ahead log is, and on what kind of disk it lies.

SQLite replays whatever `-wal` lies beside a file. One that belongs to another database would be mixed into ours page by page, so our
own mark in the file is compared with the one that is seen through the log, on connections that never copy a log back.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from treadle_tui.engine.errors import StoreCorrupt, StoreError
from treadle_tui.engine.store.sqlite.complaints import damaged

CHECKED_BYTES = 8 * 1024 * 1024
"""A file up to this size is checked through when it is opened with a log beside it: after a crash, that is. Larger ones by `doctor`."""
NETWORK_TYPES = frozenset(
    {
        *("nfs", "nfs3", "nfs4", "cifs", "smb", "smbfs", "smb2", "smb3", "ncpfs", "afs", "coda", "davfs"),
        *("ceph", "lustre", "glusterfs", "beegfs", "gpfs", "pvfs2", "orangefs"),
        *("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.davfs", "fuse.davfs2", "fuse.s3fs", "fuse.gcsfuse"),
        *("fuse.rclone", "fuse.smbnetfs", "fuse.curlftpfs", "fuse.beegfs", "fuse.mfs"),
    }
)
"""File systems whose files another host may have open too, as Linux names them."""


def has_log(path: Path) -> bool:
    """Whether a write-ahead log with something in it lies beside the file."""
    try:
        return os.stat(f"{path}-wal").st_size > 0
    except OSError:
        return False


def refuse_foreign_log(path: Path) -> None:
    """Raise `StoreCorrupt` when the log beside the file belongs to another database, or what they make together is damaged.

    Call it under the writers' lock. Nothing is written: a read-only connection copies no log into the file, not even at its end.
    """
    for _ in range(3):  # somebody else may be copying the log at this moment
        alone = _mark(path, "immutable=1")
        if alone is None or alone == _mark(path, "mode=ro"):
            break
    else:
        raise StoreCorrupt(
            f"{path}-wal belongs to another database, so {path} was left untouched; move {path.name}-wal and {path.name}-shm away"
            " from it, or put back the files that belong together"
        )
    if os.stat(path).st_size <= CHECKED_BYTES:
        _check_through(path)


def _mark(path: Path, how: str) -> str | None:
    """Our mark in the file; None where there is none. Raises `sqlite3.Error` when the file cannot be read at all."""
    try:
        with contextlib.closing(connect_to_read(path, how)) as connection:
            row = connection.execute("SELECT value FROM treadle_meta WHERE key = 'store_id'").fetchone()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _UNREADABLE:
            return None
        raise
    return None if row is None else str(row[0])


_UNREADABLE = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA}
"""Codes of files that have other contents; the first is what a missing table gives."""


def _check_through(path: Path) -> None:
    with contextlib.closing(connect_to_read(path, "mode=ro")) as connection:
        (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        raise damaged(path, " ".join(str(said).split()))


def connect_to_read(path: Path, how: str = "mode=ro") -> sqlite3.Connection:
    """A connection that changes nothing: it copies no log into the file either."""
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?{how}", uri=True, isolation_level=None, timeout=10.0)


def refuse_network(path: Path, mounts: Path = Path("/proc/mounts")) -> None:
    """Raise `StoreError` when the file would lie on a network file system.

    Processes that share a write-ahead log share memory too, so they must be on one host; on a network file system SQLite promises
    nothing (sqlite.org, "Write-Ahead Logging", section 1), and a file that two hosts write is damaged without a word.
    """
    kind = file_system_of(path, mounts)
    if kind in NETWORK_TYPES:
        raise StoreError(
            f"{path} would lie on a network file system ({kind}), where SQLite cannot protect it; name a file on a disk of this"
            " computer, and keep copies of it on the network"
        )


def file_system_of(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The kind of file system a file lies on, as Linux names it; "" where the system does not tell."""
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ""
    wanted = os.path.realpath(path)
    longest, kind = -1, ""
    for fields in (line.split(" ") for line in lines):
        if len(fields) < 3:
            continue
        point = _unescaped(fields[1])
        inside = wanted == point or wanted.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= longest:  # of two mounts on one place the later one is on top
            longest, kind = len(point), fields[2]
    return kind


def _unescaped(point: str) -> str:
    """Blanks and their like are written as octal numbers in the list of mounts."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(code, character)
    return point
