"""The dashboard's rows, pace and estimate, without a screen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from treadle_tui.board.dashboard import (
    DashboardFacts,
    Line,
    Notice,
    ToBoard,
    ToItem,
    ToNotice,
    ToReview,
    failure_lines,
    notice_lines,
    pace_lines,
    per_minute,
    review_lines,
    stage_lines,
    state_lines,
    work_left,
)
from treadle_tui.board.numbers import bar, counts_line, short_count, sparkline
from treadle_tui.board.outline import Span
from treadle_tui.board.tally import tally
from treadle_tui.engine import PendingReview, ReviewData, StageState
from treadle_tui.engine.store.log_view import Failure, Throughput

NOW = datetime(2024, 5, 1, 12, 0, 30, tzinfo=UTC)
P, R, W, A = StageState.PENDING, StageState.RUNNING, StageState.RETRY_WAIT, StageState.AWAITING_REVIEW
C, S, F, X = StageState.COMPLETED, StageState.SKIPPED, StageState.FAILED, StageState.CANCELLED
CHAIN = {"fetch": [], "publish": ["fetch"], "archive": ["publish"]}


def facts(
    stages: dict[str, dict[StageState, int]] | None = None,
    ended: tuple[float, ...] = (),
    reviews: tuple[PendingReview, ...] = (),
    failures: tuple[Failure, ...] = (),
    notices: tuple[Notice, ...] = (),
    is_sampled: bool = False,
) -> DashboardFacts:
    begin = NOW.replace(second=0) - timedelta(minutes=len(ended) - 1)
    return DashboardFacts(
        NOW,
        "papers",
        tally({"papers": stages or {}}, "papers"),
        list(stages or {}),
        {name: CHAIN.get(name, []) for name in stages or {}},
        [Throughput(begin + timedelta(minutes=number), count, is_sampled) for number, count in enumerate(ended)],
        reviews,
        failures,
        notices,
    )


def text(spans: tuple[Span, ...] | list[Span]) -> str:
    return "".join(span.text for span in spans)


def texts(lines: list[Line]) -> list[str]:
    return [f"{text(line.left)}{text(line.right)}".rstrip() for line in lines]


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0"), (999, "999"), (1000, "1.0k"), (9940, "9.9k"), (9960, "10k"), (299_500, "300k"), (1_240_000, "1.2M"), (3 * 10**9, "3.0G")],
)
def test_counts_take_four_cells_at_most(number: int, words: str) -> None:
    assert short_count(number) == words
    assert len(words) <= 4


def test_a_bar_shows_every_state_that_occurs_and_is_exactly_as_wide_as_asked() -> None:
    states = {C: 9_990, F: 1, A: 8, P: 1}

    assert text(bar(states, 20)) == "━" * 17 + "✗◆·"
    for width in range(1, 60):
        assert len(text(bar(states, width))) == width
    assert bar({}, 20) == []


def test_counts_name_what_needs_a_person_first() -> None:
    assert text(counts_line({C: 1200, A: 4, F: 7, P: 0})) == "◆4 ✗7 ✓1.2k "


def test_a_sparkline_never_hides_a_little() -> None:
    assert sparkline([0, 1, 500, 1000]) == "·▁▄█"
    assert sparkline([0, 0]) == "··"


# --- pace and what is left --------------------------------------------------------------------------------------------


def test_the_pace_is_that_of_the_last_minutes_since_something_ended() -> None:
    assert per_minute(facts(ended=(0,) * 10 + (0, 0, 0, 0, 15))) == 30  # half of this minute has passed
    assert per_minute(facts(ended=(900,) * 9 + (0, 10, 10, 10, 10, 5))) == 10
    assert per_minute(facts(ended=(100,) * 8 + (0,) * 7)) == 0
    assert per_minute(facts()) == 0


def test_what_is_left_leaves_out_what_waits_for_a_person_or_has_failed() -> None:
    stages = {
        "fetch": {C: 90, F: 4, P: 5, R: 1},
        "publish": {C: 50, A: 30, P: 20},  # 4 of them behind a failure, so 16 to run
        "archive": {C: 50, P: 50},  # 34 behind what waits or has failed, so 16 to run
    }

    assert work_left(facts(stages).tally, CHAIN) == 6 + 16 + 16


def test_the_estimate_is_work_left_at_the_present_pace() -> None:
    shown = pace_lines(facts({"fetch": {P: 600, C: 10, A: 2}}, ended=(0,) * 14 + (10,)))

    assert text(shown[0]) == "··············█   20 stages a minute · 10 in 15 minutes"
    assert text(shown[1]) == "600 stages left, about 30 min at this pace · ◆ 2 waiting for a person"


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ({}, "no items yet"),
        ({"fetch": {C: 3}}, "everything is done"),
        ({"fetch": {F: 3}}, "nothing goes on by itself · ✗ 3 failed"),
        ({"fetch": {P: 3}}, "3 stages left; how long they take cannot be told yet"),
    ],
)
def test_without_a_pace_no_time_is_made_up(stages: dict[str, dict[StageState, int]], words: str) -> None:
    shown = pace_lines(facts(stages, ended=(0,) * 15))

    assert text(shown[1]) == words
    assert text(shown[0]).endswith("nothing has ended in the last 15 minutes")


def test_a_sampled_throughput_says_so() -> None:
    assert "about 12,000 stages a minute" in text(pace_lines(facts({"fetch": {C: 1}}, ended=(0, 6000), is_sampled=True))[0])


# --- rows -------------------------------------------------------------------------------------------------------------


def test_states_lead_to_the_board_filtered_to_them() -> None:
    lines = state_lines(facts({"fetch": {C: 90, F: 10}}), 80)

    assert texts(lines) == ["✗ F  failed                   10  ━━━", "✓ C  completed                90  " + "━" * 27]
    assert [line.target for line in lines] == [ToBoard(state=F), ToBoard(state=C)]


def test_stages_show_their_shares_and_lead_to_the_board() -> None:
    lines = stage_lines(facts({"fetch": {C: 10}, "publish": {A: 5, C: 5}, "archive": {}}), 54)

    assert [line.split() for line in texts(lines)] == [
        ["fetch", "━" * 20, "10/10"],
        ["publish", "━" * 10 + "◆" * 10, "5/10", "◆5"],
        ["archive", "0/0"],
    ]
    assert lines[1].target == ToBoard(stage="publish")
    assert len({len(text(line.left)) for line in lines}) == 1


def test_waiting_and_failed_rows_lead_to_their_review_and_item_and_cannot_move_the_cursor() -> None:
    review = PendingReview(
        item_id="doc\x1b[2J", workflow="papers", stage="publish", review=ReviewData("well?"), waiting_since=NOW - timedelta(minutes=14)
    )
    failure = Failure("doc-2", "papers", "fetch", "left", "ValueError: no\n  Traceback …", NOW - timedelta(hours=3))
    shown = facts(reviews=(review,), failures=(failure,))

    assert texts(review_lines(shown)) == ["◆  14m  doc␛[2J › publish  well?"]
    assert review_lines(shown)[0].target == ToReview("doc\x1b[2J", "papers", "publish", None)
    assert texts(failure_lines(shown)) == ["✗   3h  doc-2 › fetch › left  ValueError: no"]
    assert failure_lines(shown)[0].target == ToItem("doc-2", "fetch")


def test_a_notice_names_the_workflow_and_what_to_do() -> None:
    notice = Notice("papers", "has changed; enter shows what that means", is_plan=True)

    [line] = notice_lines(facts(notices=(notice,)))

    assert text(line.left) == "! papers  has changed; enter shows what that means"
    assert line.target == ToNotice(notice)
