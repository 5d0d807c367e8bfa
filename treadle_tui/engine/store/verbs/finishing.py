"""Recording how an attempt ended: one compare-and-set on the fence, one transaction for everything that follows from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import replace

from treadle_tui.engine import events as ev
from treadle_tui.engine.store.results import Claim, Ended, Move, Recorded, Result
from treadle_tui.engine.store.rows import (
    AWAITING_REVIEW,
    DECLARE,
    FANNED_OUT,
    PENDING,
    RETRY_WAIT,
    RUNNING,
    SKIPPED,
    Item,
    Task,
    TaskKey,
)
from treadle_tui.engine.store.statements import from_json, to_json
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs.claiming import hand_back, take
from treadle_tui.engine.store.verbs.moves import (
    complete,
    discard_subtasks,
    end_subtask,
    fail,
    make_ready,
    move,
    readiness,
    record_attempt,
    satisfy,
)


def finish(unit: Unit, worker: int, key: TaskKey, fence: int, result: Result) -> bool:
    """Record a result; False, and nothing changed, when the fence is old: the lease was lost, or the work was called off."""
    task = unit.stored_task(*key)
    if task is None or task.worker != worker or task.fence != fence:
        return False
    item = unit.item(task.item)
    if item is None:
        return False
    if result.move is Move.HAND_BACK:
        hand_back(unit, worker, [(key, fence)])
        return True
    unit.edit(task)
    if result.move in (Move.COMPLETE, Move.REVIEW):
        result = _with_declared_statements(task, result)
    if result.statements and result.move in (Move.COMPLETE, Move.REVIEW):
        result = after_statements(unit, result)
    task.interruptions = 0
    _RECORD[result.move](unit, item, task, result)
    return True


def finish_plainly(
    unit: Unit, worker: int, batch: Sequence[Ended], contenders: Collection[int], fingerprints: Mapping[int, str]
) -> Recorded:
    """Record plain attempts and claim what follows them; those that are not the ordinary case are left as they are.

    `contenders` are the stages the worker could claim something of. A dependent is claimed here only when nothing of theirs that is
    ready comes before it; else it is ready, for whoever claims next.
    """
    ordinary = [_is_ordinary(unit, worker, each, fingerprints) for each in batch]
    left = [each for each, is_ordinary in zip(batch, ordinary, strict=True) if not is_ordinary]
    ready = [task for stage in contenders for task in unit.ready(stage, 1, None)]
    first = min(((-task.priority, task.place, task.item) for task in ready), default=None)
    held = unit.holds()
    claims: list[Claim] = []
    for each in (each for each, is_ordinary in zip(batch, ordinary, strict=True) if is_ordinary):
        finish(unit, worker, each.claim.key, each.claim.fence, each.result)
        for dependent in unit.shapes[each.claim.workflow].by_id[each.claim.stage].dependents:
            task = unit.stored_task(each.claim.key[0], dependent, 0)
            is_next = task is not None and (first is None or (-task.priority, task.place, task.item) < first)
            if task is not None and is_next and dependent in each.onward and dependent not in held:
                claimed = take(unit, worker, task)
                if claimed is not None:
                    claims.append(claimed)
    return Recorded(claims, left)


def _is_ordinary(unit: Unit, worker: int, each: Ended, fingerprints: Mapping[int, str]) -> bool:
    claim = each.claim
    shape = unit.shapes.get(claim.workflow)
    if shape is None or fingerprints.get(shape.id) != shape.fingerprint:
        return False
    stage = shape.by_id.get(claim.stage)
    task, item = unit.stored_task(*claim.key), unit.item(claim.key[0])
    if stage is None or stage.is_removed or not stage.frees_dependents or task is None or item is None or item.flags:
        return False
    if any(unit.stored_task(item.key, dependent, 0) is not None for dependent in stage.dependents):
        return False
    return (task.worker, task.fence, task.state, task.attempt, task.phase, task.extra, task.raw_detail) == (
        *(worker, claim.fence, RUNNING, 1, DECLARE, 0, None),
    )


def _with_declared_statements(task: Task, result: Result) -> Result:
    """A fan-out's own SQL has waited with the stage for its subtasks; it comes before that of its reduce."""
    declared = task.detail.get("declared") if task.raw_detail is not None else None
    if not declared:
        return result
    task.put(declared=None)
    failing = result.if_statements_fail or _declared_statements_failed
    return replace(result, statements=(*from_json(declared), *result.statements), if_statements_fail=failing)


def _declared_statements_failed(problem: str) -> Result:
    return Result(move=Move.FAIL, outcome="error", error=f"the transaction failed: {problem}")


def after_statements(unit: Unit, result: Result) -> Result:
    """Run a completing attempt's SQL; the result as it stands then. One that waits for a person keeps its SQL until then."""
    if result.move is Move.REVIEW and unit.runs_sql:
        return result
    problem = unit.run_statements(result.statements)
    if problem is None:
        return replace(result, statements=())
    assert result.if_statements_fail is not None, "a result with statements says what follows when they fail"
    return result.if_statements_fail(problem)


def _close(unit: Unit, item: Item, task: Task, result: Result) -> None:
    """What every end of an attempt has in common: history, and the verdict's event."""
    record_attempt(
        unit,
        task,
        result.outcome,
        output=result.output,
        error=result.error,
        summary=result.summary,
        verdict=result.verdict,
        feedback=result.feedback,
        statements=result.statements,
    )
    task.is_open = 0
    if result.verdict is None:
        return
    if result.verdict["verdict"] == "accepted":
        unit.emit(ev.QualityCheckPassed, task, workflow=item.workflow)
    else:
        unit.emit(ev.QualityCheckFailed, task, workflow=item.workflow, feedback=result.feedback)


def _clear(task: Task, **changes: object) -> None:
    """Forget what earlier attempts left in sight; history keeps it."""
    if task.raw_detail is not None or any(value is not None for value in changes.values()):
        task.put(**{"error": None, "summary": None, "review": None, "decision": None, "why": None, **changes})


def _complete(unit: Unit, item: Item, task: Task, result: Result) -> None:
    _close(unit, item, task, result)
    _clear(task, summary=result.summary, feedback=None)
    task.out = task.attempt
    complete(unit, item, task)


def _review(unit: Unit, item: Item, task: Task, result: Result) -> None:
    _close(unit, item, task, result)
    if result.escalated is not None:
        unit.emit(ev.Escalated, task, workflow=item.workflow, reason=result.escalated)
    _clear(task, summary=result.summary, review=result.review, error=result.error, why=result.why)
    task.out = task.attempt if result.output is not None else 0
    move(unit, item, task, AWAITING_REVIEW)
    if result.expires_after_ms is not None:
        task.due_at = unit.now + result.expires_after_ms
    unit.emit(ev.ReviewRequired, task, workflow=item.workflow, data=result.review)


def _skip(unit: Unit, item: Item, task: Task, result: Result) -> None:
    _close(unit, item, task, result)
    _clear(task, summary=result.reason or None, feedback=None)
    task.out = 0
    move(unit, item, task, SKIPPED)
    task.completed_at = unit.now
    unit.emit(ev.StageSkipped, task, workflow=item.workflow, reason=result.reason)
    if task.sub:
        end_subtask(unit, item, task)
    else:
        satisfy(unit, item, task.stage)


def _fan_out(unit: Unit, item: Item, task: Task, result: Result) -> None:
    record_attempt(unit, task, "fan_out")
    if result.statements:
        task.put(declared=to_json(result.statements))
    task.version += 1
    task.updated_at = unit.now
    task.worker = None
    task.phase = FANNED_OUT
    task.subs = task.open_subs = len(result.subtasks)
    task.failed_subs = 0
    first = unit.reserve_subs(task.item, task.stage, len(result.subtasks))
    unit.insert_subtasks(task, first, result.subtasks, readiness(item))
    unit.count(task.stage, True, PENDING, len(result.subtasks))
    names = [name for name, _ in result.subtasks]
    unit.emit(ev.FanOutStarted, task, workflow=item.workflow, subtasks=names)


def _retry(unit: Unit, item: Item, task: Task, result: Result) -> None:
    _close(unit, item, task, result)
    changes: dict[str, object] = {"error": result.error, "review": None, "decision": None, "summary": None, "why": None}
    if result.feedback is not None:
        changes["feedback"] = result.feedback
    task.put(**changes)
    task.out = 0
    if result.outcome in ("rejected", "uncertain"):
        discard_subtasks(unit, task)
    move(unit, item, task, RETRY_WAIT)
    due = unit.now + result.delay_ms
    unit.emit(
        ev.RetryScheduled,
        task,
        workflow=item.workflow,
        due_at=due,
        reason=result.error or "",
        max_attempts=result.max_attempts,
    )
    task.due_at = due
    if result.delay_ms <= 0:
        make_ready(unit, item, task)


def _fail(unit: Unit, item: Item, task: Task, result: Result) -> None:
    _close(unit, item, task, result)
    _clear(task, feedback=result.feedback)
    if result.outcome in ("rejected", "uncertain"):
        discard_subtasks(unit, task)
    task.out = 0
    fail(unit, item, task, result.error or "failed")


_RECORD = {
    Move.COMPLETE: _complete,
    Move.REVIEW: _review,
    Move.SKIP: _skip,
    Move.FAN_OUT: _fan_out,
    Move.RETRY: _retry,
    Move.FAIL: _fail,
}
