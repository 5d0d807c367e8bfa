"""One attempt as history keeps it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from treadle_tui.engine.feedback import Feedback
from treadle_tui.engine.record import Record, refuse_changes
from treadle_tui.engine.verdict import Verdict

OUTCOMES = (
    "completed",
    "needs_review",
    "skipped",
    "fan_out",
    "retry",
    "failed",
    "rejected",
    "uncertain",
    "timeout",
    "error",
    "interrupted",
)
"""How an attempt can have ended; its place here is its number in a database. Only ever append."""


class AttemptRecord(Record, frozen=True, kw_only=True):
    """One attempt of a stage or subtask, with what was said about it."""

    number: int
    """From 1, never used twice for one stage of one item."""
    started_at: datetime | None = None
    completed_at: datetime | None = None
    """None while it runs."""
    outcome: str | None = None
    """One of `OUTCOMES`; None while it runs."""
    error: str | None = None
    output: Any = None
    """What it returned, as a plain JSON value; kept also when a gate or a person turned it down."""
    summary: str | None = None
    verdict: Verdict | None = None
    """What the gates said; None when there were none or they were not asked."""
    feedback: Feedback | None = None
    """What was said about this attempt, by a gate or a person; the next attempt receives it."""


refuse_changes(AttemptRecord)
