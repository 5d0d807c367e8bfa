"""Dropping what a policy does not keep, a little at a time; each call is one transaction that leaves everything true."""

from __future__ import annotations

from itertools import takewhile

from treadle_tui.engine.codec import decode_json, encode_json
from treadle_tui.engine.errors import InvalidDefinition, InvalidTransition, nearest
from treadle_tui.engine.record import Record
from treadle_tui.engine.retention import Retention, Tidied, moment_before
from treadle_tui.engine.states import StageState
from treadle_tui.engine.store.baseline import BaselineRow, packed, unpacked
from treadle_tui.engine.store.item_fold import ItemFold
from treadle_tui.engine.store.retention_rows import ALL_WORKFLOWS, FinishedItem, Mark, SpareAttempt
from treadle_tui.engine.store.rows import OUTPUTS_DROPPED, STATES, Item, RawEvent, Task
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs import items
from treadle_tui.engine.store.verbs.moves import label

EVENTS_AT_ONCE = 500
"""Events folded in one transaction: about five milliseconds for whoever waits behind it."""
ITEMS_AT_ONCE = 200
"""Items looked at in one transaction."""
DELETED_AT_ONCE = 50
"""Items deleted in one transaction, each with all its rows."""
PAGES_AT_ONCE = 200
"""Pages given back in one transaction."""


def save_policy(unit: Unit, workflow: str | None, policy: Retention) -> None:
    """Keep a policy of one workflow, or of all that have none of their own. Raises `InvalidDefinition` for an unknown workflow."""
    number = ALL_WORKFLOWS if workflow is None else _number(unit, workflow)
    unit.retention.save_policy(number, None if policy.keeps_everything and number == ALL_WORKFLOWS else encode_json(policy.as_dict()))


def forget_policy(unit: Unit, workflow: str) -> None:
    """Let a workflow follow the policy of all again. Raises `InvalidDefinition` for an unknown workflow."""
    unit.retention.save_policy(_number(unit, workflow), None)


def _number(unit: Unit, workflow: str) -> int:
    for shape in unit.shapes.values():
        if shape.name == workflow:
            return shape.id
    known = nearest(workflow, [shape.name for shape in unit.shapes.values()])
    raise InvalidDefinition(f"the database has no workflow {workflow!r}; {known}")


def policies(unit: Unit) -> dict[int, Retention]:
    """Of every workflow that has one, by number; `ALL_WORKFLOWS` for the others."""
    return {workflow: Retention(**decode_json(policy)) for workflow, policy in unit.retention.policies().items()}


class Progress(Record, frozen=True):
    """How far a tidying has come."""

    tidied: Tidied
    reached: int
    """Go on from there: a `seq`, or an item's key."""
    is_over: bool
    """Whether there is nothing more to drop now."""


def drop_events(unit: Unit, workflow: int, policy: Retention, after: int, keep_from: int) -> Progress:
    """Fold the oldest events of a workflow into the baselines of their items, and drop them.

    `after`: nothing up to there is left to be dropped. `keep_from`: the first `seq` of those that are kept because of their number.
    """
    mark = unit.retention.mark(workflow)
    rows = unit.retention.events_of(workflow, max(after, mark.horizon), EVENTS_AT_ONCE)
    before = moment_before(policy.events_days, unit.now)
    gone = list(takewhile(lambda row: row.at < before or row.seq < keep_from, rows))
    if gone:
        _fold(unit, gone)
        unit.retention.delete_events([row.seq for row in gone])
        unit.retention.save_mark(workflow, Mark(gone[-1].seq, mark.dropped + len(gone)))
    is_over = len(gone) < EVENTS_AT_ONCE
    reached = gone[-1].seq if gone else max(after, mark.horizon)
    if is_over:
        reached = rows[len(gone)].seq - 1 if len(gone) < len(rows) else unit.last_seq
    return Progress(Tidied(events=len(gone)), reached, is_over)


def _fold(unit: Unit, rows: list[RawEvent]) -> None:
    of_item: dict[int, list[RawEvent]] = {}
    for row in rows:
        if row.item is not None:
            of_item.setdefault(row.item, []).append(row)
    known = unit.retention.baselines(of_item)
    folded = []
    for item, told in of_item.items():
        before = known.get(item)
        fold = (ItemFold() if before is None else unpacked(before.fold)).take_all(told)
        dropped = len(told) + (0 if before is None else before.dropped)
        folded.append(BaselineRow(item, told[-1].seq, dropped, packed(fold)))
    unit.retention.save_baselines(folded)


def tidy_items(unit: Unit, workflow: int, policy: Retention, after: int, keep_outputs_from: int, keep_items_from: int) -> Progress:
    """Look at some items behind a key: delete those, and drop of the others what is not kept.

    `keep_outputs_from`, `keep_items_from`: the first key of those that are kept because of their number.
    """
    chunk = unit.retention.chunk(workflow, after, ITEMS_AT_ONCE)
    too_old = moment_before(policy.items_days, unit.now)
    doomed = [each for each in chunk.finished if each.finished_at < too_old or each.key < keep_items_from]
    if len(doomed) > DELETED_AT_ONCE:
        doomed, reached, is_over = doomed[:DELETED_AT_ONCE], after, False
    else:
        reached, is_over = chunk.last_key, not chunk.last_key
    for each in doomed:
        items.delete(unit, each.id)
    gone = {each.key for each in doomed}
    attempts = [each for each in chunk.spare if each.item not in gone and _is_spare(each, policy, unit.now)]
    unit.retention.delete_attempts(attempts)
    outputs = [each for each in chunk.finished if each.key not in gone and _has_old_outputs(each, policy, unit.now, keep_outputs_from)]
    for each in outputs:
        _drop_outputs(unit, each.key)
    return Progress(Tidied(attempts=len(attempts), outputs=len(outputs), items=len(doomed)), reached, is_over)


def _is_spare(attempt: SpareAttempt, policy: Retention, now: int) -> bool:
    is_old = policy.attempts_days is not None and attempt.completed_at < moment_before(policy.attempts_days, now)
    return is_old or (policy.attempts_count is not None and attempt.age >= policy.attempts_count)


def _has_old_outputs(item: FinishedItem, policy: Retention, now: int, keep_from: int) -> bool:
    return item.has_outputs and (item.finished_at < moment_before(policy.outputs_days, now) or item.key < keep_from)


def _drop_outputs(unit: Unit, key: int) -> None:
    item = unit.item(key)
    if item is None:
        return
    unit.retention.drop_outputs(key)
    for task in items.tasks_of(unit, item):
        decision = task.detail.get("decision") if task.raw_detail is not None else None
        if decision is not None and decision.get("output") is not None:
            unit.edit(task)
            task.put(decision={**decision, "output": None})
    unit.edit(item)
    item.flags |= OUTPUTS_DROPPED


def give_back(unit: Unit) -> int:
    """Give some free pages back to the file system; how many were."""
    return unit.retention.give_back(PAGES_AT_ONCE)


def refuse_without_outputs(unit: Unit, item: Item, task: Task, to_state: StageState, again: set[int]) -> None:
    """Raise `InvalidTransition` when a stage would run again on outputs that were dropped. `again`: all stages that will run again."""
    if not item.flags & OUTPUTS_DROPPED:
        return
    shape = unit.shape_of(item)
    missing = [above for stage in again for above in shape.by_id[stage].dependencies if above not in again]
    if missing:
        raise InvalidTransition(
            item.id,
            label(unit, item, task),
            STATES[task.state],
            to_state,
            f"the output of {shape.by_id[missing[0]].name!r}, which it needs, was dropped to save room (retention);"
            " delete the item and add it again",
        )
