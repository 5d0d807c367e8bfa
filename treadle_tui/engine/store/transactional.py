"""The verbs of a store as awaitable calls, one atomic change each, written once for every store that can run a verb over a `Unit`.

A store answers `_run` (do this in a transaction, come back after the commit) and the reads; everything else is here. `now` is
always milliseconds by the caller's clock: stores have no clock of their own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from treadle_tui.engine.migration import MigrationPlan
from treadle_tui.engine.states import StageState
from treadle_tui.engine.store.commits import CommitNews
from treadle_tui.engine.store.results import Claim, Ended, Recorded, Result, StageRoom, Submitted
from treadle_tui.engine.store.rows import Hold, Lease, TaskKey, Worker
from treadle_tui.engine.store.shape import WorkflowShape
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs import (
    claiming,
    clock_changes,
    facts,
    finishing,
    holding,
    items,
    migrating,
    noting,
    plain_subtasks,
    reviewing,
    running_again,
)
from treadle_tui.engine.store.verbs.moves import item_named

T = TypeVar("T")


class TransactionalStore(ABC):
    """What an engine changes state with."""

    @abstractmethod
    async def _run(self, verb: Callable[[Unit], T], now: int = 0) -> T:
        """Run a verb in a transaction; return what it returned once that is committed. A verb that raises changes nothing."""

    @abstractmethod
    def _post(self, verb: Callable[[Unit], object], now: int = 0) -> None:
        """Run a verb in a transaction some time soon, from any thread, without an event loop, and forget about it."""

    @property
    @abstractmethod
    def news(self) -> CommitNews:
        """Who is told of commits."""

    @property
    @abstractmethod
    def is_closed(self) -> bool:
        """Whether `close` has been called."""

    async def change(self, verb: Callable[[Unit], T], now: int) -> T:
        """Run one verb."""
        return await self._run(verb, now)

    # --- items ------------------------------------------------------------------------------------------------------

    async def add_items(self, workflow: int, batch: Sequence[tuple[str, bytes]], priority: int, now: int) -> Submitted:
        """Add items (id, JSON data), all or nothing; a known id is kept as it was."""
        return await self._run(lambda unit: items.submit(unit, workflow, batch, priority), now)

    async def delete_item(self, item_id: str) -> None:
        """Remove the item and everything about it; one `ItemDeleted` stays. Raises `ItemNotFound`."""
        from treadle_tui.engine.clock import SystemClock, to_ms

        await self._run(lambda unit: items.delete(unit, item_id), to_ms(SystemClock().now()))

    async def pause(self, item_id: str, now: int) -> None:
        """Nothing new starts for the item."""
        await self._run(lambda unit: items.pause(unit, item_id), now)

    async def resume(self, item_id: str, now: int) -> None:
        """The item goes on."""
        await self._run(lambda unit: items.resume(unit, item_id), now)

    async def cancel(self, item_id: str, by: str, now: int) -> list[Lease]:
        """Call off what has not ended; the leases that ended with it."""
        return await self._run(lambda unit: items.cancel(unit, item_id, by), now)

    async def facts_of(self, item_id: str) -> facts.Facts:
        """What explaining an item needs beyond its statuses."""
        return await self._run(lambda unit: facts.facts_of(unit, item_id))

    async def item_key(self, item_id: str) -> int:
        """The item's number. Raises `ItemNotFound`."""
        return await self._run(lambda unit: item_named(unit, item_id).key)

    # --- work -------------------------------------------------------------------------------------------------------

    async def claim(
        self,
        worker: int,
        wants: Sequence[StageRoom],
        room: int,
        tag_rooms: Mapping[str, int],
        condition: Callable[[str], claiming.Condition],
        item: int | None,
        now: int,
        fingerprints: Mapping[int, str] | None = None,
    ) -> list[Claim] | None:
        """Take up to `room` ready tasks; None for a worker that was taken for dead.

        Raises `WorkflowChanged` when a workflow is not what its fingerprint here says.
        """

        def verb(unit: Unit) -> list[Claim] | None:
            migrating.refuse_outdated(unit, fingerprints or {})
            return self._claim_in(unit, worker, wants, room, tag_rooms, condition, item)

        return await self._run(verb, now)

    def _claim_in(
        self,
        unit: Unit,
        worker: int,
        wants: Sequence[StageRoom],
        room: int,
        tag_rooms: Mapping[str, int],
        condition: Callable[[str], claiming.Condition],
        item: int | None,
    ) -> list[Claim] | None:
        """`claiming.claim`; a store that has a faster way for many answers in its own."""
        return claiming.claim(unit, worker, wants, room, tag_rooms, condition, item)

    async def claim_one(
        self, worker: int, item_id: str, stage: str, subtask: str | None, now: int, fingerprints: Mapping[int, str] | None = None
    ) -> Claim | bool | None:
        """Take one named task by hand, also a held one; False when it is not ready, True when there is no code to run for it.

        None for a worker that was taken for dead.
        """

        def verb(unit: Unit) -> Claim | bool | None:
            item = item_named(unit, item_id)
            migrating.refuse_outdated(unit, {number: known for number, known in (fingerprints or {}).items() if number == item.workflow})
            return claiming.take_one(unit, worker, item, stage, subtask)

        return await self._run(verb, now)

    async def finish(self, worker: int, key: TaskKey, fence: int, result: Result, now: int) -> bool:
        """Record how an attempt ended; False when its lease was lost."""
        return await self._run(lambda unit: finishing.finish(unit, worker, key, fence, result), now)

    async def finish_plainly(
        self, worker: int, batch: Sequence[Ended], contenders: Collection[int], fingerprints: Mapping[int, str], now: int
    ) -> Recorded:
        """Record plain attempts, and claim what follows them; what is left is to be finished one by one.

        A store that has a faster way than verb by verb answers in its own.
        """
        return await self._run(lambda unit: finishing.finish_plainly(unit, worker, batch, contenders, fingerprints), now)

    async def finish_subtasks(
        self, worker: int, batch: Sequence[Ended], contenders: Collection[int], fingerprints: Mapping[int, str], now: int
    ) -> Recorded:
        """Record plain attempts of subtasks, and claim the next ones; what is left is to be finished one by one.

        A store that has a faster way than verb by verb answers in its own.
        """
        return await self._run(lambda unit: plain_subtasks.finish_subtasks(unit, worker, batch, contenders, fingerprints), now)

    async def leases_of(self, worker: int) -> set[Lease]:
        """What a worker holds."""
        return await self._run(lambda unit: {(task.key, task.fence) for task in unit.leased(worker)})

    async def hand_back_all_but(self, worker: int, held: Collection[Lease], now: int) -> None:
        """Give back what a worker holds besides these."""
        await self._run(lambda unit: claiming.hand_back_all_but(unit, worker, held), now)

    async def hand_back(self, worker: int, keys: Iterable[tuple[TaskKey, int]], now: int) -> None:
        """Give claimed work back, by (key, fence)."""
        given = list(keys)
        await self._run(lambda unit: claiming.hand_back(unit, worker, given), now)

    def post_notes(self, worker: int, key: TaskKey, fence: int, notes: Sequence[noting.Note], now: int) -> None:
        """Tell progress and log lines, from any thread."""
        self._post(lambda unit: noting.note(unit, worker, key, fence, notes), now)

    async def read_memo(self, key: TaskKey, name: str) -> bytes | None:
        """A recorded sub-result as JSON."""
        return await self._run(lambda unit: noting.read_memo(unit, key, name))

    async def write_memo(self, worker: int, key: TaskKey, fence: int, name: str, value: bytes, now: int) -> bytes:
        """Record a sub-result unless there is one; the one that stands."""
        return await self._run(lambda unit: noting.write_memo(unit, worker, key, fence, name, value), now)

    async def outlook(self, worker: int, stages: Collection[int], item: int | None, now: int) -> claiming.Outlook:
        """What is left to do in these stages, of one item or of all."""
        return await self._run(lambda unit: claiming.outlook(unit, worker, stages, item), now)

    # --- people -----------------------------------------------------------------------------------------------------

    async def decide(
        self,
        item_id: str,
        stage: str,
        decision: Mapping[str, Any],
        version: int | None,
        subtask: str | None,
        now: int,
    ) -> StageState:
        """Record a decision; the state it led to."""
        return await self._run(lambda unit: reviewing.decide(unit, item_id, stage, decision, version, subtask), now)

    async def each_in_one(self, verbs: Sequence[Callable[[Unit], T]], now: int) -> list[T | Exception]:
        """Several verbs in one transaction; of each what it returned, or why it changed nothing."""

        def run_all(unit: Unit) -> list[T | Exception]:
            return [unit.attempt_verb(verb) for verb in verbs]

        return await self._run(run_all, now)

    async def reopen(self, item_id: str, stage: str, by: str, subtask: str | None, now: int) -> None:
        """Take a decision back."""
        await self._run(lambda unit: reviewing.reopen(unit, item_id, stage, by, subtask), now)

    async def expire_reviews(self, now: int) -> int:
        """Apply `on_expiry` to reviews that have waited too long; how many."""
        return await self._run(reviewing.expire, now)

    async def retry(self, item_id: str, stage: str, by: str, subtask: str | None, now: int) -> None:
        """A failed or cancelled stage is pending again."""
        await self._run(lambda unit: running_again.retry(unit, item_id, stage, by, subtask), now)

    async def rerun(self, item_id: str, stage: str, by: str, now: int) -> list[Lease]:
        """A finished stage and all behind it are pending again; the leases that ended with it."""
        return await self._run(lambda unit: running_again.rerun(unit, item_id, stage, by), now)

    async def keep_distances(self, now: int) -> int:
        """After the wall clock was set back: retries and expiries are due as long after this moment as they were then. How many."""
        return await self._run(clock_changes.keep_distances, now)

    async def hold_stage(self, workflow: int, stage: str, when: str | None, now: int) -> None:
        """Start a stage no more."""
        await self._run(lambda unit: holding.hold_stage(unit, workflow, stage, when), now)

    async def release_stage(self, workflow: int, stage: str, now: int) -> None:
        """Let a stage go on."""
        await self._run(lambda unit: holding.release_stage(unit, workflow, stage), now)

    # --- workflows and workers --------------------------------------------------------------------------------------

    async def shape_named(self, name: str) -> WorkflowShape | None:
        """A workflow as the store knows it; None when it does not."""
        return await self._run(lambda unit: next((shape for shape in unit.shapes.values() if shape.name == name), None))

    async def plan_migration(self, name: str, fingerprint: str, specs: migrating.Specs, backfill: bool) -> MigrationPlan:
        """What a workflow as it is now means for its items."""
        return await self._run(lambda unit: migrating.plan(unit, name, fingerprint, specs, backfill))

    async def take_up(
        self, name: str, fingerprint: str, specs: migrating.Specs, backfill: bool, accepted: MigrationPlan | None, now: int
    ) -> WorkflowShape | MigrationPlan:
        """Make a workflow what it is now; the plan instead, and nothing changed, when that must be accepted and is not this one."""
        return await self._run(lambda unit: migrating.take_up(unit, name, fingerprint, specs, backfill, accepted), now)

    async def drop_stage(self, item_id: str, stage: str, by: str, now: int) -> list[Lease]:
        """Let go of a stage that was removed with work in it; the leases that ended with it."""
        return await self._run(lambda unit: migrating.drop(unit, item_id, stage, by), now)

    async def save_shape(self, name: str, fingerprint: str, specs: Sequence[Mapping[str, Any]]) -> WorkflowShape:
        """Record a workflow nobody has items of yet, or whose stages have not changed."""
        return await self._run(lambda unit: unit.save_shape(name, fingerprint, specs))

    async def add_worker(self, uuid: str, host: str, pid: int, pid_start: str) -> int:
        """A new worker's number."""
        return await self._run(lambda unit: unit.insert_worker(uuid, host, pid, pid_start))

    async def remove_worker(self, worker: int, now: int) -> None:
        """Forget a worker; what it still holds is handed back."""

        def leave(unit: Unit) -> None:
            claiming.hand_back(unit, worker, [(task.key, task.fence) for task in unit.leased(worker)])
            unit.delete_worker(worker)

        await self._run(leave, now)

    def post_beat(self, worker: int) -> None:
        """Count a heartbeat, from any thread."""
        self._post(lambda unit: unit.beat(worker))

    async def reap(self, dead: Sequence[int], now: int) -> int:
        """Recover what dead workers left running; how many tasks."""
        return await self._run(partial(claiming.reap, dead=dead), now)

    @abstractmethod
    async def workers(self) -> list[Worker]:
        """Every engine that may hold leases."""

    @abstractmethod
    async def holds(self) -> dict[int, Hold]:
        """Stages that start no more, by number."""
