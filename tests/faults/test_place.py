"""Files that are removed, moved or replaced while they are in use: nothing is written to where nobody will ever find it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.work import check, counting, items, rows, with_table, worked_on
from treadle_tui.engine import Engine, SqliteStateStore, StoreError, StoreLocked
from treadle_tui.engine.store.sqlite.file_lock import FileLock

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be moved there")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database in a folder of its own."""
    (tmp_path / "here").mkdir()
    return with_table(tmp_path / "here" / "work.db")


async def test_a_folder_that_was_moved_away_stops_the_work_until_it_is_back(path):
    async with SqliteStateStore.open(path) as store, Engine(store, counting()) as engine:
        await engine.submit("docs", items("a"))
        path.parent.rename(path.parent.with_name("elsewhere"))

        with pytest.raises(StoreError, match=r"work\.db is gone.*put it back"):
            await engine.submit("docs", items("b"))

        path.parent.with_name("elsewhere").rename(path.parent)
        await engine.submit("docs", items("b"))
        await engine.run_until_idle()

    await check(path, "a", "b")


async def test_a_folder_that_was_removed_is_told_and_closing_makes_no_new_one(path):
    async with SqliteStateStore.open(path) as store, Engine(store, counting()) as engine:
        await engine.submit("docs", items("a"))
        shutil.rmtree(path.parent)

        with pytest.raises(StoreError, match="is gone"):
            await engine.submit("docs", items("b"))

    assert not path.parent.exists()


async def test_a_database_that_took_the_place_of_ours_is_left_alone(path, tmp_path):
    other = with_table(tmp_path / "other.db")
    await worked_on(other, "x")
    before = other.read_bytes()
    async with SqliteStateStore.open(path) as store, Engine(store, counting()) as engine:
        await engine.submit("docs", items("a"))
        for file in path.parent.iterdir():
            file.unlink()
        other.rename(path)
        log(path).touch()

        with pytest.raises(StoreError, match=r"was replaced by another file.*start again"):
            await engine.submit("docs", items("b"))

    assert path.read_bytes() == before
    assert log(path).exists(), "closing our connection deleted the log of the database that lies here now"
    await check(path, "x")


async def test_a_log_that_was_removed_while_in_use_is_saved_into_the_file(path):
    async with SqliteStateStore.open(path) as store, Engine(store, counting()) as engine:
        await engine.submit("docs", items("a", "b"))
        os.unlink(f"{path}-wal")

        with pytest.raises(StoreError, match=r"all that was recorded is in .* now.*start again"):
            await engine.submit("docs", items("c"))

    assert rows(path, "SELECT id FROM treadle_items") == [("a",), ("b",)]
    await worked_on(path)
    await check(path, "a", "b")


THEIRS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("INSERT INTO kept VALUES ('by somebody else')")
connection.commit()
if sys.argv[2] == "stays":
    print("written", flush=True)
    input()
connection.close()
"""


def another_program(path: Path, other: str) -> subprocess.Popen[bytes]:
    """One that has written to the file."""
    theirs = subprocess.Popen([sys.executable, "-c", THEIRS, path, other], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert theirs.stdout is not None
    theirs.stdout.readline()
    return theirs


def asked_elsewhere(path: Path, sql: str) -> str:
    """What another process is answered."""
    question = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall())"
    return subprocess.run([sys.executable, "-c", question, path, sql], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("other", ["stays", "leaves"])
async def test_a_log_that_was_replaced_while_in_use_is_not_written_over(path, other):
    """Somebody has removed it, and another program has begun a new one, or has even come to its end already."""
    async with SqliteStateStore.open(path) as store, Engine(store, counting()) as engine:
        await engine.submit("docs", items("a"))
        for suffix in ("-wal", "-shm"):
            os.unlink(f"{path}{suffix}")
        theirs = another_program(path, other)

        with pytest.raises(StoreError, match="-wal was removed or replaced"):
            await engine.submit("docs", items("b"))
        await store.close()
        theirs.communicate(b"\n")

    # Looked at from outside: this process still holds the connection it could not close.
    assert asked_elsewhere(path, "SELECT * FROM kept") == "[('by somebody else',)]"
    assert asked_elsewhere(path, "PRAGMA integrity_check") == "[('ok',)]"
    assert asked_elsewhere(path, "SELECT * FROM treadle_items") == "[]"


async def test_a_lock_file_that_was_tidied_away_keeps_nobody_from_locking(path):
    async with SqliteStateStore.open(path) as one, SqliteStateStore.open(path) as two:
        tidy_away(path)
        async with Engine(one, counting()) as engine, Engine(two, counting()) as other:
            await engine.submit("docs", items("a"))
            await other.submit("docs", items("b"))
            assert await lock_of(one) == await lock_of(two)
            await engine.run_until_idle()

    await check(path, "a", "b")


def log(path: Path) -> Path:
    """The log beside a database."""
    return Path(f"{path}-wal")


def tidy_away(path: Path) -> None:
    """Remove the lock file, as somebody might who takes it for a leftover."""
    lock = Path(f"{path}-lock")
    if not lock.exists():
        pytest.skip("this SQLite needs no lock beside its own")
    lock.unlink()


HOLDS = """
import fcntl, os, signal, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)
print("held", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="the system does not tell who holds a lock")
def test_a_process_that_was_stopped_while_it_was_writing_is_named(tmp_path):
    lock = FileLock(tmp_path / "work.db-lock", 0o600)
    holder = subprocess.Popen([sys.executable, "-c", HOLDS, tmp_path / "work.db-lock"], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED | os.WNOWAIT)

        with pytest.raises(StoreLocked, match=rf"process {holder.pid}, which is stopped, has been writing for .* end it"):
            lock.acquire(0.01)
    finally:
        holder.kill()
        holder.communicate()
    lock.acquire(5)
    lock.close()


async def lock_of(store: SqliteStateStore) -> int:
    """The file that this store locks, as the system knows it."""

    def look(unit: object) -> int:
        lock = store._writer._lock
        assert lock is not None
        return os.fstat(lock._descriptor).st_ino

    return await store.change(look, 0)
