"""Several engines and several people on one file, of which some are killed, put to sleep, or given a wrong clock."""

from __future__ import annotations

import os
import random
import time
from dataclasses import replace
from pathlib import Path

from tests.faults.checking import Findings
from tests.faults.crew import Crew, crew
from tests.faults.kills import finish, new_file
from tests.faults.program import Orders

HOUR = 3600.0


def crowd(
    folder: Path, *, engines: int, seconds: float, seed: int, sleeps: bool = False, clock_jumps: bool = False, kills: bool = True
) -> tuple[Findings, int]:
    """Let a crowd work for a while, trouble it, then bring everything to its end: what was found, and how often was killed.

    `sleeps`: now and then a process is stopped for longer than its lease, and sometimes all of them. `clock_jumps`: the wall clock is
    set forward and back by hours.
    """
    chance = random.Random(seed)
    clock = folder / f"crowd{seed}.clock"
    clock.write_text("0")
    orders = replace(
        new_file(folder, f"crowd{seed}"),
        forever=True,
        pause_seconds=0.2 if sleeps else 0.01,
        supply_seconds=0.3 if sleeps else 0.0,
        lease_seconds=1.5 if sleeps else 0.0,
        clock_file=clock if clock_jumps else None,
    )
    with crew(orders.journal) as hired:
        until_end = time.monotonic() + seconds
        number = 0
        while time.monotonic() < until_end:
            while len(hired.of("engine")) < engines:
                items = tuple(f"item-{number}-{each}" for each in range(chance.choice((2, 5, 10))))
                hired.start("engine", replace(orders, seed=number, items=items))
                number += 1
            while len(hired.of("person")) < 2:
                hired.start("person", replace(orders, seed=chance.randrange(2**30), changes=0.3))
            time.sleep(0.05 + 0.25 * chance.random())
            if clock_jumps:
                _set(clock, chance.choice((0.0, -HOUR, HOUR, -HOUR, 10 * HOUR)))
            if sleeps and chance.random() < 0.5:
                _sleep(hired, orders, chance)
            elif kills:
                everybody = hired.of("engine") + hired.of("person")
                hired.kill(chance.choice(everybody))
        for pid in hired.of("engine") + hired.of("person"):
            hired.stop(pid)
        _set(clock, 0.0)
        found = finish(hired, orders, may_overlap=sleeps)
        return found, hired.kills


def _sleep(hired: Crew, orders: Orders, chance: random.Random) -> None:
    """One process, or all, for longer than a lease; meanwhile the others take its work over."""
    everybody = hired.of("engine") + hired.of("person")
    sleepers = everybody if chance.random() < 0.3 else [chance.choice(hired.of("engine"))]
    hired.send_to_sleep(*sleepers)
    time.sleep(orders.lease_seconds * (1.5 + chance.random()))
    hired.wake(*sleepers)
    time.sleep(0.3)


def _set(clock: Path, seconds: float) -> None:
    """The wall clock is so wrong from now on; written so that nobody reads half of it."""
    half = clock.with_suffix(".half")
    half.write_text(str(seconds))
    os.replace(half, clock)
