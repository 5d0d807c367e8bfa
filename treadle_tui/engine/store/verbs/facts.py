"""What explaining an item needs beyond its statuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from treadle_tui.engine.clock import from_ms
from treadle_tui.engine.record import Record
from treadle_tui.engine.store.rows import READY, READY_BUT_HELD, RETRY_WAIT
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs.moves import item_named


class Facts(Record, frozen=True):
    """Of one item, by stage name."""

    dependencies: Mapping[str, Sequence[str]]
    budgets: Mapping[str, int]
    due: Mapping[str, datetime]
    holds: Mapping[str, str | None]
    held_back: frozenset[str]
    ready: Sequence[str]
    """Stages that can be claimed now, or that have subtasks that can."""
    groups: Mapping[str, str | None]
    removed: frozenset[str] = frozenset()
    """Stages of the item that its workflow has no longer."""


def facts_of(unit: Unit, item_id: str) -> Facts:
    """The facts of one item. Raises `ItemNotFound`."""
    item = item_named(unit, item_id)
    shape = unit.shape_of(item)
    names = {stage.id: stage.name for stage in shape.stages}
    tasks = {stage.id: unit.stored_task(item.key, stage.id, 0) for stage in shape.every}
    held = {stage: hold.when for stage, hold in unit.holds().items() if stage in names}
    held_back, ready, due, budgets = set(), [], {}, {}
    for stage in shape.stages:
        task = tasks[stage.id]
        budget = (stage.spec.get("retry") or {}).get("max_attempts", 1)
        budgets[stage.name] = budget if task is None else task.max_attempts(budget)
        if task is None:
            continue
        everyone = [task, *(unit.subtasks(item.key, stage.id) if task.subs else ())]
        if any(each.ready == READY for each in everyone) and not (stage.id in held and held[stage.id] is None):
            ready.append(stage.name)
        if any(each.ready == READY_BUT_HELD for each in everyone):
            held_back.add(stage.name)
        if task.state == RETRY_WAIT and task.due_at is not None:
            due[stage.name] = from_ms(task.due_at)
    return Facts(
        dependencies={stage.name: [names[above] for above in stage.dependencies] for stage in shape.stages},
        budgets=budgets,
        due=due,
        holds={names[stage]: when for stage, when in held.items()},
        held_back=frozenset(held_back),
        ready=ready,
        groups={stage.name: (stage.spec.get("review") or {}).get("group") for stage in shape.every},
        removed=frozenset(stage.name for stage in shape.removed if tasks[stage.id] is not None),
    )
