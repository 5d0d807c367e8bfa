"""Keeps the board true: follows the store's events, reads what they touch, and says what has changed.

Events become a set of items; one flush reads those that are held and hands the differences on, at most 20 times a second, once a
second while the window has no focus, and never when nothing has happened. When more has happened than is worth reading event by
event, what is on the screen is read again as a whole: the cost of a flush follows the screen, not the engine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from treadle_tui.board.board import Board
from treadle_tui.board.tally import Counts, tally
from treadle_tui.board.view import Changes
from treadle_tui.engine.errors import TreadleError
from treadle_tui.engine.events import (
    Event,
    ItemAdded,
    ItemCancelled,
    ItemDeleted,
    ItemEvent,
    ReviewReopened,
    ReviewRequired,
    ReviewResolved,
    StageRetried,
)
from treadle_tui.engine.states import StageState
from treadle_tui.engine.store.protocol import StoreReads

#: Between two flushes: 20 a second is faster than a person reads.
FLUSH_SECONDS = 0.05
#: The same while the window has no focus.
UNFOCUSED_FLUSH_SECONDS = 1.0
#: Between two readings of the totals.
COUNT_SECONDS = 0.25
#: After a slow reading the feed rests for so many times as long, but never longer than a person would notice.
_REST, _LONGEST_REST = 3, 0.25
#: More events than this at once are not read one by one.
_MOST_EVENTS = 400
_RETRY_SECONDS = 1.0
_FOLLOW_SECONDS = 3600.0

_COMING_OR_GOING = (ItemAdded, ItemDeleted)
_REVIEW_EVENTS = (ReviewRequired, ReviewResolved, ReviewReopened, StageRetried, ItemCancelled, ItemDeleted)


@dataclass(slots=True)
class News:
    """What a run of events has touched."""

    items: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    is_unknown: bool = False
    """Too many events to read, or some that are lost: anything may have changed."""
    has_come_or_gone: bool = False
    has_reviews: bool = False


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told; called on the loop the feed runs on."""

    on_changes: Callable[[Changes], None]
    """The board has changed."""
    on_totals: Callable[[Counts, int], None]
    """Newer totals, and how many reviews wait."""
    on_items: Callable[[set[str] | None], None]
    """Something happened to these items; None: to any."""
    on_trouble: Callable[[str], None]
    """Reading has failed, in a sentence; empty once it works again."""


class EventFeed:
    """Follows one store for one board. `run` ends only when it is cancelled."""

    def __init__(self, store: StoreReads, board: Board, listeners: Listeners, is_focused: Callable[[], bool] = lambda: True) -> None:
        self._store = store
        self._board = board
        self._tell = listeners
        self._is_focused = is_focused
        self._wanted = asyncio.Event()
        self._totals_due = asyncio.Event()
        self._reviews_due = True
        self._waiting = 0
        self._awaiting = 0
        self._reviews_not_before = 0.0
        self._is_in_trouble = False

    def need(self) -> None:
        """The board lacks rows or subtasks that are looked at: read them."""
        self._wanted.set()

    async def run(self) -> None:
        """Read what is looked at, then follow."""
        since = await self._store.last_seq()
        self._totals_due.set()
        self._wanted.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(since), name="event feed: follow")
            group.create_task(self._read_wanted(), name="event feed: read")
            group.create_task(self._read_totals(), name="event feed: totals")

    async def reload(self) -> None:
        """The board shows something else: read it from the beginning, and show it once there is something to see."""
        changes = self._board.take_total(await self._total())
        self._totals_due.set()
        await self._read_pages(changes)
        self._tell.on_changes(changes)

    # following ------------------------------------------------------------------------------------------------------------------

    async def _follow(self, since: int) -> None:
        while True:
            try:
                newest = await self._store.changed(since, _FOLLOW_SECONDS)
                if newest <= since:
                    continue
                began = time.monotonic()
                since = await self._flush(since, newest)
                self._recovered()
            except TreadleError as error:
                await self._wait_out(error)
                continue
            await self._sleep_after(time.monotonic() - began, FLUSH_SECONDS)

    async def _flush(self, since: int, newest: int) -> int:
        """Take in what has happened after `since`; how far that was."""
        news, reached = await self._news(since, newest)
        if news.has_reviews or news.is_unknown:
            self._reviews_due = True
        self._totals_due.set()
        await self._take_in(news)
        self._tell.on_items(None if news.is_unknown else news.items)
        return reached

    async def _news(self, since: int, newest: int) -> tuple[News, int]:
        if newest - since > _MOST_EVENTS:
            return News(is_unknown=True, has_come_or_gone=True), newest
        news = News()
        async for event in self._store.events(since):
            if isinstance(event, Event):
                since = max(since, event.seq)
                _note(news, event)
            else:
                news.is_unknown = news.has_come_or_gone = True
        return news, max(since, newest)

    async def _take_in(self, news: News) -> None:
        changes = Changes()
        if news.deleted:
            changes = self._board.take_deleted(news.deleted)
        if news.has_come_or_gone:
            changes.is_rearranged |= self._board.take_total(await self._total()).is_rearranged
        if news.is_unknown:
            self._board.take_unknown_changes()
        else:
            await self._read_rows(news.items, changes)
        await self._read_children(None if news.is_unknown else news.items, changes)
        if news.is_unknown or changes.is_rearranged:
            await self._read_pages(changes)
        if changes or news.has_come_or_gone:  # newcomers behind the pill are no change, but they are counted in it
            self._tell.on_changes(changes)

    async def _read_rows(self, item_ids: set[str], changes: Changes) -> None:
        held = [item_id for item_id in item_ids if self._board.window.held(item_id) is not None]
        if held:
            ticket = self._board.draw_ticket()
            _join(changes, self._board.take_rows(await self._store.rows(held), ticket))

    async def _sleep_after(self, spent: float, least: float) -> None:
        """Rest after a reading that took so long, so that two begin at least so far apart."""
        if not self._is_focused():
            least = UNFOCUSED_FLUSH_SECONDS
        await asyncio.sleep(max(least - spent, min(spent * _REST, _LONGEST_REST)))

    # reading what is looked at --------------------------------------------------------------------------------------------------

    async def _read_wanted(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                changes = Changes()
                await self._read_pages(changes)
                await self._read_children(set(), changes)
                self._recovered()
            except TreadleError as error:
                await self._wait_out(error)
                self._wanted.set()

    async def _read_pages(self, changes: Changes) -> None:
        """Read pages until the board wants none; each is shown as it comes, because the next may take its time."""
        size = self._board.window.page_rows
        while wanted := self._board.wanted_pages():
            question, number, ticket = self._board.question, wanted[0], self._board.draw_ticket()
            rows = await self._store.page(
                workflow=question.workflow, offset=number * size, limit=size, stage=question.stage, states=question.states
            )
            if question != self._board.question:
                continue
            if len(rows) < min(size, self._board.shown - number * size):  # rows have gone meanwhile
                _join(changes, self._board.take_total(await self._total()))
            _join(changes, self._board.take_page(number, rows, ticket))
            self._tell.on_changes(Changes(changes.cells, changes.is_rearranged))
            changes.cells, changes.is_rearranged = {}, False

    async def _total(self) -> int:
        """How many rows there are; without a filter from the kept counts, which cost the same at any size."""
        question = self._board.question
        if not question.states:
            return tally(await self._store.counts(), question.workflow).items
        return await self._store.count_items(workflow=question.workflow, stage=question.stage, states=question.states)

    async def _read_children(self, changed: set[str] | None, changes: Changes) -> None:
        everything = {fan_out.item_id for fan_out in self._board.expansions}
        for item_id, stage in self._board.wanted_children(everything if changed is None else changed):
            ticket = self._board.draw_ticket()
            status = await self._store.get_status(item_id, stage)
            children = status.subtasks if status is not None else []
            found = self._board.take_children(item_id, stage, children, ticket)
            if found:
                self._tell.on_changes(found)

    # totals ---------------------------------------------------------------------------------------------------------------------

    async def _read_totals(self) -> None:
        while True:
            await self._totals_due.wait()
            self._totals_due.clear()
            began = time.monotonic()
            try:
                counts = await self._store.counts()
                await self._count_reviews(tally(counts).by_state.get(StageState.AWAITING_REVIEW, 0))
                self._tell.on_totals(counts, self._waiting)
                self._recovered()
            except TreadleError as error:
                self._reviews_due = True
                self._totals_due.set()
                await self._wait_out(error)
                continue
            await self._sleep_after(time.monotonic() - began, COUNT_SECONDS)

    async def _count_reviews(self, awaiting: int) -> None:
        """How many reviews wait, subtasks included. The list is as long as it is: read at most a tenth of the time, reckoned between."""
        if not self._reviews_due and awaiting == self._awaiting:
            return
        began = time.monotonic()
        self._waiting = max(0, self._waiting + awaiting - self._awaiting)
        self._awaiting = awaiting
        if began < self._reviews_not_before:
            self._reviews_due = True
            asyncio.get_running_loop().call_later(self._reviews_not_before - began, self._totals_due.set)
            return
        self._reviews_due = False
        self._waiting = len(await self._store.pending_reviews())
        self._reviews_not_before = time.monotonic() + 10 * (time.monotonic() - began)

    # trouble --------------------------------------------------------------------------------------------------------------------

    async def _wait_out(self, error: TreadleError) -> None:
        self._is_in_trouble = True
        self._tell.on_trouble(str(error))
        await asyncio.sleep(_RETRY_SECONDS)

    def _recovered(self) -> None:
        if self._is_in_trouble:
            self._is_in_trouble = False
            self._tell.on_trouble("")


def _note(news: News, event: Event) -> None:
    if isinstance(event, ItemEvent):
        news.items.add(event.item_id)
    if isinstance(event, ItemDeleted):
        news.deleted.add(event.item_id)
    news.has_come_or_gone |= isinstance(event, _COMING_OR_GOING)
    news.has_reviews |= isinstance(event, _REVIEW_EVENTS)


def _join(changes: Changes, more: Changes) -> None:
    changes.is_rearranged |= more.is_rearranged
    for item_id, stages in more.cells.items():
        changes.cells.setdefault(item_id, set()).update(stages)
