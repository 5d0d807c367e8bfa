"""The tables of the statistics."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from treadle_tui.board.outline import Span
from treadle_tui.board.statistics import (
    StatisticsFacts,
    reviewer_head,
    reviewer_rows,
    sample_words,
    sampled_words,
    seconds_words,
    share,
    stage_head,
    stage_rows,
)
from treadle_tui.engine import Approve, Reject, RequestChanges, ReviewDecision, StageStatistics
from treadle_tui.engine.desk import DecisionRecord

NOW = datetime(2024, 5, 1, tzinfo=UTC)


def decided(number: int, decision: ReviewDecision, *, is_undone: bool = False) -> DecisionRecord:
    return DecisionRecord(
        number=number,
        at=NOW,
        workflow="papers",
        item_id="i",
        stage="publish",
        subtask=None,
        attempt=1,
        decision=decision,
        is_undone=is_undone,
    )


FACTS = StatisticsFacts(
    "papers",
    {
        "fetch": StageStatistics(runs=1000, attempts=1100, retries=100, failures=5, p50_seconds=0.04, p95_seconds=2.5),
        "publish": StageStatistics(runs=10, attempts=10, reviews=8, rejections=2, p50_seconds=1, p95_seconds=1, review_p50_seconds=300),
        "archive": StageStatistics(),
    },
    [
        decided(1, Approve(by="ana", seconds=2.0)),
        decided(2, Approve(by="ana", seconds=6.0)),
        decided(3, Reject("too old", by="ana", seconds=4.0)),
        decided(4, Reject("", by="ben\x1b[2J")),
        decided(5, Approve(by="ben\x1b[2J"), is_undone=True),
    ],
    1000,
    5000,
)


def texts(rows: list[tuple[str, tuple[Span, ...]]]) -> list[list[str]]:
    return [" ".join(span.text for span in spans).split() for _, spans in rows]


def test_a_sample_says_what_it_found_review_by_review() -> None:
    def sampled(item_id: str, decision: ReviewDecision, why: str = "sampled, 10 %", *, is_undone: bool = False) -> DecisionRecord:
        return DecisionRecord(
            number=1, at=NOW, workflow="papers", item_id=item_id, stage="publish", subtask=None, attempt=1, decision=decision,
            is_undone=is_undone, why=why,
        )  # fmt: skip

    records = [
        sampled("a", Approve()),
        sampled("a", RequestChanges("more")),
        sampled("b", Approve()),
        sampled("c", Reject("no"), is_undone=True),
        sampled("d", Reject("no"), why="always reviewed"),
    ]
    assert sampled_words(StatisticsFacts(decisions=records)) == ["publish: of 2 sampled (10 %), 1 was not approved as it was"]
    assert sampled_words(StatisticsFacts(decisions=records[2:3])) == ["publish: of 1 sampled (10 %), all were approved as they were"]
    assert sampled_words(StatisticsFacts(decisions=records[4:])) == []


def test_a_stage_has_durations_and_rates() -> None:
    assert texts(stage_rows(FACTS, 120)) == [
        ["fetch", "1,000", "40", "ms", "2.5", "s", "9", "%", "0.5", "%", "–", "–"],
        ["publish", "10", "1.0", "s", "1.0", "s", "0", "%", "0", "%", "25", "%", "5", "min"],
        ["archive", "–", "–", "–", "–", "–", "–", "–"],
    ]


@pytest.mark.parametrize("width", [55, 76, 160])
def test_rows_stand_below_their_head_and_fit(width: int) -> None:
    """55: what a terminal of 60 columns has for them."""
    head = stage_head(width)
    assert {sum(len(span.text) for span in spans) for _, spans in stage_rows(FACTS, width)} == {len(head)}
    assert len(head) <= width
    assert reviewer_head(width).index("  reasons") <= width - len("  reasons")


@pytest.mark.parametrize("width", [55, 76, 160])
def test_a_long_name_does_not_touch_its_numbers(width: int) -> None:
    facts = StatisticsFacts("papers", {"a stage with a name that is too long": StageStatistics(runs=1000)})
    ((_, (name, numbers)),) = stage_rows(facts, width)

    assert name.text.endswith("…")
    assert numbers.text.startswith(" ")


def test_a_reviewer_has_decisions_seconds_and_reasons_and_undone_ones_do_not_count() -> None:
    assert texts(reviewer_rows(FACTS, 120)) == [
        ["ana", "3", "67", "%", "33", "%", "0", "%", "4.0", "s", "too", "old", "×1"],
        ["ben␛[2J", "1", "0", "%", "100", "%", "0", "%", "–"],
    ]
    assert reviewer_head(120).split()[0] == "reviewer"


def test_shares_and_seconds_are_short() -> None:
    assert [share(0, 0), share(0, 5), share(1, 3), share(1, 1000)] == ["–", "0 %", "33 %", "0.1 %"]
    assert [seconds_words(None), seconds_words(0.0049), seconds_words(3.14)] == ["–", "5 ms", "3.1 s"]


def test_it_says_whether_it_is_a_sample() -> None:
    assert sample_words(FACTS) == "from the newest 1,000 runs of each stage, and every decision"
    assert sample_words(StatisticsFacts(most_runs=1000, most_decisions=5000)) == "from every run, and every decision"
