"""The next waiting cell is found anywhere in a long list, with few reads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.board.rows import cell, row
from treadle_tui.board.view import Question
from treadle_tui.engine.states import StageState
from treadle_tui.engine.status import ItemRow
from treadle_tui.waiting_search import find_waiting, waiting_stage

WAITING = {"publish": cell(StageState.AWAITING_REVIEW, 1)}


class Store:
    """The two reads the search uses, over a list; keys have gaps, as after deletions."""

    def __init__(self, waiting: set[int], count: int) -> None:
        self.rows = [row(number * 3 + 1, WAITING if number in waiting else None) for number in range(count)]
        self.reads = 0

    async def page(self, *, offset: int, limit: int, states: Any = (), **_: Any) -> list[ItemRow]:
        self.reads += 1
        return self._chosen(states)[offset : offset + limit]

    async def count_items(self, *, states: Any = (), **_: Any) -> int:
        return len(self._chosen(states))

    def _chosen(self, states: Any) -> list[ItemRow]:
        return [each for each in self.rows if not states or waiting_stage(each, ["publish"])]


async def search(store: Any, key: int, direction: int) -> tuple[ItemRow, int] | None:
    return await find_waiting(store, Question(), key, direction)


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
