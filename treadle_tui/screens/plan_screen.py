"""A changed workflow: what the change means for each stage and for how many items, and accepting it.

Until it is accepted the items of the workflow wait, and reviews go on. Accepting cannot be taken back, so it is asked: with `y`, and
where many items are concerned by typing how many.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Input

from treadle_tui.board.outline import Span, Tone
from treadle_tui.board.plan_rows import TYPED_ABOVE, plan_lines, plan_words, question_words
from treadle_tui.board.safe_text import safe_line
from treadle_tui.engine.errors import TreadleError
from treadle_tui.engine.migration import MigrationPlan
from treadle_tui.widgets.key_bar import KeyBar
from treadle_tui.widgets.pick_list import PickList, PickRow
from treadle_tui.widgets.plain_text import PlainText, TitleLine

Accept = Callable[[MigrationPlan], Awaitable[MigrationPlan | None]]
"""Accept a plan; None when that is done, a newer plan when this one is out of date. Raises `TreadleError`."""


class PlanScreen(Screen[None]):
    """What a changed workflow means, row by row, and the question."""

    BINDING_GROUP_TITLE = "Changed workflow"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "ask", "Accept", id="plan.ask", tooltip="Accept the plan: asked once more, because it cannot be taken back"),
        Binding("y", "accept", "Yes, accept", id="plan.accept", tooltip="Move the items into the workflow as it is now"),
        Binding("n,escape", "leave", "Not now", id="plan.leave", key_display="esc", tooltip="Leave the items waiting, and go back"),
    ]

    DEFAULT_CSS = """
    PlanScreen {
        layout: vertical;
        background: $background;
        & > TitleLine { margin: 0 1 0 1; }
        & > #about { margin: 1 2; color: $quiet; }
        & > PickList { height: 1fr; margin: 0 1; }
        & > #question { margin: 1 2 0 2; display: none; }
        & > Input { margin: 0 2; background: $panel; display: none; }
        &.-asking > #question { display: block; }
        &.-asking.-many > Input { display: block; }
        & > #outcome { margin: 0 2; color: $state-failed; height: auto; }
    }
    """

    def __init__(self, plan: MigrationPlan, accept: Accept) -> None:
        super().__init__()
        self._plan = plan
        self._accept = accept
        self._is_asking = False
        self._is_accepting = False

    def compose(self) -> ComposeResult:
        """What it is about, the stages, the question."""
        yield TitleLine(self._plan.workflow, "changed workflow")
        yield PlainText(*self._about(), id="about")
        yield PickList(id="changes")
        yield PlainText(question_words(self._plan), id="question")
        yield Input(placeholder=f"type {self._plan.items} and press enter to accept", compact=True)
        yield PlainText("", id="outcome")
        yield KeyBar()

    def on_mount(self) -> None:
        """Show the rows."""
        self.set_class(self._plan.items > TYPED_ABOVE, "-many")
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

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """`y` answers a question that has been asked."""
        if action == "ask":
            return not self._is_asking
        if action == "accept":
            return self._is_asking and self._plan.items <= TYPED_ABOVE
        return True

    def action_ask(self) -> None:
        """Ask once more."""
        self._is_asking = True
        self.set_class(True, "-asking")
        if self._plan.items > TYPED_ABOVE:
            self.query_one(Input).focus()
        self.refresh_bindings()

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip().replace(",", "") == str(self._plan.items):
            self.action_accept()
        else:
            self._tell(f"that is not {self._plan.items}; nothing was changed")

    def action_accept(self) -> None:
        """Accept."""
        if self._is_asking and not self._is_accepting:
            self._is_accepting = True
            self._run()

    def action_leave(self) -> None:
        """Back; a question that has been asked is taken back first."""
        if self._is_asking:
            self._ask_no_more()
        else:
            self.dismiss()

    def _ask_no_more(self) -> None:
        self._is_asking = False
        self.set_class(False, "-asking")
        self.query_one(PickList).focus()
        self.refresh_bindings()

    @work(exclusive=True)
    async def _run(self) -> None:
        try:
            newer = await self._accept(self._plan)
        except TreadleError as error:
            self._tell(safe_line(str(error)))
        else:
            if newer is None:
                self.dismiss()
            else:
                self._plan = newer
                self.query_one("#about", PlainText).show(*self._about())
                self.query_one("#question", PlainText).show(question_words(newer))
                self._show_rows()
                self._tell("Something has happened since; this is the plan as it is now.")
                self._ask_no_more()
        finally:
            self._is_accepting = False

    def _tell(self, words: str) -> None:
        if self.is_attached:
            self.query_one("#outcome", PlainText).show(words)


class ProblemScreen(Screen[None]):
    """A workflow file that could not be loaded: what is wrong with it, in full."""

    BINDING_GROUP_TITLE = "Workflow not loaded"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="problem.leave", key_display="esc", tooltip="Back to where it was opened"),
    ]

    DEFAULT_CSS = """
    ProblemScreen {
        layout: vertical;
        background: $background;
        & > TitleLine { margin: 0 1 1 1; }
        & > PickList { height: 1fr; margin: 0 1; }
    }
    """

    def __init__(self, name: str, paragraphs: list[str]) -> None:
        super().__init__()
        self._file = name
        self._paragraphs = paragraphs

    def compose(self) -> ComposeResult:
        """The sentence, and what can be done."""
        yield TitleLine(self._file, "not loaded")
        yield PickList(id="problem")
        yield KeyBar()

    def on_resize(self) -> None:
        """Lines are broken at another width."""
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        from treadle_tui.board.safe_text import wrap

        if not self.query(PickList):
            return
        rows = self.query_one(PickList)
        width = max(30, (rows.size.width or self.size.width) - 4)
        remedy = "Its items keep everything they have and wait. Mend the file, then leave with q and start the program again."
        lines = [(Span(line, Tone.FAILED),) for text in self._paragraphs for line in wrap(text, width)]
        lines += [(Span(""),), *((Span(line, Tone.MUTED),) for line in wrap(remedy, width))]
        rows.show([PickRow(number, line, is_choice=False) for number, line in enumerate(lines)])
        rows.focus()

    def action_leave(self) -> None:
        """Back to where it was opened."""
        self.dismiss()
