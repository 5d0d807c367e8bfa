"""The process of one attempt: finds the stage, runs it, tells what came of it, and ends. Started by `process`.

The engine speaks on what was stdin and stdout. Before any code of a user's runs, both are moved away: stdin becomes empty and stdout
goes where stderr goes, so that a `print` is a line of the attempt's log and never part of the conversation. A plain function runs
on the main thread, an async one on a loop there; a thread listens to the engine, and ends everything when the engine is gone.
"""

from __future__ import annotations

import asyncio
import faulthandler
import functools
import inspect
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

import msgspec

from treadle_tui.engine.errors import StageExecutionError
from treadle_tui.engine.functions import call_function, is_async_callable
from treadle_tui.engine.items import OutputType
from treadle_tui.engine.outcomes import StageOutcome
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
    Request,
    SleepAsked,
    context_from_json,
    decode_from_engine,
    done,
    encode_message,
)
from treadle_tui.engine.runner.finding import find_workflow, main_module_name
from treadle_tui.engine.runner.raised import describe, rebuild
from treadle_tui.engine.runner.threads import as_ordinary
from treadle_tui.engine.stage import Stage, StageContext
from treadle_tui.engine.stage_definition import FunctionStage, ObjectStage, StageDefinition, as_outcome
from treadle_tui.engine.store.results import Work

POLITE_SECONDS = 0.5
"""How long code is given to heed `ctx.cancelled`, or the cancellation of its coroutine, before SIGTERM."""
KILL_SECONDS = 5.0
"""And then to heed SIGTERM, before SIGKILL."""
NOTE_SECONDS = 0.05
"""Progress and log lines leave the process at most so often; the engine writes them down five times a second."""


class Terminated(BaseException):
    """SIGTERM arrived: unwinds the main thread, so that `finally` is heeded."""


class Channel:
    """The conversation with the engine."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._lock = threading.Lock()

    @classmethod
    def take_over(cls) -> Channel:
        """Move stdin and stdout out of the way of a user's code."""
        channel = cls(os.dup(0), os.dup(1))
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        for stream in _streams():
            stream.reconfigure(line_buffering=True)  # type: ignore[attr-defined]
        return channel

    def send(self, message: FromChild) -> None:
        """One line, whole. An engine that is gone needs none: whoever listens for it ends the process."""
        data = memoryview(encode_message(message))
        try:
            with self._lock:
                while data:
                    data = data[os.write(self._outgoing, data) :]
        except BrokenPipeError:
            pass

    def messages(self) -> Iterator[FromEngine]:
        """What the engine says, until it is gone."""
        parts: list[bytes] = []
        while chunk := os.read(self._incoming, 1 << 16):
            *ends, rest = chunk.split(b"\n")
            for end in ends:
                yield decode_from_engine(b"".join([*parts, end]))
                parts = []
            parts.append(rest)


def _streams() -> list[TextIO]:
    return [stream for stream in (sys.stdout, sys.stderr) if stream is not None]


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
        for stream in _streams():
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


class Caller:
    """Calls a user's code: plain functions right here on the main thread, async ones on one loop for the whole attempt."""

    def __init__(self, attempt: Attempt, runner: asyncio.Runner) -> None:
        self._attempt = attempt
        self._runner = runner

    def call(self, bound: Callable[[], Any], is_async: bool) -> Any:
        """What a bound call gives."""
        if is_async:
            return self._runner.run(self._attempt.run(bound))
        result = bound()
        return self._runner.run(self._attempt.run(lambda: result)) if inspect.isawaitable(result) else result

    def method(self, owner: Any, name: str, *arguments: Any) -> Any:
        """What a method gives; None when there is none of that name."""
        method = getattr(owner, name, None)
        return None if method is None else self.call(functools.partial(method, *arguments), is_async_callable(method))

    def stage(self, stage: Stage, item: Any, ctx: StageContext) -> StageOutcome:
        """The outcome of a stage, or of one of its subtasks, hooks included."""
        if type(stage) is FunctionStage:
            available = {**ctx.upstream, "item": item, "ctx": ctx, "subtask": ctx.subtask}
            return as_outcome(self.call(stage.function.bind(available), stage.function.is_async))
        owner = stage.wrapped if isinstance(stage, ObjectStage) else stage
        self.method(owner, "before_execute", item, ctx)
        outcome = as_outcome(self.method(owner, "execute", item, ctx))
        self.method(owner, "after_execute", item, ctx, outcome)
        return outcome

    def reduce(self, definition: StageDefinition, item: Any, ctx: StageContext, results: dict[str, Any]) -> StageOutcome:
        """The outcome of joining what subtasks gave."""
        assert definition.reduce is not None
        available = {**ctx.upstream, "item": item, "ctx": ctx, "results": results}
        return as_outcome(self.call(definition.reduce.bind(available), definition.reduce.is_async))


def answer_to(request: Request, attempt: Attempt, caller: Caller) -> FromChild:
    """What to tell the engine in the end."""
    try:
        definition, item = _found(request)
        ctx = context_from_json(request.context, attempt, attempt.sleep)
        if request.work is Work.REDUCE:
            return done(caller.reduce(definition, item, ctx, request.results), ctx)
        each = definition.each
        stage = each.stage if request.work is Work.SUBTASK and each is not None else definition.stage
        return done(caller.stage(stage, item, ctx), ctx)
    except Terminated:
        raise
    except BaseException as error:  # whatever a user's code raises is told
        if attempt.is_cancelled and isinstance(error, asyncio.CancelledError):
            raise Terminated from error
        return describe(as_ordinary(error, request.stage), main_module_name(request.package))


def _found(request: Request) -> tuple[StageDefinition, Any]:
    """The stage and the item. Raises: `StageExecutionError` when the workflow's file cannot be loaded."""
    try:
        workflow = find_workflow(request.module, request.file, request.package, request.workflow)
    except Terminated:
        raise
    except BaseException as error:  # a file may raise anything when it is run, SystemExit too
        words = str(error) if isinstance(error, StageExecutionError) else f"{type(error).__name__}: {error}"
        raise StageExecutionError(
            request.stage, f"the workflow could not be loaded from {request.file or request.module} in a process of its own: {words}"
        ) from error
    return workflow.definition(request.stage), workflow.item_type.decode(bytes(request.item))


def _on_terminate(*_: object) -> None:
    raise Terminated


def main() -> None:
    """Run the one attempt that the engine asks for."""
    channel = Channel.take_over()
    faulthandler.enable()
    messages = channel.messages()
    request = next(messages, None)
    if not isinstance(request, Request):
        return  # the engine was gone before it had asked
    sys.argv[:] = request.arguments
    attempt = Attempt(channel)
    try:
        signal.signal(signal.SIGTERM, _on_terminate)
        threading.Thread(target=attempt.listen, args=(messages,), name="treadle-engine", daemon=True).start()
        with asyncio.Runner() as runner:
            attempt.end(answer_to(request, attempt, Caller(attempt, runner)))
    except Terminated:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
