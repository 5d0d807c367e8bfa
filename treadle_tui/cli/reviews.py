"""Verbs on reviews: what waits for a person, and the two answers that need no editor."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from treadle_tui.cli.completing import complete_items, complete_stages, complete_workflows
from treadle_tui.cli.failures import BadInput, OperationFailed
from treadle_tui.cli.invocation import Invocation, json_option, pass_invocation, shared_options

if TYPE_CHECKING:
    from pathlib import Path

    from treadle_tui.engine import SqliteStateStore
    from treadle_tui.engine.engine import Engine
    from treadle_tui.engine.review import ReviewDecision
    from treadle_tui.engine.status import PendingReview
    from treadle_tui.engine.workflow import Workflow

F = TypeVar("F", bound=Callable[..., Any])


@click.command()
@click.option("--workflow", help="Only reviews of this workflow.", shell_complete=complete_workflows)
@click.option("--stage", help="Only reviews of this stage.", shell_complete=complete_stages)
@click.option("--limit", type=click.IntRange(min=1), help="At most so many.")
@shared_options()
@json_option
@pass_invocation
def reviews(invocation: Invocation, workflow: str | None, stage: str | None, limit: int | None, as_json: bool) -> None:
    """List what waits for a person, longest first."""
    from datetime import UTC, datetime

    from treadle_tui.board.time_text import age
    from treadle_tui.cli import reading, shapes
    from treadle_tui.cli.output import say, say_json, say_table

    everything = [each for each in reading.waiting_reviews(invocation.database, workflow) if stage in (None, each.stage)]
    waiting = everything[:limit]
    if as_json:
        say_json({"reviews": shapes.plain(waiting), "total": len(everything)})
    elif not waiting:
        say("no reviews are waiting")
    else:
        now = datetime.now(UTC)
        rows = [
            (age(each.waiting_since, now), each.item_id, _stage_of(each), each.review.summary if each.review else "") for each in waiting
        ]
        say_table(("AGE", "ITEM", "STAGE", "SUMMARY"), rows)
        if len(waiting) < len(everything):
            say(f"… {len(everything) - len(waiting):,} more")


def _meaning_a_review(verb: F) -> F:
    """What names a review on the command line: ITEM, STAGE, --subtask."""
    verb = click.option("--subtask", help="The subtask that waits, when it is one of a fan-out.")(verb)
    verb = click.argument("stage", required=False, shell_complete=complete_stages)(verb)
    return click.argument("item", shell_complete=complete_items)(verb)


def _deciding(answer: Callable[..., ReviewDecision]) -> Callable[..., None]:
    """Record the decision that a verb makes of its own options; what all such verbs take is added here, and in `_meaning_a_review`."""

    @click.option("--note", help="A remark to keep with the decision.")
    @click.option("--if-version", type=int, metavar="N", help="Only if the review is still the version that `reviews --json` showed.")
    @shared_options()
    @json_option
    @pass_invocation
    @functools.wraps(answer)
    def decide(
        invocation: Invocation,
        /,
        item: str,
        stage: str | None,
        subtask: str | None,
        note: str | None,
        if_version: int | None,
        as_json: bool,
        **options: Any,
    ) -> None:
        decision = answer(by=invocation.reviewer, note=note, **options)
        _decide(invocation, item, stage, subtask, decision, if_version, as_json)

    return decide


@click.command()
@_meaning_a_review
@click.option("--edits", metavar="FILE", type=click.File("rb"), help="Approve this JSON in place of the output; - is standard input.")
@click.option("--value", "values", multiple=True, metavar="NAME=VALUE", help="An answer to a question of the review; may be repeated.")
@_deciding
def approve(edits: IO[bytes] | None, values: tuple[str, ...], by: str, note: str | None) -> ReviewDecision:
    """Approve what ITEM waits for. STAGE may be left out when only one of its stages waits."""
    from treadle_tui.engine.review import Approve, ApproveWithEdits

    answers = _answers(values)
    if edits is None:
        return Approve(by=by, note=note, values=answers)
    return ApproveWithEdits(_edited(edits), by=by, note=note, values=answers)


def _edited(file: IO[bytes]) -> Any:
    import json

    try:
        return json.loads(file.read())
    except (ValueError, RecursionError) as error:
        raise BadInput(f"--edits {file.name}: no JSON: {error}") from error


def _answers(values: Sequence[str]) -> dict[str, Any] | None:
    """Answers by question: JSON where it is some (a number, true), else the text as it stands."""
    import json

    answers: dict[str, Any] = {}
    for value in values:
        name, sign, text = value.partition("=")
        if not sign or not name:
            raise BadInput(f"--value {value!r} must be NAME=VALUE")
        try:
            answers[name] = json.loads(text)
        except ValueError:
            answers[name] = text
    return answers or None


@click.command()
@click.option("--reason", required=True, help="Why; it becomes the error of the stage.")
@_meaning_a_review
@_deciding
def reject(reason: str, by: str, note: str | None) -> ReviewDecision:
    """Reject what ITEM waits for: the stage fails with the reason as its error."""
    from treadle_tui.engine.review import Reject

    return Reject(reason, by=by, note=note)


@click.command(name="request-changes")
@click.option("--feedback", required=True, help="What is to be different; the next attempt finds it.")
@_meaning_a_review
@_deciding
def request_changes(feedback: str, by: str, note: str | None) -> ReviewDecision:
    """Have what ITEM waits for done again: the stage runs once more, beyond its budget, and finds the feedback."""
    from treadle_tui.engine.review import RequestChanges

    if not feedback.strip():
        raise BadInput("--feedback is empty; say what is to be different")
    return RequestChanges(feedback, by=by, note=note)


_DONE = {"approve": "approved", "approve_with_edits": "approved with edits", "reject": "rejected", "request_changes": "sent back"}


def _decide(
    invocation: Invocation,
    item: str,
    stage: str | None,
    subtask: str | None,
    decision: ReviewDecision,
    if_version: int | None,
    as_json: bool,
) -> None:
    from treadle_tui.cli.output import say, say_json
    from treadle_tui.cli.working import with_engine

    db = invocation.database
    review = _the_review(db, item, stage, subtask)
    if if_version is not None and review.version != if_version:
        raise OperationFailed(
            f"the review of {item} at {_stage_of(review)} is now version {review.version}, not {if_version}; look at it again"
        )

    async def act(engine: Engine, store: SqliteStateStore) -> None:
        await engine.resolve_review(item, review.stage, decision, version=review.version, subtask=review.subtask)

    with_engine(db, _needed_workflows(invocation, review, decision), act)
    if as_json:
        say_json({"item_id": item, "stage": review.stage, "subtask": review.subtask, "decision": decision.verb, "by": decision.by})
    else:
        say(f"{item}: {_stage_of(review)} {_DONE[decision.verb]} by {decision.by}")


def _needed_workflows(invocation: Invocation, review: PendingReview, decision: ReviewDecision) -> list[Workflow]:
    """The review's workflow when an edited output is to be checked against its types, and its file is there; else none is loaded."""
    if decision.verb != "approve_with_edits":
        return []
    return [workflow for workflow in invocation.loaded_workflows().workflows if workflow.name == review.workflow]


def _the_review(db: Path, item: str, stage: str | None, subtask: str | None) -> PendingReview:
    """The one review that is meant.

    Raises:
        ItemNotFound: no such item.
        BadInput: several wait, or no stage has that name.
        OperationFailed: nothing waits there.
    """
    from treadle_tui.cli import reading

    waiting = [each for each in reading.waiting_reviews(db) if each.item_id == item]
    meant = [each for each in waiting if stage in (None, each.stage) and subtask in (None, each.subtask)]
    if len(meant) > 1:
        exact = [each for each in meant if stage == each.stage and subtask == each.subtask]
        if len(exact) != 1:
            raise BadInput(f"{item} waits in several places: {_places(meant)}; say which: STAGE, and --subtask for a subtask")
        meant = exact
    if not meant:
        raise _nothing_waits(db, item, stage, subtask, waiting)
    return meant[0]


def _nothing_waits(db: Path, item: str, stage: str | None, subtask: str | None, waiting: Sequence[PendingReview]) -> Exception:
    from treadle_tui.cli import reading
    from treadle_tui.engine.errors import StageNotFound

    statuses = reading.item_report(db, item).statuses
    if stage is not None and stage not in statuses:
        return StageNotFound(stage, statuses, where=f"item {item!r}")
    elsewhere = f"; what waits: {_places(waiting)}" if waiting else ""
    if stage is None:
        return OperationFailed(f"nothing of {item} waits for a review{elsewhere}")
    part = f"{stage} / {subtask}" if subtask else stage
    standing = statuses[stage]
    decided = f", decided by {standing.decision.by or 'somebody'}" if standing.decision and not subtask else ""
    return OperationFailed(f"{part} of {item} waits for no review: the stage is {standing.state.word}{decided}{elsewhere}")


def _places(waiting: Sequence[PendingReview]) -> str:
    return ", ".join(_stage_of(each) for each in waiting)


def _stage_of(review: PendingReview) -> str:
    return f"{review.stage} / {review.subtask}" if review.subtask else review.stage
