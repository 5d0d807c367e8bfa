"""Where tracebacks go: a file in the platform's place for logs. The screen shows sentences."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime
from pathlib import Path

_MOST_BYTES = 2_000_000
log = logging.getLogger("treadle_tui")
ENGINE_LOG = "treadle"
"""Under which the engine and the stores log."""


def log_place() -> Path:
    """The log file; it may not exist yet."""
    from treadle_tui.cli.paths import log_file

    return log_file()


def log_failure(what: str, error: BaseException | None) -> None:
    """Write an exception with its traceback; a log that cannot be written is no further failure."""
    lines = "".join(traceback.format_exception(error)) if error is not None else ""
    write_log(f"{what}\n{lines}")


def write_log(text: str) -> None:
    """Append to the log; when it has grown too long it begins anew, the old one kept beside it."""
    path = log_place()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > _MOST_BYTES:
            path.replace(path.with_suffix(".old.log"))
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{datetime.now(UTC).astimezone().isoformat(timespec='seconds')} {text}\n")
    except OSError:
        pass  # a full or read-only disk: the sentence on the screen has to do


class FileHandler(logging.Handler):
    """Sends the program's own log records to the log file."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record with its traceback."""
        write_log(self.format(record))


def log_to_file() -> None:
    """Have everything the program and its engine log from now on written to the file and nowhere else: standard error is the screen."""
    for logger in (log, logging.getLogger(ENGINE_LOG)):
        if not any(isinstance(handler, FileHandler) for handler in logger.handlers):
            logger.addHandler(FileHandler())
            logger.propagate = False
