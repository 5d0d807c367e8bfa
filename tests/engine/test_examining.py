"""Databases that were really damaged: what is found, and what a repair puts right."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.engine.workflows import chain, fan_out, ran, states
from treadle_tui.engine import Approve, Engine, NeedsReview, ReviewData, SqliteStateStore
from treadle_tui.engine.errors import StoreCorrupt
from treadle_tui.engine.store.sqlite.examining import examine
from treadle_tui.engine.store.sqlite.finding import Repair
from treadle_tui.engine.store.sqlite.repairs import repair
from treadle_tui.engine.testing import ManualClock, ScriptedStage, disagreements

ASKS = ScriptedStage([NeedsReview(1, ReviewData("look"))], repeat=True)


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """`done` has run through three stages, `asked` waits for a person at the second, and `parts` has subtasks."""
    place = tmp_path / "work.db"
    workflow = chain("read", "check", "print", check=ASKS)
    parts = fan_out(["one", "two"], lambda name, ctx: name)
    parts.name = "parts"
    async with SqliteStateStore.open(place) as store, Engine(store, [workflow, parts], clock=ManualClock()) as engine:
        await ran(engine, "done", "asked", "x" * 20)
        await engine.submit("parts", [{"id": "parts"}])
        await engine.run_until_idle()
        await engine.resolve_review("done", "check", Approve(by="ana"))
        await engine.run_until_idle()
    os.utime(place, (1e9, 1e9))  # nobody has touched it for long
    return place


def damage(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        for statement in statements:
            changed = connection.execute(statement)
            assert changed.rowcount != 0, f"damages nothing: {statement}"


def stage(name: str) -> str:
    return f"(SELECT id FROM treadle_stages WHERE name = '{name}')"


def item(id: str) -> str:
    return f"(SELECT key FROM treadle_items WHERE id = '{id}')"


async def test_a_healthy_database_has_no_problems(path: Path) -> None:
    found = examine(path)

    assert found.problems == []
    assert found.repairs == []
    assert found.facts["items"] == 4
    assert "rule of the log" in {finding.kind for finding in found.findings}
    assert list(path.parent.glob("work.db-[ws]*")) == []  # nothing is left behind by looking


DAMAGES: dict[str, tuple[Sequence[str], str, Repair]] = {
    "totals": (
        [f"UPDATE treadle_counts SET n = n + 7 WHERE stage = {stage('read')} AND state = 4"],
        "read: 10 counted as completed, 3 are",
        Repair.TOTALS,
    ),
    "open dependencies": (
        [
            f"INSERT INTO treadle_tasks SELECT item, {stage('print')}, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0,"
            f" 0, 0, 0, NULL, NULL, NULL FROM treadle_tasks WHERE item = {item('asked')} AND stage = {stage('check')}"
        ],
        "stage 'print' of 1 items counts what it waits for wrongly",
        Repair.COUNTERS,
    ),
    "open stages": (
        [f"UPDATE treadle_items SET open_stages = 0 WHERE key = {item('asked')}"],
        "count their open stages wrongly",
        Repair.COUNTERS,
    ),
    "open subtasks": (
        [f"UPDATE treadle_tasks SET open_subs = 5, subs = 9 WHERE item = {item('parts')} AND sub = 0"],
        "1 stages count their subtasks wrongly",
        Repair.COUNTERS,
    ),
    "rows of no item": (
        ["INSERT INTO treadle_memos VALUES (4711, 1, 0, 'k', x'31')", "INSERT INTO treadle_subs VALUES (4711, 1, 3)"],
        "1 rows in treadle_memos are about items that do not exist",
        Repair.ORPHANS,
    ),
    "an item that is gone": (
        [f"DELETE FROM treadle_items WHERE key = {item('done')}"],
        "rows in treadle_tasks are about items that do not exist",
        Repair.ORPHANS,
    ),
    "subtasks without their stage": (
        [f"DELETE FROM treadle_tasks WHERE item = {item('parts')} AND sub = 0"],
        "2 subtasks belong to stages that have not begun",
        Repair.ORPHANS,
    ),
    "an output nobody has": (
        ["INSERT INTO treadle_blobs VALUES ('abc', x'00')"],
        "1 large outputs are kept that no attempt has",
        Repair.BLOBS,
    ),
    "a lease of nobody": (
        [
            "UPDATE treadle_tasks SET state = 1, worker = 99, ready = 0, is_open = 1"
            f" WHERE item = {item('asked')} AND stage = {stage('check')}"
        ],
        "1 stages are held by engines nobody knows",
        Repair.LEASES,
    ),
    "a number of long ago": (
        ["UPDATE treadle_meta SET value = 3 WHERE key = 'last_seq'"],
        "and 3 is remembered as the newest",
        Repair.NUMBERS,
    ),
    "an index that is gone": (["DROP INDEX treadle_ready"], "1 indexes are missing (treadle_ready)", Repair.INDEXES),
}


@pytest.mark.parametrize(("statements", "said", "wanted"), DAMAGES.values(), ids=DAMAGES)
async def test_a_repair_puts_right_what_was_found(path: Path, statements: Sequence[str], said: str, wanted: Repair) -> None:
    damage(path, *statements)

    found = examine(path)
    assert any(said in finding.sentence for finding in found.problems), [finding.sentence for finding in found.problems]
    assert wanted in found.repairs
    await _repair(path)

    left = [finding for finding in examine(path).problems if finding.kind != "events"]  # what was lost is lost, and told
    assert left == []
    async with SqliteStateStore.open(path) as store, Engine(store, chain("read", "check", "print", check=ASKS)) as engine:
        await ran(engine, "new")
        assert (await states(store, "new"))["check"] == "awaiting_review"


async def _repair(path: Path) -> None:
    """In a thread, as the command line would without a loop."""
    for _ in range(3):
        repairs = examine(path).repairs
        if not repairs:
            return
        await asyncio.to_thread(repair, path, repairs)


STUCK = {
    "pending": ("ready = 0", "read", "could start, and would never be started"),
    "running": ("state = 1, ready = 0, attempt = 1, is_open = 1", "read", "are running, and nobody runs them"),
    "to be tried again": ("state = 2, ready = 0, attempt = 1", "read", "wait to be tried again, and no time is set"),
    "paused": ("ready = 2", "read", "are kept back though their item is not paused"),
}


@pytest.mark.parametrize(("change", "name", "said"), STUCK.values(), ids=STUCK)
async def test_a_stuck_stage_is_freed_and_runs(tmp_path: Path, change: str, name: str, said: str) -> None:
    path = tmp_path / "work.db"
    async with SqliteStateStore.open(path) as store, Engine(store, chain("read", "print")) as engine:
        await engine.submit("docs", [{"id": "a"}])
    damage(path, f"UPDATE treadle_tasks SET {change} WHERE stage = {stage(name)}")
    async with SqliteStateStore.open(path) as store, Engine(store, chain("read", "print")) as engine:
        await engine.run_until_idle()
        assert (await states(store, "a"))["print"] == "pending"  # it really is stuck

    assert any(said in finding.sentence for finding in examine(path).problems)
    await _repair(path)

    async with SqliteStateStore.open(path) as store, Engine(store, chain("read", "print")) as engine:
        await engine.run_until_idle()
        assert await states(store, "a") == {"read": "completed", "print": "completed"}
        assert await disagreements(store) == []


async def test_a_stage_that_lost_its_row_is_begun(tmp_path: Path) -> None:
    path = tmp_path / "work.db"
    async with SqliteStateStore.open(path) as store, Engine(store, chain("read")) as engine:
        await engine.submit("docs", [{"id": "a"}])
    damage(path, "DELETE FROM treadle_tasks")

    assert any("there is no row that says so: a › read" in finding.sentence for finding in examine(path).problems)
    await _repair(path)

    async with SqliteStateStore.open(path) as store, Engine(store, chain("read")) as engine:
        await engine.run_until_idle()
        assert await states(store, "a") == {"read": "completed"}


async def test_what_would_start_again_though_it_has_ended_is_kept_from_it(path: Path) -> None:
    damage(path, f"UPDATE treadle_tasks SET ready = 1 WHERE item = {item('done')} AND stage = {stage('read')}")

    assert any("would be started again: done › read" in finding.sentence for finding in examine(path).problems)
    await _repair(path)
    assert examine(path).problems == []


async def test_dead_engines_and_their_leases_are_named_and_released(path: Path) -> None:
    gone = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await gone.wait()
    damage(
        path,
        f"INSERT INTO treadle_workers VALUES (7, 'a', '{socket.gethostname()}', {gone.pid}, '1', 0)",
        f"UPDATE treadle_tasks SET state = 1, worker = 7, is_open = 1 WHERE item = {item('asked')} AND stage = {stage('check')}",
        f"INSERT INTO treadle_workers VALUES (8, 'b', '{socket.gethostname()}', {os.getpid()}, '', 0)",
        "INSERT INTO treadle_workers VALUES (9, 'c', 'another-host', 1, '1', 0)",
    )
    said = {
        finding.sentence.split(";")[0]: finding.is_problem for finding in examine(path).findings if finding.kind in ("leases", "engine")
    }
    assert said == {
        f"a dead engine (process {gone.pid} here) still holds 1 stages": True,
        f"an engine runs here (process {os.getpid()}) and holds nothing": False,
        "an engine on another-host (process 1) holds nothing": False,
    }

    await _repair(path)
    async with SqliteStateStore.open(path) as store:
        assert [worker.id for worker in await store.workers()] == [8, 9]
        assert (await store.get_status("asked", "check")).state.value == "pending"


async def test_states_that_are_not_what_their_events_say_are_told_and_not_touched(path: Path) -> None:
    damage(
        path,
        f"UPDATE treadle_tasks SET state = 6, completed_at = 1 WHERE item = {item('asked')} AND stage = {stage('check')}",
        f"UPDATE treadle_counts SET n = n - 1 WHERE stage = {stage('check')} AND state = 3",
        f"UPDATE treadle_counts SET n = n + 1 WHERE stage = {stage('check')} AND state = 4",
    )
    found = examine(path)

    (events,) = [finding for finding in found.problems if finding.kind == "events"]
    assert "asked › check is failed, its events say awaiting review" in events.sentence
    assert events.repair is None


async def test_lost_events_are_told(path: Path) -> None:
    damage(path, f"DELETE FROM treadle_events WHERE item = {item('done')}")
    assert any("no event tells of 1 items (done)" in finding.sentence for finding in examine(path).problems)


async def test_an_index_that_disagrees_with_its_table_is_made_anew(path: Path) -> None:
    """Rows are taken away behind the index's back: the table is told to be another one's."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'treadle_events_of'").fetchone()[0]
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("DELETE FROM sqlite_master WHERE name = 'treadle_events_of'")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE treadle_events SET item = item + 1 WHERE seq = 1")
        connection.execute("PRAGMA writable_schema=ON")
        statement = "CREATE INDEX treadle_events_of ON treadle_events (item) WHERE item IS NOT NULL"
        values = ("index", "treadle_events_of", "treadle_events", root, statement)
        connection.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", values)
        connection.execute("UPDATE treadle_events SET item = item WHERE seq = -1")
    found = examine(path)

    assert any("missing from index treadle_events_of" in finding.sentence for finding in found.problems)
    await _repair(path)
    assert [finding for finding in examine(path).problems if finding.kind == "damage"] == []


async def test_a_page_that_was_overwritten_is_told_and_nothing_else_is_trusted(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'treadle_tasks'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    content = bytearray(path.read_bytes())  # noqa: ASYNC240
    content[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(content)  # noqa: ASYNC240
    found = examine(path)

    assert {finding.kind for finding in found.problems} == {"damage"}
    assert "restore a backup" in found.problems[0].sentence
    assert found.repairs == []


async def test_values_that_cannot_be_read_are_told(path: Path) -> None:
    damage(path, f"UPDATE treadle_items SET data = x'7b' WHERE key = {item('done')}")
    assert any("1 values in treadle_items.data cannot be read (done)" in finding.sentence for finding in examine(path).problems)


async def test_a_log_of_another_copy_is_told(path: Path, tmp_path: Path) -> None:
    """As after a backup was put in the place of a database that had not been closed."""
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "work.db"
    async with SqliteStateStore.open(other) as store, Engine(store, chain("read")) as engine:
        await ran(engine)
        shutil.copy(f"{other}-wal", f"{path}-wal")
    os.utime(f"{path}-wal", (1e9 - 7200, 1e9 - 7200))

    (finding,) = [finding for finding in examine(path).problems if finding.kind == "stale log"]
    assert "work.db-wal is" in finding.sentence
    assert "minutes older than the database" in finding.sentence


async def test_permissions_that_differ_are_given(path: Path) -> None:
    path.chmod(0o660)  # noqa: ASYNC240
    lock = path.with_name("work.db-lock")
    lock.touch(mode=0o600)
    lock.chmod(0o600)

    assert examine(path).repairs == [Repair.MODES]
    await _repair(path)
    assert examine(path).problems == []


async def test_what_is_no_database_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "work.db").write_text("no database, but long enough to look like one " * 50)
    with pytest.raises(StoreCorrupt, match="is not a SQLite database"):
        examine(tmp_path / "work.db")
