"""Review lines made up for tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.board.rows import LONG_AGO
from treadle_tui.board.review_line import ReviewKey, ReviewLine

NOW = LONG_AGO + timedelta(days=1)


def key(name: str) -> ReviewKey:
    return ReviewKey(name, "judge")


def line(name: str, **fields: Any) -> ReviewLine:
    """A review of that item."""
    return ReviewLine(key(name), "papers", **{"version": 1, "since": LONG_AGO, "summary": f"is {name} right?", **fields})


def lines(names: str) -> list[ReviewLine]:
    """A review per letter."""
    return [line(name) for name in names]
