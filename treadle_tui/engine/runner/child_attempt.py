"""What the code of an attempt may ask for in a process of its own: served over the channel, and ended with the engine."""

from __future__ import annotations

import asyncio
import functools
import inspect
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from treadle_tui.engine.functions import call_function
from treadle_tui.engine.items import OutputType
from treadle_tui.engine.runner.channel import Channel, printed_streams
from treadle_tui.engine.runner.crossing import (
    Answer,
    Cancel,
    Compute,
    Computed,
    FromChild,
    FromEngine,
    Log,
    MemoAsked,
    Progress,
    SleepAsked,
)
from treadle_tui.engine.runner.raised import rebuild

POLITE_SECONDS = 0.5
"""How long code is given to heed `ctx.cancelled`, or the cancellation of its coroutine, before SIGTERM."""
KILL_SECONDS = 5.0
"""And then to heed SIGTERM, before SIGKILL."""
NOTE_SECONDS = 0.05
"""Progress and log lines leave the process at most so often; the engine writes them down five times a second."""


class Notes:
    """Progress and log lines on their way out: a few messages a second, whatever the code tells."""

    def __init__(self, send: Callable[[FromChild], None]) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._lines: list[str] = []
        self._sent_at = 0.0
        self._is_planned = False

    def progress(self, fraction: float, message: str) -> None:
        """Keep the latest."""
        with self._lock:
            self._progress = Progress(float(fraction), str(message))
        self._send_soon()

    def log(self, message: str) -> None:
        """Keep every line."""
        with self._lock:
            self._lines.append(str(message))
        self._send_soon()

    def _send_soon(self) -> None:
        if time.monotonic() - self._sent_at >= NOTE_SECONDS:
            self.flush()
            return
        with self._lock:
            if self._is_planned:
                return
            self._is_planned = True
        later = threading.Timer(NOTE_SECONDS, self._flush_planned)
        later.daemon = True
        later.start()

    def _flush_planned(self) -> None:
        self._is_planned = False
        self.flush()

    def flush(self) -> None:
        """Send what there is."""
        with self._lock:
            progress, lines = self._progress, self._lines
            self._progress, self._lines = None, []
            self._sent_at = time.monotonic()
            if progress is not None:
                self._send(progress)
            if lines:
                self._send(Log("\n".join(lines)))


class Attempt:
    """Serves the `StageContext` of this process's only attempt, over the channel."""

    def __init__(self, channel: Channel) -> None:
        self.is_cancelled = False
        """Whether the attempt is wanted no longer."""
        self.is_over = False
        """Whether its answer has been sent."""
        self._channel = channel
        self._notes = Notes(channel.send)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, tuple[asyncio.AbstractEventLoop, asyncio.Future[Compute | Answer]]] = {}
        self._task: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None

    # --- what code asks for -----------------------------------------------------------------------------------------

    def progress(self, fraction: float, message: str) -> None:
        """Tell how far the attempt is."""
        self._notes.progress(fraction, message)

    def log(self, message: str) -> None:
        """Tell one line."""
        self._notes.log(message)

    async def sleep(self, seconds: float) -> None:
        """Return when the engine's clock says so."""
        number = next(self._numbers)
        await self._asked(number, SleepAsked(number, float(seconds)))

    async def memo(self, key: str, fn: Callable[[], Any]) -> Any:
        """The recorded result of `fn`, which runs here when there is none yet."""
        number = next(self._numbers)
        answer = await self._asked(number, MemoAsked(number, key))
        if isinstance(answer, Compute):
            try:
                value = await call_function(fn, inspect.iscoroutinefunction(fn), f"memo {key!r}")
                computed = msgspec.Raw(OutputType().encode(value))
            except BaseException:
                self._channel.send(Computed(number, has_raised=True))
                raise
            answer = await self._asked(number, Computed(number, computed))
        assert isinstance(answer, Answer)
        if answer.error is not None:
            raise rebuild(answer.error, "memo")
        return msgspec.json.decode(answer.value)

    async def _asked(self, number: int, message: FromChild) -> Compute | Answer:
        loop = asyncio.get_running_loop()
        self._waiting[number] = loop, loop.create_future()
        self._channel.send(message)
        return await self._waiting[number][1]

    # --- the listening thread ---------------------------------------------------------------------------------------

    def listen(self, messages: Iterator[FromEngine]) -> None:
        """Pass on what the engine says. When it is gone, this process must not outlive it."""
        for message in messages:
            if isinstance(message, (Compute, Answer)):
                loop, future = self._waiting[message.number]
                _on_loop(loop, functools.partial(_deliver, future, message))
            elif isinstance(message, Cancel):
                self.cancel()
        if not self.is_over:
            self.cancel()
            time.sleep(POLITE_SECONDS)
            _signal_group("SIGTERM")
        time.sleep(KILL_SECONDS)
        _signal_group("SIGKILL")

    def cancel(self) -> None:
        """Ask the code to stop."""
        self.is_cancelled = True
        if self._task is not None:
            loop, task = self._task
            _on_loop(loop, task.cancel)

    # --- running ----------------------------------------------------------------------------------------------------

    async def run(self, call: Callable[[], Any]) -> Any:
        """What an awaitable gives, in a task that can be cancelled."""
        task = asyncio.current_task()
        assert task is not None
        self._task = asyncio.get_running_loop(), task
        try:
            return await call()
        finally:
            self._task = None

    def end(self, answer: FromChild) -> None:
        """The last words: what was told comes before the answer."""
        for stream in printed_streams():
            try:
                stream.flush()
            except (OSError, ValueError):  # the code may have closed it
                pass
        self._notes.flush()
        self.is_over = True
        self._channel.send(answer)


def _on_loop(loop: asyncio.AbstractEventLoop, function: Callable[[], Any]) -> None:
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:
        pass  # the loop has closed: the code has ended


def _deliver(future: asyncio.Future[Compute | Answer], message: Compute | Answer) -> None:
    if not future.done():
        future.set_result(message)


def _signal_group(name: str) -> None:
    """A signal to everything this attempt has started, and to itself."""
    if sys.platform == "win32":
        os._exit(1)
    elif os.getpgrp() == os.getpid():
        os.killpg(0, signal.Signals[name])
    else:
        os.kill(os.getpid(), signal.Signals[name])
