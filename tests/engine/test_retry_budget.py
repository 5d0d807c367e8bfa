"""How often a stage may try, how long it waits, how long an attempt may take, and what comes when all is spent."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_tui.engine import (
    Accepted,
    AttemptRecord,
    Criterion,
    Escalated,
    FanOut,
    Feedback,
    InvalidDefinition,
    Rejected,
    Retry,
    RetryBudget,
    RetryScheduled,
    ReviewRequired,
    StageState,
    Workflow,
)
from treadle_tui.engine.retry import MAX_DELAY_SECONDS
from treadle_tui.engine.testing import ScriptedStage

from .workflows import names_told, ran, scripted, state, submitted, told

# --- the numbers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_attempts", 0),
        ("max_attempts", 1.5),
        ("max_attempts", True),
        ("delay", -1),
        ("delay", "1"),
        ("backoff", 0.9),
        ("jitter", -0.1),
        ("jitter", 1.1),
        ("jitter", float("nan")),
        ("max_delay", -1),
        ("attempt_timeout", 0),
        ("on_exhausted", "escalte"),
    ],
)
def test_impossible_numbers_are_refused_by_name(field: str, value: Any):
    with pytest.raises(InvalidDefinition, match=field) as caught:
        RetryBudget(**{field: value})

    assert isinstance(caught.value, ValueError)


def test_a_budget_is_one_attempt_without_delay_unless_told():
    budget = RetryBudget()

    assert (budget.max_attempts, budget.delay, budget.backoff, budget.max_delay, budget.jitter) == (1, 0.0, 1.0, None, 0.0)
    assert (budget.attempt_timeout, budget.retry_on, budget.on_exhausted) == (None, None, "fail")


def test_delays_grow_by_the_backoff_up_to_the_cap():
    budget = RetryBudget(max_attempts=9, delay=2, backoff=3, max_delay=20)

    assert [budget.delay_after(failures) for failures in (1, 2, 3, 4)] == [2, 6, 18, 20]


@given(st.floats(0, 1), st.floats(0, 1, exclude_max=True), st.integers(1, 5))
def test_jitter_multiplies_a_delay_by_at_most_one_plus_or_minus_it(jitter: float, drawn: float, failures: int):
    budget = RetryBudget(max_attempts=9, delay=10, backoff=2, jitter=jitter)
    plain = 10 * 2 ** (failures - 1)

    seconds = budget.delay_after(failures, lambda: drawn)

    assert plain * (1 - jitter) - 1e-9 <= seconds <= plain * (1 + jitter) + 1e-9


def test_the_ends_of_jitter_are_reached():
    budget = RetryBudget(delay=10, jitter=0.3)

    assert [budget.delay_after(1, lambda drawn=drawn: drawn) for drawn in (0.0, 0.5)] == [7, 10]
    assert budget.delay_after(1, lambda: 1 - 1e-12) == pytest.approx(13)


def test_a_runaway_backoff_stays_a_time_that_can_be_written():
    assert RetryBudget(delay=1, backoff=1e300).delay_after(50) == MAX_DELAY_SECONDS


# --- attempts and delays --------------------------------------------------------------------------------------------------------


async def test_max_attempts_counts_the_first(store, start):
    workflow, stage = scripted(ValueError("no"), repeat=True, retry=RetryBudget(max_attempts=3))
    engine = await start(workflow)

    await ran(engine)

    assert [(context.attempt, context.max_attempts) for context in stage.contexts] == [(1, 3), (2, 3), (3, 3)]
    assert (await store.get_status("a", "work")).attempt == 3


async def test_the_next_attempt_waits_for_the_delay_by_the_clock(store, start, clock):
    began = clock.now()
    workflow, stage = scripted(ValueError("no"), ValueError("no"), "ok", retry=RetryBudget(max_attempts=3, delay=60, backoff=2))
    engine = await start(workflow)
    await submitted(engine, "a")

    await engine.advance("a")
    assert await state(store) is StageState.RETRY_WAIT
    for seconds, calls in ((59.999, 1), (0.001, 2), (119.999, 2), (0.001, 3)):
        clock.advance(seconds)
        await engine.advance("a")
        assert len(stage.calls) == calls

    assert await state(store) is StageState.COMPLETED
    scheduled = await told(store, RetryScheduled)
    assert [event.due_at - began for event in scheduled] == [timedelta(seconds=60), timedelta(seconds=180)]
    assert [(event.reason, event.max_attempts, event.attempt) for event in scheduled] == [
        ("ValueError: no", 3, 1),
        ("ValueError: no", 3, 2),
    ]


async def test_run_until_idle_waits_delays_out(store, start, clock):
    workflow, stage = scripted(ValueError("no"), "ok", retry=RetryBudget(max_attempts=2, delay=3600))
    engine = await start(workflow)
    await submitted(engine, "a")

    run = asyncio.create_task(engine.run_until_idle())
    await clock.until_sleeping()
    assert len(stage.calls) == 1
    clock.advance(3600)
    await asyncio.wait_for(run, 10)

    assert await state(store) is StageState.COMPLETED


async def test_a_retry_due_at_once_runs_in_the_same_advance(store, start):
    workflow, _ = scripted(ValueError("no"), "ok", retry=RetryBudget(max_attempts=2))
    engine = await start(workflow)
    await submitted(engine, "a")

    await engine.advance("a")

    assert await state(store) is StageState.COMPLETED
    assert await names_told(store) == [
        "ItemAdded",
        "StageStarted",
        "RetryScheduled",
        "StageStarted",
        "StageCompleted",
        "WorkflowCompleted",
    ]


async def test_a_stage_may_say_itself_when_to_try_again(store, start, clock):
    workflow, stage = scripted(Retry("rate limit", after=30), "ok", retry=RetryBudget(max_attempts=2, delay=5))
    engine = await start(workflow)
    await submitted(engine, "a")
    await engine.advance("a")

    clock.advance(29)
    await engine.advance("a")
    assert len(stage.calls) == 1
    clock.advance(1)
    await engine.advance("a")

    assert await state(store) is StageState.COMPLETED


async def test_jitter_is_applied_to_the_delay(store, start, clock):
    workflow, _ = scripted(ValueError("no"), repeat=True, retry=RetryBudget(max_attempts=2, delay=100, jitter=0.5))
    engine = await start(workflow)

    await submitted(engine, *(str(number) for number in range(30)))
    for number in range(30):
        await engine.advance(str(number))

    delays = {(event.due_at - event.at).total_seconds() for event in await told(store, RetryScheduled)}
    assert all(50 <= seconds <= 150 for seconds in delays)
    assert len(delays) > 5


async def test_other_items_run_while_one_waits(store, start, clock):
    workflow, _ = scripted(ValueError("no"), "ok", repeat=True, retry=RetryBudget(max_attempts=2, delay=60))
    engine = await start(workflow, concurrency=1)
    await submitted(engine, "a", "b")

    run = asyncio.create_task(engine.run_until_idle())
    await clock.until_sleeping()

    assert await state(store, item_id="b") is StageState.COMPLETED
    assert await state(store, item_id="a") is StageState.RETRY_WAIT
    clock.advance(60)
    await asyncio.wait_for(run, 10)


# --- retry_on -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retry_on", "attempts"),
    [
        (ConnectionError, 3),
        ((KeyError, ConnectionError), 3),
        (OSError, 3),
        (KeyError, 1),
        ((KeyError, ValueError), 1),
        (lambda error: "bank" in str(error), 3),
        (lambda error: False, 1),
        (lambda error: error.no_such_field, 3),
    ],
)
async def test_only_failures_worth_it_are_tried_again(store, start, retry_on, attempts):
    workflow, stage = scripted(ConnectionError("the bank"), repeat=True, retry=RetryBudget(max_attempts=3, retry_on=retry_on))
    engine = await start(workflow)

    await ran(engine)

    assert len(stage.calls) == attempts
    assert await state(store) is StageState.FAILED


async def test_what_is_not_worth_another_attempt_escalates_at_once(store, start):
    workflow, stage = scripted(ValueError("no"), retry=RetryBudget(max_attempts=3, retry_on=KeyError, on_exhausted="escalate"))
    engine = await start(workflow)

    await ran(engine)

    assert (await state(store), len(stage.calls)) == (StageState.AWAITING_REVIEW, 1)


async def test_a_rejection_and_a_timeout_are_tried_again_whatever_retry_on_says(store, start, clock):
    """`retry_on` is about exceptions of the stage's own code."""
    slow = ScriptedStage([lambda item, ctx: clock.sleep(99), "ok"])
    workflow = Workflow("docs")
    workflow.add_stage("slow", slow, retry=RetryBudget(max_attempts=2, retry_on=KeyError, attempt_timeout=10))
    verdicts = iter([Rejected("no"), Accepted()])
    judged = ScriptedStage([1], repeat=True)
    workflow.add_stage("judged", judged, gates=[lambda output: next(verdicts)], retry=RetryBudget(max_attempts=2, retry_on=KeyError))
    engine = await start(workflow)
    await submitted(engine, "a")

    await asyncio.wait_for(clock.run(engine.run_until_idle()), 10)

    assert (len(slow.calls), len(judged.calls)) == (2, 2)
    assert await state(store, "slow") is StageState.COMPLETED
    assert await state(store, "judged") is StageState.COMPLETED


# --- attempt_timeout --------------------------------------------------------------------------------------------------------------


async def test_an_attempt_that_takes_too_long_is_a_failed_attempt(store, start, clock):
    interrupted: list[str] = []

    async def slow(item: Any, ctx: Any) -> None:
        try:
            await clock.sleep(1000)
        finally:
            interrupted.append(f"{ctx.attempt} {ctx.cancelled}")

    workflow, _ = scripted(slow, "ok", retry=RetryBudget(max_attempts=2, attempt_timeout=120))
    engine = await start(workflow)
    await submitted(engine, "a")

    run = asyncio.create_task(engine.run_until_idle())
    await clock.until_sleeping(2)
    clock.advance(119)
    await asyncio.sleep(0)
    assert await state(store) is StageState.RUNNING
    clock.advance(1)
    await asyncio.wait_for(run, 10)

    assert interrupted == ["1 True"]
    assert [(attempt.outcome, attempt.error) for attempt in await store.get_attempts("a", "work")] == [
        ("timeout", "the attempt took longer than 120 seconds"),
        ("completed", None),
    ]


async def test_the_timeout_covers_gates_too(store, start, clock):
    async def gate(output: Any) -> Accepted:
        await clock.sleep(1000)
        return Accepted()

    workflow, _ = scripted(1, gates=[gate], retry=RetryBudget(attempt_timeout=10))
    engine = await start(workflow)
    await submitted(engine, "a")

    await asyncio.wait_for(clock.run(engine.run_until_idle()), 10)

    assert [attempt.outcome for attempt in await store.get_attempts("a", "work")] == ["timeout"]


async def test_a_plain_function_that_hangs_is_given_up_and_what_it_returns_is_dropped(store, start, clock):
    release, called = threading.Event(), threading.Event()
    workflow = Workflow("docs")

    @workflow.stage(retry=RetryBudget(attempt_timeout=10))
    def work() -> str:
        called.set()
        release.wait(10)
        return "too late"

    workflow.add_stage("other", ScriptedStage(["ok"]))
    engine = await start(workflow)
    await submitted(engine, "a")

    run = asyncio.create_task(engine.run_until_idle())
    await asyncio.to_thread(called.wait, 10)
    await clock.until_sleeping()
    clock.advance(10)
    await asyncio.wait_for(run, 10)
    release.set()

    status = await store.get_status("a", "work")
    assert (status.state, status.output) == (StageState.FAILED, None)
    assert "longer than 10 seconds" in status.error
    assert await state(store, "other") is StageState.COMPLETED


async def test_the_timeout_of_a_stage_does_not_cover_its_subtasks_which_have_their_own(store, start, clock):
    workflow = Workflow("docs")

    @workflow.stage(retry=RetryBudget(attempt_timeout=10))
    async def work() -> FanOut:
        return FanOut(["short", "long"])

    @work.each(retry=RetryBudget(attempt_timeout=100))
    async def part(subtask: str) -> str:
        await clock.sleep(50 if subtask == "short" else 500)
        return subtask

    engine = await start(workflow)
    await submitted(engine, "a")

    await asyncio.wait_for(clock.run(engine.run_until_idle()), 10)

    status = await store.get_status("a", "work")
    assert [(each.name, each.state, each.error) for each in status.subtasks] == [
        ("short", StageState.COMPLETED, None),
        ("long", StageState.FAILED, "the attempt took longer than 100 seconds"),
    ]


# --- exhausted --------------------------------------------------------------------------------------------------------------------


async def test_exhausted_attempts_fail_the_stage_with_the_last_error(store, start):
    workflow, _ = scripted(ValueError("first"), ValueError("last"), retry=RetryBudget(max_attempts=2))
    engine = await start(workflow)

    await ran(engine)

    assert (await store.get_status("a", "work")).error == "ValueError: last"
    assert (await names_told(store)).count("StageFailed") == 1


async def test_escalation_calls_a_person_with_the_last_output_there_is(store, start):
    workflow, _ = scripted(
        {"n": 1}, {"n": 2}, gates=[lambda output: Rejected("thin")], retry=RetryBudget(max_attempts=2, on_exhausted="escalate")
    )
    engine = await start(workflow)

    await ran(engine)

    status = await store.get_status("a", "work")
    assert (status.state, status.output, status.error) == (StageState.AWAITING_REVIEW, {"n": 2}, "rejected: thin")
    assert "2 of 2 attempts failed" in status.review.summary
    (escalated,) = await told(store, Escalated)
    (required,) = await told(store, ReviewRequired)
    assert "rejected: thin" in escalated.reason
    assert escalated.seq < required.seq


# --- feedback and history -----------------------------------------------------------------------------------------------------------


async def test_what_a_gate_said_reaches_the_next_attempt(store, start):
    said = Feedback("too short", criteria=[Criterion("words", ">= 600", "3", False)], guidance={"strategy": "layout"})
    verdicts = iter([Rejected(said), Accepted()])
    workflow, stage = scripted("short", "long", gates=[lambda output: next(verdicts)], retry=RetryBudget(max_attempts=2))
    engine = await start(workflow)

    await ran(engine)

    assert stage.contexts[0].feedback is None
    assert stage.contexts[1].feedback == said
    (previous,) = stage.contexts[1].previous_attempts
    assert isinstance(previous, AttemptRecord)
    assert (previous.number, previous.outcome, previous.output, previous.error) == (1, "rejected", "short", "rejected: too short")
    assert (previous.verdict, previous.feedback) == (Rejected(said), said)
    assert [(attempt.outcome, attempt.verdict) for attempt in await store.get_attempts("a", "work")] == [
        ("rejected", Rejected(said)),
        ("completed", Accepted()),
    ]


async def test_feedback_is_about_the_last_attempt_that_was_judged(store, start):
    """An error in between does not silence what the gate said: it still holds."""
    verdicts = iter([Rejected("too short"), Accepted()])
    workflow, stage = scripted("short", ValueError("no"), "long", gates=[lambda output: next(verdicts)], retry=RetryBudget(max_attempts=3))
    engine = await start(workflow)

    await ran(engine)

    assert [context.feedback and context.feedback.summary for context in stage.contexts] == [None, "too short", "too short"]


async def test_quality_checks_are_told(store, start):
    verdicts = iter([Rejected("too short"), Accepted()])
    workflow, _ = scripted(1, 2, gates=[lambda output: next(verdicts)], retry=RetryBudget(max_attempts=2))
    engine = await start(workflow)

    await ran(engine)

    assert await names_told(store) == [
        "ItemAdded",
        "StageStarted",
        "QualityCheckFailed",
        "RetryScheduled",
        "StageStarted",
        "QualityCheckPassed",
        "StageCompleted",
        "WorkflowCompleted",
    ]


async def test_attempts_know_when_they_began_and_ended(store, start, clock):
    workflow, _ = scripted(ValueError("no"), "ok", retry=RetryBudget(max_attempts=2, delay=5))
    engine = await start(workflow)
    await submitted(engine, "a")
    began = clock.now()

    await clock.run(engine.run_until_idle())

    first, second = await store.get_attempts("a", "work")
    assert (first.started_at, first.completed_at) == (began, began)
    assert (second.started_at, second.completed_at) == (began + timedelta(seconds=5), began + timedelta(seconds=5))


async def test_a_running_attempt_is_in_the_history_without_an_outcome(store, start):
    going, go = asyncio.Event(), asyncio.Event()

    async def work(item: Any, ctx: Any) -> str:
        going.set()
        await go.wait()
        return "ok"

    engine = await start(scripted(work)[0])
    await submitted(engine, "a")
    run = asyncio.create_task(engine.run_until_idle())
    await going.wait()

    (attempt,) = await store.get_attempts("a", "work")
    go.set()
    await run

    assert (attempt.number, attempt.outcome, attempt.completed_at) == (1, None, None)


async def test_every_attempt_has_a_key_of_its_own_in_printable_ascii(store, start):
    workflow, stage = scripted(ValueError("no"), repeat=True, retry=RetryBudget(max_attempts=2))
    engine = await start(workflow)

    await ran(engine, "a", "ü" * 500)

    keys = [context.idempotency_key for context in stage.contexts]
    assert len(set(keys)) == 4
    assert all(key.isascii() and key.isprintable() and 0 < len(key) <= 255 for key in keys)


@pytest.mark.parametrize("listed", [[ValueError, OSError], {ValueError, OSError}, (ValueError, OSError)])
def test_exception_types_may_be_listed_in_any_way(listed):
    budget = RetryBudget(max_attempts=2, retry_on=listed)

    assert budget.is_worth_retrying(ValueError("x"))
    assert not budget.is_worth_retrying(KeyError("x"))


@pytest.mark.parametrize("nonsense", [5, "ValueError", int, [ValueError, "OSError"], (3,)])
def test_what_is_neither_exception_types_nor_a_predicate_is_refused(nonsense):
    with pytest.raises(InvalidDefinition, match="retry_on"):
        RetryBudget(max_attempts=2, retry_on=nonsense)
