"""The grid: items × stages, drawn line by line for what is on the screen.

It reads a `Board`, moves the board's cursor, and says what it needs and what was asked for by messages. Rows that have not been
read are drawn as such; the grid never waits for them.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from treadle_tui.board.board import Board
from treadle_tui.board.columns import ColumnPlan, plan_columns
from treadle_tui.board.expansion import LineKey
from treadle_tui.board.tally import Tally
from treadle_tui.board.view import BoardLine, CellRef, Changes
from treadle_tui.widgets.grid_painter import GridPainter, GridStyles, StripCache

#: Lines that stay at the top: stage names, and totals per stage.
HEAD_LINES = 2


class BoardGrid(ScrollView, can_focus=True):
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
        Binding("enter", "open", "Open", id="board.open", key_display="enter", tooltip="Review what waits; else show the item"),
        Binding("right_square_bracket", "waiting(1)", "Next", id="board.next_waiting", tooltip="To the next cell that waits for you"),
    ]

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "board-grid--base",
        "board-grid--cursor-row",
        "board-grid--cursor-cell",
        "board-grid--cursor-bar",
        "board-grid--head",
        "board-grid--head-at-cursor",
        "board-grid--child",
        "board-grid--faint",
        "board-grid--pill",
        "board-grid--pending",
        "board-grid--running",
        "board-grid--retry-wait",
        "board-grid--awaiting-review",
        "board-grid--completed",
        "board-grid--skipped",
        "board-grid--failed",
        "board-grid--cancelled",
    }
    """
    | Class | Description |
    | :- | :- |
    | `board-grid--cursor-row`, `--cursor-cell`, `--cursor-bar` | The line and the cell under the cursor, and the bar before it |
    | `board-grid--head`, `--head-at-cursor` | Stage names and totals; the name of the cursor's stage |
    | `board-grid--child` | The name of a subtask |
    | `board-grid--faint`, `--pill` | What is not read yet; the count of newcomers |
    | `board-grid--pending` … `--cancelled` | Cells, by state |
    """

    DEFAULT_CSS = """
    BoardGrid {
        background: $background;
        color: $foreground;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        & > .board-grid--cursor-row { background: $cursor-row; }
        & > .board-grid--cursor-cell { background: $cursor-cell; color: $cursor-cell-text; text-style: $cursor-cell-style; }
        & > .board-grid--cursor-bar { color: $accent; }
        & > .board-grid--head { background: $surface; color: $quiet; }
        & > .board-grid--head-at-cursor { color: $accent; text-style: $key-style; }
        & > .board-grid--child { color: $quiet; }
        & > .board-grid--faint { color: $faint; }
        & > .board-grid--pill { background: $cursor-cell; color: $cursor-cell-text; text-style: $cursor-cell-style; }
        & > .board-grid--pending { color: $state-pending; }
        & > .board-grid--running { color: $state-running; }
        & > .board-grid--retry-wait { color: $state-retry-wait; }
        & > .board-grid--awaiting-review { color: $state-awaiting-review; text-style: bold; }
        & > .board-grid--completed { color: $state-completed; }
        & > .board-grid--skipped { color: $state-skipped; }
        & > .board-grid--failed { color: $state-failed; text-style: bold; }
        & > .board-grid--cancelled { color: $state-cancelled; }
    }
    """

    ALLOW_SELECT = False

    class Needs(Message):
        """Rows or subtasks are on the screen, or near it, that the board does not hold."""

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

    class WaitingSought(Message):
        """The next waiting cell is asked for, and none is among the rows that are held."""

        def __init__(self, direction: int) -> None:
            super().__init__()
            self.direction = direction

    def __init__(self, board: Board, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.board = board
        self.tally = Tally()
        self._first_column = 0
        self._painter: GridPainter | None = None
        self._strips = StripCache()
        self._cursor_line_drawn = 0

    # what is shown --------------------------------------------------------------------------------------------------------------

    def show(self, changes: Changes) -> None:
        """Draw what a reading has changed, as far as it is on the screen."""
        if changes.is_rearranged or self._plan() != self._plan_drawn():
            self.rearrange()
            return
        visible = {column.stage: column for column in self._drawn_by().visible.columns}
        for y, line in self._lines_on_screen():
            if line.row is None or line.row.item_id not in changes.cells:
                continue
            columns = [visible[stage] for stage in changes.cells[line.row.item_id] if stage in visible]
            if columns:
                left, right = min(column.x for column in columns), max(column.x + column.width for column in columns)
                self.refresh(Region(left, y, right - left, 1))

    def rearrange(self) -> None:
        """Draw everything anew: lines have come, gone or moved. The cursor stays on its line of the screen."""
        before = self._cursor_y()
        self._cursor_line_drawn = self.board.cursor_line
        self._drop_painter()
        self.virtual_size = Size(self._text_width, self.board.line_count + HEAD_LINES)
        if before is not None:
            self._scroll_so_that(self.board.cursor_line, before)
        self._look()
        self.refresh()

    def show_tally(self, tally: Tally) -> None:
        """Show newer totals above the columns."""
        if tally != self.tally:
            self.tally = tally
            self.refresh(Region(0, 0, self._text_width, HEAD_LINES))

    def scroll_to_cursor(self) -> None:
        """Bring the cursor's line and stage onto the screen."""
        line, height = self.board.cursor_line, self._line_height()
        first = self._first_line()
        if line < first:
            self.scroll_to(y=line, animate=False, force=True)
        elif line >= first + height:
            self.scroll_to(y=line - height + 1, animate=False, force=True)
        self._show_cursor_column()

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        painter = self._drawn_by()
        if y == 0:
            return painter.head(self.board.cursor_stage)
        if y == 1:
            return painter.tallies(self.tally, self.board.newcomers)
        number = self._first_line() + y - HEAD_LINES
        if number >= self.board.line_count:
            return painter.blank()
        return self._strip(painter, self.board.line(number), is_cursor=number == self.board.cursor_line)

    def _strip(self, painter: GridPainter, line: BoardLine, *, is_cursor: bool) -> Strip:
        cursor_stage = self.board.cursor_stage if is_cursor else None
        is_marked = line.row is not None and not line.stage and line.row.item_id in self.board.marks
        return self._strips.strip(painter, line, cursor_stage, is_marked=is_marked)

    # geometry -------------------------------------------------------------------------------------------------------------------

    @property
    def _text_width(self) -> int:
        """Cells beside the scrollbar, whether that is shown or not."""
        return max(1, self.scrollable_content_region.width)

    def _plan(self) -> ColumnPlan:
        return plan_columns(self.board.stages, self.board.fan_outs, self.board.longest_id, self._text_width)

    def _plan_drawn(self) -> ColumnPlan | None:
        return self._painter.plan if self._painter else None

    def _drawn_by(self) -> GridPainter:
        if self._painter is None:
            plan = self._plan()
            styles = GridStyles.resolve(
                lambda part: self.get_component_rich_style(f"board-grid--{part}"),
                lambda part: self.get_component_rich_style(f"board-grid--{part}", partial=True),
            )
            self._first_column = plan.least_first(self._first_column)
            self._painter = GridPainter(plan, plan.visible(self._first_column), styles)
        return self._painter

    def _drop_painter(self) -> None:
        self._painter = None
        self._strips.clear()

    def _first_line(self) -> int:
        return round(self.scroll_y)

    def _line_height(self) -> int:
        return max(1, self.size.height - HEAD_LINES)

    def _lines_on_screen(self) -> list[tuple[int, BoardLine]]:
        first = self._first_line()
        last = min(first + self._line_height(), self.board.line_count)
        return [(number - first + HEAD_LINES, self.board.line(number)) for number in range(first, last)]

    def _cursor_y(self) -> int | None:
        """The place below the head where the cursor was drawn last; None when that is not on the screen."""
        y = self._cursor_line_drawn - self._first_line()
        return y if 0 <= y < self._line_height() else None

    def _scroll_so_that(self, line: int, y: int) -> None:
        self.scroll_to(y=max(0, line - y), animate=False, force=True)

    def _show_cursor_column(self) -> None:
        stages = self.board.stages
        if self.board.cursor_stage not in stages:
            return
        first = self._drawn_by().plan.first_showing(stages.index(self.board.cursor_stage), self._first_column)
        if first != self._first_column:
            self._first_column = first
            self._drop_painter()
            self.refresh()

    def _look(self) -> None:
        """Tell the board what is on the screen, and ask for what it lacks."""
        self.board.look_at(self._first_line(), self._line_height())
        if self.board.wanted_pages() or self.board.wanted_children():
            self.post_message(self.Needs())

    # what happens to it ---------------------------------------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        """The theme has changed."""
        super().notify_style_update()
        self._drop_painter()

    def on_resize(self) -> None:
        """The terminal has another size."""
        self._drop_painter()
        self.virtual_size = Size(self._text_width, self.board.line_count + HEAD_LINES)
        self._look()
        self.scroll_to_cursor()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Other lines are on the screen."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self._look()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is; a click on the cursor's cell opens it."""
        event.stop()
        line = self._first_line() + event.y - HEAD_LINES
        if event.y < HEAD_LINES:
            if self.board.newcomers and event.x < self._drawn_by().plan.first_x:
                self._take_newcomers()
            return
        if line >= self.board.line_count:
            return
        stage = next((c.stage for c in self._drawn_by().visible.columns if c.x <= event.x < c.x + c.width + 2), self.board.cursor_stage)
        if line == self.board.cursor_line and stage == self.board.cursor_stage:
            self.action_open()
            return
        self._move_cursor(line)
        self._go_to_stage(stage)

    # actions --------------------------------------------------------------------------------------------------------------------

    def action_move(self, delta: int) -> None:
        """Some lines up or down; past the last one, newcomers are taken in."""
        if delta > 0 and self.board.cursor_line == self.board.line_count - 1 and self.board.newcomers:
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
        return True

    def _fan_outs_have_changed(self) -> None:
        self.rearrange()
        self.scroll_to_cursor()
        self.post_message(self.CursorMoved(self, self.board.cell_at_cursor()))

    def _take_newcomers(self) -> None:
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
        for line in {before, self.board.cursor_line}:
            y = line - self._first_line() + HEAD_LINES
            if HEAD_LINES <= y < self.size.height:
                self.refresh(Region(0, y, self._text_width, 1))
        self.refresh(Region(0, 0, self._text_width, 1))
        self.post_message(self.CursorMoved(self, self.board.cell_at_cursor()))
