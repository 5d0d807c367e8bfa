"""What an engine runs and when it ends: one stage by hand, one item, all of them, several workflows."""

from __future__ import annotations

import asyncio

import pytest

from treadle_tui.engine import (
    DuplicateStage,
    Engine,
    InvalidDefinition,
    InvalidTransition,
    ItemNotFound,
    NeedsReview,
    StageNotFound,
    StageState,
    TreadleError,
    Workflow,
    WorkflowCompleted,
)
from treadle_tui.engine.testing import ScriptedStage, collect_events

from .workflows import chain, hanging, names_told, ran, scripted, state, states, submitted

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

    assert await store.list_items() == []  # the store is its owner's: still open
    with pytest.raises(TreadleError, match="not open"):
        await engine.run_until_idle()


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
