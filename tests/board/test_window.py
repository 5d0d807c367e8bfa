"""Pages of rows: bounded, and never older than what was there."""

from hypothesis import given
from hypothesis import strategies as st

from tests.board.rows import cell, row
from treadle_tui.board.window import RowWindow
from treadle_tui.engine.states import StageState
from treadle_tui.engine.status import ItemRow


def window_of(count: int, page_rows: int = 4, most_pages: int = 3) -> RowWindow:
    window = RowWindow(page_rows, most_pages)
    for number in range(-(-count // page_rows)):
        window.put_page(number, [row(n) for n in range(number * page_rows, min(count, (number + 1) * page_rows))], 1)
    return window


def row_at(window: RowWindow, index: int) -> ItemRow:
    found = window.row(index)
    assert found is not None
    return found


def test_a_row_is_found_by_place_and_by_name() -> None:
    window = window_of(10)

    assert row_at(window, 9).item_id == "item-9"
    assert window.index_of("item-9") == 9
    assert window.row(10) is None
    assert window.index_of("item-10") is None


def test_pages_far_from_the_last_one_read_are_let_go() -> None:
    window = window_of(100)

    assert len(window) == 12
    assert window.index_of("item-0") is None
    assert window.row(99) is not None


def test_the_pages_on_the_screen_are_wanted_until_they_are_there() -> None:
    window = RowWindow(4, 8)

    assert set(window.wanted(2, 9, 100)) == {0, 1, 2}
    window.put_page(1, [row(n) for n in range(4, 8)], 1)
    assert set(window.wanted(2, 9, 100)) == {0, 2}


def test_a_page_that_has_grown_is_wanted_again() -> None:
    window = window_of(6)

    assert window.wanted(0, 5, 6) == []
    assert window.wanted(0, 7, 7) == [1]


def test_a_cell_never_moves_back_to_an_older_version() -> None:
    window = RowWindow()
    window.put_page(0, [row(0, {"fetch": cell(StageState.COMPLETED, version=3)})], ticket=2)

    changed = window.put_rows([row(0, {"fetch": cell(StageState.RUNNING, version=2)})], ticket=3)

    assert changed == {}
    assert row_at(window, 0).cells["fetch"].state is StageState.COMPLETED


def test_between_equal_versions_the_reading_that_began_later_counts() -> None:
    window = RowWindow()
    window.put_page(0, [row(0, {"parts": cell(StageState.RUNNING, 2, completed=1, running=1)})], ticket=5)

    assert window.put_rows([row(0, {"parts": cell(StageState.RUNNING, 2, running=2)})], ticket=4) == {}
    assert window.put_rows([row(0, {"parts": cell(StageState.RUNNING, 2, completed=2)})], ticket=6) == {"item-0": {"parts"}}


def test_an_older_page_does_not_undo_newer_rows() -> None:
    window = RowWindow()
    window.put_page(0, [row(0)], ticket=1)
    window.put_rows([row(0, {"fetch": cell(StageState.RUNNING, version=1)})], ticket=3)

    assert window.put_page(0, [row(0)], ticket=2) == {}
    assert row_at(window, 0).cells["fetch"].state is StageState.RUNNING


def test_an_item_added_again_under_its_name_starts_anew() -> None:
    window = RowWindow()
    window.put_page(0, [row(0, {"fetch": cell(StageState.COMPLETED, version=9)}, item_id="a")], ticket=1)

    window.put_rows([row(7, {"fetch": cell(StageState.PENDING, version=0)}, item_id="a")], ticket=2)

    assert row_at(window, 0).cells["fetch"].state is StageState.PENDING


def test_only_stages_that_changed_are_named() -> None:
    window = RowWindow()
    window.put_page(0, [row(0), row(1)], ticket=1)

    changed = window.put_page(0, [row(0), row(1, {"publish": cell(StageState.SKIPPED, version=1)})], ticket=2)

    assert changed == {"item-1": {"publish"}}


def test_rows_that_moved_up_have_their_old_page_read_again() -> None:
    window = window_of(8)

    window.put_page(0, [row(n) for n in (0, 1, 2, 4)], ticket=2)  # item-3 was deleted

    assert window.index_of("item-4") == 3
    assert window.wanted(0, 6, 7) == [1]


@given(st.lists(st.tuples(st.integers(0, 9), st.lists(st.integers(0, 30), unique=True, max_size=4)), max_size=40))
def test_names_and_places_always_agree(pages: list[tuple[int, list[int]]]) -> None:
    window = RowWindow(4, 3)

    for ticket, (number, keys) in enumerate(pages):
        window.put_page(number, [row(key) for key in keys], ticket)

        for key in range(31):
            index = window.index_of(f"item-{key}")
            assert index is None or row_at(window, index).item_id == f"item-{key}"
        assert len(window._pages) <= 3
