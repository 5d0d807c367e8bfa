"""The verbs `backup` and `share`."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import Call
from treadle_tui.cli import share as sharing

needs_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root is in every group")


def test_a_backup_is_a_database_to_open(worked: Call, folder: Path) -> None:
    answer = worked("backup", str(folder / "copy.db"))

    assert answer.code == 0
    assert "a complete copy of" in answer.out
    assert worked("--db", str(folder / "copy.db"), "list").out == worked("list").out
    assert worked("--db", str(folder / "copy.db"), "approve", "doubtful").code == 0
    assert worked("reviews", "--json").json["total"] == 1


def test_a_backup_overwrites_only_by_force(worked: Call, folder: Path) -> None:
    target = folder / "copy.db"
    assert worked("backup", str(target), "--json").json["bytes"] == target.stat().st_size

    refused = worked("backup", str(target))
    assert refused.code == 2
    assert "overwrite it with --force" in refused.err
    assert worked("backup", str(target), "--force").code == 0


def test_there_is_nothing_to_back_up(treadle: Call, folder: Path) -> None:
    answer = treadle("backup", str(folder / "copy.db"))

    assert answer.code == 2
    assert "there is no database" in answer.err
    assert not (folder / "copy.db").exists()


@needs_root
def test_sharing_gives_the_files_and_the_folder_to_the_group(worked: Call, db: Path) -> None:
    db.parent.chmod(0o755)

    answer = worked("share", "daemon", "--yes", "--json")

    assert answer.code == 0, answer.err
    shared = [Path(file) for file in answer.json["files"]]
    assert db in shared
    number = sharing._group_number("daemon")
    assert {(oct(stat.S_IMODE(file.stat().st_mode)), file.stat().st_gid) for file in shared} == {("0o660", number)}
    assert oct(stat.S_IMODE(db.parent.stat().st_mode)) == "0o2775"  # others can do what they could
    assert db.parent.stat().st_gid == number


def test_sharing_asks_and_without_anybody_to_ask_does_nothing(worked: Call, db: Path) -> None:
    before = db.parent.stat()

    answer = worked("share", "root")

    assert answer.code == 2
    assert "in a script say --yes" in answer.err
    assert (db.parent.stat().st_mode, stat.S_IMODE(db.stat().st_mode)) == (before.st_mode, 0o600)


def test_an_unknown_group_is_named_with_the_nearest_one(worked: Call, db: Path) -> None:
    answer = worked("share", "daemn", "--yes")

    assert answer.code == 2
    assert "there is no group 'daemn' on this host; did you mean 'daemon'?" in answer.err


def test_a_folder_that_is_everybodys_is_not_given_away(worked: Call, db: Path) -> None:
    db.parent.chmod(0o1777)

    answer = worked("share", "root", "--yes")

    assert answer.code == 2
    assert "put work.db into a folder of its own first" in answer.err
    assert stat.S_IMODE(db.stat().st_mode) == 0o600
