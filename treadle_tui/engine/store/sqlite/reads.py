"""What anybody may ask of a `SqliteStateStore`: each read is a question of `questions`, asked on read-only connections."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from treadle_tui.engine.attempt_record import AttemptRecord
from treadle_tui.engine.events import Event, Lagged
from treadle_tui.engine.states import StageState, StageStatus, StoredItem
from treadle_tui.engine.status import ItemRow, PendingReview, StageRun
from treadle_tui.engine.store.commits import CommitNews
from treadle_tui.engine.store.rows import Hold, Item, Worker
from treadle_tui.engine.store.shape import WorkflowShape
from treadle_tui.engine.store.sqlite.questions import EVENTS_AT_ONCE, Questions
from treadle_tui.engine.store.sqlite.reader import Reader

if TYPE_CHECKING:
    from treadle_tui.engine.selection import Selection


class SqliteReads:
    """The reads of `StoreReads`, over a `Reader`."""

    _reader: Reader
    _questions: Questions

    @property
    @abstractmethod
    def news(self) -> CommitNews:
        """Who is told of commits."""

    # --- what other reads are made of -------------------------------------------------------------------------------

    async def _shapes(self) -> Mapping[int, WorkflowShape]:
        return await self._reader.ask(self._questions.shapes())

    async def _item_of(self, item_id: str) -> Item | None:
        return await self._reader.ask(self._questions.item_of(item_id))

    async def _of_workflow(self, workflow: str | None) -> tuple[str, list[Any]]:
        return await self._reader.ask(self._questions.of_workflow(workflow))

    def stage_name(self, stage: int) -> str:
        """A stage's name by its number, also of one its workflow no longer has."""
        return self._questions.stage_name(stage)

    # --- one item ---------------------------------------------------------------------------------------------------

    async def get_status(self, item_id: str, stage: str) -> StageStatus | None:
        """The stage's status; None for an unknown item or stage."""
        return await self._reader.ask(self._questions.get_status(item_id, stage))

    async def get_all_statuses(self, item_id: str) -> dict[str, StageStatus]:
        """Every stage of the item by name, topological order."""
        return await self._reader.ask(self._questions.get_all_statuses(item_id))

    async def get_attempts(self, item_id: str, stage: str, subtask: str | None = None) -> list[AttemptRecord]:
        """Every attempt, oldest first."""
        return await self._reader.ask(self._questions.get_attempts(item_id, stage, subtask))

    async def get_item(self, item_id: str) -> StoredItem | None:
        """The item; None when there is none of that id."""
        return await self._reader.ask(self._questions.get_item(item_id))

    # --- many items -------------------------------------------------------------------------------------------------

    async def query_items(self, stage: str, state: StageState, workflow: str | None = None) -> list[str]:
        """Ids of the items whose stage of that name is in that state, oldest first."""
        return await self._reader.ask(self._questions.query_items(stage, state, workflow))

    async def list_items(self, workflow: str | None = None) -> list[str]:
        """Ids in the order of submission."""
        return await self._reader.ask(self._questions.list_items(workflow))

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
        """Board rows in order of submission, or the other way round; with `after`, counted from behind the item of that key."""
        question = self._questions.page(
            workflow=workflow, offset=offset, limit=limit, stage=stage, states=states, after=after, is_descending=is_descending
        )
        return await self._reader.ask(question)

    async def rows(self, item_ids: Sequence[str]) -> list[ItemRow]:
        """The board rows of these items as they stand now."""
        return await self._reader.ask(self._questions.rows(item_ids))

    async def count_items(self, *, workflow: str | None = None, stage: str | None = None, states: Sequence[StageState] = ()) -> int:
        """How many rows `page` has for the same question."""
        return await self._reader.ask(self._questions.count_items(workflow=workflow, stage=stage, states=states))

    async def count_selected(self, selection: Selection, now: int) -> int:
        """How many items are selected."""
        return await self._reader.ask(self._questions.count_selected(selection, now))

    async def select(self, selection: Selection, now: int, limit: int | None = None) -> array[int]:
        """Keys of the items that are selected, in order."""
        return await self._reader.ask(self._questions.select(selection, now, limit))

    async def ids_of(self, keys: Sequence[int]) -> list[str]:
        """Ids of the items of these keys, in their order; unknown ones are left out."""
        return await self._reader.ask(self._questions.ids_of(keys))

    async def ids_between(self, first: int, last: int, workflow: str | None = None) -> list[str]:
        """Ids of the items of the workflow with keys from `first` to `last`, in order of submission."""
        return await self._reader.ask(self._questions.ids_between(first, last, workflow))

    async def rows_of(self, keys: Sequence[int]) -> list[ItemRow]:
        """The board rows of the items of these keys, in their order; unknown ones are left out."""
        return await self._reader.ask(self._questions.rows_of(keys))

    async def place_of(self, key: int, workflow: str | None = None) -> int:
        """How many items of the workflow were added before the one of that key."""
        return await self._reader.ask(self._questions.place_of(key, workflow))

    async def counts(self) -> dict[str, dict[str, dict[StageState, int]]]:
        """Items per workflow, stage and state."""
        return await self._reader.ask(self._questions.counts())

    async def waiting_count(self) -> int:
        """How many stages and subtasks wait for a person."""
        return await self._reader.ask(self._questions.waiting_count())

    async def waiting_subtasks(self) -> dict[str, dict[str, int]]:
        """Subtasks that wait for a person, per workflow and stage."""
        return await self._reader.ask(self._questions.waiting_subtasks())

    async def pending_reviews(self, workflow: str | None = None) -> list[PendingReview]:
        """Everything that waits for a person, longest first, subtasks included."""
        return await self._reader.ask(self._questions.pending_reviews(workflow))

    async def stage_runs(self, workflow: str, limit: int = 200) -> dict[str, list[StageRun]]:
        """The stages that have ended, newest items first, at most `limit` of each."""
        return await self._reader.ask(self._questions.stage_runs(workflow, limit))

    async def secret_names(self, workflow: str) -> frozenset[str]:
        """Names of the fields that any stage of a workflow calls secret."""
        return next((shape.secret_names for shape in (await self._shapes()).values() if shape.name == workflow), frozenset())

    async def dependencies(self, workflow: str) -> dict[str, list[str]]:
        """What each stage of a workflow directly depends on, topological order."""
        return await self._reader.ask(self._questions.dependencies(workflow))

    async def stage_names(self, workflow: str | None = None) -> dict[str, list[str]]:
        """Stages of every workflow the store knows, topological order; then those that were removed with work in them."""
        return await self._reader.ask(self._questions.stage_names(workflow))

    # --- events -----------------------------------------------------------------------------------------------------

    async def events(self, since: int = 0, item_id: str | None = None) -> AsyncIterator[Event | Lagged]:
        """The durable events after `since`, in commit order; ends with the last one there is."""
        missed = await self._reader.ask(self._questions.missed(since, item_id))
        if missed:
            yield Lagged(missed)
        while True:
            batch = await self._reader.ask(self._questions.event_batch(since, item_id))
            for event in batch:
                yield event
                since = max(since, getattr(event, "seq", 0))
            if len(batch) < EVENTS_AT_ONCE:
                return

    async def last_seq(self) -> int:
        """The `seq` of the newest event."""
        return await self._reader.ask(self._questions.last_seq())

    async def changed(self, since: int, timeout: float) -> int:
        """Wait for an event after `since`, by this process or another; the newest `seq`."""
        self._reader.check_open()
        if self.news.last_seq <= since:
            newest = await self.last_seq()
            if newest > self.news.last_seq:
                self.news.wake(newest)
        await self.news.wait_beyond(since, timeout)
        return self.news.last_seq

    # --- what an engine asks now and then ---------------------------------------------------------------------------

    async def workers(self) -> list[Worker]:
        """Every engine that may hold leases."""
        return await self._reader.ask(self._questions.workers())

    async def holds(self) -> dict[int, Hold]:
        """Stages that start no more, by number."""
        return await self._reader.ask(self._questions.holds())
