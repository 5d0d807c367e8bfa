"""How items enter by themselves: the source function, called with the words that follow `add` on a command line."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any

from treadle_tui.engine.annotations import resolve_hints
from treadle_tui.engine.errors import InvalidDefinition, InvalidItem
from treadle_tui.engine.functions import function_name
from treadle_tui.engine.json_values import convert_text, is_convertible, type_text


class ItemSource:
    """A function that yields work items: a generator, an async generator, or a function that returns an iterable."""

    def __init__(self, function: Callable[..., Any], namespace: Mapping[str, Any] | None = None) -> None:
        """Raises: `InvalidDefinition` for what cannot be called with plain words."""
        given: Any = function
        if isinstance(given, type) or not callable(given):
            raise InvalidDefinition(f"source: {function!r} is no function that yields work items")
        self.function = function
        self.name = function_name(function)
        self._namespace = namespace
        try:
            self._signature = inspect.signature(function)
        except (TypeError, ValueError) as error:
            raise InvalidDefinition(f"source {self.name!r} does not tell its parameters; wrap it in a function of your own") from error
        for parameter in self._signature.parameters.values():
            if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
                raise InvalidDefinition(
                    f"source {self.name!r}: parameter {parameter.name!r} can only be given by name, and what follows `add` has none"
                )

    @property
    def usage(self) -> str:
        """How it is called, as a person reads it: `scan(folder: str)`."""
        signature = self._signature.replace(return_annotation=self._signature.empty)
        return f"{self.name}{signature}".replace("'", "")

    def items(self, arguments: tuple[str, ...]) -> Iterable[Any] | AsyncIterable[Any]:
        """What the source yields for these words, converted to the annotated types of its parameters.

        Raises: `InvalidItem` for a wrong number of words, a word of the wrong type, or a source that yields nothing iterable.
        """
        try:
            bound = self._signature.bind(*arguments)
        except TypeError as error:
            raise InvalidItem(f"the source is {self.usage}, and was given {_counted(arguments)}: {error}") from error
        hints = resolve_hints(self.function, self._namespace)
        for name, value in bound.arguments.items():
            if isinstance(value, tuple):
                bound.arguments[name] = tuple(self._convert(name, word, hints) for word in value)
            else:
                bound.arguments[name] = self._convert(name, value, hints)
        return self._iterable(self.function(*bound.args, **bound.kwargs))

    def _convert(self, name: str, word: str, hints: Mapping[str, Any]) -> Any:
        annotation = hints.get(name)
        if annotation is None or annotation is str or not is_convertible(annotation):
            return word
        try:
            return convert_text(word, annotation)
        except ValueError as error:
            raise InvalidItem(f"the source is {self.usage}; {name}={word!r} is no {type_text(annotation)}: {error}") from error

    def _iterable(self, answer: Any) -> Iterable[Any] | AsyncIterable[Any]:
        if inspect.isawaitable(answer):
            return self._once_awaited(answer)
        if isinstance(answer, (str, bytes, Mapping)) or not isinstance(answer, (Iterable, AsyncIterable)):
            kind = type_text(type(answer))
            raise InvalidItem(f"the source {self.name!r} returned a value of type {kind}; it must yield work items, or return them")
        return answer

    async def _once_awaited(self, answer: Awaitable[Any]) -> AsyncIterator[Any]:
        iterable = self._iterable(await answer)
        if isinstance(iterable, AsyncIterable):
            async for item in iterable:
                yield item
        else:
            for item in iterable:
                yield item


def _counted(arguments: tuple[str, ...]) -> str:
    if not arguments:
        return "no argument"
    words = ", ".join(repr(argument) for argument in arguments)
    return f"1 argument ({words})" if len(arguments) == 1 else f"{len(arguments)} arguments ({words})"
