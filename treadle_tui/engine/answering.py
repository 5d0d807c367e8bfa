"""What an engine answers about its items: where they stand, why, what waits, and what happened. Runs and changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from treadle_tui.engine.clock import Clock
from treadle_tui.engine.errors import ItemNotFound, StageNotFound
from treadle_tui.engine.events import Event, Lagged
from treadle_tui.engine.history import STATISTICS_RUNS, RunCache, Runs, estimate, statistics_of
from treadle_tui.engine.migration import MigrationPlan
from treadle_tui.engine.readiness import explain_item
from treadle_tui.engine.states import StageState, StageStatus
from treadle_tui.engine.status import Eta, Explanation, PendingReview, PipelineStatus, StageEntry, StageStatistics
from treadle_tui.engine.store.verbs.facts import Facts
from treadle_tui.engine.workflow import Workflow

FOLLOW_SECONDS = 3600.0
"""How long one wait for news lasts; then it is begun again."""


class Answering:
    """The questions of `Engine`."""

    def __init__(self, store: Any, workflows: dict[str, Workflow], clock: Clock) -> None:
        self.store = store
        self.workflows = workflows
        """By name."""
        self.clock = clock
        self.waiting_migrations: dict[str, MigrationPlan] = {}
        """Workflows that have changed and run no items until their plan is accepted with `apply_migration`; reviews go on."""
        self._runs = RunCache(store, clock)

    async def status(self, item_id: str) -> PipelineStatus:
        """One item, all its stages in topological order. Raises `ItemNotFound`."""
        item = await self.store.get_item(item_id)
        if item is None:
            raise ItemNotFound(item_id)
        statuses = await self.store.get_all_statuses(item_id)
        entries = [StageEntry(name=name, **_fields(status)) for name, status in statuses.items()]
        return PipelineStatus(item_id=item_id, workflow=item.workflow, entries=entries, eta=await self._eta(item.workflow, entries))

    async def _eta(self, workflow: str, entries: Sequence[StageEntry]) -> Eta | None:
        if all(entry.state.is_satisfied for entry in entries):
            return Eta(p50_seconds=0.0, p90_seconds=0.0)
        dependencies = await self.store.dependencies(workflow)
        return estimate(entries, dependencies, await self._runs.runs(workflow), self.clock.now())

    async def statistics(self, workflow: Workflow | str) -> dict[str, StageStatistics]:
        """What the newest runs of every stage tell: durations, retries, failures, decisions; topological order."""
        name = workflow.name if isinstance(workflow, Workflow) else workflow
        runs: Runs = await self.store.stage_runs(name, STATISTICS_RUNS)
        return {stage: statistics_of(found) for stage, found in runs.items()}

    async def _state_of(self, item_id: str, stage: str, subtask: str | None) -> StageState:
        statuses: dict[str, StageStatus] = await self.store.get_all_statuses(item_id)
        if not statuses:
            raise ItemNotFound(item_id)
        if stage not in statuses:
            raise StageNotFound(stage, statuses, f"item {item_id!r}")
        if subtask is None:
            return statuses[stage].state
        states = {each.name: each.state for each in statuses[stage].subtasks}
        if subtask not in states:
            raise StageNotFound(subtask, states, f"subtasks of stage {stage!r} of item {item_id!r}")
        return states[subtask]

    async def summary(self) -> dict[str, dict[str, dict[StageState, int]]]:
        """Items per workflow, stage and state."""
        counts: dict[str, dict[str, dict[StageState, int]]] = await self.store.counts()
        return counts

    async def pending_reviews(self, workflow: Workflow | str | None = None, group: str | None = None) -> list[PendingReview]:
        """Everything that waits for a person, or for somebody of one group, longest first, subtasks included."""
        name = workflow.name if isinstance(workflow, Workflow) else workflow
        reviews: list[PendingReview] = await self.store.pending_reviews(name)
        return [review for review in reviews if group in (None, review.group)]

    async def facts_of(self, item_id: str) -> Facts:
        """What is ready, held and due of an item. Raises `ItemNotFound`."""
        facts: Facts = await self.store.facts_of(item_id)
        return facts

    async def explain(self, item_id: str) -> dict[str, Explanation]:
        """For every stage of an item, why it is where it is and what would move it. Raises `ItemNotFound`."""
        item = await self.store.get_item(item_id)
        if item is None:
            raise ItemNotFound(item_id)
        return await explain_item(
            self.store,
            self.store,
            item,
            self.workflows.get(item.workflow),
            self.clock.now(),
            is_waiting=item.workflow in self.waiting_migrations,
        )

    async def events(self, since: int = 0, follow: bool = True) -> AsyncIterator[Event | Lagged]:
        """Durable events after `since`: first what there is, then, with `follow`, what comes, other processes' included."""
        while True:
            horizon = 0
            async for event in self.store.events(since):
                if isinstance(event, Event):
                    since = event.seq
                else:
                    horizon = await self.store.horizon()
                yield event
            since = max(since, horizon)  # what is missing is told once
            if not follow:
                return
            await self.store.changed(since, FOLLOW_SECONDS)


def _fields(status: Any) -> dict[str, Any]:
    return {name: getattr(status, name) for name in type(status).__dataclass_fields__}
