"""Folding text: every line fits, nothing is lost, folds survive newer data."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_tui.board.data_outline import PORTION, TEXT_PORTION, data_node, data_nodes
from treadle_tui.board.outline import Outline, OutlineLine
from treadle_tui.board.safe_text import width_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children, max_size=5) | st.dictionaries(st.text(), children, max_size=5),
    max_leaves=30,
)


def text_of(line: OutlineLine) -> str:
    return "".join(span.text for span in line.spans)


def shown(value: Any, width: int = 60) -> list[str]:
    return [text_of(line).rstrip() for line in Outline(data_nodes(value, ())).lines(width)]


@given(JSON, st.integers(20, 120))
def test_no_line_is_wider_than_the_screen_and_none_has_controls(value: Any, width: int) -> None:
    outline = Outline(data_nodes(value, ()))
    for _ in range(3):
        outline.fold_all(True)
        for line in outline.lines(width):
            text = text_of(line)
            assert width_of(text) <= width
            assert text.isprintable()
            assert line.parent < len(outline.lines(width))


def test_values_stand_in_one_column_behind_their_labels() -> None:
    assert shown({"pages": 3, "title": "On looms", "draft": False, "editor": None, "tags": ["wool", "silk"]}) == [
        "pages   3",
        "title   On looms",
        "draft   no",
        "editor  –",
        "tags    wool, silk",
    ]


def test_records_of_the_same_shape_are_a_table() -> None:
    checks = [{"check": "licence file", "passed": False, "found": None}, {"check": "agrees", "passed": True, "found": "MIT"}]

    assert shown({"checks": checks}) == [
        "▾ checks",
        "    check         passed  found",
        "    licence file  no      –",
        "    agrees        yes     MIT",
    ]


def test_a_mapping_of_records_is_a_table_with_its_keys_in_front() -> None:
    assert shown({"sizes": {"small": {"width": 40}, "large": {"width": 400}}}) == [
        "▾ sizes",
        "           width",
        "    small  40",
        "    large  400",
    ]


def test_a_table_too_wide_for_the_screen_becomes_its_records() -> None:
    lines = shown({"checks": [{"check": "licence file present", "found": "nothing at all"}] * 2}, width=36)

    assert "  ▾ 1" in lines
    assert "      check  licence file present" in lines


def test_long_texts_wrap_behind_their_label_and_keep_their_paragraphs() -> None:
    assert shown({"note": "a first line that is too long for the screen\n\nsecond"}, width=30) == [
        "note  a first line that is too",
        "      long for the screen",
        "",
        "      second",
    ]


def test_what_a_terminal_would_obey_is_shown_instead() -> None:
    assert shown({"\x1b[2J": "\x1b]0;title\x07[bold]"}) == ["␛[2J  ␛]0;title␇[bold]"]


def test_deep_and_large_values_start_folded_and_open_one_by_one() -> None:
    outline = Outline(data_nodes({"deep": {"list": [{"n": [n, [n]]} for n in range(30)]}}, ()))
    before = outline.lines(80)
    folded = next(line.node for line in before if "list" in text_of(line))

    assert "30 entries" in text_of(before[1])
    assert outline.fold(folded, True)
    assert len(outline.lines(80)) > 30


def test_folds_survive_newer_data() -> None:
    outline = Outline(data_nodes({"a": {"b": 1, "c": [1, [2]]}}, ()))
    outline.fold(outline.lines(80)[0].node, False)

    outline = outline.another(data_nodes({"a": {"b": 2, "c": []}}, ()))

    assert [text_of(line) for line in outline.lines(80)] == ["▸ a  2 entries"]


@pytest.mark.parametrize("value", [[{"x": n, "y": [n]} for n in range(100_000)], {str(n): [n, [n]] for n in range(100_000)}])
def test_a_hundred_thousand_entries_come_in_portions(value: Any) -> None:
    started = time.perf_counter()

    lines = Outline(data_nodes(value, ())).lines(80)

    assert time.perf_counter() - started < 5
    assert len(lines) < 2000 + 100_000 // PORTION
    assert text_of(lines[-1]).strip().endswith("100,000")


def test_a_very_long_text_comes_in_portions() -> None:
    node = data_node("text", "word " * (TEXT_PORTION // 2), ("text",))

    lines = Outline([node]).lines(100)

    assert "50,000 characters" in text_of(lines[0])
    assert len(lines) < 400


def test_a_table_wider_than_the_place_moves_sideways_and_keeps_its_first_column() -> None:
    records = [{"name": f"row {number}"} | {f"field {each}": f"value {each} of {number}" for each in range(12)} for number in range(3)]
    outline = Outline([data_node("records", records, ("records",))])
    node = outline.nodes[0]

    def drawn() -> str:
        return "\n".join(text_of(line) for line in outline.lines(80))

    assert "field 0" in drawn()
    assert "field 11" not in drawn()
    assert "columns 1, 2 – 6 of 13; → and ← show the others" in drawn()
    assert all(width_of(text_of(line)) <= 80 for line in outline.lines(80))
    while outline.move(node, 1):
        assert "row 2" in drawn()
        assert "…" not in drawn(), "no value is cut"
    assert "value 11 of 2" in drawn()
    assert "field 0" not in drawn()
    assert outline.move(node, -1)
    while outline.move(node, -1):
        pass
    assert "field 0" in drawn()
    assert not outline.move(node, -1)


def test_what_is_looked_for_in_a_wide_table_comes_into_sight() -> None:
    records = [{"name": f"row {number}"} | {f"field {each}": f"value {each} of {number}" for each in range(12)} for number in range(3)]
    outline = Outline([data_node("records", records, ("records",))])

    outline.reveal(re.compile("value 9").search)

    assert any("value 9 of 1" in text_of(line) for line in outline.lines(80))


def test_a_table_nobody_can_move_or_with_a_column_that_has_no_room_is_shown_entry_by_entry() -> None:
    records = [{"name": "a", "text": "x" * 38, "other": "y" * 38, "more": "z" * 38} for _ in range(2)]

    still = Outline([data_node("records", records, ("records",))], stands_still=True).lines(60)
    narrow = Outline([data_node("records", records, ("records",))]).lines(30)

    for lines in (still, narrow):
        text = "\n".join(text_of(line) for line in lines)
        assert "columns" not in text
        assert all(name in text for name in ("text", "other", "more"))
