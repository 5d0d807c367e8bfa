"""Does it grow? The real program in a pseudo-terminal, its engine at work at a steady rate, a person at the keys, for so long.

    python tests/benchmarks/soak.py [--minutes 30] [--rate 500]

A change is an event: a stage that begins, or is complete. Every minute all main screens are visited, an item and the help are opened,
a filter is set and taken away; the rest of the minute the cursor moves on the board. Then memory, open files, threads, widgets, timers,
tasks and objects are counted. At the end: the first five minutes beside the last five (of a short run, the first third and the last),
and what kinds of objects there are more of.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks.databases import STANDARD, last_event, prepare_work, write_workflows  # noqa: E402
from tests.benchmarks.in_terminal import PAGE_DOWN, Keys, Program, percentile, running  # noqa: E402

#: So many stages run at once in an engine, unless it is told otherwise.
AT_ONCE = 64
ESCAPE, ENTER = b"\x1b", b"\r"
#: What a person looks at, once a minute: keys, each followed by a look at what they did.
TOUR = (
    *(b"1", b"3", b"4", b"5", b"6", b"2", b"?", ESCAPE, b"G", b"g", ENTER, ESCAPE, b"t", b"t", b"t", b"t", b"f", b"f"),
    *(b"/", b"state:running", ENTER, PAGE_DOWN, ESCAPE, b"2", b"g"),
)
LOOK_SECONDS = 0.6
_COUNT_SECONDS = 20.0


def counts(program: Program, path: Path) -> dict[str, Any]:
    """What the program holds at this moment."""
    path.unlink(missing_ok=True)
    os.kill(program.pid, signal.SIGUSR1)
    end = time.perf_counter() + _COUNT_SECONDS
    while not path.exists():
        if time.perf_counter() > end:
            raise TimeoutError("the program does not say what it holds")
        program.drain(0.05)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def tour(program: Program) -> None:
    """Look at everything, and come back to the board."""
    for key in TOUR:
        program.type(key)
        program.drain(LOOK_SECONDS)


def soak(folder: Path, minutes: float, rate: float) -> tuple[list[dict[str, float]], list[dict[str, int]]]:
    """A line of figures a minute, and the objects by type."""
    events_an_item = 2 * len(STANDARD) + 1
    items = max(2000, int(minutes * 60 * rate / events_an_item * 1.2))
    db = prepare_work(folder, "soak.db", items)
    pause = AT_ONCE / (rate / 2 * events_an_item / (events_an_item - 1))
    command = [sys.executable, "-m", "tests.benchmarks.inside", "--db", db]
    lines: list[dict[str, float]] = []
    types: list[dict[str, int]] = []
    with running(command, folder, b"item-0000000", PAUSE=f"{pause:.4f}", BENCH_COUNTS=str(folder / "counts")) as (program, _):
        program.drain(3.0)
        began, told = time.perf_counter(), False
        while time.perf_counter() - began < minutes * 60:
            since, screen, cpu, seq = time.perf_counter(), program.screen_seconds, program.cpu_seconds, last_event(folder / db)
            tour(program)
            keys = Keys(program)
            keys.find()
            keys.press_for(max(5.0, min(60.0, minutes * 20) - (time.perf_counter() - since)))
            seconds = time.perf_counter() - since
            held = counts(program, folder / "counts")
            line = {
                "minute": (time.perf_counter() - began) / 60,
                "changes/s": (last_event(folder / db) - seq) / (time.perf_counter() - since),
                "MB": program.megabytes,
                "files": float(program.open_files),
                **{name: float(value) for name, value in held["named"].items()},
                "p50 ms": statistics.median(keys.times),
                "p99 ms": percentile(keys.times, 0.99),
                "screen %": 100 * (program.screen_seconds - screen) / seconds,
                "all %": 100 * (program.cpu_seconds - cpu) / seconds,
            }
            if not told:
                print("".join(f"{name:>11}" for name in line))
                told = True
            print("".join(f"{value:>11,.1f}" for value in line.values()), flush=True)
            lines.append(line)
            types.append(held["types"])
    return lines, types


def report(lines: list[dict[str, float]], types: list[dict[str, int]]) -> None:
    """The beginning beside the end."""
    size = min(5, max(1, len(lines) // 3))
    print(f"\n{'':<12}{'first':>12}{'last':>12}{'ratio':>8}   medians of {size} minutes each")
    for name in lines[0]:
        first, last = (statistics.median(line[name] for line in part) for part in (lines[:size], lines[-size:]))
        if name != "minute":
            print(f"{name:<12}{first:>12,.1f}{last:>12,.1f}{last / first if first else 1:>8.2f}")
    first_types, last_types = types[:size], types[-size:]
    names = {name for each in types for name in each}
    grown = {
        name: statistics.median(each.get(name, 0) for each in last_types) - statistics.median(each.get(name, 0) for each in first_types)
        for name in names
    }
    print("\nmore objects of:")
    for name, more in sorted(grown.items(), key=lambda each: -each[1])[:12]:
        print(f"{more:>+10,.0f}  {name}")


def main() -> None:
    """Prepare, watch, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=500.0, help="changes a second")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_workflows(folder)
        report(*soak(folder, options.minutes, options.rate))


if __name__ == "__main__":
    main()
