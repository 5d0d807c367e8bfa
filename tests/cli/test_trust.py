"""Where workflow code may come from: what was pointed at, and a yes that is remembered outside the database."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import click
import pytest

from tests.cli.conftest import Call
from treadle_tui.cli import trust as trusting

MARK = "(Path(__file__).parent / 'was-run').touch()"
CODE = f"from pathlib import Path\nfrom treadle_tui.engine import Workflow\n{MARK}\nessays = Workflow('essays')\n"
CODE += "@essays.source\ndef s():\n    yield {'id': 'a'}\n@essays.stage\ndef read(item): return 1\n"


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREADLE_STATE", str(tmp_path / "state"))


@pytest.fixture
def here() -> Path:
    """`./workflows` with a workflow in it, while the database lies elsewhere."""
    folder = Path.cwd() / "workflows"
    folder.mkdir()
    (folder / "essays.py").write_text(CODE)
    return folder


def was_run(folder: Path) -> bool:
    return (folder / "was-run").exists()


def test_without_a_terminal_what_lies_in_the_current_directory_is_not_run(treadle: Call, here: Path) -> None:
    answer = treadle("add", "essays")

    assert answer.code == 2
    assert "no workflow is called 'essays'" in answer.err
    assert not was_run(here)


def test_a_yes_is_asked_for_once_and_remembered_outside_the_database(
    treadle: Call, here: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions: list[str] = []

    def confirm(text: str, **_: object) -> bool:
        questions.append(text)
        return True

    monkeypatch.setattr(click, "confirm", confirm)
    monkeypatch.setattr("treadle_tui.cli.trust._is_terminal", lambda: True)

    assert treadle("add", "essays").code == 0
    assert treadle("run", "--until", "idle").code == 0

    assert len(questions) == 1
    assert str(here) in questions[0]
    assert "a program that runs as you" in questions[0]
    file = trusting.trusted_file()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert str(here).encode() not in b"".join(each.read_bytes() for each in db.parent.glob("work.db*"))


def test_a_no_is_remembered_too(treadle: Call, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    questions: list[str] = []
    monkeypatch.setattr(click, "confirm", lambda text, **_: bool(questions.append(text)))  # type: ignore[func-returns-value]
    monkeypatch.setattr("treadle_tui.cli.trust._is_terminal", lambda: True)

    assert treadle("add", "essays").code == 2
    assert treadle("add", "essays").code == 2

    assert len(questions) == 1
    assert not was_run(here)


def test_a_yes_is_for_one_database_only(treadle: Call, here: Path, folder: Path) -> None:
    assert treadle("trust", str(here)).out == f"allowed  {here}\n"
    assert treadle("add", "essays").code == 0

    other = folder / "elsewhere"
    other.mkdir()
    assert treadle("--db", str(other / "work.db"), "add", "essays").code == 2
    assert treadle("trust", str(here), "--forget", "--json").json["folders"] == {}
    assert treadle("workflows", "--json").json["workflows"][0]["name"] != "essays"


def test_what_cannot_be_trusted_is_said(treadle: Call) -> None:
    assert "is no folder" in treadle("trust", "nowhere").err
    assert "--forget needs a FOLDER" in treadle("trust", "--forget").err
    assert "nothing is allowed" in treadle("trust").out


def test_a_broken_file_of_answers_says_nothing(treadle: Call, here: Path) -> None:
    trusting.trusted_file().parent.mkdir()
    trusting.trusted_file().write_text("[1, 2")

    assert treadle("add", "essays").code == 2
    assert treadle("trust", str(here)).code == 0
    assert treadle("add", "essays").code == 0


@pytest.mark.skipif(os.name != "posix", reason="permissions of Unix")
def test_a_folder_beside_the_database_that_everybody_may_write_is_not_run(treadle: Call, folder: Path) -> None:
    (folder / "workflows" / "essays.py").write_text(CODE)
    (folder / "workflows").chmod(0o777)

    answer = treadle("add", "essays")
    assert answer.code == 2
    assert "everybody may write there, so nothing in it is run" in answer.err
    assert not was_run(folder / "workflows")
    (folder / "workflows").chmod(0o755)
    assert treadle("add", "essays").code == 0
