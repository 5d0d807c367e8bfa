"""For which items a stage is held: a comparison on their fields, typed in one line."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from treadle_tui.board.safe_text import safe_line
from treadle_tui.screens.modal import Modal
from treadle_tui.widgets.key_bar import KeyBar
from treadle_tui.widgets.plain_text import PlainText, TitleLine


class HoldCondition(Modal[str | None]):
    """For which items a stage is held: an expression on the item. None for not at all."""

    BINDING_GROUP_TITLE = "Breakpoint"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="breakpoint.leave", key_display="esc", tooltip="Hold nothing"),
    ]

    DEFAULT_CSS = """
    HoldCondition {
        align: center middle;
        background: $background 40%;
        & > Vertical { width: 90%; max-width: 90; height: auto; background: $panel; border: round $accent; padding: 0 1; }
        & TitleLine { background: $panel; }
        & PlainText { margin: 1 1 0 1; color: $quiet; }
        & Input { margin: 1 1; background: $surface; padding: 0 1; }
        & KeyBar { background: $panel; }
    }
    """

    def __init__(self, stage: str, condition: str) -> None:
        super().__init__()
        self._stage = stage
        self._condition = condition

    def compose(self) -> ComposeResult:
        """What is held, and for which items."""
        with Vertical():
            yield TitleLine(f"Hold {safe_line(self._stage)} for items with", "")
            yield PlainText("A comparison on the item's fields. Such items wait before this stage, and go on when p releases it.")
            yield ConditionInput(self._condition, placeholder="item.pages > 100", compact=True)
            yield KeyBar(indent=1)

    def on_mount(self) -> None:
        """Typing can begin."""
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value.strip() or None)

    def action_leave(self) -> None:
        """Hold nothing."""
        self.dismiss(None)


class ConditionInput(Input):
    """Where the condition is typed."""

    BINDING_GROUP_TITLE = "Breakpoint"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Hold", id="breakpoint.hold", key_display="enter", tooltip="Hold the stage for items with this"),
    ]
