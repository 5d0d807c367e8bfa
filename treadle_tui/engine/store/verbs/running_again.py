"""Sending work back to the start: what failed, on its own; or a finished stage with everything behind it."""

from __future__ import annotations

from treadle_tui.engine import events as ev
from treadle_tui.engine.errors import InvalidTransition
from treadle_tui.engine.states import StageState
from treadle_tui.engine.store.rows import (
    CANCELLED,
    ENDED,
    FAILED,
    FANNED_OUT,
    NOT_READY,
    OUTPUTS_DROPPED,
    PENDING,
    REDUCE,
    SATISFIED,
    STATES,
    Item,
    Lease,
    Task,
)
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs.moves import (
    discard_subtasks,
    item_named,
    label,
    make_ready,
    move,
    record_attempt,
    refuse_removed,
    reopen_subtask,
    task_named,
)
from treadle_tui.engine.store.verbs.retaining import refuse_without_outputs


def retry(unit: Unit, item_id: str, stage: str, by: str, subtask: str | None = None) -> None:
    """A failed or cancelled stage is pending again with its budget anew; of a fan-out, only what failed runs again."""
    item = item_named(unit, item_id)
    task = task_named(unit, item, stage, subtask)
    if task.state not in (FAILED, CANCELLED):
        remedy = "only a failed or cancelled stage can be retried"
        if task.state in SATISFIED:
            remedy += "; to run a finished one again use rerun"
        raise InvalidTransition(item.id, label(unit, item, task), STATES[task.state], StageState.PENDING, remedy)
    refuse_removed(unit, item, task, PENDING)
    refuse_without_outputs(unit, item, task, StageState.PENDING, {task.stage})
    unit.edit(item)
    item.revive()
    if task.sub:
        _retry_subtask(unit, item, task, by)
    else:
        _retry_stage(unit, item, task, by)


def _start_over(unit: Unit, item: Item, task: Task, by: str) -> None:
    """Pending, with the whole budget ahead; numbers and keys go on."""
    move(unit, item, task, PENDING)
    task.extra = task.attempt
    task.is_open = 0
    task.interruptions = 0
    task.completed_at = None
    task.out = 0
    task.put(error=None, decision=None, review=None, summary=None, why=None)
    unit.emit(ev.StageRetried, task, workflow=item.workflow, by=by)


def _retry_subtask(unit: Unit, item: Item, task: Task, by: str) -> None:
    stage = reopen_subtask(unit, item, task)
    _start_over(unit, item, task, by)
    make_ready(unit, item, task)
    if stage is None:
        return
    stage.phase = FANNED_OUT
    if stage.state == CANCELLED or (stage.state == FAILED and stage.failed_subs == 0):
        _start_over(unit, item, stage, by)


def _retry_stage(unit: Unit, item: Item, task: Task, by: str) -> None:
    _start_over(unit, item, task, by)
    if task.subs:
        again = [subtask for subtask in unit.subtasks(item.key, task.stage) if subtask.state not in SATISFIED]
        for subtask in again:
            if subtask.state in (FAILED, CANCELLED):
                reopen_subtask(unit, item, subtask)
                _start_over(unit, item, subtask, by)
        task.phase = FANNED_OUT if again else REDUCE
    if task.open_deps == 0:
        make_ready(unit, item, task)


def rerun(unit: Unit, item_id: str, stage: str, by: str) -> list[Lease]:
    """A finished stage and all behind it are pending again. The leases that ended: results of them will change nothing."""
    item = item_named(unit, item_id)
    task = task_named(unit, item, stage)
    if task.state not in ENDED:
        remedy = "only a finished stage can be run again"
        raise InvalidTransition(item.id, label(unit, item, task), STATES[task.state], StageState.PENDING, remedy)
    refuse_removed(unit, item, task, PENDING)
    shape = unit.shape_of(item)
    again = {task.stage, *shape.behind(task.stage)}
    refuse_without_outputs(unit, item, task, StageState.PENDING, again)
    unit.edit(item)
    item.revive()
    if again.issuperset(shape.by_id):  # every output will be a new one
        item.flags &= ~OUTPUTS_DROPPED
    moved = [task]
    for behind in shape.behind(task.stage):
        below = unit.stored_task(item.key, behind, 0)
        if below is not None:
            moved.append(below)
    running = [task for each in moved for task in _with_subtasks(unit, each) if task.worker is not None]
    leases = [(task.key, task.fence) for task in running]
    for each in running:
        record_attempt(unit, each, "interrupted", error=f"called off: {stage} is run again")
    for each in moved:
        _reset(unit, item, each, by)
    for each in moved:
        _count_dependencies(unit, item, each)
    return leases


def _with_subtasks(unit: Unit, task: Task) -> list[Task]:
    return [task, *(unit.subtasks(task.item, task.stage) if task.subs else ())]


def _reset(unit: Unit, item: Item, task: Task, by: str) -> None:
    unit.edit(task)
    discard_subtasks(unit, task)
    if task.state == PENDING:
        return
    if task.state in SATISFIED:
        item.open_stages += 1
    task.fence += 1
    task.out = 0
    _start_over(unit, item, task, by)
    task.put(feedback=None)


def _count_dependencies(unit: Unit, item: Item, task: Task) -> None:
    dependencies = unit.shape_of(item).by_id[task.stage].dependencies
    above = [unit.task(item, dependency) for dependency in dependencies]
    task.open_deps = sum(1 for each in above if each is not None and each.state not in SATISFIED)
    task.ready = NOT_READY
    if task.open_deps == 0:
        make_ready(unit, item, task)
