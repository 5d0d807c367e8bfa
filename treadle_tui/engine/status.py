"""What a reader is told about items, stages and reviews: the plain data behind every list and every screen.

Nothing here reads a store; `store/` fills these and `engine` returns them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from treadle_tui.engine.record import Record, refuse_changes
from treadle_tui.engine.review import ReviewData, ReviewDecision
from treadle_tui.engine.states import ItemState, StageState, StageStatus


class StageEntry(StageStatus, frozen=True, kw_only=True):
    """One line of a `PipelineStatus`: a stage's name and everything about it."""

    name: str = ""


class StageRun(Record, frozen=True, kw_only=True):
    """One stage of one item that has ended: how long its code took, and how long a person."""

    state: StageState
    attempt_seconds: tuple[float, ...]
    """Of each attempt, oldest first."""
    seconds: float
    """From the start of the first attempt to the end of the last, the pauses between them included."""
    waited_seconds: float | None = None
    """From then to the decision; None when nobody was asked."""
    decision: ReviewDecision | None = None
    changes_requested: int = 0
    """Attempts that a person sent back."""

    @property
    def total_seconds(self) -> float:
        """From the start of the first attempt until dependents could start."""
        return self.seconds + (self.waited_seconds or 0.0)


class StageStatistics(Record, frozen=True, kw_only=True):
    """What the newest runs of one stage have in common. Seconds are None where there is nothing to count."""

    runs: int = 0
    """Items in which the stage has ended, of the newest."""
    attempts: int = 0
    retries: int = 0
    """Attempts beyond the first of each run."""
    failures: int = 0
    """Runs that ended failed, rejected ones included."""
    skips: int = 0
    p50_seconds: float | None = None
    """Of one attempt."""
    p90_seconds: float | None = None
    p95_seconds: float | None = None
    reviews: int = 0
    """Runs that a person has decided."""
    approvals: int = 0
    """With or without edits, or of an earlier attempt."""
    rejections: int = 0
    changes_requested: int = 0
    """Attempts that a person sent back."""
    review_p50_seconds: float | None = None
    """From the question to the decision."""
    review_p90_seconds: float | None = None
    reviewers: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Decisions by who made them, most first."""


class Eta(Record, frozen=True, kw_only=True):
    """How long is left, from the stages' own history; None where there is none."""

    p50_seconds: float | None = None
    p90_seconds: float | None = None

    def __str__(self) -> str:
        if self.p50_seconds is None:
            return "no history"
        if self.p90_seconds is None or round(self.p90_seconds) == round(self.p50_seconds):
            return f"about {duration_words(self.p50_seconds)}"
        return f"about {duration_words(self.p50_seconds)}, at most {duration_words(self.p90_seconds)} nine times of ten"


def duration_words(seconds: float) -> str:
    """Seconds as a person reads them: "0.4 s", "12 s", "3 min", "2 h 05", "4 d"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        hours, rest = divmod(int(seconds), 3600)
        return f"{hours} h {rest // 60:02d}"
    return f"{seconds / 86400:.0f} d"


class PipelineStatus(Record, frozen=True, kw_only=True):
    """One item, all its stages in topological order."""

    item_id: str
    workflow: str = ""
    entries: Sequence[StageEntry] = ()
    eta: Eta | None = None

    def progress_percent(self) -> float:
        """Share of stages that are completed or skipped, 0 to 100; 100 for no stages."""
        if not self.entries:
            return 100.0
        return 100.0 * sum(entry.state.is_satisfied for entry in self.entries) / len(self.entries)

    def is_complete(self) -> bool:
        """Whether every stage is completed or skipped."""
        return all(entry.state.is_satisfied for entry in self.entries)

    def has_failures(self) -> bool:
        """Whether a stage is failed."""
        return bool(self.failed_stages())

    def failed_stages(self) -> list[str]:
        """Names of the failed stages, topological order."""
        return self._in_state(StageState.FAILED)

    def running_stages(self) -> list[str]:
        """Names of the running stages, topological order."""
        return self._in_state(StageState.RUNNING)

    def has_pending_reviews(self) -> bool:
        """Whether a person is waited for, on a stage or on a subtask."""
        return bool(self.review_stages())

    def review_stages(self) -> list[str]:
        """Names of the stages that wait for a person, themselves or in a subtask; topological order."""
        waiting = StageState.AWAITING_REVIEW
        return [
            entry.name for entry in self.entries if entry.state is waiting or any(subtask.state is waiting for subtask in entry.subtasks)
        ]

    def _in_state(self, state: StageState) -> list[str]:
        return [entry.name for entry in self.entries if entry.state is state]

    def __str__(self) -> str:
        width = max((len(entry.name) for entry in self.entries), default=0)
        lines = [f"{self.item_id}: {self.progress_percent():.0f} %"]
        for entry in self.entries:
            lines.append(f"  {entry.state.glyph} {entry.name:<{width}}  {_entry_words(entry)}")
            lines += [f"      {subtask.state.glyph} {subtask.name}  {subtask.error or subtask.state.word}" for subtask in entry.subtasks]
        return "\n".join(lines)


def _entry_words(entry: StageEntry) -> str:
    words = entry.state.word
    if entry.attempt > 1:
        words += f", attempt {entry.attempt}"
    asked = entry.review.summary if entry.review and entry.state is StageState.AWAITING_REVIEW else None
    detail = entry.error or asked or entry.summary
    return f"{words}: {detail}" if detail else words


class PendingReview(Record, frozen=True, kw_only=True):
    """A stage or subtask that waits for a person."""

    item_id: str
    workflow: str
    stage: str
    subtask: str | None = None
    attempt: int = 0
    version: int = 0
    review: ReviewData | None = None
    waiting_since: datetime | None = None
    group: str | None = None
    why: str = ""
    """Why a person is asked: "uncertain: …", "escalated: 3 of 3 failed", "always reviewed", "sampled, 10 %", "asked by the stage"."""


class Explanation(Record, frozen=True, kw_only=True):
    """Why a stage is where it is, and what would move it."""

    stage: str
    state: StageState
    reasons: list[str] = msgspec.field(default_factory=list)
    """The whole chain, nearest cause first."""
    action: str = ""
    """What would move it; empty when nothing need be done."""

    def __str__(self) -> str:
        reasons = "; ".join(reason.strip().split("\n", 1)[0] for reason in self.reasons)
        sentence = _ended(f"{self.stage} is {self.state.word}" + (f": {reasons}" if reasons else ""))
        return f"{sentence} {_ended(f'To move it: {self.action}')}" if self.action else sentence


def _ended(sentence: str) -> str:
    """With a full stop behind it, unless it has an end of its own."""
    return sentence if sentence.endswith((".", "!", "?", "…")) else f"{sentence}."


class Cell(Record, frozen=True, kw_only=True):
    """One stage of one item as a board shows it."""

    state: StageState
    attempt: int = 0
    version: int = 0
    """Grows with every change of the stage itself; a cell never moves back to an older one."""
    updated_at: datetime | None = None
    started_at: datetime | None = None
    """When the latest attempt began."""
    completed_at: datetime | None = None
    subtasks: int = 0
    """How many subtasks a fan-out has declared; 0 for none."""
    subtasks_by_state: Mapping[StageState, int] = msgspec.field(default_factory=dict)
    """Count of subtasks per state, only the states that occur."""


class ItemRow(Record, frozen=True, kw_only=True):
    """One item as a board shows it."""

    key: int
    """Grows with each new item; the order of a board that is not sorted otherwise."""
    item_id: str
    workflow: str
    state: ItemState
    created_at: datetime
    cells: Mapping[str, Cell] = msgspec.field(default_factory=dict)
    """By stage name, every stage of the item's workflow."""


refuse_changes(StageEntry, StageRun, StageStatistics, Eta, PipelineStatus, PendingReview, Explanation, Cell, ItemRow)
