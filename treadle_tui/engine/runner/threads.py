"""Threads for plain functions: daemon threads of our own, so that a function that hangs blocks nobody.

`concurrent.futures` joins its threads when the interpreter exits, and its pool has an end: one hung function holds up the quit,
a few hold up every other stage. Here the pool grows with what is asked of it, a thread that has nothing to do for
`IDLE_SECONDS` ends, and the interpreter leaves without waiting. Knows nothing of stages.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import os
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from treadle_tui.engine.errors import StageExecutionError
from treadle_tui.engine.record import Record

T = TypeVar("T")

IDLE_SECONDS = 10.0
"""How long a thread waits for more work; starting one costs about 50 µs, so this only has to outlast a burst."""


class _Job(Record, frozen=True):
    """One call, and where its result is wanted."""

    function: Callable[[], Any]
    name: str
    context: contextvars.Context
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]

    def run(self) -> None:
        """Call the function and send what came of it to the loop."""
        result: Any = None
        error: BaseException | None = None
        try:
            result = self.context.run(self.function)
        except BaseException as raised:  # a thread has nobody to pass it on to but the waiter
            error = as_ordinary(raised, self.name)
        try:
            self.loop.call_soon_threadsafe(_deliver, self.future, result, error)
        except RuntimeError:
            pass  # the loop was closed meanwhile: nobody waits any more


def _deliver(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    """Runs on the loop. A waiter that was cancelled has a future that is done, and the result is dropped."""
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


def as_ordinary(error: BaseException, name: str) -> Exception:
    """An exception that a loop can carry: the error itself, or a `StageExecutionError` caused by it.

    SystemExit and KeyboardInterrupt would end the loop, StopIteration cannot be set on a future, and a CancelledError of the
    function's own would look like somebody else's wish.
    """
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    detail = f": {error}" if str(error) else ""
    ordinary = StageExecutionError(name, f"{name!r} raised {type(error).__name__}{detail}; a stage fails with an ordinary exception")
    ordinary.__cause__ = error
    return ordinary


class _Worker(threading.Thread):
    """A thread that runs one job after another until it has been idle for long enough."""

    def __init__(self, pool: DaemonThreads, number: int) -> None:
        super().__init__(name=f"treadle-{number}", daemon=True)
        self._pool = pool
        self.jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()

    def run(self) -> None:
        while True:
            try:
                job = self.jobs.get(timeout=self._pool.idle_seconds)
            except queue.Empty:
                if self._pool.retire(self):
                    return
                continue  # picked for a job between the timeout and the lock: it arrives now
            self.name = f"treadle-{job.name}"
            job.run()
            del job  # an idle thread must not keep the last result alive
            self._pool.make_idle(self)


class DaemonThreads:
    """A pool without an upper bound: how much runs at once is the engine's decision, not the pool's."""

    def __init__(self, idle_seconds: float = IDLE_SECONDS) -> None:
        self.idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._numbers = itertools.count(1)

    @property
    def idle_count(self) -> int:
        """How many threads wait for work."""
        with self._lock:
            return len(self._idle)

    def submit(self, job: _Job) -> None:
        """Hand the job to an idle thread, the latest to become idle first, or to a new one."""
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        if worker is None:
            worker = _Worker(self, next(self._numbers))
            worker.start()
        worker.jobs.put(job)

    def make_idle(self, worker: _Worker) -> None:
        """The worker has nothing to do."""
        with self._lock:
            self._idle.append(worker)

    def retire(self, worker: _Worker) -> bool:
        """Whether the worker may end: not when it was picked for a job a moment ago."""
        with self._lock:
            if worker not in self._idle:
                return False
            self._idle.remove(worker)
            return True

    def forget_threads(self) -> None:
        """In a forked child none of the parent's threads exist."""
        self._lock = threading.Lock()
        self._idle = []


_threads = DaemonThreads()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.forget_threads)


async def run_in_daemon_thread(function: Callable[[], T], *, name: str, threads: DaemonThreads = _threads) -> T:
    """What the function returns, run on a daemon thread with the caller's context variables.

    A cancelled waiter returns at once; the thread goes on and its result is dropped.

    Raises: what the function raised; a `StageExecutionError` caused by it when that was no ordinary exception.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    threads.submit(_Job(function, name, contextvars.copy_context(), loop, future))
    return await future
