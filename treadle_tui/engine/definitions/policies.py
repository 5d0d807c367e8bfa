"""What a definition file says about a stage beside its work: `retry`, `review` and its form; and the `[limits]` of tags."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from treadle_tui.engine.definitions.section import Section, located
from treadle_tui.engine.errors import InvalidDefinition
from treadle_tui.engine.retry import RetryBudget
from treadle_tui.engine.review import ReviewField, ReviewPolicy
from treadle_tui.engine.workflow import Workflow

_RETRY_KEYS = ("max_attempts", "delay", "backoff", "max_delay", "jitter", "attempt_timeout", "on_exhausted")
_REVIEW_KEYS = ("when", "rate", "group", "reasons", "expires_after", "on_expiry", "fields")
_FIELD_KEYS = ("name", "kind", "label", "choices", "default", "required")
_LIMIT_KEYS = ("concurrency", "rate")


def retry_of(section: Section) -> RetryBudget:
    """The budget of the stage's `retry` table; the default one when there is none."""
    table = section.table("retry")
    if table is None:
        return RetryBudget()
    table.check_keys(_RETRY_KEYS)
    good = {
        key: value
        for key, value in table.values.items()
        if key in _RETRY_KEYS and table.going_on(functools.partial(_tried, table, key, RetryBudget, {key: value}), False)
    }
    return RetryBudget(**good)


def review_of(section: Section) -> tuple[ReviewPolicy | None, list[ReviewField]]:
    """The policy of the stage's `review` table, None for the default one, and the questions of the form."""
    table = section.table("review")
    if table is None:
        return None, []
    table.check_keys(_REVIEW_KEYS)
    before = len(table.text.mistakes)
    when = table.going_on(lambda: _when(table), "always")
    fields = table.going_on(lambda: _review_fields(table), list[ReviewField]())
    if fields and when != "always":
        table.note(table.error("fields", f"a form needs when = 'always', not {when!r}"))
    table.going_on(functools.partial(_tried, table, "when", ReviewPolicy, {"when": when, "rate": 1.0}), False)
    options: dict[str, Any] = {"when": when, "reasons": tuple(table.going_on(lambda: table.strings("reasons"), list[str]()))}
    readers: dict[str, Callable[[str], Any]] = {
        "group": table.string,
        "on_expiry": table.string,
        "rate": lambda key: table.number(key, 0.0, most=1.0),
        "expires_after": lambda key: table.number(key, 0.0),
    }
    for key, read in readers.items():
        value = table.going_on(functools.partial(read, key), None) if table.has(key) else None
        if value is not None and table.going_on(functools.partial(_tried, table, key, ReviewPolicy, {"when": "always", key: value}), False):
            options[key] = value
    if len(table.text.mistakes) > before:
        return None, fields
    try:
        return ReviewPolicy(**options), fields
    except (InvalidDefinition, TypeError) as error:
        raise located(InvalidDefinition(str(error)), section.where("review")) from error


def _when(table: Section) -> str:
    when = table.string("when")
    if when is None:
        raise table.missing(("when",), "is missing; say when a person is asked, such as 'always'", "when")
    return when


def _review_fields(table: Section) -> list[ReviewField]:
    listed = table.values.get("fields", [])
    if not isinstance(listed, list) or not all(isinstance(values, dict) for values in listed):
        raise table.error("fields", "must be a list of tables, each with a `name`")
    fields = []
    for values in listed:
        section = Section(table.text, values, (*table.path, "fields"), f"{table.label}, fields")
        fields.append(table.going_on(functools.partial(_review_field, section), None))
    return [field for field in fields if field is not None]


def _review_field(section: Section) -> ReviewField | None:
    values = section.values
    before = len(section.text.mistakes)
    section.check_keys(_FIELD_KEYS)
    if section.string("name") is None:
        raise section.missing(("name",), "a field without `name`")
    section.going_on(lambda: section.boolean("required"), False)
    if any(not isinstance(values.get(key), str | None) for key in ("kind", "label")):
        raise section.error(None, "`kind` and `label` are texts")
    choices = values.get("choices")
    if choices is not None and not (isinstance(choices, list) and all(isinstance(choice, str) for choice in choices)):
        raise section.error("choices", f"{choices!r} must be a list of texts")
    if len(section.text.mistakes) > before:
        return None
    try:
        return ReviewField(**values)
    except (InvalidDefinition, TypeError) as error:
        raise section.error(None, str(error)) from error


def limits_of(document: Section, workflow: Workflow) -> None:
    """Set the limits of the `[limits]` table: tag → `concurrency`, `rate`."""
    for tag, section in document.tables("limits"):
        table = Section(section.text, section.values, section.path, f"limit {tag!r}")
        table.check_keys(_LIMIT_KEYS)
        if section.values and not set(_LIMIT_KEYS) & set(section.values):
            continue  # only unknown keys, which are noted
        try:
            workflow.limit(tag, table.values.get("concurrency"), table.values.get("rate"))
        except InvalidDefinition as error:
            table.note(table.error(None, str(error)))


def _tried(table: Section, key: str, kind: Callable[..., Any], options: dict[str, Any]) -> bool:
    """Raises where the key stands what the engine has against its value."""
    try:
        kind(**options)
    except (InvalidDefinition, TypeError) as error:
        raise table.error(key, str(error)) from error
    return True
