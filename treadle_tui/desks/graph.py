"""What the picture of a workflow is made from, and what can be done with its stages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from treadle_tui.board.graph_facts import GraphFacts, box_widths
from treadle_tui.board.graph_layout import lay_out
from treadle_tui.board.graph_picture import GraphPicture
from treadle_tui.board.graph_tree import TreeLine, tree_lines
from treadle_tui.board.tally import tally
from treadle_tui.daemon_thread import in_daemon_thread
from treadle_tui.engine.states import StageState
from treadle_tui.engine.workflow import Workflow

if TYPE_CHECKING:
    from treadle_tui.workbench import Workbench

#: Columns a layer may take; where the screen is narrower the tree is shown.
MOST_WIDTH = 156
#: With wide boxes the picture takes so many columns at most.
WIDE_MOST = 76
_HERE = (StageState.AWAITING_REVIEW, StageState.FAILED, StageState.RUNNING, StageState.RETRY_WAIT)

Dependencies = Mapping[str, Sequence[str]]


class GraphDesk:
    """Reads for the workflow that the board shows, and for single items."""

    def __init__(self, workbench: Workbench, show_on_item: Callable[[str], None] = lambda stage: None) -> None:
        """`show_on_item`: puts the cursor of the item whose way is shown on a stage."""
        self._bench = workbench
        self.show_on_item = show_on_item
        self._drawn: dict[str, tuple[Dependencies, GraphPicture, tuple[TreeLine, ...]]] = {}

    async def graph(self) -> GraphFacts:
        """The workflow shown on the board."""
        workflow = self._bench.workflow_shown
        picture, tree = await self._picture(workflow)
        store = self._bench.store
        counts, subtasks, holds = await asyncio.gather(store.counts(), store.waiting_subtasks(), store.held_stages(workflow))
        return GraphFacts(self._bench.now(), workflow, picture, tree, tally(counts, workflow, subtasks), holds)

    async def way_of(self, item_id: str) -> GraphFacts | None:
        """The way of one item; None when it is gone."""
        item = await self._bench.store.get_item(item_id)
        if item is None:
            return None
        picture, tree = await self._picture(item.workflow)
        statuses, holds = await asyncio.gather(self._bench.store.get_all_statuses(item_id), self._bench.store.held_stages(item.workflow))
        return GraphFacts(self._bench.now(), item.workflow, picture, tree, holds=holds, statuses=statuses)

    async def _picture(self, workflow: str) -> tuple[GraphPicture, tuple[TreeLine, ...]]:
        """Drawn in a thread of its own, and again only when the workflow has changed."""
        dependencies: Dependencies = await self._bench.store.dependencies(workflow)
        known = self._bench.workflow_named(workflow)
        if not dependencies and isinstance(known, Workflow):
            dependencies = {stage: known.dependencies(stage) for stage in known.stages()}
        drawn = self._drawn.get(workflow)
        if drawn is None or drawn[0] != dependencies:
            picture = await in_daemon_thread(_draw, dependencies)
            drawn = self._drawn[workflow] = (dependencies, picture, tuple(tree_lines(dependencies)))
        return drawn[1], drawn[2]

    def open_stage(self, stage: str) -> None:
        """Show the items that are at a stage; all, the cursor in its column, when none is."""
        self._bench.work(self._open_stage(stage), "choose")

    async def _open_stage(self, stage: str) -> None:
        states = (await self._bench.store.counts()).get(self._bench.workflow_shown, {}).get(stage, {})
        self._bench.show_filtered(stage, [state for state in _HERE if states.get(state)])

    def hold(self, stage: str, condition: str | None) -> None:
        """Start this stage no more, for all items or those with a condition."""
        workflow = self._bench.workflow_shown
        words = f"{stage} starts no more" + (f" for items with {condition}" if condition else "; p lets it go on")
        if self._bench.may_change():
            self._bench.change(lambda engine: engine.pause_stage(workflow, stage, condition), words)

    def release(self, stage: str) -> None:
        """Let a held stage go on."""
        workflow = self._bench.workflow_shown
        if self._bench.may_change():
            self._bench.change(lambda engine: engine.resume_stage(workflow, stage), f"{stage} goes on")

    def next_workflow(self) -> None:
        """Show the next workflow, here and on the board."""
        self._bench.show_next_workflow()


def _draw(dependencies: Dependencies) -> GraphPicture:
    """With wide boxes where even a narrow terminal has room for them; else as many side by side as can be."""
    stages = list(dependencies)
    wide = lay_out(dependencies, box_widths(stages, is_wide=True), MOST_WIDTH)
    if wide.width <= WIDE_MOST:
        return GraphPicture(wide)
    return GraphPicture(lay_out(dependencies, box_widths(stages), MOST_WIDTH))
