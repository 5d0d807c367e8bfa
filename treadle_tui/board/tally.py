"""Totals by stage and state, as the header and the column heads show them. From the store's kept counts, never from rows."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from treadle_tui.engine.record import Record
from treadle_tui.engine.states import READING_ORDER, StageState

Counts = Mapping[str, Mapping[str, Mapping[StageState, int]]]
"""Workflow, stage, state: how many items."""
WaitingSubtasks = Mapping[str, Mapping[str, int]]
"""Workflow, stage: how many subtasks wait for a person."""


class Tally(Record, frozen=True):
    """Totals of one workflow, or of all."""

    items: int = 0
    by_state: Mapping[StageState, int] = msgspec.field(default_factory=dict)
    """Stages of all items, by state; only states that occur."""
    by_stage: Mapping[str, Mapping[StageState, int]] = msgspec.field(default_factory=dict)
    waiting_subtasks: Mapping[str, int] = msgspec.field(default_factory=dict)
    """By stage: subtasks that wait for a person. Their stages run, and are counted as such."""

    @property
    def is_running(self) -> bool:
        """Whether a stage runs now."""
        return bool(self.by_state.get(StageState.RUNNING))

    def in_order(self) -> list[tuple[StageState, int]]:
        """The totals that are not zero, in reading order; what waits for a person with the subtasks that do."""
        return _in_order(self.by_state, sum(self.waiting_subtasks.values()))

    def of_stage(self, stage: str) -> dict[StageState, int]:
        """The totals of a stage that are not zero, in reading order; what waits for a person with the subtasks that do."""
        return dict(_in_order(self.by_stage.get(stage, {}), self.waiting_subtasks.get(stage, 0)))

    @property
    def waiting(self) -> int:
        """How many stages and subtasks wait for a person."""
        return self.by_state.get(StageState.AWAITING_REVIEW, 0) + sum(self.waiting_subtasks.values())

    def needs_person(self, stage: str) -> list[tuple[StageState, int]]:
        """What waits and what failed in a stage; [] when neither."""
        return [(state, count) for state, count in self.of_stage(stage).items() if state in READING_ORDER[:2]]


def _in_order(states: Mapping[StageState, int], waiting_subtasks: int) -> list[tuple[StageState, int]]:
    waiting = {StageState.AWAITING_REVIEW: states.get(StageState.AWAITING_REVIEW, 0) + waiting_subtasks}
    return [(state, count) for state in READING_ORDER if (count := waiting.get(state, states.get(state, 0)))]


def tally(counts: Counts, workflow: str | None = None, subtasks: WaitingSubtasks | None = None) -> Tally:
    """Add the counts up, of one workflow or of all, and the subtasks that wait."""
    names = [workflow] if workflow is not None else list(counts)
    by_state: dict[StageState, int] = {}
    by_stage: dict[str, dict[StageState, int]] = {}
    items = 0
    for name in names:
        stages = counts.get(name, {})
        items += max((sum(states.values()) for states in stages.values()), default=0)
        for stage, states in stages.items():
            mine = by_stage.setdefault(stage, {})
            for state, count in states.items():
                by_state[state] = by_state.get(state, 0) + count
                mine[state] = mine.get(state, 0) + count
    waiting: dict[str, int] = {}
    for name in names:
        for stage, count in (subtasks or {}).get(name, {}).items():
            waiting[stage] = waiting.get(stage, 0) + count
    return Tally(items, by_state, by_stage, waiting)
