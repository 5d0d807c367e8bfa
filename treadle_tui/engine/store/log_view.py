"""What may be asked of the durable log beyond reading it from a place on: pages in both directions, the past, and what it tells of now.

Every answer costs what is looked at, never what the log holds: pages go by `seq`, a search through events that do not match ends
after so many and says how far it came, and totals of long spans are taken from samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from treadle_tui.engine.events import Event
from treadle_tui.engine.record import Record
from treadle_tui.engine.states import SubTaskStatus
from treadle_tui.engine.status import ItemRow, PendingReview

SEARCHED_AT_ONCE = 50_000
"""Events one search looks at, at most; a statement that holds nobody up."""
COUNTED_AT_ONCE = 5_000
"""Events of one span that are counted one by one; of more a sample is."""
SLICES = 20
"""Places of a span at which a sample is taken."""


class EventMatch(Record, frozen=True):
    """Which events are wanted; every given part must fit."""

    kinds: tuple[type[Event], ...] = ()
    """Any of them; all when empty."""
    workflow: str = ""
    item: str = ""
    """Part of the item's id, upper or lower case; with `*` the whole id, `*` standing for anything."""
    stage: str = ""
    """Part of the stage's name."""
    text: str = ""
    """Part of the item's id, of the stage's or subtask's name, or of what the event says."""

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return not (self.kinds or self.workflow or self.item or self.stage or self.text)


EVERYTHING = EventMatch()


class EventPage(Record, frozen=True):
    """Events that follow each other in the log, as far as they match."""

    events: Sequence[Event]
    """Ascending by `seq`."""
    reached: int
    """The outermost `seq` that was looked at: go on from there."""
    is_end: bool
    """Whether there is nothing beyond."""


class LogBounds(Record, frozen=True):
    """The first and last event there is; both 0 for none."""

    first: int = 0
    last: int = 0


class Throughput(Record, frozen=True):
    """Stages that have ended in a span of time."""

    since: datetime
    ended: float
    """Completed, skipped and failed ones; subtasks not counted."""
    is_sampled: bool = False
    """Whether it was counted in samples, because so much has happened."""


class Failure(Record, frozen=True):
    """A stage or subtask that stands failed."""

    item_id: str
    workflow: str
    stage: str
    subtask: str | None
    error: str
    at: datetime | None


class LogReads(Protocol):
    """See the module's first lines. Every method may be awaited from any event loop of the process."""

    async def log_bounds(self) -> LogBounds:
        """The first and the last event that is kept."""
        ...

    async def events_after(self, seq: int, limit: int, match: EventMatch = EVERYTHING) -> EventPage:
        """The first matching events after `seq`."""
        ...

    async def events_before(self, seq: int, limit: int, match: EventMatch = EVERYTHING) -> EventPage:
        """The last matching events before `seq`."""
        ...

    async def event_at(self, moment: datetime) -> int:
        """The `seq` of the last event at that moment or before; 0 for none."""
        ...

    async def throughput(self, since: datetime, seconds: float, spans: int) -> list[Throughput]:
        """What has ended in each of so many spans of so many seconds from `since` on."""
        ...

    async def failures(self, workflow: str | None = None, limit: int = 5) -> list[Failure]:
        """What stands failed, newest first."""
        ...

    async def oldest_reviews(self, workflow: str | None = None, limit: int = 5) -> list[PendingReview]:
        """What has waited longest for a person, subtasks included."""
        ...

    async def held_stages(self, workflow: str) -> dict[str, str | None]:
        """Stages that start no more, with the condition on the item; None holds every item."""
        ...

    async def item_count_at(self, seq: int, workflow: str | None = None) -> int:
        """How many of the items that exist now there were right after that event."""
        ...

    async def page_at(self, seq: int, *, workflow: str | None = None, offset: int = 0, limit: int = 100) -> list[ItemRow]:
        """Board rows as they were right after that event, in order of submission; of items that still exist."""
        ...

    async def rows_at(self, seq: int, item_ids: Sequence[str]) -> list[ItemRow]:
        """Board rows of these items as they were right after that event; those that had not been added then are left out."""
        ...

    async def subtasks_at(self, seq: int, item_id: str, stage: str) -> list[SubTaskStatus]:
        """The subtasks of a stage as they were right after that event: names, states and attempts."""
        ...


def glob_of(part: str) -> str:
    """A pattern for `GLOB` that a lower-case text fits which contains the part; with `*` in it, one that fits it as a whole."""
    pattern = "".join(f"[{letter}]" if letter in "[?" else letter for letter in part.lower())
    return pattern if "*" in pattern else f"*{pattern}*"
