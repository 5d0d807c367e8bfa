"""What a workflow says about how much of it may run at once: numbers, checked. Keeping to them is `rooms`."""

from __future__ import annotations

from typing import Any

from treadle_tui.engine.errors import InvalidDefinition
from treadle_tui.engine.record import Record


class Limit(Record, frozen=True):
    """What all stages with one tag share, in one engine."""

    concurrency: int | None = None
    """At most so many at once; None for no limit."""
    rate: float | None = None
    """Starts per second; None for no limit."""

    def __post_init__(self) -> None:
        if self.concurrency is not None:
            check_concurrency(self.concurrency, "limit")
        rate: Any = self.rate
        if rate is not None and (isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate < float("inf")):
            raise InvalidDefinition(f"limit: rate={rate!r} must be a number of starts per second above 0")


def check_concurrency(value: Any, where: str) -> None:
    """Raise `InvalidDefinition` unless the value is a whole number, 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidDefinition(f"{where}: concurrency={value!r} must be a whole number, 1 or more")
