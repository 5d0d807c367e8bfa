"""What a running attempt leaves behind while it runs: progress, log lines, memos. Only the holder of the lease may."""

from __future__ import annotations

from collections.abc import Sequence

from treadle_tui.engine import events as ev
from treadle_tui.engine.store.rows import Item, Task, TaskKey
from treadle_tui.engine.store.unit import Unit

Note = tuple[str, float, str]
""" ("progress", fraction, message) or ("log", 0.0, message)"""


def _held(unit: Unit, worker: int, key: TaskKey, fence: int) -> tuple[Item, Task] | None:
    task = unit.stored_task(*key)
    if task is None or task.worker != worker or task.fence != fence:
        return None
    item = unit.item(task.item)
    return None if item is None else (item, task)


def note(unit: Unit, worker: int, key: TaskKey, fence: int, notes: Sequence[Note]) -> bool:
    """Tell progress and log lines of a running attempt; False when the lease is lost."""
    held = _held(unit, worker, key, fence)
    if held is None:
        return False
    item, task = held
    for kind, fraction, message in notes:
        if kind == "progress":
            unit.emit(ev.StageProgress, task, workflow=item.workflow, fraction=fraction, message=message)
        else:
            unit.emit(ev.StageLogged, task, workflow=item.workflow, message=message)
    return True


def read_memo(unit: Unit, key: TaskKey, name: str) -> bytes | None:
    """A recorded sub-result as JSON; None when there is none."""
    return unit.memo(*key, name)


def write_memo(unit: Unit, worker: int, key: TaskKey, fence: int, name: str, value: bytes) -> bytes:
    """Record a sub-result unless there is one already; the one that stands."""
    found = unit.memo(*key, name)
    if found is not None:
        return found
    if _held(unit, worker, key, fence) is not None:
        unit.insert_memo(*key, name, value)
    return value
