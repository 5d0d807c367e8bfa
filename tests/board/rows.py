"""Board rows made up for tests."""

from collections.abc import Mapping
from datetime import UTC, datetime

from treadle_tui.engine.states import ItemState, StageState
from treadle_tui.engine.status import Cell, ItemRow

STAGES = ["fetch", "parts", "publish"]
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


def cell(state: StageState = StageState.PENDING, version: int = 0, attempt: int = 0, **subtasks: int) -> Cell:
    by_state = {StageState(name): count for name, count in subtasks.items()}
    return Cell(state=state, version=version, attempt=attempt, subtasks=sum(subtasks.values()), subtasks_by_state=by_state)


def row(number: int, cells: Mapping[str, Cell] | None = None, item_id: str | None = None) -> ItemRow:
    return ItemRow(
        key=number,
        item_id=item_id or f"item-{number}",
        workflow="papers",
        state=ItemState.ACTIVE,
        created_at=LONG_AGO,
        cells={stage: cell() for stage in STAGES} | dict(cells or {}),
    )
