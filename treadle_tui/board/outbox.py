"""Decisions made at this terminal that are not recorded yet: held for a while, sent, or back because they came too late.

Pure state; the same entries are on disk. Whoever owns a store asks `due` what to send and says what came of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from treadle_tui.board.review_line import ReviewKey, ReviewLine
from treadle_tui.engine.review import ReviewDecision


class HeldState(str, Enum):
    """Where an entry stands."""

    #: Can be taken back.
    HELD = "held"
    #: Being recorded at this moment.
    SENDING = "sending"
    #: Could not be recorded; kept with its text until a person lets it go.
    LOST = "lost"
    #: Left over from a program that has ended: sent only when a person says so.
    LEFT_OVER = "left over"


@dataclass(slots=True)
class HeldEntry:
    """One decision on one review."""

    line: ReviewLine
    """The review as it was looked at."""
    decision: ReviewDecision
    made_at: datetime
    due_at: datetime
    batch: int
    """Decided by the same key: taken back together."""
    state: HeldState = HeldState.HELD
    number: int = 0
    """On disk; 0 until it is there."""
    problem: str = ""

    @property
    def key(self) -> ReviewKey:
        """The review."""
        return self.line.key

    @property
    def as_line(self) -> ReviewLine:
        """The entry as a line of the list."""
        problem = self.problem or ("the program ended before it was sent" if self.state is HeldState.LEFT_OVER else "")
        return self.line._replace(
            decision=self.decision, since=self.made_at, number=self.number or id(self), problem=problem, until=self.due_at, looked_at_by=""
        )


@dataclass(slots=True)
class Outbox:
    """See the module's first lines."""

    undo_seconds: float = 5.0
    """How long a decision can be taken back."""
    entries: list[HeldEntry] = field(default_factory=list)
    """Oldest first."""
    _batches: int = 0

    def hold(self, decided: Iterable[tuple[ReviewLine, ReviewDecision]], now: datetime) -> list[HeldEntry]:
        """Hold decisions that belong together; an earlier one on the same review that could not be recorded gives way."""
        self._batches += 1
        due = now + timedelta(seconds=self.undo_seconds)
        new = [HeldEntry(line, decision, now, due, self._batches) for line, decision in decided]
        self.entries += new
        return new

    def adopt(self, line: ReviewLine, decision: ReviewDecision, made_at: datetime, number: int, problem: str) -> HeldEntry:
        """Take over what is on disk from a program that has ended."""
        state = HeldState.LOST if problem else HeldState.LEFT_OVER
        entry = HeldEntry(line, decision, made_at, made_at, 0, state, number, problem)
        self.entries.append(entry)
        return entry

    @property
    def held(self) -> list[HeldEntry]:
        """Those that will be sent."""
        return [entry for entry in self.entries if entry.state in (HeldState.HELD, HeldState.SENDING)]

    @property
    def left_over(self) -> list[HeldEntry]:
        """Those a person is asked about."""
        return [entry for entry in self.entries if entry.state is HeldState.LEFT_OVER]

    def due(self, now: datetime) -> list[HeldEntry]:
        """Those whose time has come; they are being sent from now on."""
        found = [entry for entry in self.entries if entry.state is HeldState.HELD and entry.due_at <= now]
        for entry in found:
            entry.state = HeldState.SENDING
        return found

    @property
    def next_due(self) -> datetime | None:
        """When the next one is to be sent."""
        return min((entry.due_at for entry in self.entries if entry.state is HeldState.HELD), default=None)

    def take_back_last(self) -> list[HeldEntry]:
        """Take back what the latest key decided; nothing when all of that has been sent."""
        batches = [entry.batch for entry in self.entries if entry.state is HeldState.HELD]
        if not batches:
            return []
        return self.take_back([entry for entry in self.entries if entry.batch == max(batches)])

    def take_back(self, entries: Sequence[HeldEntry]) -> list[HeldEntry]:
        """Take these back, or let them go when they could not be recorded; those that are being sent stay."""
        found = [entry for entry in entries if entry.state is not HeldState.SENDING]
        self.drop(found)
        return found

    def drop(self, entries: Sequence[HeldEntry]) -> None:
        """These have been recorded, or are not wanted any more."""
        gone = {id(entry) for entry in entries}
        self.entries = [entry for entry in self.entries if id(entry) not in gone]

    def keep_lost(self, entry: HeldEntry, problem: str) -> None:
        """It could not be recorded; its text is kept."""
        entry.state, entry.problem = HeldState.LOST, problem

    def hold_again(self, entries: Iterable[HeldEntry], now: datetime) -> None:
        """Send these after all, or try once more: after a failure of the store, or when a person says so."""
        for entry in entries:
            entry.state, entry.due_at = HeldState.HELD, now

    @property
    def lines(self) -> list[ReviewLine]:
        """The outbox as a list, newest first."""
        return [entry.as_line for entry in reversed(self.entries)]

    def entry_of(self, line: ReviewLine) -> HeldEntry | None:
        """The entry a line of the list stands for."""
        return next((entry for entry in self.entries if entry.as_line.number == line.number), None)
