"""What a board is asked and what it hands out: which items, which lines and cells, and what a reading has changed."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from treadle_tui.board.cell_text import waits
from treadle_tui.board.expansion import LineKey
from treadle_tui.engine.record import Record
from treadle_tui.engine.selection import Condition, Order, Selection
from treadle_tui.engine.states import StageState, SubTaskStatus
from treadle_tui.engine.status import Cell, ItemRow


class Question(Record, frozen=True):
    """Which items a board lists, and in which order."""

    workflow: str | None = None
    conditions: tuple[Condition, ...] = ()
    order: Order = Order.ADDED
    is_descending: bool = False
    stage: str = ""
    """For `Order.STAGE`: whose state counts."""

    @property
    def selection(self) -> Selection:
        """The question as a store understands it."""
        return Selection(self.workflow, self.conditions, self.order, self.is_descending, self.stage)

    @property
    def is_plain(self) -> bool:
        """Whether it is every item as they were added: a list that only grows at its end, and need not be held as a whole."""
        return not self.conditions and self.order is Order.ADDED and not self.is_descending


class Changes(msgspec.Struct):
    """What a reading has changed on the board."""

    cells: dict[str, set[str]] = msgspec.field(default_factory=dict)
    """Stages by item id; child lines of these stages included."""
    is_rearranged: bool = False
    """Whether lines have come, gone or moved: everything is to be drawn again."""

    def __bool__(self) -> bool:
        return self.is_rearranged or bool(self.cells)


class BoardLine(NamedTuple):
    """One line of the board."""

    key: LineKey | None
    """None while the row has not been read."""
    row: ItemRow | None
    stage: str = ""
    """For a child line: the fan-out's stage."""
    child: SubTaskStatus | None = None
    """For a child line: the subtask; None while it has not been read."""
    is_last_child: bool = False


class CellRef(Record, frozen=True):
    """The cell under the cursor, by name and as it was seen."""

    item_id: str
    workflow: str
    stage: str
    subtask: str | None
    state: StageState
    version: int
    cell: Cell
    """The stage's cell, also when the cursor is on a subtask."""

    @property
    def is_waiting(self) -> bool:
        """Whether this very stage or subtask waits for a person."""
        return self.state is StageState.AWAITING_REVIEW

    @property
    def hides_waiting(self) -> bool:
        """Whether it is a fan-out in which subtasks wait for a person, the stage itself does not."""
        return self.subtask is None and not self.is_waiting and waits(self.cell)

    @property
    def title(self) -> str:
        """ "requests 2.32 › checks › source"."""
        return " › ".join(part for part in (self.item_id, self.stage, self.subtask) if part)
