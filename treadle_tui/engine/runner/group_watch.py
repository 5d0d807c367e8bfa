"""Sees to it that programs started by stages do not outlive this process, however it ends: also by SIGKILL.

A process of its own, started with the first program, reads from a pipe which process groups are at work. The pipe ends when this process
does, and then it kills them. So nothing runs beside the next attempt of its stage, nothing is asked of the programs, and nothing depends
on the thread that started one (Linux's PR_SET_PDEATHSIG does, and knows one process only, not what that has started).

This file is also what that process runs, by its path and without `site`: above its last function only what is quick to import.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

LOOK_SECONDS = 1.0
"""How often it is asked, while a group is at work, whether the parent is still the parent: a fork of it may hold the pipe open."""


class GroupWatch:
    """This process's end of it. May be told of groups from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._parent = 0

    def stands_by(self) -> None:
        """A group is about to begin: what watches it must not have to be started first, when every instant counts."""
        with self._lock:
            if self._parent != os.getpid():  # this process is a fork: what its parent started is not its own
                self._groups, self._process, self._parent = set(), None, os.getpid()
            if (self._process is None or self._process.poll() is not None) and is_possible():
                self._start()
                self._tell("".join(f"+{each}\n" for each in sorted(self._groups)))

    def begins(self, group: int) -> None:
        """A group has begun, and is to end with this process."""
        with self._lock:
            self._groups.add(group)
            self._tell(f"+{group}\n")

    def is_over(self, group: int) -> None:
        """Its first process has ended: what it has left behind on purpose is left alone."""
        with self._lock:
            if group in self._groups:
                self._groups.discard(group)
                self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        pipe = None if self._process is None else self._process.stdin
        if pipe is not None:
            with contextlib.suppress(OSError, ValueError):  # it has ended; the next one will be told
                os.write(pipe.fileno(), line.encode())

    def _start(self) -> None:
        import atexit
        import subprocess

        if self._process is None:
            atexit.register(self._end)
        else:
            _let_go(self._process)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:
            import logging

            logging.getLogger("treadle.engine").warning("programs of stages would outlive this process if it were killed", exc_info=True)

    def _end(self) -> None:
        """This process ends in order, and whatever it still runs ends with it."""
        if self._process is not None and self._parent == os.getpid():
            _let_go(self._process)


def _let_go(process: subprocess.Popen[bytes]) -> None:
    pipe: IO[bytes] | None = process.stdin
    if pipe is not None:
        pipe.close()
    process.wait()


def is_possible() -> bool:
    """Whether this system has process groups, and an interpreter that can run this file."""
    return hasattr(os, "killpg") and not getattr(sys, "frozen", False) and bool(sys.executable) and os.path.exists(__file__)


def watch(parent: int) -> set[int]:
    """Read from standard input which groups are at work, until the parent is gone; those that were then."""
    groups: set[int] = set()
    rest = b""
    while True:
        ready, _, _ = select.select([0], [], [], LOOK_SECONDS if groups else None)
        if not ready and os.getppid() == parent:
            continue
        data = os.read(0, 4096) if ready else b""
        if not data:
            return groups
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            (groups.add if line.startswith(b"+") else groups.discard)(int(line[1:]))


def kill_all(groups: set[int]) -> None:
    """End every process of these groups."""
    if sys.platform == "win32":
        return
    else:  # noqa: RET505 - mypy sees the platform it checks for, and nothing behind this
        for group in groups:
            try:
                os.killpg(group, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue


if __name__ == "__main__":
    kill_all(watch(int(sys.argv[1])))
