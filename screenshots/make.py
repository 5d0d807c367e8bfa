"""Makes the pictures of the README from the running program, on its demonstration.

    python screenshots/make.py [FOLDER]     writes an SVG of every screen, and triage.cast, a recording of some decisions

Nothing is drawn by hand: keys are pressed, and what stands on the screen is exported. The pictures are the same each time; the
recording (asciicast v2: `asciinema play triage.cast`) is of the program in a pseudo-terminal, so it never is.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from treadle_tui.board.standing import Phase
from treadle_tui.demo.showing import DemoWorkflows
from treadle_tui.engine import MemoryStateStore
from treadle_tui.engine.testing import ManualClock
from treadle_tui.full_screen import TreadleApp
from treadle_tui.main_screens import MAIN_SCREENS

HERE = Path(__file__).parent
SIZE = (112, 32)
NOW = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
DEADLINE_SECONDS = 60.0

#: Pictures: what they are called, and the keys that lead there from the board.
SCENES: dict[str, tuple[str, ...]] = {
    **{entry.id: (entry.key,) for entry in MAIN_SCREENS},
    "board": ("]", "]", "]", "]", "]", "]", "]", "]", "]", "]", "]", "]", "]", "]", "tab", "shift+tab"),
    "decision": ("]", "]", "enter"),
    "item": ("enter",),
    "palette": (":", "t", "a"),
    "help": ("?",),
}

#: The recording: seconds to wait, and what is typed then.
TRIAGE: tuple[tuple[float, str], ...] = (
    (2.5, "]"),
    (0.8, "]"),
    (1.0, "\r"),
    (2.5, "a"),
    (1.2, "]"),
    (1.0, "a"),
    (1.2, "]"),
    (0.8, "x"),
    (1.8, "2"),
    (1.5, "u"),
    (2.0, "/"),
    (0.8, "state:failed"),
    (1.2, "\r"),
    (2.0, "4"),
    (2.5, "1"),
    (2.5, "2"),
    (1.5, "q"),
)


async def until(pilot: Pilot[Any], holds: Callable[[], object], what: str) -> None:
    """Let the program run until something holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"did not come about: {what}")
        await pilot.pause(0.02)


def demonstration() -> TreadleApp:
    """The program on a demonstration in which time stands still."""
    workflows, store = DemoWorkflows(is_held=True), MemoryStateStore()

    async def open_store() -> Any:
        await workflows.demonstration.fill(store, NOW, concurrency=1)
        return store

    return TreadleApp(Path("demo.db"), workflows, "ana", open_store=open_store, clock=ManualClock(NOW), shown_as="demonstration")


async def take_picture(name: str, keys: tuple[str, ...], folder: Path) -> Path:
    """One screen; each in a program of its own, so that none shows what the one before has left."""
    app = demonstration()
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.workbench and app.workbench.host.standing.phase is Phase.RUNNING, "the engine runs")
        await pilot.pause(0.6)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.15)
        await pilot.pause(0.4)
        return Path(app.save_screenshot(f"{name}.svg", str(folder)))


def record(path: Path, columns: int = SIZE[0], rows: int = SIZE[1]) -> Path:
    """Some decisions in a real terminal, with everything that was written to it and when."""
    controller, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "", "PYTHONPATH": str(HERE.parent)}
    command = [sys.executable, "-m", "treadle_tui", "--demo", "--as", "ana"]
    process = subprocess.Popen(command, stdin=inside, stdout=inside, stderr=inside, env=environment, start_new_session=True)
    os.close(inside)
    header = {"version": 2, "width": columns, "height": rows, "title": "treadle-tui --demo", "env": {"TERM": "xterm-256color"}}
    lines = [json.dumps(header), *(json.dumps(event) for event in _events(controller))]
    process.wait(10)
    os.close(controller)
    path.write_text("\n".join(lines) + "\n")
    return path


def _events(controller: int) -> Iterator[tuple[float, str, str]]:
    """What is written, and when, while the keys are typed; the clock begins once the board stands."""
    text, began = "", time.monotonic()
    while "waiting" not in text:
        text += _read(controller, 0.2)
        if time.monotonic() > began + DEADLINE_SECONDS:
            raise TimeoutError("the board did not appear")
    began = time.monotonic()
    yield 0.0, "o", text
    for seconds, keys in TRIAGE:
        yield from _written(controller, began, time.monotonic() + seconds)
        for key in keys:
            os.write(controller, key.encode())
            yield from _written(controller, began, time.monotonic() + (0.07 if len(keys) > 1 else 0.0))
    yield from _written(controller, began, time.monotonic() + 3.0)


def _written(controller: int, began: float, until: float) -> Iterator[tuple[float, str, str]]:
    while (left := until - time.monotonic()) > 0:
        if text := _read(controller, left):
            yield round(time.monotonic() - began, 3), "o", text


def _read(controller: int, seconds: float) -> str:
    if not select.select([controller], [], [], seconds)[0]:
        return ""
    try:
        return os.read(controller, 1 << 16).decode(errors="replace")
    except OSError:  # the program has ended
        time.sleep(seconds)
        return ""


def main() -> None:
    """Write the pictures and the recording into a folder, this one by default."""
    folder = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else HERE
    os.environ["TZ"] = "UTC"
    time.tzset()
    for name, keys in SCENES.items():
        print(asyncio.run(take_picture(name, keys, folder)))
    print(record(folder / "triage.cast"))


if __name__ == "__main__":
    main()
