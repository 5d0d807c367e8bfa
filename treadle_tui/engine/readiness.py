"""What may run, what blocks it, and why: pure answers from statuses and structure.

`explain_item` gives for every stage the whole chain of reasons, nearest first, and what would move it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from treadle_tui.engine.record import Record
from treadle_tui.engine.states import ItemState, StageState, StageStatus, StoredItem
from treadle_tui.engine.status import Explanation, duration_words
from treadle_tui.engine.workflow import Workflow


def is_blocked(statuses: Mapping[str, StageStatus], ready: Sequence[str], removed: Collection[str] = ()) -> bool:
    """Not complete, and nothing is ready, running or waiting for a retry; subtasks that can go on count as running.

    What its workflow has no longer (`removed`) moves no more, unless an attempt of it is still under way.
    """
    if all(status.state.is_satisfied for status in statuses.values()) or ready:
        return False
    return not any(_is_running(status) if stage in removed else _moves_by_itself(status) for stage, status in statuses.items())


def _is_running(status: StageStatus) -> bool:
    return status.state is StageState.RUNNING and not status.subtasks


def _moves_by_itself(status: StageStatus) -> bool:
    if status.state is StageState.RETRY_WAIT:
        return True
    if status.state is not StageState.RUNNING:
        return any(subtask.state in _LIVE for subtask in status.subtasks) and status.state is not StageState.CANCELLED
    open_subtasks = [subtask for subtask in status.subtasks if not subtask.state.is_finished]
    return not open_subtasks or any(subtask.state in _LIVE for subtask in open_subtasks)


_LIVE = (StageState.PENDING, StageState.RUNNING, StageState.RETRY_WAIT)


class Situation(Record, frozen=True):
    """Everything an explanation is made from."""

    item: StoredItem
    statuses: Mapping[str, StageStatus]
    dependencies: Mapping[str, Sequence[str]]
    budgets: Mapping[str, int]
    """`max_attempts` by stage, granted ones included."""
    due: Mapping[str, datetime]
    """When a retry is due, by stage."""
    holds: Mapping[str, str | None]
    """Held stages, with the condition of the hold."""
    held_back: frozenset[str]
    """Stages of this item that a hold's condition has stopped."""
    groups: Mapping[str, str | None]
    now: datetime
    is_known: bool = True
    """Whether this engine has the workflow's code."""
    removed: frozenset[str] = frozenset()
    """Stages that the workflow has no longer."""
    is_waiting: bool = False
    """Whether the workflow has changed, and runs only once that is accepted."""


def explain(situation: Situation) -> dict[str, Explanation]:
    """By stage, topological order: where it is, why, and what would move it."""
    explanations: dict[str, Explanation] = {}
    for stage, status in situation.statuses.items():
        tell = _removed if stage in situation.removed else _EXPLAIN[status.state]
        reasons, action = tell(situation, stage, status, explanations)
        explanations[stage] = Explanation(stage=stage, state=status.state, reasons=reasons, action=action)
    return explanations


def _ago(situation: Situation, moment: datetime | None) -> str:
    if moment is None:
        return "just now"
    return f"{duration_words(max(0.0, (situation.now - moment).total_seconds()))} ago"


def _attempt_words(situation: Situation, stage: str, status: StageStatus) -> str:
    return f"attempt {status.attempt} of {max(situation.budgets.get(stage, 1), status.attempt)}"


def _pending(situation: Situation, stage: str, status: StageStatus, above: Mapping[str, Explanation]) -> tuple[list[str], str]:
    reasons: list[str] = []
    action = ""
    for dependency in situation.dependencies.get(stage, ()):
        explanation = above.get(dependency)
        if explanation is None or explanation.state.is_satisfied:
            continue
        reasons.append(f"waits for {dependency}, which is {explanation.state.word}")
        reasons += [reason for reason in explanation.reasons if reason not in reasons]
        action = action or explanation.action
    if reasons:
        return reasons, action
    stopped = _stopped(situation, stage)
    if stopped is not None:
        return [stopped[0]], stopped[1]
    if status.decision is not None and status.decision.verb == "request_changes":
        return ["changes were requested" + (f" by {status.decision.by}" if status.decision.by else ""), "it is ready"], ""
    return ["it is ready and waits for a free place in an engine that runs"], ""


def _stopped(situation: Situation, stage: str) -> tuple[str, str] | None:
    """What keeps a stage from being started though it could be, and what would end that; None when nothing does."""
    if situation.item.state is ItemState.PAUSED:
        return f"item {situation.item.id!r} is paused", "resume the item"
    if stage in situation.holds and (situation.holds[stage] is None or stage in situation.held_back):
        condition = situation.holds[stage]
        which = f" for items with {condition}" if condition else ""
        return f"the stage is held{which}", f"resume stage {stage!r}, or run it by hand"
    if situation.is_waiting:
        return "its workflow has changed, and the plan for items in flight waits to be accepted", "accept the plan"
    if not situation.is_known:
        return "its workflow's file is not loaded, so nothing can run it", "open the database with that workflow"
    return None


def _running(situation: Situation, stage: str, status: StageStatus, _: Mapping[str, Explanation]) -> tuple[list[str], str]:
    reasons = [f"{_attempt_words(situation, stage, status)} began {_ago(situation, status.started_at)}"]
    if status.subtasks:
        ended = sum(subtask.state.is_finished for subtask in status.subtasks)
        reasons.append(f"{ended} of {len(status.subtasks)} subtasks have ended")
        waiting = [subtask.name for subtask in status.subtasks if subtask.state is StageState.AWAITING_REVIEW]
        if waiting:
            return [*reasons, f"a person must decide on {', '.join(waiting[:3])}"], "decide on the subtask"
        stopped = _stopped(situation, stage)
        if stopped is not None and not any(subtask.state is StageState.RUNNING for subtask in status.subtasks):
            return [*reasons, stopped[0]], stopped[1]
    return reasons, ""


def _retry_wait(situation: Situation, stage: str, status: StageStatus, _: Mapping[str, Explanation]) -> tuple[list[str], str]:
    reasons = [f"{_attempt_words(situation, stage, status)} failed: {status.error or 'no reason was given'}"]
    due = situation.due.get(stage)
    if due is not None:
        seconds = (due - situation.now).total_seconds()
        reasons.append(f"the next attempt is due in {duration_words(seconds)}" if seconds > 0 else "the next attempt is due now")
    stopped = _stopped(situation, stage)
    return (reasons, "") if stopped is None else ([*reasons, stopped[0]], stopped[1])


def _awaiting_review(situation: Situation, stage: str, status: StageStatus, _: Mapping[str, Explanation]) -> tuple[list[str], str]:
    group = situation.groups.get(stage)
    who = f"group {group!r}" if group else "a person"
    reasons = [f"{who} must decide, asked {_ago(situation, status.updated_at)}"]
    if status.review is not None and status.review.summary:
        reasons.append(status.review.summary)
    return reasons, "approve, edit, request changes or reject"


def _completed(situation: Situation, stage: str, status: StageStatus, _: Mapping[str, Explanation]) -> tuple[list[str], str]:
    if status.decision is None:
        return [], ""
    return [f"{status.decision.verb.replace('_', ' ')} by {status.decision.by or 'somebody'}"], ""


def _skipped(situation: Situation, stage: str, status: StageStatus, _: Mapping[str, Explanation]) -> tuple[list[str], str]:
    return [status.summary] if status.summary else [], ""


def _failed(situation: Situation, stage: str, status: StageStatus, _: Mapping[str, Explanation]) -> tuple[list[str], str]:
    return [status.error or "no reason was given"], f"retry stage {stage!r}"


def _cancelled(situation: Situation, stage: str, status: StageStatus, _: Mapping[str, Explanation]) -> tuple[list[str], str]:
    return ["a person called it off"], f"retry stage {stage!r}"


def _removed(situation: Situation, stage: str, status: StageStatus, _: Mapping[str, Explanation]) -> tuple[list[str], str]:
    if status.state.is_satisfied:
        return [f"stage {stage!r} was removed from the workflow after it had finished"], ""
    state = "waiting to run again" if status.state is StageState.PENDING else status.state.word
    reasons = [f"stage {stage!r} was removed from the workflow while {state}"]
    if status.error:
        reasons.append(status.error)
    decide = "approve or reject it, " if status.state is StageState.AWAITING_REVIEW else ""
    return reasons, f"{decide}put it back, drop it, or cancel or delete the item"


_EXPLAIN = {
    StageState.PENDING: _pending,
    StageState.RUNNING: _running,
    StageState.RETRY_WAIT: _retry_wait,
    StageState.AWAITING_REVIEW: _awaiting_review,
    StageState.COMPLETED: _completed,
    StageState.SKIPPED: _skipped,
    StageState.FAILED: _failed,
    StageState.CANCELLED: _cancelled,
}


async def explain_item(
    verbs: Any, reads: Any, item: StoredItem, workflow: Workflow | None, now: datetime, *, is_waiting: bool = False
) -> dict[str, Explanation]:
    """The explanations of one item, from what the store tells."""
    facts = await verbs.facts_of(item.id)
    situation = Situation(
        item=item,
        statuses=await reads.get_all_statuses(item.id),
        dependencies=facts.dependencies,
        budgets=facts.budgets,
        due=facts.due,
        holds=facts.holds,
        held_back=facts.held_back,
        groups=facts.groups,
        now=now,
        is_known=workflow is not None,
        removed=facts.removed,
        is_waiting=is_waiting,
    )
    return explain(situation)
