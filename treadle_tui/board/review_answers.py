"""What a person typed into a review's form, as the values its fields ask for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from treadle_tui.board.safe_text import safe_line
from treadle_tui.engine.review import ReviewField

YES_OR_NO = ("yes", "no")
_YES = ("yes", "y", "true", "1", "on")
_NO = ("no", "n", "false", "0", "off")


class AnswerRefused(ValueError):
    """A field's text is no answer to it; `field` is its name."""

    def __init__(self, field: ReviewField, words: str) -> None:
        self.field = field.name
        self.words = words
        super().__init__(f"{label_of(field)}: {words}")


def label_of(field: ReviewField) -> str:
    """What stands beside the field."""
    return safe_line(field.label or field.name)


def hint_of(field: ReviewField) -> str:
    """What may be answered, in a few words."""
    match field.kind:
        case "number":
            hint = "a number"
        case "bool":
            hint = "yes or no"
        case "choice":
            hint = " / ".join(safe_line(choice) for choice in field.choices or ())
        case _:
            hint = ""
    return f"{hint or 'text'} (required)" if field.required else hint


def default_text(field: ReviewField) -> str:
    """What stands in the field before anything is typed."""
    if isinstance(field.default, bool):
        return "yes" if field.default else "no"
    return "" if field.default is None else safe_line(str(field.default))


def answers(fields: Sequence[ReviewField], texts: Mapping[str, str], *, all_required: bool = True) -> dict[str, Any] | None:
    """Values by field name, fields left empty left out; None when every field is empty.

    Raises: `AnswerRefused` for a text that is no answer, and, with `all_required`, for a required field left empty.
    """
    given = ((field.name, _answer(field, texts, all_required=all_required)) for field in fields)
    return {name: value for name, value in given if value is not None} or None


def mistakes(fields: Sequence[ReviewField], texts: Mapping[str, str], *, all_required: bool = True) -> dict[str, str]:
    """What is wrong, by field name; empty when `answers` would take them all."""
    wrong = {}
    for field in fields:
        try:
            _answer(field, texts, all_required=all_required)
        except AnswerRefused as refused:
            wrong[field.name] = refused.words
    return wrong


def _answer(field: ReviewField, texts: Mapping[str, str], *, all_required: bool) -> Any:
    """The value meant; None for a field left empty."""
    written = texts.get(field.name, "")
    text = written.strip()
    if written and field.kind == "choice" and written in (field.choices or ()):
        return written
    if text and text == default_text(field).strip() and isinstance(field.default, str):
        return field.default  # as it was given, whatever of it can be shown
    if text:
        return _value(field, text)
    if field.required and all_required:
        raise AnswerRefused(field, "an answer is required")
    return None


def _value(field: ReviewField, text: str) -> Any:
    match field.kind:
        case "number":
            return _number(field, text)
        case "bool":
            if text.lower() in _YES + _NO:
                return text.lower() in _YES
            raise AnswerRefused(field, f"{text!r} is neither yes nor no")
        case "choice":
            return _choice(field, text)
        case _:
            return text


def _number(field: ReviewField, text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        try:
            number = float(text.replace(",", "."))
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise AnswerRefused(field, f"{text!r} is no number") from None
        return number


def _choice(field: ReviewField, text: str) -> str:
    """The choice meant: named in full, or by a beginning only one of them has."""
    choices = list(field.choices or ())
    meant = [choice for choice in choices if choice.lower() == text.lower()] or [
        choice for choice in choices if choice.lower().startswith(text.lower())
    ]
    if len(meant) != 1:
        raise AnswerRefused(field, f"{text!r} is none of {', '.join(choices)}")
    return meant[0]
