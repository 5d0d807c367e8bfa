"""Other programs as stages: started with an argument list, never through a shell, in a process group that can be ended as one.

The group also ends when this process does, even by SIGKILL: see `runner/group_watch`.

Output goes to temporary files rather than pipes: a program that prints without end costs disk up to a bound and no memory, and one
that leaves children behind holding its output does not keep us waiting.
"""

from __future__ import annotations

import asyncio
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from treadle_tui.engine.errors import StageExecutionError
from treadle_tui.engine.record import Record
from treadle_tui.engine.runner.group_watch import GroupWatch
from treadle_tui.engine.runner.threads import run_in_daemon_thread

MAX_OUTPUT_BYTES = 16 * 1024 * 1024
"""What is kept of the standard output; a stage's output is a value to look at, not a file."""
MAX_DISK_BYTES = 1024 * 1024 * 1024
"""When a program has printed so much, it is ended."""
MAX_ERROR_BYTES = 4096
"""What is kept of the end of the error output: the last lines say what went wrong."""
GRACE_SECONDS = 1.0
"""How long an ended group may tidy up before it is killed."""
_WATCH_SECONDS = 2.0

_groups = GroupWatch()


class CommandResult(Record, frozen=True):
    """How a program ended, and what it printed."""

    command: str
    exit_code: int
    """Negative: the signal that ended it."""
    output: bytes
    """The first `MAX_OUTPUT_BYTES`."""
    left_out: int
    """How many bytes of output came after that."""
    error_output: str
    """The last lines."""

    @property
    def text(self) -> str:
        """The output as text; bytes that are no UTF-8 become replacement characters, and what was left out is told on a last line."""
        text = self.output.decode("utf-8", errors="replace")
        return f"{text}\n… {self.left_out} bytes more were left out" if self.left_out else text

    def failure(self) -> str:
        """Why it counts as failed, with its last words; empty when it ended well."""
        if self.exit_code == 0:
            return ""
        how = f"exited with {self.exit_code}" if self.exit_code > 0 else f"was ended by {_signal_name(-self.exit_code)}"
        words = self.error_output.strip()
        return f"command {self.command!r} {how}" + (f": {words}" if words else "")


async def run_command(arguments: Sequence[str], *, stage: str = "", standard_input: bytes = b"") -> CommandResult:
    """Run a program to its end. Cancelling ends its whole process group.

    Raises: `StageExecutionError` when it cannot be started, or printed beyond all bounds.
    """
    run = _Run(arguments, stage, standard_input)
    finished = asyncio.ensure_future(run_in_daemon_thread(run.to_the_end, name=arguments[0]))
    try:
        return await asyncio.shield(finished)
    except asyncio.CancelledError:
        run.end(signal.SIGTERM)
        try:
            await asyncio.wait([finished], timeout=GRACE_SECONDS)
        finally:
            run.end(_KILL)
            finished.add_done_callback(_forget)
        raise


def _forget(finished: asyncio.Future[CommandResult]) -> None:
    """The result nobody waits for any more, and an error nobody will read."""
    if not finished.cancelled():
        finished.exception()


_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


class _Run:
    """One program, seen from the thread that waits for it and from the loop that may end it."""

    def __init__(self, arguments: Sequence[str], stage: str, standard_input: bytes) -> None:
        self._arguments = list(arguments)
        self._stage = stage
        self._input = standard_input
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_unwanted = False

    def to_the_end(self) -> CommandResult:
        """Runs on a thread of its own."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            given.write(self._input)
            given.seek(0)
            process = self._start(given, output, errors)
            try:
                if not _wait(process, lambda: _size(output) + _size(errors) <= MAX_DISK_BYTES):
                    self.end(_KILL)
                    process.wait()
                    command = self._arguments[0]
                    raise StageExecutionError(self._stage, f"command {command!r} printed more than {MAX_DISK_BYTES} bytes and was ended")
            finally:
                _groups.is_over(process.pid)
            output.seek(0)
            return CommandResult(
                command=self._arguments[0],
                exit_code=process.returncode,
                output=output.read(MAX_OUTPUT_BYTES),
                left_out=max(0, _size(output) - MAX_OUTPUT_BYTES),
                error_output=_tail(errors),
            )

    def _start(self, given: IO[bytes], output: IO[bytes], errors: IO[bytes]) -> subprocess.Popen[bytes]:
        command = self._arguments[0]
        with self._lock:
            if self._is_unwanted:
                raise StageExecutionError(self._stage, f"command {command!r} was called off before it began")
            _refuse_batch_file(command, self._stage)
            _groups.stands_by()
            try:
                self._process = subprocess.Popen(self._arguments, stdin=given, stdout=output, stderr=errors, start_new_session=True)
            except FileNotFoundError as error:
                raise StageExecutionError(self._stage, f"command {command!r} was not found; install it, or give its full path") from error
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                raise StageExecutionError(self._stage, f"command {command!r} could not be started: {reason}") from error
            _groups.begins(self._process.pid)
            return self._process

    def end(self, number: int) -> None:
        """Send a signal to the program and all it started; one that has not begun will not."""
        with self._lock:
            self._is_unwanted = True
            if self._process is None:
                return
            try:
                if hasattr(os, "killpg"):
                    os.killpg(self._process.pid, number)
                else:
                    self._process.kill()
            except (ProcessLookupError, PermissionError):
                pass  # all of them have ended already


def _refuse_batch_file(command: str, stage: str, platform: str = sys.platform) -> None:
    """Windows hands a batch file to its shell, arguments and all: what an item says would be read as commands."""
    if platform != "win32" or Path(shutil.which(command) or command).suffix.lower() not in (".bat", ".cmd"):
        return
    raise StageExecutionError(
        stage,
        f"command {command!r} is a batch file, which Windows reads with a shell: what items say could run; name the program itself",
    )


def _wait(process: subprocess.Popen[bytes], is_bearable: Callable[[], bool]) -> bool:
    """Wait for the end; False when it stopped being bearable first."""
    if sys.platform == "linux":
        try:
            descriptor = os.pidfd_open(process.pid)
        except OSError:  # an old kernel, or out of descriptors
            return _look_again_and_again(process, is_bearable)
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            while not poll.poll(_WATCH_SECONDS * 1000):
                if not is_bearable():
                    return False
        finally:
            os.close(descriptor)
        process.wait()
        return True
    else:  # noqa: RET505 - mypy sees the platform it checks for, and nothing behind this
        return _look_again_and_again(process, is_bearable)


def _look_again_and_again(process: subprocess.Popen[bytes], is_bearable: Callable[[], bool]) -> bool:
    """Where the end of a process cannot be waited for together with a time, Python looks up to twenty times a second."""
    while True:
        try:
            process.wait(_WATCH_SECONDS)
        except subprocess.TimeoutExpired:
            if not is_bearable():
                return False
        else:
            return True


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def _tail(file: IO[bytes]) -> str:
    file.seek(max(0, _size(file) - MAX_ERROR_BYTES))
    return file.read(MAX_ERROR_BYTES).decode("utf-8", errors="replace").strip()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
