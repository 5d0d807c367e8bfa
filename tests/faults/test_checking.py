"""The checks find what they are there to find: a file and a journal in which something was made wrong on purpose."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.checking import Findings, checked
from tests.faults.crew import crew
from tests.faults.journal import Journal
from tests.faults.kills import finish, new_file

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file in which two items have come to their end, and its journal."""
    folder = tmp_path_factory.mktemp("finished")
    told = replace(new_file(folder, "work"), items=("a", "b"))
    with crew(told.journal) as hired:
        assert finish(hired, told).violations == []
    return folder


@pytest.fixture
def look(finished: Path, tmp_path: Path) -> Callable[..., Findings]:
    """What is found after some SQL and some more lines in the journal."""

    def after(*statements: str, **facts: object) -> Findings:
        path, journal = tmp_path / "work.db", tmp_path / "work.journal"
        for place in (path, journal):
            shutil.copy(finished / place.name, place)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            for statement in statements:
                assert connection.execute(statement).rowcount > 0
            connection.commit()
        written = Journal(journal)
        if facts:
            written.note(**facts)  # type: ignore[arg-type]
        return checked(path, written, is_finished=True)

    return after


def test_an_untouched_file_is_found_in_order(look):
    assert look().violations == []


TOLD_AGAIN = (
    "INSERT INTO treadle_events SELECT 100000, at, kind, workflow, item, stage, subtask, attempt, data FROM treadle_events"
    " WHERE seq = (SELECT max(seq) FROM treadle_events WHERE attempt = 1 AND stage IS NOT NULL AND data IS NULL)"
)


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("DELETE FROM effects WHERE item = 'a' AND stage = 'flaky'", "lost"),
        ("INSERT INTO effects SELECT * FROM effects WHERE item = 'a' AND subtask = 'left'", "doubled"),
        ("UPDATE treadle_tasks SET state = 5 WHERE sub = 0 AND item = 1", "disagreements"),
        ("UPDATE treadle_counts SET n = n + 1 WHERE state = 4", "disagreements"),
        ("DELETE FROM treadle_events WHERE seq = 3", "disagreements"),
        ("DELETE FROM treadle_events WHERE seq = (SELECT max(seq) FROM treadle_events)", "lost"),
        (TOLD_AGAIN, "doubled"),
    ],
)
def test_a_file_in_which_something_is_wrong_is_found_out(look, statement, kind):
    assert getattr(look(statement), kind)


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"what": "submitted", "item": "c"}, "lost"),
        ({"what": "heard", "seq": 100_000, "kind": "StageCompleted", "item": "a"}, "lost"),
        ({"what": "decided", "item": "a", "version": 99, "verb": "approve"}, "lost"),
        ({"what": "begin", "item": "a", "stage": "start", "subtask": None, "attempt": 1, "key": "k"}, "doubled"),
        ({"what": "crash", "words": "Traceback …"}, "words"),
        ({"what": "log", "level": "ERROR", "words": "database is locked"}, "words"),
    ],
)
def test_a_journal_that_says_something_else_than_the_file_is_found_out(look, facts, kind):
    assert getattr(look(**facts), kind)


def test_two_processes_in_one_stage_at_once_are_found_out(finished, tmp_path):
    shutil.copy(finished / "work.journal", tmp_path / "work.journal")
    lines = (tmp_path / "work.journal").read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if '"begin"' in line and '"look"' in line)
    pid = str(next(Journal(finished / "work.journal").facts("begin"))["pid"])
    twin = lines[first].replace(f'"pid": {pid}', '"pid": 1')
    (tmp_path / "work.journal").write_text("\n".join([*lines[: first + 1], twin, *lines[first + 1 :]]) + "\n")

    found = checked(finished / "work.db", Journal(tmp_path / "work.journal"), is_finished=True)

    assert any("before it had ended" in each for each in found.doubled)
