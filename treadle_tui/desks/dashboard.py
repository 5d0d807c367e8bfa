"""What the dashboard reads from the store, and where its lines lead."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from treadle_tui.board.dashboard import MINUTES, DashboardFacts, Target, ToBoard, ToItem, ToNotice, ToReview
from treadle_tui.board.tally import tally

if TYPE_CHECKING:
    from treadle_tui.workbench import Workbench

#: Rows of what waits and of what failed.
_MOST = 6


class DashboardDesk:
    """Reads for the workflow that the board shows."""

    def __init__(self, workbench: Workbench) -> None:
        self._bench = workbench

    async def dashboard(self) -> DashboardFacts:
        """How the workflow shown on the board stands."""
        store, now = self._bench.store, self._bench.now()
        workflow = self._bench.board.question.workflow or ""
        begin = now.replace(second=0, microsecond=0) - timedelta(minutes=MINUTES - 1)
        counts, names, dependencies, throughput, reviews, failures = await asyncio.gather(
            store.counts(),
            store.stage_names(),
            store.dependencies(workflow),
            store.throughput(begin, 60.0, MINUTES),
            store.oldest_reviews(workflow or None, _MOST),
            store.failures(workflow or None, _MOST),
        )
        return DashboardFacts(
            now=now,
            workflow=workflow,
            tally=tally(counts, workflow, await store.waiting_subtasks()),
            stages=names.get(workflow, []),
            dependencies=dependencies,
            throughput=throughput,
            reviews=reviews,
            failures=failures,
            notices=await self._bench.migrations.notices(),
        )

    def open(self, target: Target) -> None:
        """Show what a line is about."""
        match target:
            case ToBoard(stage, state):
                self._bench.show_filtered(stage, (state,) if state is not None else ())
            case ToItem(item_id, stage):
                self._bench.show_item(item_id, stage)
            case ToReview(item_id, workflow, stage, subtask):
                self._bench.review(item_id, workflow, stage, subtask)
            case ToNotice(notice):
                self._bench.migrations.show(notice)

    def next_workflow(self) -> None:
        """Show the next workflow, here and on the board."""
        self._bench.show_next_workflow()
