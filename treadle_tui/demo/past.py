"""Makes up what has happened this morning: invoices arrived, ran, failed, and people decided about some of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from treadle_tui.demo.fate import fate
from treadle_tui.demo.invoices import REASONS, invoice, invoices
from treadle_tui.demo.letters import letter, letters
from treadle_tui.demo.pace import Pace
from treadle_tui.engine import Approve, ApproveWithEdits, Reject, RequestChanges, Workflow
from treadle_tui.engine.engine import Engine
from treadle_tui.engine.states import StageState
from treadle_tui.engine.testing.clock import ManualClock

if TYPE_CHECKING:
    from treadle_tui.engine.status import PendingReview

#: Reviews that wait when it opens.
WAITING = 40
#: Invoices that have just arrived, and have not been begun.
NEW = 9
_BATCHES, _BATCH = 13, 10
_BETWEEN = timedelta(minutes=13)
_FIRST = 2001
_LETTERS = 14
_PEOPLE = ("ana", "ben", "carla")


class Demonstration:
    """The pipelines, and their past once `fill` has been through. One for each database."""

    def __init__(self, *, is_held: bool = False) -> None:
        """`is_held`: what runs when it opens never ends, so that a picture is the same each time."""
        self._is_held = is_held
        self._pace = Pace()
        self.workflows: list[Workflow] = [invoices(self._pace), letters(self._pace)]

    async def fill(self, store: Any, until: datetime | None = None, *, concurrency: int = 16) -> None:
        """Make the past up, ending at `until`, by default now. With `concurrency=1` it is the same each time, to the millisecond."""
        until = until or datetime.now(UTC)
        clock = ManualClock(until - _BATCHES * _BETWEEN)
        self._pace.follow(clock)
        async with Engine(store, self.workflows, clock=clock, concurrency=concurrency) as engine:
            await _Morning(engine, clock, until).pass_by()
        self._pace.go_on(is_held=self._is_held)


class _Morning:
    def __init__(self, engine: Engine, clock: ManualClock, until: datetime) -> None:
        self._engine = engine
        self._clock = clock
        self._until = until
        self._decided = 0

    async def pass_by(self) -> None:
        """From the first post to the present moment."""
        await self._engine.submit("letters", [letter(number, self._until) for number in range(501, 501 + _LETTERS)])
        for batch in range(_BATCHES - 1):
            await self._submit(batch)
            await self._clock.run(self._engine.run_until_idle())
            await self._decide(4)
            self._go_to(self._until - (_BATCHES - 1 - batch) * _BETWEEN)
        await self._advance(await self._submit(_BATCHES - 1))
        await self._leave_forty()
        await self._set_some_aside()
        self._go_to(self._until)
        last = _FIRST + _BATCHES * _BATCH
        await self._engine.submit("invoices", [invoice(number) for number in range(last, last + NEW)], priority=1)

    async def _submit(self, batch: int) -> list[str]:
        arrived = [invoice(number) for number in range(_FIRST + batch * _BATCH, _FIRST + (batch + 1) * _BATCH)]
        await self._engine.submit("invoices", arrived)
        return [each.id for each in arrived]

    def _go_to(self, moment: datetime) -> None:
        self._clock.advance(max(0.0, (moment - self._clock.now()).total_seconds()))

    async def _advance(self, item_ids: list[str]) -> None:
        """Run what can run, but do not wait for what is to be tried again later."""
        for item_id in item_ids:
            await self._engine.advance(item_id)

    async def _leave_forty(self) -> None:
        while len(waiting := await self._engine.pending_reviews()) > WAITING:
            first = next(review for review in waiting if review.stage in ("approve", "sign"))
            await self._decide_one(first)
            await self._advance([first.item_id])

    async def _decide(self, count: int) -> None:
        waiting = await self._engine.pending_reviews()
        for review in waiting[: 2 * count : 2]:
            await self._decide_one(review)

    async def _decide_one(self, review: PendingReview) -> None:
        self._decided += 1
        chance = fate("decision", review.item_id, review.stage)
        self._clock.advance(3 + 25 * chance.random())
        by = chance.choice(_PEOPLE)
        decision: Any = Approve(by=by, values={"centre": "office"} if review.stage == "approve" else None)
        match chance.randrange(12):
            case 0 | 1:
                decision = Reject(chance.choice(REASONS), by=by)
            case 2 if review.stage == "read":
                status = await self._engine.store.get_status(review.item_id, "read")
                decision = ApproveWithEdits({**status.output, "confidence": 1.0}, by=by)
            case 3 if review.stage == "sign":
                decision = RequestChanges("warmer, please", by=by)
        await self._engine.resolve_review(review.item_id, review.stage, decision, version=review.version, subtask=review.subtask)

    async def _set_some_aside(self) -> None:
        """Two are paused, one is cancelled."""
        waiting = [review.item_id for review in await self._engine.pending_reviews("invoices")]
        for item_id in waiting[5:7]:
            await self._engine.pause(item_id)
        failed = await self._engine.store.query_items("book", StageState.FAILED)
        for item_id in failed[:1]:
            await self._engine.cancel(item_id, by="ben")
