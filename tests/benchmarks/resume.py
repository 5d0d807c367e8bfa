"""How soon an engine knows what is ready in a big database, beside reading the same from the index and loading every row.

    python tests/benchmarks/resume.py [--items 1000000] [--rounds 5]

A database of N items times five stages, of which one in a hundred still has a ready stage, is written once; then each question is asked
in a process of its own, interleaved; figures are medians.
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
from pathlib import Path
from typing import Any

STAGES = ("fetch", "clean", "judge", "review", "export")
QUESTIONS = (
    "open the store and know what is ready",
    "open the store and claim a thousand",
    "read the ready rows by sqlite3",
    "load every row",
)


async def nothing(item: object) -> None:
    """A stage that does nothing."""


async def prepare(path: Path, n: int) -> None:
    """Write the database: its frame by the engine, its rows by SQL."""
    from treadle_tui.engine import Engine, SqliteStateStore

    async with SqliteStateStore.open(path) as store, Engine(store, [standard()]) as engine:
        await engine.submit("standard", [{"id": "item-0"}])
        await engine.run_until_idle()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "WITH RECURSIVE n(k) AS (SELECT 2 UNION ALL SELECT k + 1 FROM n WHERE k < ?)"
        " INSERT INTO treadle_items (key, id, workflow, data, priority, created_at, flags, open_stages)"
        " SELECT k, 'item-' || k, i.workflow, i.data, 0, i.created_at, 0, CASE WHEN k % 100 = 0 THEN 3 ELSE 0 END"
        " FROM n, treadle_items i WHERE i.key = 1",
        (n,),
    )
    columns = [row[1] for row in connection.execute("PRAGMA table_info(treadle_tasks)")]
    copied = ", ".join("i.key" if name == "item" else f"t.{name}" for name in columns)
    connection.execute(
        f"INSERT INTO treadle_tasks ({', '.join(columns)}) SELECT {copied} FROM treadle_items i JOIN treadle_tasks t ON t.item = 1"
        " WHERE i.key > 1 AND (i.key % 100 <> 0 OR t.stage < 4) ORDER BY i.key, t.stage"
    )
    connection.execute(
        "UPDATE treadle_tasks SET state = 0, ready = 1, attempt = 0, fence = 0, version = 0, out = 0, started_at = NULL,"
        " completed_at = NULL WHERE item % 100 = 0 AND stage = 3 AND item > 1"
    )
    connection.execute("DELETE FROM treadle_counts")
    connection.execute(
        "INSERT INTO treadle_counts (stage, is_subtask, state, n) SELECT stage, 0, state, count(*) FROM treadle_tasks GROUP BY stage, state"
    )
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def standard() -> Any:
    """The standard work."""
    from treadle_tui.engine import Workflow

    workflow = Workflow("standard")
    before: list[str] = []
    for name in STAGES:
        workflow.add_stage(name, nothing, after=before)
        before = [name]
    return workflow


async def ask_store(path: Path, claims: bool) -> int:
    """Open the file as an engine does; what it found."""
    from treadle_tui.engine import Engine, SqliteStateStore
    from treadle_tui.engine.store.results import StageRoom

    async with SqliteStateStore.open(path) as store, Engine(store, [standard()]) as engine:
        shape = await store.shape_named("standard")
        assert shape is not None
        if not claims:
            outlook = await store.outlook(0, [stage.id for stage in shape.stages], None, int(time.time() * 1000))
            assert outlook.is_ready
            return sum(sum(states.values()) for states in (await engine.summary())["standard"].values())
        worker = await store.add_worker("bench", "here", 1, "1")
        rooms = [StageRoom(stage=stage.id, room=1000) for stage in shape.stages]
        taken = await store.claim(worker, rooms, 1000, {}, lambda text: lambda names: True, None, int(time.time() * 1000)) or []
        await store.hand_back(worker, [(claim.key, claim.fence) for claim in taken], int(time.time() * 1000))
        await store.remove_worker(worker, int(time.time() * 1000))
        return len(taken)


def ask(question: str, path: Path) -> dict[str, float]:
    """Ask once, in this process; imports are not counted."""
    import treadle_tui.engine.engine
    import treadle_tui.engine.store.sqlite.store  # noqa: F401

    started = time.perf_counter()
    if question == QUESTIONS[0]:
        found = asyncio.run(ask_store(path, False))
    elif question == QUESTIONS[1]:
        found = asyncio.run(ask_store(path, True))
    else:
        connection = sqlite3.connect(path)
        where = " WHERE ready = 1 AND stage = 3" if question == QUESTIONS[2] else ""
        found = len(connection.execute(f"SELECT item, stage, state FROM treadle_tasks{where}").fetchall())
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "found": float(found), "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> None:
    """Prepare, ask in turns, print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ask", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        print(json.dumps(ask(options.ask[0], Path(options.ask[1]))))
        return
    with tempfile.TemporaryDirectory(prefix="treadle-bench-") as scratch:
        path = Path(scratch) / "work.db"
        asyncio.run(prepare(path, options.items))
        found: dict[str, list[dict[str, float]]] = {question: [] for question in QUESTIONS}
        for _ in range(options.rounds):
            for question in QUESTIONS:
                ended = subprocess.run([sys.executable, __file__, "--ask", question, str(path)], capture_output=True, text=True, check=True)
                found[question].append(json.loads(ended.stdout))
        medians = {question: statistics.median(each["seconds"] for each in rounds) for question, rounds in found.items()}
        print(f"{options.items:,} items, {path.stat().st_size / 2**20:,.0f} MB")
        for question, seconds in medians.items():
            first = found[question][0]
            print(f"{question:<44}{seconds * 1000:>10.1f} ms{first['found']:>12,.0f} found{first['rss']:>8.0f} MB")
        known = medians[QUESTIONS[0]]
        print(f"{'knowing against reading it from the index':<44}{known / medians[QUESTIONS[2]]:>10.2f}   goal <= 4")
        print(f"{'knowing against loading every row':<44}{known / medians[QUESTIONS[3]]:>10.3f}   goal <= 0.025")


if __name__ == "__main__":
    main()
