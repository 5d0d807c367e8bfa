"""What a person is told when something cannot be done, and the number the program ends with.

One sentence on standard error: what, where, what to do. 0 it worked; 1 it did not (somebody else decided first, the database is
held); 2 the input was wrong, and the database is as it was. A traceback goes to the log file, never to the terminal.
"""

from __future__ import annotations

import errno
import sys
from pathlib import Path

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_BROKEN_PIPE = 141
"""As if SIGPIPE had ended it: who reads the output has gone, and that is no error of anybody's."""


class BadInput(Exception):
    """What was asked for cannot be meant; nothing was changed."""


class OperationFailed(Exception):
    """It was meant, and could not be done."""


def complain(sentence: str) -> None:
    """One line on standard error, safe to show whatever is in it."""
    from treadle_tui.board.safe_text import safe_line

    try:
        print(f"treadle-tui: {safe_line(sentence)}", file=sys.stderr, flush=True)
    except (OSError, AttributeError):
        pass  # standard error is closed: the exit code has to say it


def report(error: Exception, db: Path | None = None) -> int:
    """Tell about an error that ended a verb; the exit code it means."""
    known = _known(error, db)
    if known is None:
        complain(f"{_unexpected(error)}; the traceback is in {_log(error)}")
        return EXIT_FAILED
    code, sentence = known
    complain(sentence)
    return code


def _known(error: Exception, db: Path | None) -> tuple[int, str] | None:
    """Exit code and sentence of an error that is not a mistake of the program; None for one that is."""
    if isinstance(error, BadInput):
        return EXIT_BAD_INPUT, str(error)
    if isinstance(error, OperationFailed):
        return EXIT_FAILED, str(error)
    return _engine_error(error) or _database_error(error, db) or _exhausted(error) or _system_error(error)


def _engine_error(error: Exception) -> tuple[int, str] | None:
    errors = sys.modules.get("treadle_tui.engine.errors")  # not imported: then nobody can have raised one of its errors
    if errors is None or not isinstance(error, errors.TreadleError):
        return None
    failed = (errors.StoreLocked, errors.InvalidTransition, errors.ReviewConflict, errors.StageExecutionError)
    if isinstance(error, failed):
        return EXIT_FAILED, str(error)
    return EXIT_BAD_INPUT, str(error)


def _database_error(error: Exception, db: Path | None) -> tuple[int, str] | None:
    """A file or folder that SQLite may not, or cannot, write."""
    sqlite3 = sys.modules.get("sqlite3")
    if sqlite3 is None or not isinstance(error, sqlite3.Error):
        return None
    name = str(db) if db else "the database"
    said = str(error)
    if "readonly" in said or "read-only" in said:
        return EXIT_BAD_INPUT, f"{name} cannot be written: {said}; make the file and its folder writable, or copy them elsewhere"
    if "unable to open" in said:
        return EXIT_BAD_INPUT, f"{name} cannot be opened: {said}; check that its folder exists and that you may write there"
    if "disk is full" in said or "disk I/O" in said:
        return EXIT_BAD_INPUT, f"{name} cannot be written: {said}; make room where it lies, and run the same command again"
    return EXIT_FAILED, f"{name}: {said}"


def _exhausted(error: Exception) -> tuple[int, str] | None:
    """What the system gives out by the number, and has no more of for this program."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return EXIT_FAILED, f"{error.strerror}; raise the limit (ulimit -n), or close other programs, and run the same command again"
    if isinstance(error, MemoryError) or (type(error) is RuntimeError and "start new thread" in str(error)):
        what = "memory" if isinstance(error, MemoryError) else "threads, or memory for them"
        return EXIT_FAILED, f"the system gives no more {what}; raise the limit (ulimit -v, -u), and run the same command again"
    return None


def unwritable_output(error: Exception) -> int:
    """Tell that standard output takes no more, on a full disk for example; the exit code it means."""
    reason = error.strerror if isinstance(error, OSError) else None
    complain(f"standard output cannot be written: {reason or error}")
    return EXIT_FAILED


def _system_error(error: Exception) -> tuple[int, str] | None:
    if not isinstance(error, OSError):
        return None
    if error.errno == errno.ENOSPC and not error.filename:  # a stream, and something may have been written
        return EXIT_FAILED, f"{error.strerror}; make room, and run the same command again"
    where = f"{error.filename}: " if error.filename else ""
    wrong = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENOSPC, errno.ENAMETOOLONG)
    return (EXIT_BAD_INPUT if error.errno in wrong else EXIT_FAILED), f"{where}{error.strerror or error}"


def _unexpected(error: Exception) -> str:
    said = " ".join(str(error).split())
    return f"unexpected {type(error).__name__}: {said}" if said else f"unexpected {type(error).__name__}"


def _log(error: Exception) -> str:
    """Write the traceback to the log file; where that is, in words."""
    import traceback
    from datetime import datetime

    from treadle_tui.cli.paths import log_file

    path = log_file()
    lines = "".join(traceback.format_exception(error))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"{datetime.now().astimezone().isoformat(timespec='seconds')} {' '.join(sys.argv)}\n{lines}\n")
    except OSError as failed:
        return f"no log, because {path} cannot be written ({failed.strerror or failed})"
    return str(path)
