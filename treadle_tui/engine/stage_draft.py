"""A stage as it was written down, not yet checked: what the decorators collect until the workflow is built."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, overload

import msgspec

from treadle_tui.engine.annotations import names_around
from treadle_tui.engine.errors import InvalidDefinition
from treadle_tui.engine.record import Record

if TYPE_CHECKING:
    from treadle_tui.engine.quality import Gate
    from treadle_tui.engine.retry import RetryBudget
    from treadle_tui.engine.review import ReviewPolicy
    from treadle_tui.engine.workflow import Workflow

F = TypeVar("F", bound=Callable[..., Any])


class StageOptions(TypedDict, total=False):
    """What may be said of a stage besides its name and order, as keyword or as attribute of its class. None means not given."""

    retry: RetryBudget | None
    review: ReviewPolicy | None
    gates: Gate | Callable[..., Any] | Sequence[Gate | Callable[..., Any]] | None
    concurrency: int | None
    """At most so many at once, subtasks counted."""
    skip_if: Callable[..., Any] | None
    """Of `item` and upstream outputs: true means there is nothing to do."""
    tags: str | Sequence[str] | None
    isolation: Literal["process"] | None
    was: str | Sequence[str] | None
    """Former names."""
    secrets: str | Sequence[str] | None
    """Field names shown as `•••`."""


OPTIONS = tuple(StageOptions.__annotations__)
"""The names of the options."""


class EachDraft(msgspec.Struct):
    """The function of the subtasks, as it was written down."""

    function: Any
    retry: Any = None
    review: Any = None


class StageDraft(msgspec.Struct):
    """Everything said about one stage so far."""

    name: str
    stage_object: Any
    """A function, a `Stage`, or any object with `execute`."""
    after: Any = ()
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    """By the names in `OPTIONS`; None means not given."""
    added_gates: list[Any] = msgspec.field(default_factory=list)
    """By `@stage.gate` and `.quality_gate(…)`, on top of the option."""
    each: EachDraft | None = None
    reduce: Any = None
    namespace: dict[str, Any] = msgspec.field(default_factory=dict)
    """Names around the functions, when they were written inside another function; their annotations may need them."""


class IncludeDraft(Record, frozen=True):
    """Another workflow, to become stages of this one."""

    name: str
    workflow: Workflow
    after: Any = ()


class StageHandle:
    """What `@workflow.stage` returns: the function itself to whoever calls it, and the place to add gates and subtasks."""

    __name__: str

    def __init__(self, workflow: Workflow, draft: StageDraft) -> None:
        self.__name__ = draft.name
        if callable(draft.stage_object):
            functools.update_wrapper(self, draft.stage_object)
        self._workflow = workflow
        self.draft = draft
        """What has been said of the stage so far."""
        self.name = draft.name
        """The stage's name."""
        self.stage_object = draft.stage_object
        """What was given: the function, or the `Stage`."""

    def __repr__(self) -> str:
        return f"<stage {self.name!r} of workflow {self._workflow.name!r}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns; of a class stage, what its `execute` returns."""
        call = self.stage_object if callable(self.stage_object) else self.stage_object.execute
        return call(*args, **kwargs)

    def gate(self, function: F) -> F:
        """Let this function, or `Gate`, judge the stage's output, besides the gates there are; returns it unchanged."""
        self._change(function)
        self.draft.added_gates.append(function)
        return function

    @overload
    def each(self, function: F, /) -> F: ...

    @overload
    def each(self, /, *, retry: RetryBudget | None = None, review: ReviewPolicy | None = None) -> Callable[[F], F]: ...

    def each(self, function: Any = None, /, *, retry: RetryBudget | None = None, review: ReviewPolicy | None = None) -> Any:
        """Let this function run every subtask of the stage's fan-out, under a budget of its own; returns it unchanged."""
        if function is None:
            return functools.partial(self._set_each, retry=retry, review=review)
        return self._set_each(function, retry=retry, review=review)

    def _set_each(self, function: F, *, retry: RetryBudget | None, review: ReviewPolicy | None) -> F:
        if self.draft.each is not None:
            raise InvalidDefinition(f"stage {self.name!r} already has an `each`; a stage has one function for its subtasks")
        self._change(function)
        self.draft.each = EachDraft(function, retry, review)
        return function

    def reduce(self, function: F) -> F:
        """Let this function make the stage's output of {subtask: result}; returns it unchanged."""
        if self.draft.reduce is not None:
            raise InvalidDefinition(f"stage {self.name!r} already has a `reduce`; a stage has one function that joins its results")
        self._change(function)
        self.draft.reduce = function
        return function

    def _change(self, function: Any) -> None:
        self._workflow.begin_change(f"stage {self.name!r}")
        self.draft.namespace.update(local_names_of(function))


def local_names_of(function: Any) -> Mapping[str, Any]:
    """The names the function's annotations need from the functions around it: the nearest frames outside the engine."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("treadle_tui.engine."):
        frame = frame.f_back
    return names_around(function, frame)
