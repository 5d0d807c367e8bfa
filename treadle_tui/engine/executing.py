"""Runs one claimed attempt: what its code is told, calling it within its time, and the result that follows from what it answered.

Knows nothing of stores, limits and drives. The steps themselves are in `attempt`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from treadle_tui.engine.attempt import AttemptTimedOut, Resolution, is_straight, straight_result, upstream_by_name
from treadle_tui.engine.clock import Clock
from treadle_tui.engine.codec import decision_from_json, decode_json, feedback_from_json
from treadle_tui.engine.direct_call import GAVE_NOTHING, DirectCall, direct_call
from treadle_tui.engine.errors import InvalidItem
from treadle_tui.engine.functions import failure_of
from treadle_tui.engine.items import ItemType
from treadle_tui.engine.record import Record
from treadle_tui.engine.review import ReviewDecision
from treadle_tui.engine.runner.local import LocalRunner
from treadle_tui.engine.runner.protocol import Runner, StageCall
from treadle_tui.engine.running import RunningAttempt
from treadle_tui.engine.secrets import secret_texts
from treadle_tui.engine.stage import StageContext
from treadle_tui.engine.stage_definition import StageDefinition, as_outcome
from treadle_tui.engine.store.results import Claim, Move, Result, Work
from treadle_tui.engine.store.shape import WorkflowShape
from treadle_tui.engine.store.views import attempt_record
from treadle_tui.engine.workflow import Workflow

log = logging.getLogger("treadle.engine")

PROCESS_END_SECONDS = 8.0
"""How long an attempt in a process of its own is waited for once its time is up: until after SIGKILL."""

_HAND_BACK = Result(move=Move.HAND_BACK)
_STAGE, _REDUCE = Work.STAGE, Work.REDUCE  # looked up once: a member of an `Enum` is found slowly


class Taken(Record, frozen=True):
    """A workflow an engine runs: its code, and its shape in the store."""

    workflow: Workflow
    shape: WorkflowShape
    definitions: Mapping[int, StageDefinition]
    """By stage number."""
    names: Mapping[int, str]
    origin: tuple[str, str] = ("", "")
    """Module name and file of the workflow."""


class Executor:
    """Runs the attempts of one engine's workflows. Belongs to one event loop."""

    def __init__(self, clock: Clock, runner: Runner, now: Callable[[], int]) -> None:
        """`now` gives milliseconds by the clock."""
        self.originals: dict[str, Any] = {}
        """Items as they were submitted, for the small form."""
        self.taken: dict[int, Taken] = {}
        """The workflows, by their number in the store."""
        self._clock = clock
        self._runner = runner
        self._now = now
        self._straight: set[tuple[int, Work]] = set()
        """Work of stages whose completed attempts nobody judges or reviews, and that has no time limit."""
        self._direct: dict[int, DirectCall | None] = {}
        """How to call the stages of which nothing but a call is wanted."""
        self._direct_to_subtasks: dict[int, DirectCall | None] = {}

    def take_up(self, taken: Iterable[Taken]) -> None:
        """Know these workflows as well, or anew."""
        for each in taken:
            self.taken[each.shape.id] = each
            for number, definition in each.definitions.items():
                for work in Work:
                    (self._straight.add if is_straight(definition, work) else self._straight.discard)((number, work))
            if type(self._runner) is LocalRunner:
                self._take_up_direct(each)

    def _take_up_direct(self, taken: Taken) -> None:
        numbers = {name: number for number, name in taken.names.items()}
        for number, definition in taken.definitions.items():
            for work, directly in ((Work.STAGE, self._direct), (Work.SUBTASK, self._direct_to_subtasks)):
                directly[number] = direct_call(definition, work, taken.workflow.item_type, numbers)

    def run(self, attempt: RunningAttempt) -> Coroutine[Any, Any, Result]:
        """How the attempt ended; nothing a user's code does gets past here."""
        claim = attempt.claim
        work = claim.work
        direct = None
        if work is not _REDUCE:
            direct = (self._direct if work is _STAGE else self._direct_to_subtasks).get(claim.stage)
        return self._run(attempt) if direct is None else self._run_directly(attempt, direct)

    async def _run(self, attempt: RunningAttempt) -> Result:
        if attempt.is_called_off:  # before it was begun
            return _HAND_BACK
        try:
            return await self._result(attempt)
        except asyncio.CancelledError:
            attempt.is_cancelled = True
            return _HAND_BACK

    async def _run_directly(self, attempt: RunningAttempt, direct: DirectCall) -> Result:
        """As `_run`, for the ordinary attempt of a stage, or subtask, that is an async function and no more."""
        claim = attempt.claim
        ctx: StageContext | None = None
        item = None
        try:
            arguments = direct.told(claim)
            if direct.takes_context:
                arguments["ctx"] = ctx = self._context(attempt, self.taken[claim.workflow], direct.definition)
        except Exception:
            return await self._run(attempt)  # which says what it is that cannot be read
        if attempt.is_called_off:  # before it was begun
            return _HAND_BACK
        try:
            arguments["item"] = item = self._item(direct.item_type, claim)
            answer = await direct.function.function(**direct.function.arguments(arguments))
            if answer is None and direct.may_give_nothing and (ctx is None or not ctx.statements):
                return GAVE_NOTHING
            outcome = as_outcome(answer)
            result = straight_result(direct.definition, claim.work, ctx, outcome)
            return result or await self._resolution(attempt, ctx, item).of_outcome(outcome)
        except BaseException as error:  # whatever a user's code raises is a failed attempt
            if isinstance(error, GeneratorExit) and not _is_at_work(attempt):
                raise
            failure = failure_of(error, direct.name)
            if failure is None:
                attempt.is_cancelled = True
                return _HAND_BACK
            return self._failed(attempt, ctx, item, failure)

    async def _result(self, attempt: RunningAttempt) -> Result:
        claim = attempt.claim
        taken = self.taken[claim.workflow]
        definition = taken.definitions[claim.stage]
        if definition.secrets:
            attempt.secrets = set()
        try:
            ctx = self._context(attempt, taken, definition)
        except Exception as error:  # the file holds something that cannot be what was written: this stage alone suffers for it
            log.exception("what is stored for attempt %s cannot be read", claim.idempotency_key)
            return Result(move=Move.FAIL, outcome="error", error=f"what is stored for it cannot be read: {error}; restore a backup")
        item = None
        try:
            item = self._item(taken.workflow.item_type, claim)
            if definition.secrets:
                attempt.secrets |= secret_texts([decode_json(claim.item_data), ctx.upstream], definition.secrets)
            call = StageCall(
                definition=definition,
                work=claim.work,
                item=item,
                ctx=ctx,
                origin=taken.origin,
                workflow=taken.workflow.name,
                results={name: None if output is None else decode_json(output) for name, output in claim.results.items()},
            )
            if (claim.stage, claim.work) not in self._straight:
                return await self._within_time(attempt, self._resolution(attempt, ctx, item), call)
            outcome = await self._runner.run(call)
            return straight_result(definition, claim.work, ctx, outcome) or await self._resolution(attempt, ctx, item).of_outcome(outcome)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # whatever a user's code raises is a failed attempt
            if isinstance(error, GeneratorExit) and not _is_at_work(attempt):
                raise
            return self._failed(attempt, ctx, item, error)

    def _failed(self, attempt: RunningAttempt, ctx: StageContext | None, item: Any, error: BaseException) -> Result:
        """What an exception leads to."""
        if not isinstance(error, AttemptTimedOut):
            log.info("attempt %s failed", attempt.claim.idempotency_key, exc_info=error)
        return self._resolution(attempt, ctx, item).of_error(error)

    def _resolution(self, attempt: RunningAttempt, ctx: StageContext | None, item: Any) -> Resolution:
        """`ctx`: what the code was given; None when it was given none."""
        taken = self.taken[attempt.claim.workflow]
        definition = taken.definitions[attempt.claim.stage]
        ctx = ctx or self._context(attempt, taken, definition)
        resolution = Resolution(definition, attempt.claim, taken.workflow.name, ctx, item, attempt.secrets)
        resolution.claim_now = self._now()
        return resolution

    async def _within_time(self, attempt: RunningAttempt, resolution: Resolution, call: StageCall) -> Result:
        seconds = resolution.budget.attempt_timeout
        if seconds is None:
            return await self._called_and_judged(resolution, call)
        working = asyncio.create_task(self._called_and_judged(resolution, call), name=f"timed {call.definition.name}")
        limit = asyncio.create_task(self._clock.sleep(seconds), name="treadle attempt timeout")
        # A stage that blocks the loop is still named: the attempt's task is the one that works.
        outer, attempt.task = attempt.task, working  # type: ignore[assignment]
        try:
            await asyncio.wait({working, limit}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return await working
            attempt.is_cancelled = True
            working.cancel()
            # A process of its own is surely ended, so the next attempt is never beside it; a thread cannot be.
            await asyncio.wait({working}, timeout=PROCESS_END_SECONDS if call.definition.isolation else 1.0)
            if working.done() and not working.cancelled() and working.exception() is not None:
                log.info("attempt %s ended after its time", attempt.claim.idempotency_key, exc_info=working.exception())
            raise AttemptTimedOut(f"the attempt took longer than {seconds:g} seconds")
        finally:
            attempt.task = outer
            limit.cancel()
            working.cancel()

    async def _called_and_judged(self, resolution: Resolution, call: StageCall) -> Result:
        outcome = await self._runner.run(call)
        resolution.claim_now = self._now()
        return await resolution.of_outcome(outcome)

    def _item(self, item_type: ItemType, claim: Claim) -> Any:
        if claim.item_id in self.originals and item_type.annotation is None:
            return self.originals[claim.item_id]
        try:
            return item_type.decode(claim.item_data)
        except InvalidItem as error:
            raise InvalidItem(f"{error}; the stored item no longer fits its type") from error

    def _context(self, attempt: RunningAttempt, taken: Taken, definition: StageDefinition) -> StageContext:
        claim = attempt.claim
        decisions: dict[str, ReviewDecision] = {}
        for stage, stored in claim.decisions.items():
            decision = decision_from_json(dict(stored))
            if decision is not None:
                decisions[taken.names[stage]] = decision
        each = definition.each
        budget = each.retry if claim.work is Work.SUBTASK and each is not None else definition.retry
        return StageContext(
            item_id=claim.item_id,
            stage_name=definition.name,
            workflow=taken.workflow.name,
            attempt=claim.attempt,
            max_attempts=budget.max_attempts + claim.extra,
            subtask=claim.subtask,
            subtask_metadata=claim.metadata,
            feedback=feedback_from_json(dict(claim.feedback)) if claim.feedback else None,
            previous_attempts=[attempt_record(each) for each in claim.previous] if claim.previous else (),
            upstream=definition.upstream_view(upstream_by_name(claim, taken.names)) if definition.depends_on else None,
            values={stage: decision.values for stage, decision in decisions.items() if decision.values} if decisions else None,
            decisions=decisions,
            idempotency_key=claim.idempotency_key,
            services=attempt,
            sleep=self._clock.sleep,
        )


def _is_at_work(attempt: RunningAttempt) -> bool:
    """Whether this attempt's task is the one that runs; when it is not, its coroutine is being closed."""
    try:
        return asyncio.current_task() is attempt.task
    except RuntimeError:  # no loop runs at all
        return False
