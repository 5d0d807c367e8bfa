"""Lines, cursor and newcomers of the board."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.board.rows import STAGES, cell, row
from treadle_tui.board.board import Board
from treadle_tui.board.expansion import LineKey
from treadle_tui.board.view import Question
from treadle_tui.engine.states import StageState, SubTaskStatus
from treadle_tui.engine.status import ItemRow

FAN_OUT = {"parts": cell(StageState.RUNNING, 1, completed=1, running=1, pending=1)}
CHILDREN = [
    SubTaskStatus(name="a", state=StageState.COMPLETED),
    SubTaskStatus(name="b", state=StageState.RUNNING),
    SubTaskStatus(name="c"),
]


def board_of(rows: Sequence[ItemRow], height: int = 20) -> Board:
    board = Board()
    board.ask(Question(), STAGES)
    board.look_at(0, height)
    board.take_total(len(rows))
    board.welcomes_newcomers = False
    read(board, rows)
    return board


def read(board: Board, rows: Sequence[ItemRow]) -> None:
    while wanted := board.wanted_pages():
        size = board.window.page_rows
        board.take_page(wanted[0], rows[wanted[0] * size : (wanted[0] + 1) * size], board.draw_ticket())


def names(board: Board) -> list[str | None]:
    keys = [board.line(number).key for number in range(board.line_count)]
    return [key and (key.subtask or key.item_id) for key in keys]


def test_the_cursor_starts_on_the_first_row_and_first_stage() -> None:
    board = board_of([row(0), row(1)])

    assert board.cursor == LineKey("item-0")
    assert board.cursor_stage == "fetch"


def test_an_open_fan_out_puts_a_line_per_subtask_under_its_item() -> None:
    board = board_of([row(0), row(1, FAN_OUT), row(2)])

    assert board.open("item-1", "parts")
    assert names(board) == ["item-0", "item-1", None, None, None, "item-2"]
    assert board.wanted_children() == [("item-1", "parts")]

    board.take_children("item-1", "parts", CHILDREN, board.draw_ticket())
    assert names(board) == ["item-0", "item-1", "a", "b", "c", "item-2"]
    assert board.wanted_children() == []
    assert board.line(4).is_last_child


def test_closing_a_fan_out_takes_the_cursor_to_the_item() -> None:
    board = board_of([row(0), row(1, FAN_OUT), row(2)])
    board.open("item-1", "parts")
    board.take_children("item-1", "parts", CHILDREN, 1)
    board.move_to(3)
    assert board.cursor == LineKey("item-1", "parts", "b")

    board.close("item-1", "parts")

    assert board.cursor == LineKey("item-1")
    assert board.cursor_line == 1


def test_the_cursor_stays_on_its_item_when_lines_open_above_it() -> None:
    board = board_of([row(0, FAN_OUT), row(1), row(2)])
    board.move_to(2)

    board.open("item-0", "parts")

    assert board.cursor == LineKey("item-2")
    assert board.cursor_line == 5


def test_a_cell_of_a_child_line_is_the_subtasks() -> None:
    board = board_of([row(0, FAN_OUT)])
    board.open("item-0", "parts")
    board.take_children("item-0", "parts", CHILDREN, 1)

    board.move_to(2)

    found = board.cell_at_cursor()
    assert found is not None
    assert (found.stage, found.subtask, found.state) == ("parts", "b", StageState.RUNNING)
    assert found.title == "item-0 › parts › b"


def test_a_stage_without_subtasks_does_not_open() -> None:
    board = board_of([row(0, FAN_OUT)])

    assert not board.open("item-0", "fetch")
    assert not board.open("nobody", "parts")


def test_discarded_subtasks_close_their_fan_out() -> None:
    board = board_of([row(0, FAN_OUT)])
    board.open("item-0", "parts")

    changes = board.take_rows([row(0, {"parts": cell(StageState.PENDING, 2)})], board.draw_ticket())

    assert changes.is_rearranged
    assert board.line_count == 1


def test_all_fan_outs_on_the_screen_open_and_close_together() -> None:
    board = board_of([row(0, FAN_OUT), row(1), row(2, FAN_OUT)])

    assert board.toggle_all_visible()
    assert board.line_count == 9
    assert board.toggle_all_visible()
    assert board.line_count == 3


def test_newcomers_appear_at_once_while_the_list_is_shorter_than_the_screen() -> None:
    board = board_of([row(0)], height=10)

    board.take_total(5)

    assert board.shown == 5
    assert board.newcomers == 0


def test_newcomers_of_a_long_list_wait_to_be_asked_for() -> None:
    board = board_of([row(n) for n in range(30)], height=10)

    board.take_total(37)
    assert (board.shown, board.newcomers) == (30, 7)

    board.show_newcomers()
    assert (board.shown, board.newcomers) == (37, 0)


def test_a_cursor_on_a_row_not_read_yet_takes_the_item_when_it_comes() -> None:
    rows = [row(n) for n in range(500)]
    board = board_of(rows, height=10)

    board.move_to(499)
    assert board.cursor is None
    assert board.cell_at_cursor() is None

    board.look_at(490, 10)
    read(board, rows)
    assert board.cursor == LineKey("item-499")


def test_rows_deleted_above_leave_the_cursor_on_its_item() -> None:
    rows = [row(n) for n in range(8)]
    board = board_of(rows)
    board.move_to(5)

    board.take_deleted({"item-1", "item-3"})
    rows = [each for each in rows if each.key not in (1, 3)]
    board.take_total(6)
    read(board, rows)

    assert board.cursor == LineKey("item-5")
    assert board.cursor_line == 3


def test_when_the_cursors_item_is_deleted_the_next_row_has_it() -> None:
    rows = [row(n) for n in range(4)]
    board = board_of(rows)
    board.move_to(1)

    board.take_deleted({"item-1"})
    board.take_total(3)
    read(board, [rows[0], *rows[2:]])

    assert board.cursor == LineKey("item-2")


def test_moving_by_columns_stops_at_the_ends() -> None:
    board = board_of([row(0)])

    assert not board.move_stage(-1)
    assert board.move_stage(2)
    assert board.cursor_stage == "publish"
    assert not board.move_stage(1)


def test_waiting_cells_are_found_in_reading_order_and_in_open_fan_outs() -> None:
    waiting = {"publish": cell(StageState.AWAITING_REVIEW, 4)}
    fan_out = {"parts": cell(StageState.RUNNING, 1, completed=1, awaiting_review=1)}
    board = board_of([row(0), row(1, fan_out), row(2), row(3, waiting)])

    assert board.find_waiting() == (LineKey("item-1"), "parts")

    board.open("item-1", "parts")
    children = [SubTaskStatus(name="a", state=StageState.COMPLETED), SubTaskStatus(name="b", state=StageState.AWAITING_REVIEW)]
    board.take_children("item-1", "parts", children, 1)
    found = board.find_waiting()
    assert found == (LineKey("item-1", "parts", "b"), "parts")

    board.go_to(*found)
    assert board.find_waiting() == (LineKey("item-3"), "publish")
    assert board.find_waiting(-1) is None
    board.go_to(LineKey("item-3"), "publish")
    assert board.find_waiting() is None
    assert board.find_waiting(-1) == found


def test_asking_something_else_starts_at_the_top_again() -> None:
    board = board_of([row(0, FAN_OUT), row(1)])
    board.move_to(1)
    board.open("item-0", "parts")

    board.ask(Question(workflow="other"), ["one"])

    assert (board.line_count, board.cursor, board.cursor_stage, len(board.expansions)) == (0, None, "one", 0)


@given(st.integers(1, 40), st.dictionaries(st.integers(0, 39), st.integers(1, 6), max_size=6))
def test_lines_and_rows_answer_to_each_other(count: int, opened: dict[int, int]) -> None:
    board = board_of([row(n, {"parts": cell(StageState.RUNNING, 1, running=opened.get(n, 0))}) for n in range(count)], height=200)
    for index in opened:
        board.open(f"item-{index}", "parts")

    placed = [board.expansions.place(line) for line in range(board.line_count)]

    assert [place.row_index for place in placed if place.fan_out is None] == list(range(count))
    for index in range(count):
        assert placed[board.expansions.line_of(index)].row_index == index
    for index, children in opened.items():
        if index < count:
            assert [p.child for p in placed if p.fan_out is not None and p.row_index == index] == list(range(children))


class BoardUnderChange(RuleBasedStateMachine):
    """Items come and go, fan-outs open and close, the person scrolls: the cursor stays on its item as long as that exists."""

    def __init__(self) -> None:
        super().__init__()
        self.next_key = 0
        self.rows: list[ItemRow] = []
        self.board = Board(page_rows=4, most_pages=5)
        self.board.ask(Question(), STAGES)
        self.board.look_at(0, 6)
        self.add(3)
        self.board.welcomes_newcomers = False

    def settle(self) -> None:
        self.board.take_total(len(self.rows))
        read(self.board, self.rows)

    @rule(count=st.integers(1, 5))
    def add(self, count: int) -> None:
        self.rows += [row(n, FAN_OUT if n % 3 == 0 else None) for n in range(self.next_key, self.next_key + count)]
        self.next_key += count
        self.settle()

    @precondition(lambda self: len(self.rows) > 2)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        held = [r for r in self.rows if self.board.cursor is None or r.item_id != self.board.cursor.item_id]
        gone = data.draw(st.sampled_from(held))
        self.rows.remove(gone)
        before = self.board.cursor
        self.board.take_deleted({gone.item_id})
        self.settle()
        if before is not None and self.board.window.held(before.item_id):
            assert self.board.cursor == before

    @rule(line=st.integers(0, 60))
    def move(self, line: int) -> None:
        self.board.move_to(line)
        self.board.look_at(max(0, self.board.cursor_line - 3), 6)
        self.settle()

    @rule(stage=st.sampled_from(STAGES))
    def toggle(self, stage: str) -> None:
        key = self.board.cursor
        if key is not None and not self.board.open(key.item_id, stage) and self.board.close(key.item_id, stage):
            assert self.board.cursor == LineKey(key.item_id) or key.stage != stage
        self.board.look_at(max(0, self.board.cursor_line - 3), 6)
        for item_id, opened in self.board.wanted_children():
            self.board.take_children(item_id, opened, CHILDREN, self.board.draw_ticket())
        self.settle()

    @invariant()
    def the_cursors_line_shows_the_cursors_item(self) -> None:
        if self.board.cursor is not None and self.board.window.is_fresh(self.board._cursor_index):
            assert self.board.line(self.board.cursor_line).key == self.board.cursor

    @invariant()
    def no_line_on_the_screen_is_shown_twice(self) -> None:
        lines = range(self.board._first_line, min(self.board._first_line + 6, self.board.line_count))
        keys = [line.key for line in map(self.board.line, lines) if line.key and line.row]
        assert len(keys) == len(set(keys))


TestBoardUnderChange = BoardUnderChange.TestCase
TestBoardUnderChange.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)


@pytest.mark.parametrize("height", [0, 1])
def test_a_screen_without_room_is_no_error(height: int) -> None:
    board = board_of([row(0)], height=height)

    assert board.wanted_pages() in ([], [0])
    assert board.visible_items() in ([], ["item-0"])
