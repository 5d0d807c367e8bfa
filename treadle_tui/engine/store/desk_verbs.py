"""The verbs of the review desk as awaitable calls, written once for every store."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from treadle_tui.engine.clock import to_ms
from treadle_tui.engine.codec import decision_to_json, encode_json
from treadle_tui.engine.desk import Desk, JottingKind, NewDecision, Sent
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs import outbox

T = TypeVar("T")
Review = tuple[str, str, str | None]
"""(item id, stage, subtask)"""


class DeskVerbs:
    """What a reviewer's terminal changes; none of it but `send` changes a stage."""

    @abstractmethod
    async def _run(self, verb: Callable[[Unit], T], now: int = 0) -> T: ...

    async def hold(self, desk: Desk, decisions: Sequence[NewDecision], now: datetime) -> list[int]:
        """Hold decisions on disk, in one transaction; their numbers.

        Raises: `ItemNotFound`, `StageNotFound`; TypeError for an edit that has no JSON form.
        """
        lines = [
            outbox.Line(each.item_id, each.stage, each.subtask, each.version, encode_json(decision_to_json(each.decision)))
            for each in decisions
        ]
        return await self._run(lambda unit: outbox.hold(unit, desk, lines), to_ms(now))

    async def take_back(self, ids: Sequence[int]) -> list[int]:
        """Let held decisions go; the numbers of those that were still held."""
        return await self._run(lambda unit: outbox.take_back(unit, ids))

    async def adopt(self, ids: Sequence[int], desk: Desk) -> None:
        """Take over what a program that has ended held."""
        await self._run(lambda unit: outbox.adopt(unit, ids, desk))

    async def send(self, ids: Sequence[int], now: datetime) -> list[Sent]:
        """Record held decisions, in one transaction; of each the state it led to, or why it was not recorded and stays held."""
        return await self._run(lambda unit: outbox.send(unit, ids), to_ms(now))

    async def keep_jotting(
        self,
        reviewer: str,
        kind: JottingKind,
        review: Review,
        now: datetime,
        *,
        version: int,
        until: datetime | None = None,
        text: str = "",
    ) -> None:
        """Keep a jotting about a review, in place of an earlier one of its kind. Raises: `ItemNotFound`, `StageNotFound`."""
        due = None if until is None else to_ms(until)
        await self._run(lambda unit: outbox.keep(unit, reviewer, kind.value, review, version=version, until=due, text=text), to_ms(now))

    async def forget_jotting(self, reviewer: str, kind: JottingKind, review: Review | None = None) -> None:
        """Let a jotting go; without a review, all of the reviewer's of that kind."""
        await self._run(lambda unit: outbox.forget(unit, reviewer, kind.value, review))
