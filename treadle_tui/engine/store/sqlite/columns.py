"""What stands in which column: from rows of the file to the rows every store keeps, for who writes and for who reads."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from treadle_tui.engine.codec import decode_json
from treadle_tui.engine.store.rows import Item, Task
from treadle_tui.engine.store.shape import WorkflowShape

T = TypeVar("T")
Question = Generator[tuple[str, Sequence[Any]], list[Any], T]
"""Yields (SQL, parameters), is sent all rows of it, returns the answer. Who asks decides how the rows are fetched."""


class Sql(NamedTuple):
    """A piece of a statement, and what stands for its question marks."""

    text: str
    parameters: tuple[Any, ...] = ()


PLACE = "CASE turn WHEN 0 THEN item ELSE turn END"
"""`Task.place` in SQL; the index of what is ready is by this very expression."""

TASK_COLUMNS = [
    "item",
    "stage",
    "sub",
    "state",
    "ready",
    "attempt",
    "is_open",
    "open_deps",
    "fence",
    "version",
    "out",
    "updated_at",
    "started_at",
    "completed_at",
    "worker",
    "due_at",
    "priority",
    "turn",
    "extra",
    "interruptions",
    "phase",
    "subs",
    "open_subs",
    "failed_subs",
    "name",
]


def task_from_row(row: Sequence[Any]) -> Task:
    """A task of `TASK_COLUMNS` and the detail behind them."""
    task = Task(row[0], row[1], row[2])
    for name, value in zip(TASK_COLUMNS, row, strict=False):
        setattr(task, name, value)
    task.raw_detail = row[-1]
    return task


def item_from_row(row: Sequence[Any]) -> Item:
    """An item of key, id, workflow, data, priority, created_at, flags and open_stages."""
    item = Item(row[0], row[1], row[2], row[3], row[4], row[5])
    item.flags, item.open_stages = row[6], row[7]
    return item


def shape_from_row(id: int, name: str, fingerprint: str, shape: bytes, ids: Mapping[str, int]) -> WorkflowShape:
    """A workflow's shape of its stored columns."""
    return WorkflowShape.assemble(id, name, fingerprint, decode_json(shape), ids)


def unpack(compressed: bytes) -> bytes:
    """A big output as it was."""
    import zlib

    return zlib.decompress(compressed)
