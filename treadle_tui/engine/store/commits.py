"""Who is told of a commit: readers that wait for news, on any event loop of the process.

A store publishes the events of each commit here. Another process's commits are noticed by the store itself, which then only says
that there is something newer.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from treadle_tui.engine.events import Event
from treadle_tui.engine.store.rows import StoredEvent

Listener = Callable[[Sequence[Event]], None]


class _Listening(msgspec.Struct):
    owner: object
    listener: Listener
    wants: Callable[[], bool]
    asked: int = 0


class DecodesEvents(Protocol):
    """The part of a store that makes events of rows."""

    def decode_events(self, raw: Sequence[StoredEvent]) -> list[Event]:
        """The events of stored rows, in order."""
        ...


class CommitNews:
    """Wakes those who wait for a newer `seq`, and hands the events of this process's commits to listeners."""

    def __init__(self, store: DecodesEvents) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._rung: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._listeners: dict[int, _Listening] = {}
        self.last_seq = 0
        """The newest `seq` this process knows of."""

    def publish(self, told: Sequence[StoredEvent], rings: bool = True) -> None:
        """This process has committed these events; called from whatever thread committed, in commit order.

        `rings`: whether they may have given an engine something to do.
        """
        listening = [each for each in list(self._listeners.values()) if each.wants()]
        if listening:
            events = self._store.decode_events(told)
            for each in listening:
                each.listener(events)
        self.wake(told[-1][0], rings)

    def wake(self, seq: int, rings: bool = True) -> None:
        """There are events up to `seq`."""
        with self._lock:
            self.last_seq = max(self.last_seq, seq)
            waiters, self._waiters = self._waiters, []
            rung = list(self._rung) if rings else []
        here = asyncio._get_running_loop()
        for loop, flag in waiters + rung:
            if loop is here:
                flag.set()
                continue
            # A loop that has closed meanwhile needs no waking.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(flag.set)

    async def wait_beyond(self, since: int, timeout: float) -> None:
        """Until there is an event after `since`, or the time is up, or the store closes."""
        flag = asyncio.Event()
        entry = (asyncio.get_running_loop(), flag)
        with self._lock:
            if self.last_seq > since:
                return
            self._waiters.append(entry)
        try:
            async with asyncio.timeout(timeout):
                await flag.wait()
        except TimeoutError:
            return
        finally:
            with self._lock, contextlib.suppress(ValueError):
                self._waiters.remove(entry)

    def ring(self, loop: asyncio.AbstractEventLoop, flag: asyncio.Event) -> Callable[[], None]:
        """Set `flag` on its loop after every commit that told something, this process's or another's; how to stop that."""
        entry = (loop, flag)
        with self._lock:
            self._rung.append(entry)

        def stop() -> None:
            with self._lock, contextlib.suppress(ValueError):
                self._rung.remove(entry)

        return stop

    @property
    def is_awaited(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiters or self._rung)

    def listen(self, owner: object, listener: Listener, wants: Callable[[], bool]) -> Callable[[], None]:
        """Call `listener`, while `wants()`, with the events of every commit of this process, from the committing thread; how to stop.

        Once for each `owner`, however many ask for it, until all of them have stopped: two engines on one store must not tell a
        workflow's subscribers everything twice.
        """
        with self._lock:
            listening = self._listeners.setdefault(id(owner), _Listening(owner, listener, wants))
            listening.asked += 1

        def stop() -> None:
            with self._lock:
                listening.asked -= 1
                if listening.asked == 0:
                    self._listeners.pop(id(owner), None)

        return stop

    def close(self) -> None:
        """Let everybody go who waits."""
        self.wake(self.last_seq)
