"""What a stage of a definition file does: run a program, send a request, declare subtasks, ask a person; placeholders filled in anew."""

from __future__ import annotations

import functools
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from treadle_tui.engine.definitions.commands import run_command
from treadle_tui.engine.definitions.http_calls import HttpCall, answer_value, send
from treadle_tui.engine.definitions.placeholders import Template, as_text, attempt_values
from treadle_tui.engine.errors import StageExecutionError
from treadle_tui.engine.outcomes import FanOut, NeedsReview, Retry
from treadle_tui.engine.review import ReviewData, ReviewField
from treadle_tui.engine.stage import StageContext


class Work(Protocol):
    """One kind of stage."""

    async def run(self, values: Mapping[str, Any], ctx: StageContext) -> Any:
        """The output, from what placeholders find."""
        ...


@dataclass(frozen=True, slots=True)
class CommandWork:
    """A program; what it prints is the output, and an exit other than 0 is a failed attempt."""

    stage: str
    arguments: Sequence[Template]
    output: str
    """How its output is read: text, json or lines."""

    async def run(self, values: Mapping[str, Any], ctx: StageContext) -> Any:
        """What the program printed."""
        result = await run_command([argument.text_for(values) for argument in self.arguments], stage=self.stage)
        if result.failure():
            raise StageExecutionError(self.stage, result.failure())
        if result.left_out and self.output == "json":
            raise StageExecutionError(self.stage, f"command {result.command!r} printed {result.left_out} bytes more than is read as JSON")
        text = result.text.rstrip("\r\n")  # as a shell's $(…) does, so that it can be filled into another argument
        return answer_value(text, self.output, f"command {result.command!r}", self.stage)


@dataclass(frozen=True, slots=True)
class HttpWork:
    """A request; what is answered is the output, and any status but a good one is a failed attempt."""

    stage: str
    method: str
    url: Template
    body: Any = None
    """A JSON value whose texts are templates; None for no body."""
    headers: Mapping[str, Template] = field(default_factory=dict)
    output: str | None = None
    """How the answer is read: text, json or lines; None as the server calls it."""
    timeout: float = 60.0

    async def run(self, values: Mapping[str, Any], ctx: StageContext) -> Any:
        """What the server answered."""
        call = HttpCall(
            method=self.method,
            url=self.url.text_for(values, functools.partial(urllib.parse.quote, safe="")),
            body=_filled(self.body, values),
            headers={name: value.text_for(values) for name, value in self.headers.items()},
            timeout=self.timeout,
            idempotency_key=ctx.idempotency_key,
        )
        answer = await send(call, self.stage)
        if isinstance(answer, Retry):
            return answer
        kind = self.output or ("json" if answer.is_json else "text")
        return answer_value(answer.text, kind, f"{call.method} {call.url}", self.stage)


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, Template):
        return value.value_for(values)
    if isinstance(value, list):
        return [_filled(part, values) for part in value]
    if isinstance(value, dict):
        return {key: _filled(part, values) for key, part in value.items()}
    return value


def asking(function: Callable[..., Any], fields: list[ReviewField]) -> Callable[..., Any]:
    """The same work, with a form for the person who decides."""

    async def run(item: Any, ctx: StageContext) -> Any:
        output = await function(item, ctx)
        return NeedsReview(output, ReviewData(f"{ctx.stage_name} of {ctx.item_id}", fields=fields))

    return run


def asking_at_the_end(stage: str, fields: list[ReviewField]) -> Callable[..., Any]:
    """Of a fan-out: the results of all subtasks, with a form."""

    async def reduce(results: dict[str, Any], ctx: StageContext) -> Any:
        return NeedsReview(results, ReviewData(f"{stage} of {ctx.item_id}", fields=fields))

    return reduce


def declaring(stage: str, names: list[Template] | Template) -> Callable[..., Any]:
    """A stage that only says which subtasks there are."""

    async def declare(item: Any, ctx: StageContext) -> FanOut:
        values = attempt_values(item, ctx)
        if isinstance(names, list):
            return FanOut([name.text_for(values) for name in names])
        found = names.value_for(values)
        if not isinstance(found, list) or not all(isinstance(name, (str, int)) and not isinstance(name, bool) for name in found):
            raise StageExecutionError(stage, f"for_each = {names.text!r} must name a list of texts; it is {as_text(found)[:80]!r}")
        return FanOut([as_text(name) for name in found])

    return declare
