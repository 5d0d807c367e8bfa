"""What enters a stage and what leaves it: work items of a declared type, and outputs.

Both are kept as JSON. An item is checked by content when it is submitted, so that what is stored can always be read back as the
declared type; an output is checked against the annotation of the function that made it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, get_origin, is_typeddict

import msgspec

from treadle_tui.engine.annotations import resolve_class_hints
from treadle_tui.engine.errors import InvalidDecision, InvalidDefinition, InvalidItem, StageExecutionError
from treadle_tui.engine.json_values import (
    NotEncodable,
    convert_plain,
    encode_json,
    is_convertible,
    is_model,
    json_decoder,
    model_error_text,
    to_plain,
    type_text,
)

MAX_ID_LENGTH = 512
"""Characters; longer ids are no longer names, and would be repeated in every message."""


class ItemType:
    """The declared type of a workflow's items; without one, an item is a dict, or any object with an `id` and fields."""

    def __init__(self, annotation: Any = None) -> None:
        """Raises: `InvalidDefinition` for a type items cannot have."""
        self.annotation = None if annotation in (None, dict, Any) else annotation
        if self.annotation is not None:
            _require_item_class(self.annotation)

    def __str__(self) -> str:
        return "dict" if self.annotation is None else type_text(self.annotation)

    def encode(self, item: Any) -> tuple[str, bytes]:
        """The item's id, and its fields as JSON bytes, in the form `decode` understands.

        Raises: `InvalidItem` naming the item, the field, and what is wrong with it.
        """
        if self.annotation is None:
            fields = self._fields(item)
            item_id = _checked_id(fields.get("id"), item)
            return item_id, self._json(fields, item_id)
        typed = self._typed(item)
        item_id = _checked_id(_id_of(typed), item)
        return item_id, self._json(typed, item_id)

    def decode(self, stored: bytes | str | Any) -> Any:
        """The item as a stage receives it: an object of the declared type, or a dict.

        From JSON bytes or text, or from an already parsed JSON object. Raises: `InvalidItem` when it no longer fits the type.
        """
        try:
            if isinstance(stored, (bytes, bytearray, memoryview, str)):
                return self._decoder.decode(stored)
            return stored if self.annotation is None else convert_plain(stored, self.annotation)
        except (msgspec.MsgspecError, ValueError) as error:
            raise InvalidItem(
                f"a stored item is no {self} any more: {error}; give new fields a default, or submit the item under another id"
            ) from error

    @functools.cached_property
    def _decoder(self) -> msgspec.json.Decoder[Any]:
        return json_decoder(Any if self.annotation is None else self.annotation)

    def _typed(self, item: Any) -> Any:
        """The item rebuilt from its content, so that what was assigned without a check is checked now."""
        name = _id_words(item)
        try:
            plain = to_plain(dict(item)) if isinstance(item, Mapping) else to_plain(item)
        except Exception as error:
            raise InvalidItem(f"{name} cannot be kept as JSON: {_reason(item, error)}") from error
        if isinstance(plain, Mapping) and "id" in plain:
            _checked_id(plain["id"], item)
        try:
            return convert_plain(plain, self.annotation)
        except (msgspec.ValidationError, ValueError, TypeError) as error:
            raise InvalidItem(f"{name} is no {self}: {error}{_found_at(plain, str(error))}") from error

    def _fields(self, item: Any) -> dict[str, Any]:
        """The fields of an item without a declared type."""
        if isinstance(item, Mapping):
            return dict(item)
        if isinstance(item, tuple) and hasattr(item, "_asdict"):
            return dict(item._asdict())
        if not hasattr(item, "id") or isinstance(item, type):
            raise InvalidItem(f"{_shortened(item)} cannot be a work item: it has no `id`; give a dict or an object with one")
        if _is_field_class(type(item)):
            return {"id": item.id, **self._plain_object(item)}
        return {"id": item.id, **_public_attributes(item)}

    def _plain_object(self, item: Any) -> dict[str, Any]:
        try:
            return dict(to_plain(item))
        except Exception as error:
            raise InvalidItem(f"{_id_words(item)} cannot be kept as JSON: {_reason(item, error)}") from error

    def _json(self, value: Any, item_id: str) -> bytes:
        try:
            return encode_json(value, f"item {item_id!r}")
        except NotEncodable as error:
            raise InvalidItem(str(error)) from error


def _require_item_class(annotation: Any) -> None:
    text = type_text(annotation)
    if not (_is_field_class(annotation) or get_origin(annotation) is dict):
        raise InvalidDefinition(f"item={text}: items are of a dataclass, msgspec Struct, TypedDict, attrs or pydantic class, or dict")
    if get_origin(annotation) is dict:
        return
    if not is_convertible(annotation):
        raise InvalidDefinition(f"item={text}: {_unknown_field_text(annotation)}; use types that JSON can hold")
    if not hasattr(annotation, "id") and "id" not in _field_names(annotation):
        raise InvalidDefinition(f"item={text}: it has no field `id`; every work item needs one, a text")


def _is_field_class(cls: Any) -> bool:
    if not isinstance(cls, type):
        return False
    return (
        hasattr(cls, "__dataclass_fields__")
        or issubclass(cls, msgspec.Struct)
        or is_typeddict(cls)
        or hasattr(cls, "__attrs_attrs__")
        or is_model(cls)
    )


def _field_names(cls: Any) -> set[str]:
    names: set[str] = set(getattr(cls, "model_fields", ()))
    for base in getattr(cls, "__mro__", ()):
        names.update(getattr(base, "__annotations__", ()))
    return names


def _unknown_field_text(cls: Any) -> str:
    """The first field JSON cannot fill, in words."""
    for name, hint in resolve_class_hints(cls).items():
        if hint is not Any and hint is not object and not is_convertible(hint):
            return f"field `{name}` is of type {type_text(hint)}, which cannot be read back from JSON"
    return "its field types cannot be resolved"


def _public_attributes(item: Any) -> dict[str, Any]:
    """What a plain object holds, in `__dict__` or in slots, names with a leading underscore left out."""
    names = list(getattr(item, "__dict__", ()))
    for base in type(item).__mro__:
        slots = base.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else list(slots)
    return {name: getattr(item, name) for name in names if not name.startswith("_") and hasattr(item, name)}


def _id_of(item: Any) -> Any:
    return item.get("id") if isinstance(item, Mapping) else getattr(item, "id", None)


def _id_words(item: Any) -> str:
    """How a message calls an item whose id may be missing."""
    item_id = _id_of(item)
    return f"item {item_id!r}" if isinstance(item_id, str) and item_id else _shortened(item)


def _shortened(item: Any) -> str:
    try:
        text = repr(item)
    except Exception:  # an object that cannot even be shown is called by its type
        text = f"a {type_text(type(item))}"
    return text if len(text) <= 60 else f"{text[:59]}…"


def _checked_id(item_id: Any, item: Any) -> str:
    if item_id is None:
        raise InvalidItem(f"{_shortened(item)} has no `id`; every work item needs one, a text that is not empty")
    if not isinstance(item_id, str):
        raise InvalidItem(f"field `id` is {item_id!r}, of type {type_text(type(item_id))}; an item's id is a text, str({item_id!r})")
    if not item_id:
        raise InvalidItem(f"field `id` of {_shortened(item)} is empty; an item's id is a text that is not empty")
    if len(item_id) > MAX_ID_LENGTH:
        raise InvalidItem(f"field `id` has {len(item_id)} characters, starting {item_id[:40]!r}; at most {MAX_ID_LENGTH} are allowed")
    if has_control_characters(item_id):
        raise InvalidItem(f"field `id` is {item_id!r}: control characters, line breaks and half surrogates are not allowed in an id")
    return str.__str__(item_id)


def has_control_characters(text: str) -> bool:
    """Whether something in the text is a control character, a line break or half of a surrogate pair."""
    if text.isprintable():
        return False
    import unicodedata

    return any(unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs") for character in text)


def _reason(item: Any, error: Exception) -> str:
    """The part of `encode_json`'s refusal that follows the name of the item."""
    try:
        encode_json(item, "")
    except NotEncodable as refused:
        return str(refused).partition(": ")[2]
    return str(error)


def _found_at(plain: Any, message: str) -> str:
    """The offending value, when msgspec names its place by plain keys: `$.rows[3].width`."""
    place = message.rpartition("- at `$.")[2].rstrip("`")
    if place == message or not place:
        return ""
    current = plain
    for step in place.replace("[", ".").replace("]", "").split("."):
        try:
            current = current[int(step)] if isinstance(current, list) else current[step]
        except (KeyError, ValueError, IndexError, TypeError):
            return ""
    return f" ({_shortened(current)})"


class OutputType:
    """What a stage's output must be, by the return annotation; without one, anything JSON can hold."""

    def __init__(self, annotation: Any = None, stage: str = "") -> None:
        self.annotation = annotation if annotation is not None and is_convertible(annotation) else None
        """None when there is nothing to check: no annotation, or one that says nothing JSON can tell."""
        self._stage = stage

    def __str__(self) -> str:
        return "" if self.annotation is None else type_text(self.annotation)

    def encode(self, value: Any) -> bytes:
        """The output as JSON bytes.

        Raises: `NotEncodable` for what JSON cannot hold, `StageExecutionError` for what does not fit the annotation.
        """
        data = encode_json(value, "the output", self._stage)
        problem = self._problem(data)
        if problem:
            raise StageExecutionError(self._stage, f"the output is no {self}: {problem}")
        return data

    def validate(self, value: Any) -> bytes:
        """The edited output as JSON bytes. Raises: `InvalidDecision` with the place that does not fit."""
        try:
            data = encode_json(value, "the edited output")
        except NotEncodable as error:
            raise InvalidDecision(str(error)) from error
        problem = self._problem(data)
        if problem:
            of = f" of stage {self._stage!r}" if self._stage else ""
            raise InvalidDecision(f"the edited output{of} is no {self}: {problem}; correct it, the review stays open")
        return data

    def _problem(self, data: bytes) -> str:
        if self.annotation is None:
            return ""
        try:
            self._decoder.decode(data)
        except (msgspec.MsgspecError, ValueError, TypeError) as error:
            return model_error_text(error) if isinstance(error, ValueError) else str(error)
        return ""

    @functools.cached_property
    def _decoder(self) -> msgspec.json.Decoder[Any]:
        return json_decoder(self.annotation)
