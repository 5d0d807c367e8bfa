"""What a database keeps, and for how long: so that a file that is worked on day and night does not grow for ever.

Nothing is dropped unless somebody has said so. What is dropped of the events is first folded into a baseline, so that what they tell
together stays true; what still runs, waits or failed lately keeps all that its stages may need.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from treadle_tui.engine.errors import InvalidDefinition
from treadle_tui.engine.record import Record

DAY_MS = 24 * 60 * 60 * 1000


class Retention(Record, frozen=True):
    """What of a workflow is kept. Days by the engine's clock; None keeps all; with both, what either would drop is dropped."""

    events_days: float | None = None
    """Events that are older are folded into the baseline."""
    events_count: int | None = None
    """So many of the newest events are kept."""
    attempts_days: float | None = None
    """Attempts of ended stages that ended longer ago are dropped, but for the last one and the one whose output stands."""
    attempts_count: int | None = None
    """So many of the newest attempts of each ended stage or subtask are kept."""
    outputs_days: float | None = None
    """Outputs and memos of items that were finished longer ago are dropped; their states and history stay."""
    outputs_count: int | None = None
    """So many of the newest finished items keep their outputs and memos."""
    items_days: float | None = None
    """Items that were finished longer ago are deleted."""
    items_count: int | None = None
    """So many of the newest finished items are kept."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            least = 1 if name == "attempts_count" else 0
            is_number = isinstance(value, int if name.endswith("_count") else (int, float)) and not isinstance(value, bool)
            if value is not None and not (is_number and least <= value < 10**12):
                kind = "a whole number" if name.endswith("_count") else "a number of days"
                raise InvalidDefinition(f"retention: {name}={value!r} must be {kind}, {least} or more, or None to keep all")

    @property
    def keeps_everything(self) -> bool:
        """Whether nothing is ever dropped."""
        return all(getattr(self, name) is None for name in self.__struct_fields__)

    def changed(self, **values: Any) -> Retention:
        """With other values. Raises: `InvalidDefinition`."""
        return replace(self, **values)

    def as_dict(self) -> dict[str, float | int]:
        """The limits there are, by name."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}


def moment_before(days: float | None, now: int) -> int:
    """Milliseconds: what is older is dropped; 0, older than anything, when nothing is dropped by age."""
    return 0 if days is None else now - int(days * DAY_MS)


class Tidied(Record, frozen=True):
    """What one tidying has dropped."""

    events: int = 0
    attempts: int = 0
    outputs: int = 0
    """Items whose outputs were dropped."""
    items: int = 0
    pages: int = 0
    """Pages given back to the file system."""

    def __add__(self, other: Tidied) -> Tidied:
        return Tidied(*(getattr(self, name) + getattr(other, name) for name in self.__struct_fields__))

    @property
    def is_nothing(self) -> bool:
        """Whether there was nothing to drop."""
        return self == Tidied()
