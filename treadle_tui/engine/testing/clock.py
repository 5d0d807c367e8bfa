"""Time that passes only when a test says so."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

T = TypeVar("T")

START = datetime(2024, 1, 1, tzinfo=UTC)
"""Where a `ManualClock` begins when it is not told: midnight, so that times in a failing test are read at a glance."""
SETTLING_TURNS = 3
"""Turns of the loop that `ManualClock.run` lets pass after somebody went to sleep, before it moves the time on."""

BUSY_SECONDS = 0.0005
"""How long, in real time, it then leaves an engine that waits for its store."""


class ManualClock:
    """A `Clock` for tests: `sleep` waits until `advance` has moved the time far enough. May be used from several threads."""

    def __init__(self, start: datetime = START) -> None:
        """`start`: an aware datetime. Raises ValueError for a naive one."""
        if start.tzinfo is None:
            raise ValueError(f"start={start!r} has no time zone; give an aware datetime, such as datetime(2024, 1, 1, tzinfo=UTC)")
        self._now = start.astimezone(UTC)
        self._sleepers: list[tuple[datetime, int, _Sleeper]] = []
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._bedtime: list[_Sleeper] = []
        self._busy: list[Callable[[], bool]] = []

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        return self._now

    @property
    def sleeping(self) -> int:
        """How many wait by this clock."""
        with self._lock:
            self._forget_the_gone()
            return len(self._sleepers)

    @property
    def next_due(self) -> datetime | None:
        """When the first of those who wait is due; None when nobody waits."""
        with self._lock:
            self._forget_the_gone()
            return self._sleepers[0][0] if self._sleepers else None

    def advance(self, seconds: float) -> None:
        """Move the time on, and wake whoever is due by then, earliest first. They run when the caller next lets the loop turn.

        A plain function, callable on the loop and from any other thread. Raises ValueError for less than no time.
        """
        if seconds < 0:
            raise ValueError(f"the time cannot be moved by {seconds!r} seconds; it only goes forward")
        with self._lock:
            self._now = _later(self._now, seconds)
            due = []
            while self._sleepers and self._sleepers[0][0] <= self._now:
                due.append(heapq.heappop(self._sleepers)[2])
        for sleeper in due:
            sleeper.wake()

    async def sleep(self, seconds: float) -> None:
        """Return once `advance` has moved the time on by `seconds`; at once for zero or less."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper = _Sleeper()
        with self._lock:
            heapq.heappush(self._sleepers, (_later(self._now, seconds), next(self._numbers), sleeper))
            watchers, self._bedtime = self._bedtime, []
        for watcher in watchers:
            watcher.wake()
        try:
            await sleeper.woken
        finally:
            sleeper.woken.cancel()

    def watch(self, is_busy: Callable[[], bool]) -> Callable[[], None]:
        """`run` does not move the time on while `is_busy()`; how to end that. An engine tells so that it waits for its store."""
        self._busy.append(is_busy)
        return lambda: self._busy.remove(is_busy)

    async def until_sleeping(self, count: int = 1, timeout: float = 10.0) -> None:
        """Return once at least `count` wait by this clock.

        Raises TimeoutError after `timeout` seconds of real time, so that a test that is wrong ends.
        """
        async with asyncio.timeout(timeout):
            while True:
                watcher = _Sleeper()
                with self._lock:
                    self._forget_the_gone()
                    if len(self._sleepers) >= count:
                        return
                    self._bedtime.append(watcher)
                await watcher.woken

    async def run(self, awaitable: Awaitable[T]) -> T:
        """What the awaitable gives, with the time moved on to the next sleeper whenever there is one.

        For programs that wait for nothing but this clock, such as an engine that waits out its retries. An attempt that has a
        timeout and waits for something real would find its time up at once; advance by hand there.
        """
        task = asyncio.ensure_future(awaitable)
        try:
            while not task.done():
                bedtime = asyncio.ensure_future(self.until_sleeping(timeout=3600))
                await asyncio.wait({task, bedtime}, return_when=asyncio.FIRST_COMPLETED)
                bedtime.cancel()
                for _ in range(SETTLING_TURNS):
                    await asyncio.sleep(0)
                if any(is_busy() for is_busy in self._busy):
                    await asyncio.sleep(BUSY_SECONDS)
                    continue
                due = self.next_due
                if due is not None and not task.done():
                    self.advance(max(0.0, (due - self._now).total_seconds()))
            return task.result()
        finally:
            task.cancel()

    def _forget_the_gone(self) -> None:
        """Those who were cancelled while they slept."""
        if any(sleeper.woken.done() for _, _, sleeper in self._sleepers):
            self._sleepers = [entry for entry in self._sleepers if not entry[2].woken.done()]
            heapq.heapify(self._sleepers)


class _Sleeper:
    """Somebody who waits, on the loop where they do."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.woken: asyncio.Future[None] = self._loop.create_future()

    def wake(self) -> None:
        """From any thread."""
        try:
            is_here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            is_here = False
        if is_here:
            self._set()
            return
        # A loop that has closed meanwhile has nobody to wake.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._set)

    def _set(self) -> None:
        if not self.woken.done():
            self.woken.set_result(None)


def _later(moment: datetime, seconds: float) -> datetime:
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
