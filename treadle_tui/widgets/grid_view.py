"""The grid as it is drawn: lines of a board for what is on the screen, and no more. It never waits for what has not been read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import ClassVar

from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer

from treadle_tui.board.board import Board
from treadle_tui.board.cell_text import CellShows
from treadle_tui.board.columns import ColumnPlan, plan_columns
from treadle_tui.board.tally import Tally
from treadle_tui.board.view import BoardLine, Changes
from treadle_tui.widgets.grid_painter import Counted, GridPainter, GridStyles, Sorting, StripCache

#: Lines that stay at the top: stage names, and totals per stage.
HEAD_LINES = 2
#: How often ages are drawn again while they are shown: they change by the second.
_TICK_SECONDS = 1.0


class GridView(ScrollView):
    """Draws a `Board`, and says what it lacks. Keys and the mouse are `BoardGrid`'s."""

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
    GridView {
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

    class Needs(Message, namespace="board_grid"):
        """Rows or subtasks are on the screen, or near it, that the board does not hold."""

    def __init__(self, board: Board, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.board = board
        self.tally = Tally()
        self._first_column = 0
        self._painter: GridPainter | None = None
        self._strips = StripCache()
        self._cursor_line_drawn = board.cursor_line
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

    def scroll_to_children(self) -> None:
        """Bring the subtasks under the cursor's item onto the screen, as many as there is room for below the item."""
        key = self.board.cursor
        if key is None:
            return
        first = self.board.expansions.line_of(self.board.cursor_index)
        last = first + sum(fan_out.count for fan_out in self.board.expansions.of_item(key.item_id))
        top = min(first, last - self._line_height() + 1)
        if self._first_line() < top:
            self.scroll_to(y=top, animate=False, force=True)

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
            self._painter = GridPainter(
                plan, plan.visible(self._first_column), styles, self.board.shows, self.clock(), self.board.held, self.board.decided
            )
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
        self._strips.most = 2 * max(1, self._line_height())
        self.virtual_size = Size(self._text_width, self.board.line_count + HEAD_LINES)
        self._look()
        self.scroll_to_cursor()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Other lines are on the screen."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self._look()


def _utc_now() -> datetime:
    return datetime.now(UTC)
