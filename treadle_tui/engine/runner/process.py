"""Stage code in a process of its own (`isolation="process"`): started anew for every attempt, never forked, without the terminal.

Such code can be stopped, may crash without harm to the engine, and holds up nobody. The child (`child`) has a session of its own,
so that a Ctrl+C at the terminal is the engine's affair; what it prints becomes lines of the attempt's log. It is asked to stop first,
then told by SIGTERM, then ended by SIGKILL, each time together with everything it has started.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Coroutine
from typing import Any

import msgspec

from treadle_tui.engine.errors import StageExecutionError
from treadle_tui.engine.json_values import convert_plain, encode_json
from treadle_tui.engine.outcomes import Completed, NeedsReview, StageOutcome
from treadle_tui.engine.runner.child_attempt import KILL_SECONDS, POLITE_SECONDS
from treadle_tui.engine.runner.crossing import (
    Answer,
    Cancel,
    Compute,
    Computed,
    Done,
    FromChild,
    FromEngine,
    Log,
    MemoAsked,
    Progress,
    Request,
    SleepAsked,
    context_to_json,
    decode_from_child,
    encode_message,
    item_to_json,
    outcome_of,
)
from treadle_tui.engine.runner.finding import refuse_while_loading
from treadle_tui.engine.runner.printed import Lines, PrintedOutput
from treadle_tui.engine.runner.protocol import StageCall
from treadle_tui.engine.runner.raised import Raised, describe, rebuild
from treadle_tui.engine.store.results import Work

EXIT_SECONDS = 1.0
"""How long a child that has answered may take to leave before it is made to; what it still prints is waited for."""
DRAIN_SECONDS = 0.2
"""How long the pipes of a child that has ended are read on, when something it started keeps them open."""
LOOK_SECONDS = 0.02
"""How often it is looked whether everything a child has started is gone."""

_PATH = "TREADLE_CHILD_PATH"
_START = (
    f"import os, sys; sys.path[:] = os.environ.pop({_PATH!r}).split(os.pathsep); from treadle_tui.engine.runner.child import main; main()"
)
"""As `-m treadle_tui.engine.runner.child`, with the engine's own search path: neither the current directory nor an environment
variable that a user's own programs would inherit decides what is imported."""

_endings: set[asyncio.Task[None]] = set()
_alive: set[asyncio.Future[None]] = set()
"""What tells that a child is over, for every child that is not."""
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
"""The system has room for one more process once another has ended: its limit is no failure of the stage."""


async def run_in_process(call: StageCall) -> StageOutcome:
    """What the stage answers in a process of its own. Raises what it raised; a process that dies is a `StageExecutionError`."""
    refuse_while_loading()
    child = _Child(call)
    await child.start()
    try:
        answer = await child.answer
    except BaseException:
        ending = _in_background(child.end())
        # Whoever cancels waits until the code has stopped; a second time, no longer.
        await asyncio.shield(ending)
        raise
    await child.leave()
    if isinstance(answer, Raised):
        raise rebuild(answer, call.definition.name)
    return _with_type(outcome_of(answer, call.ctx), call)


async def all_ended() -> None:
    """Return once every process of this loop whose attempt is over has ended."""
    loop = asyncio.get_running_loop()
    ours = {task for task in _endings if task.get_loop() is loop}
    if ours:
        await asyncio.wait(ours)


def _in_background(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    task = asyncio.get_running_loop().create_task(work, name="treadle process end")
    _endings.add(task)
    task.add_done_callback(_endings.discard)
    return task


def _with_type(outcome: StageOutcome, call: StageCall) -> StageOutcome:
    """An output as the object its annotation promises, as gates would see it without isolation; what does not fit is judged later."""
    each = call.definition.each
    declared = call.definition.output if call.work is not Work.SUBTASK else each.output if each is not None else None
    if declared is None or declared.annotation is None or not isinstance(outcome, (Completed, NeedsReview)):
        return outcome
    try:
        output = convert_plain(outcome.output, declared.annotation)
    except Exception:  # the annotation's own classes may raise anything; the check of the output says it better
        return outcome
    if isinstance(outcome, Completed):
        return Completed(output, outcome.summary)
    return NeedsReview(output, outcome.data, outcome.summary)


def _request(call: StageCall) -> Request:
    module, file = call.origin
    main = sys.modules.get("__main__")
    return Request(
        module=module,
        file=file,
        package=(getattr(main, "__package__", None) or "") if module == "__main__" else "",
        workflow=call.workflow,
        stage=call.definition.name,
        work=call.work,
        item=item_to_json(call.item),
        context=context_to_json(call.ctx),
        results=dict(call.results),
        arguments=list(sys.argv),
    )


def _start_options() -> dict[str, Any]:
    """A session of its own, or what comes nearest."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    else:  # noqa: RET505 - mypy sees the platform it checks for, and nothing behind this
        return {"start_new_session": True}


class _Child(asyncio.SubprocessProtocol):
    """The engine's end of one child process."""

    def __init__(self, call: StageCall) -> None:
        loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[Done | Raised] = loop.create_future()
        self._call = call
        self._loop = loop
        self._exited = loop.create_future()
        self._closed: asyncio.Future[None] = loop.create_future()
        self._open_pipes = {1, 2}
        self._messages = Lines(self._take)
        self._output = PrintedOutput(call.ctx.log)
        self._computed: dict[int, asyncio.Future[bytes | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: Any = None

    # --- its life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the process and ask for the attempt."""
        request = encode_message(_request(self._call))
        # As `multiprocessing` does: -O, -W, -X … hold for the children too.
        flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        environment = {**os.environ, _PATH: os.pathsep.join(sys.path)}
        command = [sys.executable, *flags, "-c", _START]
        try:
            while not await self._has_begun(command, environment):
                pass
        except OSError as error:
            raise StageExecutionError(self._call.definition.name, f"no process could be started: {error}") from error
        self._write(request)

    async def _has_begun(self, command: list[str], environment: dict[str, str]) -> bool:
        """Start the process; False once there may be room for it, when another has ended. Raises OSError when there never will be."""
        others = {each for each in _alive if each.get_loop() is self._loop}
        ended: asyncio.Future[None] = self._loop.create_future()
        _alive.add(ended)

        def is_over(*_: Any) -> None:
            _alive.discard(ended)
            _resolve(ended)

        try:
            await self._loop.subprocess_exec(lambda: self, *command, env=environment, **_start_options())
        except BaseException as error:
            is_over()
            if not (isinstance(error, OSError) and error.errno in _NO_ROOM and others):
                raise
            await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
            return False
        self._closed.add_done_callback(is_over)
        return True

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        (self._messages if fd == 1 else self._output).feed(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._open_pipes.discard(fd)
        self._close_when_all_is_read()

    def process_exited(self) -> None:
        _resolve(self._exited)
        self._loop.call_later(DRAIN_SECONDS, self._close)
        self._close_when_all_is_read()

    def _close_when_all_is_read(self) -> None:
        if self._exited.done() and not self._open_pipes:
            self._close()

    def _close(self) -> None:
        """It has ended, and all it said has been read."""
        if self._closed.done():
            return
        self._messages.end()
        self._output.end()
        if not self.answer.done():
            self.answer.set_exception(StageExecutionError(self._call.definition.name, self._epitaph()))
            self._kill_group(signal.SIGTERM)
        for task in self._tasks:
            task.cancel()
        self._transport.close()
        _resolve(self._closed)

    def _epitaph(self) -> str:
        code = self._transport.get_returncode()
        name = self._call.definition.name
        if code is not None and code < 0:
            return f"the process of stage {name!r} was ended by {_signal_name(-code)}; nothing else was harmed"
        return f"the process of stage {name!r} ended with exit code {code} before it had answered; nothing else was harmed"

    async def leave(self) -> None:
        """It has answered: let it go, and wait a moment for what it still prints."""
        self._hang_up()
        await asyncio.wait({self._closed}, timeout=EXIT_SECONDS)
        if not self._closed.done():
            _in_background(self.end())

    async def end(self) -> None:
        """Stop it and all it has started: by asking, by SIGTERM, by SIGKILL."""
        self._write(encode_message(Cancel()))
        await asyncio.wait({self._exited}, timeout=POLITE_SECONDS)
        self._kill_group(signal.SIGTERM)
        if not await self._is_gone(KILL_SECONDS):
            self._kill_group(getattr(signal, "SIGKILL", signal.SIGTERM))
        self._hang_up()
        await self._closed

    async def _is_gone(self, seconds: float) -> bool:
        """Whether it and all it has started end within that time."""
        give_up = self._loop.time() + seconds
        while not self._exited.done() or self._kill_group(0):
            if self._loop.time() >= give_up:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True

    def _kill_group(self, number: int) -> bool:
        """Signal the process and all it has started; whether there was anything to signal (0 only looks)."""
        try:
            if hasattr(os, "killpg"):
                os.killpg(self._transport.get_pid(), number)
            elif self._exited.done():
                return False
            elif number:
                self._transport.kill()
        except (ProcessLookupError, PermissionError):
            return False
        return True

    # --- the conversation -------------------------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        pipe = self._transport.get_pipe_transport(0)
        if pipe is not None and not pipe.is_closing():
            pipe.write(data)

    def _say(self, message: FromEngine) -> None:
        self._write(encode_message(message))

    def _hang_up(self) -> None:
        pipe = self._transport.get_pipe_transport(0)
        if pipe is not None:
            pipe.close()

    def _take(self, line: bytes) -> None:
        """One line from the child. What is no message was printed before stdout was moved away."""
        try:
            message = decode_from_child(line)
        except msgspec.MsgspecError:
            self._output.feed(line + b"\n")
            return
        self._heed(message)

    def _heed(self, message: FromChild) -> None:
        match message:
            case Progress(fraction, text):
                self._call.ctx.progress(fraction, text)
            case Log(text):
                self._call.ctx.log(text)
            case MemoAsked(number, key):
                self._serve(number, self._memo(number, key))
            case SleepAsked(number, seconds):
                self._serve(number, self._sleep(seconds))
            case Computed(number, value, has_raised):
                _resolve(self._computed.pop(number), None if has_raised else bytes(value))
            case Done() | Raised():
                _resolve(self.answer, message)

    def _serve(self, number: int, work: Coroutine[Any, Any, bytes | None]) -> None:
        task = self._loop.create_task(self._answered(number, work), name="treadle process request")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answered(self, number: int, work: Coroutine[Any, Any, bytes | None]) -> None:
        try:
            value = await work
        except _RaisedThere:
            return
        except Exception as error:  # the store's refusal, or the clock's: the code that asked is told
            self._say(Answer(number, error=describe(error)))
        else:
            self._say(Answer(number, msgspec.Raw(value or b"null")))

    async def _sleep(self, seconds: float) -> None:
        await self._call.ctx.sleep(seconds)

    async def _memo(self, number: int, key: Any) -> bytes:
        value = await self._call.ctx.memo(key, functools.partial(self._compute, number))
        return encode_json(value, "the memo")

    async def _compute(self, number: int) -> Any:
        """What the memo's function gives, in the child."""
        self._computed[number] = computed = self._loop.create_future()
        self._say(Compute(number))
        value = await computed
        if value is None:
            raise _RaisedThere
        return msgspec.json.decode(value)


class _RaisedThere(Exception):
    """The function of a memo raised in the child, where the code that called it knows."""


def _resolve(future: asyncio.Future[Any], result: Any = None) -> None:
    if not future.done():
        future.set_result(result)


def _signal_name(number: int) -> str:
    try:
        return f"{signal.Signals(number).name} (signal {number})"
    except ValueError:
        return f"signal {number}"
