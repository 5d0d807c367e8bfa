"""What is dropped to keep a database small, and what stays true all the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.engine.conftest import Start
from tests.engine.test_random_programs import Programs
from tests.engine.workflows import chain, fan_out, ran, states, submitted, told
from treadle_tui.engine import (
    ApproveWithEdits,
    Engine,
    Lagged,
    NeedsReview,
    Retry,
    RetryBudget,
    ReviewData,
    SqliteStateStore,
    StageState,
    Workflow,
)
from treadle_tui.engine.errors import InvalidDefinition, InvalidTransition
from treadle_tui.engine.events import Event, ItemDeleted
from treadle_tui.engine.retention import Retention, Tidied
from treadle_tui.engine.store.sqlite.examining import examine
from treadle_tui.engine.testing import ManualClock, ScriptedStage, disagreements

DAY = 24 * 3600.0


async def seqs(store: Any, since: int = 0, item_id: str | None = None) -> list[int | str]:
    """The events that are told, with a lag as text."""
    return [f"{event.missed} missed" if isinstance(event, Lagged) else event.seq async for event in store.events(since, item_id)]


async def test_nothing_is_dropped_unless_somebody_says_so(start: Start, store: Any, clock: ManualClock) -> None:
    engine = await start(chain("read", "print"))
    await ran(engine)
    before = await told(store)
    clock.advance(1000 * DAY)

    assert (await engine.tidy()).is_nothing
    assert await told(store) == before


async def test_events_are_dropped_by_age_and_folding_begins_where_they_end(start: Start, store: Any, clock: ManualClock) -> None:
    engine = await start(chain("read", "print"))
    await ran(engine, "a")
    clock.advance(2 * DAY)
    await ran(engine, "b")
    last_of_a = max(event.seq for event in await told(store, item_id="a"))

    await engine.set_retention(Retention(events_days=1))
    tidied = await engine.tidy()

    assert tidied == Tidied(events=6)
    assert await seqs(store) == ["6 missed", *range(last_of_a + 1, last_of_a + 7)]
    assert await seqs(store, item_id="a") == ["6 missed"]
    assert await seqs(store, item_id="b") == list(range(last_of_a + 1, last_of_a + 7))
    assert [baseline.stages async for baseline in store.baselines()] == [dict.fromkeys(("read", "print"), StageState.COMPLETED)]
    assert await disagreements(store) == []


async def test_events_are_dropped_by_count_for_each_workflow(start: Start, store: Any) -> None:
    other = Workflow("other")
    other.add_stage("only", lambda: 1)
    engine = await start(chain("read"), other)
    await engine.submit("other", [{"id": "x"}])
    await ran(engine, "a", "b", "c")
    before = await told(store)

    await engine.set_retention(Retention(events_count=2), "docs")
    await engine.tidy()

    kept = [event for event in await told(store) if isinstance(event, Event)]
    assert kept == [event for event in before if event.workflow == "other" or event in [e for e in before if e.workflow == "docs"][-2:]]
    assert await disagreements(store) == []


async def test_a_cursor_behind_what_was_dropped_is_told_how_many_are_missing_and_one_beyond_is_not(start: Start, store: Any) -> None:
    engine = await start(chain("read"))
    await ran(engine, "a", "b")
    last = await store.last_seq()
    await engine.set_retention(Retention(events_count=3))
    await engine.tidy()

    assert await seqs(store, 1) == [f"{last - 4} missed", last - 2, last - 1, last]
    assert await seqs(store, last - 3) == [last - 2, last - 1, last]
    assert await seqs(store, last) == []


async def test_who_follows_is_told_once_of_what_is_missing(start: Start, store: Any) -> None:
    engine = await start(chain("read"))
    await ran(engine, "a")
    await engine.set_retention(Retention(events_count=0))
    await engine.tidy()
    found: list[Any] = []

    async def follow() -> None:
        async for event in engine.events(since=0):
            found.append(event)

    following = asyncio.create_task(follow())
    await asyncio.sleep(0.01)
    await submitted(engine, "b")
    async with asyncio.timeout(10):
        while len(found) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    following.cancel()

    assert [type(each).__name__ for each in found] == ["Lagged", "ItemAdded"]


async def test_the_past_of_an_item_begins_with_its_baseline(start: Start, store: Any, clock: ManualClock) -> None:
    engine = await start(chain("read", "check", check=NeedsReview(1, ReviewData("look"))))
    await ran(engine)
    clock.advance(DAY)
    await engine.set_retention(Retention(events_count=0))
    await engine.tidy()
    seq = await store.last_seq()
    await engine.cancel("a", by="ana")

    (then,), (now,) = await store.page_at(seq), await store.page()
    assert {name: cell.state.value for name, cell in then.cells.items()} == {"read": "completed", "check": "awaiting_review"}
    assert then.cells["check"].attempt == 1
    assert now.cells["check"].state is StageState.CANCELLED


async def test_a_fan_out_that_is_under_way_outlives_its_first_events(start: Start, store: Any) -> None:
    waits = {"two"}

    async def part(name: str, ctx: Any) -> str:
        if name in waits:
            return Retry("later", after=100)  # type: ignore[return-value]
        return name

    engine = await start(fan_out(["one", "two"], part, each={"retry": RetryBudget(max_attempts=5)}))
    await submitted(engine, "a")
    await engine.advance("a")
    await engine.set_retention(Retention(events_count=0))
    assert (await engine.tidy()).events > 4

    (baseline,) = [baseline async for baseline in store.baselines()]
    assert baseline.subtasks == {"work": {"one": StageState.COMPLETED, "two": StageState.RETRY_WAIT}}
    assert [each.state.value for each in await store.subtasks_at(await store.last_seq(), "a", "work")] == ["completed", "retry_wait"]
    waits.clear()
    await engine.cancel("a")
    assert await disagreements(store) == []


def failing_twice() -> Workflow:
    workflow = Workflow("docs")
    workflow.add_stage("work", ScriptedStage([Retry("one"), Retry("two"), "done"]), retry=RetryBudget(max_attempts=5))
    return workflow


@pytest.mark.parametrize(("policy", "kept"), [(Retention(attempts_count=2), [2, 3]), (Retention(attempts_days=1), [3])])
async def test_attempts_are_dropped_but_for_the_newest_and_the_one_whose_output_stands(
    start: Start, store: Any, clock: ManualClock, policy: Retention, kept: list[int]
) -> None:
    engine = await start(failing_twice())
    await ran(engine)
    clock.advance(2 * DAY)
    await engine.set_retention(policy)

    assert (await engine.tidy()).attempts == 3 - len(kept)
    assert [attempt.number for attempt in await store.get_attempts("a", "work")] == kept
    assert (await store.get_status("a", "work")).output == "done"


async def test_what_has_not_ended_keeps_all_its_attempts(start: Start, store: Any, clock: ManualClock) -> None:
    workflow = Workflow("docs")
    asking = ScriptedStage([Retry("one"), NeedsReview("draft", ReviewData("look"))])
    workflow.add_stage("work", asking, retry=RetryBudget(max_attempts=5))
    engine = await start(workflow)
    await ran(engine)
    clock.advance(100 * DAY)
    await engine.set_retention(Retention(attempts_days=1, attempts_count=1, outputs_days=1, items_days=1))

    assert (await engine.tidy()).is_nothing
    assert len(await store.get_attempts("a", "work")) == 2


async def test_outputs_of_finished_items_are_dropped_and_their_history_stays(start: Start, store: Any, clock: ManualClock) -> None:
    waiting = NeedsReview("draft", ReviewData("look"))
    engine = await start(chain("read", "check", read="x" * 100_000, check=waiting))
    await ran(engine, "a", "b")
    await engine.resolve_review("a", "check", ApproveWithEdits("edited", by="ana"))
    await engine.run_until_idle()
    clock.advance(2 * DAY)
    await engine.set_retention(Retention(outputs_days=1))

    assert await engine.tidy() == Tidied(outputs=1)
    assert (await engine.tidy()).is_nothing
    found = await store.get_all_statuses("a")
    assert [status.output for status in found.values()] == [None, None]
    assert [status.state.value for status in found.values()] == ["completed", "completed"]
    assert found["check"].decision.by == "ana"
    assert [attempt.outcome for attempt in await store.get_attempts("a", "read")] == ["completed"]
    assert (await store.get_status("b", "read")).output == "x" * 100_000  # it still waits for somebody


async def test_a_stage_does_not_run_again_on_outputs_that_are_gone(start: Start, store: Any, clock: ManualClock) -> None:
    engine = await start(chain("read", "print"))
    await ran(engine)
    await engine.set_retention(Retention(outputs_count=0))
    await engine.tidy()

    with pytest.raises(InvalidTransition, match="the output of 'read', which it needs, was dropped to save room"):
        await engine.rerun_stage("a", "print")
    await engine.rerun_stage("a", "read")
    await engine.run_until_idle()
    assert await states(store) == {"read": "completed", "print": "completed"}


async def test_finished_items_are_deleted_by_age_and_by_count(start: Start, store: Any, clock: ManualClock) -> None:
    engine = await start(chain("read"))
    await ran(engine, "a")
    clock.advance(2 * DAY)
    await ran(engine, "b", "c", "d")
    await engine.pause("d")
    await submitted(engine, "e")
    await engine.set_retention(Retention(items_days=1, items_count=2))

    assert (await engine.tidy()).items == 2
    assert await store.list_items() == ["c", "d", "e"]
    assert [event.item_id for event in await told(store, ItemDeleted)] == ["a", "b"]


async def test_a_workflow_may_have_a_policy_of_its_own(start: Start, store: Any) -> None:
    other = Workflow("other")
    other.add_stage("only", lambda: 1)
    engine = await start(chain("read"), other)
    await engine.set_retention(Retention(items_count=0))
    await engine.set_retention(Retention(), "other")
    await engine.submit("other", [{"id": "x"}])
    await ran(engine, "a")  # what runs until idle tidies up behind itself

    assert await store.list_items() == ["x"]
    assert await store.retention() == {None: Retention(items_count=0), "other": Retention()}
    await store.forget_retention("other")
    await engine.tidy()
    assert await store.list_items() == []


async def test_a_policy_that_cannot_be_is_refused(start: Start, store: Any) -> None:
    engine = await start(chain("read"))
    with pytest.raises(InvalidDefinition, match=r"retention: events_count=1\.5 must be a whole number, 0 or more"):
        Retention(events_count=1.5)  # type: ignore[arg-type]
    with pytest.raises(InvalidDefinition, match="attempts_count=0 must be a whole number, 1 or more"):
        Retention(attempts_count=0)
    with pytest.raises(InvalidDefinition, match="no workflow 'doc'; did you mean 'docs'"):
        await engine.set_retention(Retention(events_days=1), "doc")


async def test_big_outputs_leave_with_the_last_attempt_that_has_them(sqlite_store: SqliteStateStore, clock: ManualClock) -> None:
    big = "x" * 100_000
    workflow = Workflow("docs")
    workflow.add_stage("work", ScriptedStage([big], repeat=True))
    async with Engine(sqlite_store, workflow, clock=clock) as engine:
        await ran(engine, "a", "b")
        await engine.set_retention(Retention(outputs_count=1))
        await engine.tidy()
        assert await sqlite_store._reader.fetch("SELECT count(*) FROM treadle_blobs") == [(1,)]
        assert (await sqlite_store.get_status("b", "work")).output == big
        await engine.set_retention(Retention(outputs_count=0))
        await engine.tidy()
        assert await sqlite_store._reader.fetch("SELECT count(*) FROM treadle_blobs") == [(0,)]


class ForgettingPrograms(Programs):
    """Random programs whose events are dropped at any moment: what the rest says with the baselines is what the tables say."""

    @rule(count=st.integers(0, 8))
    def forget_events(self, count: int) -> None:
        async def forget(world: Any) -> Any:
            await world.engine.set_retention(Retention(events_count=count))
            tidied = await world.engine.tidy()
            await world.engine.set_retention(Retention())
            return tidied

        self.both(forget) if self.is_exact else [self.runner.run(forget(world)) for world in self.worlds]

    @rule()
    def look_back_at_now(self) -> None:
        async def differences(world: Any) -> list[Any]:
            then = await world.store.page_at(await world.store.last_seq(), limit=1000)
            now = await world.store.page(limit=1000)
            return [
                (row.item_id, name, cell.state, row.cells[name].state)
                for row, past in zip(now, then, strict=True)
                for name, cell in past.cells.items()
                if cell.state is not row.cells[name].state
            ]

        for world in self.worlds:
            assert self.runner.run(differences(world)) == []

    @rule()
    def examine(self) -> None:
        assert examine(self.worlds[1].store.path).problems == []


TestForgettingPrograms = ForgettingPrograms.TestCase
TestForgettingPrograms.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
