"""A list that was asked for stays as it was answered, and knows what has changed since."""

from __future__ import annotations

from array import array

import pytest

from tests.board.rows import STAGES, row
from treadle_tui.board.board import Board
from treadle_tui.board.deed_words import Confirmation, Outcome, confirmation, one_sentence
from treadle_tui.board.expansion import LineKey
from treadle_tui.board.listing import Listing
from treadle_tui.board.sorting import next_order, order_by_column, order_words
from treadle_tui.board.view import Question
from treadle_tui.engine.bulk import Deed, Target
from treadle_tui.engine.errors import ItemNotFound
from treadle_tui.engine.selection import Order

BY_ID = Question("papers", order=Order.ID)


def listed(*keys: int, height: int = 2) -> Board:
    """A board that lists items of these keys, the first page read."""
    board = Board(page_rows=4)
    board.look_at(0, height)
    board.ask(BY_ID, STAGES, Listing(keys))
    board.welcomes_newcomers = False
    board.take_page(0, [row(key) for key in keys[:4]], board.draw_ticket())
    return board


def test_a_list_is_read_by_the_keys_it_consists_of() -> None:
    board = listed(9, 3, 7, 1, 5)

    assert board.line_count == 5
    assert list(board.keys_of_page(1) or ()) == [5]
    board.look_at(3, 2)
    assert board.wanted_pages() == [1]


def test_what_has_come_waits_and_what_fits_no_longer_stays() -> None:
    board = listed(9, 3, 7)

    changes = board.take_matches(array("q", [4, 9, 7, 2]))

    assert changes.is_rearranged
    assert (board.newcomers, board.gone, board.line_count) == (2, {3}, 3)
    assert not board.take_matches(array("q", [4, 9, 7, 2]))


def test_with_room_on_the_screen_what_has_come_is_shown_below() -> None:
    board = listed(9, 3, height=10)

    board.take_matches(array("q", [4, 9, 3]))

    assert (board.newcomers, list(board.keys_of_page(0) or ())) == (0, [9, 3, 4])


def test_the_rest_of_a_long_answer_joins_what_is_shown() -> None:
    board = listed(9, 3)
    assert board.listing is not None
    board.listing.is_whole = False

    assert not board.take_listing(array("q", [3, 9, 1]))
    assert board.take_listing(array("q", [9, 3, 1]))
    assert (board.line_count, board.listing.is_whole) == (3, True)


def test_deleted_rows_leave_the_list_and_the_cursor_stays_on_its_item() -> None:
    board = listed(9, 3, 7)
    board.move_to(2)
    board.marks = {"item-9", "item-7"}

    changes = board.take_deleted(["item-9"])

    assert changes.is_rearranged
    assert (board.line_count, board.cursor, board.cursor_index, board.marks) == (2, LineKey("item-7"), 1, {"item-7"})


def test_marks_outlive_another_order_and_not_another_workflow() -> None:
    board = listed(9, 3)
    board.toggle_mark()

    board.ask(Question("papers"), STAGES)
    assert board.marks == {"item-9"}

    board.ask(Question("other"), STAGES)
    assert board.marks == set()


def test_a_range_reaches_from_where_it_began_to_the_cursor() -> None:
    board = listed(9, 3, 7, 1)
    board.move_to(2)
    board.range_start = board.cursor_index
    board.move_to(1)

    assert board.marked_range == (1, 2)
    assert [board.is_marked(board.line(number), number) for number in range(4)] == [False, True, True, False]
    assert board.targets() == ["item-3"]


def test_hidden_stages_are_no_columns_and_the_cursor_goes_to_the_nearest_that_is_shown() -> None:
    board = listed(9)
    board.cursor_stage = "publish"

    board.choose_columns({"publish", "parts"})
    assert (board.stages, board.cursor_stage) == (["fetch"], "fetch")

    board.choose_columns(set(STAGES))
    assert board.stages == STAGES


def test_the_orders_follow_one_another() -> None:
    question, seen = Question("papers"), []
    for _ in Order:
        question = next_order(question, "publish")
        seen.append((question.order, question.is_descending))

    assert seen == [
        *((Order.ID, False), (Order.UPDATED, True), (Order.PRIORITY, True), (Order.STAGE, False), (Order.ADDED, False)),
    ]
    assert question == Question("papers")


def test_a_head_sorts_then_turns_round_then_lets_go() -> None:
    once = order_by_column(Question("papers"), "parts")
    twice = order_by_column(once, "parts")

    assert (once.order, once.stage, once.is_descending) == (Order.STAGE, "parts", False)
    assert (twice.stage, twice.is_descending) == ("parts", True)
    assert order_by_column(twice, "parts") == Question("papers")
    assert order_by_column(twice, "").order is Order.ID
    assert {order_words(each) for each in (once, twice)} == {"sorted by parts, what needs you first", "sorted by parts, done first"}


def test_a_question_names_one_thing_or_counts_many_and_above_twenty_wants_the_number() -> None:
    assert confirmation(Deed.RERUN, [Target("a", "parts")]).title == "Run again a from parts?"
    few = confirmation(Deed.DELETE, [Target(f"item-{n}") for n in range(20)])
    many = confirmation(Deed.CANCEL, [Target(f"item-{n}") for n in range(1234)])

    assert (few.title, list(few.names), few.more, few.typed_count) == ("Delete 20 items?", [f"item-{n}" for n in range(5)], 15, None)
    assert isinstance(many, Confirmation)
    assert (many.title, many.typed_count) == ("Cancel 1,234 items?", 1234)


@pytest.mark.parametrize(
    ("deed", "results", "sentence"),
    [
        (Deed.RETRY, [True] * 38 + [False] * 3, "38 retried · 3 not failed"),
        (Deed.RETRY, [False], "1 not failed"),
        (Deed.PAUSE, [True, ItemNotFound("a")], "1 paused · gone"),
        (Deed.DELETE, [True, ItemNotFound("a")], "1 deleted · 1 gone already"),
        (Deed.CANCEL, [ValueError("no"), ValueError("no"), ValueError("yes")], "0 cancelled · 2× no · 1 other failed"),
    ],
)
def test_what_came_of_it_is_one_sentence(deed: Deed, results: list[bool | Exception], sentence: str) -> None:
    outcome = Outcome(deed)
    outcome.add(results)

    assert outcome.sentence == sentence


def test_of_a_single_item_it_is_said_by_its_name() -> None:
    outcome = Outcome(Deed.RETRY)
    outcome.add([True])

    assert one_sentence(outcome, Target("a", "parts", "x")) == "a › parts › x: retried"
