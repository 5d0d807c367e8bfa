"""A workflow file that could not be loaded: where, and why."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from treadle_tui.board.outline import Span, Tone
from treadle_tui.board.safe_text import wrap
from treadle_tui.screens.page import Page
from treadle_tui.widgets.key_bar import KeyBar
from treadle_tui.widgets.pick_list import PickList, PickRow
from treadle_tui.widgets.plain_text import TitleLine


class ProblemScreen(Page):
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
