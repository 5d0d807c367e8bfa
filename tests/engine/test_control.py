"""Pausing, resuming, calling off, running again, holding a stage, running one by hand; several workflows; what is waiting and why."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from treadle_tui.engine import (
    Approve,
    DuplicateStage,
    Engine,
    Failed,
    InvalidDefinition,
    InvalidTransition,
    ItemCancelled,
    ItemNotFound,
    ItemPaused,
    ItemResumed,
    ItemState,
    NeedsReview,
    RetryBudget,
    ReviewPolicy,
    Skipped,
    StageHeld,
    StageNotFound,
    StageReleased,
    StageRetried,
    StageState,
    TreadleError,
    Workflow,
    WorkflowCompleted,
)
from treadle_tui.engine.testing import ScriptedStage, collect_events

from .workflows import chain, fan_out, names_told, ran, scripted, state, states, submitted, told, until


class Hanging:
    """A stage that hangs until it is let go, or interrupted."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.interrupted = 0
        self.saw_cancelled = False

    async def __call__(self, item: Any, ctx: Any) -> str:
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.interrupted += 1
            self.saw_cancelled = ctx.cancelled
            raise
        return "done"


def hanging(*behind: str) -> tuple[Workflow, Hanging]:
    """A stage `work` that hangs, and others behind it."""
    stage = Hanging()
    return chain("work", *behind, work=ScriptedStage([stage], repeat=True)), stage


# --- pause --------------------------------------------------------------------------------------------------------------------


async def test_a_paused_item_finishes_what_runs_and_starts_nothing_new(store, start):
    workflow, stage = hanging("after")
    engine = await start(workflow)
    await submitted(engine, "a")
    drive = asyncio.create_task(engine.run_until_idle())
    await stage.begun.wait()

    await engine.pause("a")
    stage.go.set()
    await asyncio.wait_for(drive, 10)

    assert await states(store) == {"work": "completed", "after": "pending"}
    assert (await store.get_item("a")).state is ItemState.PAUSED
    await engine.resume("a")
    await engine.run_until_idle()
    assert await states(store) == {"work": "completed", "after": "completed"}
    assert [type(event) for event in await told(store, ItemPaused, ItemResumed)] == [ItemPaused, ItemResumed]


async def test_pausing_twice_and_resuming_twice_is_doing_it_once(store, start):
    engine = await start(scripted(1)[0])
    await submitted(engine, "a")

    for _ in range(2):
        await engine.pause("a")
    for _ in range(2):
        await engine.resume("a")
    await engine.run_until_idle()

    assert [type(event) for event in await told(store, ItemPaused, ItemResumed)] == [ItemPaused, ItemResumed]
    assert await state(store) is StageState.COMPLETED


async def test_a_retry_of_a_paused_item_waits_for_the_resume(store, start, clock):
    workflow, stage = scripted(ValueError(), "ok", retry=RetryBudget(max_attempts=2, delay=60))
    engine = await start(workflow)
    await submitted(engine, "a")
    await engine.advance("a")
    await engine.pause("a")
    clock.advance(60)
    await engine.run_until_idle()
    assert (len(stage.calls), await state(store)) == (1, StageState.RETRY_WAIT)

    await engine.resume("a")
    await engine.run_until_idle()

    assert await state(store) is StageState.COMPLETED


async def test_a_paused_item_stays_paused_for_the_next_engine(store, start):
    first = await start(scripted(1)[0])
    await submitted(first, "a")
    await first.pause("a")
    await first.close()

    second = await start(scripted(1)[0])
    await second.run_until_idle()
    assert await state(store) is StageState.PENDING
    await second.resume("a")
    await second.run_until_idle()

    assert await state(store) is StageState.COMPLETED


async def test_a_paused_item_does_not_run_by_hand_either(store, start):
    engine = await start(scripted(1)[0])
    await submitted(engine, "a")
    await engine.pause("a")

    with pytest.raises(InvalidTransition, match="paused"):
        await engine.run_stage("a", "work")


# --- cancel -------------------------------------------------------------------------------------------------------------------


async def test_cancelling_interrupts_what_runs_and_keeps_what_is_finished(store, start):
    stage = Hanging()
    engine = await start(chain("done", "work", "after", work=ScriptedStage([stage])))
    await submitted(engine, "a")
    drive = asyncio.create_task(engine.run_until_idle())
    await stage.begun.wait()

    await engine.cancel("a", by="ana")
    await asyncio.wait_for(drive, 10)

    assert await states(store) == {"done": "completed", "work": "cancelled", "after": "cancelled"}
    assert (stage.interrupted, stage.saw_cancelled) == (1, True)
    assert [event.by for event in await told(store, ItemCancelled)] == ["ana"]
    assert await told(store, WorkflowCompleted) == []
    assert [attempt.outcome for attempt in await store.get_attempts("a", "work")] == ["interrupted"]


async def test_failed_and_skipped_stages_stay_what_they_are_when_an_item_is_cancelled(store, start):
    workflow = Workflow("docs")
    workflow.add_stage("failed", ScriptedStage([Failed("no")]))
    workflow.add_stage("skipped", ScriptedStage([Skipped()]))
    workflow.add_stage("reviewed", ScriptedStage([NeedsReview()]))
    workflow.add_stage("waits", ScriptedStage([]), after=["reviewed"])
    engine = await start(workflow)
    await ran(engine)

    await engine.cancel("a")

    assert await states(store) == {"failed": "failed", "skipped": "skipped", "reviewed": "cancelled", "waits": "cancelled"}


async def test_cancelling_twice_is_cancelling_once(store, start):
    engine = await start(chain("one", "two"))
    await submitted(engine, "a")

    await engine.cancel("a")
    await engine.cancel("a")

    assert len(await told(store, ItemCancelled)) == 1


async def test_a_late_result_of_a_cancelled_attempt_changes_nothing(store, start):
    """A plain function cannot be interrupted; what it returns is dropped."""
    import threading

    begun, go = threading.Event(), threading.Event()
    workflow = Workflow("docs")

    @workflow.stage
    def work() -> str:
        begun.set()
        go.wait(10)
        return "too late"

    engine = await start(workflow)
    await submitted(engine, "a")
    drive = asyncio.create_task(engine.run_until_idle())
    await asyncio.to_thread(begun.wait, 10)
    await engine.cancel("a")
    await asyncio.wait_for(drive, 10)
    go.set()

    assert await state(store) is StageState.CANCELLED


async def test_a_cancelled_stage_can_be_retried_with_what_is_behind_it(store, start):
    engine = await start(chain("one", "two", one=NeedsReview(1)))
    await ran(engine)
    await engine.cancel("a")

    await engine.retry_stage("a", "one")
    assert (await store.get_item("a")).state is ItemState.ACTIVE
    await engine.run_until_idle()
    await engine.resolve_review("a", "one", Approve())
    await engine.run_until_idle()
    assert await states(store) == {"one": "completed", "two": "cancelled"}
    await engine.retry_stage("a", "two")
    await engine.run_until_idle()

    assert (await store.get_item("a")).state is ItemState.COMPLETED
    assert len(await told(store, WorkflowCompleted)) == 1


async def test_retrying_what_is_behind_first_waits_for_what_is_before(store, start):
    engine = await start(chain("one", "two"))
    await submitted(engine, "a")
    await engine.cancel("a")

    await engine.retry_stage("a", "two")
    await engine.run_until_idle()
    assert await states(store) == {"one": "cancelled", "two": "pending"}
    await engine.retry_stage("a", "one")
    await engine.run_until_idle()

    assert await states(store) == {"one": "completed", "two": "completed"}


# --- retry and rerun ----------------------------------------------------------------------------------------------------------


async def test_a_retry_gives_the_budget_anew_and_numbers_and_keys_go_on(store, start):
    workflow, stage = scripted(ValueError(), repeat=True, retry=RetryBudget(max_attempts=2))
    engine = await start(workflow)
    await ran(engine)

    await engine.retry_stage("a", "work", by="ana")
    status = await store.get_status("a", "work")
    assert (status.state, status.error, status.decision) == (StageState.PENDING, None, None)
    await engine.run_until_idle()

    assert [(context.attempt, context.max_attempts) for context in stage.contexts] == [(1, 2), (2, 2), (3, 4), (4, 4)]
    assert len({context.idempotency_key for context in stage.contexts}) == 4
    assert [event.by for event in await told(store, StageRetried)] == ["ana"]


async def test_many_stages_are_retried_in_one_transaction_with_a_result_per_line(store, start):
    workflow, _ = scripted(lambda item, ctx: 1 / 0 if item["id"] != "b" else 1, repeat=True)
    engine = await start(workflow)
    await ran(engine, "a", "b", "c")

    results = await engine.retry_stages([("a", "work"), ("b", "work"), ("?", "work"), ("c", "work", None)], by="ana")

    assert results[0] is None
    assert [type(result) for result in results[1:3]] == [InvalidTransition, ItemNotFound]
    assert results[3] is None
    assert [await state(store, item_id=id) for id in "abc"] == [StageState.PENDING, StageState.COMPLETED, StageState.PENDING]


async def test_running_a_stage_again_sends_it_and_all_behind_it_back(store, start):
    workflow = Workflow("docs")
    for name, after in (("one", []), ("two", ["one"]), ("aside", ["one"]), ("three", ["two"]), ("other", [])):
        workflow.add_stage(name, ScriptedStage([name, name + " again"], repeat=True), after=after)
    engine = await start(workflow)
    await ran(engine)

    await engine.rerun_stage("a", "two", by="ana")

    assert await states(store) == {"one": "completed", "other": "completed", "two": "pending", "aside": "completed", "three": "pending"}
    assert [(event.stage, event.by) for event in await told(store, StageRetried)] == [("two", "ana"), ("three", "ana")]
    await engine.run_until_idle()
    assert (await store.get_status("a", "three")).output == "three again"
    assert (await store.get_status("a", "aside")).output == "aside"
    assert len(await told(store, WorkflowCompleted)) == 2


async def test_running_again_interrupts_what_runs_behind(store, start):
    workflow, stage = hanging()
    workflow = Workflow("docs")
    workflow.add_stage("first", ScriptedStage(["first"], repeat=True))
    workflow.add_stage("work", ScriptedStage([stage, "second time"]), after=["first"])
    engine = await start(workflow)
    await submitted(engine, "a")
    drive = asyncio.create_task(engine.run_until_idle())
    await stage.begun.wait()

    await engine.rerun_stage("a", "first")
    await asyncio.wait_for(drive, 10)

    assert stage.interrupted == 1
    assert await states(store) == {"first": "completed", "work": "completed"}
    assert (await store.get_status("a", "work")).output == "second time"
    numbers = [attempt.number for attempt in await store.get_attempts("a", "work")]
    assert len(set(numbers)) == len(numbers)


async def test_running_again_takes_back_waiting_reviews_behind(store, start):
    engine = await start(chain("one", "two", two=NeedsReview(1)))
    await ran(engine)

    await engine.rerun_stage("a", "one")

    assert await engine.pending_reviews() == []
    await engine.run_until_idle()
    assert await states(store) == {"one": "completed", "two": "awaiting_review"}


async def test_a_skipped_stage_can_be_run_again(store, start):
    engine = await start(scripted(Skipped(), "now")[0])
    await ran(engine)

    await engine.rerun_stage("a", "work")
    await engine.run_until_idle()

    assert (await store.get_status("a", "work")).output == "now"


# --- holding a stage ----------------------------------------------------------------------------------------------------------


async def test_a_held_stage_starts_for_no_item_until_it_is_released(store, start):
    engine = await start(chain("one", "two"))
    await engine.pause_stage("docs", "two")

    await ran(engine, "a", "b")
    assert [await states(store, id) for id in "ab"] == [{"one": "completed", "two": "pending"}] * 2
    await engine.resume_stage("docs", "two")
    await engine.run_until_idle()

    assert [await states(store, id) for id in "ab"] == [{"one": "completed", "two": "completed"}] * 2
    held, released = await told(store, StageHeld, StageReleased)
    assert (held.workflow, held.stage, held.when, released.stage) == ("docs", "two", None, "two")


async def test_a_hold_with_a_condition_stops_only_the_items_it_matches(store, start):
    engine = await start(scripted(1, repeat=True)[0])
    await engine.pause_stage("docs", "work", when="item.pages > 100 and item.kind in ['thesis', 'book']")
    await engine.submit(
        "docs",
        [
            {"id": "long", "pages": 200, "kind": "thesis"},
            {"id": "short", "pages": 2, "kind": "thesis"},
            {"id": "other", "pages": 200, "kind": "poem"},
            {"id": "unknown"},
            {"id": "odd", "pages": "many", "kind": "book"},
        ],
    )

    await engine.run_until_idle()

    assert await store.query_items("work", StageState.PENDING) == ["long"]
    assert [event.when for event in await told(store, StageHeld)] == ["item.pages > 100 and item.kind in ['thesis', 'book']"]
    await engine.resume_stage("docs", "work")
    await engine.run_until_idle()
    assert await store.query_items("work", StageState.PENDING) == []


@pytest.mark.parametrize("when", ["item.pages >", "import os", "__import__('os')", "item.pages + 1 > 2", ""])
async def test_a_condition_that_is_none_is_refused(store, start, when):
    engine = await start(scripted(1)[0])

    with pytest.raises(InvalidDefinition, match="condition"):
        await engine.pause_stage("docs", "work", when=when)

    assert await store.holds() == {}


async def test_a_new_hold_replaces_an_older_one(store, start):
    engine = await start(scripted(1, repeat=True)[0])
    await engine.pause_stage("docs", "work", when="item.n == 1")
    await engine.submit("docs", [{"id": "a", "n": 1}, {"id": "b", "n": 2}])
    await engine.run_until_idle()
    assert await store.query_items("work", StageState.PENDING) == ["a"]

    await engine.pause_stage("docs", "work", when="item.n == 3")
    await engine.submit("docs", [{"id": "c", "n": 3}])
    await engine.run_until_idle()

    assert await store.query_items("work", StageState.PENDING) == ["c"]


async def test_a_hold_survives_its_engine_and_is_obeyed_by_every_other(store, start):
    first = await start(scripted(1)[0])
    await first.pause_stage("docs", "work")
    await submitted(first, "a")
    await first.close()

    second = await start(scripted(1)[0])
    await second.run_until_idle()
    assert await state(store) is StageState.PENDING
    await second.resume_stage("docs", "work")
    await second.run_until_idle()

    assert await state(store) is StageState.COMPLETED


async def test_a_held_stage_can_be_run_by_hand(store, start):
    engine = await start(scripted(1, repeat=True)[0])
    await engine.pause_stage("docs", "work", when="item.id == 'a'")
    await ran(engine, "a")
    assert await state(store) is StageState.PENDING

    assert await engine.run_stage("a", "work") is StageState.COMPLETED


async def test_a_released_stage_that_is_not_held_changes_nothing(store, start):
    engine = await start(scripted(1)[0])

    await engine.resume_stage("docs", "work")
    await engine.pause_stage("docs", "work")
    await engine.pause_stage("docs", "work")

    assert len(await told(store, StageHeld, StageReleased)) == 1


async def test_holding_what_nobody_knows_is_refused(store, start):
    engine = await start(scripted(1)[0])

    with pytest.raises(StageNotFound, match="did you mean 'work'"):
        await engine.pause_stage("docs", "wrok")
    with pytest.raises(InvalidDefinition, match="did you mean 'docs'"):
        await engine.pause_stage("dosc", "work")


async def test_a_held_retry_waits_for_the_release(store, start, clock):
    workflow, stage = scripted(ValueError(), "ok", retry=RetryBudget(max_attempts=2, delay=60))
    engine = await start(workflow)
    await submitted(engine, "a")
    await engine.advance("a")
    await engine.pause_stage("docs", "work")
    clock.advance(60)
    await engine.run_until_idle()
    assert len(stage.calls) == 1

    await engine.resume_stage("docs", "work")
    await engine.run_until_idle()

    assert await state(store) is StageState.COMPLETED


async def test_a_held_and_paused_item_needs_both_to_end(store, start):
    engine = await start(scripted(1)[0])
    await engine.pause_stage("docs", "work", when="item.id == 'a'")
    await ran(engine, "a")
    await engine.pause("a")
    await engine.resume_stage("docs", "work")
    await engine.run_until_idle()
    assert await state(store) is StageState.PENDING

    await engine.resume("a")
    await engine.run_until_idle()

    assert await state(store) is StageState.COMPLETED


# --- one stage by hand, one item at a time --------------------------------------------------------------------------------------


async def test_running_one_stage_by_hand_runs_only_that_one(store, start):
    engine = await start(chain("one", "two"))
    await submitted(engine, "a", "b")

    assert await engine.run_stage("a", "one") is StageState.COMPLETED

    assert [await states(store, id) for id in "ab"] == [{"one": "completed", "two": "pending"}, {"one": "pending", "two": "pending"}]


async def test_a_stage_that_is_not_ready_says_what_it_waits_for(store, start):
    engine = await start(chain("one", "two"))
    await submitted(engine, "a")

    with pytest.raises(InvalidTransition, match="waits for one, which is pending"):
        await engine.run_stage("a", "two")
    with pytest.raises(ItemNotFound):
        await engine.run_stage("?", "one")
    with pytest.raises(StageNotFound):
        await engine.run_stage("a", "?")


async def test_advance_runs_one_item_only(store, start):
    engine = await start(chain("one", "two"))
    await submitted(engine, "a", "b")

    await engine.advance("a")

    assert [await states(store, id) for id in "ab"] == [{"one": "completed", "two": "completed"}, {"one": "pending", "two": "pending"}]
    with pytest.raises(ItemNotFound):
        await engine.advance("?")


async def test_an_engine_that_runs_for_ever_takes_up_what_comes_later(store, start):
    workflow, _ = scripted(1, repeat=True)
    engine = await start(workflow)
    drive = asyncio.create_task(engine.run_forever())
    for item_id in "abc":
        await submitted(engine, item_id)
        await collect_events(engine.events(), until=lambda event, id=item_id: isinstance(event, WorkflowCompleted) and event.item_id == id)

    drive.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drive


async def test_an_engine_that_is_stopped_hands_its_work_back_and_counts_no_interruption(store, start):
    workflow, stage = hanging()
    for _ in range(4):
        stage.begun.clear()
        engine = await start(workflow)
        await submitted(engine, "a")
        drive = asyncio.create_task(engine.run_forever())
        await stage.begun.wait()
        drive.cancel()
        await asyncio.wait({drive})
        assert await state(store) is StageState.PENDING
        await engine.close()

    assert stage.interrupted == 4
    assert (await store.get_status("a", "work")).attempt == 1
    assert "StageFailed" not in await names_told(store)


async def test_nothing_runs_outside_run_and_advance(store, start):
    workflow, stage = scripted(1)
    engine = await start(workflow)
    await submitted(engine, "a")

    for _ in range(20):
        await asyncio.sleep(0)

    assert stage.calls == []


async def test_an_engine_that_is_not_open_says_so(store):
    engine = Engine(store, [scripted(1)[0]])

    with pytest.raises(TreadleError, match="not open"):
        await engine.run_until_idle()
    with pytest.raises(TreadleError, match="not open"):
        await engine.submit("docs", [{"id": "a"}])


async def test_closing_an_engine_twice_is_closing_it_once(store, start):
    engine = await start(scripted(1)[0])

    await engine.close()
    await engine.close()


async def test_two_drives_of_one_engine_run_nothing_twice(store, start):
    workflow, stage = scripted(1, repeat=True)
    engine = await start(workflow)
    await submitted(engine, *(str(number) for number in range(20)))

    await asyncio.gather(engine.run_until_idle(), engine.run_until_idle(), engine.advance("3"))

    assert len(stage.calls) == 20


# --- several workflows --------------------------------------------------------------------------------------------------------


async def test_several_workflows_share_a_database(store, start):
    one, two = chain("work"), Workflow("other")
    two.add_stage("work", ScriptedStage(["other's work"], repeat=True))
    two.add_stage("more", ScriptedStage([NeedsReview()], repeat=True), after=["work"])
    engine = await start(one, two)
    await engine.submit(one, [{"id": "a"}])
    await engine.submit("other", [{"id": "b"}])

    await engine.run_until_idle()

    assert await states(store, "a") == {"work": "completed"}
    assert await states(store, "b") == {"work": "completed", "more": "awaiting_review"}
    assert await engine.summary() == {
        "docs": {"work": {StageState.COMPLETED: 1}},
        "other": {"work": {StageState.COMPLETED: 1}, "more": {StageState.AWAITING_REVIEW: 1}},
    }


async def test_an_engine_leaves_the_work_of_other_workflows_alone(store, start):
    one, two = chain("work"), Workflow("other")
    two.add_stage("work", ScriptedStage(["other"], repeat=True))
    both = await start(one, two)
    await both.submit("other", [{"id": "b"}])
    await both.close()

    only = await start(chain("work"))
    await ran(only, "a")

    assert await states(store, "b") == {"work": "pending"}
    await only.cancel("b")
    assert await states(store, "b") == {"work": "cancelled"}


async def test_two_workflows_of_one_name_are_refused(store):
    with pytest.raises(DuplicateStage, match="docs"):
        Engine(store, [chain("one"), chain("two")])


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, True, None, "3"])
async def test_an_impossible_concurrency_is_refused(store, concurrency):
    with pytest.raises(InvalidDefinition, match="concurrency"):
        Engine(store, [], concurrency=concurrency)


async def test_an_engine_may_run_no_workflow_at_all(store, start):
    engine = await start()

    await engine.run_until_idle()

    assert await engine.summary() == {}


# --- what a person is told ----------------------------------------------------------------------------------------------------


async def test_the_status_of_an_item_has_all_its_stages_in_order(store, start):
    engine = await start(chain("one", "two", "three", "four", two=Skipped("nothing"), three=NeedsReview(1, summary="look")))
    await ran(engine)

    status = await engine.status("a")

    assert [(entry.name, entry.state.value) for entry in status.entries] == [
        ("one", "completed"),
        ("two", "skipped"),
        ("three", "awaiting_review"),
        ("four", "pending"),
    ]
    assert status.progress_percent() == 50.0
    assert (status.item_id, status.workflow) == ("a", "docs")
    assert (status.is_complete(), status.has_failures(), status.has_pending_reviews()) == (False, False, True)
    assert (status.failed_stages(), status.running_stages(), status.review_stages()) == ([], [], ["three"])
    assert str(status).splitlines()[0] == "a: 50 %"
    assert "three  awaiting review: look" in str(status)
    with pytest.raises(ItemNotFound):
        await engine.status("?")


async def test_the_status_of_a_failed_item_names_what_failed(store, start):
    engine = await start(fan_out(["x", "y"], lambda name, ctx: 1 / 0 if name == "x" else 1))
    await ran(engine)

    status = await engine.status("a")

    assert (status.has_failures(), status.failed_stages(), status.progress_percent()) == (True, ["work"], 0.0)
    assert "x  ZeroDivisionError: division by zero" in str(status)


async def test_explain_says_for_every_state_why_and_what_would_move_it(store, start, clock):
    workflow = Workflow("docs")
    stage = Hanging()
    workflow.add_stage("done", ScriptedStage([1]))
    workflow.add_stage("skipped", ScriptedStage([Skipped("no pages")]))
    workflow.add_stage("running", ScriptedStage([stage]))
    workflow.add_stage("retrying", ScriptedStage([ValueError("busy")]), retry=RetryBudget(max_attempts=2, delay=120))
    workflow.add_stage("failed", ScriptedStage([Failed("no such file")]))
    workflow.add_stage("reviewed", ScriptedStage([NeedsReview(1, summary="a draft")]), review=ReviewPolicy("never", group="editors"))
    workflow.add_stage("behind", ScriptedStage([]), after=["reviewed", "failed"])
    workflow.add_stage("last", ScriptedStage([]), after=["behind"])
    engine = await start(workflow)
    await submitted(engine, "a")
    drive = asyncio.create_task(engine.run_until_idle())
    await stage.begun.wait()
    await clock.until_sleeping()
    clock.advance(60)

    explained = {name: str(explanation) for name, explanation in (await engine.explain("a")).items()}

    assert explained["done"] == "done is completed."
    assert explained["skipped"] == "skipped is skipped: no pages."
    assert explained["running"] == "running is running: attempt 1 of 1 began 60 s ago."
    assert explained["retrying"] == ("retrying is retry wait: attempt 1 of 2 failed: ValueError: busy; the next attempt is due in 60 s.")
    assert explained["failed"] == "failed is failed: no such file. retry stage 'failed'."
    assert explained["reviewed"].startswith("reviewed is awaiting review: group 'editors' must decide, asked 60 s ago")
    assert explained["reviewed"].endswith("approve, edit, request changes or reject.")
    last = (await engine.explain("a"))["last"]
    assert last.reasons[:2] == ["waits for behind, which is pending", "waits for reviewed, which is awaiting review"]
    assert "waits for failed, which is failed" in last.reasons
    assert "no such file" in last.reasons
    assert last.action == "approve, edit, request changes or reject"
    drive.cancel()
    await asyncio.wait({drive})


async def test_explain_names_pauses_holds_cancellations_and_requested_changes(store, start):
    from treadle_tui.engine import RequestChanges

    engine = await start(chain("one", "two", one=NeedsReview(1)))
    await submitted(engine, "a", pages=500)

    async def reasons(stage: str = "one") -> tuple[str, str]:
        explanation = (await engine.explain("a"))[stage]
        return "; ".join(explanation.reasons), explanation.action

    assert await reasons() == ("it is ready and waits for a free place in an engine that runs", "")
    await engine.pause("a")
    assert await reasons() == ("item 'a' is paused", "resume the item")
    await engine.resume("a")
    await engine.pause_stage("docs", "one", when="item.pages > 100")
    await engine.run_until_idle()
    assert await reasons() == ("the stage is held for items with item.pages > 100", "resume stage 'one', or run it by hand")
    await engine.pause_stage("docs", "one")
    assert await reasons() == ("the stage is held", "resume stage 'one', or run it by hand")
    await engine.resume_stage("docs", "one")
    await engine.run_until_idle()
    await engine.resolve_review("a", "one", RequestChanges("more", by="ana"))
    assert await reasons() == ("changes were requested by ana; it is ready", "")
    await engine.cancel("a")
    assert await reasons() == ("a person called it off", "retry stage 'one'")
    with pytest.raises(ItemNotFound):
        await engine.explain("?")


async def test_explain_names_the_subtasks_a_person_must_decide(store, start):
    engine = await start(fan_out(["x", "y"], lambda name, ctx: NeedsReview(1) if name == "x" else 1))
    await ran(engine)

    explanation = (await engine.explain("a"))["work"]

    assert "1 of 2 subtasks have ended" in explanation.reasons
    assert "a person must decide on x" in explanation.reasons
    assert explanation.action == "decide on the subtask"


async def test_deleting_an_item_interrupts_what_runs(store, start):
    workflow, stage = hanging()
    engine = await start(workflow)
    await submitted(engine, "a")
    drive = asyncio.create_task(engine.run_until_idle())
    await stage.begun.wait()

    await engine.delete_item("a")
    await asyncio.wait_for(drive, 10)

    assert stage.interrupted == 1
    assert await store.list_items() == []
    await until(lambda: engine.running == 0)
