"""Decisions an earlier program did not come to send: sent now, let go, or left in the outbox. Returns what to do with them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from treadle_tui.board.history_outline import decision_words
from treadle_tui.board.outbox import HeldEntry
from treadle_tui.board.safe_text import safe_line
from treadle_tui.board.time_text import clock_time
from treadle_tui.screens.modal import Modal
from treadle_tui.widgets.key_bar import KeyBar
from treadle_tui.widgets.plain_text import PlainText, TitleLine

_SHOWN = 8


class LeftOverAnswer(str, Enum):
    """What to do with them."""

    #: Record them now.
    SEND = "send"
    #: Forget that they were made; the reviews wait again.
    DROP = "drop"
    #: Leave them in the outbox.
    KEEP = "keep"


class LeftOver(Modal[LeftOverAnswer]):
    """Asked once, when the program starts after a crash."""

    BINDING_GROUP_TITLE = "Not sent yet"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "answer('send')", "Send", id="left_over.send", tooltip="Record these decisions now"),
        Binding("d", "answer('drop')", "Let go", id="left_over.drop", tooltip="Forget them: the reviews wait again"),
        Binding("escape", "answer('keep')", "Later", id="left_over.keep", key_display="esc", tooltip="Leave them in the outbox"),
    ]

    DEFAULT_CSS = """
    LeftOver {
        align: center middle;
        background: $background 60%;
        & > Vertical { width: 90%; max-width: 100; height: auto; background: $panel; border: round $accent; padding: 0 1; }
        & TitleLine, & KeyBar { background: $panel; }
        & PlainText { padding: 1 1; }
    }
    """

    def __init__(self, entries: Sequence[HeldEntry], now: datetime) -> None:
        super().__init__()
        self._entries = entries
        self._now = now

    def compose(self) -> ComposeResult:
        """What they are."""
        count = len(self._entries)
        shown = [
            f"{clock_time(entry.made_at, self._now)}  {decision_words(entry.decision)} {entry.line.title}"
            + (f": {safe_line(reason)}" if (reason := getattr(entry.decision, "reason", "")) else "")
            for entry in self._entries[:_SHOWN]
        ]
        more = [f"and {count - _SHOWN:,} more"] if count > _SHOWN else []
        with Vertical():
            yield TitleLine("1 decision was not sent" if count == 1 else f"{count:,} decisions were not sent", "")
            yield PlainText(("The program ended before it could record what you had decided:", "$quiet"), "", *shown, *more)
            yield KeyBar(indent=1)

    def action_answer(self, answer: str) -> None:
        """Do that."""
        self.dismiss(LeftOverAnswer(answer))
