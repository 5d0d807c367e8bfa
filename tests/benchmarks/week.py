"""A week of work around the clock, in simulated time, and how large the database is at the end of each day.

    python -m tests.benchmarks.week --days 7 --items 2000

Every item goes through five stages; one stage in ten fails once, each writes a line to its log, and outputs have some weight. With a
policy, what a day leaves behind is dropped a day or two later, so the file grows for so long and then no more.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

from treadle_tui.engine import Engine, RetryBudget, SqliteStateStore, Workflow
from treadle_tui.engine.retention import Retention
from treadle_tui.engine.testing import ManualClock

DAY = 24 * 3600.0
POLICY = Retention(events_days=1, attempts_days=1, outputs_days=1, items_days=2)
STAGES = ("fetch", "read", "sort", "check", "print")
BYTES_PER_ITEM = 1_200
"""What an item may take in the file while it is kept: its rows, its outputs, and a day of its events."""
EMPTY_BYTES = 300_000
"""What the file may take without any item."""


@dataclass(frozen=True)
class Day:
    """The end of a simulated day."""

    number: int
    items: int
    """Items that are kept."""
    file_bytes: int
    wal_bytes: int
    largest_wal_bytes: int
    """Seen during the day."""


def stated_size(items_per_day: int) -> int:
    """What the file must stay within, however long the work goes on: three days of items are there at most, two kept and one coming."""
    return EMPTY_BYTES + 3 * items_per_day * BYTES_PER_ITEM


def letters() -> Workflow:
    workflow = Workflow("letters")

    def stage(name: str) -> Any:
        async def run(item: dict[str, Any], ctx: Any) -> dict[str, str]:
            ctx.log(f"{name} begins")
            if ctx.attempt == 1 and crc32(f"{item['id']} {name}".encode()) % 10 == 0:
                raise ValueError("the first try fails")
            return {"text": f"{name} of {item['id']} " * 5}

        return run

    for number, name in enumerate(STAGES):
        workflow.add_stage(name, stage(name), after=STAGES[number - 1 : number] if number else (), retry=RetryBudget(max_attempts=3))
    return workflow


async def week(path: Path, *, days: int = 7, items_per_day: int = 2000, rounds: int = 24, policy: Retention = POLICY) -> list[Day]:
    """Work so many days on a new database, new items coming in so many rounds a day; the end of each day."""
    clock = ManualClock()
    found = []
    async with SqliteStateStore.open(path, synchronous="NORMAL") as store, Engine(store, letters(), clock=clock) as engine:
        await engine.set_retention(policy)
        for day in range(days):
            largest = 0
            for ids in _rounds(day, items_per_day, rounds):
                await engine.submit("letters", [{"id": id} for id in ids])
                await clock.run(engine.run_until_idle())
                clock.advance(DAY / rounds)
                largest = max(largest, _size(f"{path}-wal"))
            items = await store.count_items()
            found.append(Day(day + 1, items, _size(path), _size(f"{path}-wal"), largest))
    return found


def _rounds(day: int, items: int, rounds: int) -> Iterator[list[str]]:
    for number in range(rounds):
        yield [f"{day}-{item}" for item in range(items * number // rounds, items * (number + 1) // rounds)]


def _size(path: str | Path) -> int:
    return os.stat(path).st_size if os.path.exists(path) else 0


def main() -> None:
    """Print the size at the end of each day, with the policy and without one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--items", type=int, default=2000, help="items a day")
    options = parser.parse_args()
    for name, policy in (("kept by the policy", POLICY), ("everything kept", Retention())):
        with tempfile.TemporaryDirectory() as folder:
            days = asyncio.run(week(Path(folder) / "work.db", days=options.days, items_per_day=options.items, policy=policy))
        print(f"{name}: stated {stated_size(options.items) / 1e6:.1f} MB")
        for day in days:
            file, log = day.file_bytes / 1e6, day.largest_wal_bytes / 1e6
            print(f"  day {day.number:3}: {day.items:8,} items  {file:8.2f} MB  log at most {log:6.2f} MB")


if __name__ == "__main__":
    main()
