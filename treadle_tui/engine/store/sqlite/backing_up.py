"""A copy of a database while it is in use: consistent, complete, and in place either wholly or not at all.

The copy is read in one read transaction, so writers go on (a WAL keeps what the reader sees), and SQLite's backup need not begin
again when somebody writes. It is written under another name, forced to the disk, and only then given its own.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from treadle_tui.engine.errors import StoreError
from treadle_tui.engine.store.sqlite.addresses import Stillness, address
from treadle_tui.engine.store.sqlite.complaints import sentence_of
from treadle_tui.engine.store.sqlite.file_modes import set_rights
from treadle_tui.engine.store.sqlite.opening import BUSY_MS

PAGES_AT_ONCE = 2048
"""Between two reports of progress: 8 MiB at the usual page size."""

Report = Callable[[int, int], None]


def back_up(path: Path, target: Path, *, overwrite: bool = False, report: Report | None = None) -> int:
    """Copy the database `path` to `target`, with its permissions and group; the size of the copy in bytes.

    `report` is told (pages done, pages in all). Raises: `StoreError` when the target exists, is the database itself, or cannot be
    written; nothing is left behind then.
    """
    _check_target(path, target, overwrite)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        _make_private(partial)
        _copy(path, partial, report)
        source = path.stat()
        with suppress(OSError):  # the group of somebody else's database may not be ours to give
            set_rights(partial, stat.S_IMODE(source.st_mode) & 0o777, source.st_gid)
        _force_to_disk(partial)
        size = partial.stat().st_size
        _put_in_place(partial, target, overwrite)
    except sqlite3.Error as error:
        raise sentence_of(error, target) from error
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror or error}; name another file") from error
    finally:
        for leftover in (partial, *(partial.with_name(partial.name + ending) for ending in ("-journal", "-wal", "-shm"))):
            leftover.unlink(missing_ok=True)
    return size


def _check_target(path: Path, target: Path, overwrite: bool) -> None:
    if target.is_dir():
        raise StoreError(f"{target} is a folder; name a file in it, such as {target / path.name}")
    if not target.absolute().parent.is_dir():
        raise StoreError(f"the folder {target.absolute().parent} does not exist; make it first, or name another file")
    if target.exists() and target.samefile(path):
        raise StoreError(f"{target} is the database itself; name another file")
    if target.exists() and not overwrite:
        raise _exists(target)
    for ending in ("-wal", "-journal"):
        beside = target.with_name(target.name + ending)
        if beside.exists():
            raise StoreError(f"{beside} would be taken for part of the copy: {target.name} is in use, or was not closed; name another file")


def _exists(target: Path) -> StoreError:
    return StoreError(f"{target} exists already and was left as it is; name another file, or overwrite it with --force")


def _make_private(partial: Path) -> None:
    partial.unlink(missing_ok=True)  # of a process that had our number, and died
    os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _copy(path: Path, partial: Path, report: Report | None) -> None:
    """Copy as the file lies while nobody has it open, which makes no file beside it; as soon as somebody has, beside them."""
    before = Stillness.of(path)
    if before is not None:
        _copy_from(path, address(path, "immutable=1"), partial, report)
        if Stillness.of(path) == before:
            return
        _make_private(partial)
    _copy_from(path, address(path), partial, report)


def _copy_from(path: Path, place: str, partial: Path, report: Report | None) -> None:
    with closing(_opened(path, place)) as source, closing(sqlite3.connect(partial, isolation_level=None)) as copy:
        copy.execute("PRAGMA journal_mode=OFF")
        copy.execute("PRAGMA synchronous=OFF")  # forced to the disk as a whole, at the end

        def progress(status: int, remaining: int, total: int) -> None:
            if report is not None:
                report(total - remaining, total)

        source.backup(copy, pages=PAGES_AT_ONCE, progress=progress)


def _opened(path: Path, place: str) -> sqlite3.Connection:
    """A connection in a read transaction: without one the copy would begin again with every commit of others."""
    try:
        source = sqlite3.connect(place, uri=True, isolation_level=None, timeout=BUSY_MS / 1000)
        try:
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except BaseException:
            source.close()
            raise
    except sqlite3.Error as error:
        raise sentence_of(error, path) from error
    return source


def _force_to_disk(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY if file.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put_in_place(partial: Path, target: Path, overwrite: bool) -> None:
    if overwrite:
        os.replace(partial, target)
    else:
        try:
            os.link(partial, target)  # unlike a rename, it refuses a file that has come into being meanwhile
        except FileExistsError:
            raise _exists(target) from None
        except OSError:  # a file system without links
            if target.exists():
                raise _exists(target) from None
            os.replace(partial, target)
    if sys.platform != "win32":
        _force_to_disk(target.absolute().parent)
