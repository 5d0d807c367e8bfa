"""How long a start takes: from spawning the process to the first paint in a real pseudo-terminal.

    python tests/benchmarks/start.py [ROUNDS]

Compares, interleaved and in medians, the full screen on a database of a thousand finished items with an empty Textual application,
verbs with importing click, and importing the engine with importing what it stands on. Prints one table; absolute times drift from run
to run, the ratios do not.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROWS = 1000
BYTE_CODE = "byte-code"
"""Folder of compiled modules: an installed program has them, and some environments keep Python from writing any."""
COLUMNS, LINES = 160, 45
DEADLINE_SECONDS = 30.0
SYNC_QUESTION, SYNC_ANSWER = b"\x1b[?2026$p", b"\x1b[?2026;2$y"

WORKFLOW = """
from treadle_tui.engine import Workflow
bench = Workflow("bench")
for name in ("fetch", "clean", "judge", "review", "export"):
    @bench.stage(name=name)
    def stage(item): return None
"""
EMPTY_APP = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self): yield Static("here-it-is")
Empty().run()
"""

PROGRAM = "import sys; from treadle_tui.__main__ import main; sys.exit(main())"
"""What the installed command `treadle-tui` consists of. `python -m treadle_tui` pays 4 ms more, for finding the module to run."""
ENGINE = "from treadle_tui.engine import Engine, SqliteStateStore, Workflow"

#: Measurement → what it is compared with, and the goal of that ratio.
GOALS = {
    "the board, new database, painted": ("an empty Textual app, painted", 1.3),
    f"the board, {ROWS:,} items, painted": ("an empty Textual app, painted", 1.3),
    f"the board, {ROWS:,} items, rows painted": ("an empty Textual app, painted", 1.4),
    "treadle-tui --help": ("python -c 'import click'", 2.0),
    **{f"treadle-tui {verb}": ("python -c 'import click'", 2.0) for verb in ("list", "show", "reviews", "events", "info")},
    "importing the engine": ("python -c 'import aiosqlite, msgspec, click'", 1.25),
}


def surroundings(folder: Path) -> dict[str, str]:
    """What every program is started with: this source tree, byte code of its own, and none of the machine's settings."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE" and not name.startswith("TREADLE_")}
    own = {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(folder / BYTE_CODE), "TREADLE_LOG": str(folder / "log")}
    return {**kept, **own, "XDG_CONFIG_HOME": str(folder / "config"), "XDG_STATE_HOME": str(folder / "state")}


def seconds_until_painted(command: Sequence[str], text: bytes, cwd: Path) -> float:
    """From the spawn until the text has come out of a pseudo-terminal; the program is ended afterwards."""
    controller, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = {**surroundings(cwd), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    started = time.perf_counter()
    process = subprocess.Popen(command, stdin=inside, stdout=inside, stderr=inside, cwd=cwd, env=environment, start_new_session=True)
    os.close(inside)
    try:
        return _wait_for(controller, text) - started
    finally:
        process.kill()
        process.wait()
        os.close(controller)


def _wait_for(controller: int, text: bytes) -> float:
    seen = b""
    deadline = time.perf_counter() + DEADLINE_SECONDS
    while time.perf_counter() < deadline:
        if not select.select([controller], [], [], 0.05)[0]:
            continue
        piece = os.read(controller, 1 << 16)
        if SYNC_QUESTION in seen[-16:] + piece:
            os.write(controller, SYNC_ANSWER)
        seen += piece
        if text in seen:
            return time.perf_counter()
    raise TimeoutError(f"{text!r} was not painted within {DEADLINE_SECONDS} s; the last bytes were {seen[-300:]!r}")


def seconds_to_run(command: Sequence[str], cwd: Path) -> float:
    """From the spawn to the end of a program that ends by itself."""
    started = time.perf_counter()
    subprocess.run(command, cwd=cwd, env=surroundings(cwd), stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


async def prepare(folder: Path) -> None:
    """A database of finished items, and the workflow they belong to beside it."""
    from treadle_tui.cli.loader import find_workflows
    from treadle_tui.engine import Engine, SqliteStateStore

    (folder / "workflows").mkdir()
    (folder / "workflows" / "bench.py").write_text(WORKFLOW)
    workflow = find_workflows(folder / "work.db").by_name("bench")
    async with SqliteStateStore.open(folder / "work.db") as store, Engine(store, [workflow]) as engine:
        await engine.submit(workflow, [{"id": f"item-{number:05}"} for number in range(ROWS)])
        await engine.run_until_idle()


def measure(rounds: int, folder: Path) -> dict[str, list[float]]:
    """Every measurement once per round, one after the other."""
    python = sys.executable
    program = [python, "-c", PROGRAM]
    (folder / "empty.py").write_text(EMPTY_APP)
    measurements: dict[str, Callable[[], float]] = {
        "an empty Textual app, painted": lambda: seconds_until_painted([python, "empty.py"], b"here-it-is", folder),
        "the board, new database, painted": lambda: _on_new_database(program, folder),
        f"the board, {ROWS:,} items, painted": lambda: seconds_until_painted([*program, "--db", "work.db"], b"treadle", folder),
        f"the board, {ROWS:,} items, rows painted": lambda: seconds_until_painted([*program, "--db", "work.db"], b"item-00000", folder),
        "python -c 'import click'": lambda: seconds_to_run([python, "-c", "import click"], folder),
        "treadle-tui --help": lambda: seconds_to_run([*program, "--help"], folder),
        "treadle-tui list": lambda: seconds_to_run([*program, "--db", "work.db", "list"], folder),
        "treadle-tui show": lambda: seconds_to_run([*program, "--db", "work.db", "show", "item-00007"], folder),
        "treadle-tui reviews": lambda: seconds_to_run([*program, "--db", "work.db", "reviews"], folder),
        "treadle-tui events": lambda: seconds_to_run([*program, "--db", "work.db", "events", "--item", "item-00007"], folder),
        "treadle-tui info": lambda: seconds_to_run([*program, "--db", "work.db", "info"], folder),
        "python -c 'import aiosqlite, msgspec, click'": lambda: seconds_to_run([python, "-c", "import aiosqlite, msgspec, click"], folder),
        "importing the engine": lambda: seconds_to_run([python, "-c", ENGINE], folder),
    }
    for take in measurements.values():
        take()  # byte code, disk cache
    results: dict[str, list[float]] = {name: [] for name in measurements}
    for _ in range(rounds):
        for name, take in measurements.items():
            results[name].append(take())
    return results


def _on_new_database(program: Sequence[str], folder: Path) -> float:
    for leftover in folder.glob("new.db*"):
        leftover.unlink()
    return seconds_until_painted([*program, "--db", "new.db"], b"treadle", folder)


def print_table(results: dict[str, list[float]]) -> None:
    """Medians, the ratio to what they are compared with (the median of the rounds' own ratios), the goal, and whether it is reached."""
    print(f"{'':<46}{'median':>9}{'least':>9}{'ratio':>8}  goal")
    for name, times in results.items():
        line = f"{name:<46}{statistics.median(times) * 1000:>6.0f} ms{min(times) * 1000:>6.0f} ms"
        if name not in GOALS:
            print(line)
            continue
        reference, goal = GOALS[name]
        ratio = statistics.median(own / other for own, other in zip(times, results[reference], strict=True))
        print(f"{line}{ratio:>8.2f}  ≤ {goal:<4g} {'reached' if ratio <= goal else 'missed'}")


def main() -> None:
    """Prepare, measure, print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(prepare(folder))
        print_table(measure(rounds, folder))


if __name__ == "__main__":
    main()
