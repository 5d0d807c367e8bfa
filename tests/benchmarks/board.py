"""How the board feels: the real program in a pseudo-terminal of 160×50, beside an empty Textual app and a `DataTable`, in one run.

    python tests/benchmarks/board.py [--rounds 3] [--items 1000000] [--work 60000] [--only start page memory live idle] [--soak MINUTES]

* start, memory: a list of a thousand items and one of `--items`, twelve stages each, beside an empty app.
* page: from the key to the painted rows of the next screen, beside a `DataTable` of ten thousand rows.
* live: keys pressed while an engine in the same process completes five no-op stages of `--work` items as fast as it can; and how
  many it completes meanwhile, beside the same work without a screen.
* idle: a hundred thousand items and nothing to do: processor, bytes to the terminal, bytes to the disk.
* soak: 500 changes a second for so long; memory and latency at its beginning and its end.

A key's latency ends with the frame that shows its effect. Rounds are interleaved; figures are medians, ratios medians of the ratios
of each round. The processor's share of drawing is that of the program's main thread, which draws, reads keys and follows events.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
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
#: Between two keys: a key that is held down repeats so fast.
KEY_SECONDS = 0.043

WIDE = [f"stage-{number:02}" for number in range(12)]
STANDARD = ("fetch", "clean", "judge", "review", "export")
WORKFLOWS = {
    "wide": "from treadle_tui.engine import Workflow\nwide = Workflow('wide')\n"
    "async def nothing(item): return None\nbefore = []\n"
    f"for name in {WIDE!r}:\n    wide.add_stage(name, nothing, after=before)\n    before = [name]\n",
    "standard": "import asyncio, os\nfrom treadle_tui.engine import Workflow\nstandard = Workflow('standard')\n"
    "pause = float(os.environ.get('PAUSE', '0'))\n"
    "async def nothing(item):\n    if pause: await asyncio.sleep(pause)\nbefore = []\n"
    f"for name in {STANDARD!r}:\n    standard.add_stage(name, nothing, after=before)\n    before = [name]\n",
}
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


class Program:
    """A program in a pseudo-terminal, and what it writes there."""

    def __init__(self, command: Sequence[str], cwd: Path, **environment: str) -> None:
        self._controller, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        places = {"TREADLE_LOG": str(cwd / "log"), "TREADLE_STATE": str(cwd / "state")}
        names = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT), "TEXTUAL_ANIMATIONS": "none"}
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            stdin=inside,
            stdout=inside,
            stderr=inside,
            cwd=cwd,
            env={**os.environ, **places, **names, **environment},
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
    def megabytes(self) -> float:
        """Resident."""
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0

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


# databases ----------------------------------------------------------------------------------------------------------------------


def prepare_finished(folder: Path, name: str, items: int) -> str:
    """A database of items of the wide workflow: most complete, some failed, some that wait for a person."""
    asyncio.run(_take_up(folder, name, "wide", 0))
    connection = sqlite3.connect(folder / name, isolation_level=None)
    stages = [row[0] for row in connection.execute("SELECT id FROM treadle_stages ORDER BY id")]
    now = int(time.time() * 1000)
    connection.execute("BEGIN")
    connection.execute(
        "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < ?) INSERT INTO treadle_items"
        " SELECT k, printf('item-%07d', k - 1), 1, x'7b7d', 0, ?, 0, iif(k % 50 = 0, 1, 0) FROM n",
        (items, now),
    )
    connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'treadle_items'", (items,))
    connection.execute("INSERT OR IGNORE INTO sqlite_sequence (name, seq) VALUES ('treadle_items', ?)", (items,))
    for stage in stages:
        state = "iif(key % 50 = 0, iif(key % 100 = 0, 6, 3), 4)" if stage == stages[-1] else "4"
        connection.execute(
            "INSERT INTO treadle_tasks (item, stage, sub, state, ready, attempt, is_open, open_deps, fence, version, out, updated_at,"
            " started_at, completed_at, priority, turn, extra, interruptions, phase, subs, open_subs, failed_subs)"
            f" SELECT key, ?, 0, {state}, 0, 1, 0, 0, 1, 2, 0, ?, ?, ?, 0, 0, 0, 0, 0, 0, 0, 0 FROM treadle_items",
            (stage, now, now, now),
        )
    connection.execute("DELETE FROM treadle_counts")
    for stage in stages[:-1]:
        connection.execute("INSERT INTO treadle_counts VALUES (?, 0, 4, ?)", (stage, items))
    connection.execute(
        "INSERT INTO treadle_counts SELECT ?, 0, state, count(*) FROM treadle_tasks WHERE stage = ? GROUP BY state", (stages[-1],) * 2
    )
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return name


def prepare_work(folder: Path, name: str, items: int) -> str:
    """A database of items of the standard workflow of which nothing has been done."""
    asyncio.run(_take_up(folder, name, "standard", items))
    return name


async def _take_up(folder: Path, name: str, workflow: str, items: int) -> None:
    from treadle_tui.cli.loader import find_workflows
    from treadle_tui.engine import SqliteStateStore
    from treadle_tui.engine.engine import Engine

    found = find_workflows(folder / name).by_name(workflow)
    async with SqliteStateStore.open(folder / name) as store, Engine(store, [found]) as engine:
        await engine.submit(found, [{"id": "first"}])
        await engine.delete_item("first")
        await engine.submit(found, [{"id": f"item-{number:07}"} for number in range(items)])


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


def completed(db: Path) -> int:
    """Stages that are complete, from the kept counts."""
    connection = sqlite3.connect(f"file:{db}?mode=ro", uri=True, timeout=5)
    try:
        return int(connection.execute("SELECT coalesce(sum(n), 0) FROM treadle_counts WHERE state = 4").fetchone()[0])
    finally:
        connection.close()


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
            results.setdefault("live: key to paint p99, ms", []).append(_p99(keys.times))
            results.setdefault("live: % of a core for the screen's thread", []).append(100 * (program.screen_seconds - screen) / seconds)


class Keys:
    """The cursor goes up and down between two lines; each time is measured until it is painted there."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._line = 5
        self._way = 1
        self.times: list[float] = []

    def press_for(self, seconds: float) -> None:
        """Press keys for so long."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            self.press()

    def press(self) -> None:
        """One key."""
        if not 5 < self._line + self._way < LINES - 4:
            self._way = -self._way
        self._line += self._way
        wanted = str(self._line).encode()
        key = DOWN if self._way > 0 else UP
        self.times.append(self._program.press(key, lambda seen: any(found == wanted for found in CURSOR_LINE.findall(seen))))
        self._program.drain(KEY_SECONDS)


def _p99(times: Sequence[float]) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * 0.99))]


def soak(folder: Path, minutes: float) -> None:
    """About 500 changes a second for so long."""
    items = max(2000, int(minutes * 60 * 100))
    work = prepare_work(folder, "soak.db", items)
    with running(board(work), folder, b"item-0000000", PAUSE="0.64") as (program, _):  # 64 at once: a hundred stages a second
        keys, end = Keys(program), time.perf_counter() + minutes * 60
        print(f"{'minute':>8}{'stages':>10}{'MB':>8}{'p50 ms':>8}{'p99 ms':>8}{'screen %':>10}")
        began = time.perf_counter()
        while time.perf_counter() < end:
            keys.times.clear()
            screen, since = program.screen_seconds, time.perf_counter()
            keys.press_for(min(60.0, max(1.0, end - time.perf_counter())))
            share = 100 * (program.screen_seconds - screen) / (time.perf_counter() - since)
            print(
                f"{(time.perf_counter() - began) / 60:>8.1f}{completed(folder / work):>10,}{program.megabytes:>8.1f}"
                f"{statistics.median(keys.times):>8.1f}{_p99(keys.times):>8.1f}{share:>10.1f}",
                flush=True,
            )


# telling ------------------------------------------------------------------------------------------------------------------------

#: Figure, what it is compared with (nothing: an absolute goal), the goal, whether more is better.
GOALS: list[tuple[str, str, str, float, bool]] = [
    ("9", "first paint, ms: board, all items", "first paint, ms: board, 1,000 items", 1.25, False),
    ("9", "first paint, ms: board, all items", "first paint, ms: empty app", 1.4, False),
    ("10", "page down, ms: board, 1,000 items", "page down, ms: DataTable of 10,000", 0.25, False),
    ("10", "page down, ms: board, all items", "page down, ms: board, 1,000 items", 1.6, False),
    ("11", "live: key to paint p99, ms", "", 3 * FRAME_MS, False),
    ("11", "live: % of a core for the screen's thread", "", 25.0, False),
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
    parser.add_argument("--only", nargs="+", choices=("start", "page", "live", "idle"), default=("start", "page", "live", "idle"))
    parser.add_argument("--soak", type=float, metavar="MINUTES")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "workflows").mkdir()
        for workflow, code in WORKFLOWS.items():
            (folder / "workflows" / f"{workflow}.py").write_text(code)
        (folder / "empty.py").write_text(EMPTY_APP)
        (folder / "table.py").write_text(TABLE_APP)
        if options.soak is not None:
            soak(folder, options.soak)
            return
        measure(folder, options)


def measure(folder: Path, options: argparse.Namespace) -> None:
    """Every measurement once per round, one after the other."""
    began = time.perf_counter()
    small, middle = prepare_finished(folder, "small.db", 1000), prepare_finished(folder, "middle.db", 100_000)
    needs_big = {"start", "page"} & set(options.only)
    big = prepare_finished(folder, "big.db", options.items) if needs_big else middle
    work = prepare_work(folder, "work.db", options.work) if "live" in options.only else ""
    print(f"prepared in {time.perf_counter() - began:.0f} s", file=sys.stderr)
    results: Results = {}
    for number in range(options.rounds):
        if "start" in options.only:
            start(folder, small, big, results)
        if "page" in options.only:
            page(folder, small, big, results)
        if "live" in options.only:
            live(folder, work, options.work, results)
        if "idle" in options.only and number == 0:
            idle(folder, middle, results)
    report(results)


if __name__ == "__main__":
    main()
