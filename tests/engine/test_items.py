"""Work items and outputs on their way to JSON and back."""

import datetime
import decimal
import enum
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple, NotRequired, TypedDict

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_tui.engine.errors import InvalidDecision, InvalidDefinition, InvalidItem, StageExecutionError
from treadle_tui.engine.items import ItemType, OutputType
from treadle_tui.engine.json_values import NotEncodable, is_convertible, type_text


@dataclass
class Paper:
    id: str
    path: Path = Path("x")
    pages: int = 1
    tags: list[str] = field(default_factory=list)


class PaperStruct(msgspec.Struct):
    id: str
    pages: int = 1


class PaperDict(TypedDict):
    id: str
    pages: NotRequired[int]


def above_zero(paper: Any, attribute: Any, pages: Any) -> None:
    if isinstance(pages, int) and pages < 1:
        raise ValueError(f"{attribute.name!r} must be > 0")


@attrs.define
class PaperAttrs:
    id: str
    pages: int = attrs.field(default=1, validator=above_zero)


class PaperModel(pydantic.BaseModel):
    id: str
    pages: int = 1
    when: datetime.date | None = None


class StrictModel(pydantic.BaseModel, strict=True):
    id: str
    when: datetime.date


@dataclass
class Derived:
    path: str

    @property
    def id(self) -> str:
        return self.path.rpartition("/")[2]


class Opaque:
    pass


TYPED = [
    (Paper, Paper("a", Path("f/g"), 3, ["t"])),
    (PaperStruct, PaperStruct("a", 3)),
    (PaperDict, {"id": "a", "pages": 3}),
    (PaperAttrs, PaperAttrs("a", 3)),
    (PaperModel, PaperModel(id="a", pages=3, when=datetime.date(2024, 2, 29))),
    (StrictModel, StrictModel(id="a", when=datetime.date(2024, 2, 29))),
]


@pytest.mark.parametrize(("annotation", "item"), TYPED)
def test_an_item_comes_back_as_its_declared_type(annotation, item):
    item_type = ItemType(annotation)

    item_id, stored = item_type.encode(item)

    assert item_id == "a"
    assert item_type.decode(stored) == item
    assert item_type.decode(msgspec.json.decode(stored)) == item
    assert type(item_type.decode(stored)) is type(item)


@pytest.mark.parametrize("annotation", [Paper, PaperStruct, PaperDict, PaperAttrs, PaperModel])
def test_a_dict_becomes_the_declared_type(annotation):
    item_type = ItemType(annotation)

    item_id, stored = item_type.encode({"id": "a", "pages": 4})
    item: Any = item_type.decode(stored)

    assert item_id == "a"
    assert (item["pages"] if isinstance(item, dict) else item.pages) == 4


@pytest.mark.parametrize("annotation", [Paper, PaperStruct, PaperDict, PaperAttrs, PaperModel])
def test_a_field_of_the_wrong_type_is_named_with_its_value(annotation):
    with pytest.raises(InvalidItem, match=f"item 'a' is no {annotation.__name__}: .*pages.*('many'|unable to parse string)"):
        ItemType(annotation).encode({"id": "a", "pages": "many"})


@pytest.mark.parametrize(
    ("annotation", "item"),
    [(Paper, Paper("a", Path("x"), "many")), (PaperStruct, PaperStruct("a", "many"))],  # type: ignore[arg-type]
)
def test_an_object_is_checked_by_content_not_by_class(annotation, item):
    with pytest.raises(InvalidItem, match=r"item 'a' is no Paper\w*: Expected `int`, got `str` - at `\$\.pages` \('many'\)"):
        ItemType(annotation).encode(item)


def test_validators_of_attrs_run_on_content():
    item = PaperAttrs("a")
    object.__setattr__(item, "pages", 0)

    with pytest.raises(InvalidItem, match=r"item 'a' is no PaperAttrs: 'pages' must be > 0"):
        ItemType(PaperAttrs).encode(item)


def test_a_missing_field_is_named():
    with pytest.raises(InvalidItem, match=r"item 'a' is no StrictModel: when: Field required"):
        ItemType(StrictModel).encode({"id": "a"})
    with pytest.raises(InvalidItem, match=r"\{'pages': 3\} is no Paper: Object missing required field `id`"):
        ItemType(Paper).encode({"pages": 3})


def test_the_stored_form_has_the_defaults():
    assert ItemType(PaperStruct).encode({"id": "a"})[1] == b'{"id":"a","pages":1}'


def test_an_id_may_be_worked_out_by_a_property():
    item_type = ItemType(Derived)

    item_id, stored = item_type.encode(Derived("x/y"))

    assert item_id == "y"
    assert item_type.decode(stored).id == "y"


class Row(NamedTuple):
    id: str
    pages: int


class Slotted:
    __slots__ = ("_cache", "id", "pages")

    def __init__(self) -> None:
        self.id, self.pages, self._cache = "a", 3, object()


class Plain:
    def __init__(self) -> None:
        self.id, self.pages, self._cache = "a", 3, object()


@pytest.mark.parametrize(
    "item",
    [
        {"id": "a", "pages": 3},
        OrderedDict(id="a", pages=3),
        MappingProxyType({"id": "a", "pages": 3}),
        SimpleNamespace(id="a", pages=3),
        Row("a", 3),
        Slotted(),
        Plain(),
        PaperStruct("a", 3),
        PaperAttrs("a", 3),
    ],
)
def test_without_a_type_anything_with_an_id_is_an_item(item):
    item_id, stored = ItemType().encode(item)

    assert item_id == "a"
    assert ItemType().decode(stored) == {"id": "a", "pages": 3}
    assert ItemType().decode({"id": "a"}) == {"id": "a"}


def test_dict_and_any_mean_no_type():
    assert ItemType(dict).annotation is None
    assert ItemType(Any).annotation is None
    assert str(ItemType()) == "dict"
    assert str(ItemType(Paper)) == "Paper"


def test_what_has_no_id_is_refused():
    with pytest.raises(InvalidItem, match=r"\{'path': 'x'\} has no `id`; every work item needs one, a text that is not empty"):
        ItemType().encode({"path": "x"})
    with pytest.raises(InvalidItem, match=r"'paper' cannot be a work item: it has no `id`; give a dict or an object with one"):
        ItemType().encode("paper")
    with pytest.raises(InvalidItem, match=r"cannot be a work item"):
        ItemType().encode(Paper)


@pytest.mark.parametrize("annotation", [None, Paper])
@pytest.mark.parametrize(
    ("item_id", "message"),
    [
        (7, r"field `id` is 7, of type int; an item's id is a text, str\(7\)"),
        ("", r"field `id` of \{'id': ''\} is empty; an item's id is a text that is not empty"),
        ("a\nb", r"field `id` is 'a\\nb': control characters, line breaks and half surrogates are not allowed in an id"),
        ("a\x1b[31m", "control characters"),
        ("\ud800", "half surrogates"),
        ("a\u2028b", "line breaks"),
        ("x" * 513, "field `id` has 513 characters, starting 'xxxxx.*'; at most 512 are allowed"),
    ],
)
def test_impossible_ids_are_refused(annotation, item_id, message):
    with pytest.raises(InvalidItem, match=message):
        ItemType(annotation).encode({"id": item_id})


@pytest.mark.parametrize("item_id", ["a b", "日本語", "é\u0301", "x" * 512, "a/b", "👩‍🔬"])
def test_unusual_ids_are_fine(item_id):
    assert ItemType().encode({"id": item_id})[0] == item_id


def test_a_field_json_cannot_hold_is_named():
    with pytest.raises(InvalidItem, match=r"item 'a' cannot be kept as JSON: \$\.cover is of type Opaque; use plain values, dataclasses"):
        ItemType().encode({"id": "a", "cover": Opaque()})
    with pytest.raises(InvalidItem, match=r"item 'a' cannot be kept as JSON: \$\.path is of type Opaque"):
        ItemType(Paper).encode(Paper("a", Opaque()))  # type: ignore[arg-type]
    with pytest.raises(InvalidItem, match=r"item 'a' cannot be kept as JSON: \$\.pages is nan; use None where there is no number"):
        ItemType().encode({"id": "a", "pages": float("nan")})
    with pytest.raises(InvalidItem, match=r"cannot be kept as JSON: \$\.pages is of type Opaque"):
        ItemType().encode(PaperStruct("a", Opaque()))  # type: ignore[arg-type]


def test_a_stored_item_that_no_longer_fits_says_what_to_do():
    message = "a stored item is no Paper any more: .*; give new fields a default, or submit the item under another id"
    with pytest.raises(InvalidItem, match=message):
        ItemType(Paper).decode(b'{"id":"a","pages":"x"}')
    with pytest.raises(InvalidItem, match=message):
        ItemType(Paper).decode({"pages": 3})


@dataclass
class WithoutId:
    path: str


@dataclass
class WithOpaque:
    id: str
    cover: Opaque


def test_impossible_item_types_are_refused():
    with pytest.raises(
        InvalidDefinition, match=r"item=str: items are of a dataclass, msgspec Struct, TypedDict, attrs or pydantic class, or dict"
    ):
        ItemType(str)
    with pytest.raises(InvalidDefinition, match=r"item=WithoutId: it has no field `id`; every work item needs one, a text"):
        ItemType(WithoutId)
    message = "item=WithOpaque: field `cover` is of type Opaque, which cannot be read back from JSON; use types that JSON can hold"
    with pytest.raises(InvalidDefinition, match=message):
        ItemType(WithOpaque)

    @dataclass
    class Unresolvable:
        id: "NoSuchName"  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(InvalidDefinition, match=r"item=Unresolvable: its field types cannot be resolved; use types that JSON can hold"):
        ItemType(Unresolvable)


# -- outputs -----------------------------------------------------------------------------------------------------------------------


class Colour(enum.Enum):
    RED = "red"


class Text(str):
    pass


class Whole(int):
    pass


class Share(float):
    pass


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, None),
        ({"a": [1, 2.5, True, None]}, {"a": [1, 2.5, True, None]}),
        (b"ab", "YWI="),
        ({3}, [3]),
        (datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC), "2024-01-02T00:00:00Z"),
        (decimal.Decimal("1.50"), "1.50"),
        (Colour.RED, "red"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({1: "a"}, {"1": "a"}),
        (2**80, 2**80),
        (-(2**80), -(2**80)),
        (PaperModel(id="a"), {"id": "a", "pages": 1, "when": None}),
        ([Paper("a")], [{"id": "a", "path": "x", "pages": 1, "tags": []}]),
        (MappingProxyType({"a": 1}), {"a": 1}),
        ([Text("t"), Whole(3), Share(0.5)], ["t", 3, 0.5]),
        ("null", "null"),
    ],
)
def test_outputs_are_kept_as_plain_json(value, stored):
    assert msgspec.json.decode(OutputType().encode(value)) == stored


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), r"the output cannot be kept as JSON: \$ is of type object; use plain values"),
        ({"rows": [1, {"when it": Opaque()}]}, r"\$\.rows\[1\]\['when it'\] is of type Opaque"),
        ({"a": iter([1])}, r"\$\.a is of type list_iterator"),
        ([3j], r"\$\[0\] is of type complex"),
        ({frozenset({Opaque()}): 1}, "a dict at .* has keys of type frozenset; use text keys"),
        ({"a": {(1, 2): 3}}, r"a dict at \$\.a has keys of type tuple; use text keys"),
        ({"a": [float("inf")]}, r"\$\.a\[0\] is inf; use None where there is no number"),
        (float("nan"), r"\$ is nan"),
        ([None, Share("-inf")], r"\$\[1\] is -inf"),
        ({1: "a", "1": "b"}, r"1 and '1' at \$ are both the key '1' there, so one of their values would be lost; use text keys"),
        ([{"rows": {2: 1, "2": 2}}], r"2 and '2' at \$\[0\]\.rows are both the key"),
        (Paper("a", tags={2.5: 1, "2.5": 2}), r"at \$\.tags are both the key '2\.5'"),  # type: ignore[arg-type]
        ("\ud800", r"the text at \$ holds half of a surrogate pair; decode it with errors='replace'"),
        ({"n": 10**5000}, r"the whole number at \$\.n has too many digits"),
        (endless(), "it is nested too deeply, or contains itself"),
        ({"a": {Opaque()}}, r"\$\.a\[\.\.\.\] is of type Opaque"),
        (PaperStruct("a", Opaque()), r"\$\.pages is of type Opaque"),  # type: ignore[arg-type]
        (PaperAttrs("a", Opaque()), r"\$\.pages is of type Opaque"),  # type: ignore[arg-type]
        (Paper("a", tags=[Opaque()]), r"\$\.tags\[0\] is of type Opaque"),  # type: ignore[list-item]
    ],
)
def test_what_json_cannot_hold_is_refused_with_type_and_place(value, message):
    with pytest.raises(NotEncodable, match=message) as caught:
        OutputType(stage="probe").encode(value)

    assert caught.value.stage == "probe"
    assert isinstance(caught.value, (StageExecutionError, TypeError))


@pytest.mark.parametrize("value", [{1: "a", 2: "b"}, {"1": {1: 1}}, {1.5: 1, "1": 1}, [1.0, 1e22, {"a": 10**30}]])
def test_keys_that_are_no_text_are_kept_as_text_when_they_stay_apart(value):
    assert OutputType().encode(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
)


@given(json_values)
def test_plain_json_survives_unchanged(value):
    assert msgspec.json.decode(OutputType().encode(value)) == value


@pytest.mark.parametrize(
    ("annotation", "value", "stored"),
    [
        (dict, {"a": 1}, b'{"a":1}'),
        (list[Paper], [Paper("a")], b'[{"id":"a","path":"x","pages":1,"tags":[]}]'),
        (dict[int, str], {1: "a"}, b'{"1":"a"}'),
        (float, 3, b"3"),
        (set[int], {1}, b"[1]"),
        (tuple[int, str], (1, "a"), b'[1,"a"]'),
        (bytes, b"x", b'"eA=="'),
        (PaperModel, PaperModel(id="a"), b'{"id":"a","pages":1,"when":null}'),
        (Colour, Colour.RED, b'"red"'),
        (type(None), None, b"null"),
        (Path, Path("x"), b'"x"'),
        (Opaque, {"anything": 1}, b'{"anything":1}'),
        (Any, [1], b"[1]"),
        (None, "x", b'"x"'),
    ],
)
def test_an_output_that_fits_its_annotation_is_stored_as_json(annotation, value, stored):
    assert OutputType(annotation).encode(value) == stored


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (dict, [1], "the output is no dict: Expected `object`, got `array`"),
        (list[Paper], [{"id": "a", "pages": "x"}], r"the output is no list\[Paper\]: Expected `int`, got `str` - at `\$\[0\]\.pages`"),
        (int, 3.5, "the output is no int: Expected `int`, got `float`"),
        (dict, None, "the output is no dict: Expected `object`, got `null`"),
        (PaperModel, {"id": "a", "pages": "x"}, "the output is no PaperModel: pages: Input should be a valid integer"),
    ],
)
def test_an_output_that_does_not_fit_names_type_and_place(annotation, value, message):
    with pytest.raises(StageExecutionError, match=message) as caught:
        OutputType(annotation, "probe").encode(value)
    assert caught.value.stage == "probe"


def test_an_edit_that_does_not_fit_is_refused_and_the_review_stays_open():
    message = (
        r"the edited output of stage 'probe' is no list\[int\]: Expected `int`, got `str` - at `\$\[1\]`; correct it, the review stays open"
    )
    with pytest.raises(InvalidDecision, match=message):
        OutputType(list[int], "probe").validate([1, "x"])
    with pytest.raises(InvalidDecision, match=r"the edited output cannot be kept as JSON: \$ is of type Opaque"):
        OutputType().validate(Opaque())

    assert OutputType(list[int]).validate([1, 2]) == b"[1,2]"


def test_type_names_are_short():
    assert type_text(dict[str, Paper]) == "dict[str, Paper]"
    assert type_text(Paper | None) == "Paper | None"
    assert str(OutputType(list[Paper])) == "list[Paper]"
    assert str(OutputType()) == ""


def test_types_msgspec_has_no_model_of_are_not_convertible():
    assert not is_convertible(Opaque)
    assert not is_convertible(dict[str, int] | dict[str, str])
    assert not is_convertible([1, 2])
    assert is_convertible(list[PaperModel])
