"""The verb `doctor`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.cli.conftest import Call


def miscount(db: Path) -> None:
    with closing(sqlite3.connect(db, isolation_level=None)) as connection:
        connection.execute("UPDATE treadle_counts SET n = n + 5 WHERE state = 4")


def test_a_healthy_database(worked: Call) -> None:
    answer = worked("doctor")

    assert answer.code == 0
    assert answer.out.endswith("✓ healthy\n")
    assert "SQLite 3." in answer.out
    assert worked("doctor", "--json").json["healthy"] is True
    assert worked("doctor", "--repair").code == 0  # there is nothing to ask about


def test_problems_are_told_and_the_exit_code_is_1(worked: Call, db: Path) -> None:
    miscount(db)

    answer = worked("doctor", "--quick")

    assert answer.code == 1
    assert "kept totals are wrong" in answer.out
    assert f"treadle-tui --db {db} doctor --repair" in answer.out


def test_a_repair_asks_and_without_anybody_to_ask_changes_nothing(worked: Call, db: Path) -> None:
    miscount(db)

    answer = worked("doctor", "--repair")

    assert answer.code == 2
    assert "in a script say --yes" in answer.err
    assert worked("doctor").code == 1


def test_a_repair_copies_the_database_first(worked: Call, db: Path) -> None:
    miscount(db)

    answer = worked("doctor", "--repair", "--yes", "--json")

    assert answer.code == 0, answer.err
    assert answer.json["repaired"] == ["count totals again"]
    assert answer.json["healthy"] is True
    copy = answer.json["backup"]
    assert worked("--db", copy, "doctor").code == 1
    assert worked("doctor").code == 0


def test_there_is_nothing_to_examine(treadle: Call) -> None:
    assert treadle("doctor").code == 2
