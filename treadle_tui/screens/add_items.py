"""Which items to add: a workflow, and what its source takes. Stays open, with what was typed, until they are in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from treadle_tui.board.safe_text import fit, safe_line, width_of
from treadle_tui.board.workflow_choice import WorkflowChoice, WorkflowChoices
from treadle_tui.screens.modal import Modal
from treadle_tui.widgets.key_bar import KeyBar
from treadle_tui.widgets.plain_text import Line, PlainText, TitleLine

Tell = Callable[[str], None]
Add = Callable[[str, str, Tell], Awaitable[str]]
"""Called with the workflow's name, what was typed, and how to tell how far it is; answers with what has been added, in words.

Raises an exception whose text is one sentence when nothing could be added.
"""
_MOST_CHOICES = 8


class ArgumentInput(Input):
    """Where the argument is typed; arrows choose the workflow meanwhile."""

    BINDING_GROUP_TITLE = "Add items"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Add", id="add.add", key_display="enter", tooltip="Add the items"),
        Binding("up", "screen.choose(-1)", "Workflow", id="add.previous", key_display="↑↓", tooltip="The workflow above"),
        Binding("down", "screen.choose(1)", "Workflow", show=False, id="add.next", tooltip="The workflow below"),
    ]


class AddItems(Modal[tuple[str, str] | None]):
    """Returns the workflow's name and what was added, in words; None when nothing was."""

    BINDING_GROUP_TITLE = "Add items"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="add.leave", key_display="esc", tooltip="Back to the board; adding goes on"),
    ]

    DEFAULT_CSS = """
    AddItems {
        align: center middle;
        background: $background 70%;
        & > Vertical { width: 90%; max-width: 100; height: auto; max-height: 94%; background: $surface; border: round $line; padding: 0 1; }
        & #choices { padding: 1 1 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
        & Input { margin: 0 1 0 1; background: $panel; padding: 0 1; }
        & #outcome { min-height: 3; padding: 1 1; color: $quiet; }
        & #outcome.-failed { color: $state-failed; }
        & KeyBar { background: $surface; }
    }
    """

    def __init__(self, found: WorkflowChoices, add: Add, preferred: str = "") -> None:
        super().__init__()
        self._choices: Sequence[WorkflowChoice] = list(found.choices)
        self._problems = found.problems
        self._add = add
        self._at = next((number for number, choice in enumerate(self._choices) if choice.name == preferred), 0)
        self._is_adding = False

    def compose(self) -> ComposeResult:
        """The workflows, the argument, what came of it."""
        with Vertical():
            yield TitleLine("Add items", "")
            yield PlainText(*self._choice_lines(), id="choices")
            yield ArgumentInput(placeholder=self._placeholder(), compact=True)
            yield PlainText(*self._problem_lines(), id="outcome")
            yield KeyBar(indent=1)

    def on_mount(self) -> None:
        """Typing can begin; there is nothing else to do but choosing, and arrows do that."""
        self.query_one(ArgumentInput).focus()

    @property
    def _choice(self) -> WorkflowChoice | None:
        return self._choices[self._at] if self._choices else None

    def _placeholder(self) -> str:
        if self._choice is None:
            return ""
        return safe_line(self._choice.usage) if self._choice.usage else "takes no argument"

    def _choice_lines(self) -> list[Line]:
        if not self._choices:
            return ["No workflow was found. Put a file into the folder workflows beside the database, or start with --workflows FILE."]
        first = max(0, min(self._at - _MOST_CHOICES + 2, len(self._choices) - _MOST_CHOICES))
        shown = self._choices[first : first + _MOST_CHOICES]
        width = max(width_of(safe_line(choice.name)) for choice in shown) + 2
        lines: list[Line] = []
        for choice in shown:
            is_chosen = choice is self._choice
            name = fit(safe_line(choice.name), width)
            lines.append(("▸ " if is_chosen else "  ", "$accent", name, "$accent" if is_chosen else "", safe_line(choice.about), "$quiet"))
        if self._choice is not None:
            lines += ["", ("add ", "$quiet", safe_line(self._choice.signature))]
        return lines

    def _problem_lines(self) -> list[Line]:
        return [f"not loaded: {safe_line(problem)}" for problem in self._problems[:2]]

    def action_choose(self, delta: int) -> None:
        """Another workflow."""
        if self._choices and not self._is_adding:
            self._at = (self._at + delta) % len(self._choices)
            self.query_one("#choices", PlainText).show(*self._choice_lines())
            self.query_one(ArgumentInput).placeholder = self._placeholder()
            self._tell("")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Choosing is offered where there is a choice."""
        return len(self._choices) > 1 if action == "choose" else True

    def action_leave(self) -> None:
        """Back to the board."""
        self.dismiss(None)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_add()

    def action_add(self) -> None:
        """Add what the source yields for the argument."""
        if self._choice is not None and not self._choice.has_source and not self.query_one(ArgumentInput).value.strip():
            self._tell(f"{safe_line(self._choice.name)} has no source: give an id, or several", is_failed=True)
        elif self._choice is not None and not self._is_adding:
            self._is_adding = True
            self._run(self._choice.name, self.query_one(ArgumentInput).value)

    @work(exclusive=True)
    async def _run(self, name: str, argument: str) -> None:
        self._tell("reading …")
        try:
            outcome = await self._add(name, argument, self._tell)
        except Exception as error:
            self._tell(str(error), is_failed=True)
        else:
            self.dismiss((name, outcome))
        finally:
            self._is_adding = False

    def _tell(self, words: str, *, is_failed: bool = False) -> None:
        if not self.is_attached:
            return
        outcome = self.query_one("#outcome", PlainText)
        outcome.set_class(is_failed, "-failed")
        outcome.show(safe_line(words))
