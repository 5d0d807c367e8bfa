"""Column widths follow from names and the terminal; totals from kept counts."""

from hypothesis import given
from hypothesis import strategies as st

from treadle_tui.board.columns import GAP, GUTTER, plan_columns
from treadle_tui.board.tally import tally
from treadle_tui.engine.states import StageState

STAGES = ["metadata", "licence", "checks", "judge", "review", "export"]


@given(st.lists(st.text(min_size=1), min_size=1, unique=True), st.integers(0, 80), st.integers(60, 250))
def test_columns_never_overlap_and_never_leave_the_screen(stages: list[str], longest: int, width: int) -> None:
    plan = plan_columns(stages, set(stages[:1]), longest, width)

    for first in range(len(stages)):
        columns, left, right = plan.visible(first)
        assert left + len(columns) + right == len(stages)
        edge = GUTTER + plan.item_width
        for column in columns:
            assert column.x >= edge + GAP
            edge = column.x + column.width
        assert edge <= width


def test_six_stages_fit_in_eighty_columns() -> None:
    assert plan_columns(STAGES, {"checks"}, 22, 80).visible(0).hidden_right == 0


def test_the_leftmost_column_moves_as_little_as_possible() -> None:
    plan = plan_columns([f"stage-number-{n}" for n in range(12)], (), 20, 80)
    fitting = len(plan.visible(0).columns)

    assert plan.first_showing(fitting - 1, 0) == 0
    assert plan.first_showing(fitting, 0) == 1
    assert plan.first_showing(2, 5) == 2
    assert plan.first_showing(11, 0) + len(plan.visible(plan.first_showing(11, 0)).columns) == 12


def test_columns_come_back_from_the_left_when_there_is_room() -> None:
    narrow = plan_columns([f"stage-number-{n}" for n in range(6)], (), 20, 80)
    wide = plan_columns([f"stage-number-{n}" for n in range(6)], (), 20, 200)

    assert wide.least_first(4) == 0
    assert 0 < narrow.least_first(5) < 5
    assert narrow.visible(narrow.least_first(5)).hidden_right == 0
    assert plan_columns([], (), 20, 80).least_first(3) == 0


def test_totals_are_added_up_by_state_and_by_stage() -> None:
    counts = {
        "papers": {
            "fetch": {StageState.COMPLETED: 5, StageState.FAILED: 1},
            "judge": {StageState.PENDING: 1, StageState.AWAITING_REVIEW: 2, StageState.RUNNING: 3},
        },
        "photos": {"fetch": {StageState.COMPLETED: 7}},
    }

    papers, everything = tally(counts, "papers"), tally(counts)

    assert papers.items == 6
    assert everything.items == 13
    assert papers.needs_person("judge") == [(StageState.AWAITING_REVIEW, 2)]
    assert papers.needs_person("fetch") == [(StageState.FAILED, 1)]
    assert [state for state, _ in papers.in_order()][:3] == [StageState.AWAITING_REVIEW, StageState.FAILED, StageState.RUNNING]
    assert papers.is_running
    assert everything.by_state[StageState.COMPLETED] == 12
    assert tally(counts, "nobody").items == 0


def test_subtasks_that_wait_are_counted_with_the_stages_that_do() -> None:
    """Their stage runs: without them the totals would say less than the list of reviews shows."""
    counts = {"papers": {"judge": {StageState.AWAITING_REVIEW: 2, StageState.RUNNING: 3}, "parts": {StageState.RUNNING: 1}}}
    found = tally(counts, "papers", {"papers": {"parts": 4}, "photos": {"parts": 9}})

    assert found.needs_person("parts") == [(StageState.AWAITING_REVIEW, 4)]
    assert found.of_stage("parts") == {StageState.AWAITING_REVIEW: 4, StageState.RUNNING: 1}
    assert found.in_order() == [(StageState.AWAITING_REVIEW, 6), (StageState.RUNNING, 4)]
    assert found.waiting == 6
    assert found.items == 5
