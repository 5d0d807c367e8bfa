"""Edits of an output as text, what differs, and attempts beside each other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.board.rows import LONG_AGO
from treadle_tui.board.diff_lines import diff_nodes, unified_text
from treadle_tui.board.edit_text import EditRefused, line_of_field, output_of, text_of, with_secrets
from treadle_tui.board.laboratory import attempt_diff, changes_wanted, feedback_of, laboratory_nodes, number_of
from treadle_tui.board.outline import Node, Outline
from treadle_tui.engine.attempt_record import AttemptRecord
from treadle_tui.engine.feedback import Criterion, Feedback
from treadle_tui.engine.quality import Accepted, Rejected


def drawn(nodes: list[Node], width: int = 120) -> str:
    return "\n".join("".join(span.text for span in line.spans) for line in Outline(nodes).lines(width))


@pytest.mark.parametrize("output", [{"a": [1, None, {"b": "ü\n"}]}, [], 3.5, "a text\nof two lines", "", None, True])
def test_what_is_not_changed_comes_back_as_it_was(output: Any) -> None:
    assert output_of(text_of(output), output) == output


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ('{"a": 1,\n "b" 2}', "line 2, column 6", 2),
        ("", "line 1, column 1", 1),
        ("[NaN]", "NaN is no JSON value", 0),
        ("[" * 200_000, "nested too deeply", 0),
        ('{"a": 1, "a": 2}', "'a' stands there twice", 0),
    ],
)
def test_what_is_no_json_says_where(text: str, words: str, line: int) -> None:
    with pytest.raises(EditRefused, match=words) as refused:
        output_of(text, {})
    assert refused.value.line == line


def test_a_text_is_edited_as_it_stands() -> None:
    assert output_of('{"not": json', "before") == '{"not": json'


def test_what_is_hidden_is_put_back_where_it_still_stands_hidden() -> None:
    original = {"user": "ana", "token": "s3cret", "list": [{"token": "other"}]}

    edited = {"user": "ben", "token": "•••", "list": [{"token": "•••"}, {"x": "•••"}]}
    assert with_secrets(edited, original, {"token"}) == {"user": "ben", "token": "s3cret", "list": [{"token": "other"}, {"x": "•••"}]}
    with pytest.raises(EditRefused, match="write its value"):
        with_secrets({"new": {"token": "•••"}}, original, {"token"})


def test_a_field_is_found_by_its_path() -> None:
    text = text_of({"title": "x", "authors": [{"year": 1}], "price": 2})

    assert [line_of_field(text, path) for path in ("title", ".authors[0].year", "price`", "none", "")] == [2, 5, 8, 0, 0]


def test_a_difference_has_signs_and_goes_side_by_side_where_there_is_room() -> None:
    before, after = {"title": "old", "pages": 3}, {"title": "new", "pages": 3}

    unified = drawn(diff_nodes(before, after, 80))
    assert '−   "title": "old"' in unified
    assert '+   "title": "new"' in unified
    (side,) = [line for line in drawn(diff_nodes(before, after, 120)).splitlines() if "old" in line]
    assert "new" in side
    assert drawn(diff_nodes(before, before, 80)).strip() == "nothing differs"
    assert unified_text("a\nb", "a\nc").splitlines()[-2:] == ["-b", "+c"]


def test_hostile_text_is_safe_in_a_difference() -> None:
    text = drawn(diff_nodes("a\x1b[31m", "b\u202e", 80))

    assert "\x1b" not in text
    assert "\u202e" not in text


def attempts() -> list[AttemptRecord]:
    def made(number: int, words: str, passed: bool) -> AttemptRecord:
        criterion = Criterion("words", ">= 600", words, passed)
        verdict = Accepted() if passed else Rejected(Feedback("too short", criteria=[criterion, Criterion("title", "any", "x", True)]))
        start = LONG_AGO + timedelta(minutes=number)
        return AttemptRecord(
            number=number, started_at=start, completed_at=start + timedelta(seconds=number), outcome="rejected", output={"words": words},
            verdict=verdict,
        )  # fmt: skip

    return [made(1, "480", False), made(2, "599", False)]


def test_attempts_stand_beside_each_other_with_their_criteria() -> None:
    nodes = laboratory_nodes(attempts(), LONG_AGO)
    text = drawn(nodes)

    (names,) = [line.split() for line in text.split("\n") if line.split()[:1] == ["attempt"] and line.count("attempt") == 2]
    assert names == ["attempt", "1", "attempt", "2"]
    assert "✗ 480" in text
    assert "✗ 599" in text
    assert [number_of(node) for node in nodes] == [None, 2, 1]
    assert number_of(None) is None
    assert "no attempt" in drawn(laboratory_nodes([], LONG_AGO))


def test_any_attempt_is_compared_with_the_latest() -> None:
    assert '−   "words": "480"' in drawn(attempt_diff(attempts(), 1, 80, "unified"))
    assert "attempt 1 → attempt 2" in drawn(attempt_diff(attempts(), 2, 80, "unified"))
    assert "nothing to compare" in drawn(attempt_diff(attempts()[:1], 1, 80, "auto"))


def test_a_request_for_changes_begins_with_what_failed() -> None:
    assert changes_wanted(attempts()) == "words should be >= 600, it is 599"
    feedback = feedback_of("make it longer", attempts())
    assert isinstance(feedback, Feedback)
    assert (feedback.summary, [each.name for each in feedback.criteria], feedback.source) == ("make it longer", ["words"], "person")
    assert feedback_of("just so", []) == "just so"
