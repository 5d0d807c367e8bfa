"""`export`: what people decided, one line each, with what it was decided on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from treadle_tui.cli.completing import complete_workflows
from treadle_tui.cli.invocation import Invocation, pass_invocation, shared_options

if TYPE_CHECKING:
    from treadle_tui.cli.reading import DecisionReport

FIELDS = (
    "at", "workflow", "item_id", "stage", "subtask", "attempt", "verdict", "reviewer", "seconds", "reason", "note", "values", "edit",
    "output", "inputs", "is_undone",
)  # fmt: skip
"""The columns, in this order."""


@click.group()
def export() -> None:
    """Write what is in the database, for other programs."""


@export.command()
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", help="One JSON object per line, or a table.")
@click.option("--workflow", help="Only decisions about items of this workflow.", shell_complete=complete_workflows)
@shared_options()
@pass_invocation
def decisions(invocation: Invocation, form: str, workflow: str | None) -> None:
    """Write every decision, oldest first, those that were taken back included.

    Each has the verdict, who decided, after how many seconds and on which attempt, the reason or feedback, the note, the answers, the
    edit as a difference, the output it was about, and what the stage was given as it stands now. Secret fields are hidden.
    """
    from treadle_tui.cli import reading

    rows = (row_of(report) for report in reading.decision_log(invocation.database, workflow))
    if form == "jsonl":
        from treadle_tui.cli.output import say_json_line

        for row in rows:
            say_json_line(row)
        return
    import csv
    import json

    writer = csv.writer(sys.stdout)
    writer.writerow(FIELDS)
    for row in rows:
        writer.writerow([formula_safe(row[name] if isinstance(row[name], str | None) else json.dumps(row[name])) for name in FIELDS])


def row_of(report: DecisionReport) -> dict[str, Any]:
    """One decision as plain JSON values."""
    from treadle_tui.board.diff_lines import unified_text
    from treadle_tui.cli.shapes import plain
    from treadle_tui.engine.feedback import Feedback
    from treadle_tui.engine.review import ApproveWithEdits, PickAttempt, RequestChanges

    record, decision = report.record, report.record.decision
    reason: Any = getattr(decision, "reason", None)
    if isinstance(decision, RequestChanges):
        reason = decision.feedback.summary if isinstance(decision.feedback, Feedback) else decision.feedback
    values: dict[str, Any] = {
        "at": plain(record.at),
        "workflow": record.workflow,
        "item_id": record.item_id,
        "stage": record.stage,
        "subtask": record.subtask,
        "attempt": decision.number if isinstance(decision, PickAttempt) else record.attempt,
        "verdict": decision.verb,
        "reviewer": decision.by,
        "seconds": decision.seconds,
        "reason": reason,
        "note": decision.note,
        "values": plain(decision.values),
        "edit": unified_text(report.output, decision.output) if isinstance(decision, ApproveWithEdits) else None,
        "output": report.output,
        "inputs": report.inputs,
        "is_undone": record.is_undone,
    }
    return {name: values[name] for name in FIELDS}


def formula_safe(text: str | None) -> str:
    """A cell no spreadsheet takes for a formula."""
    if text is None:
        return ""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
