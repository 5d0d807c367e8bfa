"""What is said of an attempt, by a gate or by a person, in one type for both.

The next attempt finds it as `ctx.feedback`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing a gate looked at."""

    name: str
    expected: str
    actual: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Feedback:
    """Why an attempt was not good enough, and what to do differently."""

    summary: str
    criteria: list[Criterion] = field(default_factory=list)
    guidance: Any = None
    """Any JSON value; the stage that reads it knows its shape."""
    source: Literal["gate", "person"] = "gate"
