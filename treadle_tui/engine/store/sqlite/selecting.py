"""A `Selection` as SQL over the tables of `schema.py`. Pure: shapes in, a statement and its parameters out.

States that few stages are in at a time are found by partial indexes, so a list of failures costs what the failures cost. Everything
else goes through the items in the order that is asked for and looks at each one's stages by their primary key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from treadle_tui.engine.selection import (
    Aspect,
    Comparison,
    Condition,
    Order,
    Selection,
    allowed_states,
    allows_stage,
    glob,
    literal_start,
)
from treadle_tui.engine.states import READING_ORDER, ItemState, StageState
from treadle_tui.engine.store.rows import CANCELLED_ITEM, PAUSED, STATE_NUMBER
from treadle_tui.engine.store.shape import StageShape, WorkflowShape
from treadle_tui.engine.store.sqlite.columns import Sql
from treadle_tui.engine.store.sqlite.schema import NOTABLE

NOTABLE_STATES = frozenset({StageState.RETRY_WAIT, StageState.AWAITING_REVIEW, StageState.SKIPPED, StageState.FAILED, StageState.CANCELLED})
"""Found by the index `treadle_notable`."""

_ITEM_STATES = {
    ItemState.CANCELLED: f"i.flags & {CANCELLED_ITEM} != 0",
    ItemState.COMPLETED: f"i.flags & {CANCELLED_ITEM} = 0 AND i.open_stages = 0",
    ItemState.PAUSED: f"i.flags & {CANCELLED_ITEM} = 0 AND i.open_stages != 0 AND i.flags & {PAUSED} != 0",
    ItemState.ACTIVE: f"i.flags & {CANCELLED_ITEM} = 0 AND i.open_stages != 0 AND i.flags & {PAUSED} = 0",
}
"""As `views.item_state`."""

_RANK = " ".join(f"WHEN {STATE_NUMBER[state]} THEN {rank}" for rank, state in enumerate(READING_ORDER))
_ERROR = "coalesce(json_extract(CAST(t.detail AS TEXT), '$.error'), '')"


NOTHING = Sql("0")
EVERYTHING = Sql("1")


def chosen(selection: Selection, shapes: Mapping[int, WorkflowShape], now: int) -> Sql:
    """ "FROM … WHERE …" of the items that are selected, as `i`."""
    mine = [shape for shape in shapes.values() if selection.workflow in (None, shape.name)]
    driver, found = "treadle_items i", []
    parts = [_item_condition(condition, now) for condition in selection.of_item]
    for is_wanted, conditions in selection.of_stage():
        indexed = _indexed(conditions, mine, now) if is_wanted else None
        if indexed is not None:
            driver, found = f"({indexed.text}) m CROSS JOIN treadle_items i ON i.key = m.item", list(indexed.parameters)
            continue
        there = _there(conditions, mine, now)
        parts.append(there if is_wanted else Sql(f"NOT ({there.text})", there.parameters))
    if selection.workflow is not None:
        # A plus sign keeps the planner from the index on the workflow where a better way in is known.
        has_better_way = bool(found) or any(each.aspect is Aspect.ID and not each.is_negated for each in selection.of_item)
        parts.insert(0, Sql(f"{'+' if has_better_way else ''}i.workflow = ?", (mine[0].id if mine else -1,)))
    where = _all(parts)
    return Sql(f"FROM {driver} WHERE {where.text}", (*found, *where.parameters))


def ordered(selection: Selection, shapes: Mapping[int, WorkflowShape]) -> Sql:
    """ "ORDER BY …" of the items `i`."""
    way = "DESC" if selection.is_descending else "ASC"
    match selection.order:
        case Order.ADDED:
            return Sql(f"ORDER BY i.key {way}")
        case Order.ID:
            return Sql(f"ORDER BY i.id {way}")
        case Order.PRIORITY:
            return Sql(f"ORDER BY i.priority {way}, i.key")
        case Order.UPDATED:
            return Sql(f"ORDER BY coalesce((SELECT max(e.seq) FROM treadle_events e WHERE e.item = i.key), 0) {way}, i.key")
    stages = [
        shape.by_name[selection.stage].id
        for shape in shapes.values()
        if selection.workflow in (None, shape.name) and selection.stage in shape.by_name
    ]
    state = f"(SELECT t.state FROM treadle_tasks t WHERE t.item = i.key AND t.stage IN ({_marks(stages)}) AND t.sub = 0)"
    return Sql(f"ORDER BY CASE coalesce({state}, {STATE_NUMBER[StageState.PENDING]}) {_RANK} END {way}, i.key", tuple(stages))


# conditions on the item ---------------------------------------------------------------------------------------------------------


def _item_condition(condition: Condition, now: int) -> Sql:
    alternatives = _any([_item_value(condition.aspect, value, now) for value in condition.values])
    return Sql(f"NOT ({alternatives.text})", alternatives.parameters) if condition.is_negated else alternatives


def _item_value(aspect: Aspect, value: Any, now: int) -> Sql:
    match aspect, value:
        case Aspect.WORD, str():
            return Sql("i.id LIKE ? ESCAPE '\\'", (_like(value),))
        case Aspect.ID, str():
            return _id_condition(value)
        case Aspect.IS, ItemState():
            return Sql(f"({_ITEM_STATES[value]})")
        case Aspect.PRIORITY, Comparison():
            return Sql(f"i.priority {value.operator} ?", (value.number,))
        case Aspect.ADDED, Comparison():
            return _age("i.created_at", value, now)
    return NOTHING


def _id_condition(text: str) -> Sql:
    start, is_whole = literal_start(text)
    if is_whole:
        return Sql("i.id = ?", (start,))
    if start and ord(start[-1]) < 0xD7FF:  # the next character must be one that text can hold
        return Sql("(i.id >= ? AND i.id < ? AND i.id GLOB ?)", (start, start[:-1] + chr(ord(start[-1]) + 1), glob(text)))
    return Sql("i.id GLOB ?", (glob(text),))


def _age(moment: str, comparison: Comparison, now: int) -> Sql:
    """Older than so many seconds is before so long ago."""
    return Sql(f"? - {moment} {comparison.operator} ?", (now, comparison.number * 1000))


def _like(text: str) -> str:
    for special in ("\\", "%", "_"):
        text = text.replace(special, "\\" + special)
    return f"%{text}%"


# conditions on a stage ----------------------------------------------------------------------------------------------------------


def _indexed(conditions: Sequence[Condition], shapes: Sequence[WorkflowShape], now: int) -> Sql | None:
    """ "SELECT DISTINCT item" by the partial indexes; None when such stages may be in a state that most are in.

    What runs is held by a worker, or is a fan-out that waits for its subtasks.
    """
    states = allowed_states(conditions)
    if not states <= NOTABLE_STATES | {StageState.RUNNING}:
        return None
    stages, every = _stages(conditions, shapes)
    rest = _all([_task_condition(condition, now) for condition in conditions])
    if stages != every:
        rest = _all([Sql(f"t.stage IN ({_marks(stages)})", tuple(stage.id for stage in stages)), rest])
    ways = []
    if notable := states & NOTABLE_STATES:
        numbers = ", ".join(str(STATE_NUMBER[state]) for state in StageState if state in notable)
        ways.append(f"t.state IN ({NOTABLE}) AND t.state IN ({numbers})")
    if StageState.RUNNING in states:
        running = STATE_NUMBER[StageState.RUNNING]
        ways += [f"t.worker IS NOT NULL AND t.state = {running}", f"t.phase > 0 AND t.state = {running}"]
    text = " UNION ".join(f"SELECT t.item FROM treadle_tasks t WHERE {way} AND {rest.text}" for way in ways) or "SELECT 0 AS item WHERE 0"
    return Sql(f"SELECT DISTINCT item FROM ({text})", rest.parameters * len(ways))


def _there(conditions: Sequence[Condition], shapes: Sequence[WorkflowShape], now: int) -> Sql:
    """Whether the item has such a stage: one with a row, or one that nothing has happened to yet and that has none."""
    stages, every = _stages(conditions, shapes)
    states = allowed_states(conditions)
    if not stages or not states:
        return NOTHING
    parts = [_task_condition(condition, now) for condition in conditions]
    if stages != every:
        parts.insert(0, Sql(f"t.stage IN ({_marks(stages)})", tuple(stage.id for stage in stages)))
    if len(states) < len(StageState):
        parts.insert(0, Sql(f"t.state IN ({', '.join(str(STATE_NUMBER[state]) for state in StageState if state in states)})"))
    rest = _all(parts)
    found = Sql(f"EXISTS (SELECT 1 FROM treadle_tasks t WHERE t.item = i.key AND {rest.text})", rest.parameters)
    fresh = _fresh(conditions, [stage for stage in stages if not stage.is_removed], now) if StageState.PENDING in states else NOTHING
    return _any([found, fresh])


def _fresh(conditions: Sequence[Condition], stages: Sequence[StageShape], now: int) -> Sql:
    """Whether one of the stages has no row: it is pending, was never tried, and as old as its item."""
    parts = [_fresh_condition(condition, now) for condition in conditions]
    if not stages or NOTHING in parts:
        return NOTHING
    missing = Sql(
        f"EXISTS (SELECT 1 FROM treadle_stages s WHERE s.workflow = i.workflow AND s.id IN ({_marks(stages)})"
        " AND NOT EXISTS (SELECT 1 FROM treadle_tasks t WHERE t.item = i.key AND t.stage = s.id AND t.sub = 0))",
        tuple(stage.id for stage in stages),
    )
    return _all([*parts, missing])


def _stages(conditions: Sequence[Condition], shapes: Sequence[WorkflowShape]) -> tuple[list[StageShape], list[StageShape]]:
    every = [stage for shape in shapes for stage in shape.every]
    return [stage for stage in every if allows_stage(conditions, stage.name, stage.spec)], every


def _task_condition(condition: Condition, now: int) -> Sql:
    """What a row must be like beyond its stage and state."""
    found = []
    for value in condition.values:
        match condition.aspect, value:
            case Aspect.ERROR, str():
                found.append(Sql(f"{_ERROR} LIKE ? ESCAPE '\\'", (_like(value),)))
            case Aspect.AGE, Comparison():
                found.append(_age("t.updated_at", value, now))
            case Aspect.ATTEMPTS, Comparison():
                found.append(Sql(f"t.attempt {value.operator} ?", (value.number,)))
            case _:
                return EVERYTHING
    alternatives = _any(found)
    return Sql(f"NOT ({alternatives.text})", alternatives.parameters) if condition.is_negated else alternatives


def _fresh_condition(condition: Condition, now: int) -> Sql:
    match condition.aspect:
        case Aspect.ERROR:
            return EVERYTHING if condition.is_negated else NOTHING
        case Aspect.ATTEMPTS:
            fits = any(isinstance(value, Comparison) and value.holds(0) for value in condition.values)
            return EVERYTHING if fits is not condition.is_negated else NOTHING
        case Aspect.AGE:
            found = _any([_age("i.created_at", value, now) for value in condition.values if isinstance(value, Comparison)])
            return Sql(f"NOT ({found.text})", found.parameters) if condition.is_negated else found
    return EVERYTHING


# putting together ---------------------------------------------------------------------------------------------------------------


def _all(parts: Iterable[Sql]) -> Sql:
    return _joined(" AND ", [part for part in parts if part != EVERYTHING]) or EVERYTHING


def _any(parts: Iterable[Sql]) -> Sql:
    return _joined(" OR ", [part for part in parts if part != NOTHING]) or NOTHING


def _joined(word: str, parts: Sequence[Sql]) -> Sql | None:
    if not parts:
        return None
    text = word.join(part.text for part in parts)
    return Sql(f"({text})" if len(parts) > 1 else text, tuple(value for part in parts for value in part.parameters))


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))
