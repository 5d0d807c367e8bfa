"""What the file named by `--db` is, found out before anything could change it.

The file is looked at through SQLite, never opened by hand: closing a hand-opened descriptor would drop the locks of a connection
in the same process.
"""

from __future__ import annotations

import os
import sys
from enum import Enum
from pathlib import Path
from urllib.parse import quote

from treadle_tui.cli.failures import BadInput, OperationFailed


class Kind(str, Enum):
    """What a database file is to us."""

    #: There is no such file.
    MISSING = "missing"
    #: A file without any table.
    EMPTY = "empty"
    #: It has our tables.
    OURS = "ours"
    #: A database of another program's, without our tables.
    FOREIGN = "foreign"


def kind_of(path: Path) -> Kind:
    """What the file is. It is left as it was.

    Raises:
        BadInput: a folder, a file that is no SQLite database, or one in a folder that does not exist.
    """
    if str(path) == ":memory:":
        return Kind.MISSING
    if path.is_dir():
        raise BadInput(f"{path} is a folder; name a file in it, for example {path / 'work.db'}")
    if not path.exists():
        _check_folder(path)
        return Kind.MISSING
    tables = _look(path)[0]
    if not tables:
        return Kind.EMPTY
    return Kind.OURS if any(name.startswith(OUR_PREFIX) for name in tables) else Kind.FOREIGN


def require_existing(path: Path) -> None:
    """For verbs that only read, or that change what is there already.

    Raises:
        BadInput: there is nothing of ours to read.
    """
    kind = kind_of(path)
    if kind is Kind.MISSING:
        raise BadInput(f"there is no database {path}; `treadle-tui --db {path} add WORKFLOW` makes one")
    if kind is not Kind.OURS:
        raise BadInput(f"{path} has no work items in it; `treadle-tui --db {path} add WORKFLOW` adds some")


def allow_writing(path: Path) -> None:
    """For verbs that make the database, or add tables to one: asks before tables go into a database of another program's.

    Raises:
        BadInput: it is no database, or there is nobody to ask.
        OperationFailed: the answer was no.
    """
    if kind_of(path) is not Kind.FOREIGN:
        return
    tables, application_id = _look(path)
    whose = f"{path} belongs to another program (tables: {', '.join(sorted(tables)[:5])})"
    if application_id:
        raise BadInput(f"{whose}, which has signed it (application id {application_id:#010x}); it was left untouched, name another file")
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty()):
        raise BadInput(f"{whose}; run this in a terminal to be asked, or name another file")
    import click

    if not click.confirm(f"{whose}. Add the tables of Treadle to it?", err=True):
        raise OperationFailed(f"{path} was left as it was; name another file with --db")


def _check_folder(path: Path) -> None:
    folder = path.absolute().parent
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder} for {path.name}; make it first, or name another place with --db")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadInput(f"{path} cannot be made, because the folder {folder} cannot be written; name another place with --db")


def _look(path: Path) -> tuple[set[str], int]:
    """Table names and application id of an SQLite file, read without writing a byte: not even the `-wal` that a plain connection makes."""
    import sqlite3

    quiet = "&immutable=1" if not Path(f"{path}-wal").exists() else ""
    address = f"file:{quote(str(path.absolute()), safe='/:')}?mode=ro{quiet}"
    try:
        connection = sqlite3.connect(address, uri=True, timeout=5.0)
        try:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").fetchall()
            (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        raise BadInput(f"{path} cannot be read: {error}; check that it is a file you may read") from error
    except sqlite3.DatabaseError as error:
        raise BadInput(f"{path} is no SQLite database ({error}); it was left untouched, name another file with --db") from error
    return {name for (name,) in names}, application_id


OUR_PREFIX = "treadle_"
"""Every table of ours begins so, whatever the version of the file; a user's own tables may stand beside them."""
