"""Stage executions per second, bytes per item and peak memory of the standard work, beside limits and peers, in one run.

    python tests/benchmarks/throughput.py [--items 100 1000 10000] [--rounds 3] [--all] [--python PYTHON]

The work: N items through five no-op async stages in a row. Each measurement is a process of its own; rounds are interleaved; figures
are medians, and ratios are medians of the ratios of each round. `--all` adds 100,000 items. Peers need the `benchmarks` extra, in this
environment or in that of `--python`; those that are not installed are left out. Peers are timed at 200 items: they are linear.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).with_name("throughput_peers.py")
STAGES = ("fetch", "clean", "judge", "review", "export")
PEER_ITEMS = 200
IN_FLIGHT = 1000
FANNED_OUT = (250, 10_000)

OURS = ("treadle FULL", "treadle NORMAL", "treadle memory", "treadle FULL, one item at a time")
LIMITS = (
    "sqlite3, the same rows, 1,000 a commit",
    "sqlite3, the same rows, one commit each",
    "sqlite3, compact rows and events",
    "asyncio, a task a stage",
)
PEER_NAMES = ("dbos", "langgraph", "burr", "huey")
DBOS_ALONE = "dbos, one item at a time"
PEER_FAN_OUTS = ("langgraph-fan-out", "dbos-fan-out")
PEER_FANNED_OUT = 1000


# --- ours -----------------------------------------------------------------------------------------------------------------------


async def treadle(name: str, n: int, folder: Path) -> dict[str, float]:
    """The standard work on one of our stores."""
    from treadle_tui.engine import Engine, MemoryStateStore, SqliteStateStore, Workflow

    workflow = Workflow("standard")
    before: list[str] = []
    for stage in STAGES:

        async def nothing(item: object) -> None:
            return None

        workflow.add_stage(stage, nothing, after=before)
        before = [stage]
    path = folder / "work.db"
    alone = name.endswith("at a time")
    store = (
        MemoryStateStore()
        if name.endswith("memory")
        else await SqliteStateStore.open(path, synchronous="NORMAL" if name.endswith("NORMAL") else "FULL")
    )
    async with store, Engine(store, [workflow], concurrency=1 if alone else IN_FLIGHT) as engine:
        started = time.perf_counter()
        await engine.submit(workflow, ({"id": f"item-{number:08d}"} for number in range(n)))
        await engine.run_until_idle()
        seconds = time.perf_counter() - started
        counts = await engine.summary()
        done = sum(states.get("completed", 0) for states in counts["standard"].values())  # type: ignore[call-overload]
        assert done == n * len(STAGES), f"{done} of {n * len(STAGES)} stages are completed"
    return {"seconds": seconds, "bytes": float(path.stat().st_size) if path.exists() else 0.0}


async def fan_out(n: int, folder: Path) -> dict[str, float]:
    """One item whose stage fans out into so many subtasks."""
    from treadle_tui.engine import Engine, FanOut, SqliteStateStore, Workflow

    async def declare(item: object, ctx: object) -> object:
        if ctx.subtask is None:  # type: ignore[attr-defined]
            return FanOut([f"part-{number}" for number in range(n)])
        return None

    workflow = Workflow("standard")
    workflow.add_stage("parts", declare)
    store = await SqliteStateStore.open(folder / "work.db")
    async with store, Engine(store, [workflow], concurrency=IN_FLIGHT) as engine:
        started = time.perf_counter()
        await engine.submit(workflow, [{"id": "one"}])
        await engine.run_until_idle()
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "bytes": float((folder / "work.db").stat().st_size)}


# --- limits ---------------------------------------------------------------------------------------------------------------------


def transitions(n: int) -> Iterator[tuple[int, int, bool]]:
    """(item, stage, whether it ends) in the order of a group of items in flight."""
    for first in range(1, n + 1, IN_FLIGHT):
        for stage in range(1, len(STAGES) + 1):
            for ends in (False, True):
                for item in range(first, min(n + 1, first + IN_FLIGHT)):
                    yield item, stage, ends


def same_rows(n: int, a_commit: int, folder: Path) -> dict[str, float]:
    """The rows that our store writes for the standard work, written by sqlite3 and nothing else."""
    from treadle_tui.engine.store.sqlite.schema import MIGRATIONS

    connection = sqlite3.connect(folder / "raw.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    for _, migrate in MIGRATIONS:
        migrate(connection)
    at = int(time.time() * 1000)
    started = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO treadle_workflows (id, name, fingerprint, shape) VALUES (1, 'w', 'f', X'5b5d')")
    connection.executemany(
        "INSERT INTO treadle_items (key, id, workflow, data, priority, created_at, flags, open_stages) VALUES (?, ?, 1, ?, 0, ?, 0, 5)",
        ((number, f"item-{number:08d}", json.dumps({"id": f"item-{number:08d}"}).encode(), at) for number in range(1, n + 1)),
    )
    connection.execute("COMMIT")
    seq, pending = 0, list(transitions(n))
    for first in range(0, len(pending), a_commit):
        batch = pending[first : first + a_commit]
        begun = [(item, stage) for item, stage, ends in batch if not ends]
        ended = [(item, stage) for item, stage, ends in batch if ends]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO treadle_tasks (item, stage, sub, state, ready, attempt, is_open, open_deps, fence, version, out, updated_at,"
            " started_at, worker, priority, turn, extra, interruptions, phase, subs, open_subs, failed_subs)"
            " VALUES (?, ?, 0, 1, 0, 1, 1, 0, 1, 1, 0, ?, ?, 1, 0, 0, 0, 0, 0, 0, 0, 0)",
            [(item, stage, at, at) for item, stage in begun],
        )
        connection.executemany(
            "UPDATE treadle_tasks SET state = 4, is_open = 0, worker = NULL, version = 2, out = 1, updated_at = ?, completed_at = ?"
            " WHERE item = ? AND stage = ? AND sub = 0",
            [(at, at, item, stage) for item, stage in ended],
        )
        connection.executemany(
            "INSERT INTO treadle_attempts (item, stage, sub, number, started_at, completed_at, outcome, output)"
            " VALUES (?, ?, 0, 1, ?, ?, 0, X'6e756c6c')",
            [(item, stage, at, at) for item, stage in ended],
        )
        connection.executemany("UPDATE treadle_items SET open_stages = open_stages - 1 WHERE key = ?", [(item,) for item, _ in ended])
        connection.executemany(
            "INSERT INTO treadle_events (seq, at, kind, workflow, item, stage, attempt) VALUES (?, ?, ?, 1, ?, ?, 1)",
            [(seq + number, at, 3 + ends, item, stage) for number, (item, stage, ends) in enumerate(batch, start=1)],
        )
        connection.execute("COMMIT")
        seq += len(batch)
    seconds = time.perf_counter() - started
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return {"seconds": seconds, "bytes": float((folder / "raw.db").stat().st_size)}


def compact_rows(n: int, folder: Path) -> dict[str, float]:
    """The smallest rows that tell a stage's state, and an event for each transition."""
    connection = sqlite3.connect(folder / "raw.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE stages (item INTEGER NOT NULL, stage INTEGER NOT NULL, state INTEGER NOT NULL, at REAL NOT NULL,"
        " PRIMARY KEY (item, stage)) WITHOUT ROWID"
    )
    connection.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY, item, stage, kind, at)")
    at = time.time()
    started = time.perf_counter()
    pending = list(transitions(n))
    for first in range(0, len(pending), 1000):
        rows = [(item, stage, int(ends), at) for item, stage, ends in pending[first : first + 1000]]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO stages VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET state = excluded.state, at = excluded.at", rows
        )
        connection.executemany("INSERT INTO events (item, stage, kind, at) VALUES (?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - started
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return {"seconds": seconds, "bytes": float((folder / "raw.db").stat().st_size)}


async def tasks_only(n: int) -> dict[str, float]:
    """An event loop that runs a task per stage and keeps nothing."""

    async def nothing() -> None:
        return None

    async def item() -> None:
        for _ in STAGES:
            await asyncio.create_task(nothing())

    started = time.perf_counter()
    for first in range(0, n, IN_FLIGHT):
        await asyncio.gather(*(item() for _ in range(min(IN_FLIGHT, n - first))))
    return {"seconds": time.perf_counter() - started, "bytes": 0.0}


# --- measuring ------------------------------------------------------------------------------------------------------------------


def measure(name: str, n: int) -> dict[str, float]:
    """One measurement, in this process."""
    with tempfile.TemporaryDirectory(prefix="treadle-bench-") as scratch:
        folder = Path(scratch)
        if name.startswith("fan-out"):
            found = asyncio.run(fan_out(n, folder))
        elif name in OURS:
            found = asyncio.run(treadle(name, n, folder))
        elif name == LIMITS[0]:
            found = same_rows(n, 1000, folder)
        elif name == LIMITS[1]:
            found = same_rows(n, 1, folder)
        elif name == LIMITS[2]:
            found = compact_rows(n, folder)
        else:
            found = asyncio.run(tasks_only(n))
    return {**found, "rss": float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)}


def in_a_process(name: str, n: int, python: str) -> dict[str, float] | None:
    """One measurement in a process of its own; None when a peer is not installed there."""
    command = (
        [python, str(PEERS), name, str(n)]
        if name in (*PEER_NAMES, *PEER_FAN_OUTS, DBOS_ALONE)
        else [sys.executable, __file__, "--one", name, "--items", str(n)]
    )
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=None, check=False)
    if ended.returncode == 3:
        return None
    if ended.returncode:
        sys.exit(f"{name} failed:\n{ended.stderr}")
    return dict(json.loads(ended.stdout.splitlines()[-1]))


def main() -> None:
    """Measure everything, interleaved, and print the table and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--items", nargs="+", type=int, default=[100, 1000, 10_000])
    parser.add_argument("--all", action="store_true", help="also 100,000 items")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the peers")
    parser.add_argument("--fan-out", action="store_true", help="only one item's subtasks")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.items[0])))
        return
    sizes = [*options.items, *([100_000] if options.all else [])]
    work: list[tuple[str, int]] = []
    for n in sizes:
        work += [("treadle FULL", n), ("treadle NORMAL", n), ("treadle memory", n), (LIMITS[0], n), (LIMITS[2], n), (LIMITS[3], n)]
    work += [(LIMITS[1], 200), ("treadle FULL, one item at a time", 200), *((peer, PEER_ITEMS) for peer in (*PEER_NAMES, DBOS_ALONE))]
    if options.fan_out:
        sizes, work = [], []
    work += [("fan-out", n) for n in FANNED_OUT] + [(name, PEER_FANNED_OUT) for name in PEER_FAN_OUTS]
    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    missing: set[str] = set()
    for _ in range(options.rounds):
        for name, n in work:
            if name not in missing:
                one = in_a_process(name, n, options.python)
                if one is None:
                    missing.add(name)
                else:
                    found.setdefault((name, n), []).append(one)
    print_table(found)
    if sizes:
        print_ratios(found, max(n for n in sizes if n <= 10_000), sizes)
    print_fan_outs(found)
    if missing:
        print(f"not installed: {', '.join(sorted(missing))} (pip install '.[benchmarks]')")


def print_table(found: dict[tuple[str, int], list[dict[str, float]]]) -> None:
    """Medians."""
    print(f"{'what':<44}{'items':>9}{'stages/s':>12}{'bytes/item':>12}{'peak MB':>9}")
    for (name, n), rounds in found.items():
        stages = n if "fan-out" in name else n * len(STAGES)
        rate = statistics.median(stages / each["seconds"] for each in rounds)
        size = statistics.median(each["bytes"] / (1 if "fan-out" in name else n) for each in rounds)
        memory = statistics.median(each["rss"] for each in rounds) / 2**20
        print(f"{name:<44}{n:>9,}{rate:>12,.0f}{size:>12,.0f}{memory:>9.0f}")


def print_ratios(found: dict[tuple[str, int], list[dict[str, float]]], n: int, sizes: list[int]) -> None:
    """Ours beside each limit and peer, with the goal."""

    def each_rate(name: str, count: int) -> list[float]:
        rounds = found.get((name, count), [])
        return [count * len(STAGES) / each["seconds"] for each in rounds]

    def line(what: str, ours: list[float], theirs: list[float], goal: str) -> None:
        if ours and theirs:
            ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=False))
            print(f"{what:<66}{ratio:>9.2f}   goal {goal}")

    print()
    ours, alone = each_rate("treadle FULL", n), each_rate("treadle FULL, one item at a time", 200)
    for peer, goal in zip(PEER_NAMES, (">= 100", "-", "-", ">= 60"), strict=True):
        line(f"FULL, {n:,} items, against {peer}", ours, each_rate(peer, PEER_ITEMS), goal)
    line("FULL against sqlite3 writing the same rows, 1,000 a commit", ours, each_rate(LIMITS[0], n), ">= 0.25")
    line("FULL against NORMAL", ours, each_rate("treadle NORMAL", n), ">= 0.9")
    line("one item at a time against sqlite3, two commits a stage", alone, each_rate(LIMITS[1], 200), ">= 0.8")
    line("one item at a time against dbos, one at a time", alone, each_rate(DBOS_ALONE, PEER_ITEMS), ">= 4")
    if max(sizes) > 1000 and 1000 in sizes:
        line(f"FULL, {max(sizes):,} items against 1,000", each_rate("treadle FULL", max(sizes)), each_rate("treadle FULL", 1000), ">= 0.9")
    memory = {count: [each["rss"] for each in found[("treadle FULL", count)]] for count in sizes}
    if max(sizes) > 1000 and 1000 in sizes:
        line(f"peak memory, {max(sizes):,} items against 1,000", memory[max(sizes)], memory[1000], "<= 1.15")
    size = {name: [each["bytes"] for each in found[(name, n)]] for name in ("treadle FULL", LIMITS[2])}
    line("bytes per item against compact rows and events", size["treadle FULL"], size[LIMITS[2]], "<= 1.5")
    line("memory store against a task a stage", each_rate("treadle memory", n), each_rate(LIMITS[3], n), ">= 0.5")


def print_fan_outs(found: dict[tuple[str, int], list[dict[str, float]]]) -> None:
    """What a subtask costs, beside among few and beside peers."""

    def costs(name: str, n: int) -> list[float]:
        return [each["seconds"] / n for each in found.get((name, n), [])]

    few, many = (costs("fan-out", n) for n in FANNED_OUT)
    print(f"a subtask among {FANNED_OUT[1]:,}: {statistics.median(many) * 1e6:.0f} us")
    ratio = statistics.median(a / b for a, b in zip(many, few, strict=True))
    print(f"{f'cost of a subtask against among {FANNED_OUT[0]}':<66}{ratio:>9.2f}   goal <= 1.2")
    for name, goal in zip(PEER_FAN_OUTS, (">= 40", ">= 80"), strict=True):
        theirs = costs(name, PEER_FANNED_OUT)
        if theirs:
            ratio = statistics.median(b / a for a, b in zip(many, theirs, strict=True))
            print(f"{f'cost of a piece of work of {name}':<66}{ratio:>8.0f}x   goal {goal}")


if __name__ == "__main__":
    main()
