"""The engine's loop: claims ready stages, runs their attempts, records what came of them, and knows when there is nothing left.

Event-driven: it looks again when an attempt has ended, when something was committed here or in another process, when a retry is
due by the clock. Store first, event second: whatever is told has been committed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from treadle_tui.engine.attempt_pool import AttemptPool
from treadle_tui.engine.clock import Clock, SystemClock, to_ms
from treadle_tui.engine.errors import StoreCorrupt, StoreError, WorkflowChanged
from treadle_tui.engine.executing import Executor, Taken
from treadle_tui.engine.leases import LeaseKeeper, Observer
from treadle_tui.engine.recording import Recorder, Trouble
from treadle_tui.engine.rooms import Limits, StageLimit
from treadle_tui.engine.runner.protocol import Runner
from treadle_tui.engine.running import RunningAttempt, Surroundings
from treadle_tui.engine.store.results import Claim, Move, Result
from treadle_tui.engine.store.rows import Lease
from treadle_tui.engine.store.shape import WorkflowShape
from treadle_tui.engine.store.transactional import TransactionalStore
from treadle_tui.engine.store.verbs.clock_changes import SET_BACK_MS

log = logging.getLogger("treadle.engine")

T = TypeVar("T")

STOP_SECONDS = 5.0
"""How long a stop waits for code that does not heed its cancellation; its lease is given back without it."""
REAP_SECONDS = 2.0
"""How often an engine at work looks for workers that have died, in real time."""
IDLE_LOOK_SECONDS = 10.0
"""How often an idle one does: somebody else may have died over work that this one could do."""
REFUSED_PAUSE_SECONDS = 0.5
"""How long to wait before a store that refused to be asked for work is asked again."""


def condition_of(expression: str) -> Callable[[Mapping[str, Any]], bool]:
    """A hold's condition on {"item": data}; a field the item does not have means it does not match."""
    from treadle_tui.engine.expressions import MissingField, compile_condition

    condition = compile_condition(expression)

    def matches(names: Mapping[str, Any]) -> bool:
        try:
            return bool(condition(names))
        except (MissingField, TypeError):
            return False

    return matches


class Dispatcher:
    """Runs attempts for one `Engine`. Belongs to one event loop."""

    def __init__(self, store: TransactionalStore, clock: Clock, runner: Runner, concurrency: int) -> None:
        self.store = store
        self.clock = clock
        self.executor = Executor(clock, runner, self.now)
        self.worker = 0
        """This engine's number in the store; 0 until it first claims."""
        self.trouble = Trouble()
        """What keeps the store from working."""
        self.superseded: set[str] = set()
        """Workflows that another engine has changed meanwhile: what runs of them is finished, nothing else is begun."""
        self.running: dict[Lease, RunningAttempt] = {}
        self.keeper = LeaseKeeper(self._beat, self._tell_blocked)
        self._limits = Limits(concurrency, (), {})
        self._observer = Observer()
        self._wakes: set[asyncio.Event] = set()
        """One of each drive: a flag of all would be cleared by one before another has seen it."""
        self._next_look = 0.0
        self.latest = 0
        """The latest moment that this engine, or the store's newest event, knows of, in milliseconds by the clock."""
        self._claiming = asyncio.Lock()
        self._is_starved = False
        """Whether more may be ready than there was room for at the last claim."""
        self._leaves_results_behind = False
        """Whether a stop has left results that the store refused: what they belong to is still leased, and runs nowhere."""
        self.recorder = Recorder(
            store, self._limits, self.now, self.trouble, shapes=self._shapes_run, begin=self._begin, recorded=self._are_recorded
        )

    # --- what is run ------------------------------------------------------------------------------------------------

    def take_up(self, taken: list[Taken]) -> None:
        """Run these workflows, besides those there are."""
        self.executor.take_up(taken)
        self.superseded -= {each.workflow.name for each in taken}
        stages = [
            StageLimit(number, definition.concurrency, definition.tags) for each in taken for number, definition in each.definitions.items()
        ]
        tags = {tag: (limit.concurrency, limit.rate) for each in taken for tag, limit in each.workflow.limits.items()}
        self._limits.add(stages, tags)

    @property
    def current(self) -> list[Taken]:
        """The workflows this engine runs, as the store has them too."""
        return [taken for taken in self.executor.taken.values() if taken.workflow.name not in self.superseded]

    @property
    def stages(self) -> frozenset[int]:
        """Numbers of every stage this engine runs."""
        if not self.superseded:
            return frozenset(self._limits.stages)
        return frozenset(number for taken in self.current for number in taken.definitions)

    @property
    def is_busy(self) -> bool:
        """Whether it waits for its store, or is about to ask it."""
        return bool(self.recorder.tasks) or self._claiming.locked() or any(wake.is_set() for wake in self._wakes)

    def now(self) -> int:
        """Milliseconds by the engine's clock."""
        if type(self.clock) is SystemClock:  # asked four times per attempt: a datetime costs six times as much
            return time.time_ns() // 1_000_000
        return to_ms(self.clock.now())

    def wake(self) -> None:
        """Look again whether there is something to do."""
        for wake in self._wakes:
            wake.set()

    def _beat(self) -> None:
        self.store.post_beat(self.worker)

    def _tell_blocked(self, task: asyncio.Task[object]) -> None:
        """Called from the lease thread while a stage keeps the loop from turning."""
        attempt = next((each for each in list(self.running.values()) if each.task is task), None)
        if attempt is None:
            log.warning("the event loop has not turned for half a second; it is in task %s", task.get_name())
            return
        claim = attempt.claim
        name = self.executor.taken[claim.workflow].names[claim.stage]
        message = (
            f"stage {name!r} of item {claim.item_id!r} blocks the event loop, so nothing else runs;"
            ' make it a plain function, or give it isolation="process"'
        )
        log.warning(message)
        self.store.post_notes(self.worker, claim.key, claim.fence, [("log", 0.0, message)], self.now())

    # --- the loop ---------------------------------------------------------------------------------------------------

    async def drive(self, item: int | None = None, *, waits_for_delays: bool = True, forever: bool = False) -> None:
        """Run what is ready, of one item or of all, until nothing is.

        `waits_for_delays`: also wait, by the clock, for retries that are due later. `forever`: never end by itself.
        """
        pool = AttemptPool(self.executor.run, self.recorder.ended)
        wake = asyncio.Event()
        stop_ringing = self.store.news.ring(asyncio.get_running_loop(), wake)
        self._wakes.add(wake)
        try:
            while True:
                wake.clear()
                self.trouble.raise_if_fatal()
                try:
                    await self._look_after_others()
                    claims = await self._claim(item)
                    self._begin(pool, claims)
                    if not claims and not await self._wait(wake, item, waits_for_delays, forever):
                        return
                except StoreError as error:
                    await self._bear(error)
                    continue
                if claims:
                    await asyncio.sleep(0)
        finally:
            stop_ringing()
            self._wakes.discard(wake)
            await self._stop(pool)

    async def run_one(self, item_id: str, stage: str, subtask: str | None) -> bool:
        """Run a single task to its end, beyond every limit and hold; False when it is not ready."""
        task: asyncio.Task[None] | None = None
        try:
            async with self._claiming:
                claim = None
                while claim is None:
                    worker = await self.ensure_worker()
                    taking = self.store.claim_one(worker, item_id, stage, subtask, self.now(), self._fingerprints())
                    claim = await self._taken_in_hand(taking)
                    if claim is None:
                        await self._begin_anew()
                if isinstance(claim, bool):
                    return claim
                self._limits.started(claim.stage, self.now())
                [attempt] = self._attempts([claim])
                attempt.task = task = asyncio.create_task(self._run_alone(attempt), name="treadle attempt")
            await asyncio.shield(task)
            self.trouble.raise_if_fatal()
        finally:
            if task is not None and not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=STOP_SECONDS)
        return True

    async def ensure_worker(self) -> int:
        """This engine's number in the store, given at its first claim."""
        if not self.worker:
            keeper = self.keeper
            self.worker = await self.store.add_worker(keeper.uuid, keeper.host, keeper.pid, keeper.pid_start)
        return self.worker

    async def _claim(self, item: int | None) -> list[Claim]:
        async with self._claiming:
            now = self.now()
            room = self._limits.room
            if room <= 0 or not self.executor.taken or self.trouble.holds_results:
                return []
            if not self.worker and not await self._is_anything_ready(item):
                return []
            worker = await self.ensure_worker()
            if self._leaves_results_behind:
                await self.store.hand_back_all_but(worker, set(self.running), now)
                self._leaves_results_behind = False
            rooms, tags = self._limits.stage_rooms(), self._limits.tag_rooms(now)
            if self.superseded:
                rooms = [each for each in rooms if each.stage in self.stages]
            try:
                claims = await self._taken_in_hand(
                    self.store.claim(worker, rooms, room, tags, condition_of, item, now, self._fingerprints())
                )
            except WorkflowChanged as changed:
                self._leave(changed)
                return []
            self.trouble.over()
            if claims is None:
                await self._begin_anew()
                self.wake()
                return []
            for claim in claims:
                self._limits.started(claim.stage, now)
            self._is_starved = len(claims) >= room
            return claims

    async def _taken_in_hand(self, claiming: Awaitable[T]) -> T:
        """What a claim gives. When the wait for it is cancelled, it may yet be committed: then what nobody runs is handed back."""
        try:
            return await claiming
        except asyncio.CancelledError:
            await self.store.hand_back_all_but(self.worker, set(self.running), self.now())
            raise

    def _fingerprints(self) -> dict[int, str]:
        return {taken.shape.id: taken.shape.fingerprint for taken in self.current}

    def _leave(self, changed: WorkflowChanged) -> None:
        """Another engine has changed a workflow: its items are no longer ours to run."""
        self.superseded.add(changed.workflow)
        log.error("%s", changed)
        self.wake()

    async def _is_anything_ready(self, item: int | None) -> bool:
        outlook = await self.store.outlook(self.worker, self.stages, item, self.now())
        return outlook.is_ready

    async def _bear(self, error: StoreError) -> None:
        """The store refuses: say so once, take no work, and ask again later. What cannot pass by waiting is raised."""
        if isinstance(error, StoreCorrupt) or self.store.is_closed:
            raise error
        self.trouble.met(error)
        # Whoever cannot write shows no sign of life either: nobody is taken for dead by what was seen in this time.
        self._observer.forget()
        await asyncio.sleep(REFUSED_PAUSE_SECONDS)
        self.wake()

    async def _look_after_others(self) -> None:
        """Now and then: recover what dead workers left, and end reviews that have waited too long."""
        loop_time = asyncio.get_running_loop().time()
        if loop_time >= self._next_look:
            self._next_look = loop_time + REAP_SECONDS
            await self.reap()
        due = await self.store.outlook(self.worker, self.stages, None, self.now()) if self._expiry_is_possible else None
        if due is not None and due.next_due is not None and due.next_due <= self.now():
            await self.store.expire_reviews(self.now())

    @property
    def _expiry_is_possible(self) -> bool:
        return any(
            policy.expires_after is not None
            for taken in self.executor.taken.values()
            for definition in taken.definitions.values()
            for policy in (definition.review, *([] if definition.each is None else [definition.each.review]))
        )

    async def reap(self) -> None:
        """Recover what dead workers left running, and what a clock that was set back has put off."""
        try:
            await self._follow_clock()
            workers = await self.store.workers()
            dead = self._observer.dead(workers, self.worker or None)
            if dead:
                await self.store.reap(dead, self.now())
            if self.worker:
                await self._keep_to_own_leases(is_known=any(worker.id == self.worker for worker in workers))
        except StoreError as error:
            await self._bear(error)

    async def _follow_clock(self) -> None:
        now = self.now()
        if now + SET_BACK_MS < self.latest:
            moved = await self.store.keep_distances(now)
            log.warning("the clock was set back by %d seconds; %d waiting stages keep their delay", (self.latest - now) // 1000, moved)
        self.latest = now

    async def _keep_to_own_leases(self, is_known: bool) -> None:
        """Interrupt what another engine has called off or taken over; draw a new number when it took this one for dead."""
        if not is_known:
            await self._begin_anew()
            return
        running = list(self.running)
        held = await self.store.leases_of(self.worker) if running else ()
        self.call_off(lease for lease in running if lease not in held)

    async def _begin_anew(self) -> None:
        """Others took this engine for dead, as after a night's sleep: what it held is theirs now, and its next claim is a new worker's.

        One that holds nothing shows no sign of life, and loses nothing but its number: that is not worth a word.
        """
        if self.running or self.recorder.came_too_late:
            log.warning("this engine was taken for dead, and what it ran has been recovered elsewhere; it goes on under a new number")
        self.worker, self.recorder.came_too_late = 0, False
        lost = {attempt.task for attempt in self.running.values() if attempt.task is not None}
        self.call_off(list(self.running))
        if lost:
            await asyncio.wait(lost, timeout=STOP_SECONDS)

    async def _wait(self, wake: asyncio.Event, item: int | None, waits_for_delays: bool, forever: bool) -> bool:
        """Wait for a reason to look again; False when there will be none."""
        if wake.is_set():
            return True
        if self._limits.room <= 0 and self.running:
            await self._sleep_until(wake, None, True)
            return True
        outlook = await self.store.outlook(self.worker, self.stages, item, self.now())
        next_start = self._limits.next_rate_room(self.now()) if outlook.is_ready else None
        if outlook.is_ready and next_start is None and not self.running:
            await asyncio.sleep(0)
            return True  # it became ready since the claim
        is_busy = any(item in (None, key[0]) for key, _ in self.running) or outlook.is_leased_elsewhere
        is_busy = is_busy or (outlook.is_ready and bool(self.running))
        later = [moment for moment in (outlook.next_retry, next_start) if moment is not None] if waits_for_delays else []
        if not (forever or is_busy or later):
            return False
        if forever and outlook.next_due is not None:
            later.append(outlook.next_due)
        await self._sleep_until(wake, min(later, default=None), outlook.is_leased_elsewhere)
        return True

    async def _sleep_until(self, wake: asyncio.Event, due: int | None, others_run: bool) -> None:
        """Until something was committed or has ended, or it is `due` by the clock, or others must be looked after."""
        waiting: set[asyncio.Task[Any]] = {asyncio.create_task(wake.wait(), name="treadle wake")}
        if due is not None:
            seconds = max(0.0, (due - self.now()) / 1000)
            waiting.add(asyncio.create_task(self.clock.sleep(seconds), name="treadle due"))
        try:
            timeout = REAP_SECONDS if others_run or self.running else IDLE_LOOK_SECONDS
            await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    async def _stop(self, pool: AttemptPool) -> None:
        """End the attempts of one drive; what has not ended is handed back."""
        never_begun = await pool.stop(STOP_SECONDS)
        with suppress(StoreError):
            if never_begun:
                await self.store.hand_back(self.worker, [(each.claim.key, each.claim.fence) for each in never_begun], self.now())
        self._are_recorded(never_begun, False)
        unrecorded = await self.recorder.stop(STOP_SECONDS)
        self._leaves_results_behind = self._leaves_results_behind or bool(unrecorded)
        self._are_recorded(unrecorded, False)
        # The store commits in order: once this is through, so is what the attempts handed to it while nobody waited any more.
        with suppress(StoreError):
            await self.store.change(lambda unit: None, self.now())

    # --- one attempt ------------------------------------------------------------------------------------------------

    def _attempts(self, claims: Iterable[Claim]) -> list[RunningAttempt]:
        around = Surroundings(self.store, self.clock, asyncio.get_running_loop())
        attempts = [RunningAttempt(claim, self.worker, around) for claim in claims]
        self.running.update(((attempt.claim.key, attempt.claim.fence), attempt) for attempt in attempts)
        self.keeper.holds_leases = bool(self.running)
        return attempts

    def _begin(self, pool: AttemptPool, claims: Sequence[Claim]) -> None:
        """Run what was claimed; when the drive has ended meanwhile, hand it back."""
        attempts = self._attempts(claims)
        if pool.is_open:
            pool.add(attempts)
            return
        for attempt in attempts:
            self.recorder.ended(attempt, Result(move=Move.HAND_BACK))

    def _are_recorded(self, attempts: Iterable[RunningAttempt], look: bool) -> None:
        """These are through; `look` for more, when there may be something new to claim."""
        for attempt in attempts:
            claim = attempt.claim
            if attempt.is_counted:
                self._limits.ended(claim.stage)
            self.running.pop((claim.key, claim.fence), None)
        self.keeper.holds_leases = bool(self.running)
        if look or self._is_starved or not self.running:
            self.wake()

    async def _run_alone(self, attempt: RunningAttempt) -> None:
        """One attempt that somebody waits for, from claim to record."""
        try:
            result = await self.executor.run(attempt)
            attempt.task = None
            await self.recorder.record(attempt, result)
        finally:
            self._are_recorded([attempt], True)

    def _shapes_run(self) -> dict[int, WorkflowShape]:
        return {taken.shape.id: taken.shape for taken in self.current}

    def call_off(self, leases: Iterable[Lease]) -> None:
        """A person called off work: interrupt what of it runs here; its results change nothing."""
        for lease in leases:
            attempt = self.running.get(lease)
            if attempt is None:
                continue
            attempt.is_called_off = True
            attempt.is_cancelled = True
            if attempt.task is not None:
                attempt.task.cancel()
