"""One review, one decision, as a line of the inbox."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import NamedTuple

from treadle_tui.board.safe_text import safe_line
from treadle_tui.engine.review import ReviewDecision


class ReviewKey(NamedTuple):
    """A review by name: what the cursor and the marks are."""

    item_id: str
    stage: str
    subtask: str | None = None

    @property
    def title(self) -> str:
        """ "requests 2.32 › judge", safe to draw."""
        return " › ".join(safe_line(part) for part in self if part)


class Tab(str, Enum):
    """The lists of the inbox."""

    #: Waits for a decision, and has not been put off.
    WAITING = "Needs review"
    #: Put off by this reviewer.
    DEFERRED = "Deferred"
    #: Decided here and not recorded yet, or could not be recorded.
    OUTBOX = "Outbox"
    #: Recorded, by anybody.
    DECIDED = "Decided"


class ReviewLine(NamedTuple):
    """What the list shows of a review. Which fields are set depends on the tab."""

    key: ReviewKey
    workflow: str
    version: int = 0
    attempt: int = 0
    since: datetime | None = None
    """When it began to wait; when the decision was made."""
    summary: str = ""
    """The question; for a decision its reason, note or feedback."""
    why: str = ""
    """Why a person is asked."""
    group: str | None = None
    looked_at_by: str = ""
    """Another reviewer who has it on the screen, or decides it at this moment."""
    until: datetime | None = None
    """When it comes back, if it was put off."""
    decision: ReviewDecision | None = None
    number: int = 0
    """For the outbox the number of the held decision, for the log that of its line."""
    problem: str = ""
    """Why the decision could not be recorded."""
    is_undone: bool = False

    @property
    def title(self) -> str:
        """ "requests 2.32 › judge", safe to draw."""
        return self.key.title

    def matches(self, words: list[str]) -> bool:
        """Whether every word is in it; `stage:`, `workflow:`, `group:`, `why:` and `by:` look at one field."""
        return all(self._has(word) for word in words)

    def _has(self, word: str) -> bool:
        field, colon, wanted = word.partition(":")
        if colon and field in _FIELDS:
            return wanted in str(_FIELDS[field](self) or "").lower()
        return any(word in text.lower() for text in (*(part or "" for part in self.key), self.summary, self.why))


_FIELDS = {
    "stage": lambda line: line.key.stage,
    "workflow": lambda line: line.workflow,
    "group": lambda line: line.group,
    "why": lambda line: line.why,
    "by": lambda line: line.looked_at_by if line.decision is None else line.decision.by,
}
