"""What stages are like, and what reviewers do: as tables.

Pure. Stages are told from a sample, the newest runs of each; reviewers from the newest decisions of the log. Both are cheap at any
size, and the screen says how many there were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from treadle_tui.board.outline import Span, Tone
from treadle_tui.board.safe_text import fit, safe_line
from treadle_tui.engine.desk import DecisionRecord, reviewer_statistics
from treadle_tui.engine.review import Approve
from treadle_tui.engine.status import StageStatistics, duration_words

#: Cells of a stage's name, and of a reviewer's where there is room; and for reasons at least.
_NAME_LEAST, _NAME_MOST, _PERSON_MOST, _REASONS_LEAST = 9, 28, 18, 12
_DASH = "–"
#: Heads and widths of columns. The narrow ones fit into a terminal of 60 columns.
_WIDE = ("runs", "p50", "p95", "retried", "failed", "rejected", "decided in"), (7, 9, 9, 9, 8, 10, 12)
_NARROW = ("runs", "p50", "p95", "retr", "fail", "rej", "decided"), (6, 7, 7, 6, 6, 6, 8)
_PEOPLE = ("decisions", "approved", "rejected", "changes", "median"), (10, 10, 10, 9, 9)
_PEOPLE_NARROW = ("all", "appr", "rej", "chg", "median"), (5, 6, 6, 6, 8)


@dataclass(frozen=True, slots=True)
class StatisticsFacts:
    """Everything the tables are made from, read together."""

    workflow: str = ""
    stages: Mapping[str, StageStatistics] = field(default_factory=dict)
    """Topological order."""
    decisions: Sequence[DecisionRecord] = ()
    """Newest first."""
    most_runs: int = 0
    most_decisions: int = 0


def stage_head(width: int) -> str:
    """The names of the columns of the stages' table."""
    return _stage_row("stage", _columns(width)[0], width)


def stage_rows(facts: StatisticsFacts, width: int) -> list[tuple[str, tuple[Span, ...]]]:
    """A row per stage, with its name."""
    rows: list[tuple[str, tuple[Span, ...]]] = []
    for stage, found in facts.stages.items():
        cells = (
            f"{found.runs:,}" if found.runs else _DASH,
            seconds_words(found.p50_seconds),
            seconds_words(found.p95_seconds),
            share(found.retries, found.attempts),
            share(found.failures, found.runs),
            share(found.rejections, found.reviews),
            seconds_words(found.review_p50_seconds),
        )
        text = _stage_row(safe_line(stage), cells, width)
        name_cells = _name_cells(width)
        rows.append((stage, (Span(text[:name_cells], Tone.HEADING), Span(text[name_cells:], Tone.PLAIN if found.runs else Tone.MUTED))))
    return rows


def _columns(width: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Heads and widths of the columns behind the name: where there is little room, shorter words rather than fewer."""
    if width >= _NAME_LEAST + sum(_WIDE[1]):
        return _WIDE
    return _NARROW


def _name_cells(width: int) -> int:
    return max(_NAME_LEAST, min(_NAME_MOST, width - sum(_columns(width)[1])))


def _stage_row(name: str, cells: Sequence[str], width: int) -> str:
    columns = zip(cells, _columns(width)[1], strict=True)
    return fit(name, _name_cells(width)) + "".join(f"{cell:>{room}}" for cell, room in columns)


def reviewer_head(width: int) -> str:
    """The names of the columns of the reviewers' table."""
    heads, rooms = _people_columns(width)
    named = "".join(f"{head:>{room}}" for head, room in zip(heads, rooms, strict=True))
    return f"{'reviewer':<{_person_cells(width)}}{named}  reasons"


def reviewer_rows(facts: StatisticsFacts, width: int) -> list[tuple[str, tuple[Span, ...]]]:
    """A row per person, with the name; busiest first."""
    rows: list[tuple[str, tuple[Span, ...]]] = []
    for each in reviewer_statistics(facts.decisions):
        rejected, changes = each.verbs.get("reject", 0), each.verbs.get("request_changes", 0)
        cells = (
            f"{each.decisions:,}",
            share(each.decisions - rejected - changes, each.decisions),
            share(rejected, each.decisions),
            share(changes, each.decisions),
            seconds_words(each.median_seconds),
        )
        numbers = "".join(f"{cell:>{room}}" for cell, room in zip(cells, _people_columns(width)[1], strict=True))
        reasons = ", ".join(f"{safe_line(reason)} ×{count}" for reason, count in list(each.reasons.items())[:3])
        name = each.reviewer or "somebody"
        person = fit(safe_line(name), _person_cells(width))
        rows.append((name, (Span(person, Tone.HEADING), Span(numbers), Span(f"  {reasons}", Tone.MUTED))))
    return rows


def _people_columns(width: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    return _PEOPLE if width >= _REASONS_LEAST + _PERSON_MOST + sum(_PEOPLE[1]) else _PEOPLE_NARROW


def _person_cells(width: int) -> int:
    return _PERSON_MOST if width >= _REASONS_LEAST + _PERSON_MOST + sum(_people_columns(width)[1]) else _NAME_LEAST


def sampled_words(facts: StatisticsFacts) -> list[str]:
    """What looking at a share of the items has found, a line per stage: how many were not approved as they were."""
    found: dict[tuple[str, str], dict[tuple[str, str | None], bool]] = {}
    for record in facts.decisions:
        if record.why.startswith("sampled") and not record.is_undone:
            reviews = found.setdefault((record.stage, record.why.partition(", ")[2]), {})
            key = record.item_id, record.subtask
            reviews[key] = reviews.get(key, False) or record.decision.verb != Approve.verb
    return [
        f"{safe_line(stage)}: of {len(reviews):,} sampled{f' ({rate})' if rate else ''}, {_not_as_they_were(sum(reviews.values()))}"
        for (stage, rate), reviews in found.items()
    ]


def _not_as_they_were(count: int) -> str:
    return {0: "all were approved as they were", 1: "1 was not approved as it was"}.get(count, f"{count:,} were not approved as they were")


def share(part: int, whole: int) -> str:
    """ "4 %", "0.3 %"; a dash of nothing."""
    if not whole:
        return _DASH
    percent = 100 * part / whole
    return "0 %" if not part else f"{percent:.0f} %" if percent >= 1 else f"{percent:.1f} %"


def seconds_words(seconds: float | None) -> str:
    """ "40 ms", "4.0 s", "3 min"; a dash where there is nothing to tell."""
    if seconds is None:
        return _DASH
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else duration_words(seconds)


def sample_words(facts: StatisticsFacts) -> str:
    """From what the tables are made."""
    most = max((found.runs for found in facts.stages.values()), default=0)
    runs = f"the newest {facts.most_runs:,} runs of each stage" if most >= facts.most_runs else "every run"
    decisions = f"the newest {facts.most_decisions:,} decisions" if len(facts.decisions) >= facts.most_decisions else "every decision"
    return f"from {runs}, and {decisions}"
