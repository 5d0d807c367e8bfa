"""Finds the next cell that waits for a person anywhere in the list, without reading the list."""

from __future__ import annotations

from collections.abc import Sequence

from treadle_tui.board.board import Board
from treadle_tui.board.cell_text import waits
from treadle_tui.engine.selection import Aspect, Condition, Selection
from treadle_tui.engine.states import StageState
from treadle_tui.engine.status import ItemRow
from treadle_tui.engine.store.protocol import StoreReads

_WAITING = (StageState.AWAITING_REVIEW,)


async def find_waiting(store: StoreReads, board: Board, key: int, direction: int, now: int) -> tuple[ItemRow, int] | None:
    """The nearest row behind (1) or before (-1) the row with that key that has a waiting cell, and its place in the list.

    Past the end it begins again at the other end; None when nothing waits.
    """
    if board.listing is None:
        return await _find_in_all(store, board.question.workflow, key, direction)
    selection = Selection(board.question.workflow, (Condition(Aspect.STATE, _WAITING),))
    waiting = set(await store.select(selection, now))
    here = board.listing.index_of(key)
    keys = board.listing.keys
    start = -1 if here is None else here
    for step in range(1, len(keys) + 1):
        index = (start + direction * step) % len(keys)
        if keys[index] in waiting:
            rows = await store.rows_of([keys[index]])
            return (rows[0], index) if rows else None
    return None


async def _find_in_all(store: StoreReads, workflow: str | None, key: int, direction: int) -> tuple[ItemRow, int] | None:
    is_back = direction < 0
    for after in (key or None, None):
        found = await store.page(workflow=workflow, limit=1, states=_WAITING, after=after, is_descending=is_back)
        if found:
            return found[0], await store.place_of(found[0].key, workflow)
    return None


def waiting_stage(row: ItemRow, stages: Sequence[str]) -> str | None:
    """The first of the stages in which the row waits for a person."""
    return next((stage for stage in stages if stage in row.cells and waits(row.cells[stage])), None)
