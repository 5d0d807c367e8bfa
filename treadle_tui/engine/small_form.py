"""The crate's verbs on a workflow, one item at a time: thin delegates over `Engine`, the small form.

Every call opens an engine on the given store for as long as it takes. The questions treat an item the store has not seen as fresh;
every change raises `ItemNotFound` for it.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from treadle_tui.engine.clock import Clock
from treadle_tui.engine.events import Event, Lagged
from treadle_tui.engine.review import Approve, Reject, ReviewDecision
from treadle_tui.engine.states import StageState
from treadle_tui.engine.status import PipelineStatus, StageEntry

if TYPE_CHECKING:
    from treadle_tui.engine.engine import Engine
    from treadle_tui.engine.workflow import Workflow


class Subscription:
    """The events of one workflow that this process commits, from the call on. An async iterator that never ends by itself."""

    def __init__(self, buffer: int) -> None:
        self._events: deque[Event] = deque()
        self._buffer = max(1, buffer)
        self._missed = 0
        self._flag = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def push(self, event: Event) -> None:
        """Take an event, from any thread; the oldest makes room when the buffer is full, and is counted."""
        if len(self._events) >= self._buffer:
            self._events.popleft()
            self._missed += 1
        self._events.append(event)
        try:
            self._loop.call_soon_threadsafe(self._flag.set)
        except RuntimeError:
            self._events.clear()  # the loop is closed: nobody will read this

    def __aiter__(self) -> AsyncIterator[Event | Lagged]:
        return self

    async def __anext__(self) -> Event | Lagged:
        while not self._events:
            self._flag.clear()
            if not self._events:
                await self._flag.wait()
        if self._missed:
            missed, self._missed = self._missed, 0
            return Lagged(missed)
        return self._events.popleft()


class SmallForm:
    """Mixed into `Workflow`."""

    @property
    def subscriptions(self) -> weakref.WeakSet[Subscription]:
        """Those who listen to this workflow's events."""
        found: weakref.WeakSet[Subscription] = self.__dict__.setdefault("_subscriptions", weakref.WeakSet())
        return found

    @asynccontextmanager
    async def _engine(self, store: Any, clock: Clock | None) -> AsyncIterator[Engine]:
        from treadle_tui.engine.engine import Engine

        async with Engine(store, [cast("Workflow", self)], clock=clock) as engine:
            yield engine

    # --- changes ----------------------------------------------------------------------------------------------------

    async def advance(self, item: Any, store: Any, clock: Clock | None = None) -> None:
        """Run the item until what is left is due later or waits for a person; an item the store has not seen is added.

        `item` is a work item, or the id of one the store has.
        """
        workflow = cast("Workflow", self)
        async with self._engine(store, clock) as engine:
            if isinstance(item, str):
                item_id = item
            else:
                item_id, _ = workflow.item_type.encode(item)
                engine.keep_original(item_id, item)
                await engine.submit(workflow, [item])
            await engine.advance(item_id)

    async def approve_review(
        self, item_id: str, stage: str, store: Any, by: str = "", subtask: str | None = None, clock: Clock | None = None
    ) -> None:
        """Approve a waiting stage; its dependents become ready."""
        await self.resolve_review(item_id, stage, Approve(by=by), store, subtask=subtask, clock=clock)

    async def reject_review(
        self,
        item_id: str,
        stage: str,
        reason: str,
        store: Any,
        by: str = "",
        subtask: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Reject a waiting stage: it becomes failed, with the reason as its error."""
        await self.resolve_review(item_id, stage, Reject(reason, by=by), store, subtask=subtask, clock=clock)

    async def resolve_review(
        self,
        item_id: str,
        stage: str,
        decision: ReviewDecision,
        store: Any,
        by: str = "",
        subtask: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Record any decision on a waiting stage or subtask; `by` counts when the decision names nobody."""
        from dataclasses import replace

        if by and not decision.by:
            decision = replace(decision, by=by)
        async with self._engine(store, clock) as engine:
            await engine.resolve_review(item_id, stage, decision, subtask=subtask)

    async def retry_stage(
        self, item_id: str, stage: str, store: Any, by: str = "", subtask: str | None = None, clock: Clock | None = None
    ) -> None:
        """A failed or cancelled stage is pending again; of a fan-out only what failed runs again."""
        async with self._engine(store, clock) as engine:
            await engine.retry_stage(item_id, stage, subtask=subtask, by=by)

    # --- questions --------------------------------------------------------------------------------------------------

    async def ready_stages(self, item_id: str, store: Any, clock: Clock | None = None) -> list[str]:
        """Names of the stages that could run now, topological order."""
        workflow = cast("Workflow", self)
        async with self._engine(store, clock) as engine:
            if await store.get_item(item_id) is None:
                return workflow.root_stages()
            return list((await engine.facts_of(item_id)).ready)

    async def is_complete(self, item_id: str, store: Any, clock: Clock | None = None) -> bool:
        """Whether every stage is completed or skipped."""
        return (await self.status(item_id, store, clock)).is_complete()

    async def is_blocked(self, item_id: str, store: Any, clock: Clock | None = None) -> bool:
        """Not complete, and nothing is ready, running or waiting for a retry."""
        from treadle_tui.engine.readiness import is_blocked

        async with self._engine(store, clock) as engine:
            if await store.get_item(item_id) is None:
                return False
            facts = await engine.facts_of(item_id)
            return is_blocked(await store.get_all_statuses(item_id), facts.ready, facts.removed)

    async def status(self, item_id: str, store: Any, clock: Clock | None = None) -> PipelineStatus:
        """The item's stages in topological order; all pending for an item the store has not seen."""
        workflow = cast("Workflow", self)
        async with self._engine(store, clock) as engine:
            if await store.get_item(item_id) is None:
                entries = [StageEntry(name=name, state=StageState.PENDING) for name in workflow.stages()]
                return PipelineStatus(item_id=item_id, workflow=workflow.name, entries=entries)
            return await engine.status(item_id)

    def subscribe(self, buffer: int = 1024) -> Subscription:
        """The events of this workflow that this process commits, from now on; never ends by itself.

        A reader that falls more than `buffer` events behind receives one `Lagged`, then the newest.
        """
        subscription = Subscription(buffer)
        self.subscriptions.add(subscription)
        return subscription
