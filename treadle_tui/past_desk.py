"""Reads the board as it was right after an event."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from treadle_tui.engine.events import Event
from treadle_tui.engine.states import SubTaskStatus
from treadle_tui.engine.status import ItemRow
from treadle_tui.engine.store.log_view import EventMatch, LogBounds

if TYPE_CHECKING:
    from treadle_tui.workbench import Workbench


class PastDesk:
    """One workflow, at any moment that the log still tells of."""

    def __init__(self, workbench: Workbench, workflow: str) -> None:
        self._bench = workbench
        self.workflow = workflow
        self._match = EventMatch(workflow=workflow)

    async def stages(self) -> list[str]:
        """The columns."""
        return (await self._bench.store.stage_names(self.workflow)).get(self.workflow, [])

    async def step(self, seq: int, delta: int) -> Event | None:
        """The event so many of the workflow's events behind or before that one; the outermost where there are fewer; None for none."""
        store = self._bench.store
        if delta > 0:
            page = await store.events_after(seq, delta, self._match)
            return page.events[-1] if page.events else None
        page = await store.events_before(seq, -delta, self._match)
        return page.events[0] if page.events else None

    async def bounds(self) -> LogBounds:
        """The first and the last event."""
        return await self._bench.store.log_bounds()

    async def count(self, seq: int) -> int:
        """How many items there were."""
        return await self._bench.store.item_count_at(seq, self.workflow)

    async def page(self, seq: int, offset: int, limit: int) -> list[ItemRow]:
        """Rows as they were."""
        return await self._bench.store.page_at(seq, workflow=self.workflow, offset=offset, limit=limit)

    async def subtasks(self, seq: int, item_id: str, stage: str) -> list[SubTaskStatus]:
        """Subtasks as they were."""
        return await self._bench.store.subtasks_at(seq, item_id, stage)

    def now(self) -> datetime:
        """The present moment."""
        return self._bench.now()

    def returned(self, event: Event) -> None:
        """The person has come back from that moment: the log shows it."""
        self._bench.show_event(event.seq)
