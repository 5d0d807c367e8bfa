"""A person's decision on its way into the store: seen to be one, to fit the stage's types, and to be writable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from treadle_tui.engine.codec import decision_to_json, decode_json, encode_json
from treadle_tui.engine.errors import InvalidDecision
from treadle_tui.engine.json_values import encode_json as encode_plain
from treadle_tui.engine.review import ApproveWithEdits, ReviewDecision
from treadle_tui.engine.states import StageState
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs import reviewing
from treadle_tui.engine.workflow import Workflow


async def verb_of_decision(
    store: Any, workflows: Mapping[str, Workflow], item_id: str, stage: str, decision: Any, version: int | None, subtask: str | None
) -> Callable[[Unit], StageState]:
    """The change that records the decision. `workflows`, by name, know the types that edits must fit.

    Raises: `InvalidDecision` for what is no decision, does not fit, or cannot be written.
    """
    if not isinstance(decision, ReviewDecision) or not decision.verb:
        raise InvalidDecision(
            f"{decision!r} is no decision; use Approve(), ApproveWithEdits(output), Reject(reason), RequestChanges(feedback)"
            " or PickAttempt(number)"
        )
    if isinstance(decision, ApproveWithEdits):
        item = await store.get_item(item_id)
        if item is not None and item.workflow in workflows:
            _check_edits(workflows[item.workflow], stage, subtask, decision.output)
    try:
        # Read again, so that every store records the same: a number as a key, for example, is a text.
        encoded = decode_json(encode_plain(decision_to_json(decision), "it"))
        plain = msgspec.to_builtins(decision)
        encode_json(msgspec.to_builtins(msgspec.convert(plain, type(decision))))
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise InvalidDecision(f"stage {stage!r} of item {item_id!r}: the decision cannot be written: {error}") from error
    return partial(reviewing.decide, item_id=item_id, stage=stage, decision=encoded, version=version, subtask=subtask)


def _check_edits(workflow: Workflow, stage: str, subtask: str | None, output: Any) -> None:
    if workflow.has_stage(stage):
        definition = workflow.definition(stage)
        (definition.output if subtask is None else definition.subtask_output).validate(output)
