"""A changed workflow meets its items: the plan, doing it, and letting go of what was removed with work in it.

What is to happen is decided in `migration`, by how an item stands; here it is done to the rows, in one transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from treadle_tui.engine import events as ev
from treadle_tui.engine.errors import InvalidTransition, WorkflowChanged
from treadle_tui.engine.migration import ADDED_LATER, REMOVED, Difference, Fates, MigrationPlan, aside, make_plan
from treadle_tui.engine.states import StageState
from treadle_tui.engine.store.results import Situation
from treadle_tui.engine.store.rows import (
    CANCELLED,
    CANCELLED_ITEM,
    FANNED_OUT,
    NOT_READY,
    PENDING,
    RETRY_WAIT,
    REVIVED,
    RUNNING,
    SATISFIED,
    SKIPPED,
    STATES,
    Item,
    Lease,
    Task,
)
from treadle_tui.engine.store.shape import WorkflowShape
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs.moves import (
    discard_subtasks,
    item_named,
    label,
    make_ready,
    move,
    record_attempt,
    satisfy,
    task_named,
)

Specs = Sequence[Mapping[str, Any]]
FEW_ITEMS = 100
"""Up to so many are loaded one by one; for more, all of the workflow at once."""


def shape_named(unit: Unit, name: str) -> WorkflowShape | None:
    """A workflow as the store knows it; None when it does not."""
    return next((shape for shape in unit.shapes.values() if shape.name == name), None)


def refuse_outdated(unit: Unit, fingerprints: Mapping[int, str]) -> None:
    """Raise `WorkflowChanged` when the store has other stages of a workflow than those its fingerprint here stands for."""
    for number, fingerprint in fingerprints.items():
        shape = unit.shapes[number]
        if shape.fingerprint != fingerprint:
            raise WorkflowChanged(
                shape.name,
                f"workflow {shape.name!r} was changed by another engine, so this one runs its items no longer; load the workflow again",
            )


def plan(unit: Unit, name: str, fingerprint: str, specs: Specs, backfill: bool) -> MigrationPlan:
    """What the workflow as it is now means for its items. Changes nothing."""
    old = shape_named(unit, name)
    if old is None or old.fingerprint == fingerprint:
        return MigrationPlan(name, to_fingerprint=fingerprint)
    difference = Difference(old, specs, backfill=backfill)
    return make_plan(difference, fingerprint, Counter(situation for _, situation in unit.situations(old.id)))


def take_up(
    unit: Unit, name: str, fingerprint: str, specs: Specs, backfill: bool, accepted: MigrationPlan | None = None
) -> WorkflowShape | MigrationPlan:
    """Make the workflow what it is now. The plan instead, and nothing changed, when it must be accepted, or is not the accepted one."""
    old = shape_named(unit, name)
    if old is None:
        return unit.save_shape(name, fingerprint, specs)
    if old.fingerprint == fingerprint:
        same = [stage.spec for stage in old.stages] == list(specs)
        return old if same else unit.save_shape(name, fingerprint, [*specs, *(stage.spec for stage in old.removed)])
    difference = Difference(old, specs, backfill=backfill)
    items = list(unit.situations(old.id))
    situations = Counter(situation for _, situation in items)
    made = make_plan(difference, fingerprint, situations)
    if made != accepted if accepted is not None else not made.is_additive:
        return made
    returning = {name for name in difference.added if unit.stage_number(old.id, name) is not None}
    shape = _save(unit, difference, fingerprint, specs, situations)
    _count(unit, difference, shape, situations)
    _move_items(unit, _Mover(unit, difference, shape, returning), items)
    return shape


def _save(unit: Unit, difference: Difference, fingerprint: str, specs: Specs, situations: Mapping[Situation, int]) -> WorkflowShape:
    old = difference.old
    for stage in old.removed:
        if difference.names[stage.id] != stage.name:
            unit.rename_stage(stage.id, difference.names[stage.id])
    for name, former in difference.former.items():
        holder = unit.stage_number(old.id, name)
        if holder is not None:  # of a stage that was dropped long ago
            unit.rename_stage(holder, aside(name, holder))
        unit.rename_stage(old.by_name[former].id, name)
    leftovers = {name for situation in situations for name in difference.fate_of(situation).leftovers}
    orphans = [
        {**stage.spec, "name": name, "depends_on": [], "removed": True}
        for stage in old.every
        if (name := difference.names[stage.id]) in leftovers
    ]
    return unit.save_shape(old.name, fingerprint, [*specs, *orphans])


def _count(unit: Unit, difference: Difference, shape: WorkflowShape, situations: Mapping[Situation, int]) -> None:
    """The kept counts, before rows are moved: added stages count as pending."""
    for situation, items in situations.items():
        fates = difference.fate_of(situation)
        for name in fates.added:
            unit.count(shape.by_name[name].id, False, PENDING, items)
        for name in fates.dropped:
            unit.count(difference.old.by_name[name].id, False, fates.states.get(name, PENDING), -items)


def _move_items(unit: Unit, mover: _Mover, items: Sequence[tuple[int, Situation]]) -> None:
    concerned = [(key, fates) for key, situation in items if mover.concerns(fates := mover.difference.fate_of(situation))]
    if len(concerned) > FEW_ITEMS:
        loaded = {item.key: item for item in unit.items_of(mover.shape.id)}
        for key, fates in concerned:
            mover.move(loaded[key], fates)
        return
    for key, fates in concerned:
        item = unit.item(key)
        assert item is not None
        mover.move(item, fates)


class _Mover:
    """Does to items what was decided for those that stand as they do."""

    def __init__(self, unit: Unit, difference: Difference, shape: WorkflowShape, returning: Collection[str]) -> None:
        """`returning`: added stages that the workflow has had before."""
        self.unit = unit
        self.difference = difference
        self.shape = shape
        self.returning = returning
        self._recounts: dict[int, dict[str, int]] = {}

    def concerns(self, fates: Fates) -> bool:
        """Whether there is anything to do."""
        return bool(fates.added or fates.dropped or self._recounted(fates))

    def _recounted(self, fates: Fates) -> dict[str, int]:
        """Stages whose open dependencies may be others than before → how many there are now."""
        found = self._recounts.get(id(fates))
        if found is None:
            found = self._recounts[id(fates)] = {}
            for name in (*self.difference.rewired, *self.difference.added):
                dependencies = self.difference.waits_for(name)
                open_count = sum(not fates.is_satisfied(dependency) for dependency in dependencies)
                if open_count or name in fates.added or not fates.is_satisfied(name):
                    found[name] = open_count
        return found

    def move(self, item: Item, fates: Fates) -> None:
        """Bring one item into the new workflow."""
        unit = self.unit
        unit.edit(item)
        open_before = item.open_stages
        for name, has_row in fates.dropped.items():
            self._drop(item, name, fates.states.get(name, PENDING), has_row)
        for name, fate in fates.added.items():
            if name in self.returning or item.flags & REVIVED:  # whoever folds events was told that it was skipped, or cancelled
                unit.emit(ev.StageRetried, Task(item.key, self.shape.by_name[name].id), workflow=item.workflow, by="")
            if fate == "pending":
                item.open_stages += 1
            else:
                self._add_ended(item, name, SKIPPED if fate == "skipped" else CANCELLED)
        if "cancelled" in fates.added.values():
            unit.emit(ev.ItemCancelled, workflow=item.workflow, item=item.key, by="")
        for before, (name, open_count) in enumerate(self._recounted(fates).items()):
            self._recount(item, name, open_count, before, has_row=name in fates.states or fates.added.get(name) in ("skipped", "cancelled"))
        if open_before and not item.open_stages and not item.flags & CANCELLED_ITEM:
            unit.emit(ev.WorkflowCompleted, workflow=item.workflow, item=item.key)

    def _drop(self, item: Item, name: str, state: int, has_row: bool) -> None:
        """A removed stage that never began: it is gone, and an event says so."""
        number = self.difference.old.by_name[name].id
        task = self.unit.stored_task(item.key, number, 0) if has_row else None
        if state not in SATISFIED:
            item.open_stages -= 1
        if state == PENDING:
            self.unit.emit(ev.StageSkipped, task or Task(item.key, number), workflow=item.workflow, reason=REMOVED)
        if task is not None:
            self.unit.delete_task(task)

    def _add_ended(self, item: Item, name: str, state: int) -> None:
        """An added stage that has nothing to do for this item, or no leave to."""
        unit = self.unit
        stage = self.shape.by_name[name]
        task = unit.fresh_task(item, stage.id, len(stage.dependencies))
        move(unit, item, task, state)
        task.completed_at = unit.now
        if state == SKIPPED:
            task.put(summary=ADDED_LATER)
            unit.emit(ev.StageSkipped, task, workflow=item.workflow, reason=ADDED_LATER)
        else:
            item.open_stages += 1

    def _recount(self, item: Item, name: str, open_count: int, before: int, *, has_row: bool) -> None:
        """Give a stage the number of dependencies it waits for, and let it start, or wait, by that."""
        unit = self.unit
        stage = self.shape.by_name[name]
        if not has_row and stage.dependencies and open_count == len(stage.dependencies):
            return  # nothing has happened to it yet, so it needs no row
        task = unit.stored_task(item.key, stage.id, 0) if has_row else unit.fresh_task(item, stage.id, open_count)
        assert task is not None
        unit.edit(task)
        task.open_deps = open_count
        if task.state == RETRY_WAIT and open_count:
            move(unit, item, task, PENDING)
            unit.emit(ev.StageRetried, task, workflow=item.workflow, by="")
        waits_for_subtasks = task.phase == FANNED_OUT and task.open_subs > 0
        if task.state != PENDING or waits_for_subtasks:
            return
        if open_count:
            task.ready = NOT_READY
        elif task.ready == NOT_READY:
            make_ready(unit, item, task, unit.turn(before))


def drop(unit: Unit, item_id: str, stage: str, by: str) -> list[Lease]:
    """Let go of a stage that was removed with work in it: it counts as skipped, its history stays. The leases that ended."""
    item = item_named(unit, item_id)
    task = task_named(unit, item, stage)
    is_removed = unit.shape_of(item).by_id[task.stage].is_removed
    if not is_removed or task.state in SATISFIED:
        remedy = "it has finished, so it is in nobody's way" if is_removed else "it is part of the workflow; cancel the item instead"
        raise InvalidTransition(item.id, label(unit, item, task), STATES[task.state], StageState.SKIPPED, remedy)
    leases = [(each.key, each.fence) for each in (task, *unit.subtasks(item.key, task.stage)) if each.worker is not None]
    unit.edit(task)
    unit.edit(item)
    item.revive()
    if task.worker is not None:
        record_attempt(unit, task, "interrupted", error="removed from the workflow")
    discard_subtasks(unit, task)
    task.fence += 1
    task.is_open = 0
    if task.state not in (PENDING, RUNNING):
        move(unit, item, task, PENDING)
        unit.emit(ev.StageRetried, task, workflow=item.workflow, by=by)
    move(unit, item, task, SKIPPED)
    task.completed_at = unit.now
    reason = REMOVED + (f", let go of by {by}" if by else "")
    task.put(summary=reason, error=None, review=None, why=None)
    unit.emit(ev.StageSkipped, task, workflow=item.workflow, reason=reason)
    satisfy(unit, item, task.stage)
    return leases
