"""The ordinary case of a fan-out: many first attempts of subtasks that just completed, and the claims of those that come next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from treadle_tui.engine.store.results import Claim, Ended, Recorded
from treadle_tui.engine.store.rows import DECLARE, FANNED_OUT, PENDING, RUNNING, Item, Task
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs.claiming import take
from treadle_tui.engine.store.verbs.finishing import finish


def finish_subtasks(
    unit: Unit, worker: int, batch: Sequence[Ended], contenders: Collection[int], fingerprints: Mapping[int, str]
) -> Recorded:
    """Record plain attempts of subtasks and claim the next ones; those that are not the ordinary case are left as they are.

    `onward` names the stage itself where there is room for another subtask. `contenders` are the stages the worker could claim
    something of: subtasks are claimed here for as long as nothing of theirs that is ready comes before.
    """
    ordinary = [_is_ordinary(unit, worker, each, fingerprints) for each in batch]
    taken = [each for each, is_ordinary in zip(batch, ordinary, strict=True) if is_ordinary]
    for each in taken:
        finish(unit, worker, each.claim.key, each.claim.fence, each.result)
    claims: list[Claim] = []
    for task in next_in_line(unit, taken, contenders):
        claimed = take(unit, worker, task)
        if claimed is not None:
            claims.append(claimed)
    return Recorded(claims, [each for each, is_ordinary in zip(batch, ordinary, strict=True) if not is_ordinary])


def _is_ordinary(unit: Unit, worker: int, each: Ended, fingerprints: Mapping[int, str]) -> bool:
    claim = each.claim
    task = unit.stored_task(*claim.key)
    if task is None or not is_open(unit, claim, fingerprints):
        return False
    return (task.worker, task.fence, task.state, task.attempt, task.phase, task.extra, set(task.detail) <= {"metadata"}) == (
        *(worker, claim.fence, RUNNING, 1, DECLARE, 0, True),
    )


def is_open(unit: Unit, claim: Claim, fingerprints: Mapping[int, str]) -> bool:
    """Whether the fan-out that the claimed subtask is of is at work, as its workflow is known to the worker."""
    shape = unit.shapes.get(claim.workflow)
    if shape is None or fingerprints.get(shape.id) != shape.fingerprint:
        return False
    stage, item = shape.by_id.get(claim.stage), unit.item(claim.key[0])
    return stage is not None and not stage.is_removed and item is not None and not item.flags and is_fanned_out(unit, item, claim.stage)


def is_fanned_out(unit: Unit, item: Item, stage: int) -> bool:
    """Whether the stage is at work on its subtasks."""
    task = unit.stored_task(item.key, stage, 0)
    return task is not None and task.state == RUNNING and task.phase == FANNED_OUT


def next_in_line(unit: Unit, ended: Sequence[Ended], contenders: Collection[int]) -> list[Task]:
    """The subtasks, of the items and stages of these, that come before everything else that is ready, as far as there is room."""
    rooms = Counter(stage for each in ended for stage in each.onward)
    fan_outs = {each.claim.key[:2] for each in ended if each.onward}
    found: list[Task] = []
    for task in in_line(task for stage in {*contenders, *rooms} for task in unit.ready(stage, rooms[stage] or 1, None) if rooms):
        if rooms[task.stage] <= 0 or task.key[:2] not in fan_outs or not _may_begin(unit, task):
            break
        rooms[task.stage] -= 1
        found.append(task)
    return found


def _may_begin(unit: Unit, task: Task) -> bool:
    """Whether it is an ordinary subtask that has never begun."""
    item = unit.item(task.item)
    if item is None or item.flags or not task.sub or task.stage in unit.holds() or not is_fanned_out(unit, item, task.stage):
        return False
    return (task.state, task.attempt, task.phase, task.extra, set(task.detail) <= {"metadata"}) == (PENDING, 0, DECLARE, 0, True)


def in_line(tasks: Iterable[Task]) -> list[Task]:
    """In the order of claims."""
    return sorted(tasks, key=lambda task: (-task.priority, task.place, task.item, task.stage, task.sub))
