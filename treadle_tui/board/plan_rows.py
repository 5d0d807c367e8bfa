"""A changed workflow, and a workflow file that could not be loaded, as rows that say what it means and what can be done."""

from __future__ import annotations

from collections.abc import Mapping

from treadle_tui.board.deed_words import MOST_UNTYPED, Confirmation
from treadle_tui.board.outline import Span, Tone
from treadle_tui.board.safe_text import fit, safe_line, width_of, wrap
from treadle_tui.engine.migration import Change, MigrationPlan

_WORDS: Mapping[str, str] = {"added": "new", "removed": "gone", "renamed": "renamed", "rewired": "order", "changed": "settings"}


def plan_lines(plan: MigrationPlan, width: int) -> list[tuple[Span, ...]]:
    """A row per changed stage: what changed, what that means, in how many items; long ones broken."""
    if plan.is_empty:
        return [(Span("no stage has changed", Tone.MUTED),)]
    names = {change.stage: safe_line(change.stage) for change in plan.changes}
    name_cells = min(28, max(map(width_of, names.values())))
    lines: list[tuple[Span, ...]] = []
    for change in plan.changes:
        lead = f"{_mark(change)} {fit(names[change.stage], name_cells)}  {_WORDS[change.kind]:<9} "
        texts = wrap(safe_line(change.detail), max(20, width - width_of(lead)))
        tone = Tone.PLAIN if change.is_safe else Tone.FAILED
        lines.append((Span(lead, Tone.PLAIN if change.is_safe else Tone.AWAITING_REVIEW), Span(texts[0], tone)))
        lines += [(Span(" " * width_of(lead)), Span(text, tone)) for text in texts[1:]]
    return lines


def _mark(change: Change) -> str:
    return " " if change.is_safe else "!"


def plan_words(plan: MigrationPlan) -> str:
    """In one line: how many stages have changed, and how many items there are."""
    stages = len({change.stage for change in plan.changes})
    unsafe = sum(not change.is_safe for change in plan.changes)
    must = f", {unsafe} of them must be accepted" if unsafe else ""
    return f"has changed: {_count(stages, 'stage')}{must}; {_count(plan.items, 'item')} wait{'s' if plan.items == 1 else ''}"


def confirmation_of(plan: MigrationPlan) -> Confirmation:
    """What is asked before a plan is accepted."""
    return Confirmation(
        f"Move {_count(plan.items, 'item')} of {plan.workflow} into the workflow as it is now?",
        "What the plan says happens to all of them at once; this cannot be taken back.",
        typed_count=plan.items if plan.items > MOST_UNTYPED else None,
    )


def _count(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number:,} {what}s"
