"""Events as lines a person reads: a sign, what happened, to what, and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from treadle_tui.board.history_outline import decision_words, tone_of
from treadle_tui.board.outline import Span, Tone
from treadle_tui.board.safe_text import fit, safe_line
from treadle_tui.board.time_text import age
from treadle_tui.engine import events as ev
from treadle_tui.engine.review import Reject, RequestChanges
from treadle_tui.engine.states import StageState

WORDS: Mapping[type[ev.Event], str] = {
    ev.ItemAdded: "added",
    ev.ItemDeleted: "deleted",
    ev.ItemPaused: "paused",
    ev.ItemResumed: "resumed",
    ev.ItemCancelled: "cancelled",
    ev.WorkflowCompleted: "item completed",
    ev.StageHeld: "stage held",
    ev.StageReleased: "stage released",
    ev.StageStarted: "started",
    ev.FanOutStarted: "fanned out",
    ev.SubTaskStarted: "started",
    ev.StageCompleted: "completed",
    ev.SubTaskCompleted: "completed",
    ev.StageFailed: "failed",
    ev.SubTaskFailed: "failed",
    ev.StageSkipped: "skipped",
    ev.ReviewRequired: "review required",
    ev.ReviewResolved: "decided",
    ev.ReviewReopened: "reopened",
    ev.RetryScheduled: "retry scheduled",
    ev.StageRetried: "sent back",
    ev.StageRecovered: "recovered",
    ev.QualityCheckPassed: "check passed",
    ev.QualityCheckFailed: "check failed",
    ev.Escalated: "escalated",
    ev.StageProgress: "progress",
    ev.StageLogged: "logged",
}
"""What happened, in a word or two; every kind has one."""

ERROR_KINDS: tuple[type[ev.Event], ...] = (
    ev.StageFailed,
    ev.SubTaskFailed,
    ev.RetryScheduled,
    ev.QualityCheckFailed,
    ev.Escalated,
    ev.StageRecovered,
)
"""What tells of something that went wrong."""

_SIGNS: Mapping[type[ev.Event], str] = {
    ev.ItemAdded: "+",
    ev.ItemDeleted: "-",
    ev.ItemPaused: "‖",
    ev.ItemResumed: "▸",
    ev.ItemCancelled: "⊘",
    ev.WorkflowCompleted: "✓",
    ev.StageHeld: "‖",
    ev.StageReleased: "▸",
    ev.ReviewResolved: "◇",
    ev.QualityCheckPassed: "✓",
    ev.QualityCheckFailed: "✗",
    ev.Escalated: "!",
}
_TONES: Mapping[type[ev.Event], Tone] = {
    ev.ItemCancelled: Tone.CANCELLED,
    ev.WorkflowCompleted: Tone.COMPLETED,
    ev.QualityCheckPassed: Tone.COMPLETED,
    ev.QualityCheckFailed: Tone.FAILED,
    ev.Escalated: Tone.AWAITING_REVIEW,
    ev.StageHeld: Tone.AWAITING_REVIEW,
}
#: Cells of the place, of the words, and of the time.
PLACE_CELLS, WORD_CELLS = 34, 17


def event_spans(
    event: ev.Event,
    now: datetime,
    *,
    is_relative: bool,
    place_cells: int = PLACE_CELLS,
    is_narrow: bool = False,
    of_item: bool = False,
) -> tuple[Span, ...]:
    """One event on one line: time, place, sign and words, and what it says. Narrow lines have only the date of another day.

    `of_item`: among events of one item only, whose id need not be said in each.
    """
    tone = tone_for(event)
    detail = detail_of(event)
    return (
        Span(f"{when(event.at, now, is_relative=is_relative, is_narrow=is_narrow)}  ", Tone.MUTED),
        Span(fit(place_of(event, of_item=of_item), place_cells) + "  "),
        Span(f"{sign_of(event)} {WORDS[type(event)]:<{WORD_CELLS}}", tone),
        Span(detail, Tone.FAILED if tone is Tone.FAILED else Tone.PLAIN),
    )


def when(at: datetime | None, now: datetime, *, is_relative: bool, is_narrow: bool = False) -> str:
    """ "14:03:22", "20 Nov 14:03:22" of another day, or how long ago: always in as many cells."""
    cells = 8 if is_relative or is_narrow else 15
    if at is None:
        return " " * cells
    if is_relative:
        ago = age(at, now)
        return f"{'just now' if ago == 'now' else f'{ago} ago':>8}"
    local, is_today = at.astimezone(), at.astimezone().date() == now.astimezone().date()
    words = local.strftime("%H:%M:%S" if is_today else "%d %b" if is_narrow else "%d %b %H:%M:%S")
    return f"{words:>{cells}}"


def place_of(event: ev.Event, *, of_item: bool = False) -> str:
    """Item, stage and subtask, as far as there are any; the workflow for what is about none. `of_item`: without the item."""
    stage, subtask = getattr(event, "stage", ""), getattr(event, "subtask", None)
    parts = [] if of_item and stage else [getattr(event, "item_id", "") or event.workflow]
    parts += [stage, subtask]
    attempt = getattr(event, "attempt", 0)
    return " › ".join(safe_line(part) for part in parts if part) + (f" #{attempt}" if attempt > 1 else "")


def sign_of(event: ev.Event) -> str:
    """One cell; of what moves a stage, the state it moves to."""
    state = ev.STATE_AFTER.get(type(event))
    return _SIGNS.get(type(event)) or (state.glyph if state is not None else "·")


def tone_for(event: ev.Event) -> Tone:
    """The tone of its sign and words."""
    if isinstance(event, ev.ReviewResolved):
        return Tone.FAILED if isinstance(event.decision, Reject) else Tone.COMPLETED
    state = ev.STATE_AFTER.get(type(event))
    if state is StageState.PENDING or (state is None and type(event) not in _TONES):
        return Tone.MUTED
    return _TONES.get(type(event)) or (tone_of(state) if state is not None else Tone.MUTED)


def detail_of(event: ev.Event) -> str:
    """Why, by whom, or what it says: the first line of it."""
    match event:
        case ev.ReviewResolved(decision=decision) if decision is not None:
            words = decision_words(decision) + (f" by {decision.by}" if decision.by else "")
            said = decision.reason if isinstance(decision, Reject) else decision.note
            if isinstance(decision, RequestChanges):
                said = decision.feedback if isinstance(decision.feedback, str) else decision.feedback.summary
            return _line(words + (f": {said}" if said else ""))
        case ev.ReviewRequired(data=data):
            return _line(data.summary if data is not None else "")
        case ev.QualityCheckFailed(feedback=feedback):
            return _line(feedback.summary if feedback is not None else "")
        case ev.FanOutStarted(subtasks=subtasks):
            return _line(f"{len(subtasks)} subtasks: {', '.join(subtasks[:12])}")
        case ev.StageProgress(fraction=fraction, message=message):
            return _line(f"{fraction:.0%} {message}")
        case ev.StageHeld(when=condition):
            return _line(f"for items with {condition}" if condition else "for every item")
    said = next((str(value) for name in ("error", "reason", "message") if (value := getattr(event, name, ""))), "")
    by = getattr(event, "by", "")
    return _line(said or (f"by {by}" if by else ""))


def _line(text: str) -> str:
    return safe_line(text.strip().split("\n", 1)[0])
