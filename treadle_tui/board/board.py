"""The board: items × stages as far as they are looked at, with a cursor that belongs to an item and not to a line.

Pure state. Whoever owns a store asks `wanted_pages` and `wanted_children` what to read, hands the answers to the `take_…` methods,
and repaints what the returned `Changes` name. Nothing here waits, draws, or knows where rows come from.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Sequence, Set

from treadle_tui.board.cell_text import CellShows, waits
from treadle_tui.board.expansion import Expansions, LineKey
from treadle_tui.board.listing import Listing
from treadle_tui.board.safe_text import safe_line, width_of
from treadle_tui.board.view import BoardLine, CellRef, Changes, Question
from treadle_tui.board.window import MOST_PAGES, PAGE_ROWS, RowWindow
from treadle_tui.engine.states import StageState, SubTaskStatus
from treadle_tui.engine.status import ItemRow

#: Cells in front of a child line's name.
BRANCH_CELLS = 4


class Board:
    """See the module's first lines."""

    def __init__(self, page_rows: int = PAGE_ROWS, most_pages: int = MOST_PAGES) -> None:
        self.question = Question()
        self.every_stage: list[str] = []
        """Stages of the workflow, topological order."""
        self.hidden: frozenset[str] = frozenset()
        """Stages that are not shown."""
        self.stages: list[str] = []
        """Columns: the stages that are shown, topological order."""
        self.shows = CellShows.STATE
        """What cells say."""
        self.listing: Listing | None = None
        """The answer to a question that is not plain."""
        self.epoch = 0
        """Grows with every question: a reading that began in an earlier one is of no use."""
        self.window = RowWindow(page_rows, most_pages)
        self.expansions = Expansions()
        self.total = 0
        """Rows the store has for the question."""
        self.shown = 0
        """Rows the board has taken in; the rest are newcomers."""
        self.welcomes_newcomers = True
        """Whether newcomers are taken in at once: until the first reading is through, and while a person adds items here."""
        self.marks: set[str] = set()
        """Ids of the marked items."""
        self.range_start: int | None = None
        """The row at which a range of marks begins, while one is being marked."""
        self.decided: Set[tuple[str, str, str | None]] = frozenset()
        """Cells, as (item id, stage, subtask), that have been decided here while the decision is held: nobody need go there."""
        self.held: Set[str] = frozenset()
        """Stages that start no more until they are released."""
        self.cursor_stage = ""
        """The column of the cursor."""
        self.fan_outs: set[str] = set()
        """Stages that have been seen to fan out; they need wider columns."""
        self.longest_id = 0
        """Cells of the longest id, or child's name with its branch, seen so far; it only grows."""
        self._cursor: LineKey | None = None
        self._cursor_index = 0
        self._first_line = 0
        self._height = 0
        self._ticket = 0

    def ask(self, question: Question, stages: Sequence[str], listing: Listing | None = None, total: int = 0) -> None:
        """Show something else: no row is held, no fan-out is open, the cursor is at the top. Of the same workflow, marks stay."""
        is_other = question.workflow != self.question.workflow or list(stages) != self.every_stage
        self.question = question
        self.epoch += 1
        self.listing = listing
        self.window.clear()
        self.expansions.clear()
        self.total = self.shown = total if listing is None else len(listing)
        self.range_start = None
        self._cursor, self._cursor_index, self._first_line = None, 0, 0
        if is_other:
            self.welcomes_newcomers = True
            self.marks.clear()
            self.fan_outs.clear()
            self.longest_id = 0
            self.every_stage = list(stages)
            self.cursor_stage = ""
            self.choose_columns(self.hidden)

    def land(
        self, question: Question, stages: Sequence[str], listing: Listing | None, total: int, index: int, rows: Sequence[ItemRow]
    ) -> None:
        """Show something else, with the cursor on the row of that place in the middle; `rows` are the page it is in, if it was read."""
        self.ask(question, stages, listing, total)
        if rows:
            self.take_page(index // self.window.page_rows, rows, self.draw_ticket())
            self.expect_at(index, rows[index % self.window.page_rows].item_id)
        self.look_at(max(0, index - self.height // 2), self.height)

    def choose_columns(self, hidden: Collection[str]) -> None:
        """Show every stage but these; all of them when none would be left. The cursor goes to the nearest that is shown."""
        self.hidden = frozenset(hidden)
        at = self.every_stage.index(self.cursor_stage) if self.cursor_stage in self.every_stage else 0
        self.stages = [stage for stage in self.every_stage if stage not in self.hidden] or list(self.every_stage)
        if self.cursor_stage not in self.stages:
            self.cursor_stage = min(self.stages, key=lambda stage: abs(self.every_stage.index(stage) - at), default="")
        for fan_out in self.expansions:
            if fan_out.stage not in self.stages:
                self.close(fan_out.item_id, fan_out.stage)

    # lines ---------------------------------------------------------------------------------------------------------------------

    @property
    def line_count(self) -> int:
        """Item lines and child lines."""
        return self.shown + self.expansions.child_lines if self.shown else 0

    @property
    def newcomers(self) -> int:
        """Items that have come to be listed and are not shown yet."""
        if self.listing is not None:
            return self.listing.new_count
        return max(0, self.total - self.shown)

    @property
    def gone(self) -> set[int]:
        """Keys of the rows that are shown though they do not fit the filter any more."""
        return self.listing.gone if self.listing is not None else set()

    def keys_of_page(self, number: int) -> Sequence[int] | None:
        """Which items stand on a page; None when that follows from its number."""
        size = self.window.page_rows
        return None if self.listing is None else self.listing.keys[number * size : (number + 1) * size]

    def line(self, number: int) -> BoardLine:
        """The line of that number, 0 at the top."""
        place = self.expansions.place(number)
        row = self.window.row(place.row_index)
        if place.fan_out is None:
            return BoardLine(LineKey(row.item_id) if row else None, row)
        fan_out = place.fan_out
        is_last = place.child == fan_out.count - 1
        if fan_out.children is None:
            return BoardLine(None, row, fan_out.stage, None, is_last)
        child = fan_out.children[place.child]
        return BoardLine(LineKey(fan_out.item_id, fan_out.stage, child.name), row, fan_out.stage, child, is_last)

    @property
    def height(self) -> int:
        """How many lines are on the screen."""
        return self._height

    def look_at(self, first_line: int, height: int) -> None:
        """Say which lines are on the screen; what is read follows."""
        self._first_line, self._height = max(0, first_line), max(0, height)

    def wanted_pages(self) -> list[int]:
        """Numbers of the pages to read next: what is on the screen first, then a screen above and below."""
        bottom = self._first_line + self._height - 1
        first, last = self._index_at(self._first_line), self._index_at(bottom)
        near = self.window.wanted(first, last, self.shown)
        around = self.window.wanted(first - self._height, last + self._height, self.shown, stale_too=False)
        return near + [number for number in around if number not in near]

    def take_unknown_changes(self) -> None:
        """Too much has happened to be told row by row: what is held is read again when it is looked at."""
        self.window.mark_stale()

    def visible_items(self) -> list[str]:
        """Ids of the items on the screen, as far as they have been read."""
        first, last = self._index_at(self._first_line), self._index_at(self._first_line + self._height - 1)
        rows = (self.window.row(index) for index in range(first, last + 1))
        return [row.item_id for row in rows if row is not None]

    def draw_ticket(self) -> int:
        """A number for a reading that begins now; of two readings the later ticket counts."""
        self._ticket += 1
        return self._ticket

    def _index_at(self, line: int) -> int:
        return self.expansions.place(max(0, line)).row_index

    # readings ------------------------------------------------------------------------------------------------------------------

    @property
    def _has_room(self) -> bool:
        return self.line_count < self._height or self.shown == 0 or self.welcomes_newcomers

    def take_total(self, total: int) -> Changes:
        """Take in how many rows there are: newcomers are shown at once while the list is shorter than the screen."""
        if self.listing is not None:
            return Changes()
        has_room = self._has_room
        self.total = total
        before = self.shown
        if total < self.shown or has_room:
            self.shown = total
        return Changes(is_rearranged=self.shown != before)

    def take_listing(self, keys: array[int]) -> bool:
        """Take in the whole of a list of which the beginning is shown; False when it has become another one meanwhile."""
        if self.listing is None or not self.listing.extend_to(keys):
            return False
        self.total = self.shown = len(self.listing)
        return True

    def take_matches(self, keys: array[int]) -> Changes:
        """Take in which items the answer would consist of now."""
        if self.listing is None or not self.listing.is_whole:
            return Changes()
        before = self.newcomers, self.gone
        self.listing.compare(keys)
        if self.listing.new and self._has_room:
            self.listing.take_new_in()
        changed = (self.newcomers, self.gone) != before or self.shown != len(self.listing)
        self.total = self.shown = len(self.listing)
        return Changes(is_rearranged=changed)

    def drop_keys(self, keys: Collection[int]) -> Changes:
        """Items of the list are no more: what stood below them moves up."""
        if self.listing is None:
            return Changes()
        above = sum(1 for key in keys if (index := self.listing.index_of(key)) is not None and index < self._cursor_index)
        self.listing.drop(keys)
        self.total = self.shown = len(self.listing)
        self._cursor_index = max(0, self._cursor_index - above)
        self.window.mark_stale()
        return Changes(is_rearranged=True)

    def show_newcomers(self) -> Changes:
        """Take every newcomer in, below the last line."""
        if self.listing is not None:
            return Changes()
        before, self.shown = self.shown, self.total
        return Changes(is_rearranged=self.shown != before)

    def take_page(self, number: int, rows: Sequence[ItemRow], ticket: int) -> Changes:
        """Take a page of rows in."""
        lines = self.line_count
        changes = Changes(self.window.put_page(number, rows, ticket))
        self._measure(rows)
        for row in rows:
            self._follow_row(row)
        self._settle_cursor()
        changes.is_rearranged = self.line_count != lines
        return changes

    def take_rows(self, rows: Iterable[ItemRow], ticket: int) -> Changes:
        """Take newer readings of single rows in, where they are held."""
        rows = list(rows)
        lines = self.line_count
        changes = Changes(self.window.put_rows(rows, ticket))
        self._measure(rows)
        for row in rows:
            self._follow_row(row)
        changes.is_rearranged = self.line_count != lines
        return changes

    def take_children(self, item_id: str, stage: str, children: Sequence[SubTaskStatus], ticket: int) -> Changes:
        """Take the subtasks of an open fan-out in."""
        lines = self.line_count
        if not self.expansions.take(item_id, stage, children, ticket):
            return Changes()
        if not children:
            self.close(item_id, stage)
        for child in children[:PAGE_ROWS]:
            self.longest_id = max(self.longest_id, BRANCH_CELLS + width_of(safe_line(child.name)))
        return Changes({item_id: {stage}}, is_rearranged=self.line_count != lines)

    def wanted_children(self, changed: Iterable[str] = ()) -> list[tuple[str, str]]:
        """Open fan-outs to read, as (item id, stage): those never read, and those of changed items."""
        dirty = set(changed)
        return [(each.item_id, each.stage) for each in self.expansions if each.children is None or each.item_id in dirty]

    def take_deleted(self, item_ids: Iterable[str]) -> Changes:
        """Rows have gone: what stood below them moves up, and everything held is read again."""
        gone = set(item_ids)
        for fan_out in self.expansions:
            if fan_out.item_id in gone:
                self.expansions.close(fan_out.item_id, fan_out.stage)
        if self.listing is not None:
            self.marks -= gone
            keys = [row.key for item_id in gone if (row := self.window.held(item_id)) is not None]
            return self.drop_keys(keys) if keys else Changes()
        above = sum(1 for item_id in gone if (index := self.window.index_of(item_id)) is not None and index < self._cursor_index)
        self._cursor_index = max(0, self._cursor_index - above)
        self.marks -= gone
        self.window.mark_stale()
        return Changes(is_rearranged=True)

    def _measure(self, rows: Iterable[ItemRow]) -> None:
        for row in rows:
            self.longest_id = max(self.longest_id, width_of(safe_line(row.item_id)))
            self.fan_outs.update(stage for stage, cell in row.cells.items() if cell.subtasks)

    def _follow_row(self, row: ItemRow) -> None:
        """Keep open fan-outs at their row, and close those whose subtasks were discarded."""
        index = self.window.index_of(row.item_id)
        for fan_out in self.expansions.of_item(row.item_id):
            if index is not None:
                self.expansions.move(row.item_id, index)
            held = self.window.held(row.item_id)
            cell = held.cells.get(fan_out.stage) if held else None
            if cell is not None and cell.subtasks == 0:
                self.close(fan_out.item_id, fan_out.stage)

    # marks ---------------------------------------------------------------------------------------------------------------------

    @property
    def cursor_index(self) -> int:
        """The cursor's row in the list."""
        return self._cursor_index

    @property
    def marked_range(self) -> tuple[int, int] | None:
        """First and last row of the range that is being marked; None when none is."""
        if self.range_start is None:
            return None
        return min(self.range_start, self._cursor_index), max(self.range_start, self._cursor_index)

    def is_marked(self, line: BoardLine, index: int) -> bool:
        """Whether an item's line is marked, or about to be; `index` is its row's."""
        marking = self.marked_range
        in_range = marking is not None and marking[0] <= index <= marking[1]
        return line.row is not None and not line.stage and (line.row.item_id in self.marks or in_range)

    def toggle_mark(self) -> bool:
        """Mark the item under the cursor, or unmark it; False when there is none."""
        if self._cursor is None:
            return False
        self.marks ^= {self._cursor.item_id}
        return True

    def row_index_of(self, line: int) -> int:
        """The row a line belongs to."""
        return self._index_at(line)

    def targets(self) -> list[str]:
        """Ids that an action is about: those marked, else the one under the cursor."""
        if self.marks:
            return sorted(self.marks)
        return [self._cursor.item_id] if self._cursor is not None else []

    # cursor --------------------------------------------------------------------------------------------------------------------

    @property
    def cursor(self) -> LineKey | None:
        """What the cursor is on; None when there are no lines, or when its row has not been read."""
        return self._cursor

    @property
    def cursor_line(self) -> int:
        """The number of the cursor's line, wherever its item has moved to."""
        line = self._line_of_cursor()
        return max(0, min(line, self.line_count - 1))

    def _line_of_cursor(self) -> int:
        key = self._cursor
        if key is not None and key.is_child:
            child_line = self.expansions.line_of_child(*key)
            if child_line is not None:
                return child_line
        return self.expansions.line_of(self._cursor_index)

    def move_to(self, line: int) -> None:
        """Put the cursor on a line, the nearest there is."""
        line = max(0, min(line, self.line_count - 1))
        place = self.expansions.place(line)
        self._cursor_index = place.row_index
        self._cursor = self.line(line).key
        if place.fan_out is not None:
            self.cursor_stage = place.fan_out.stage
            if self._cursor is None:  # not read yet: stay with the parent
                row = self.window.row(place.row_index)
                self._cursor = LineKey(row.item_id) if row else None

    def move_stage(self, delta: int) -> bool:
        """Move the cursor by so many columns; whether it moved."""
        if not self.stages:
            return False
        at = self.stages.index(self.cursor_stage) if self.cursor_stage in self.stages else 0
        to = max(0, min(at + delta, len(self.stages) - 1))
        if to == at:
            return False
        self.cursor_stage = self.stages[to]
        if self._cursor is not None and self._cursor.is_child:
            self._cursor = LineKey(self._cursor.item_id)
        return True

    def cell_at_cursor(self) -> CellRef | None:
        """The cell under the cursor; None when its row has not been read, or it has no such stage."""
        key = self._cursor
        row = self.window.held(key.item_id) if key else None
        stage = key.stage if key and key.is_child else self.cursor_stage
        cell = row.cells.get(stage) if row else None
        if key is None or row is None or cell is None:
            return None
        if not key.is_child:
            return CellRef(row.item_id, row.workflow, stage, None, cell.state, cell.version, cell)
        child = self._child(key)
        if child is None:
            return None
        return CellRef(row.item_id, row.workflow, stage, child.name, child.state, child.version, cell)

    def _child(self, key: LineKey) -> SubTaskStatus | None:
        fan_out = self.expansions.get(key.item_id, key.stage)
        if fan_out is None or fan_out.children is None or key.subtask not in fan_out.place:
            return None
        return fan_out.children[fan_out.place[key.subtask]]

    def _settle_cursor(self) -> None:
        """After rows were read: follow the cursor's item, or name what the cursor is on when it was only a place."""
        if self._cursor is not None:
            index = self.window.index_of(self._cursor.item_id)
            if index is not None:
                self._cursor_index = index
                return
        index = min(self._cursor_index, max(0, self.shown - 1))
        row = self.window.row(index)
        if row is not None and self.window.is_fresh(index):
            self._cursor, self._cursor_index = LineKey(row.item_id), index

    # fan-outs ------------------------------------------------------------------------------------------------------------------

    def open(self, item_id: str, stage: str) -> bool:
        """Show the subtasks of a fan-out; False when it has none, or is open."""
        row, index = self.window.held(item_id), self.window.index_of(item_id)
        cell = row.cells.get(stage) if row else None
        if cell is None or index is None or not cell.subtasks or self.expansions.get(item_id, stage) is not None:
            return False
        rank = self.stages.index(stage) if stage in self.stages else 0
        self.expansions.open(item_id, stage, index, cell.subtasks, rank)
        return True

    def close(self, item_id: str, stage: str) -> bool:
        """Hide the subtasks again; False when they are not shown. A cursor among them goes to their parent."""
        if self.expansions.get(item_id, stage) is None:
            return False
        if self._cursor is not None and self._cursor[:2] == (item_id, stage):
            self._cursor = LineKey(item_id)
        self.expansions.close(item_id, stage)
        return True

    def toggle_all_visible(self) -> bool:
        """Open every fan-out on the screen; close them when all are open. False when there is none."""
        found = [
            (item_id, stage)
            for item_id in self.visible_items()
            if (row := self.window.held(item_id)) is not None
            for stage in self.stages
            if stage in row.cells and row.cells[stage].subtasks
        ]
        closed = [each for each in found if self.expansions.get(*each) is None]
        for each in closed:
            self.open(*each)
        if not closed:
            for each in found:
                self.close(*each)
        return bool(found)

    # waiting cells -------------------------------------------------------------------------------------------------------------

    def find_waiting(self, direction: int = 1) -> tuple[LineKey, str] | None:
        """The next (1) or previous (-1) cell that waits for a person, as line and stage, among the rows held without a gap from here."""
        here = self._position(self._cursor, self.cursor_stage) if self._cursor else (-1, -1, -1)
        index = self._cursor_index
        while (row := self.window.row(index)) is not None:
            places = [(self._position(key, stage), key, stage) for key, stage in self._waiting_places(row)]
            ahead = [place for place in places if (place[0] > here if direction > 0 else place[0] < here)]
            if ahead:
                return (min(ahead) if direction > 0 else max(ahead))[1:]
            index += direction
        return None

    def go_to(self, key: LineKey, stage: str) -> bool:
        """Put the cursor on a line that is held, by name; False when it is not."""
        index = self.window.index_of(key.item_id)
        if index is None:
            return False
        self._cursor, self._cursor_index = key, index
        if stage in self.stages:
            self.cursor_stage = stage
        return True

    def expect_at(self, index: int, item_id: str) -> None:
        """Put the cursor on an item that is about to be read at that place of the list."""
        self._cursor, self._cursor_index = LineKey(item_id), index

    def _waiting_places(self, row: ItemRow) -> Iterable[tuple[LineKey, str]]:
        for stage in self.stages:
            cell = row.cells.get(stage)
            if cell is None or not waits(cell):
                continue
            fan_out = self.expansions.get(row.item_id, stage)
            if cell.state is StageState.AWAITING_REVIEW or fan_out is None or fan_out.children is None:
                if (row.item_id, stage, None) not in self.decided:
                    yield LineKey(row.item_id), stage
                continue
            for child in fan_out.children:
                if child.state is StageState.AWAITING_REVIEW and (row.item_id, stage, child.name) not in self.decided:
                    yield LineKey(row.item_id, stage, child.name), stage

    def _position(self, key: LineKey, stage: str) -> tuple[int, int, int]:
        """Reading order: row, then line within the row's children, then column."""
        index = self.window.index_of(key.item_id)
        line = self.expansions.line_of_child(*key) if key.is_child else None
        rank = self.stages.index(stage) if stage in self.stages else 0
        at = self._cursor_index if index is None else index
        return (at, -1 if line is None else line, rank)
