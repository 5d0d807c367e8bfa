"""Decisions held for a while: due, taken back, lost, left over; and what many of them are told as."""

from __future__ import annotations

from datetime import timedelta

from tests.board.reviews import NOW, line, lines
from treadle_tui.board.bulk import BulkSheet, result_of
from treadle_tui.board.outbox import HeldState, Outbox
from treadle_tui.board.review_line import ReviewLine
from treadle_tui.engine.errors import InvalidTransition, ReviewConflict
from treadle_tui.engine.review import Approve, Reject, ReviewDecision
from treadle_tui.engine.states import StageState

OK = Approve(by="ana")
SECOND = timedelta(seconds=1)


def pairs(names: str) -> list[tuple[ReviewLine, ReviewDecision]]:
    return [(each, OK) for each in lines(names)]


def test_a_decision_is_sent_after_the_time_to_take_it_back() -> None:
    outbox = Outbox(undo_seconds=5)
    (entry,) = outbox.hold(pairs("a"), NOW)

    assert outbox.next_due == NOW + 5 * SECOND
    assert outbox.due(NOW + 4 * SECOND) == []
    assert outbox.due(NOW + 5 * SECOND) == [entry]
    assert outbox.due(NOW + 5 * SECOND) == []
    outbox.drop([entry])
    assert outbox.entries == []


def test_undo_takes_back_what_the_latest_key_decided_and_then_the_one_before() -> None:
    outbox = Outbox()
    outbox.hold(pairs("a"), NOW)
    outbox.hold(pairs("bcd"), NOW)

    assert [entry.key.item_id for entry in outbox.take_back_last()] == ["b", "c", "d"]
    assert [entry.key.item_id for entry in outbox.take_back_last()] == ["a"]
    assert outbox.take_back_last() == []


def test_what_is_being_sent_cannot_be_taken_back() -> None:
    outbox = Outbox(undo_seconds=0)
    (entry,) = outbox.hold(pairs("a"), NOW)
    outbox.due(NOW)

    assert outbox.take_back_last() == []
    assert outbox.take_back([entry]) == []
    assert outbox.held == [entry]


def test_one_that_came_too_late_stays_with_its_text_until_it_is_let_go() -> None:
    outbox = Outbox(undo_seconds=0)
    (entry,) = outbox.hold([(line("a"), Reject("far too long", by="ana"))], NOW)
    outbox.due(NOW)
    outbox.keep_lost(entry, "ben decided first")

    (shown,) = outbox.lines
    assert (shown.decision, shown.problem, outbox.held) == (Reject("far too long", by="ana"), "ben decided first", [])
    assert outbox.entry_of(shown) is entry
    assert outbox.take_back([entry]) == [entry]


def test_what_a_crash_left_is_asked_about_and_sent_when_a_person_says_so() -> None:
    outbox = Outbox()
    entry = outbox.adopt(line("a"), OK, NOW - 60 * SECOND, 7, "")
    lost = outbox.adopt(line("b"), OK, NOW, 8, "ben decided first")

    assert (outbox.left_over, lost.state, outbox.due(NOW)) == ([entry], HeldState.LOST, [])
    assert "the program ended" in outbox.lines[1].problem
    outbox.hold_again([entry], NOW)
    assert outbox.due(NOW) == [entry]


def test_a_sheet_tells_what_is_about_to_be_decided() -> None:
    marked = [line(f"d{number}", since=NOW + number * SECOND) for number in range(21)]
    sheet = BulkSheet(marked, [line("gone")])

    assert (sheet.per_stage, sheet.is_counted, len(sheet.first)) == ([("judge", 21)], True, 5)
    assert (sheet.oldest, sheet.newest) == (marked[0], marked[20])
    assert not BulkSheet(marked[:20]).is_counted


def test_the_result_of_many_says_who_was_first_and_what_failed() -> None:
    outcomes: list[StageState | Exception] = [StageState.COMPLETED] * 41
    outcomes += [ReviewConflict("ben")] * 2 + [InvalidTransition("a", "judge", StageState.CANCELLED), ReviewConflict()]
    result = result_of(((OK, outcome) for outcome in outcomes), {"approve": "approved"})

    assert result.words() == "41 approved · 2 already decided by ben · 1 changed meanwhile · 1 failed"
    assert result.failed == ["stage 'judge' of item 'a' is cancelled"]
    assert result_of([], {}).words() == "nothing was decided"
