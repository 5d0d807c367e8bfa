"""The crate's verbs, one item at a time: thin delegates that open an engine for as long as they take."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from treadle_tui.engine import (
    ApproveWithEdits,
    Failed,
    FanOut,
    InvalidItem,
    InvalidTransition,
    ItemNotFound,
    NeedsReview,
    Reject,
    RequestChanges,
    RetryBudget,
    StageState,
    Workflow,
)
from treadle_tui.engine.testing import ScriptedStage, collect_events

from .workflows import chain, fan_out, scripted, state, states


@dataclass
class Paper:
    """A typed work item."""

    id: str
    path: str = ""


ITEM = {"id": "a"}


async def test_advance_runs_the_item_until_it_waits_and_is_idempotent(store):
    workflow = chain("one", "two", "three", two=NeedsReview("draft"))

    for _ in range(3):
        await workflow.advance(ITEM, store)
        assert await states(store) == {"one": "completed", "two": "awaiting_review", "three": "pending"}
    await workflow.approve_review("a", "two", store, by="ana")
    await workflow.advance("a", store)

    assert await states(store) == {"one": "completed", "two": "completed", "three": "completed"}
    assert (await store.get_status("a", "two")).decision.by == "ana"
    assert await workflow.is_complete("a", store)


async def test_advance_of_an_id_needs_an_item_that_was_seen(store):
    with pytest.raises(ItemNotFound):
        await chain("one").advance("a", store)


async def test_advance_refuses_what_is_no_item(store):
    workflow = Workflow("docs", item=Paper)
    workflow.add_stage("one", ScriptedStage([1]))

    with pytest.raises(InvalidItem, match="path"):
        await workflow.advance({"id": "a", "path": 7}, store)

    assert await store.list_items() == []


async def test_a_typed_item_reaches_the_stage_as_that_type_also_by_its_id(store):
    stage = ScriptedStage([1, ValueError(), 2], repeat=True)
    workflow = Workflow("docs", item=Paper)
    workflow.add_stage("one", stage)
    workflow.add_stage("two", stage, after=["one"])

    await workflow.advance(Paper("a", "x.pdf"), store)
    await workflow.retry_stage("a", "two", store)
    await workflow.advance("a", store)

    assert stage.items == [Paper("a", "x.pdf")] * 3


async def test_an_item_without_a_type_reaches_the_stage_as_it_was_submitted(store):
    class Anything:
        def __init__(self) -> None:
            self.id = "a"

    stage = ScriptedStage([1])
    workflow = Workflow("docs")
    workflow.add_stage("one", stage)
    item = Anything()

    await workflow.advance(item, store)

    assert stage.items[0] is item


async def test_a_retry_due_at_once_runs_in_the_same_call_and_a_later_one_does_not(store, clock):
    workflow, stage = scripted(ValueError(), ValueError(), "ok", retry=RetryBudget(max_attempts=3))
    await workflow.advance(ITEM, store, clock=clock)
    assert await state(store) is StageState.COMPLETED

    workflow, stage = scripted(ValueError(), "ok", retry=RetryBudget(max_attempts=2, delay=60))
    await workflow.advance({"id": "b"}, store, clock=clock)
    assert (len(stage.calls), await state(store, item_id="b")) == (1, StageState.RETRY_WAIT)
    clock.advance(60)
    await workflow.advance("b", store, clock=clock)

    assert await state(store, item_id="b") is StageState.COMPLETED


async def test_rejecting_fails_the_stage_with_the_reason(store):
    workflow = chain("one", one=NeedsReview())
    await workflow.advance(ITEM, store)

    await workflow.reject_review("a", "one", "wrong title", store, by="ana")

    status = await store.get_status("a", "one")
    assert (status.state, status.error, status.decision.by) == (StageState.FAILED, "wrong title", "ana")


async def test_any_decision_can_be_made(store):
    workflow, _ = scripted(NeedsReview({"n": 1}), NeedsReview({"n": 2}))
    await workflow.advance(ITEM, store)

    await workflow.resolve_review("a", "work", RequestChanges("more"), store, by="ben")
    assert (await store.get_status("a", "work")).decision.by == "ben"
    await workflow.advance("a", store)
    await workflow.resolve_review("a", "work", ApproveWithEdits({"n": 3}, by="ana"), store, by="ben")

    status = await store.get_status("a", "work")
    assert (status.output, status.decision.by) == ({"n": 3}, "ana")


async def test_subtasks_are_decided_and_retried_by_name(store):
    calls: list[str] = []

    async def part(name: str, ctx: Any) -> Any:
        calls.append(name)
        if calls.count(name) == 1 and name == "x":
            raise ValueError("no")
        return NeedsReview(name)

    workflow = fan_out(["x", "y", "z"], part)
    await workflow.advance(ITEM, store)
    await workflow.approve_review("a", "work", store, subtask="y")
    await workflow.reject_review("a", "work", "bad", store, subtask="z")
    await workflow.retry_stage("a", "work", store, subtask="x")
    await workflow.retry_stage("a", "work", store, subtask="z")
    await workflow.advance("a", store)
    await workflow.approve_review("a", "work", store, subtask="x")
    await workflow.resolve_review("a", "work", Reject("still bad"), store, subtask="z")

    assert await state(store) is StageState.FAILED
    assert calls == ["x", "y", "z", "x", "z"] or sorted(calls) == ["x", "x", "y", "z", "z"]


async def test_retrying_runs_only_what_failed(store):
    counts = {"x": 0, "y": 0}

    async def part(name: str, ctx: Any) -> str:
        counts[name] += 1
        if name == "y" and counts["y"] == 1:
            raise ValueError("no")
        return name

    workflow = fan_out(["x", "y"], part)
    await workflow.advance(ITEM, store)
    await workflow.retry_stage("a", "work", store)
    await workflow.advance("a", store)

    assert counts == {"x": 1, "y": 2}
    assert await workflow.is_complete("a", store)


async def test_questions_about_an_unseen_item_treat_it_as_fresh(store):
    workflow = chain("one", "two")

    status = await workflow.status("a", store)

    assert [(entry.name, entry.state) for entry in status.entries] == [("one", StageState.PENDING), ("two", StageState.PENDING)]
    assert status.progress_percent() == 0
    assert await workflow.ready_stages("a", store) == ["one"]
    assert await workflow.is_complete("a", store) is False
    assert await workflow.is_blocked("a", store) is False
    assert await store.list_items() == []


async def test_changes_of_an_unseen_item_are_refused(store):
    workflow = chain("one")

    for change in (
        workflow.approve_review("a", "one", store),
        workflow.reject_review("a", "one", "no", store),
        workflow.resolve_review("a", "one", Reject("no"), store),
        workflow.retry_stage("a", "one", store),
        store.delete_item("a"),
    ):
        with pytest.raises(ItemNotFound, match="'a'"):
            await change


async def test_ready_stages_are_those_that_could_run_now(store):
    workflow = Workflow("docs")
    workflow.add_stage("one", ScriptedStage([1]))
    workflow.add_stage("aside", ScriptedStage([NeedsReview()]))
    workflow.add_stage("two", ScriptedStage([Failed("no")]), after=["one"])
    workflow.add_stage("both", ScriptedStage([3]), after=["aside", "one"])

    assert await workflow.ready_stages("a", store) == ["one", "aside"]
    await workflow.advance(ITEM, store)
    assert await workflow.ready_stages("a", store) == []
    await workflow.approve_review("a", "aside", store)
    assert await workflow.ready_stages("a", store) == ["both"]
    await workflow.retry_stage("a", "two", store)
    assert await workflow.ready_stages("a", store) == ["two", "both"]


@pytest.mark.parametrize(
    ("answer", "blocked"),
    [
        (1, False),
        (NeedsReview(), True),
        (Failed("no"), True),
        (FanOut([]), False),
    ],
    ids=["complete", "review", "failed", "empty"],
)
async def test_blocked_is_not_complete_and_nothing_moves_by_itself(store, answer, blocked):
    workflow = chain("one", "two", one=answer)
    await workflow.advance(ITEM, store)

    assert await workflow.is_blocked("a", store) is blocked


async def test_an_item_that_waits_for_a_retry_is_not_blocked(store, clock):
    workflow, _ = scripted(ValueError(), retry=RetryBudget(max_attempts=2, delay=60))
    await workflow.advance(ITEM, store, clock=clock)

    assert await workflow.is_blocked("a", store) is False


async def test_a_fan_out_whose_open_subtasks_wait_for_people_is_blocked(store):
    workflow = fan_out(["x", "y"], lambda name, ctx: NeedsReview(1) if name == "x" else 1)
    await workflow.advance(ITEM, store)

    assert await workflow.is_blocked("a", store) is True
    await workflow.approve_review("a", "work", store, subtask="x")
    assert await workflow.is_blocked("a", store) is False


async def test_status_after_work(store):
    workflow = chain("one", "two", two=NeedsReview(1))
    await workflow.advance(ITEM, store)

    status = await workflow.status("a", store)

    assert status.progress_percent() == 50
    assert status.review_stages() == ["two"]


async def test_what_cannot_be_decided_is_refused(store):
    workflow = chain("one")
    await workflow.advance(ITEM, store)

    with pytest.raises(InvalidTransition, match="nothing to decide"):
        await workflow.approve_review("a", "one", store)


async def test_a_subscriber_hears_what_advance_does(store):
    workflow = chain("one", one=NeedsReview())
    heard = workflow.subscribe()

    await workflow.advance(ITEM, store)
    await workflow.approve_review("a", "one", store)

    names = [type(event).__name__ for event in await collect_events(heard, until=6)]
    assert names == ["ItemAdded", "StageStarted", "ReviewRequired", "ReviewResolved", "StageCompleted", "WorkflowCompleted"]


async def test_several_items_may_be_advanced_at_the_same_time(store):
    workflow, stage = scripted(1, repeat=True)

    await asyncio.gather(*(workflow.advance({"id": str(number)}, store) for number in range(10)))
    await asyncio.gather(*(workflow.advance({"id": "0"}, store) for _ in range(5)))

    assert len(stage.calls) == 10
    assert sorted(await store.query_items("work", StageState.COMPLETED)) == [str(number) for number in range(10)]


async def test_two_calls_that_advance_the_same_item_run_nothing_twice(store):
    calls: list[str] = []

    async def slow(item: Any, ctx: Any) -> None:
        calls.append(item["id"])
        for _ in range(10):
            await asyncio.sleep(0)

    workflow, _ = scripted(slow, repeat=True)

    await asyncio.wait_for(asyncio.gather(*(workflow.advance(ITEM, store) for _ in range(4))), 20)

    assert calls == ["a"]
