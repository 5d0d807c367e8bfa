"""Bytes out of a child process's pipes, as lines: of its conversation, or of what its code prints."""

from __future__ import annotations

from collections.abc import Callable

MAX_OUTPUT = 128 * 1024
"""Bytes of what a child prints that become log lines; beyond that only the end does."""
KEPT_TAIL = 4 * 1024
"""Bytes of that end."""
MAX_LINE = 2000
"""Bytes of one line; a longer one becomes several."""


class Lines:
    """Bytes in any portions, as whole lines."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """More bytes."""
        *ends, rest = data.split(b"\n")
        for end in ends:
            self._take(b"".join([*self._parts, end]))
            self._parts = []
        if rest:
            self._parts.append(rest)

    def end(self) -> None:
        """No more will come: what there is without a line break is a line too."""
        rest, self._parts = b"".join(self._parts), []
        if rest:
            self._take(rest)


class PrintedOutput:
    """What a child prints, as lines of the attempt's log: the beginning as it comes, of very much more only the end."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._rest = b""
        self._room = MAX_OUTPUT
        self._tail = b""
        self._left_out = 0

    def feed(self, data: bytes) -> None:
        """More bytes."""
        shown, beyond = data[: self._room], data[self._room :]
        self._room -= len(shown)
        if shown:
            *lines, self._rest = (self._rest + shown).split(b"\n")
            for line in lines:
                self._tell(line)
            while len(self._rest) > MAX_LINE:
                self._tell(self._rest[:MAX_LINE])
                self._rest = self._rest[MAX_LINE:]
        if beyond:
            kept = self._tail + beyond
            self._left_out += max(0, len(kept) - KEPT_TAIL)
            self._tail = kept[-KEPT_TAIL:]

    def _tell(self, line: bytes) -> None:
        for start in range(0, len(line), MAX_LINE):
            self._log(line[start : start + MAX_LINE].decode("utf-8", "replace").rstrip("\r"))

    def end(self) -> None:
        """The process has ended."""
        if self._left_out:
            self._tell(self._rest)
            self._log(f"… {self._left_out} bytes of output are left out here")
            self._rest = b""
        for line in (self._rest + self._tail).split(b"\n"):
            self._tell(line)
        self._rest = self._tail = b""
