"""Whether the events tell what the tables say: each item's are folded, from its baseline on, and compared."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter

from treadle_tui.engine.states import StageState
from treadle_tui.engine.store.baseline import unpacked
from treadle_tui.engine.store.item_fold import ItemFold
from treadle_tui.engine.store.rows import STATES, RawEvent
from treadle_tui.engine.store.shape import WorkflowShape
from treadle_tui.engine.store.sqlite.finding import Finding, some

_EVENTS = (
    "SELECT seq, at, kind, workflow, item, stage, subtask, attempt, data FROM treadle_events WHERE item IS NOT NULL ORDER BY item, seq"
)


def disagreements(connection: sqlite3.Connection, shapes: Mapping[int, WorkflowShape]) -> Iterator[Finding]:
    """Stages and subtasks that are not what their events say, and items no event tells of. Reads every event, an item's at a time."""
    told = groupby((RawEvent(*row) for row in connection.execute(_EVENTS)), key=lambda row: row.item or 0)
    rows = groupby(
        connection.execute("SELECT item, stage, sub, state, name FROM treadle_tasks ORDER BY item, stage, sub"), key=itemgetter(0)
    )
    next_told, next_rows = next(told, None), next(rows, None)
    wrong: list[str] = []
    untold: list[str] = []
    baselines = "SELECT i.key, i.id, i.workflow, b.fold FROM treadle_items i LEFT JOIN treadle_baselines b ON b.item = i.key ORDER BY i.key"
    for key, id, workflow, fold in connection.execute(baselines):
        while next_told is not None and next_told[0] < key:
            next_told = next(told, None)
        while next_rows is not None and next_rows[0] < key:
            next_rows = next(rows, None)
        events = list(next_told[1]) if next_told is not None and next_told[0] == key else []
        tasks = list(next_rows[1]) if next_rows is not None and next_rows[0] == key else []
        if fold is None and not events:
            untold.append(id)
            continue
        folded = (ItemFold() if fold is None else unpacked(fold)).take_all(events)
        shape = shapes.get(workflow)
        if shape is not None:
            wrong += [f"{id} › {words}" for words in _differences(folded, tasks, shape)]
    if untold:
        yield Finding("events", f"no event tells of {len(untold):,} items ({some(untold, len(untold))})", True, None, len(untold))
    if wrong:
        sentence = f"{len(wrong):,} stages or subtasks are not what their events say ({some(wrong, len(wrong))})"
        yield Finding("events", sentence, True, None, len(wrong))


def _differences(fold: ItemFold, tasks: list[tuple[int, int, int, int, str | None]], shape: WorkflowShape) -> Iterator[str]:
    states = {stage: STATES[state] for _, stage, sub, state, _ in tasks if not sub}
    for stage in shape.every:
        if stage.is_removed and stage.id not in states:
            continue
        is_now, told = states.get(stage.id, StageState.PENDING), fold.cell(stage.id).state
        if is_now is not told:
            yield f"{stage.name} is {is_now.word}, its events say {told.word}"
    for _, number, sub, state, name in tasks:
        if sub and number in shape.by_id:
            found = fold.subtasks.get(number, {}).get(name or "")
            if found is None or found.state is not STATES[state]:
                says = "nothing" if found is None else found.state.word
                yield f"{shape.by_id[number].name}/{name} is {STATES[state].word}, its events say {says}"
