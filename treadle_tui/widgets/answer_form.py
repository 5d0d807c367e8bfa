"""The small form a review may carry: a line per question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widgets import Input

from treadle_tui.board.review_answers import AnswerRefused, answers, default_text, hint_of, label_of
from treadle_tui.board.safe_text import width_of
from treadle_tui.engine.review import ReviewField
from treadle_tui.widgets.plain_text import PlainText

_LABEL_MOST = 44


class AnswerInput(Input):
    """One answer; while it has the focus every letter is text."""

    BINDING_GROUP_TITLE = "Form"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,down", "app.focus_next", "Next", id="answer.next", key_display="enter", tooltip="To the next question"),
        Binding("up", "app.focus_previous", "Previous", show=False, id="answer.previous", tooltip="To the question before"),
        Binding("escape", "leave", "Done", id="answer.leave", key_display="esc", tooltip="Back to the review; what was typed stays"),
    ]

    class Left(Message):
        """The person is done with the form."""

    def __init__(self, field: ReviewField) -> None:
        super().__init__(default_text(field), placeholder=hint_of(field), compact=True, select_on_focus=False)
        self.field = field

    def action_leave(self) -> None:
        """Back to the review."""
        self.post_message(self.Left())


class AnswerForm(VerticalScroll, can_focus=False):
    """Questions and answers of one review."""

    DEFAULT_CSS = """
    AnswerForm {
        height: auto;
        max-height: 6;
        margin-top: 1;
        scrollbar-size-vertical: 1;
        & Horizontal { height: 1; }
        & PlainText { height: 1; padding: 0 1; color: $quiet; text-wrap: nowrap; text-overflow: ellipsis; }
        & AnswerInput { width: 1fr; background: $panel; padding: 0 1; margin-right: 1; }
    }
    """

    def __init__(self, fields: Sequence[ReviewField]) -> None:
        super().__init__()
        self.fields = fields

    def compose(self) -> ComposeResult:
        """A line per field, the labels in one column."""
        width = min(_LABEL_MOST, 2 + max(width_of(label_of(field)) for field in self.fields))
        for field in self.fields:
            with Horizontal():
                label = PlainText(label_of(field))
                label.styles.width = width
                yield label
                yield AnswerInput(field)

    def begin(self) -> None:
        """Put the focus into the first field."""
        self.query(AnswerInput).first().focus()

    def values(self, *, all_required: bool) -> dict[str, Any] | None:
        """The answers given; a field that refuses gets the focus. Raises: `AnswerRefused`."""
        inputs = {each.field.name: each for each in self.query(AnswerInput)}
        try:
            return answers(self.fields, {name: each.value for name, each in inputs.items()}, all_required=all_required)
        except AnswerRefused as refused:
            inputs[refused.field].focus()
            raise
