"""Writes the items a board lists into a file, for other programs: one JSON object per line, or a table with a column per stage."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from treadle_tui.board.view import Question
from treadle_tui.cli.export import formula_safe
from treadle_tui.cli.shapes import item_row, moment
from treadle_tui.engine.clock import to_ms
from treadle_tui.engine.status import ItemRow
from treadle_tui.engine.store.protocol import StoreReads

#: Rows read at once; between two readings keys are answered.
AT_ONCE = 500


async def export_listed(
    store: StoreReads, question: Question, stages: Sequence[str], path: Path, now: datetime, tell: Callable[[int], None]
) -> int:
    """Write every item the question lists, in its order; how many there were. `tell`: how many have been written so far.

    Raises:
        OSError: the file cannot be written; nothing is left of it.
    """
    text = _table(stages) if path.suffix == ".csv" else _lines()
    draft = path.with_name(path.name + ".part")
    count = 0
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            file.write(text([]))
            async for rows in _pages(store, question, now):
                file.write(text(rows))
                count += len(rows)
                tell(count)
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    return count


async def _pages(store: StoreReads, question: Question, now: datetime) -> AsyncIterator[list[ItemRow]]:
    if question.is_plain:
        after = None
        while rows := await store.page(workflow=question.workflow, limit=AT_ONCE, after=after):
            yield rows
            after = rows[-1].key
        return
    keys = await store.select(question.selection, to_ms(now))
    for start in range(0, len(keys), AT_ONCE):
        yield await store.rows_of(keys[start : start + AT_ONCE])


def _lines() -> Callable[[Sequence[ItemRow]], str]:
    return lambda rows: "".join(json.dumps(item_row(row), ensure_ascii=False) + "\n" for row in rows)


def _table(stages: Sequence[str]) -> Callable[[Sequence[ItemRow]], str]:
    head = [("item_id", "workflow", "state", "created_at", *stages)]

    def text(rows: Sequence[ItemRow]) -> str:
        found = io.StringIO()
        writer = csv.writer(found)
        while head:
            writer.writerow(map(formula_safe, head.pop()))
        for row in rows:
            states = (row.cells[stage].state.value if stage in row.cells else "" for stage in stages)
            writer.writerow([formula_safe(row.item_id), formula_safe(row.workflow), row.state.value, moment(row.created_at), *states])
        return found.getvalue()

    return text


def file_name(question: Question, form: str, now: datetime) -> str:
    """ "invoices-20260302-110000.jsonl": letters that every file system takes."""
    name = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in question.workflow or "items")[:80]
    return f"{name}-{now:%Y%m%d-%H%M%S}.{form}"
