"""What lists of items ask of a SQLite file: pages, whole selections as keys, and the rows of a board."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import json

from treadle_tui.engine.states import StageState
from treadle_tui.engine.status import ItemRow
from treadle_tui.engine.store import views
from treadle_tui.engine.store.rows import STATES, Item
from treadle_tui.engine.store.shape import WorkflowShape
from treadle_tui.engine.store.sqlite.columns import Question, Sql, item_from_row

if TYPE_CHECKING:
    from treadle_tui.engine.selection import Selection

_ITEM = "i.key, i.id, i.workflow, i.priority, i.created_at, i.flags, i.open_stages"
_ROWS = (
    " SELECT c.key, c.id, c.workflow, x'', c.priority, c.created_at, c.flags, c.open_stages,"
    " t.stage, t.sub > 0, t.state, t.attempt, t.version, t.updated_at, t.subs, t.started_at, t.completed_at, count(*)"
    " FROM chosen c LEFT JOIN treadle_tasks t ON t.item = c.key"
    " GROUP BY c.key, t.stage, t.sub > 0, t.state ORDER BY c.key"
)


class ListQuestions:
    """The questions that are answered with many items."""

    @abstractmethod
    def shapes(self) -> Question[Mapping[int, WorkflowShape]]: ...

    def page(
        self,
        *,
        workflow: str | None = None,
        offset: int = 0,
        limit: int = 100,
        stage: str | None = None,
        states: Sequence[StageState] = (),
        after: int | None = None,
        is_descending: bool = False,
    ) -> Question[list[ItemRow]]:
        """Board rows in order of submission, or the other way round; with `after`, counted from behind the item of that key."""
        from treadle_tui.engine.selection import in_states
        from treadle_tui.engine.store.sqlite.selecting import chosen, ordered

        selection = in_states(workflow, stage, states)._replace(is_descending=is_descending)
        shapes = yield from self.shapes()
        source, order = chosen(selection, shapes, 0), ordered(selection, shapes)
        anchor = Sql("") if after is None else Sql(f" AND i.key {'<' if is_descending else '>'} ?", (after,))
        rows = yield from self.item_rows(
            Sql(
                f"{source.text}{anchor.text} {order.text} LIMIT ? OFFSET ?",
                (*source.parameters, *anchor.parameters, *order.parameters, limit, offset),
            )
        )
        return rows[::-1] if is_descending else rows

    def count_items(self, *, workflow: str | None = None, stage: str | None = None, states: Sequence[StageState] = ()) -> Question[int]:
        """How many rows `page` has for the same question."""
        from treadle_tui.engine.selection import in_states

        return (yield from self.count_selected(in_states(workflow, stage, states), 0))

    def count_selected(self, selection: Selection, now: int) -> Question[int]:
        """How many items are selected."""
        from treadle_tui.engine.store.sqlite.selecting import chosen

        source = chosen(selection, (yield from self.shapes()), now)
        rows = yield f"SELECT count(*) {source.text}", source.parameters
        return int(rows[0][0])

    def select(self, selection: Selection, now: int, limit: int | None = None) -> Question[array[int]]:
        """Keys of the items that are selected, in order."""
        from treadle_tui.engine.store.sqlite.selecting import chosen, ordered

        shapes = yield from self.shapes()
        source, order = chosen(selection, shapes, now), ordered(selection, shapes)
        # One text instead of a row per item: a million rows would hold up whoever shares the interpreter with this thread.
        rows = yield (
            f"SELECT json_group_array(key) FROM (SELECT i.key AS key {source.text} {order.text} LIMIT ?)",
            (*source.parameters, *order.parameters, -1 if limit is None else limit),
        )
        return array("q", json.decode(rows[0][0], type=list[int]))

    def ids_of(self, keys: Sequence[int]) -> Question[list[str]]:
        """Ids of the items of these keys, in their order; unknown ones are left out."""
        rows = yield "SELECT i.id FROM json_each(?) k CROSS JOIN treadle_items i ON i.key = k.value ORDER BY k.key", (_listed(keys),)
        return [row[0] for row in rows]

    def ids_between(self, first: int, last: int, workflow: str | None = None) -> Question[list[str]]:
        """Ids of the items of the workflow with keys from `first` to `last`, in order of submission."""
        from treadle_tui.engine.selection import Selection
        from treadle_tui.engine.store.sqlite.selecting import chosen

        source = chosen(Selection(workflow), (yield from self.shapes()), 0)
        rows = yield f"SELECT i.id {source.text} AND i.key BETWEEN ? AND ? ORDER BY i.key", (*source.parameters, first, last)
        return [row[0] for row in rows]

    def rows_of(self, keys: Sequence[int]) -> Question[list[ItemRow]]:
        """The board rows of the items of these keys, in their order; unknown ones are left out."""
        rows = yield from self.item_rows(Sql("FROM json_each(?) k CROSS JOIN treadle_items i ON i.key = k.value", (_listed(keys),)))
        by_key = {row.key: row for row in rows}
        return [by_key[key] for key in keys if key in by_key]

    def place_of(self, key: int, workflow: str | None = None) -> Question[int]:
        """How many items of the workflow were added before the one of that key."""
        numbers = [shape.id for shape in (yield from self.shapes()).values() if shape.name == workflow]
        condition = "1" if workflow is None else "i.workflow = ?"
        parameters = [] if workflow is None else numbers or [-1]
        rows = yield (f"SELECT count(*) FROM treadle_items i WHERE {condition} AND i.key < ?", [*parameters, key])
        return int(rows[0][0])

    def item_rows(self, source: Sql) -> Question[list[ItemRow]]:
        """Rows of "FROM … WHERE …" items `i`, by key."""
        shapes = yield from self.shapes()
        rows = yield (f"WITH chosen AS (SELECT {_ITEM} {source.text})" + _ROWS, source.parameters)
        items: dict[int, Item] = {}
        cells: dict[int, dict[int, Any]] = {}
        subtasks: dict[tuple[int, int], dict[StageState, int]] = {}
        for row in rows:
            key, stage, is_subtask, state = row[0], row[8], row[9], row[10]
            if key not in items:
                items[key] = item_from_row(row[:8])
            if stage is None:
                continue
            if is_subtask:
                subtasks.setdefault((key, stage), {})[STATES[state]] = row[17]
                continue
            cells.setdefault(key, {})[stage] = row[10:17]
        return [
            views.item_row(
                item,
                shapes[item.workflow],
                {
                    stage: views.cell_of(by_state, *columns) if (by_state := subtasks.get((key, stage))) else views.plain_cell(*columns)
                    for stage, columns in cells.get(key, {}).items()
                },
            )
            for key, item in items.items()
        ]


def _listed(keys: Sequence[int]) -> str:
    return json.encode(list(keys)).decode()
