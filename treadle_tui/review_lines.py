"""Reviews and decisions, as the store tells them, as lines of the inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle_tui.board.review_line import ReviewKey, ReviewLine
from treadle_tui.engine.feedback import Feedback
from treadle_tui.engine.review import Reject, RequestChanges, ReviewDecision

if TYPE_CHECKING:
    from treadle_tui.engine.desk import DecisionRecord
    from treadle_tui.engine.status import PendingReview


def line_of_review(review: PendingReview, looks: dict[ReviewKey, str]) -> ReviewLine:
    """A review that waits as a line of the inbox; `looks`: who else is at which."""
    key = ReviewKey(review.item_id, review.stage, review.subtask)
    return ReviewLine(
        key,
        review.workflow,
        review.version,
        review.attempt,
        review.waiting_since,
        review.review.summary if review.review is not None else "",
        review.why,
        review.group,
        looks.get(key, "") if looks else "",
    )


def line_of_record(record: DecisionRecord) -> ReviewLine:
    """A decision as a line of the log."""
    return ReviewLine(
        ReviewKey(record.item_id, record.stage, record.subtask),
        record.workflow,
        attempt=record.attempt,
        since=record.at,
        summary=decision_text(record.decision),
        decision=record.decision,
        number=record.number,
        is_undone=record.is_undone,
    )


def decision_text(decision: ReviewDecision) -> str:
    """What was said with a decision: the reason, the feedback, the note."""
    if isinstance(decision, Reject) and decision.reason:
        return decision.reason
    if isinstance(decision, RequestChanges):
        return decision.feedback.summary if isinstance(decision.feedback, Feedback) else decision.feedback
    return decision.note or ""
