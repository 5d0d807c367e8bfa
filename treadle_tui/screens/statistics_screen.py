"""What the stages are like, and what the reviewers do: two tables."""

from __future__ import annotations

from typing import ClassVar, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from treadle_tui.board.outline import Span, Tone
from treadle_tui.board.statistics import StatisticsFacts, reviewer_head, reviewer_rows, sample_words, sampled_words, stage_head, stage_rows
from treadle_tui.screens.workflow_screen import WorkflowChoice, WorkflowScreen
from treadle_tui.widgets.pick_list import PickList, PickRow
from treadle_tui.widgets.span_text import SpanText


class StatisticsReads(WorkflowChoice, Protocol):
    """What the screen reads, and where it leads."""

    async def statistics(self) -> StatisticsFacts:
        """Of the workflow shown on the board."""
        ...

    def open_stage(self, stage: str) -> None:
        """Show the items of a stage."""
        ...


class StatisticsScreen(WorkflowScreen):
    """Stages above, reviewers below."""

    TITLE = "Statistics"
    BINDING_GROUP_TITLE = "Statistics"
    AUTO_FOCUS = "#stages"
    READ_SECONDS = 2.0  # a table of durations changes slowly, and is read from a sample of thousands of rows

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "next_workflow", "Workflow", id="statistics.next_workflow", tooltip="Show the next workflow"),
        Binding("tab", "app.focus_next", "Next table", show=False, id="statistics.next_table", tooltip="To the other table"),
    ]

    DEFAULT_CSS = """
    StatisticsScreen {
        & > VerticalScroll { height: 1fr; padding: 1 1 0 1; scrollbar-size-vertical: 1; }
        & SpanText { margin: 0 1 1 1; }
        & #sampled { display: none; }
        & PickList { margin-bottom: 1; }
    }
    """

    def __init__(self, desk: StatisticsReads) -> None:
        super().__init__(desk)
        self._desk = desk
        self._shown: StatisticsFacts | None = None

    def compose_body(self) -> ComposeResult:
        """The tables, and from what they are made."""
        with VerticalScroll(can_focus=False):
            yield SpanText(id="sample")
            yield SpanText(id="sampled")
            yield PickList("Stages", "no workflow yet: 2 shows the board, n there adds items", in_full=True, id="stages")
            yield PickList(
                "Reviewers", "nobody has decided anything yet; what waits is on the board, ] goes to it", in_full=True, id="people"
            )

    def on_resize(self) -> None:
        """Names have more room, or less."""
        if self._shown is not None:
            self.call_after_refresh(self._show, self._shown)

    async def read(self) -> None:
        """The facts of the workflow on the board."""
        facts = await self._desk.statistics()
        if self.is_there:
            self._show(facts)

    def _show(self, facts: StatisticsFacts) -> None:
        if not self.query("#people"):  # a resize comes before there is anything, and after it has been taken down
            return
        self._shown = facts
        self.query_one("#sample", SpanText).show([(Span(sample_words(facts), Tone.MUTED),)])
        self._show_sampled(sampled_words(facts))
        stages, people = self.query_one("#stages", PickList), self.query_one("#people", PickList)
        width = (stages.size.width or self.size.width - 4) - 3  # a blank on either side, and the bar that may come beside them
        stages.show([PickRow(stage, spans) for stage, spans in stage_rows(facts, width)], title=stage_head(width))
        found = reviewer_rows(facts, width)
        people.show([PickRow(name, spans) for name, spans in found], title=reviewer_head(width) if found else "Reviewers")

    def _show_sampled(self, lines: list[str]) -> None:
        sampled = self.query_one("#sampled", SpanText)
        sampled.display = bool(lines)
        sampled.styles.height = max(1, len(lines))
        sampled.show([(Span(line),) for line in lines])

    @on(PickList.Picked, "#stages")
    def _picked(self, event: PickList.Picked) -> None:
        self._desk.open_stage(str(event.row.key))
