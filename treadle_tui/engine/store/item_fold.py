"""From the stored events of one item back to its states: as they were after any of them.

The same fold as the events promise (`events.STATE_AFTER`), made for a board that looks back: it takes stored rows, not decoded events,
and gives the same answer when all but the latest row of each stage and subtask are left out (`WORDS`), so an item with a long history
costs no more than one with a short one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from treadle_tui.engine import events as ev
from treadle_tui.engine.clock import from_ms
from treadle_tui.engine.codec import decode_json
from treadle_tui.engine.states import ItemState, StageState, SubTaskStatus
from treadle_tui.engine.status import Cell
from treadle_tui.engine.store.event_codec import KIND_NUMBER
from treadle_tui.engine.store.rows import RawEvent

_STATE_AFTER: Mapping[int, StageState] = {KIND_NUMBER[kind]: state for kind, state in ev.STATE_AFTER.items()}
FAN_OUT = KIND_NUMBER[ev.FanOutStarted]
RESOLVED = KIND_NUMBER[ev.ReviewResolved]
ADDED = KIND_NUMBER[ev.ItemAdded]
ENDING = tuple(KIND_NUMBER[kind] for kind in (ev.StageCompleted, ev.StageSkipped, ev.StageFailed))
"""Numbers of the kinds with which a stage ends."""
_CANCELLED = KIND_NUMBER[ev.ItemCancelled]
_ITEM_STATE: Mapping[int, ItemState] = {
    KIND_NUMBER[ev.ItemPaused]: ItemState.PAUSED,
    KIND_NUMBER[ev.ItemResumed]: ItemState.ACTIVE,
    KIND_NUMBER[ev.ItemCancelled]: ItemState.CANCELLED,
    KIND_NUMBER[ev.WorkflowCompleted]: ItemState.COMPLETED,
}
WORDS = (*_STATE_AFTER, RESOLVED, *_ITEM_STATE)
"""Numbers of the kinds that say where something stands; of one item the latest of each stage and subtask is enough, the latest
declaration of subtasks kept beside the rest, and of those without a stage the latest of each kind."""


class Standing:
    """Where a stage or subtask stood."""

    __slots__ = ("at", "attempt", "state")

    def __init__(self, state: StageState = StageState.PENDING, attempt: int = 0, at: int | None = None) -> None:
        self.state = state
        self.attempt = attempt
        self.at = at
        """Milliseconds; None while nothing has happened."""


class ItemFold:
    """The states of one item by the events taken so far."""

    def __init__(self) -> None:
        self.stages: dict[int, Standing] = {}
        """By the stage's number; a stage nothing has happened to is not there, and pending."""
        self.subtasks: dict[int, dict[str, Standing]] = {}
        """By the stage's number and the subtask's name, in the order of the latest declaration."""
        self.state = ItemState.ACTIVE
        self.untouched = StageState.PENDING
        """The state of stages nothing has happened to."""

    def take_all(self, rows: Iterable[RawEvent]) -> ItemFold:
        """Take rows of this item, ascending by `seq`; the fold itself."""
        for row in rows:
            self.take(row)
        return self

    def take(self, row: RawEvent) -> None:
        """Take one row, later than those before."""
        if row.stage is None:
            self._take_of_item(row)
            return
        state = StageState.AWAITING_REVIEW if row.kind == RESOLVED else _STATE_AFTER.get(row.kind)
        if row.kind == RESOLVED and _sends_back(row.data):
            state = StageState.PENDING
        if state is None:
            return
        if row.kind == FAN_OUT:
            self.subtasks[row.stage] = {name: Standing() for name in decode_json(row.data or b"{}").get("subtasks", ())}
        if row.subtask is None:
            self.stages[row.stage] = Standing(state, row.attempt, row.at)
        elif row.subtask in self.subtasks.get(row.stage, ()):  # else of an earlier declaration
            self.subtasks[row.stage][row.subtask] = Standing(state, row.attempt, row.at)
        if not (state.is_satisfied or self.state in (ItemState.ACTIVE, ItemState.PAUSED)):
            self.state = ItemState.ACTIVE  # sent back after it was complete, or called off

    def _take_of_item(self, row: RawEvent) -> None:
        self.state = _ITEM_STATE.get(row.kind, self.state)
        if row.kind == _CANCELLED:
            self.untouched = StageState.CANCELLED
            subtasks = [standing for named in self.subtasks.values() for standing in named.values()]
            for standing in (*self.stages.values(), *subtasks):
                if not standing.state.is_finished:
                    standing.state, standing.at = StageState.CANCELLED, row.at

    def cell(self, stage: int) -> Cell:
        """The stage as a board shows it."""
        found = self.stages.get(stage)
        subtasks = self.subtasks.get(stage, {})
        if found is None:
            return Cell(state=self.untouched)
        return Cell(
            state=found.state,
            attempt=found.attempt,
            updated_at=None if found.at is None else from_ms(found.at),
            subtasks=len(subtasks),
            subtasks_by_state=Counter(standing.state for standing in subtasks.values()),
        )

    def subtask_statuses(self, stage: int) -> list[SubTaskStatus]:
        """The subtasks of a stage, with states only."""
        return [
            SubTaskStatus(
                name=name, state=standing.state, attempt=standing.attempt, updated_at=None if standing.at is None else from_ms(standing.at)
            )
            for name, standing in self.subtasks.get(stage, {}).items()
        ]


def _sends_back(data: bytes | None) -> bool:
    """Whether the decision asks for changes, so that the stage runs again."""
    if data is None or b"request_changes" not in data:
        return False
    return bool((decode_json(data).get("decision") or {}).get("verb") == "request_changes")
