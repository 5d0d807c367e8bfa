"""`review`: one review after the other in plain lines, for screen readers, and wherever a full screen is none."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from treadle_tui.cli.completing import complete_workflows
from treadle_tui.cli.invocation import Invocation, pass_invocation, shared_options

if TYPE_CHECKING:
    from treadle_tui.engine import SqliteStateStore
    from treadle_tui.engine.engine import Engine
    from treadle_tui.engine.review import ReviewDecision
    from treadle_tui.engine.status import PendingReview

_WIDTH = 78
_ANSWERS = "a approve, x reject, g request changes, f answers, s later, u take the last one back, ? again, q quit: "


@click.command()
@click.option("--plain", is_flag=True, help="One at a time in plain lines; also when ACCESSIBLE is set, or without a terminal.")
@click.option("--workflow", help="Only reviews of this workflow.", shell_complete=complete_workflows)
@shared_options()
@pass_invocation
def review(invocation: Invocation, plain: bool, workflow: str | None) -> int:
    """Review what waits, longest first. In plain lines each review is read out, and one letter and enter decide it at once."""
    if not (plain or os.environ.get("ACCESSIBLE") or not sys.stdout.isatty()):
        from treadle_tui.cli.main import open_screen

        return open_screen(invocation)
    from treadle_tui.cli.database import require_existing
    from treadle_tui.cli.working import with_engine

    require_existing(invocation.database)

    async def act(engine: Engine, store: SqliteStateStore) -> int:
        return await _Round(engine, store, invocation.reviewer, workflow).go()

    return with_engine(invocation.database, [], act)


class _Round:
    """What waits now, once round; what comes meanwhile is told at the end."""

    def __init__(self, engine: Engine, store: SqliteStateStore, reviewer: str, workflow: str | None) -> None:
        self._engine = engine
        self._store = store
        self._reviewer = reviewer
        self._workflow = workflow
        self._done = 0
        self._last: PendingReview | None = None
        self._values: dict[str, Any] | None = None

    async def go(self) -> int:
        from treadle_tui.cli.output import say

        waiting = await self._store.pending_reviews(self._workflow)
        if not waiting:
            say("no reviews are waiting")
            return 0
        for number, each in enumerate(waiting, 1):
            if not await self._one(each, f"{number} of {len(waiting)}"):
                break
        left = len(await self._store.pending_reviews(self._workflow))
        say(f"{self._done} decided, {left} waiting")
        return 0

    async def _one(self, review: PendingReview, place: str) -> bool:
        """Ask until it is decided or put off; False to end."""
        from treadle_tui.cli.output import say
        from treadle_tui.engine.errors import TreadleError

        self._values = None
        if not await self._read_out(review, place):
            return True
        while True:
            letter = (await _ask(_ANSWERS)).lower()[:1]
            try:
                if letter in ("q", "\x04"):
                    return False
                if letter == "s":
                    return True
                if letter == "?":
                    await self._read_out(review, place)
                elif letter == "u":
                    await self._take_back()
                elif letter == "f":
                    await self._fill_in(review)
                elif letter in ("a", "x", "g"):
                    decision = await self._decision(letter)
                    if decision is not None:
                        await self._decide(review, decision)
                        return True
                else:
                    say("a letter and enter, please")
            except TreadleError as error:
                say(str(error))
                if not await self._still_waits(review):
                    return True

    async def _read_out(self, review: PendingReview, place: str) -> bool:
        """Print the review as it stands; False when it waits no longer."""
        from treadle_tui.board.data_outline import data_nodes
        from treadle_tui.board.outline import Outline
        from treadle_tui.cli.masking import masked
        from treadle_tui.cli.output import say, say_paragraphs

        status = await self._store.get_status(review.item_id, review.stage)
        if status is None or not await self._still_waits(review):
            say(f"{review.item_id}: {_stage(review)} waits no longer")
            return False
        names = await self._store.secret_names(review.workflow)
        found = masked(status, names)
        shown = next((each for each in found.subtasks if each.name == review.subtask), found)
        say()
        say(f"{place}: {review.item_id}, {_stage(review)}" + (f", attempt {review.attempt}" if review.attempt > 1 else ""))
        if review.why:
            say(f"asked because: {review.why}")
        if shown.review is not None:
            say_paragraphs(shown.review.summary)
        for heading, value in (("details", shown.review.details if shown.review else None), ("output", shown.output)):
            if value is not None:
                say(f"{heading}:")
                for line in Outline(data_nodes(value, (heading,)), stands_still=True).lines(_WIDTH):
                    say("  " + "".join(span.text for span in line.spans).rstrip())
        return True

    async def _still_waits(self, review: PendingReview) -> bool:
        waiting = await self._store.pending_reviews(review.workflow)
        return any(
            (each.item_id, each.stage, each.subtask, each.version) == (review.item_id, review.stage, review.subtask, review.version)
            for each in waiting
        )

    async def _decision(self, letter: str) -> ReviewDecision | None:
        from treadle_tui.cli.output import say
        from treadle_tui.engine.review import Approve, Reject, RequestChanges

        if letter == "a":
            return Approve(by=self._reviewer, values=self._values)
        if letter == "x":
            return Reject(await _ask("reason, or nothing: "), by=self._reviewer, values=self._values)
        words = await _ask("what should be different: ")
        if not words:
            say("say what should be different; nothing was decided")
            return None
        return RequestChanges(words, by=self._reviewer)

    async def _fill_in(self, review: PendingReview) -> None:
        from treadle_tui.board.review_answers import AnswerRefused, answers, default_text, hint_of, label_of
        from treadle_tui.cli.output import say

        fields = review.review.fields if review.review is not None and review.review.fields else []
        if not fields:
            say("this review asks for nothing besides the decision")
            return
        texts = {}
        for field in fields:
            said = await _ask(f"{label_of(field)} ({hint_of(field) or 'text'}): ")
            texts[field.name] = said or default_text(field)
        try:
            self._values = answers(fields, texts)
        except AnswerRefused as refused:
            say(str(refused))

    async def _decide(self, review: PendingReview, decision: ReviewDecision) -> None:
        from treadle_tui.board.history_outline import decision_words
        from treadle_tui.cli.output import say

        await self._engine.resolve_review(review.item_id, review.stage, decision, version=review.version, subtask=review.subtask)
        self._done += 1
        self._last = review
        say(f"{decision_words(decision)}: {review.item_id}, {_stage(review)}")

    async def _take_back(self) -> None:
        from treadle_tui.cli.output import say

        if self._last is None:
            say("there is nothing to take back")
            return
        last, self._last = self._last, None
        await self._engine.reopen_review(last.item_id, last.stage, by=self._reviewer, subtask=last.subtask)
        self._done -= 1
        say(f"taken back: {last.item_id}, {_stage(last)}; it waits again, at the end")


async def _ask(prompt: str) -> str:
    """A line that was typed; "q" at the end of the input."""
    sys.stdout.write(prompt)
    sys.stdout.flush()
    import asyncio

    line: str = await asyncio.to_thread(sys.stdin.readline)
    if not line:
        sys.stdout.write("\n")
        return "q" if prompt == _ANSWERS else ""
    return line.strip()


def _stage(review: PendingReview) -> str:
    return f"{review.stage} / {review.subtask}" if review.subtask else review.stage
