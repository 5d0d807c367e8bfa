"""Where time comes from. Delays, timeouts, durations and timestamps use a `Clock`, so tests never sleep.

Leases do not: whether another worker is alive is observed in monotonic time (`store/`), never by a wall clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(moment: datetime) -> int:
    """Integer milliseconds since 1970 UTC, the form in which every store keeps time."""
    return (moment - EPOCH) // _MILLISECOND


def from_ms(milliseconds: int) -> datetime:
    """The aware UTC datetime of stored milliseconds."""
    return EPOCH + timedelta(milliseconds=milliseconds)


class Clock(Protocol):
    """What the engine asks of time."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` have passed by this clock; at once for zero or less."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` have passed; at once for zero or less."""
        import asyncio  # who only reads times needs no event loop

        await asyncio.sleep(max(0.0, seconds))
