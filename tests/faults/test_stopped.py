"""Processes that are stopped for longer than their lease, and wake up."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.crew import Crew, crew, until
from tests.faults.journal import Journal
from tests.faults.kills import finish, new_file
from tests.faults.program import Orders

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

LEASE = 0.6


def orders(folder: Path) -> Orders:
    """Stages that take long enough for a process to be stopped in them, and leases that are short."""
    return replace(new_file(folder, "stopped"), forever=True, pause_seconds=0.6, lease_seconds=LEASE)


def asked(path: Path, sql: str) -> int:
    """A number out of the file; -1 while there are no tables in it."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection, contextlib.suppress(sqlite3.OperationalError):
        return int(connection.execute(sql).fetchone()[0])
    return -1


def becomes(path: Path, sql: str, wanted: Callable[[int], bool], seconds: float = 15.0) -> None:
    """Wait until that is so."""
    assert until(lambda: wanted(asked(path, sql)), seconds), (sql, asked(path, sql))


def put_to_sleep(hired: Crew, told: Orders, *pids: int) -> None:
    """Stop processes, none of them in the midst of writing: whoever holds the lock keeps everybody waiting for as long as it sleeps."""
    for _ in range(100):
        hired.send_to_sleep(*pids)
        if nobody_writes(told.path):
            return
        hired.wake(*pids)
        time.sleep(0.01)
    raise AssertionError("somebody was writing each time")


def nobody_writes(path: Path) -> bool:
    """Whether the lock of the writers is free, and so is SQLite's own."""
    lock = os.open(f"{path}-lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except (BlockingIOError, sqlite3.OperationalError):
        return False
    finally:
        os.close(lock)
    return True


LEASED = "SELECT count(*) FROM treadle_tasks WHERE worker IS NOT NULL"
WORKERS = "SELECT count(*) FROM treadle_workers"
NEWEST_WORKER = "SELECT coalesce(max(id), 0) FROM treadle_workers"


@pytest.mark.parametrize("is_blind", [False, True], ids=["looks after its leases", "learns it from the store"])
def test_a_process_stopped_past_its_lease_changes_nothing_any_more_and_goes_on_under_a_new_number(tmp_path, is_blind):
    told = orders(tmp_path)
    items = tuple(map(str, range(6)))
    with crew(told.journal) as hired:
        sleeper = hired.start("engine", replace(told, items=items, is_blind=is_blind))
        becomes(told.path, LEASED, lambda leased: leased > 3)
        put_to_sleep(hired, told, sleeper)
        asleep = asked(told.path, NEWEST_WORKER)

        other = hired.start("engine", told)
        becomes(told.path, f"SELECT count(*) FROM treadle_tasks WHERE worker = {asleep}", lambda held: held == 0)
        becomes(told.path, "SELECT count(*) FROM treadle_tasks WHERE state = 4", lambda done: done > 3)
        hired.wake(sleeper)
        becomes(told.path, NEWEST_WORKER, lambda newest: newest > asleep + 1)
        for pid in (sleeper, other):
            assert hired.stop(pid) == 0
        found = finish(hired, told, may_overlap=True)

    assert found.violations == []
    assert found.recovered > 0
    assert found.effects == 7 * len(items)
    words = [fact["words"] for fact in Journal(told.journal).facts("log") if fact["pid"] == sleeper]
    assert len([each for each in words if "taken for dead" in each]) == 1


def test_processes_that_are_stopped_and_woken_together_take_nothing_from_each_other(tmp_path):
    """As when a laptop sleeps, or a container is paused: nobody was there to see that nobody showed a sign of life."""
    told = orders(tmp_path)
    with crew(told.journal) as hired:
        engines = [hired.start("engine", replace(told, items=(f"{number}a", f"{number}b", f"{number}c"))) for number in range(2)]
        becomes(told.path, WORKERS, lambda workers: workers == 2)
        becomes(told.path, LEASED, lambda leased: leased > 3)
        put_to_sleep(hired, told, *engines)
        assert not until(lambda: False, 3 * LEASE)
        hired.wake(*engines)
        becomes(told.path, "SELECT count(*) FROM treadle_tasks WHERE state = 4", lambda done: done >= 12)
        for pid in engines:
            assert hired.stop(pid) == 0
        stopped = asked(told.path, "SELECT count(*) FROM treadle_workers")
        found = finish(hired, told)

    assert found.violations == []
    assert stopped == 0
    assert not [fact["words"] for fact in Journal(told.journal).facts("log")]
