"""The shortest way to a stage's code: an async function on this loop with nothing around it.

Most attempts are of such stages, and what surrounds the call costs more than the call. So what can be known of a stage beforehand is
found out once, and of what an attempt may be told only that is made which the function asks for. Whatever is not as usual goes the
way of every other attempt (`executing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle_tui.engine.attempt import is_straight
from treadle_tui.engine.codec import decode_json
from treadle_tui.engine.items import ItemType
from treadle_tui.engine.stage_definition import EACH_NAMES, STAGE_NAMES, FunctionStage, StageDefinition
from treadle_tui.engine.store.results import Claim, Move, Result, Work

GAVE_NOTHING = Result(move=Move.COMPLETE, output=b"null")
"""Of an attempt that completed and answered None."""


class DirectCall:
    """One stage, or its subtasks, whose function can be called directly."""

    __slots__ = ("_upstream", "definition", "function", "item_type", "may_give_nothing", "name", "takes_context")

    def __init__(
        self, definition: StageDefinition, stage: FunctionStage, work: Work, item_type: ItemType, upstream: Mapping[str, int]
    ) -> None:
        """`upstream`: parameter → the number of the stage whose output it is."""
        self.definition = definition
        self.function = stage.function
        self.name = stage.name
        self.item_type = item_type
        self.takes_context = stage.function.takes("ctx")
        output = definition.subtask_output if work is Work.SUBTASK else definition.output
        self.may_give_nothing = output.annotation is None
        """Whether None is an output like any other."""
        self._upstream = tuple(upstream.items())

    def told(self, claim: Claim) -> dict[str, Any]:
        """The arguments that the claim alone tells: outputs of other stages, the subtask. Raises for an output that cannot be read."""
        given: dict[str, Any] = {} if claim.subtask is None else {"subtask": claim.subtask}
        for parameter, stage in self._upstream:
            output = claim.upstream.get(stage)
            given[parameter] = None if output is None else decode_json(output)
        return given


def direct_call(definition: StageDefinition, work: Work, item_type: ItemType, numbers: Mapping[str, int]) -> DirectCall | None:
    """How to call a stage, or its subtasks, directly; None when something stands around that. `numbers`: of stages, by name."""
    is_subtask = work is Work.SUBTASK
    stage = definition.each.stage if is_subtask and definition.each is not None else definition.stage
    if type(stage) is not FunctionStage or not stage.function.is_async or not is_straight(definition, work):
        return None
    if definition.isolation is not None or (definition.skip_if is not None and not is_subtask):
        return None
    reserved = EACH_NAMES if is_subtask else STAGE_NAMES
    upstream: dict[str, int] = {}
    for parameter in stage.function.parameters:
        if parameter in reserved:
            continue
        target = definition.local_names.get(parameter)
        if not isinstance(target, str) or target not in numbers:
            return None
        upstream[parameter] = numbers[target]
    return DirectCall(definition, stage, work, item_type, upstream)
