"""The dashboard: how a workflow stands on one page; opening a line leads to what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import ClassVar, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll

from treadle_tui.board.dashboard import (
    DashboardFacts,
    Line,
    Target,
    failure_lines,
    notice_lines,
    pace_lines,
    review_lines,
    stage_lines,
    state_lines,
)
from treadle_tui.screens.workflow_screen import WorkflowChoice, WorkflowScreen
from treadle_tui.widgets.pick_list import PickList, PickRow
from treadle_tui.widgets.span_text import SpanText

#: Between two looks at the clock while nothing happens.
CLOCK_SECONDS = 20.0
_WAITING_EMPTY = "nobody is waited for"
_FAILED_EMPTY = "nothing has failed"


class DashboardReads(WorkflowChoice, Protocol):
    """What the screen reads, and where its lines lead."""

    async def dashboard(self) -> DashboardFacts:
        """How the workflow shown on the board stands."""
        ...

    def open(self, target: Target) -> None:
        """Show what a line is about."""
        ...


class DashboardScreen(WorkflowScreen):
    """Pace, states, stages, what waits, what failed."""

    TITLE = "Dashboard"
    BINDING_GROUP_TITLE = "Dashboard"
    AUTO_FOCUS = ""  # what needs somebody comes first, and whether something does is known when it has been read
    READ_SECONDS = 1.0

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "next_workflow", "Workflow", show=False, id="dashboard.next_workflow", tooltip="Show the next workflow"),
        Binding("tab", "app.focus_next", "Next list", show=False, id="dashboard.next_list", tooltip="To the next list"),
        Binding("shift+tab", "app.focus_previous", "List before", show=False, id="dashboard.previous_list", tooltip="To the list before"),
    ]

    DEFAULT_CSS = """
    DashboardScreen {
        & > VerticalScroll { height: 1fr; padding: 1 1 0 1; scrollbar-size-vertical: 1; }
        & SpanText { height: 2; margin: 0 1 1 1; }
        & PickList { margin-bottom: 1; }
        & #notices { display: none; }
        &.-has-notices #notices { display: block; }
        & #columns { layout: grid; grid-size: 1; grid-rows: auto; grid-gutter: 0 3; height: auto; }
        & .column { height: auto; }
        &.-side-by-side #columns { grid-size: 2; grid-columns: 3fr 2fr; }
    }
    """

    def __init__(self, desk: DashboardReads) -> None:
        super().__init__(desk)
        self._desk = desk
        self._targets: dict[object, Target] = {}
        self._shown: DashboardFacts | None = None
        self._width = 0
        """Of the list of stages, as it was laid out last."""

    def compose_body(self) -> ComposeResult:
        """Pace, then the lists."""
        with VerticalScroll(can_focus=False):
            yield SpanText(id="pace")
            yield PickList("Needs you", in_full=True, id="notices")
            with Container(id="columns"):
                with Container(classes="column"):
                    yield PickList("Stages by state", "no items yet: 2 shows the board, n there adds some", in_full=True, id="states")
                    yield PickList("Stages", in_full=True, id="stages")
                with Container(classes="column"):
                    yield PickList("Waiting longest", _WAITING_EMPTY, in_full=True, id="reviews")
                    yield PickList("Failed last", _FAILED_EMPTY, in_full=True, id="failures")

    def on_mount(self) -> None:
        """Look at the clock now and then: ages and pace change by themselves."""
        self.set_interval(CLOCK_SECONDS, self._look_at_the_clock)

    def _look_at_the_clock(self) -> None:
        if self.is_current and self.app.app_focus:
            self.rereading.due()

    def items_changed(self, items: AbstractSet[str] | None) -> None:
        """Something has happened."""
        self.rereading.due()

    async def read(self) -> None:
        """The facts of the workflow on the board."""
        facts = await self._desk.dashboard()
        if self.is_there:
            self._show(facts)

    def on_resize(self) -> None:
        """Bars are as wide as there is room."""
        if self._shown is not None:
            self.call_after_refresh(self._show, self._shown)

    def _show(self, facts: DashboardFacts) -> None:
        if not self.query("#failures"):  # a resize comes before there is anything, and after it has been taken down
            return
        self._shown = facts
        self._targets.clear()
        self.query_one(SpanText).show(pace_lines(facts))
        self.set_class(bool(facts.notices), "-has-notices")
        self._fill("notices", notice_lines(facts))
        width = self.query_one("#stages", PickList).size.width
        if width != self._width:  # before the first layout there is none, and bars in the end are as wide as that says
            self._width = width
            self.call_after_refresh(self._show, facts)
        width = width or self.size.width - 4
        self._fill("states", state_lines(facts, width))
        self._fill("stages", stage_lines(facts, width))
        self._fill("reviews", review_lines(facts))
        self._fill("failures", failure_lines(facts))
        if self.focused is None:
            self.call_after_refresh(self._focus_first)

    def _focus_first(self) -> None:
        if self.is_there and self.focused is None:
            self.query_one("#notices" if self.has_class("-has-notices") else "#states", PickList).focus()

    def _fill(self, name: str, lines: Sequence[Line]) -> None:
        for line in lines:
            self._targets[name, line.target] = line.target
        self.query_one(f"#{name}", PickList).show([PickRow((name, line.target), line.left, line.right) for line in lines])

    @on(PickList.Picked)
    def _picked(self, event: PickList.Picked) -> None:
        target = self._targets.get(event.row.key)
        if target is not None:
            self._desk.open(target)
