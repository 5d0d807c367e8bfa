"""A function somebody wrote, seen from the engine: what it wants by name, and how to call it with that.

Parameters are matched by name. Names with a meaning of their own (`item`, `ctx` …) are reserved; every other one is a stage. Knows
nothing of workflows: whoever makes a `UserFunction` says which names are reserved.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from treadle_tui.engine.annotations import plain_function, resolve_hints
from treadle_tui.engine.errors import InvalidDefinition, StageExecutionError
from treadle_tui.engine.json_values import convert_plain, is_convertible, type_text
from treadle_tui.engine.outcomes import FanOut
from treadle_tui.engine.runner.threads import as_ordinary, run_in_daemon_thread

_PLAIN_TYPES = (dict, list, str, int, float)


class UserFunction:
    """A callable with the names it wants."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        allowed: Collection[str] = (),
        name: str | None = None,
        namespace: Mapping[str, Any] | None = None,
    ) -> None:
        """`allowed` are the reserved names it may take; `namespace` helps resolve its annotations.

        Raises: `InvalidDefinition` for what cannot be called by names.
        """
        self.function = function
        self.name = name or function_name(function)
        """How messages call it."""
        _require_callable(function, self.name)
        self.is_async = is_async_callable(function)
        parameters = _parameters(function, self.name)
        self.parameters = tuple(parameters)
        """Every name it wants, in order."""
        self.stage_parameters = tuple(parameter for parameter in parameters if parameter not in allowed)
        """The names that are not reserved, so must be stages."""
        self.optional_parameters = frozenset(name for name, has_default in parameters.items() if has_default)
        """Those with a default of their own, kept when nothing of that name is available."""
        self._namespace = namespace

    def __repr__(self) -> str:
        return f"<UserFunction {self.name}({', '.join(self.parameters)})>"

    def takes(self, name: str) -> bool:
        """Whether it has a parameter of that name."""
        return name in self.parameters

    def bind(self, available: Mapping[str, Any]) -> Callable[[], Any]:
        """The call, with each parameter taken from `available` by name and converted to its annotated type.

        Raises: `StageExecutionError` for a parameter that is missing or does not fit.
        """
        return functools.partial(self.function, **self.arguments(available))

    def arguments(self, available: Mapping[str, Any]) -> dict[str, Any]:
        """What `bind` calls the function with."""
        arguments: dict[str, Any] = {}
        for name in self.parameters:
            if name in available:
                arguments[name] = self._convert(name, available[name])
            elif name not in self.optional_parameters:
                raise StageExecutionError(self.name, f"{self.name!r} wants {name!r}, which is not there; there is: {_listed(available)}")
        return arguments

    @property
    def return_annotation(self) -> Any:
        """The resolved return annotation; None when there is none, `NoneType` for `-> None`."""
        return self._hints.get("return")

    @functools.cached_property
    def _hints(self) -> dict[str, Any]:
        return resolve_hints(self.function, self._namespace)

    @functools.cached_property
    def _conversions(self) -> dict[str, Any]:
        return {name: self._hints[name] for name in self.parameters if name in self._hints and is_convertible(self._hints[name])}

    def _convert(self, name: str, value: Any) -> Any:
        """Only plain JSON values are converted: an object is what it is, and None is how a skipped stage looks."""
        if name not in self._conversions or not isinstance(value, _PLAIN_TYPES):
            return value
        annotation = self._conversions[name]
        try:
            return convert_plain(value, annotation)
        except Exception as error:  # msgspec's own errors, and what the constructor of a user's class raises
            wanted = type_text(annotation)
            raise StageExecutionError(self.name, f"parameter {name!r} of {self.name!r} is no {wanted}: {error}") from error


def function_name(function: Any) -> str:
    """What to call it in messages: its own name, or that of what it wraps."""
    for candidate in (function, plain_function(function) if callable(function) else function):
        name = getattr(candidate, "__name__", None)
        if isinstance(name, str) and name != "__call__":
            return name
    return type(function).__name__


def is_async_callable(function: Any) -> bool:
    """Whether calling it gives a coroutine, by its own word: seen through partials and objects with an async `__call__`.

    A plain wrapper around an async function counts as plain: it may well run a loop of its own.
    """
    return any(inspect.iscoroutinefunction(candidate) for candidate in _callables(function))


def _callables(function: Any) -> tuple[Any, Any]:
    """What is called: the object below partials, and its `__call__`."""
    while isinstance(function, functools.partial):
        function = function.func
    return function, inspect.getattr_static(type(function), "__call__", None)


def _require_callable(function: Any, name: str) -> None:
    if not callable(function):
        raise InvalidDefinition(f"{name!r} is of type {type_text(type(function))}, which cannot be called; give a function")
    if isinstance(function, type):
        raise InvalidDefinition(f"{name!r} is a class; give an object of it, or a function")
    if any(inspect.isgeneratorfunction(candidate) or inspect.isasyncgenfunction(candidate) for candidate in _callables(function)):
        raise InvalidDefinition(f"function {name!r} yields; return one value instead (only a source yields)")


def _parameters(function: Callable[..., Any], name: str) -> dict[str, bool]:
    """Parameter name to whether it has a default, in order."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise InvalidDefinition(f"function {name!r} does not tell its parameters; wrap it in a function of your own") from error
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise InvalidDefinition(
                f"function {name!r}: parameter {str(parameter)!r} has no name to be called by;"
                " parameters are matched by name, so *args, **kwargs and positional-only ones cannot be used"
            )
    return {parameter.name: parameter.default is not parameter.empty for parameter in signature.parameters.values()}


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


async def call_function(bound: Callable[[], Any], is_async: bool, name: str) -> Any:
    """The result of a bound call: awaited on this loop, or run on a daemon thread.

    Raises: what the function raised, as an ordinary exception (`as_ordinary`); CancelledError only when the caller was cancelled.
    """
    try:
        if is_async:
            return await bound()
        result = await run_in_daemon_thread(functools.partial(_answer, bound), name=name)
        return await result if inspect.isawaitable(result) else result
    except (asyncio.CancelledError, SystemExit, KeyboardInterrupt) as error:
        failure = failure_of(error, name)
        if failure is None:
            raise
        raise failure from error


def _answer(bound: Callable[[], Any]) -> Any:
    """What a plain function answered; subtasks that are still to be made are made here, in its own thread, not on the loop."""
    result = bound()
    if isinstance(result, FanOut) and not isinstance(result.subtasks, (list, tuple)):
        return FanOut(list(result.subtasks))
    return result


def failure_of(error: BaseException, name: str) -> BaseException | None:
    """What a function has failed with that was awaited here, as an error a loop can carry; None when its caller was cancelled."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        if task is None or task.cancelling():
            return None
        return as_ordinary(error, name)  # something the function waited for was cancelled, not the function
    return as_ordinary(error, name) if isinstance(error, (SystemExit, KeyboardInterrupt)) else error
