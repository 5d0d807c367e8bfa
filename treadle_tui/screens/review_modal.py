"""One review in depth: the question, what speaks for and against, how it went before. Returns a decision, or None for later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from treadle_tui.board.review_answers import AnswerRefused
from treadle_tui.board.review_subject import ReviewSubject, review_outline
from treadle_tui.board.safe_text import safe_line, safe_paragraphs
from treadle_tui.engine.review import Approve, Reject, ReviewDecision, ReviewField
from treadle_tui.screens.modal import Modal
from treadle_tui.screens.reject_reason import RejectReason
from treadle_tui.widgets.answer_form import AnswerForm, AnswerInput
from treadle_tui.widgets.key_bar import KeyBar
from treadle_tui.widgets.outline_view import OutlineView
from treadle_tui.widgets.plain_text import PlainText, TitleLine


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


class ReviewModal(Modal[ReviewDecision | None]):
    """Approve, reject with a reason, or leave it."""

    BINDING_GROUP_TITLE = "Review"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "approve", "Approve", id="review.approve", tooltip="Approve: what depends on it may start"),
        Binding("x", "reject", "Reject", id="review.reject", tooltip="Reject with a reason: the stage fails"),
        Binding("escape", "leave", "Later", id="review.leave", key_display="esc", tooltip="Leave it waiting"),
        Binding("f", "fill_in", "Fill in", id="review.fill_in", tooltip="Answer the questions of the review"),
    ]

    DEFAULT_CSS = """
    ReviewModal {
        align: center middle;
        background: $background 70%;
        & > Vertical {
            width: 90%;
            max-width: 120;
            height: 86%;
            min-height: 14;
            background: $surface;
            border: round $line;
            padding: 0 1;
        }
        & TitleLine { background: $surface; }
        & #question { padding: 1 1 1 1; text-style: bold; max-height: 6; overflow-y: auto; scrollbar-size-vertical: 1; }
        & OutlineView { height: 1fr; background: $surface; }
        & #refused { padding: 0 1; color: $state-failed; }
        & KeyBar { margin-top: 1; background: $surface; }
        &.-asks KeyBar { margin-top: 0; }
    }
    """

    def __init__(self, subject: ReviewSubject, now: Callable[[], datetime] = utc_now, doing: str = "") -> None:
        """`doing`: what to begin with: "fill_in"."""
        super().__init__()
        self._doing = doing
        self.subject = subject
        self._now = now

    def compose(self) -> ComposeResult:
        """Where it stands, the question, the outline, the answers."""
        now = self._now()
        with Vertical():
            yield TitleLine(self.subject.title, self.subject.standing(now))
            yield PlainText("\n".join(safe_paragraphs(self.subject.summary)), id="question")
            yield OutlineView(review_outline(self.subject, now))
            if self._fields:
                yield AnswerForm(self._fields)
                yield PlainText(id="refused")
            yield KeyBar(indent=1)

    def on_mount(self) -> None:
        """Reading comes first: no field has the focus."""
        self.query_one(OutlineView).focus()
        self.set_class(bool(self._fields), "-asks")
        if self._doing == "fill_in" and self._fields:
            self.call_after_refresh(self.action_fill_in)

    @property
    def _fields(self) -> Sequence[ReviewField]:
        review = self.subject.review
        return review.fields if review is not None and review.fields else ()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is something to fill in only when the review asks."""
        return bool(self._fields) if action == "fill_in" else True

    def action_fill_in(self) -> None:
        """Go into the form."""
        self.query_one(AnswerForm).begin()

    @on(AnswerInput.Left)
    def _back_to_the_review(self) -> None:
        self.query_one(OutlineView).focus()

    def action_approve(self) -> None:
        """Approve, with the answers of the form."""
        try:
            self.dismiss(Approve(values=self._values(all_required=True)))
        except AnswerRefused as refused:
            self._say(str(refused))

    @work(exclusive=True)
    async def action_reject(self) -> None:
        """Ask why, and reject; leaving the question leaves the review open."""
        try:
            values = self._values(all_required=False)
        except AnswerRefused as refused:
            self._say(str(refused))
            return
        reason = await self.app.push_screen_wait(RejectReason(self.subject.title, self.subject.reasons))
        if reason is not None:
            self.dismiss(Reject(reason, values=values))

    def _values(self, *, all_required: bool) -> dict[str, Any] | None:
        return self.query_one(AnswerForm).values(all_required=all_required) if self._fields else None

    def _say(self, words: str) -> None:
        self.query_one("#refused", PlainText).show(safe_line(words))

    def action_leave(self) -> None:
        """Leave it waiting."""
        self.dismiss(None)
