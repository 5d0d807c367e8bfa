"""One review beside the list: where it stands, what is asked, what speaks for and against, and how it went before."""

from __future__ import annotations

from datetime import datetime

from textual.app import ComposeResult
from textual.containers import Vertical

from treadle_tui.board.outline import Node, Outline, Tone
from treadle_tui.board.review_answers import default_text, hint_of, label_of
from treadle_tui.board.review_line import ReviewKey, ReviewLine
from treadle_tui.board.review_subject import ReviewSubject, review_outline
from treadle_tui.board.safe_text import safe_line, safe_paragraphs
from treadle_tui.widgets.outline_view import OutlineView
from treadle_tui.widgets.plain_text import TitleLine

#: Reviews that are kept ready.
_MOST_PREPARED = 16

_Contents = tuple[ReviewSubject, str, bool]
"""What the text was made of: what has been read, the note, whether an edit was begun."""


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
        self._shown: ReviewKey | None = None
        self._prepared: dict[ReviewKey, tuple[_Contents, Outline]] = {}

    def compose(self) -> ComposeResult:
        """Title, and the outline, in which the question is the first thing: a text of its own would be laid out anew with each review."""
        yield TitleLine("", "")
        yield OutlineView()

    @property
    def outline(self) -> OutlineView:
        """What scrolls."""
        return self.query_one(OutlineView)

    def prepare(self, line: ReviewLine, subject: ReviewSubject, now: datetime, note: str = "", draft: bool = False) -> None:
        """Make ready what will most likely be asked for next."""
        contents = subject, note, draft
        if self._ready(line.key, contents) is None:
            while len(self._prepared) >= _MOST_PREPARED:
                self._prepared.pop(next(iter(self._prepared)))
            self._prepared[line.key] = contents, self.outline.prepare(_nodes(line, subject, now, note, draft))

    def _ready(self, key: ReviewKey, contents: _Contents) -> Outline | None:
        found = self._prepared.get(key)
        is_same = found is not None and found[0][0] is contents[0] and found[0][1:] == contents[1:]
        return found[1] if found is not None and is_same else None

    def show(self, line: ReviewLine | None, subject: ReviewSubject | None, now: datetime, note: str = "", draft: bool = False) -> None:
        """Show a line of the list; `subject` is what has been read of it."""
        title = self.query_one(TitleLine)
        if line is None:
            title.show("", "")
            self.outline.show([])
            self._shown = None
            return
        title.show(line.title, subject.standing(now) if subject is not None else "")
        if subject is None:
            self.outline.show(_nodes(line, None, now, note, draft))
        else:
            self.prepare(line, subject, now, note, draft)
            self.outline.show_prepared(self._prepared[line.key][1])
        if self._shown != line.key:
            self._shown = line.key
            self.outline.action_top()

    def forget_prepared(self) -> None:
        """How long ago something was is said otherwise by now."""
        self._prepared.clear()


def _nodes(line: ReviewLine, subject: ReviewSubject | None, now: datetime, note: str, draft: bool) -> list[Node]:
    asked = subject.summary if subject is not None else line.summary
    question = safe_paragraphs(asked or f"{line.key.stage} asks for a decision")
    nodes = [Node(("question",), paragraphs=(*question, ""), tone=Tone.HEADING), *_kept_nodes(note, draft)]
    if subject is not None:
        nodes += [*_field_nodes(subject), *review_outline(subject, now)]
    return nodes


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
