"""What reviews are about, read before it is asked for: the next few are at hand when a decision is made."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from treadle_tui.board.review_line import ReviewKey, ReviewLine
from treadle_tui.engine.errors import TreadleError

if TYPE_CHECKING:
    from treadle_tui.board.review_subject import ReviewSubject
    from treadle_tui.desks.review import ReviewDesk

#: Kept ready.
_MOST = 64


class Subjects:
    """Those of one inbox."""

    def __init__(self, desk: ReviewDesk, ready: Callable[[ReviewLine, ReviewSubject], None], fail: Callable[[TreadleError], None]) -> None:
        """`ready` is told of each that has been prepared, `fail` why one could not be."""
        self._desk = desk
        self._ready = ready
        self._fail = fail
        self._read: dict[ReviewKey, ReviewSubject] = {}
        self._asked: dict[ReviewKey, int] = {}
        """At which version what a review is about was read last: it is not read again for that."""
        self._wanted: list[ReviewLine] = []
        self._preparing: asyncio.Task[None] | None = None

    def of(self, line: ReviewLine) -> ReviewSubject | None:
        """What has been read of a review, at the version the line shows; None while it has not been."""
        found = self._read.get(line.key)
        return found if found is not None and (found.version == line.version or not line.version) else None

    def forget(self, key: ReviewKey) -> None:
        """It waits no longer."""
        self._read.pop(key, None)
        self._asked.pop(key, None)

    def prepare(self, lines: Sequence[ReviewLine]) -> None:
        """Read what these are about, the first one first."""
        self._wanted = [line for line in lines if self._asked.get(line.key) != line.version]
        if self._wanted and (self._preparing is None or self._preparing.done()):
            self._preparing = asyncio.create_task(self._prepare(), name="prepare reviews")

    async def _prepare(self) -> None:
        while self._wanted:
            line = self._wanted.pop(0)
            self._asked[line.key] = line.version
            try:
                subject = await self.read(line)
            except TreadleError as error:
                self._fail(error)
                self._asked.pop(line.key, None)
                return
            if subject is not None:
                self.keep(line, subject)
                self._ready(line, subject)

    async def read(self, line: ReviewLine) -> ReviewSubject | None:
        """What a review is about at this moment; None when there is no such stage any more."""
        subject = await self._desk.subject(line.key.item_id, line.workflow, line.key.stage, line.key.subtask)
        return dataclasses.replace(subject, why=line.why) if subject is not None else None

    def keep(self, line: ReviewLine, subject: ReviewSubject) -> None:
        """Keep it at hand."""
        self._read.pop(line.key, None)
        self._read[line.key] = subject
        while len(self._read) > _MOST:
            self.forget(next(iter(self._read)))
