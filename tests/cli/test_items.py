"""add, list, show, retry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Call


def test_adding_says_how_many_were_new_and_how_many_known(treadle: Call, folder: Path) -> None:
    first = treadle("add", "papers", str(folder / "texts"))
    (folder / "texts" / "another.txt").write_text("plain")
    second = treadle("add", "papers", str(folder / "texts"))

    assert (first.code, first.out) == (0, "papers: 2 new, 0 already known\n")
    assert (second.code, second.out) == (0, "papers: 1 new, 2 already known\n")


def test_adding_as_json(treadle: Call, folder: Path) -> None:
    assert treadle("add", "papers", str(folder / "texts"), "--json").json == {
        "workflow": "papers",
        "items": 2,
        "new": 2,
        "known": 0,
        "elsewhere": [],
    }


def test_adding_runs_nothing(treadle: Call, folder: Path) -> None:
    treadle("add", "papers", str(folder / "texts"))

    states = {stage["state"] for item in treadle("list", "--json").json["items"] for stage in item["stages"].values()}
    assert states == {"pending"}


def test_adding_nothing_makes_no_database(treadle: Call, folder: Path, db: Path) -> None:
    answer = treadle("add", "papers", str(folder / "texts"), "*.pdf")

    assert (answer.code, answer.out) == (0, "papers: the source found no items\n")
    assert not db.exists()


def test_an_item_yielded_twice_counts_once_as_new(treadle: Call, folder: Path, db: Path) -> None:
    twice = "from treadle_tui.engine import Workflow\nw = Workflow('twice')\n@w.source\ndef s(): return [{'id': 'a'}, {'id': 'a'}]\n"
    (folder / "workflows" / "twice.py").write_text(twice + "@w.stage\ndef read(item): ...\n")

    answer = treadle("add", "twice", "--json").json

    assert (answer["items"], answer["new"], answer["known"]) == (2, 1, 1)


def test_ids_that_another_workflow_has_are_not_added_and_named(treadle: Call, folder: Path) -> None:
    other = "from treadle_tui.engine import Workflow\nw = Workflow('other')\n@w.source\ndef s(): return [{'id': 'plain'}, {'id': 'new'}]\n"
    (folder / "workflows" / "other.py").write_text(other + "@w.stage\ndef read(item): ...\n")
    treadle("add", "papers", str(folder / "texts"))

    answer = treadle("add", "other")

    assert answer.out.splitlines() == [
        "other: 1 new, 0 already known",
        "not added, because another workflow of this database has items of that id: 1 (plain)",
    ]


def test_an_async_source_is_read_as_well(treadle: Call, folder: Path) -> None:
    source = "from treadle_tui.engine import Workflow\nw = Workflow('slow')\n@w.source\nasync def s():\n    yield {'id': 'a'}\n"
    (folder / "workflows" / "slow.py").write_text(source + "@w.stage\ndef read(item): ...\n")

    assert treadle("add", "slow").out == "slow: 1 new, 0 already known\n"


def test_listing_shows_a_sign_per_stage_and_what_is_going_on(worked: Call) -> None:
    lines = worked("list").out.splitlines()

    assert [line.split() for line in lines[1:]] == [
        ["doubtful", "papers", "✓✓◆", "publish", "awaiting", "review"],
        ["plain", "papers", "✓✓✓", "completed"],
    ]


def test_listing_only_what_is_in_a_state(worked: Call) -> None:
    answer = worked("list", "--state", "awaiting_review", "--json").json

    assert [item["item_id"] for item in answer["items"]] == ["doubtful"]
    assert answer["total"] == 1


def test_listing_in_pages_says_how_many_are_left(worked: Call) -> None:
    answer = worked("list", "--limit", "1")

    assert "doubtful" in answer.out
    assert "plain" not in answer.out
    assert answer.out.endswith("… 1 more: --offset 1\n")
    assert "plain" in worked("list", "--limit", "1", "--offset", "1").out


def test_showing_an_item_tells_its_stages_review_and_subtasks(worked: Call) -> None:
    shown = worked("show", "doubtful").out

    assert "◆ publish  awaiting review" in shown
    assert "? fit to print?" in shown
    assert "✓ crossref  completed" in shown


def test_showing_an_item_after_a_decision_tells_who_decided_and_when(worked: Call) -> None:
    worked("--as", "ben", "approve", "doubtful", "--note", "checked twice")

    shown = worked("show", "doubtful").out

    assert "= approve by ben on 20" in shown
    assert "(note: checked twice)" in shown


def test_showing_as_json_has_everything(worked: Call) -> None:
    shown = worked("show", "doubtful", "--json").json

    stages = {stage["name"]: stage for stage in shown["stages"]}
    assert list(stages) == ["read", "sources", "publish"]
    assert stages["publish"]["review"]["details"] == {"words": 1}
    assert [subtask["name"] for subtask in stages["sources"]["subtasks"]] == ["crossref", "arxiv"]
    assert shown["attempts"]["sources/arxiv"][0]["output"] == {"hits": 1}
    assert shown["data"] == {"id": "doubtful", "text": "doubtful"}


def test_what_stages_returned_is_shown_when_asked_for(worked: Call) -> None:
    short, long = worked("show", "plain").out, worked("show", "plain", "--outputs").out

    assert '"words": 1' not in short
    assert '"words": 1' in long
    assert '"hits": 1' in long


def test_secrets_are_shown_by_no_verb_even_without_the_workflow_file(treadle: Call, folder: Path) -> None:
    file = folder / "workflows" / "vault.py"
    file.write_text(
        "from treadle_tui.engine import NeedsReview, ReviewData, Workflow\n"
        "vault = Workflow('vault')\n"
        "@vault.source\ndef s(): yield {'id': 'a', 'token': 'hunter2'}\n"
        "@vault.stage(secrets=['token'])\n"
        "def sign(item): return NeedsReview({'deep': [{'token': 'hunter2'}]}, ReviewData('sign?', {'token': 'hunter2'}))\n"
    )
    treadle("add", "vault")
    treadle("run", "--until", "idle")
    file.unlink()

    for arguments in (["show", "a"], ["show", "a", "--outputs"], ["show", "a", "--json"], ["reviews", "--json"], ["events", "--json"]):
        shown = treadle(*arguments)
        assert shown.code == 0
        assert "hunter2" not in shown.out, arguments
    assert "•••" in treadle("show", "a").out


def test_what_stands_in_an_item_cannot_move_the_cursor(treadle: Call, texts: Callable[..., None], folder: Path) -> None:
    texts(poor="broken \x1b[31mred\x07")
    treadle("add", "papers", str(folder / "texts"))
    ran = treadle("run", "--until", "idle").out

    for shown in (ran, treadle("events").out, treadle("show", "poor").out, treadle("show", "poor", "--json").out):
        assert "red" in shown
        assert "\x1b" not in shown
        assert "\x07" not in shown
    assert "cannot be read: broken ␛[31mred␇" in ran


def test_retrying_runs_a_failed_stage_again(treadle: Call, texts: Callable[..., None], folder: Path) -> None:
    texts(poor="broken")
    treadle("add", "papers", str(folder / "texts"))
    treadle("run", "--until", "idle")
    before = treadle("list").out

    answer = treadle("retry", "poor", "read")

    assert "read failed" in before
    assert (answer.code, answer.out) == (0, "poor: read will run again\n")
    assert treadle("list", "--json").json["items"][0]["stages"]["read"]["state"] == "pending"


def test_retrying_what_has_not_failed_is_refused_with_its_state(worked: Call) -> None:
    answer = worked("retry", "plain", "read")

    assert answer.code == 1
    assert "completed" in answer.err
    assert answer.out == ""


def broken(treadle: Call, texts: Callable[..., None], folder: Path) -> None:
    texts(poor="broken", worse="broken")
    treadle("add", "papers", str(folder / "texts"))
    treadle("run", "--until", "idle")


def test_everything_that_has_failed_in_a_stage_is_retried(treadle: Call, texts: Callable[..., None], folder: Path) -> None:
    broken(treadle, texts, folder)

    elsewhere = treadle("retry", "--failed", "--stage", "publish")
    answer = treadle("retry", "--stage", "read", "--failed")
    again = treadle("retry", "--failed", "--json")

    assert (elsewhere.code, elsewhere.out) == (0, "nothing has failed in publish\n")
    assert (answer.code, answer.out) == (0, "2 will run again\n")
    assert again.json == {"retried": 0, "problems": []}
    assert treadle("list", "--json", "--state", "failed").json["total"] == 0


def test_what_is_to_be_retried_must_be_clear(treadle: Call, texts: Callable[..., None], folder: Path) -> None:
    broken(treadle, texts, folder)

    for arguments, because in (
        (("retry",), "say what to retry: ITEM STAGE, or --failed"),
        (("retry", "poor"), "say what to retry"),
        (("retry", "poor", "read", "--failed"), "leave one of the two out"),
        (("retry", "--failed", "--stage", "raed"), "no stage is called 'raed'; did you mean 'read'?"),
        (("retry", "--failed", "--workflow", "paper"), "no workflow of this database is called 'paper'; did you mean 'papers'?"),
        (("retry", "--failed", "--subtask", "x"), "--subtask is about one item"),
    ):
        answer = treadle(*arguments)

        assert (answer.code, answer.out) == (2, "")
        assert because in answer.err
