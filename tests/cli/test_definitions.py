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
    assert answer.out.splitlines() == [
        f"! {file}:5: stage 'read', retrie: unknown key; did you mean 'retry'?",
        "     5 | retrie = { max_attempts = 3 }",
    ]


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("flow.toml", 'name = "flow"\na = = 3\n', [":2: no TOML: Invalid value (column 5)", "     2 | a = = 3", "             ^"]),
        ("flow.json", '{"name": "flow",\n "a": }', [":2: no JSON: Expecting value (column 7)", '     2 |  "a": }', "               ^"]),
        ("flow.json", '{"a": 1,\n "b": [{"c": 1}, {"c": 2,\n "c": 3}]}', [":3: the key 'c' appears twice in one table; leave one out"]),
        ("flow.json", '{"a": ["NaN",\n NaN]}', [":2: NaN is no JSON number", "     2 |  NaN]}"]),
        ("flow.toml", "[[stages]]\nname = 'a'\n", [":1: stages: is a list, and must be a table with a table for each"]),
        ("flow.toml", 'name = "a\x1b[31m\n', [":1: no TOML: Illegal character", '     1 | name = "a␛[31m']),
    ],
)
def test_a_mistake_of_the_language_is_shown_in_its_line(treadle: Call, folder: Path, name: str, text: str, shown: list[str]) -> None:
    (folder / name).write_text(text)

    answer = treadle("check", str(folder / name))

    assert answer.code == 2
    for said, wanted in zip(answer.out.splitlines(), shown, strict=False):
        assert wanted in said, answer.out


MISTAKES = """\
name = "flow"
backfil = true
item = { path = "str", width = "integer" }
source = { globb = "*.png" }

[limits]
web = { rat = 2 }

[stages.look]
shel = ["file", "{item.path}"]
retry = { max_attempts = 0, delay = -1, dealy = 2 }
isolation = "thread"

[stages.fetch]
http = { url = "ftp://x", method = "PSOT", headers = { accept = [] } }
after = ["lok", "measure"]
gate = { width = "about 3", height = "> 3" }

[stages.measure]
shell = ["wc", "{lok.text}", "{subtask}"]
concurrency = 0
skip_if = "import os"

[stages.measure.review]
wen = "always"
rate = 3
on_expiry = "aprove"
fields = [{ nam = "title" }, { name = "size", kind = "choise" }]
"""


def test_every_mistake_of_a_file_is_told_and_no_mistake_twice(treadle: Call, folder: Path) -> None:
    file = folder / "flow.toml"
    file.write_text(MISTAKES)

    said = treadle("check", str(file)).out.splitlines()
    told = [line.removeprefix(f"! {file}:") for line in said if line.startswith("!")]

    assert len(said) - len(told) == len({line.partition(": ")[0] for line in told}), "each line with a mistake is shown once"
    lines = [int(line.partition(": ")[0]) for line in told]
    assert lines == [2, 3, 4, 7, 10, 11, 11, 11, 12, 15, 15, 15, 16, 17, 20, 20, 21, 22, 25, 26, 27, 28, 28], "\n".join(told)
    assert "2: backfil: unknown key; did you mean 'backfill'?" in told
    assert "10: stage 'look', shel: unknown key; did you mean 'shell'?" in told
    assert "16: stage 'fetch', after: no stage is called 'lok'; did you mean 'look'?" in told


def test_every_mistake_of_a_list_of_steps_is_told(treadle: Call, folder: Path) -> None:
    file = folder / "flow.json"
    steps = [
        {"id": "a", "depend_on": ["b"]},
        {"ids": "b"},
        3,
        {"id": "c", "depends_on": ["aa"], "config": {"max_retries": -1}},
        {"id": "a"},
    ]
    file.write_text(json.dumps({"steps": steps}))

    problems = treadle("check", str(file), "--json").json["problems"]

    assert sorted(each["message"] for each in problems) == [
        "step 'a', depend_on: unknown key; did you mean 'depends_on'?",
        "step 'a', id: workflow 'flow' already has a stage 'a'; give one of the two another name",
        "step 'c', config, max_retries: -1 must be a whole number, 0 or more",
        "step 'c', depends_on: no stage is called 'aa'; did you mean 'a'?",
        "step 2, ids: unknown key; did you mean 'id'?",
        "step 3: 3 is no step; a step has an `id`",
    ]


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


def test_a_copy_without_a_name_is_called_what_it_is_a_copy_of_and_takes_its_place(treadle: Call, folder: Path) -> None:
    assert treadle("new", "--from", "orders").code == 0

    (copy,) = (folder / "workflows").glob("orders.*")
    answer = treadle("workflows", "--json")
    assert [str(copy) in str(each) for each in answer.json["workflows"] if each["name"] == "orders"] == [True]


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
        (["new"], "give the workflow a NAME, or say what is to be copied: --from licences"),
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
