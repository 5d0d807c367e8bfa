"""An output edited in place: what is wrong is said on its line, what differs stands below, and nothing typed is lost.

Returns the edited output in a one-element tuple; None when the edit was left, which keeps it as a draft.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.timer import Timer
from textual.widgets import TextArea

from treadle_tui.board.diff_lines import diff_nodes
from treadle_tui.board.edit_text import EditRefused, text_of
from treadle_tui.board.safe_text import safe_line
from treadle_tui.screens.modal import Modal
from treadle_tui.widgets.key_bar import KeyBar
from treadle_tui.widgets.outline_view import OutlineView
from treadle_tui.widgets.plain_text import PlainText, TitleLine

#: After so long without a key the draft is written, and the difference drawn again.
_REST_SECONDS = 0.6


class EditOutput(Modal[tuple[Any] | None]):
    """See the module's first lines."""

    BINDING_GROUP_TITLE = "Edit"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,f2", "send", "Approve with edits", id="edit.send", key_display="^s", tooltip="Check it, and approve with it"),
        Binding("escape", "leave", "Keep as draft", id="edit.leave", key_display="esc", tooltip="Back; the edit is kept"),
        Binding("ctrl+r,f5", "restore", "Original", id="edit.restore", key_display="^r", tooltip="The original again"),
    ]

    DEFAULT_CSS = """
    EditOutput {
        align: center middle;
        background: $background 60%;
        & > Vertical { width: 96%; max-width: 160; height: 96%; background: $surface; border: round $accent; padding: 0 1; }
        & TitleLine, & KeyBar { background: $surface; }
        & TextArea { height: 3fr; border: none; background: $panel; margin: 1 0; }
        & TextArea:focus { border: none; }
        & #wrong { height: auto; max-height: 3; padding: 0 1; color: $state-failed; }
        & OutlineView { height: 2fr; background: $surface; }
    }
    """

    def __init__(
        self,
        title: str,
        original: Any,
        check: Callable[[str], Any],
        keep: Callable[[str], None],
        text: str | None = None,
        problem: str = "",
    ) -> None:
        """`check` gives the output a text says, or raises `EditRefused`; `keep` writes the draft; `text` is what was begun before."""
        super().__init__()
        self._title = title
        self._original = original
        self._check = check
        self._keep = keep
        self._text = text_of(original) if text is None else text
        self._problem = problem
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """Title, text, what is wrong, what differs."""
        with Vertical():
            yield TitleLine(f"Edit {self._title}", "")
            yield TextArea(self._text, show_line_numbers=True, soft_wrap=True)
            yield PlainText(id="wrong")
            yield OutlineView()
            yield KeyBar(indent=1)

    def on_mount(self) -> None:
        """Typing can begin."""
        self.query_one(TextArea).focus()
        self._show_difference()
        if self._problem:
            self._say(self._problem)

    @property
    def text(self) -> str:
        """What stands there now."""
        return self.query_one(TextArea).text

    @on(TextArea.Changed)
    def _changed(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_REST_SECONDS, self._rested)

    def _rested(self) -> None:
        self._keep_draft()
        self._show_difference()

    def _keep_draft(self) -> None:
        self._keep("" if self.text == text_of(self._original) else self.text)

    def _show_difference(self) -> None:
        """What has changed, or what is wrong with it so far."""
        try:
            output = self._check(self.text)
        except EditRefused as refused:
            self._say(str(refused))
            return
        self._say("")
        view = self.query_one(OutlineView)
        view.show(diff_nodes(self._original, output, view.size.width))

    def _say(self, words: str) -> None:
        self.query_one("#wrong", PlainText).show(safe_line(words))

    def action_send(self) -> None:
        """Check it, and approve with it; what is wrong is said, and the cursor goes there."""
        try:
            output = self._check(self.text)
        except EditRefused as refused:
            self._say(str(refused))
            if refused.line:
                self.query_one(TextArea).move_cursor((refused.line - 1, 0))
            return
        if self._timer is not None:
            self._timer.stop()
        self._keep_draft()  # until the decision is recorded
        self.dismiss((output,))

    def action_restore(self) -> None:
        """The original again; ctrl+z brings the edit back."""
        area = self.query_one(TextArea)
        area.replace(text_of(self._original), (0, 0), area.document.end)

    def action_leave(self) -> None:
        """Back; the edit is kept as a draft."""
        if self._timer is not None:
            self._timer.stop()
        self._keep_draft()
        self.dismiss(None)
