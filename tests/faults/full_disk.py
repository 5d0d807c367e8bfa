"""Engines and a person on a real disk of a few megabytes that is filled up and emptied again. Needs root, to mount it."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.faults.checking import Findings
from tests.faults.crew import crew
from tests.faults.journal import Journal
from tests.faults.kills import finish, new_file

SIZE = "12m"
MAY_SAY = ("no room is left", "takes changes again", "could not be recorded", "checkpoint", "closing", "cannot read or write")


def can_mount() -> bool:
    """Whether a disk can be made here."""
    return sys.platform == "linux" and os.geteuid() == 0


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A folder on a disk of its own."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True, capture_output=True)


def full_now_and_then(folder: Path, *, seconds: float, seed: int) -> tuple[Findings, int]:
    """Work while the disk is full now and then, and processes are killed: what was found, and how often it was full."""
    chance = random.Random(seed)
    with small_disk(folder / f"disk{seed}") as disk:
        orders = replace(new_file(disk, "work"), disk_fills=True, forever=True, pause_seconds=0.01, supply_seconds=0.03)
        orders = replace(orders, journal=folder / f"disk{seed}.journal")
        times = 0
        with crew(orders.journal) as hired:
            until_end = time.monotonic() + seconds
            while time.monotonic() < until_end:
                while len(hired.of("engine")) < 2:
                    hired.start("engine", replace(orders, seed=chance.randrange(2**30)))
                while len(hired.of("person")) < 1:
                    hired.start("person", replace(orders, seed=chance.randrange(2**30)))
                time.sleep(0.2 + 0.3 * chance.random())
                _fill(disk / "ballast")
                times += 1
                time.sleep(0.3 + 0.5 * chance.random())
                if chance.random() < 0.3:
                    hired.kill(chance.choice(hired.of("engine") + hired.of("person")))
                os.unlink(disk / "ballast")
            time.sleep(0.5)
            for pid in hired.of("engine") + hired.of("person"):
                hired.stop(pid)
            found = finish(hired, replace(orders, disk_fills=False), may_say=MAY_SAY)
        found.words += _said_too_often(Journal(orders.journal), times)
    return found, times


def _fill(ballast: Path) -> None:
    """Take all the room there is."""
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)


def _said_too_often(journal: Journal, times: int) -> list[str]:
    """A process says once that there is no room, each time; a log that is begun anew may make some for a moment."""
    told = Counter(fact["pid"] for fact in journal.facts("log") if "no work is begun until that is over" in fact["words"])
    return [
        f"process {pid} said {count} times that there is no room, which happened {times} times"
        for pid, count in told.items()
        if count > times
    ]
