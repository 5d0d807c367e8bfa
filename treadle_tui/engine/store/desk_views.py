"""From the rows of the review desk to what a reader gets: the same for every store."""

from __future__ import annotations

from typing import Any

from treadle_tui.engine.clock import from_ms
from treadle_tui.engine.codec import decision_from_json, decode_json
from treadle_tui.engine.desk import DecisionRecord, Desk, HeldDecision, Jotting, JottingKind
from treadle_tui.engine.review import ReviewDecision
from treadle_tui.engine.store.desk_rows import DecisionRow, HeldRow, JottingRow


def held_decision(row: HeldRow, workflow: str, item_id: str, stage: str) -> HeldDecision:
    """A held decision, with names for numbers."""
    return HeldDecision(
        id=row.id,
        desk=Desk(row.session, row.reviewer, row.host, row.pid, row.pid_start),
        workflow=workflow,
        item_id=item_id,
        stage=stage,
        subtask=row.subtask,
        version=row.version,
        decision=_decision(decode_json(row.decision)),
        made_at=from_ms(row.made_at),
        problem=row.problem,
    )


def jotting(row: JottingRow, item_id: str, stage: str) -> Jotting:
    """A jotting, with names for numbers."""
    return Jotting(
        kind=JottingKind(row.kind),
        item_id=item_id,
        stage=stage,
        subtask=row.subtask or None,
        reviewer=row.reviewer,
        version=row.version,
        at=from_ms(row.at),
        until=None if row.until is None else from_ms(row.until),
        text=row.text,
    )


def decision_record(row: DecisionRow, workflow: str, item_id: str, stage: str) -> DecisionRecord:
    """A line of the log, with names for numbers."""
    decided = decode_json(row.decision)
    return DecisionRecord(
        number=row.number,
        at=from_ms(row.at),
        workflow=workflow,
        item_id=item_id,
        stage=stage,
        subtask=row.subtask,
        attempt=row.attempt,
        decision=_decision(decided),
        is_undone=bool(row.is_undone),
        why=decided.get("why", ""),
    )


def _decision(value: dict[str, Any]) -> ReviewDecision:
    decision = decision_from_json({key: each for key, each in value.items() if key != "why"})
    assert decision is not None, "a stored decision is never null"
    return decision
