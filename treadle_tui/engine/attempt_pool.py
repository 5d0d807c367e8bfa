"""Runs claimed attempts on the event loop, many in one task for as long as none of them waits.

An attempt that never waits costs no task of its own. One that does keeps its task to itself: another takes over the queue before the
loop turns again, so attempts run side by side exactly as if each had a task.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextvars import Context, copy_context
from time import perf_counter

from treadle_tui.engine.running import RunningAttempt
from treadle_tui.engine.store.results import Result

SLICE_SECONDS = 0.001
"""How long attempts that never wait may keep the loop from turning, beyond the last of them."""


class AttemptPool:
    """The attempts of one drive of an engine. Belongs to one event loop."""

    def __init__(
        self,
        run: Callable[[RunningAttempt], Awaitable[Result]],
        ended: Callable[[RunningAttempt, Result], None],
    ) -> None:
        """`run` never raises; it answers a cancellation with a result too. `ended` is told of every attempt that was begun."""
        self._run = run
        self._ended = ended
        self._context = copy_context()
        """That of the drive: every task begins with it, whoever's context the pool is called in."""
        self._queue: deque[RunningAttempt] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_work: asyncio.Task[None] | None = None
        """The task that takes from the queue."""
        self._next: asyncio.Task[None] | None = None
        """The one that takes over when that one waits, is through with its slice, or has spoilt its context."""
        self.is_open = True
        """Whether it takes on more."""

    def add(self, attempts: Iterable[RunningAttempt]) -> None:
        """Run these as well."""
        for attempt in attempts:
            attempt.pool = self
            self._queue.append(attempt)
        self._have_next()

    def _have_next(self) -> None:
        if self._next is None and self._queue:
            self._next = asyncio.create_task(self._work(), name="treadle attempts", context=self._context.copy())
            self._tasks.add(self._next)
            self._next.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        me = self._at_work = self._next
        assert me is not None
        self._next = None
        self._have_next()
        context, until = copy_context(), perf_counter() + SLICE_SECONDS
        while self._queue and self._at_work is me:
            attempt = self._queue.popleft()
            attempt.task = me
            result = await self._run(attempt)
            attempt.task = None  # it has ended: nobody need interrupt it any more
            self._ended(attempt, result)
            # What a stage leaves behind in its task (a context variable, a cancellation) must not reach another stage.
            if perf_counter() >= until or me.cancelling() or _has_changed(context):
                break
        if self._at_work is me:
            self._at_work = None
        self._have_next()

    async def stop(self, seconds: float) -> list[RunningAttempt]:
        """Interrupt what runs, wait so long for code that does not heed it; the attempts that were never begun."""
        self.is_open = False
        never_begun = list(self._queue)
        self._queue.clear()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        return never_begun


def _has_changed(context: Context) -> bool:
    """Whether a stage has left a context variable set; also when its value cannot be compared, as an array cannot."""
    try:
        return copy_context() != context
    except Exception:
        return True
