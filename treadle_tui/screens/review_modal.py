"""One review in depth: the question, what speaks for and against, how it went before. Returns a decision, or None for later.

The tabs are one outline with different nodes; what a tab needs is read when it is shown.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from treadle_tui.board.laboratory import attempt_diff, changes_wanted, feedback_of, laboratory_nodes, number_of
from treadle_tui.board.outline import Node, Tone
from treadle_tui.board.review_answers import AnswerRefused
from treadle_tui.board.review_subject import ReviewSubject, raw_outline, review_outline
from treadle_tui.board.safe_text import safe_line, safe_paragraphs
from treadle_tui.engine.review import Approve, ApproveWithEdits, PickAttempt, Reject, RequestChanges, ReviewDecision, ReviewField
from treadle_tui.screens.modal import Modal
from treadle_tui.screens.reject_reason import RejectReason
from treadle_tui.widgets.answer_form import AnswerForm
from treadle_tui.widgets.key_bar import KeyBar
from treadle_tui.widgets.outline_view import OutlineView
from treadle_tui.widgets.plain_text import Line, PlainText, TitleLine
from treadle_tui.widgets.search_line import SearchLine
from treadle_tui.widgets.tab_line import TabLine, TabName

_TABS = ("output", "diff", "attempts", "upstream", "events")
_DIFF_MODES = ("auto", "unified", "split")


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


class ReviewDepth(Protocol):
    """What a modal asks for beyond what it was given."""

    def typed(self, what: str) -> str:
        """What was begun and left: a reason, a request."""
        ...

    def keep_typed(self, what: str, text: str) -> None:
        """Keep what was begun."""
        ...

    def note(self) -> str:
        """The remark that goes with the decision."""
        ...

    def draft(self) -> str | None:
        """The edit that was begun."""
        ...

    def expect_dialog(self, is_coming: bool) -> None:
        """A dialog has been asked for: what is typed from now on is for it."""
        ...

    async def upstream(self) -> list[Node]:
        """What the stage was given."""
        ...

    async def events(self) -> list[Node]:
        """What has happened to the item."""
        ...

    async def edit(self, in_editor: bool) -> tuple[Any] | None:
        """The output, edited by the person; None when they left it."""
        ...


class ReviewModal(Modal[ReviewDecision | None]):
    """Everything about one review, and every answer to it."""

    BINDING_GROUP_TITLE = "Review"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "approve", "Approve", id="review.approve", tooltip="Approve: what depends on it may start"),
        Binding("x", "reject", "Reject", id="review.reject", tooltip="Reject with a reason: the stage fails"),
        Binding("g", "changes", "Changes", id="review.changes", tooltip="Request changes: it runs again with what you say"),
        Binding("e", "edit(False)", "Edit", id="review.edit", tooltip="Edit the output, and approve the edit"),
        Binding("E", "edit(True)", "$EDITOR", show=False, id="review.editor", tooltip="Edit the output in your own editor"),
        Binding("p", "pick", "Pick", id="review.pick", tooltip="In Attempts: approve the attempt under the cursor"),
        Binding("f", "fill_in", "Fill in", id="review.fill_in", tooltip="Answer the questions of the review"),
        Binding("t", "raw", "As it is", show=False, id="review.raw", tooltip="In Output: as it was written, or drawn"),
        Binding("slash", "search", "Search", show=False, id="review.search", key_display="/", tooltip="Look for words in what is shown"),
        Binding("n", "hit(1)", "Next place", show=False, id="review.next_hit", tooltip="The next place that has the words"),
        Binding("N", "hit(-1)", "Place before", show=False, id="review.hit_before", tooltip="The place before that has the words"),
        Binding("d", "diff_mode", "Diff", show=False, id="review.diff_mode", tooltip="The difference: unified, split, or what fits"),
        *(
            Binding(str(number), f"tab('{tab}')", tab.title(), show=False, id=f"review.tab_{tab}", tooltip=f"Show: {tab}")
            for number, tab in enumerate(_TABS, 1)
        ),
        Binding("escape", "leave", "Later", id="review.leave", key_display="esc", tooltip="Leave it waiting"),
    ]

    DEFAULT_CSS = """
    ReviewModal {
        align: center middle;
        background: $background 70%;
        & > Vertical {
            width: 94%;
            max-width: 170;
            height: 92%;
            min-height: 14;
            background: $surface;
            border: round $line;
            padding: 0 1;
        }
        & TitleLine, & TabLine { background: $surface; }
        & #question { padding: 1 1 1 1; text-style: bold; max-height: 6; overflow-y: auto; scrollbar-size-vertical: 1; }
        & #middle { height: 1fr; }
        & OutlineView { height: 1fr; background: $surface; }
        & #rail { display: none; width: 30; height: 1fr; padding: 0 1; border-left: solid $line; color: $quiet; }
        &.-side-by-side #rail { display: block; }
        & KeyBar { margin-top: 1; background: $surface; }
    }
    """

    def __init__(
        self, subject: ReviewSubject, now: Callable[[], datetime] = utc_now, doing: str = "", depth: ReviewDepth | None = None
    ) -> None:
        """`doing`: what to begin with: "fill_in", "edit" or "editor"."""
        super().__init__()
        self.subject = subject
        self._now = now
        self._doing = doing
        self._depth = depth
        self._tab = _TABS[0]
        self._diff_mode = _DIFF_MODES[0]
        self._compared = 0
        self._is_raw = False

    def compose(self) -> ComposeResult:
        """Where it stands, the question, the tabs, the answers."""
        now = self._now()
        with Vertical():
            yield TitleLine(self.subject.title, self.subject.standing(now))
            yield PlainText("\n".join(safe_paragraphs(self.subject.summary)), id="question")
            yield TabLine(self._tab_names, self._tab)
            with Horizontal(id="middle"):
                yield OutlineView(review_outline(self.subject, now))
                yield PlainText(*self._rail(), id="rail")
            yield SearchLine()
            if self._fields:
                yield AnswerForm(self._fields, self._answered_before())
            yield KeyBar(indent=1)

    def on_mount(self) -> None:
        """Reading comes first: no field has the focus."""
        self._outline.focus()
        if self._doing == "fill_in" and self._fields:
            self.call_after_refresh(self.action_fill_in)
        elif self._doing in ("edit", "editor"):
            self.call_after_refresh(self.action_edit, self._doing == "editor")

    @property
    def _outline(self) -> OutlineView:
        return self.query_one(OutlineView)

    @property
    def _tab_names(self) -> list[TabName]:
        attempts = len(self.subject.attempts)
        return [
            TabName(tab, tab.title(), str(number), attempts if tab == "attempts" and attempts > 1 else 0)
            for number, tab in enumerate(_TABS, 1)
        ]

    @property
    def _fields(self) -> Sequence[ReviewField]:
        review = self.subject.review
        return review.fields if review is not None and review.fields else ()

    def _rail(self) -> list[Line]:
        """The answers with their keys, the preset reasons, and what the person has kept."""
        answers = [("a", "approve"), ("x", "reject"), ("g", "request changes"), ("e", "edit, and approve"), ("E", "the same in $EDITOR")]
        if len(self.subject.attempts) > 1:
            answers.append(("p", "pick an attempt"))
        answers += [("/", "look for words"), ("t", "as it is written")]
        lines: list[Line] = [(key, "$accent", f"  {words}") for key, words in answers]
        if self.subject.reasons:
            lines += ["", "reasons, behind x:"]
            lines += [(f"{number}", "$accent", f"  {safe_line(reason)}") for number, reason in enumerate(self.subject.reasons[:9], 1)]
        if self.subject.why:
            lines += ["", "asked because:", *safe_paragraphs(self.subject.why)]
        if self._depth is not None and self._depth.note():
            lines += ["", "your note:", *safe_paragraphs(self._depth.note())]
        if self._depth is not None and self._depth.draft() is not None:
            lines += ["", "an edit was begun; e goes on"]
        return lines

    # tabs -----------------------------------------------------------------------------------------------------------------------

    def action_tab(self, tab: str) -> None:
        """Show another tab."""
        if tab == "diff" and self._tab == "attempts":
            self._compared = number_of(self._outline.node) or 0
        self._tab = tab
        self.query_one(TabLine).show(self._tab_names, tab, self._diff_mode if tab == "diff" else "")
        self._show_tab()
        self._outline.focus()
        self.refresh_bindings()

    def action_raw(self) -> None:
        """The output as it was written, or drawn."""
        self._is_raw = not self._is_raw if self._tab == "output" else True
        self.action_tab("output")

    # looking for words ----------------------------------------------------------------------------------------------------------

    def action_search(self) -> None:
        """Type what to look for."""
        self.query_one(SearchLine).begin()

    @on(SearchLine.Wanted)
    def _look_for(self, event: SearchLine.Wanted) -> None:
        self._outline.look_for(event.words)
        self.query_one(SearchLine).show_found(*self._outline.hits)
        self.refresh_bindings()

    @on(SearchLine.Left)
    def _leave_search(self) -> None:
        self._outline.focus()
        self.call_after_refresh(lambda: self.query_one(SearchLine).show_found(*self._outline.hits))

    def action_hit(self, delta: int) -> None:
        """Another place that has the words."""
        self._outline.next_hit(delta)
        self.query_one(SearchLine).show_found(*self._outline.hits)

    @on(TabLine.Chosen)
    def _tab_chosen(self, event: TabLine.Chosen) -> None:
        self.action_tab(event.id)

    def _show_tab(self) -> None:
        subject, now = self.subject, self._now()
        match self._tab:
            case "output":
                self._show(raw_outline(subject) if self._is_raw else review_outline(subject, now))
            case "diff":
                self._show(attempt_diff(subject.attempts, self._compared, self._outline.size.width, self._diff_mode))
            case "attempts":
                self._show(laboratory_nodes(subject.attempts, now))
            case tab if self._depth is not None:
                self._show([Node(("reading",), paragraphs=("reading …",), tone=Tone.MUTED)])
                self._read_tab(tab, self._depth.upstream() if tab == "upstream" else self._depth.events())

    def _show(self, nodes: Sequence[Node]) -> None:
        self._outline.show(nodes)
        self._outline.action_top()
        search = self.query_one(SearchLine)
        if search.words:
            self._outline.look_for(search.words)
            search.show_found(*self._outline.hits)

    @work(exclusive=True, group="tab")
    async def _read_tab(self, tab: str, reading: Awaitable[list[Node]]) -> None:
        nodes = await reading
        if tab == self._tab:
            self._show(nodes or [Node(("nothing",), paragraphs=("nothing",), tone=Tone.MUTED)])

    def action_diff_mode(self) -> None:
        """Unified, split, or what fits."""
        self._diff_mode = _DIFF_MODES[(_DIFF_MODES.index(self._diff_mode) + 1) % len(_DIFF_MODES)]
        self.action_tab("diff")

    # answers --------------------------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What there is nothing for is not offered."""
        match action:
            case "fill_in":
                return bool(self._fields)
            case "pick":
                return bool(self._tab == "attempts" and len(self.subject.attempts) > 1)
            case "hit":
                return True if self.query(SearchLine) and self.query_one(SearchLine).words else None
            case "edit":
                return self._depth is not None
        return True

    def action_fill_in(self) -> None:
        """Go into the form."""
        self.query_one(AnswerForm).begin()

    @on(AnswerForm.Changed)
    def _keep_answers(self) -> None:
        self._keep("answers", json.dumps(self.query_one(AnswerForm).texts))

    def _answered_before(self) -> dict[str, str]:
        return json.loads(self._typed("answers") or "{}")  # type: ignore[no-any-return]  # what `_keep_answers` wrote

    @on(AnswerForm.Left)
    def _back_to_the_review(self) -> None:
        self._outline.focus()

    def action_approve(self) -> None:
        """Approve, with the answers of the form."""
        self._answer(lambda values: Approve(values=values))

    def action_pick(self) -> None:
        """Approve the attempt under the cursor."""
        number = number_of(self._outline.node)
        picked = next((attempt for attempt in self.subject.attempts if attempt.number == number), None)
        if picked is None or picked.output is None:
            self.app.bell()
            self.query_one(TabLine).show(self._tab_names, self._tab, "put the cursor on an attempt that has an output")
            return
        self._answer(lambda values: PickAttempt(picked.number, values=values))

    def _answer(self, make: Callable[[dict[str, Any] | None], ReviewDecision]) -> None:
        with suppress(AnswerRefused):  # said on its line; the review stays open
            self.dismiss(make(self._values(all_required=True)))

    def action_reject(self) -> None:
        """Ask why, and reject; leaving the question leaves the review open."""
        with suppress(AnswerRefused):  # said on its line
            values = self._values(all_required=False)
            self._expect_dialog()
            self._ask_why(values)

    @work(exclusive=True)
    async def _ask_why(self, values: dict[str, Any] | None) -> None:
        reason = await self.app.push_screen_wait(
            RejectReason(self.subject.title, self.subject.reasons, self._typed("reason"), lambda text: self._keep("reason", text))
        )
        if reason is not None:
            self.dismiss(Reject(reason, values=values))

    def action_changes(self) -> None:
        """Ask what should be different; what failed stands there already."""
        with suppress(AnswerRefused):  # said on its line
            values = self._values(all_required=False)
            self._expect_dialog()
            self._ask_what_to_change(values)

    @work(exclusive=True)
    async def _ask_what_to_change(self, values: dict[str, Any] | None) -> None:
        from treadle_tui.screens.one_line import OneLine

        said = await self.app.push_screen_wait(
            OneLine(
                f"Request changes of {self.subject.title}",
                text=self._typed("changes") or safe_line(changes_wanted(self.subject.attempts)),
                placeholder="what should be different; it runs again with this",
                refuse=lambda text: "" if text else "say what should be different",
                keep=lambda text: self._keep("changes", text),
            )
        )
        if said is not None:
            self.dismiss(RequestChanges(feedback_of(said, self.subject.attempts), values=values))

    def action_edit(self, in_editor: bool) -> None:
        """Edit the output, and approve the edit."""
        with suppress(AnswerRefused):  # said on its line
            values = self._values(all_required=True)
            if not in_editor:
                self._expect_dialog()
            self._edit(in_editor, values)

    @work(exclusive=True)
    async def _edit(self, in_editor: bool, values: dict[str, Any] | None) -> None:
        assert self._depth is not None
        edited = await self._depth.edit(in_editor)
        if edited is not None:
            self.dismiss(ApproveWithEdits(edited[0], values=values))

    def _expect_dialog(self) -> None:
        if self._depth is not None:
            self._depth.expect_dialog(True)

    def _typed(self, what: str) -> str:
        return self._depth.typed(what) if self._depth is not None else ""

    def _keep(self, what: str, text: str) -> None:
        if self._depth is not None:
            self._depth.keep_typed(what, text)

    def _values(self, *, all_required: bool) -> dict[str, Any] | None:
        return self.query_one(AnswerForm).values(all_required=all_required) if self._fields else None

    def action_leave(self) -> None:
        """Leave it waiting."""
        self.dismiss(None)
