"""How the board feels: the real program in a pseudo-terminal of 160×50, beside an empty Textual app and a `DataTable`, in one run.

    python tests/benchmarks/board.py [--rounds 3] [--items 1000000] [--work 60000] [--only start page live fed idle]

* start, memory: a list of a thousand items and one of `--items`, twelve stages each, beside an empty app.
* page: from the key to the painted rows of the next screen, beside a `DataTable` of ten thousand rows.
* live: keys pressed while an engine in the same process completes five no-op stages of `--work` items as fast as it can; and how
  many it completes meanwhile, beside the same work without a screen.
* fed: keys pressed while exactly ten thousand, and fifty thousand, cells a second change within a list of two thousand items of twelve
  stages. No engine comes so far beside a screen on two cores, so the store is fed through its own writer (`inside.py`); what
  Python an engine needs at such a rate is not in it, and is in "live".
* idle: a hundred thousand items and nothing to do: processor, bytes to the terminal, bytes to the disk.

A key's latency ends with the frame that shows its effect. Rounds are interleaved; figures are medians, ratios medians of the ratios
of each round. The processor's share of drawing is that of the program's main thread, which draws, reads keys and follows events.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks.databases import (  # noqa: E402
    STANDARD,
    completed,
    last_event,
    prepare_finished,
    prepare_work,
    write_workflows,
)
from tests.benchmarks.in_terminal import (  # noqa: E402
    FRAME_MS,
    KEY_SECONDS,
    PAGE_DOWN,
    Keys,
    board,
    percentile,
    running,
)

EMPTY_APP = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self): yield Static("here-it-is")
Empty().run()
"""
TABLE_APP = """
import sys
from textual.app import App
from textual.widgets import DataTable
class Table(App):
    def compose(self): yield DataTable(cursor_type="row")
    def on_mount(self):
        table = self.query_one(DataTable)
        table.add_columns("item", *(f"stage-{n:02}" for n in range(12)))
        table.add_rows([(f"item-{row:07}", *["C"] * 12) for row in range(int(sys.argv[1]))])
        table.focus()
Table().run()
"""


#: Cells that change in a second, and for how long that is watched.
FED_RATES, FED_SECONDS = (10_000, 50_000), 20.0

# measurements -------------------------------------------------------------------------------------------------------------------

Results = dict[str, list[float]]


def start(folder: Path, small: str, big: str, results: Results) -> None:
    """To the first painted rows, and what memory that took."""
    for name, command, text in (
        ("empty app", [sys.executable, "empty.py"], b"here-it-is"),
        ("board, 1,000 items", board(small), b"item-0000000"),
        ("board, all items", board(big), b"item-0000000"),
    ):
        shutil.rmtree(folder / "state", ignore_errors=True)
        with running(command, folder, text) as (program, seconds):
            results.setdefault(f"first paint, ms: {name}", []).append(seconds * 1000)
            program.drain(2.5)
            if "board" in name:
                for _ in range(20):
                    program.type(PAGE_DOWN)
                    program.drain(0.05)
                program.type(b"G")
                program.drain(1.0)
            results.setdefault(f"memory, MB: {name}", []).append(program.megabytes)


def page(folder: Path, small: str, big: str, results: Results) -> None:
    """From page down to the painted rows."""
    for name, command in (
        ("DataTable of 10,000", [sys.executable, "table.py", "10000"]),
        ("board, 1,000 items", board(small)),
        ("board, all items", board(big)),
    ):
        shutil.rmtree(folder / "state", ignore_errors=True)
        with running(command, folder, b"item-0000001") as (program, _):
            program.drain(2.5)
            times = []
            for _ in range(18):
                known = program.highest
                times.append(program.press(PAGE_DOWN, lambda _, known=known: program.highest > known))  # type: ignore[misc]
                program.drain(KEY_SECONDS)
            results.setdefault(f"page down, ms: {name}", []).append(statistics.median(times))


def idle(folder: Path, db: str, results: Results) -> None:
    """Nothing to do."""
    shutil.rmtree(folder / "state", ignore_errors=True)
    with running(board(db), folder, b"item-0000000") as (program, _):
        program.drain(14.0)  # the engine has looked round, and nobody has pressed a key for ten seconds
        cpu, written, painted, began = program.cpu_seconds, program.written, program.bytes, time.perf_counter()
        program.drain(20.0)
        seconds = time.perf_counter() - began
        results.setdefault("idle: % of a core", []).append(100 * (program.cpu_seconds - cpu) / seconds)
        results.setdefault("idle: bytes to the terminal", []).append(program.bytes - painted)
        results.setdefault("idle: bytes to the disk", []).append(program.written - written)


def _rate(db: Path, total: int, meanwhile: Callable[[float], None]) -> float:
    """Stages a second between a tenth and nine tenths of the work."""
    while (first := completed(db)) < total * 0.1:
        meanwhile(0.1)
    began = time.perf_counter()
    while (last := completed(db)) < total * 0.9:
        meanwhile(0.25)
    return (last - first) / (time.perf_counter() - began)


def live(folder: Path, work: str, items: int, results: Results) -> None:
    """The same work without a screen and with one, keys being pressed."""
    total = items * len(STANDARD)
    for name in ("headless", "live"):
        for suffix in ("", "-wal", "-shm"):
            (folder / f"live.db{suffix}").unlink(missing_ok=True)
        shutil.copy(folder / work, folder / "live.db")
        shutil.rmtree(folder / "state", ignore_errors=True)
        if name == "headless":
            command = [sys.executable, "-m", "treadle_tui", "--db", "live.db", "run"]
            process = subprocess.Popen(
                command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            results.setdefault("stages/s: headless", []).append(_rate(folder / "live.db", total, time.sleep))
            process.kill()
            process.wait()
            continue
        with running(board("live.db"), folder, b"item-0000000") as (program, _):
            keys = Keys(program)
            screen, began = program.screen_seconds, time.perf_counter()
            results.setdefault("stages/s: live board", []).append(_rate(folder / "live.db", total, keys.press_for))
            seconds = time.perf_counter() - began
            results.setdefault("live: key to paint p50, ms", []).append(statistics.median(keys.times))
            results.setdefault("live: key to paint p99, ms", []).append(percentile(keys.times, 0.99))
            results.setdefault("live: % of a core for the screen's thread", []).append(100 * (program.screen_seconds - screen) / seconds)


def fed(folder: Path, db: str, rate: int, results: Results) -> None:
    """So many changed cells a second, keys being pressed."""
    for suffix in ("", "-wal", "-shm"):
        (folder / f"fed.db{suffix}").unlink(missing_ok=True)
    shutil.copy(folder / db, folder / "fed.db")
    shutil.rmtree(folder / "state", ignore_errors=True)
    command = [sys.executable, "-m", "tests.benchmarks.inside", "--db", "fed.db", "--no-engine"]
    with running(command, folder, b"item-0000000", BENCH_FEED=str(rate)) as (program, _):
        program.drain(2.5)
        keys = Keys(program)
        screen, cpu, waited, seq = program.screen_seconds, program.cpu_seconds, program.waited_seconds, last_event(folder / "fed.db")
        began = time.perf_counter()
        keys.press_for(FED_SECONDS)
        seconds = time.perf_counter() - began
        name = f"fed {rate:,}/s"
        results.setdefault(f"{name}: changes/s that came", []).append((last_event(folder / "fed.db") - seq) / seconds)
        results.setdefault(f"{name}: key to paint p50, ms", []).append(statistics.median(keys.times))
        results.setdefault(f"{name}: key to paint p99, ms", []).append(percentile(keys.times, 0.99))
        results.setdefault(f"{name}: % of a core for the screen's thread", []).append(100 * (program.screen_seconds - screen) / seconds)
        results.setdefault(f"{name}: % of the time it waited for a core", []).append(100 * (program.waited_seconds - waited) / seconds)
        results.setdefault(f"{name}: % of a core for the whole process", []).append(100 * (program.cpu_seconds - cpu) / seconds)


# telling ------------------------------------------------------------------------------------------------------------------------

#: Figure, what it is compared with (nothing: an absolute goal), the goal, whether more is better.
GOALS: list[tuple[str, str, str, float, bool]] = [
    ("9", "first paint, ms: board, all items", "first paint, ms: board, 1,000 items", 1.25, False),
    ("9", "first paint, ms: board, all items", "first paint, ms: empty app", 1.4, False),
    ("10", "page down, ms: board, 1,000 items", "page down, ms: DataTable of 10,000", 0.25, False),
    ("10", "page down, ms: board, all items", "page down, ms: board, 1,000 items", 1.6, False),
    ("11", "live: key to paint p99, ms", "", 3 * FRAME_MS, False),
    ("11", "live: % of a core for the screen's thread", "", 25.0, False),
    ("11", "fed 10,000/s: key to paint p99, ms", "", 3 * FRAME_MS, False),
    ("11", "fed 10,000/s: % of a core for the screen's thread", "", 25.0, False),
    ("11", "fed 50,000/s: key to paint p99, ms", "", 4 * FRAME_MS, False),
    ("12", "memory, MB: board, all items", "memory, MB: board, 1,000 items", 1.25, False),
    ("12", "memory, MB: board, all items", "memory, MB: empty app", 2.0, False),
    ("14", "idle: % of a core", "", 0.5, False),
    ("14", "idle: bytes to the terminal", "", 0.0, False),
    ("14", "idle: bytes to the disk", "", 0.0, False),
    ("15", "stages/s: live board", "stages/s: headless", 0.7, True),
]


def report(results: Results) -> None:
    """Medians, and what they mean for the goals."""
    print(f"\n{'':<48}{'median':>12}{'least':>12}{'most':>12}")
    for name, values in results.items():
        print(f"{name:<48}{statistics.median(values):>12,.1f}{min(values):>12,.1f}{max(values):>12,.1f}")
    print(f"\n{'goal':>4}  {'':<88}{'is':>8}{'goal':>10}")
    for number, name, reference, goal, is_more in GOALS:
        if name not in results or (reference and reference not in results):
            continue
        if reference:
            value = statistics.median(mine / other for mine, other in zip(results[name], results[reference], strict=True))
        else:
            value = statistics.median(results[name])
        is_met = value >= goal if is_more else value <= goal
        what = f"{name} / {reference.partition(': ')[2]}" if reference else name
        print(f"{number:>4}  {what:<88}{value:>8.2f}{'≥' if is_more else '≤':>4}{goal:>6.2f}  {'' if is_met else 'missed'}")


def main() -> None:
    """Prepare, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--work", type=int, default=60_000)
    parts = ("start", "page", "live", "fed", "idle")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_workflows(folder)
        (folder / "empty.py").write_text(EMPTY_APP)
        (folder / "table.py").write_text(TABLE_APP)
        measure(folder, options)


def measure(folder: Path, options: argparse.Namespace) -> None:
    """Every measurement once per round, one after the other."""
    began = time.perf_counter()
    small, middle = prepare_finished(folder, "small.db", 1000), prepare_finished(folder, "middle.db", 100_000)
    needs_big = {"start", "page"} & set(options.only)
    big = prepare_finished(folder, "big.db", options.items) if needs_big else middle
    work = prepare_work(folder, "work.db", options.work) if "live" in options.only else ""
    fed_db = prepare_finished(folder, "steady.db", 2000) if "fed" in options.only else ""
    print(f"prepared in {time.perf_counter() - began:.0f} s", file=sys.stderr)
    start(folder, small, big, {})  # byte code
    results: Results = {}
    for number in range(options.rounds):
        if "start" in options.only:
            start(folder, small, big, results)
        if "page" in options.only:
            page(folder, small, big, results)
        if "live" in options.only:
            live(folder, work, options.work, results)
        if "fed" in options.only:
            for rate in FED_RATES:
                fed(folder, fed_db, rate, results)
        if "idle" in options.only and number == 0:
            idle(folder, middle, results)
    report(results)


if __name__ == "__main__":
    main()
