"""Held decisions, jottings and the log of decisions of a store in memory."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from treadle_tui.engine.desk import DecisionRecord, HeldDecision, Jotting
from treadle_tui.engine.store import desk_views
from treadle_tui.engine.store.desk_rows import DecisionRow, DeskRows, HeldRow, JottingRow

if TYPE_CHECKING:
    from treadle_tui.engine.store.memory_unit import MemoryUnit


class MemoryDesk(DeskRows):
    """The rows themselves."""

    def __init__(self, undo_with: Callable[[Callable[[], object]], None]) -> None:
        self._undo_with = undo_with
        self.outbox: dict[int, HeldRow] = {}
        self.jottings: dict[tuple[int, int, str, str, str], JottingRow] = {}
        self.decisions: list[DecisionRow] = []
        self._last_held = 0

    def insert_held(self, rows: Sequence[HeldRow]) -> list[int]:
        ids = []
        for row in rows:
            self._last_held += 1
            self._put_held(row._replace(id=self._last_held))
            ids.append(self._last_held)
        return ids

    def _put_held(self, row: HeldRow) -> None:
        before = self.outbox.get(row.id)
        self.outbox[row.id] = row
        self._undo_with(lambda: self.outbox.pop(row.id, None) if before is None else self.outbox.__setitem__(row.id, before))

    def held(self, ids: Sequence[int]) -> list[HeldRow]:
        return [self.outbox[id] for id in ids if id in self.outbox]

    def delete_held(self, ids: Sequence[int]) -> None:
        for row in self.held(ids):
            del self.outbox[row.id]
            self._undo_with(lambda row=row: self.outbox.__setitem__(row.id, row))  # type: ignore[misc]

    def set_problem(self, id: int, problem: str) -> None:
        for row in self.held([id]):
            self._put_held(row._replace(problem=problem))

    def adopt_held(self, ids: Sequence[int], session: str, host: str, pid: int, pid_start: str) -> None:
        for row in self.held(ids):
            self._put_held(row._replace(session=session, host=host, pid=pid, pid_start=pid_start))

    def save_jottings(self, rows: Sequence[JottingRow]) -> None:
        for row in rows:
            before = self.jottings.get(row.key)
            self.jottings[row.key] = row
            self._undo_with(
                lambda row=row, before=before: (  # type: ignore[misc]
                    self.jottings.pop(row.key, None) if before is None else self.jottings.__setitem__(row.key, before)
                )
            )

    def delete_jottings(self, reviewer: str, kind: str | None = None, item: int = 0, stage: int = 0, subtask: str = "") -> None:
        for row in list(self.jottings.values()):
            is_meant = row.reviewer == reviewer and kind in (None, row.kind)
            if is_meant and (not item or row[:3] == (item, stage, subtask)):
                self._drop(row)

    def _drop(self, row: JottingRow) -> None:
        del self.jottings[row.key]
        self._undo_with(lambda: self.jottings.__setitem__(row.key, row))

    def insert_decision(self, row: DecisionRow) -> None:
        self.decisions.append(row._replace(number=self.decisions[-1].number + 1 if self.decisions else 1))
        self._undo_with(self.decisions.pop)

    def undo_decision(self, item: int, stage: int, sub: int) -> None:
        places = [place for place, row in enumerate(self.decisions) if (row.item, row.stage, row.sub) == (item, stage, sub)]
        if places:
            place, row = places[-1], self.decisions[places[-1]]
            self.decisions[place] = row._replace(is_undone=1)
            self._undo_with(lambda: self.decisions.__setitem__(place, row))

    def forget_item(self, item: int) -> None:
        """The item is deleted, and what was kept about it goes with it."""
        outbox, jottings, decisions = dict(self.outbox), dict(self.jottings), list(self.decisions)
        self.outbox = {id: row for id, row in self.outbox.items() if row.item != item}
        self.jottings = {key: row for key, row in self.jottings.items() if row.item != item}
        self.decisions = [row for row in self.decisions if row.item != item]

        def undo() -> None:
            self.outbox, self.jottings, self.decisions = outbox, jottings, decisions

        self._undo_with(undo)


class MemoryDeskReads:
    """The reads of `DeskReads`, over a `MemoryUnit`."""

    _lock: threading.RLock

    @abstractmethod
    def _open_unit(self) -> MemoryUnit: ...

    async def held_decisions(self) -> list[HeldDecision]:
        """Every decision that is held, or could not be recorded, oldest first."""
        with self._lock:
            unit = self._open_unit()
            return [desk_views.held_decision(row, *self._names(unit, row.item, row.stage)) for row in unit.desk.outbox.values()]

    async def jottings(self, reviewer: str | None = None) -> list[Jotting]:
        """What reviewers keep about reviews, of one of them or of all."""
        with self._lock:
            unit = self._open_unit()
            rows = [row for row in unit.desk.jottings.values() if reviewer in (None, row.reviewer)]
            return [desk_views.jotting(row, *self._names(unit, row.item, row.stage)[1:]) for row in rows]

    async def decisions(self, *, before: int | None = None, limit: int = 200, workflow: str | None = None) -> list[DecisionRecord]:
        """The log of decisions, newest first."""
        with self._lock:
            unit = self._open_unit()
            found: list[DecisionRecord] = []
            for row in reversed(unit.desk.decisions):
                if (before is not None and row.number >= before) or len(found) >= limit:
                    continue
                record = desk_views.decision_record(row, *self._names(unit, row.item, row.stage))
                if workflow in (None, record.workflow):
                    found.append(record)
            return found

    @staticmethod
    def _names(unit: MemoryUnit, item: int, stage: int) -> tuple[str, str, str]:
        found = unit.items[item]
        return unit.shape_of(found).name, found.id, unit.stage_name(stage)
