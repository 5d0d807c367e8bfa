"""What a few letters find."""

from __future__ import annotations

import pytest

from treadle_tui.board.palette_search import search

TITLES = ["Approve", "Reject", "Add items", "Page up", "Export a picture of the screen", "Theme treadle-light"]
ABOUTS = ["the waiting cell", "the waiting cell, with a reason", "choose a workflow", "one screen up", "as an SVG file", "colours"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", TITLES),
        ("appr", ["Approve"]),
        ("PAGE", ["Page up"]),
        ("ai", ["Add items"]),
        ("light", ["Theme treadle-light"]),
        ("ttl", ["Theme treadle-light"]),
        ("additem", ["Add items"]),
        ("pic scr", ["Export a picture of the screen"]),
        ("art", []),
        ("reason", ["Reject"]),
        ("cell waiting", ["Approve", "Reject"]),
        ("up", ["Page up"]),
        ("zz", []),
    ],
)
def test_what_is_found_best_first(query: str, found: list[str]) -> None:
    assert [TITLES[each.index] for each in search(query, TITLES, ABOUTS)] == found


def test_the_letters_that_were_typed_are_known() -> None:
    (found,) = search("ai", ["Add items"], [""])

    assert found.places == (0, 4)


def test_the_beginning_of_a_title_beats_the_middle() -> None:
    found = search("re", ["Approve again: re", "Core", "Reject"], ["", "", ""])

    assert [each.index for each in found] == [2, 0, 1]


def test_a_name_that_could_be_read_in_many_ways_is_read_quickly() -> None:
    assert search("a" * 30 + "b", ["-".join("a" * 60)], [""]) == []
