"""The next waiting cell is found anywhere in a long list, with few reads."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.board.rows import cell, row
from treadle_tui.board.board import Board
from treadle_tui.board.listing import Listing
from treadle_tui.board.view import Question
from treadle_tui.engine.selection import Selection
from treadle_tui.engine.states import StageState
from treadle_tui.engine.status import ItemRow
from treadle_tui.waiting_search import find_waiting, waiting_stage

WAITING = {"publish": cell(StageState.AWAITING_REVIEW, 1)}


class Store:
    """The reads the search uses, over a list; keys have gaps, as after deletions."""

    def __init__(self, waiting: set[int], count: int) -> None:
        self.rows = [row(number * 3 + 1, WAITING if number in waiting else None) for number in range(count)]
        self.reads = 0

    async def page(self, *, limit: int, after: int | None, is_descending: bool, **_: Any) -> list[ItemRow]:
        self.reads += 1
        rows = [each for each in self.rows if waiting_stage(each, ["publish"])]
        if is_descending:
            return [each for each in reversed(rows) if after is None or each.key < after][:limit]
        return [each for each in rows if after is None or each.key > after][:limit]

    async def place_of(self, key: int, workflow: str | None) -> int:
        self.reads += 1
        return sum(each.key < key for each in self.rows)

    async def select(self, selection: Selection, now: int) -> array[int]:
        return array("q", (each.key for each in self.rows if waiting_stage(each, ["publish"])))

    async def rows_of(self, keys: Sequence[int]) -> list[ItemRow]:
        return [each for key in keys for each in self.rows if each.key == key]


async def search(store: Any, key: int, direction: int, listing: Listing | None = None) -> tuple[ItemRow, int] | None:
    board = Board()
    board.ask(Question(), ["publish"], listing)
    return await find_waiting(store, board, key, direction, 0)


@settings(max_examples=200)
@given(st.integers(1, 40), st.sets(st.integers(0, 39)), st.integers(0, 39), st.sampled_from([1, -1]))
async def test_the_nearest_in_that_direction_is_found_and_past_the_end_the_first(
    count: int, waiting: set[int], start: int, direction: int
) -> None:
    waiting = {number for number in waiting if number < count}
    start = min(start, count - 1)
    store = Store(waiting, count)

    found = await search(store, store.rows[start].key, direction)

    around = [(start + direction * step) % count for step in range(1, count + 1)]
    expected = next((number for number in around if number in waiting), None)
    assert (found[1] if found else None) == expected
    assert found is None or found[0] is store.rows[found[1]]


@pytest.mark.parametrize(("start", "direction", "expected"), [(0, 1, 1), (1, 1, 2), (2, 1, 1), (1, -1, 2), (3, 1, 1)])
async def test_in_a_sorted_list_the_next_is_the_next_line(start: int, direction: int, expected: int) -> None:
    """The list shows rows 7, 3, 5 and 1; 3 and 5 wait, and 0, which it does not show."""
    store = Store({0, 3, 5}, 10)
    listing = Listing([store.rows[number].key for number in (7, 3, 5, 1)])

    found = await search(store, listing.keys[start], direction, listing)

    assert found is not None
    assert found[1] == expected
    assert found[0].key == listing.keys[expected]


async def test_a_long_list_is_searched_with_few_reads() -> None:
    store = Store({5, 90_000}, 100_000)

    found = await search(store, store.rows[6].key, 1)

    assert found is not None
    assert found[1] == 90_000
    assert store.reads < 40


def test_the_first_waiting_stage_counts() -> None:
    both = row(0, {"fetch": cell(StageState.RUNNING, 1, awaiting_review=1), **WAITING})

    assert waiting_stage(both, ["publish", "fetch"]) == "publish"
    assert waiting_stage(both, ["fetch", "publish"]) == "fetch"
    assert waiting_stage(row(0), ["fetch"]) is None


@pytest.mark.parametrize("direction", [1, -1])
async def test_nothing_waiting_is_nothing_found(direction: int) -> None:
    assert await search(Store(set(), 3), 1, direction) is None
