"""What would move a stage, as the one key that does it: from its explanation, to a binding's id and a few words.

Keys may be remapped, so only ids are named here; whoever knows the live bindings finds the keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from treadle_tui.engine.states import StageState, StageStatus
from treadle_tui.engine.status import Explanation


class Move(NamedTuple):
    """The key that moves a stage."""

    binding: str
    """The id of the binding."""
    words: str
    """What it does."""


def move_of(
    stage: str,
    explanations: Mapping[str, Explanation],
    statuses: Mapping[str, StageStatus],
    dependencies: Mapping[str, Sequence[str]],
) -> Move | None:
    """What moves a stage: what moves the nearest stage it waits for, when it waits for one. None when nothing need be done."""
    explanation = explanations.get(stage)
    if explanation is None or not explanation.action:
        return None
    cause = _cause(stage, explanations, statuses, dependencies)
    on = "" if cause == stage else f" on {cause}"
    match explanation.action.split(" ", 1)[0], statuses[cause].state:
        case "resume", _ if "item" in explanation.action:
            return Move("item.pause", "lets the item go on")
        case "resume", _:
            return Move("app.graph", f"shows the graph: p on {cause} there lets it go on")
        case "accept", _:
            return Move("app.dashboard", "shows the dashboard, with the plan to accept")
        case "open", _:
            return None
        case _, StageState.AWAITING_REVIEW:
            return Move("item.review", f"reviews it{on}")
        case "decide", _:
            return Move("item.review", "on the subtask that waits reviews it")
        case _, StageState.FAILED | StageState.CANCELLED if explanation.action.startswith("retry"):
            return Move("item.retry", f"tries it again{on}")
        case _ if "drop it" in explanation.action:
            return Move("item.drop", f"lets go of it{on}")
    return None


def _cause(
    stage: str,
    explanations: Mapping[str, Explanation],
    statuses: Mapping[str, StageStatus],
    dependencies: Mapping[str, Sequence[str]],
) -> str:
    """The stage whose state keeps this one: itself, unless it is pending and something above it is not done."""
    seen = {stage}
    while statuses[stage].state is StageState.PENDING:
        action = explanations[stage].action
        above = [
            each for each in dependencies.get(stage, ()) if each in statuses and not statuses[each].state.is_satisfied and each not in seen
        ]
        nearest = next((each for each in above if explanations[each].action == action), None)
        if nearest is None:
            return stage
        stage = nearest
        seen.add(stage)
    return stage
