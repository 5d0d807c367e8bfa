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

_NAME_MOST = 28
_DASH = "–"


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
    return _stage_row("stage", "runs", "p50", "p95", "retried", "failed", "rejected", "decided in", width)


def stage_rows(facts: StatisticsFacts, width: int) -> list[tuple[str, tuple[Span, ...]]]:
    """A row per stage, with its name."""
    rows: list[tuple[str, tuple[Span, ...]]] = []
    for stage, found in facts.stages.items():
        text = _stage_row(
            safe_line(stage),
            f"{found.runs:,}" if found.runs else _DASH,
            seconds_words(found.p50_seconds),
            seconds_words(found.p95_seconds),
            share(found.retries, found.attempts),
            share(found.failures, found.runs),
            share(found.rejections, found.reviews),
            seconds_words(found.review_p50_seconds),
            width,
        )
        name_cells = _name_cells(width)
        rows.append((stage, (Span(text[:name_cells], Tone.HEADING), Span(text[name_cells:], Tone.PLAIN if found.runs else Tone.MUTED))))
    return rows


def _name_cells(width: int) -> int:
    return max(10, min(_NAME_MOST, width - 66))


def _stage_row(name: str, *cells_and_width: str | int) -> str:
    *cells, width = cells_and_width
    name_cells = _name_cells(int(width))
    runs, p50, p95, retried, failed, rejected, decided = map(str, cells)
    return f"{fit(name, name_cells)}{runs:>7}{p50:>9}{p95:>9}{retried:>9}{failed:>8}{rejected:>10}{decided:>12}"


def reviewer_head() -> str:
    """The names of the columns of the reviewers' table."""
    return f"{'reviewer':<18}{'decisions':>10}{'approved':>10}{'rejected':>10}{'changes':>9}{'median':>9}  reasons"


def reviewer_rows(facts: StatisticsFacts) -> list[tuple[str, tuple[Span, ...]]]:
    """A row per person, with the name; busiest first."""
    rows: list[tuple[str, tuple[Span, ...]]] = []
    for each in reviewer_statistics(facts.decisions):
        rejected, changes = each.verbs.get("reject", 0), each.verbs.get("request_changes", 0)
        numbers = (
            f"{each.decisions:>10,}{share(each.decisions - rejected - changes, each.decisions):>10}{share(rejected, each.decisions):>10}"
            f"{share(changes, each.decisions):>9}{seconds_words(each.median_seconds):>9}"
        )
        reasons = ", ".join(f"{safe_line(reason)} ×{count}" for reason, count in list(each.reasons.items())[:3])
        name = each.reviewer or "somebody"
        rows.append((name, (Span(fit(safe_line(name), 18), Tone.HEADING), Span(numbers), Span(f"  {reasons}", Tone.MUTED))))
    return rows


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
