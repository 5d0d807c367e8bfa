"""Totals by stage and state, as the header and the column heads show them. From the store's kept counts, never from rows."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from treadle_tui.engine.record import Record
from treadle_tui.engine.states import READING_ORDER, StageState

Counts = Mapping[str, Mapping[str, Mapping[StageState, int]]]
"""Workflow, stage, state: how many items."""


class Tally(Record, frozen=True):
    """Totals of one workflow, or of all."""

    items: int = 0
    by_state: Mapping[StageState, int] = msgspec.field(default_factory=dict)
    """Stages of all items, by state; only states that occur."""
    by_stage: Mapping[str, Mapping[StageState, int]] = msgspec.field(default_factory=dict)

    @property
    def is_running(self) -> bool:
        """Whether a stage runs now."""
        return bool(self.by_state.get(StageState.RUNNING))

    def in_order(self) -> list[tuple[StageState, int]]:
        """The totals that are not zero, in reading order."""
        return [(state, self.by_state[state]) for state in READING_ORDER if self.by_state.get(state)]

    def needs_person(self, stage: str) -> list[tuple[StageState, int]]:
        """What waits and what failed in a stage; [] when neither."""
        states = self.by_stage.get(stage, {})
        return [(state, states[state]) for state in READING_ORDER[:2] if states.get(state)]


def tally(counts: Counts, workflow: str | None = None) -> Tally:
    """Add the counts up, of one workflow or of all."""
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
    return Tally(items, by_state, by_stage)
