"""Holding a stage: breakpoints, for every item or for those a condition matches."""

from __future__ import annotations

import pytest

from treadle_tui.engine import (
    InvalidDefinition,
    RetryBudget,
    StageHeld,
    StageNotFound,
    StageReleased,
    StageState,
    Workflow,
)

from .workflows import chain, ran, scripted, state, states, submitted, told


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


async def test_what_a_hold_stops_lets_nobody_pass_before_those_behind_it(store, start):
    began = []

    async def work(item, ctx):
        began.append(item["id"])

    papers, notes = Workflow("papers"), Workflow("notes")
    papers.add_stage("work", work)
    notes.add_stage("work", work)
    engine = await start(papers, notes, concurrency=1)
    await engine.pause_stage("papers", "work", when="item.pages > 100")
    await engine.submit("papers", [{"id": "long", "pages": 200}], priority=2)
    await engine.submit("papers", [{"id": "short", "pages": 2}], priority=1)
    await engine.submit("notes", [{"id": "note"}], priority=0)

    await engine.run_until_idle()

    assert began == ["short", "note"]


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
