"""A copy of a database that is being worked on."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.engine.workflows import chain, ran, states
from treadle_tui.engine import Engine, SqliteStateStore
from treadle_tui.engine.errors import StoreCorrupt, StoreError
from treadle_tui.engine.store.sqlite import backing_up
from treadle_tui.engine.store.sqlite.backing_up import back_up
from treadle_tui.engine.testing import disagreements


async def test_opening_the_copy_restores_it(tmp_path: Path) -> None:
    path, copy = tmp_path / "work.db", tmp_path / "copies" / "monday.db"
    copy.parent.mkdir()
    async with SqliteStateStore.open(path) as store, Engine(store, chain("read", "print")) as engine:
        await ran(engine, "a", "b")
        size = back_up(path, copy)
        await ran(engine, "c")

    assert size == copy.stat().st_size
    assert [file.name for file in copy.parent.iterdir()] == ["monday.db"]
    async with SqliteStateStore.open(copy) as restored, Engine(restored, chain("read", "print")) as engine:
        assert await restored.list_items() == ["a", "b"]
        assert await disagreements(restored) == []
        await ran(engine, "d")
        assert await states(restored, "d") == {"read": "completed", "print": "completed"}


def test_a_copy_is_one_moment_of_a_database_somebody_writes_all_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each transaction writes a pair: a copy that has one half, or begins again and again, is none."""
    monkeypatch.setattr(backing_up, "PAGES_AT_ONCE", 1)
    path = tmp_path / "work.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as writing:
        writing.execute("PRAGMA journal_mode=WAL")
        writing.executescript("CREATE TABLE one (n, filler); CREATE TABLE other (n, filler);")
        for n in range(100):
            writing.executescript(f"BEGIN; INSERT INTO one VALUES ({n}, zeroblob(2000)); INSERT INTO other VALUES ({n}, 1); COMMIT")
        written = 100

        def write_more(done: int, total: int) -> None:
            nonlocal written
            written += 1
            writing.executescript(f"BEGIN; INSERT INTO one VALUES ({written}, 1); INSERT INTO other VALUES ({written}, 1); COMMIT")

        back_up(path, tmp_path / "copy.db", report=write_more)

    assert written > 120
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT (SELECT count(*) FROM one), (SELECT count(*) FROM other)").fetchone() == (100, 100)
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_writer_does_not_wait_for_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "work.db"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as writing:
        writing.execute("PRAGMA journal_mode=WAL")
        writing.execute("CREATE TABLE notes (text)")
        under_way, go_on = threading.Event(), threading.Event()

        def hold(done: int, total: int) -> None:
            under_way.set()
            go_on.wait(10)

        copying = threading.Thread(target=back_up, args=(path, tmp_path / "copy.db"), kwargs={"report": hold})
        copying.start()
        assert under_way.wait(10)
        writing.execute("INSERT INTO notes VALUES ('while it is copied')")  # would raise "database is locked" at once
        go_on.set()
        copying.join()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "work.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE notes (text)")
    os.utime(path, (1e9, 1e9))  # nobody has touched it for long
    return path


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_an_existing_file_is_overwritten_only_when_asked_for(database: Path) -> None:
    target = database.with_name("copy.db")
    target.write_text("mine")

    with pytest.raises(StoreError, match="exists already and was left as it is"):
        back_up(database, target)
    assert target.read_text() == "mine"

    back_up(database, target, overwrite=True)
    assert target.read_bytes().startswith(b"SQLite format 3")
    assert names(database.parent) == {"work.db", "copy.db"}


def test_a_log_beside_the_target_is_not_made_part_of_the_copy(database: Path) -> None:
    database.with_name("copy.db-wal").write_bytes(b"of an older copy")

    with pytest.raises(StoreError, match=r"copy\.db-wal would be taken for part of the copy"):
        back_up(database, database.with_name("copy.db"), overwrite=True)
    assert names(database.parent) == {"work.db", "copy.db-wal"}


@pytest.mark.parametrize(("name", "said"), [("work.db", "is the database itself"), (".", "is a folder"), ("no/where.db", "does not exist")])
def test_targets_that_cannot_be(database: Path, name: str, said: str) -> None:
    with pytest.raises(StoreError, match=said):
        back_up(database, database.parent / name, overwrite=True)
    assert names(database.parent) == {"work.db"}


def test_a_copy_is_as_open_as_the_database(database: Path) -> None:
    database.chmod(0o640)
    back_up(database, database.with_name("copy.db"))
    assert stat.S_IMODE(database.with_name("copy.db").stat().st_mode) == 0o640


def test_a_copy_that_fails_leaves_nothing_behind(database: Path) -> None:
    def fail(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(database, database.with_name("copy.db"), report=fail)
    assert names(database.parent) == {"work.db"}


def test_a_copy_begun_while_nobody_was_there_is_begun_again_when_somebody_comes(database: Path) -> None:
    reports = []

    def come(done: int, total: int) -> None:
        reports.append(done)
        if len(reports) == 1:
            with closing(sqlite3.connect(database, isolation_level=None)) as writing:
                writing.execute("INSERT INTO notes VALUES ('meanwhile')")

    back_up(database, database.with_name("copy.db"), report=come)

    with closing(sqlite3.connect(database.with_name("copy.db"))) as copy:
        assert copy.execute("SELECT text FROM notes").fetchall() == [("meanwhile",)]
    assert len(reports) == 2


def test_what_is_no_database_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "work.db").write_bytes(b"no database at all, but long enough to look like one " * 40)
    with pytest.raises(StoreCorrupt, match="is not a SQLite database"):
        back_up(tmp_path / "work.db", tmp_path / "copy.db")
    assert names(tmp_path) == {"work.db"}
