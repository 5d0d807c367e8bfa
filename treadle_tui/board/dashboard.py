"""The state of a workflow on one page: what is where, how fast it goes, how long it still takes, and what needs somebody.

Pure: what was read goes in as `DashboardFacts`, rows come out, each with what opening it leads to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from treadle_tui.board.history_outline import tone_of
from treadle_tui.board.numbers import bar, short_count, sparkline
from treadle_tui.board.outline import Span, Tone
from treadle_tui.board.safe_text import fit, safe_line, shorten_middle, width_of
from treadle_tui.board.tally import Tally
from treadle_tui.board.time_text import age
from treadle_tui.engine.states import StageState
from treadle_tui.engine.status import PendingReview, duration_words
from treadle_tui.engine.store.log_view import Failure, Throughput

#: Minutes shown, and of those the ones the present pace is taken from.
MINUTES, PACE_MINUTES = 15, 5
_STAGE_MOST, _BAR_MOST, _PLACE_MOST = 24, 60, 36


class ToBoard(NamedTuple):
    """Opening leads to the board, filtered."""

    stage: str | None = None
    state: StageState | None = None


class ToItem(NamedTuple):
    """Opening leads to an item, at one of its stages."""

    item_id: str
    stage: str


class ToReview(NamedTuple):
    """Opening leads to a review."""

    item_id: str
    workflow: str
    stage: str
    subtask: str | None


class ToNotice(NamedTuple):
    """Opening leads to what there is to say of a workflow."""

    notice: Notice


Target = ToBoard | ToItem | ToReview | ToNotice


@dataclass(frozen=True, slots=True)
class Notice:
    """A workflow somebody must look at."""

    workflow: str
    """Its name, or its file."""
    words: str
    """One line."""
    is_plan: bool = False
    """Whether its items wait for a plan to be accepted; else its file could not be loaded."""


@dataclass(frozen=True, slots=True)
class DashboardFacts:
    """Everything the page is made from, read together."""

    now: datetime
    workflow: str = ""
    tally: Tally = field(default_factory=Tally)
    stages: Sequence[str] = ()
    dependencies: Mapping[str, Sequence[str]] = field(default_factory=dict)
    throughput: Sequence[Throughput] = ()
    """A minute each, the present one last."""
    reviews: Sequence[PendingReview] = ()
    failures: Sequence[Failure] = ()
    notices: Sequence[Notice] = ()


class Line(NamedTuple):
    """A row, and what opening it leads to."""

    left: tuple[Span, ...]
    right: tuple[Span, ...]
    target: Target


# --- pace -------------------------------------------------------------------------------------------------------------------------


def pace_lines(facts: DashboardFacts) -> list[tuple[Span, ...]]:
    """How fast it goes, and how long it still takes."""
    ended = [span.ended for span in facts.throughput]
    is_sampled = any(span.is_sampled for span in facts.throughput)
    total, pace = (_rounded(number) if is_sampled else number for number in (sum(ended), per_minute(facts)))
    about = "about " if is_sampled else ""
    if not total:
        first: tuple[Span, ...] = (
            Span(sparkline(ended), Tone.MUTED),
            Span(f"   nothing has ended in the last {MINUTES} minutes", Tone.MUTED),
        )
    else:
        words = f"   {about}{pace:,.0f} stages a minute" if pace else "   no stage has ended lately"
        first = (Span(sparkline(ended), Tone.RUNNING), Span(words), Span(f" · {about}{total:,.0f} in {MINUTES} minutes", Tone.MUTED))
    return [first, _left_line(facts)]


def _rounded(number: float) -> float:
    """A number that was estimated, with two figures that count."""
    return float(f"{number:.2g}")


def per_minute(facts: DashboardFacts) -> float:
    """Stages that end in a minute, from the last few full minutes and the present one, as far as something ended in them."""
    lately = [span.ended for span in facts.throughput[-PACE_MINUTES - 1 :]]
    while lately and not lately[0]:
        lately = lately[1:]
    if not lately:
        return 0.0
    seconds = (facts.now - facts.throughput[-1].since).total_seconds()
    minutes = len(lately) - 1 + max(0.1, min(1.0, seconds / 60))
    return sum(lately) / minutes


def _left_line(facts: DashboardFacts) -> tuple[Span, ...]:
    left = work_left(facts.tally, facts.dependencies)
    waiting = facts.tally.waiting
    failed = facts.tally.by_state.get(StageState.FAILED, 0)
    pace = per_minute(facts)
    if not facts.tally.items:
        return (Span("no items yet", Tone.MUTED),)
    if not left:
        words = "everything is done" if not (waiting or failed) else "nothing goes on by itself"
    elif pace:
        words = f"{short_count(left)} stages left, about {duration_words(left / pace * 60)} at this pace"
    else:
        words = f"{short_count(left)} stages left; how long they take cannot be told yet"
    rest = [(StageState.AWAITING_REVIEW, waiting, "waiting for a person"), (StageState.FAILED, failed, "failed")]
    return (Span(words), *(Span(f" · {state.glyph} {count:,} {what}", tone_of(state)) for state, count, what in rest if count))


def work_left(tally: Tally, dependencies: Mapping[str, Sequence[str]]) -> int:
    """Stages that will run without a person: those under way, and pending ones that are behind nothing which waits or has failed.

    Told from totals only, so of several ways into a stage the one that holds up most counts; it may be too many, never too few.
    """
    held_up: dict[str, int] = {}
    left = 0
    for stage, above in dependencies.items():
        states = tally.by_stage.get(stage, {})
        behind = max((held_up.get(each, 0) for each in above), default=0)
        pending = states.get(StageState.PENDING, 0)
        left += max(0, pending - behind) + states.get(StageState.RUNNING, 0) + states.get(StageState.RETRY_WAIT, 0)
        stuck = sum(states.get(state, 0) for state in (StageState.AWAITING_REVIEW, StageState.FAILED, StageState.CANCELLED))
        held_up[stage] = min(pending, behind) + stuck
    return left


# --- rows -------------------------------------------------------------------------------------------------------------------------


def state_lines(facts: DashboardFacts, width: int) -> list[Line]:
    """A row per state that occurs, with its share of all stages."""
    total = sum(facts.tally.by_state.values())
    room = max(0, min(30, width - 36))
    lines = []
    for state, count in facts.tally.in_order():
        share = "━" * max(1, round(room * count / total)) if room else ""
        left = (
            Span(f"{state.glyph} {state.letter}  ", tone_of(state)),
            Span(f"{state.word:<18}"),
            Span(f"{count:>9,}  "),
            Span(share, tone_of(state)),
        )
        lines.append(Line(left, (), ToBoard(state=state)))
    return lines


def stage_lines(facts: DashboardFacts, width: int) -> list[Line]:
    """A row per stage: a bar of its states, how many are done, and what needs a person."""
    names = {stage: safe_line(stage) for stage in facts.stages}
    name_cells = min(_STAGE_MOST, max(map(width_of, names.values()), default=0))
    done_cells = len(f"{facts.tally.items:,}") * 2 + 1
    right_cells = 14
    room = max(8, min(_BAR_MOST, width - name_cells - done_cells - right_cells - 8))
    lines = []
    for stage, name in names.items():
        states = facts.tally.by_stage.get(stage, {})
        done = states.get(StageState.COMPLETED, 0) + states.get(StageState.SKIPPED, 0)
        total = sum(states.values())
        needs = "".join(f"{state.glyph}{short_count(count)} " for state, count in facts.tally.needs_person(stage))
        tone = tone_of(facts.tally.needs_person(stage)[0][0]) if needs else Tone.PLAIN
        left = (
            Span(fit(name, name_cells) + "  ", Tone.HEADING),
            *bar(states, room),
            Span(" " * (0 if total else room) + f"  {f'{done:,}/{total:,}':>{done_cells}}"),
        )
        lines.append(Line(left, (Span(f"{needs:>{right_cells}}", tone),), ToBoard(stage=stage)))
    return lines


def review_lines(facts: DashboardFacts) -> list[Line]:
    """What has waited longest for a person."""
    lines, places = [], _places(facts.reviews)
    for review, where in zip(facts.reviews, places, strict=True):
        asked = safe_line(review.review.summary) if review.review is not None and review.review.summary else ""
        left = (
            Span(f"{StageState.AWAITING_REVIEW.glyph} ", Tone.AWAITING_REVIEW),
            Span(f"{age(review.waiting_since, facts.now):>4}  ", Tone.MUTED),
            Span(where),
            Span(f"  {asked}" if asked else "", Tone.MUTED),
        )
        lines.append(Line(left, (), ToReview(review.item_id, review.workflow, review.stage, review.subtask)))
    return lines


def failure_lines(facts: DashboardFacts) -> list[Line]:
    """What failed last and stands so."""
    lines, places = [], _places(facts.failures)
    for failure, where in zip(facts.failures, places, strict=True):
        left = (
            Span(f"{StageState.FAILED.glyph} ", Tone.FAILED),
            Span(f"{age(failure.at, facts.now):>4}  ", Tone.MUTED),
            Span(where),
            Span(f"  {first_line(failure.error)}", Tone.FAILED),
        )
        lines.append(Line(left, (), ToItem(failure.item_id, failure.stage)))
    return lines


def _places(found: Sequence[PendingReview] | Sequence[Failure]) -> list[str]:
    """Where each of them is, all of one width as far as that is reasonable, so that what follows stands in a column."""
    places = [" › ".join(safe_line(part) for part in (each.item_id, each.stage, each.subtask) if part) for each in found]
    width = min(max(map(width_of, places), default=0), _PLACE_MOST)
    return [fit(shorten_middle(place, width), width) for place in places]


def first_line(error: str) -> str:
    """The first line of an error, safe to draw: a traceback stays where it is."""
    return safe_line(error.strip().split("\n", 1)[0])


def notice_lines(facts: DashboardFacts) -> list[Line]:
    """Workflows that have changed, or could not be loaded."""
    return [
        Line(
            (Span("! ", Tone.FAILED), Span(safe_line(notice.workflow), Tone.HEADING), Span(f"  {safe_line(notice.words)}")),
            (),
            ToNotice(notice),
        )
        for notice in facts.notices
    ]
