"""Decisions that are held for a while before they count: made, taken back, recorded, or found to have come too late.

Recording and letting go of what was held are one transaction, so a crash between the two cannot decide anything twice, and one
that could not be recorded stays, with all its text, and says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from treadle_tui.engine.codec import decode_json
from treadle_tui.engine.desk import Desk, Sent
from treadle_tui.engine.errors import TreadleError
from treadle_tui.engine.store.desk_rows import HeldRow, JottingRow
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs import reviewing
from treadle_tui.engine.store.verbs.moves import item_named, task_named


class Line(NamedTuple):
    """A decision to be held, encoded."""

    item_id: str
    stage: str
    subtask: str | None
    version: int
    decision: bytes


def hold(unit: Unit, desk: Desk, lines: Sequence[Line]) -> list[int]:
    """Hold decisions; their numbers. Whether each can be recorded is found out when it is sent."""
    items = unit.find_items([line.item_id for line in lines])
    rows = []
    for line in lines:
        item = items.get(line.item_id) or item_named(unit, line.item_id)
        stage = unit.shape_of(item).by_name.get(line.stage)
        number = stage.id if stage is not None else task_named(unit, item, line.stage).stage
        who = (desk.session, desk.reviewer, desk.host, desk.pid, desk.pid_start)
        rows.append(HeldRow(0, *who, item.key, number, line.subtask, line.version, line.decision, unit.now, None))
    return unit.desk.insert_held(rows)


def take_back(unit: Unit, ids: Sequence[int]) -> list[int]:
    """Let held decisions go, whether or not they had a problem; the numbers of those that were still there."""
    found = [row.id for row in unit.desk.held(ids)]
    unit.desk.delete_held(found)
    return found


def adopt(unit: Unit, ids: Sequence[int], desk: Desk) -> None:
    """What a program that has ended held belongs to this terminal now."""
    unit.desk.adopt_held(ids, desk.session, desk.host, desk.pid, desk.pid_start)


def send(unit: Unit, ids: Sequence[int]) -> list[Sent]:
    """Record held decisions; of each, in the order held, the state it led to or why it was not recorded."""
    results: list[Sent] = []
    done: list[int] = []
    for row in unit.desk.held(ids):
        outcome = unit.attempt_verb(lambda unit, row=row: _record(unit, row))  # type: ignore[misc]
        results.append((row.id, outcome))
        if isinstance(outcome, Exception):
            unit.desk.set_problem(row.id, str(outcome))
        else:
            done.append(row.id)
    unit.desk.delete_held(done)
    return results


def _record(unit: Unit, row: HeldRow) -> Any:
    item = unit.item(row.item)
    stage = None if item is None else unit.shape_of(item).by_id.get(row.stage)
    if item is None or stage is None:
        raise TreadleError("the item, or the stage that asked, is gone; nothing is left to decide")
    return reviewing.decide(unit, item.id, stage.name, decode_json(row.decision), row.version, row.subtask)


def keep(
    unit: Unit,
    reviewer: str,
    kind: str,
    review: tuple[str, str, str | None],
    *,
    version: int,
    until: int | None = None,
    text: str = "",
) -> None:
    """Keep a jotting about a review (item id, stage, subtask), in place of an earlier one of its kind."""
    item = item_named(unit, review[0])
    stage = task_named(unit, item, review[1]).stage
    unit.desk.save_jottings([JottingRow(item.key, stage, review[2] or "", reviewer, kind, version, unit.now, until, text)])


def forget(unit: Unit, reviewer: str, kind: str | None, review: tuple[str, str, str | None] | None) -> None:
    """Let jottings of one review go, or, without one, a reviewer's jottings of that kind."""
    if review is None:
        unit.desk.delete_jottings(reviewer, kind)
        return
    item = unit.find_items([review[0]]).get(review[0])
    stage = None if item is None else unit.shape_of(item).by_name.get(review[1])
    if item is not None and stage is not None:
        unit.desk.delete_jottings(reviewer, kind, item.key, stage.id, review[2] or "")
