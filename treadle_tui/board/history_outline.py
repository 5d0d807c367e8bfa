"""What an item and its stages have been through, as outlines: states, attempts, verdicts, decisions, data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from treadle_tui.board.cell_text import state_text
from treadle_tui.board.data_outline import data_node, data_nodes
from treadle_tui.board.outline import Key, Node, Span, Table, Tone
from treadle_tui.board.safe_text import safe_line, safe_paragraphs
from treadle_tui.board.time_text import age, clock_time, took
from treadle_tui.engine.attempt_record import AttemptRecord
from treadle_tui.engine.feedback import Feedback
from treadle_tui.engine.quality import Accepted, Rejected, Uncertain, Verdict
from treadle_tui.engine.review import ApproveWithEdits, PickAttempt, Reject, RequestChanges, ReviewDecision
from treadle_tui.engine.states import StageState, StageStatus, SubTaskStatus

#: Between facts that stand on one line.
DOT = " · "

Attempts = Mapping[str, Sequence[AttemptRecord]]
"""Attempts by stage name."""


def tone_of(state: StageState) -> Tone:
    """The tone that carries a state's colour."""
    return Tone(state.value.replace("_", "-"))


def stage_node(
    stage: str, status: StageStatus, attempts: Sequence[AttemptRecord], now: datetime, *, starts_open: bool, bar: tuple[Span, ...] = ()
) -> Node:
    """One stage: its state in a line, with a `bar` of when it ran; everything about it when unfolded."""
    key = ("stage", stage)
    facts = DOT.join(filter(None, (took(status.started_at, status.completed_at), clock_time(_latest_moment(status), now))))
    telling = safe_line(status.error or status.summary or (status.review.summary if status.review else "") or "")
    return Node(
        key,
        safe_line(stage),
        spans=(Span(f"{state_text(status.state, status.attempt):<5} ", tone_of(status.state)), *bar, Span(f"{facts:<18}  ", Tone.MUTED)),
        folded_spans=(Span(telling, Tone.FAILED if status.error else Tone.PLAIN),),
        make_children=lambda: _stage_details(key, status, attempts, now),
        label_tone=Tone.HEADING,
        starts_open=starts_open,
    )


def _latest_moment(status: StageStatus) -> datetime | None:
    return status.completed_at or status.updated_at or status.started_at


def _stage_details(key: Key, status: StageStatus, attempts: Sequence[AttemptRecord], now: datetime) -> list[Node]:
    nodes = [Node((*key, "state"), "state", paragraphs=(_state_words(status, now),), tone=tone_of(status.state))]
    if status.error:
        nodes.append(error_node(status.error, key))
    if status.summary:
        nodes.append(Node((*key, "summary"), "summary", paragraphs=tuple(safe_paragraphs(status.summary))))
    if status.decision is not None:
        nodes += decision_nodes(status.decision, key, now)
    if status.review is not None:
        nodes += _review_nodes(status, key)
    if status.subtasks:
        nodes.append(subtasks_node(status.subtasks, key, now))
    if attempts:
        nodes.append(attempts_node(attempts, key, now))
    if status.output is not None:
        nodes.append(data_node("output", status.output, (*key, "output"), depth=1))
    return nodes


def error_node(error: str, key: Key) -> Node:
    """What went wrong: the first line; a traceback behind it is folded away."""
    first, *rest = safe_paragraphs(error.strip()) or [""]
    key = (*key, "error")

    def traceback() -> list[Node]:
        return [Node((*key, "rest"), paragraphs=tuple(rest), tone=Tone.MUTED)]

    return Node(key, "error", paragraphs=(first,), tone=Tone.FAILED, make_children=traceback if rest else None)


def _state_words(status: StageStatus, now: datetime) -> str:
    words = status.state.word
    if status.state in (StageState.AWAITING_REVIEW, StageState.RUNNING, StageState.RETRY_WAIT) and status.updated_at:
        since = age(status.updated_at, now)
        words += "" if since == "now" else f" for {since}"
    if status.attempt > 1:
        words += f", attempt {status.attempt}"
    return words


def _review_nodes(status: StageStatus, key: Key) -> list[Node]:
    assert status.review is not None
    nodes = [Node((*key, "asked"), "asked", paragraphs=tuple(safe_paragraphs(status.review.summary)))]
    if status.review.details is not None:
        nodes.append(data_node("details", status.review.details, (*key, "details"), depth=1))
    return nodes


def decision_words(decision: ReviewDecision) -> str:
    """ "approved", "rejected": what the person did."""
    match decision:
        case Reject():
            return "rejected"
        case RequestChanges():
            return "changes requested"
        case ApproveWithEdits():
            return "approved with edits"
        case PickAttempt(number):
            return f"attempt {number} picked"
        case _:
            return "approved"


def decision_nodes(decision: ReviewDecision, key: Key, now: datetime) -> list[Node]:
    """Who decided what and when, why, and the note."""
    who = f" by {safe_line(decision.by)}" if decision.by else ""
    when = clock_time(decision.at, now)
    tone = Tone.FAILED if isinstance(decision, Reject) else Tone.COMPLETED
    line = DOT.join(filter(None, (decision_words(decision) + who, when)))
    nodes = [Node((*key, "decision"), "decision", paragraphs=(line,), tone=tone)]
    if isinstance(decision, Reject):
        nodes.append(Node((*key, "reason"), "reason", paragraphs=tuple(safe_paragraphs(decision.reason or "none given"))))
    if isinstance(decision, RequestChanges):
        said = decision.feedback.summary if isinstance(decision.feedback, Feedback) else decision.feedback
        nodes.append(Node((*key, "feedback"), "feedback", paragraphs=tuple(safe_paragraphs(said))))
    if decision.note:
        nodes.append(Node((*key, "note"), "note", paragraphs=tuple(safe_paragraphs(decision.note))))
    if decision.values:
        nodes.append(data_node("answers", decision.values, (*key, "answers"), depth=1))
    return nodes


def subtasks_node(subtasks: Sequence[SubTaskStatus], key: Key, now: datetime, *, label: str = "subtasks") -> Node:
    """The subtasks of a stage, one line each, and how many are done."""
    key = (*key, "subtasks")

    def children() -> list[Node]:
        return [_subtask_node(subtask, (*key, subtask.name), now) for subtask in subtasks]

    done = sum(subtask.state.is_satisfied for subtask in subtasks)
    return Node(key, label, spans=(Span(f"{done} of {len(subtasks)} done", Tone.MUTED),), make_children=children, starts_open=True)


def _subtask_node(subtask: SubTaskStatus, key: Key, now: datetime) -> Node:
    def children() -> list[Node]:
        nodes = []
        if subtask.error:
            nodes.append(error_node(subtask.error, key))
        if subtask.decision is not None:
            nodes += decision_nodes(subtask.decision, key, now)
        if subtask.review is not None:
            nodes.append(Node((*key, "asked"), "asked", paragraphs=tuple(safe_paragraphs(subtask.review.summary))))
        if subtask.metadata is not None:
            nodes.append(data_node("metadata", subtask.metadata, (*key, "metadata"), depth=1))
        if subtask.output is not None:
            nodes.append(data_node("output", subtask.output, (*key, "output"), depth=1))
        return nodes

    telling = Span(safe_line(subtask.error or clock_time(subtask.updated_at, now)), Tone.FAILED if subtask.error else Tone.MUTED)
    state = Span(f"{state_text(subtask.state, subtask.attempt):<5} ", tone_of(subtask.state))
    has_more = subtask.output is not None or subtask.error or subtask.review or subtask.decision
    return Node(key, safe_line(subtask.name), spans=(state, telling), make_children=children if has_more else None)


def attempts_node(attempts: Sequence[AttemptRecord], key: Key, now: datetime) -> Node:
    """Every attempt, newest first, with its verdict and what was said about it."""
    key = (*key, "attempts")
    ordered = sorted(attempts, key=lambda attempt: -attempt.number)

    def children() -> list[Node]:
        return [_attempt_node(attempt, (*key, str(attempt.number)), now) for attempt in ordered]

    return Node(key, "attempts", spans=(Span(str(len(attempts)), Tone.MUTED),), make_children=children)


def _attempt_node(attempt: AttemptRecord, key: Key, now: datetime) -> Node:
    outcome = (attempt.outcome or "running").replace("_", " ")
    facts = DOT.join(filter(None, (outcome, took(attempt.started_at, attempt.completed_at), clock_time(attempt.started_at, now))))
    details = attempt_details(attempt, key)
    return Node(key, str(attempt.number), spans=(Span(facts),), make_children=(lambda: details) if details else None)


def attempt_details(attempt: AttemptRecord, key: Key) -> list[Node]:
    """What went wrong in an attempt, what was said of it, and what it gave."""
    return [*([error_node(attempt.error, key)] if attempt.error else ()), *answer_nodes(attempt, key)]


def answer_nodes(attempt: AttemptRecord, key: Key) -> list[Node]:
    """What an attempt gave, and what was said of it."""
    nodes = []
    if attempt.verdict is not None:
        nodes += verdict_nodes(attempt.verdict, key)
    if attempt.feedback is not None and not isinstance(attempt.verdict, Rejected):
        nodes += feedback_nodes(attempt.feedback, key)
    if attempt.output is not None:
        nodes.append(data_node("output", attempt.output, (*key, "output"), depth=1))
    return nodes


def verdict_nodes(verdict: Verdict, key: Key) -> list[Node]:
    """What the gate said, and the criteria it went by."""
    match verdict:
        case Rejected(feedback):
            return feedback_nodes(feedback, key)
        case Uncertain(reason):
            words = f"the gate could not tell: {reason}" if reason else "the gate could not tell"
            return [Node((*key, "verdict"), "verdict", paragraphs=tuple(safe_paragraphs(words)), tone=Tone.AWAITING_REVIEW)]
        case Accepted():
            return [Node((*key, "verdict"), "verdict", paragraphs=("accepted by the gate",), tone=Tone.COMPLETED)]
        case _:
            return []


def feedback_nodes(feedback: Feedback, key: Key) -> list[Node]:
    """What was said of an attempt, by a gate or a person, with criteria passed and failed."""
    label = "turned down" if feedback.source == "gate" else "feedback"
    nodes = [Node((*key, label), label, paragraphs=tuple(safe_paragraphs(feedback.summary)), tone=Tone.FAILED)]
    if feedback.criteria:
        rows = tuple(
            (
                Span("✓" if each.passed else "✗", Tone.COMPLETED if each.passed else Tone.FAILED),
                Span(safe_line(each.name)),
                Span(safe_line(each.expected), Tone.MUTED),
                Span(safe_line(each.actual)),
            )
            for each in feedback.criteria
        )
        table = Table(("", "criterion", "expected", "found"), rows)
        nodes.append(
            Node(
                (*key, "criteria"),
                "criteria",
                table=table,
                make_children=lambda: data_nodes([_criterion_words(each) for each in feedback.criteria], (*key, "criteria")),
                starts_open=True,
            )
        )
    if feedback.guidance is not None:
        nodes.append(data_node("guidance", feedback.guidance, (*key, "guidance"), depth=1))
    return nodes


def _criterion_words(criterion: object) -> str:
    name, expected, actual, passed = (getattr(criterion, each) for each in ("name", "expected", "actual", "passed"))
    return f"{'✓' if passed else '✗'} {name}: {actual} (expected {expected})"
