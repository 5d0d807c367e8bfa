"""Settings: which place counts, and what is said of one that cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Call
from treadle_tui.cli.failures import BadInput
from treadle_tui.cli.settings import FILE_NAME, SETTINGS, Setting, Settings
from treadle_tui.cli.settings_files import LoadedSettings, line_of_key, load_settings

Load = Callable[..., LoadedSettings]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project's file, beside the database."""
    (tmp_path / "project").mkdir()
    return tmp_path / "project" / FILE_NAME


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """The user's file."""
    folder = tmp_path / "config" / "treadle-tui"
    folder.mkdir(parents=True)
    return folder / FILE_NAME


@pytest.fixture
def load(project: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.delenv("TREADLE_REVIEWER")
    return lambda **flags: load_settings(project.parent / "work.db", {name.replace("__", "."): value for name, value in flags.items()})


def test_nothing_said_means_what_is_built_in(load: Load) -> None:
    assert load() == LoadedSettings(places=load().places)
    assert load().settings == Settings()
    assert load().source("theme") == "built in"


def test_flags_over_environment_over_project_over_user(load: Load, project: Path, user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user.write_text('theme = "user"\nreviewer = "user"\nmouse = false\n[review]\nundo_seconds = 1\n')
    project.write_text('theme = "project"\nreviewer = "project"\n[review]\nundo_seconds = 2\n')
    monkeypatch.setenv("TREADLE_REVIEWER", "environment")
    monkeypatch.setenv("TREADLE_REVIEW_UNDO_SECONDS", "3")

    loaded = load(review__undo_seconds="4")

    assert (loaded.settings.theme, loaded.settings.reviewer, loaded.settings.mouse) == ("project", "environment", False)
    assert loaded.settings.undo_seconds == 4
    sources = [loaded.source(name) for name in ("theme", "reviewer", "mouse", "review.undo_seconds", "title")]
    assert sources == [f"{project}:1", "TREADLE_REVIEWER", f"{user}:3", "--set", "built in"]


def test_tables_are_taken_together_entry_by_entry(load: Load, project: Path, user: Path) -> None:
    user.write_text('[keymap]\n"board.approve" = "y"\n"board.reject" = "z"\n')
    project.write_text('[keymap]\nboard.reject = "r"\n[review.stage_reasons]\n"papers.judge" = ["short"]\n')

    loaded = load(keymap__board__top="t")

    assert dict(loaded.settings.keymap) == {"board.approve": "y", "board.reject": "r", "board.top": "t"}
    assert loaded.source("keymap.board.reject") == f"{project}:2"
    assert loaded.settings.reasons_for("papers", "judge", ("long",)) == ("short",)
    assert loaded.settings.reasons_for("papers", "other", ("long",)) == ("long",)


def test_without_a_file_beside_the_database_the_one_in_the_current_directory_counts(load: Load, project: Path) -> None:
    Path(FILE_NAME).write_text("title = false")
    assert load().settings.title is False

    project.write_text("mouse = false")
    assert load().settings == Settings(mouse=False)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('them = "dark"', 1, "no setting is called 'them'; did you mean 'theme'?"),
        ("# colours\n\ntheme = 3", 3, "theme must be a text, not 3"),
        ("[review]\nundo_secs = 3", 2, "no setting is called 'review.undo_secs'; did you mean 'review.undo_seconds'?"),
        ("[review]\nundo_seconds = -1", 2, "review.undo_seconds must be between 0 and 600, not -1"),
        ("[review]\nundo_seconds = true", 2, "review.undo_seconds must be a number, not true"),
        ("review.undo_seconds = nan", 1, "review.undo_seconds must be between 0 and 600, not nan"),
        ('mouse = "yes"', 1, "mouse must be true or false, not 'yes'"),
        ("[review]\nreasons = [\n  'short',\n  3,\n]", 2, "review.reasons must be a list of texts, not a list with something else in it"),
        ('[keymap]\n"board.approve" = ["y"]', 2, "keymap.board.approve must be a text, not a list with something else in it"),
        ("theme.dark = true", 1, "no setting is called 'theme.dark'; did you mean 'theme'?"),
        ("[colours]", 1, "no setting is called 'colours'"),
        ("keymap = 3", 1, "keymap must be a table of texts, not 3"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_the_rest_counts(load: Load, project: Path, text: str, line: int, said: str) -> None:
    is_table = "[" in text
    project.write_text(text + ("" if is_table else "\ntitle = false"))

    loaded = load()

    (problem,) = loaded.problems
    assert problem.startswith(f"{project}:{line}: {said}")
    assert loaded.settings == Settings(title=is_table)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"theme = ", "invalid value (at end of document); nothing of this file is used"),
        (b"theme = 'a'\ntheme = 'b'", "cannot overwrite a value"),
        (b"\xff\xfe", "byte 0 is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_left_out_whole(load: Load, project: Path, user: Path, content: bytes, said: str) -> None:
    user.write_text("title = false")
    project.write_bytes(content)

    loaded = load()

    assert loaded.settings == Settings(title=False)
    assert said in loaded.problems[0]
    assert loaded.problems[0].startswith(f"{project}: ")


def test_a_folder_of_that_name_is_a_sentence(load: Load, project: Path) -> None:
    project.mkdir()

    assert load().problems == (f"{project}: Is a directory; nothing of this file is used",)


def test_a_wrong_environment_variable_is_told_and_the_file_counts(load: Load, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write_text("mouse = false")
    monkeypatch.setenv("TREADLE_MOUSE", "sometimes")

    loaded = load()

    assert loaded.settings.mouse is False
    assert loaded.problems[0].startswith("TREADLE_MOUSE must be true or false, not 'sometimes'")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"them": "dark"}, "no setting is called 'them'; did you mean 'theme'?"),
        ({"mouse": "sometimes"}, "--set: mouse must be true or false, not 'sometimes'"),
        ({"review__reasons": "short"}, "--set: review.reasons must be a list of texts, not 'short'"),
    ],
)
def test_a_wrong_flag_is_wrong_input(load: Load, flags: dict[str, str], said: str) -> None:
    with pytest.raises(BadInput, match=re.escape(said)):
        load(**flags)


def test_a_list_may_be_given_as_toml(load: Load) -> None:
    assert load(review__reasons='["short", "long"]').settings.reasons == ("short", "long")


def test_the_line_of_a_key_is_where_it_begins() -> None:
    text = '# one\n"a.b" = 1\n[t]\nx = """\n[t.y]\nz = 3\n"""\n\n[t.u]\nv = [\n1,\n]\n'

    assert [line_of_key(text, keys) for keys in (("a.b",), ("t", "x"), ("t", "u", "v"))] == [2, 4, 10]


def test_names_variables_and_attributes_are_each_used_once() -> None:
    for names in zip(*((setting.name, setting.field, setting.variable or setting.name) for setting in SETTINGS), strict=True):
        assert len(set(names)) == len(SETTINGS)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_example_of_a_setting_is_one(load: Load, project: Path, setting: Setting) -> None:
    project.write_text(setting.example)

    loaded = load()

    assert loaded.problems == ()
    assert getattr(loaded.settings, setting.field) != setting.default


def test_info_prints_every_setting_with_its_value_and_source(treadle: Call, db: Path) -> None:
    (db.parent / FILE_NAME).write_text('title = false\nthem = 1\n[keymap]\n"board.approve" = "y"\n')

    answer = treadle("--set", "review.undo_seconds=9", "info", "--theme", "nord")

    lines = [line.split() for line in answer.out.splitlines()]
    assert ["theme", '"nord"', "--theme"] in lines
    assert ["reviewer", '"ana"', "TREADLE_REVIEWER"] in lines
    assert ["review.undo_seconds", "9", "--set"] in lines
    assert ["title", "false", f"{db.parent / FILE_NAME}:1"] in lines
    assert ["keymap.board.approve", '"y"', f"{db.parent / FILE_NAME}:4"] in lines
    assert f"! {db.parent / FILE_NAME}:2: no setting is called 'them'; did you mean 'theme'?" in answer.out
    answer_json = treadle("info", "--json").json
    assert answer_json["settings_files"][0] == {"path": str(db.parent / FILE_NAME), "why": "beside the database", "exists": True}
    assert {"name": "keymap.board.approve", "value": "y", "source": f"{db.parent / FILE_NAME}:4"} in answer_json["settings"]


def test_a_verb_that_needs_a_setting_says_what_is_wrong_and_goes_on(treadle: Call, folder: Path, db: Path) -> None:
    treadle("add", "papers", str(folder / "texts"))
    (db.parent / FILE_NAME).write_text("mous = false")

    answer = treadle("retry", "nothing", "read")

    assert answer.err.count("did you mean 'mouse'?") <= 1
    assert "no setting" not in treadle("list").err, "what needs no setting reads none"


def test_set_needs_a_name_and_a_value(treadle: Call) -> None:
    answer = treadle("--set", "theme", "info")

    assert (answer.code, answer.out) == (2, "")
    assert "--set needs a name and a value" in answer.err
