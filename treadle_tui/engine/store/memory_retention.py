"""What retention reads and drops in a store in memory."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from treadle_tui.engine.codec import decode_json
from treadle_tui.engine.retention import Retention
from treadle_tui.engine.store.baseline import BaselineRow, ItemBaseline
from treadle_tui.engine.store.retention_rows import ALL_WORKFLOWS, Chunk, FinishedItem, Mark, RetentionRows, SpareAttempt
from treadle_tui.engine.store.retention_verbs import FreeRoom, KeepFrom, item_baseline
from treadle_tui.engine.store.rows import CANCELLED_ITEM, ENDED, OUTPUTS_DROPPED, Item, RawEvent

if TYPE_CHECKING:
    from treadle_tui.engine.store.memory_unit import MemoryUnit


class MemoryRetention(RetentionRows):
    """Policies, marks and baselines; and what may be dropped from the unit's rows."""

    def __init__(self, unit: MemoryUnit) -> None:
        self._unit = unit
        self._policies: dict[int, bytes] = {}
        self._marks: dict[int, Mark] = {}
        self.kept_baselines: dict[int, BaselineRow] = {}

    @property
    def marks(self) -> Mapping[int, Mark]:
        """How far events have been dropped, by workflow."""
        return self._marks

    def policies(self) -> dict[int, bytes]:
        return dict(self._policies)

    def save_policy(self, workflow: int, policy: bytes | None) -> None:
        before = dict(self._policies)
        self._unit.undo_with(lambda: setattr(self, "_policies", before))
        self._policies.pop(workflow, None)
        if policy is not None:
            self._policies[workflow] = policy

    def mark(self, workflow: int) -> Mark:
        return self._marks.get(workflow, Mark())

    def save_mark(self, workflow: int, mark: Mark) -> None:
        before = dict(self._marks)
        self._unit.undo_with(lambda: setattr(self, "_marks", before))
        self._marks[workflow] = mark

    def events_of(self, workflow: int, after: int, limit: int) -> list[RawEvent]:
        rows = (row for row in self._unit.log.after(after) if row.workflow == workflow)
        return list(islice(rows, limit))

    def delete_events(self, seqs: Sequence[int]) -> None:
        gone = set(seqs)
        before, self._unit.log = self._unit.log, self._unit.log.only(lambda row: row.seq not in gone)
        self._unit.undo_with(lambda: setattr(self._unit, "log", before))

    def baselines(self, items: Collection[int]) -> Mapping[int, BaselineRow]:
        return {item: self.kept_baselines[item] for item in items if item in self.kept_baselines}

    def save_baselines(self, rows: Iterable[BaselineRow]) -> None:
        before = dict(self.kept_baselines)
        self._unit.undo_with(lambda: setattr(self, "kept_baselines", before))
        self.kept_baselines = {**self.kept_baselines, **{row.item: row for row in rows}}

    def forget_item(self, item: int) -> None:
        """The item is deleted."""
        gone = self.kept_baselines.pop(item, None)
        if gone is not None:
            self._unit.undo_with(lambda: self.kept_baselines.__setitem__(item, gone))

    def chunk(self, workflow: int, after: int, limit: int) -> Chunk:
        found = list(islice((item for item in self._unit.items.values() if item.workflow == workflow and item.key > after), limit))
        finished = [each for item in found if (each := self._finished(item)) is not None]
        spare = list(self._spare({item.key for item in found}))
        return Chunk(found[-1].key if len(found) == limit else 0, finished, spare)

    def _finished(self, item: Item) -> FinishedItem | None:
        if item.open_stages and not item.flags & CANCELLED_ITEM:
            return None
        ended = [
            task.completed_at or task.updated_at
            for stage in self._unit.shape_of(item).every
            if (task := self._unit.tasks.get((item.key, stage.id, 0))) is not None
        ]
        return FinishedItem(item.key, item.id, max(ended), not item.flags & OUTPUTS_DROPPED) if ended else None

    def _spare(self, items: Collection[int]) -> Iterable[SpareAttempt]:
        for key, attempts in self._unit.history.items():
            if key[0] not in items:
                continue
            task = self._unit.tasks.get(key)
            for attempt in attempts:
                ended_at = attempt.completed_at or attempt.started_at or 0
                if task is None:
                    yield SpareAttempt(*key, attempt.number, ended_at, 10**9)
                elif task.state in ENDED and attempt.number not in (task.attempt, abs(task.out)):
                    yield SpareAttempt(*key, attempt.number, ended_at, task.attempt - attempt.number)

    def delete_attempts(self, attempts: Sequence[SpareAttempt]) -> None:
        gone = {attempt[:4] for attempt in attempts}
        before = {key: self._unit.history[key] for key in {attempt[:3] for attempt in attempts}}
        self._unit.undo_with(lambda: self._unit.history.update(before))
        self._unit.history |= {key: tuple(attempt for attempt in kept if attempt.key not in gone) for key, kept in before.items()}

    def drop_outputs(self, item: int) -> None:
        for key, attempts in self._unit.history.items():
            if key[0] == item:
                for attempt in attempts:
                    self._unit.edit(attempt)
                    attempt.output = None
        memos = {key: value for key, value in self._unit.memos.items() if key[0] == item}
        for memo in memos:
            del self._unit.memos[memo]
        self._unit.undo_with(lambda: self._unit.memos.update(memos))

    def give_back(self, pages: int) -> int:
        return 0


class MemoryRetentionReads:
    """The reads of `RetentionReads`, over the rows of a `MemoryUnit`."""

    _lock: threading.RLock

    @abstractmethod
    def _open_unit(self) -> MemoryUnit: ...

    async def retention(self) -> dict[str | None, Retention]:
        """The policies there are by workflow; under None the one for workflows without their own."""
        with self._lock:
            unit = self._open_unit()
            return {
                None if number == ALL_WORKFLOWS else unit.shapes[number].name: Retention(**decode_json(policy))
                for number, policy in sorted(unit.retention.policies().items())
            }

    async def horizon(self) -> int:
        """The `seq` of the newest event that has been dropped; 0 when none has."""
        with self._lock:
            return max((mark.horizon for mark in self._open_unit().retention.marks.values()), default=0)

    async def baselines(self) -> AsyncIterator[ItemBaseline]:
        """Where folding the events begins, for every item that has lost some."""
        with self._lock:
            unit = self._open_unit()
            found = [
                item_baseline(unit.items[row.item].id, unit.shape_of(unit.items[row.item]), row, unit.stage_name)
                for row in unit.retention.kept_baselines.values()
                if row.item in unit.items
            ]
        for baseline in found:
            yield baseline

    async def keep_from(self, workflow: int, policy: Retention) -> KeepFrom:
        """The first event and items that a policy keeps because of their number."""
        with self._lock:
            unit = self._open_unit()
            events = [row.seq for row in unit.log if row.workflow == workflow]
            finished = [
                item.key
                for item in unit.items.values()
                if item.workflow == workflow and (not item.open_stages or item.flags & CANCELLED_ITEM)
            ]
        return KeepFrom(
            _after_all_but(events, policy.events_count),
            _after_all_but(finished, policy.outputs_count),
            _after_all_but(finished, policy.items_count),
        )

    async def free_room(self) -> FreeRoom:
        """Memory that is free is the interpreter's."""
        return FreeRoom()


def missed(unit: MemoryUnit, since: int, item: int | None) -> int:
    """How many events after `since` have been dropped, of one item or of all; events of deleted items may be counted too."""
    if item is not None:
        baseline = unit.retention.kept_baselines.get(item)
        return 0 if baseline is None or baseline.seq <= since else min(baseline.dropped, baseline.seq - since)
    marks = [mark for mark in unit.retention.marks.values() if mark.horizon > since]
    horizon = max((mark.horizon for mark in marks), default=since)
    kept = sum(since < row.seq <= horizon for row in unit.log)
    return min(sum(mark.dropped for mark in marks), horizon - since - kept)


def _after_all_but(numbers: Sequence[int], count: int | None) -> int:
    return 0 if count is None or len(numbers) <= count else sorted(numbers)[-count - 1] + 1
