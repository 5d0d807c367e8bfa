"""Many reviews decided by one key: what a person is shown before, and what they are told after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from treadle_tui.board.review_line import ReviewLine
from treadle_tui.engine.errors import ReviewConflict
from treadle_tui.engine.review import ReviewDecision
from treadle_tui.engine.states import StageState

#: Above so many the count is typed.
TYPED_ABOVE = 20
_FIRST = 5


@dataclass(frozen=True, slots=True)
class BulkSheet:
    """What is about to be decided."""

    lines: Sequence[ReviewLine]
    """Those that wait still, as they were marked."""
    dropped: Sequence[ReviewLine] = ()
    """Those that have changed, or were decided, since they were marked."""

    @property
    def per_stage(self) -> list[tuple[str, int]]:
        """How many of each stage, most first."""
        return Counter(line.key.stage for line in self.lines).most_common()

    @property
    def oldest(self) -> ReviewLine | None:
        """What has waited longest."""
        return min((line for line in self.lines if line.since), key=_since, default=None)

    @property
    def newest(self) -> ReviewLine | None:
        """What has waited shortest."""
        return max((line for line in self.lines if line.since), key=_since, default=None)

    @property
    def first(self) -> list[str]:
        """The first of them by name."""
        return [line.title for line in self.lines[:_FIRST]]

    @property
    def is_counted(self) -> bool:
        """Whether the number is to be typed."""
        return len(self.lines) > TYPED_ABOVE


def _since(line: ReviewLine) -> datetime:
    return line.since or datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class BulkResult:
    """What came of many decisions."""

    decided: dict[str, int] = field(default_factory=dict)
    """By what was done: "approved", "rejected"."""
    already: Counter[str] = field(default_factory=Counter)
    """Decided by others first, by their names."""
    failed: list[str] = field(default_factory=list)
    """Why the others could not be recorded."""

    def words(self) -> str:
        """ "41 approved · 2 already decided by ben · 1 failed"."""
        parts = [f"{count:,} {done}" for done, count in self.decided.items()]
        parts += [f"{count:,} already decided by {who}" if who else f"{count:,} changed meanwhile" for who, count in self.already.items()]
        if self.failed:
            parts.append(f"{len(self.failed):,} failed")
        return " · ".join(parts) or "nothing was decided"


def result_of(results: Iterable[tuple[ReviewDecision, StageState | Exception]], done: dict[str, str]) -> BulkResult:
    """Add up what became of each decision; `done` says what a verb has done."""
    result = BulkResult()
    for decision, outcome in results:
        if isinstance(outcome, ReviewConflict):
            result.already[outcome.by] += 1
        elif isinstance(outcome, Exception):
            result.failed.append(str(outcome))
        else:
            word = done.get(decision.verb, "decided")
            result.decided[word] = result.decided.get(word, 0) + 1
    return result
