"""What a reviewer's terminal keeps in the database beside the reviews themselves, and the log of decisions.

A *held* decision has been made and can still be taken back; a *jotting* is what one reviewer keeps about one review: a draft, a
note, that it is put off, that they are looking at it. Neither changes a stage. A *decision record* is one line of the log: what
was decided, by whom, after how many seconds, on which attempt.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any

import msgspec

from treadle_tui.engine.other_processes import process_is_alive, process_start
from treadle_tui.engine.record import Record
from treadle_tui.engine.review import Reject, ReviewDecision

_occupied_here: set[str] = set()
"""Sessions of this process."""


class Desk(Record, frozen=True):
    """One reviewer at one terminal."""

    session: str
    """Drawn once per run of the program."""
    reviewer: str
    host: str = ""
    pid: int = 0
    pid_start: str = ""

    @classmethod
    def here(cls, session: str, reviewer: str) -> Desk:
        """A desk of this process, occupied until `leave`."""
        _occupied_here.add(session)
        return cls(session, reviewer, socket.gethostname(), os.getpid(), process_start(os.getpid()))

    def leave(self) -> None:
        """Nobody sits here any more."""
        _occupied_here.discard(self.session)

    @property
    def is_abandoned(self) -> bool:
        """Whether its program has ended: on this machine as far as can be told; a program on another machine counts as alive."""
        if self.session in _occupied_here or self.host != socket.gethostname():
            return False
        return self.pid == os.getpid() or not process_is_alive(self.pid, self.pid_start)


class NewDecision(Record, frozen=True, kw_only=True):
    """A decision that is to be held: on which review, at which version."""

    item_id: str
    stage: str
    subtask: str | None = None
    version: int = 0
    decision: ReviewDecision


class HeldDecision(Record, frozen=True, kw_only=True):
    """A decision that has been made and is not yet recorded."""

    id: int
    desk: Desk
    workflow: str
    item_id: str
    stage: str
    subtask: str | None
    version: int
    decision: ReviewDecision
    made_at: datetime
    problem: str | None = None
    """Why it could not be recorded: somebody was first, or the review is gone. None while it is held."""


class JottingKind(str, Enum):
    """What a reviewer keeps about a review."""

    #: An edit that is not finished.
    DRAFT = "draft"
    #: Answers to the review's form, as they stand: a JSON object of texts by field.
    ANSWERS = "answers"
    #: Why it would be rejected, typed and left.
    REASON = "reason"
    #: What should be different, typed and left.
    CHANGES = "changes"
    #: A remark that goes with the decision to come.
    NOTE = "note"
    #: Put off, for good or until a moment.
    LATER = "later"
    #: On this reviewer's screen at this moment.
    LOOK = "look"


class Jotting(Record, frozen=True, kw_only=True):
    """What one reviewer keeps about one review."""

    kind: JottingKind
    item_id: str
    stage: str
    subtask: str | None = None
    reviewer: str
    version: int
    """Of the review it was made on."""
    at: datetime
    until: datetime | None = None
    """For `LATER`: when it comes back; None when the reviewer fetches it back."""
    text: str = ""


class DecisionRecord(Record, frozen=True, kw_only=True):
    """One line of the log of decisions."""

    number: int
    at: datetime
    workflow: str
    item_id: str
    stage: str
    subtask: str | None
    attempt: int
    decision: ReviewDecision
    is_undone: bool = False
    """Whether the review was reopened afterwards."""
    why: str = ""
    """Why a person was asked, as `PendingReview.why` said it; empty for decisions recorded before this was kept."""


class ReviewerStatistics(Record, frozen=True, kw_only=True):
    """What one reviewer's decisions have in common."""

    reviewer: str
    decisions: int = 0
    verbs: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Decisions by verb, most first."""
    median_seconds: float | None = None
    """From the moment it was shown; None where nobody measured."""
    reasons: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Reasons of rejections, most first."""


def reviewer_statistics(records: Iterable[DecisionRecord]) -> list[ReviewerStatistics]:
    """A line per reviewer, the busiest first; decisions that were taken back are left out."""
    by: dict[str, list[ReviewDecision]] = {}
    for record in records:
        if not record.is_undone:
            by.setdefault(record.decision.by, []).append(record.decision)
    lines = [_statistics_of(reviewer, decisions) for reviewer, decisions in by.items()]
    return sorted(lines, key=lambda line: (-line.decisions, line.reviewer))


def _statistics_of(reviewer: str, decisions: list[ReviewDecision]) -> ReviewerStatistics:
    import statistics  # brings fractions and decimal along

    seconds = [decision.seconds for decision in decisions if decision.seconds is not None]
    reasons = Counter(decision.reason for decision in decisions if isinstance(decision, Reject) and decision.reason)
    return ReviewerStatistics(
        reviewer=reviewer,
        decisions=len(decisions),
        verbs=dict(Counter(decision.verb for decision in decisions).most_common()),
        median_seconds=statistics.median(seconds) if seconds else None,
        reasons=dict(reasons.most_common()),
    )


Sent = tuple[int, Any]
"""(number of the held decision, the `StageState` it led to or the exception that says why it was not recorded)"""
