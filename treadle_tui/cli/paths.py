"""Where the program keeps what is not in the database."""

from __future__ import annotations

import os
from pathlib import Path


def log_file() -> Path:
    """The log with the tracebacks: `TREADLE_LOG`, else in the platform's place for logs. May not exist yet."""
    named = os.environ.get("TREADLE_LOG", "").strip()
    if named:
        return Path(named).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_log_dir("treadle-tui", appauthor=False)) / "treadle-tui.log"


def state_folder() -> Path:
    """What the program remembers between two starts: `TREADLE_STATE`, else in the platform's place. May not exist yet."""
    named = os.environ.get("TREADLE_STATE", "").strip()
    if named:
        return Path(named).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_state_dir("treadle-tui", appauthor=False))
