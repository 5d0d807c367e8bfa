"""The questions that verbs which only read ask of a database, each one plain call.

Everything a reading verb prints comes through here, so that a lighter way to the file than the engine's store (no event loop, no
thread) can take its place without any verb noticing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from treadle_tui.cli.database import require_existing
from treadle_tui.cli.masking import masked

if TYPE_CHECKING:
    from treadle_tui.engine import SqliteStateStore
    from treadle_tui.engine.attempt_record import AttemptRecord
    from treadle_tui.engine.events import Event, Lagged
    from treadle_tui.engine.states import StageState, StageStatus, StoredItem
    from treadle_tui.engine.status import ItemRow, PendingReview
    from treadle_tui.engine.store.protocol import StoreReads

T = TypeVar("T")

EVENTS_AT_ONCE = 1000
"""Events that are read before the first of them is printed: many enough to be quick, few enough for any memory."""


@dataclass(frozen=True)
class ItemPage:
    """Some lines of the board, and how many there are."""

    rows: list[ItemRow]
    total: int
    stage_names: dict[str, list[str]]
    """Stages of each workflow, topological order."""


@dataclass(frozen=True)
class ItemReport:
    """Everything about one item."""

    item: StoredItem
    statuses: dict[str, StageStatus]
    """By stage, topological order."""
    attempts: dict[str, list[AttemptRecord]] = field(default_factory=dict)
    """By stage, and by `stage/subtask`."""


def item_page(db: Path, *, workflow: str | None, states: Sequence[StageState], limit: int, offset: int) -> ItemPage:
    """Board rows in order of submission; with `states`, only items that have a stage or subtask in one of them."""

    async def ask(store: StoreReads) -> ItemPage:
        rows = await store.page(workflow=workflow, states=states, limit=limit, offset=offset)
        total = await store.count_items(workflow=workflow, states=states)
        return ItemPage(rows, total, await store.stage_names())

    return _ask(db, ask)


def item_report(db: Path, item_id: str) -> ItemReport:
    """Everything about one item, without its secrets.

    Raises:
        ItemNotFound: there is none of that id.
    """

    async def ask(store: SqliteStateStore) -> ItemReport:
        from treadle_tui.engine.errors import ItemNotFound

        item = await store.get_item(item_id)
        if item is None:
            raise ItemNotFound(item_id)
        statuses = await store.get_all_statuses(item_id)
        attempts = {stage: await store.get_attempts(item_id, stage) for stage in statuses}
        for stage, status in statuses.items():
            for subtask in status.subtasks:
                attempts[f"{stage}/{subtask.name}"] = await store.get_attempts(item_id, stage, subtask.name)
        names = await _secret_names(store, item.workflow)
        return ItemReport(masked(item, names), masked(statuses, names), masked(attempts, names))

    return _ask(db, ask)


async def _secret_names(store: SqliteStateStore, workflow: str) -> set[str]:
    """Names of the fields that any stage of the workflow calls secret."""
    shape = await store.shape_named(workflow)
    return {name for stage in shape.stages for name in stage.spec.get("secrets") or ()} if shape else set()


def waiting_reviews(db: Path, workflow: str | None = None) -> list[PendingReview]:
    """Everything that waits for a person, longest first, subtasks included."""

    async def ask(store: StoreReads) -> list[PendingReview]:
        return await store.pending_reviews(workflow)

    return _ask(db, ask)


def counts(db: Path) -> dict[str, dict[str, dict[StageState, int]]]:
    """Items per workflow, stage and state."""

    async def ask(store: StoreReads) -> dict[str, dict[str, dict[StageState, int]]]:
        return await store.counts()

    return _ask(db, ask)


def stored_events(db: Path, since: int = 0, item_id: str | None = None) -> Iterator[Event | Lagged]:
    """The durable events after `since`, in commit order, to the last one there is."""
    while True:
        batch = _ask(db, partial(_event_batch, since=since, item_id=item_id))
        yield from batch
        if len(batch) < EVENTS_AT_ONCE:
            return
        since = max(getattr(event, "seq", 0) for event in batch)


async def _event_batch(store: StoreReads, since: int, item_id: str | None) -> list[Event | Lagged]:
    batch: list[Event | Lagged] = []
    async for event in store.events(since, item_id):
        batch.append(event)
        if len(batch) == EVENTS_AT_ONCE:
            break
    return batch


def _ask(db: Path, question: Callable[[SqliteStateStore], Awaitable[T]]) -> T:
    require_existing(db)

    async def run() -> T:
        from treadle_tui.engine import SqliteStateStore

        async with SqliteStateStore.open(db) as store:
            return await question(store)

    return asyncio.run(run())
