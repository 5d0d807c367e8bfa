"""Kills, one life after the other on one file: at random moments, at commits, within them, in checkpoints, and in the recovery."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

from tests.faults.checking import Findings, checked, retry_what_was_interrupted_thrice
from tests.faults.crew import Crew, crew
from tests.faults.journal import Journal
from tests.faults.program import EFFECTS, Orders

PLACES = ("before commit", "after commit", "within", "checkpoint", "moment")
LIFE_SECONDS = 30.0
"""A life that lasts longer without coming to an end is a hang."""


def new_file(folder: Path, name: str) -> Orders:
    """A file with the table for effects, its journal, and what a process is told about them."""
    path = folder / f"{name}.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(EFFECTS)
    return Orders(path=path, journal=folder / f"{name}.journal")


def finish(crew: Crew, orders: Orders, *, seconds: float = 60.0, **options: object) -> Findings:
    """Let an engine and a person bring everything to its end, undisturbed; then look."""
    journal = Journal(orders.journal)
    deadline = time.monotonic() + seconds
    person = crew.start("person", replace(orders, changes=0.0, kill_at=("", 0)))
    while time.monotonic() < deadline:
        crew.wait(crew.start("engine", replace(orders, kill_at=("", 0), forever=False, supply_seconds=0.0)), LIFE_SECONDS)
        again = asyncio.run(retry_what_was_interrupted_thrice(orders.path))
        if not again and not _waiting(orders.path):
            break
    crew.stop(person)
    found = checked(orders.path, journal, is_finished=True, **options)
    journal.close()
    return found


def _waiting(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM treadle_items WHERE open_stages > 0").fetchone()[0])


def kill_over_and_over(folder: Path, lives: int, *, seed: int, check_each: int = 0) -> tuple[Findings, int]:
    """So many lives, nearly all of which end by a kill, then one that does not: what was found, and how often was killed.

    Every life brings new items. `check_each`: look at the file after every so many lives too.
    """
    chance = random.Random(seed)
    orders = new_file(folder, f"kills{seed}")
    journal = Journal(orders.journal)
    between = Findings()
    with crew(orders.journal) as hired:
        for number in range(lives):
            items = tuple(f"item-{number}-{each}" for each in range(chance.choice((0, 1, 2, 6))))
            _one_life(hired, replace(orders, seed=chance.randrange(2**30), items=items), chance)
            if check_each and (number + 1) % check_each == 0:
                _let_a_person_decide(hired, orders, chance)
                between = checked(orders.path, journal, is_finished=False)
                if between.violations:
                    break
        found = finish(hired, orders)
        found.words += [f"after {hired.kills} kills: {each}" for each in between.violations]
        killed = hired.kills
    journal.close()
    return found, killed


def _one_life(hired: Crew, orders: Orders, chance: random.Random) -> None:
    """An engine that ends by a kill, unless it is through with its work before."""
    place = chance.choice(PLACES)
    if place == "moment":
        pid = hired.start("engine", replace(orders, forever=True))
        time.sleep(chance.choice((0.01, 0.05, 0.2)) * chance.random())
        hired.kill(pid)
        return
    # Few passes end it in the recovery, more in the midst of its work.
    passes = chance.choice((0, 1, 2, 3, 5, 8, 20, 40))
    if place == "within":
        passes *= 20
    if place == "checkpoint":
        passes = 0
    pid = hired.start("engine", replace(orders, kill_at=(place, passes), forever=False))
    if hired.wait(pid, LIFE_SECONDS) is None:
        Journal(orders.journal).note("crash", whom=pid, words=f"it neither ended nor was killed at {place} {passes}")
        hired.kill(pid)


def _let_a_person_decide(hired: Crew, orders: Orders, chance: random.Random) -> None:
    """For a moment; the person is killed too."""
    pid = hired.start("person", replace(orders, seed=chance.randrange(2**30), changes=0.4))
    time.sleep(0.15 + 0.15 * chance.random())
    hired.kill(pid)
