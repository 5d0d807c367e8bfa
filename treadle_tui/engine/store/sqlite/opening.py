"""Opening the file: what is refused, what is created, what is migrated.

A refused file is left untouched. The file is never opened by hand while a connection may be open: closing it would drop SQLite's
own locks.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from pathlib import Path

from treadle_tui.engine.errors import StoreCorrupt, StoreError, StoreLocked, StoreTooNew, TreadleError
from treadle_tui.engine.store.sqlite.schema import APPLICATION_ID, MIGRATIONS, VERSION, expected_tables, tables_of

BUSY_MS = 10_000
"""How long SQLite itself waits for somebody else's lock."""
JOURNAL_LIMIT = 64 * 1024 * 1024
"""Bytes the WAL file keeps after a checkpoint."""


def sentence_of(error: sqlite3.Error, path: Path) -> TreadleError:
    """SQLite's complaint as one of ours, with what to do."""
    text = str(error)
    if "locked" in text or "busy" in text:
        return StoreLocked(f"{path} is locked by another program ({text}); close it there, or try again later")
    if "not a database" in text:
        return StoreCorrupt(f"{path} is not a SQLite database; it was left untouched; give another --db file")
    if "malformed" in text or "disk image" in text:
        return StoreCorrupt(f"{path} is damaged ({text}); restore a backup, or try `sqlite3 {path.name} .recover` on a copy")
    if "full" in text:
        return StoreError(f"no room is left to write {path} ({text}); free some space, nothing that was recorded is lost")
    if "readonly" in text or "read-only" in text:
        return StoreError(f"{path} cannot be written ({text}); check its permissions and its folder's")
    if "unable to open" in text:
        return StoreError(f"{path} cannot be opened ({text}); check that its folder exists and may be written")
    return StoreError(f"{path}: {text}")


def prepare_file(path: Path) -> int:
    """Make sure a file is there, a new one readable by its owner only; its permissions.

    Raises: `StoreError` for a folder, a missing folder, a folder that cannot be written.
    """
    if path.is_dir():
        raise StoreError(f"{path} is a folder; name a file in it, such as {path / 'work.db'}")
    if not path.parent.is_dir():
        raise StoreError(f"the folder {path.parent} does not exist; create it, or give another --db file")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise StoreError(f"{path} cannot be created: {error.strerror}; check the folder's permissions and free space") from error
    return 0o600


def connect(path: Path, *, synchronous: str) -> sqlite3.Connection:
    """The writer's connection; nothing is written yet."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000, cached_statements=256)
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    return connection


def check_ours(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether our tables are there. Raises `StoreCorrupt` or `StoreTooNew` for what must not be touched."""
    identity = connection.execute("PRAGMA application_id").fetchone()[0]
    if identity not in (0, APPLICATION_ID):
        raise StoreCorrupt(
            f"{path} belongs to another program (application id {identity:#010x}); it was left untouched; give another --db file"
        )
    found = tables_of(connection)
    if not found:
        return False
    version = _version(connection, found)
    if version > VERSION:
        raise StoreTooNew(f"{path} was written by a newer version (format {version}, this one knows {VERSION}); update treadle-tui")
    if version == VERSION and found != {**found, **expected_tables()}:
        different = sorted(name for name, columns in expected_tables().items() if found.get(name) != columns)
        raise StoreCorrupt(
            f"{path} has tables of our names in another shape ({', '.join(different[:3])}); it was left untouched; give another --db file"
        )
    return version == VERSION


def _version(connection: sqlite3.Connection, found: dict[str, list[str]]) -> int:
    if "treadle_migrations" not in found or "treadle_meta" not in found:
        return VERSION if "treadle_migrations" in found else _foreign(found)
    try:
        return int(connection.execute("SELECT coalesce(max(number), 0) FROM treadle_migrations").fetchone()[0])
    except sqlite3.OperationalError:
        return VERSION


def _foreign(found: dict[str, list[str]]) -> int:
    """Tables of our names without our bookkeeping: compared, and found different, as the newest version."""
    return VERSION


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file to the newest version, each step with its record in one transaction."""
    is_new = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise StoreError(f"{path} cannot use a write-ahead log (it stays in {mode!r} mode); network file systems are not supported")
    applied = 0
    if "treadle_migrations" in tables_of(connection):
        applied = connection.execute("SELECT coalesce(max(number), 0) FROM treadle_migrations").fetchone()[0]
    for number, (name, step) in enumerate(MIGRATIONS[applied:], start=applied + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            step(connection)
            connection.execute("INSERT INTO treadle_migrations VALUES (?, ?, ?)", (number, name, int(time.time() * 1000)))
            if is_new and number == 1:
                connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    connection.execute(f"PRAGMA journal_size_limit={JOURNAL_LIMIT}")
