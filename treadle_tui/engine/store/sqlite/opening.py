"""Opening the file: what is refused, what is created, what is migrated.

A refused file is left untouched. The file is never opened by hand while a connection may be open: closing it would drop SQLite's
own locks.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from pathlib import Path

from treadle_tui.engine.errors import StoreCorrupt, StoreError, StoreTooNew
from treadle_tui.engine.store.sqlite.complaints import of_system
from treadle_tui.engine.store.sqlite.schema import APPLICATION_ID, MIGRATIONS, VERSION, expected_tables, tables_of

BUSY_MS = 10_000
"""How long SQLite itself waits for somebody else's lock."""
JOURNAL_LIMIT = 1024 * 1024
"""Bytes the WAL file keeps when it is begun anew: its size then tells how much of it is new (`checkpoints`)."""


def prepare_file(path: Path) -> tuple[int, bool]:
    """Make sure a file is there, a new one readable by its owner only; its permissions, and whether it is new.

    Raises: `StoreError` for a folder, a missing folder, a folder that cannot be written.
    """
    try:
        if path.is_dir():
            raise StoreError(f"{path} is a folder; name a file in it, such as {path / 'work.db'}")
        if not path.parent.is_dir():
            raise StoreError(f"the folder {path.parent} does not exist; create it, or give another --db file")
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return stat.S_IMODE(path.stat().st_mode), False
        except OSError as error:
            raise StoreError(f"{path} cannot be created: {error.strerror}; check the folder's permissions and free space") from error
    except (OSError, ValueError) as error:
        raise of_system(error, path) from error
    return 0o600, True


def remove_new(path: Path) -> None:
    """Take away a database that could not be made; call it under the writers' lock."""
    for suffix in ("-wal", "-shm", "-journal", ""):
        with contextlib.suppress(OSError):
            os.unlink(f"{path}{suffix}")


def connect(path: Path, *, synchronous: str) -> sqlite3.Connection:
    """The writer's connection; nothing is written yet."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000, cached_statements=256)
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute(f"PRAGMA journal_size_limit={JOURNAL_LIMIT}")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    return connection


def check_ours(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether our tables are there. Raises `StoreCorrupt` or `StoreTooNew` for what must not be touched."""
    _check_identity(connection, path)
    found = tables_of(connection)
    if not found:
        return False
    version = _version(connection, found)
    if not _is_current(version, path):
        return False
    if found != {**found, **expected_tables()}:
        different = sorted(name for name, columns in expected_tables().items() if found.get(name) != columns)
        raise StoreCorrupt(
            f"{path} has tables of our names in another shape ({', '.join(different[:3])}); it was left untouched; give another --db file"
        )
    return True


def check_version(connection: sqlite3.Connection, path: Path) -> bool:
    """`check_ours` without a look at each table, which takes a millisecond and more: for who finds out by asking them."""
    _check_identity(connection, path)
    try:
        version = int(connection.execute("SELECT coalesce(max(number), 0) FROM treadle_migrations").fetchone()[0])
    except sqlite3.OperationalError as error:
        if "no such" not in str(error):
            raise
        return check_ours(connection, path)
    return _is_current(version, path)


def _check_identity(connection: sqlite3.Connection, path: Path) -> None:
    identity = connection.execute("PRAGMA application_id").fetchone()[0]
    if identity not in (0, APPLICATION_ID):
        raise StoreCorrupt(
            f"{path} belongs to another program (application id {identity:#010x}); it was left untouched; give another --db file"
        )


def _is_current(version: int, path: Path) -> bool:
    if version > VERSION:
        raise StoreTooNew(f"{path} was written by a newer version (format {version}, this one knows {VERSION}); update treadle-tui")
    return version == VERSION


def _version(connection: sqlite3.Connection, found: dict[str, list[str]]) -> int:
    if "treadle_migrations" not in found or "treadle_meta" not in found:
        return VERSION if "treadle_migrations" in found else _foreign(found)
    try:
        return int(connection.execute("SELECT coalesce(max(number), 0) FROM treadle_migrations").fetchone()[0])
    except (sqlite3.OperationalError, ValueError):
        return VERSION


def _foreign(found: dict[str, list[str]]) -> int:
    """Tables of our names without our bookkeeping: compared, and found different, as the newest version."""
    return VERSION


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file to the newest version, each step with its record in one transaction."""
    is_new = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if is_new:  # only then: later the whole file would have to be rewritten
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise StoreError(f"{path} cannot use a write-ahead log (it stays in {mode!r} mode); network file systems are not supported")
    is_ours_from_now_on = not tables_of(connection)
    while _migrate_one_step(connection, is_new):
        pass
    if is_ours_from_now_on:
        # From now on the file itself says whose it is, whatever log lies beside it one day.
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


def _migrate_one_step(connection: sqlite3.Connection, is_new: bool) -> bool:
    """Apply the next step with its record, in one transaction; False when there is none. Another process may be doing the same."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        applied = 0
        if "treadle_migrations" in tables_of(connection):
            applied = connection.execute("SELECT coalesce(max(number), 0) FROM treadle_migrations").fetchone()[0]
        for name, step in MIGRATIONS[applied : applied + 1]:
            step(connection)
            connection.execute("INSERT INTO treadle_migrations VALUES (?, ?, ?)", (applied + 1, name, int(time.time() * 1000)))
            if is_new and applied == 0:
                connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return applied < len(MIGRATIONS)
