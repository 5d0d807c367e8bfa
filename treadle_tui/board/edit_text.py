"""An output as text a person can edit, and what they made of it: checked where it stands, secrets left out of sight and put back."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from treadle_tui.engine.secrets import MASK


class EditRefused(ValueError):
    """The text is no output; `line` is where, 1 at the top, 0 when it is nowhere in particular."""

    def __init__(self, words: str, line: int = 0) -> None:
        self.line = line
        super().__init__(words)


def is_plain_text(output: Any) -> bool:
    """Whether an output is edited as it stands; anything else is edited as JSON."""
    return isinstance(output, str)


def text_of(output: Any) -> str:
    """The output as text to edit."""
    return output if isinstance(output, str) else json.dumps(output, indent=2, ensure_ascii=False)


def output_of(text: str, before: Any) -> Any:
    """What the text says, of the same kind as the output before: a text stays a text.

    Raises: `EditRefused` with the line for what is no JSON.
    """
    if is_plain_text(before):
        return text
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise EditRefused(f"line {error.lineno}, column {error.colno}: {error.msg.lower()}", error.lineno) from None
    except RecursionError:
        raise EditRefused("this is nested too deeply") from None


def _refuse_constant(name: str) -> Any:
    raise EditRefused(f"{name} is no JSON value; null, or a number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise EditRefused(f"{name!r} stands there twice")
        made[name] = value
    return made


def with_secrets(edited: Any, original: Any, names: Collection[str]) -> Any:
    """The edit with what was hidden put back where it still stands hidden.

    Raises: `EditRefused` for a `•••` where nothing is known to put back.
    """
    if isinstance(edited, Mapping):
        before = original if isinstance(original, Mapping) else {}
        return {name: _restored(name, value, before, names) for name, value in edited.items()}
    if isinstance(edited, list):
        olds = original if isinstance(original, list) else []
        return [with_secrets(value, olds[place] if place < len(olds) else None, names) for place, value in enumerate(edited)]
    return edited


def _restored(name: str, value: Any, before: Mapping[str, Any], names: Collection[str]) -> Any:
    if name in names and value == MASK:
        if name not in before:
            raise EditRefused(f"{name!r} is hidden ({MASK}), and there is nothing hidden there to keep; write its value")
        return before[name]
    return with_secrets(value, before.get(name), names)


def line_of_field(text: str, path: str) -> int:
    """The line on which the last named field of a path such as `$.price` or "authors[0].year" stands; 0 when it is not found."""
    name = path.rstrip("`'\" ").rpartition(".")[2].partition("[")[0]
    wanted = json.dumps(name, ensure_ascii=False) + ":"
    for number, line in enumerate(text.split("\n"), 1):
        if name and line.strip().startswith(wanted):
            return number
    return 0
