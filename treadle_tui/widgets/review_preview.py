"""One review beside the list: where it stands, what is asked, what speaks for and against, and how it went before."""

from __future__ import annotations

from datetime import datetime

from textual.app import ComposeResult
from textual.containers import Vertical

from treadle_tui.board.outline import Node, Tone
from treadle_tui.board.review_answers import default_text, hint_of, label_of
from treadle_tui.board.review_line import ReviewLine
from treadle_tui.board.review_subject import ReviewSubject, review_outline
from treadle_tui.board.safe_text import safe_line, safe_paragraphs
from treadle_tui.widgets.outline_view import OutlineView
from treadle_tui.widgets.plain_text import TitleLine


class ReviewPreview(Vertical):
    """Shows a line of the list at once, and what has been read of it as soon as there is something."""

    DEFAULT_CSS = """
    ReviewPreview {
        width: 1fr;
        height: 1fr;
        & TitleLine { background: $background; }
        & OutlineView { height: 1fr; margin-top: 1; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[ReviewLine, int] | None = None

    def compose(self) -> ComposeResult:
        """Title, and the outline, in which the question is the first thing: a text of its own would be laid out anew with each review."""
        yield TitleLine("", "")
        yield OutlineView()

    @property
    def outline(self) -> OutlineView:
        """What scrolls."""
        return self.query_one(OutlineView)

    def show(self, line: ReviewLine | None, subject: ReviewSubject | None, now: datetime, note: str = "", draft: bool = False) -> None:
        """Show a line of the list; `subject` is what has been read of it."""
        title = self.query_one(TitleLine)
        if line is None:
            title.show("", "")
            self.outline.show([])
            self._shown = None
            return
        is_other = self._shown is None or self._shown[0].key != line.key
        self._shown = line, id(subject)
        standing = subject.standing(now) if subject is not None else ""
        title.show(line.title, standing)
        asked = subject.summary if subject is not None else line.summary
        question = safe_paragraphs(asked or f"{line.key.stage} asks for a decision")
        nodes = [Node(("question",), paragraphs=(*question, ""), tone=Tone.HEADING), *_kept_nodes(note, draft)]
        if subject is not None:
            nodes += [*_field_nodes(subject), *review_outline(subject, now)]
        self.outline.show(nodes)
        if is_other:
            self.outline.action_top()


def _kept_nodes(note: str, draft: bool) -> list[Node]:
    nodes = []
    if note:
        nodes.append(Node(("kept", "note"), "your note", paragraphs=tuple(safe_paragraphs(note)), tone=Tone.AWAITING_REVIEW))
    if draft:
        nodes.append(Node(("kept", "draft"), "your draft", paragraphs=("an edit was begun; e goes on with it",), tone=Tone.AWAITING_REVIEW))
    return nodes


def _field_nodes(subject: ReviewSubject) -> list[Node]:
    """What the review asks for, beside the decision."""
    fields = subject.review.fields if subject.review is not None and subject.review.fields else ()
    return [
        Node(("field", field.name), label_of(field), paragraphs=(safe_line(default_text(field)) or hint_of(field),), tone=Tone.MUTED)
        for field in fields
    ]
