"""Hands the results of attempts to the store, many at once, and keeps those that it refuses until it does not.

What ends while a batch is under way is the next one, so that batches grow with the load; only a full one does not wait for the one
before it. Ordinary completions are one call, which also claims the stages they set free; everything else is recorded attempt by attempt.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING

from treadle_tui.engine.attempt_pool import AttemptPool
from treadle_tui.engine.errors import StoreCorrupt, StoreError
from treadle_tui.engine.rooms import Limits
from treadle_tui.engine.running import RunningAttempt
from treadle_tui.engine.store.results import Claim, Ended, Move, Recorded, Result, is_plain
from treadle_tui.engine.store.transactional import TransactionalStore

if TYPE_CHECKING:
    from treadle_tui.engine.store.shape import WorkflowShape

log = logging.getLogger("treadle.engine")

STORE_PAUSES = (0.1, 0.5, 2.0, 5.0)
"""Seconds to wait before a store that refused is asked again; the last one is repeated."""

BATCH = 512
"""Attempts recorded by one call: while the store writes these, the engine runs what the last call set free."""
AT_ONCE = 2
"""Calls under way at once, as long as each is a full one: the store goes on with one while the engine begins what another claimed."""

_Finish = Callable[[int, Sequence[Ended], Collection[int], Mapping[int, str], int], Awaitable[Recorded]]
Begin = Callable[[AttemptPool, Sequence[Claim]], None]


class Trouble:
    """What keeps the store from working: said once, however often it is asked again and however it words its refusals."""

    def __init__(self) -> None:
        self.words: str | None = None
        """The store's own sentence; None while it works."""
        self.held_results = 0
        """Results it has refused so far."""
        self.fatal: StoreError | None = None
        """What will not pass by waiting: a result could not be recorded for it, and the engine can go on no more."""

    @property
    def holds_results(self) -> bool:
        """Whether results wait for the store: until it takes them, nothing new is begun."""
        return self.held_results > 0

    def met(self, error: StoreError) -> None:
        """The store has refused."""
        if self.words is None:
            log.error("%s; no work is begun until that is over, and results are kept and tried again", error)
        self.words = str(error)

    def over(self) -> None:
        """The store has taken a change."""
        if self.words is not None and not self.held_results:
            log.warning("the store takes changes again; work goes on")
            self.words = None

    def raise_if_fatal(self) -> None:
        """Raise what the engine cannot go on after."""
        if self.fatal is not None:
            raise self.fatal


class Recorder:
    """Records for one engine. Belongs to one event loop."""

    def __init__(
        self,
        store: TransactionalStore,
        limits: Limits,
        now: Callable[[], int],
        trouble: Trouble,
        *,
        shapes: Callable[[], Mapping[int, WorkflowShape]],
        begin: Begin,
        recorded: Callable[[Sequence[RunningAttempt], bool], None],
    ) -> None:
        """`shapes`: those this engine runs, by workflow. `begin` runs what was claimed on the way. `recorded` is told of attempts
        that are through, and whether there may be something new to claim.
        """
        self.store = store
        self._trouble = trouble
        self._limits = limits
        self._now = now
        self._shapes = shapes
        self._begin = begin
        self._recorded = recorded
        self._ended: list[RunningAttempt] = []
        self._in_hand: dict[asyncio.Task[None], list[RunningAttempt]] = {}
        """Those whose results are being recorded, by what records them."""
        self.came_too_late = False
        """Whether something of this engine has been recovered elsewhere before its result was there, since it has its number."""

    def ended(self, attempt: RunningAttempt, result: Result) -> None:
        """An attempt has ended: record it soon."""
        if attempt.has_notes:
            attempt.flush(self._now())
        attempt.result = result
        self._ended.append(attempt)
        if not self._in_hand or (len(self._ended) >= BATCH and len(self._in_hand) < AT_ONCE):
            task = asyncio.create_task(self._record_what_ended(), name="treadle recorder")
            self._in_hand[task] = []

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """What records at this moment."""
        return set(self._in_hand)

    async def stop(self, seconds: float) -> list[RunningAttempt]:
        """Wait so long until everything that has ended is recorded; the attempts whose results the store still refuses then."""
        if self._in_hand:
            await asyncio.wait(self.tasks, timeout=seconds)
        if not self._in_hand:
            return []
        for task in self.tasks:
            task.cancel()
        left = list(chain(*self._in_hand.values(), self._ended))
        await asyncio.wait(self.tasks, timeout=seconds)
        self._in_hand.clear()
        self._ended = []
        return left

    async def _record_what_ended(self) -> None:
        me = asyncio.current_task()
        assert me is not None
        try:
            while self._ended:
                batch, self._ended = self._ended[:BATCH], self._ended[BATCH:]
                self._in_hand[me] = batch
                plain, subtasks, others = _sorted_out(batch)
                if plain:
                    others += await self._record_plainly(plain, self.store.finish_plainly)
                if subtasks:
                    others += await self._record_plainly(subtasks, self.store.finish_subtasks)
                if others:
                    one, *more = others
                    if more:
                        await asyncio.gather(*(self._record_one(attempt, _result_of(attempt)) for attempt in others))
                    else:
                        await self._record_one(one, _result_of(one))
                    self._recorded(others, True)
                self._in_hand[me] = []
        finally:
            del self._in_hand[me]

    # --- many at once -----------------------------------------------------------------------------------------------

    async def _record_plainly(self, batch: list[RunningAttempt], finish: _Finish) -> list[RunningAttempt]:
        """Record ordinary completions in one call, and begin what it claimed; those that must be recorded one by one after all."""
        worker = batch[0].worker
        if any(attempt.worker != worker or attempt.is_called_off for attempt in batch):
            return batch
        now = self._now()
        shapes = self._shapes()
        for attempt in batch:
            self._limits.ended(attempt.claim.stage)
            attempt.is_counted = False
        # Those that share the room these have left: what is set free comes after what is ready and has waited for it.
        contenders = [room.stage for room in self._limits.stage_rooms()]
        wanted = [Ended(attempt.claim, _result_of(attempt), self._onward(attempt, shapes, now)) for attempt in batch]
        fingerprints = {shape.id: shape.fingerprint for shape in shapes.values()}
        claims: Sequence[Claim] = ()
        try:
            recorded = await finish(worker, wanted, contenders, fingerprints, now)
            claims = recorded.claims
        except Exception as error:
            log.debug("a batch of %d is recorded one by one: %s", len(batch), error)
            return batch
        finally:
            is_all_claimed = self._give_back_room(wanted, claims, now)
        self._trouble.over()
        self._go_on(batch, wanted, claims)
        left = {each.claim.key for each in recorded.left}
        through = [attempt for attempt in batch if attempt.claim.key not in left] if left else batch
        self._recorded(through, not claims or not is_all_claimed)
        return [attempt for attempt in batch if attempt.claim.key in left] if left else []

    def _onward(self, attempt: RunningAttempt, shapes: Mapping[int, WorkflowShape], now: int) -> Sequence[int]:
        """What there is room for behind an attempt that has ended; the starts are counted."""
        claim = attempt.claim
        if claim.workflow not in shapes or attempt.pool is None or not attempt.pool.is_open:
            return ()
        stage = shapes[claim.workflow].by_id.get(claim.stage)
        following: Sequence[int] = () if stage is None else stage.dependents if claim.subtask is None else (stage.id,)
        return [number for number in following if self._limits.take_room(number, now)] if following else ()

    def _give_back_room(self, wanted: Sequence[Ended], claims: Sequence[Claim], at: int) -> bool:
        """Count no longer what was counted at that moment and not claimed after all; whether everything was."""
        if len(claims) == sum(len(each.onward) for each in wanted):
            return True
        spare = Counter(number for each in wanted for number in each.onward)
        spare -= Counter(claim.stage for claim in claims)
        for number in spare.elements():
            self._limits.give_back(number, at)
        return not spare

    def _go_on(self, ended: Sequence[RunningAttempt], wanted: Sequence[Ended], claims: Sequence[Claim]) -> None:
        """Begin what was claimed, each in the drive in which what set it free has run."""
        pools = {each.claim.key[0]: attempt.pool for attempt, each in zip(ended, wanted, strict=True) if each.onward}
        for pool in set(pools.values()):
            if pool is not None:
                self._begin(pool, [claim for claim in claims if pools[claim.key[0]] is pool])

    # --- one by one -------------------------------------------------------------------------------------------------

    async def record(self, attempt: RunningAttempt, result: Result) -> None:
        """Record one attempt's result and wait for it."""
        attempt.flush(self._now())
        attempt.result = result
        await self._record_one(attempt, result)

    async def _record_one(self, attempt: RunningAttempt, result: Result) -> None:
        """Have the store record how the attempt ended, however long it refuses to."""
        is_held = False

        def hold(error: StoreError) -> None:
            nonlocal is_held
            self._trouble.held_results += not is_held
            is_held = True
            self._trouble.met(error)

        try:
            recorded = await self._insist(attempt, result, hold)
        except asyncio.CancelledError:
            if is_held:
                log.warning("the result of %s could not be recorded before the stop; it runs again", attempt.claim.idempotency_key)
            raise
        except StoreError as error:
            # A store that is closed or broken: nobody waits for this attempt, and the next engine finds it interrupted.
            log.error("the result of %s could not be recorded, so it runs again: %s", attempt.claim.idempotency_key, error)
            if not self.store.is_closed:
                self._trouble.fatal = error
            return
        except Exception:
            log.exception("the result of %s could not be recorded; it runs again after the next start", attempt.claim.idempotency_key)
            return
        finally:
            self._trouble.held_results -= is_held
        self._trouble.over()
        if not recorded and not attempt.is_called_off:
            self.came_too_late = True
            log.warning("the result of %s came too late: its lease was lost", attempt.claim.idempotency_key)

    async def _insist(self, attempt: RunningAttempt, result: Result, hold: Callable[[StoreError], None]) -> bool:
        """Whether it was recorded, and not too late; `hold` is told of every refusal that may pass."""
        claim = attempt.claim
        for pause in chain(STORE_PAUSES, repeat(STORE_PAUSES[-1])):
            try:
                return await self.store.finish(attempt.worker, claim.key, claim.fence, result, self._now())
            except StoreError as error:
                if isinstance(error, StoreCorrupt) or self.store.is_closed:
                    raise
                hold(error)
                await asyncio.sleep(pause)
            except Exception as error:  # never leave a stage running because its result cannot be written
                if result.outcome == "error":
                    raise
                log.exception("the result of %s cannot be recorded as it is", claim.idempotency_key)
                problem = f"its result cannot be recorded: {type(error).__name__}: {error}"
                result = Result(move=Move.FAIL, outcome="error", error=problem)
        raise AssertionError("it insists for ever")


def _sorted_out(batch: Sequence[RunningAttempt]) -> tuple[list[RunningAttempt], list[RunningAttempt], list[RunningAttempt]]:
    """Stages that just completed, subtasks that did, and all else."""
    plain: list[RunningAttempt] = []
    subtasks: list[RunningAttempt] = []
    others: list[RunningAttempt] = []
    for attempt in batch:
        claim = attempt.claim
        (others if not is_plain(claim, _result_of(attempt)) else plain if claim.subtask is None else subtasks).append(attempt)
    return plain, subtasks, others


def _result_of(attempt: RunningAttempt) -> Result:
    assert attempt.result is not None, "it has ended"
    return attempt.result
