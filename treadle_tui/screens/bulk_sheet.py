"""What is about to be decided by one key, and the last question before it. Returns the reason (empty for none), or None."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from treadle_tui.board.bulk import BulkSheet
from treadle_tui.board.safe_text import safe_line
from treadle_tui.board.time_text import age
from treadle_tui.screens.modal import Modal
from treadle_tui.screens.one_line import LineInput
from treadle_tui.widgets.key_bar import KeyBar
from treadle_tui.widgets.plain_text import Line, PlainText, TitleLine


class BulkQuestion(Modal[str | None]):
    """One reason for all; above twenty the number is typed, below it `y` is enough."""

    BINDING_GROUP_TITLE = "Many at once"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Yes", id="bulk.yes", tooltip="Decide all of these"),
        Binding("n,escape", "leave", "No", id="bulk.no", key_display="esc", tooltip="Decide none of these"),
    ]

    DEFAULT_CSS = """
    BulkQuestion {
        align: center middle;
        background: $background 60%;
        & > Vertical {
            width: 90%;
            max-width: 100;
            height: auto;
            max-height: 96%;
            background: $panel;
            border: round $accent;
            padding: 0 1;
        }
        & TitleLine { background: $panel; }
        & PlainText { padding: 1 1 0 1; }
        & .asked { color: $quiet; }
        & LineInput { margin: 0 1; background: $surface; padding: 0 1; }
        & KeyBar { background: $panel; margin-top: 1; }
    }
    """

    def __init__(self, verb: str, sheet: BulkSheet, now: datetime, *, asks_reason: bool = False, reasons: Sequence[str] = ()) -> None:
        """`verb`: "Approve", "Reject"."""
        super().__init__()
        self._verb = verb
        self._sheet = sheet
        self._now = now
        self._asks_reason = asks_reason
        self._reasons = [reason for reason in reasons if reason]

    def compose(self) -> ComposeResult:
        """The numbers, what was dropped, the questions."""
        with Vertical():
            yield TitleLine(f"{self._verb} {len(self._sheet.lines):,} reviews", "")
            yield PlainText(*self._facts())
            if self._asks_reason:
                offered: list[Line] = [f"{number} {safe_line(reason)}" for number, reason in enumerate(self._reasons[:9], 1)]
                yield PlainText("one reason for all:", *offered, classes="asked")
                yield LineInput("", "a reason, or nothing", self._reasons[:9])
            if self._sheet.is_counted:
                yield PlainText(f"type {len(self._sheet.lines)} and press enter:", classes="asked")
                yield Input(id="count", compact=True)
            yield KeyBar(indent=1)

    def _facts(self) -> list[Line]:
        sheet = self._sheet
        facts: list[Line] = [(f"{count:>6,}  ", "$accent", safe_line(stage)) for stage, count in sheet.per_stage]
        if sheet.oldest is not None and sheet.newest is not None:
            waiting = f"waiting between {age(sheet.newest.since, self._now)} and {age(sheet.oldest.since, self._now)}"
            facts += ["", (waiting, "$quiet")]
        more = len(sheet.lines) - len(sheet.first)
        facts += ["", *sheet.first, *([f"and {more:,} more"] if more > 0 else [])]
        if sheet.dropped:
            names = ", ".join(line.title for line in sheet.dropped[:3])
            facts += ["", (f"{len(sheet.dropped):,} left out, changed since they were marked: {names}", "$state-failed")]
        return facts

    def on_mount(self) -> None:
        """Where there is something to type, typing can begin; else nothing has the focus that a key could press."""
        field = next(iter(self.query(Input)), None)
        if field is not None:
            field.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """`y` is enough only for a few."""
        return not self._sheet.is_counted if action == "yes" else True

    def action_yes(self) -> None:
        """Decide all of these."""
        self._decide()

    @on(LineInput.Chosen)
    def _choose(self, event: LineInput.Chosen) -> None:
        field = self.query_one(LineInput)
        field.value = event.value
        field.cursor_position = len(event.value)

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        event.stop()
        if self._sheet.is_counted and event.input.id != "count":
            self.query_one("#count", Input).focus()
        elif not self._sheet.is_counted or event.value.strip().replace(",", "") == str(len(self._sheet.lines)):
            self._decide()
        else:
            event.input.value = ""
            event.input.placeholder = f"that is not {len(self._sheet.lines)}"

    def _decide(self) -> None:
        self.dismiss(self.query_one(LineInput).value.strip() if self._asks_reason else "")

    def action_leave(self) -> None:
        """Decide none of these."""
        self.dismiss(None)
