"""Reads the durable log for the screen, and leads from an event to its item and into the past."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from treadle_tui.engine.events import Event, ItemEvent
from treadle_tui.engine.store.log_view import EventMatch, EventPage, LogBounds

if TYPE_CHECKING:
    from treadle_tui.workbench import Workbench


class EventDesk:
    """The log of one database."""

    def __init__(self, workbench: Workbench) -> None:
        self._bench = workbench

    async def bounds(self) -> LogBounds:
        """The first and the last event."""
        return await self._bench.store.log_bounds()

    async def page(self, is_after: bool, seq: int, limit: int, match: EventMatch) -> EventPage:
        """Events after `seq`, or before it."""
        store = self._bench.store
        return await (store.events_after if is_after else store.events_before)(seq, limit, match)

    def now(self) -> datetime:
        """The present moment."""
        return self._bench.now()

    def open_item(self, event: ItemEvent) -> None:
        """Show the item of an event."""
        self._bench.show_item(event.item_id, getattr(event, "stage", ""))

    def look_back(self, event: Event) -> None:
        """Show the board as it was right after an event."""
        self._bench.work(self._look_back(event), "past")

    async def _look_back(self, event: Event) -> None:
        from treadle_tui.desks.past import PastDesk
        from treadle_tui.screens.past_screen import PastScreen

        desk = PastDesk(self._bench, event.workflow or self._bench.workflow_shown)
        await self._bench.push_screen(PastScreen(desk, event, await desk.stages()))
