"""Reads what the statistics are made from: samples, whose cost does not grow with the database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from treadle_tui.board.statistics import StatisticsFacts
from treadle_tui.engine.history import STATISTICS_RUNS, statistics_of

if TYPE_CHECKING:
    from treadle_tui.workbench import Workbench

#: Decisions of the log that are looked at.
DECISIONS = 5000


class StatisticsDesk:
    """Reads for the workflow that the board shows."""

    def __init__(self, workbench: Workbench) -> None:
        self._bench = workbench

    async def statistics(self) -> StatisticsFacts:
        """Of the workflow shown on the board."""
        workflow, store = self._bench.workflow_shown, self._bench.store
        runs, decisions = await asyncio.gather(
            store.stage_runs(workflow, STATISTICS_RUNS), store.decisions(limit=DECISIONS, workflow=workflow or None)
        )
        stages = {stage: statistics_of(found) for stage, found in runs.items()}
        return StatisticsFacts(workflow, stages, decisions, STATISTICS_RUNS, DECISIONS)

    def open_stage(self, stage: str) -> None:
        """Show the items of a stage."""
        self._bench.show_filtered(stage)

    def next_workflow(self) -> None:
        """Show the next workflow, here and on the board."""
        self._bench.show_next_workflow()
