"""A database that is only looked at: what is read is true, nothing is opened for writing, and whatever would change it is refused."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.engine.workflows import chain, ran, states, submitted
from treadle_tui.engine import Engine, SqliteStateStore
from treadle_tui.engine.clock import SystemClock, to_ms
from treadle_tui.engine.errors import StoreCorrupt, StoreError
from treadle_tui.engine.store.sqlite.addresses import Stillness
from treadle_tui.engine.store.sqlite.read_only import ReadOnlySqliteStore

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A database with one finished item, which nobody has open and nobody has touched for long."""
    place = tmp_path / "work.db"
    async with SqliteStateStore.open(place) as store, Engine(store, chain("read", "print")) as engine:
        await ran(engine, "a")
    os.utime(place, (1e9, 1e9))
    return place


def left(place: Path) -> Iterator[str]:
    """Names of the files of a database, without the lock."""
    return (file.name for file in sorted(place.parent.glob("work.db*")) if not file.name.endswith("-lock"))


def opened_for_writing(place: Path) -> list[str]:
    """Files of the database that this process has open for writing."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(link)
            flags = int((Path("/proc/self/fdinfo") / link.name).read_text().split("flags:")[1].split()[0], 8)
        except OSError:
            continue
        if target.startswith(str(place)) and flags & (os.O_WRONLY | os.O_RDWR):
            found.append(target)
    return found


async def test_what_is_read_is_what_the_store_has(path: Path) -> None:
    store = await ReadOnlySqliteStore.open(path)
    async with store:
        assert await states(store) == {"read": "completed", "print": "completed"}
        assert [event.seq async for event in store.events()][-1] == await store.last_seq()  # type: ignore[union-attr]
        assert (await store.counts())["docs"]


@pytest.mark.skipif(not Path("/proc/self/fdinfo").exists(), reason="needs /proc")
async def test_nothing_is_opened_for_writing_and_nothing_is_left_behind(path: Path) -> None:
    async with await ReadOnlySqliteStore.open(path) as store:
        await store.list_items()
        await store.changed(await store.last_seq(), 0.01)
        assert opened_for_writing(path) == []

    assert list(left(path)) == ["work.db"]
    assert os.stat(path).st_mtime == 1e9


async def test_what_others_commit_is_seen_and_told(path: Path) -> None:
    async with await ReadOnlySqliteStore.open(path) as store:
        since = await store.last_seq()
        assert Stillness.of(path) is not None  # it is read as it lies, when somebody comes

        async with SqliteStateStore.open(path) as elsewhere, Engine(elsewhere, chain("read", "print")) as engine:
            await ran(engine, "b")
            while await store.changed(since, 5.0) < await elsewhere.last_seq():
                pass
            assert await store.list_items() == ["a", "b"]
            await submitted(engine, "c")
            assert await store.list_items() == ["a", "b", "c"]

        assert await store.list_items() == ["a", "b", "c"]  # they have gone again


CHANGES: dict[str, Callable[[Any, int], Awaitable[Any]]] = {
    "decide": lambda store, now: store.decide("a", "read", {"verb": "approve", "by": ""}, None, None, now),
    "delete": lambda store, now: store.delete_item("a"),
    "pause": lambda store, now: store.pause("a", now),
    "retry": lambda store, now: store.retry("a", "read", "", None, now),
    "an engine": lambda store, now: Engine(store, chain("read")).__aenter__(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_every_change_is_refused_with_a_sentence(path: Path, change: Callable[[Any, int], Awaitable[Any]]) -> None:
    async with await ReadOnlySqliteStore.open(path) as store:
        with pytest.raises(StoreError, match="opened read-only, so nothing in it can be changed here"):
            await change(store, to_ms(SystemClock().now()))


async def test_what_is_no_database_of_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no database"):
        await ReadOnlySqliteStore.open(tmp_path / "none.db")
    (tmp_path / "text.db").write_text("no database, but long enough for a header " * 50)
    with pytest.raises(StoreCorrupt, match="is not a SQLite database"):
        await ReadOnlySqliteStore.open(tmp_path / "text.db")
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE bookmarks (url)")
    with pytest.raises(StoreError, match="has no work items in it"):
        await ReadOnlySqliteStore.open(tmp_path / "other.db")


async def test_what_a_crash_left_in_the_log_is_read_too(path: Path, tmp_path: Path) -> None:
    (tmp_path / "crashed").mkdir()
    crashed = tmp_path / "crashed" / "work.db"
    async with SqliteStateStore.open(path) as elsewhere, Engine(elsewhere, chain("read", "print")) as engine:
        await submitted(engine, "b")
        for ending in ("", "-wal"):
            shutil.copy(f"{path}{ending}", f"{crashed}{ending}")

    async with await ReadOnlySqliteStore.open(crashed) as store:
        assert await store.list_items() == ["a", "b"]


LOOK = """
import asyncio, sys
from treadle_tui.engine.store.sqlite.read_only import ReadOnlySqliteStore
async def look():
    async with await ReadOnlySqliteStore.open(sys.argv[1]) as store:
        print(await store.list_items(), await store.changed(await store.last_seq(), 0.1))
asyncio.run(look())
"""


def look_at_unwritable(place: Path) -> subprocess.CompletedProcess[str]:
    """Look at a database in a process for which the file system it lies on cannot be written."""
    folder = place.parent
    mount = f'mount --bind {folder} {folder} && mount -o remount,bind,ro {folder} && exec "$@"'
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", mount, "sh", sys.executable, "-c", LOOK, str(place)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.skipif(shutil.which("unshare") is None or os.geteuid() != 0, reason="only root may mount")
@pytest.mark.parametrize("is_open", [False, True])
async def test_a_database_on_a_file_system_that_cannot_be_written(path: Path, tmp_path: Path, is_open: bool) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    place = folder / "work.db"
    async with SqliteStateStore.open(path) as elsewhere, Engine(elsewhere, chain("read")) as engine:
        if is_open:  # as on a disk that somebody else has mounted for writing
            await submitted(engine, "b")
            for ending in ("", "-wal", "-shm"):
                shutil.copy(f"{path}{ending}", f"{place}{ending}")
    if not is_open:
        shutil.copy2(path, place)
    mounted = await asyncio.to_thread(look_at_unwritable, place)
    if "unshare" in mounted.stderr or "mount:" in mounted.stderr:
        pytest.skip(mounted.stderr)
    assert mounted.returncode == 0, mounted.stderr
    assert mounted.stdout.startswith("['a', 'b']" if is_open else "['a'")
