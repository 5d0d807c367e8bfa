"""The grid: items × stages, drawn line by line for what is on the screen.

It reads a `Board`, moves the board's cursor, and says what it needs and what was asked for by messages. Rows that have not been
read are drawn as such; the grid never waits for them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer

from treadle_tui.board.board import Board
from treadle_tui.board.cell_text import CellShows
from treadle_tui.board.columns import GAP, GUTTER, ColumnPlan, plan_columns
from treadle_tui.board.expansion import LineKey
from treadle_tui.board.tally import Tally
from treadle_tui.board.view import BoardLine, CellRef, Changes
from treadle_tui.widgets.grid_painter import Counted, GridPainter, GridStyles, Sorting, StripCache

#: Lines that stay at the top: stage names, and totals per stage.
HEAD_LINES = 2
#: How often ages are drawn again while they are shown: they change by the second.
_TICK_SECONDS = 1.0


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
        Binding("space", "mark", "Mark", show=False, id="board.mark", tooltip="Mark the item, or unmark it; keys act on all marked items"),
        Binding("v", "mark_range", "Range", show=False, id="board.mark_range", tooltip="Mark a range: here, and again at its other end"),
        Binding("asterisk", "mark_all", "Mark all", show=False, id="board.mark_all", tooltip="Mark every item of the list"),
        Binding("minus", "clear_marks", "Unmark all", show=False, id="board.clear_marks", tooltip="Take all marks away"),
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

    def __init__(self, board: Board, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.board = board
        self.tally = Tally()
        self._first_column = 0
        self._painter: GridPainter | None = None
        self._strips = StripCache()
        self._cursor_line_drawn = 0
        self._ticking: Timer | None = None
        self.clock: Callable[[], datetime] = _utc_now
        """What ages are reckoned from."""

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
            return painter.head(self.board.cursor_stage, Sorting.of(self.board.question))
        if y == 1:
            return painter.tallies(self.tally, self._counted())
        number = self._first_line() + y - HEAD_LINES
        if number >= self.board.line_count:
            return painter.blank()
        return self._strip(painter, self.board.line(number), number)

    def _strip(self, painter: GridPainter, line: BoardLine, number: int) -> Strip:
        board = self.board
        cursor_stage = board.cursor_stage if number == board.cursor_line else None
        is_marked = bool(board.marks or board.range_start is not None) and board.is_marked(line, board.row_index_of(number))
        is_gone = line.row is not None and line.row.key in board.gone
        return self._strips.strip(painter, line, cursor_stage, is_marked=is_marked, is_gone=is_gone)

    def _counted(self) -> Counted:
        listing = self.board.listing if self.board.question.conditions else None
        return Counted(
            self.board.newcomers,
            None if listing is None else len(listing),
            listing is None or listing.is_whole,
            len(self.board.marks),
        )

    def show_cells_as(self, shows: CellShows) -> None:
        """Let cells say something else; what grows with time is drawn again every second."""
        self.board.shows = shows
        if self._ticking is not None:
            self._ticking.stop()
        self._ticking = self.set_interval(_TICK_SECONDS, self._tick) if shows.grows else None
        self._tick()

    def _tick(self) -> None:
        if self.app.app_focus or not self.board.shows.grows:
            self._drop_painter()
            self.refresh()

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
            self._painter = GridPainter(plan, plan.visible(self._first_column), styles, self.board.shows, self.clock())
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


def _utc_now() -> datetime:
    return datetime.now(UTC)
