"""Reads everything about one item, and does what is asked of it on its page."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from treadle_tui.board.item_tabs import ItemHistory
from treadle_tui.board.safe_text import safe_line
from treadle_tui.board.standing import Phase
from treadle_tui.engine.errors import TreadleError
from treadle_tui.engine.events import Event

if TYPE_CHECKING:
    from treadle_tui.engine.status import Explanation
    from treadle_tui.workbench import Workbench

#: Events of an item that are shown: the newest.
MOST_EVENTS = 1000


class ItemDesk:
    """The items of one database, for one person."""

    def __init__(self, workbench: Workbench) -> None:
        self._bench = workbench

    async def history(self, item_id: str, *, with_events: bool = False) -> ItemHistory | None:
        """Everything about an item, without its secrets; None when there is none of that id."""
        store = self._bench.store
        item = await store.get_item(item_id)
        if item is None:
            return None
        hide = await self._bench.review_desk.masking(item.workflow)
        statuses = await store.get_all_statuses(item_id)
        attempts = {
            stage: [hide.attempt(attempt) for attempt in await store.get_attempts(item_id, stage)]
            for stage, status in statuses.items()
            if status.attempt
        }
        events: deque[Event] = deque(maxlen=MOST_EVENTS)
        if with_events:
            async for event in store.events(item_id=item_id):
                if isinstance(event, Event):
                    events.append(event)
        return ItemHistory(
            dataclasses.replace(item, data=hide.value(item.data)),
            {stage: hide.status(status) for stage, status in statuses.items()},
            attempts,
            self._bench.now(),
            await self._explanations(item_id),
            await store.dependencies(item.workflow),
            list(events),
        )

    async def _explanations(self, item_id: str) -> dict[str, Explanation]:
        """By stage; none while there is no engine to ask."""
        if self._bench.host.standing.phase is not Phase.RUNNING:
            return {}
        try:
            return await self._bench.host.call(lambda engine: engine.explain(item_id))
        except TreadleError:  # gone meanwhile, or the engine has stopped: the page is shown without reasons
            return {}

    def retry(self, item_id: str, stage: str, subtask: str | None) -> None:
        """Try a failed stage or subtask again."""
        by, title = self._bench.reviewer, " › ".join(part for part in (item_id, stage, subtask) if part)
        if self._bench.may_change():
            self._bench.change(lambda engine: engine.retry_stage(item_id, stage, subtask, by), f"{safe_line(title)} is tried again")

    def pause(self, item_id: str, *, is_paused: bool) -> None:
        """Start nothing new for the item; or let it go on, when it is paused."""
        if not self._bench.may_change():
            return
        if is_paused:
            self._bench.change(lambda engine: engine.resume(item_id), f"{safe_line(item_id)} goes on")
        else:
            self._bench.change(lambda engine: engine.pause(item_id), f"{safe_line(item_id)} is paused; what runs finishes")

    def drop(self, item_id: str, stage: str) -> None:
        """Ask, and let go of a stage that its workflow has no longer."""
        if self._bench.may_change():
            self._bench.work(self._drop(item_id, stage), "drop")

    async def _drop(self, item_id: str, stage: str) -> None:
        from treadle_tui.board.deed_words import Confirmation
        from treadle_tui.screens.confirmation import Confirm

        words = "It counts as skipped, and its subtasks go; its attempts stay part of the history. This cannot be taken back."
        by = self._bench.reviewer
        if await self._bench.ask(Confirm(Confirmation(f"Drop stage {stage} of {item_id}?", words))):
            self._bench.change(
                lambda engine: engine.drop_stage(item_id, stage, by), f"{safe_line(item_id)} › {safe_line(stage)} is dropped"
            )

    def show_way(self, item_id: str, stage: str, go_to: Callable[[str], None]) -> None:
        """Show its way through the workflow; `go_to` gets the stage that is chosen there."""
        self._bench.work(self._show_way(item_id, stage, go_to), "way")

    async def _show_way(self, item_id: str, stage: str, go_to: Callable[[str], None]) -> None:
        from treadle_tui.desks.graph import GraphDesk
        from treadle_tui.screens.way_screen import ItemGraph

        desk = GraphDesk(self._bench, go_to)
        facts = await desk.way_of(item_id)
        if facts is None:
            self._bench.say(f"{safe_line(item_id)} is gone")
            return
        await self._bench.push_screen(ItemGraph(desk, item_id, stage, facts))

    def copy(self, text: str, what: str) -> None:
        """Copy a text."""
        self._bench.copy(text, what)
