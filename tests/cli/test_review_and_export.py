"""review --plain and export decisions."""

from __future__ import annotations

import csv
import io

import pytest

from tests.cli.conftest import Call


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """What a person types, line by line; then the input ends."""
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def test_a_review_is_read_out_and_one_letter_decides_it(worked: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "what", "a")
    answer = worked("review", "--plain")

    assert answer.code == 0
    for words in ("1 of 1: doubtful, publish", "asked because: asked by the stage", "fit to print?", "words  1", "a letter and enter"):
        assert words in answer.out
    assert answer.out.endswith("approved: doubtful, publish\n1 decided, 0 waiting\n")
    assert worked("show", "doubtful", "--json").json["stages"][2]["decision"]["by"] == "ana"


def test_a_rejection_asks_for_a_reason(worked: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "x", "not fit")
    worked("review", "--plain")

    assert worked("show", "doubtful", "--json").json["stages"][2]["error"] == "not fit"


def test_a_decision_can_be_taken_back_and_the_end_of_the_input_is_a_way_out(worked: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "u", "g", "")
    answer = worked("review", "--plain")

    assert "there is nothing to take back" in answer.out
    assert "say what should be different" in answer.out
    assert answer.out.endswith("0 decided, 1 waiting\n")


def test_nothing_to_review_is_said(worked: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    worked("approve", "doubtful")
    typed(monkeypatch)

    assert worked("review").out == "no reviews are waiting\n"


def test_hostile_text_cannot_move_the_cursor(treadle: Call, folder, texts, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (folder / "workflows" / "papers.py").read_text().replace("fit to print?", "fit\\x1b[2Jto print?")
    (folder / "workflows" / "papers.py").write_text(source)
    treadle("add", "papers", str(folder / "texts"))
    treadle("run", "--until", "idle")
    typed(monkeypatch, "q")

    assert "\x1b" not in treadle("review", "--plain").out


def test_decisions_are_exported_with_what_they_were_made_on(worked: Call) -> None:
    worked("reject", "doubtful", "--reason", "=not fit", "--note", "ask Ben")

    (line,) = worked("export", "decisions").json_lines
    assert (line["item_id"], line["stage"], line["verdict"], line["reviewer"]) == ("doubtful", "publish", "reject", "ana")
    assert (line["reason"], line["note"], line["attempt"], line["edit"]) == ("=not fit", "ask Ben", 1, None)
    assert line["output"] == {"words": 1}
    assert line["inputs"]["item"]["text"] == "doubtful"
    assert line["inputs"]["read"] == {"words": 1}

    (row,) = csv.DictReader(io.StringIO(worked("export", "decisions", "--format", "csv").out))
    assert (row["reason"], row["attempt"], row["output"]) == ("'=not fit", "1", '{"words": 1}')


def test_nothing_decided_exports_nothing(worked: Call) -> None:
    assert worked("export", "decisions").out == ""
    assert worked("export", "decisions", "--workflow", "other", "--format", "csv").out.startswith("at,workflow,item_id")
