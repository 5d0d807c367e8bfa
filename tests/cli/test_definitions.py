"""check, new, schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Call


def test_a_file_that_is_right_is_told_with_its_stages(treadle: Call, folder: Path) -> None:
    answer = treadle("check", str(folder / "workflows" / "papers.py"))

    assert answer.code == 0
    assert answer.out == f"{folder / 'workflows' / 'papers.py'}: workflow 'papers', 3 stages: read, sources, publish\n"


def test_a_mistake_names_line_key_and_the_nearest_known_key(treadle: Call, folder: Path) -> None:
    file = folder / "flow.toml"
    file.write_text('name = "flow"\n\n[stages.read]\nshell = ["cat", "{item.path}"]\nretrie = { max_attempts = 3 }\n')

    answer = treadle("check", str(file))

    assert answer.code == 2
    assert answer.out == f"! {file}:5: stage 'read', retrie: unknown key; did you mean 'retry'?\n"


def test_checking_as_json_has_what_is_right_and_what_is_wrong(treadle: Call, folder: Path) -> None:
    (folder / "workflows" / "broken.json").write_text('{"steps": [{"id": "a", "depends_on": ["b"]}]}')

    answer = treadle("check", str(folder / "workflows"), "--json")

    assert answer.code == 2
    assert [each["name"] for each in answer.json["workflows"]] == ["papers"]
    (problem,) = answer.json["problems"]
    assert (problem["line"], problem["message"][:28]) == (1, "step 'a', depends_on: no sta")


def test_without_a_file_everything_that_is_found_is_checked(treadle: Call) -> None:
    answer = treadle("check")

    assert answer.code == 0
    assert "workflow 'papers'" in answer.out
    assert "workflow 'licences'" in answer.out


def test_a_file_that_is_not_there_is_refused(treadle: Call) -> None:
    answer = treadle("check", "nowhere.toml")

    assert (answer.code, answer.err) == (2, "treadle-tui: there is no file nowhere.toml\n")


@pytest.mark.parametrize("kind", [[], ["--toml"]])
def test_a_new_file_runs_as_it_is_written(treadle: Call, folder: Path, kind: list[str]) -> None:
    (folder / "texts" / "empty.txt").unlink(missing_ok=True)

    written = treadle("new", "notes", *kind)
    added = treadle("add", "notes", str(folder / "texts"))
    ran = treadle("run", "--until", "idle", "--json")
    waiting = treadle("reviews", "--workflow", "notes", "--json").json["reviews"]

    assert written.code == 0
    assert written.out.startswith(f"wrote {folder / 'workflows' / 'notes'}.{'toml' if kind else 'py'}\n")
    assert added.out == "notes: 2 new, 0 already known\n"
    assert ran.json["failed"] == 0
    assert {each["stage"] for each in waiting} == {"summary"}
    for each in waiting:
        assert treadle("approve", each["item_id"]).code == 0
    treadle("run", "--until", "idle", "--quiet")
    made = {path.name for path in (folder / "texts").iterdir()} - {"plain.txt", "doubtful.txt"}
    assert len(made) == 2


def test_a_copy_of_a_workflow_brings_what_it_needs_and_has_its_own_name(treadle: Call, folder: Path) -> None:
    answer = treadle("new", "ours", "--from", "licences", "--json")

    names = sorted(Path(name).name for name in answer.json["files"])
    assert names == sorted([*(path.name for path in (ROOT / "workflows").glob("_licences_*.py")), "ours.py"])
    assert "workflow 'ours', 6 stages" in treadle("check", str(folder / "workflows" / "ours.py")).out
    again = treadle("new", "theirs", "--from", "licences")
    assert again.code == 0, "the files beside it are there already, and the same"


def test_every_workflow_that_comes_along_can_be_copied(treadle: Call, folder: Path) -> None:
    for name in ("documents", "moderation", "media", "orders"):
        assert treadle("new", f"my_{name}", "--from", name).code == 0

    answer = treadle("check", str(folder / "workflows"), "--json")
    assert answer.json["problems"] == []
    assert {each["name"] for each in answer.json["workflows"]} >= {"my_documents", "my_moderation", "my_media", "my_orders"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["new", "papers"], "exists already; choose another name, or move it away"),
        (["new", "../evil"], "'../evil' cannot be the name of a workflow's file"),
        (["new", "x", "--from", "licence"], "no workflow 'licence' comes with the program; did you mean 'licences'?"),
        (["new", "x", "--from", "licences", "--toml"], "give one of them"),
    ],
)
def test_nothing_is_written_when_it_cannot_be_meant(treadle: Call, folder: Path, words: list[str], says: str) -> None:
    before = {path: path.read_text() for path in (folder / "workflows").iterdir() if path.is_file()}

    answer = treadle(*words)

    assert answer.code == 2
    assert says in answer.err
    assert len(answer.err.splitlines()) == 1
    assert {path: path.read_text() for path in (folder / "workflows").iterdir() if path.is_file()} == before


def test_the_schema_is_json(treadle: Call) -> None:
    assert json.loads(treadle("schema").out)["title"] == "A Treadle workflow"
