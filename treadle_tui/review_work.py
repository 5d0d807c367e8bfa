"""What the review screens work with: reads the inbox and what is about to be looked at, and carries out what a person wants.

The screens hold no state of the database: they draw `queue`, ask for subjects, and call what is here.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from treadle_tui.board.bulk import BulkResult, BulkSheet, result_of
from treadle_tui.board.history_outline import decision_words
from treadle_tui.board.outbox import HeldEntry, HeldState, Outbox
from treadle_tui.board.review_line import ReviewKey, ReviewLine, Tab
from treadle_tui.board.review_queue import ReviewQueue
from treadle_tui.board.review_session import ReviewSession
from treadle_tui.deciding import Deciding, Hears, Outcome
from treadle_tui.engine.desk import Desk, Jotting, JottingKind
from treadle_tui.engine.errors import ReviewConflict, TreadleError
from treadle_tui.engine.review import ReviewDecision
from treadle_tui.review_keeping import Keeping
from treadle_tui.review_lines import line_of_record, line_of_review
from treadle_tui.review_subjects import Subjects

if TYPE_CHECKING:
    from textual.screen import Screen

    from treadle_tui.board.review_subject import ReviewSubject
    from treadle_tui.desks.review import ReviewDesk
    from treadle_tui.engine.desk import HeldDecision
    from treadle_tui.engine.store.protocol import StateStore
    from treadle_tui.engine_host import EngineHost

#: A look that was noted longer ago than this is over.
_LOOK = timedelta(minutes=10)
#: Between two readings of the inbox; after a slow one it rests for so many times as long.
_REFRESH_SECONDS, _REST = 0.1, 4
#: The inbox is read so long after a key, rather than while one is answered; not for ever, when one key follows the other.
_QUIET_SECONDS, _LOOKS_FOR_QUIET = 0.12, 8
#: Lines of the log that are shown.
_DECIDED_SHOWN = 500


class ReviewListener(Protocol):
    """Who draws. Every method may be called when there is nothing to draw on."""

    def inbox_changed(self) -> None:
        """The lists, the outbox or the progress are others now."""
        ...

    def subject_ready(self, key: ReviewKey) -> None:
        """What a review is about has been read."""
        ...


class ReviewWork:
    """See the module's first lines."""

    def __init__(
        self,
        host: EngineHost,
        desk: ReviewDesk,
        reviewer: str,
        *,
        say: Callable[[str], None],
        warn: Callable[[str], None],
        sentence: Callable[[BaseException], str],
        ask: Callable[[Screen[Any]], Awaitable[Any]],
        suspend: Callable[[], AbstractContextManager[None]] = nullcontext,
        expect_dialog: Callable[[bool], None] = lambda is_coming: None,
        now: Callable[[], datetime],
        may_change: Callable[[], bool] = lambda: True,
        is_read_only: bool = False,
        undo_seconds: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.queue = ReviewQueue()
        self.session = ReviewSession()
        self.reviewer = reviewer
        self.now = now
        self.monotonic = monotonic
        self.listeners: list[ReviewListener] = []
        self.is_read = False
        """Whether the inbox has been read once."""
        self._host = host
        self._desk = desk
        self._told_lost: set[ReviewKey] = set()
        """Those of which it was said that somebody else was first: it need not be said again when they leave the list."""
        self._say = say
        self._warn = warn
        self._sentence = sentence
        self._ask = ask
        self._suspend = suspend
        self.expect_dialog = expect_dialog
        """Called with True when a dialog has been asked for, before the next key is looked at; with False when none comes after all."""
        self._may_change = may_change
        self._is_read_only = is_read_only
        self._trouble = ""
        hears = Hears(self._outbox_changed, self._sent, self._not_sent)
        self.deciding = Deciding(lambda: self._store, Desk.here(uuid.uuid4().hex, reviewer), Outbox(undo_seconds), hears, now)
        self._subjects = Subjects(desk, self._subject_ready, lambda error: say(sentence(error)))
        self._due = asyncio.Event()
        self.keeping = Keeping(lambda: self._store, reviewer, now, self._spawn)
        self._last: ReviewDecision | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._sendings = 0
        self._key_at = float("-inf")

    @property
    def _store(self) -> StateStore:
        if self._host.store is None:
            raise TreadleError("the database is not open, so nothing can be recorded now")
        return self._host.store

    # life -----------------------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send what is due and read what has changed, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.deciding.run(), name="outbox")
            group.create_task(self._follow(), name="inbox")

    async def finish(self) -> None:
        """The program ends: everything held is sent, and what was typed last is written."""
        await self.deciding.finish()
        if self._host.store is not None:
            await self.keeping.finish()

    def _spawn(self, doing: Any, name: str) -> None:
        async def guarded() -> None:
            try:
                await doing
            except (TreadleError, OSError) as error:
                self._warn(self._sentence(error))

        task = asyncio.create_task(guarded(), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _tell(self) -> None:
        for listener in self.listeners:
            listener.inbox_changed()

    # reading --------------------------------------------------------------------------------------------------------------------

    def want(self) -> None:
        """Something has changed: read the inbox again soon."""
        self._due.set()

    async def _follow(self) -> None:
        while True:
            returns = self.queue.next_return
            wait = None if returns is None else max(0.05, (returns - self.now()).total_seconds())
            try:
                await asyncio.wait_for(self._due.wait(), wait)
            except TimeoutError:
                pass
            self._due.clear()
            await self._until_quiet()
            began = time.monotonic()
            try:
                await self.read()
            except TreadleError as error:
                self._say(self._sentence(error))
                self._due.set()
                await asyncio.sleep(1.0)
            await asyncio.sleep(max(_REFRESH_SECONDS, _REST * (time.monotonic() - began)))

    async def _until_quiet(self) -> None:
        """Wait until no key has been pressed for a moment."""
        for _ in range(_LOOKS_FOR_QUIET):
            rest = _QUIET_SECONDS - (time.monotonic() - self._key_at)
            if rest <= 0:
                return
            await asyncio.sleep(rest)

    def touch(self) -> None:
        """A key has been pressed."""
        self._key_at = time.monotonic()
        self.session.touch(self.monotonic())

    async def read(self) -> None:
        """Read the inbox, what reviewers keep, and, when it is shown, the log."""
        kept, sent = self.keeping.changes, self._sendings
        pending, jottings, held = await asyncio.gather(self._store.pending_reviews(), self._store.jottings(), self._store.held_decisions())
        if sent != self._sendings:  # what was read is older than what has been recorded since
            self.want()
            return
        now = self.now()
        looks = self._looks(jottings, held, now)
        self.keeping.take(jottings, kept)
        self._take_later()
        before = self.queue.current
        gone = self.queue.take_waiting((line_of_review(review, looks) for review in pending), now)
        self.is_read = True
        elsewhere = [key for key in gone if not self._was_decided_here(key) and key not in self._told_lost]
        self._told_lost.difference_update(gone)
        for key in gone:
            self._subjects.forget(key)
        if self.queue.tab is Tab.DECIDED:
            await self.read_log()
        if before is not None and before.key in elsewhere:
            self._spawn(self._say_who_was_first(before), "who was first")
        self._tell()

    def _was_decided_here(self, key: ReviewKey) -> bool:
        return key in self.queue.held or any(timed.key == key for timed in self.session.decided)

    async def _say_who_was_first(self, line: ReviewLine) -> None:
        subject = await self._subjects.read(line)
        self._say(self._desk.settled_words(subject) if subject is not None and not subject.is_waiting else f"{line.title} waits no longer")

    def _looks(self, jottings: Iterable[Jotting], held: Iterable[HeldDecision], now: datetime) -> dict[ReviewKey, str]:
        """Who else is at it."""
        looks = {
            ReviewKey(each.item_id, each.stage, each.subtask): each.reviewer
            for each in jottings
            if each.kind is JottingKind.LOOK and each.reviewer != self.reviewer and now - each.at < _LOOK
        }
        for each in held:
            if each.desk.session != self.deciding.desk.session and each.problem is None and not each.desk.is_abandoned:
                looks[ReviewKey(each.item_id, each.stage, each.subtask)] = f"{each.desk.reviewer} (deciding)"
        return looks

    def _take_later(self) -> None:
        self.queue.take_later(self.keeping.put_off, self.now())

    async def read_log(self) -> None:
        """Read the newest lines of the log."""
        records = await self._store.decisions(limit=_DECIDED_SHOWN)
        self.queue.take_other(Tab.DECIDED, [line_of_record(record) for record in records])

    def show_tab(self, tab: Tab) -> None:
        """Show another list; the log is read when it is asked for."""
        self.queue.show(tab)
        if tab is Tab.DECIDED:
            self.want()
        self._tell()

    # what a review is about -----------------------------------------------------------------------------------------------------

    def subject(self, line: ReviewLine) -> ReviewSubject | None:
        """What has been read of a review, at the version the line shows; None while it has not been."""
        return self._subjects.of(line)

    def prepare(self, lines: Sequence[ReviewLine]) -> None:
        """Read what these are about, the first one first; `subject_ready` tells of each."""
        self._subjects.prepare(lines)

    def _subject_ready(self, line: ReviewLine, subject: ReviewSubject) -> None:
        if line.version and subject.version != line.version:
            self.want()  # it has changed since the inbox was read
        for listener in self.listeners:
            listener.subject_ready(line.key)

    async def fresh_subject(self, line: ReviewLine) -> ReviewSubject | None:
        """What a review is about at this moment; said why not, when it waits no longer."""
        subject = await self._subjects.read(line)
        if subject is None or not subject.is_waiting:
            self._say(self._desk.settled_words(subject) if subject is not None else f"{line.title} is gone")
            self.expect_dialog(False)
            self.want()
            return None
        self._subjects.keep(line, subject)
        return subject

    # deciding -------------------------------------------------------------------------------------------------------------------

    def decide(self, lines: Sequence[ReviewLine], decision: ReviewDecision) -> None:
        """Decide these as they were looked at; they leave the list at once."""
        if not self._may_change():
            return
        lines = [line for line in lines if not self.deciding.holds(line.key)]
        if not lines:
            self._say("that is decided already; u takes it back")
            return
        is_bulk = len(lines) > 1
        decided = [(line, self._signed(line, decision, is_bulk=is_bulk)) for line in lines]
        self._last = dataclasses.replace(decision, values=None) if not hasattr(decision, "output") else None
        stale = {line.key for line in lines}
        self.deciding.outbox.drop(
            [e for e in self.deciding.outbox.entries if e.state is HeldState.LOST and e.key in stale and not e.number]
        )
        self.queue.hold(stale)
        for line, each in decided:
            self.session.note(line.key, each)
        self.deciding.decide(decided)
        for line in lines:
            self.keeping.drop(line.key, JottingKind.REASON)
            self.keeping.drop(line.key, JottingKind.CHANGES)
        what = lines[0].title if not is_bulk else f"{len(lines):,} reviews"
        self._say(f"{self._desk.decided_words(what, decision)} · u takes it back")

    def _signed(self, line: ReviewLine, decision: ReviewDecision, *, is_bulk: bool) -> ReviewDecision:
        seconds = None if is_bulk else self.session.seconds_on(line.key, self.monotonic())
        note = decision.note or self.note_on(line.key) or None
        return dataclasses.replace(decision, by=self.reviewer, note=note, seconds=None if seconds is None else round(seconds, 2))

    def again(self, lines: Sequence[ReviewLine]) -> bool:
        """The same decision and reason as the last time; False when there is none to repeat."""
        if self._last is None:
            return False
        self.decide(lines, self._last)
        return True

    @property
    def last_words(self) -> str:
        """What `again` would do, in a few words; empty when nothing."""
        if self._last is None:
            return ""
        reason = getattr(self._last, "reason", "")
        return decision_words(self._last) + (f": {reason}" if reason else "")

    def undo(self) -> None:
        """Take back what the latest key decided; when that has been sent, reopen what was recorded last."""
        entries = self.deciding.undo()
        if entries:
            self._put_back(entries)
            what = entries[0].line.title if len(entries) == 1 else f"{len(entries):,} reviews"
            self._say(f"taken back: {what}")
            return
        last = self.deciding.last_recorded
        if last is None:
            self._say("there is nothing to take back")
        else:
            self.reopen(last[0])

    def _put_back(self, entries: Sequence[HeldEntry]) -> None:
        for entry in entries:
            self.session.take_back(entry.key)
        self.queue.show(Tab.WAITING)
        self.queue.release([entry.key for entry in entries], self.now(), go_to=True)
        self._tell()

    def let_go(self, line: ReviewLine) -> None:
        """Take back the entry of the outbox a line stands for, or let it go when it could not be recorded."""
        entry = self.deciding.outbox.entry_of(line)
        if entry is None:
            return
        was_held = entry.state is HeldState.HELD
        if not self.deciding.take_back([entry]):
            self._say(f"{line.title} is being recorded at this moment")
        elif was_held:
            self.session.take_back(entry.key)
            self.queue.release([entry.key], self.now())
            self._say(f"taken back: {line.title}")
        else:
            self._say(f"let go: {line.title}")
        self._tell()

    def send_now(self, line: ReviewLine | None = None) -> None:
        """Send an entry of the outbox at once, or everything that is held."""
        entry = self.deciding.outbox.entry_of(line) if line is not None else None
        entries = [entry] if entry is not None else [*self.deciding.outbox.held, *self.deciding.outbox.left_over]
        sendable = [each for each in entries if each.state is not HeldState.SENDING]
        self.queue.hold([each.key for each in sendable])
        self.deciding.send_soon(sendable)

    def reopen(self, line: ReviewLine) -> None:
        """Take a recorded decision back, as long as nothing was built on it."""
        self._spawn(self._reopen(line), "reopen")

    async def _reopen(self, line: ReviewLine) -> None:
        key = line.key
        await self._host.call(lambda engine: engine.reopen_review(key.item_id, key.stage, by=self.reviewer, subtask=key.subtask))
        self.deciding.forget_recorded(line)
        self.session.take_back(key)
        self._say(f"reopened: {line.title}")
        self.want()

    # what becomes of decisions --------------------------------------------------------------------------------------------------

    def _outbox_changed(self) -> None:
        self.queue.take_other(Tab.OUTBOX, self.deciding.outbox.lines)
        self._tell()

    def _not_sent(self, error: BaseException) -> None:
        """Said once, not with every try."""
        words = self._sentence(error)
        if words != self._trouble:
            self._trouble = words
            self._warn(f"not recorded yet, it is tried again: {words}")

    def _sent(self, outcomes: list[Outcome]) -> None:
        self._trouble = ""
        lost = [(entry, outcome) for entry, outcome in outcomes if isinstance(outcome, Exception)]
        for entry, outcome in outcomes:
            self.keeping.drop_all(entry.key, but=(JottingKind.ANSWERS,) if isinstance(outcome, Exception) else ())
        self._sendings += 1
        self.queue.settle([entry.key for entry, outcome in outcomes if not isinstance(outcome, Exception)])
        self.queue.release([entry.key for entry, _ in lost], self.now())
        if len(outcomes) > 1 and len({entry.batch for entry, _ in outcomes}) == 1:
            self._say(self._result_of(outcomes).words())
        for entry, problem in lost[:3]:
            self.session.take_back(entry.key)
            self._told_lost.add(entry.key)
            self._warn(f"{self._lost_words(entry, problem)}; what you decided is in the outbox (3, then U)")
        self.want()

    def _result_of(self, outcomes: list[Outcome]) -> BulkResult:
        verbs = {entry.decision.verb: decision_words(entry.decision) for entry, _ in outcomes}
        return result_of(((entry.decision, outcome) for entry, outcome in outcomes), verbs)

    def _lost_words(self, entry: HeldEntry, problem: Exception) -> str:
        if isinstance(problem, ReviewConflict):
            return self._desk.conflict_words(entry.line.title, problem)
        return f"{entry.line.title}: {problem}"

    async def ask_about_left_over(self) -> None:
        """What an earlier program left in the outbox is shown; it is sent only when the person says so."""
        from treadle_tui.screens.left_over import LeftOver, LeftOverAnswer

        left = await self.deciding.pick_up()
        if not left:
            return
        self.queue.hold([entry.key for entry in left])
        answer = await self._ask(LeftOver(left, self.now()))
        if answer is LeftOverAnswer.SEND:
            self.deciding.send_soon(left)
        elif answer is LeftOverAnswer.DROP:
            self.deciding.take_back(left)
            self.queue.release([entry.key for entry in left], self.now())

    # opening --------------------------------------------------------------------------------------------------------------------

    async def open(self, line: ReviewLine, doing: str = "") -> None:
        """Show a review in depth, as it stands now, and carry out what is decided."""
        from treadle_tui.review_depth import Depth
        from treadle_tui.screens.review_modal import ReviewModal

        subject = await self.fresh_subject(line)
        if subject is None:
            return
        line = line._replace(version=subject.version, attempt=subject.attempt, since=subject.waiting_since, summary=subject.summary)
        self.session.show(line.key, self.monotonic())
        depth = Depth(self, self._desk, line, subject, self._ask, self._suspend)
        decision = await self._ask(ReviewModal(subject, self.now, doing, depth))
        if decision is not None:
            self.decide([line], decision)

    # many at once ---------------------------------------------------------------------------------------------------------------

    async def sheet(self, lines: Sequence[ReviewLine]) -> BulkSheet:
        """What is about to be decided; those that have changed since they were marked are dropped."""
        pending = await self._store.pending_reviews()
        now = {ReviewKey(each.item_id, each.stage, each.subtask): each.version for each in pending}
        still = [line for line in lines if now.get(line.key) == line.version]
        return BulkSheet(still, [line for line in lines if now.get(line.key) != line.version])

    # what a reviewer keeps ------------------------------------------------------------------------------------------------------

    def note_on(self, key: ReviewKey) -> str:
        """The remark that goes with the decision to come."""
        return self.keeping.text(key, JottingKind.NOTE)

    def draft_on(self, key: ReviewKey) -> str | None:
        """The edit that was begun and not finished."""
        return self.keeping.text(key, JottingKind.DRAFT) or None

    def keep(self, line: ReviewLine, kind: JottingKind, text: str = "", until: datetime | None = None) -> None:
        """Keep something about a review; an empty text is let go."""
        if not self._may_change():
            return
        self.keeping.keep(line, kind, text, until)
        if kind is JottingKind.LATER:
            self._take_later()
        self._tell()

    def defer(self, lines: Sequence[ReviewLine], until: datetime | None) -> None:
        """Put these off; those that are put off already come back."""
        if not self._may_change():
            return
        for line in lines:
            if self.queue.tab is Tab.DEFERRED and until is None:
                self.keeping.drop(line.key, JottingKind.LATER)
            else:
                self.keeping.keep(line, JottingKind.LATER, until=until)
        self.queue.clear_marks()
        self._take_later()
        self._tell()
        self._due.set()

    def look(self, line: ReviewLine) -> None:
        """Tell others that this one is being looked at; never a lock."""
        if not self._is_read_only:
            self.keeping.keep(line, JottingKind.LOOK)

    def typed(self, line: ReviewLine, what: str) -> str:
        """What a person began to type about a review and left: "answers", "reason" or "changes"."""
        return self.keeping.text(line.key, JottingKind(what))

    def keep_typed(self, line: ReviewLine, what: str, text: str) -> None:
        """Keep what was begun, for when they come back."""
        if not self._is_read_only:
            self.keeping.keep(line, JottingKind(what), text)
