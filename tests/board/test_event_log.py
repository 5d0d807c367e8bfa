"""The log as it is looked at: lines, filters, and a window that moves through as many events as there are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from treadle_tui.board.event_filter import EventFilterError, parse_event_filter
from treadle_tui.board.event_log import MOST, EventLog
from treadle_tui.board.event_text import ERROR_KINDS, WORDS, detail_of, event_spans, place_of, sign_of, when
from treadle_tui.board.past import moment_words, scrub_line
from treadle_tui.engine import Approve, Reject, RequestChanges, ReviewData
from treadle_tui.engine import events as ev
from treadle_tui.engine.feedback import Feedback
from treadle_tui.engine.store.log_view import EventMatch, EventPage, LogBounds

NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)


# --- lines ------------------------------------------------------------------------------------------------------------


def test_every_kind_of_event_has_words_and_a_sign_of_one_cell() -> None:
    assert set(WORDS) == set(ev.EVENT_KINDS)
    assert all(len(sign_of(kind())) == 1 for kind in ev.EVENT_KINDS)


@pytest.mark.parametrize(
    ("event", "detail"),
    [
        (ev.ReviewResolved(decision=Approve(by="ana")), "approved by ana"),
        (ev.ReviewResolved(decision=Reject("too old", by="ben")), "rejected by ben: too old"),
        (ev.ReviewResolved(decision=RequestChanges("shorter", by="ben")), "changes requested by ben: shorter"),
        (ev.ReviewRequired(data=ReviewData("publish it?")), "publish it?"),
        (ev.QualityCheckFailed(feedback=Feedback("too short")), "too short"),
        (ev.FanOutStarted(subtasks=("a", "b")), "2 subtasks: a, b"),
        (ev.StageFailed(error="ValueError: no\n  File …"), "ValueError: no"),
        (ev.RetryScheduled(reason="rate limited"), "rate limited"),
        (ev.StageProgress(fraction=0.5, message="half"), "50% half"),
        (ev.StageHeld(when="item.pages > 3"), "for items with item.pages > 3"),
        (ev.StageHeld(), "for every item"),
        (ev.ItemCancelled(by="ana"), "by ana"),
        (ev.StageStarted(), ""),
        (ev.StageLogged(message="\x1b[31mred"), "␛[31mred"),
    ],
)
def test_an_event_says_why_and_by_whom_in_one_safe_line(event: ev.Event, detail: str) -> None:
    assert detail_of(event) == detail


def test_a_line_has_time_place_sign_words_and_detail() -> None:
    event = ev.SubTaskFailed(seq=7, at=NOW - timedelta(minutes=3), item_id="doc-7", stage="fetch", subtask="left", attempt=2, error="no")

    line = "".join(span.text for span in event_spans(event, NOW, is_relative=True, place_cells=24))

    assert line == "  3m ago  doc-7 › fetch › left #2   ✗ failed           no"
    assert place_of(ev.StageHeld(workflow="papers", stage="fetch")) == "papers › fetch"


def test_times_take_the_same_cells_on_any_day() -> None:
    moments = [NOW, NOW - timedelta(seconds=5), NOW - timedelta(days=40), None]

    assert len({len(when(moment, NOW, is_relative=False)) for moment in moments}) == 1
    assert len({len(when(moment, NOW, is_relative=True)) for moment in moments}) == 1
    assert {len(when(moment, NOW, is_relative=False, is_narrow=True)) for moment in moments} == {8}


# --- filters ----------------------------------------------------------------------------------------------------------


def test_a_filter_names_fields_and_the_rest_are_words() -> None:
    assert parse_event_filter("") == EventMatch()
    assert parse_event_filter('item:doc-* stage:publish "timed out" again') == EventMatch(
        item="doc-*", stage="publish", text="timed out again"
    )
    assert parse_event_filter("event:review").kinds == (ev.ReviewRequired,)
    assert parse_event_filter("event:SubTaskFailed").kinds == (ev.SubTaskFailed,)
    assert parse_event_filter("event:failed").kinds == (ev.StageFailed, ev.SubTaskFailed, ev.QualityCheckFailed)
    assert parse_event_filter("http://x").text == "http://x"


def test_errors_only_goes_together_with_a_filter() -> None:
    assert parse_event_filter("", errors_only=True).kinds == ERROR_KINDS
    assert parse_event_filter("event:retry", errors_only=True).kinds == (ev.RetryScheduled,)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('item:"a', "a quote is open"),
        ("stages:a", "did you mean stage:?"),
        ("item:", "item: of what?"),
        ("item:a item:b", "item: stands there twice"),
        ("event:faild", "no event is called 'faild'; did you mean 'failed'?"),
    ],
)
def test_a_filter_that_cannot_be_read_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(EventFilterError, match=sentence.replace("?", r"\?")):
        parse_event_filter(text)
    with pytest.raises(EventFilterError, match="is no error"):
        parse_event_filter("event:added", errors_only=True)


# --- the window -------------------------------------------------------------------------------------------------------


class Source:
    """A log of so many events, some numbers missing; read as a store would be."""

    def __init__(self, count: int, searched: int = 10**9) -> None:
        self.events = [ev.ItemAdded(seq=number, item_id=f"i{number}") for number in range(1, count + 1) if number % 10]
        self.searched = searched
        self.reads = 0

    @property
    def bounds(self) -> LogBounds:
        return LogBounds(self.events[0].seq, self.events[-1].seq)

    def add(self, count: int) -> None:
        last = self.events[-1].seq
        self.events += [ev.ItemAdded(seq=last + number, item_id="late") for number in range(1, count + 1)]

    def fill(self, log: EventLog, limit: int = 50) -> None:
        """Read until the log wants no more."""
        log.take_bounds(self.bounds)
        for _ in range(1000):
            want = log.want()
            if want is None:
                return
            self.reads += 1
            if want.is_after:
                found = [event for event in self.events if event.seq > want.seq][:limit]
                full = len(found) == limit
                reached = found[-1].seq if full else max(want.seq, self.bounds.last)
                log.take(want, EventPage(found, reached, reached >= self.bounds.last))
            else:
                found = [event for event in self.events if event.seq < want.seq][-limit:]
                full = len(found) == limit
                reached = found[0].seq if full else min(want.seq, self.bounds.first)
                log.take(want, EventPage(found, reached, reached <= self.bounds.first))
        raise AssertionError("never has enough")


def begun(count: int, height: int = 20) -> tuple[EventLog, Source]:
    log, source = EventLog(), Source(count)
    log.look(height)
    source.fill(log)
    return log, source


def seqs(log: EventLog) -> list[int]:
    return [event.seq for event in log.visible()]


def test_it_begins_at_the_end_and_follows() -> None:
    log, source = begun(1000)

    assert seqs(log) == [event.seq for event in source.events[-20:]]
    assert log.current is not None
    assert log.current.seq == 999
    source.add(3)
    source.fill(log)
    assert log.current.seq == 1002
    assert len(log.events) < 200


def test_what_comes_while_one_reads_is_counted_and_moves_nothing() -> None:
    log, source = begun(1000)
    log.move(-5)
    before, under = seqs(log), log.current
    source.add(30)
    source.fill(log)

    assert (seqs(log), log.current) == (before, under)
    assert log.newer == 30
    log.follow()
    source.fill(log)
    assert log.newer == 0
    assert log.current is not None
    assert log.current.seq == source.bounds.last


def test_going_down_beyond_the_end_follows_again() -> None:
    log, _ = begun(100)
    log.move(-1)
    log.move(1)
    assert not log.is_following
    log.move(1)
    assert log.is_following


def test_a_million_events_are_walked_through_with_few_in_memory() -> None:
    log, source = begun(20_000)
    seen: list[int] = []
    while log.events[0].seq > 1 or log.top > 0:
        log.move(-19)
        source.fill(log)
        seen += seqs(log)
        assert len(log.events) <= MOST + 50
    assert set(seen) | set(range(19_981, 20_001)) >= {event.seq for event in source.events}
    while not log.is_following:
        log.move(19)
        source.fill(log)
        assert len(log.events) <= MOST + 50
    assert log.current is not None
    assert log.current.seq == source.bounds.last


def test_the_beginning_and_any_event_are_reached_at_once() -> None:
    log, source = begun(20_000)
    log.to_start()
    before = source.reads
    source.fill(log)
    assert seqs(log)[0] == 1

    log.go_to(7777)
    source.fill(log)
    assert log.current is not None
    assert log.current.seq == 7777
    assert len(seqs(log)) == 20
    log.move(-40)
    source.fill(log)
    assert log.current.seq < 7777
    assert source.reads - before < 12


def test_following_a_flood_reads_the_end_and_not_all_of_it() -> None:
    log, source = begun(100)
    source.add(50_000)
    before = source.reads
    source.fill(log)

    assert source.reads - before < 6
    assert seqs(log)[-1] == source.bounds.last


def test_the_share_says_where_in_the_log_one_is() -> None:
    log, source = begun(10_000)
    start, share = log.share()
    assert start > 0.99
    assert share < 0.01
    log.to_start()
    source.fill(log)
    assert log.share()[0] == 0.0
    assert EventLog().share() == (0.0, 1.0)


def test_an_empty_log_wants_nothing() -> None:
    log = EventLog()
    log.take_bounds(LogBounds())

    assert log.want() is None
    assert log.current is None
    log.move(-1)
    log.move(5)
    assert seqs(log) == []


# --- the past ---------------------------------------------------------------------------------------------------------


def test_a_moment_is_marked_and_placed() -> None:
    event = ev.StageStarted(seq=51, at=NOW - timedelta(minutes=3))

    assert moment_words(event, NOW).startswith("AS IT WAS · ")
    assert moment_words(event, NOW).endswith(" · 3m ago")
    line = "".join(span.text for span in scrub_line(event, LogBounds(1, 101), 40))
    assert line == "━" * 14 + "●" + "─" * 14 + "  51 of 101"
    assert len(line) == 40
