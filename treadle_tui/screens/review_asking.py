"""What the inbox asks before it decides: a reason, what should be different, whether really all of these, until when, a note.

The dialogs are imported when the first one is asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

from treadle_tui.board.moments import OFFERS, NoMoment, moment_of
from treadle_tui.board.review_line import ReviewLine
from treadle_tui.engine.desk import JottingKind
from treadle_tui.engine.review import Approve, Reject, RequestChanges
from treadle_tui.screens.review_bench import ReviewBench

_VERBS = {"approve": "Approve", "reject": "Reject", "changes": "Request changes of"}


class ReviewAsking:
    """Asks with `ask`, and has the bench do what was answered. Leaving a question does nothing."""

    def __init__(self, bench: ReviewBench, ask: Callable[[Any], Awaitable[Any]], say: Callable[[str], None]) -> None:
        self._bench = bench
        self._ask = ask
        self._say = say

    async def decide_one(self, what: str, line: ReviewLine) -> None:
        """Reject, or send back, with what the person says; `what` is "reject" or "changes"."""
        said = await (self._reason(line) if what == "reject" else self._changes(line))
        if said is not None:
            self._bench.decide([line], Reject(said) if what == "reject" else RequestChanges(said))

    async def _reason(self, line: ReviewLine) -> str | None:
        from treadle_tui.screens.reject_reason import RejectReason

        subject = self._bench.subject(line)
        reasons = subject.reasons if subject is not None else ()
        text, keep = self._bench.typed(line, "reason"), lambda text: self._bench.keep_typed(line, "reason", text)
        said: str | None = await self._ask(RejectReason(line.title, reasons, text, keep))
        return said

    async def _changes(self, line: ReviewLine) -> str | None:
        from treadle_tui.screens.one_line import OneLine

        said: str | None = await self._ask(
            OneLine(
                f"Request changes of {line.title}",
                text=self._bench.typed(line, "changes"),
                placeholder="what should be different; it runs again with this",
                refuse=lambda text: "" if text else "say what should be different",
                keep=lambda text: self._bench.keep_typed(line, "changes", text),
            )
        )
        return said

    async def decide_many(self, what: str, lines: Sequence[ReviewLine]) -> None:
        """Decide all of these in one way, once the person has seen what they are."""
        from treadle_tui.screens.bulk_sheet import BulkQuestion

        sheet = await self._bench.sheet(lines)
        if not sheet.lines:
            self._bench.expect_dialog(False)
            self._say("all of these have been decided, or have changed, since they were marked")
            self._bench.want()
            return
        subject = self._bench.subject(sheet.lines[0])
        reasons = subject.reasons if subject is not None and what == "reject" else ()
        said = await self._ask(BulkQuestion(_VERBS[what], sheet, self._bench.now(), asks_reason=what != "approve", reasons=reasons))
        if what == "changes" and said == "":
            self._say("say what should be different; nothing was decided")
        elif said is not None:
            self._bench.decide(sheet.lines, {"approve": Approve(), "reject": Reject(said), "changes": RequestChanges(said)}[what])

    async def put_off(self, lines: Sequence[ReviewLine]) -> None:
        """Put these off until a moment the person names."""
        from treadle_tui.screens.one_line import OneLine

        title = lines[0].title if len(lines) == 1 else f"{len(lines):,} reviews"
        said = await self._ask(
            OneLine(f"{title}: later, until …", placeholder="10m, 2h, tomorrow, mon, 15:30", offers=OFFERS, refuse=self._refuse_moment)
        )
        if said is not None:
            self._bench.defer(lines, moment_of(said, self._bench.now()))

    def _refuse_moment(self, text: str) -> str:
        try:
            is_ahead = moment_of(text, self._bench.now()) > self._bench.now() - timedelta(seconds=1)
        except NoMoment as refused:
            return str(refused)
        return "" if is_ahead else "that moment has passed"

    async def note(self, line: ReviewLine) -> None:
        """Keep a remark that goes with the decision to come."""
        from treadle_tui.screens.one_line import OneLine

        said = await self._ask(
            OneLine(f"Note on {line.title}", text=self._bench.note_on(line.key), placeholder="kept with your decision; empty takes it away")
        )
        if said is not None:
            self._bench.keep(line, JottingKind.NOTE, said)
