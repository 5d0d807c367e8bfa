"""The picture of a workflow says what the workflow is: every line that can be followed is an edge, and every edge can be followed."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_tui.board.graph_layout import Place, crossings, lay_out
from treadle_tui.board.graph_picture import ARROW, BoxFacts, GraphPicture
from treadle_tui.board.graph_tree import tree_lines
from treadle_tui.board.outline import Span, Tone

Graph = dict[str, list[str]]

_STROKES = {
    "│": "ud", "─": "lr", "┌": "dr", "┐": "dl", "└": "ur", "┘": "ul", "├": "udr", "┤": "udl", "┬": "dlr", "┴": "ulr", "┼": "udlr",
}  # fmt: skip
_STEPS = {"u": (0, -1), "d": (0, 1), "l": (-1, 0), "r": (1, 0)}
_BACK = {"u": "d", "d": "u", "l": "r", "r": "l"}


def picture_of(dependencies: Graph, width: int = 160, box: int = 14) -> GraphPicture:
    return GraphPicture(lay_out(dependencies, dict.fromkeys(dependencies, box), width))


def drawn(picture: GraphPicture) -> list[str]:
    facts = BoxFacts((Span("✓ 3"),))
    return ["".join(span.text for span in picture.line(y, lambda stage: facts)) for y in range(picture.height)]


def follow(picture: GraphPicture, stage: str) -> list[str]:
    """The stages to whose boxes a reader comes who follows the lines down from this one; a bar goes on under a line it meets."""
    lines = drawn(picture)
    place = picture.layout.place(stage)
    assert place is not None
    box = picture.boxes[stage]
    if lines[box.y + 2][place.port] != "┬":
        return []
    found, seen, todo = [], set(), [(place.port, box.y + 3, "d")]
    while todo:
        x, y, came = todo.pop()
        if (x, y, came) in seen:
            continue
        seen.add((x, y, came))
        sign = lines[y][x]
        if sign == ARROW:
            found.append(picture.stage_at(x, y + 1))
            continue
        ways = came if came in "lr" and sign == "│" else [way for way in _STROKES[sign] if way != _BACK[came]]
        todo += [(x + _STEPS[way][0], y + _STEPS[way][1], way) for way in ways]
    return found


def edges(dependencies: Graph) -> dict[str, list[str]]:
    return {name: sorted(other for other, above in dependencies.items() if name in above) for name in dependencies}


def seeded(seed: int, count: int = 30, near: int = 7) -> Graph:
    """A workflow of so many stages, each after up to three of the last few."""
    chance = random.Random(seed)
    names = [f"stage {number:02}" for number in range(count)]
    return {
        name: sorted(chance.sample(names[max(0, number - near) : number], min(number, chance.choice([1, 1, 1, 2, 2, 3]))))
        for number, name in enumerate(names)
    }


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 12))
    names = [f"s{number}" for number in range(count)]
    return {name: sorted(draw(st.sets(st.sampled_from(names[:number]), max_size=3)) if number else []) for number, name in enumerate(names)}


# --- boxes and edges --------------------------------------------------------------------------------------------------


def test_a_chain_is_drawn_straight_down() -> None:
    picture = picture_of({"fetch": [], "read": ["fetch"], "print": ["read"]})

    assert drawn(picture) == [
        "╭─ fetch ────╮",
        "│ ✓ 3        │",
        "╰─────┬──────╯",
        "      ▼       ",
        "╭─ read ─────╮",
        "│ ✓ 3        │",
        "╰─────┬──────╯",
        "      ▼       ",
        "╭─ print ────╮",
        "│ ✓ 3        │",
        "╰────────────╯",
    ]


def test_a_fork_and_a_join_and_an_edge_that_passes_a_layer() -> None:
    picture = picture_of({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": ["d", "a"]})

    assert {name: sorted(follow(picture, name)) for name in "abcde"} == edges(
        {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": ["d", "a"]}
    )
    assert crossings(picture.layout.layers) == 0


@given(graphs())
@settings(max_examples=100, deadline=None)
def test_the_lines_lead_where_the_edges_do(graph: Graph) -> None:
    picture = picture_of(graph)

    assert {name: sorted(follow(picture, name)) for name in graph} == edges(graph)


@pytest.mark.parametrize("seed", range(6))
def test_thirty_stages_fit_into_160_columns_and_every_edge_can_be_followed(seed: int) -> None:
    graph = seeded(seed)
    picture = picture_of(graph, 156, 20)

    assert picture.width <= 156
    assert {name: sorted(follow(picture, name)) for name in graph} == edges(graph)
    assert all(len(line) == picture.width for line in drawn(picture))


@given(graphs())
@settings(max_examples=50, deadline=None)
def test_boxes_never_touch_and_stand_below_what_they_depend_on(graph: Graph) -> None:
    picture = picture_of(graph, 50)

    for name, above in graph.items():
        assert all(picture.boxes[other].y < picture.boxes[name].y for other in above)
    for layer in picture.layout.layers:
        for left, right in pairwise(layer):
            assert left.x + left.width < right.x


def test_a_wide_layer_is_broken_to_fit() -> None:
    graph: Graph = {"root": []} | {f"leaf {number}": ["root"] for number in range(9)}

    assert picture_of(graph, 60).width <= 60
    assert picture_of(graph, 160).width == 9 * 14 + 8 * 3


def test_ordering_takes_crossings_away() -> None:
    """Two pairs that would cross if each layer stood in the order of definition."""
    graph: Graph = {"a": [], "b": [], "c": ["b"], "d": ["a"]}
    places = [[Place("a", 3, 0), Place("b", 3, 0)], [Place("c", 3, 1), Place("d", 3, 1)]]
    places[0][0].below, places[0][1].below = [places[1][1]], [places[1][0]]

    assert crossings(places) == 1
    assert crossings(lay_out(graph, dict.fromkeys(graph, 8), 100).layers) == 0


def test_nothing_is_drawn_of_no_stages() -> None:
    assert drawn(picture_of({})) == []


def test_a_box_shows_its_mark_and_the_cursor_and_cuts_what_is_too_long() -> None:
    picture = picture_of({"a very long name of a stage": []}, box=18)
    facts = BoxFacts((Span("✓ 300k", Tone.COMPLETED), Span(" ◆ 12345678", Tone.AWAITING_REVIEW)), mark="held")

    lines = ["".join(span.text for span in picture.line(y, lambda stage: facts, "a very long name of a stage")) for y in range(3)]

    assert lines == ["┏━ a very … held ┓", "┃ ✓ 300k…        ┃", "┗━━━━━━━━━━━━━━━━┛"]


def test_a_click_finds_its_box() -> None:
    picture = picture_of({"a": [], "b": ["a"]})

    assert (picture.stage_at(3, 1), picture.stage_at(3, 5), picture.stage_at(3, 3), picture.stage_at(40, 1)) == ("a", "b", "", "")


# --- tree -------------------------------------------------------------------------------------------------------------


def test_a_tree_names_every_stage_once_and_steps_aside_only_at_forks() -> None:
    lines = tree_lines(
        {"fetch": [], "read": ["fetch"], "text": ["read"], "images": ["read"], "join": ["text", "images"], "send": ["join"], "other": []}
    )

    assert [line.prefix + line.stage + (f" ({', '.join(line.also)})" if line.also else "") for line in lines] == [
        "fetch",
        "↓ read",
        "├ text",
        "└ images",
        "  ↓ join (text)",
        "  ↓ send",
        "other",
    ]


@given(graphs())
@settings(max_examples=50, deadline=None)
def test_the_tree_has_every_stage_behind_what_it_depends_on(graph: Graph) -> None:
    names = [line.stage for line in tree_lines(graph)]

    assert sorted(names) == sorted(graph)


def test_a_very_long_chain_is_a_tree_too() -> None:
    chain = {f"s{number}": [f"s{number - 1}"] if number else [] for number in range(3000)}

    assert len(tree_lines(chain)) == 3000
    assert len(tree_lines(chain)[-1].prefix) == 2
