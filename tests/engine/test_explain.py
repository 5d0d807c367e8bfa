"""What a person is told of an item: its status, and for every stage why it is where it is."""

from __future__ import annotations

import asyncio

import pytest

from treadle_tui.engine import (
    Failed,
    ItemNotFound,
    NeedsReview,
    RetryBudget,
    ReviewPolicy,
    Skipped,
    Workflow,
)
from treadle_tui.engine.testing import ScriptedStage

from .workflows import Hanging, chain, fan_out, hanging, ran, scripted, submitted, until


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
    assert explained["failed"] == "failed is failed: no such file. To move it: retry stage 'failed'."
    assert explained["reviewed"].startswith("reviewed is awaiting review: group 'editors' must decide, asked 60 s ago")
    assert explained["reviewed"].endswith("asked 60 s ago; a draft. To move it: approve, edit, request changes or reject.")
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


async def test_explain_says_what_stops_a_retry_or_a_fan_out_that_goes_on(store, start, clock):
    workflow = fan_out(["x", "y"], lambda name, ctx: 1)
    workflow.add_stage("later", ScriptedStage([ValueError("busy")]), retry=RetryBudget(max_attempts=2, delay=60))
    engine = await start(workflow)
    await submitted(engine, "a")
    for stage in ("work", "later"):
        await engine.run_stage("a", stage)
    await engine.pause("a")

    explained = await engine.explain("a")
    assert [(each.reasons[-1], each.action) for each in explained.values()] == [("item 'a' is paused", "resume the item")] * 2

    await engine.resume("a")
    for stage in ("work", "later"):
        await engine.pause_stage("docs", stage)
    explained = await engine.explain("a")
    assert [(each.reasons[-1], each.action) for each in explained.values()] == [
        ("the stage is held", f"resume stage {stage!r}, or run it by hand") for stage in ("work", "later")
    ]


async def test_explain_says_that_a_workflow_is_not_loaded(store, start):
    first = await start(scripted(1)[0])
    await submitted(first, "a")
    await first.close()

    explanation = (await (await start()).explain("a"))["work"]

    assert "not loaded" in str(explanation)
    assert explanation.action == "open the database with that workflow"


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
