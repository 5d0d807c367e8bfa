"""What becomes of times to come when the wall clock was set back: they keep their distance from now."""

from __future__ import annotations

from treadle_tui.engine.store.rows import AWAITING_REVIEW, RETRY_WAIT
from treadle_tui.engine.store.unit import Unit

SET_BACK_MS = 2000
"""A clock this far behind what was already recorded has been set back; less is two processes that looked one after the other."""
_EVER = 2**62


def keep_distances(unit: Unit) -> int:
    """Retries and expiries that were planned in what is now the future are due as long after this moment as they were then. How many."""
    moved = 0
    for task in [*unit.due(RETRY_WAIT, _EVER, _EVER), *unit.due(AWAITING_REVIEW, _EVER, _EVER)]:
        if task.due_at is None or task.updated_at <= unit.now + SET_BACK_MS:
            continue
        unit.edit(task)
        task.due_at = unit.now + max(0, task.due_at - task.updated_at)
        task.updated_at = unit.now
        moved += 1
    return moved
