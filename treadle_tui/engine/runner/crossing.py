"""What crosses between the engine and the child process of one attempt: lines of JSON, one message each.

The engine begins with a `Request`. The child tells `Progress` and `Log`, asks with `MemoAsked` and `SleepAsked`, and ends with
`Done` or with `raised.Raised`. The engine answers with `Compute` and `Answer`, and may say `Cancel` at any time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import msgspec

from treadle_tui.engine.attempt import error_text
from treadle_tui.engine.attempt_record import AttemptRecord
from treadle_tui.engine.codec import (
    decision_from_json,
    decision_to_json,
    feedback_from_json,
    feedback_to_json,
    review_from_json,
    review_to_json,
    verdict_from_json,
    verdict_to_json,
)
from treadle_tui.engine.errors import StageExecutionError
from treadle_tui.engine.items import ItemType
from treadle_tui.engine.json_values import NotEncodable, encode_json
from treadle_tui.engine.outcomes import Completed, Failed, FanOut, NeedsReview, Retry, Skipped, StageOutcome, SubTask
from treadle_tui.engine.runner.raised import Raised
from treadle_tui.engine.stage import StageContext
from treadle_tui.engine.store.results import Work
from treadle_tui.engine.store.statements import from_json, to_json

_FACTS = ("item_id", "stage_name", "workflow", "attempt", "max_attempts", "subtask", "subtask_metadata", "idempotency_key")
"""Of a context, what is a JSON value by itself."""


# --- from the engine ------------------------------------------------------------------------------------------------


class Request(msgspec.Struct, tag="request"):
    """One attempt to run, and where its code is found."""

    module: str
    """Name of the workflow's module; empty for a definition file."""
    file: str
    package: str
    """For a module `__main__`: the package it belongs to, empty for a plain script."""
    workflow: str
    stage: str
    work: Work
    item: msgspec.Raw
    context: dict[str, Any]
    results: dict[str, Any]
    """For `Work.REDUCE`: outputs by subtask name."""
    arguments: list[str]
    """The engine's `sys.argv`: a workflow file may look at it."""


class Compute(msgspec.Struct, tag="compute"):
    """There is no memo of that key yet: compute it."""

    number: int


class Answer(msgspec.Struct, tag="answer"):
    """What was asked for, or why there is none."""

    number: int
    value: msgspec.Raw = msgspec.Raw(b"null")
    error: Raised | None = None


class Cancel(msgspec.Struct, tag="cancel"):
    """The attempt is wanted no longer; SIGTERM follows."""


FromEngine = Request | Compute | Answer | Cancel


# --- from the child -------------------------------------------------------------------------------------------------


class Progress(msgspec.Struct, tag="progress"):
    """How far the attempt is."""

    fraction: float
    message: str


class Log(msgspec.Struct, tag="log"):
    """A line the attempt wrote."""

    message: str


class MemoAsked(msgspec.Struct, tag="memo"):
    """`ctx.memo` was called."""

    number: int
    key: Any


class Computed(msgspec.Struct, tag="computed"):
    """The memo's function has ended. When it raised, the child tells its caller itself."""

    number: int
    value: msgspec.Raw = msgspec.Raw(b"null")
    has_raised: bool = False


class SleepAsked(msgspec.Struct, tag="sleep"):
    """`ctx.sleep` was called: the engine's clock decides when it ends."""

    number: int
    seconds: float


class Done(msgspec.Struct, tag="done"):
    """The code has answered."""

    outcome: dict[str, Any]
    statements: list[Any]


FromChild = Progress | Log | MemoAsked | Computed | SleepAsked | Done | Raised

_encode = msgspec.json.Encoder().encode
decode_from_engine = msgspec.json.Decoder(FromEngine).decode
decode_from_child = msgspec.json.Decoder(FromChild).decode


def encode_message(message: FromEngine | FromChild) -> bytes:
    """The message as one line."""
    return _encode(message) + b"\n"


# --- the work item --------------------------------------------------------------------------------------------------


def item_to_json(item: Any) -> msgspec.Raw:
    """The item as `ItemType.decode` understands it; an object that is no JSON value, by its fields."""
    try:
        return msgspec.Raw(encode_json(item, "the item"))
    except NotEncodable:
        return msgspec.Raw(ItemType().encode(item)[1])


# --- the context ----------------------------------------------------------------------------------------------------


def context_to_json(ctx: StageContext) -> dict[str, Any]:
    """All an attempt is told, in plain JSON values."""
    return {
        **{name: getattr(ctx, name) for name in _FACTS},
        "feedback": None if ctx.feedback is None else feedback_to_json(ctx.feedback),
        "previous_attempts": [_record_to_json(record) for record in ctx.previous_attempts],
        "upstream": ctx.upstream,
        "values": ctx.values,
        "decisions": {stage: decision_to_json(decision) for stage, decision in ctx.decisions.items()},
    }


def context_from_json(value: dict[str, Any], services: Any, sleep: Callable[[float], Any]) -> StageContext:
    """The context again, served by `services`."""
    decisions = {stage: decision_from_json(decision) for stage, decision in value["decisions"].items()}
    return StageContext(
        **{name: value[name] for name in _FACTS},
        feedback=feedback_from_json(value["feedback"]),
        previous_attempts=[_record_from_json(record) for record in value["previous_attempts"]],
        upstream=value["upstream"],
        values=value["values"],
        decisions={stage: decision for stage, decision in decisions.items() if decision is not None},
        services=services,
        sleep=sleep,
    )


def _record_to_json(record: AttemptRecord) -> dict[str, Any]:
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    values["verdict"] = None if record.verdict is None else verdict_to_json(record.verdict)
    values["feedback"] = None if record.feedback is None else feedback_to_json(record.feedback)
    return values


def _record_from_json(value: dict[str, Any]) -> AttemptRecord:
    verdict, feedback = verdict_from_json(value.pop("verdict")), feedback_from_json(value.pop("feedback"))
    return replace(msgspec.convert(value, AttemptRecord), verdict=verdict, feedback=feedback)


# --- the outcome ----------------------------------------------------------------------------------------------------


def done(outcome: StageOutcome, ctx: StageContext) -> Done:
    """The message that ends an attempt. Raises `NotEncodable`, or TypeError, for what JSON cannot hold."""
    return Done(_outcome_to_json(outcome, ctx.stage_name), to_json(ctx.statements))


def _outcome_to_json(outcome: StageOutcome, stage: str) -> dict[str, Any]:
    match outcome:
        case Completed(output, summary):
            return {"kind": "completed", "output": _output(output, stage), "summary": _text(summary)}
        case NeedsReview(output, data, summary):
            review = None if data is None else review_to_json(data)
            return {"kind": "needs_review", "output": _output(output, stage), "data": review, "summary": _text(summary)}
        case Skipped(reason):
            return {"kind": "skipped", "reason": _text(reason)}
        case FanOut(subtasks):
            return {"kind": "fan_out", "subtasks": [_subtask_to_json(each, stage) for each in subtasks]}
        case Retry(reason, after):
            return {"kind": "retry", "reason": _text(reason), "after": after}
        case Failed(error):
            return {"kind": "failed", "error": _text(error)}
        case _:
            raise StageExecutionError(stage, f"answered with {type(outcome).__name__}, which is no outcome this engine knows")


def _output(output: Any, stage: str) -> msgspec.Raw:
    return msgspec.Raw(encode_json(output, "the output", stage))


def _text(value: Any) -> str | None:
    if isinstance(value, BaseException):
        return error_text(value)
    return None if value is None else str(value)


def _subtask_to_json(declared: Any, stage: str) -> dict[str, Any]:
    if not isinstance(declared, SubTask):
        return {"plain": msgspec.Raw(encode_json(declared, "a subtask", stage))}
    metadata = msgspec.Raw(encode_json(declared.metadata, f"the metadata of subtask {declared.name!r}", stage))
    return {"name": msgspec.Raw(encode_json(declared.name, "the name of a subtask", stage)), "metadata": metadata}


def outcome_of(answer: Done, ctx: StageContext) -> StageOutcome:
    """The outcome again; the statements it came with are kept by `ctx`."""
    ctx.statements[:] = from_json(answer.statements)
    value = dict(answer.outcome)
    match value.pop("kind"):
        case "completed":
            return Completed(**value)
        case "needs_review":
            return NeedsReview(value["output"], review_from_json(value["data"]), value["summary"])
        case "skipped":
            return Skipped(**value)
        case "fan_out":
            return FanOut([each["plain"] if "plain" in each else SubTask(**each) for each in value["subtasks"]])
        case "retry":
            return Retry(**value)
        case _:
            return Failed(**value)
