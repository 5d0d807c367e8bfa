"""Carries decisions out: holds them on disk, sends them when their time has come, and says what came of it.

Nothing a person has typed is lost here: what could not be written stays in the outbox and is tried again, what came too late stays
with its text. A decision and its leaving the outbox are one transaction, so neither a crash nor a second terminal decides twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from treadle_tui.board.outbox import HeldEntry, HeldState, Outbox
from treadle_tui.board.review_line import ReviewKey, ReviewLine
from treadle_tui.engine.desk import Desk, NewDecision
from treadle_tui.engine.errors import TreadleError
from treadle_tui.engine.states import StageState

if TYPE_CHECKING:
    from treadle_tui.engine.review import ReviewDecision
    from treadle_tui.engine.store.protocol import StateStore

#: Until a store that could not be written is tried again.
_RETRY = timedelta(seconds=2)

Outcome = tuple[HeldEntry, StageState | Exception]


@dataclass(frozen=True, slots=True)
class Hears:
    """Who is told; called on the loop the decisions are made on."""

    on_change: Callable[[], None]
    """The outbox holds something else."""
    on_sent: Callable[[list[Outcome]], None]
    """These were recorded, or could not be; those that could not are in the outbox still."""
    on_trouble: Callable[[BaseException], None]
    """The store could not be written; what was to be is kept, and tried again."""


class Deciding:
    """The decisions of one terminal."""

    def __init__(self, store: Callable[[], StateStore], desk: Desk, outbox: Outbox, hears: Hears, now: Callable[[], datetime]) -> None:
        self.desk = desk
        self.outbox = outbox
        self._store = store
        self._hears = hears
        self._now = now
        self._wake = asyncio.Event()
        self._writing: set[asyncio.Task[None]] = set()
        self.recorded = 0
        """How many decisions have been recorded from here."""
        self._recorded: list[tuple[ReviewLine, ReviewDecision]] = []
        self._is_finishing = False

    # by key ---------------------------------------------------------------------------------------------------------------------

    def decide(self, decided: Sequence[tuple[ReviewLine, ReviewDecision]]) -> list[HeldEntry]:
        """Hold decisions that one key has made; at once, and on disk as soon as may be."""
        entries = self.outbox.hold(decided, self._now())
        self._write(self._hold(entries), "hold decisions")
        self._changed()
        return entries

    def undo(self) -> list[HeldEntry]:
        """Take back what the latest key decided; nothing when all of it has been sent."""
        return self._took_back(self.outbox.take_back_last())

    def take_back(self, entries: Sequence[HeldEntry]) -> list[HeldEntry]:
        """Take these back, or let them go."""
        return self._took_back(self.outbox.take_back(entries))

    def _took_back(self, entries: list[HeldEntry]) -> list[HeldEntry]:
        if entries:
            self._write(self._forget(entries), "take decisions back")
            self._changed()
        return entries

    def send_soon(self, entries: Sequence[HeldEntry]) -> None:
        """Send these without waiting any longer, or try once more."""
        self.outbox.hold_again(entries, self._now())
        for entry in entries:
            entry.problem = ""
        self._changed()

    @property
    def last_recorded(self) -> tuple[ReviewLine, ReviewDecision] | None:
        """What was recorded last from here."""
        return self._recorded[-1] if self._recorded else None

    def forget_recorded(self, line: ReviewLine) -> None:
        """It was reopened."""
        self._recorded = [each for each in self._recorded if each[0].key != line.key]

    def holds(self, key: ReviewKey) -> bool:
        """Whether a review has been decided here, and that is not recorded yet."""
        return any(entry.key == key for entry in self.outbox.held)

    # on disk --------------------------------------------------------------------------------------------------------------------

    def _write(self, writing: Awaitable[None], name: str) -> None:
        async def run() -> None:
            try:
                await writing
            except (TreadleError, OSError) as error:
                self._hears.on_trouble(error)

        task = asyncio.create_task(run(), name=name)
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _hold(self, entries: Sequence[HeldEntry]) -> None:
        new = [entry for entry in entries if not entry.number]
        lines = [
            NewDecision(
                item_id=entry.key.item_id,
                stage=entry.key.stage,
                subtask=entry.key.subtask,
                version=entry.line.version,
                decision=entry.decision,
            )
            for entry in new
        ]
        if lines:
            numbers = await self._store().hold(self.desk, lines, self._now())
            for entry, number in zip(new, numbers, strict=True):
                entry.number = number

    async def _forget(self, entries: Sequence[HeldEntry]) -> None:
        await self._written()
        await self._store().take_back([entry.number for entry in entries if entry.number])

    async def _written(self) -> None:
        """Wait for what was begun before this task."""
        others = self._writing - {task for task in [asyncio.current_task()] if task is not None}
        holding = [task for task in others if task.get_name() == "hold decisions"]
        if holding:
            await asyncio.wait(holding)

    def _changed(self) -> None:
        self._wake.set()
        self._hears.on_change()

    # sending --------------------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send what is due, for ever."""
        while True:
            self._wake.clear()
            due_at = self.outbox.next_due
            wait = None if due_at is None else max(0.0, (due_at - self._now()).total_seconds())
            try:
                await asyncio.wait_for(self._wake.wait(), wait)
            except TimeoutError:
                await self.send_due()

    async def send_due(self) -> None:
        """Send what is due."""
        await self._send(self.outbox.due(self._now()))

    async def _send(self, entries: list[HeldEntry]) -> None:
        if not entries:
            return
        try:
            await self._written()
            await self._hold(entries)
            results = dict(await self._store().send([entry.number for entry in entries], self._now()))
        except (TreadleError, OSError) as error:
            self.outbox.hold_again(entries, self._now() + _RETRY)
            self._hears.on_trouble(error)
            return
        self._take_results(entries, results)

    def _take_results(self, entries: Sequence[HeldEntry], results: dict[int, StageState | Exception]) -> None:
        outcomes: list[Outcome] = []
        recorded: list[HeldEntry] = []
        for entry in entries:
            outcome = results.get(entry.number, TreadleError("it was taken back at another terminal"))
            outcomes.append((entry, outcome))
            if isinstance(outcome, Exception):
                self.outbox.keep_lost(entry, str(outcome))
            else:
                recorded.append(entry)
        self.outbox.drop(recorded)
        self.recorded += len(recorded)
        self._recorded = [*self._recorded, *((entry.line, entry.decision) for entry in recorded)][-200:]
        self._hears.on_sent(outcomes)
        self._hears.on_change()

    # beginning and end ----------------------------------------------------------------------------------------------------------

    async def pick_up(self) -> list[HeldEntry]:
        """Take over what an earlier program of this reviewer left on disk; those a person is to be asked about."""
        mine = {entry.number for entry in self.outbox.entries}
        found = [
            held
            for held in await self._store().held_decisions()
            if held.desk.reviewer == self.desk.reviewer and held.desk.is_abandoned and held.id not in mine
        ]
        if not found:
            return []
        await self._store().adopt([held.id for held in found], self.desk)
        for held in found:
            key = ReviewKey(held.item_id, held.stage, held.subtask)
            line = ReviewLine(key, held.workflow, held.version, since=held.made_at)
            self.outbox.adopt(line, held.decision, held.made_at, held.id, held.problem or "")
        self._hears.on_change()
        return self.outbox.left_over

    async def finish(self) -> None:
        """Send everything that is held: the program ends. What was not asked about stays on disk."""
        if self._is_finishing:
            return
        self._is_finishing = True
        await self._written()
        self.outbox.hold_again([entry for entry in self.outbox.entries if entry.state is HeldState.HELD], self._now())
        await self.send_due()
        if self._writing:
            await asyncio.wait(self._writing)
        self.desk.leave()
