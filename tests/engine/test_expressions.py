"""The small language of conditions: what it says, what it refuses, and that it can do nothing else."""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_tui.engine.errors import InvalidDefinition
from treadle_tui.engine.expressions import (
    Condition,
    MissingField,
    compile_condition,
    compile_value_condition,
    is_value_condition,
    look_up,
)


@dataclass
class Paper:
    id: str
    pages: int
    tags: tuple[str, ...] = ()
    meta: Any = None

    def touch(self):
        raise AssertionError("a condition must not call anything")


VALUES = {
    "item": {"pages": 120, "title": "On Looms", "tags": ["a", "b"], "meta": {"year": 1804, "odd key": 1}, "none": None, "done": True},
    "probe": {"width": 640.5},
}


def holds(text: str, values: Mapping[str, Any] = VALUES) -> bool:
    return compile_condition(text)(values)


@pytest.mark.parametrize(
    "text",
    [
        "item.pages > 100",
        "item.pages >= 120",
        "item.pages == 120",
        "item.pages != 3",
        "item.pages < 121 and item.pages <= 120",
        "100 < item.pages < 200",
        'item.title == "On Looms"',
        "item.title in ['x', 'On Looms']",
        "item.title not in ['x']",
        "item.title in ('On Looms',)",
        "'Looms' in item.title",
        "'a' in item.tags",
        "not item.pages < 100",
        "item.pages < 100 or item.meta.year == 1804",
        "(item.pages < 100 or true) and not false",
        "item.none == null",
        "item.none == None",
        "item.done",
        "item.done == True",
        "item.tags[0] == 'a'",
        "item.tags[-1] == 'b'",
        "item.meta['odd key'] == 1",
        "probe.width > 640",
        "-1 < item.pages",
        "  item.pages > 100  ",
        "item.tags == ['a', 'b']",
    ],
)
def test_what_holds(text):
    # `item.tags[-1]` is refused below: an index is a constant, and -1 is arithmetic on one
    if "[-1]" in text:
        with pytest.raises(InvalidDefinition, match=r"only names with dots and constant indexes can be looked up"):
            holds(text)
        return
    assert holds(text) is True


@pytest.mark.parametrize(
    "text", ["item.pages > 200", "not item.done", "item.title == 'x'", "item.pages > 1 and false", "200 < item.pages < 300"]
)
def test_what_does_not_hold(text):
    assert holds(text) is False


def test_fields_of_objects_are_found():
    values = {"item": Paper("a", 3, ("x",), {"deep": [1, 2]})}

    assert holds("item.pages == 3 and item.id == 'a' and item.meta.deep[1] == 2", values)


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("item.words > 3", "item.words", "there is no 'item.words'; there is: pages, title, tags, meta, none, done"),
        ("order.id == 3", "order", "there is no 'order'; there is: item, probe"),
        ("item.none.x == 3", "item.none.x", "there is no 'item.none.x'; item.none is null"),
        ("item.title.x == 3", "item.title.x", "there is no 'item.title.x'"),
        ("item.tags[7] == 'a'", "item.tags[7]", r"there is no 'item.tags\[7\]'"),
        ("item.pages[0] == 'a'", "item.pages[0]", "there is no"),
        ("item.title > 3", "item.title", "item.title: 'On Looms' > 3 cannot be compared"),
        ("item.none > 3", "item.none", "item.none: null > 3 cannot be compared"),
        ("3 in item.pages", "item.pages", "item.pages: 3 in 120 cannot be compared"),
    ],
)
def test_a_missing_field_is_neither_true_nor_false(text, field, message):
    with pytest.raises(MissingField, match=message) as caught:
        holds(text)
    assert caught.value.field == field


def test_methods_are_no_fields():
    with pytest.raises(MissingField, match=r"there is no 'item.touch'"):
        holds("item.touch == 1", {"item": Paper("a", 1)})


def test_what_is_not_needed_is_not_looked_at():
    assert holds("item.pages > 1 or item.words > 3")
    assert not holds("item.pages > 200 and item.words > 3")


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("item.pages >> 3", 1, "arithmetic is not allowed; compare fields and join with and, or, not"),
        ("item.pages > len(3)", 14, "calling something is not allowed"),
        ("item.pages > ", 12, "not understood"),
        ("item.pages = 3", 12, "not understood"),
        ("1 == 1 and __import__ == 3", 12, "'__import__' begins with an underscore, and such names cannot be looked up"),
        ("item.__class__ == 3", 1, "'__class__' begins with an underscore"),
        ("item['__class__'] == 3", 1, "'__class__' begins with an underscore"),
        ("item is None", 1, "`is` is not allowed; use == and !="),
        ("[x for x in item]", 1, "a loop is not allowed"),
        ("{1: 2} == 3", 1, "a table is not allowed"),
        ("{1} == 3", 1, "a set is not allowed"),
        ("(lambda: 1) == 3", 2, "a function is not allowed"),
        ("f'{item}' == 3", 1, "a formatted text is not allowed"),
        ("(x := 3) == 3", 2, "an assignment is not allowed"),
        ("1 if item else 2", 1, "`if` is not allowed"),
        ("item[item.x] == 3", 1, "only names with dots and constant indexes can be looked up"),
        ("[1][0] == 3", 1, "only names with dots"),
        ("'x'.y == 3", 1, "only names with dots"),
        ("-item.pages == 3", 1, "arithmetic is not allowed"),
        ("-True == 3", 1, "arithmetic is not allowed"),
        ("b'x' == 3", 1, "this is not allowed"),
        ("... == 3", 1, "this is not allowed"),
        ("3j == 3", 1, "this is not allowed"),
        ("[*item] == 3", 2, "`\\*` is not allowed"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_position(text, position, message):
    with pytest.raises(InvalidDefinition, match=f"condition .*, character {position}: {message}"):
        compile_condition(text)


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_condition_is_refused(text):
    with pytest.raises(InvalidDefinition, match=r"is empty; write a comparison, such as item.pages > 100"):
        compile_condition(text)


@pytest.mark.parametrize("condition", [3, True, ["item.pages"]])
def test_a_condition_that_is_no_text_is_refused_as_that(condition):
    with pytest.raises(InvalidDefinition, match="must be a text"):
        compile_condition(condition)


@pytest.mark.parametrize("text", ["(" * 60 + "1" + ")" * 60 + "==" * 30, "not " * 90 + "1", "[" * 90 + "]" * 90, "(" * 900, "a\0b"])
def test_monstrous_conditions_are_refused(text):
    with pytest.raises(InvalidDefinition, match=r"condition '.*', character .*: (nested too deeply|not understood)"):
        compile_condition(text)


def test_a_very_long_condition_is_refused_and_shown_shortened():
    with pytest.raises(InvalidDefinition, match=r"condition 'item.x == 1 or .*…' has 3000 characters; at most 2000 are allowed") as caught:
        compile_condition("item.x == 1 or " * 200)
    assert len(str(caught.value)) < 200


def test_unknown_names_can_be_refused_at_once():
    assert compile_condition("item.pages > 3", names=("item",))({"item": {"pages": 4}})
    with pytest.raises(InvalidDefinition, match=r"character 1: nothing is called 'itme' here; did you mean 'item'?"):
        compile_condition("itme.pages > 3", names=("item",))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (">= 600", 600),
        ("> 0", 1),
        ("== 'x'", "x"),
        ('in ["a", "b"]', "b"),
        ("not in ['a']", "b"),
        ("> 0 and < 10", 5),
        ("< 0 or > 10", 11),
        ("> 0 and not == 3", 5),
        ("not (< 3 or > 5)", 4),
        ("!= null", 3),
        ("value > 3 and value < 9", 4),
        ("> 1 and value != 3", 2),
        ("== ' and > '", " and > "),
    ],
)
def test_conditions_on_one_value(text, value):
    assert is_value_condition(text) or text.startswith("not (")
    assert compile_value_condition(text)(value) is True


def test_a_value_that_cannot_be_compared_is_missing():
    with pytest.raises(MissingField, match=r"the value: 'wide' >= 600 cannot be compared"):
        compile_value_condition(">= 600")("wide")


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        (">= item.x", 4, "nothing is called 'item' here; known: value"),
        ("> 3 and > foo()", 11, "calling something is not allowed"),
        (">= ", 2, "not understood"),
        ("> (3", 3, "not understood"),
        ("wide", 1, "nothing is called 'wide' here"),
    ],
)
def test_positions_are_those_of_the_text_as_written(text, position, message):
    with pytest.raises(InvalidDefinition, match=f"condition {re.escape(repr(text))}, character {position}: .*{message}"):
        compile_value_condition(text)


def test_what_is_no_text_is_refused():
    with pytest.raises(InvalidDefinition, match=r"condition 3 must be a text"):
        compile_value_condition(3)  # type: ignore[arg-type]
    with pytest.raises(InvalidDefinition, match=r"is empty"):
        compile_value_condition("")


@pytest.mark.parametrize("text", ["wide", "600", "", "notin x", "inside"])
def test_what_does_not_begin_like_a_condition_on_one_value(text):
    assert not is_value_condition(text)


def test_paths_are_looked_up_with_their_whole_name():
    assert look_up({"a": {"b": [1, 2]}}, ["a", "b", 1]) == 2
    with pytest.raises(MissingField, match=r"there is no 'a.c'; there is: b"):
        look_up({"a": {"b": 1}}, ["a", "c"])
    with pytest.raises(MissingField, match=r"there is no 'a'; there is: nothing"):
        look_up({}, ["a"])


# -- safety ------------------------------------------------------------------------------------------------------------------------

WORDS = r"""
item . pages __class__ __globals__ ( ) [ ] { } ' " > < == != in not and or if else lambda : , 1 9e999 0x10 None true * ** + - f' := @ is
await yield \\ é # ; eval import
"""
words = st.sampled_from([*WORDS.split(), "\n", "\0", "\ud800", "\\x"])


def try_to_compile(text: str) -> Condition | None:
    try:
        return compile_condition(text)
    except InvalidDefinition:
        return None


@given(st.lists(words, max_size=14).map(" ".join) | st.lists(words, max_size=14).map("".join) | st.text(max_size=60))
def test_any_text_is_either_a_condition_or_refused(text):
    """No other exception, no warning, no side effect; a condition answers true, false or `MissingField`."""
    condition = try_to_compile(text)
    if condition is not None:
        try:
            assert condition({"item": Paper("a", 3)}) in (True, False)
        except MissingField:
            pass  # an honest answer


@given(st.lists(words, max_size=14).map(" ".join))
def test_nothing_with_a_call_or_a_hidden_name_ever_gets_through(text):
    if try_to_compile(text) is None:
        return
    for node in ast.walk(ast.parse(text.strip(), mode="eval")):
        assert not isinstance(node, (ast.Call, ast.BinOp, ast.Lambda, ast.Await, ast.NamedExpr, ast.JoinedStr))
        assert not (isinstance(node, ast.Attribute) and node.attr.startswith("_"))
        assert not (isinstance(node, ast.Name) and node.id.startswith("_"))


@given(st.lists(words, max_size=14).map(" ".join) | st.text(max_size=40))
def test_any_text_is_either_a_value_condition_or_refused(text):
    try:
        condition = compile_value_condition(text)
    except InvalidDefinition:
        return
    try:
        condition(3)
    except MissingField:
        pass  # an honest answer
