"""What anybody may ask of the log of a `SqliteStateStore` (`log_view.LogReads`)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from treadle_tui.engine.clock import to_ms
from treadle_tui.engine.states import SubTaskStatus
from treadle_tui.engine.status import ItemRow, PendingReview
from treadle_tui.engine.store import views
from treadle_tui.engine.store.baseline import unpacked
from treadle_tui.engine.store.event_codec import KIND_NUMBER, decode_event
from treadle_tui.engine.store.item_fold import ADDED, ENDING, FAN_OUT, WORDS, ItemFold
from treadle_tui.engine.store.log_view import (
    COUNTED_AT_ONCE,
    EVERYTHING,
    SEARCHED_AT_ONCE,
    SLICES,
    EventMatch,
    EventPage,
    Failure,
    LogBounds,
    Throughput,
    glob_of,
)
from treadle_tui.engine.store.rows import AWAITING_REVIEW, FAILED, Item, RawEvent
from treadle_tui.engine.store.shape import WorkflowShape
from treadle_tui.engine.store.sqlite.columns import TASK_COLUMNS, item_from_row, task_from_row
from treadle_tui.engine.store.sqlite.reader import Reader

_EVENT = "e.seq, e.at, e.kind, e.workflow, e.item, e.stage, e.subtask, e.attempt, e.data"
_TASK = ", ".join(f"t.{column}" for column in TASK_COLUMNS) + ", t.detail"
_ITEM = "i.key, i.id, i.workflow, x'', i.priority, i.created_at, i.flags, i.open_stages"
_GOLDEN = 0.618034
"""Samples stand at another place of every slice, so that they do not keep time with work that comes in batches."""
_ENDING = ", ".join(map(str, ENDING))
_WORDS = ", ".join(map(str, WORDS))
_LATEST = (
    f"SELECT {_EVENT} FROM treadle_events e WHERE e.seq IN (SELECT max(seq) FROM treadle_events WHERE item IN ({{items}}) AND seq <= ?"
    f" AND kind IN ({_WORDS}) GROUP BY item, stage, subtask, CASE WHEN stage IS NULL THEN kind ELSE kind = {FAN_OUT} END)"
    " ORDER BY e.item, e.seq"
)

_NEXT_KEY = "(SELECT key FROM treadle_items WHERE key >= (low + high) / 2 ORDER BY key LIMIT 1)"
_WAS_THERE = f"coalesce((SELECT seq FROM treadle_events WHERE item = {_NEXT_KEY} AND kind = {ADDED}), 0) <= ?1"
_LAST_KEY = (
    "WITH RECURSIVE half (low, high) AS ("
    "SELECT coalesce((SELECT min(key) FROM treadle_items), 1), coalesce((SELECT max(key) FROM treadle_items), 0) + 1 UNION ALL"
    f" SELECT CASE WHEN {_WAS_THERE} THEN {_NEXT_KEY} + 1 ELSE low END, CASE WHEN {_WAS_THERE} THEN high ELSE (low + high) / 2 END"
    " FROM half WHERE low < high) SELECT max(low) - 1 FROM half"
)
"""Keys grow as `seq` does, so it is found by halving; an item without its first event is older than what is kept."""


class SqliteLogReads:
    """The reads of `LogReads`, over a `Reader`."""

    _reader: Reader

    @abstractmethod
    async def _shapes(self) -> Mapping[int, WorkflowShape]: ...

    @abstractmethod
    async def _of_workflow(self, workflow: str | None) -> tuple[str, list[Any]]: ...

    @abstractmethod
    def stage_name(self, stage: int) -> str: ...

    @abstractmethod
    async def _item_of(self, item_id: str) -> Item | None: ...

    # --- pages ------------------------------------------------------------------------------------------------------

    async def log_bounds(self) -> LogBounds:
        """The first and the last event that is kept."""
        rows = await self._reader.fetch("SELECT (SELECT min(seq) FROM treadle_events), (SELECT max(seq) FROM treadle_events)")
        return LogBounds(rows[0][0] or 0, rows[0][1] or 0)

    async def events_after(self, seq: int, limit: int, match: EventMatch = EVERYTHING) -> EventPage:
        """The first matching events after `seq`."""
        outermost = (await self.log_bounds()).last
        last = min(outermost, seq + SEARCHED_AT_ONCE) if not match.is_everything else outermost
        rows = await self._matching_rows("e.seq > ? AND e.seq <= ?", [seq, last], "ASC", limit, match)
        is_full = len(rows) == limit
        reached = rows[-1][0] if is_full else max(seq, last)
        return EventPage(await self._decoded(rows), reached, reached >= outermost)

    async def events_before(self, seq: int, limit: int, match: EventMatch = EVERYTHING) -> EventPage:
        """The last matching events before `seq`."""
        bounds = await self.log_bounds()
        outermost, seq = bounds.first, min(seq, bounds.last + 1)
        first = max(outermost, seq - SEARCHED_AT_ONCE) if not match.is_everything else outermost
        rows = await self._matching_rows("e.seq < ? AND e.seq >= ?", [seq, first], "DESC", limit, match)
        is_full = len(rows) == limit
        reached = rows[-1][0] if is_full else min(seq, first)
        return EventPage(await self._decoded(rows[::-1]), reached, reached <= outermost)

    async def _matching_rows(self, span: str, parameters: list[Any], order: str, limit: int, match: EventMatch) -> list[Any]:
        condition, more = await self._condition(match)
        return await self._reader.fetch(
            f"SELECT {_EVENT}, i.id FROM treadle_events e LEFT JOIN treadle_items i ON i.key = e.item"
            f" WHERE {span}{condition} ORDER BY e.seq {order} LIMIT ?",
            [*parameters, *more, limit],
        )

    async def _condition(self, match: EventMatch) -> tuple[str, list[Any]]:
        parts: list[str] = []
        parameters: list[Any] = []
        shapes = await self._shapes()
        if match.kinds:
            parts.append(f"e.kind IN ({', '.join('?' * len(match.kinds))})")
            parameters += [KIND_NUMBER[kind] for kind in match.kinds]
        if match.workflow:
            parts.append("e.workflow = ?")
            parameters.append(next((shape.id for shape in shapes.values() if shape.name == match.workflow), -1))
        if match.item:
            parts.append("lower(i.id) GLOB ?")
            parameters.append(glob_of(match.item))
        for wanted, is_alone in ((match.stage, True), (match.text, False)):
            if not wanted:
                continue
            stages = await self._stages_like(wanted)
            in_stage = f"e.stage IN ({', '.join('?' * len(stages))})"
            parts.append(
                in_stage
                if is_alone
                else f"({in_stage} OR lower(i.id) GLOB ? OR lower(e.subtask) GLOB ? OR lower(CAST(e.data AS TEXT)) GLOB ?)"
            )
            parameters += [*stages, *([] if is_alone else [glob_of(wanted)] * 3)]
        return "".join(f" AND {part}" for part in parts), parameters

    async def _stages_like(self, part: str) -> list[int]:
        rows = await self._reader.fetch("SELECT id, name FROM treadle_stages")
        return [number for number, name in rows if part.lower() in name.lower()]

    async def _decoded(self, rows: Sequence[Any]) -> list[Any]:
        shapes = await self._shapes()
        ids = {row[4]: row[9] or "" for row in rows}
        names = {number: shape.name for number, shape in shapes.items()}
        return [decode_event(RawEvent(*row[:9]), names.__getitem__, ids.__getitem__, self.stage_name) for row in rows]

    # --- moments ----------------------------------------------------------------------------------------------------

    async def event_at(self, moment: datetime) -> int:
        """The `seq` of the last event at that moment or before; 0 for none."""
        bounds = await self.log_bounds()
        return await self._event_at(to_ms(moment), bounds)

    async def _event_at(self, at: int, bounds: LogBounds) -> int:
        """Found by halving: about twenty looks at one row among a million. Events are in the order of time but for clocks set back."""
        low, high = bounds.first, bounds.last + 1
        while bounds.last and low < high:
            middle = (low + high) // 2
            rows = await self._reader.fetch("SELECT seq, at FROM treadle_events WHERE seq >= ? ORDER BY seq LIMIT 1", (middle,))
            if rows and rows[0][1] <= at:
                low = rows[0][0] + 1
            else:
                high = middle
        rows = await self._reader.fetch("SELECT max(seq) FROM treadle_events WHERE seq < ?", (low,))
        return rows[0][0] or 0

    async def throughput(self, since: datetime, seconds: float, spans: int) -> list[Throughput]:
        """What has ended in each of so many spans of so many seconds from `since` on."""
        bounds = await self.log_bounds()
        moments = [since + timedelta(seconds=seconds * number) for number in range(spans + 1)]
        edges: list[int] = []
        for moment in moments:
            at = to_ms(moment) - 1
            is_beyond = bool(edges) and edges[-1] >= bounds.last
            edges.append(edges[-1] if is_beyond else await self._event_at(at, bounds))
        return [await self._ended(moment, first, last) for moment, first, last in zip(moments, edges, edges[1:], strict=False)]

    async def _ended(self, since: datetime, first: int, last: int) -> Throughput:
        """Ended stages among the events after `first`, up to `last`."""
        if last - first <= COUNTED_AT_ONCE:
            return Throughput(since, await self._count_ended(first, last))
        size, step = COUNTED_AT_ONCE // SLICES, (last - first) // SLICES
        found = 0
        for number in range(SLICES):
            start = first + step * number + int((step - size) * (number * _GOLDEN % 1))
            found += await self._count_ended(start, start + size)
        return Throughput(since, found * (last - first) / (size * SLICES), is_sampled=True)

    async def _count_ended(self, first: int, last: int) -> int:
        if first == last:
            return 0
        rows = await self._reader.fetch(
            f"SELECT count(*) FROM treadle_events WHERE seq > ? AND seq <= ? AND kind IN ({_ENDING}) AND subtask IS NULL", (first, last)
        )
        return int(rows[0][0])

    # --- what needs somebody ----------------------------------------------------------------------------------------

    async def failures(self, workflow: str | None = None, limit: int = 5) -> list[Failure]:
        """What stands failed, newest first."""
        shapes = await self._shapes()
        where, parameters = await self._of_workflow(workflow)
        rows = await self._reader.fetch(
            f"SELECT i.id, i.workflow, {_TASK} FROM treadle_tasks t INDEXED BY treadle_failed JOIN treadle_items i ON i.key = t.item"
            f" WHERE t.state = {FAILED} AND {where} ORDER BY t.updated_at DESC LIMIT ?",
            [*parameters, limit],
        )
        found = []
        for row in rows:
            task = task_from_row(row[2:])
            shape = shapes[row[1]]
            found.append(views.failure(row[0], shape, task))
        return found

    async def oldest_reviews(self, workflow: str | None = None, limit: int = 5) -> list[PendingReview]:
        """What has waited longest for a person, subtasks included."""
        shapes = await self._shapes()
        where, parameters = await self._of_workflow(workflow)
        rows = await self._reader.fetch(
            f"SELECT i.id, i.workflow, {_TASK} FROM treadle_tasks t INDEXED BY treadle_waiting JOIN treadle_items i ON i.key = t.item"
            f" WHERE t.state = {AWAITING_REVIEW} AND {where} ORDER BY t.updated_at LIMIT ?",
            [*parameters, limit],
        )
        return [views.pending_review(row[0], shapes[row[1]], task_from_row(row[2:])) for row in rows]

    async def held_stages(self, workflow: str) -> dict[str, str | None]:
        """Stages that start no more, with the condition on the item; None holds every item."""
        rows = await self._reader.fetch(
            "SELECT s.name, h.condition FROM treadle_holds h JOIN treadle_stages s ON s.id = h.stage"
            " JOIN treadle_workflows w ON w.id = s.workflow WHERE w.name = ? ORDER BY s.id",
            (workflow,),
        )
        return dict(rows)

    # --- the past ---------------------------------------------------------------------------------------------------

    async def item_count_at(self, seq: int, workflow: str | None = None) -> int:
        """How many of the items that exist now there were right after that event."""
        where, parameters = await self._of_workflow(workflow)
        rows = await self._reader.fetch(
            f"SELECT count(*) FROM treadle_items i WHERE {where} AND i.key <= ?", [*parameters, await self._last_key_at(seq)]
        )
        return int(rows[0][0])

    async def _last_key_at(self, seq: int) -> int:
        """The key of the last item that had been added by then."""
        return int((await self._reader.fetch(_LAST_KEY, (seq,)))[0][0])

    async def page_at(self, seq: int, *, workflow: str | None = None, offset: int = 0, limit: int = 100) -> list[ItemRow]:
        """Board rows as they were right after that event, in order of submission; of items that still exist."""
        shapes = await self._shapes()
        where, parameters = await self._of_workflow(workflow)
        rows = await self._reader.fetch(
            f"SELECT {_ITEM} FROM treadle_items i WHERE {where} AND i.key <= ? ORDER BY i.key LIMIT ? OFFSET ?",
            [*parameters, await self._last_key_at(seq), limit, offset],
        )
        return await self._rows_at(seq, rows, shapes)

    async def rows_at(self, seq: int, item_ids: Sequence[str]) -> list[ItemRow]:
        """Board rows of these items as they were right after that event; those that had not been added then are left out."""
        marks = ", ".join("?" * len(item_ids))
        rows = await self._reader.fetch(
            f"SELECT {_ITEM} FROM treadle_items i WHERE i.id IN ({marks}) AND i.key <= ? ORDER BY i.key",
            [*item_ids, await self._last_key_at(seq)],
        )
        return await self._rows_at(seq, rows, await self._shapes())

    async def _rows_at(self, seq: int, rows: Sequence[Any], shapes: Mapping[int, WorkflowShape]) -> list[ItemRow]:
        items = [item_from_row(row) for row in rows]
        folds = await self._folds(seq, [item.key for item in items])
        return [views.row_of_fold(item, shapes[item.workflow], folds.get(item.key) or ItemFold()) for item in items]

    async def subtasks_at(self, seq: int, item_id: str, stage: str) -> list[SubTaskStatus]:
        """The subtasks of a stage as they were right after that event: names, states and attempts."""
        item = await self._item_of(item_id)
        shape = None if item is None else (await self._shapes())[item.workflow].by_name.get(stage)
        if item is None or shape is None:
            return []
        fold = (await self._folds(seq, [item.key])).get(item.key)
        return [] if fold is None else fold.subtask_statuses(shape.id)

    async def _folds(self, seq: int, keys: Sequence[int]) -> dict[int, ItemFold]:
        rows = await self._reader.fetch(_LATEST.format(items=", ".join("?" * len(keys))), [*keys, seq])
        events = {item: list(told) for item, told in groupby((RawEvent(*row) for row in rows), key=lambda row: row.item or 0)}
        listed = ", ".join("?" * len(keys))
        kept = await self._reader.fetch(f"SELECT item, fold FROM treadle_baselines WHERE item IN ({listed})", list(keys))
        folds = {item: unpacked(fold) for item, fold in kept}
        return {item: folds.get(item, ItemFold()).take_all(events.get(item, ())) for item in {*events, *folds}}
