"""What a reviewer keeps about reviews: notes, edits that were begun, answers and reasons that were typed and left, what was put off.

All of it is on disk, each at the version of the review it was about. What cannot be written stays here and is written once it can be:
nothing that was typed is lost while the program lives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from treadle_tui.board.review_line import ReviewKey, ReviewLine
from treadle_tui.engine.desk import Jotting, JottingKind

if TYPE_CHECKING:
    from treadle_tui.engine.store.protocol import StateStore

#: What is typed is written once nothing has been typed for so long.
_PAUSE_SECONDS = 0.4
#: Empty, these are let go.
_TEXTS = (JottingKind.NOTE, JottingKind.DRAFT, JottingKind.ANSWERS, JottingKind.REASON, JottingKind.CHANGES)
#: Written when the typing pauses.
_TYPED = (JottingKind.ANSWERS, JottingKind.REASON, JottingKind.CHANGES)

_Place = tuple[ReviewKey, JottingKind]


class Keeping:
    """Of one reviewer. Whoever owns it reads the store, and hands in what it has read."""

    def __init__(
        self,
        store: Callable[[], StateStore],
        reviewer: str,
        now: Callable[[], datetime],
        spawn: Callable[[Awaitable[None], str], None],
    ) -> None:
        """`spawn` does something beside the keys, under a name, and tells of its failure."""
        self._store = store
        self._reviewer = reviewer
        self._now = now
        self._spawn = spawn
        self._kept: dict[_Place, Jotting] = {}
        self._unwritten: dict[_Place, Jotting] = {}
        """Those that are not on disk yet: they stay here, and are tried again once the database can be read."""
        self._writing = 0
        self.changes = 0
        """How often something else was kept from here: what was read of the store before is older."""

    # asking ---------------------------------------------------------------------------------------------------------------------

    def text(self, key: ReviewKey, kind: JottingKind) -> str:
        """What is kept of that kind; empty when nothing is."""
        found = self._kept.get((key, kind))
        return found.text if found is not None else ""

    def has(self, key: ReviewKey, kind: JottingKind) -> bool:
        """Whether something of that kind is kept."""
        return (key, kind) in self._kept

    @property
    def put_off(self) -> dict[ReviewKey, tuple[int, datetime | None]]:
        """What was put off: at which version, and until when."""
        return {key: (each.version, each.until) for (key, kind), each in self._kept.items() if kind is JottingKind.LATER}

    @property
    def is_written(self) -> bool:
        """Whether all of it is on disk."""
        return not self._unwritten and not self._writing

    # keeping --------------------------------------------------------------------------------------------------------------------

    def take(self, jottings: Iterable[Jotting], changes: int) -> None:
        """Take in what is on disk, unless something else has been kept since `changes`."""
        for each in list(self._unwritten.values()) if not self._writing else ():
            self._spawn(self._write(each), "keep")
        if changes == self.changes and not self._writing:
            mine = [each for each in jottings if each.reviewer == self._reviewer]
            self._kept = {(ReviewKey(each.item_id, each.stage, each.subtask), each.kind): each for each in mine} | self._unwritten

    def keep(self, line: ReviewLine, kind: JottingKind, text: str = "", until: datetime | None = None) -> None:
        """Keep something about a review, in place of an earlier one of its kind; an empty text is let go."""
        if not text and kind in _TEXTS:
            self.drop(line.key, kind)
            return
        self.changes += 1
        kept = Jotting(
            kind=kind, item_id=line.key.item_id, stage=line.key.stage, subtask=line.key.subtask, reviewer=self._reviewer,
            version=line.version, at=self._now(), until=until, text=text,
        )  # fmt: skip
        self._kept[line.key, kind] = kept
        if kind is not JottingKind.LOOK:
            self._unwritten[line.key, kind] = kept
        self._spawn(self._write_soon(kept) if kind in _TYPED else self._write(kept), "keep")

    def drop(self, key: ReviewKey, kind: JottingKind) -> bool:
        """Let it go; whether there was something."""
        self._unwritten.pop((key, kind), None)
        was_kept = self._kept.pop((key, kind), None) is not None
        if was_kept:
            self.changes += 1
            self._spawn(self._forget(key, kind), "keep")
        return was_kept

    def drop_all(self, key: ReviewKey, but: Collection[JottingKind] = ()) -> None:
        """The review has been decided: nothing that was kept about it is wanted any more, but these."""
        for kind in JottingKind:
            if kind not in but:
                self.drop(key, kind)

    async def finish(self) -> None:
        """The program ends: write what was typed last, and look at nothing any more."""
        for each in list(self._unwritten.values()):
            await self._write(each)
        await self._store().forget_jotting(self._reviewer, JottingKind.LOOK)

    # on disk --------------------------------------------------------------------------------------------------------------------

    async def _write_soon(self, kept: Jotting) -> None:
        await asyncio.sleep(_PAUSE_SECONDS)
        if self._unwritten.get(_place_of(kept)) is kept:
            await self._write(kept)

    async def _write(self, kept: Jotting) -> None:
        review = (kept.item_id, kept.stage, kept.subtask)
        self._writing += 1
        try:
            await self._store().keep_jotting(
                self._reviewer, kept.kind, review, kept.at, version=kept.version, until=kept.until, text=kept.text
            )
        finally:
            self._writing -= 1
        if self._unwritten.get(_place_of(kept)) is kept:
            del self._unwritten[_place_of(kept)]

    async def _forget(self, key: ReviewKey, kind: JottingKind) -> None:
        self._writing += 1
        try:
            await self._store().forget_jotting(self._reviewer, kind, (key.item_id, key.stage, key.subtask))
        finally:
            self._writing -= 1


def _place_of(kept: Jotting) -> _Place:
    return ReviewKey(kept.item_id, kept.stage, kept.subtask), kept.kind
