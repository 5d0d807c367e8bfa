"""Keeps the board true: follows the store's events, reads what they touch, and says what has changed.

Events become a set of items; one flush reads those that are held and hands the differences on, at most 20 times a second, once a
second while the window has no focus, and never when nothing has happened. When more has happened than is worth reading event by
event, what is on the screen is read again as a whole: the cost of a flush follows the screen, not the engine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from treadle_tui.board.board import Board
from treadle_tui.board.listing import Listing
from treadle_tui.board.tally import Counts, WaitingSubtasks, tally
from treadle_tui.board.view import Changes, Question
from treadle_tui.engine.clock import SystemClock, to_ms
from treadle_tui.engine.errors import TreadleError
from treadle_tui.engine.events import (
    Event,
    ItemAdded,
    ItemDeleted,
    ItemEvent,
)
from treadle_tui.engine.selection import Order
from treadle_tui.engine.status import ItemRow
from treadle_tui.engine.store.protocol import StoreReads

#: Between two flushes: 20 a second is faster than a person reads.
FLUSH_SECONDS = 0.05
#: The same while the window has no focus.
UNFOCUSED_FLUSH_SECONDS = 1.0
#: Between two readings of the totals.
COUNT_SECONDS = 0.25
#: Between two looks at what a filter's answer would be now.
MATCH_SECONDS = 1.0
#: As many of a long answer are shown before the rest is known.
FIRST_KEYS = 512
#: After a slow reading the feed rests for so many times as long, but never longer than a person would notice.
_REST, _LONGEST_REST = 3, 0.25
#: More events than this at once are not read one by one.
_MOST_EVENTS = 400
_RETRY_SECONDS = 1.0
_FOLLOW_SECONDS = 3600.0

_COMING_OR_GOING = (ItemAdded, ItemDeleted)


@dataclass(slots=True)
class News:
    """What a run of events has touched."""

    items: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    is_unknown: bool = False
    """Too many events to read, or some that are lost: anything may have changed."""
    has_come_or_gone: bool = False


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told; called on the loop the feed runs on."""

    on_changes: Callable[[Changes], None]
    """The board has changed."""
    on_totals: Callable[[Counts, WaitingSubtasks], None]
    """Newer totals, and the subtasks that wait for a person."""
    on_items: Callable[[set[str] | None], None]
    """Something happened to these items; None: to any."""
    on_trouble: Callable[[str], None]
    """Reading has failed, in a sentence; empty once it works again."""


class EventFeed:
    """Follows one store for one board. `run` ends only when it is cancelled."""

    def __init__(
        self,
        store: StoreReads,
        board: Board,
        listeners: Listeners,
        is_focused: Callable[[], bool] = lambda: True,
        since: int | None = None,
    ) -> None:
        """`is_focused`: whether somebody may be looking. `since`: the last event the board has; None when it has nothing yet."""
        self._store = store
        self._board = board
        self._tell = listeners
        self._is_focused = is_focused
        self._since = since
        self._wanted = asyncio.Event()
        self._totals_due = asyncio.Event()
        self._matches_due = asyncio.Event()
        self._is_in_trouble = False

    def need(self) -> None:
        """The board lacks rows or subtasks that are looked at: read them."""
        self._wanted.set()

    async def run(self) -> None:
        """Read what is looked at, then follow."""
        since = await self._store.last_seq() if self._since is None else self._since
        self._totals_due.set()
        self._wanted.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(since), name="event feed: follow")
            group.create_task(self._read_wanted(), name="event feed: read")
            group.create_task(self._read_totals(), name="event feed: totals")
            group.create_task(self._rematch(), name="event feed: what fits")

    async def ask(self, question: Question, stages: Sequence[str], keep: str = "") -> None:
        """Show the answer to a question once it is known, the cursor on the item of the id `keep` when it is among them.

        A long answer is shown as soon as its beginning is known. What is shown stays until there is something else to show.
        """
        answer, total = await self._answer(question)
        index, rows = await self._landing(question, answer, keep)
        self._board.land(question, stages, answer, total, index, rows)
        self._totals_due.set()
        self._tell.on_changes(Changes(is_rearranged=True))
        await self._read_pages(Changes())
        if answer is not None and not answer.is_whole:
            await self._read_whole(question, stages)

    async def _answer(self, question: Question) -> tuple[Listing | None, int]:
        if question.is_plain:
            return None, tally(await self._store.counts(), question.workflow).items
        # Of a list in the order of adding the beginning is known long before the whole, when much of it fits.
        is_quick = question.order is Order.ADDED
        keys = await self._store.select(question.selection, self._now(), FIRST_KEYS if is_quick else None)
        return Listing(keys, is_whole=not is_quick or len(keys) < FIRST_KEYS), len(keys)

    async def _landing(self, question: Question, answer: Listing | None, keep: str) -> tuple[int, list[ItemRow]]:
        """Where the cursor will be, and the page around it."""
        kept = await self._store.rows([keep]) if keep else []
        index: int | None = None
        if kept and kept[0].workflow == (question.workflow or kept[0].workflow):
            key = kept[0].key
            index = await self._store.place_of(key, question.workflow) if answer is None else answer.index_of(key)
        size = self._board.window.page_rows
        number = (index or 0) // size
        if answer is None:
            rows = await self._store.page(workflow=question.workflow, offset=number * size, limit=size)
        else:
            rows = await self._store.rows_of(answer.keys[number * size : (number + 1) * size])
        at = index or 0
        return (at, rows) if at % size < len(rows) else (0, [])

    async def _read_whole(self, question: Question, stages: Sequence[str]) -> None:
        epoch = self._board.epoch
        keys = await self._store.select(question.selection, self._now())
        if epoch != self._board.epoch:
            return
        if self._board.take_listing(keys):
            self._tell.on_changes(Changes(is_rearranged=True))
            return
        cursor = self._board.cursor
        await self.ask(question, stages, cursor.item_id if cursor else "")

    async def _rematch(self) -> None:
        """Find out what has come to fit the filter, and what fits no longer; at most a tenth of the time."""
        while True:
            await self._matches_due.wait()
            self._matches_due.clear()
            began, epoch, question = time.monotonic(), self._board.epoch, self._board.question
            if self._board.listing is None:
                continue
            try:
                keys = await self._store.select(question.selection, self._now())
                if epoch == self._board.epoch and (changes := self._board.take_matches(keys)):
                    self._tell.on_changes(changes)
                self._recovered()
            except TreadleError as error:
                await self._wait_out(error)
                self._matches_due.set()
            await asyncio.sleep(max(MATCH_SECONDS, 10 * (time.monotonic() - began)))

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
        self._totals_due.set()
        self._matches_due.set()
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

    def _now(self) -> int:
        return to_ms(SystemClock().now())

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
            epoch, number, ticket = self._board.epoch, wanted[0], self._board.draw_ticket()
            keys = self._board.keys_of_page(number)
            rows = await self._page(number) if keys is None else await self._store.rows_of(keys)
            if epoch != self._board.epoch:
                continue
            if keys is not None and len(rows) < len(keys):  # items have gone meanwhile
                _join(changes, self._board.drop_keys(set(keys) - {row.key for row in rows}))
                continue
            if keys is None and len(rows) < min(size, self._board.shown - number * size):
                _join(changes, self._board.take_total(await self._total()))
            _join(changes, self._board.take_page(number, rows, ticket))
            self._tell.on_changes(Changes(changes.cells, changes.is_rearranged))
            changes.cells, changes.is_rearranged = {}, False

    async def _page(self, number: int) -> list[ItemRow]:
        """A page of the plain list, counted from the nearest row that is known: at the end of a long list, the top is far."""
        size, workflow = self._board.window.page_rows, self._board.question.workflow
        known = self._board.window.last_before(number)
        if known is None:
            return await self._store.page(workflow=workflow, offset=number * size, limit=size)
        index, row = known
        return await self._store.page(workflow=workflow, offset=number * size - index - 1, limit=size, after=row.key)

    async def _total(self) -> int:
        """How many rows there are, from the kept counts, which cost the same at any size; of a list, those it has."""
        if self._board.listing is not None:
            return len(self._board.listing)
        return tally(await self._store.counts(), self._board.question.workflow).items

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
                self._tell.on_totals(await self._store.counts(), await self._store.waiting_subtasks())
                await self._read_holds()
                self._recovered()
            except TreadleError as error:
                self._totals_due.set()
                await self._wait_out(error)
                continue
            await self._sleep_after(time.monotonic() - began, COUNT_SECONDS)

    async def _read_holds(self) -> None:
        """Which stages are held: their cells are drawn otherwise."""
        workflow = self._board.question.workflow
        held = frozenset(await self._store.held_stages(workflow)) if workflow else frozenset()
        if held != self._board.held and workflow == self._board.question.workflow:
            self._board.held = held
            self._tell.on_changes(Changes(is_rearranged=True))

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


def _join(changes: Changes, more: Changes) -> None:
    changes.is_rearranged |= more.is_rearranged
    for item_id, stages in more.cells.items():
        changes.cells.setdefault(item_id, set()).update(stages)
