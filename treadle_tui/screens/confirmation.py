"""Asks before something that cannot be taken back. Returns whether it is to be done."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input

from treadle_tui.board.deed_words import Confirmation
from treadle_tui.board.safe_text import safe_line
from treadle_tui.screens.modal import Modal
from treadle_tui.widgets.key_bar import KeyBar
from treadle_tui.widgets.plain_text import PlainText, TitleLine


class Confirm(Modal[bool]):
    """`y` and `n`; Cancel has the focus. With many items their number is typed instead."""

    BINDING_GROUP_TITLE = "Question"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", id="confirm.yes", tooltip="Do it"),
        Binding("n,escape", "answer(False)", "No", id="confirm.no", key_display="n esc", tooltip="Leave everything as it is"),
        Binding("left,right", "other_button", "Choose", show=False, id="confirm.choose", tooltip="The other answer"),
    ]

    DEFAULT_CSS = """
    Confirm {
        align: center middle;
        background: $background 60%;
        & > Vertical {
            width: 80%;
            max-width: 76;
            height: auto;
            max-height: 96%;
            background: $surface;
            border: round $state-failed;
            padding: 0 1;
        }
        & #consequence { padding: 1 1 0 1; color: $quiet; }
        & #names { padding: 1 1 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
        & Input { margin: 1 1 0 1; background: $panel; padding: 0 1; }
        & Horizontal { height: 1; margin: 1 1 1 1; align-horizontal: right; }
        & Button { min-width: 10; height: 1; border: none; margin-left: 2; background: $panel; color: $foreground; }
        & Button:focus { background: $accent; color: $background; text-style: bold; }
        & KeyBar { background: $surface; }
    }
    """

    def __init__(self, question: Confirmation) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """What would be done, to what, what that means; the answers."""
        question = self._question
        with Vertical():
            yield TitleLine(safe_line(question.title), "")
            if question.names:
                more = [f"and {question.more:,} more"] if question.more else []
                yield PlainText(*(safe_line(name) for name in question.names), *((line, "$quiet") for line in more), id="names")
            yield PlainText(question.consequence, id="consequence")
            if question.typed_count is not None:
                yield Input(placeholder=f"type {question.typed_count} to go on", compact=True)
            with Horizontal():
                yield Button("No", id="cancel", compact=True)
                yield Button("Yes", id="yes", compact=True, disabled=question.typed_count is not None)
            yield KeyBar(indent=1)

    def on_mount(self) -> None:
        """Nothing happens by a key pressed too often: No has the focus, or the number is asked for."""
        self.query_one(Input if self._question.typed_count is not None else "#cancel").focus()

    @property
    def _is_typed(self) -> bool:
        count = self._question.typed_count
        return count is None or self.query_one(Input).value.strip().replace(",", "") == str(count)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Yes is offered once the number is typed."""
        if action == "answer" and parameters == (True,):
            return True if self._is_typed else None
        return True

    def action_answer(self, is_yes: bool) -> None:
        """Answer the question."""
        if not is_yes or self._is_typed:
            self.dismiss(is_yes)

    def action_other_button(self) -> None:
        """Put the focus on the other answer."""
        self.screen.focus_next(Button)

    @on(Input.Changed)
    def _number_has_changed(self) -> None:
        self.query_one("#yes", Button).disabled = not self._is_typed
        self.refresh_bindings()

    @on(Input.Submitted)
    def _number_is_sent(self) -> None:
        if self._is_typed:
            self.dismiss(True)

    @on(Button.Pressed)
    def _button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")
