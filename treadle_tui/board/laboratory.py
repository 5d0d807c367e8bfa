"""The attempts of a stage beside each other: verdict, criteria, what was said, how long each took, and what differs between two."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from treadle_tui.board.diff_lines import diff_nodes
from treadle_tui.board.history_outline import DOT, answer_nodes
from treadle_tui.board.outline import Node, Span, Table, Tone
from treadle_tui.board.safe_text import safe_line, safe_paragraphs, shorten
from treadle_tui.board.time_text import clock_time, took
from treadle_tui.engine.attempt_record import AttemptRecord
from treadle_tui.engine.feedback import Criterion, Feedback
from treadle_tui.engine.quality import Accepted, Rejected, Uncertain

#: Attempts that stand beside each other in the table.
_MOST_COLUMNS = 6
_CELL = 24


def laboratory_nodes(attempts: Sequence[AttemptRecord], now: datetime) -> list[Node]:
    """A table of criteria by attempt, then each attempt in full, newest first; a node's key ends with the attempt's number."""
    if not attempts:
        return [Node(("laboratory",), paragraphs=("no attempt has been recorded",), tone=Tone.MUTED)]
    nodes = []
    compared = _comparison(attempts[-_MOST_COLUMNS:])
    if compared is not None:
        nodes.append(Node(("laboratory", "compared"), "compared", table=compared, starts_open=True, label_tone=Tone.HEADING))
    newest = max(attempt.number for attempt in attempts)
    nodes += [_attempt(attempt, now, starts_open=attempt.number == newest) for attempt in sorted(attempts, key=lambda each: -each.number)]
    return nodes


def number_of(node: Node | None) -> int | None:
    """The attempt a line of the laboratory belongs to; None for the table."""
    if node is None or node.key[:2] != ("laboratory", "attempt") or len(node.key) < 3:
        return None
    return int(node.key[2])


def _attempt(attempt: AttemptRecord, now: datetime, *, starts_open: bool) -> Node:
    key = ("laboratory", "attempt", str(attempt.number))

    def children() -> list[Node]:
        words = tuple(safe_paragraphs(attempt.error or ""))
        failure = [Node((*key, "error"), "error", paragraphs=words, tone=Tone.FAILED)] if attempt.error else []
        return [*failure, *answer_nodes(attempt, key)]

    facts = DOT.join(filter(None, (_outcome(attempt), took(attempt.started_at, attempt.completed_at), clock_time(attempt.started_at, now))))
    return Node(
        key, f"attempt {attempt.number}", spans=(Span(facts, _tone(attempt)),), make_children=children, starts_open=starts_open,
        label_tone=Tone.HEADING,
    )  # fmt: skip


def _outcome(attempt: AttemptRecord) -> str:
    return (attempt.outcome or "running").replace("_", " ")


def _tone(attempt: AttemptRecord) -> Tone:
    match attempt.verdict:
        case Rejected():
            return Tone.FAILED
        case Uncertain():
            return Tone.AWAITING_REVIEW
        case Accepted():
            return Tone.COMPLETED
    return Tone.FAILED if attempt.error else Tone.PLAIN


def _comparison(attempts: Sequence[AttemptRecord]) -> Table | None:
    """A column per attempt: how it ended, how long it took, and what each criterion found."""
    if len(attempts) < 2:
        return None
    rows = [
        (Span("ended", Tone.LABEL), *(Span(_outcome(each), _tone(each)) for each in attempts)),
        (Span("took", Tone.LABEL), *(Span(took(each.started_at, each.completed_at) or "–") for each in attempts)),
    ]
    found = [{criterion.name: criterion for criterion in _criteria(each)} for each in attempts]
    names = list(dict.fromkeys(name for criteria in found for name in criteria))
    for name in names:
        rows.append((Span(shorten(safe_line(name), _CELL), Tone.LABEL), *(_criterion(criteria.get(name)) for criteria in found)))
    said = [shorten(safe_line(each.feedback.summary), _CELL) if each.feedback is not None else "–" for each in attempts]
    rows.append((Span("said", Tone.LABEL), *(Span(words, Tone.MUTED) for words in said)))
    return Table(("", *(f"attempt {each.number}" for each in attempts)), tuple(rows))


def _criteria(attempt: AttemptRecord) -> Sequence[Criterion]:
    if isinstance(attempt.verdict, Rejected):
        return attempt.verdict.feedback.criteria
    return attempt.feedback.criteria if attempt.feedback is not None else ()


def _criterion(criterion: Criterion | None) -> Span:
    if criterion is None:
        return Span("–", Tone.MUTED)
    sign = "✓" if criterion.passed else "✗"
    return Span(f"{sign} {shorten(safe_line(str(criterion.actual)), _CELL)}", Tone.COMPLETED if criterion.passed else Tone.FAILED)


def failing_criteria(attempts: Sequence[AttemptRecord]) -> list[Criterion]:
    """What the latest attempt did not meet."""
    latest = max(attempts, key=lambda attempt: attempt.number, default=None)
    return [criterion for criterion in _criteria(latest) if not criterion.passed] if latest is not None else []


def changes_wanted(attempts: Sequence[AttemptRecord]) -> str:
    """Words to begin a request for changes with: what failed, and what it should be."""
    return "; ".join(f"{each.name} should be {each.expected}, it is {each.actual}" for each in failing_criteria(attempts))


def feedback_of(words: str, attempts: Sequence[AttemptRecord]) -> str | Feedback:
    """What is sent back: the words, and with them the criteria that failed."""
    failing = failing_criteria(attempts)
    return Feedback(words, criteria=failing, source="person") if failing else words


def attempt_diff(attempts: Sequence[AttemptRecord], number: int, width: int, mode: str) -> list[Node]:
    """What differs between an attempt and the latest one; of the latest, between it and the one before."""
    with_output = [attempt for attempt in sorted(attempts, key=lambda each: each.number) if attempt.output is not None]
    if len(with_output) < 2:
        return [Node(("diff",), paragraphs=("there is only one attempt with an output, so there is nothing to compare",), tone=Tone.MUTED)]
    latest = with_output[-1]
    other = next((attempt for attempt in with_output if attempt.number == number and attempt is not latest), with_output[-2])
    heading = Node(("diff", "heading"), f"attempt {other.number} → attempt {latest.number}", label_tone=Tone.HEADING)
    return [heading, *diff_nodes(other.output, latest.output, width, mode)]
