"""What a stage answers, and where that leads: the table of outcomes, and what happens to answers nobody expected."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest

from treadle_tui.engine import (
    Accepted,
    Completed,
    Criterion,
    Failed,
    Feedback,
    NeedsReview,
    Rejected,
    Retry,
    RetryBudget,
    ReviewData,
    ReviewField,
    ReviewPolicy,
    Skipped,
    Stage,
    StageFailed,
    StageSkipped,
    StageState,
    SubTask,
    Uncertain,
    Workflow,
    WorkflowCompleted,
)
from treadle_tui.engine.outcomes import FanOut, StageOutcome
from treadle_tui.engine.testing import ScriptedStage

from .workflows import chain, names_told, ran, scripted, state, states, submitted, told

# --- the table ----------------------------------------------------------------------------------------------------------------


async def test_a_plain_value_is_completed_with_that_value(store, start):
    engine = await start(scripted({"pages": 3})[0])

    await ran(engine)

    status = await store.get_status("a", "work")
    assert (status.state, status.output, status.summary, status.error) == (StageState.COMPLETED, {"pages": 3}, None, None)
    assert await names_told(store) == ["ItemAdded", "StageStarted", "StageCompleted", "WorkflowCompleted"]


async def test_none_is_completed_with_nothing(store, start):
    engine = await start(scripted(None)[0])

    await ran(engine)

    status = await store.get_status("a", "work")
    assert (status.state, status.output) == (StageState.COMPLETED, None)
    assert (await store.get_attempts("a", "work"))[0].output is None


async def test_completed_carries_an_output_and_a_summary(store, start):
    engine = await start(scripted(Completed([1, 2], summary="two of them"))[0])

    await ran(engine)

    status = await store.get_status("a", "work")
    assert (status.state, status.output, status.summary) == (StageState.COMPLETED, [1, 2], "two of them")


async def test_needs_review_holds_dependents_back_until_a_person_has_decided(store, start):
    asked = ReviewData("is it good?", details={"score": 3})
    engine = await start(chain("work", "after", work=NeedsReview({"draft": 1}, asked, summary="a draft")))

    await ran(engine)

    status = await store.get_status("a", "work")
    assert (status.state, status.output, status.summary) == (StageState.AWAITING_REVIEW, {"draft": 1}, "a draft")
    assert (status.review.summary, status.review.details) == ("is it good?", {"score": 3})
    assert await state(store, "after") is StageState.PENDING


async def test_needs_review_without_data_still_says_something(store, start):
    engine = await start(scripted(NeedsReview())[0])

    await ran(engine)

    assert (await store.get_status("a", "work")).review.summary


async def test_skipped_satisfies_dependents_and_hands_them_none(store, start):
    after = ScriptedStage([lambda item, ctx: ctx.upstream])
    engine = await start(chain("work", "after", work=Skipped("no pages"), after=after))

    await ran(engine)

    status = await store.get_status("a", "work")
    assert (status.state, status.summary, status.output) == (StageState.SKIPPED, "no pages", None)
    assert (await store.get_status("a", "after")).output == {"work": None}
    assert [event.reason for event in await told(store, StageSkipped)] == ["no pages"]
    assert len(await told(store, WorkflowCompleted)) == 1


async def test_failed_is_failed_for_good_whatever_the_budget(store, start):
    workflow, stage = scripted(Failed("no such file"), retry=RetryBudget(max_attempts=5, on_exhausted="escalate"))
    engine = await start(workflow)

    await ran(engine)

    status = await store.get_status("a", "work")
    assert (status.state, status.error, len(stage.calls)) == (StageState.FAILED, "no such file", 1)
    assert [event.error for event in await told(store, StageFailed)] == ["no such file"]
    assert [attempt.outcome for attempt in await store.get_attempts("a", "work")] == ["failed"]


async def test_retry_is_a_failed_attempt_tried_again_within_the_budget(store, start):
    workflow, stage = scripted(Retry("busy"), Retry("still busy"), retry=RetryBudget(max_attempts=2))
    engine = await start(workflow)

    await ran(engine)

    status = await store.get_status("a", "work")
    assert (status.state, status.error, len(stage.calls)) == (StageState.FAILED, "still busy", 2)
    assert [attempt.outcome for attempt in await store.get_attempts("a", "work")] == ["retry", "retry"]


async def test_raising_is_a_failed_attempt(store, start):
    engine = await start(chain("work", "after", work=ScriptedStage([ValueError("no text")])))

    await ran(engine)

    assert await states(store) == {"work": "failed", "after": "pending"}
    assert (await store.get_status("a", "work")).error == "ValueError: no text"
    assert await told(store, WorkflowCompleted) == []


@pytest.mark.parametrize("outcome", [Completed, Skipped, NeedsReview])
async def test_an_outcome_class_that_needs_no_arguments_stands_for_its_object(store, start, outcome):
    engine = await start(scripted(outcome)[0])

    await ran(engine)

    expected = {Completed: StageState.COMPLETED, Skipped: StageState.SKIPPED, NeedsReview: StageState.AWAITING_REVIEW}[outcome]
    assert await state(store) is expected


async def test_a_failed_stage_does_not_stop_other_items_or_independent_stages(store, start):
    workflow = Workflow("docs")
    workflow.add_stage("bad", ScriptedStage([lambda item, ctx: 1 / 0 if item["id"] == "a" else 1], repeat=True))
    workflow.add_stage("good", ScriptedStage([2], repeat=True))
    workflow.add_stage("both", ScriptedStage([3], repeat=True), after=["bad", "good"])
    engine = await start(workflow)

    await ran(engine, "a", "b")

    assert await states(store, "a") == {"bad": "failed", "good": "completed", "both": "pending"}
    assert await states(store, "b") == {"bad": "completed", "good": "completed", "both": "completed"}


async def test_stages_without_dependencies_run_at_the_same_time(store, start):
    meeting = asyncio.Barrier(2)
    workflow = Workflow("docs")
    for name in ("left", "right"):
        workflow.add_stage(name, _waiting_at(meeting))
    engine = await start(workflow)

    await asyncio.wait_for(ran(engine), 10)

    assert await states(store) == {"left": "completed", "right": "completed"}


def _waiting_at(barrier: asyncio.Barrier) -> Any:
    async def stage() -> None:
        await barrier.wait()

    return stage


# --- skip_if ------------------------------------------------------------------------------------------------------------------


async def test_skip_if_skips_without_calling_the_stage(store, start):
    stage = ScriptedStage(["first", "second"])
    workflow = Workflow("docs")
    workflow.add_stage("count", ScriptedStage([lambda item, ctx: item["pages"]], repeat=True))
    workflow.add_stage("work", stage, skip_if=lambda item, count: item["id"] == "a" and count == 0)
    engine = await start(workflow)

    await ran(engine, "a", pages=0)
    await ran(engine, "b", pages=0)

    assert await states(store, "a") == {"count": "completed", "work": "skipped"}
    assert await states(store, "b") == {"count": "completed", "work": "completed"}
    assert [item["id"] for item in stage.items] == ["b"]


async def test_a_skip_if_that_raises_is_a_failed_attempt(store, start):
    workflow, stage = scripted(1, skip_if=lambda item: item["missing"])
    engine = await start(workflow)

    await ran(engine)

    status = await store.get_status("a", "work")
    assert (status.state, status.error, stage.calls) == (StageState.FAILED, "KeyError: 'missing'", [])


# --- hooks --------------------------------------------------------------------------------------------------------------------


class Hooked(Stage):
    """Notes the order of its calls."""

    def __init__(self, before: Exception | None = None, after: Exception | None = None) -> None:
        self.calls: list[Any] = []
        self._errors = {"before": before, "after": after}

    async def before_execute(self, item: Any, ctx: Any) -> None:
        self.calls.append("before")
        if self._errors["before"]:
            raise self._errors["before"]

    async def execute(self, item: Any, ctx: Any) -> Any:
        self.calls.append("execute")
        return {"n": 1}

    async def after_execute(self, item: Any, ctx: Any, outcome: StageOutcome) -> None:
        self.calls.append(outcome)
        if self._errors["after"]:
            raise self._errors["after"]


async def test_hooks_are_called_before_and_after_and_the_outcome_is_an_outcome_class(store, start):
    stage = Hooked()
    workflow = Workflow("docs")
    workflow.add_stage("work", stage, gates=[lambda output: stage.calls.append("gate") or Accepted()])
    engine = await start(workflow)

    await ran(engine)

    assert stage.calls == ["before", "execute", Completed({"n": 1}), "gate"]


async def test_a_before_hook_that_raises_is_a_failed_attempt_and_the_stage_is_not_called(store, start):
    stage = Hooked(before=ValueError("not ready"))
    workflow = Workflow("docs")
    workflow.add_stage("work", stage, retry=RetryBudget(max_attempts=2))
    engine = await start(workflow)

    await ran(engine)

    assert stage.calls == ["before", "before"]
    assert (await store.get_status("a", "work")).error == "ValueError: not ready"


async def test_an_after_hook_that_raises_is_a_failed_attempt(store, start):
    stage = Hooked(after=ValueError("too late"))
    workflow = Workflow("docs")
    workflow.add_stage("work", stage)
    engine = await start(workflow)

    await ran(engine)

    assert (await store.get_status("a", "work")).error == "ValueError: too late"


# --- policies -----------------------------------------------------------------------------------------------------------------

NEVER, ALWAYS = ReviewPolicy.NEVER, ReviewPolicy.ALWAYS
ON_UNCERTAIN, ON_ESCALATION = ReviewPolicy.ON_UNCERTAIN, ReviewPolicy.ON_ESCALATION
EITHER = ReviewPolicy.ON_ESCALATION_OR_UNCERTAIN


@pytest.mark.parametrize(
    ("policy", "accepted", "uncertain", "exhausted"),
    [
        (NEVER, "completed", "failed", "failed"),
        (ALWAYS, "awaiting_review", "awaiting_review", "failed"),
        (ReviewPolicy.sample(1.0), "awaiting_review", "awaiting_review", "failed"),
        (ReviewPolicy.sample(0.0), "completed", "failed", "failed"),
        (ON_UNCERTAIN, "completed", "awaiting_review", "failed"),
        (ON_ESCALATION, "completed", "awaiting_review", "awaiting_review"),
        (EITHER, "completed", "awaiting_review", "awaiting_review"),
    ],
    ids=lambda value: value.when if isinstance(value, ReviewPolicy) else value,
)
@pytest.mark.parametrize("verdict", ["accepted", "uncertain", "exhausted"])
async def test_where_a_verdict_leads_is_up_to_the_policy(store, start, policy, verdict, accepted, uncertain, exhausted):
    """ON_ESCALATION sends an uncertain answer on as a failed attempt, and the last of those to a person."""
    verdicts = {"accepted": Accepted(), "uncertain": Uncertain("blurred"), "exhausted": Rejected("too short")}
    workflow, stage = scripted(1, repeat=True, gates=[lambda output: verdicts[verdict]], review=policy, retry=RetryBudget(max_attempts=2))
    engine = await start(workflow)

    await ran(engine)

    assert (await state(store)).value == {"accepted": accepted, "uncertain": uncertain, "exhausted": exhausted}[verdict]
    is_retried = verdict == "exhausted" or (verdict == "uncertain" and not policy.on_uncertain and policy != ReviewPolicy.sample(1.0))
    assert len(stage.calls) == (2 if is_retried else 1)


@pytest.mark.parametrize(
    "policy", [NEVER, ALWAYS, ON_UNCERTAIN, ON_ESCALATION, EITHER, ReviewPolicy.sample(0.0)], ids=lambda policy: policy.when
)
@pytest.mark.parametrize("ending", [ValueError("broken"), Retry("broken"), Rejected("broken")], ids=["raised", "retry", "rejected"])
async def test_a_budget_that_escalates_leads_to_review_whatever_the_policy(store, start, policy, ending):
    answers = [1] if isinstance(ending, Rejected) else [ending]
    gates = [lambda output: ending] if isinstance(ending, Rejected) else []
    workflow, stage = scripted(
        *answers, repeat=True, gates=gates, review=policy, retry=RetryBudget(max_attempts=3, on_exhausted="escalate")
    )
    engine = await start(workflow)

    await ran(engine)

    status = await store.get_status("a", "work")
    assert (status.state, len(stage.calls)) == (StageState.AWAITING_REVIEW, 3)
    assert "broken" in (status.error or "")
    assert "Escalated" in await names_told(store)
    assert "StageFailed" not in await names_told(store)


async def test_a_stage_without_a_gate_is_never_reviewed_unless_it_asks(store, start):
    engine = await start(scripted(1)[0])

    await ran(engine)

    assert await state(store) is StageState.COMPLETED


async def test_a_stage_with_a_gate_is_reviewed_when_the_gate_is_uncertain(store, start):
    engine = await start(scripted(1, gates=[lambda output: Uncertain("blurred")])[0])

    await ran(engine)

    status = await store.get_status("a", "work")
    assert status.state is StageState.AWAITING_REVIEW
    assert "blurred" in status.review.summary


async def test_a_stage_that_asks_for_review_is_reviewed_whatever_the_policy(store, start):
    engine = await start(scripted(NeedsReview(1), review=NEVER)[0])

    await ran(engine)

    assert await state(store) is StageState.AWAITING_REVIEW


async def test_a_gate_rejects_also_what_the_stage_wants_reviewed(store, start):
    engine = await start(scripted(NeedsReview(1), gates=[lambda output: Rejected("empty")])[0])

    await ran(engine)

    assert (await store.get_status("a", "work")).error == "rejected: empty"


async def test_the_sample_is_drawn_once_per_item_and_stage(store, start):
    workflow, _ = scripted(1, repeat=True, review=ReviewPolicy.sample(0.4))
    engine = await start(workflow)
    ids = [f"item {number}" for number in range(200)]

    await ran(engine, *ids)
    sampled = await store.query_items("work", StageState.AWAITING_REVIEW)
    for id in ids:
        if id not in sampled:
            await engine.rerun_stage(id, "work")
    await engine.run_until_idle()

    assert 50 < len(sampled) < 110
    assert await store.query_items("work", StageState.AWAITING_REVIEW) == sampled


# --- what cannot be kept ------------------------------------------------------------------------------------------------------


class Unwritable:
    """JSON has no form for it."""


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (Unwritable(), "Unwritable"),
        ({"deep": [Unwritable()]}, "$.deep[0] is of type Unwritable"),
        (math.nan, "nan"),
        ({"n": math.inf}, "$.n is inf"),
        ("\ud800", "surrogate"),
        (NeedsReview(Unwritable()), "Unwritable"),
        (NeedsReview(1, ReviewData("x", details=Unwritable())), "Unwritable"),
        (FanOut([SubTask("x", metadata=Unwritable())]), "Unwritable"),
        ({1: Unwritable()}, "Unwritable"),
    ],
)
async def test_what_cannot_be_written_is_a_failed_attempt_that_names_it(store, start, answer, named):
    engine = await start(scripted(answer, "ok", repeat=True)[0], concurrency=1)

    await ran(engine, "a", "b")

    status = await store.get_status("a", "work")
    assert status.state is StageState.FAILED
    assert named in status.error
    assert await state(store, item_id="b") is StageState.COMPLETED


class Unspeakable(Exception):
    """An exception that cannot even be shown."""

    def __str__(self) -> str:
        raise ValueError("no words")

    __repr__ = Exception.__repr__


@pytest.mark.parametrize(
    "answer",
    [
        Failed(ValueError("given as an exception")),  # type: ignore[arg-type]
        Retry(ValueError("given as an exception")),  # type: ignore[arg-type]
        Skipped(Path("x")),  # type: ignore[arg-type]
        Completed(1, summary=Path("x")),  # type: ignore[arg-type]
        NeedsReview(1, "just a text"),  # type: ignore[arg-type]
        NeedsReview(1, ReviewData(Path("x"))),  # type: ignore[arg-type]
        FanOut([1]),  # type: ignore[list-item]
        FanOut(7),  # type: ignore[arg-type]
        FanOut(["\ud800"]),
        Failed("half a pair \ud800"),
        Retry("half a pair \ud800"),
        Skipped("half a pair \ud800"),
        Completed(1, summary="half a pair \ud800"),
        NeedsReview(1, ReviewData("half a pair \ud800")),
        ValueError("half a pair \ud800"),
        Retry("soon", after="tomorrow"),  # type: ignore[arg-type]
        Retry("soon", after=math.nan),
        Retry("soon", after=math.inf),
        Retry("later than dates reach", after=1e15),
        Unspeakable(),
    ],
    ids=repr,
)
async def test_an_answer_of_the_wrong_kind_never_leaves_its_item_stuck(store, start, clock, answer):
    """Whatever it becomes, the item is somewhere a person can see it, the engine ends, and other items go on."""
    workflow, _ = scripted(
        lambda item, ctx: answer if item["id"] == "a" else "ok", repeat=True, retry=RetryBudget(max_attempts=2, on_exhausted="escalate")
    )
    engine = await start(workflow)
    await submitted(engine, "a", "b")

    await asyncio.wait_for(clock.run(engine.run_until_idle()), 10)

    assert await state(store) in (StageState.FAILED, StageState.SKIPPED, StageState.COMPLETED, StageState.AWAITING_REVIEW)
    assert await state(store, item_id="b") is StageState.COMPLETED
    assert engine.running == 0


class Talkative(Stage):
    """Tells something that cannot be written."""

    def __init__(self, tell: Any) -> None:
        self.tell = tell

    async def execute(self, item: Any, ctx: Any) -> Any:
        ctx.progress(0.0, "begun")
        self.tell(ctx)
        return 1


@pytest.mark.parametrize(
    "tell",
    [
        lambda ctx: ctx.log("half a pair \ud800"),
        lambda ctx: ctx.progress(0.5, "half a pair \ud800"),
        lambda ctx: ctx.progress(math.nan, "not a number"),
        lambda ctx: ctx.log(Unwritable()),
    ],
    ids=["log", "progress", "nan", "object"],
)
async def test_news_that_cannot_be_written_does_not_harm_the_attempt(store, start, tell):
    workflow = Workflow("docs")
    workflow.add_stage("work", Talkative(tell))
    engine = await start(workflow)

    await asyncio.wait_for(ran(engine), 10)

    assert await state(store) is StageState.COMPLETED


async def test_a_gate_whose_feedback_cannot_be_written_is_a_failed_attempt(store, start):
    said = [Rejected(Feedback("bad", guidance=Unwritable())), Rejected(Feedback("half a pair \ud800")), Uncertain("half a pair \ud800")]
    for item_id, verdict in zip("abc", said, strict=True):
        workflow = Workflow(item_id)
        workflow.add_stage("work", ScriptedStage([1]), gates=[lambda output, verdict=verdict: verdict])
        engine = await start(workflow)

        await asyncio.wait_for(ran(engine, item_id), 10)

    assert [await state(store, item_id=id) for id in "abc"] == [StageState.FAILED] * 3


async def everything_read(store: Any, engine: Any, item_id: str = "a") -> tuple[Any, Any]:
    """All that anybody may ask about the item; its one stage and the attempts of that."""
    await engine.status(item_id)
    await engine.explain(item_id)
    await engine.pending_reviews()
    assert [event async for event in store.events(item_id=item_id)]
    return await store.get_status(item_id, "work"), await store.get_attempts(item_id, "work")


@pytest.mark.parametrize(
    ("verdict", "kept"),
    [
        (Rejected(Feedback("thin", [Criterion("words", 600, 599.5, 0)])), ("thin", [Criterion("words", "600", "599.5", False)])),  # type: ignore[arg-type]
        (Rejected(Feedback(7)), ("7", [])),  # type: ignore[arg-type]
        (Rejected(Feedback(ValueError("as an exception"))), ("as an exception", [])),  # type: ignore[arg-type]
        (Uncertain(7), ("7", [])),  # type: ignore[arg-type]
        (Uncertain(None), ("the quality gate could not tell", [])),  # type: ignore[arg-type]
    ],
    ids=repr,
)
async def test_what_a_gate_says_in_numbers_is_kept_as_text_and_can_be_read(store, start, verdict, kept):
    feedback = []
    workflow, _ = scripted(
        lambda item, ctx: feedback.append(ctx.feedback),
        repeat=True,
        gates=[lambda output: verdict],
        review=ReviewPolicy.NEVER,
        retry=RetryBudget(2),
    )
    engine = await start(workflow)

    await ran(engine)

    status, attempts = await everything_read(store, engine)
    assert status.state is StageState.FAILED
    assert [each.feedback for each in attempts] == [Feedback(*kept)] * 2
    assert feedback == [None, Feedback(*kept)]


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (NeedsReview(1, ReviewData("x", fields=["a"])), "`$.fields[0]`"),  # type: ignore[list-item]
        (NeedsReview(1, ReviewData("x", fields=ReviewField("a"))), "`$.fields`"),  # type: ignore[arg-type]
        (NeedsReview(1, ReviewData("x", fields=[ReviewField("a", "choice", choices=[1])])), "`$.fields[0].choices[0]`"),  # type: ignore[list-item]
        (NeedsReview(1, ReviewData("x", created_at="now")), "`$.created_at`"),  # type: ignore[arg-type]
        (NeedsReview(1, ReviewData("x", details=[math.nan])), "$.details[0] is nan"),
        (NeedsReview(1, {"summary": "x"}), "NeedsReview takes a ReviewData"),  # type: ignore[arg-type]
    ],
    ids=repr,
)
async def test_a_review_that_could_not_be_read_again_is_a_failed_attempt(store, start, answer, named):
    engine = await start(scripted(answer)[0])

    await ran(engine)

    status, _ = await everything_read(store, engine)
    assert status.state is StageState.FAILED
    assert named in status.error


@pytest.mark.parametrize("said", ["look", ReviewData("look")], ids=repr)
async def test_a_text_stands_for_a_review_that_says_it(store, start, said):
    engine = await start(scripted(NeedsReview(1, said))[0])

    await ran(engine)

    status, _ = await everything_read(store, engine)
    assert (status.state, status.review.summary) == (StageState.AWAITING_REVIEW, "look")


async def test_feedback_is_told_as_it_is_kept(store, start):
    """A number as a key is a text in JSON, at once and after a restart."""
    seen = []
    workflow, _ = scripted(
        lambda item, ctx: seen.append(ctx.feedback), repeat=True, gates=[lambda output: Rejected(Feedback("x", guidance={1: (2, 3)}))]
    )
    engine = await start(workflow)
    await ran(engine)

    await engine.retry_stage("a", "work")
    await engine.run_until_idle()

    assert seen[1].guidance == {"1": [2, 3]}


@pytest.mark.parametrize("verdict", ["accepted", None, True, Accepted], ids=repr)
async def test_a_gate_that_answers_no_verdict_is_uncertain(store, start, verdict):
    engine = await start(scripted(1, gates=[lambda output: verdict])[0])

    await ran(engine)

    status = await store.get_status("a", "work")
    assert status.state is StageState.AWAITING_REVIEW
    assert "no verdict" in status.review.summary
