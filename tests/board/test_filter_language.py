"""The language of filters: what is printed is what is parsed, and nothing that is typed brings it down."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_tui.board.filter_completion import complete, without_begun_field
from treadle_tui.board.filter_language import FIELDS, FilterError, parse_filter, print_filter, toggled
from treadle_tui.engine.selection import Aspect, Comparison, Condition
from treadle_tui.engine.states import ItemState, StageState

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12) | st.sampled_from(
    ["doc-*", "a b", "!x", 'q"', "c:\\x", "state:failed", "\\", "a,b", "*"]
)
SPANS = st.builds(Comparison, st.sampled_from([">", ">=", "<", "<=", "="]), st.integers(0, 10**9))
NUMBERS = st.builds(Comparison, st.sampled_from([">", ">=", "<", "<=", "="]), st.integers(-(10**9), 10**9))
VALUES: dict[Aspect, st.SearchStrategy[Any]] = {
    Aspect.STATE: st.sampled_from(StageState),
    Aspect.IS: st.sampled_from(ItemState),
    Aspect.AGE: SPANS,
    Aspect.ADDED: SPANS,
    Aspect.ATTEMPTS: NUMBERS,
    Aspect.PRIORITY: NUMBERS,
}


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    aspect = draw(st.sampled_from(Aspect))
    values = draw(st.lists(VALUES.get(aspect, TEXTS), min_size=1, max_size=3, unique=True))
    return Condition(aspect, tuple(values), draw(st.booleans()))


@given(st.lists(conditions(), max_size=5, unique=True).map(tuple))
def test_what_is_printed_parses_to_what_was_printed(found: tuple[Condition, ...]) -> None:
    assert parse_filter(print_filter(found)) == found


@given(st.text(max_size=30) | st.text('abst:,!"\\ ><=0123456789hm-*', max_size=30) | st.text("state:fidl ,!\"'", max_size=20))
def test_whatever_is_typed_is_a_filter_or_one_error_with_its_place(text: str) -> None:
    found, error = read(text)

    if error is not None:
        assert 0 <= error.start <= len(text)
        assert error.start < error.end
        assert error.sentence
    else:
        assert parse_filter(print_filter(found)) == found


def read(text: str) -> tuple[tuple[Condition, ...], FilterError | None]:
    try:
        return parse_filter(text), None
    except FilterError as error:
        return (), error


@given(st.text('abst:,!"\\ >agestid', max_size=20), st.integers(0, 20))
def test_completion_answers_anywhere(text: str, cursor: int) -> None:
    cursor = min(cursor, len(text))
    completion = complete(text, cursor, ["review", "two words"], ["slow"])
    assert completion.start <= completion.end == cursor
    for candidate in completion.candidates:
        applied, at = completion.applied(text, candidate)
        assert applied[:at].rstrip().endswith(candidate)


def test_a_filter_with_everything() -> None:
    text = 'stage:review state:failed,running age:>2h error:"timed out" id:doc-*,pdf-* !tag:slow is:paused attempts:>1 priority:0 word'
    found = parse_filter(text)

    assert found == (
        Condition(Aspect.STAGE, ("review",)),
        Condition(Aspect.STATE, (StageState.FAILED, StageState.RUNNING)),
        Condition(Aspect.AGE, (Comparison(">", 7200),)),
        Condition(Aspect.ERROR, ("timed out",)),
        Condition(Aspect.ID, ("doc-*", "pdf-*")),
        Condition(Aspect.TAG, ("slow",), True),
        Condition(Aspect.IS, (ItemState.PAUSED,)),
        Condition(Aspect.ATTEMPTS, (Comparison(">", 1),)),
        Condition(Aspect.PRIORITY, (Comparison("=", 0),)),
        Condition(Aspect.WORD, ("word",)),
    )
    assert print_filter(found) == text


def test_short_and_sloppy_spellings_are_understood() -> None:
    assert parse_filter("State:FAIL,done,review") == parse_filter("state:failed,completed,awaiting_review")
    assert parse_filter("age:90m") == (Condition(Aspect.AGE, (Comparison(">", 5400),)),)
    assert parse_filter('  "a b"  ') == (Condition(Aspect.WORD, ("a b",)),)
    assert parse_filter("error:HTTP:500") == (Condition(Aspect.ERROR, ("HTTP:500",)),)
    assert parse_filter("a a") == parse_filter("a")
    assert parse_filter("") == ()


@pytest.mark.parametrize(
    ("text", "sentence", "start"),
    [
        ("state:faild", "there is no state 'faild': did you mean failed?", 6),
        ("a state:r", "there is no state 'r': there are pending, running", 8),
        ("stat:failed", "there is no field stat: did you mean state:?", 0),
        ("http://x", "there is no field http: put the text in quotes, or use state:", 0),
        ("doc state:", "state: needs a value, such as failed or running", 10),
        ("age:>2", "'>2' is no length of time: write >2h", 4),
        ("age:>99999999999999h", "is no length of time", 4),
        ("attempts:many", "'many' is no number: write 3, >3 or <=3", 9),
        ('x "open', "the quotes are not closed", 2),
        ('"a"b', "a blank must follow the quotes", 3),
        ('a"b"', "quotes must stand around the whole value", 1),
        ("a,,b", "a value is missing beside the comma", 2),
        ("!", "must stand behind !", 0),
        ('""', "there is nothing between the quotes", 0),
        ("a,b:c", "a text with a colon must stand in quotes", 2),
        ("a\0", "cannot hold this character", 1),
    ],
)
def test_a_mistake_is_one_sentence_with_its_place(text: str, sentence: str, start: int) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(text)

    assert sentence in caught.value.sentence
    assert caught.value.start == start
    assert str(caught.value).endswith(f"(at {start + 1})")


def test_a_toggled_condition_comes_and_goes() -> None:
    failed = Condition(Aspect.STATE, (StageState.FAILED,))
    once = toggled(parse_filter("doc"), failed)

    assert print_filter(once) == "doc state:failed"
    assert print_filter(toggled(once, failed)) == "doc"


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        ("", tuple(f"{aspect.value}:" for aspect in FIELDS)),
        ("st", ("state:", "stage:")),
        ("doc !sta", ("state:", "stage:")),
        ("state:fa", ("failed",)),
        ("state:failed,run", ("running",)),
        ("state:failed", ()),
        ("stage:", ("review", '"two words"')),
        ("tag:", ("fast", "slow")),
        ("age:", (">10m", ">1h", ">1d", "<10m", "<1h")),
        ("error:x", ()),
        ("what:x", ()),
    ],
)
def test_what_may_follow_is_offered(text: str, candidates: tuple[str, ...]) -> None:
    assert complete(text, len(text), ["review", "two words"], {"slow", "fast"}).candidates == candidates


def test_a_candidate_takes_the_place_of_what_was_begun() -> None:
    completion = complete("doc sta rest", 7, [])

    assert completion.applied("doc sta rest", "stage:") == ("doc stage: rest", 10)
    assert complete("state:ru x", 8, []).applied("state:ru x", "running") == ("state:running x", 14)


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("doc st", "doc "),
        ("doc !Stage", "doc "),
        ("doc state:f", "doc state:f"),
        ("doc sto", "doc sto"),
        ("age", ""),
        ("a b", "a b"),
        ("", ""),
    ],
)
def test_a_word_that_may_become_a_field_waits_until_it_is_known(text: str, without: str) -> None:
    assert without_begun_field(text) == without
