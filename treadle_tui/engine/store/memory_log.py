"""The log of a `MemoryStateStore`: committed events, in the order of their `seq`."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter

from treadle_tui.engine.store.rows import RawEvent, StoredEvent

_SEQ = itemgetter(0)


class EventLog:
    """Kept as bare tuples, which the interpreter need not look through for garbage; read as `RawEvent`."""

    def __init__(self, rows: Iterable[StoredEvent] = ()) -> None:
        self._rows: list[StoredEvent] = list(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[RawEvent]:
        return map(RawEvent._make, self._rows)

    @property
    def first_seq(self) -> int:
        """The `seq` of the oldest event that is kept; 0 for none."""
        return self._rows[0][0] if self._rows else 0

    @property
    def last_seq(self) -> int:
        """The `seq` of the newest event that is kept; 0 for none."""
        return self._rows[-1][0] if self._rows else 0

    def extend(self, rows: Sequence[StoredEvent]) -> None:
        """Add what was committed."""
        self._rows += rows

    def after(self, seq: int) -> Iterator[RawEvent]:
        """The events after that one, oldest first."""
        return map(RawEvent._make, islice(self._rows, bisect_right(self._rows, seq, key=_SEQ), None))

    def before(self, seq: int) -> Iterator[RawEvent]:
        """The events before that one, newest first."""
        return map(RawEvent._make, reversed(self._rows[: bisect_left(self._rows, seq, key=_SEQ)]))

    def only(self, is_kept: Callable[[RawEvent], bool]) -> EventLog:
        """Those of which that is so."""
        return EventLog(row for row in self._rows if is_kept(RawEvent._make(row)))
