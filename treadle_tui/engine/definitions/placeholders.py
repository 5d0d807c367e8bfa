"""Texts with places to fill in: `{item.path}`, `{probe.width}`, `{subtask}`.

Only what looks like a dotted name in braces is a placeholder, so JSON and format strings of other programs pass unharmed;
`{{name}}` stands for a literal `{name}`. What is filled in never becomes anything but text inside one argument.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from treadle_tui.engine.errors import InvalidDefinition, nearest
from treadle_tui.engine.expressions import look_up
from treadle_tui.engine.json_values import encode_json
from treadle_tui.engine.record import Record
from treadle_tui.engine.stage import StageContext

_PLACEHOLDER = re.compile(r"\{\{([^\W\d][\w.-]*)\}\}|\{([^\W\d][\w-]*(?:\.[\w-]+)*)\}")

ATTEMPT_NAMES = ("item", "subtask", "feedback", "attempt")
"""Names every text of a stage may use, besides the stages."""


class _Reference(Record, frozen=True):
    """One placeholder: where it looks, and how it was written."""

    path: tuple[str | int, ...]
    written: str


class Template:
    """A text, cut at its placeholders."""

    def __init__(self, text: str, names: Collection[str]) -> None:
        """`names` are those a placeholder may begin with. Raises: `InvalidDefinition` for any other."""
        self.text = text
        self._parts: list[str | _Reference] = []
        place = 0
        for found in _PLACEHOLDER.finditer(text):
            self._parts.append(text[place : found.start()])
            self._parts.append(f"{{{found[1]}}}" if found[1] else _reference(found[2], names))
            place = found.end()
        self._parts.append(text[place:])

    @property
    def names(self) -> tuple[str, ...]:
        """What its placeholders begin with: `item`, a stage …"""
        return tuple(dict.fromkeys(str(reference.path[0]) for reference in self._references()))

    @property
    def item_fields(self) -> tuple[str, ...]:
        """The fields of the item it asks for."""
        return tuple(str(reference.path[1]) for reference in self._references() if reference.path[0] == "item" and len(reference.path) > 1)

    def text_for(self, values: Mapping[str, Any], encode: Callable[[str], str] = str) -> str:
        """The text filled in; `encode` is applied to what is filled in, except at the very beginning.

        Raises: `MissingField` naming what is not there.
        """
        texts = []
        for part in self._parts:
            if isinstance(part, str):
                texts.append(part)
            else:
                filled = as_text(_value_of(part, values))
                texts.append(encode(filled) if any(texts) else filled)
        return "".join(texts)

    def value_for(self, values: Mapping[str, Any]) -> Any:
        """The value itself when the text is one placeholder and nothing else, so that a number stays a number; else the text."""
        parts = [part for part in self._parts if part]
        if len(parts) == 1 and isinstance(parts[0], _Reference):
            return _value_of(parts[0], values)
        return self.text_for(values)

    def _references(self) -> list[_Reference]:
        return [part for part in self._parts if isinstance(part, _Reference)]


def _reference(written: str, names: Collection[str]) -> _Reference:
    """The longest known name at the beginning, then keys and indexes."""
    known = max((name for name in names if written == name or written.startswith(f"{name}.")), key=len, default=None)
    if known is None:
        first = written.partition(".")[0]
        literally = f"(for the text itself write {{{{{written}}}}})"
        raise InvalidDefinition(f"{{{written}}}: nothing is called {first!r}; {nearest(first, names)} {literally}")
    steps = written.removeprefix(known).strip(".")
    return _Reference((known, *(int(step) if step.isdecimal() else step for step in steps.split(".") if step)), written)


def _value_of(reference: _Reference, values: Mapping[str, Any]) -> Any:
    if reference.path[0] == "feedback" and values.get("feedback") is None:
        return ""  # the first attempt has none, whatever part of it is asked for
    value = look_up(values, reference.path)
    return value["summary"] if reference.path == ("feedback",) else value


def as_text(value: Any) -> str:
    """A value as an argument: text as it is, null as nothing, true and false as words, lists and tables as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return encode_json(value, "the value").decode()


def attempt_values(item: Any, ctx: StageContext) -> dict[str, Any]:
    """What placeholders find during an attempt: the item, the subtask, feedback, the attempt's number, upstream outputs by stage."""
    feedback = ctx.feedback
    return {
        **ctx.upstream,
        "item": item,
        "subtask": ctx.subtask,
        "attempt": ctx.attempt,
        "feedback": None if feedback is None else {"summary": feedback.summary, "guidance": feedback.guidance, "source": feedback.source},
    }
