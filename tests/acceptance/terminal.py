"""A pseudo-terminal with a program in it, and enough of a terminal to say what stands on its screen.

Understands what Textual writes: moving the cursor, erasing, text. Colours and modes are passed over.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

_SEQUENCE = re.compile(
    r"\x1b\[([0-9;:?<=>!]*)[ -/]*([@-~])"  # CSI
    r"|\x1b[\]P_^X].*?(?:\x07|\x1b\\)"  # OSC, DCS and other strings
    r"|\x1b[ -/]*[0-~]",  # two-character escapes
    re.DOTALL,
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-9;:?<=>!]*[ -/]*|[\]P_^X][^\x07\x1b]*\x1b?|[ -/]*)?$")


class Screen:
    """Characters in rows and columns, and a cursor."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self._cells = [[" "] * columns for _ in range(rows)]
        self._x = self._y = 0
        self._rest = ""

    def __str__(self) -> str:
        return "\n".join("".join(row).rstrip() for row in self._cells)

    def feed(self, text: str) -> None:
        """Draw what a program has written; a sequence that is not whole yet waits for its end."""
        text = self._rest + text
        unfinished = _UNFINISHED.search(text)
        self._rest = text[unfinished.start() :] if unfinished else ""
        text = text[: unfinished.start()] if unfinished else text
        place = 0
        for found in _SEQUENCE.finditer(text):
            self._write(text[place : found.start()])
            if found[2]:
                self._obey(found[1], found[2])
            place = found.end()
        self._write(text[place:])

    def _write(self, text: str) -> None:
        for character in text:
            if character == "\r":
                self._x = 0
            elif character == "\n":
                self._y = min(self._y + 1, self.rows - 1)
            elif character == "\b":
                self._x = max(0, self._x - 1)
            elif character >= " ":
                self._put(character)

    def _put(self, character: str) -> None:
        width = 0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if self._x + width <= self.columns and width:
            self._cells[self._y][self._x] = character
            if width == 2:
                self._cells[self._y][self._x + 1] = ""
        self._x = min(self._x + width, self.columns)

    def _obey(self, parameters: str, final: str) -> None:
        if parameters.startswith(("?", "<", "=", ">")):
            return
        numbers = [int(number) if number.isdigit() else 0 for number in parameters.split(";")]
        first, second = numbers[0], numbers[1] if len(numbers) > 1 else 0
        if final in "Hf":
            self._y, self._x = max(1, first) - 1, max(1, second) - 1
        elif final in "ABCDEFGd":
            self._move(final, max(1, first))
        elif final == "J":
            self._erase(0, 0, self.columns * self.rows) if first >= 2 else self._erase(self._y, self._x, self.columns * self.rows)
        elif final == "K":
            self._erase(self._y, 0 if first else self._x, self.columns - (0 if first else self._x))
        self._y, self._x = min(max(0, self._y), self.rows - 1), min(max(0, self._x), self.columns)

    def _move(self, final: str, count: int) -> None:
        steps = {"A": (-count, 0), "B": (count, 0), "C": (0, count), "D": (0, -count), "E": (count, -self._x), "F": (-count, -self._x)}
        if final == "G":
            self._x = count - 1
        elif final == "d":
            self._y = count - 1
        else:
            down, right = steps[final]
            self._y, self._x = self._y + down, self._x + right

    def _erase(self, row: int, column: int, count: int) -> None:
        for place in range(row * self.columns + column, min(row * self.columns + column + count, self.columns * self.rows)):
            self._cells[place // self.columns][place % self.columns] = " "


class Terminal:
    """A program in a pseudo-terminal. Leaving it as a context manager ends the program, whatever state it is in."""

    def __init__(self, command: Sequence[str], cwd: Path, environment: Mapping[str, str], columns: int = 120, rows: int = 40) -> None:
        self.screen = Screen(columns, rows)
        self.written = ""
        """Everything that was written to it, sequences and all."""
        self.read_at = 0.0
        """When the latest piece of it came, by `time.perf_counter`: drawing it takes this terminal longer than a real one."""
        self._descriptor, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        without_a_size = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # tests started in the background of a script; it would be passed on
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**without_a_size, "TERM": "xterm-256color", **environment},
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
        )
        os.close(inside)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()
        os.close(self._descriptor)

    def press(self, keys: str) -> None:
        """Type: letters as they are, "\\r" for enter, "\\x1b" for escape."""
        os.write(self._descriptor, keys.encode())

    def read(self, seconds: float = 0.05) -> bool:
        """Draw what comes within that time; whether anything came."""
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self._descriptor, 1 << 16)
            self.read_at = time.perf_counter()
        except OSError:  # the program has ended, and its side is closed
            return False
        text = data.decode(errors="replace")
        self.written += text
        self.screen.feed(text)
        return bool(data)

    def wait_for(self, pattern: str, seconds: float = 30.0) -> str:
        """Read until the screen matches; the text that did."""
        deadline = time.monotonic() + seconds
        while True:
            found = re.search(pattern, str(self.screen))
            if found:
                return found[0]
            assert time.monotonic() < deadline, f"{pattern!r} did not appear; the screen is:\n{self.screen}"
            if not self.read() and (code := self.exit_code()) is not None:
                said = f"the program ended with {code} before {pattern!r} appeared; the screen is:\n{self.screen}"
                raise AssertionError(f"{said}\nand last was written: {self.written[-600:]!r}")

    def wait_until(self, text: str, seconds: float = 5.0) -> float:
        """Read until the text stands on the screen; when what completed it came."""
        deadline = time.monotonic() + seconds
        while text not in str(self.screen):
            assert time.monotonic() < deadline, f"{text!r} did not come; the screen is:\n{self.screen}"
            self.read(0.2)
        return self.read_at

    def settings(self) -> list[Any]:
        """What the terminal does with what is typed: echo, line by line, and so on."""
        return termios.tcgetattr(self._descriptor)

    def resize(self, columns: int, rows: int) -> None:
        """Give it another size, and tell the program."""
        self.screen = Screen(columns, rows)
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._process.send_signal(signal.SIGWINCH)

    def exit_code(self) -> int | None:
        """What the program ended with; None while it runs, negative when a signal ended it."""
        return self._process.poll()

    def wait_for_end(self, seconds: float = 30.0) -> int:
        """Read until the program has ended; its exit code."""
        deadline = time.monotonic() + seconds
        while (code := self.exit_code()) is None:
            assert time.monotonic() < deadline, f"the program did not end; the screen is:\n{self.screen}"
            self.read()
        return code

    def kill(self, number: int = signal.SIGKILL) -> int:
        """End it with a signal; what it ended with."""
        if self.exit_code() is None:
            self._process.send_signal(number)
        return self.wait_for_end()
