"""The child's end of the conversation with the engine, on what was its stdin and stdout."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from typing import TextIO

from treadle_tui.engine.runner.crossing import FromChild, FromEngine, decode_from_engine, encode_message


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
        for stream in printed_streams():
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


def printed_streams() -> list[TextIO]:
    """Where a user's code prints; those there are."""
    return [stream for stream in (sys.stdout, sys.stderr) if stream is not None]
