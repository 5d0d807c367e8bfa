"""Who works on what: claims, leases, and what becomes of the work of engines that stop or die.

A claim puts a task into `running` under a worker's lease and a new fence number; a result with an older fence changes nothing
(`finishing`). Reaping and releasing are one transaction, run by every engine.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from treadle_tui.engine import events as ev
from treadle_tui.engine.codec import decode_json
from treadle_tui.engine.record import Record
from treadle_tui.engine.store.results import Claim, Ended, StageRoom, Work
from treadle_tui.engine.store.rows import (
    DECIDED,
    FANNED_OUT,
    NOT_READY,
    PENDING,
    READY,
    READY_BUT_HELD,
    REDUCE,
    RETRY_WAIT,
    RUNNING,
    Hold,
    Item,
    Lease,
    Task,
    TaskKey,
)
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs.moves import close_fan_out, fail, make_ready, move, record_attempt, task_named
from treadle_tui.engine.store.verbs.outputs import standing_output

MAX_INTERRUPTIONS = 3
"""Crashes in a row after which a stage is not tried again by itself."""

_STAGE = Work.STAGE  # looked up once: a member of an `Enum` is found slowly

Condition = Callable[[Mapping[str, Any]], bool]


def claim(
    unit: Unit,
    worker: int,
    wants: Sequence[StageRoom],
    room: int,
    tag_rooms: Mapping[str, int],
    condition: Callable[[str], Condition],
    item: int | None = None,
) -> list[Claim] | None:
    """Take up to `room` ready tasks: priority first, then round the items (`rows.TURN`), then the oldest. None for a worker taken for dead.

    `condition` compiles the expression of a hold. With `item`, only that item's tasks.
    """
    if not unit.knows_worker(worker):
        return None
    release_due(unit)
    holds = unit.holds()
    claims: list[Claim] = []
    rooms = {want.stage: want.room for want in wants}
    tags = {want.stage: want.tags for want in wants}
    tags_left = dict(tag_rooms)
    while len(claims) < room:
        candidates, is_all = _candidates(unit, wants, rooms, holds, tags_left, room - len(claims), item)
        if len(candidates) > 1:
            unit.load_items({task.item for task in candidates})
        if _hold_back(unit, candidates, holds, condition):
            continue  # others, which these stood before, may come before what was found of other stages
        progress = False
        for task in candidates:
            if len(claims) >= room:
                break
            if rooms[task.stage] <= 0 or any(tags_left.get(tag, 1) <= 0 for tag in tags[task.stage]):
                continue
            taken = take(unit, worker, task)
            if taken is None:
                progress = True
                continue
            progress = progress or not is_all
            claims.append(taken)
            rooms[task.stage] -= 1
            for tag in tags[task.stage]:
                if tag in tags_left:
                    tags_left[tag] -= 1
        if not progress:
            break
    return claims


def _candidates(
    unit: Unit,
    wants: Sequence[StageRoom],
    rooms: Mapping[int, int],
    holds: Mapping[int, Hold],
    tags_left: Mapping[str, int],
    room: int,
    item: int | None,
) -> tuple[list[Task], bool]:
    """The best ready tasks of every stage that has room, best first; and whether these are all there are."""
    found: list[Task] = []
    is_all = True
    for want in wants:
        hold = holds.get(want.stage)
        if (hold is not None and hold.when is None) or rooms[want.stage] <= 0:
            continue
        if any(tags_left.get(tag, 1) <= 0 for tag in want.tags):
            continue
        limit = min(room, rooms[want.stage])
        ready = unit.ready(want.stage, limit, item)
        is_all = is_all and len(ready) < limit
        found += ready
    found.sort(key=lambda task: (-task.priority, task.place, task.item, task.stage, task.sub))
    return found, is_all


def _hold_back(unit: Unit, tasks: Iterable[Task], holds: Mapping[int, Hold], condition: Callable[[str], Condition]) -> bool:
    """Put those aside that a hold's condition stops; whether there were any."""
    held = [task for task in tasks if task.stage in holds and _is_held(unit, task, condition(holds[task.stage].when or ""))]
    for task in held:
        unit.edit(task)
        task.ready = READY_BUT_HELD
    return bool(held)


def _is_held(unit: Unit, task: Task, condition: Condition) -> bool:
    item = unit.item(task.item)
    return item is not None and condition({"item": decode_json(item.data)})


def take(unit: Unit, worker: int, task: Task) -> Claim | None:
    """Claim one ready task. None when it is a fan-out that merely goes on: its subtasks are ready now."""
    item = unit.item(task.item)
    if item is None:
        return None
    if task.sub:
        _wake_stage(unit, item, task)
    goes_on = task.state == RUNNING
    if not goes_on:
        move(unit, item, task, RUNNING)
    else:
        unit.edit(task)
        task.version += 1
    task.ready = NOT_READY
    if not task.is_open:
        task.attempt += 1
        task.is_open = 1
        task.interruptions = 0
        task.started_at = unit.now
        task.completed_at = None
    if not goes_on:
        unit.emit(ev.SubTaskStarted if task.sub else ev.StageStarted, task, workflow=item.workflow)
    if task.phase == FANNED_OUT and not task.sub:
        _go_on_with_subtasks(unit, item, task)
        return None
    task.fence += 1
    task.worker = worker
    return _claim(unit, item, task)


def _go_on_with_subtasks(unit: Unit, item: Item, stage: Task) -> None:
    record_attempt(unit, stage, "fan_out")
    if stage.open_subs == 0:
        close_fan_out(unit, item, stage)
        return
    for before, subtask in enumerate(task for task in unit.subtasks(item.key, stage.stage) if task.state == PENDING):
        if subtask.ready == NOT_READY:
            make_ready(unit, item, subtask, unit.turn(before))


def _wake_stage(unit: Unit, item: Item, subtask: Task) -> None:
    """A retried subtask runs: when nothing else of its stage has failed, the stage runs again too."""
    stage = unit.task(item, subtask.stage)
    if stage is not None and stage.state == PENDING and stage.phase == FANNED_OUT:
        unit.edit(stage)
        stage.ready = READY
        take(unit, 0, stage)


def _claim(unit: Unit, item: Item, task: Task) -> Claim:
    shape = unit.shape_of(item)
    stage = shape.by_id[task.stage]
    work = Work.SUBTASK if task.sub else Work.REDUCE if task.phase == REDUCE else Work.STAGE
    upstream: dict[int, bytes | None] = {}
    for dependency in stage.dependencies:
        above = unit.task(item, dependency)
        upstream[dependency] = None if above is None else standing_output(unit, above)
    detail = task.detail if task.raw_detail is not None else {}
    return Claim(
        key=task.key,
        fence=task.fence,
        work=work,
        workflow=item.workflow,
        item_id=item.id,
        item_data=item.data,
        priority=task.priority,
        created_at=item.created_at,
        stage=task.stage,
        subtask=task.name,
        metadata=detail.get("metadata"),
        attempt=task.attempt,
        started_at=task.started_at,
        extra=task.extra,
        idempotency_key=idempotency_key(unit.store_id, task.key, task.attempt),
        upstream=upstream,
        feedback=detail.get("feedback"),
        previous=unit.attempts(task.item, task.stage, task.sub) if task.attempt > 1 else (),
        decisions=_decisions_above(unit, item, task.stage) if item.flags & DECIDED else {},
        results=unit.outputs_of_subtasks(task.item, task.stage) if work is Work.REDUCE else {},
    )


def claim_behind(store_id: str, each: Ended, stage: int, now: int) -> Claim:
    """The first claim of a stage that waited for nothing but this attempt."""
    above = each.claim
    key = (above.key[0], stage, 0)
    return Claim(
        key=key,
        fence=1,
        work=_STAGE,
        workflow=above.workflow,
        item_id=above.item_id,
        item_data=above.item_data,
        priority=above.priority,
        created_at=above.created_at,
        stage=stage,
        subtask=None,
        metadata=None,
        attempt=1,
        started_at=now,
        extra=0,
        idempotency_key=idempotency_key(store_id, key, 1),
        upstream={above.stage: each.result.output},
    )


def idempotency_key(store_id: str, key: TaskKey, attempt: int) -> str:
    """The same for an attempt whatever happens to it, and never that of another one."""
    return f"{store_id}-{key[0]}-{key[1]}-{key[2]}-{attempt}"


def _decisions_above(unit: Unit, item: Item, stage: int) -> dict[int, Mapping[str, Any]]:
    decisions = {}
    for above in unit.shape_of(item).before(stage):
        task = unit.stored_task(item.key, above, 0)
        if task is not None and "decision" in task.detail:
            decisions[above] = task.detail["decision"]
    return decisions


def take_one(unit: Unit, worker: int, item: Item, stage: str, subtask: str | None = None) -> Claim | bool | None:
    """Claim one named stage by hand, also a held one. False when it is not ready; True for a fan-out that merely goes on.

    None for a worker taken for dead.
    """
    if not unit.knows_worker(worker):
        return None
    release_due(unit)
    task = task_named(unit, item, stage, subtask)
    if task.ready not in (READY, READY_BUT_HELD) or unit.shape_of(item).by_id[task.stage].is_removed:
        return False
    claimed = take(unit, worker, task)
    return True if claimed is None else claimed


class Outlook(Record, frozen=True):
    """What is left for an engine that has just claimed nothing."""

    is_ready: bool
    """Something could be claimed if there were room."""
    next_retry: int | None
    """When the next retry is due, in milliseconds."""
    next_due: int | None
    """When the next retry or expiry is due."""
    is_leased_elsewhere: bool
    """Another worker has something running."""


def outlook(unit: Unit, worker: int, stages: Collection[int], item: int | None) -> Outlook:
    """What is left to do in these stages, of one item or of all; held ones are not counted as ready."""
    release_due(unit)
    holds = unit.holds()
    free = [stage for stage in stages if stage not in holds or holds[stage].when is not None]
    return Outlook(
        is_ready=any(unit.ready(stage, 1, item) for stage in free),
        next_retry=unit.next_due(stages, RETRY_WAIT, item),
        next_due=unit.next_due(stages, None, item),
        is_leased_elsewhere=unit.leased_elsewhere(worker, stages, item),
    )


def release_due(unit: Unit, limit: int = 1000) -> None:
    """Retries whose time has come can be claimed."""
    for task in unit.due(RETRY_WAIT, unit.now, limit):
        item = unit.item(task.item)
        if item is not None:
            make_ready(unit, item, task)


def hand_back(unit: Unit, worker: int, keys: Iterable[Lease]) -> None:
    """An engine stops in order: its unfinished work is pending again, same attempt, and no interruption is counted."""
    for (item_key, stage, sub), fence in keys:
        task = unit.stored_task(item_key, stage, sub)
        item = unit.item(item_key)
        if task is not None and item is not None and task.worker == worker and task.fence == fence:
            _recover(unit, item, task)


def hand_back_all_but(unit: Unit, worker: int, held: Collection[Lease]) -> None:
    """Give back what the worker holds besides these: claimed, and never begun."""
    hand_back(unit, worker, [lease for task in unit.leased(worker) if (lease := (task.key, task.fence)) not in held])


def reap(unit: Unit, dead: Sequence[int]) -> int:
    """Dead workers' unfinished work is pending again, same attempt; after the third crash in a row it fails. How many tasks."""
    tasks = [task for worker in dead for task in unit.leased(worker)] + unit.orphaned()
    for task in tasks:
        item = unit.item(task.item)
        if item is None:
            continue
        unit.edit(task)
        task.interruptions += 1
        _recover(unit, item, task)
        if task.interruptions >= MAX_INTERRUPTIONS:
            _give_up(unit, item, task)
    for worker in dead:
        unit.delete_worker(worker)
    return len(tasks)


def _recover(unit: Unit, item: Item, task: Task) -> None:
    move(unit, item, task, PENDING)
    task.fence += 1
    unit.emit(ev.StageRecovered, task, workflow=item.workflow)
    make_ready(unit, item, task)


def _give_up(unit: Unit, item: Item, task: Task) -> None:
    error = f"interrupted {task.interruptions} times"
    record_attempt(unit, task, "interrupted", error=error)
    task.is_open = 0
    # The table has no pending -> failed: recovery and giving up are one change, running -> failed, told in two events.
    unit.set_state(task, RUNNING)
    fail(unit, item, task, error)
