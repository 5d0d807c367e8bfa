"""Why something is rejected, in one line. Returns the reason, which may be empty; None when it is not rejected after all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from treadle_tui.board.safe_text import safe_line
from treadle_tui.screens.modal import Modal
from treadle_tui.widgets.key_bar import KeyBar
from treadle_tui.widgets.plain_text import PlainText, TitleLine

_DIGITS = "123456789"


class ReasonInput(Input):
    """A field in which a digit, as long as nothing has been typed, chooses a preset reason."""

    BINDING_GROUP_TITLE = "Reject"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Reject", id="reject.send", key_display="enter", tooltip="Reject for the reason that stands there"),
    ]

    class Chosen(Message):
        """A preset reason was chosen by its digit."""

        def __init__(self, reason: str) -> None:
            super().__init__()
            self.reason = reason

    def __init__(self, reasons: Sequence[str], text: str = "") -> None:
        super().__init__(text, placeholder="a reason, or nothing", compact=True, select_on_focus=False)
        self._reasons = reasons

    def on_key(self, event: events.Key) -> None:
        """Take a digit that chooses; every other key is the field's."""
        number = _DIGITS.find(event.character) if event.character else -1
        if not self.value and 0 <= number < len(self._reasons):
            event.stop()
            event.prevent_default()
            self.post_message(self.Chosen(self._reasons[number]))


class RejectReason(Modal[str | None]):
    """Digits choose a preset reason, letters write one, enter sends what stands there."""

    BINDING_GROUP_TITLE = "Reject"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="reject.leave", key_display="esc", tooltip="Do not reject"),
    ]

    DEFAULT_CSS = """
    RejectReason {
        align: center bottom;
        background: $background 40%;
        & > Vertical {
            width: 90%;
            max-width: 120;
            height: auto;
            margin-bottom: 1;
            background: $panel;
            border: round $accent;
            padding: 0 1;
        }
        & TitleLine { background: $panel; }
        & #presets { padding: 1 1 0 1; height: auto; }
        & ReasonInput { margin: 1 1; background: $surface; padding: 0 1; }
        & KeyBar { background: $panel; }
    }
    """

    def __init__(self, title: str, reasons: Sequence[str] = (), text: str = "", keep: Callable[[str], None] | None = None) -> None:
        """`text` stands there already; `keep` gets what was typed and left."""
        super().__init__()
        self._text = text
        self._keep = keep
        self._title = title
        self._reasons = [reason for reason in reasons if reason][: len(_DIGITS)]

    def compose(self) -> ComposeResult:
        """What is rejected, the preset reasons, the field."""
        with Vertical():
            yield TitleLine(f"Reject {self._title}", "")
            if self._reasons:
                yield PlainText(
                    *((f" {digit} ", "$accent", f" {safe_line(reason)}") for digit, reason in zip(_DIGITS, self._reasons, strict=False)),
                    id="presets",
                )
            yield ReasonInput(self._reasons, self._text)
            yield KeyBar(indent=1)

    def on_mount(self) -> None:
        """Typing can begin."""
        self.query_one(ReasonInput).focus()

    @on(ReasonInput.Chosen)
    def _choose(self, event: ReasonInput.Chosen) -> None:
        self.dismiss(event.reason)

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value.strip())

    def action_leave(self) -> None:
        """Do not reject; what was typed is kept."""
        if self._keep is not None:
            self._keep(self.query_one(ReasonInput).value)
        self.dismiss(None)
