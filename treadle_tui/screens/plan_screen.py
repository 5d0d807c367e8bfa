"""A changed workflow: what the change means for each stage and for how many items, and accepting it.

Until it is accepted the items of the workflow wait, and reviews go on. Accepting cannot be taken back, so it is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from treadle_tui.board.plan_rows import plan_lines, plan_words
from treadle_tui.board.safe_text import safe_line
from treadle_tui.engine.migration import MigrationPlan
from treadle_tui.screens.page import Page
from treadle_tui.widgets.key_bar import KeyBar
from treadle_tui.widgets.pick_list import PickList, PickRow
from treadle_tui.widgets.plain_text import PlainText, TitleLine

Accept = Callable[["PlanScreen", MigrationPlan], None]
"""Ask, and accept a plan; then the screen is closed, or shows the plan as it is by now."""


class PlanScreen(Page):
    """What a changed workflow means, row by row."""

    BINDING_GROUP_TITLE = "Changed workflow"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "accept", "Accept", id="plan.accept", tooltip="Move the items into the workflow as it is now; this is asked first"),
        Binding("escape", "leave", "Not now", id="plan.leave", key_display="esc", tooltip="Leave the items waiting, and go back"),
    ]

    DEFAULT_CSS = """
    PlanScreen {
        layout: vertical;
        background: $background;
        & > TitleLine { margin: 0 1 0 1; }
        & > #about { margin: 1 2; color: $quiet; }
        & > PickList { height: 1fr; margin: 0 1; }
        & > #outcome { margin: 0 2; color: $state-failed; height: auto; }
    }
    """

    def __init__(self, plan: MigrationPlan, accept: Accept) -> None:
        super().__init__()
        self._plan = plan
        self._accept = accept

    def compose(self) -> ComposeResult:
        """What it is about, the stages."""
        yield TitleLine(self._plan.workflow, "changed workflow")
        yield PlainText(*self._about(), id="about")
        yield PickList(id="changes")
        yield PlainText("", id="outcome")
        yield KeyBar()

    def on_mount(self) -> None:
        """Show the rows."""
        self._show_rows()
        self.query_one(PickList).focus()

    def on_resize(self) -> None:
        """Rows are broken at another width."""
        self.call_after_refresh(self._show_rows)

    def _about(self) -> list[str]:
        return [
            f"{safe_line(self._plan.workflow)} {plan_words(self._plan)}.",
            "Its items run again once this plan is accepted; reviews go on meanwhile. Put the old file back, and nothing has happened.",
        ]

    def _show_rows(self) -> None:
        if not self.query(PickList):
            return
        rows = self.query_one(PickList)
        lines = plan_lines(self._plan, max(40, (rows.size.width or self.size.width) - 4))
        rows.show([PickRow(number, line, is_choice=False) for number, line in enumerate(lines)])

    def show_newer(self, plan: MigrationPlan) -> None:
        """Something has happened since: show the plan as it is now."""
        self._plan = plan
        self.query_one("#about", PlainText).show(*self._about())
        self._show_rows()
        self.query_one("#outcome", PlainText).show("Something has happened since; this is the plan as it is now.")

    def action_accept(self) -> None:
        """Accept, once that is confirmed."""
        self._accept(self, self._plan)

    def action_leave(self) -> None:
        """Back."""
        self.dismiss()
