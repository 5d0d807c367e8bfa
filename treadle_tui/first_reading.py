"""Reads the first rows before anything is drawn, so that the first frame can have them; in a thread, so that it need not wait for them.

Begun earlier, beside the imports, it would cost more than it saves: two threads that import take turns on one interpreter.
"""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle_tui.first_page import FirstPage


class FirstReading:
    """One reading of a file, from the moment this is made."""

    def __init__(self, db: Path, state_folder: Path | None) -> None:
        """`state_folder`: where it is kept how the board was left."""
        self._db = db
        self._state_folder = state_folder
        self._page: FirstPage | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="treadle first page", daemon=True)
        self._thread.start()

    def has_ended(self, seconds: float = 0.0) -> bool:
        """Whether it is through, or is within so many seconds."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def page(self) -> FirstPage | None:
        """What was read, once it has been; None when there is nothing to show so soon. Raises what the reading has raised."""
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        return self._page

    def _run(self) -> None:
        try:
            self._page = self._read()
        except BaseException as error:
            self._failure = error

    def _read(self) -> FirstPage | None:
        if not self._db.exists():
            return None
        from treadle_tui.first_page import read_first_page
        from treadle_tui.view_memory import ViewMemory

        return read_first_page(self._db, ViewMemory(self._state_folder, self._db).read(), shutil.get_terminal_size().lines)
