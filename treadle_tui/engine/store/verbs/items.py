"""Items come, pause, go on, are called off, and go."""

from __future__ import annotations

from collections.abc import Sequence

from treadle_tui.engine import events as ev
from treadle_tui.engine.errors import InvalidTransition
from treadle_tui.engine.states import StageState
from treadle_tui.engine.store.results import Submitted
from treadle_tui.engine.store.rows import (
    CANCELLED,
    CANCELLED_ITEM,
    ENDED,
    NOT_READY,
    PAUSED,
    PENDING,
    READY,
    READY_BUT_HELD,
    READY_BUT_PAUSED,
    RUNNING,
    STATES,
    Item,
    Lease,
    Task,
)
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs.moves import item_named, label, make_ready, record_attempt


def submit(unit: Unit, workflow: int, batch: Sequence[tuple[str, bytes]], priority: int) -> Submitted:
    """Add items (id, JSON data); a known id is kept as it was."""
    known = unit.find_items([item_id for item_id, _ in batch])
    shape = unit.shapes[workflow]
    new: dict[str, bytes] = {}
    elsewhere = []
    for item_id, data in batch:
        if item_id not in known:
            new.setdefault(item_id, data)
        elif known[item_id].workflow != workflow:
            elsewhere.append(item_id)
    items = [unit.insert_item(item_id, workflow, data, priority) for item_id, data in new.items()]
    for item in items:
        item.open_stages = len(shape.stages)
        unit.emit(ev.ItemAdded, workflow=workflow, item=item.key)
        for before, root in enumerate(shape.roots):
            make_ready(unit, item, unit.fresh_task(item, root.id, 0), unit.turn(before))
    for stage in shape.stages:
        if new:
            unit.count(stage.id, False, PENDING, len(new))
    return Submitted(len(new), elsewhere)


def delete(unit: Unit, item_id: str) -> None:
    """Remove an item and everything about it; one `ItemDeleted` stays."""
    item = item_named(unit, item_id)
    shape = unit.shape_of(item)
    for stage in shape.every:
        task = unit.stored_task(item.key, stage.id, 0)
        if task is None and stage.is_removed:
            continue
        unit.count(stage.id, False, PENDING if task is None else task.state, -1)
        if task is not None and task.subs:
            for subtask in unit.subtasks(item.key, stage.id):
                unit.count(stage.id, True, subtask.state, -1)
    unit.delete_item(item)
    unit.emit(ev.ItemDeleted, workflow=item.workflow, item_id=item_id)


def tasks_of(unit: Unit, item: Item) -> list[Task]:
    """Every stage of the item that something has happened to, with its subtasks after it."""
    found = []
    for stage in unit.shape_of(item).every:
        task = unit.stored_task(item.key, stage.id, 0)
        if task is not None:
            found.append(task)
            if task.subs:
                found += unit.subtasks(item.key, stage.id)
    return found


def pause(unit: Unit, item_id: str) -> None:
    """Nothing new starts for the item; running work finishes. Pausing twice is pausing once."""
    item = item_named(unit, item_id)
    if item.is_paused:
        return
    unit.edit(item)
    item.flags |= PAUSED
    for task in tasks_of(unit, item):
        if task.ready in (READY, READY_BUT_HELD):
            unit.edit(task)
            task.ready = READY_BUT_PAUSED
    unit.emit(ev.ItemPaused, workflow=item.workflow, item=item.key)


def resume(unit: Unit, item_id: str) -> None:
    """A paused item goes on. Resuming one that is not paused changes nothing."""
    item = item_named(unit, item_id)
    if not item.is_paused:
        return
    unit.edit(item)
    item.flags &= ~PAUSED
    for task in tasks_of(unit, item):
        if task.ready == READY_BUT_PAUSED:
            unit.edit(task)
            task.ready = READY
    unit.emit(ev.ItemResumed, workflow=item.workflow, item=item.key)


def cancel(unit: Unit, item_id: str, by: str) -> list[Lease]:
    """Call off what has not ended; what is finished stays. The leases that ended: results of them will change nothing."""
    item = item_named(unit, item_id)
    shape = unit.shape_of(item)
    tasks = [task for stage in shape.every if (task := unit.task(item, stage.id)) is not None]
    unfinished = [task for task in tasks if task.state not in ENDED]
    if item.flags & CANCELLED_ITEM and not unfinished:
        return []
    if not unfinished:
        state = STATES[tasks[-1].state] if tasks else StageState.COMPLETED
        raise InvalidTransition(
            item_id, label(unit, item, tasks[-1]) if tasks else "", state, StageState.CANCELLED, "every stage has ended already"
        )
    unit.edit(item)
    item.flags |= CANCELLED_ITEM
    open_tasks = [task for task in tasks_of(unit, item) if task.state not in ENDED]
    leases = [(task.key, task.fence) for task in open_tasks if task.worker is not None]
    for task in open_tasks:
        _call_off(unit, item, task)
    unit.emit(ev.ItemCancelled, workflow=item.workflow, item=item.key, by=by)
    return leases


def _call_off(unit: Unit, item: Item, task: Task) -> None:
    unit.edit(task)
    if task.state == RUNNING and task.worker is not None:
        record_attempt(unit, task, "interrupted", error="cancelled")
    unit.set_state(task, CANCELLED)
    task.is_open = 0
    task.fence += 1
    task.worker = None
    task.ready = NOT_READY
    task.due_at = None
    task.completed_at = unit.now
    if task.sub:
        stage = unit.task(item, task.stage)
        if stage is not None:
            unit.edit(stage)
            stage.open_subs -= 1
            stage.failed_subs += 1
