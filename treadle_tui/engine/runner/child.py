"""The process of one attempt: finds the stage, runs it, tells what came of it, and ends. Started by `process`.

The engine speaks on what was stdin and stdout. Before any code of a user's runs, both are moved away: stdin becomes empty and stdout
goes where stderr goes, so that a `print` is a line of the attempt's log and never part of the conversation. A plain function runs
on the main thread, an async one on a loop there; a thread listens to the engine, and ends everything when the engine is gone.
"""

from __future__ import annotations

import asyncio
import faulthandler
import functools
import inspect
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from treadle_tui.engine.errors import StageExecutionError
from treadle_tui.engine.functions import is_async_callable
from treadle_tui.engine.outcomes import StageOutcome
from treadle_tui.engine.runner.channel import Channel
from treadle_tui.engine.runner.child_attempt import Attempt
from treadle_tui.engine.runner.crossing import FromChild, Request, context_from_json, done
from treadle_tui.engine.runner.finding import find_workflow, main_module_name
from treadle_tui.engine.runner.raised import describe
from treadle_tui.engine.runner.threads import as_ordinary
from treadle_tui.engine.stage import Stage, StageContext
from treadle_tui.engine.stage_definition import FunctionStage, ObjectStage, StageDefinition, as_outcome
from treadle_tui.engine.store.results import Work


class Terminated(BaseException):
    """SIGTERM arrived: unwinds the main thread, so that `finally` is heeded."""


class Caller:
    """Calls a user's code: plain functions right here on the main thread, async ones on one loop for the whole attempt."""

    def __init__(self, attempt: Attempt, runner: asyncio.Runner) -> None:
        self._attempt = attempt
        self._runner = runner

    def call(self, bound: Callable[[], Any], is_async: bool) -> Any:
        """What a bound call gives."""
        if is_async:
            return self._runner.run(self._attempt.run(bound))
        result = bound()
        return self._runner.run(self._attempt.run(lambda: result)) if inspect.isawaitable(result) else result

    def method(self, owner: Any, name: str, *arguments: Any) -> Any:
        """What a method gives; None when there is none of that name."""
        method = getattr(owner, name, None)
        return None if method is None else self.call(functools.partial(method, *arguments), is_async_callable(method))

    def stage(self, stage: Stage, item: Any, ctx: StageContext) -> StageOutcome:
        """The outcome of a stage, or of one of its subtasks, hooks included."""
        if type(stage) is FunctionStage:
            available = {**ctx.upstream, "item": item, "ctx": ctx, "subtask": ctx.subtask}
            return as_outcome(self.call(stage.function.bind(available), stage.function.is_async))
        owner = stage.wrapped if isinstance(stage, ObjectStage) else stage
        self.method(owner, "before_execute", item, ctx)
        outcome = as_outcome(self.method(owner, "execute", item, ctx))
        self.method(owner, "after_execute", item, ctx, outcome)
        return outcome

    def reduce(self, definition: StageDefinition, item: Any, ctx: StageContext, results: dict[str, Any]) -> StageOutcome:
        """The outcome of joining what subtasks gave."""
        assert definition.reduce is not None
        available = {**ctx.upstream, "item": item, "ctx": ctx, "results": results}
        return as_outcome(self.call(definition.reduce.bind(available), definition.reduce.is_async))


def answer_to(request: Request, attempt: Attempt, caller: Caller) -> FromChild:
    """What to tell the engine in the end."""
    try:
        definition, item = _found(request)
        ctx = context_from_json(request.context, attempt, attempt.sleep)
        if request.work is Work.REDUCE:
            return done(caller.reduce(definition, item, ctx, request.results), ctx)
        each = definition.each
        stage = each.stage if request.work is Work.SUBTASK and each is not None else definition.stage
        return done(caller.stage(stage, item, ctx), ctx)
    except Terminated:
        raise
    except BaseException as error:  # whatever a user's code raises is told
        if attempt.is_cancelled and isinstance(error, asyncio.CancelledError):
            raise Terminated from error
        return describe(as_ordinary(error, request.stage), main_module_name(request.package))


def _found(request: Request) -> tuple[StageDefinition, Any]:
    """The stage and the item. Raises: `StageExecutionError` when the workflow's file cannot be loaded."""
    try:
        workflow = find_workflow(request.module, request.file, request.package, request.workflow)
    except Terminated:
        raise
    except BaseException as error:  # a file may raise anything when it is run, SystemExit too
        words = str(error) if isinstance(error, StageExecutionError) else f"{type(error).__name__}: {error}"
        raise StageExecutionError(
            request.stage, f"the workflow could not be loaded from {request.file or request.module} in a process of its own: {words}"
        ) from error
    return workflow.definition(request.stage), workflow.item_type.decode(bytes(request.item))


def _on_terminate(*_: object) -> None:
    raise Terminated


def main() -> None:
    """Run the one attempt that the engine asks for."""
    channel = Channel.take_over()
    faulthandler.enable()
    messages = channel.messages()
    request = next(messages, None)
    if not isinstance(request, Request):
        return  # the engine was gone before it had asked
    sys.argv[:] = request.arguments
    attempt = Attempt(channel)
    try:
        signal.signal(signal.SIGTERM, _on_terminate)
        threading.Thread(target=attempt.listen, args=(messages,), name="treadle-engine", daemon=True).start()
        with asyncio.Runner() as runner:
            attempt.end(answer_to(request, attempt, Caller(attempt, runner)))
    except Terminated:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
