"""What is asked before something is done to items, and what is said of it afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from treadle_tui.engine.bulk import Deed, Target
from treadle_tui.engine.errors import ItemNotFound

#: Above so many items their number is typed.
MOST_UNTYPED = 20

_DONE = {
    Deed.RETRY: ("retried", "not failed"),
    Deed.PAUSE: ("paused", "paused or complete already"),
    Deed.RESUME: ("resumed", "not paused"),
    Deed.CANCEL: ("cancelled", "ended already"),
    Deed.DELETE: ("deleted", "gone already"),
    Deed.RERUN: ("run again", "not finished"),
}
_VERB = {
    Deed.RETRY: "Retry",
    Deed.PAUSE: "Pause",
    Deed.RESUME: "Resume",
    Deed.CANCEL: "Cancel",
    Deed.DELETE: "Delete",
    Deed.RERUN: "Run again",
}
_CONSEQUENCE = {
    Deed.CANCEL: "What runs is interrupted, what has not started never will; what is finished stays.",
    Deed.DELETE: "Outputs, decisions and history are deleted too; this cannot be undone.",
    Deed.RERUN: "The stage and all behind it start over; their outputs and decisions are replaced.",
}

#: What is asked about: it cannot be taken back.
ASKED = frozenset(_CONSEQUENCE)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A question to be answered with yes or no."""

    title: str
    """What will be done to what."""
    consequence: str
    names: Sequence[str] = ()
    """The first of the items."""
    more: int = 0
    typed_count: int | None = None
    """The number that must be typed first, when there are many."""


def confirmation(deed: Deed, targets: Sequence[Target]) -> Confirmation:
    """The question before it is done."""
    stage = targets[0].stage if deed is Deed.RERUN else None
    where = f" from {stage}" if stage else ""
    if len(targets) == 1:
        return Confirmation(f"{_VERB[deed]} {targets[0].item_id}{where}?", _CONSEQUENCE[deed])
    names = [target.item_id for target in targets[:5]]
    count = len(targets)
    return Confirmation(
        f"{_VERB[deed]} {count:,} items{where}?", _CONSEQUENCE[deed], names, count - len(names), count if count > MOST_UNTYPED else None
    )


@dataclass(slots=True)
class Outcome:
    """What has come of it so far."""

    deed: Deed
    done: int = 0
    idle: int = 0
    """There was nothing to do."""
    problems: Counter[str] = field(default_factory=Counter)

    def add(self, results: Sequence[bool | Exception]) -> None:
        """Count some answers of `engine.bulk.carry_out`."""
        for result in results:
            if result is True:
                self.done += 1
            elif result is False or (isinstance(result, ItemNotFound) and self.deed is Deed.DELETE):
                self.idle += 1
            else:
                self.problems["gone" if isinstance(result, ItemNotFound) else str(result)] += 1

    @property
    def sentence(self) -> str:
        """ "38 retried · 3 not failed"."""
        done, idle = _DONE[self.deed]
        parts = [f"{self.done:,} {done}"] if self.done or not self.idle else []
        if self.idle:
            parts.append(f"{self.idle:,} {idle}")
        for problem, count in self.problems.most_common(1):
            parts.append(problem if count == 1 else f"{count:,}× {problem}")
        others = sum(self.problems.values()) - sum(count for _, count in self.problems.most_common(1))
        if others:
            parts.append(f"{others:,} other{'s' if others > 1 else ''} failed")
        return " · ".join(parts)


def one_sentence(outcome: Outcome, target: Target) -> str:
    """The same, for a single item by its name."""
    if outcome.problems:
        return next(iter(outcome.problems))
    done, idle = _DONE[outcome.deed]
    name = " › ".join(part for part in target if part)
    return f"{name}: {done if outcome.done else idle}"


def progress(deed: Deed, done: int, total: int) -> str:
    """ "retry: 2,000 of 38,000 …"."""
    return f"{_VERB[deed].lower()}: {done:,} of {total:,} …"
