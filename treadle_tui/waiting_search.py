"""Finds the next cell that waits for a person anywhere in the list, without reading the list: both orders are the order of keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from treadle_tui.board.cell_text import waits
from treadle_tui.board.view import Question
from treadle_tui.engine.states import StageState
from treadle_tui.engine.status import ItemRow
from treadle_tui.engine.store.protocol import StoreReads

_WAITING = (StageState.AWAITING_REVIEW,)


async def find_waiting(store: StoreReads, question: Question, key: int, direction: int) -> tuple[ItemRow, int] | None:
    """The nearest row behind (1) or before (-1) the row with that key that has a waiting cell, and its place in the list.

    Past the end it begins again at the other end; None when nothing waits. About forty reads of one row in a list of a million.
    """
    count = await store.count_items(workflow=question.workflow, states=_WAITING)
    if not count:
        return None
    behind = await _first_above(lambda at: _key_at(store, question.workflow, at, _WAITING), count, key if direction > 0 else key - 1)
    at = behind % count if direction > 0 else (behind - 1) % count
    found = await store.page(workflow=question.workflow, offset=at, limit=1, states=_WAITING)
    if not found:
        return None
    total = await store.count_items(workflow=question.workflow)
    index = await _first_above(lambda at: _key_at(store, question.workflow, at, ()), total, found[0].key - 1)
    return found[0], index


def waiting_stage(row: ItemRow, stages: Sequence[str]) -> str | None:
    """The first of the stages in which the row waits for a person."""
    return next((stage for stage in stages if stage in row.cells and waits(row.cells[stage])), None)


async def _key_at(store: StoreReads, workflow: str | None, offset: int, states: Sequence[StageState]) -> int | None:
    rows = await store.page(workflow=workflow, offset=offset, limit=1, states=states)
    return rows[0].key if rows else None


async def _first_above(key_at: Callable[[int], Awaitable[int | None]], count: int, key: int) -> int:
    """How many of the ascending keys are not above `key`."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        found = await key_at(middle)
        if found is None or found > key:
            high = middle
        else:
            low = middle + 1
    return low
