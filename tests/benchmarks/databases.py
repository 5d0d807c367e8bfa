"""The databases the board is measured on, and the workflows they belong to."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

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


def write_workflows(folder: Path) -> None:
    """Put the workflows' files where the program looks for them."""
    (folder / "workflows").mkdir()
    for name, code in WORKFLOWS.items():
        (folder / "workflows" / f"{name}.py").write_text(code)


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


def completed(db: Path) -> int:
    """Stages that are complete, from the kept counts."""
    return _number(db, "SELECT coalesce(sum(n), 0) FROM treadle_counts WHERE state = 4")


def last_event(db: Path) -> int:
    """The number of the newest event."""
    return _number(db, "SELECT coalesce(max(seq), 0) FROM treadle_events")


def _number(db: Path, question: str) -> int:
    connection = sqlite3.connect(f"file:{db}?mode=ro", uri=True, timeout=5)
    try:
        return int(connection.execute(question).fetchone()[0])
    finally:
        connection.close()
