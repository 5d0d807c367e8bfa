"""What an open review asks for: what the stage was given, what has happened, and the output edited by the person."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from treadle_tui.board.data_outline import data_node
from treadle_tui.board.edit_text import EditRefused, is_plain_text, line_of_field, output_of, text_of, with_secrets
from treadle_tui.board.outline import Node, Span, Tone
from treadle_tui.board.safe_text import safe_line
from treadle_tui.board.time_text import clock_time
from treadle_tui.editor import edit_in_editor
from treadle_tui.engine.desk import JottingKind
from treadle_tui.engine.errors import InvalidDecision
from treadle_tui.engine.events import StageEvent

if TYPE_CHECKING:
    from treadle_tui.board.review_line import ReviewLine
    from treadle_tui.board.review_subject import ReviewSubject
    from treadle_tui.desks.review import ReviewDesk
    from treadle_tui.review_work import ReviewWork

#: Newest events that are shown.
_EVENTS_SHOWN = 300


class Depth:
    """One open review."""

    def __init__(
        self,
        work: ReviewWork,
        desk: ReviewDesk,
        line: ReviewLine,
        subject: ReviewSubject,
        ask: Callable[[Any], Awaitable[Any]],
        suspend: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._work = work
        self._desk = desk
        self._line = line
        self._subject = subject
        self._ask = ask
        self._suspend = suspend

    def typed(self, what: str) -> str:
        """What was begun and left."""
        return self._work.typed(self._line, what)

    def keep_typed(self, what: str, text: str) -> None:
        """Keep what was begun."""
        self._work.keep_typed(self._line, what, text)

    def expect_dialog(self, is_coming: bool) -> None:
        """A dialog has been asked for: what is typed from now on is for it."""
        self._work.expect_dialog(is_coming)

    def note(self) -> str:
        """The remark that goes with the decision."""
        return self._work.note_on(self._line.key)

    def draft(self) -> str | None:
        """The edit that was begun."""
        return self._work.draft_on(self._line.key)

    async def upstream(self) -> list[Node]:
        """What the stage was given: the item, and the outputs of what it directly depends on."""
        item, outputs = await self._desk.given(self._line.key.item_id, self._line.workflow, self._line.key.stage)
        nodes = [data_node(name, output, ("upstream", name), depth=0) for name, output in outputs.items()]
        return [*nodes, data_node("item", item, ("upstream", "", "item"), depth=0 if not nodes else 1)]

    async def events(self) -> list[Node]:
        """What has happened to the item, newest first; what happened to this stage stands out."""
        now, nodes = self._work.now(), []
        for event in await self._desk.newest_events(self._line.key.item_id, _EVENTS_SHOWN):
            stage = event.stage if isinstance(event, StageEvent) else ""
            where = " › ".join(safe_line(part) for part in (stage, getattr(event, "subtask", None)) if part)
            words = _words_of(type(event).__name__)
            tone = Tone.PLAIN if stage == self._line.key.stage else Tone.MUTED
            nodes.append(
                Node(("event", str(event.seq)), clock_time(event.at, now), spans=(Span(f"{words}  ", tone), Span(where, Tone.MUTED)))
            )
        return nodes

    async def edit(self, in_editor: bool) -> tuple[Any] | None:
        """The output, edited here, or in the person's own editor and then looked at here."""
        from treadle_tui.screens.edit_output import EditOutput

        shown = self._subject.output
        original, names = await self._desk.original(
            self._line.key.item_id, self._line.workflow, self._line.key.stage, self._line.key.subtask
        )
        text, problem = self.draft(), ""
        if in_editor:
            suffix = ".md" if is_plain_text(shown) else ".json"
            written = await edit_in_editor(text_of(shown) if text is None else text, suffix, self._suspend)
            text, problem = written.text, written.problem
            self._work.keep(self._line, JottingKind.DRAFT, "" if text == text_of(shown) else text)

        def check(text: str) -> Any:
            output = output_of(text, shown)
            self._validate(with_secrets(output, original, names), text)
            return output

        keep = lambda text: self._work.keep(self._line, JottingKind.DRAFT, text)  # noqa: E731
        edited = await self._ask(EditOutput(self._line.title, shown, check, keep, text, problem))
        return None if edited is None else (with_secrets(edited[0], original, names),)

    def _validate(self, output: Any, text: str) -> None:
        """Raise `EditRefused` for what the stage's declared output type does not allow, with the line it is on."""
        try:
            self._desk.validate(self._line.workflow, self._line.key.stage, self._line.key.subtask, output)
        except InvalidDecision as refused:
            words = str(refused)
            line = line_of_field(text, words.rpartition("`$")[2].partition("`")[0]) if "`$" in words else 0
            raise EditRefused((f"line {line}: " if line else "") + words, line) from refused


def _words_of(kind: str) -> str:
    """ "ReviewRequired" as "review required"."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in kind).strip()
