"""Files that are not what they should be: a clear refusal or a correct recovery, never damage, and nothing half made left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.faults.disk import FULL, IO_ERROR, MALFORMED, READ_ONLY, Problem, begins, failing_disk, records_an_attempt
from tests.faults.work import check, counting, items, rows, with_table, worked_on
from treadle_tui.engine import Engine, SqliteStateStore, StoreCorrupt, StoreError
from treadle_tui.engine.store.sqlite import inspecting


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but the lock, which holds nothing."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-lock")}


def write(path: str, content: bytes) -> None:
    """Put a file there."""
    Path(path).write_bytes(content)


async def as_after_a_crash(path: Path, *ids: str) -> None:
    """A database whose newest changes are only in its log, because nobody has closed it: copied while it is open."""
    source = with_table(path.with_name("source.db"))
    async with SqliteStateStore.open(source) as store, Engine(store, counting()) as engine:
        await engine.submit("docs", items(*ids))
        await engine.run_until_idle()
        for suffix in ("", "-wal"):
            shutil.copy(f"{source}{suffix}", f"{path}{suffix}")
    for suffix in ("", "-lock"):
        os.unlink(f"{source}{suffix}")


# --- logs ---------------------------------------------------------------------------------------------------------------------


async def test_what_only_the_log_holds_is_there_again(tmp_path):
    path = tmp_path / "work.db"
    await as_after_a_crash(path, "a", "b")

    await check(path, "a", "b")


async def test_a_log_cut_off_anywhere_gives_back_what_was_whole(tmp_path):
    """As a power cut leaves it: whatever the log still holds from its beginning is one moment of the past, nothing mixed."""
    await as_after_a_crash(tmp_path / "whole.db", "a", "b", "c")
    whole = (tmp_path / "whole.db-wal").read_bytes()
    found = set()

    for share in range(0, 101, 10):
        path = tmp_path / f"cut{share}.db"
        shutil.copy(tmp_path / "whole.db", path)
        write(f"{path}-wal", whole[: len(whole) * share // 100])
        async with SqliteStateStore.open(path) as store:
            found.add(len(await store.list_items()))
            async with Engine(store, counting()) as engine:
                await engine.submit("docs", items("a", "b", "c"))
                await engine.run_until_idle()
        await check(path, "a", "b", "c")

    assert found == {0, 3}


async def test_a_missing_log_gives_back_the_state_before_it(tmp_path):
    path = tmp_path / "work.db"
    await as_after_a_crash(path, "a")
    os.unlink(f"{path}-wal")

    async with SqliteStateStore.open(path) as store:
        assert await store.list_items() == []
    await worked_on(path, "a")

    await check(path, "a")


async def test_the_log_of_another_database_is_refused_and_nothing_is_touched(tmp_path):
    one, other = tmp_path / "one" / "work.db", tmp_path / "other" / "work.db"
    for path, ids in ((one, "abc"), (other, "xy")):
        path.parent.mkdir()
        await as_after_a_crash(path, *ids)
    shutil.copy(f"{other}-wal", f"{one}-wal")
    before = contents(one.parent)

    with pytest.raises(StoreCorrupt, match=r"belongs to another database.*move work\.db-wal"):
        await SqliteStateStore.open(one)

    after = contents(one.parent)
    after.pop("work.db-shm", None)
    assert after == before
    os.unlink(f"{one}-wal")
    async with SqliteStateStore.open(one) as store:
        assert await store.list_items() == []


async def test_a_log_that_is_garbage_is_no_log(tmp_path):
    path = with_table(tmp_path / "work.db")
    await worked_on(path, "a")
    write(f"{path}-wal", os.urandom(100_000))

    await check(path, "a")


async def test_the_log_of_a_foreign_program_is_not_copied_into_its_file(tmp_path):
    path = tmp_path / "theirs.db"
    with contextlib.closing(sqlite3.connect(tmp_path / "source.db", isolation_level=None)) as theirs:
        theirs.execute("PRAGMA journal_mode=WAL")
        theirs.execute("PRAGMA application_id=7")
        theirs.execute("CREATE TABLE books (title)")
        for suffix in ("", "-wal"):
            shutil.copy(tmp_path / f"source.db{suffix}", f"{path}{suffix}")
    before = {name: (tmp_path / name).read_bytes() for name in ("theirs.db", "theirs.db-wal")}

    with pytest.raises(StoreCorrupt, match="belongs to another program"):
        await SqliteStateStore.open(path)

    assert {name: (tmp_path / name).read_bytes() for name in before} == before


# --- damaged files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
async def test_a_truncated_database_is_refused_and_left_as_it_is(tmp_path, share):
    path = with_table(tmp_path / "work.db")
    await worked_on(path, *map(str, range(20)))
    os.truncate(path, int(path.stat().st_size * share))
    before = path.read_bytes()

    with pytest.raises(StoreCorrupt, match=r"is damaged.*restore a backup"):
        await SqliteStateStore.open(path)

    assert path.read_bytes() == before


async def test_garbage_in_the_middle_is_told_as_damage_whoever_meets_it(tmp_path):
    """Page by page: whatever is overwritten, opening and working either goes well or ends with one sentence of ours."""
    source = with_table(tmp_path / "source.db")
    await worked_on(source, *map(str, range(30)))
    page = 4096
    pages = source.stat().st_size // page
    refused: list[tuple[str, str]] = []

    for number in range(pages):
        path = tmp_path / f"{number}.db"
        content = bytearray(source.read_bytes())
        content[number * page : (number + 1) * page] = os.urandom(page)
        path.write_bytes(content)
        try:
            async with SqliteStateStore.open(path) as store, Engine(store, counting()) as engine:
                await engine.submit("docs", items("new"))
                await engine.run_until_idle()
                [event async for event in store.events()]
                for id in await store.list_items():
                    await store.get_all_statuses(id)
        except StoreError as error:
            refused.append((path.name, str(error)))

    assert len(refused) > pages / 2
    assert [told for name, told in refused if name not in told] == []


@pytest.mark.parametrize(
    ("statement", "stage"),
    [
        ("UPDATE treadle_items SET data = x'00ff'", "parse"),
        ("UPDATE treadle_attempts SET output = x'00ff'", "keep"),
        ("UPDATE treadle_tasks SET detail = x'00ff' WHERE state = 0", "parse"),
    ],
)
async def test_a_stored_value_that_cannot_be_read_back_fails_its_stage_or_stops_the_engine(tmp_path, statement, stage):
    path = with_table(tmp_path / "work.db")
    async with SqliteStateStore.open(path) as store, Engine(store, counting()) as engine:
        await engine.submit("docs", items("a"))
        if stage != "parse":
            await engine.run_stage("a", "parse")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()

    async with SqliteStateStore.open(path) as store, Engine(store, counting()) as engine:
        try:
            await asyncio.wait_for(engine.run_until_idle(), 10)
        except StoreCorrupt as error:
            told = str(error)
        else:
            told = (await store.get_status("a", stage)).error or ""

    assert re.search("is damaged|cannot be read|no longer fits", told), told


async def test_an_engine_whose_file_turns_out_damaged_stops_and_says_so(tmp_path, caplog):
    """The damage is met when a result is recorded: neither is it swallowed, nor does the engine go on as if nothing was."""
    path = with_table(tmp_path / "work.db")
    with failing_disk() as disk:
        async with SqliteStateStore.open(path) as store, Engine(store, counting()) as engine:
            await engine.submit("docs", items("a"))
            disk.hits = records_an_attempt
            disk.problem = MALFORMED
            with pytest.raises(StoreCorrupt, match="is damaged"):
                await asyncio.wait_for(engine.run_until_idle(), 10)
            disk.problem = None
            assert engine.running == 0

    assert "could not be recorded" in caplog.text


# --- what cannot be made ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", [FULL, IO_ERROR, READ_ONLY], ids=["full", "io", "read-only"])
@pytest.mark.parametrize("statement", ["PRAGMA journal_mode", "CREATE TABLE treadle_blobs", "INSERT INTO treadle_migrations", "COMMIT"])
async def test_a_database_that_cannot_be_made_leaves_nothing_behind(tmp_path, problem: Problem, statement):
    with failing_disk() as disk, disk.failing(problem, begins(statement)):
        with pytest.raises(StoreError, match=r"work\.db"):
            await SqliteStateStore.open(tmp_path / "work.db")
        assert disk.refused

    assert list(tmp_path.iterdir()) == []


async def test_a_users_database_to_which_no_tables_could_be_added_stays_as_it_was(tmp_path):
    path = with_table(tmp_path / "theirs.db")
    with (
        failing_disk() as disk,
        disk.failing(FULL, begins("CREATE TABLE treadle_blobs")),
        pytest.raises(StoreError, match="no room is left"),
    ):
        await SqliteStateStore.open(path)

    assert rows(path, "SELECT name FROM sqlite_master") == [("kept",)]
    await worked_on(path, "a")
    await check(path, "a")


@pytest.mark.parametrize("name", ["n" * 300, "zero\0byte", "file/below"], ids=["too long", "zero byte", "a file as folder"])
async def test_a_name_the_system_refuses_is_a_sentence_and_not_a_wait_without_end(tmp_path, name):
    (tmp_path / "file").touch()

    with pytest.raises(StoreError):
        await asyncio.wait_for(SqliteStateStore.open(tmp_path / name)._open(), 10)

    assert [path.name for path in tmp_path.iterdir()] == ["file"]


async def test_an_opening_that_is_cancelled_lets_go_of_the_file(tmp_path):
    for turns in range(6):
        opening = asyncio.ensure_future(SqliteStateStore.open(tmp_path / "work.db")._open())
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await opening

    left = [thread.name for thread in threading.enumerate()]
    assert [name for name in left if "writer" in name or "watcher" in name or "connection" in name] == []


async def test_two_that_make_one_database_at_the_same_time_share_it(tmp_path):
    """Also when the first of them fails half way and takes away what it made."""
    path = tmp_path / "work.db"
    with failing_disk() as disk:
        left = iter([True, False, False, False])
        with disk.failing(FULL, lambda sql: sql.startswith("INSERT INTO treadle_migrations") and next(left, False)):
            stores = await asyncio.gather(*(SqliteStateStore.open(path)._open() for _ in range(3)), return_exceptions=True)

        opened = [store for store in stores if isinstance(store, SqliteStateStore)]
        assert len(opened) == 2
        async with Engine(opened[0], counting()) as engine:
            await engine.submit("docs", items("a"))
        assert await opened[1].list_items() == ["a"]
        for store in opened:
            await store.close()


# --- network file systems -----------------------------------------------------------------------------------------------------


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw,vers=4.2 0 0
/dev/sdb1 /home/ana/local ext4 rw 0 0
//nas/all /mnt/the\\040share cifs rw 0 0
tmpfs /mnt/over tmpfs rw 0 0
host:/ /mnt/over fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/srv", "ext4"),
        ("/home/ben", "nfs4"),
        ("/homework", "ext4"),
        ("/home/ana/local/deep", "ext4"),
        ("/mnt/the share/x", "cifs"),
        ("/mnt/over", "fuse.sshfs"),
    ],
)
def test_a_file_on_a_network_file_system_is_refused_with_its_reason(tmp_path, folder, kind):
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    path = Path(folder) / "work.db"

    assert inspecting.file_system_of(path, mounts) == kind
    if kind == "ext4":
        inspecting.refuse_network(path, mounts)
    else:
        with pytest.raises(StoreError, match=rf"{path}.*network file system \({kind}\).*disk of this computer"):
            inspecting.refuse_network(path, mounts)


def test_a_system_that_tells_of_no_mounts_is_believed(tmp_path):
    inspecting.refuse_network(tmp_path / "work.db", tmp_path / "nowhere")


async def test_opening_asks_where_the_file_lies(tmp_path, monkeypatch):
    def refuse(path: Path, *arguments: Any) -> None:
        raise StoreError(f"{path} is far away")

    monkeypatch.setattr("treadle_tui.engine.store.sqlite.writer.refuse_network", refuse)

    with pytest.raises(StoreError, match="far away"):
        await SqliteStateStore.open(tmp_path / "work.db")

    assert list(tmp_path.iterdir()) == []
