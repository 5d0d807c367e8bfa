"""The attempt that is kept in its task's row.

Nearly every attempt is a first one that simply completed with a small output, and nearly all it would say of itself its task says
already. Such an attempt has no row of its own in `treadle_attempts`: its task's column `output` holds its output, and is NULL in every
other task. As soon as anything else is to be said of the task or the attempt, it is given its row (it is *unfolded*).
"""

from __future__ import annotations

from treadle_tui.engine.attempt_record import OUTCOMES

FOLDED_OUTPUT = 256
"""Bytes above which an output is not kept in the task's row: lists read tasks, and want many of them in a page of the file."""

IS_FOLDED = "output IS NOT NULL"
"""Of a task: its row is also that of its attempt 1, which completed."""

_KEPT = "item, stage, sub, number, started_at, completed_at, outcome, output, detail"
_FOLDED = f"item, stage, sub, 1, started_at, completed_at, {OUTCOMES.index('completed')}, output, NULL"
_OF_SUBTASKS = "item = ? AND stage = ? AND sub > 0"
_OF_TASK = "item = ? AND stage = ? AND sub = ?"


def unfold_where(condition: str) -> tuple[str, str]:
    """Two statements that give the folded attempts of those tasks rows of their own."""
    return (
        f"INSERT INTO treadle_attempts ({_KEPT}) SELECT {_FOLDED} FROM treadle_tasks WHERE {condition} AND {IS_FOLDED}",
        f"UPDATE treadle_tasks SET output = NULL WHERE {condition} AND {IS_FOLDED}",
    )


_KEPT_ATTEMPTS = f"SELECT {_KEPT}, 0 FROM treadle_attempts WHERE item = ?1 AND stage = ?2 AND sub = ?3"
_FOLDED_ATTEMPT = f"SELECT {_FOLDED}, 1 FROM treadle_tasks WHERE item = ?1 AND stage = ?2 AND sub = ?3 AND {IS_FOLDED}"
ATTEMPTS = f"{_KEPT_ATTEMPTS} UNION ALL {_FOLDED_ATTEMPT} ORDER BY 4"
"""Of (item, stage, subtask number) every attempt, oldest first, with whether it is folded behind its columns."""
ATTEMPT = f"{_KEPT_ATTEMPTS} AND number = ?4 UNION ALL {_FOLDED_ATTEMPT} AND ?4 = 1"
"""Of (item, stage, subtask number, number) that attempt, as `ATTEMPTS`."""
UNFOLD = unfold_where(_OF_TASK)
UNFOLD_SUBTASKS = unfold_where(_OF_SUBTASKS)
UNFOLD_ITEM = unfold_where("item = ?")
