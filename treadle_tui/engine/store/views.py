"""From rows to what a reader gets: the same for every store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from treadle_tui.engine.attempt_record import AttemptRecord
from treadle_tui.engine.clock import from_ms
from treadle_tui.engine.codec import attempt_from_parts, decision_from_json, decode_json, review_from_json
from treadle_tui.engine.review import ReviewDecision
from treadle_tui.engine.states import ItemState, StageState, StageStatus, StoredItem, SubTaskStatus
from treadle_tui.engine.status import Cell, ItemRow, PendingReview, StageRun
from treadle_tui.engine.store.rows import CANCELLED_ITEM, STATES, Attempt, Item, Task
from treadle_tui.engine.store.shape import WorkflowShape, policy_of

if TYPE_CHECKING:
    from treadle_tui.engine.store.item_fold import ItemFold
    from treadle_tui.engine.store.log_view import Failure


#: Cells that are not made again when they are read again: those of a tall screen of many stages.
_CELLS_KEPT = 2048
_NO_SUBTASKS: Mapping[StageState, int] = {}


def moment(milliseconds: int | None) -> datetime | None:
    """A stored time; None for none."""
    return None if milliseconds is None else from_ms(milliseconds)


def value_of(output: bytes | None) -> Any:
    """A stored output as a plain JSON value; None for none."""
    return None if output is None else decode_json(output)


def pending_status(created_at: int) -> StageStatus:
    """A stage nothing has happened to yet."""
    return StageStatus(updated_at=from_ms(created_at))


def stage_status(task: Task, output: bytes | None, subtasks: Sequence[SubTaskStatus] = ()) -> StageStatus:
    """A stage of an item; `output` is the one that stands."""
    detail = task.detail
    return StageStatus(
        state=STATES[task.state],
        attempt=task.attempt,
        updated_at=from_ms(task.updated_at),
        started_at=moment(task.started_at),
        completed_at=moment(task.completed_at),
        error=detail.get("error"),
        output=value_of(output),
        summary=detail.get("summary"),
        review=review_from_json(detail.get("review")),
        decision=decision_from_json(detail.get("decision")),
        subtasks=list(subtasks),
        version=task.version,
    )


def subtask_status(task: Task, output: bytes | None) -> SubTaskStatus:
    """A subtask; `output` is the one that stands."""
    detail = task.detail
    return SubTaskStatus(
        name=task.name or "",
        state=STATES[task.state],
        attempt=task.attempt,
        error=detail.get("error"),
        output=value_of(output),
        metadata=detail.get("metadata"),
        review=review_from_json(detail.get("review")),
        updated_at=from_ms(task.updated_at),
        version=task.version,
        decision=decision_from_json(detail.get("decision")),
    )


def item_state(item: Item) -> ItemState:
    """Where an item stands as a whole."""
    if item.flags & CANCELLED_ITEM:
        return ItemState.CANCELLED
    if item.open_stages == 0:
        return ItemState.COMPLETED
    return ItemState.PAUSED if item.is_paused else ItemState.ACTIVE


def stored_item(item: Item, workflow: str) -> StoredItem:
    """An item as the store keeps it."""
    return StoredItem(
        id=item.id, workflow=workflow, data=decode_json(item.data), state=item_state(item), created_at=from_ms(item.created_at)
    )


def attempt_record(attempt: Attempt) -> AttemptRecord:
    """An attempt that has ended."""
    return attempt_from_parts(attempt.number, attempt.started_at, attempt.completed_at, attempt.outcome, attempt.output, attempt.detail)


def with_running(records: list[AttemptRecord], task: Task | None) -> list[AttemptRecord]:
    """The records, and the attempt that is under way when there is one."""
    if task is not None and task.is_open and not (records and records[-1].number == task.attempt):
        records.append(AttemptRecord(number=task.attempt, started_at=moment(task.started_at)))
    return records


def pending_review(item_id: str, shape: WorkflowShape, task: Task) -> PendingReview:
    """A task that waits for a person."""
    stage = shape.by_id[task.stage]
    review = review_from_json(task.detail.get("review"))
    return PendingReview(
        item_id=item_id,
        workflow=shape.name,
        stage=stage.name,
        subtask=task.name,
        attempt=task.attempt,
        version=task.version,
        review=review,
        waiting_since=from_ms(task.updated_at),
        group=policy_of(stage.spec, is_subtask=task.sub > 0).get("group"),
        why=task.detail.get("why") or "",
    )


def failure(item_id: str, shape: WorkflowShape, task: Task) -> Failure:
    """A task that stands failed."""
    from treadle_tui.engine.store.log_view import Failure

    name = shape.by_id[task.stage].name
    return Failure(item_id, shape.name, name, task.name, str(task.detail.get("error") or ""), from_ms(task.updated_at))


class RunRow(NamedTuple):
    """One attempt of a stage that has ended, with what is known of the stage; the raw material of a `StageRun`."""

    item: int
    stage: int
    state: int
    ended_at: int | None
    extra: int
    detail: bytes | dict[str, Any] | None
    number: int
    started_at: int | None
    completed_at: int | None
    is_sent_back: bool


def stage_runs(rows: Iterable[RunRow], shape: WorkflowShape, limit: int) -> dict[str, list[StageRun]]:
    """Runs by stage name, at most `limit` of each; rows come with the attempts of one stage of one item together, oldest first."""
    found: dict[str, list[StageRun]] = {stage.name: [] for stage in shape.stages}
    for (_, stage), attempts in groupby(rows, key=lambda row: (row.item, row.stage)):
        runs = found[shape.by_id[stage].name]
        if len(runs) < limit:
            runs += _stage_run(list(attempts))
    return found


def _stage_run(attempts: list[RunRow]) -> list[StageRun]:
    """The run of these attempts; none when no attempt has ended. What came before the stage was sent back to the start is left out."""
    last = attempts[-1]
    lately = [row for row in attempts if row.number > _used_up(attempts)]
    spans = [(row.started_at, row.completed_at) for row in lately if row.started_at is not None and row.completed_at is not None]
    if not spans:
        return []
    decision = _decision_of(last.detail)
    return [
        StageRun(
            state=STATES[last.state],
            attempt_seconds=tuple(max(0, end - start) / 1000 for start, end in spans),
            seconds=max(0, spans[-1][1] - spans[0][0]) / 1000,
            waited_seconds=None if decision is None or last.ended_at is None else max(0, last.ended_at - spans[-1][1]) / 1000,
            decision=decision,
            changes_requested=sum(row.is_sent_back for row in attempts),
        )
    ]


def _used_up(attempts: list[RunRow]) -> int:
    """The number of the last attempt before the stage was sent back to the start; 0 when it never was.

    `extra` counts those, and one for each attempt since that a person has sent back.
    """
    extra = min(attempts[-1].extra, attempts[-1].number - 1)
    sent_back = [row.number for row in attempts if row.is_sent_back]
    return next((used for used in range(extra) if used + sum(number > used for number in sent_back) == extra), extra)


def _decision_of(detail: bytes | dict[str, Any] | None) -> ReviewDecision | None:
    if detail is None or (isinstance(detail, bytes) and b'"decision"' not in detail):
        return None
    values = detail if isinstance(detail, dict) else decode_json(detail)
    return decision_from_json(values.get("decision"))


SENT_BACK = b'"source":"person"'
"""In an attempt's detail: a person asked for changes."""


def cell(task: Task, by_state: Mapping[StageState, int]) -> Cell:
    """A stage of an item as a board shows it; `by_state` counts its subtasks."""
    return cell_of(by_state, task.state, task.attempt, task.version, task.updated_at, task.subs, task.started_at, task.completed_at)


def cell_of(
    by_state: Mapping[StageState, int],
    state: int,
    attempt: int,
    version: int,
    updated_at: int,
    subs: int,
    started_at: int | None,
    completed_at: int | None,
) -> Cell:
    """The same from a row's columns: boards read hundreds of cells at once, and need nothing else of a task."""
    updated = from_ms(updated_at)
    return Cell(
        state=STATES[state],
        attempt=attempt,
        version=version,
        updated_at=updated,
        started_at=moment(started_at),
        completed_at=updated if completed_at == updated_at else moment(completed_at),
        subtasks=subs,
        subtasks_by_state=by_state,
    )


@lru_cache(_CELLS_KEPT)
def plain_cell(
    state: int, attempt: int, version: int, updated_at: int, subs: int, started_at: int | None, completed_at: int | None
) -> Cell:
    """The same of a stage none of whose subtasks has a row. A live board reads again and again what has mostly not changed."""
    return cell_of(_NO_SUBTASKS, state, attempt, version, updated_at, subs, started_at, completed_at)


def item_row(item: Item, shape: WorkflowShape, cells: Mapping[int, Cell]) -> ItemRow:
    """An item as a board shows it; stages without a cell are pending, and a removed one is shown where the item has it."""
    return ItemRow(
        key=item.key,
        item_id=item.id,
        workflow=shape.name,
        state=item_state(item),
        created_at=from_ms(item.created_at),
        cells={stage.name: cells.get(stage.id, PENDING_CELL) for stage in shape.every if not stage.is_removed or stage.id in cells},
    )


def row_of_fold(item: Item, shape: WorkflowShape, fold: ItemFold) -> ItemRow:
    """An item as a board would have shown it when these events were the last."""
    return ItemRow(
        key=item.key,
        item_id=item.id,
        workflow=shape.name,
        state=fold.state,
        created_at=from_ms(item.created_at),
        cells={stage.name: fold.cell(stage.id) for stage in shape.every if not stage.is_removed or stage.id in fold.stages},
    )


PENDING_CELL = Cell(state=StageState.PENDING)
