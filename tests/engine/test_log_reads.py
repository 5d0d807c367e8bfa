"""The log as a screen asks for it: pages both ways, what matches, the past, and what it tells of the present; on both stores."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.engine.conftest import Start
from treadle_tui.engine import (
    Approve,
    Engine,
    FanOut,
    NeedsReview,
    Reject,
    RequestChanges,
    Retry,
    RetryBudget,
    Skipped,
    Workflow,
)
from treadle_tui.engine import events as ev
from treadle_tui.engine.store import log_view
from treadle_tui.engine.store.log_view import EventMatch
from treadle_tui.engine.testing import ManualClock
from treadle_tui.engine.testing.folding import FoldedStates


def papers() -> Workflow:
    """Fetch (retries once when asked to), a fan-out, a review, and what is behind it."""
    workflow = Workflow("papers")

    @workflow.stage(retry=RetryBudget(max_attempts=2, delay=5.0))
    async def fetch(item: dict[str, Any], ctx: Any) -> Any:
        match item.get("do"):
            case "retry" if ctx.attempt == 1:
                return Retry("later")
            case "fail":
                raise ValueError("no such paper")
            case "skip":
                return Skipped("nothing to fetch")
        return "text"

    @workflow.stage
    def parts(fetch: Any) -> FanOut:
        return FanOut(["left", "right"])

    @parts.each
    def part(subtask: str) -> str:
        return subtask

    @workflow.stage
    def publish(parts: Any) -> NeedsReview:
        return NeedsReview("draft")

    @workflow.stage
    def archive(publish: Any) -> None: ...

    return workflow


async def eventful(start: Start, clock: ManualClock) -> Engine:
    """A little of everything, a minute between the items."""
    engine = await start(papers())
    for item in ({"id": "plain"}, {"id": "again", "do": "retry"}, {"id": "broken", "do": "fail"}, {"id": "empty", "do": "skip"}):
        await engine.submit("papers", [item])
        await clock.run(engine.run_until_idle())
        clock.advance(60)
    await engine.resolve_review("plain", "publish", RequestChanges("shorter"))
    await clock.run(engine.run_until_idle())
    await engine.resolve_review("plain", "publish", Approve(by="ana"))
    await engine.resolve_review("again", "publish", Reject("dull", by="ben"))
    await clock.run(engine.run_until_idle())
    await engine.cancel("empty", by="ana")
    await engine.retry_stage("broken", "fetch")
    await clock.run(engine.run_until_idle())
    await engine.retry_stage("empty", "publish")
    await clock.run(engine.run_until_idle())
    return engine


async def told(store: Any) -> list[ev.Event]:
    return [event async for event in store.events()]


# --- pages ------------------------------------------------------------------------------------------------------------


async def test_an_empty_log_has_no_bounds_and_ends_at_once(store: Any):
    assert await store.log_bounds() == log_view.LogBounds()

    assert await store.events_after(0, 10) == log_view.EventPage([], 0, True)
    assert (await store.events_before(1, 10)).events == []
    assert await store.item_count_at(5) == 0
    assert await store.page_at(5) == []


async def test_pages_go_through_the_whole_log_both_ways(store: Any, start: Start, clock: ManualClock):
    await eventful(start, clock)
    every = await told(store)

    forward: list[ev.Event] = []
    page = await store.events_after(0, 7)
    while page.events:
        forward += page.events
        page = await store.events_after(page.reached, 7)
    backward: list[ev.Event] = []
    page = await store.events_before(every[-1].seq + 1, 7)
    while page.events:
        backward = [*page.events, *backward]
        page = await store.events_before(page.reached, 7)

    assert forward == backward == every
    assert await store.log_bounds() == log_view.LogBounds(every[0].seq, every[-1].seq)


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        (EventMatch(kinds=(ev.StageFailed, ev.RetryScheduled)), lambda event: isinstance(event, ev.StageFailed | ev.RetryScheduled)),
        (EventMatch(item="PLA"), lambda event: event.item_id == "plain"),
        (EventMatch(item="*n"), lambda event: event.item_id in ("plain", "again", "broken")),
        (EventMatch(item="a[g"), lambda event: False),
        (EventMatch(stage="publ"), lambda event: getattr(event, "stage", "") == "publish"),
        (EventMatch(text="dull"), lambda event: "dull" in str(event)),
        (EventMatch(text="righ"), lambda event: getattr(event, "subtask", "") == "right" or "right" in getattr(event, "subtasks", ())),
        (EventMatch(workflow="papers"), lambda event: True),
        (EventMatch(workflow="photos"), lambda event: False),
    ],
)
async def test_only_what_matches_is_given(store: Any, start: Start, clock: ManualClock, match: EventMatch, fits: Any):
    await eventful(start, clock)
    expected = [event for event in await told(store) if fits(event)]

    assert list((await store.events_after(0, 1000, match)).events) == expected
    assert list((await store.events_before(10**9, 1000, match)).events) == expected


async def test_a_long_search_ends_and_says_how_far_it_came(sqlite_store: Any, clock: ManualClock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("treadle_tui.engine.store.sqlite.log_reads.SEARCHED_AT_ONCE", 10)
    async with Engine(sqlite_store, [papers()], clock=clock) as engine:
        await engine.submit("papers", [{"id": f"item {n}"} for n in range(30)])

        page = await sqlite_store.events_after(0, 5, EventMatch(item="item 29"))
        assert (list(page.events), page.reached, page.is_end) == ([], 10, False)
        page = await sqlite_store.events_after(25, 5, EventMatch(item="item 29"))
        assert ([event.item_id for event in page.events], page.is_end) == (["item 29"], True)
        page = await sqlite_store.events_before(31, 5, EventMatch(item="item 0"))
        assert (list(page.events), page.reached, page.is_end) == ([], 21, False)


# --- the past ---------------------------------------------------------------------------------------------------------


async def test_the_past_is_what_folding_the_events_gives_at_every_event(store: Any, start: Start, clock: ManualClock):
    await eventful(start, clock)
    folded = FoldedStates(await store.stage_names())
    alive: set[str] = set()

    for event in await told(store):
        folded.apply(event)
        if isinstance(event, ev.ItemAdded):
            alive.add(event.item_id)
        rows = await store.page_at(event.seq, workflow="papers")
        assert await store.rows_at(event.seq, sorted(alive)) == rows

        assert {row.item_id for row in rows} == alive
        assert await store.item_count_at(event.seq, "papers") == len(alive)
        for row in rows:
            assert {stage: cell.state for stage, cell in row.cells.items()} == folded.stages[row.item_id], event
            subtasks = await store.subtasks_at(event.seq, row.item_id, "parts")
            assert {each.name: each.state for each in subtasks} == folded.subtasks[row.item_id].get("parts", {}), event
            assert sum(row.cells["parts"].subtasks_by_state.values()) == row.cells["parts"].subtasks == len(subtasks)


async def test_the_newest_moment_is_the_present(store: Any, start: Start, clock: ManualClock):
    await eventful(start, clock)

    now = await store.page(workflow="papers")
    then = await store.page_at(await store.last_seq(), workflow="papers")

    assert [(row.key, row.item_id, row.state) for row in then] == [(row.key, row.item_id, row.state) for row in now]
    for row, before in zip(now, then, strict=True):
        for stage, cell in row.cells.items():
            past = before.cells[stage]
            assert (past.state, past.attempt, past.subtasks_by_state) == (cell.state, cell.attempt, dict(cell.subtasks_by_state)), stage


async def test_items_that_came_later_are_not_in_the_past_and_pages_are_cut(store: Any, start: Start, clock: ManualClock):
    engine = await start(papers())
    await engine.submit("papers", [{"id": f"item {n}"} for n in range(9)])
    moment = await store.last_seq()
    await engine.submit("papers", [{"id": "late"}])

    assert [row.item_id for row in await store.page_at(moment, offset=7, limit=5)] == ["item 7", "item 8"]
    await engine.delete_item("item 3")
    assert await store.item_count_at(moment) == 8
    assert await store.page_at(moment, workflow="photos") == []
    assert [row.item_id for row in await store.rows_at(moment, ["late", "item 5", "item 3", "item 1"])] == ["item 1", "item 5"]
    assert await store.rows_at(moment, []) == []


async def test_a_moment_is_found_by_its_time(store: Any, start: Start, clock: ManualClock):
    await eventful(start, clock)
    every = await told(store)

    for event in every:
        assert event.at is not None
        assert await store.event_at(event.at) == max(each.seq for each in every if each.at == event.at)
        assert await store.event_at(event.at - timedelta(days=1)) == 0
        assert await store.event_at(event.at + timedelta(days=1)) == every[-1].seq


# --- the present ------------------------------------------------------------------------------------------------------


async def test_throughput_counts_the_stages_that_ended_in_each_span(store: Any, start: Start, clock: ManualClock):
    begin = clock.now()
    await eventful(start, clock)
    ended = [
        event.at
        for event in await told(store)
        if isinstance(event, ev.StageCompleted | ev.StageSkipped | ev.StageFailed) and event.subtask is None and event.at is not None
    ]

    spans = await store.throughput(begin, 60.0, 6)

    expected = [sum(begin + timedelta(minutes=n) <= at < begin + timedelta(minutes=n + 1) for at in ended) for n in range(6)]
    assert [span.ended for span in spans] == expected
    assert sum(expected) == len(ended)
    assert [span.since for span in spans] == [begin + timedelta(minutes=n) for n in range(6)]
    assert not any(span.is_sampled for span in spans)


async def test_throughput_of_very_much_is_sampled(sqlite_store: Any, clock: ManualClock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("treadle_tui.engine.store.sqlite.log_reads.COUNTED_AT_ONCE", 200)
    workflow = Workflow("quick")

    @workflow.stage
    async def work(item: Any) -> None: ...

    async with Engine(sqlite_store, [workflow], clock=clock) as engine:
        for _ in range(10):
            await engine.submit(workflow, [{"id": f"{clock.now().timestamp()} {n}"} for n in range(30)])
            await engine.run_until_idle()
            clock.advance(1)

        [span] = await sqlite_store.throughput(clock.now() - timedelta(seconds=60), 60.0, 1)

    assert span.is_sampled
    assert 150 <= span.ended <= 450  # 300 have ended


async def test_failures_are_those_that_stand_newest_first(store: Any, start: Start, clock: ManualClock):
    engine = await start(papers())
    for name in ("one", "two", "three"):
        await engine.submit("papers", [{"id": name, "do": "fail"}])
        await clock.run(engine.run_until_idle())
        clock.advance(1)
    await engine.retry_stage("two", "fetch")

    failures = await store.failures("papers")

    assert [(each.item_id, each.stage, each.subtask, each.error) for each in failures] == [
        ("three", "fetch", None, "ValueError: no such paper"),
        ("one", "fetch", None, "ValueError: no such paper"),
    ]
    assert len(await store.failures(limit=1)) == 1
    assert await store.failures("photos") == []


async def test_the_oldest_reviews_are_the_beginning_of_the_whole_list(store: Any, start: Start, clock: ManualClock):
    engine = await start(papers())
    await engine.submit("papers", [{"id": f"item {n}"} for n in range(7)])
    await clock.run(engine.run_until_idle())

    assert await store.oldest_reviews(limit=3) == (await store.pending_reviews())[:3]
    assert await store.oldest_reviews("photos") == []


async def test_held_stages_are_named_with_their_condition(store: Any, start: Start):
    engine = await start(papers())
    await engine.pause_stage("papers", "publish", when="item.pages > 3")
    await engine.pause_stage("papers", "fetch")

    assert await store.held_stages("papers") == {"fetch": None, "publish": "item.pages > 3"}
    await engine.resume_stage("papers", "fetch")
    assert await store.held_stages("papers") == {"publish": "item.pages > 3"}
