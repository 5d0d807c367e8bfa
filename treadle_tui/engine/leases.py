"""Who is alive: this engine's identity and heartbeat, and the judgement over other workers.

Never by the wall or the engine's clock: a worker is dead when its process is gone (same host: pid and start time), or when an
observer saw its heartbeat unchanged for `LEASE_SECONDS` of its own monotonic time. The heartbeat comes from a thread, so a stage
that blocks the event loop does not lose its engine's leases; the same thread notices the blocking and names the stage.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence

from treadle_tui.engine.other_processes import process_is_alive, process_start
from treadle_tui.engine.store.rows import Worker

LEASE_SECONDS = 30.0
"""A worker on another host whose heartbeat stands still for so long is dead."""
BEAT_SECONDS = 5.0
"""Between heartbeats, a sixth of the lease: five may be lost."""
GAP_SECONDS = 12.0
"""The most that counts between two looks at the others; an idle engine looks every ten seconds."""
LOOK_SECONDS = 0.25
"""How often the thread looks whether the loop answers."""
BLOCKED_SECONDS = 0.5
"""A loop that has not answered for so long is blocked; with `LOOK_SECONDS` it is named within a second."""

_alive_here: set[str] = set()
"""Engines of this process, by uuid."""


def declare_dead(uuid: str) -> None:
    """Count an engine of this process as dead, so that others recover its work: for the test kit, which drops engines unclosed."""
    _alive_here.discard(uuid)


class Observer:
    """Tells which workers are dead, from what it has seen itself."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: dict[int, tuple[int, float]] = {}
        """By worker: its beat, and for how many seconds it has been seen to stand still."""
        self._looked = monotonic()

    def forget(self) -> None:
        """Begin to count anew for everybody."""
        self._seen.clear()

    def dead(self, workers: Sequence[Worker], own: int | None = None) -> list[int]:
        """The numbers of the workers that are dead.

        Time in which nobody looked counts only up to `GAP_SECONDS`: an observer that was stopped itself, together with all others
        perhaps, has not seen that they showed no sign of life.
        """
        now = self._monotonic()
        passed = min(now - self._looked, GAP_SECONDS)
        self._looked = now
        found = []
        seen: dict[int, tuple[int, float]] = {}
        for worker in workers:
            if worker.id == own:
                continue
            beat, still = self._seen.get(worker.id, (-1, 0.0))
            still = still + passed if beat == worker.beat else 0.0
            seen[worker.id] = (worker.beat, still)
            if self._is_gone(worker) or still >= LEASE_SECONDS:
                found.append(worker.id)
        self._seen = seen
        return found

    def _is_gone(self, worker: Worker) -> bool:
        if worker.host != socket.gethostname():
            return False
        if worker.pid == os.getpid() and worker.pid_start == process_start(worker.pid):
            return worker.uuid not in _alive_here
        return not process_is_alive(worker.pid, worker.pid_start)


class LeaseKeeper:
    """This engine's identity, and the thread that keeps its leases while it holds any."""

    def __init__(self, beat: Callable[[], None], blocked: Callable[[asyncio.Task[object]], None]) -> None:
        """`beat` counts a heartbeat in the store; `blocked` is told, once per blocking, which task keeps the loop from turning."""
        self.uuid = uuid.uuid4().hex
        self.host = socket.gethostname()
        self.pid = os.getpid()
        self.pid_start = process_start(self.pid)
        self._holds_leases = False
        self._work = threading.Event()
        self._beat = beat
        self._blocked = blocked
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._answered = 0.0
        self._told = False

    @property
    def holds_leases(self) -> bool:
        """Whether there is anything to beat for, and to look after."""
        return self._holds_leases

    @holds_leases.setter
    def holds_leases(self, holds: bool) -> None:
        if holds != self._holds_leases:
            self._holds_leases = holds
            if holds:
                self._work.set()
            elif not self._stop.is_set():
                self._work.clear()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Count as alive, and watch the loop."""
        _alive_here.add(self.uuid)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, args=(loop,), name="treadle-leases", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Count as alive no longer."""
        _alive_here.discard(self.uuid)
        self._stop.set()
        self._work.set()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        next_beat = time.monotonic() + BEAT_SECONDS
        asked = 0.0
        while not self._stop.wait(LOOK_SECONDS):
            if not self.holds_leases:
                self._work.wait()
                asked, next_beat = 0.0, time.monotonic() + BEAT_SECONDS
                continue
            now = time.monotonic()
            if now >= next_beat:
                self._beat()
                next_beat = now + BEAT_SECONDS
            if asked and self._answered < asked:
                if now - asked >= BLOCKED_SECONDS:
                    self._name_blocker(loop)
                continue
            asked, self._told = now, False
            try:
                loop.call_soon_threadsafe(self._answer)
            except RuntimeError:
                return

    def _answer(self) -> None:
        self._answered = time.monotonic()

    def _name_blocker(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._told:
            return
        task = asyncio.current_task(loop)
        if task is not None:
            self._told = True
            self._blocked(task)
