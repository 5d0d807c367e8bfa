"""How fast the demonstration's stages work: at once while its past is made up, as in life on the screen, or not at all for a picture."""

from __future__ import annotations

import asyncio
from typing import Protocol


class MovableClock(Protocol):
    """A clock that moves when it is told to."""

    def advance(self, seconds: float) -> None:
        """Move the time on."""
        ...


class Pace:
    """Asked by every stage for its time."""

    def __init__(self) -> None:
        self._clock: MovableClock | None = None
        self._is_held = False

    def follow(self, clock: MovableClock) -> None:
        """Work takes no time of ours from now on, but time of that clock."""
        self._clock = clock

    def go_on(self, *, is_held: bool = False) -> None:
        """Work takes the time it takes from now on; `is_held`: it begins, and never ends."""
        self._clock, self._is_held = None, is_held

    async def work(self, seconds: float) -> None:
        """Return when the work is done."""
        if self._clock is not None:
            self._clock.advance(seconds)
            await asyncio.sleep(0)
        elif self._is_held:
            await asyncio.Event().wait()
        else:
            await asyncio.sleep(seconds)
