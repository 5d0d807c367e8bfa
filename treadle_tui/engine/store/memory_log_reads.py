"""What anybody may ask of the log of a `MemoryStateStore` (`log_view.LogReads`)."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TYPE_CHECKING

from treadle_tui.engine.clock import to_ms
from treadle_tui.engine.events import Event
from treadle_tui.engine.states import SubTaskStatus
from treadle_tui.engine.status import ItemRow, PendingReview
from treadle_tui.engine.store import views
from treadle_tui.engine.store.baseline import unpacked
from treadle_tui.engine.store.event_codec import KIND_NUMBER
from treadle_tui.engine.store.item_fold import ADDED, ENDING, ItemFold
from treadle_tui.engine.store.log_view import EVERYTHING, EventMatch, EventPage, Failure, LogBounds, Throughput, glob_of
from treadle_tui.engine.store.rows import FAILED, Item, RawEvent, StoredEvent

if TYPE_CHECKING:
    from treadle_tui.engine.store.memory_unit import MemoryUnit


class MemoryLogReads:
    """The reads of `LogReads`, over the rows of a `MemoryUnit`."""

    _lock: threading.RLock

    @abstractmethod
    def _open_unit(self) -> MemoryUnit: ...

    @abstractmethod
    def decode_events(self, raw: Sequence[StoredEvent]) -> list[Event]: ...

    @abstractmethod
    async def pending_reviews(self, workflow: str | None = None) -> list[PendingReview]: ...

    # --- pages ------------------------------------------------------------------------------------------------------

    async def log_bounds(self) -> LogBounds:
        """The first and the last event that is kept."""
        with self._lock:
            log = self._open_unit().log
            return LogBounds(log.first_seq, log.last_seq) if log else LogBounds()

    async def events_after(self, seq: int, limit: int, match: EventMatch = EVERYTHING) -> EventPage:
        """The first matching events after `seq`."""
        with self._lock:
            unit = self._open_unit()
            rows = self._some(unit, unit.log.after(seq), limit, match)
            outermost = unit.log.last_seq
            reached = rows[-1].seq if len(rows) == limit else max(seq, outermost)
            return EventPage(self.decode_events(rows), reached, reached >= outermost)

    async def events_before(self, seq: int, limit: int, match: EventMatch = EVERYTHING) -> EventPage:
        """The last matching events before `seq`."""
        with self._lock:
            unit = self._open_unit()
            rows = self._some(unit, unit.log.before(seq), limit, match)
            outermost = unit.log.first_seq
            reached = rows[-1].seq if len(rows) == limit else min(seq, outermost)
            return EventPage(self.decode_events(rows[::-1]), reached, reached <= outermost)

    def _some(self, unit: MemoryUnit, rows: Iterable[RawEvent], limit: int, match: EventMatch) -> list[RawEvent]:
        found: list[RawEvent] = []
        fits = _fits(unit, match)
        for row in rows:
            if len(found) == limit:
                break
            if fits(row):
                found.append(row)
        return found

    # --- moments ----------------------------------------------------------------------------------------------------

    async def event_at(self, moment: datetime) -> int:
        """The `seq` of the last event at that moment or before; 0 for none."""
        with self._lock:
            return max((row.seq for row in self._open_unit().log if row.at <= to_ms(moment)), default=0)

    async def throughput(self, since: datetime, seconds: float, spans: int) -> list[Throughput]:
        """What has ended in each of so many spans of so many seconds from `since` on."""
        with self._lock:
            ended = [row.at for row in self._open_unit().log if row.kind in ENDING and row.subtask is None]
        moments = [since + timedelta(seconds=seconds * number) for number in range(spans + 1)]
        return [Throughput(start, sum(to_ms(start) <= at < to_ms(end) for at in ended)) for start, end in pairwise(moments)]

    # --- what needs somebody ----------------------------------------------------------------------------------------

    async def failures(self, workflow: str | None = None, limit: int = 5) -> list[Failure]:
        """What stands failed, newest first."""
        with self._lock:
            unit = self._open_unit()
            failed = sorted((task for task in unit.tasks.values() if task.state == FAILED), key=lambda task: -task.updated_at)
            found = []
            for task in failed:
                item = unit.items[task.item]
                shape = unit.shape_of(item)
                if workflow in (None, shape.name):
                    found.append(views.failure(item.id, shape, task))
            return found[:limit]

    async def oldest_reviews(self, workflow: str | None = None, limit: int = 5) -> list[PendingReview]:
        """What has waited longest for a person, subtasks included."""
        return (await self.pending_reviews(workflow))[:limit]

    async def held_stages(self, workflow: str) -> dict[str, str | None]:
        """Stages that start no more, with the condition on the item; None holds every item."""
        with self._lock:
            unit = self._open_unit()
            shapes = [shape for shape in unit.shapes.values() if shape.name == workflow]
            return {shape.by_id[stage].name: hold.when for shape in shapes for stage, hold in unit.holds().items() if stage in shape.by_id}

    # --- the past ---------------------------------------------------------------------------------------------------

    async def item_count_at(self, seq: int, workflow: str | None = None) -> int:
        """How many of the items that exist now there were right after that event."""
        with self._lock:
            unit = self._open_unit()
            return len(self._items_at(unit, seq, workflow))

    def _items_at(self, unit: MemoryUnit, seq: int, workflow: str | None) -> list[Item]:
        later = {row.item for row in unit.log if row.kind == ADDED and row.seq > seq}
        return [item for item in unit.items.values() if item.key not in later and workflow in (None, unit.shape_of(item).name)]

    async def page_at(self, seq: int, *, workflow: str | None = None, offset: int = 0, limit: int = 100) -> list[ItemRow]:
        """Board rows as they were right after that event, in order of submission; of items that still exist."""
        with self._lock:
            unit = self._open_unit()
            chosen = self._items_at(unit, seq, workflow)[offset : offset + limit]
            return [views.row_of_fold(item, unit.shape_of(item), self._fold(unit, item, seq)) for item in chosen]

    async def rows_at(self, seq: int, item_ids: Sequence[str]) -> list[ItemRow]:
        """Board rows of these items as they were right after that event; those that had not been added then are left out."""
        with self._lock:
            unit = self._open_unit()
            wanted = set(item_ids)
            chosen = [item for item in self._items_at(unit, seq, None) if item.id in wanted]
            return [views.row_of_fold(item, unit.shape_of(item), self._fold(unit, item, seq)) for item in chosen]

    async def subtasks_at(self, seq: int, item_id: str, stage: str) -> list[SubTaskStatus]:
        """The subtasks of a stage as they were right after that event: names, states and attempts."""
        with self._lock:
            unit = self._open_unit()
            item = unit.find_items([item_id]).get(item_id)
            shape = None if item is None else unit.shape_of(item).by_name.get(stage)
            return [] if item is None or shape is None else self._fold(unit, item, seq).subtask_statuses(shape.id)

    def _fold(self, unit: MemoryUnit, item: Item, seq: int) -> ItemFold:
        kept = unit.retention.baselines([item.key]).get(item.key)
        fold = ItemFold() if kept is None else unpacked(kept.fold)
        return fold.take_all(row for row in unit.log if row.item == item.key and row.seq <= seq)


def _fits(unit: MemoryUnit, match: EventMatch) -> Callable[[RawEvent], bool]:
    kinds = {KIND_NUMBER[kind] for kind in match.kinds}
    stages = {stage.id: stage.name.lower() for shape in unit.shapes.values() for stage in shape.every}

    def item_id(row: RawEvent) -> str:
        item = unit.items.get(row.item or 0)
        return "" if item is None else item.id.lower()

    def has_text(row: RawEvent) -> bool:
        if match.text.lower() in stages.get(row.stage or 0, ""):
            return True
        texts = (item_id(row), (row.subtask or "").lower(), (row.data or b"").decode(errors="replace").lower())
        return any(fnmatchcase(text, glob_of(match.text)) for text in texts)

    def fits(row: RawEvent) -> bool:
        return (
            (not kinds or row.kind in kinds)
            and (not match.workflow or (row.workflow is not None and unit.shapes[row.workflow].name == match.workflow))
            and (not match.item or fnmatchcase(item_id(row), glob_of(match.item)))
            and (not match.stage or match.stage.lower() in stages.get(row.stage or 0, ""))
            and (not match.text or has_text(row))
        )

    return fits
