"""What is said of an attempt, by a gate or by a person, in one type for both.

The next attempt finds it as `ctx.feedback`.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from treadle_tui.engine.record import Record, keep_text, refuse_changes


class Criterion(Record, frozen=True):
    """One thing a gate looked at."""

    name: str
    expected: str
    """What is no text, a number for example, is kept as one; `actual` too."""
    actual: str
    passed: bool

    def __post_init__(self) -> None:
        for field in ("name", "expected", "actual"):
            keep_text(self, field)
        msgspec.structs.force_setattr(self, "passed", bool(self.passed))


class Feedback(Record, frozen=True):
    """Why an attempt was not good enough, and what to do differently."""

    summary: str
    criteria: list[Criterion] = msgspec.field(default_factory=list)
    guidance: Any = None
    """Any JSON value; the stage that reads it knows its shape."""
    source: Literal["gate", "person"] = "gate"

    def __post_init__(self) -> None:
        keep_text(self, "summary")


refuse_changes(Criterion, Feedback)
