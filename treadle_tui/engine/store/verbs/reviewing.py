"""A person's part: decisions, taking them back, and reviews nobody answered.

A decision is a compare-and-set on the version that was looked at; dependents become ready in the same transaction. Whoever comes
second is told who was first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from treadle_tui.engine import events as ev
from treadle_tui.engine.clock import from_ms
from treadle_tui.engine.codec import decision_from_json, encode_json
from treadle_tui.engine.errors import InvalidDecision, InvalidTransition, ReviewConflict
from treadle_tui.engine.states import StageState
from treadle_tui.engine.store.desk_rows import DecisionRow
from treadle_tui.engine.store.results import Statement
from treadle_tui.engine.store.rows import (
    AWAITING_REVIEW,
    COMPLETED,
    DECIDED,
    FAILED,
    FANNED_OUT,
    NOT_READY,
    PENDING,
    REDUCE,
    RUNNING,
    STATES,
    Attempt,
    Item,
    Task,
)
from treadle_tui.engine.store.shape import policy_of
from treadle_tui.engine.store.statements import from_json
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs.moves import (
    complete,
    discard_subtasks,
    fail,
    item_named,
    label,
    make_ready,
    move,
    reopen_subtask,
    task_named,
    unsatisfy,
)


def decide(
    unit: Unit,
    item_id: str,
    stage: str,
    decision: Mapping[str, Any],
    version: int | None = None,
    subtask: str | None = None,
) -> StageState:
    """Record a decision (its JSON form, `codec.decision_to_json`, without `at`); the state it led to."""
    item = item_named(unit, item_id)
    task = task_named(unit, item, stage, subtask)
    _check_open(unit, item, task, version)
    _check_values(unit, item, task, decision)
    unit.edit(task)
    unit.edit(item)
    item.flags |= DECIDED
    recorded = {**decision, "at": from_ms(unit.now)}
    attempt, why = task.attempt, task.detail.get("why") or ""
    _DECIDE[decision["verb"]](unit, item, task, recorded)
    unit.desk.insert_decision(DecisionRow(0, unit.now, *task.key, task.name, attempt, encode_json({**recorded, "why": why}), 0))
    return STATES[task.state]


def _check_open(unit: Unit, item: Item, task: Task, version: int | None) -> None:
    name = label(unit, item, task)
    decision = decision_from_json(task.detail.get("decision"))
    if task.state != AWAITING_REVIEW:
        if decision is not None:
            who = f" by {decision.by}" if decision.by else ""
            raise ReviewConflict(
                message=f"stage {name!r} of item {item.id!r} was already decided{who} ({decision.verb.replace('_', ' ')})"
                f" and is {STATES[task.state].word}; reopen it to decide again",
                by=decision.by,
                at=decision.at,
            )
        raise InvalidTransition(
            item.id, name, STATES[task.state], remedy="only a stage that awaits review can be decided, so there is nothing to decide"
        )
    if version is not None and version != task.version:
        raise ReviewConflict(
            message=f"stage {name!r} of item {item.id!r} has changed since it was looked at (version {version}, now {task.version});"
            " look at it again",
            by=decision.by if decision else "",
            at=decision.at if decision else None,
        )


def _check_values(unit: Unit, item: Item, task: Task, decision: Mapping[str, Any]) -> None:
    """Answers must fit the review's fields; approving asks for the required ones."""
    review = task.detail.get("review") or {}
    fields = {field["name"]: field for field in review.get("fields") or ()}
    values = decision.get("values") or {}
    where = f"stage {label(unit, item, task)!r} of item {item.id!r}"
    for name, value in values.items():
        if name not in fields:
            known = ", ".join(fields) or "none"
            raise InvalidDecision(f"{where}: the review has no field {name!r} (fields: {known}); the review stays open")
        _check_value(where, fields[name], value)
    if decision["verb"] in ("reject", "request_changes"):
        return
    for field in fields.values():
        if field.get("required") and values.get(field["name"], field.get("default")) in (None, ""):
            raise InvalidDecision(f"{where}: field {field['name']!r} must be answered; the review stays open")


def _check_value(where: str, field: Mapping[str, Any], value: Any) -> None:
    if value is None:
        return
    kind = field["kind"]
    fits = {
        "text": isinstance(value, str),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "bool": isinstance(value, bool),
        "choice": value in (field.get("choices") or ()),
    }[kind]
    if not fits:
        wanted = f"one of {', '.join(field.get('choices') or ())}" if kind == "choice" else f"a {kind}"
        raise InvalidDecision(f"{where}: field {field['name']!r} is {value!r} but must be {wanted}; the review stays open")


def _resolved(unit: Unit, item: Item, task: Task, recorded: Mapping[str, Any], **changes: Any) -> None:
    task.put(decision=recorded, **changes)
    unit.emit(ev.ReviewResolved, task, workflow=item.workflow, decision=redact_decision(unit, item, task, recorded))


def redact_decision(unit: Unit, item: Item, task: Task, recorded: Mapping[str, Any]) -> Mapping[str, Any]:
    """The decision as events may show it."""
    from treadle_tui.engine.secrets import redact

    names = unit.shape_of(item).by_id[task.stage].spec.get("secrets") or ()
    return redact(recorded, names) if names else recorded


def _approve_output(unit: Unit, item: Item, task: Task, number: int, *, edited: bool = False) -> None:
    """The output of that attempt, or an edit of it, stands; its SQL runs now, once."""
    attempt = unit.attempt(task.item, task.stage, task.sub, number) if 0 < number <= task.attempt else None
    if attempt is None or (attempt.output is None and not edited):
        raise InvalidDecision(
            f"stage {label(unit, item, task)!r} of item {item.id!r}: attempt {number} has no output to approve;"
            " approve with edits, pick another attempt, request changes or reject; the review stays open"
        )
    statements: Sequence[Statement] = from_json(attempt.detail.get("statements") or ())
    if statements:
        problem = unit.run_statements(statements)
        if problem is not None:
            raise InvalidDecision(
                f"stage {label(unit, item, task)!r} of item {item.id!r}: the transaction of attempt {number} failed ({problem});"
                " nothing is recorded and the review stays open"
            )
        unit.edit(attempt)
        attempt.put(statements=None)
    task.out = -number if edited else number


def _approve(unit: Unit, item: Item, task: Task, recorded: Mapping[str, Any]) -> None:
    _approve_output(unit, item, task, task.attempt)
    _resolved(unit, item, task, recorded, error=None, feedback=None)
    complete(unit, item, task)


def _approve_with_edits(unit: Unit, item: Item, task: Task, recorded: Mapping[str, Any]) -> None:
    _approve_output(unit, item, task, task.attempt, edited=True)
    _resolved(unit, item, task, recorded, error=None, feedback=None)
    complete(unit, item, task)


def _pick_attempt(unit: Unit, item: Item, task: Task, recorded: Mapping[str, Any]) -> None:
    _approve_output(unit, item, task, recorded["number"])
    _resolved(unit, item, task, recorded, error=None, feedback=None)
    complete(unit, item, task)


def _reject(unit: Unit, item: Item, task: Task, recorded: Mapping[str, Any]) -> None:
    _resolved(unit, item, task, recorded)
    task.out = 0
    fail(unit, item, task, recorded["reason"] or "rejected")


def _request_changes(unit: Unit, item: Item, task: Task, recorded: Mapping[str, Any]) -> None:
    if unit.shape_of(item).by_id[task.stage].is_removed:
        raise InvalidDecision(
            f"stage {label(unit, item, task)!r} of item {item.id!r} was removed from the workflow, so it cannot run again;"
            " approve or reject it, or drop it; the review stays open"
        )
    said = recorded.get("feedback") or ""
    feedback = {"summary": said, "criteria": [], "guidance": None} if isinstance(said, str) else dict(said)
    feedback["source"] = "person"
    recorded = {**recorded, "feedback": feedback if not isinstance(said, str) else said}
    attempt = unit.attempt(task.item, task.stage, task.sub, task.attempt)
    if attempt is not None:
        unit.edit(attempt)
        attempt.put(feedback=feedback)
    _resolved(unit, item, task, recorded, feedback=feedback, error=None)
    discard_subtasks(unit, task)
    task.extra += 1
    task.out = 0
    move(unit, item, task, PENDING)
    make_ready(unit, item, task)


_DECIDE = {
    "approve": _approve,
    "approve_with_edits": _approve_with_edits,
    "pick_attempt": _pick_attempt,
    "reject": _reject,
    "request_changes": _request_changes,
}


def reopen(unit: Unit, item_id: str, stage: str, by: str, subtask: str | None = None) -> None:
    """Take a decision back: the review waits again with its original output. Raises `ReviewConflict` once a dependent has started."""
    item = item_named(unit, item_id)
    task = task_named(unit, item, stage, subtask)
    decision = decision_from_json(task.detail.get("decision"))
    if decision is None or task.state not in (COMPLETED, FAILED, PENDING):
        remedy = "it awaits review already" if task.state == AWAITING_REVIEW else "only a decided review can be reopened"
        raise InvalidTransition(item.id, label(unit, item, task), STATES[task.state], StageState.AWAITING_REVIEW, remedy)
    started = _started_dependent(unit, item, task)
    if started is not None:
        raise ReviewConflict(
            message=f"stage {label(unit, item, task)!r} of item {item.id!r} cannot be reopened: {started} has already started;"
            " run the stage again instead",
            by=decision.by,
            at=decision.at,
        )
    if task.is_open:
        raise ReviewConflict(
            message=f"stage {label(unit, item, task)!r} of item {item.id!r} cannot be reopened: attempt {task.attempt} has already started",
            by=decision.by,
            at=decision.at,
        )
    unit.edit(task)
    if task.sub:
        stage_task = reopen_subtask(unit, item, task)
        if stage_task is not None and stage_task.phase == REDUCE:
            stage_task.phase, stage_task.ready = FANNED_OUT, NOT_READY
        if stage_task is not None and stage_task.state == FAILED and stage_task.failed_subs == 0:
            move(unit, item, stage_task, PENDING)
            unit.emit(ev.StageRetried, stage_task, workflow=item.workflow, by=by)
    elif task.state == COMPLETED:
        unsatisfy(unit, item, task.stage)
    if task.state == PENDING:
        task.extra -= 1
    move(unit, item, task, AWAITING_REVIEW)
    task.out = task.attempt if _has_output(unit, task) else 0
    task.completed_at = None
    task.put(decision=None, error=None)
    unit.desk.undo_decision(*task.key)
    unit.emit(ev.ReviewReopened, task, workflow=item.workflow, by=by)


def _has_output(unit: Unit, task: Task) -> bool:
    attempt: Attempt | None = unit.attempt(task.item, task.stage, task.sub, task.attempt)
    return attempt is not None and attempt.output is not None


def _started_dependent(unit: Unit, item: Item, task: Task) -> str | None:
    """What has already begun to build on the decision; None when nothing has."""
    shape = unit.shape_of(item)
    if task.sub:
        stage = unit.task(item, task.stage)
        reducing = stage is not None and stage.phase == REDUCE and stage.state == RUNNING and stage.worker is None
        closed = stage is None or not (reducing or (stage.phase == FANNED_OUT and stage.state in (RUNNING, PENDING, FAILED)))
        return f"stage {shape.by_id[task.stage].name!r}" if closed else None
    if task.state != COMPLETED:
        return None
    for dependent in shape.by_id[task.stage].dependents:
        below = unit.stored_task(item.key, dependent, 0)
        if below is not None and (below.state != PENDING or below.is_open):
            return f"stage {shape.by_id[dependent].name!r}"
    return None


def expire(unit: Unit, limit: int = 1000) -> int:
    """Apply `on_expiry` to reviews that have waited too long; how many."""
    expired = unit.due(AWAITING_REVIEW, unit.now, limit)
    for task in expired:
        item = unit.item(task.item)
        if item is not None:
            _expire_one(unit, item, task)
    return len(expired)


def _expire_one(unit: Unit, item: Item, task: Task) -> None:
    stage = unit.shape_of(item).by_id[task.stage]
    policy = policy_of(stage.spec, is_subtask=task.sub > 0)
    seconds = policy.get("expires_after") or 0
    what = policy.get("on_expiry") or "remind"
    unit.edit(task)
    task.due_at = None
    nobody = f"nobody answered within {seconds:g} seconds"
    if what == "remind" and seconds > 0:
        task.due_at = unit.now + int(seconds * 1000)
        unit.emit(ev.ReviewRequired, task, workflow=item.workflow, data=task.detail.get("review"))
        return
    if what in ("approve", "reject"):
        verb: dict[str, Any] = {"verb": what, "by": "expiry", "note": nobody}
        if what == "reject":
            verb["reason"] = "review expired"
        problem = unit.attempt_verb(lambda unit: decide(unit, item.id, stage.name, verb, subtask=task.name))
        if not isinstance(problem, Exception):
            return
        unit.edit(task)
        nobody = f"{nobody}, and it cannot be decided without a person: {problem}"
    unit.emit(ev.Escalated, task, workflow=item.workflow, reason=nobody)
