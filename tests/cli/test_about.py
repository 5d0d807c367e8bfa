"""workflows, info, --version, and how the screen is started."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Call, program
from treadle_tui import __version__
from treadle_tui.cli.main import run_command_line
from treadle_tui.cli.settings import Settings
from treadle_tui.cli.verbs import VERBS


def test_workflows_are_listed_with_what_add_takes_and_where_they_are_from(treadle: Call, folder: Path) -> None:
    lines = treadle("workflows").out.splitlines()

    assert lines[0].split() == ["WORKFLOW", "STAGES", "ADD", "FROM"]
    assert lines[1].split() == ["papers", "3", "add", "papers", "FOLDER", "[PATTERN]", str(folder / "workflows" / "papers.py")]


def test_problems_are_listed_behind_the_workflows(treadle: Call, folder: Path) -> None:
    (folder / "workflows" / "broken.py").write_text("x = 1\ny = (\n")

    answer = treadle("workflows")

    assert answer.code == 0
    assert f"! {folder / 'workflows' / 'broken.py'}:2: SyntaxError" in answer.out.splitlines()[-1]


def test_workflows_as_json(treadle: Call, folder: Path) -> None:
    answer = treadle("workflows", "--json").json

    papers = next(each for each in answer["workflows"] if each["name"] == "papers")
    assert papers["source"] == "FOLDER [PATTERN]"
    assert papers["stages"][1] == {"name": "sources", "depends_on": ["read"]}
    assert answer["places"][0] == {"kind": "folder", "target": str(folder / "workflows"), "why": "beside the database"}


def test_what_a_workflow_file_prints_does_not_end_up_in_the_answer(treadle: Call, folder: Path) -> None:
    with (folder / "workflows" / "papers.py").open("a") as file:
        file.write("print('hello from a workflow file')\n")

    answer = treadle("workflows", "--json")

    assert answer.json
    assert "hello from a workflow file" in answer.err


def test_info_prints_every_path_and_the_reviewer(treadle: Call, folder: Path, db: Path) -> None:
    answer = treadle("info", "--json").json

    assert answer["database"] == str(db)
    assert answer["database_is"] == "missing"
    assert answer["log"] == str(folder / "log" / "treadle.log")
    assert answer["workflows"][0] == str(folder / "workflows")
    assert (answer["version"], answer["reviewer"]) == (__version__, "ana")
    assert not db.exists()


def test_info_needs_no_database(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["info"], lambda *_: 0) == 0
    assert "none named; --db names one" in capsys.readouterr().out


def test_the_current_directory_is_no_place_for_workflows_when_no_database_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "lurking.py").write_text("raise SystemExit('it was run')")
    monkeypatch.chdir(tmp_path)

    run_command_line(["workflows"], lambda *_: 0)

    assert "lurking" not in capsys.readouterr().out


@pytest.mark.parametrize("place", ["before", "behind"])
def test_options_may_stand_before_or_behind_the_verb(folder: Path, db: Path, capsys: pytest.CaptureFixture[str], place: str) -> None:
    options = ["--db", str(db), "--as", "ben"]

    run_command_line([*options, "info", "--json"] if place == "before" else ["info", "--json", *options], lambda *_: 0)

    out = capsys.readouterr().out
    assert '"reviewer": "ben"' in out
    assert str(db) in out


def test_the_environment_names_database_and_reviewer_when_no_option_does(
    db: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TREADLE_DB", str(db))
    monkeypatch.setenv("TREADLE_REVIEWER", "carla")

    run_command_line(["info"], lambda *_: 0)

    out = capsys.readouterr().out
    assert str(db) in out
    assert "reviewer   carla\n" in out


def test_the_reviewer_is_the_login_name_when_nothing_else_says(treadle: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREADLE_REVIEWER", " ")
    monkeypatch.setattr("getpass.getuser", lambda: "dora")

    assert treadle("info", "--json").json["reviewer"] == "dora"


def test_the_reviewer_has_a_name_even_where_the_system_knows_none(treadle: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setenv("TREADLE_REVIEWER", "")
    monkeypatch.setattr("getpass.getuser", nobody)

    assert treadle("info", "--json").json["reviewer"].startswith(("uid-", "unknown"))


def test_without_a_verb_the_screen_is_started_with_database_workflows_and_reviewer(
    folder: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[Any, ...]] = []
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    def start_screen(*arguments: Any) -> int:
        started.append(arguments)
        return 7

    code = run_command_line(["--db", str(db), "--as", "ben"], start_screen)

    ((path, workflows, reviewer, settings, attachment),) = started
    assert (code, path, reviewer, attachment) == (7, db, "ben", "run")
    assert settings.settings == Settings(reviewer="ana")
    assert not workflows.is_loaded, "the first paint does not wait for workflow files"
    assert not db.exists(), "nor is anything made before the screen does it"
    assert "papers" in [workflow.name for workflow in workflows.load().workflows]


def test_a_file_that_is_no_database_is_refused_before_a_screen_is_drawn(
    db: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    db.write_text("no database at all, just words " * 50)
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    code = run_command_line(["--db", str(db)], lambda *_: pytest.fail("a screen was started"))

    assert code == 2
    assert "is no SQLite database" in capsys.readouterr().err


def test_the_version_is_printed(folder: Path) -> None:
    assert program("--version", cwd=folder).stdout == f"treadle-tui {__version__}\n"


def test_a_file_lying_about_shadows_nothing_that_is_installed(folder: Path) -> None:
    """`python -m` puts the current directory on the path; the program takes it off again."""
    (folder / "click.py").write_text("raise SystemExit('the wrong click')")

    done = program("--version", cwd=folder)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [["--demo", "--db", "x.db"], ["--demo", "list"], ["--demo", "--read-only"]], ids=" ".join)
def test_the_demonstration_is_a_full_screen_on_a_database_of_its_own(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code = run_command_line(arguments, lambda *_: pytest.fail("a screen was started"))

    assert code == 2
    assert "--demo" in capsys.readouterr().err
    assert not Path("x.db").exists()


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_where_the_list_of_verbs_says(treadle: Call, verb: str) -> None:
    answer = treadle(verb, "--help")

    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"Usage: treadle-tui {verb} ")
    assert f"{verb} " in treadle("--help").out
    assert VERBS[verb].about in treadle("--help").out
