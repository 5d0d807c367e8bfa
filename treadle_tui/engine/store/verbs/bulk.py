"""One verb for each thing a person does to many items; those that have nothing to do change nothing and say so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from treadle_tui.engine.store.rows import CANCELLED, ENDED, FAILED, Item, Lease
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs import items, running_again
from treadle_tui.engine.store.verbs.moves import item_named, task_named


class Named(Protocol):
    """An item, a stage of it, or a subtask of that."""

    @property
    def item_id(self) -> str: ...
    @property
    def stage(self) -> str | None: ...
    @property
    def subtask(self) -> str | None: ...


class Done(NamedTuple):
    """What came of it."""

    is_done: bool
    leases: Sequence[Lease] = ()
    """Those that ended with it: results of them will change nothing."""


def do(unit: Unit, *, deed: str, target: Named, by: str) -> Done:
    """Do one thing to one item. Raises `ItemNotFound`, `StageNotFound`, `InvalidTransition`."""
    item = item_named(unit, target.item_id)
    match deed:
        case "retry":
            return Done(_retry(unit, item, target, by))
        case "pause" if not item.is_paused and item.open_stages:
            items.pause(unit, item.id)
            return Done(True)
        case "resume" if item.is_paused:
            items.resume(unit, item.id)
            return Done(True)
        case "cancel" if _is_unfinished(unit, item):
            return Done(True, items.cancel(unit, item.id, by))
        case "delete":
            leases = [(task.key, task.fence) for task in items.tasks_of(unit, item) if task.worker is not None]
            items.delete(unit, item.id)
            return Done(True, leases)
        case "rerun" if target.stage is not None and task_named(unit, item, target.stage).state in ENDED:
            return Done(True, running_again.rerun(unit, item.id, target.stage, by))
    return Done(False)


def _retry(unit: Unit, item: Item, target: Named, by: str) -> bool:
    if target.stage is not None:
        if task_named(unit, item, target.stage, target.subtask).state not in (FAILED, CANCELLED):
            return target.subtask is None and _retry_subtasks(unit, item, by, target.stage)
        running_again.retry(unit, item.id, target.stage, by, target.subtask)
        return True
    names = unit.shape_of(item).by_id
    stages = [
        names[task.stage].name
        for task in items.tasks_of(unit, item)
        if not task.sub and task.state in (FAILED, CANCELLED) and not names[task.stage].is_removed
    ]
    for stage in stages:
        running_again.retry(unit, item.id, stage, by)
    return bool(stages) or _retry_subtasks(unit, item, by)


def _retry_subtasks(unit: Unit, item: Item, by: str, only: str | None = None) -> bool:
    """Subtasks that have failed while others of their stage still run."""
    names = unit.shape_of(item).by_id
    found = [(names[task.stage].name, task.name) for task in items.tasks_of(unit, item) if task.sub and task.state in (FAILED, CANCELLED)]
    failed = [(stage, subtask) for stage, subtask in found if only in (None, stage)]
    for stage, subtask in failed:
        running_again.retry(unit, item.id, stage, by, subtask)
    return bool(failed)


def _is_unfinished(unit: Unit, item: Item) -> bool:
    shape = unit.shape_of(item)
    return any((task := unit.task(item, stage.id)) is not None and task.state not in ENDED for stage in shape.every)
