"""The rows behind held decisions, jottings and the log of decisions, as the verbs see them.

Unlike tasks they are never changed in place: they come, they go, and two fields of them are set. So they need no photographs; each
store says how an insertion or a removal is taken back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple


class HeldRow(NamedTuple):
    """A decision that waits to be recorded."""

    id: int
    session: str
    reviewer: str
    host: str
    pid: int
    pid_start: str
    item: int
    stage: int
    subtask: str | None
    version: int
    decision: bytes
    made_at: int
    problem: str | None


class JottingRow(NamedTuple):
    """What one reviewer keeps about one review; the first five fields name it."""

    item: int
    stage: int
    subtask: str
    """Empty for the stage itself."""
    reviewer: str
    kind: str
    version: int
    at: int
    until: int | None
    text: str

    @property
    def key(self) -> tuple[int, int, str, str, str]:
        """(item, stage, subtask, reviewer, kind)."""
        return self[:5]


class DecisionRow(NamedTuple):
    """One line of the log."""

    number: int
    at: int
    item: int
    stage: int
    sub: int
    subtask: str | None
    attempt: int
    decision: bytes
    is_undone: int


class DeskRows(ABC):
    """The three tables of one transaction."""

    @abstractmethod
    def insert_held(self, rows: Sequence[HeldRow]) -> list[int]:
        """Hold decisions; their numbers. The rows' own numbers are ignored."""

    @abstractmethod
    def held(self, ids: Sequence[int]) -> list[HeldRow]:
        """Held decisions of these numbers, in that order; those that are held no longer are left out."""

    @abstractmethod
    def delete_held(self, ids: Sequence[int]) -> None:
        """Let held decisions go."""

    @abstractmethod
    def set_problem(self, id: int, problem: str) -> None:
        """Say why a held decision could not be recorded."""

    @abstractmethod
    def adopt_held(self, ids: Sequence[int], session: str, host: str, pid: int, pid_start: str) -> None:
        """Held decisions belong to another terminal from now on."""

    @abstractmethod
    def save_jottings(self, rows: Sequence[JottingRow]) -> None:
        """Keep jottings, in place of earlier ones of the same key."""

    @abstractmethod
    def delete_jottings(self, reviewer: str, kind: str | None = None, item: int = 0, stage: int = 0, subtask: str = "") -> None:
        """Let a reviewer's jottings go: of one review, or, without an item, of all; of one kind, or of every."""

    @abstractmethod
    def insert_decision(self, row: DecisionRow) -> None:
        """Add a line to the log; its own number is ignored."""

    @abstractmethod
    def undo_decision(self, item: int, stage: int, sub: int) -> None:
        """Mark the newest line of a review as taken back."""
