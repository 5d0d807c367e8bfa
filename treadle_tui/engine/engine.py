"""The engine: many items, several workflows, one store.

`Engine` is what a program holds; it turns names into the store's verbs and owns a `Dispatcher`, which runs the stages. Nothing runs
outside `run_until_idle`, `run_forever`, `advance` and `run_stage`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from treadle_tui.engine.answering import Answering
from treadle_tui.engine.batches import in_batches
from treadle_tui.engine.clock import Clock, SystemClock, to_ms
from treadle_tui.engine.decisions import verb_of_decision
from treadle_tui.engine.dispatch import Dispatcher, condition_of
from treadle_tui.engine.errors import (
    DuplicateStage,
    InvalidDefinition,
    InvalidItem,
    InvalidTransition,
    StoreError,
    TreadleError,
    WorkflowChanged,
    nearest,
)
from treadle_tui.engine.events import Event
from treadle_tui.engine.executing import Taken
from treadle_tui.engine.housekeeping import Housekeeper
from treadle_tui.engine.migration import MigrationPlan
from treadle_tui.engine.retention import Retention, Tidied
from treadle_tui.engine.review import ReviewDecision
from treadle_tui.engine.runner.finding import refuse_while_loading
from treadle_tui.engine.runner.local import LocalRunner
from treadle_tui.engine.runner.protocol import Runner
from treadle_tui.engine.states import StageState
from treadle_tui.engine.store.transactional import TransactionalStore
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs import running_again
from treadle_tui.engine.workflow import Workflow

T = TypeVar("T")


class Engine(Answering):
    """Runs workflows on a store. An async context manager: entering recovers what a crash interrupted."""

    def __init__(
        self,
        store: Any,
        workflows: Workflow | Iterable[Workflow],
        *,
        concurrency: int = 64,
        clock: Clock | None = None,
        runner: Runner | None = None,
    ) -> None:
        """`concurrency`: attempts at once in this engine. `runner`: where stage code runs."""
        if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
            raise InvalidDefinition(f"engine: concurrency={concurrency!r} must be a whole number, 1 or more")
        super().__init__(store, _by_name(workflows), clock or SystemClock())
        self.swallowed: list[str] = []
        """Ids of the last `submit` that another workflow of the database already has."""
        self._store: TransactionalStore = store
        self._runner = runner or LocalRunner()
        self._dispatcher = Dispatcher(self._store, self.clock, self._runner, concurrency)
        self._housekeeper = Housekeeper(store, self._dispatcher.now, lambda: bool(self._dispatcher.running))
        self._stop_listening: list[Callable[[], None]] = []
        self._drives: set[asyncio.Task[Any]] = set()
        self._is_open = False

    # --- life -------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Engine:
        refuse_while_loading()
        taken = [await self._take_up(workflow) for workflow in self.workflows.values()]
        self._dispatcher.take_up([each for each in taken if each is not None])
        self._dispatcher.keeper.start(asyncio.get_running_loop())
        self._stop_listening = [
            self._store.news.listen(workflow, partial(_push, workflow), partial(_is_listened_to, workflow))
            for workflow in self.workflows.values()
        ]
        watch = getattr(self.clock, "watch", None)  # that of the test kit
        if watch is not None:
            self._stop_listening.append(watch(lambda: self._dispatcher.is_busy))
        self._dispatcher.latest = await self._newest_record()
        await self._dispatcher.reap()
        self._is_open = True
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop what runs, hand unfinished work back, and let go. May be called again."""
        if not self._is_open:
            return
        self._is_open = False
        for drive in list(self._drives):
            drive.cancel()
        if self._drives:
            await asyncio.wait(self._drives, timeout=15)
        dispatcher = self._dispatcher
        dispatcher.keeper.stop()
        for stop in self._stop_listening:
            stop()
        if dispatcher.worker and not self._store.is_closed:
            with suppress(TreadleError):
                await self._store.remove_worker(dispatcher.worker, dispatcher.now())
        await self._runner.close()

    async def _take_up(self, workflow: Workflow, accepted: MigrationPlan | None = None) -> Taken | None:
        """The workflow, ready to run; None when it has changed and the plan for its items waits to be accepted."""
        definitions = workflow.definitions()
        specs = workflow.shape()["stages"]
        shape = await self._store.take_up(workflow.name, workflow.fingerprint, specs, workflow.backfill, accepted, self._now())
        if isinstance(shape, MigrationPlan):
            self.waiting_migrations[workflow.name] = shape
            return None
        self.waiting_migrations.pop(workflow.name, None)
        by_number = {shape.by_name[name].id: definition for name, definition in definitions.items()}
        names = {number: definition.name for number, definition in by_number.items()}
        origin = workflow.origin
        return Taken(workflow, shape, by_number, names, (origin.module or "", origin.file or ""))

    async def _newest_record(self) -> int:
        """When the newest event was told, in milliseconds: a clock that is behind that was set back."""
        newest = 0
        with suppress(StoreError):  # what is wrong with the store is said by whoever needs it more
            async for event in self.store.events(await self.store.last_seq() - 1):
                newest = to_ms(event.at) if isinstance(event, Event) and event.at is not None else newest
        return newest

    @property
    def trouble(self) -> str | None:
        """What keeps the store from working; None when nothing does."""
        return self._dispatcher.trouble.words

    @property
    def running(self) -> int:
        """Attempts running in this engine at this moment."""
        return len(self._dispatcher.running)

    def _now(self) -> int:
        return self._dispatcher.now()

    def _workflow(self, workflow: Workflow | str) -> Workflow:
        name = workflow.name if isinstance(workflow, Workflow) else workflow
        if name not in self.workflows:
            raise InvalidDefinition(f"this engine runs no workflow {name!r}; {nearest(name, self.workflows)}")
        return self.workflows[name]

    def _taken(self, workflow: Workflow | str) -> Taken:
        name = self._workflow(workflow).name
        self._check_runs(name)
        for taken in self._dispatcher.executor.taken.values():
            if taken.workflow.name == name:
                return taken
        raise InvalidDefinition(f"the engine is not open, so workflow {name!r} cannot be used; use `async with Engine(…)`")

    def _check_runs(self, workflow: str) -> None:
        """Raise `WorkflowChanged` for a workflow whose items this engine does not run, though it has its code."""
        if workflow in self.waiting_migrations:
            raise WorkflowChanged(
                workflow,
                f"workflow {workflow!r} has changed, and its items run again once the plan for them is accepted (plan_migration,"
                f" apply_migration):\n{self.waiting_migrations[workflow]}",
            )
        if workflow in self._dispatcher.superseded:
            raise WorkflowChanged(
                workflow, f"workflow {workflow!r} was changed by another engine, so this one runs its items no longer; load it again"
            )

    async def _check_runs_item(self, item_id: str) -> None:
        if self.waiting_migrations or self._dispatcher.superseded:
            item = await self.store.get_item(item_id)
            if item is not None:
                self._check_runs(item.workflow)

    # --- changed workflows ------------------------------------------------------------------------------------------

    async def plan_migration(self, workflow: Workflow | str) -> MigrationPlan:
        """What the workflow as it is now means for items that were begun before; empty when no stage has changed. Changes nothing."""
        chosen = self._workflow(workflow)
        return await self._store.plan_migration(chosen.name, chosen.fingerprint, chosen.shape()["stages"], chosen.backfill)

    async def apply_migration(self, workflow: Workflow | str, plan: MigrationPlan) -> None:
        """Accept a plan: the items are moved into the workflow as it is now, in one transaction, and run again.

        Raises: `WorkflowChanged` when something has happened since the plan was made, so that it would do something else now.
        """
        chosen = self._workflow(workflow)
        taken = await self._take_up(chosen, plan)
        if taken is None:
            now = self.waiting_migrations[chosen.name]
            raise WorkflowChanged(chosen.name, f"this plan for workflow {chosen.name!r} is out of date; look at it again:\n{now}")
        self._dispatcher.take_up([taken])
        self._dispatcher.wake()

    async def drop_stage(self, item_id: str, stage: str, by: str = "") -> None:
        """Let go of a stage that was removed from the workflow with work in it: it counts as skipped, its history stays.

        Raises: `InvalidTransition` for a stage that is part of the workflow, or has finished.
        """
        self._dispatcher.call_off(await self._store.drop_stage(item_id, stage, by, self._now()))
        self._dispatcher.wake()

    # --- items ------------------------------------------------------------------------------------------------------

    async def submit(self, workflow: Workflow | str, items: Any, priority: int = 0) -> int:
        """Add items from an iterable or async iterable, in batches, each all or nothing; how many were new.

        A known id is kept as it was; ids that another workflow has are not added and listed in `swallowed`.
        Raises: `InvalidItem` for an item that does not fit, after the batches before it were written.
        """
        taken = self._taken(workflow)
        if isinstance(priority, bool) or not isinstance(priority, int) or not -(2**31) <= priority < 2**31:
            raise InvalidItem(f"priority {priority!r} must be a whole number")
        self.swallowed = []
        new = 0
        async for batch in in_batches(items):
            encoded = [taken.workflow.item_type.encode(item) for item in batch]
            submitted = await self._store.add_items(taken.shape.id, encoded, priority, self._now())
            new += submitted.new
            self.swallowed += submitted.elsewhere
        self._dispatcher.wake()
        return new

    def keep_original(self, item_id: str, item: Any) -> None:
        """Give stages this object instead of the stored copy, when the workflow has no item type."""
        self._dispatcher.executor.originals[item_id] = item

    # --- running ----------------------------------------------------------------------------------------------------

    async def run_until_idle(self) -> None:
        """Run until nothing runs, is ready or waits for a retry; delays are waited out by the clock."""
        await self._driving(self._dispatcher.drive())
        await self._driving(self._housekeeper.tidy())

    async def run_forever(self) -> None:
        """Run what becomes ready until cancelled; then what runs is handed back."""
        keeping = asyncio.create_task(self._housekeeper.run(), name="treadle housekeeping")
        try:
            await self._driving(self._dispatcher.drive(forever=True))
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})

    async def tidy(self) -> Tidied:
        """Drop now what the database is not to keep (`set_retention`); engines do it by themselves while they have little else to do."""
        return await self._driving(self._housekeeper.tidy(at_once=True))

    async def set_retention(self, policy: Retention, workflow: Workflow | str | None = None) -> None:
        """Keep this much of a workflow, or of all that have no policy of their own, from now on.

        Raises: `InvalidDefinition` for a workflow the database does not have.
        """
        await self.store.set_retention(policy, workflow.name if isinstance(workflow, Workflow) else workflow)

    async def advance(self, item_id: str) -> None:
        """Run one item until what is left is due later or waits for a person. Raises `ItemNotFound`."""
        key = await self._store.item_key(item_id)
        await self._check_runs_item(item_id)
        await self._driving(self._dispatcher.drive(key, waits_for_delays=False))

    async def run_stage(self, item_id: str, stage: str, subtask: str | None = None) -> StageState:
        """Run one ready stage by hand, also a held one; the state it led to. Raises `InvalidTransition` when it is not ready."""
        state = await self._state_of(item_id, stage, subtask)
        await self._check_runs_item(item_id)
        if not await self._driving(self._dispatcher.run_one(item_id, stage, subtask)):
            reason = (await self.explain(item_id))[stage]
            raise InvalidTransition(item_id, stage, state, StageState.RUNNING, str(reason))
        return await self._state_of(item_id, stage, subtask)

    async def _driving(self, drive: Coroutine[Any, Any, T]) -> T:
        """Run a drive as a task of ours, so that closing the engine ends it."""
        if not self._is_open:
            drive.close()
            raise TreadleError("the engine is not open; use `async with Engine(…)`")
        task = asyncio.ensure_future(drive)
        self._drives.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            raise
        finally:
            self._drives.discard(task)

    # --- people -----------------------------------------------------------------------------------------------------

    async def resolve_review(
        self,
        item_id: str,
        stage: str,
        decision: ReviewDecision,
        version: int | None = None,
        subtask: str | None = None,
    ) -> StageState:
        """Record a decision on the version that was looked at; the state it led to.

        Raises: `ReviewConflict` when somebody was first, `InvalidTransition` when nobody is waited for, `InvalidDecision` when the
        answer cannot be recorded; the review then stays open.
        """
        verb = await verb_of_decision(self.store, self.workflows, item_id, stage, decision, version, subtask)
        return await self._store.change(verb, self._now())

    async def resolve_reviews(self, decisions: Iterable[Sequence[Any]]) -> list[StageState | Exception]:
        """Several decisions, each (item id, stage, decision, version[, subtask]), in one transaction; a state or an error per line."""
        lines = [(*line, *(None,) * (5 - len(line))) for line in decisions]
        results: list[StageState | Exception] = []
        verbs: list[Callable[[Unit], StageState]] = []
        places: list[int] = []
        for item_id, stage, decision, version, subtask in lines:
            try:
                verb = await verb_of_decision(self.store, self.workflows, item_id, stage, decision, version, subtask)
            except TreadleError as error:
                results.append(error)
                continue
            places.append(len(results))
            results.append(StageState.AWAITING_REVIEW)
            verbs.append(verb)
        for place, result in zip(places, await self._store.each_in_one(verbs, self._now()), strict=True):
            results[place] = result
        return results

    async def reopen_review(self, item_id: str, stage: str, by: str = "", subtask: str | None = None) -> None:
        """Take a decision back: the review waits again. Raises `ReviewConflict` once a dependent has started."""
        await self._store.reopen(item_id, stage, by, subtask, self._now())

    async def retry_stage(self, item_id: str, stage: str, subtask: str | None = None, by: str = "") -> None:
        """A failed or cancelled stage, or subtask, is pending again with its budget anew; of a fan-out only what failed runs again."""
        await self._store.retry(item_id, stage, by, subtask, self._now())
        self._dispatcher.wake()

    async def retry_stages(self, stages: Iterable[Sequence[Any]], by: str = "") -> list[Exception | None]:
        """Several retries, each (item id, stage[, subtask]), in one transaction; None or an error per line."""
        verbs = [
            partial(running_again.retry, item_id=line[0], stage=line[1], by=by, subtask=line[2] if len(line) > 2 else None)
            for line in stages
        ]
        results = await self._store.each_in_one(verbs, self._now())
        self._dispatcher.wake()
        return results

    async def rerun_stage(self, item_id: str, stage: str, by: str = "") -> None:
        """A finished stage and all behind it are pending again; what runs behind it is interrupted."""
        self._dispatcher.call_off(await self._store.rerun(item_id, stage, by, self._now()))
        self._dispatcher.wake()

    async def pause(self, item_id: str) -> None:
        """Nothing new starts for the item; running work finishes, reviews may be answered."""
        await self._store.pause(item_id, self._now())

    async def resume(self, item_id: str) -> None:
        """A paused item goes on."""
        await self._store.resume(item_id, self._now())
        self._dispatcher.wake()

    async def cancel(self, item_id: str, by: str = "") -> None:
        """Call off what has not ended: running work is interrupted, what is finished stays."""
        self._dispatcher.call_off(await self._store.cancel(item_id, by, self._now()))

    async def delete_item(self, item_id: str) -> None:
        """Remove an item and everything about it; running work is interrupted."""
        key = await self._store.item_key(item_id)
        await self._store.delete_item(item_id)
        self._dispatcher.call_off([lease for lease in self._dispatcher.running if lease[0][0] == key])

    async def pause_stage(self, workflow: Workflow | str, stage: str, when: str | None = None) -> None:
        """Start this stage no more, for all items or those `when` matches ("item.pages > 100"); kept, and obeyed by every engine."""
        taken = self._taken(workflow)
        if when is not None:
            condition_of(when)
        await self._store.hold_stage(taken.shape.id, stage, when, self._now())

    async def resume_stage(self, workflow: Workflow | str, stage: str) -> None:
        """Let a held stage go on."""
        taken = self._taken(workflow)
        await self._store.release_stage(taken.shape.id, stage, self._now())
        self._dispatcher.wake()


def _by_name(workflows: Workflow | Iterable[Workflow]) -> dict[str, Workflow]:
    named: dict[str, Workflow] = {}
    for workflow in [workflows] if isinstance(workflows, Workflow) else workflows:
        if named.setdefault(workflow.name, workflow) is not workflow:
            raise DuplicateStage(workflow.name, "the engine's list of workflows")
    return named


def _is_listened_to(workflow: Workflow) -> bool:
    return bool(workflow.subscriptions)


def _push(workflow: Workflow, events: Sequence[Event]) -> None:
    for subscription in list(workflow.subscriptions):
        for event in events:
            if event.workflow == workflow.name:
                subscription.push(event)
