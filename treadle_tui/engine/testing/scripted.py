"""A stage that answers what it was told to, and remembers what it was asked."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from treadle_tui.engine.stage import Stage, StageContext


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a `ScriptedStage`."""

    item: Any
    """The work item as the stage received it."""
    ctx: StageContext


class ScriptedStage(Stage):
    """Answers one line of its script per call, in order:

    an exception, or a class of one, is raised; a function is called with `item` and `ctx`, awaited when it is async, and its
    answer taken; anything else is the answer: an outcome, or a plain value.
    """

    def __init__(self, script: Iterable[Any], *, repeat: bool = False) -> None:
        """`repeat`: the last line answers every further call.

        Without it a call too many raises AssertionError, a failed attempt whose error says how many were expected.
        """
        self._script = list(script)
        self._repeat = repeat
        self.calls: list[Call] = []
        """Every call so far, in order."""

    @property
    def contexts(self) -> list[StageContext]:
        """What the calls were told, in order."""
        return [call.ctx for call in self.calls]

    @property
    def items(self) -> list[Any]:
        """The work items of the calls, in order."""
        return [call.item for call in self.calls]

    async def execute(self, item: Any, ctx: StageContext) -> Any:
        """The next line of the script."""
        self.calls.append(Call(item, ctx))
        line = self._next_line(ctx)
        if isinstance(line, BaseException) or (isinstance(line, type) and issubclass(line, BaseException)):
            raise line
        if callable(line) and not isinstance(line, type):
            line = line(item, ctx)
        return await line if inspect.isawaitable(line) else line

    def _next_line(self, ctx: StageContext) -> Any:
        number = len(self.calls)
        if number <= len(self._script):
            return self._script[number - 1]
        if self._repeat and self._script:
            return self._script[-1]
        raise AssertionError(
            f"the script of stage {ctx.stage_name!r} has {len(self._script)} lines, and this is call {number} (item {ctx.item_id!r},"
            f" attempt {ctx.attempt}); add a line, or repeat the last one with repeat=True"
        )
