"""The small form a review may carry: a line per question, and what is wrong with an answer on its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widgets import Input

from treadle_tui.board.review_answers import YES_OR_NO, AnswerRefused, answers, default_text, hint_of, label_of, mistakes
from treadle_tui.board.safe_text import safe_line, width_of
from treadle_tui.engine.review import ReviewField
from treadle_tui.widgets.answer_choice import AnswerChoice
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

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text, placeholder=hint, compact=True, select_on_focus=False)

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
        & PlainText.mistake { width: auto; max-width: 50%; padding: 0 1 0 0; color: $state-failed; }
        & AnswerInput { width: 1fr; background: $panel; padding: 0 1; margin-right: 1; }
        & AnswerChoice { margin-right: 1; }
    }
    """

    class Changed(Message):
        """Something else is answered now."""

    class Left(Message):
        """The person goes back to the review."""

    def __init__(self, fields: Sequence[ReviewField], texts: Mapping[str, str] | None = None) -> None:
        """`texts`: what was answered before, by field name."""
        super().__init__()
        self.fields = fields
        self._asked = [_asking(field, (texts or {}).get(field.name)) for field in fields]
        self._mistakes = [PlainText(classes="mistake") for _ in fields]

    def compose(self) -> ComposeResult:
        """A line per field, the labels in one column."""
        width = min(_LABEL_MOST, 2 + max(width_of(label_of(field)) for field in self.fields))
        for field, asked, mistake in zip(self.fields, self._asked, self._mistakes, strict=True):
            with Horizontal():
                label = PlainText(label_of(field))
                label.styles.width = width
                yield label
                yield asked
                yield mistake

    def begin(self) -> None:
        """Put the focus into the first field."""
        self._asked[0].focus()

    @property
    def texts(self) -> dict[str, str]:
        """What is answered, by field name, as it stands."""
        return {field.name: asked.value for field, asked in zip(self.fields, self._asked, strict=True)}

    def values(self, *, all_required: bool) -> dict[str, Any] | None:
        """The answers given; what is wrong is said on its line, and the first such field gets the focus. Raises: `AnswerRefused`."""
        wrong = mistakes(self.fields, self.texts, all_required=all_required)
        for field, said in zip(self.fields, self._mistakes, strict=True):
            said.show(safe_line(wrong.get(field.name, "")))
        for field, asked in zip(self.fields, self._asked, strict=True):
            if field.name in wrong:
                asked.focus()
                raise AnswerRefused(field, wrong[field.name])
        return answers(self.fields, self.texts, all_required=all_required)

    @on(Input.Changed)
    @on(AnswerChoice.Picked)
    def _changed(self, event: Input.Changed | AnswerChoice.Picked) -> None:
        event.stop()
        for asked, said in zip(self._asked, self._mistakes, strict=True):
            if asked is event.control:
                said.show("")
        self.post_message(self.Changed())

    @on(AnswerInput.Left)
    @on(AnswerChoice.Left)
    def _left(self, event: Message) -> None:
        event.stop()
        self.post_message(self.Left())


def _asking(field: ReviewField, text: str | None) -> AnswerInput | AnswerChoice:
    """What the question is answered with, and what stands there."""
    stands = default_text(field) if text is None else text
    if field.kind == "bool":
        return AnswerChoice(YES_OR_NO, stands, "required" if field.required else "")
    if field.kind == "choice":
        stands = field.default if text is None and isinstance(field.default, str) else stands
        return AnswerChoice(field.choices or (), stands, "required" if field.required else "")
    return AnswerInput(stands, hint_of(field))
