"""The ordinary case in memory: many items added; many first attempts that just completed, and the claims of what they set free.

What `items.submit` and `finishing.finish_plainly` say, without a photograph, an undoing and an encoded event for each row. Nothing is
decided anew here: what is not ordinary is left to the verbs untouched. That the two agree is tested on random batches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from treadle_tui.engine import events as ev
from treadle_tui.engine.store.event_codec import KIND_NUMBER
from treadle_tui.engine.store.results import OUTCOME_NUMBER, Claim, Ended, Recorded, Submitted
from treadle_tui.engine.store.rows import COMPLETED, DECLARE, PENDING, READY, RUNNING, Attempt, Item, Task
from treadle_tui.engine.store.shape import StageShape
from treadle_tui.engine.store.verbs.claiming import claim_behind

if TYPE_CHECKING:
    from treadle_tui.engine.store.memory_unit import MemoryUnit

_ADDED_KIND = KIND_NUMBER[ev.ItemAdded]
_COMPLETED_KIND, _STARTED_KIND = KIND_NUMBER[ev.StageCompleted], KIND_NUMBER[ev.StageStarted]
_WORKFLOW_COMPLETED_KIND = KIND_NUMBER[ev.WorkflowCompleted]
_COMPLETED_OUTCOME = OUTCOME_NUMBER["completed"]

_JUDGED = attrgetter("worker", "fence", "state", "attempt", "phase", "extra", "raw_detail")
"""What is looked at to know whether a running task is the ordinary case."""

_Place = tuple[int, int, int]
"""(-priority, place, item): the order of claims."""


class _Ending(NamedTuple):
    """An ordinary attempt that has ended, and the rows it is about."""

    each: Ended
    task: Task
    item: Item
    stage: StageShape


def submit(unit: MemoryUnit, workflow: int, batch: Sequence[tuple[str, bytes]], priority: int) -> Submitted:
    """Add items (id, JSON data); a known id is kept as it was. As `items.submit`."""
    shape = unit.shapes[workflow]
    new: dict[str, bytes] = {}
    elsewhere = []
    for item_id, data in batch:
        known = unit.ids.get(item_id)
        if known is None:
            new.setdefault(item_id, data)
        elif unit.items[known].workflow != workflow:
            elsewhere.append(item_id)
    if not new:
        return Submitted(0, elsewhere)
    items = unit.insert_items(workflow, new, priority)
    now, seq = unit.now, unit.last_seq
    roots = [(root.id, unit.turn(before)) for before, root in enumerate(shape.roots)]
    tasks = [Task(item.key, root, ready=READY, priority=priority, turn=turn, updated_at=now) for item in items for root, turn in roots]
    unit.tasks.update((task.key, task) for task in tasks)
    unit.index.touched += tasks
    unit.undo_with(lambda: [unit.tasks.pop(task.key) for task in tasks])
    for item in items:
        item.open_stages = len(shape.stages)
        seq += 1
        unit.events.append((seq, now, _ADDED_KIND, workflow, item.key, None, None, 0, None))
    unit.last_seq = seq
    unit.rings = True
    for stage in shape.stages:
        unit.count(stage.id, False, PENDING, len(items))
    return Submitted(len(items), elsewhere)


def finish(unit: MemoryUnit, worker: int, batch: Sequence[Ended], contenders: Collection[int], fingerprints: Mapping[int, str]) -> Recorded:
    """Record completed attempts and claim what follows them. As `finishing.finish_plainly`."""
    ordinary, left = _sorted_out(unit, worker, batch, fingerprints)
    if not ordinary:
        return Recorded((), left)
    ready = [task for stage in contenders for task in unit.ready(stage, 1, None)]
    first = min(((-task.priority, task.place, task.item) for task in ready), default=None)
    claims = _record(unit, worker, ordinary, first)
    _count(unit, ordinary, claims)
    return Recorded(claims, left)


def _sorted_out(
    unit: MemoryUnit, worker: int, batch: Sequence[Ended], fingerprints: Mapping[int, str]
) -> tuple[list[_Ending], list[Ended]]:
    """The ordinary ones, and the others."""
    stages: dict[int, StageShape | None] = {}
    ordinary: list[_Ending] = []
    left: list[Ended] = []
    tasks, items = unit.tasks, unit.items
    for each in batch:
        claim = each.claim
        if claim.stage not in stages:
            stages[claim.stage] = _simple_stage(unit, claim, fingerprints)
        stage = stages[claim.stage]
        task, item = tasks.get(claim.key), items.get(claim.key[0])
        if (
            stage is None
            or task is None
            or item is None
            or item.flags
            or _JUDGED(task) != (worker, claim.fence, RUNNING, 1, DECLARE, 0, None)
            or [dependent for dependent in stage.dependents if (item.key, dependent, 0) in tasks]
        ):
            left.append(each)
        else:
            ordinary.append(_Ending(each, task, item, stage))
    return ordinary, left


def _simple_stage(unit: MemoryUnit, claim: Claim, fingerprints: Mapping[int, str]) -> StageShape | None:
    """The stage a claim is of, when its workflow is what the worker knows and its dependents wait for nothing else."""
    shape = unit.shapes.get(claim.workflow)
    if shape is None or fingerprints.get(shape.id) != shape.fingerprint:
        return None
    stage = shape.by_id.get(claim.stage)
    return None if stage is None or stage.is_removed or not stage.frees_dependents else stage


def _record(unit: MemoryUnit, worker: int, ordinary: Sequence[_Ending], first: _Place | None) -> list[Claim]:
    """Complete these stages, make their dependents ready, and claim those that come before `first`, what else is ready; the claims."""
    _remember(unit, ordinary)
    now, seq, held = unit.now, unit.last_seq, unit.holds()
    tell, history, leased = unit.events.append, unit.history, unit.index.leased_keys(worker)
    claims: list[Claim] = []
    freed: list[Task] = []
    for each, task, item, stage in ordinary:
        claim = each.claim
        task.state, task.is_open, task.worker, task.out = COMPLETED, 0, None, 1
        task.version += 1
        task.interruptions = 0
        task.updated_at = task.completed_at = now
        leased.discard(claim.key)
        attempt = Attempt(*claim.key, 1, task.started_at, now, _COMPLETED_OUTCOME, each.result.output)
        history[claim.key] = (*history.get(claim.key, ()), attempt)
        item.open_stages -= 1
        seq += 1
        tell((seq, now, _COMPLETED_KIND, item.workflow, item.key, stage.id, None, 1, None))
        if item.open_stages == 0:
            seq += 1
            tell((seq, now, _WORKFLOW_COMPLETED_KIND, item.workflow, item.key, None, None, 0, None))
        for before, dependent in enumerate(stage.dependents):
            turn = before and unit.turn(before)
            is_next = first is None or (-item.priority, turn or item.key, item.key) < first
            if not (is_next and dependent in each.onward and dependent not in held):
                freed.append(Task(item.key, dependent, ready=READY, priority=item.priority, turn=turn, updated_at=item.created_at))
                continue
            begun = Task(item.key, dependent, state=RUNNING, priority=item.priority, turn=turn, attempt=1, is_open=1, fence=1, version=1)
            begun.worker = worker
            begun.started_at = begun.updated_at = now
            unit.tasks[begun.key] = begun
            leased.add(begun.key)
            seq += 1
            tell((seq, now, _STARTED_KIND, item.workflow, item.key, dependent, None, 1, None))
            claims.append(claim_behind(unit.store_id, each, dependent, now))
    unit.last_seq = seq
    unit.rings = unit.rings or bool(freed) or not claims
    unit.tasks.update((task.key, task) for task in freed)
    unit.index.touched += freed
    return claims


def _remember(unit: MemoryUnit, ordinary: Sequence[_Ending]) -> None:
    """Remember how to take it back."""
    photographs = [ending.task.photograph() for ending in ordinary]

    def undo() -> None:
        for (_, task, item, stage), values in zip(ordinary, photographs, strict=True):
            task.put_back(values)
            unit.changed(task)
            unit.forget_last_attempt(task.key)
            item.open_stages += 1
            for dependent in stage.dependents:
                unit.tasks.pop((item.key, dependent, 0), None)

    unit.undo_with(undo)


def _count(unit: MemoryUnit, ordinary: Sequence[_Ending], claims: Sequence[Claim]) -> None:
    for number, n in Counter(ending.stage.id for ending in ordinary).items():
        unit.count(number, False, RUNNING, -n)
        unit.count(number, False, COMPLETED, n)
    for number, n in Counter(claim.stage for claim in claims).items():
        unit.count(number, False, PENDING, -n)
        unit.count(number, False, RUNNING, n)
