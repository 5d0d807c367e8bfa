"""Verbs on work items: add, list, show."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from treadle_tui.cli.choosing import filter_option
from treadle_tui.cli.completing import complete_items, complete_sources, complete_workflows
from treadle_tui.cli.failures import BadInput
from treadle_tui.cli.invocation import Invocation, json_option, pass_invocation, shared_options

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from treadle_tui.cli.reading import ItemReport
    from treadle_tui.engine import SqliteStateStore
    from treadle_tui.engine.attempt_record import AttemptRecord
    from treadle_tui.engine.engine import Engine
    from treadle_tui.engine.review import ReviewData, ReviewDecision
    from treadle_tui.engine.states import StageStatus, SubTaskStatus
    from treadle_tui.engine.status import Cell, ItemRow
    from treadle_tui.engine.workflow import Workflow

TELLING = ("failed", "awaiting_review", "retry_wait", "running", "cancelled")
"""States worth a word, in the order in which a person wants to know them."""
STATES = ("pending", "running", "retry_wait", "awaiting_review", "completed", "skipped", "failed", "cancelled")
_PAGE = 200
"""So many items are listed when nobody says how many."""


@click.command()
@click.argument("workflow", shell_complete=complete_sources)
@click.argument("arguments", nargs=-1, metavar="[ARGUMENT]...")
@click.option("--priority", type=int, default=0, show_default=True, help="Items with a higher number start first.")
@shared_options()
@json_option
@pass_invocation
def add(invocation: Invocation, workflow: str, arguments: tuple[str, ...], priority: int, as_json: bool) -> None:
    """Add work items: what the source of WORKFLOW yields for these ARGUMENTs; ids, when it has no source.

    With - as the only argument they are read from standard input: a JSON object, or an id, on each line. `add - < items.jsonl` is for the
    workflow of the database, when it has one.

    Items that are known already are kept as they are. Nothing runs yet: the full screen does that, or `run`.
    """
    from treadle_tui.cli.database import allow_writing, kind_of
    from treadle_tui.cli.source_items import read_items, source_items

    db = invocation.database
    kind_of(db)  # refuses what can be no database, before a source has worked for nothing
    chosen = invocation.loaded_workflows(asks=True).by_name(_only_workflow(db) if workflow == "-" else workflow)
    is_piped = workflow == "-" or arguments == ("-",)
    items = read_items(chosen, sys.stdin.buffer) if is_piped else source_items(chosen, arguments)
    if items:
        allow_writing(db)
    new, elsewhere = _submit(db, chosen, items, priority) if items else (0, [])
    _say_added(chosen.name, len(items), new, elsewhere, is_piped, as_json)


def _only_workflow(db: Path) -> str:
    from treadle_tui.cli import reading

    known = list(reading.graphs(db))
    if len(known) != 1:
        raise BadInput(f"the database has {len(known)} workflows ({', '.join(known)}); say for which: add WORKFLOW -")
    return known[0]


def _say_added(workflow: str, count: int, new: int, elsewhere: list[str], is_piped: bool, as_json: bool) -> None:
    from treadle_tui.cli.output import say, say_json

    known = count - new - len(elsewhere)
    if as_json:
        say_json({"workflow": workflow, "items": count, "new": new, "known": known, "elsewhere": elsewhere})
        return
    if not count:
        say(f"{workflow}: {'standard input held' if is_piped else 'the source found'} no items")
        return
    say(f"{workflow}: {new} new, {known} already known")
    if elsewhere:
        shown = ", ".join(elsewhere[:5]) + (", …" if len(elsewhere) > 5 else "")
        say(f"not added, because another workflow of this database has items of that id: {len(elsewhere)} ({shown})")


def _submit(db: Path, workflow: Workflow, items: list[Any], priority: int) -> tuple[int, list[str]]:
    """Store the items: how many were new, and the ids that belong to another workflow."""
    from treadle_tui.cli.working import with_engine

    async def submit(engine: Engine, store: SqliteStateStore) -> tuple[int, list[str]]:
        return await engine.submit(workflow, items, priority=priority), list(engine.swallowed)

    return with_engine(db, [workflow], submit)


@click.command(name="list")
@click.option("--workflow", help="Only items of this workflow.", shell_complete=complete_workflows)
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only items with a stage in this state; may be repeated.")
@filter_option
@click.option("--limit", type=click.IntRange(min=1), help=f"At most so many; otherwise {_PAGE}, or with --ids all.")
@click.option("--offset", type=click.IntRange(min=0), default=0, help="Leave out so many first.")
@click.option("--ids", is_flag=True, help="Only the ids, one on each line, for other programs.")
@shared_options()
@json_option
@pass_invocation
def list_items(
    invocation: Invocation,
    workflow: str | None,
    states: tuple[str, ...],
    filter_text: str | None,
    limit: int | None,
    offset: int,
    ids: bool,
    as_json: bool,
) -> None:
    """List work items and where their stages stand, oldest first."""
    from treadle_tui.cli import reading, shapes
    from treadle_tui.cli.output import say, say_json, say_table
    from treadle_tui.engine.states import StageState

    wanted = [StageState(state) for state in states]
    limit = limit if limit is not None or ids else _PAGE
    page = reading.item_page(invocation.database, workflow=workflow, states=wanted, filter_text=filter_text, limit=limit, offset=offset)
    if as_json:
        say_json({"items": [shapes.item_row(row) for row in page.rows], "total": page.total, "offset": offset})
        return
    if ids:
        for row in page.rows:
            say(row.item_id)
        return
    if not page.rows:
        say("no items" + (" like that" if filter_text else " in these states" if states else ""))
        return
    rows = [(row.item_id, row.workflow, _marks(row, page.stage_names), _standing(row)) for row in page.rows]
    say_table(("ITEM", "WORKFLOW", "STAGES", "NOW"), rows)
    left = page.total - offset - len(page.rows)
    if left > 0:
        say(f"… {left} more: --offset {offset + len(page.rows)}")


@click.command()
@click.argument("item", shell_complete=complete_items)
@click.option("--outputs", is_flag=True, help="Show also what stages and subtasks have returned.")
@shared_options()
@json_option
@pass_invocation
def show(invocation: Invocation, item: str, outputs: bool, as_json: bool) -> None:
    """Show one ITEM: its data, where its stages and subtasks stand, what was tried, asked and decided. --json has all there is."""
    from treadle_tui.cli import reading, shapes
    from treadle_tui.cli.output import say_json

    report = reading.item_report(invocation.database, item)
    if as_json:
        stages = [{"name": name, **shapes.plain(status)} for name, status in report.statuses.items()]
        say_json({**shapes.plain(report.item), "stages": stages, "attempts": shapes.plain(report.attempts)})
    else:
        _say_report(report, outputs)


def _marks(row: ItemRow, stage_names: Mapping[str, list[str]]) -> str:
    """One sign per stage in topological order; letters where the encoding has no glyphs."""
    from treadle_tui.cli.output import can_print

    cells = [row.cells[name] for name in stage_names.get(row.workflow, row.cells) if name in row.cells]
    glyphs = "".join(cell.state.glyph for cell in cells)
    return glyphs if can_print(glyphs) else "".join(cell.state.letter for cell in cells)


def _standing(row: ItemRow) -> str:
    """What a person wants to know first: what failed, what waits for them, what runs."""
    found: dict[str, list[str]] = {}
    for name, cell in row.cells.items():
        for state in _states_of(cell):
            found.setdefault(state, []).append(name)
    named = [(state, name) for state in TELLING for name in found.get(state, ())]
    if row.state.value != "active":
        return ", ".join([row.state.value, *(f"{name} {state.replace('_', ' ')}" for state, name in named)])
    return ", ".join(f"{name} {state.replace('_', ' ')}" for state, name in named) or "ready"


def _states_of(cell: Cell) -> set[str]:
    """The stage's own state, and what its subtasks wait for or failed with."""
    if not cell.subtasks_by_state:
        return {cell.state.value}
    return {cell.state.value, *(state.value for state in cell.subtasks_by_state if state.value in ("awaiting_review", "failed"))}


def _say_report(report: ItemReport, with_outputs: bool) -> None:
    from treadle_tui.cli.output import say, say_paragraphs
    from treadle_tui.cli.shapes import moment

    item = report.item
    say(f"{item.id}  ({item.workflow}, {item.state.value}, added {moment(item.created_at)})")
    say_paragraphs(_json_text(item.data), "    ")
    width = max((len(name) for name in report.statuses), default=0)
    for name, status in report.statuses.items():
        say(f"{_sign(status)} {name:<{width}}  {_status_words(status)}")
        if with_outputs:
            _say_output(status)
        _say_review(status.review, status.decision)
        for subtask in status.subtasks:
            say(f"    {_sign(subtask)} {subtask.name}  {_status_words(subtask)}")
            if with_outputs:
                _say_output(subtask, "        ")
            _say_review(subtask.review, subtask.decision, "        ")
        _say_earlier(report.attempts.get(name, []))


def _say_output(status: StageStatus | SubTaskStatus, indent: str = "    ") -> None:
    from treadle_tui.cli.output import say_paragraphs

    if status.output is not None:
        say_paragraphs(_json_text(status.output), indent)


def _say_review(review: ReviewData | None, decision: ReviewDecision | None, indent: str = "    ") -> None:
    from treadle_tui.cli.output import say, say_paragraphs

    if review is not None:
        say_paragraphs(review.summary, f"{indent}? ")
        if review.details is not None and decision is None:
            say_paragraphs(_json_text(review.details), f"{indent}  ")
    if decision is not None:
        say(f"{indent}= {decision_words(decision)}")


def _say_earlier(attempts: list[AttemptRecord]) -> None:
    """The attempts that did not settle it, and what was said about each."""
    from treadle_tui.cli.output import say

    for attempt in attempts[:-1]:
        said = attempt.feedback.summary if attempt.feedback else attempt.error or attempt.summary or ""
        say(f"    attempt {attempt.number}: {attempt.outcome or 'running'}{f': {said}' if said else ''}")


def decision_words(decision: ReviewDecision) -> str:
    """Who decided what, when and why, on one line."""
    from treadle_tui.cli.shapes import moment

    by = decision.by or "somebody"
    when = f" on {moment(decision.at)}" if decision.at else ""
    reason = getattr(decision, "reason", None) or getattr(decision, "feedback", None)
    reason = getattr(reason, "summary", reason)
    note = f" (note: {decision.note})" if decision.note else ""
    return f"{decision.verb.replace('_', ' ')} by {by}{when}{f': {reason}' if reason else ''}{note}"


def _sign(status: StageStatus | SubTaskStatus) -> str:
    from treadle_tui.cli.output import can_print

    return status.state.glyph if can_print(status.state.glyph) else status.state.letter


def _status_words(status: StageStatus | SubTaskStatus) -> str:
    words = status.state.word
    if status.attempt > 1:
        words += f", attempt {status.attempt}"
    detail = status.error or getattr(status, "summary", None)
    return f"{words}: {detail}" if detail else words


def _json_text(value: Any) -> str:
    """A value of an item as text, readable in any script; strings as they are."""
    import json

    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str)
