"""One review as a person is shown it, at the version their decision will name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from treadle_tui.board.data_outline import data_node, data_nodes, record_table
from treadle_tui.board.edit_text import text_of
from treadle_tui.board.history_outline import DOT, attempts_node, feedback_nodes, verdict_nodes
from treadle_tui.board.markdown_outline import looks_like_markdown, markdown_nodes
from treadle_tui.board.outline import Node, Tone
from treadle_tui.board.safe_text import safe_line, safe_paragraphs
from treadle_tui.board.time_text import age
from treadle_tui.engine.attempt_record import AttemptRecord
from treadle_tui.engine.quality import Accepted, Rejected
from treadle_tui.engine.review import ReviewData, ReviewDecision
from treadle_tui.engine.states import StageState, StageStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSubject:
    """What is to be decided."""

    item_id: str
    workflow: str
    stage: str
    subtask: str | None = None
    state: StageState = StageState.AWAITING_REVIEW
    version: int = 0
    attempt: int = 0
    max_attempts: int | None = None
    """None when the workflow is not at hand."""
    review: ReviewData | None = None
    waiting_since: datetime | None = None
    output: Any = None
    decision: ReviewDecision | None = None
    """Somebody's decision, when it has been made already."""
    attempts: Sequence[AttemptRecord] = ()
    reasons: Sequence[str] = ()
    """Preset reasons for a rejection."""
    why: str = ""
    """Why a person is asked."""

    @property
    def is_waiting(self) -> bool:
        """Whether it can be decided."""
        return self.state is StageState.AWAITING_REVIEW

    @property
    def title(self) -> str:
        """ "requests 2.32 › judge", safe to draw."""
        return " › ".join(safe_line(part) for part in (self.item_id, self.stage, self.subtask) if part)

    @property
    def summary(self) -> str:
        """The question in one sentence."""
        return self.review.summary if self.review and self.review.summary else f"{self.stage} asks for a decision"

    def standing(self, now: datetime) -> str:
        """ "waiting 14m · attempt 2/3"."""
        parts = [f"waiting {age(self.waiting_since, now)}" if self.waiting_since else "waiting"]
        if self.attempt and (self.attempt > 1 or (self.max_attempts or 1) > 1):
            parts.append(f"attempt {self.attempt}" + (f"/{self.max_attempts}" if self.max_attempts else ""))
        if self.why:
            parts.append(safe_line(self.why.partition(":")[0]))
        return DOT.join(parts)

    @property
    def must_be_filled_in(self) -> bool:
        """Whether approving asks for an answer that nothing stands for yet."""
        fields = self.review.fields if self.review is not None and self.review.fields else ()
        return any(field.required and field.default in (None, "") for field in fields)


def review_subject(
    item_id: str,
    workflow: str,
    stage: str,
    subtask: str | None,
    status: StageStatus,
    attempts: Sequence[AttemptRecord] = (),
    *,
    max_attempts: int | None = None,
    reasons: Sequence[str] = (),
) -> ReviewSubject | None:
    """The review of a stage, or of one of its subtasks; None when there is no such subtask."""
    found = status if subtask is None else next((each for each in status.subtasks if each.name == subtask), None)
    if found is None:
        return None
    return ReviewSubject(
        item_id=item_id,
        workflow=workflow,
        stage=stage,
        subtask=subtask,
        state=found.state,
        version=found.version,
        attempt=found.attempt,
        max_attempts=max_attempts,
        review=found.review,
        waiting_since=(found.review.created_at if found.review else None) or found.updated_at,
        output=found.output,
        decision=found.decision,
        attempts=attempts,
        reasons=reasons,
    )


def review_outline(subject: ReviewSubject, now: datetime) -> list[Node]:
    """What the stage tells the person, why it asks, what it made, and how it went before."""
    nodes = _why_nodes(subject)
    details = subject.review.details if subject.review else None
    if isinstance(details, str) and looks_like_markdown(details):
        nodes += markdown_nodes(details, ("details",))
    elif isinstance(details, str) or record_table(details) is not None:
        nodes.append(data_node("details" if not isinstance(details, str) else "", details, ("details",)))
    elif details is not None:
        nodes += data_nodes(details, ("details",))
    if subject.output is not None:
        nodes.append(data_node("output", subject.output, ("output",), depth=0 if details is None else 1))
    if len(subject.attempts) > 1:
        nodes.append(attempts_node(subject.attempts, (), now))
    return nodes


def raw_outline(subject: ReviewSubject) -> list[Node]:
    """The same as the stage gave it: a text as it was written, anything else as JSON."""
    nodes = []
    for name, value in (("details", subject.review.details if subject.review else None), ("output", subject.output)):
        if value is not None:
            nodes.append(Node(("raw", name), f"{name}, as written", label_tone=Tone.HEADING))
            nodes += [
                Node(("raw", name, str(number)), paragraphs=(line,)) for number, line in enumerate(safe_paragraphs(text_of(value)), 1)
            ]
    return nodes or [Node(("raw",), paragraphs=("the stage gave neither details nor an output",), tone=Tone.MUTED)]


def _why_nodes(subject: ReviewSubject) -> list[Node]:
    """The latest attempt's verdict or error: the reason a person is asked."""
    if not subject.attempts:
        return []
    latest = max(subject.attempts, key=lambda attempt: attempt.number)
    nodes: list[Node] = []
    if latest.error:
        nodes.append(Node(("why", "error"), "error", paragraphs=tuple(safe_paragraphs(latest.error)), tone=Tone.FAILED))
    if latest.verdict is not None and not isinstance(latest.verdict, Accepted):
        nodes += verdict_nodes(latest.verdict, ("why",))
    if latest.feedback is not None and not isinstance(latest.verdict, Rejected):
        nodes += feedback_nodes(latest.feedback, ("why",))
    return nodes
