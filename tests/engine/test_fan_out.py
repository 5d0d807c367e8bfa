"""Fan-out: subtasks with attempts, errors and outputs of their own, and the stage that puts them together."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from treadle_tui.engine import (
    Accepted,
    Approve,
    FanOut,
    FanOutStarted,
    NeedsReview,
    PickAttempt,
    Rejected,
    RequestChanges,
    RetryBudget,
    ReviewPolicy,
    Skipped,
    StageState,
    SubTask,
    Uncertain,
    Workflow,
)
from treadle_tui.engine.testing import ScriptedStage

from .workflows import Parts, fan_out, names_told, ran, scripted, state, submitted, told

# --- declaring ----------------------------------------------------------------------------------------------------------------


async def test_every_subtask_runs_and_the_output_is_a_result_for_each(store, start):
    engine = await start(fan_out(["x", "y"], lambda name, ctx: name.upper()))

    await ran(engine)

    status = await store.get_status("a", "work")
    assert (status.state, status.output, status.attempt) == (StageState.COMPLETED, {"x": "X", "y": "Y"}, 1)
    assert [(each.name, each.state, each.attempt, each.output) for each in status.subtasks] == [
        ("x", StageState.COMPLETED, 1, "X"),
        ("y", StageState.COMPLETED, 1, "Y"),
    ]


async def test_subtasks_are_told_in_order(store, start):
    engine = await start(fan_out(["x", "y"], lambda name, ctx: name), concurrency=1)

    await ran(engine)

    assert await names_told(store) == [
        *("ItemAdded", "StageStarted", "FanOutStarted"),
        *("SubTaskStarted(x)", "SubTaskCompleted(x)", "SubTaskStarted(y)", "SubTaskCompleted(y)"),
        *("StageCompleted", "WorkflowCompleted"),
    ]
    assert [event.subtasks for event in await told(store, FanOutStarted)] == [("x", "y")]


async def test_a_subtask_knows_its_name_its_metadata_and_what_is_upstream(store, start):
    workflow = Workflow("docs")
    seen: list[Any] = []

    @workflow.stage
    async def parse(item: Any) -> Any:
        return {"pages": 3}

    @workflow.stage
    async def work(parse: Any) -> FanOut:
        return FanOut([SubTask("x", {"page": 1}), "y"])

    @work.each(retry=RetryBudget(max_attempts=2))
    async def part(item: Any, subtask: str, parse: Any, ctx: Any) -> None:
        seen.append((item["id"], subtask, ctx.subtask, ctx.subtask_metadata, parse, ctx.max_attempts, ctx.stage_name))

    engine = await start(workflow)
    await ran(engine)

    assert sorted(seen, key=str) == [
        ("a", "x", "x", {"page": 1}, {"pages": 3}, 2, "work"),
        ("a", "y", "y", None, {"pages": 3}, 2, "work"),
    ]
    assert [each.metadata for each in (await store.get_status("a", "work")).subtasks] == [{"page": 1}, None]


async def test_without_each_the_same_stage_is_called_again(store, start):
    stage = ScriptedStage([lambda item, ctx: FanOut(["x", "y"]) if ctx.subtask is None else ctx.subtask * 2], repeat=True)
    workflow = Workflow("docs")
    workflow.add_stage("work", stage)
    engine = await start(workflow)

    await ran(engine)

    assert sorted(str(context.subtask) for context in stage.contexts) == ["None", "x", "y"]
    assert (await store.get_status("a", "work")).output == {"x": "xx", "y": "yy"}


async def test_subtasks_run_at_the_same_time(store, start):
    meeting = asyncio.Barrier(3)

    async def part(name: str, ctx: Any) -> None:
        await meeting.wait()

    engine = await start(fan_out(["x", "y", "z"], part))

    await asyncio.wait_for(ran(engine), 10)

    assert await state(store) is StageState.COMPLETED


async def test_no_subtasks_complete_the_stage_with_an_empty_output(store, start):
    workflow = Workflow("docs")
    reduced: list[Any] = []

    @workflow.stage
    async def work() -> FanOut:
        return FanOut([])

    @work.reduce
    def joined(results: dict[str, Any]) -> list[Any]:
        reduced.append(results)
        return list(results)

    workflow.add_stage("after", ScriptedStage([lambda item, ctx: ctx.upstream["work"]]), after=["work"])
    engine = await start(workflow)

    await ran(engine)

    assert (await store.get_status("a", "work")).output == {}
    assert (await store.get_status("a", "after")).output == {}
    assert reduced == []
    assert "FanOutStarted" not in await names_told(store)


@pytest.mark.parametrize(
    ("declared", "named"),
    [
        (["x", "y", "x"], "'x' was declared twice"),
        ([SubTask("x"), "x"], "'x' was declared twice"),
        ([""], "has no name"),
        ([None], "has no name"),
        ([7], "has no name"),
    ],
)
async def test_an_impossible_declaration_is_a_failed_attempt(store, start, declared, named):
    engine = await start(scripted(FanOut(declared))[0])

    await ran(engine)

    status = await store.get_status("a", "work")
    assert (status.state, status.subtasks) == (StageState.FAILED, [])
    assert named in status.error


async def test_a_declaration_that_raises_half_way_is_a_failed_attempt(store, start):
    def names() -> Any:
        yield "x"
        raise ValueError("no more names")

    engine = await start(scripted(lambda item, ctx: FanOut(names()))[0])

    await ran(engine)

    assert (await store.get_status("a", "work")).error == "ValueError: no more names"


async def test_subtasks_of_a_plain_function_are_made_in_its_own_thread(store, start):
    """A generator may wait long, or hold something that belongs to its thread, as a connection of sqlite3 does."""
    threads: list[threading.Thread] = []
    workflow = Workflow("docs")

    def subtasks() -> Iterator[str]:
        threads.append(threading.current_thread())
        yield from ("x", "y")

    @workflow.stage
    def work() -> FanOut:
        threads.append(threading.current_thread())
        return FanOut(subtasks())

    @work.each
    async def part(subtask: str) -> str:
        return subtask

    await ran(await start(workflow))

    assert (await store.get_status("a", "work")).output == {"x": "x", "y": "y"}
    assert len(threads) == 2
    assert len(set(threads)) == 1
    assert threads[0] is not threading.current_thread()


async def test_a_subtask_cannot_fan_out(store, start):
    engine = await start(fan_out(["x"], lambda name, ctx: FanOut(["deeper"])))

    await ran(engine)

    (subtask,) = (await store.get_status("a", "work")).subtasks
    assert subtask.state is StageState.FAILED
    assert "cannot fan out" in subtask.error


# --- failing ------------------------------------------------------------------------------------------------------------------


async def test_all_run_though_one_fails_and_then_the_stage_fails(store, start):
    async def part(name: str, ctx: Any) -> str:
        if name != "y":
            return name
        raise ValueError("y fails")

    engine = await start(fan_out(["x", "y", "z"], part), concurrency=1)

    await ran(engine)

    status = await store.get_status("a", "work")
    assert status.state is StageState.FAILED
    assert [(each.name, each.state.value, each.error) for each in status.subtasks] == [
        ("x", "completed", None),
        ("y", "failed", "ValueError: y fails"),
        ("z", "completed", None),
    ]
    assert status.error == "1 of 3 subtasks failed (y: ValueError: y fails)"
    assert [attempt.outcome for attempt in await store.get_attempts("a", "work")] == ["failed"]
    names = await names_told(store)
    assert names.count("SubTaskFailed(y)") == names.count("StageFailed") == 1


async def test_each_subtask_has_a_budget_of_its_own(store, start):
    calls: Counter[str] = Counter()

    async def part(name: str, ctx: Any) -> str:
        calls[name] += 1
        assert ctx.attempt == calls[name]
        if name == "y" and calls[name] < 3:
            raise ValueError("not yet")
        return name

    engine = await start(fan_out(["x", "y"], part, each={"retry": RetryBudget(max_attempts=3)}))

    await ran(engine)

    status = await store.get_status("a", "work")
    assert (status.state, calls) == (StageState.COMPLETED, {"x": 1, "y": 3})
    assert [attempt.outcome for attempt in await store.get_attempts("a", "work", "y")] == ["error", "error", "completed"]
    assert await store.get_attempts("a", "work", "?") == []


async def test_a_retry_of_a_subtask_waits_by_the_clock_while_the_stage_runs(store, start, clock):
    async def part(name: str, ctx: Any) -> str:
        if ctx.attempt == 1:
            raise ValueError("not yet")
        return name

    engine = await start(fan_out(["x"], part, each={"retry": RetryBudget(max_attempts=2, delay=60)}))
    await submitted(engine, "a")
    await engine.advance("a")
    assert (await state(store), await state(store, subtask="x")) == (StageState.RUNNING, StageState.RETRY_WAIT)

    clock.advance(60)
    await engine.advance("a")

    assert await state(store) is StageState.COMPLETED


async def test_a_subtask_that_escalates_waits_for_a_person(store, start):
    async def part(name: str, ctx: Any) -> str:
        raise ValueError("no")

    engine = await start(fan_out(["x"], part, each={"retry": RetryBudget(on_exhausted="escalate")}))

    await ran(engine)

    assert (await state(store), await state(store, subtask="x")) == (StageState.RUNNING, StageState.AWAITING_REVIEW)


async def test_a_skipped_subtask_counts_as_done(store, start):
    engine = await start(fan_out(["x", "y"], lambda name, ctx: Skipped("empty") if name == "x" else 1))

    await ran(engine)

    status = await store.get_status("a", "work")
    assert (status.state, status.output) == (StageState.COMPLETED, {"x": None, "y": 1})
    assert status.subtasks[0].state is StageState.SKIPPED


async def test_subtasks_have_keys_of_their_own(store, start):
    keys: list[str] = []

    async def part(name: str, ctx: Any) -> None:
        keys.append(ctx.idempotency_key)

    engine = await start(fan_out(["x", "y"], part))
    await ran(engine, "a", "b")

    assert len(set(keys)) == 4


# --- reduce -------------------------------------------------------------------------------------------------------------------


def reducing(reduce: Any, **options: Any) -> tuple[Workflow, Parts]:
    """Two subtasks and a reduce."""
    parts = Parts()
    workflow = Workflow("docs")

    @workflow.stage(**options)
    async def work() -> FanOut:
        return FanOut(["x", "y"])

    @work.each
    async def part(subtask: str, ctx: Any) -> str:
        return await parts(subtask, ctx)

    work.reduce(reduce)
    return workflow, parts


async def test_a_reduce_that_fails_is_retried_alone(store, start):
    calls: list[Any] = []

    async def joined(results: dict[str, str], ctx: Any) -> list[str]:
        calls.append(ctx.attempt)
        if len(calls) < 3:
            raise ValueError("not yet")
        return sorted(results)

    workflow, parts = reducing(joined, retry=RetryBudget(max_attempts=2))
    engine = await start(workflow)
    await ran(engine)
    assert await state(store) is StageState.FAILED
    await engine.retry_stage("a", "work")
    await engine.run_until_idle()

    assert (await store.get_status("a", "work")).output == ["x", "y"]
    assert parts.calls == {"x": 1, "y": 1}
    assert calls == [1, 2, 3]


async def test_results_come_in_the_order_of_the_declaration(store, start):
    going = asyncio.Event()

    async def part(name: str, ctx: Any) -> str:
        if name == "first":
            await going.wait()
        else:
            going.set()
        return name

    engine = await start(fan_out(["first", "last"], part))
    await ran(engine)

    assert list((await store.get_status("a", "work")).output) == ["first", "last"]


async def test_a_reduce_may_ask_for_review_skip_or_fail(store, start):
    engine = await start(reducing(lambda results: NeedsReview(len(results)))[0])

    await ran(engine)
    assert (await store.get_status("a", "work")).state is StageState.AWAITING_REVIEW
    await engine.resolve_review("a", "work", Approve())

    assert (await store.get_status("a", "work")).output == 2


async def test_a_reduce_cannot_fan_out_again(store, start):
    engine = await start(reducing(lambda results: FanOut(["z"]))[0])

    await ran(engine)

    assert "cannot fan out" in (await store.get_status("a", "work")).error


# --- gates and policies -------------------------------------------------------------------------------------------------------


async def test_the_gate_judges_the_reduced_output(store, start):
    seen: list[Any] = []

    def gate(output: Any) -> Any:
        seen.append(output)
        return Accepted()

    engine = await start(fan_out(["x", "y"], lambda name, ctx: name, gates=[gate]))

    await ran(engine)

    assert seen == [{"x": "x", "y": "y"}]


async def test_a_rejecting_gate_discards_the_subtasks_and_they_are_declared_anew(store, start):
    verdicts = iter([Rejected("thin"), Accepted()])
    calls: list[Any] = []

    async def part(name: str, ctx: Any) -> str:
        calls.append((name, ctx.idempotency_key))
        return f"{name}{len(calls)}"

    workflow = Workflow("docs")

    @workflow.stage(retry=RetryBudget(max_attempts=2, delay=60), gates=[lambda output: next(verdicts)])
    async def work(ctx: Any) -> FanOut:
        return FanOut(["x", "y"] if ctx.attempt == 1 else ["y", ctx.feedback.summary])

    work.each(part_of(part))
    engine = await start(workflow, concurrency=1)
    await submitted(engine, "a")
    await engine.advance("a")
    waiting = await store.get_status("a", "work")
    assert (waiting.state, waiting.subtasks) == (StageState.RETRY_WAIT, [])

    engine.clock.advance(60)
    await engine.run_until_idle()

    status = await store.get_status("a", "work")
    assert status.output == {"y": "y3", "thin": "thin4"}
    assert [name for name, _ in calls] == ["x", "y", "y", "thin"]
    assert len({key for _, key in calls}) == 4
    assert [attempt.output for attempt in await store.get_attempts("a", "work")] == [{"x": "x1", "y": "y2"}, status.output]


def part_of(part: Any) -> Any:
    """A plain function of name and context as an `each`."""

    async def each(subtask: str, ctx: Any) -> Any:
        return await part(subtask, ctx)

    return each


async def test_requested_changes_discard_the_subtasks_too(store, start):
    parts = Parts()
    engine = await start(fan_out(["x", "y"], parts, review=ReviewPolicy.ALWAYS))
    await ran(engine)
    assert await state(store) is StageState.AWAITING_REVIEW

    await engine.resolve_review("a", "work", RequestChanges("more"))
    assert (await store.get_status("a", "work")).subtasks == []
    await engine.run_until_idle()
    await engine.resolve_review("a", "work", PickAttempt(1))

    assert parts.calls == {"x": 2, "y": 2}
    assert await state(store) is StageState.COMPLETED


async def test_an_uncertain_gate_keeps_the_subtasks_in_sight(store, start):
    engine = await start(fan_out(["x", "y"], lambda name, ctx: name, gates=[lambda output: Uncertain("?")]))

    await ran(engine)

    status = await store.get_status("a", "work")
    assert (status.state, len(status.subtasks)) == (StageState.AWAITING_REVIEW, 2)


async def test_policies_apply_to_the_stage_not_to_its_subtasks(store, start):
    engine = await start(fan_out(["x"], lambda name, ctx: name, review=ReviewPolicy.ALWAYS))

    await ran(engine)

    assert (await state(store), await state(store, subtask="x")) == (StageState.AWAITING_REVIEW, StageState.COMPLETED)
