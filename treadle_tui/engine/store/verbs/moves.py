"""The small moves that several verbs make: a stage becomes ready, satisfied, failed; a subtask ends; a fan-out goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from treadle_tui.engine import events as ev
from treadle_tui.engine.errors import InvalidTransition, ItemNotFound, StageNotFound
from treadle_tui.engine.states import TRANSITIONS, check_transition
from treadle_tui.engine.store.results import OUTCOME_NUMBER, Statement
from treadle_tui.engine.store.rows import (
    COMPLETED,
    DECLARE,
    ENDED,
    FAILED,
    FANNED_OUT,
    NOT_READY,
    PENDING,
    READY,
    READY_BUT_PAUSED,
    REDUCE,
    RUNNING,
    SATISFIED,
    STATE_NUMBER,
    STATES,
    Attempt,
    Item,
    Task,
)
from treadle_tui.engine.store.statements import to_json
from treadle_tui.engine.store.unit import Unit

_LEGAL = frozenset((STATE_NUMBER[state], STATE_NUMBER[to]) for state, targets in TRANSITIONS.items() for to in targets)
"""`TRANSITIONS` in the numbers of rows."""


def item_named(unit: Unit, item_id: str) -> Item:
    """The item. Raises `ItemNotFound`."""
    found = unit.find_items([item_id]).get(item_id)
    if found is None:
        raise ItemNotFound(item_id)
    return found


def task_named(unit: Unit, item: Item, stage: str, subtask: str | None = None) -> Task:
    """A stage of the item, or a subtask of it, by name. Raises `StageNotFound` with the nearest name."""
    shape = unit.shape_of(item)
    known = shape.by_name.get(stage)
    task = None if known is None else unit.task(item, known.id)
    if known is None or task is None:
        raise StageNotFound(stage, [each.name for each in shape.stages], f"workflow {shape.name!r}")
    if subtask is None:
        return task
    names = {}
    for task in unit.subtasks(item.key, known.id):
        if task.name == subtask:
            return task
        names[task.name or ""] = task
    raise StageNotFound(subtask, list(names), f"subtasks of stage {stage!r} of item {item.id!r}")


def label(unit: Unit, item: Item, task: Task) -> str:
    """The stage's name, with the subtask's when it is one."""
    name = unit.shape_of(item).by_id[task.stage].name
    return name if task.name is None else f"{name}/{task.name}"


def refuse_removed(unit: Unit, item: Item, task: Task, to_state: int) -> None:
    """Raise `InvalidTransition` when the stage was removed from the workflow, so that nothing can run it."""
    if unit.shape_of(item).by_id[task.stage].is_removed:
        raise InvalidTransition(
            item.id,
            label(unit, item, task),
            STATES[task.state],
            STATES[to_state],
            "it was removed from the workflow, so nothing can run it: put it back, drop it, or cancel or delete the item",
        )


def move(unit: Unit, item: Item, task: Task, to_state: int, remedy: str = "") -> None:
    """Edit the task and put it in another state. Raises `InvalidTransition` when the table does not have the move."""
    if (task.state, to_state) not in _LEGAL:
        check_transition(item.id, label(unit, item, task), STATES[task.state], STATES[to_state], remedy)
    unit.edit(task)
    unit.set_state(task, to_state)
    task.ready = NOT_READY
    task.worker = None
    task.due_at = None


def make_ready(unit: Unit, item: Item, task: Task, turn: int = 0) -> None:
    """Let a task be claimed, or keep it back while its item is paused. `turn` is one of `Unit.turn`."""
    unit.edit(task)
    task.ready = readiness(item)
    task.turn = turn


def readiness(item: Item) -> int:
    """How a task of the item that waits for nothing else stands."""
    return READY_BUT_PAUSED if item.is_paused else READY


def satisfy(unit: Unit, item: Item, stage: int) -> None:
    """A stage has become completed or skipped: its dependents wait for one less."""
    shape = unit.shape_of(item)
    before = 0
    for dependent in shape.by_id[stage].dependents:
        task = unit.task(item, dependent)
        if task is None:
            continue
        unit.edit(task)
        task.open_deps -= 1
        if task.open_deps == 0 and task.state == PENDING:
            make_ready(unit, item, task, unit.turn(before))
            before += 1
    unit.edit(item)
    item.open_stages -= 1
    if item.open_stages == 0:
        unit.emit(ev.WorkflowCompleted, workflow=item.workflow, item=item.key)


def unsatisfy(unit: Unit, item: Item, stage: int) -> None:
    """A completed or skipped stage is so no longer: its dependents, which must not have started, wait again."""
    for dependent in unit.shape_of(item).by_id[stage].dependents:
        task = unit.task(item, dependent)
        if task is None:
            continue
        unit.edit(task)
        task.open_deps += 1
        task.ready = NOT_READY
    unit.edit(item)
    item.open_stages += 1


def record_attempt(
    unit: Unit,
    task: Task,
    outcome: str,
    *,
    output: bytes | None = None,
    error: str | None = None,
    summary: str | None = None,
    verdict: Mapping[str, Any] | None = None,
    feedback: Mapping[str, Any] | None = None,
    statements: Sequence[Statement] = (),
) -> None:
    """Write the end of the task's current attempt into its history; `outcome` is one of `attempt_record.OUTCOMES`."""
    # Only a fan-out has written its attempt down before its end.
    attempt = unit.attempt(task.item, task.stage, task.sub, task.attempt) if task.phase != DECLARE else None
    if attempt is None:
        attempt = Attempt(task.item, task.stage, task.sub, task.attempt)
        attempt.started_at = task.started_at
        unit.insert_attempt(attempt)
    else:
        unit.edit(attempt)
    attempt.completed_at = unit.now
    attempt.outcome = OUTCOME_NUMBER[outcome]
    attempt.output = output
    if error or summary or verdict or feedback or statements:
        attempt.put(error=error, summary=summary, verdict=verdict, feedback=feedback, statements=to_json(statements) or None)


def complete(unit: Unit, item: Item, task: Task) -> None:
    """The task's output stands: it becomes completed, and what waits for it is told."""
    move(unit, item, task, COMPLETED)
    task.completed_at = unit.now
    if task.sub:
        unit.emit(ev.SubTaskCompleted, task, workflow=item.workflow)
        end_subtask(unit, item, task)
    else:
        unit.emit(ev.StageCompleted, task, workflow=item.workflow)
        satisfy(unit, item, task.stage)


def fail(unit: Unit, item: Item, task: Task, error: str) -> None:
    """The task becomes failed for good."""
    move(unit, item, task, FAILED)
    task.completed_at = unit.now
    task.put(error=error)
    if task.sub:
        unit.emit(ev.SubTaskFailed, task, workflow=item.workflow, error=error)
        end_subtask(unit, item, task)
    else:
        unit.emit(ev.StageFailed, task, workflow=item.workflow, error=error)


def end_subtask(unit: Unit, item: Item, subtask: Task) -> None:
    """A subtask has ended: its stage goes on when it was the last."""
    stage = unit.task(item, subtask.stage)
    if stage is None:
        return
    unit.edit(stage)
    stage.open_subs -= 1
    if subtask.state not in SATISFIED:
        stage.failed_subs += 1
    stage.version += 1
    stage.updated_at = unit.now
    if stage.open_subs > 0 or stage.phase != FANNED_OUT:
        return
    if stage.state == RUNNING:
        close_fan_out(unit, item, stage)
    elif stage.state == PENDING and stage.open_deps == 0:
        make_ready(unit, item, stage)


def reopen_subtask(unit: Unit, item: Item, subtask: Task) -> Task | None:
    """An ended subtask, which is about to be moved, counts as not ended again; its stage."""
    stage = unit.task(item, subtask.stage)
    if stage is None:
        return None
    unit.edit(stage)
    if subtask.state in ENDED:
        stage.open_subs += 1
        if subtask.state not in SATISFIED:
            stage.failed_subs -= 1
    return stage


def close_fan_out(unit: Unit, item: Item, stage: Task) -> None:
    """Every subtask has ended: the stage fails if one failed, else its reduce may be claimed."""
    if stage.failed_subs == 0:
        stage.phase = REDUCE
        make_ready(unit, item, stage)
        return
    failed = [task for task in unit.subtasks(item.key, stage.stage) if task.state not in SATISFIED]
    error = fan_out_error(failed, stage.subs)
    attempt = unit.attempt(stage.item, stage.stage, 0, stage.attempt)
    if attempt is not None:
        unit.edit(attempt)
        attempt.outcome = OUTCOME_NUMBER["failed"]
        attempt.completed_at = unit.now
        attempt.put(error=error)
    stage.is_open = 0
    fail(unit, item, stage, error)


def fan_out_error(failed: list[Task], total: int) -> str:
    """ "2 of 5 subtasks failed: a (error), b (error)", the first three with their errors."""
    told = [f"{task.name}: {task.detail.get('error') or STATES[task.state].word}" for task in failed[:3]]
    more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
    return f"{len(failed)} of {total} subtasks failed ({'; '.join(told)}{more})"


def discard_subtasks(unit: Unit, task: Task) -> None:
    """A stage declares its subtasks anew with its next attempt."""
    if task.sub or task.phase == DECLARE:
        return
    for subtask in unit.subtasks(task.item, task.stage):
        unit.count(subtask.stage, True, subtask.state, -1)
    unit.delete_subtasks(task.item, task.stage)
    unit.edit(task)
    task.phase = DECLARE
    task.subs = task.open_subs = task.failed_subs = 0
    if task.raw_detail is not None:
        task.put(declared=None)
