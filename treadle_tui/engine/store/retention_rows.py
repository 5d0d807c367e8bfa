"""The part of a store's rows that retention reads and drops, as its verbs see them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from treadle_tui.engine.store.baseline import BaselineRow
from treadle_tui.engine.store.rows import RawEvent


class Mark(NamedTuple):
    """How far the events of a workflow have been dropped."""

    horizon: int = 0
    """The `seq` of the last one that was dropped."""
    dropped: int = 0
    """How many that were."""


class FinishedItem(NamedTuple):
    """An item of which nothing will run again by itself."""

    key: int
    id: str
    finished_at: int
    """Milliseconds: when the last of its stages ended."""
    has_outputs: bool
    """Whether outputs or memos of it are still kept."""


class SpareAttempt(NamedTuple):
    """An attempt of an ended stage or subtask that is neither the last one nor the one whose output stands; or of one that is gone."""

    item: int
    stage: int
    sub: int
    number: int
    completed_at: int
    age: int
    """How many attempts came after it."""


class Chunk(NamedTuple):
    """Some items of a workflow in a row."""

    last_key: int
    """Go on behind it; 0 when there are no more."""
    finished: Sequence[FinishedItem]
    spare: Sequence[SpareAttempt]


ALL_WORKFLOWS = 0
"""The number under which the policy for workflows without one of their own is kept."""


class RetentionRows(ABC):
    """Policies, marks, baselines; and what may be dropped."""

    @abstractmethod
    def policies(self) -> dict[int, bytes]:
        """Policies as JSON, by the workflow's number."""

    @abstractmethod
    def save_policy(self, workflow: int, policy: bytes | None) -> None:
        """Keep a policy in place of an earlier one; None: have none."""

    @abstractmethod
    def mark(self, workflow: int) -> Mark:
        """How far the workflow's events have been dropped."""

    @abstractmethod
    def save_mark(self, workflow: int, mark: Mark) -> None:
        """Remember how far they have been."""

    @abstractmethod
    def events_of(self, workflow: int, after: int, limit: int) -> list[RawEvent]:
        """The first events of a workflow after a `seq`."""

    @abstractmethod
    def delete_events(self, seqs: Sequence[int]) -> None:
        """Drop events."""

    @abstractmethod
    def baselines(self, items: Collection[int]) -> Mapping[int, BaselineRow]:
        """The baselines of these items, where they have one."""

    @abstractmethod
    def save_baselines(self, rows: Iterable[BaselineRow]) -> None:
        """Keep baselines in place of earlier ones."""

    @abstractmethod
    def chunk(self, workflow: int, after: int, limit: int) -> Chunk:
        """The next items of a workflow behind a key, with what of them may be dropped."""

    @abstractmethod
    def delete_attempts(self, attempts: Sequence[SpareAttempt]) -> None:
        """Drop attempts, with outputs nobody else has."""

    @abstractmethod
    def drop_outputs(self, item: int) -> None:
        """Drop every output and memo of an item; its attempts stay."""

    @abstractmethod
    def give_back(self, pages: int) -> int:
        """Give free pages back to the file system; how many were."""
