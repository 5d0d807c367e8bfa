"""Makes the pictures of the README from the running program, on its demonstration.

    python screenshots/make.py [FOLDER]     writes an SVG of every screen, triage.svg, some decisions as a picture that moves,
                                            and triage.cast, a recording of them

Nothing is drawn by hand: keys are pressed, and what stands on the screen is exported. The pictures are the same each time; the
recording (asciicast v2: `asciinema play triage.cast`) is of the program in a pseudo-terminal, so it never is.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
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


#: The picture that moves: the keys that lead to its next frame, and how many seconds it stands.
MOVING_SIZE = (90, 24)
FRAMES: tuple[tuple[tuple[str, ...], float], ...] = (
    (("]",), 2.0),
    (("enter",), 4.0),
    (("a",), 2.5),
    (("]", "x"), 3.0),
    (("2",), 3.5),
    (("1",), 2.5),
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


async def take_moving_picture() -> str:
    """Some decisions, frame by frame in one SVG that goes round."""
    app = demonstration()
    frames: list[str] = []
    async with app.run_test(size=MOVING_SIZE) as pilot:
        await until(pilot, lambda: app.workbench and app.workbench.host.standing.phase is Phase.RUNNING, "the engine runs")
        await pilot.pause(0.6)
        for keys, _ in FRAMES:
            for key in keys:
                await pilot.press(key)
                await pilot.pause(0.4)
            await pilot.pause(0.6)
            frames.append(app.export_screenshot())
    return moving([seconds for _, seconds in FRAMES], frames)


def moving(seconds: Sequence[float], frames: Sequence[str]) -> str:
    """One SVG of several of the same size, each seen for its time; where nothing moves, the second is seen."""
    total = sum(seconds)
    box = re.search(r'viewBox="([^"]+)"', frames[0])
    assert box is not None
    rules, began = ["rect { shape-rendering: crispEdges }"], 0.0
    for number, lasts in enumerate(seconds):
        start, end = 100 * began / total, 100 * (began + lasts) / total
        before = "" if number == 0 else "0% { visibility: hidden } "
        after = f"{end:.2f}%, 100% {{ visibility: hidden }}"
        rules.append(f"@keyframes frame{number} {{ {before}{start:.2f}% {{ visibility: visible }} {after} }}")
        rules.append(f".frame{number} {{ visibility: hidden; animation: frame{number} {total:g}s step-end infinite }}")
        began += lasts
    still = "@media (prefers-reduced-motion) { svg > g { animation: none !important } .frame1 { visibility: visible } }"
    parts = [f'<g class="frame{number}">\n{smaller(frame, number)}\n</g>' for number, frame in enumerate(frames)]
    style = "\n".join([*rules, still])
    return f'<svg viewBox="{box[1]}" xmlns="http://www.w3.org/2000/svg">\n<style>\n{style}\n</style>\n' + "\n".join(parts) + "\n</svg>\n"


def smaller(frame: str, number: int) -> str:
    """A frame without what others have as well, or nobody sees: fonts, and a mask for each line."""
    frame = re.sub(r'<clipPath id="[^"]*-line-\d+">.*?</clipPath>| clip-path="url\(#[^)]*-line-\d+\)"', "", frame, flags=re.DOTALL)
    if number:
        frame = re.sub(r"@font-face \{.*?\}", "", frame, flags=re.DOTALL)
    frame = re.sub(r"terminal-\d+", f"f{number}", frame).replace(' shape-rendering="crispEdges"', "")
    return re.sub(r"\s*\n\s*", "\n", frame).strip()


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
    (folder / "triage.svg").write_text(asyncio.run(take_moving_picture()))
    print(folder / "triage.svg")
    print(record(folder / "triage.cast"))


if __name__ == "__main__":
    main()
