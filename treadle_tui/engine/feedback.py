"""What is said of an attempt, by a gate or by a person, in one type for both.

The next attempt finds it as `ctx.feedback`.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from treadle_tui.engine.record import Record, refuse_changes


class Criterion(Record, frozen=True):
    """One thing a gate looked at."""

    name: str
    expected: str
    actual: str
    passed: bool


class Feedback(Record, frozen=True):
    """Why an attempt was not good enough, and what to do differently."""

    summary: str
    criteria: list[Criterion] = msgspec.field(default_factory=list)
    guidance: Any = None
    """Any JSON value; the stage that reads it knows its shape."""
    source: Literal["gate", "person"] = "gate"


refuse_changes(Criterion, Feedback)
