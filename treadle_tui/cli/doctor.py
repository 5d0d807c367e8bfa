"""The verb `doctor`: whether a database is healthy, and what can be put right."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from treadle_tui.cli.invocation import Invocation, json_option, shared_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle_tui.engine.store.sqlite.finding import Examination, Repair

ROUNDS = 3
"""What one repair frees another may have to pick up; more rounds than this would mean that they work against each other."""


@click.command(short_help="Examine the database, and repair what can be repaired.")
@click.option("--quick", is_flag=True, help="Leave out what reads every page and every event.")
@click.option("--repair", "wants_repair", is_flag=True, help="Put right what can be put right safely, after a copy and a question.")
@click.option("--yes", is_flag=True, help="Repair without asking.")
@shared_options()
@json_option
@click.pass_context
def doctor(context: click.Context, /, quick: bool, wants_repair: bool, yes: bool, as_json: bool) -> None:
    """Examine the database: the file, its rows, its engines, and whether the events tell what the tables say.

    Exit code 0 when it is healthy, 1 when it is not. Nothing is changed without --repair. A repair first copies the database beside it.
    """
    from treadle_tui.cli.database import require_existing
    from treadle_tui.engine.store.sqlite.examining import examine

    invocation = context.ensure_object(Invocation)
    db = invocation.database
    require_existing(db)
    found = examine(db, is_quick=quick)
    repaired: list[Repair] = []
    copy: Path | None = None
    if wants_repair and found.repairs:
        if not as_json:
            _say(db, found)
        copy, repaired = _repair(db, found, yes)
        found = examine(db, is_quick=quick)
    if as_json:
        _say_json(db, found, repaired, copy)
    else:
        if copy is not None:
            _say_repaired(repaired, copy)
        _say(db, found)
    context.exit(1 if found.problems else 0)


def _repair(db: Path, found: Examination, yes: bool) -> tuple[Path, list[Repair]]:
    from treadle_tui.cli.failures import OperationFailed
    from treadle_tui.engine.store.sqlite.backing_up import back_up
    from treadle_tui.engine.store.sqlite.examining import examine
    from treadle_tui.engine.store.sqlite.repairs import repair

    copy = _copy_name(db)
    if not yes and not _is_agreed(found.repairs, copy):
        raise OperationFailed(f"{db} was left as it was")
    back_up(db, copy)
    done: list[Repair] = []
    for _ in range(ROUNDS):
        if not found.repairs:
            break
        repair(db, found.repairs)
        done += [each for each in found.repairs if each not in done]
        found = examine(db, is_quick=True)
    return copy, done


def _copy_name(db: Path) -> Path:
    from datetime import datetime

    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    return db.with_name(f"{db.name}.before-repair-{stamp}")


def _is_agreed(repairs: Sequence[Repair], copy: Path) -> bool:
    from treadle_tui.cli.failures import BadInput

    if not (sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty()):
        raise BadInput("a repair changes the database, so it asks; in a script say --yes")
    what = ", ".join(each.value for each in repairs)
    return click.confirm(f"Copy the database to {copy.name}, and then: {what}?", err=True, default=False)


def _say(db: Path, found: Examination) -> None:
    from treadle_tui.cli.backup import size_words
    from treadle_tui.cli.output import say, say_facts

    facts = found.facts
    if facts:
        room = f", {size_words(int(facts['free_bytes'] or 0))} of it free" if facts["free_bytes"] else ""
        say_facts(
            [
                ("database", str(db)),
                ("size", f"{size_words(int(facts['bytes'] or 0))}{room}; its log {size_words(int(facts['log_bytes'] or 0))}"),
                ("holds", f"{facts['items']:,} items, {facts['events']:,} events; format {facts['version']}"),
            ]
        )
    for finding in found.findings:
        if not finding.is_problem:
            say(f"· {finding.sentence}")
    for finding in found.problems:
        remedy = f" — repair: {finding.repair.value}" if finding.repair else ""
        say(f"✗ {finding.sentence}{remedy}")
    if not found.problems:
        say("✓ healthy")
    elif found.repairs:
        say(f"put right what can be with: treadle-tui --db {db} doctor --repair")


def _say_repaired(repaired: Sequence[Repair], copy: Path) -> None:
    from treadle_tui.cli.output import say

    say(f"repaired: {', '.join(each.value for each in repaired)}; as it was before: {copy}")


def _say_json(db: Path, found: Examination, repaired: Sequence[Repair], copy: Path | None) -> None:
    from treadle_tui.cli.output import say_json

    say_json(
        {
            "database": str(db.absolute()),
            "healthy": not found.problems,
            "facts": found.facts,
            "findings": [
                {
                    "kind": finding.kind,
                    "problem": finding.is_problem,
                    "sentence": finding.sentence,
                    "repair": finding.repair.value if finding.repair else None,
                    "count": finding.count,
                }
                for finding in found.findings
            ],
            "repaired": [each.value for each in repaired],
            "backup": str(copy.absolute()) if copy else None,
        }
    )
