"""What a look at a database has found, and which repair belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import msgspec

from treadle_tui.engine.record import Record


class Repair(str, Enum):
    """What can be put right without losing anything; in the order in which it is done."""

    #: An index is made anew from its table.
    INDEXES = "make indexes anew"
    #: The number of the newest event is that of the newest event.
    NUMBERS = "set the number of the newest event"
    #: Rows about items that do not exist are deleted.
    ORPHANS = "delete orphaned rows"
    #: Outputs that nothing refers to are deleted.
    BLOBS = "delete outputs nothing refers to"
    #: What dead engines held is pending again.
    LEASES = "release what dead engines hold"
    #: Counters in rows are counted again: open dependencies, subtasks, stages.
    COUNTERS = "count again in rows"
    #: What could run and would never be found is made ready.
    READINESS = "make stuck stages ready"
    #: The kept totals are counted again.
    TOTALS = "count totals again"
    #: The files beside the database get its permissions and group.
    MODES = "give the files beside it its permissions"


class Finding(Record, frozen=True):
    """One thing that was found."""

    kind: str
    """A word for programs."""
    sentence: str
    is_problem: bool = True
    repair: Repair | None = None
    """What would put it right; None when nothing safely does, or nothing need be done."""
    count: int = 1
    """How many rows it is about."""


class Examination(msgspec.Struct):
    """Everything that was found."""

    findings: list[Finding] = msgspec.field(default_factory=list)
    facts: dict[str, str | int | None] = msgspec.field(default_factory=dict)
    """Sizes, versions and modes, by name."""

    @property
    def problems(self) -> list[Finding]:
        """What is wrong."""
        return [finding for finding in self.findings if finding.is_problem]

    @property
    def repairs(self) -> list[Repair]:
        """What can be put right, in the order in which it is done."""
        wanted = {finding.repair for finding in self.findings}
        return [repair for repair in Repair if repair in wanted]


def some(names: Sequence[str], count: int) -> str:
    """ "a, b, c and 5 more"."""
    shown = ", ".join(names[:3])
    return f"{shown} and {count - 3:,} more" if count > 3 else shown
