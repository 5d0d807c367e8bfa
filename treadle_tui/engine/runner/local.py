"""Stage code on this machine: async functions on the engine's loop, plain ones in daemon threads, isolated ones in child processes."""

from __future__ import annotations

from typing import Any

from treadle_tui.engine.functions import call_function
from treadle_tui.engine.outcomes import Completed, Skipped, StageOutcome
from treadle_tui.engine.runner.protocol import StageCall
from treadle_tui.engine.stage_definition import FunctionStage, as_outcome
from treadle_tui.engine.store.results import Work


class LocalRunner:
    """Runs everything on this machine."""

    def __init__(self) -> None:
        self._has_started_processes = False

    async def run(self, call: StageCall) -> StageOutcome:
        """What the code answered, as an outcome."""
        definition = call.definition
        if call.work is Work.STAGE:
            if definition.skip_if is not None and await is_skipped(call):
                return Skipped("skip_if")
            if definition.isolation is None and type(definition.stage) is FunctionStage:
                return as_outcome(await definition.stage.execute(call.item, call.ctx))
        if call.definition.isolation == "process" and not (call.work is Work.REDUCE and call.definition.reduce is None):
            from treadle_tui.engine.runner.process import run_in_process

            self._has_started_processes = True
            return await run_in_process(call)
        return await (reduce_results(call) if call.work is Work.REDUCE else run_here(call))

    async def close(self) -> None:
        """Nothing is kept between attempts; processes that were told to stop are waited for."""
        if self._has_started_processes:
            from treadle_tui.engine.runner.process import all_ended

            await all_ended()


async def run_here(call: StageCall) -> StageOutcome:
    """Call the stage with its hooks in this process."""
    each = call.definition.each
    stage = each.stage if call.work is Work.SUBTASK and each is not None else call.definition.stage
    if type(stage) is FunctionStage:
        return as_outcome(await stage.execute(call.item, call.ctx))
    await stage.before_execute(call.item, call.ctx)
    outcome = as_outcome(await stage.execute(call.item, call.ctx))
    await stage.after_execute(call.item, call.ctx, outcome)
    return outcome


async def is_skipped(call: StageCall) -> bool:
    """Whether `skip_if` says so."""
    function = call.definition.skip_if
    if function is None:
        return False
    return bool(await call_function(function.bind(_available(call)), function.is_async, function.name))


async def reduce_results(call: StageCall) -> StageOutcome:
    """The stage's output from its subtasks' outputs."""
    function = call.definition.reduce
    if function is None:
        return Completed(dict(call.results))
    bound = function.bind({**_available(call), "results": dict(call.results)})
    return as_outcome(await call_function(bound, function.is_async, function.name))


def _available(call: StageCall) -> dict[str, Any]:
    return {**call.ctx.upstream, "item": call.item, "ctx": call.ctx}
