"""A program in a pseudo-terminal of 160×50: what it writes there, what it costs, and how long a key takes to show its effect."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLUMNS, LINES = 160, 50
DEADLINE_SECONDS = 60.0
FRAME_MS = 1000 / 60
SYNC_QUESTION, SYNC_ANSWER = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
DOWN, UP, PAGE_DOWN, HOME = b"\x1b[B", b"\x1b[A", b"\x1b[6~", b"\x1b[H"
CURSOR_LINE = re.compile(rb"\x1b\[(\d+);1H(?:\x1b\[[0-9;]*m)*" + "▌".encode())
ITEM = re.compile(rb"item-(\d{7})")
#: Where the first line of the list is on the screen.
FIRST_LINE = 5
#: Between two keys: a key that is held down repeats so fast.
KEY_SECONDS = 0.043


class Program:
    """A program in a pseudo-terminal, and what it writes there."""

    def __init__(self, command: Sequence[str], cwd: Path, **environment: str) -> None:
        self._controller, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        # Byte code, as an installed program has it: some environments keep Python from writing any.
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        places = {"PYTHONPYCACHEPREFIX": str(cwd / "byte-code"), "TREADLE_LOG": str(cwd / "log"), "TREADLE_STATE": str(cwd / "state")}
        names = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT), "TEXTUAL_ANIMATIONS": "none"}
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            stdin=inside,
            stdout=inside,
            stderr=inside,
            cwd=cwd,
            env={**kept, **places, **names, **environment},
            start_new_session=True,
        )
        os.close(inside)
        self.pid = self._process.pid
        self.bytes = 0
        self.highest = -1
        """The highest number of an item that was painted."""
        self._tail = b""

    def read(self, seconds: float) -> bytes:
        """What comes within so long, at once when something does."""
        if not select.select([self._controller], [], [], seconds)[0]:
            return b""
        piece = os.read(self._controller, 1 << 16)
        if SYNC_QUESTION in self._tail[-16:] + piece:
            os.write(self._controller, SYNC_ANSWER)
        self.highest = max([self.highest, *map(int, ITEM.findall(self._tail[-16:] + piece))])
        self._tail = piece
        self.bytes += len(piece)
        return piece

    def drain(self, seconds: float) -> None:
        """Read for so long."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.read(left)

    def until(self, is_shown: Callable[[bytes], bool]) -> float:
        """When what has been written since then shows it."""
        seen = b""
        deadline = time.perf_counter() + DEADLINE_SECONDS
        while time.perf_counter() < deadline:
            seen += self.read(0.05)
            if is_shown(seen):
                return time.perf_counter()
        raise TimeoutError(f"not shown within {DEADLINE_SECONDS} s; the last bytes were {seen[-300:]!r}")

    def press(self, key: bytes, is_shown: Callable[[bytes], bool]) -> float:
        """Milliseconds from the key to what it shows."""
        began = time.perf_counter()
        os.write(self._controller, key)
        return (self.until(is_shown) - began) * 1000

    def type(self, keys: bytes) -> None:
        """Press keys nobody waits for."""
        os.write(self._controller, keys)

    @property
    def cpu_seconds(self) -> float:
        """Of the whole process."""
        return _cpu(Path(f"/proc/{self.pid}/stat"))

    @property
    def screen_seconds(self) -> float:
        """Of its main thread."""
        return _cpu(Path(f"/proc/{self.pid}/task/{self.pid}/stat"))

    @property
    def waited_seconds(self) -> float:
        """For which its main thread was ready and no processor was free."""
        return int(Path(f"/proc/{self.pid}/task/{self.pid}/schedstat").read_text().split()[1]) / 1e9

    @property
    def megabytes(self) -> float:
        """Resident."""
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0

    @property
    def open_files(self) -> int:
        """File descriptors."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    @property
    def written(self) -> int:
        """Bytes written to disk."""
        found = re.search(r"^write_bytes: (\d+)", Path(f"/proc/{self.pid}/io").read_text(), re.MULTILINE)
        return int(found[1]) if found else 0

    def end(self) -> None:
        """Kill it."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        os.close(self._controller)


def _cpu(path: Path) -> float:
    fields = path.read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


@contextmanager
def running(command: Sequence[str], cwd: Path, text: bytes, **environment: str) -> Iterator[tuple[Program, float]]:
    """The program once it shows the text, and the seconds that took."""
    program = Program(command, cwd, **environment)
    try:
        yield program, program.until(lambda seen: text in seen) - program.started
    finally:
        program.end()


def board(db: str) -> list[str]:
    """The command that opens the board."""
    return [sys.executable, "-m", "treadle_tui", "--db", db]


class Keys:
    """The cursor goes up and down between two lines; each time is measured until it is painted there."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._line = FIRST_LINE
        self._way = 1
        self.times: list[float] = []

    def find(self) -> None:
        """Begin where the cursor is the fifth line of the list: from the top, wherever it was."""
        self._program.type(HOME)
        self._program.drain(0.3)
        self._line, self._way = FIRST_LINE, 1
        for _ in range(3):
            self.press()
        self.times.clear()

    def press_for(self, seconds: float) -> None:
        """Press keys for so long."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            self.press()

    def press(self) -> None:
        """One key."""
        if not FIRST_LINE < self._line + self._way < LINES - 4:
            self._way = -self._way
        self._line += self._way
        wanted = str(self._line).encode()
        key = DOWN if self._way > 0 else UP
        self.times.append(self._program.press(key, lambda seen: any(found == wanted for found in CURSOR_LINE.findall(seen))))
        self._program.drain(KEY_SECONDS)


def percentile(times: Sequence[float], share: float) -> float:
    """The time that so large a share of them does not exceed."""
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]
