"""Starts the processes under test, and ends, stops and wakes them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.faults.journal import Journal
from tests.faults.program import Orders, run

ROOT = Path(__file__).parents[2]


class Crew:
    """Processes forked from one that has imported everything already: a life costs milliseconds instead of half a second."""

    def __init__(self, journal: Path) -> None:
        os.environ["PYTHONPATH"] = str(ROOT)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.faults.program", "treadle_tui.engine.engine"])
        self._journal = Journal(journal)
        self.alive: dict[int, tuple[BaseProcess, str]] = {}
        """By process id, with what they are."""
        self.kills = 0

    def start(self, role: str, orders: Orders) -> int:
        """Start a process; its id."""
        process = self._context.Process(target=run, args=(role, orders), daemon=True)
        process.start()
        assert process.pid is not None
        self.alive[process.pid] = (process, role)
        self._journal.note("started", whom=process.pid, role=role)
        return process.pid

    def of(self, role: str) -> list[int]:
        """Those of this role that live."""
        return [pid for pid, (process, known) in self.alive.items() if known == role and process.is_alive()]

    def kill(self, pid: int) -> None:
        """End a process without a word."""
        self._journal.note("killed", whom=pid)
        self.alive[pid][0].kill()
        self._gone(pid)
        self.kills += 1

    def wait(self, pid: int, seconds: float) -> int | None:
        """How the process ended, by itself or by its own hand; None when it has not within this time."""
        process = self.alive[pid][0]
        process.join(seconds)
        if process.exitcode is None:
            return None
        code = process.exitcode
        self._gone(pid)
        if code == -signal.SIGKILL:
            self.kills += 1
            self._journal.note("killed", whom=pid)
        return code

    def stop(self, pid: int, seconds: float = 20.0) -> int:
        """Ask a process to stop in order; its exit code."""
        self._journal.note("asked to stop", whom=pid)
        os.kill(pid, signal.SIGTERM)
        code = self.wait(pid, seconds)
        if code is None:
            self._journal.note("crash", whom=pid, words="it did not stop when it was asked to")
            self.kill(pid)
            return 1
        return code

    def send_to_sleep(self, *pids: int) -> None:
        """Stop processes where they stand, all of them before any is waited for."""
        for pid in pids:
            self._journal.note("asleep", whom=pid)
            os.kill(pid, signal.SIGSTOP)

    def wake(self, *pids: int) -> None:
        """Let them go on."""
        for pid in pids:
            self._journal.note("awake", whom=pid)
            os.kill(pid, signal.SIGCONT)

    def _gone(self, pid: int) -> None:
        process, _ = self.alive.pop(pid)
        process.join()
        process.close()

    def end(self) -> None:
        """End whoever is left."""
        for pid, (process, _) in list(self.alive.items()):
            if process.is_alive():
                os.kill(pid, signal.SIGCONT)
                process.kill()
            self._gone(pid)
        self._journal.close()


@contextmanager
def crew(journal: Path) -> Iterator[Crew]:
    """A crew that is ended behind the test, however it ends."""
    hired = Crew(journal)
    try:
        yield hired
    finally:
        hired.end()


def until(condition: object, seconds: float) -> bool:
    """Whether it became so within this time; `condition` is called."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
