"""A workflow changes while its items are in flight: what is planned, what asks, and what becomes of every item."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.conftest import Start, opened
from tests.engine.workflows import names_told, states, told, until
from treadle_tui.engine import (
    Approve,
    Engine,
    FanOut,
    InvalidDecision,
    InvalidTransition,
    ItemCancelled,
    ItemState,
    MigrationPlan,
    NeedsReview,
    Reject,
    RequestChanges,
    Retry,
    RetryBudget,
    ReviewData,
    ReviewPolicy,
    SqliteStateStore,
    StageSkipped,
    StageState,
    Workflow,
    WorkflowChanged,
    WorkflowCompleted,
)
from treadle_tui.engine.readiness import is_blocked
from treadle_tui.engine.testing import ManualClock, disagreements


def docs(*stages: str, backfill: bool = False, **options: dict[str, Any]) -> Workflow:
    """A workflow `docs` of these stages, each "name" or "name<above,above"; keywords are options by stage name.

    What a stage does is said by the item's field of its name: `fail`, `review`, `wait` (a retry in an hour), `fan`; else it answers
    with its name, and with what it received.
    """
    workflow = Workflow("docs", backfill=backfill)
    for stage in stages:
        name, _, above = stage.partition("<")
        workflow.add_stage(name, _acting(name), after=above.split(",") if above else (), **options.get(name, {}))
    return workflow


def _acting(name: str) -> Callable[..., Any]:
    async def act(item: dict[str, Any], ctx: Any) -> Any:
        match item.get(name):
            case "fail":
                raise ValueError("no good")
            case "review":
                return NeedsReview(name, ReviewData("well?"))
            case "wait" if ctx.attempt == 1:
                return Retry("later", after=3600.0)
            case "fan" if ctx.subtask is None:
                return FanOut(["x", "y"])
            case "fan" if ctx.subtask == "x":
                raise ValueError("x is bad")
            case _:
                return {"by": name, "of": sorted(ctx.upstream)}

    return act


WAIT = {"retry": RetryBudget(max_attempts=3)}
"""Of a stage that is told to wait for a retry."""

Begin = Callable[..., Awaitable[Engine]]


@pytest.fixture
def change(store: Any, start: Start) -> Begin:
    """Runs items in one workflow as far as they go, and opens an engine of the workflow as it is later."""

    async def begin(before: Workflow, after: Workflow, *items: dict[str, Any]) -> Engine:
        first = await start(before)
        await first.submit(before, items)
        for item in items:
            await first.advance(item["id"])
        await first.close()
        return await start(after)

    return begin


async def accepted(engine: Engine) -> None:
    """Accept whatever plan there is, and run."""
    await engine.apply_migration("docs", await engine.plan_migration("docs"))
    await engine.run_until_idle()


def details(plan: MigrationPlan) -> dict[str, str]:
    return {f"{change.kind} {change.stage}": change.detail for change in plan.changes}


async def item_state(store: Any, item_id: str = "i") -> ItemState:
    return (await store.get_item(item_id)).state  # type: ignore[no-any-return]


# -- nothing to ask ----------------------------------------------------------------------------------------------------


async def test_an_unchanged_workflow_has_an_empty_plan_and_nothing_is_written(store: Any, change: Begin):
    engine = await change(docs("a", "b<a"), docs("a", "b<a"), {"id": "i", "b": "review"})
    plan = await engine.plan_migration("docs")

    assert plan.is_empty
    assert plan.is_additive
    assert str(plan) == "workflow 'docs': no stage has changed"
    assert engine.waiting_migrations == {}


async def test_a_workflow_without_items_is_what_it_is_now(store: Any, change: Begin):
    engine = await change(docs("a", "b<a"), docs("x"))
    await engine.submit("docs", [{"id": "i"}])
    await engine.run_until_idle()

    assert await states(store, "i") == {"x": "completed"}
    assert await store.stage_names() == {"docs": ["x"]}


async def test_budgets_and_policies_take_effect_with_the_next_attempt(store: Any, change: Begin):
    engine = await change(
        docs("a", "b<a"),
        docs("a", "b<a", b={"review": ReviewPolicy.ALWAYS, "retry": RetryBudget(max_attempts=2), "secrets": ["word"]}),
        {"id": "i", "b": "fail"},
        {"id": "j", "a": "fail"},
    )
    await engine.retry_stage("i", "b")
    await engine.run_until_idle()

    assert len(await store.get_attempts("i", "b")) == 3
    assert (await store.get_status("i", "b")).state is StageState.FAILED
    assert (await engine.plan_migration("docs")).is_empty


async def test_the_plan_names_the_settings_that_change(store: Any, change: Begin):
    before, after = docs("a"), docs("a", a={"review": ReviewPolicy.ALWAYS, "concurrency": 2})
    first = await change(before, before, {"id": "i"})
    await first.close()
    plan = await _planned(store, after)

    assert details(plan) == {"changed a": "review, concurrency, from the next attempt on"}
    assert plan.is_additive
    assert not plan.is_empty


async def _planned(store: Any, workflow: Workflow) -> MigrationPlan:
    """The plan that opening an engine would meet."""
    return await store.plan_migration(  # type: ignore[no-any-return]
        workflow.name, workflow.fingerprint, workflow.shape()["stages"], workflow.backfill
    )


# -- added stages ------------------------------------------------------------------------------------------------------


async def test_an_added_last_stage_runs_for_items_under_way_and_is_skipped_for_complete_ones(store: Any, change: Begin):
    before, after = docs("a", "b<a"), docs("a", "b<a", "c<b")
    engine = await change(before, after, {"id": "done"}, {"id": "i", "b": "review"})

    assert await states(store, "done") == {"a": "completed", "b": "completed", "c": "skipped"}
    assert (await store.get_status("done", "c")).summary == "added later"
    assert await states(store, "i") == {"a": "completed", "b": "awaiting_review", "c": "pending"}
    assert await item_state(store, "done") is ItemState.COMPLETED

    await engine.resolve_review("i", "b", Approve())
    await engine.run_until_idle()

    assert (await store.get_status("i", "c")).output == {"by": "c", "of": ["b"]}
    assert await item_state(store) is ItemState.COMPLETED
    assert len(await told(store, WorkflowCompleted)) == 2
    assert [(event.item_id, event.stage, event.reason) for event in await told(store, StageSkipped)] == [("done", "c", "added later")]


async def test_the_plan_of_an_added_stage_says_where_it_runs(store: Any, change: Begin):
    before, after = docs("a", "b<a"), docs("a", "b<a", "c<b")
    first = await change(before, before, {"id": "done"}, {"id": "i", "b": "review"}, {"id": "j", "a": "fail"})
    await first.cancel("j")
    await first.close()
    plan = await _planned(store, after)

    assert str(plan) == (
        "workflow 'docs' has changed, and has 3 items:\n"
        "  + c: pending in 1 item; skipped in 1 item as 'added later'; cancelled in 1 item, as the item is"
    )
    assert plan.is_additive


async def test_backfill_lets_an_added_stage_run_for_complete_items_too(store: Any, change: Begin):
    engine = await change(docs("a"), docs("a", "b<a", "c", backfill=True), {"id": "i"})
    assert await item_state(store) is ItemState.ACTIVE

    await engine.run_until_idle()

    assert await states(store, "i") == {"a": "completed", "c": "completed", "b": "completed"}
    assert len(await told(store, WorkflowCompleted)) == 2


async def test_a_stage_added_between_two_runs_where_the_second_has_not_finished(store: Any, change: Begin, clock: ManualClock):
    before, after = docs("a", "b<a", b=WAIT), docs("a", "new<a", "b<new", b=WAIT)
    items = [{"id": "fresh", "a": "fail"}, {"id": "done"}, {"id": "failed", "b": "fail"}, {"id": "waiting", "b": "wait"}]
    engine = await change(before, after, *items)

    assert await states(store, "fresh") == {"a": "failed", "new": "pending", "b": "pending"}
    assert await states(store, "done") == {"a": "completed", "new": "skipped", "b": "completed"}
    assert await states(store, "failed") == {"a": "completed", "new": "pending", "b": "failed"}
    assert await states(store, "waiting") == {"a": "completed", "new": "pending", "b": "pending"}

    await engine.retry_stage("failed", "b")
    assert "waits for new" in str((await engine.explain("failed"))["b"])
    await engine.run_until_idle()

    assert await states(store, "failed") == {"a": "completed", "new": "completed", "b": "failed"}
    assert (await store.get_status("waiting", "b")).output == {"by": "b", "of": ["new"]}


async def test_added_stages_that_lead_only_to_finished_work_are_all_skipped(store: Any, change: Begin):
    """`x` and `y` lead to `b`, which has finished; `z` also to `c`, which has not."""
    before = docs("a", "b<a", "c<b")
    after = docs("a", "x<a", "y<x", "z", "b<a,y,z", "c<b,z")
    engine = await change(before, after, {"id": "i", "c": "fail"})
    plan = engine.waiting_migrations["docs"]

    assert details(plan)["rewired b"] == "now waits for y, z; has finished without it in 1 item"
    assert not plan.is_additive

    await accepted(engine)

    assert await states(store, "i") == {
        "a": "completed",
        "x": "skipped",
        "y": "skipped",
        "z": "completed",
        "b": "completed",
        "c": "failed",
    }


async def test_a_stage_added_to_a_cancelled_item_is_cancelled_and_can_be_retried(store: Any, change: Begin, start: Start):
    before = docs("a", "b<a")
    first = await change(before, before, {"id": "i", "a": "review"})
    await first.cancel("i")
    await first.close()
    engine = await start(docs("a", "b<a", "c"))

    assert await states(store, "i") == {"a": "cancelled", "b": "cancelled", "c": "cancelled"}
    assert len(await told(store, ItemCancelled)) == 2
    await engine.run_until_idle()
    assert (await states(store, "i"))["c"] == "cancelled"

    await engine.retry_stage("i", "c")
    await engine.run_until_idle()
    assert (await states(store, "i"))["c"] == "completed"


async def test_a_stage_added_to_an_item_that_was_cancelled_once_is_told_to_be_pending(store: Any, start: Start):
    engine = await start(docs("a", "b<a"))
    await engine.submit("docs", [{"id": "i"}])
    await engine.cancel("i")
    await engine.retry_stage("i", "a")
    await engine.close()

    await start(docs("a", "b<a", "c<a"))

    assert await states(store, "i") == {"a": "pending", "b": "cancelled", "c": "pending"}
    assert await disagreements(store) == []


async def test_a_stage_added_to_a_paused_item_waits_for_it(store: Any, change: Begin, start: Start):
    before = docs("a", "b<a")
    first = await change(before, before, {"id": "i", "b": "review"})
    await first.pause("i")
    await first.close()
    engine = await start(docs("a", "b<a", "c"))
    await engine.run_until_idle()
    assert (await states(store, "i"))["c"] == "pending"

    await engine.resume("i")
    await engine.run_until_idle()

    assert (await states(store, "i"))["c"] == "completed"


# -- removed stages ----------------------------------------------------------------------------------------------------


async def test_removing_a_stage_that_has_not_begun_asks_and_runs_nothing_until_it_is_accepted(store: Any, change: Begin):
    before, after = docs("a", "b<a", "c<b"), docs("a", "b<a")
    engine = await change(before, after, {"id": "i", "a": "review"}, {"id": "done"})
    plan = engine.waiting_migrations["docs"]

    assert str(plan) == (
        "workflow 'docs' has changed, and has 2 items:\n"
        "  - c: had not begun in 1 item, and disappears there; has finished in 1 item, and stays part of the history (must be accepted)"
    )
    with pytest.raises(WorkflowChanged, match=r"(?s)'docs' has changed.*apply_migration.*- c: had not begun in 1 item"):
        await engine.submit("docs", [{"id": "j"}])
    with pytest.raises(WorkflowChanged):
        await engine.advance("i")
    with pytest.raises(WorkflowChanged):
        await engine.run_stage("i", "b")
    await engine.resolve_review("i", "a", Approve())
    await engine.run_until_idle()
    assert await states(store, "i") == {"a": "completed", "b": "pending", "c": "pending"}
    assert (await engine.explain("i"))["b"].action == "accept the plan"
    assert plan == await engine.plan_migration("docs")

    await accepted(engine)

    assert engine.waiting_migrations == {}
    assert await states(store, "i") == {"a": "completed", "b": "completed"}
    assert await states(store, "done") == {"a": "completed", "b": "completed", "c": "completed"}
    assert [(event.item_id, event.stage, event.reason) for event in await told(store, StageSkipped)] == [
        ("i", "c", "removed from the workflow")
    ]
    assert len(await told(store, WorkflowCompleted)) == 2
    await engine.submit("docs", [{"id": "j"}])
    await engine.run_until_idle()
    assert await states(store, "j") == {"a": "completed", "b": "completed"}


async def test_an_item_whose_last_stage_is_removed_becomes_complete(store: Any, change: Begin):
    engine = await change(docs("a", "b<a"), docs("a"), {"id": "i", "a": "review"})
    await engine.resolve_review("i", "a", Approve())

    await engine.apply_migration("docs", await engine.plan_migration("docs"))

    assert await item_state(store) is ItemState.COMPLETED
    assert (await names_told(store, "i"))[-2:] == ["StageSkipped", "WorkflowCompleted"]


async def test_a_removed_stage_that_is_finished_everywhere_needs_no_consent_and_stays_visible(store: Any, change: Begin):
    engine = await change(docs("a", "b<a", "c<b"), docs("b", "c<b"), {"id": "i"}, {"id": "j", "c": "review"})

    assert engine.waiting_migrations == {}
    assert await states(store, "i") == {"b": "completed", "c": "completed", "a": "completed"}
    assert (await store.get_status("i", "a")).output == {"by": "a", "of": []}
    assert len(await store.get_attempts("i", "a")) == 1
    assert str((await engine.explain("i"))["a"]) == "a is completed: stage 'a' was removed from the workflow after it had finished."
    assert await store.stage_names() == {"docs": ["b", "c"]}
    await engine.submit("docs", [{"id": "new"}])
    await engine.run_until_idle()
    assert await states(store, "new") == {"b": "completed", "c": "completed"}
    assert await item_state(store, "new") is ItemState.COMPLETED
    assert await store.get_status("new", "a") is None


async def test_a_removed_stage_that_failed_blocks_the_item_until_somebody_lets_go_of_it(store: Any, change: Begin):
    engine = await change(docs("a", "b<a", "c<b"), docs("a", "c<a"), {"id": "i", "b": "fail"}, {"id": "j", "b": "fail"})
    await accepted(engine)

    assert await states(store, "i") == {"a": "completed", "c": "completed", "b": "failed"}
    assert await item_state(store) is ItemState.ACTIVE
    assert not (await engine.status("i")).is_complete()
    assert await told(store, WorkflowCompleted) == []
    assert await store.stage_names() == {"docs": ["a", "c", "b"]}
    assert "b" in (await store.rows(["i"]))[0].cells
    assert str((await engine.explain("i"))["b"]) == (
        "b is failed: stage 'b' was removed from the workflow while failed; ValueError: no good."
        " To move it: put it back, drop it, or cancel or delete the item."
    )
    with pytest.raises(InvalidTransition, match="removed from the workflow, so nothing can run it"):
        await engine.retry_stage("i", "b")
    with pytest.raises(InvalidTransition, match="removed from the workflow, so nothing can run it"):
        await engine.rerun_stage("i", "b")
    with pytest.raises(InvalidTransition, match="it is part of the workflow"):
        await engine.drop_stage("i", "c")

    await engine.drop_stage("i", "b", by="ana")
    await engine.delete_item("j")

    assert await states(store, "i") == {"a": "completed", "c": "completed", "b": "skipped"}
    assert (await store.get_status("i", "b")).summary == "removed from the workflow, let go of by ana"
    assert len(await store.get_attempts("i", "b")) == 1
    assert await item_state(store) is ItemState.COMPLETED
    assert len(await told(store, WorkflowCompleted)) == 1
    assert await store.stage_names() == {"docs": ["a", "c"]}
    with pytest.raises(InvalidTransition, match="it has finished"):
        await engine.drop_stage("i", "b")


async def test_a_removed_stage_that_awaits_review_can_still_be_decided(store: Any, change: Begin):
    items = [{"id": name, "b": "review"} for name in ("yes", "no", "drop", "cancel")]
    engine = await change(docs("a", "b<a"), docs("a"), *items)
    assert details(engine.waiting_migrations["docs"])["removed b"] == (
        "is unfinished (awaiting review in 4), and stays in the way of 4 items"
    )
    await accepted(engine)
    assert len(await engine.pending_reviews()) == 4
    with pytest.raises(InvalidDecision, match="was removed from the workflow, so it cannot run again"):
        await engine.resolve_review("yes", "b", RequestChanges("once more"))

    await engine.resolve_review("yes", "b", Approve())
    await engine.resolve_review("no", "b", Reject("bad"))
    await engine.drop_stage("drop", "b")
    await engine.cancel("cancel")

    assert [(await states(store, item["id"]))["b"] for item in items] == ["completed", "failed", "skipped", "cancelled"]
    assert [await item_state(store, item["id"]) for item in items] == [
        ItemState.COMPLETED,
        ItemState.ACTIVE,
        ItemState.COMPLETED,
        ItemState.CANCELLED,
    ]


async def test_a_removed_stage_that_waits_for_a_retry_neither_runs_nor_counts_as_moving(store: Any, change: Begin, clock: ManualClock):
    engine = await change(docs("a", "b", a=WAIT), docs("b"), {"id": "i", "a": "wait"})
    await accepted(engine)
    clock.advance(7200)
    await engine.run_until_idle()

    facts = await engine.facts_of("i")
    assert await states(store, "i") == {"b": "completed", "a": "retry_wait"}
    assert is_blocked(await store.get_all_statuses("i"), facts.ready, facts.removed)
    assert "was removed from the workflow while retry wait" in str((await engine.explain("i"))["a"])
    await engine.drop_stage("i", "a")
    assert await item_state(store) is ItemState.COMPLETED


async def test_a_removed_fan_out_takes_its_subtasks_with_it_when_it_is_dropped(store: Any, change: Begin):
    engine = await change(docs("a", "b"), docs("b"), {"id": "i", "a": "fan"})
    await accepted(engine)
    status = await store.get_status("i", "a")
    assert [(subtask.name, subtask.state.value) for subtask in status.subtasks] == [("x", "failed"), ("y", "completed")]
    with pytest.raises(InvalidTransition, match="removed from the workflow"):
        await engine.retry_stage("i", "a", subtask="x")

    await engine.drop_stage("i", "a")

    assert (await store.get_status("i", "a")).subtasks == []
    assert await item_state(store) is ItemState.COMPLETED


async def test_a_stage_that_is_put_back_goes_on_where_it_was(store: Any, change: Begin, start: Start, clock: ManualClock):
    before = docs("a", "b<a", "c<b", b=WAIT)
    items = [{"id": "waiting", "b": "wait"}, {"id": "failed", "b": "fail"}, {"id": "fresh", "a": "fail"}, {"id": "done"}]
    without = await change(before, docs("a", "c<a"), *items)
    await without.apply_migration("docs", without.waiting_migrations["docs"])
    await without.close()
    engine = await start(before)

    assert engine.waiting_migrations == {}
    assert await states(store, "waiting") == {"a": "completed", "b": "retry_wait", "c": "pending"}
    assert await states(store, "fresh") == {"a": "failed", "b": "pending", "c": "pending"}
    clock.advance(3600)
    await engine.run_until_idle()
    await engine.retry_stage("failed", "b")
    assert (await store.get_status("waiting", "b")).output == {"by": "b", "of": ["a"]}
    assert (await store.get_status("waiting", "b")).attempt == 2
    assert await item_state(store, "waiting") is ItemState.COMPLETED
    assert await item_state(store, "done") is ItemState.COMPLETED


# -- renamed stages ----------------------------------------------------------------------------------------------------


async def test_a_renamed_stage_keeps_everything_under_its_new_name(store: Any, change: Begin):
    engine = await change(
        docs("a", "b<a", "c<b"),
        docs("a", "check<a", "c<check", check={"was": "b"}),
        {"id": "i", "b": "review"},
        {"id": "done"},
    )

    assert engine.waiting_migrations == {}
    assert await states(store, "i") == {"a": "completed", "check": "awaiting_review", "c": "pending"}
    assert [review.stage for review in await engine.pending_reviews()] == ["check"]
    assert len(await store.get_attempts("done", "check")) == 1
    assert {event.stage for event in await told(store) if getattr(event, "stage", "")} == {"a", "check", "c"}
    await engine.resolve_review("i", "check", Approve())
    await engine.run_until_idle()
    assert (await store.get_status("i", "c")).output == {"by": "c", "of": ["check"]}
    assert (await engine.plan_migration("docs")).is_empty


async def test_the_plan_of_a_renamed_stage_says_what_it_was(store: Any, change: Begin):
    before, after = docs("a", "b<a"), docs("a", "check<a", check={"was": ["older", "b"]})
    await (await change(before, before, {"id": "i"})).close()

    assert details(await _planned(store, after)) == {"renamed check": "was 'b', and keeps all it has"}


async def test_a_former_name_that_was_left_standing_changes_nothing_later(store: Any, change: Begin):
    after = docs("a", "check<a", check={"was": "b"})
    await (await change(docs("a", "b<a"), after, {"id": "i"})).close()
    engine = await change(after, docs("a", "check<a", "d", check={"was": "b"}), {"id": "j"})

    assert await states(store, "j") == {"a": "completed", "check": "completed", "d": "skipped"}
    assert engine.waiting_migrations == {}


async def test_a_stage_may_take_the_name_of_one_that_was_removed_with_work_in_it(store: Any, change: Begin, start: Start):
    without = await change(docs("a", "b"), docs("a"), {"id": "i", "b": "fail"})
    await accepted(without)
    await without.close()
    engine = await start(docs("b", b={"was": "a"}))

    assert await states(store, "i") == {"b": "completed", "b (removed 2)": "failed"}
    await engine.drop_stage("i", "b (removed 2)")
    assert await item_state(store) is ItemState.COMPLETED


# -- rewired stages ----------------------------------------------------------------------------------------------------


async def test_a_rewired_stage_waits_for_what_it_now_depends_on_and_for_nothing_else(store: Any, start: Start):
    """`c` waited for `b`, which awaits review; `d` waited for nothing, but has not begun."""
    before = docs("a", "b<a", "c<b", "d<a")
    first = await start(before)
    await first.pause_stage("docs", "d")
    await first.submit("docs", [{"id": "i", "b": "review"}])
    await first.advance("i")
    await first.close()
    engine = await start(docs("a", "b<a", "c<a", "d<b"))
    assert engine.waiting_migrations == {}
    await engine.resume_stage("docs", "d")
    await engine.run_until_idle()

    assert await states(store, "i") == {"a": "completed", "b": "awaiting_review", "c": "completed", "d": "pending"}
    assert (await store.get_status("i", "c")).output == {"by": "c", "of": ["a"]}

    await engine.resolve_review("i", "b", Approve())
    await engine.run_until_idle()
    assert (await store.get_status("i", "d")).output == {"by": "d", "of": ["b"]}
    assert await item_state(store) is ItemState.COMPLETED


async def test_rewiring_behind_what_has_finished_asks(store: Any, change: Begin):
    engine = await change(docs("a", "b", "c<a"), docs("a", "b", "c<a,b"), {"id": "i", "b": "review"}, {"id": "j"})
    plan = engine.waiting_migrations["docs"]

    assert details(plan) == {"rewired c": "now waits for b; has finished without it in 1 item"}
    assert [change.items for change in plan.changes] == [1]

    await accepted(engine)
    await engine.resolve_review("i", "b", Approve())
    assert await item_state(store) is ItemState.COMPLETED
    await engine.rerun_stage("i", "b")
    assert await states(store, "i") == {"a": "completed", "b": "pending", "c": "pending"}
    await engine.run_until_idle()
    assert (await store.get_status("i", "b")).state is StageState.AWAITING_REVIEW


# -- accepting ---------------------------------------------------------------------------------------------------------


async def test_a_plan_that_is_out_of_date_is_refused(store: Any, change: Begin):
    engine = await change(docs("a", "b<a"), docs("a"), {"id": "i", "b": "review"})
    plan = engine.waiting_migrations["docs"]
    await engine.resolve_review("i", "b", Reject("bad"))

    with pytest.raises(WorkflowChanged, match=r"(?s)out of date.*failed in 1"):
        await engine.apply_migration("docs", plan)

    assert await states(store, "i") == {"a": "completed", "b": "failed"}
    await engine.apply_migration("docs", engine.waiting_migrations["docs"])
    assert engine.waiting_migrations == {}


async def test_other_workflows_run_while_one_waits_and_go_on_when_it_is_accepted(store: Any, start: Start):
    release = asyncio.Event()
    other = Workflow("other")

    @other.stage(concurrency=1)
    async def work() -> None:
        await release.wait()

    first = await start(docs("a", "b<a"))
    await first.submit("docs", [{"id": "i", "a": "review"}])
    await first.run_until_idle()
    await first.close()
    engine = await start(docs("a"), other)
    await engine.submit("other", [{"id": "o"}, {"id": "p"}])
    running = asyncio.create_task(engine.run_until_idle())
    await until(lambda: engine.running == 1)

    await engine.resolve_review("i", "a", Approve())
    await engine.apply_migration("docs", await engine.plan_migration("docs"))
    assert engine.running == 1
    release.set()
    await running

    assert await item_state(store) is ItemState.COMPLETED
    assert await item_state(store, "p") is ItemState.COMPLETED


async def test_an_engine_with_the_older_workflow_begins_nothing_more(store: Any, start: Start, caplog: pytest.LogCaptureFixture):
    old = await start(docs("a", "b<a"))
    await old.submit("docs", [{"id": "i", "a": "review"}])
    await old.run_until_idle()
    new = await start(docs("a", "b<a", "c<b"))
    await old.resolve_review("i", "a", Approve())

    await old.run_until_idle()

    assert await states(store, "i") == {"a": "completed", "b": "pending", "c": "pending"}
    assert "was changed by another engine" in caplog.text
    with pytest.raises(WorkflowChanged, match="was changed by another engine"):
        await old.submit("docs", [{"id": "j"}])
    with pytest.raises(WorkflowChanged, match="was changed by another engine"):
        await old.advance("i")
    await new.run_until_idle()
    assert await item_state(store) is ItemState.COMPLETED


async def test_the_small_form_meets_the_same_refusal(store: Any, clock: ManualClock):
    before, after = docs("a", "b<a"), docs("a")
    await before.advance({"id": "i", "b": "review"}, store, clock=clock)

    with pytest.raises(WorkflowChanged):
        await after.advance({"id": "i"}, store, clock=clock)

    await after.approve_review("i", "b", store, clock=clock)
    await after.advance("i", store, clock=clock)
    assert await item_state(store) is ItemState.COMPLETED


async def test_masks_and_type_hints_are_stored_though_nothing_else_has_changed(store: Any, change: Begin):
    engine = await change(docs("a"), docs("a", a={"secrets": ["word"]}), {"id": "i", "a": "review"})
    await engine.resolve_review("i", "a", Reject("bad", note="hm", values={}))

    assert engine.waiting_migrations == {}
    assert (await store.shape_named("docs")).by_name["a"].spec["secrets"] == ["word"]


async def test_a_reader_sees_a_removed_stage_though_the_workflow_is_again_what_it_was(tmp_path: Path):
    short, long = docs("a", "b<a"), docs("a", "b<a", "c<b")
    async with SqliteStateStore.open(tmp_path / "x.db") as store, SqliteStateStore.open(tmp_path / "x.db") as reader:
        async with Engine(store, [short]) as engine:
            await engine.submit("docs", [{"id": "i", "c": "fail"}])
        assert list(await reader.get_all_statuses("i")) == ["a", "b"]
        async with Engine(store, [long]) as engine:
            await engine.run_until_idle()
        async with Engine(store, [short]) as engine:
            await accepted(engine)

        assert list(await reader.get_all_statuses("i")) == list(await store.get_all_statuses("i")) == ["a", "b", "c"]


async def test_a_reader_names_a_stage_that_came_and_went_while_it_did_not_look(tmp_path: Path):
    short, long = docs("a"), docs("a", "b<a")
    async with SqliteStateStore.open(tmp_path / "x.db") as store, SqliteStateStore.open(tmp_path / "x.db") as reader:
        async with Engine(store, [short]) as engine:
            await engine.submit("docs", [{"id": "i"}])
        assert list(await reader.get_all_statuses("i")) == ["a"]
        async with Engine(store, [long]):
            pass
        async with Engine(store, [short]) as engine:
            await accepted(engine)

        assert [event.stage for event in await told(reader, StageSkipped)] == ["b"]


# -- whatever the change -----------------------------------------------------------------------------------------------

NAMES = ["a", "b", "c", "d", "e"]
DEEDS = ["", "", "fail", "review", "wait", "fan"]


@st.composite
def workflows(draw: st.DrawFn) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Stages for `docs`, each after some of those before it, under any names; with former names now and then."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=4))
    stages = []
    for place, name in enumerate(names):
        above = draw(st.lists(st.sampled_from(names[:place]), unique=True)) if place else []
        stages.append(f"{name}<{','.join(above)}" if above else name)
    options: dict[str, dict[str, Any]] = {name: dict(WAIT) for name in names}
    others = [name for name in NAMES if name not in names]
    is_renamed = draw(st.booleans())
    if others and is_renamed:
        options[names[0]]["was"] = draw(st.sampled_from(others))
    return stages, options


items_of_any_kind = st.lists(st.fixed_dictionaries({name: st.sampled_from(DEEDS) for name in NAMES}), min_size=1, max_size=4)


@given(versions=st.lists(workflows(), min_size=2, max_size=4), fields=items_of_any_kind, backfill=st.booleans(), calls=st.integers(0, 3))
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_no_change_leaves_an_item_green_with_work_undone_or_stuck_without_a_reason(
    kind: str, versions: list[Any], fields: list[dict[str, str]], backfill: bool, calls: int
):
    """Items run a little in each version of the workflow; in the end everything that waits is answered, dropped or retried once.

    Then every item is complete, or the stages in the way have failed and say so; and the store agrees with itself throughout.
    """
    asyncio.run(_live_through(kind, versions, fields, backfill, calls))


async def _live_through(kind: str, versions: list[Any], fields: list[dict[str, str]], backfill: bool, calls: int) -> None:
    store, clock = await opened(kind), ManualClock()
    ids = [f"i{number}" for number in range(len(fields))]
    for number, (stages, options) in enumerate(versions):
        workflow = docs(*stages, backfill=backfill, **options)
        async with Engine(store, [workflow], clock=clock) as engine:
            await engine.apply_migration("docs", await engine.plan_migration("docs"))
            if number == 0:
                await engine.submit("docs", [{"id": id, **deeds} for id, deeds in zip(ids, fields, strict=True)])
            assert (await engine.plan_migration("docs")).is_empty
            assert await disagreements(store) == []
            for id in ids[: calls + 1]:
                await engine.advance(id)
            if number == 1 and calls == 2 and not (await engine.status(ids[0])).is_complete():
                await _cancelled(engine, ids[0])
            if number == len(versions) - 1:
                await _finish(engine, store, clock, ids)
    assert await disagreements(store) == []
    await store.close()


async def _cancelled(engine: Engine, item_id: str) -> None:
    try:
        await engine.cancel(item_id)
    except InvalidTransition:
        pass  # everything in it has ended already


async def _finish(engine: Engine, store: Any, clock: ManualClock, ids: list[str]) -> None:
    """Answer every review, let go of every removed stage, retry what was cancelled; then look at what is left."""
    for _ in range(12):
        await clock.run(engine.run_until_idle())
        if not await _answer_one(engine, store, ids):
            break
    for id in ids:
        statuses = await store.get_all_statuses(id)
        open_stages = {name: status for name, status in statuses.items() if not status.state.is_satisfied}
        item = (await store.get_item(id)).state
        assert (item is ItemState.ACTIVE) == bool(open_stages), f"{id} is {item}, and has {open_stages}"
        explanations = await engine.explain(id)
        for name, status in open_stages.items():
            assert status.state in (StageState.FAILED, StageState.PENDING), f"{id}/{name} is {status.state}"
            assert explanations[name].action.startswith("retry stage"), str(explanations[name])


async def _answer_one(engine: Engine, store: Any, ids: list[str]) -> bool:
    """Whether a person had something to do, which is then done."""
    has_done = False
    for review in await engine.pending_reviews():
        await engine.resolve_review(review.item_id, review.stage, Approve(), subtask=review.subtask)
        has_done = True
    for id in ids:
        removed = (await engine.facts_of(id)).removed
        for name, status in (await store.get_all_statuses(id)).items():
            if name in removed and not status.state.is_satisfied:
                await engine.drop_stage(id, name)
                has_done = True
            elif status.state is StageState.CANCELLED:
                await engine.retry_stage(id, name)
                has_done = True
    return has_done
