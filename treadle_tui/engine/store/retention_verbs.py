"""Retention as awaitable calls, written once for every store: what is kept, and dropping the rest a little at a time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol, TypeVar

from treadle_tui.engine.record import Record
from treadle_tui.engine.retention import Retention
from treadle_tui.engine.store.baseline import BaselineRow, ItemBaseline, unpacked
from treadle_tui.engine.store.retention_rows import ALL_WORKFLOWS
from treadle_tui.engine.store.shape import WorkflowShape
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs import retaining
from treadle_tui.engine.store.verbs.retaining import Progress

T = TypeVar("T")


class KeepFrom(Record, frozen=True):
    """The first ones that are kept because of their number; 0 where the number does not matter."""

    event: int = 0
    """A `seq`."""
    outputs: int = 0
    """An item's key."""
    item: int = 0
    """An item's key."""


class FreeRoom(Record, frozen=True):
    """How much of the file is not in use."""

    pages: int = 0
    free_pages: int = 0
    can_shrink: bool = False
    """Whether free pages can be given back without rewriting the file."""


class RetentionReads(Protocol):
    """What anybody may ask about what is kept."""

    async def retention(self) -> dict[str | None, Retention]:
        """The policies there are by workflow; under None the one for workflows without their own."""
        ...

    async def horizon(self) -> int:
        """The `seq` of the newest event that has been dropped; 0 when none has."""
        ...

    def baselines(self) -> AsyncIterator[ItemBaseline]:
        """Where folding the events begins, for every item that has lost some."""
        ...


class RetentionVerbs:
    """What is kept, and dropping the rest. `now` is milliseconds by the caller's clock."""

    @abstractmethod
    async def _run(self, verb: Callable[[Unit], T], now: int = 0) -> T: ...

    async def set_retention(self, policy: Retention, workflow: str | None = None) -> None:
        """Keep this much of a workflow, or of all that have no policy of their own, from now on; engines drop the rest when they are idle.

        Raises: `InvalidDefinition` for a workflow the database does not have.
        """
        await self._run(lambda unit: retaining.save_policy(unit, workflow, policy))

    async def forget_retention(self, workflow: str) -> None:
        """Let a workflow follow the policy of all again. Raises `InvalidDefinition` for an unknown one."""
        await self._run(lambda unit: retaining.forget_policy(unit, workflow))

    async def policies_by_number(self) -> dict[int, Retention]:
        """The policies by the workflow's number, for every workflow that has one or follows that of all."""

        def read(unit: Unit) -> dict[int, Retention]:
            known = retaining.policies(unit)
            common = known.get(ALL_WORKFLOWS)
            found = {number: known.get(number, common) for number in unit.shapes}
            return {number: policy for number, policy in found.items() if policy is not None and not policy.keeps_everything}

        return await self._run(read)

    async def drop_events(self, workflow: int, policy: Retention, after: int, keep_from: int, now: int) -> Progress:
        """Fold some of the oldest events of a workflow into baselines."""
        return await self._run(lambda unit: retaining.drop_events(unit, workflow, policy, after, keep_from), now)

    async def tidy_items(self, workflow: int, policy: Retention, after: int, keep_from: KeepFrom, now: int) -> Progress:
        """Drop what is not kept of some items of a workflow."""
        return await self._run(lambda unit: retaining.tidy_items(unit, workflow, policy, after, keep_from.outputs, keep_from.item), now)

    async def give_back(self) -> int:
        """Give some free pages back to the file system; how many were."""
        return await self._run(retaining.give_back)

    @abstractmethod
    async def keep_from(self, workflow: int, policy: Retention) -> KeepFrom:
        """The first event and items that a policy keeps because of their number."""

    @abstractmethod
    async def free_room(self) -> FreeRoom:
        """How much of the file is not in use."""


def item_baseline(item_id: str, shape: WorkflowShape, row: BaselineRow, stage_name: Callable[[int], str]) -> ItemBaseline:
    """A baseline as it is kept, with names."""
    fold = unpacked(row.fold)
    names: Mapping[int, str] = {number: stage_name(number) for number in {*fold.stages, *fold.subtasks}}
    return ItemBaseline(
        item_id,
        shape.name,
        row.seq,
        {names[number]: standing.state for number, standing in fold.stages.items()},
        {names[number]: {name: each.state for name, each in named.items()} for number, named in fold.subtasks.items()},
        fold.untouched,
    )
