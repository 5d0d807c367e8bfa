"""What is told: the order of events, those who listen, those who read later, and those who fall behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from treadle_tui.engine import (
    Approve,
    Engine,
    Event,
    ItemAdded,
    ItemDeleted,
    Lagged,
    NeedsReview,
    StageCompleted,
    StageLogged,
    StageProgress,
    StageStarted,
    Uncertain,
    Workflow,
    WorkflowCompleted,
)
from treadle_tui.engine.testing import ScriptedStage, collect_events

from .workflows import chain, names_told, ran, scripted, submitted, told

# --- what an event holds --------------------------------------------------------------------------------------------------------


async def test_an_event_says_when_where_and_which_attempt(store, start, clock):
    engine = await start(scripted(ValueError("no"))[0])
    await submitted(engine, "a")
    clock.advance(5)
    await engine.run_until_idle()

    added, started, failed = await told(store)

    assert (added.seq, added.workflow, added.item_id) == (1, "docs", "a")
    assert (started.seq, started.stage, started.subtask, started.attempt, started.at) == (2, "work", None, 1, clock.now())
    assert (failed.seq, failed.error, failed.attempt) == (3, "ValueError: no", 1)


async def test_events_cannot_be_changed(store, start):
    engine = await start(scripted(1)[0])
    await ran(engine)

    (event, *_) = await told(store)

    with pytest.raises(AttributeError):
        event.seq = 7


async def test_a_workflow_is_complete_once(store, start):
    engine = await start(chain("one", "two", two=NeedsReview(1)))
    await ran(engine)
    await engine.resolve_review("a", "two", Approve())
    await engine.run_until_idle()
    await engine.advance("a")

    assert len(await told(store, WorkflowCompleted)) == 1


# --- subscribe --------------------------------------------------------------------------------------------------------------------


async def test_a_subscriber_hears_from_the_call_on(store, start):
    workflow, _ = scripted(1, repeat=True)
    engine = await start(workflow)
    await submitted(engine, "before")
    subscription = workflow.subscribe()

    await ran(engine, "a")
    heard = await collect_events(subscription, until=lambda event: isinstance(event, WorkflowCompleted) and event.item_id == "a")

    assert heard == [event for event in await told(store) if event.seq > 1][: len(heard)]
    assert heard[0] == (await told(store, ItemAdded))[1]


async def test_events_are_told_after_their_change_can_be_read(store, start):
    workflow, _ = scripted(1, repeat=True)
    engine = await start(workflow)
    subscription = workflow.subscribe()

    async def reader() -> None:
        async for event in subscription:
            if isinstance(event, StageCompleted):
                status = await store.get_status(event.item_id, "work")
                assert status.state.value == "completed"
                return

    reading = asyncio.create_task(reader())
    await ran(engine)

    await asyncio.wait_for(reading, 10)


async def test_a_subscriber_hears_only_its_own_workflow(store, start):
    docs, other = chain("work"), Workflow("other")
    other.add_stage("work", ScriptedStage([1], repeat=True))
    engine = await start(docs, other)
    heard = other.subscribe()

    await engine.submit("docs", [{"id": "a"}])
    await engine.submit("other", [{"id": "b"}])
    await engine.run_until_idle()

    events = await collect_events(heard, until=WorkflowCompleted)
    assert {event.item_id for event in events} == {"b"}


async def test_several_subscribers_hear_the_same(store, start):
    workflow, _ = scripted(1)
    engine = await start(workflow)
    subscriptions = [workflow.subscribe() for _ in range(3)]

    await ran(engine)

    first, *others = [await collect_events(subscription, until=WorkflowCompleted) for subscription in subscriptions]
    assert others == [first, first]


async def test_a_subscriber_hears_nothing_twice_though_two_engines_run_in_this_process(store, start):
    """As when somebody approves by the small form while an engine runs."""
    workflow = chain("work", "after", work=NeedsReview(1))
    engine = await start(workflow)
    heard = workflow.subscribe()
    await ran(engine)

    await workflow.approve_review("a", "work", store)
    await engine.run_until_idle()

    events = await collect_events(heard, until=WorkflowCompleted)
    assert [event.seq for event in events] == list(range(1, await store.last_seq() + 1))


async def test_a_subscriber_hears_of_two_stores(store, start):
    from .conftest import opened

    workflow, _ = scripted(1, repeat=True)
    engine = await start(workflow)
    async with await opened("memory") as second:
        other = await start(workflow, on=second)
        heard = workflow.subscribe()
        await ran(engine, "a")
        await ran(other, "b")
        events = await collect_events(heard, until=lambda event: isinstance(event, WorkflowCompleted) and event.item_id == "b")
        await other.close()

    assert {event.item_id for event in events} == {"a", "b"}


async def test_who_falls_behind_is_told_how_much_was_missed_and_then_the_newest(store, start):
    workflow, _ = scripted(1, repeat=True)
    engine = await start(workflow)
    slow = workflow.subscribe(buffer=3)

    await ran(engine, *(str(number) for number in range(10)))
    heard = await collect_events(slow, until=4)

    total = await store.last_seq()
    assert heard[0] == Lagged(total - 3)
    assert [event.seq for event in heard[1:]] == [total - 2, total - 1, total]
    gap = await collect_events(store.events(since=0))
    assert [event.seq for event in gap[: total - 3]] == list(range(1, total - 2))


async def test_a_subscriber_that_catches_up_is_told_of_no_gap_again(store, start):
    workflow, _ = scripted(1, repeat=True)
    engine = await start(workflow)
    slow = workflow.subscribe(buffer=2)
    await ran(engine, "a")
    await collect_events(slow, until=3)

    await submitted(engine, "b")

    assert isinstance((await collect_events(slow, until=1))[0], ItemAdded)


async def test_a_forgotten_subscription_costs_nothing(store, start):
    workflow, _ = scripted(1)
    engine = await start(workflow)
    subscription = workflow.subscribe()
    assert len(workflow.subscriptions) == 1

    del subscription

    assert len(workflow.subscriptions) == 0
    await ran(engine)


# --- engine.events ----------------------------------------------------------------------------------------------------------------


async def test_durable_events_are_replayed_and_then_followed_with_one_cursor(store, start):
    engine = await start(scripted(1, repeat=True)[0])
    await ran(engine, "a")
    before = await store.last_seq()
    seen: list[Any] = []

    async def follow() -> None:
        async for event in engine.events(since=1):
            seen.append(event.seq)
            if isinstance(event, WorkflowCompleted) and event.item_id == "b":
                return

    following = asyncio.create_task(follow())
    await asyncio.sleep(0)
    await ran(engine, "b")
    await asyncio.wait_for(following, 10)

    assert seen == list(range(2, 2 * before + 1))


async def test_since_is_exclusive_and_without_follow_events_end(store, start):
    engine = await start(scripted(1)[0])
    await ran(engine)
    everything = await told(store)

    assert [event async for event in engine.events(follow=False)] == everything
    assert [event async for event in engine.events(since=2, follow=False)] == everything[2:]
    assert [event async for event in engine.events(since=99, follow=False)] == []


async def test_many_events_are_read_to_the_end(store, start):
    engine = await start(scripted(1, repeat=True)[0])
    await ran(engine, *(str(number) for number in range(700)))

    events = await told(store)

    assert [event.seq for event in events] == list(range(1, 700 * 4 + 1))
    assert len([event async for event in store.events(item_id="33")]) == 4


async def test_following_ends_with_the_store(store, start):
    from treadle_tui.engine import StoreError

    engine = await start(scripted(1)[0])
    await ran(engine)

    async def follow() -> list[Event | Lagged]:
        return [event async for event in engine.events()]

    following = asyncio.create_task(follow())
    await asyncio.sleep(0.01)
    await store.close()

    with pytest.raises(StoreError):
        await asyncio.wait_for(following, 10)


async def test_events_of_a_deleted_item_go_with_it_and_one_stays(store, start):
    engine = await start(scripted(1, repeat=True)[0])
    await ran(engine, "a", "b")
    cursor = await store.last_seq()

    await engine.delete_item("a")

    assert [type(event) for event in await told(store) if event.item_id == "a"] == [ItemDeleted]
    assert [type(event) async for event in engine.events(since=cursor, follow=False)] == [ItemDeleted]


# --- progress and log lines -------------------------------------------------------------------------------------------------------


async def test_progress_and_lines_are_written_ten_times_a_second_and_the_last_always(store, start, clock):
    async def chatty(item: Any, ctx: Any) -> None:
        for number in range(1000):
            ctx.progress(number / 1000, f"step {number}")
            ctx.log(f"line {number}")
            clock.advance(0.002)
        ctx.progress(1.0, "end")
        ctx.log("last line")

    engine = await start(scripted(chatty)[0])

    await ran(engine)

    progress, lines = await told(store, StageProgress), await told(store, StageLogged)
    assert len(progress) + len(lines) <= 2 * 10 + 4
    assert (progress[-1].fraction, progress[-1].message) == (1.0, "end")
    assert lines[-1].message.endswith("last line")
    assert "\n".join(event.message for event in lines).split("\n") == [*(f"line {number}" for number in range(1000)), "last line"]
    assert [event.fraction for event in progress] == sorted(event.fraction for event in progress)


@pytest.mark.parametrize(("said", "kept"), [(-1, 0.0), (0.5, 0.5), (7, 1.0), (1, 1.0), (float("nan"), 0.0)])
async def test_a_fraction_is_between_nothing_and_all(store, start, said, kept):
    engine = await start(scripted(lambda item, ctx: ctx.progress(said))[0])

    await ran(engine)

    assert [event.fraction for event in await told(store, StageProgress)] == [kept]


async def test_what_an_attempt_says_after_its_end_is_not_told(store, start):
    contexts: list[Any] = []
    engine = await start(scripted(lambda item, ctx: contexts.append(ctx))[0])
    await ran(engine)

    contexts[0].log("too late")
    contexts[0].progress(0.5)
    await engine.run_until_idle()

    assert await told(store, StageProgress, StageLogged) == []


async def test_a_stage_that_says_nothing_tells_only_its_states(store, start):
    engine = await start(scripted(1, gates=[lambda output: Uncertain("?")])[0])

    await ran(engine)

    assert await names_told(store) == ["ItemAdded", "StageStarted", "QualityCheckFailed", "ReviewRequired"]


# --- another engine ---------------------------------------------------------------------------------------------------------------


async def test_what_another_engine_commits_is_told_too(store, start):
    first, second = await start(scripted(1)[0]), await start(scripted(1)[0])
    following = asyncio.create_task(collect_events(first.events(), until=WorkflowCompleted))
    await asyncio.sleep(0)

    await ran(second)

    assert [type(event) for event in await following] == [ItemAdded, StageStarted, StageCompleted, WorkflowCompleted]
    assert isinstance(first, Engine)
