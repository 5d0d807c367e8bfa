"""The verb `events`: what happened, from the durable log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from treadle_tui.cli.completing import complete_items
from treadle_tui.cli.invocation import Invocation, json_option, pass_invocation, shared_options

if TYPE_CHECKING:
    from treadle_tui.engine.events import Event

_DETAILS = ("error", "reason", "message", "by", "when")
"""Fields of events that say why or who, in the order in which the first of them is shown."""


@click.command()
@click.option("--since", type=click.IntRange(min=0), default=0, help="Only events after this number.")
@click.option("--item", help="Only events of this item.", shell_complete=complete_items)
@shared_options()
@json_option
@pass_invocation
def events(invocation: Invocation, since: int, item: str | None, as_json: bool) -> None:
    """Print what happened, oldest first. With --json one object per line."""
    from treadle_tui.cli import reading, shapes
    from treadle_tui.cli.output import say, say_json_line
    from treadle_tui.engine.events import Lagged

    for event in reading.stored_events(invocation.database, since, item):
        if isinstance(event, Lagged):
            if as_json:
                say_json_line({"kind": "Lagged", "missed": event.missed})
            else:
                say(f"… {event.missed} older events are no longer kept")
        elif as_json:
            say_json_line(shapes.event(event))
        else:
            say(event_line(event))


def event_line(event: Event) -> str:
    """One event as one line: number, time, item, stage, what happened and why."""
    at = event.at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if event.at else ""
    stage = getattr(event, "stage", "")
    subtask = getattr(event, "subtask", None)
    where = " · ".join(part for part in (getattr(event, "item_id", "") or event.workflow, stage, subtask) if part)
    detail = _detail(event)
    return f"{event.seq:>6}  {at}  {where}: {_words(type(event).__name__)}{f': {detail}' if detail else ''}"


def _words(kind: str) -> str:
    """ "SubTaskCompleted" as "sub task completed"."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in kind).strip()


def _detail(event: Event) -> str:
    from treadle_tui.cli.items import decision_words

    decision = getattr(event, "decision", None)
    if decision is not None:
        return decision_words(decision)
    for holder in (getattr(event, "data", None), getattr(event, "feedback", None)):
        if holder is not None:
            return str(holder.summary)
    subtasks = getattr(event, "subtasks", ())
    if subtasks:
        return ", ".join(subtasks)
    return next((str(getattr(event, name)) for name in _DETAILS if getattr(event, name, None)), "")
