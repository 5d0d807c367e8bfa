"""Reads the board as it was right after an event."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from treadle_tui.board.past import PastCounts
from treadle_tui.board.tally import Tally
from treadle_tui.engine.events import Event, ItemEvent
from treadle_tui.engine.states import SubTaskStatus
from treadle_tui.engine.status import ItemRow
from treadle_tui.engine.store.log_view import EventMatch, LogBounds

if TYPE_CHECKING:
    from treadle_tui.workbench import Workbench

#: With more items their states of a moment are not counted: each is folded from its own events.
MOST_COUNTED = 5_000
#: Items read at once, and events between two moments that are looked through rather than counting anew.
_PAGE, _FAR = 200, 400


class PastDesk:
    """One workflow, at any moment that the log still tells of."""

    def __init__(self, workbench: Workbench, workflow: str) -> None:
        self._bench = workbench
        self.workflow = workflow
        self._match = EventMatch(workflow=workflow)
        self._counted: PastCounts | None = None

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

    async def tally(self, seq: int) -> Tally | None:
        """The totals as they were; None while there are too many items to count them one by one.

        The next moments are told from this one: only items of which something is told in between are looked at.
        """
        seen = self._counted
        if seen is None or not await self._count_on(seen, seq) or seen.tally.items != await self.count(seq):
            self._counted = seen = await self._count(seq)
        return seen.tally if seen is not None else None

    async def _count(self, seq: int) -> PastCounts | None:
        items = await self.count(seq)
        if items > MOST_COUNTED:
            return None
        counts = PastCounts(seq)
        for offset in range(0, items, _PAGE):
            counts.add(await self.page(seq, offset, _PAGE))
        return counts

    async def _count_on(self, counts: PastCounts, seq: int) -> bool:
        """Take the counts to another moment; False when that is too far away."""
        first, last = sorted((counts.seq, seq))
        if last - first > _FAR:
            return False
        store = self._bench.store
        page = await store.events_after(first, _FAR, self._match)
        touched = {event.item_id for event in page.events if isinstance(event, ItemEvent) and event.seq <= last}
        ids = sorted(touched)
        before, after = await store.rows_at(counts.seq, ids), await store.rows_at(seq, ids)
        counts.move(seq, before, after)
        return True

    def now(self) -> datetime:
        """The present moment."""
        return self._bench.now()

    def returned(self, event: Event) -> None:
        """The person has come back from that moment: the log shows it."""
        self._bench.show_event(event.seq)
