"""request-changes, rerun, pause, resume, cancel, delete; approve with edits and answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Call, program


def state(treadle: Call, item: str, stage: str) -> str:
    stages = treadle("show", item, "--json").json["stages"]
    return str(next(each["state"] for each in stages if each["name"] == stage))


def test_changes_are_requested_with_feedback(worked: Call) -> None:
    answer = worked("request-changes", "doubtful", "--feedback", "more words")

    assert (answer.code, answer.out) == (0, "doubtful: publish sent back by ana\n")
    worked("run", "--until", "idle", "--quiet")
    attempts = worked("show", "doubtful", "--json").json["attempts"]["publish"]
    assert [each["outcome"] for each in attempts] == ["needs_review", "needs_review"]
    assert attempts[0]["feedback"]["summary"] == "more words"
    assert worked("request-changes", "doubtful", "--feedback", " ").code == 2


def test_an_edited_output_is_approved_from_a_file(worked: Call, folder: Path) -> None:
    (folder / "edited.json").write_text('{"words": 7}')
    (folder / "broken.json").write_text('{"words": ')

    refused = worked("approve", "doubtful", "--edits", str(folder / "broken.json"))
    answer = worked("approve", "doubtful", "--edits", str(folder / "edited.json"))

    assert (refused.code, "no JSON" in refused.err) == (2, True)
    assert answer.out == "doubtful: publish approved with edits by ana\n"
    publish = worked("show", "doubtful", "--json").json["stages"][2]
    assert publish["output"] == {"words": 7}


TYPED = """
from dataclasses import dataclass
from treadle_tui.engine import ReviewPolicy, Workflow
@dataclass
class Size:
    width: int
sizes = Workflow("sizes")
@sizes.stage(review=ReviewPolicy.ALWAYS)
def measure(item) -> Size:
    return Size(3)
"""


def test_an_edit_of_the_wrong_type_is_refused_and_the_review_stays(treadle: Call, folder: Path) -> None:
    (folder / "workflows" / "sizes.py").write_text(TYPED)
    (folder / "wrong.json").write_text('{"width": "wide"}')
    (folder / "right.json").write_text('{"width": 5}')
    treadle("add", "sizes", "a")
    treadle("run", "--until", "idle", "--quiet")

    refused = treadle("approve", "a", "--edits", str(folder / "wrong.json"))
    approved = treadle("approve", "a", "--edits", str(folder / "right.json"))

    assert refused.code == 2
    assert "width" in refused.err
    assert len(refused.err.splitlines()) == 1
    assert approved.out == "a: measure approved with edits by ana\n"


def test_a_finished_stage_runs_again_with_all_behind_it(worked: Call) -> None:
    answer = worked("rerun", "plain", "read")

    assert answer.out == "plain: read and what is behind it will run again\n"
    assert [state(worked, "plain", stage) for stage in ("read", "sources", "publish")] == ["pending"] * 3
    assert worked("rerun", "plain", "raed").code == 2


def test_a_paused_item_waits_until_it_is_resumed(treadle: Call, folder: Path) -> None:
    treadle("add", "papers", str(folder / "texts"))

    assert treadle("pause", "plain", "doubtful").out == "plain: paused\ndoubtful: paused\n"
    treadle("run", "--until", "idle", "--quiet")
    assert state(treadle, "plain", "read") == "pending"
    assert treadle("resume", "plain", "--json").json == {"items": [{"item_id": "plain", "result": "resumed", "error": None}]}
    treadle("run", "--until", "idle", "--quiet")
    assert state(treadle, "plain", "publish") == "completed"
    assert state(treadle, "doubtful", "read") == "pending"


def test_a_held_stage_is_not_started_for_the_items_that_are_meant(treadle: Call, folder: Path) -> None:
    treadle("add", "papers", str(folder / "texts"))

    held = treadle("pause", "--workflow", "papers", "--stage", "sources", "--when", "item.text == 'plain'")
    treadle("run", "--until", "idle", "--quiet")
    states = [state(treadle, item, "sources") for item in ("plain", "doubtful")]
    released = treadle("resume", "--workflow", "papers", "--stage", "sources", "--json")
    treadle("run", "--until", "idle", "--quiet")

    assert held.out == "papers: sources is held for items with item.text == 'plain'\n"
    assert states == ["pending", "completed"]
    assert released.json == {"workflow": "papers", "stage": "sources", "when": None, "result": "released"}
    assert state(treadle, "plain", "sources") == "completed"


def test_what_is_cancelled_stays_as_far_as_it_came(treadle: Call, folder: Path) -> None:
    treadle("add", "papers", str(folder / "texts"))

    assert treadle("cancel", "plain").out == "plain: cancelled\n"
    assert state(treadle, "plain", "read") == "cancelled"


def test_one_of_several_that_is_unknown_does_not_stop_the_others(treadle: Call, folder: Path) -> None:
    treadle("add", "papers", str(folder / "texts"))

    answer = treadle("cancel", "plain", "nobody", "doubtful", "--json")

    assert answer.code == 1
    results = {each["item_id"]: each["result"] for each in answer.json["items"]}
    assert results == {"plain": "cancelled", "nobody": None, "doubtful": "cancelled"}
    assert answer.err.splitlines()[-1] == "treadle-tui: 1 of 3 items could not be cancelled"


def test_deleting_needs_a_yes_where_nobody_can_be_asked(worked: Call, folder: Path, db: Path) -> None:
    refused = program("--db", str(db), "delete", "plain", cwd=folder)
    assert refused.returncode == 2
    assert refused.stderr == "treadle-tui: deleting plain cannot be undone; say --yes, or run this in a terminal to be asked\n"

    answer = worked("delete", "plain", "--yes")

    assert answer.out == "plain: deleted\n"
    assert [each["item_id"] for each in worked("list", "--json").json["items"]] == ["doubtful"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["pause"], "name one or more items; or a stage, with --workflow and --stage"),
        (["pause", "plain", "--stage", "read"], "not both"),
        (["pause", "--stage", "read"], "a stage is named with --workflow and --stage, both of them"),
        (["pause", "plain", "--when", "item.x > 3"], "--when is about a stage"),
        (["pause", "--workflow", "paper", "--stage", "read"], "the database has no workflow 'paper'; did you mean 'papers'?"),
        (["resume", "--workflow", "papers", "--stage", "raed"], "no stage is called 'raed'"),
        (["pause", "--workflow", "papers", "--stage", "read", "--when", "open()"], "calling something"),
        (["pause", "nobody"], "nobody"),
        (["cancel", "nobody"], "nobody"),
        (["delete", "nobody", "--yes"], "nobody"),
        (["rerun", "nobody", "read"], "nobody"),
        (["approve", "doubtful", "--value", "x"], "--value 'x' must be NAME=VALUE"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence_and_changes_nothing(worked: Call, words: list[str], says: str) -> None:
    before = worked("list", "--json").json

    answer = worked(*words)

    assert answer.code == 2
    assert says in answer.err
    assert len(answer.err.splitlines()) == 1
    assert worked("list", "--json").json == before


def test_hostile_ids_are_only_ever_ids(treadle: Call, folder: Path, db: Path) -> None:
    ids = ["$(touch pwned)", "'; DROP TABLE treadle_items; --", "\x1b[2J", "--yes", "a\u202eb"]
    lines = "".join(json.dumps({"id": each, "text": "plain"}) + "\n" for each in ids)
    environment = {"PYTHONPATH": str(ROOT)}
    added = program("--db", str(db), "add", "papers", "-", cwd=folder, environment=environment, input=lines)

    assert added.returncode in (0, 2), added.stderr
    known = [each["item_id"] for each in treadle("list", "--json").json["items"]] if db.exists() else []
    for each in known:
        assert treadle("pause", "--", each).code == 0
        assert "\x1b" not in treadle("show", "--", each).out
    assert not (folder / "pwned").exists()


# ---------------------------------------------------------------- many at once


def test_a_stage_runs_again_of_every_item_that_a_filter_chooses(worked: Call) -> None:
    answer = worked("rerun", "--stage", "read", "--filter", "id:pl* state:completed")

    assert (answer.code, answer.out) == (0, "read and what is behind it will run again, of 1 items\n")
    items = {item["item_id"]: item["stages"]["read"]["state"] for item in worked("list", "--json").json["items"]}
    assert items == {"doubtful": "completed", "plain": "pending"}
    assert worked("rerun", "--stage", "read", "--filter", "id:nobody", "--json").json == {"rerun": 0, "problems": []}


def test_what_waits_for_a_person_is_asked_again_when_what_it_rests_on_has_run_again(worked: Call) -> None:
    assert len(worked("reviews", "--json").json["reviews"]) == 1

    assert worked("rerun", "--stage", "read", "--filter", "stage:publish state:waiting", "--json").json["rerun"] == 1

    assert worked("reviews", "--json").json["reviews"] == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["rerun"], "say what to run again"),
        (["rerun", "plain"], "say what to run again"),
        (["rerun", "plain", "read", "--filter", "id:x"], "say what to run again"),
        (["rerun", "--stage", "read"], "say what to run again"),
        (["rerun", "--stage", "raed", "--filter", "id:x"], "'read'"),
        (["rerun", "--stage", "read", "--filter", "stat:failed"], "state"),
        (["list", "--filter", "age:soon"], "--filter 'age:soon'"),
        (["retry", "plain", "read", "--filter", "id:x"], "--filter is for --failed"),
    ],
    ids=" ".join,
)
def test_a_filter_that_cannot_be_used_is_said_in_a_sentence(worked: Call, arguments: list[str], sentence: str) -> None:
    answer = worked(*arguments)

    assert answer.code == 2
    assert sentence in answer.err
    assert len(answer.err.splitlines()) == 1


def test_items_are_listed_by_a_filter_and_by_their_ids_alone(worked: Call) -> None:
    assert worked("list", "--filter", "stage:publish state:waiting", "--ids").out == "doubtful\n"
    assert worked("list", "--ids").out == "doubtful\nplain\n"
    assert worked("list", "--ids", "--limit", "1", "--offset", "1").out == "plain\n"
    assert worked("list", "--filter", "!state:waiting", "--json").json["total"] == 1
    assert worked("list", "--filter", "age:>1h").out == "no items like that\n"
    assert worked("list", "--filter", "age:<1h", "--json").json["total"] == 2


def test_reviews_of_a_stage_and_only_so_many(worked: Call) -> None:
    assert worked("reviews", "--stage", "read").out == "no reviews are waiting\n"
    assert len(worked("reviews", "--stage", "publish", "--limit", "1", "--json").json["reviews"]) == 1
