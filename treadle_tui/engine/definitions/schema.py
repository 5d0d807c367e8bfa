"""The JSON Schema of definition files, made from the same lists of keys and words that the loader checks by.

What it accepts loads, and what loads it accepts, as far as a schema can say: names of stages that do not exist, circles, unknown
placeholders and conditions that do not parse are the loader's alone. To the schema 3.0 is a whole number, and `null` is no missing key.
"""

from __future__ import annotations

import keyword
from typing import Any

from treadle_tui.engine.definitions.items import SOURCE_KINDS, TYPES
from treadle_tui.engine.definitions.stages import KINDS, METHODS, OUTPUTS
from treadle_tui.engine.review import FIELD_KINDS, ON_EXPIRIES, WHENS
from treadle_tui.engine.stage_options import MAX_NAME_LENGTH, RESERVED_NAMES

_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}
_COMMAND = {"type": "array", "minItems": 1, "prefixItems": [_TEXT], "items": {"type": "string"}}
_COUNT = {"type": "integer", "minimum": 1}
_CONDITION = {"type": "string", "pattern": r"^\s*([<>=!]|in\b|not\s+in\b|value\b)"}
_FUNCTION = {"type": "string", "pattern": r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*$"}
_STAGE_NAME = {
    "type": "string",
    "maxLength": MAX_NAME_LENGTH,
    "pattern": r"^[^/\u0000-\u001f\u007f-\u009f\u2028\u2029]*\S[^/\u0000-\u001f\u007f-\u009f\u2028\u2029]*$",
    "not": {"enum": list(RESERVED_NAMES)},
}


def definition_schema() -> dict[str, Any]:
    """The schema, as plain JSON values."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A Treadle workflow",
        "description": "Stages as programs, requests and Python functions; or a list of steps, run as it stands.",
        "type": "object",
        "if": {"required": ["steps"]},
        "then": {"$ref": "#/$defs/step_list"},
        "else": {"$ref": "#/$defs/workflow"},
        "$defs": {
            "workflow": _workflow(),
            "stage": _stage(),
            "http": _http(),
            "comparisons": _comparisons(),
            "retry": _retry(),
            "review": _review(),
            "step_list": _step_list(),
        },
    }


def _object(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


def _exactly_one(keys: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{"required": [key]} for key in keys]


def _workflow() -> dict[str, Any]:
    item = {
        "type": "object",
        "description": "Fields of a work item besides `id`, and their types.",
        "propertyNames": {"pattern": r"^[^\W\d_]\w*$", "not": {"enum": sorted(keyword.kwlist)}},
        "properties": {"id": {"const": "str"}},
        "additionalProperties": {"enum": list(TYPES)},
    }
    source = _object(
        {"glob": _TEXT, "lines": _TEXT, "jsonl": _TEXT, "command": _COMMAND},
        description="Where items come from; {argument} is what follows the workflow on the command line.",
        oneOf=_exactly_one(SOURCE_KINDS),
    )
    limit = _object({"concurrency": _COUNT, "rate": {"type": "number", "exclusiveMinimum": 0}}, minProperties=1)
    return _object(
        {
            "$schema": _TEXT,
            "name": {**_TEXT, "description": "Without it, the name of the file."},
            "item": item,
            "source": source,
            "backfill": {"type": "boolean", "description": "Whether a stage that is added later also runs for items that are complete."},
            "limits": {
                "type": "object",
                "additionalProperties": limit,
                "description": "By tag: at most so many at once; starts per second.",
            },
            "stages": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": _STAGE_NAME,
                "additionalProperties": {"$ref": "#/$defs/stage"},
            },
        },
        required=["stages"],
    )


def _stage() -> dict[str, Any]:
    named_list = {"type": "string", "pattern": r"\{[^\W\d][\w-]*(\.[\w-]+)*\}"}
    for_each = {
        "description": "Subtasks: a list, or the output of a stage that is one.",
        "anyOf": [{"type": "array", "items": {"type": ["string", "integer"]}}, named_list],
    }
    has_form = {"properties": {"review": {"properties": {"fields": {"minItems": 1}}, "required": ["fields"]}}, "required": ["review"]}
    return _object(
        {
            "shell": {**_COMMAND, "description": "A program and its arguments; no shell is started, and what braces name is one argument."},
            "http": {"$ref": "#/$defs/http"},
            "python": {**_FUNCTION, "description": "module:function, of an installed module or of one beside the file."},
            "after": {**_TEXTS, "description": "Stages that come before, besides those that braces name."},
            "for_each": for_each,
            "output": {"enum": list(OUTPUTS), "description": "How what is printed or answered is read."},
            "skip_if": {**_TEXT, "description": "A condition, such as item.pages > 100."},
            "gate": {"anyOf": [{"$ref": "#/$defs/comparisons"}, _TEXT]},
            "retry": {"$ref": "#/$defs/retry"},
            "review": {"$ref": "#/$defs/review"},
            "concurrency": _COUNT,
            "tags": _TEXTS,
            "isolation": {"const": "process"},
            "was": _TEXTS,
            "secrets": _TEXTS,
        },
        oneOf=_exactly_one(KINDS),
        dependentSchemas={
            "output": {"not": {"required": ["python"]}},
            "python": {"anyOf": [{"required": ["for_each"]}, {"not": has_form}]},
        },
    )


def _http() -> dict[str, Any]:
    return _object(
        {
            "method": {"enum": [*METHODS, *(method.lower() for method in METHODS)]},
            "url": {"type": "string", "pattern": r"^(https?://|\{)"},
            "json": {"description": "The body; texts in it may have braces."},
            "headers": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
        },
        required=["url"],
    )


def _comparisons() -> dict[str, Any]:
    """Fields of the output; `command` as a list, and `python` as a function, are gates of their own."""
    value = {
        "anyOf": [
            _CONDITION,
            {"type": ["number", "boolean", "array", "null"]},
            {"type": "object", "additionalProperties": {"$ref": "#/$defs/comparisons/$defs/value"}},
        ]
    }
    return {
        "type": "object",
        "minProperties": 1,
        "description": 'What fields of the output must be, as width = ">= 600"; or command = [...]; or python = "module:function".',
        "properties": {
            "command": {"anyOf": [_COMMAND, {"allOf": [{"not": {"type": "array"}}, {"$ref": "#/$defs/comparisons/$defs/value"}]}]},
            "python": {"anyOf": [_FUNCTION, {"$ref": "#/$defs/comparisons/$defs/value"}]},
        },
        "additionalProperties": {"$ref": "#/$defs/comparisons/$defs/value"},
        "$defs": {"value": value},
    }


def _retry() -> dict[str, Any]:
    seconds = {"type": "number", "minimum": 0}
    return _object(
        {
            "max_attempts": {**_COUNT, "description": "The first one counted."},
            "delay": {**seconds, "description": "Seconds before the second attempt."},
            "backoff": {"type": "number", "minimum": 1, "description": "Factor from one delay to the next."},
            "max_delay": seconds,
            "jitter": {"type": "number", "minimum": 0, "maximum": 1},
            "attempt_timeout": {"type": "number", "exclusiveMinimum": 0},
            "on_exhausted": {"enum": ["fail", "escalate"]},
        }
    )


def _review() -> dict[str, Any]:
    field = _object(
        {
            "name": _TEXT,
            "kind": {"enum": list(FIELD_KINDS)},
            "label": {"type": "string"},
            "choices": {"type": "array", "items": {"type": "string"}},
            "default": {},
            "required": {"type": "boolean"},
        },
        required=["name"],
        allOf=[
            {
                "if": {"properties": {"kind": {"const": "choice"}}, "required": ["kind"]},
                "then": {"required": ["choices"], "properties": {"choices": {"minItems": 1}}},
            }
        ],
    )
    return _object(
        {
            "when": {"enum": list(WHENS)},
            "rate": {"type": "number", "minimum": 0, "maximum": 1},
            "group": _TEXT,
            "reasons": {**_TEXTS, "description": "Offered under the digits when somebody rejects."},
            "expires_after": {"type": "number", "exclusiveMinimum": 0},
            "on_expiry": {"enum": list(ON_EXPIRIES)},
            "fields": {"type": "array", "items": field, "description": "Questions of a small form; with when = 'always'."},
        },
        required=["when"],
        allOf=[
            {"if": {"properties": {"when": {"const": "sample"}}}, "then": {"required": ["rate"]}},
            {"if": {"properties": {"when": {"not": {"const": "always"}}}}, "then": {"properties": {"fields": {"maxItems": 0}}}},
        ],
    )


def _step_list() -> dict[str, Any]:
    config = {
        "type": "object",
        "properties": {
            "action": {**_TEXT, "description": "The name of a function that is handed over; an unknown one does nothing."},
            "duration_seconds": {"type": "number", "minimum": 0},
            "fail_probability": {"type": "number", "minimum": 0, "maximum": 1},
            "max_retries": {"type": "integer", "minimum": 0},
        },
    }
    step = {
        "type": "object",
        "properties": {"id": _STAGE_NAME, "type": _TEXT, "config": config, "depends_on": _TEXTS},
        "required": ["id"],
    }
    return {
        "type": "object",
        "properties": {"name": _TEXT, "steps": {"type": "array", "minItems": 1, "items": step}},
        "required": ["steps"],
    }
