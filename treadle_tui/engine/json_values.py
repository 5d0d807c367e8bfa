"""The border between Python objects and JSON: what crosses it, what is refused, and how a refusal is worded.

`msgspec` does the work. Added here: types it does not know (paths, pydantic models, subclasses of str and of numbers, any mapping),
numbers JSON cannot hold, and the place inside a value where the trouble is. pydantic is never imported: a class is asked whether it
is a model.
"""

from __future__ import annotations

import pathlib
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from treadle_tui.engine.errors import StageExecutionError

_MODULE_PREFIX = re.compile(r"(?:[\w<>]+\.)+(?=\w)")


class NotEncodable(StageExecutionError, TypeError):
    """A value that JSON cannot hold; the message names its type and its place in the value."""


def encode_json(value: Any, what: str = "the value", stage: str = "") -> bytes:
    """The value as JSON bytes; `what` begins the sentence of a refusal.

    Raises: `NotEncodable` for types without a JSON form, NaN, infinities, lone surrogates, endless nesting, and keys that are one in JSON.
    """
    if value is None:
        return b"null"
    try:
        data = msgspec.json.encode(value, enc_hook=_to_json_type)
    except Exception as error:
        raise NotEncodable(stage, _why_not_encodable(value, what, error)) from error
    if b"{" in data and len(_plain_again(data)) != len(data):  # of two equal keys only one would come back
        _refuse_colliding_keys(value, what, stage)
    if b"null" in data:  # how msgspec writes NaN and the infinities, which would come back as None
        _refuse_hidden_nulls(value, what, stage)
    return data


def to_plain(value: Any) -> Any:
    """The value as plain JSON values. Raises what msgspec raises; use `encode_json` to be told where."""
    return msgspec.to_builtins(value, enc_hook=_to_json_type, str_keys=True)


def convert_plain(value: Any, annotation: Any) -> Any:
    """A plain JSON value as the annotated type. Raises `msgspec.ValidationError` with the place, `$.rows[3].width`."""
    return msgspec.convert(value, type=annotation, dec_hook=_from_json_type, str_keys=True)


def json_decoder(annotation: Any) -> msgspec.json.Decoder[Any]:
    """A decoder of JSON bytes into the annotated type; make it once."""
    return msgspec.json.Decoder(annotation, dec_hook=_from_json_type)


def convert_text(text: str, annotation: Any) -> Any:
    """A word of a command line as the annotated type: "10" as 10 for int. Raises `msgspec.ValidationError`."""
    return msgspec.convert(text, type=annotation, dec_hook=_from_json_type, strict=False)


def type_text(annotation: Any) -> str:
    """An annotation as a person writes it: `Paper`, `list[str]`."""
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        return annotation.__qualname__.rpartition("<locals>.")[2]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return " | ".join("None" if part is types.NoneType else type_text(part) for part in typing.get_args(annotation))
    return _MODULE_PREFIX.sub("", str(annotation))


def is_model(cls: Any) -> bool:
    """Whether it is a pydantic model class."""
    return isinstance(cls, type) and hasattr(cls, "model_validate_json") and hasattr(cls, "model_dump")


def is_convertible(annotation: Any) -> bool:
    """Whether a JSON value can be turned into the annotated type: every class in it is one we know how to build.

    Any, a TypeVar, a Protocol, a plain class or a union msgspec refuses are not.
    """
    try:
        return _is_convertible(annotation)
    except TypeError:  # an annotation that cannot be hashed
        return _has_only_known_types(annotation)


@lru_cache(maxsize=4096)
def _is_convertible(annotation: Any) -> bool:
    return _has_only_known_types(annotation)


def _has_only_known_types(annotation: Any) -> bool:
    import msgspec.inspect

    try:
        root = msgspec.inspect.type_info(annotation)
    except Exception:  # a type msgspec has no model of, or one whose own annotations cannot be resolved
        return False
    if isinstance(root, msgspec.inspect.AnyType):
        return False
    return all(_is_known_class(node.cls) for node in _type_nodes(root) if isinstance(node, msgspec.inspect.CustomType))


def _is_known_class(cls: Any) -> bool:
    return is_model(cls) or (isinstance(cls, type) and issubclass(cls, pathlib.PurePath))


def _type_nodes(root: Any) -> Iterator[Any]:
    """Every node of a msgspec type description, each once."""
    pending, seen = [root], set()
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        for name in getattr(node, "__struct_fields__", ()):
            pending.extend(_inner_nodes(getattr(node, name)))


def _inner_nodes(value: Any) -> Iterable[Any]:
    import msgspec.inspect

    parts = value if isinstance(value, tuple) else (value,)
    for part in parts:
        if isinstance(part, msgspec.inspect.Field):
            yield part.type
        elif isinstance(part, msgspec.inspect.Type):
            yield part


def _to_json_type(value: Any) -> Any:
    """msgspec asks for a type it does not know."""
    if is_model(type(value)):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, pathlib.PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"{type_text(type(value))} has no JSON form")


def _from_json_type(cls: Any, value: Any) -> Any:
    """msgspec meets a class it does not know. A ValueError or TypeError becomes its `ValidationError`, with the place."""
    if isinstance(cls, type) and isinstance(value, cls):
        return value
    if is_model(cls):
        try:
            return cls.model_validate_json(msgspec.json.encode(value))
        except ValueError as error:
            raise ValueError(model_error_text(error)) from error
    if isinstance(cls, type) and issubclass(cls, pathlib.PurePath) and isinstance(value, str):
        return cls(value)
    raise TypeError(f"Expected `{type_text(cls)}`, got `{type_text(type(value))}`")


def model_error_text(error: ValueError) -> str:
    """What pydantic found, on one line: `year: Input should be a valid integer`."""
    errors = getattr(error, "errors", None)
    if not callable(errors):
        return str(error)
    return "; ".join(f"{'.'.join(str(part) for part in found['loc']) or 'value'}: {found['msg']}" for found in errors())


def _why_not_encodable(value: Any, what: str, error: Exception) -> str:
    if isinstance(error, RecursionError):
        return f"{what} cannot be kept as JSON: it is nested too deeply, or contains itself"
    path, culprit = _find_culprit(value)
    kind = type_text(type(culprit))
    if isinstance(culprit, dict):
        keys = {type_text(type(key)) for key in culprit} - {"str"}
        return f"{what} cannot be kept as JSON: a dict at {path} has keys of type {', '.join(sorted(keys)) or 'str'}; use text keys"
    if isinstance(culprit, str):
        return f"{what} cannot be kept as JSON: the text at {path} holds half of a surrogate pair; decode it with errors='replace'"
    if isinstance(culprit, int):
        return f"{what} cannot be kept as JSON: the whole number at {path} has too many digits ({error})"
    return f"{what} cannot be kept as JSON: {path} is of type {kind}; use plain values, dataclasses, or msgspec, attrs or pydantic classes"


def _find_culprit(value: Any) -> tuple[str, Any]:
    """The innermost part msgspec refuses, and its place; the whole value when none is refused alone."""
    path, current = "$", value
    while True:
        for step, part in _parts(current):
            if not _is_encodable(part):
                path, current = f"{path}{step}", part
                break
        else:
            return path, current


def _is_encodable(value: Any) -> bool:
    try:
        msgspec.json.encode(value, enc_hook=_to_json_type)
    except Exception:
        return False
    return True


def _parts(value: Any) -> Iterable[tuple[str, Any]]:
    """The parts of one value with the step that leads to each; nothing for a leaf."""
    if isinstance(value, Mapping):
        return [(f".{key}" if str(key).isidentifier() else f"[{key!r}]", part) for key, part in value.items()]
    if isinstance(value, (list, tuple)):
        return [(f"[{index}]", part) for index, part in enumerate(value)]
    if isinstance(value, (set, frozenset)):
        return [("[...]", part) for part in value]
    names = getattr(value, "__struct_fields__", None)
    if names is None and hasattr(value, "__dataclass_fields__"):
        import dataclasses

        names = [field.name for field in dataclasses.fields(value)]
    if names is None:
        names = [field.name for field in getattr(type(value), "__attrs_attrs__", ())]
    return [(f".{name}", getattr(value, name)) for name in names if hasattr(value, name)]


def _plain_again(data: bytes) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(data))


def _refuse_colliding_keys(value: Any, what: str, stage: str) -> None:
    pending = [("$", value)]
    while pending:
        path, current = pending.pop()
        if isinstance(current, Mapping):
            known: dict[str, Any] = {}
            for key in current:
                (text,) = msgspec.json.decode(msgspec.json.encode({key: None}, enc_hook=_to_json_type))
                if text in known:
                    same = f"{known[text]!r} and {key!r} at {path} are both the key {text!r} there, so one of their values would be lost"
                    raise NotEncodable(stage, f"{what} cannot be kept as JSON: {same}; use text keys")
                known[text] = key
        pending += [(f"{path}{step}", part) for step, part in _parts(current)]


def _refuse_hidden_nulls(value: Any, what: str, stage: str) -> None:
    try:
        import json

        json.dumps(to_plain(value), allow_nan=False)
    except ValueError as error:
        path, number = _find_non_finite(to_plain(value))
        raise NotEncodable(stage, f"{what} cannot be kept as JSON: {path} is {number}; use None where there is no number") from error


def _find_non_finite(plain: Any) -> tuple[str, float]:
    pending = [("$", plain)]
    while pending:
        path, current = pending.pop()
        if isinstance(current, float) and (current != current or current in (float("inf"), float("-inf"))):
            return path, current
        pending += [(f"{path}{step}", part) for step, part in _parts(current)]
    return "$", float("nan")
