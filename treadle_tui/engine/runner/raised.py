"""An exception on its way from a child process to the engine.

The engine must be able to tell a `ConnectionError` from a `ValueError` (`retry_on`), so the same class is raised again wherever it
can be: when this process has it, and it can be made again from what crossed. Otherwise a `StageExecutionError` names it.
Nothing is imported for it: a class that the engine has never seen cannot stand in anybody's budget.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from typing import Any

import msgspec

from treadle_tui.engine.errors import StageExecutionError
from treadle_tui.engine.json_values import to_plain

_TOO_GENERAL = (object, BaseException, Exception, StageExecutionError)
"""Bases that say nothing about what went wrong."""
MAX_TRACE_LENGTH = 20_000
"""Characters of a traceback that cross, its end: the innermost frames stand there."""


class Raised(msgspec.Struct, tag="raised"):
    """What a child process tells about an exception."""

    classes: list[tuple[str, str]]
    """Module and qualified name of its class and of every base, the class itself first."""
    arguments: list[Any] | None
    """What its class was called with, as JSON values; None when JSON cannot hold it."""
    attributes: dict[str, Any]
    """What else it carries, as far as JSON can hold it."""
    text: str
    trace: str
    """The traceback in the child process, as text."""

    @property
    def name(self) -> str:
        """The class's name."""
        return self.classes[0][1].rpartition(".")[2]


class TraceInChild(Exception):
    """The cause of an exception that crossed: says where it was raised there."""

    def __init__(self, trace: str) -> None:
        self.trace = trace
        super().__init__(f"\n{trace}")


def describe(error: BaseException, main_module: str = "") -> Raised:
    """The exception in plain values. `main_module`: the name under which this process has loaded what its parent calls `__main__`."""
    reduced = _reduced(error)
    return Raised(
        classes=[("__main__" if kind.__module__ == main_module else kind.__module__, kind.__qualname__) for kind in type(error).__mro__],
        arguments=_plain_list(reduced[0]),
        attributes={str(name): plain for name, value in reduced[1].items() for plain in _plain(value)},
        text=_text(error),
        trace="".join(traceback.format_exception(error))[-MAX_TRACE_LENGTH:].encode("utf-8", "replace").decode(),
    )


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # a user's `__str__` may raise anything
        return ""
    return text.encode("utf-8", "replace").decode()


def _reduced(error: BaseException) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What its class is called with to make it again, and what is then set on it: what pickle would be told."""
    try:
        reduced = error.__reduce__()
    except Exception:  # a user's own `__reduce__`
        reduced = ""
    if isinstance(reduced, tuple) and reduced[0] is type(error):
        state = reduced[2] if len(reduced) > 2 else None
        return tuple(reduced[1]), dict(state) if isinstance(state, dict) else {}
    return error.args, dict(getattr(error, "__dict__", {}))


def _plain_list(values: tuple[Any, ...]) -> list[Any] | None:
    found = [plain for value in values for plain in _plain(value)]
    return found if len(found) == len(values) else None


def _plain(value: Any) -> Iterator[Any]:
    """The value as a plain JSON value; nothing when it has none."""
    try:
        plain = to_plain(value)
        msgspec.json.encode(plain)
    except Exception:  # whatever a user's class raises while it is looked at
        return
    yield plain


def rebuild(raised: Raised, stage: str) -> Exception:
    """The exception to raise in this process, caused by the traceback of the other."""
    error = _same(raised) or _stand_in(raised, stage)
    error.__cause__ = TraceInChild(raised.trace)
    return error


def _same(raised: Raised) -> Exception | None:
    """An exception of the very class, that says the same; None when it cannot be had."""
    kind = _class_named(*raised.classes[0])
    if kind is None:
        return None
    candidates = [] if raised.arguments is None else [tuple(raised.arguments)]
    for arguments in (*candidates, (raised.text,)):
        for error in _made(kind, arguments):
            if _text(error) == raised.text:
                error.__dict__.update(raised.attributes)
                return error
    return None


def _made(kind: type[Exception], arguments: tuple[Any, ...]) -> Iterator[Exception]:
    """By calling the class; then past its `__init__`, which may want other arguments than it keeps."""
    try:
        yield kind(*arguments)
    except Exception:  # an `__init__` with a signature of its own
        pass
    try:
        error = kind.__new__(kind, *arguments)
        error.args = arguments
    except Exception:  # a `__new__` with a signature of its own
        return
    yield error


def _class_named(module: str, name: str) -> type[Exception] | None:
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) and issubclass(found, Exception) else None


def _stand_in(raised: Raised, stage: str) -> Exception:
    """A `StageExecutionError` that names the class, and is also of the nearest base that this process knows."""
    message = f"{raised.name}: {raised.text}" if raised.text else raised.name
    for module, name in raised.classes[1:]:
        base = _class_named(module, name)
        if base is None or base in _TOO_GENERAL:
            continue
        try:
            kind = type(raised.name, (StageExecutionError, base), {"__module__": raised.classes[0][0]})
            error: Exception = kind(stage, message)
        except Exception:  # two bases that cannot stand side by side, or one whose constructor wants more
            continue
        if _text(error) == message:
            return error
    return StageExecutionError(stage, message)
