"""The board: header, grid, keys. Says what a person wants by messages; whoever owns the engine acts.

It is painted before anything is known, so what the grid needs is imported only when there is something for a grid to show.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from treadle_tui.board.header_facts import HeaderFacts
from treadle_tui.board.standing import Standing
from treadle_tui.board.workflow_choice import WorkflowChoices
from treadle_tui.screens.board_lists import BoardLists
from treadle_tui.widgets.empty_state import EmptyState
from treadle_tui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from treadle_tui.board.board import Board
    from treadle_tui.board.tally import Tally
    from treadle_tui.board.view import CellRef, Changes
    from treadle_tui.widgets.board_grid import BoardGrid

#: After the cursor has moved on by itself, a decision this soon was meant for the cell before.
GUARD_SECONDS = 0.15


class Wish(str, Enum):
    """What a person may want on the board."""

    #: Show the review of a waiting cell.
    REVIEW = "review"
    #: Show an item.
    ITEM = "item"
    #: Approve a waiting cell as it was seen.
    APPROVE = "approve"
    #: Ask for a reason, and reject a waiting cell as it was seen.
    REJECT = "reject"
    #: Take the latest decision back.
    UNDO = "undo"
    #: Ask which items to add.
    ADD = "add"
    #: Show the items of another workflow.
    NEXT_WORKFLOW = "next workflow"


class BoardScreen(BoardLists):
    """Items × stages, live."""

    TITLE = "Board"
    BINDING_GROUP_TITLE = "Board"

    AUTO_FOCUS = ""  # the grid has the focus while it is shown, and only then
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "decide('approve')", "Approve", id="board.approve", tooltip="Approve the waiting cell under the cursor"),
        Binding("x", "decide('reject')", "Reject", id="board.reject", tooltip="Reject the waiting cell under the cursor, with a reason"),
        Binding("slash", "filter", "Filter", id="board.filter", tooltip="Show only some items: state:failed stage:review age:>2h word"),
        Binding("r", "act('retry')", "Retry", id="board.retry", tooltip="Run again what has failed: here, or of all marked items"),
        Binding("p", "act('pause')", "Pause", show=False, id="board.pause", tooltip="Pause the item or all marked ones; again, to go on"),
        Binding("X", "act('cancel')", "Cancel", show=False, id="board.cancel", tooltip="Call off what has not ended; asks first"),
        Binding("D", "act('delete')", "Delete", show=False, id="board.delete", tooltip="Delete the item or all marked ones; asks first"),
        Binding(
            "R", "act('rerun')", "Run again", show=False, id="board.rerun", tooltip="Run this stage and all behind it again; asks first"
        ),
        Binding("u", "wish('undo')", "Undo", show=False, id="board.undo", tooltip="Take the latest decision back"),
        Binding("n", "wish('add')", "Add items", id="board.add_items", tooltip="Add items: choose a workflow, give its argument"),
        Binding("f", "only('failures')", "Failures", show=False, id="board.failures", tooltip="Only items with a failure, or all again"),
        Binding(
            "H", "only('completed')", "Hide completed", show=False, id="board.hide_completed", tooltip="Hide complete items, or show them"
        ),
        Binding(
            "o", "sort", "Sort", show=False, id="board.sort", tooltip="Sort by the next: added, id, updated, priority, state of this stage"
        ),
        Binding("O", "reverse", "Reverse", show=False, id="board.reverse", tooltip="Turn the order round"),
        Binding("t", "cells", "Cells", show=False, id="board.cells", tooltip="What cells show: state, age, duration, attempts"),
        Binding("c", "columns", "Columns", show=False, id="board.columns", tooltip="Choose which stages are shown"),
        Binding(
            "V", "save_view", "Save view", show=False, id="board.save_view", tooltip="Keep filter, order, columns and cells under a name"
        ),
        Binding("y", "copy", "Copy id", show=False, id="board.copy", tooltip="Copy the item's id, or those of all marked items"),
        Binding("escape", "clear", "Clear", show=False, id="board.clear", key_display="esc", tooltip="Take the filter away"),
        Binding(
            "w", "wish('next workflow')", "Workflow", show=False, id="board.next_workflow", tooltip="Show the items of the next workflow"
        ),
    ]

    DEFAULT_CSS = """
    BoardScreen {
        & > BoardGrid { height: 1fr; display: none; }
        &.-has-items > BoardGrid { display: block; }
        &.-has-items > EmptyState { display: none; }
    }
    """

    class Wished(Message):
        """Something is wanted, of the cell under the cursor where it is about one."""

        def __init__(self, wish: Wish, cell: CellRef | None = None) -> None:
            super().__init__()
            self.wish = wish
            self.cell = cell

    def __init__(self, database: str) -> None:
        super().__init__(HeaderFacts(database=database))
        self._database = database
        self._found = WorkflowChoices()
        self._standing = Standing()
        self._advanced_at = float("-inf")
        self._offers: tuple[object, ...] = ()
        self._now: Callable[[], float] = time.monotonic

    def compose_body(self) -> ComposeResult:
        """What to do while there is no grid; the grid, when there are rows from the beginning."""
        yield EmptyState()
        if self.board is not None:
            from treadle_tui.widgets.board_grid import BoardGrid

            yield BoardGrid(self.board)

    def on_mount(self) -> None:
        """Nothing is known yet, and that is said; or there are rows already."""
        if self.board is None:
            self._show_empty_state()
        else:
            self.show_first_rows()
            self.set_focus(self.grid)

    # what is shown --------------------------------------------------------------------------------------------------------------

    def begin_with(self, board: Board) -> None:
        """There are rows before anything has been drawn."""
        self.board = board
        self.add_class("-has-items", update=False)

    async def show_board(self, board: Board) -> None:
        """There is a board to show: put the grid in place."""
        from treadle_tui.widgets.board_grid import BoardGrid

        self.board = board
        await self.mount(BoardGrid(board), before=self.query_one(KeyBar))

    def show_first_rows(self) -> None:
        """There are rows before the database is open."""
        from treadle_tui.board.view import Changes

        assert self.board is not None, "there is a grid to show them"
        self.grid.show_cells_as(self.board.shows)
        self.show_changes(Changes(is_rearranged=True))
        self.call_after_refresh(self.grid.scroll_to_cursor)  # before it has a height, every line is out of sight

    def show_changes(self, changes: Changes) -> None:
        """Draw what a reading has changed."""
        if self.board is None or not self.is_there:
            return
        has_items = self.board.line_count > 0
        if has_items != self.has_class("-has-items"):
            self.set_class(has_items, "-has-items")
            if not self.is_filter_edited:
                self.set_focus(self.grid if has_items else None)
            changes.is_rearranged = True
        if has_items:
            self.grid.show(changes)
        elif self.board.question.conditions:
            self._show_empty_state()
        self._offer()

    def show_question(self) -> None:
        """Other items are listed from now on."""
        if self.board is None or not self.is_there:
            return
        self.call_later(self.show_filter)
        self._show_empty_state()
        self._offer()

    def show_tally(self, tally: Tally) -> None:
        """Show newer totals above the columns."""
        if not self.is_there:
            return
        self.grid.show_tally(tally)

    def show_standing(self, standing: Standing) -> None:
        """Show how the engine is."""
        if not self.is_there:
            return
        self._standing = standing
        self._show_empty_state()
        self._offer()

    def show_found(self, found: WorkflowChoices) -> None:
        """Show which workflows there are."""
        if not self.is_there:
            return
        self._found = found
        self._show_empty_state()
        self._offer()

    def show_workflow(self) -> None:
        """Another workflow's items are shown from now on."""
        if not self.is_there:
            return
        self.grid.rearrange()

    def has_advanced(self) -> None:
        """The cursor has moved on by itself: a key pressed twice must not decide twice."""
        self._advanced_at = self._now()

    def _show_empty_state(self) -> None:
        if self.board is not None and self.board.question.conditions and self._standing.can_read:
            self.query_one(EmptyState).show_no_match(self._filter_text)
            return
        self.query_one(EmptyState).show(self._standing, self._found, self._database)

    # what is wanted -------------------------------------------------------------------------------------------------------------

    @property
    def _cell(self) -> CellRef | None:
        return self.board.cell_at_cursor() if self.board is not None else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would do nothing are shown as such; restarting is offered only when something has stopped."""
        match action, parameters:
            case "decide", _:
                cell = self._cell
                return True if cell is not None and cell.is_waiting else None
            case "wish", (Wish.ADD.value,):
                return True if self._standing.can_read and self._found.is_loaded else None
            case "wish", _:
                return True if self._standing.can_read else None
            case "clear", _:
                return self.board is not None and (bool(self.board.question.conditions) or self.board.range_start is not None)
            case "act", _:
                return True if self.board is not None and self.board.targets() else None
            case (("filter" | "only" | "sort" | "reverse" | "cells" | "columns" | "copy" | "save_view"), _):
                return True if self.board is not None and self.board.every_stage else None
        return True

    def _offer(self) -> None:
        """Look at the keys again, when what they can do has changed."""
        offers = (
            *(self.check_action(action, ()) for action in ("decide", "clear", "act", "filter")),
            self._standing.phase,
            self._found.is_loaded,
        )
        if offers != self._offers:
            self._offers = offers
            self.refresh_bindings()

    def on_board_grid_cursor_moved(self) -> None:
        """Other keys may apply."""
        self._offer()

    def on_board_grid_opened(self, event: BoardGrid.Opened) -> None:
        """A waiting cell is reviewed, any other one shows its item."""
        event.stop()
        if event.cell is not None:
            self.post_message(self.Wished(Wish.REVIEW if event.cell.is_waiting else Wish.ITEM, event.cell))

    def action_decide(self, wish: str) -> None:
        """Approve or reject the cell under the cursor."""
        cell = self._cell
        if cell is not None and cell.is_waiting and self._now() - self._advanced_at >= GUARD_SECONDS:
            self._wish(Wish(wish), cell)

    def action_wish(self, wish: str) -> None:
        """Something that is not about a cell."""
        self._wish(Wish(wish))

    def _wish(self, wish: Wish, cell: CellRef | None = None) -> None:
        if wish in (Wish.ADD, Wish.REJECT):
            self.before_dialog()
        self.post_message(self.Wished(wish, cell))

    # marks, and what is done to them -----------------------------------------------------------------------------------------------

    def on_board_grid_marks_wanted(self, event: BoardGrid.MarksWanted) -> None:
        """A range has its other end, or everything is to be marked."""
        event.stop()
        self.post_message(self.RangeWanted(event.first, event.last))

    def on_board_grid_marks_changed(self) -> None:
        """Other keys may apply."""
        self._offer()

    def action_act(self, deed: str) -> None:
        """Do something to the marked items, or to what is under the cursor."""
        self.post_message(self.Acted(deed))

    def action_save_view(self) -> None:
        """Keep the view under a name."""
        self.before_dialog()
        self.post_message(self.ViewKept())

    def action_copy(self) -> None:
        """Copy ids."""
        self.post_message(self.CopyWanted())
