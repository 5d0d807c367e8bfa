"""The full screen with something of a measurement's in its process. The arguments are the program's own.

    python -m tests.benchmarks.inside --db work.db

* `BENCH_COUNTS=FILE`: at SIGUSR1 it writes there, as JSON, how many objects of which types the process holds.
* `BENCH_FEED=RATE`: the store is fed with so many changed cells a second, through the store's writer: its transactions, its durable
  commits, its events and kept counts, in this process. No stage runs for that; what Python an engine would need for as many is not in it.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle_tui.engine.store.sqlite.store import SqliteStateStore
    from treadle_tui.engine.store.unit import Unit

#: The changes fall on so many items at the top of the list, spread over all of their stages but the last.
FED_ITEMS = 2000
#: Every change goes to a share of these items, so that a line of the screen has little to do with the next.
STRANDS = 4
MOST_UNDER_WAY = 8


def write_counts(path: Path, *_: object) -> None:
    """How many objects there are, by type; those that matter by name."""
    from textual.timer import Timer
    from textual.widget import Widget

    objects = gc.get_objects()
    types = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in objects)
    named = {
        "objects": len(objects),
        "widgets": sum(isinstance(each, Widget) for each in objects),
        "timers": sum(isinstance(each, Timer) for each in objects),
        "tasks": sum(isinstance(each, asyncio.Task) for each in objects),
        "threads": threading.active_count(),
    }
    partial_path = path.with_suffix(".part")
    partial_path.write_text(json.dumps({"named": named, "types": dict(types.most_common(400))}))
    partial_path.replace(path)


async def open_fed(path: Path, rate: float) -> SqliteStateStore:
    """The open store, which changes by itself from now on."""
    from treadle_tui.engine import SqliteStateStore

    store = await SqliteStateStore.open(path)
    _FEEDING.add(asyncio.create_task(feed(store, rate), name="feeder"))
    return store


_FEEDING: set[asyncio.Task[None]] = set()


async def feed(store: SqliteStateStore, rate: float) -> None:
    """Change so many cells a second until the store is closed; a few transactions are under way at any time."""
    began, told = time.perf_counter(), 0
    under_way: set[asyncio.Future[int]] = set()
    for turn in itertools.count():
        if (early := told / rate - (time.perf_counter() - began)) > 0:
            await asyncio.sleep(early)
        told += FED_ITEMS // STRANDS
        under_way.add(asyncio.ensure_future(store._run(partial(change_some, turn=turn), int(time.time() * 1000))))
        if len(under_way) >= MOST_UNDER_WAY:
            _, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)


def change_some(unit: Unit, turn: int) -> int:
    """Let one stage of some items begin to run, or be complete again; how many those are."""
    from treadle_tui.engine import events as ev
    from treadle_tui.engine.store.event_codec import KIND_NUMBER
    from treadle_tui.engine.store.rows import COMPLETED, RUNNING
    from treadle_tui.engine.store.sqlite.unit import SqliteUnit

    assert isinstance(unit, SqliteUnit)
    shape = next(iter(unit.shapes.values()))
    stages = [stage.id for stage in shape.stages][:-1]
    turns, strand = divmod(turn, STRANDS)
    rounds, place = divmod(turns, len(stages))
    stage, items = stages[place], range(strand + 1, FED_ITEMS + 1, STRANDS)
    before, after = (RUNNING, COMPLETED) if rounds % 2 else (COMPLETED, RUNNING)
    unit.flush()
    unit.note_written()
    unit.forget_items(items)
    unit.connection.execute(
        "UPDATE treadle_tasks SET state = ?, version = version + 1, updated_at = ? WHERE stage = ? AND sub = 0"
        " AND item IN (SELECT value FROM json_each(?))",
        (after, unit.now, stage, json.dumps(list(items))),
    )
    unit.count(stage, False, before, -len(items))
    unit.count(stage, False, after, len(items))
    kind = KIND_NUMBER[ev.StageCompleted if after == COMPLETED else ev.StageStarted]
    for item in items:
        unit.last_seq += 1
        unit.events.append((unit.last_seq, unit.now, kind, shape.id, item, stage, None, 1, None))
    unit.rings = True
    return len(items)


def main() -> None:
    """Start the program."""
    from treadle_tui.__main__ import start_screen
    from treadle_tui.cli.main import run_command_line

    arguments = sys.argv[1:]
    start: Callable[..., int] = start_screen
    if counts := os.environ.get("BENCH_COUNTS"):
        signal.signal(signal.SIGUSR1, partial(write_counts, Path(counts)))
    if rate := os.environ.get("BENCH_FEED"):
        db = Path(arguments[arguments.index("--db") + 1])
        start = partial(start_screen, open_store=partial(open_fed, db, float(rate)))
    sys.exit(run_command_line(arguments, start))


if __name__ == "__main__":
    main()
