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

ENGINE = "from treadle_tui.engine import Engine, SqliteStateStore, Workflow"

#: Measurement → what it is compared with, and the goal of that ratio.
GOALS = {
    "the board, new database, painted": ("an empty Textual app, painted", 1.3),
    f"the board, {ROWS:,} items, painted": ("an empty Textual app, painted", 1.3),
    f"the board, {ROWS:,} items, rows painted": ("an empty Textual app, painted", 1.4),
    "treadle-tui --help": ("python -c 'import click'", 2.0),
    "treadle-tui list": ("python -c 'import click'", 2.0),
    "importing the engine": ("python -c 'import aiosqlite, msgspec, click'", 1.25),
}


def seconds_until_painted(command: Sequence[str], text: bytes, cwd: Path) -> float:
    """From the spawn until the text has come out of a pseudo-terminal; the program is ended afterwards."""
    controller, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = {
        **os.environ,
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "PYTHONPATH": str(ROOT),
        "TREADLE_LOG": str(cwd / "log"),
    }
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
    subprocess.run(command, cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL, check=True)
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
    program = [python, "-m", "treadle_tui"]
    (folder / "empty.py").write_text(EMPTY_APP)
    measurements: dict[str, Callable[[], float]] = {
        "an empty Textual app, painted": lambda: seconds_until_painted([python, "empty.py"], b"here-it-is", folder),
        "the board, new database, painted": lambda: _on_new_database(program, folder),
        f"the board, {ROWS:,} items, painted": lambda: seconds_until_painted([*program, "--db", "work.db"], b"treadle", folder),
        f"the board, {ROWS:,} items, rows painted": lambda: seconds_until_painted([*program, "--db", "work.db"], b"item-00000", folder),
        "python -c 'import click'": lambda: seconds_to_run([python, "-c", "import click"], folder),
        "treadle-tui --help": lambda: seconds_to_run([*program, "--help"], folder),
        "treadle-tui list": lambda: seconds_to_run([*program, "--db", "work.db", "list"], folder),
        "python -c 'import aiosqlite, msgspec, click'": lambda: seconds_to_run([python, "-c", "import aiosqlite, msgspec, click"], folder),
        "importing the engine": lambda: seconds_to_run([python, "-c", ENGINE], folder),
    }
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
    """Medians, and what they are compared with."""
    medians = {name: statistics.median(times) for name, times in results.items()}
    print(f"{'':<46}{'median':>9}{'least':>9}{'ratio':>8}  goal")
    for name, median in medians.items():
        reference, goal = GOALS.get(name, (name, 0.0))
        times = f"{median * 1000:>6.0f} ms{min(results[name]) * 1000:>6.0f} ms"
        print(f"{name:<46}{times}{median / medians[reference]:>8.2f}  {f'≤ {goal:g}' if goal else ''}")


def main() -> None:
    """Prepare, measure, print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(prepare(folder))
        seconds_until_painted([sys.executable, "-m", "treadle_tui", "--db", "work.db"], b"item-00000", folder)  # byte code, disk cache
        print_table(measure(rounds, folder))


if __name__ == "__main__":
    main()
