"""Progress and the summary: what counts as time, and what is told."""

from __future__ import annotations

from typing import Any

from tests.board.reviews import key
from treadle_tui.board.review_session import IDLE_SECONDS, ReviewSession
from treadle_tui.engine.review import Approve, ApproveWithEdits, Reject, ReviewDecision


def decided(session: ReviewSession, name: str, decision: type[ReviewDecision], seconds: float, **fields: Any) -> None:
    session.note(key(name), decision(**fields, seconds=seconds))


def test_time_counts_while_a_review_is_looked_at_and_adds_up() -> None:
    session = ReviewSession()
    session.show(key("a"), 10)
    session.show(key("b"), 14)
    session.show(key("a"), 20)

    assert session.seconds_on(key("a"), 23) == 4 + 3
    assert session.seconds_on(key("b"), 23) == 6
    assert session.seconds_on(key("c"), 23) is None


def test_time_away_does_not_count_and_of_a_pause_only_the_beginning() -> None:
    session = ReviewSession()
    session.show(key("a"), 0)
    session.leave(5)
    session.come_back(1000)
    assert session.seconds_on(key("a"), 1002) == 7

    session.touch(1002)
    assert session.seconds_on(key("a"), 9000) == 7 + IDLE_SECONDS


def test_progress_says_how_many_which_way_how_fast_and_how_long_still() -> None:
    session = ReviewSession()
    assert session.progress(340) == "340 waiting"
    for seconds, decision, fields in (
        (4, Approve, {}),
        (6, Approve, {}),
        (9, ApproveWithEdits, {"output": 1}),
        (5, Reject, {"reason": "no"}),
    ):
        decided(session, "x", decision, seconds, **fields)

    assert session.progress(300) == "4/304 · ✓2 ✎1 ✗1 · median 5.5 s · about 28 min left"
    assert session.progress(0) == "4/4 · ✓2 ✎1 ✗1 · median 5.5 s"


def test_a_decision_taken_back_does_not_count_but_its_time_does() -> None:
    session = ReviewSession()
    session.show(key("a"), 0)
    decided(session, "a", Approve, 4)
    session.take_back(key("a"))

    assert (session.progress(1), session.seconds_on(key("a"), 0)) == ("1 waiting", 4)


def test_the_summary_has_the_slowest_and_the_reasons() -> None:
    session = ReviewSession()
    assert session.summary() == []
    for number in range(7):
        decided(session, f"d{number}", Reject, float(number + 1), reason="too old" if number % 2 else "wrong")

    told = dict(session.summary())
    assert told["7 decided"] == ["    7  reject"]
    assert told["How fast"] == ["median 4.0 s, 28 s altogether"]
    assert [text.split()[-3] for text in told["The slowest"]] == ["d6", "d5", "d4", "d3", "d2"]
    assert told["Reasons"] == ["    4  wrong", "    3  too old"]
