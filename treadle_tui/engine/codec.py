"""The JSON form of what is not JSON by itself: reviews, decisions, verdicts, feedback, attempts.

One form for every store and for every export. Values come from `msgspec`; the tagged ones (decisions by `verb`, verdicts by
`verdict`) name their class.
"""

from __future__ import annotations

from typing import Any

import msgspec

from treadle_tui.engine.attempt_record import OUTCOMES, AttemptRecord
from treadle_tui.engine.clock import from_ms
from treadle_tui.engine.feedback import Feedback
from treadle_tui.engine.review import Approve, ApproveWithEdits, PickAttempt, Reject, RequestChanges, ReviewData, ReviewDecision
from treadle_tui.engine.verdict import Accepted, Rejected, Uncertain, Verdict

_DECISIONS: dict[str, type[ReviewDecision]] = {
    decision.verb: decision for decision in (Approve, ApproveWithEdits, Reject, RequestChanges, PickAttempt)
}

encode_json = msgspec.json.Encoder().encode
decode_json = msgspec.json.decode


def review_to_json(review: ReviewData) -> dict[str, Any]:
    """A review as plain JSON values. Raises TypeError when its details cannot be written."""
    return dict(msgspec.to_builtins(review))


def review_from_json(value: dict[str, Any] | None) -> ReviewData | None:
    """The review again; None for None."""
    return None if value is None else msgspec.convert(value, ReviewData)


def decision_to_json(decision: ReviewDecision) -> dict[str, Any]:
    """A decision as plain JSON values, tagged with its verb; what is left out is not written."""
    values = {key: value for key, value in msgspec.to_builtins(decision).items() if value is not None and value != ""}
    if isinstance(decision, ApproveWithEdits):
        values["output"] = msgspec.to_builtins(decision.output)
    if isinstance(decision, Reject):
        values["reason"] = decision.reason
    return {"verb": decision.verb, **values}


def decision_from_json(value: dict[str, Any] | None) -> ReviewDecision | None:
    """The decision again; None for None."""
    if value is None:
        return None
    fields = {key: field for key, field in value.items() if key != "verb"}
    return msgspec.convert(fields, _DECISIONS[value["verb"]])


def feedback_to_json(feedback: Feedback) -> dict[str, Any]:
    """Feedback as plain JSON values. Raises TypeError when its guidance cannot be written."""
    return dict(msgspec.to_builtins(feedback))


def feedback_from_json(value: dict[str, Any] | None) -> Feedback | None:
    """The feedback again; None for None."""
    return None if value is None else msgspec.convert(value, Feedback)


def verdict_to_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict as plain JSON values, tagged."""
    match verdict:
        case Rejected(feedback):
            return {"verdict": "rejected", "feedback": feedback_to_json(feedback)}
        case Uncertain(reason):
            return {"verdict": "uncertain", "reason": reason}
        case _:
            return {"verdict": "accepted"}


def verdict_from_json(value: dict[str, Any] | None) -> Verdict | None:
    """The verdict again; None for None."""
    if value is None:
        return None
    if value["verdict"] == "rejected":
        return Rejected(msgspec.convert(value["feedback"], Feedback))
    return Uncertain(value["reason"]) if value["verdict"] == "uncertain" else Accepted()


def attempt_from_parts(
    number: int,
    started_at: int | None,
    completed_at: int | None,
    outcome: int | None,
    output: bytes | None,
    detail: dict[str, Any],
) -> AttemptRecord:
    """An `AttemptRecord` from stored columns; times in milliseconds, output as JSON bytes."""
    return AttemptRecord(
        number=number,
        started_at=None if started_at is None else from_ms(started_at),
        completed_at=None if completed_at is None else from_ms(completed_at),
        outcome=None if outcome is None else OUTCOMES[outcome],
        error=detail.get("error"),
        output=None if output is None else decode_json(output),
        summary=detail.get("summary"),
        verdict=verdict_from_json(detail.get("verdict")),
        feedback=feedback_from_json(detail.get("feedback")),
    )
