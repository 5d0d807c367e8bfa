"""The seam between the engine and what keeps its state.

One call is one atomic change. The memory store, SQLite and later PostgreSQL pass one contract suite
(`treadle_tui.engine.testing.store_contract`).
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol, Self

from treadle_tui.engine.attempt_record import AttemptRecord
from treadle_tui.engine.desk import DecisionRecord, Desk, HeldDecision, Jotting, JottingKind, NewDecision, Sent
from treadle_tui.engine.events import Event, Lagged
from treadle_tui.engine.selection import Selection
from treadle_tui.engine.states import StageState, StageStatus, StoredItem
from treadle_tui.engine.status import ItemRow, PendingReview, StageRun
from treadle_tui.engine.store.log_view import LogReads
from treadle_tui.engine.store.retention_verbs import RetentionReads


class DeskReads(Protocol):
    """What anybody may ask of the review desk. Every method may be awaited from any event loop of the process."""

    async def held_decisions(self) -> list[HeldDecision]:
        """Every decision that is held, or could not be recorded, oldest first."""
        ...

    async def jottings(self, reviewer: str | None = None) -> list[Jotting]:
        """What reviewers keep about reviews, of one of them or of all."""
        ...

    async def decisions(self, *, before: int | None = None, limit: int = 200, workflow: str | None = None) -> list[DecisionRecord]:
        """The log of decisions, newest first; with `before`, what comes after the line of that number."""
        ...


class StoreReads(LogReads, DeskReads, RetentionReads, Protocol):
    """What anybody may ask. Every method may be awaited from any event loop of the process."""

    async def get_status(self, item_id: str, stage: str) -> StageStatus | None:
        """The stage's status; None for an unknown item or stage."""
        ...

    async def get_all_statuses(self, item_id: str) -> dict[str, StageStatus]:
        """Every stage of the item by name, topological order; {} for an unknown item."""
        ...

    async def query_items(self, stage: str, state: StageState, workflow: str | None = None) -> list[str]:
        """Ids of the items whose stage of that name is in that state, oldest first."""
        ...

    async def get_attempts(self, item_id: str, stage: str, subtask: str | None = None) -> list[AttemptRecord]:
        """Every attempt, oldest first; [] for an unknown item or stage."""
        ...

    async def get_item(self, item_id: str) -> StoredItem | None:
        """The item; None when there is none of that id."""
        ...

    async def list_items(self, workflow: str | None = None) -> list[str]:
        """Ids in the order of submission."""
        ...

    def events(self, since: int = 0, item_id: str | None = None) -> AsyncIterator[Event | Lagged]:
        """The durable events after `since`, in commit order; ends with the last one there is."""
        ...

    async def last_seq(self) -> int:
        """The `seq` of the newest event; 0 when there is none."""
        ...

    async def changed(self, since: int, timeout: float) -> int:
        """Wait until there is an event after `since`, by this process or another, or `timeout` seconds have passed; the newest `seq`."""
        ...

    async def page(
        self,
        *,
        workflow: str | None = None,
        offset: int = 0,
        limit: int = 100,
        stage: str | None = None,
        states: Sequence[StageState] = (),
        after: int | None = None,
        is_descending: bool = False,
    ) -> list[ItemRow]:
        """Board rows in order of submission, or the other way round; with `after`, counted from behind the item of that key.

        With `states`, only items that have a stage (the named one, else any) or one of its subtasks in one of them.
        """
        ...

    async def rows(self, item_ids: Sequence[str]) -> list[ItemRow]:
        """The board rows of these items as they stand now; unknown ids are left out."""
        ...

    async def count_items(self, *, workflow: str | None = None, stage: str | None = None, states: Sequence[StageState] = ()) -> int:
        """How many rows `page` has for the same question."""
        ...

    async def count_selected(self, selection: Selection, now: int) -> int:
        """How many items are selected. `now` in milliseconds: what ages are reckoned from."""
        ...

    async def select(self, selection: Selection, now: int, limit: int | None = None) -> array[int]:
        """Keys of the items that are selected, in order; the first `limit` of them."""
        ...

    async def ids_of(self, keys: Sequence[int]) -> list[str]:
        """Ids of the items of these keys, in their order; unknown ones are left out."""
        ...

    async def ids_between(self, first: int, last: int, workflow: str | None = None) -> list[str]:
        """Ids of the items of the workflow, or of all, with keys from `first` to `last`, in order of submission."""
        ...

    async def rows_of(self, keys: Sequence[int]) -> list[ItemRow]:
        """The board rows of the items of these keys, in their order; unknown ones are left out."""
        ...

    async def place_of(self, key: int, workflow: str | None = None) -> int:
        """How many items of the workflow, or of all, were added before the one of that key."""
        ...

    async def counts(self) -> dict[str, dict[str, dict[StageState, int]]]:
        """Items per workflow, stage and state; only states that occur. Kept, not counted: cheap at any size."""
        ...

    async def waiting_count(self) -> int:
        """How long `pending_reviews` is. Kept, not counted: cheap at any size."""
        ...

    async def waiting_subtasks(self) -> dict[str, dict[str, int]]:
        """Subtasks that wait for a person, per workflow and stage; only where some do. Kept, not counted: cheap at any size."""
        ...

    async def pending_reviews(self, workflow: str | None = None) -> list[PendingReview]:
        """Everything that waits for a person, longest first, subtasks included."""
        ...

    async def stage_runs(self, workflow: str, limit: int = 200) -> dict[str, list[StageRun]]:
        """The stages that have ended, newest items first, at most `limit` of each; every stage of the workflow is there.

        A sample that is cheap at any size: of the items that were begun last, and of the first ones for a stage none of those has
        come to.
        """
        ...

    def stir(self) -> None:
        """A person is at work: notice what other processes change soon, for a while."""
        ...

    async def secret_names(self, workflow: str) -> frozenset[str]:
        """Names of the fields that any stage of a workflow calls secret, whether or not its file is at hand."""
        ...

    async def dependencies(self, workflow: str) -> dict[str, list[str]]:
        """What each stage of a workflow directly depends on, topological order; {} for an unknown workflow."""
        ...

    async def stage_names(self, workflow: str | None = None) -> dict[str, list[str]]:
        """Stages of every workflow the store knows, topological order."""
        ...


class StateStore(StoreReads, Protocol):
    """Reads, and the verbs the engine changes state with."""

    async def hold(self, desk: Desk, decisions: Sequence[NewDecision], now: datetime) -> list[int]:
        """Hold decisions on disk; their numbers."""
        ...

    async def take_back(self, ids: Sequence[int]) -> list[int]:
        """Let held decisions go; the numbers of those that were still held."""
        ...

    async def adopt(self, ids: Sequence[int], desk: Desk) -> None:
        """Take over what a program that has ended held."""
        ...

    async def send(self, ids: Sequence[int], now: datetime) -> list[Sent]:
        """Record held decisions; of each the state it led to, or why it was not recorded and stays held."""
        ...

    async def keep_jotting(
        self,
        reviewer: str,
        kind: JottingKind,
        review: tuple[str, str, str | None],
        now: datetime,
        *,
        version: int,
        until: datetime | None = None,
        text: str = "",
    ) -> None:
        """Keep a jotting about a review (item id, stage, subtask), in place of an earlier one of its kind."""
        ...

    async def forget_jotting(self, reviewer: str, kind: JottingKind, review: tuple[str, str, str | None] | None = None) -> None:
        """Let a jotting go; without a review, all of the reviewer's of that kind."""
        ...

    async def delete_item(self, item_id: str) -> None:
        """Remove the item and everything about it. Raises `ItemNotFound`."""
        ...

    async def close(self) -> None:
        """Let go of everything; may be called again. Any other use afterwards raises `StoreError`."""
        ...

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exc: object) -> None: ...
