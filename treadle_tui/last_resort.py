"""Ends the program when its orderly end hangs, with the terminal's own settings put back.

Textual writes through a thread that ends at the first failed write: when the terminal has gone (a closed window, a lost ssh), or
does not take what is written (ctrl+s), the program would wait for ever to say goodbye to it.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from typing import Any


class LastResort:
    """Made before the screen takes the terminal over."""

    def __init__(self) -> None:
        self._settings = _terminal_settings()
        self._timer: threading.Timer | None = None

    def arm(self, code: int, seconds: float) -> None:
        """End the process with this code in so many seconds, whatever hangs; the first call counts."""
        if self._timer is None:
            self._timer = threading.Timer(seconds, self._end, (code,))
            self._timer.daemon = True
            self._timer.start()

    def disarm(self) -> None:
        """The program has come to its end by itself."""
        if self._timer is not None:
            self._timer.cancel()

    def _end(self, code: int) -> None:
        _restore(self._settings)
        os._exit(code)


def _terminal_settings() -> Any:
    try:
        termios: Any = importlib.import_module("termios")  # Windows has none
        return termios.tcgetattr(sys.stdin.fileno())
    except Exception:  # nor has everybody a terminal: there is nothing to put back
        return None


def _restore(settings: Any) -> None:
    if settings is None:
        return
    try:
        termios: Any = importlib.import_module("termios")
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, settings)
    except Exception:  # the terminal has gone, and that is why we are here
        pass
