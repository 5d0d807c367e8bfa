"""The grid: items × stages, drawn line by line for what is on the screen.

It reads a `Board`, moves the board's cursor, and says what it needs and what was asked for by messages. Rows that have not been
read are drawn as such; the grid never waits for them.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message

from treadle_tui.board.columns import GAP, GUTTER
from treadle_tui.board.expansion import LineKey
from treadle_tui.board.view import CellRef
from treadle_tui.widgets.grid_view import HEAD_LINES, GridView


class BoardGrid(GridView, can_focus=True):
    """Items × stages with a cursor cell. See the module's first lines."""

    BINDING_GROUP_TITLE = "Board"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="board.up", tooltip="One line up"),
        Binding("down,j", "move(1)", "Down", show=False, id="board.down", tooltip="One line down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="board.page_up", tooltip="One screen up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="board.page_down", tooltip="One screen down"),
        Binding("home,g", "top", "Top", show=False, id="board.top", tooltip="To the first item"),
        Binding("end,G", "bottom", "Bottom", show=False, id="board.bottom", tooltip="To the last item, newcomers included"),
        Binding("right,l", "right", "Expand", show=False, id="board.right", tooltip="Open a fan-out; else one stage to the right"),
        Binding("left,h", "left", "Collapse", show=False, id="board.left", tooltip="Close a fan-out; else one stage to the left"),
        Binding("tab", "stage(1)", "Next stage", show=False, id="board.next_stage", tooltip="One stage to the right"),
        Binding("shift+tab", "stage(-1)", "Previous stage", show=False, id="board.previous_stage", tooltip="One stage to the left"),
        Binding("L", "expand_all", "Expand all", show=False, id="board.expand_all", tooltip="Open or close all fan-outs on the screen"),
        Binding(
            "left_square_bracket",
            "waiting(-1)",
            "Previous waiting",
            show=False,
            id="board.previous_waiting",
            tooltip="To the previous cell that waits for you",
        ),
        Binding("space", "mark", "Mark", show=False, id="board.mark", tooltip="Mark the item, or unmark it; keys act on all marked items"),
        Binding("v", "mark_range", "Range", show=False, id="board.mark_range", tooltip="Mark a range: here, and again at its other end"),
        Binding("asterisk", "mark_all", "Mark all", show=False, id="board.mark_all", tooltip="Mark every item of the list"),
        Binding("minus", "clear_marks", "Unmark all", show=False, id="board.clear_marks", tooltip="Take all marks away"),
        Binding("enter", "open", "Open", id="board.open", key_display="enter", tooltip="Review what waits; else show the item"),
        Binding("right_square_bracket", "waiting(1)", "Next", id="board.next_waiting", tooltip="To the next cell that waits for you"),
    ]

    class CursorMoved(Message):
        """The cursor is on another cell."""

        def __init__(self, grid: BoardGrid, cell: CellRef | None) -> None:
            super().__init__()
            self.grid = grid
            self.cell = cell

        @property
        def control(self) -> BoardGrid:
            """Alias for `grid`."""
            return self.grid

    class Opened(CursorMoved):
        """The cell under the cursor is to be shown in depth."""

    class MarksWanted(Message):
        """The rows from `first` to `last` of the list are to be marked; every row when `last` is None."""

        def __init__(self, first: int = 0, last: int | None = None) -> None:
            super().__init__()
            self.first = first
            self.last = last

    class MarksChanged(Message):
        """Other items are marked."""

    class NewcomersWanted(Message):
        """What has come to fit the filter is to be shown."""

    class SortWanted(Message):
        """The list is to be sorted by the column of this head; by the id when it is empty."""

        def __init__(self, stage: str) -> None:
            super().__init__()
            self.stage = stage

    class WaitingSought(Message):
        """The next waiting cell is asked for, and none is among the rows that are held."""

        def __init__(self, direction: int) -> None:
            super().__init__()
            self.direction = direction

    # the mouse ------------------------------------------------------------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is; twice opens the cell. In front of an item: mark it. On a head: sort by it."""
        event.stop()
        if event.y < HEAD_LINES:
            self._click_head(event)
            return
        line = self._first_line() + event.y - HEAD_LINES
        if line >= self.board.line_count:
            return
        if event.shift:
            self._click_range(line)
            return
        self._move_cursor(line)
        if event.x < GUTTER:
            self.action_mark()
            return
        stage = self._stage_at(event.x)
        if stage:
            self._go_to_stage(stage)
        if event.chain == 2:
            self.action_open()

    def _click_head(self, event: events.Click) -> None:
        stage = self._stage_at(event.x)
        if event.y > 0 and not stage and self.board.newcomers:
            self._take_newcomers()
        elif event.y == 0 and (stage or event.x < self._drawn_by().plan.first_x):
            self.post_message(self.SortWanted(stage))

    def _click_range(self, line: int) -> None:
        """With shift: mark from the cursor to here."""
        start = self.board.cursor_index
        self._move_cursor(line)
        self.board.range_start = start
        self.action_mark_range()

    def _stage_at(self, x: int) -> str:
        return next((column.stage for column in self._drawn_by().visible.columns if column.x <= x < column.x + column.width + GAP), "")

    # actions --------------------------------------------------------------------------------------------------------------------

    def action_move(self, delta: int) -> None:
        """Some lines up or down; past the last one, newcomers are taken in."""
        if self.board.listing is None and delta > 0 and self.board.cursor_line == self.board.line_count - 1 and self.board.newcomers:
            self._take_newcomers()
        self._move_cursor(self.board.cursor_line + delta)

    def action_page(self, delta: int) -> None:
        """Some screens up or down."""
        self.action_move(delta * self._line_height())

    def action_top(self) -> None:
        """To the first line."""
        self._move_cursor(0)

    def action_bottom(self) -> None:
        """To the last line, newcomers included."""
        if self.board.newcomers:
            self._take_newcomers()
        self._move_cursor(self.board.line_count - 1)

    def action_stage(self, delta: int) -> None:
        """One stage to the side."""
        before = self.board.cursor_line
        if self.board.move_stage(delta):
            self._cursor_has_moved(before)

    def action_right(self) -> None:
        """Open the fan-out under the cursor; else go to the next stage."""
        cell = self.board.cell_at_cursor()
        if cell is None or cell.subtask is not None or not self._open_fan_out(cell.item_id, cell.stage):
            self.action_stage(1)

    def action_left(self) -> None:
        """Close the fan-out under the cursor; else go to the stage before."""
        cell = self.board.cell_at_cursor()
        key = self.board.cursor
        item_id, stage = (key.item_id, key.stage or self.board.cursor_stage) if key else ("", "")
        if (cell is not None or (key and key.is_child)) and self.board.close(item_id, stage):
            self._fan_outs_have_changed()
            return
        self.action_stage(-1)

    def action_expand_all(self) -> None:
        """Open every fan-out on the screen, or close them all."""
        if self.board.toggle_all_visible():
            self._fan_outs_have_changed()

    def action_waiting(self, direction: int) -> None:
        """To the next cell that waits for a person."""
        found = self.board.find_waiting(direction)
        if found is None:
            self.post_message(self.WaitingSought(direction))
        else:
            self.go_to(*found)

    def action_mark(self) -> None:
        """Mark the item under the cursor, or unmark it, and go to the next; the end of a range marks the range."""
        if self.board.range_start is not None:
            self.action_mark_range()
            return
        if self.board.toggle_mark():
            self._marks_have_changed()
            self._move_cursor(self.board.expansions.line_of(self.board.cursor_index + 1))

    def action_mark_range(self) -> None:
        """Begin a range at the cursor; mark it at its other end."""
        marking = self.board.marked_range
        if marking is None:
            self.board.range_start = self.board.cursor_index if self.board.cursor else None
            self._marks_have_changed()
            return
        self.board.range_start = None
        self.post_message(self.MarksWanted(*marking))

    def action_mark_all(self) -> None:
        """Mark every item of the list."""
        self.post_message(self.MarksWanted())

    def action_clear_marks(self) -> None:
        """Take all marks away, or give up the range that is being marked."""
        self.board.range_start = None
        self.board.marks.clear()
        self._marks_have_changed()

    def show_marks(self) -> None:
        """Other items are marked."""
        self._marks_have_changed()

    def _marks_have_changed(self) -> None:
        self.refresh()
        self.post_message(self.MarksChanged())

    def action_open(self) -> None:
        """Show the cell under the cursor in depth; a fan-out in which subtasks wait opens at the first of them."""
        cell = self.board.cell_at_cursor()
        if cell is None:
            return
        if cell.hides_waiting and self._open_fan_out(cell.item_id, cell.stage):
            return
        self.post_message(self.Opened(self, cell))

    def go_to(self, key: LineKey, stage: str) -> None:
        """Put the cursor on a cell by name."""
        before = self.board.cursor_line
        if self.board.go_to(key, stage):
            self._cursor_has_moved(before)

    def go_to_line(self, line: int) -> None:
        """Put the cursor on a line by number, also one that has not been read."""
        self._move_cursor(line)

    def _open_fan_out(self, item_id: str, stage: str) -> bool:
        if not self.board.open(item_id, stage):
            return False
        self._fan_outs_have_changed()
        self.scroll_to_children()
        return True

    def _fan_outs_have_changed(self) -> None:
        self.rearrange()
        self.scroll_to_cursor()
        self.post_message(self.CursorMoved(self, self.board.cell_at_cursor()))

    def _take_newcomers(self) -> None:
        if self.board.listing is not None:
            self.post_message(self.NewcomersWanted())
            return
        self.show(self.board.show_newcomers())

    def _go_to_stage(self, stage: str) -> None:
        if stage in self.board.stages and self.board.cursor_stage in self.board.stages:
            self.action_stage(self.board.stages.index(stage) - self.board.stages.index(self.board.cursor_stage))

    def _move_cursor(self, line: int) -> None:
        if self.board.line_count == 0:
            return
        before, stage = self.board.cursor_line, self.board.cursor_stage
        self.board.move_to(line)
        if (self.board.cursor_line, self.board.cursor_stage) != (before, stage):
            self._cursor_has_moved(before)

    def _cursor_has_moved(self, before: int) -> None:
        """Draw the two lines and the heads that show the cursor, and tell."""
        self._cursor_line_drawn = self.board.cursor_line
        self.scroll_to_cursor()
        if self.board.range_start is not None:
            self.refresh()
        for line in {before, self.board.cursor_line}:
            y = line - self._first_line() + HEAD_LINES
            if HEAD_LINES <= y < self.size.height:
                self.refresh(Region(0, y, self._text_width, 1))
        self.refresh(Region(0, 0, self._text_width, 1))
        self.post_message(self.CursorMoved(self, self.board.cell_at_cursor()))
