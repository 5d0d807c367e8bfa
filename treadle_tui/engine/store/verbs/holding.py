"""Breakpoints: a stage that starts no more, for every item or for those a condition matches. Kept, and obeyed by every engine."""

from __future__ import annotations

from treadle_tui.engine import events as ev
from treadle_tui.engine.errors import StageNotFound
from treadle_tui.engine.store.rows import Hold
from treadle_tui.engine.store.shape import StageShape, WorkflowShape
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs.moves import make_ready


def stage_named(shape: WorkflowShape, stage: str) -> StageShape:
    """A stage of a workflow by name. Raises `StageNotFound`."""
    if stage not in shape.by_name or shape.by_name[stage].is_removed:
        raise StageNotFound(stage, [each.name for each in shape.stages], f"workflow {shape.name!r}")
    return shape.by_name[stage]


def hold_stage(unit: Unit, workflow: int, stage: str, when: str | None) -> None:
    """Start this stage no more; `when` is an expression on the item. An earlier hold of the stage is replaced."""
    held = stage_named(unit.shapes[workflow], stage)
    before = unit.holds().get(held.id)
    if before is not None:
        if before.when == when:
            return
        _let_go(unit, held.id)
    unit.save_hold(Hold(held.id, when))
    unit.emit_for_stage(ev.StageHeld, held.id, workflow=workflow, when=when)


def release_stage(unit: Unit, workflow: int, stage: str) -> None:
    """Let the stage go on. Releasing one that is not held changes nothing."""
    held = stage_named(unit.shapes[workflow], stage)
    if held.id not in unit.holds():
        return
    unit.delete_hold(held.id)
    _let_go(unit, held.id)
    unit.emit_for_stage(ev.StageReleased, held.id, workflow=workflow)


def _let_go(unit: Unit, stage: int) -> None:
    for task in unit.held(stage):
        item = unit.item(task.item)
        if item is not None:
            make_ready(unit, item, task, task.turn)
