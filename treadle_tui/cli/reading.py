"""The questions that verbs which only read ask of a database, each one plain call.

Everything a reading verb prints comes through here. No event loop, no thread, no engine: a verb that reads costs little more than its
`--help`, changes nothing, and waits for nobody. Only a file of an older version is opened by a store first, which brings it up to date.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from treadle_tui.cli.choosing import narrowed, now
from treadle_tui.cli.database import require_existing
from treadle_tui.cli.failures import BadInput
from treadle_tui.cli.masking import masked
from treadle_tui.engine.store.sqlite.file_reading import FileReading

if TYPE_CHECKING:
    from treadle_tui.engine.attempt_record import AttemptRecord
    from treadle_tui.engine.desk import DecisionRecord
    from treadle_tui.engine.events import Event, Lagged
    from treadle_tui.engine.states import StageState, StageStatus, StoredItem
    from treadle_tui.engine.status import ItemRow, PendingReview, StageStatistics
    from treadle_tui.engine.store.sqlite.columns import Question
    from treadle_tui.engine.store.sqlite.questions import Questions


DECISIONS_AT_ONCE = 500
"""Decisions that are read before the first of them is printed."""


class ItemPage(NamedTuple):
    """Some lines of the board, and how many there are."""

    rows: list[ItemRow]
    total: int
    stage_names: dict[str, list[str]]
    """Stages of each workflow, topological order."""


class ItemReport(NamedTuple):
    """Everything about one item."""

    item: StoredItem
    statuses: dict[str, StageStatus]
    """By stage, topological order."""
    attempts: Mapping[str, list[AttemptRecord]] = {}
    """By stage, and by `stage/subtask`."""


def item_page(
    db: Path, *, workflow: str | None, states: Sequence[StageState], filter_text: str | None = None, limit: int | None, offset: int
) -> ItemPage:
    """Board rows in order of submission; with `states`, only items that have a stage or subtask in one of them. All without a limit.

    Raises: `BadInput` for a filter that cannot be read.
    """
    from treadle_tui.engine.selection import in_states

    selection = narrowed(in_states(workflow, None, states), filter_text)

    def question(file: Questions) -> Question[ItemPage]:
        if filter_text is None and limit is not None:
            rows = yield from file.page(workflow=workflow, states=states, limit=limit, offset=offset)
            total = yield from file.count_items(workflow=workflow, states=states)
        else:
            keys = yield from file.select(selection, now())
            rows, total = (yield from file.rows_of(keys[offset : None if limit is None else offset + limit])), len(keys)
        return ItemPage(rows, total, (yield from file.stage_names()))

    with _opened(db) as file:
        return file.ask(question(file.questions))


def item_report(db: Path, item_id: str) -> ItemReport:
    """Everything about one item, without its secrets.

    Raises:
        ItemNotFound: there is none of that id.
    """
    with _opened(db) as file:
        return file.ask(_item_report(file.questions, item_id))


def _item_report(file: Questions, item_id: str) -> Question[ItemReport]:
    from treadle_tui.engine.errors import ItemNotFound

    item = yield from file.get_item(item_id)
    if item is None:
        raise ItemNotFound(item_id)
    statuses = yield from file.get_all_statuses(item_id)
    attempts: dict[str, list[AttemptRecord]] = {}
    for stage in statuses:
        attempts[stage] = yield from file.get_attempts(item_id, stage)
    for stage, status in statuses.items():
        for subtask in status.subtasks:
            attempts[f"{stage}/{subtask.name}"] = yield from file.get_attempts(item_id, stage, subtask.name)
    names = yield from _secret_names(file, item.workflow)
    return ItemReport(masked(item, names), masked(statuses, names), masked(attempts, names))


def _secret_names(file: Questions, workflow: str) -> Question[set[str]]:
    """Names of the fields that any stage of the workflow calls secret."""
    shapes = yield from file.shapes()
    shape = next((each for each in shapes.values() if each.name == workflow), None)
    return {name for stage in shape.stages for name in stage.spec.get("secrets") or ()} if shape else set()


def waiting_reviews(db: Path, workflow: str | None = None) -> list[PendingReview]:
    """Everything that waits for a person, longest first, subtasks included."""
    with _opened(db) as file:
        return file.ask(file.questions.pending_reviews(workflow))


def counts(db: Path) -> dict[str, dict[str, dict[StageState, int]]]:
    """Items per workflow, stage and state."""
    with _opened(db) as file:
        return file.ask(file.questions.counts())


def stage_statistics(db: Path, workflow: str | None = None) -> dict[str, dict[str, StageStatistics]]:
    """What the newest runs of every stage tell, by workflow and stage, topological order; of one workflow, or of all that have items."""
    from treadle_tui.engine.history import STATISTICS_RUNS, statistics_of

    def question(file: Questions) -> Question[dict[str, dict[str, StageStatistics]]]:
        found: dict[str, dict[str, StageStatistics]] = {}
        counts = yield from file.counts()
        for name in (yield from file.stage_names(workflow)):
            if workflow is None and not any(counts.get(name, {}).values()):
                continue
            runs = yield from file.stage_runs(name, STATISTICS_RUNS)
            found[name] = {stage: statistics_of(each) for stage, each in runs.items()}
        return found

    with _opened(db) as file:
        return file.ask(question(file.questions))


class Graph(NamedTuple):
    """The stages of a workflow as the database knows them."""

    dependencies: dict[str, list[str]]
    """By stage, topological order."""
    counts: dict[str, dict[StageState, int]]
    """Items by stage and state."""


def graphs(db: Path) -> dict[str, Graph]:
    """Every workflow of the database that has items."""

    def question(file: Questions) -> Question[dict[str, Graph]]:
        counts = yield from file.counts()
        found: dict[str, Graph] = {}
        for name in (yield from file.stage_names()):
            if any(counts.get(name, {}).values()):
                found[name] = Graph((yield from file.dependencies(name)), counts.get(name, {}))
        return found

    with _opened(db) as file:
        return file.ask(question(file.questions))


def stored_events(db: Path, since: int = 0, item_id: str | None = None) -> Iterator[Event | Lagged]:
    """The durable events after `since`, in commit order, to the last one there is.

    Read in batches with nothing held open in between: whoever reads the output may take any time, and must not hold up an engine.
    """
    from treadle_tui.engine.store.sqlite.questions import EVENTS_AT_ONCE

    with _opened(db) as file:
        missed = file.ask(file.questions.missed(since, item_id))
        if missed:
            from treadle_tui.engine.events import Lagged

            yield Lagged(missed)
        while True:
            batch = file.ask(file.questions.event_batch(since, item_id))
            yield from batch
            if len(batch) < EVENTS_AT_ONCE:
                return
            since = max(getattr(event, "seq", 0) for event in batch)


class DecisionReport(NamedTuple):
    """One decision with what it was made on, without secrets."""

    record: DecisionRecord
    inputs: dict[str, Any]
    """The item's fields under `item`, and the outputs of what the stage directly depends on, as they stand now."""
    output: Any
    """What the decided attempt gave; None when it gave nothing."""


def decision_log(db: Path, workflow: str | None = None) -> Iterator[DecisionReport]:
    """Every decision, oldest first."""
    from treadle_tui.engine.store.sqlite.desk import decision_batch

    with _opened(db) as file:
        last = 0
        while records := file.ask(decision_batch(last, DECISIONS_AT_ONCE, workflow)):
            for record in records:
                yield file.ask(_decision_report(file.questions, record))
            last = records[-1].number


def _decision_report(file: Questions, record: DecisionRecord) -> Question[DecisionReport]:
    item = yield from file.get_item(record.item_id)
    statuses = yield from file.get_all_statuses(record.item_id)
    above = (yield from file.dependencies(record.workflow)).get(record.stage, [])
    attempts = yield from file.get_attempts(record.item_id, record.stage, record.subtask)
    names = yield from _secret_names(file, record.workflow)
    inputs = {name: statuses[name].output for name in above if name in statuses}
    output = next((attempt.output for attempt in attempts if attempt.number == record.attempt), None)
    if item is not None:
        inputs["item"] = item.data
    if not names:
        return DecisionReport(record, inputs, output)
    from treadle_tui.engine.secrets import redact

    return DecisionReport(masked(record, names), redact(inputs, names), redact(output, names))


@contextmanager
def _opened(db: Path) -> Iterator[FileReading]:
    require_existing(db)
    with FileReading(db) as file:
        if file.is_current:
            yield file
            return
    _bring_up_to_date(db)
    with FileReading(db) as file:
        yield file


def _bring_up_to_date(db: Path) -> None:
    """The file is of an older version: a store adds what has come since, as every verb that changes something would."""
    import asyncio

    async def run() -> None:
        from treadle_tui.engine.store.sqlite.store import SqliteStateStore

        async with SqliteStateStore.open(db):
            pass

    from treadle_tui.engine.errors import StoreError

    try:
        asyncio.run(run())
    except StoreError as error:
        closed = next((place for place in (db, db.absolute().parent) if not os.access(place, os.W_OK)), None)
        if closed is None:
            raise
        raise BadInput(
            f"{db} was written by an older version and must be brought up to date before it is read, but {closed} cannot be written;"
            " copy it to a place you may write, and read it there"
        ) from error
