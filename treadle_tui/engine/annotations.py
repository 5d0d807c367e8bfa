"""What a function's annotations say, resolved late and without insisting.

Annotations are read when a value first crosses them, so a workflow file may name types below. One that cannot be resolved
(a name only a type checker sees, a typo) is treated as missing; the others of the same function still count.
"""

from __future__ import annotations

import functools
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from types import FrameType, FunctionType
from typing import Any

from treadle_tui.engine.outcomes import StageOutcome

_WORD = re.compile(r"[^\W\d]\w*")


def plain_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function somebody wrote, below partials, wrappers, bound methods and objects that can be called."""
    current: Any = function
    while True:
        if isinstance(current, functools.partial):
            current = current.func
        elif hasattr(current, "__wrapped__"):
            current = current.__wrapped__
        elif inspect.ismethod(current):
            current = current.__func__
        elif isinstance(current, FunctionType) or not isinstance(type(current).__call__, FunctionType):
            return typing.cast("Callable[..., Any]", current)
        else:
            current = type(current).__call__


def resolve_hints(function: Callable[..., Any], namespace: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Parameter name (and "return") to type, those that can be resolved; `namespace` adds the names around a nested function."""
    written = getattr(plain_function(function), "__annotations__", None)
    if not isinstance(written, dict):
        return {}
    module_names = getattr(plain_function(function), "__globals__", {})
    hints: dict[str, Any] = {}
    for name, annotation in written.items():
        try:
            hints[name] = _resolve(annotation, module_names, dict(namespace or {}))
        except Exception:  # a user's annotation may be anything, and raise anything: it then says nothing
            continue
    return hints


def _resolve(annotation: Any, module_names: dict[str, Any], local_names: dict[str, Any]) -> Any:
    holder = types.SimpleNamespace(__annotations__={"value": annotation})
    return typing.get_type_hints(holder, module_names, local_names, include_extras=True)["value"]


def names_around(function: Any, frame: FrameType | None) -> dict[str, Any]:
    """The local names of a frame that the function's annotations mention.

    A workflow made inside a function, in a file with postponed annotations, names classes nobody can look up later.
    """
    if frame is None or frame.f_locals is frame.f_globals or not callable(function):
        return {}
    written = getattr(plain_function(function), "__annotations__", None) or {}
    words = {word for text in written.values() if isinstance(text, str) for word in _WORD.findall(text)}
    return {word: frame.f_locals[word] for word in words if word in frame.f_locals}


def output_annotation(annotation: Any) -> Any:
    """What a return annotation says about the output: outcome classes are taken out of it; None when nothing is left.

    `dict | Skipped` says dict, `FanOut` says nothing. To tell "nothing" from "the output is None", the latter is `NoneType`.
    """
    if annotation is inspect.Signature.empty or annotation is Any:
        return None
    if _is_outcome(annotation):
        return None
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        parts = [part for part in typing.get_args(annotation) if not _is_outcome(part)]
        return typing.Union[tuple(parts)] if parts else None  # noqa: UP007  (built from a tuple)
    return annotation


def mentions_outcome(annotation: Any) -> bool:
    """Whether an outcome class stands in the annotation, alone or in a union."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return any(_is_outcome(part) for part in typing.get_args(annotation))
    return _is_outcome(annotation)


def _is_outcome(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, StageOutcome)


def resolve_class_hints(cls: type) -> dict[str, Any]:
    """Field name to type, those that can be resolved, base classes first."""
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        module_names = dict(vars(inspect.getmodule(base) or types.SimpleNamespace()))
        for name, annotation in inspect.get_annotations(base).items():
            try:
                hints[name] = _resolve(annotation, module_names, {})
            except Exception:  # as above: it says nothing
                continue
    return hints
