"""Which output of a task stands, as JSON."""

from __future__ import annotations

from treadle_tui.engine.codec import encode_json
from treadle_tui.engine.store.rows import Task
from treadle_tui.engine.store.unit import Unit


def standing_output(unit: Unit, task: Task) -> bytes | None:
    """What dependents receive: the attempt's output, or the edit of it; None when there is none."""
    if task.out == 0:
        return None
    if task.out < 0:
        return encode_json(task.detail["decision"]["output"])
    attempt = unit.attempt(task.item, task.stage, task.sub, task.out)
    return None if attempt is None else attempt.output
