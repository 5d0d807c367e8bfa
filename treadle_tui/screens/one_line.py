"""A question answered in one line: feedback for another attempt, a note, until when. Returns the line; None when it was left.

What was typed and left is handed back, so that it stands there again the next time.
"""

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


class LineInput(Input):
    """A field in which a digit, as long as nothing has been typed, chooses what is offered under it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Send", id="line.send", key_display="enter", tooltip="Take what stands there"),
    ]

    class Chosen(Message):
        """An offer was chosen by its digit."""

        def __init__(self, value: str) -> None:
            super().__init__()
            self.value = value

    def __init__(self, text: str, placeholder: str, offers: Sequence[str]) -> None:
        super().__init__(text, placeholder=placeholder, compact=True, select_on_focus=False)
        self._offers = offers

    def on_key(self, event: events.Key) -> None:
        """Take a digit that chooses; every other key is the field's."""
        number = _DIGITS.find(event.character) if event.character else -1
        if not self.value and 0 <= number < len(self._offers):
            event.stop()
            event.prevent_default()
            self.post_message(self.Chosen(self._offers[number]))


class OneLine(Modal[str | None]):
    """Digits choose what is offered, letters write, enter sends."""

    BINDING_GROUP_TITLE = "Question"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="line.leave", key_display="esc", tooltip="Back; what was typed is kept"),
    ]

    FIELD: ClassVar[type[LineInput]] = LineInput
    """What the line is typed in; another one has other words for the enter key."""

    DEFAULT_CSS = """
    OneLine {
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
        & #offers { padding: 1 1 0 1; height: auto; }
        & #refused { padding: 0 1; height: auto; color: $state-failed; }
        & LineInput { margin: 1 1; background: $surface; padding: 0 1; }
        & KeyBar { background: $panel; }
    }
    """

    def __init__(
        self,
        title: str,
        *,
        text: str = "",
        placeholder: str = "",
        offers: Sequence[tuple[str, str]] = (),
        refuse: Callable[[str], str] | None = None,
        keep: Callable[[str], None] | None = None,
    ) -> None:
        """`offers`: values with what they say. `refuse`: why a line will not do, or nothing. `keep`: gets what was typed and left."""
        super().__init__()
        self._title = title
        self._text = text
        self._placeholder = placeholder
        self._offers = list(offers)[: len(_DIGITS)]
        self._refuse = refuse
        self._keep = keep

    def compose(self) -> ComposeResult:
        """What is asked, what is offered, the field."""
        with Vertical():
            yield TitleLine(self._title, "")
            if self._offers:
                offered = (
                    (f" {digit} ", "$accent", f" {safe_line(words)}") for digit, (_, words) in zip(_DIGITS, self._offers, strict=False)
                )
                yield PlainText(*offered, id="offers")
            yield self.FIELD(self._text, self._placeholder, [value for value, _ in self._offers])
            yield PlainText(id="refused")
            yield KeyBar(indent=1)

    def on_mount(self) -> None:
        """Typing can begin."""
        self.query_one("#refused").display = False
        self.query_one(LineInput).focus()

    @on(LineInput.Chosen)
    def _choose(self, event: LineInput.Chosen) -> None:
        self._take(event.value)

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        event.stop()
        self._take(event.value.strip())

    def _take(self, line: str) -> None:
        problem = self._refuse(line) if self._refuse is not None else ""
        if problem:
            refused = self.query_one("#refused", PlainText)
            refused.display = True
            refused.show(safe_line(problem))
            return
        self.dismiss(line)

    def action_leave(self) -> None:
        """Back, keeping what was typed."""
        if self._keep is not None:
            self._keep(self.query_one(LineInput).value)
        self.dismiss(None)
