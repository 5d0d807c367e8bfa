"""How a person gets on: what they have decided, how long it took them, what is left, and a summary at the end.

Time counts from the moment a review is first shown to its decision. It does not count while the window has no focus, and of a long
pause only the beginning counts: somebody has gone for a coffee.
"""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field

from treadle_tui.board.review_line import ReviewKey
from treadle_tui.engine.review import ReviewDecision
from treadle_tui.engine.status import duration_words

#: Of a longer time without a key, so much counts.
IDLE_SECONDS = 120.0
_SLOWEST = 5
#: Decisions it takes before how long the rest will take can be told.
_ENOUGH = 3
_SIGNS = {"approve": "✓", "pick_attempt": "✓", "approve_with_edits": "✎", "reject": "✗", "request_changes": "↺"}


@dataclass(frozen=True, slots=True)
class Timed:
    """One decision of this session."""

    key: ReviewKey
    decision: ReviewDecision
    seconds: float


@dataclass(slots=True)
class ReviewSession:
    """Moments are seconds of a clock that only goes forward."""

    decided: list[Timed] = field(default_factory=list)
    _spent: dict[ReviewKey, float] = field(default_factory=dict)
    _current: ReviewKey | None = None
    _since: float = 0.0
    _is_away: bool = False

    # time -----------------------------------------------------------------------------------------------------------------------

    def show(self, key: ReviewKey | None, now: float) -> None:
        """This review is on the screen from now on."""
        if key != self._current:
            self._count(now)
            self._current = key

    def touch(self, now: float) -> None:
        """The person has pressed a key."""
        self._count(now)

    def leave(self, now: float) -> None:
        """The window has lost the focus, or another screen is in front."""
        self._count(now)
        self._is_away = True

    def come_back(self, now: float) -> None:
        """The person looks again."""
        self._since, self._is_away = now, False

    def _count(self, now: float) -> None:
        if self._current is not None and not self._is_away:
            spent = self._spent.get(self._current, 0.0)
            self._spent[self._current] = spent + max(0.0, min(now - self._since, IDLE_SECONDS))
        self._since = now

    def seconds_on(self, key: ReviewKey, now: float) -> float | None:
        """How long the person has looked at a review; None when it was never on the screen."""
        if key == self._current:
            self._count(now)
        return self._spent.get(key)

    # decisions ------------------------------------------------------------------------------------------------------------------

    def note(self, key: ReviewKey, decision: ReviewDecision) -> None:
        """A decision was made, with its seconds in it."""
        self.decided.append(Timed(key, decision, decision.seconds or 0.0))
        self._spent.pop(key, None)

    def take_back(self, key: ReviewKey) -> None:
        """The latest decision on a review does not count any more; the time spent on it does."""
        for place in reversed(range(len(self.decided))):
            if self.decided[place].key == key:
                timed = self.decided.pop(place)
                self._spent[key] = timed.seconds
                return

    @property
    def median_seconds(self) -> float | None:
        """Of the decisions made one at a time."""
        seconds = [timed.seconds for timed in self.decided if timed.seconds > 0]
        return statistics.median(seconds) if seconds else None

    def progress(self, left: int) -> str:
        """ "12/340 · ✓31 ✎4 ✗7 · median 6.2 s · about 28 min left"; empty before there is anything to tell."""
        done = len(self.decided)
        if not done:
            return f"{left:,} waiting" if left else ""
        parts = [f"{done:,}/{done + left:,}", self._verdicts()]
        median = self.median_seconds
        if median is not None:
            parts.append(f"median {duration_words(median)}")
            if left and done >= _ENOUGH:
                parts.append(f"about {duration_words(median * left)} left")
        return " · ".join(parts)

    def _verdicts(self) -> str:
        counts = Counter(_SIGNS.get(timed.decision.verb, "?") for timed in self.decided)
        return " ".join(f"{sign}{counts[sign]}" for sign in dict.fromkeys(_SIGNS.values()) if counts[sign])

    # summary --------------------------------------------------------------------------------------------------------------------

    def summary(self) -> list[tuple[str, list[str]]]:
        """What was decided, how fast, the slowest, the reasons: headings with their lines. Item names are as they come."""
        if not self.decided:
            return []
        counts = Counter(timed.decision.verb.replace("_", " ") for timed in self.decided)
        told = [f"{count:>5,}  {verb}" for verb, count in counts.most_common()]
        median, total = self.median_seconds, sum(timed.seconds for timed in self.decided)
        parts = [(f"{len(self.decided):,} decided", told)]
        if median is not None:
            parts.append(("How fast", [f"median {duration_words(median)}, {duration_words(total)} altogether"]))
        slowest = sorted(self.decided, key=lambda timed: -timed.seconds)[:_SLOWEST]
        if median is not None and len(self.decided) > 1:
            parts.append(("The slowest", [f"{duration_words(timed.seconds):>7}  {timed.key.title}" for timed in slowest]))
        reasons = Counter(getattr(timed.decision, "reason", "") for timed in self.decided)
        del reasons[""]
        if reasons:
            parts.append(("Reasons", [f"{count:>5,}  {reason}" for reason, count in reasons.most_common(8)]))
        return parts
