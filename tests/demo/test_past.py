"""The demonstration has something of everything, and is the same each time it is asked to be."""

from __future__ import annotations

from datetime import UTC, datetime

from treadle_tui.board.tally import tally
from treadle_tui.demo.past import NEW, WAITING, Demonstration
from treadle_tui.engine import MemoryStateStore
from treadle_tui.engine.states import StageState

UNTIL = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)


async def test_forty_reviews_wait_and_everything_else_occurs_too() -> None:
    async with MemoryStateStore() as store:
        await Demonstration().fill(store, UNTIL)

        reviews = await store.pending_reviews()
        counts = await store.counts()

    assert len(reviews) == WAITING
    assert {review.stage for review in reviews} == {"read", "checks", "approve", "sign"}
    assert any(review.subtask for review in reviews)
    assert set(tally(counts).by_state) == set(StageState)
    assert counts["invoices"]["fetch"][StageState.PENDING] == NEW
    assert max(str(review.waiting_since) for review in reviews) <= str(UNTIL)


async def test_it_is_the_same_each_time() -> None:
    pasts = []
    for _ in range(2):
        async with MemoryStateStore() as store:
            await Demonstration().fill(store, UNTIL, concurrency=1)
            pasts.append([event async for event in store.events()])

    assert pasts[0] == pasts[1]
    assert pasts[0][-1].at == UNTIL  # type: ignore[union-attr]
