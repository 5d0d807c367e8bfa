"""How much memory an engine takes while the items it has finished grow in number."""

from __future__ import annotations

import contextlib
import sqlite3
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path

from tests.faults.crew import crew
from tests.faults.kills import new_file

GROWTH = 1.25
"""The last quarter of a run may take so much more than the second."""


@dataclass(frozen=True)
class Memory:
    """Figures of one run."""

    items: int
    early_mib: float
    """Median of the second quarter: what is kept between transactions is full by then."""
    late_mib: float
    """Median of the last quarter."""

    @property
    def violations(self) -> list[str]:
        """What is wrong with that."""
        grown = self.late_mib > self.early_mib * GROWTH + 4
        return [f"memory grew from {self.early_mib:.1f} to {self.late_mib:.1f} MiB over {self.items} items"] if grown else []


def memory_of_a_long_run(folder: Path, seconds: float) -> Memory:
    """Let an engine and a person work without a break."""
    orders = replace(new_file(folder, "memory"), forever=True, pause_seconds=0.0, supply_seconds=0.01, changes=0.0)
    samples = []
    with crew(orders.journal) as hired:
        engine = hired.start("engine", orders)
        person = hired.start("person", orders)
        until_end = time.monotonic() + seconds
        while time.monotonic() < until_end:
            time.sleep(seconds / 60)
            samples.append(_resident_mib(engine))
        for pid in (engine, person):
            hired.stop(pid)
    quarter = len(samples) // 4
    with contextlib.closing(sqlite3.connect(orders.path)) as connection:
        items = connection.execute("SELECT count(*) FROM treadle_items WHERE open_stages = 0").fetchone()[0]
    return Memory(items, statistics.median(samples[quarter : 2 * quarter]), statistics.median(samples[-quarter:]))


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024
