"""The feed keeps a board true, reads no more than it must, and rests when nothing happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from treadle_tui.board.board import Board
from treadle_tui.board.tally import Counts, tally
from treadle_tui.board.view import Changes, Question
from treadle_tui.engine import Engine, FanOut, MemoryStateStore, NeedsReview, StageState, StoreError, Workflow
from treadle_tui.event_feed import COUNT_SECONDS, EventFeed, Listeners


def looms() -> Workflow:
    workflow = Workflow("looms")

    @workflow.stage
    def warp(item: Any) -> FanOut:
        return FanOut(["left", "right"])

    @warp.each
    def thread(subtask: str) -> str:
        return subtask

    @workflow.stage
    def weave(warp: Any) -> NeedsReview:
        return NeedsReview()

    return workflow


class Counting(MemoryStateStore):
    """Counts what is read, and can be made to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[str] = []
        self.is_broken = False

    def __getattribute__(self, name: str) -> Any:
        if name in ("page", "rows", "counts", "get_status", "pending_reviews", "events"):
            self.reads.append(name)
            if self.is_broken:
                raise StoreError("the disk is gone")
        return super().__getattribute__(name)


class Told:
    """What the feed has said."""

    def __init__(self) -> None:
        self.changes: list[Changes] = []
        self.totals: list[tuple[Counts, int]] = []
        self.items: list[set[str] | None] = []
        self.trouble: list[str] = []

    @property
    def listeners(self) -> Listeners:
        return Listeners(
            self.changes.append,
            lambda counts, waiting: self.totals.append((counts, tally(counts, subtasks=waiting).waiting)),
            self.items.append,
            self.trouble.append,
        )


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is awaited has no event
            await asyncio.sleep(0.005)


class Fed:
    """A board that is being fed."""

    def __init__(self, store: Counting, workflow: Workflow) -> None:
        self.store, self.workflow = store, workflow
        self.board = Board()
        self.told = Told()
        self.feed = EventFeed(store, self.board, self.told.listeners)

    def state(self, index: int, stage: str) -> StageState | None:
        row = self.board.window.row(index)
        return row.cells[stage].state if row and stage in row.cells else None

    async def run_engine(self, *items: str) -> None:
        async with Engine(self.store, [self.workflow]) as engine:
            await engine.submit(self.workflow, [{"id": item} for item in items])
            await engine.run_until_idle()


@asynccontextmanager
async def fed(*items: str) -> AsyncIterator[Fed]:
    workflow, store = looms(), Counting()
    async with Engine(store, [workflow]) as engine:
        await engine.submit(workflow, [{"id": item} for item in items])
    it = Fed(store, workflow)
    it.board.look_at(0, 20)
    await it.feed.ask(Question("looms"), workflow.stages())
    running = asyncio.create_task(it.feed.run())
    try:
        await until(lambda: it.told.totals)
        yield it
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_cells_follow_the_engine() -> None:
    async with fed("one", "two") as it:
        assert it.state(1, "weave") is StageState.PENDING

        await it.run_engine()

        await until(lambda: it.state(1, "weave") is StageState.AWAITING_REVIEW)
        await until(lambda: it.told.totals[-1][1] == 2)
        assert any("two" in (items or ()) for items in it.told.items)


async def test_new_items_join_the_list() -> None:
    async with fed("one") as it:
        await it.run_engine("two", "three")

        await until(lambda: it.board.line_count == 3)
        await until(lambda: it.state(2, "weave") is StageState.AWAITING_REVIEW)


async def test_deleted_items_leave_it() -> None:
    async with fed("one", "two", "three") as it:
        it.board.move_to(2)
        async with Engine(it.store, [it.workflow]) as engine:
            await engine.delete_item("one")

        await until(lambda: it.board.line_count == 2 and it.state(1, "warp") is not None)
        assert it.board.cursor is not None
        assert it.board.cursor.item_id == "three"
        assert it.board.cursor_line == 1


async def test_open_fan_outs_are_kept_up_to_date() -> None:
    async with fed("one") as it:
        await it.run_engine()
        await until(lambda: it.board.open("one", "warp"))
        it.feed.need()

        await until(lambda: it.board.line(2).child is not None)
        child = it.board.line(2).child
        assert child is not None
        assert (child.name, child.state) == ("right", StageState.COMPLETED)


async def test_nothing_is_read_while_nothing_happens() -> None:
    async with fed("one") as it:
        await it.run_engine()
        await until(lambda: it.told.totals[-1][1] == 1)
        await asyncio.sleep(COUNT_SECONDS * 1.5)  # what was due is read; from here on there is nothing to wait for but nothing
        it.store.reads.clear()
        told = len(it.told.changes)

        await asyncio.sleep(COUNT_SECONDS * 1.5)

        assert it.store.reads == []
        assert len(it.told.changes) == told


async def test_a_flood_of_events_costs_one_look_at_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("treadle_tui.event_feed._MOST_EVENTS", 20)
    async with fed(*(f"item-{n}" for n in range(200))) as it:
        await asyncio.sleep(0.1)
        it.store.reads.clear()

        await it.run_engine()

        await until(lambda: it.state(3, "weave") is StageState.AWAITING_REVIEW)
        await until(lambda: it.told.totals[-1][1] == 200)
        assert None in it.told.items
        assert it.store.reads.count("page") < 60
        assert it.store.reads.count("rows") + it.store.reads.count("events") < 60


async def test_reviews_are_counted_without_reading_them() -> None:
    async with fed("one", "two") as it:
        await it.run_engine()

        await until(lambda: it.told.totals[-1][1] == 2)
        assert it.store.reads.count("pending_reviews") == 0


async def test_a_store_that_fails_is_told_and_followed_again_when_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("treadle_tui.event_feed._RETRY_SECONDS", 0.05)
    async with fed("one") as it:
        it.store.is_broken = True
        it.feed.need()
        await it.run_engine()
        await until(lambda: "the disk is gone" in it.told.trouble)

        it.store.is_broken = False

        await until(lambda: it.told.trouble[-1] == "")
        await until(lambda: it.state(0, "weave") is StageState.AWAITING_REVIEW)
