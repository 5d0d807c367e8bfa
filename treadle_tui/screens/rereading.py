"""Reads what a screen shows again when it is told that something has changed: one reading at a time, with rests between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from textual.screen import Screen

from treadle_tui.engine.errors import TreadleError

#: After a reading that took its time, the rest is so many times as long.
_REST = 3


class Rereading:
    """One screen's reading. Nothing runs while nothing is due."""

    def __init__(self, screen: Screen[None], read: Callable[[], Awaitable[None]], say: Callable[[str], None], least_seconds: float) -> None:
        """`least_seconds` lie between two readings. A reading that fails is told with `say`, in its sentence."""
        self._screen = screen
        self._read = read
        self._say = say
        self._least = least_seconds
        self._is_due = False
        self._is_running = False

    def due(self) -> None:
        """Read, now or as soon as the last reading and the rest behind it are over."""
        self._is_due = True
        if not self._is_running and self._screen.is_attached:
            self._is_running = True
            self._screen.run_worker(self._run(), group="rereading", exit_on_error=True)

    async def _run(self) -> None:
        try:
            while self._is_due:
                self._is_due = False
                began = time.monotonic()
                try:
                    await self._read()
                except TreadleError as error:
                    self._say(str(error))
                spent = time.monotonic() - began
                await asyncio.sleep(max(self._least - spent, spent * _REST))
        finally:
            self._is_running = False
