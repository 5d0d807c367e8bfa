"""The workflow as a picture: boxes with live counts and edges, or a tree; stages are held and released from here.

The way of one item is shown by the same picture: way_screen.py.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from treadle_tui.board.graph_facts import GraphFacts
from treadle_tui.screens.hold_condition import HoldCondition
from treadle_tui.screens.workflow_screen import WorkflowChoice, WorkflowScreen
from treadle_tui.widgets.graph_view import GraphView
from treadle_tui.widgets.plain_text import PlainText
from treadle_tui.widgets.span_text import SpanText

_NOTHING = "No workflow yet. 2 shows the board: n there adds items, and says which workflows there are."


class GraphReads(WorkflowChoice, Protocol):
    """What the screen reads, and where it leads."""

    async def graph(self) -> GraphFacts:
        """The workflow shown on the board."""
        ...

    async def way_of(self, item_id: str) -> GraphFacts | None:
        """The way of one item; None when it is gone."""
        ...

    def open_stage(self, stage: str) -> None:
        """Show the items of a stage."""
        ...

    def show_on_item(self, stage: str) -> None:
        """Put the cursor of the item whose way it is on a stage."""
        ...

    def hold(self, stage: str, condition: str | None) -> None:
        """Start this stage no more, for all items or those with a condition."""
        ...

    def release(self, stage: str) -> None:
        """Let a held stage go on."""
        ...


class GraphScreen(WorkflowScreen):
    """Stages, edges, counts."""

    TITLE = "Graph"
    BINDING_GROUP_TITLE = "Graph"
    AUTO_FOCUS = "GraphView"
    READ_SECONDS = 0.25

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "hold", "Hold", id="graph.hold", tooltip="Start the stage under the cursor no more; or let it go on"),
        Binding("B", "condition", "Breakpoint", id="graph.breakpoint", tooltip="Start the stage no more for items with a condition"),
        Binding("w", "next_workflow", "Workflow", show=False, id="graph.next_workflow", tooltip="Show the next workflow"),
    ]

    DEFAULT_CSS = """
    GraphScreen {
        & > GraphView { margin: 1 1 0 1; }
        & > #nothing { margin: 2 4; display: none; }
        & > #about { margin: 0 2; }
        &.-empty > #nothing { display: block; }
        &.-empty > GraphView, &.-empty > #about { display: none; }
    }
    """

    def __init__(self, desk: GraphReads) -> None:
        super().__init__(desk)
        self._desk = desk

    def compose_body(self) -> ComposeResult:
        """The picture, and a line about the stage under the cursor."""
        yield GraphView()
        yield PlainText(_NOTHING, id="nothing")
        yield SpanText(id="about")

    @property
    def view(self) -> GraphView:
        """The picture."""
        return self.query_one(GraphView)

    async def read(self) -> None:
        """The facts of the workflow on the board."""
        facts = await self._desk.graph()
        if not self.is_there:
            return
        self.set_class(not facts.tree, "-empty")
        self.view.show(facts)
        self._tell_about()

    def _tell_about(self) -> None:
        if self.view.facts is not None:
            self.query_one("#about", SpanText).show([self.view.facts.about(self.view.stage)])

    @on(GraphView.Moved)
    def _moved(self) -> None:
        self._tell_about()
        self.refresh_bindings()

    @on(GraphView.Opened)
    def _opened(self, event: GraphView.Opened) -> None:
        self._desk.open_stage(event.stage)

    @property
    def _is_held(self) -> bool:
        return self.view.facts is not None and self.view.stage in self.view.facts.holds

    def action_hold(self) -> None:
        """Hold the stage under the cursor, or release it."""
        if not self.view.stage:
            return
        if self._is_held:
            self._desk.release(self.view.stage)
        else:
            self._desk.hold(self.view.stage, None)
        self.rereading.due()

    def action_condition(self) -> None:
        """Ask for a condition, and hold the stage for items with it."""
        stage, facts = self.view.stage, self.view.facts
        if not stage or facts is None:
            return

        def hold(condition: str | None) -> None:
            if condition:
                self._desk.hold(stage, condition)
                self.rereading.due()

        self.app.push_screen(HoldCondition(stage, facts.holds.get(stage) or ""), hold)
