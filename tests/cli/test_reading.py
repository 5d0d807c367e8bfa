"""Reading verbs look at the file without an engine: they leave it, and its folder, as they were, and refuse what a store refuses."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Call
from treadle_tui.engine import SqliteStateStore
from treadle_tui.engine.store.sqlite import opening, schema
from treadle_tui.engine.store.sqlite.file_reading import FileReading

READING = (["list"], ["show", "plain", "--outputs"], ["reviews"], ["events"], ["events", "--item", "plain", "--json"], ["info"])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("verb", READING, ids=" ".join)
def test_reading_leaves_the_folder_as_it_was(worked: Call, folder: Path, verb: list[str]) -> None:
    before = contents(folder)

    assert worked(*verb).code == 0
    assert contents(folder) == before


@pytest.fixture
def killed(worked: Call, folder: Path, db: Path) -> Path:
    """The database as it lies after an engine was killed: its last commits only in the write-ahead log."""
    with closing(sqlite3.connect(db, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("UPDATE treadle_items SET id = 'renamed' WHERE id = 'plain'")
        (folder / "killed").mkdir()
        for path in folder.glob("work.db*"):
            if not path.name.endswith("-shm"):
                shutil.copy(path, folder / "killed" / path.name)
    return folder / "killed" / "work.db"


@pytest.mark.parametrize("verb", [["list"], ["show", "renamed"], ["reviews"], ["events"]], ids=" ".join)
def test_what_a_killed_engine_has_committed_is_read_and_left_where_it_is(treadle: Call, killed: Path, verb: list[str]) -> None:
    before = contents(killed.parent)

    answer = treadle("--db", str(killed), *verb)

    after = contents(killed.parent)
    assert answer.code == 0
    assert "renamed" in treadle("--db", str(killed), "list").out
    assert {name: after[name] for name in before} == before
    assert set(after) <= {*before, "work.db-shm"}


@pytest.fixture
def writing(worked: Call, db: Path) -> Iterator[sqlite3.Connection]:
    """Somebody holds the write lock, in the middle of a transaction."""
    with closing(sqlite3.connect(db, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM treadle_items")
        yield connection
        connection.execute("ROLLBACK")


@pytest.mark.parametrize("verb", READING, ids=" ".join)
def test_reading_waits_for_nobody_who_writes_and_sees_only_what_is_committed(
    treadle: Call, writing: sqlite3.Connection, verb: list[str]
) -> None:
    assert treadle(*verb).code == 0
    assert len(treadle("list", "--json").json["items"]) == 2


def test_a_file_of_a_newer_version_is_refused_and_left_as_it_was(worked: Call, db: Path) -> None:
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("INSERT INTO treadle_migrations VALUES (900, 'later', 0)")
    before = db.read_bytes()

    answer = worked("list")

    assert (answer.code, answer.out) == (2, "")
    assert "written by a newer version (format 900" in answer.err
    assert db.read_bytes() == before


def test_tables_of_our_names_in_another_shape_are_refused(worked: Call, db: Path) -> None:
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("ALTER TABLE treadle_items RENAME COLUMN priority TO urgency")

    answer = worked("list")

    assert answer.code == 2
    assert "tables of our names in another shape (treadle_items)" in answer.err


def test_tables_of_our_names_without_our_records_are_refused(treadle: Call, db: Path) -> None:
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("CREATE TABLE treadle_things (a)")

    answer = treadle("list")

    assert answer.code == 2
    assert "another shape" in answer.err


def test_a_damaged_file_is_named(worked: Call, db: Path) -> None:
    content = bytearray(db.read_bytes())
    content[4096 * 2 : 4096 * 40] = b"\xaa" * (4096 * 38)
    db.write_bytes(content)

    answer = worked("list")

    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert str(db) in answer.err


@pytest.fixture
def older_file(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(db, isolation_level=None)) as connection, monkeypatch.context() as older:
        older.setattr(opening, "MIGRATIONS", schema.MIGRATIONS[:1])
        opening.migrate(connection, db)


@pytest.mark.usefixtures("older_file")
def test_a_file_of_an_older_version_is_brought_up_to_date_and_read(treadle: Call, db: Path) -> None:
    with FileReading(db) as file:
        assert file.is_current is (len(schema.MIGRATIONS) == 1)

    assert treadle("list").out == "no items\n"

    with FileReading(db) as file:
        assert file.is_current


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.usefixtures("older_file")
def test_a_file_of_an_older_version_where_nobody_may_write_is_told_as_that(treadle: Call, db: Path) -> None:
    db.parent.chmod(0o555)

    answer = treadle("list")

    db.parent.chmod(0o755)
    assert answer.code == 2
    assert "was written by an older version" in answer.err
    assert answer.err.count("\n") == 1


async def test_a_look_answers_from_one_moment(tmp_path: Path) -> None:
    """Both statements of a question see the same file, although somebody commits in between."""
    path = tmp_path / "work.db"
    async with SqliteStateStore.open(path):
        with FileReading(path) as file, closing(sqlite3.connect(path, isolation_level=None)) as other:

            def question():
                first = yield "SELECT count(*) FROM treadle_holds", ()
                other.execute("INSERT INTO treadle_holds VALUES (7, NULL)")
                second = yield "SELECT count(*) FROM treadle_holds", ()
                return first[0][0], second[0][0]

            assert file.ask(question()) == (0, 0)
            assert file.ask(file.questions.holds()).keys() == {7}
