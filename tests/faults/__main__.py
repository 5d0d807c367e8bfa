"""The long run: `python -m tests.faults --minutes 30` prints figures, and exits 1 on any violation."""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.checking import Findings
from tests.faults.crowd import crowd
from tests.faults.full_disk import can_mount, full_now_and_then
from tests.faults.kills import kill_over_and_over
from tests.faults.memory import memory_of_a_long_run

Trial = Callable[[Path, int], tuple[Findings, int]]

TRIALS: dict[str, Trial] = {
    "one engine after the other, killed": lambda folder, seed: kill_over_and_over(folder, 80, seed=seed, check_each=20),
    "two engines, two people, kills": lambda folder, seed: crowd(folder, engines=2, seconds=15, seed=seed),
    "four engines, two people, kills": lambda folder, seed: crowd(folder, engines=4, seconds=15, seed=seed),
    "three engines, stopped past their lease": lambda folder, seed: crowd(folder, engines=3, seconds=25, seed=seed, sleeps=True),
    "three engines, a clock set by hours, kills": lambda folder, seed: crowd(folder, engines=3, seconds=15, seed=seed, clock_jumps=True),
    "two engines on a disk that is full now and then": lambda folder, seed: full_now_and_then(folder, seconds=15, seed=seed),
}
NO_KILLS = {"two engines on a disk that is full now and then"}
"""Trials whose number is how often the disk was full."""
MEMORY_SHARE = 0.15
"""Of the whole time."""


def main() -> int:
    """Try everything again and again until the time is up."""
    options = _options()
    started = time.monotonic()
    print(f"SQLite {sqlite3.sqlite_version}, Python {sys.version.split()[0]}, seed {options.seed}, at least {options.minutes:g} minutes")
    total, kills, violations = Findings(), 0, list[str]()
    with tempfile.TemporaryDirectory(prefix="treadle-faults-") as folder:
        memory = memory_of_a_long_run(Path(folder), options.minutes * 60 * MEMORY_SHARE)
        print(f"memory after {memory.items} finished items: {memory.early_mib:.1f} MiB early, {memory.late_mib:.1f} MiB late", flush=True)
        violations += memory.violations
        seed = options.seed
        while not violations and (time.monotonic() - started < options.minutes * 60 or kills < options.kills):
            for name, trial in TRIALS.items():
                if name in NO_KILLS and not can_mount():
                    print(f"left out, because no disk can be made here: {name}")
                    continue
                seed += 1
                found, count = trial(Path(folder), seed)
                kills += 0 if name in NO_KILLS else count
                total += found
                violations += [f"{name} (seed {seed}): {each}" for each in found.violations]
                what = "times full" if name in NO_KILLS else "kills"
                print(f"{_minutes(started)}  {name}: {count} {what}, {_figures(found)}", flush=True)
    print(f"in all {kills} kills, {_figures(total)}, in {_minutes(started)}")
    for violation in violations:
        print(f"VIOLATION {violation}")
    return 1 if violations else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Try to lose or double something, and print figures.")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long at least (default: %(default)g)")
    parser.add_argument("--kills", type=int, default=0, help="how many kills at least")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="what chance begins with")
    return parser.parse_args()


def _figures(found: Findings) -> str:
    wrong = ", ".join(f"{len(getattr(found, kind))} {kind}" for kind in ("lost", "doubled", "disagreements"))
    integrity = "ok" if not found.integrity else f"{len(found.integrity)} faults"
    return (
        f"{found.items} items, {found.attempts} attempts, {found.recovered} recovered, {found.effects} effects, {found.decisions} decisions"
        f" ({found.conflicts} too late), {wrong}, integrity {integrity}, {len(found.words)} words out of place"
    )


def _minutes(started: float) -> str:
    seconds = int(time.monotonic() - started)
    return f"{seconds // 60}:{seconds % 60:02}"


if __name__ == "__main__":
    sys.exit(main())
