"""What stands in a cell: glyph and letter of the state, and for a fan-out how far its subtasks are.

Always glyph and letter, never colour alone; every glyph is one cell wide.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from treadle_tui.board.time_text import age, short_span
from treadle_tui.engine.states import StageState, SubTaskStatus
from treadle_tui.engine.status import Cell

#: Stands where a row has not been read yet.
UNREAD = "…"


class CellShows(str, Enum):
    """What cells say beside the glyph of their state."""

    #: Its letter, and how far a fan-out is.
    STATE = "state"
    #: How long it has been so.
    AGE = "age"
    #: How long the latest attempt took, or has taken so far.
    DURATION = "duration"
    #: How often it was tried.
    ATTEMPTS = "attempts"

    @property
    def grows(self) -> bool:
        """Whether cells say something else as time goes by, though nothing happens."""
        return self in (CellShows.AGE, CellShows.DURATION)


def cell_text(cell: Cell, shows: CellShows = CellShows.STATE, now: datetime | None = None) -> str:
    """ "✓ C", "▸ R2" on the second attempt, "▸ 4/5 ✗1" for a fan-out; "✓ 3h", "✓ 4.0 s", "✓ 2×" where something else is shown."""
    if shows is not CellShows.STATE and now is not None:
        return f"{cell.state.glyph} {_said(cell, shows, now)}".rstrip()
    if cell.subtasks:
        return f"{cell.state.glyph} {fan_out_text(cell)}"
    return state_text(cell.state, cell.attempt)


def _said(cell: Cell, shows: CellShows, now: datetime) -> str:
    if shows is CellShows.AGE:
        return age(cell.updated_at, now)
    if shows is CellShows.ATTEMPTS:
        return f"{cell.attempt}×" if cell.attempt else ""
    if cell.state is StageState.PENDING:
        return ""
    return short_span(cell.started_at, now if cell.state is StageState.RUNNING else cell.completed_at or cell.updated_at)


def state_text(state: StageState, attempt: int = 0) -> str:
    """Glyph and letter, and the number of the attempt from the second on."""
    return f"{state.glyph} {state.letter}{attempt}" if attempt > 1 else f"{state.glyph} {state.letter}"


def subtask_text(subtask: SubTaskStatus) -> str:
    """As `state_text`, for one subtask."""
    return state_text(subtask.state, subtask.attempt)


def fan_out_text(cell: Cell) -> str:
    """Finished of all, then what failed and what waits for a person: "4/5 ✗1 ◆2"."""
    counts = cell.subtasks_by_state
    done = sum(count for state, count in counts.items() if state.is_satisfied)
    parts = [f"{done}/{cell.subtasks}"]
    for state in (StageState.FAILED, StageState.AWAITING_REVIEW):
        if counts.get(state):
            parts.append(f"{state.glyph}{counts[state]}")
    return " ".join(parts)


def shown_state(cell: Cell) -> StageState:
    """The state whose colour the cell takes: a fan-out shows what needs a person before it shows that it runs."""
    if cell.state is StageState.RUNNING:
        for state in (StageState.AWAITING_REVIEW, StageState.FAILED):
            if cell.subtasks_by_state.get(state):
                return state
    return cell.state


def waits(cell: Cell) -> bool:
    """Whether a person is waited for, on the stage or on one of its subtasks."""
    return cell.state is StageState.AWAITING_REVIEW or bool(cell.subtasks_by_state.get(StageState.AWAITING_REVIEW))
