"""A stage as the engine runs it: built, checked and complete.

`StageDefinition` is the seam between the two halves of the engine. Everything a user may have written (a function, a class, any
object with `execute`) stands behind one shape: `stage.execute(item, ctx)`, always a coroutine, raising only ordinary exceptions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from treadle_tui.engine.annotations import output_annotation, resolve_hints
from treadle_tui.engine.errors import InvalidDefinition, StageExecutionError
from treadle_tui.engine.functions import UserFunction, call_function, is_async_callable
from treadle_tui.engine.items import OutputType
from treadle_tui.engine.json_values import type_text
from treadle_tui.engine.outcomes import Completed, Failed, NeedsReview, Retry, Skipped, StageOutcome
from treadle_tui.engine.quality import Gate
from treadle_tui.engine.record import Record
from treadle_tui.engine.retry import RetryBudget
from treadle_tui.engine.review import ReviewPolicy
from treadle_tui.engine.stage import Stage, StageContext
from treadle_tui.engine.stage_draft import StageHandle

STAGE_NAMES = ("item", "ctx")
"""Parameter names with a meaning in a stage's function."""
EACH_NAMES = ("item", "ctx", "subtask")
"""And in the function of its subtasks."""
REDUCE_NAMES = ("results", "item", "ctx")
"""And in the function that joins their results."""
SKIP_NAMES = ("item", "ctx")
"""And in `skip_if`."""


class FunctionStage(Stage):
    """A function in the shape of a stage: its parameters are the item, the context, the subtask and upstream outputs, by name."""

    def __init__(self, function: UserFunction, name: str = "") -> None:
        self.function = function
        self.name = name or function.name

    async def execute(self, item: Any, ctx: StageContext) -> Any:
        """What the function returns; an async one runs on this loop, a plain one in a thread."""
        bound = self.function.bind({**ctx.upstream, "item": item, "ctx": ctx, "subtask": ctx.subtask})
        return await call_function(bound, self.function.is_async, self.name)


class ObjectStage(Stage):
    """A stage object of the user's, with or without our base class: its methods may be plain, and its hooks may be missing."""

    def __init__(self, wrapped: Any, name: str = "") -> None:
        self.wrapped = wrapped
        """The user's own object."""
        self.name = name or getattr(wrapped, "name", "") or type(wrapped).__name__

    async def execute(self, item: Any, ctx: StageContext) -> Any:
        """What the object's `execute` returns."""
        return await self._call("execute", item, ctx)

    async def before_execute(self, item: Any, ctx: StageContext) -> None:
        """The object's hook, when it has one."""
        await self._call("before_execute", item, ctx)

    async def after_execute(self, item: Any, ctx: StageContext, outcome: StageOutcome) -> None:
        """The object's hook, when it has one."""
        await self._call("after_execute", item, ctx, outcome)

    async def _call(self, method_name: str, *arguments: Any) -> Any:
        method = getattr(self.wrapped, method_name, None)
        if method is None or _is_inherited(method, method_name):
            return None
        return await call_function(lambda: method(*arguments), is_async_callable(method), self.name)


def _is_inherited(method: Any, method_name: str) -> bool:
    """Whether it is the empty one of `Stage`, so that calling it can be spared."""
    return getattr(method, "__func__", None) is getattr(Stage, method_name)


class EachDefinition(Record, frozen=True, kw_only=True):
    """How the subtasks of a fan-out run."""

    stage: Stage
    retry: RetryBudget = msgspec.field(default_factory=RetryBudget)
    """Of each subtask by itself."""
    review: ReviewPolicy = ReviewPolicy.NEVER
    output: OutputType = msgspec.field(default_factory=OutputType)


class StageDefinition(Record, frozen=True, kw_only=True):
    """One stage of a built workflow."""

    name: str
    """Unique in the workflow; `clean/parse` for stage `parse` of the included `clean`."""
    stage: Stage
    """Always safe to await: `execute` and both hooks are coroutines, whatever the user wrote."""
    depends_on: tuple[str, ...] = ()
    """Every direct dependency by its full name: parameters first, then `after`, none twice."""
    retry: RetryBudget = msgspec.field(default_factory=RetryBudget)
    review: ReviewPolicy = ReviewPolicy.NEVER
    gates: tuple[Gate, ...] = ()
    concurrency: int | None = None
    """At most so many at once in one engine, subtasks counted; None for no limit of its own."""
    skip_if: UserFunction | None = None
    """Asked before an attempt, with `item`, `ctx` and upstream outputs by name; true means skipped."""
    tags: tuple[str, ...] = ()
    isolation: Literal["process"] | None = None
    was: tuple[str, ...] = ()
    """Former names, full ones."""
    secrets: tuple[str, ...] = ()
    """Field names shown as `•••`, at any depth of item and output."""
    each: EachDefinition | None = None
    """None: subtasks are run by the stage itself, with `ctx.subtask` set."""
    reduce: UserFunction | None = None
    """Takes `results` ({subtask: result}), `item`, `ctx` and upstream outputs by name; what it returns is the stage's output."""
    output: OutputType = msgspec.field(default_factory=OutputType)
    """What the stage's output must be, that of `reduce` when there is one."""
    subtask_output: OutputType = msgspec.field(default_factory=OutputType)
    """What a subtask's output must be."""
    local_names: Mapping[str, str | tuple[str, ...]] = msgspec.field(default_factory=lambda: MappingProxyType({}))
    """What the stage's code calls its dependencies → full name, or the full names of several leaves of an included workflow."""
    scope: str = ""
    """What full names begin with in the workflow the stage was written in: "" or `clean/`."""

    def upstream_view(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """Outputs by full stage name → what the stage's code sees as upstream: outputs by the names it uses.

        A whole included workflow is seen as its leaf's output, or as {leaf: output} when it has several. A skipped stage is None.
        """
        return {name: self._seen(name, target, outputs) for name, target in self.local_names.items()}

    def _seen(self, name: str, target: str | tuple[str, ...], outputs: Mapping[str, Any]) -> Any:
        if isinstance(target, str):
            return outputs.get(target)
        prefix = f"{self.scope}{name}/"
        return {leaf.removeprefix(prefix): outputs.get(leaf) for leaf in target}

    def shape(self) -> dict[str, Any]:
        """The stage in plain JSON values, without any code: to be stored, shown and compared."""
        return {
            "name": self.name,
            "depends_on": list(self.depends_on),
            "retry": retry_shape(self.retry),
            "review": review_shape(self.review),
            "gates": [gate.name or type(gate).__name__ for gate in self.gates],
            "concurrency": self.concurrency,
            "skip_if": self.skip_if is not None,
            "tags": list(self.tags),
            "isolation": self.isolation,
            "was": list(self.was),
            "secrets": list(self.secrets),
            "each": None if self.each is None else {"retry": retry_shape(self.each.retry), "review": review_shape(self.each.review)},
            "reduce": self.reduce is not None,
            "output": str(self.output),
        }


def retry_shape(retry: RetryBudget) -> dict[str, Any]:
    """A budget in plain JSON values; exception types by name, a predicate only as such."""
    return {
        "max_attempts": retry.max_attempts,
        "delay": retry.delay,
        "backoff": retry.backoff,
        "max_delay": retry.max_delay,
        "jitter": retry.jitter,
        "attempt_timeout": retry.attempt_timeout,
        "retry_on": _retry_on_names(retry.retry_on),
        "on_exhausted": retry.on_exhausted,
    }


def _retry_on_names(retry_on: Any) -> list[str] | str | None:
    if retry_on is None:
        return None
    if isinstance(retry_on, type):
        retry_on = (retry_on,)
    if isinstance(retry_on, tuple):
        return [type_text(kind) for kind in retry_on]
    return "predicate"


def review_shape(review: ReviewPolicy) -> dict[str, Any]:
    """A policy in plain JSON values."""
    return {
        "when": review.when,
        "rate": review.rate,
        "group": review.group,
        "reasons": list(review.reasons),
        "expires_after": review.expires_after,
        "on_expiry": review.on_expiry,
    }


def as_stage(candidate: Any, name: str = "", namespace: Mapping[str, Any] | None = None) -> Stage:
    """A function, a `Stage`, any object with `execute`, or what `@workflow.stage` returned, as a stage the engine can await.

    Raises: `InvalidDefinition` for anything else.
    """
    if isinstance(candidate, (FunctionStage, ObjectStage)):
        return candidate
    if isinstance(candidate, type):
        raise InvalidDefinition(f"stage {name or candidate.__name__!r} is a class; give an object of it: {candidate.__name__}()")
    if isinstance(candidate, StageHandle):
        return as_stage(candidate.stage_object, name, namespace)
    if isinstance(candidate, Stage) or callable(getattr(candidate, "execute", None)):
        if _is_inherited(candidate.execute, "execute"):
            kind = type(candidate).__name__
            raise InvalidDefinition(f"stage {name or kind!r}: class {kind} does not define `execute(self, item, ctx)`")
        return ObjectStage(candidate, name)
    if not callable(candidate):
        raise InvalidDefinition(f"stage {name!r}: {candidate!r} is no stage; give a function, or an object with `execute(item, ctx)`")
    return FunctionStage(UserFunction(candidate, allowed=STAGE_NAMES, name=name or None, namespace=namespace), name)


def return_annotation(stage: Stage, namespace: Mapping[str, Any] | None = None) -> Any:
    """The return annotation of what the user wrote, outcome classes included; None when there is none."""
    if isinstance(stage, FunctionStage):
        return stage.function.return_annotation
    execute: Callable[..., Any] | None = getattr(stage.wrapped if isinstance(stage, ObjectStage) else stage, "execute", None)
    return None if execute is None else resolve_hints(execute, namespace).get("return")


def output_type(annotation: Any, stage: str) -> OutputType:
    """The check of an output by a return annotation, outcome classes taken out of it."""
    return OutputType(output_annotation(annotation), stage)


def as_outcome(value: Any) -> StageOutcome:
    """What a stage answered, as an outcome: a plain value is `Completed(value)`, and `return Skipped` is `Skipped()`.

    Raises: `StageExecutionError` for an outcome class that says nothing without its arguments.
    """
    if isinstance(value, StageOutcome):
        return value
    if not (isinstance(value, type) and issubclass(value, StageOutcome)):
        return Completed(value)
    if value in (Completed, NeedsReview, Skipped):
        return value()
    if value is Failed:
        return Failed("failed without saying why")
    if value is Retry:
        return Retry("asked for another attempt without saying why")
    raise StageExecutionError("", f"the stage answered the class {value.__name__} itself; write {value.__name__}(…)")
