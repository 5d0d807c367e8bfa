"""The store in a file: what is refused and left untouched, what is created, and two programs on one file."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from treadle_tui.engine import (
    Approve,
    Engine,
    NeedsReview,
    RetryBudget,
    ReviewRequired,
    SqliteStateStore,
    StageCompleted,
    StageState,
    StoreCorrupt,
    StoreError,
    StoreLocked,
    StoreTooNew,
    Workflow,
    WorkflowCompleted,
)
from treadle_tui.engine.store.sqlite.questions import Questions
from treadle_tui.engine.store.sqlite.schema import APPLICATION_ID
from treadle_tui.engine.testing import collect_events, disagreements

from .workflows import chain, ran, scripted, states, submitted


def sql(path: Path, *statements: str) -> list[Any]:
    """Run statements on a file, past the engine; the rows of the last."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        rows: list[Any] = []
        for statement in statements:
            rows = connection.execute(statement).fetchall()
        connection.commit()
        return rows


def digest(path: Path) -> str:
    """Of the file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def used(path: Path, *ids: str) -> None:
    """A file in which a few items have been worked on."""
    async with SqliteStateStore.open(path) as store, Engine(store, [chain("one", "two", two=NeedsReview(1))]) as engine:
        await ran(engine, *(ids or ("a",)))


# --- opening ------------------------------------------------------------------------------------------------------------------


async def test_an_opened_store_may_be_awaited_or_used_as_a_context(tmp_path):
    store = await SqliteStateStore.open(tmp_path / "one.db")
    assert await store.list_items() == []
    async with store as same:
        assert same is store
    assert store.is_closed
    async with SqliteStateStore.open(str(tmp_path / "one.db")) as again:
        assert await again.list_items() == []


@pytest.mark.skipif(sys.platform == "win32", reason="no permission bits")
async def test_a_new_file_can_be_read_by_its_owner_only(tmp_path):
    path = tmp_path / "work.db"
    before = os.umask(0)
    try:
        await used(path)
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(other.stat().st_mode) for other in tmp_path.iterdir()} == {0o600}


async def test_a_new_file_says_whose_it_is(tmp_path):
    await used(tmp_path / "work.db")

    assert sql(tmp_path / "work.db", "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert sql(tmp_path / "work.db", "PRAGMA journal_mode") == [("wal",)]


async def test_memory_is_a_private_file_that_is_removed_on_close():
    store = await SqliteStateStore.open(":memory:")
    path = store.path
    async with Engine(store, [chain("one")]) as engine:
        await ran(engine)
    other = await SqliteStateStore.open(":memory:")
    assert await other.list_items() == []
    assert path.exists()

    await store.close()
    await other.close()

    assert not path.exists()
    assert not path.parent.exists()


async def test_what_a_call_has_returned_from_is_in_the_file(tmp_path):
    await used(tmp_path / "work.db", "a", "b")

    async with SqliteStateStore.open(tmp_path / "work.db") as store:
        assert await store.list_items() == ["a", "b"]
        assert await states(store, "b") == {"one": "completed", "two": "awaiting_review"}
        assert await disagreements(store) == []
        async with Engine(store, [chain("one", "two", two=NeedsReview(1))]) as engine:
            await engine.resolve_review("a", "two", Approve())
        assert await states(store) == {"one": "completed", "two": "completed"}


async def test_no_temporary_files_stay_beside_a_closed_database(tmp_path):
    await used(tmp_path / "work.db")

    assert {path.name for path in tmp_path.iterdir()} <= {"work.db", "work.db-lock"}


# --- a user's own database ----------------------------------------------------------------------------------------------------


async def test_our_tables_are_added_to_a_users_database_and_theirs_are_left_alone(tmp_path):
    path = tmp_path / "theirs.db"
    sql(path, "CREATE TABLE books (title TEXT)", "INSERT INTO books VALUES ('one')", "PRAGMA user_version = 7", "PRAGMA application_id = 0")

    await used(path)
    await used(path, "b")

    assert sql(path, "SELECT title FROM books") == [("one",)]
    assert sql(path, "PRAGMA user_version") == [(7,)]
    assert sql(path, "PRAGMA application_id") == [(0,)]
    assert sql(path, "SELECT id FROM treadle_items ORDER BY id") == [("a",), ("b",)]


async def test_a_file_of_another_program_is_refused_and_left_untouched(tmp_path):
    path = tmp_path / "other.db"
    sql(path, "CREATE TABLE books (title TEXT)", f"PRAGMA application_id = {0x12345678}")
    before = digest(path)

    with pytest.raises(StoreCorrupt, match=r"belongs to another program.*0x12345678"):
        await SqliteStateStore.open(path)

    assert digest(path) == before


@pytest.mark.parametrize(
    "content", [b"this is no database at all, only text " * 100, b"short", b"\x00" * 4096], ids=["text", "short", "zeros"]
)
async def test_what_is_no_database_is_refused_and_left_untouched(tmp_path, content):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)

    with pytest.raises(StoreCorrupt, match="not a SQLite database"):
        await SqliteStateStore.open(path)

    assert path.read_bytes() == content


async def test_an_empty_file_is_a_new_database(tmp_path):
    (tmp_path / "work.db").touch()

    await used(tmp_path / "work.db", "a")

    async with SqliteStateStore.open(tmp_path / "work.db") as store:
        assert await store.list_items() == ["a"]


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE treadle_items (id TEXT)"],
        ["CREATE TABLE treadle_tasks (x)", "CREATE TABLE treadle_migrations (number, name)"],
        [
            "CREATE TABLE treadle_migrations (number INTEGER, name TEXT, applied_at INTEGER)",
            "INSERT INTO treadle_migrations VALUES (1, 'x', 1)",
        ],
    ],
)
async def test_our_names_in_another_shape_are_refused_and_left_untouched(tmp_path, statements):
    path = tmp_path / "odd.db"
    sql(path, *statements)
    before = digest(path)

    with pytest.raises(StoreCorrupt, match="in another shape"):
        await SqliteStateStore.open(path)

    assert digest(path) == before


async def test_a_column_missing_from_our_tables_is_another_shape(tmp_path):
    path = tmp_path / "work.db"
    await used(path)
    sql(path, "ALTER TABLE treadle_holds DROP COLUMN condition")
    before = digest(path)

    with pytest.raises(StoreCorrupt, match="treadle_holds"):
        await SqliteStateStore.open(path)

    assert digest(path) == before


async def test_a_database_of_a_newer_version_is_refused_and_left_untouched(tmp_path):
    path = tmp_path / "work.db"
    await used(path)
    sql(path, "INSERT INTO treadle_migrations VALUES (9999, 'from the future', 1)")
    before = digest(path)

    with pytest.raises(StoreTooNew, match=r"newer version.*9999.*update"):
        await SqliteStateStore.open(path)

    assert digest(path) == before


async def test_a_damaged_database_is_refused(tmp_path):
    path = tmp_path / "work.db"
    await used(path)
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)

    with pytest.raises(StoreError):
        async with SqliteStateStore.open(path) as store, Engine(store, [chain("one")]) as engine:
            await ran(engine, "z")


async def test_what_cannot_be_opened_says_why(tmp_path):
    with pytest.raises(StoreError, match="is a folder"):
        await SqliteStateStore.open(tmp_path)
    with pytest.raises(StoreError, match="does not exist"):
        await SqliteStateStore.open(tmp_path / "nowhere" / "work.db")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_that_cannot_be_written_says_so(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)

    with pytest.raises(StoreError, match="cannot be"):
        await SqliteStateStore.open(folder / "work.db")

    assert list(folder.iterdir()) == []


async def test_a_file_another_program_is_writing_to_is_locked_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("treadle_tui.engine.store.sqlite.opening.BUSY_MS", 20)
    path = tmp_path / "work.db"
    await used(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with SqliteStateStore.open(path) as store:
            assert await states(store) == {"one": "completed", "two": "awaiting_review"}
            with pytest.raises(StoreLocked, match="close it there, or try again later"):
                await store.delete_item("a")
            other.execute("ROLLBACK")
            await store.delete_item("a")


async def test_a_refused_file_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "other.db"
    sql(path, "CREATE TABLE books (title TEXT)", "PRAGMA application_id = 7")

    with pytest.raises(StoreCorrupt):
        await SqliteStateStore.open(path)

    assert {each.name for each in tmp_path.iterdir()} <= {"other.db", "other.db-lock"}


# --- big and odd values ---------------------------------------------------------------------------------------------------------


async def test_outputs_above_64_kib_are_kept_once_and_go_with_their_items(tmp_path):
    big = {"text": "".join(chr(97 + number % 26) for number in range(100_000))}
    path = tmp_path / "work.db"
    workflow, _ = scripted(big, repeat=True)
    async with SqliteStateStore.open(path) as store, Engine(store, [workflow]) as engine:
        await ran(engine, "a", "b")
        assert (await store.get_status("b", "work")).output == big
        assert sql(path, "SELECT count(*) FROM treadle_blobs") == [(1,)]
        await store.delete_item("a")
        assert (await store.get_status("b", "work")).output == big
        await store.delete_item("b")
        assert sql(path, "SELECT count(*) FROM treadle_blobs") == [(0,)]


@pytest.mark.parametrize("item_id", ["with space", "slash/and\\back", "quote'\"", "ünïcödé 漢字 🎉", "%_[]*?", "-- comment", "a" * 500])
async def test_odd_ids_are_only_names(store, start, item_id):
    engine = await start(chain("one", "two", two=NeedsReview(1)))

    await ran(engine, item_id)
    await engine.resolve_review(item_id, "two", Approve())

    assert await states(store, item_id) == {"one": "completed", "two": "completed"}
    assert {event.item_id async for event in store.events(item_id=item_id)} == {item_id}
    await store.delete_item(item_id)


async def test_many_items_are_found_again(store, start):
    engine = await start(chain("one"))
    ids = [f"item {number}" for number in range(1200)]

    assert await engine.submit("docs", ({"id": id} for id in ids)) == 1200
    assert await engine.submit("docs", ({"id": id} for id in ids)) == 0

    assert await store.list_items() == ids
    assert len(await store.rows(ids)) == 1200


# --- several programs on one file -----------------------------------------------------------------------------------------------


async def test_two_stores_on_one_file_share_the_work_and_nothing_runs_twice(tmp_path):
    ran_items: list[str] = []

    async def work(item: Any, ctx: Any) -> None:
        ran_items.append(item["id"])
        await asyncio.sleep(0)

    ids = [f"{number:02}" for number in range(40)]
    workflows = [scripted(work, repeat=True)[0] for _ in range(2)]
    async with two_engines(tmp_path / "work.db", *workflows) as (first, second):
        await submitted(first, *ids)
        await asyncio.gather(first.run_until_idle(), second.run_until_idle())

    assert sorted(ran_items) == ids


@asynccontextmanager
async def two_engines(path: Path, one: Workflow, two: Workflow) -> AsyncIterator[tuple[Engine, Engine]]:
    """Each on a store of its own, as in two programs."""
    async with SqliteStateStore.open(path) as first, SqliteStateStore.open(path) as second:
        async with Engine(first, [one]) as runs, Engine(second, [two]) as other:
            yield runs, other
        assert await disagreements(first) == []
        assert await disagreements(second) == []


async def test_a_decision_made_in_one_is_seen_by_the_other_within_a_second(tmp_path):
    workflows = [chain("one", "two", one=NeedsReview(1)) for _ in range(2)]
    async with two_engines(tmp_path / "work.db", *workflows) as (runs, decides):
        await submitted(runs, "a")
        drive = asyncio.create_task(runs.run_forever())
        await collect_events(decides.events(), until=ReviewRequired)

        loop = asyncio.get_running_loop()
        began = loop.time()
        await decides.resolve_review("a", "one", Approve(by="ana"))
        await collect_events(runs.events(), until=WorkflowCompleted)
        seconds = loop.time() - began
        drive.cancel()
        await asyncio.wait({drive})

    assert seconds < 1.5


async def test_caches_of_two_stores_never_disagree(tmp_path):
    """Each writes what the other has just read: versions and counts must follow."""
    workflows = [scripted(NeedsReview(1), repeat=True)[0] for _ in range(2)]
    async with two_engines(tmp_path / "work.db", *workflows) as (first, second):
        await submitted(first, "a")
        for engine, other in [(first, second), (second, first)] * 5:
            await engine.advance("a")
            version = (await other.store.get_status("a", "work")).version
            await other.resolve_review("a", "work", Approve(), version=version)
            await engine.rerun_stage("a", "work")
            await other.pause("a")
            await engine.resume("a")
            assert await first.summary() == await second.summary()
        await second.advance("a")

        assert await first.store.get_all_statuses("a") == await second.store.get_all_statuses("a")
        assert (await first.store.get_status("a", "work")).state is StageState.AWAITING_REVIEW


PROGRAM = """
import asyncio, sys
from treadle_tui.engine import Engine, SqliteStateStore, Workflow

workflow = Workflow("docs")

@workflow.stage
async def work(item, ctx):
    print(item["id"], ctx.idempotency_key, flush=True)
    if sys.argv[2] == "hang" and item["id"] == "3":
        await asyncio.sleep(600)
    await asyncio.sleep(0.002)

async def main():
    async with SqliteStateStore.open(sys.argv[1]) as store, Engine(store, [workflow], concurrency=4) as engine:
        await engine.submit(workflow, [{"id": str(number)} for number in range(20)])
        await engine.run_until_idle()

asyncio.run(main())
"""


def program(path: Path, mode: str) -> subprocess.Popen[str]:
    """Another process that works on the file."""
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(PROGRAM), str(path), mode], stdout=subprocess.PIPE, text=True)


def test_two_processes_share_the_work_and_nothing_runs_twice(tmp_path):
    processes = [program(tmp_path / "work.db", "run") for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in processes]

    lines = [line for output in outputs for line in output.splitlines()]

    assert [process.returncode for process in processes] == [0, 0]
    assert len(lines) == len({line.split()[0] for line in lines}) == 20


def test_a_killed_process_leaves_its_finished_work_finished_and_the_rest_is_recovered(tmp_path):
    path = tmp_path / "work.db"
    killed = program(path, "hang")
    assert killed.stdout is not None
    lines: list[str] = []
    for line in killed.stdout:
        lines.append(line.strip())
        if line.startswith("3 "):
            break
    killed.kill()
    killed.wait()
    lines += [line.strip() for line in killed.stdout]
    killed.stdout.close()

    again, _ = program(path, "run").communicate(timeout=60)

    keys = dict(line.split() for line in again.splitlines())
    assert keys["3"] == dict(line.split() for line in lines)["3"]
    done = sql(path, "SELECT count(*) FROM treadle_tasks WHERE state = 4")
    assert done == [(20,)]
    interrupted = {line.split()[0] for line in again.splitlines()} & {line.split()[0] for line in lines}
    assert "3" in interrupted
    assert len(interrupted) <= 4


# --- the engine's own numbers ---------------------------------------------------------------------------------------------------


async def test_retries_and_holds_are_in_the_file(tmp_path, clock):
    path = tmp_path / "work.db"
    workflow, _ = scripted(ValueError(), retry=RetryBudget(max_attempts=2, delay=60))
    async with SqliteStateStore.open(path) as store, Engine(store, [workflow], clock=clock) as engine:
        await submitted(engine, "a", "b")
        await engine.advance("a")
        await engine.pause_stage("docs", "work")
    clock.advance(60)

    again, stage = scripted("ok", repeat=True, retry=RetryBudget(max_attempts=2, delay=60))
    async with SqliteStateStore.open(path) as store, Engine(store, [again], clock=clock) as engine:
        await engine.run_until_idle()
        assert stage.calls == []
        await engine.resume_stage("docs", "work")
        await engine.run_until_idle()

        assert await store.query_items("work", StageState.COMPLETED) == ["a", "b"]
        assert [context.attempt for context in stage.contexts] == [2, 1] or [context.attempt for context in stage.contexts] == [1, 2]
        assert len([event async for event in store.events() if isinstance(event, StageCompleted)]) == 2


async def test_idempotency_keys_differ_between_databases(tmp_path):
    keys = []
    for name in ("one.db", "two.db"):
        workflow, stage = scripted(1)
        async with SqliteStateStore.open(tmp_path / name) as store, Engine(store, [workflow]) as engine:
            await ran(engine)
        keys.append(stage.contexts[0].idempotency_key)

    assert keys[0] != keys[1]


async def test_a_workflow_that_another_program_adds_while_they_are_read_is_there_or_not_there(tmp_path):
    async with SqliteStateStore.open(tmp_path / "work.db") as store:
        with contextlib.closing(sqlite3.connect(tmp_path / "work.db")) as other:
            await store.save_shape("first", "x", chain("read", "clean").shape()["stages"])
            question = Questions().shapes()
            sql, parameters = next(question)
            shapes: Any = None
            for number in range(9):
                rows = other.execute(sql, parameters).fetchall()
                await store.save_shape(f"added {number}", "x", chain("read", f"late {number}").shape()["stages"])
                try:
                    sql, parameters = question.send(rows)
                except StopIteration as end:
                    shapes = end.value
                    break

        assert "first" in [shape.name for shape in shapes.values()]
        assert all(len(shape.stages) == len({stage.id for stage in shape.stages}) == 2 for shape in shapes.values())
