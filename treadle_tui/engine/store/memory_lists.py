"""What lists of items ask of a `MemoryStateStore`: the meaning of a `Selection`, spelled out over the rows."""

from __future__ import annotations

import threading
from abc import abstractmethod
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from treadle_tui.engine.selection import (
    Aspect,
    Comparison,
    Condition,
    Order,
    Selection,
    allowed_states,
    allows_stage,
    in_states,
    pattern,
    plain_lower,
)
from treadle_tui.engine.states import READING_ORDER, StageState
from treadle_tui.engine.status import ItemRow
from treadle_tui.engine.store import views
from treadle_tui.engine.store.rows import STATES, Item, Task
from treadle_tui.engine.store.shape import StageShape, WorkflowShape

if TYPE_CHECKING:
    from treadle_tui.engine.store.memory_unit import MemoryUnit


class MemoryLists:
    """The reads of `StoreReads` that answer with many items, over the rows of a `MemoryUnit`."""

    _lock: threading.RLock

    @abstractmethod
    def _open_unit(self) -> MemoryUnit: ...

    async def page(
        self,
        *,
        workflow: str | None = None,
        offset: int = 0,
        limit: int = 100,
        stage: str | None = None,
        states: Sequence[StageState] = (),
        after: int | None = None,
        is_descending: bool = False,
    ) -> list[ItemRow]:
        """Board rows in order of submission, or the other way round; with `after`, counted from behind the item of that key."""
        with self._lock:
            unit = self._open_unit()
            items = _selected(unit, in_states(workflow, stage, states)._replace(is_descending=is_descending), 0)
            behind = [item for item in items if after is None or (item.key < after if is_descending else item.key > after)]
            return [_row(unit, item) for item in behind[offset : offset + limit]]

    async def count_items(self, *, workflow: str | None = None, stage: str | None = None, states: Sequence[StageState] = ()) -> int:
        """How many rows `page` has for the same question."""
        return await self.count_selected(in_states(workflow, stage, states), 0)

    async def count_selected(self, selection: Selection, now: int) -> int:
        """How many items are selected."""
        with self._lock:
            return len(_selected(self._open_unit(), selection, now))

    async def select(self, selection: Selection, now: int, limit: int | None = None) -> array[int]:
        """Keys of the items that are selected, in order."""
        with self._lock:
            return array("q", (item.key for item in islice(_selected(self._open_unit(), selection, now), limit)))

    async def ids_of(self, keys: Sequence[int]) -> list[str]:
        """Ids of the items of these keys, in their order; unknown ones are left out."""
        with self._lock:
            unit = self._open_unit()
            return [unit.items[key].id for key in keys if key in unit.items]

    async def ids_between(self, first: int, last: int, workflow: str | None = None) -> list[str]:
        """Ids of the items of the workflow with keys from `first` to `last`, in order of submission."""
        with self._lock:
            unit = self._open_unit()
            return [item.id for item in _selected(unit, Selection(workflow), 0) if first <= item.key <= last]

    async def rows_of(self, keys: Sequence[int]) -> list[ItemRow]:
        """The board rows of the items of these keys, in their order; unknown ones are left out."""
        with self._lock:
            unit = self._open_unit()
            return [_row(unit, unit.items[key]) for key in keys if key in unit.items]

    async def rows(self, item_ids: Sequence[str]) -> list[ItemRow]:
        """The board rows of these items as they stand now."""
        with self._lock:
            unit = self._open_unit()
            return [_row(unit, item) for item in unit.find_items(item_ids).values()]

    async def place_of(self, key: int, workflow: str | None = None) -> int:
        """How many items of the workflow were added before the one of that key."""
        with self._lock:
            unit = self._open_unit()
            return sum(item.key < key and workflow in (None, unit.shape_of(item).name) for item in unit.items.values())


def _row(unit: MemoryUnit, item: Item) -> ItemRow:
    shape = unit.shape_of(item)
    cells = {}
    for stage in shape.every:
        task = unit.stored_task(item.key, stage.id, 0)
        if task is not None:
            subs = Counter(STATES[sub.state] for sub in unit.subtasks(item.key, stage.id)) if task.subs else {}
            cells[stage.id] = views.cell(task, dict(subs))
    return views.item_row(item, shape, cells)


def _selected(unit: MemoryUnit, selection: Selection, now: int) -> list[Item]:
    found = []
    for item in unit.items.values():
        shape = unit.shape_of(item)
        if selection.workflow in (None, shape.name) and _matches(unit, item, shape, selection, now):
            found.append(item)
    found.sort(key=lambda item: item.key, reverse=selection.is_descending and selection.order is Order.ADDED)
    if selection.order is not Order.ADDED:
        found.sort(key=_rank(unit, selection), reverse=selection.is_descending)  # sorting is stable: equal ones stay as added
    return found


def _rank(unit: MemoryUnit, selection: Selection) -> Callable[[Item], Any]:
    match selection.order:
        case Order.ID:
            return lambda item: item.id.encode("utf-8", "surrogatepass")
        case Order.PRIORITY:
            return lambda item: item.priority
        case Order.UPDATED:
            last = {event.item: event.seq for event in unit.log if event.item is not None}
            return lambda item: last.get(item.key, 0)

    def rank_of_stage(item: Item) -> int:
        stage = unit.shape_of(item).by_name.get(selection.stage)
        task = None if stage is None else unit.stored_task(item.key, stage.id, 0)
        return READING_ORDER.index(StageState.PENDING if task is None else STATES[task.state])

    return rank_of_stage


def _matches(unit: MemoryUnit, item: Item, shape: WorkflowShape, selection: Selection, now: int) -> bool:
    if not all(_item_fits(condition, item, now) for condition in selection.of_item):
        return False
    return all(_has_stage(unit, item, shape, conditions, now) is is_wanted for is_wanted, conditions in selection.of_stage())


def _item_fits(condition: Condition, item: Item, now: int) -> bool:
    return any(_item_value_fits(condition.aspect, value, item, now) for value in condition.values) is not condition.is_negated


def _item_value_fits(aspect: Aspect, value: Any, item: Item, now: int) -> bool:
    match aspect, value:
        case Aspect.WORD, str():
            return plain_lower(value) in plain_lower(item.id)
        case Aspect.ID, str():
            return pattern(value).fullmatch(item.id) is not None
        case Aspect.IS, _:
            return views.item_state(item) is value
        case Aspect.PRIORITY, Comparison():
            return value.holds(item.priority)
        case Aspect.ADDED, Comparison():
            return value.holds((now - item.created_at) / 1000)
    return False


def _has_stage(unit: MemoryUnit, item: Item, shape: WorkflowShape, conditions: Sequence[Condition], now: int) -> bool:
    states = allowed_states(conditions)
    for stage in shape.every:
        if not allows_stage(conditions, stage.name, stage.spec):
            continue
        for task in _tasks(unit, item, stage):
            if STATES[task.state] in states and all(_task_fits(condition, task, now) for condition in conditions):
                return True
    return False


def _tasks(unit: MemoryUnit, item: Item, stage: StageShape) -> Iterator[Task]:
    task = unit.stored_task(item.key, stage.id, 0)
    if task is not None:
        yield task
        yield from unit.subtasks(item.key, stage.id)
    elif not stage.is_removed:
        fresh = Task(item.key, stage.id)
        fresh.updated_at = item.created_at
        yield fresh


def _task_fits(condition: Condition, task: Task, now: int) -> bool:
    match condition.aspect:
        case Aspect.ERROR:
            error = plain_lower(str(task.detail.get("error") or ""))
            fits = any(plain_lower(str(value)) in error for value in condition.values)
        case Aspect.AGE:
            fits = any(isinstance(value, Comparison) and value.holds((now - task.updated_at) / 1000) for value in condition.values)
        case Aspect.ATTEMPTS:
            fits = any(isinstance(value, Comparison) and value.holds(task.attempt) for value in condition.values)
        case _:
            return True
    return fits is not condition.is_negated
