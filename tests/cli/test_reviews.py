"""reviews, approve, reject."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Call


def test_reviews_are_listed_with_what_is_asked(worked: Call) -> None:
    lines = worked("reviews").out.splitlines()

    assert lines[0].split() == ["AGE", "ITEM", "STAGE", "SUMMARY"]
    assert lines[1].split()[1:] == ["doubtful", "publish", "fit", "to", "print?"]


def test_no_reviews_is_said(treadle: Call, folder: Path) -> None:
    treadle("add", "papers", str(folder / "texts"))

    assert treadle("reviews").out == "no reviews are waiting\n"


def test_approving_lets_the_item_complete(worked: Call) -> None:
    answer = worked("approve", "doubtful")

    assert (answer.code, answer.out) == (0, "doubtful: publish approved by ana\n")
    assert worked("list", "--json").json["items"][0]["state"] == "completed"
    assert worked("reviews", "--json").json == {"reviews": [], "total": 0}


def test_rejecting_fails_the_stage_with_the_reason(worked: Call) -> None:
    answer = worked("reject", "doubtful", "publish", "--reason", "not fit to print", "--as", "ben")

    assert (answer.code, answer.out) == (0, "doubtful: publish rejected by ben\n")
    publish = worked("show", "doubtful", "--json").json["stages"][2]
    assert (publish["state"], publish["error"]) == ("failed", "not fit to print")
    assert (publish["decision"]["verb"], publish["decision"]["by"]) == ("reject", "ben")


def test_rejecting_needs_a_reason(worked: Call) -> None:
    answer = worked("reject", "doubtful")

    assert answer.code == 2
    assert "--reason" in answer.err


def test_deciding_twice_says_who_was_first(worked: Call) -> None:
    worked("approve", "doubtful", "--as", "ben")

    answer = worked("approve", "doubtful", "publish")

    assert answer.code == 1
    assert "completed, decided by ben" in answer.err


def test_deciding_where_nothing_waits_says_what_waits_instead(worked: Call) -> None:
    answer = worked("approve", "doubtful", "read")

    assert answer.code == 1
    assert "the stage is completed; what waits: publish" in answer.err


def test_an_unknown_item_or_stage_is_bad_input(worked: Call) -> None:
    unknown_item, unknown_stage = worked("approve", "nobody"), worked("approve", "doubtful", "publsh")

    assert (unknown_item.code, unknown_stage.code) == (2, 2)
    assert "no item is called 'nobody'" in unknown_item.err
    assert "did you mean 'publish'?" in unknown_stage.err


def test_a_decision_on_an_older_version_is_refused(worked: Call) -> None:
    version = worked("reviews", "--json").json["reviews"][0]["version"]

    stale, fresh = (
        worked("approve", "doubtful", "--if-version", str(version - 1)),
        worked("approve", "doubtful", "--if-version", str(version)),
    )

    assert (stale.code, fresh.code) == (1, 0)
    assert "look at it again" in stale.err


def test_the_review_of_a_subtask_is_decided_by_its_name(treadle: Call, texts: Callable[..., None], folder: Path) -> None:
    texts(odd="unsure")
    treadle("add", "papers", str(folder / "texts"))
    treadle("run", "--until", "idle")

    listed = treadle("reviews").out
    answer = treadle("approve", "odd", "sources", "--subtask", "arxiv")

    assert "sources / arxiv" in listed
    assert (answer.code, answer.out) == (0, "odd: sources / arxiv approved by ana\n")


def test_a_decision_as_json(worked: Call) -> None:
    answer = worked("approve", "doubtful", "--json").json

    assert answer == {"item_id": "doubtful", "stage": "publish", "subtask": None, "decision": "approve", "by": "ana"}


def test_the_reviewer_is_never_empty(worked: Call) -> None:
    answer = worked("approve", "doubtful", "--as", "  ")

    assert answer.code == 2
    assert "--as needs a name" in answer.err


def test_a_review_can_be_decided_without_the_workflow_file(worked: Call, folder: Path) -> None:
    (folder / "workflows" / "papers.py").unlink()

    assert worked("approve", "doubtful").code == 0
