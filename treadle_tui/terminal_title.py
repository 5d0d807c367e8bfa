"""The title of the terminal: how many reviews wait, for who works in another window. Put back as it was at the end.

Terminals keep titles on a stack (xterm's window operations 22 and 23); those that have none ignore it, and keep ours.
"""

from __future__ import annotations

from collections.abc import Callable

_KEEP, _PUT_BACK = "\x1b[22;2t", "\x1b[23;2t"


class TerminalTitle:
    """Says "(12) treadle". `write` sends to the terminal what is no text for the screen."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._shown = ""

    def show(self, waiting: int) -> None:
        """Say how many reviews wait; writes only what is new."""
        title = f"({waiting}) treadle" if waiting else "treadle"
        if title != self._shown:
            self._write(("" if self._shown else _KEEP) + f"\x1b]2;{title}\x07")
            self._shown = title

    def put_back(self) -> None:
        """Leave the title that stood there before."""
        if self._shown:
            self._write(f"\x1b]2;\x07{_PUT_BACK}")
            self._shown = ""
