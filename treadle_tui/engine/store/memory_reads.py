"""What anybody may ask of a `MemoryStateStore`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from treadle_tui.engine.attempt_record import AttemptRecord
from treadle_tui.engine.events import Event, Lagged
from treadle_tui.engine.states import StageState, StageStatus, StoredItem, SubTaskStatus
from treadle_tui.engine.status import PendingReview, StageRun
from treadle_tui.engine.store import views
from treadle_tui.engine.store.commits import CommitNews
from treadle_tui.engine.store.event_codec import decode_event
from treadle_tui.engine.store.memory_lists import MemoryLists
from treadle_tui.engine.store.memory_retention import missed
from treadle_tui.engine.store.rows import AWAITING_REVIEW, ENDED, SATISFIED, STATE_NUMBER, STATES, Item, RawEvent, StoredEvent, Task
from treadle_tui.engine.store.shape import StageShape, WorkflowShape
from treadle_tui.engine.store.verbs.outputs import standing_output

if TYPE_CHECKING:
    from treadle_tui.engine.store.memory_unit import MemoryUnit


class MemoryReads(MemoryLists):
    """The reads of `StoreReads`, over the rows of a `MemoryUnit`."""

    @property
    @abstractmethod
    def news(self) -> CommitNews: ...

    @abstractmethod
    def _open_unit(self) -> MemoryUnit: ...

    def decode_events(self, raw: Sequence[StoredEvent]) -> list[Event]:
        """The events of stored rows, in order."""
        unit = self._unit_for_names()

        def item_id(key: int) -> str:
            item = unit.items.get(key)
            return "" if item is None else item.id

        return [decode_event(row, lambda number: unit.shapes[number].name, item_id, unit.stage_name) for row in map(RawEvent._make, raw)]

    def _unit_for_names(self) -> MemoryUnit:
        return self._open_unit()

    async def get_status(self, item_id: str, stage: str) -> StageStatus | None:
        """The stage's status; None for an unknown item or stage."""
        with self._lock:
            unit = self._open_unit()
            item = self._item(unit, item_id)
            shape = None if item is None else unit.shape_of(item).by_name.get(stage)
            return None if item is None or shape is None else self._status(unit, item, shape)

    async def get_all_statuses(self, item_id: str) -> dict[str, StageStatus]:
        """Every stage of the item by name, topological order."""
        with self._lock:
            unit = self._open_unit()
            item = self._item(unit, item_id)
            if item is None:
                return {}
            found = {stage.name: self._status(unit, item, stage) for stage in unit.shape_of(item).every}
            return {name: status for name, status in found.items() if status is not None}

    def _item(self, unit: MemoryUnit, item_id: str) -> Item | None:
        return unit.find_items([item_id]).get(item_id)

    def _status(self, unit: MemoryUnit, item: Item, stage: StageShape) -> StageStatus | None:
        task = unit.stored_task(item.key, stage.id, 0)
        if task is None:
            return None if stage.is_removed else views.pending_status(item.created_at)
        return views.stage_status(task, standing_output(unit, task), self._subtask_statuses(unit, task))

    def _subtask_statuses(self, unit: MemoryUnit, task: Task) -> list[SubTaskStatus]:
        if not task.subs:
            return []
        return [views.subtask_status(sub, standing_output(unit, sub)) for sub in unit.subtasks(task.item, task.stage)]

    async def query_items(self, stage: str, state: StageState, workflow: str | None = None) -> list[str]:
        """Ids of the items whose stage of that name is in that state, oldest first."""
        with self._lock:
            unit = self._open_unit()
            found = []
            for item in unit.items.values():
                shape = unit.shape_of(item)
                if stage not in shape.by_name or workflow not in (None, shape.name):
                    continue
                task = unit.stored_task(item.key, shape.by_name[stage].id, 0)
                if task is None and shape.by_name[stage].is_removed:
                    continue
                if (STATE_NUMBER[state] if task is None else task.state) == STATE_NUMBER[state] and (
                    task is not None or state is StageState.PENDING
                ):
                    found.append(item.id)
            return found

    async def get_attempts(self, item_id: str, stage: str, subtask: str | None = None) -> list[AttemptRecord]:
        """Every attempt, oldest first."""
        with self._lock:
            unit = self._open_unit()
            task = self._task(unit, item_id, stage, subtask)
            if task is None:
                return []
            records = [views.attempt_record(attempt) for attempt in unit.attempts(*task.key)]
            return views.with_running(records, task)

    def _task(self, unit: MemoryUnit, item_id: str, stage: str, subtask: str | None) -> Task | None:
        item = self._item(unit, item_id)
        shape = None if item is None else unit.shape_of(item).by_name.get(stage)
        if item is None or shape is None:
            return None
        if subtask is None:
            return unit.stored_task(item.key, shape.id, 0)
        return next((task for task in unit.subtasks(item.key, shape.id) if task.name == subtask), None)

    async def get_item(self, item_id: str) -> StoredItem | None:
        """The item; None when there is none of that id."""
        with self._lock:
            unit = self._open_unit()
            item = self._item(unit, item_id)
            return None if item is None else views.stored_item(item, unit.shape_of(item).name)

    async def list_items(self, workflow: str | None = None) -> list[str]:
        """Ids in the order of submission."""
        with self._lock:
            return [item.id for item, _ in self._items(self._open_unit(), workflow)]

    def _items(self, unit: MemoryUnit, workflow: str | None) -> Iterator[tuple[Item, WorkflowShape]]:
        for item in unit.items.values():
            shape = unit.shape_of(item)
            if workflow in (None, shape.name):
                yield item, shape

    async def events(self, since: int = 0, item_id: str | None = None) -> AsyncIterator[Event | Lagged]:
        """The durable events after `since`, in commit order; ends with the last one there is."""
        with self._lock:
            unit = self._open_unit()
            is_unknown = item_id is not None and item_id not in unit.ids
            dropped = 0 if is_unknown else missed(unit, since, unit.ids.get(item_id or ""))
        if dropped:
            yield Lagged(dropped)
        while True:
            with self._lock:
                unit = self._open_unit()
                key = None if item_id is None else unit.ids.get(item_id)
                if item_id is not None and key is None:
                    return
                rows = list(islice(unit.log.after(since), 500))
                last = rows[-1].seq if rows else 0
                told = self.decode_events([row for row in rows if key is None or row.item == key])
            if not last:
                return
            for event in told:
                yield event
            since = last

    async def last_seq(self) -> int:
        """The `seq` of the newest event."""
        with self._lock:
            return self._open_unit().last_seq

    async def changed(self, since: int, timeout: float) -> int:
        """Wait for an event after `since`; the newest `seq`."""
        self._open_unit()
        await self.news.wait_beyond(since, timeout)
        return self.news.last_seq

    async def counts(self) -> dict[str, dict[str, dict[StageState, int]]]:
        """Items per workflow, stage and state."""
        with self._lock:
            unit = self._open_unit()
            return {
                shape.name: {
                    stage.name: {
                        state: unit.counts[stage.id, 0, number]
                        for number, state in enumerate(STATES)
                        if unit.counts.get((stage.id, 0, number))
                    }
                    for stage in shape.every
                }
                for shape in unit.shapes.values()
            }

    async def waiting_count(self) -> int:
        """How many stages and subtasks wait for a person."""
        with self._lock:
            return sum(n for (_, _, state), n in self._open_unit().counts.items() if state == AWAITING_REVIEW)

    async def waiting_subtasks(self) -> dict[str, dict[str, int]]:
        """Subtasks that wait for a person, per workflow and stage."""
        with self._lock:
            unit = self._open_unit()
            found = {
                shape.name: {stage.name: n for stage in shape.every if (n := unit.counts.get((stage.id, 1, AWAITING_REVIEW), 0))}
                for shape in unit.shapes.values()
            }
            return {workflow: stages for workflow, stages in found.items() if stages}

    async def pending_reviews(self, workflow: str | None = None) -> list[PendingReview]:
        """Everything that waits for a person, longest first, subtasks included."""
        with self._lock:
            unit = self._open_unit()
            waiting = [task for task in unit.index.waiting.values() if task.state == AWAITING_REVIEW]
            waiting.sort(key=lambda task: (task.updated_at, task.key))
            found = []
            for task in waiting:
                item = unit.items[task.item]
                shape = unit.shape_of(item)
                if workflow in (None, shape.name):
                    found.append(views.pending_review(item.id, shape, task))
            return found

    async def stage_runs(self, workflow: str, limit: int = 200) -> dict[str, list[StageRun]]:
        """The stages that have ended, newest items first, at most `limit` of each."""
        with self._lock:
            unit = self._open_unit()
            shape = next((shape for shape in unit.shapes.values() if shape.name == workflow), None)
            if shape is None:
                return {}
            keys = [item.key for item in unit.items.values() if item.workflow == shape.id]
            return views.stage_runs(self._run_rows(unit, shape, reversed(keys)), shape, limit)

    def _run_rows(self, unit: MemoryUnit, shape: WorkflowShape, keys: Iterable[int]) -> Iterator[views.RunRow]:
        for key in keys:
            for stage in shape.stages:
                task = unit.stored_task(key, stage.id, 0)
                if task is None or task.state not in ENDED:
                    continue
                for attempt in unit.attempts(key, stage.id, 0):
                    yield views.RunRow(
                        *(key, stage.id, task.state, task.completed_at, task.extra, task.raw_detail),
                        *(attempt.number, attempt.started_at, attempt.completed_at),
                        views.SENT_BACK in (attempt.raw_detail or b""),
                    )

    def stir(self) -> None:
        """There are no other processes here."""

    async def secret_names(self, workflow: str) -> frozenset[str]:
        """Names of the fields that any stage of a workflow calls secret."""
        with self._lock:
            return next((shape.secret_names for shape in self._open_unit().shapes.values() if shape.name == workflow), frozenset())

    async def dependencies(self, workflow: str) -> dict[str, list[str]]:
        """What each stage of a workflow directly depends on, topological order."""
        with self._lock:
            return next((shape.dependencies() for shape in self._open_unit().shapes.values() if shape.name == workflow), {})

    async def stage_names(self, workflow: str | None = None) -> dict[str, list[str]]:
        """Stages of every workflow the store knows, topological order; then those that were removed with work in them."""
        with self._lock:
            unit = self._open_unit()
            unfinished = {stage for (stage, is_subtask, state), n in unit.counts.items() if n and not is_subtask and state not in SATISFIED}
            return {
                shape.name: [stage.name for stage in shape.every if not stage.is_removed or stage.id in unfinished]
                for shape in unit.shapes.values()
                if workflow in (None, shape.name)
            }
