"""Workflows of every form, run: nested ones, built ones, classes with hooks, gates joined with others."""

from __future__ import annotations

from typing import Any

from treadle_tui.engine import (
    Accepted,
    Completed,
    Criterion,
    Feedback,
    Gate,
    Rejected,
    RetryBudget,
    ReviewPolicy,
    Stage,
    StageState,
    Uncertain,
    Workflow,
    gate,
)
from treadle_tui.engine.testing import ScriptedStage

from .workflows import ran, scripted, state, states


def cleaning(*leaves: str) -> Workflow:
    """A workflow to be included: `parse`, and leaves behind it."""
    workflow = Workflow("cleaning")

    @workflow.stage
    async def parse(item: Any, ctx: Any) -> Any:
        return {"parsed": item["id"], "up": ctx.upstream}

    for leaf in leaves:
        workflow.add_stage(leaf, ScriptedStage([lambda item, ctx: [ctx.stage_name, ctx.upstream["parse"]["parsed"]]]), after=["parse"])
    return workflow


async def test_a_nested_workflow_runs_in_its_place_and_its_leaf_is_handed_on(store, start):
    workflow = Workflow("docs")
    workflow.add_stage("fetch", ScriptedStage(["fetched"]))
    workflow.include("clean", cleaning("polish"), after=["fetch"])

    @workflow.stage
    async def publish(clean: Any, ctx: Any) -> Any:
        return clean

    engine = await start(workflow)
    await ran(engine)

    assert list(await states(store)) == ["fetch", "clean/parse", "clean/polish", "publish"]
    assert (await store.get_status("a", "clean/parse")).output == {"parsed": "a", "up": {"fetch": "fetched"}}
    assert (await store.get_status("a", "publish")).output == ["clean/polish", "a"]


async def test_several_leaves_of_a_nested_workflow_are_handed_on_by_name(store, start):
    workflow = Workflow("docs")
    workflow.include("clean", cleaning("left", "right"))

    @workflow.stage
    async def publish(clean: Any) -> Any:
        return clean

    engine = await start(workflow)
    await ran(engine)

    assert (await store.get_status("a", "publish")).output == {"left": ["clean/left", "a"], "right": ["clean/right", "a"]}


class Parse(Stage):
    """A stage in class form, with what its class says of it."""

    retry = RetryBudget(max_attempts=2)

    async def execute(self, item: Any, ctx: Any) -> Any:
        if ctx.attempt == 1:
            raise ValueError("first")
        return Completed({"pages": 3}, summary="3 pages")


class Plain:
    """No base class, no async: still a stage."""

    def execute(self, item: Any, ctx: Any) -> Any:
        return [item["id"], ctx.upstream["parse"]]


async def test_a_built_workflow_of_classes_and_functions_runs(store, start):
    def export(item: Any, review: Any) -> Any:
        return review

    workflow = (
        Workflow.builder("docs")
        .stage("export", export)
        .stage("review", Plain())
        .stage("parse", Parse())
        .dependency("review", "parse")
        .dependency("export", "review")
        .quality_gate("review", lambda output: Uncertain("?"))
        .review_policy("review", ReviewPolicy.NEVER)
        .retry_budget("review", RetryBudget(max_attempts=2, on_exhausted="escalate"))
        .build()
    )
    engine = await start(workflow)

    await ran(engine)

    assert await states(store) == {"parse": "completed", "review": "awaiting_review", "export": "pending"}
    status = await store.get_status("a", "review")
    assert (status.attempt, status.output) == (2, ["a", {"pages": 3}])
    assert (await store.get_status("a", "parse")).summary == "3 pages"


class Words(Gate):
    """A gate in class form."""

    def __init__(self, least: int) -> None:
        self.least = least

    async def evaluate(self, output: Any, ctx: Any, item: Any = None) -> Any:
        count = len(str(output).split())
        if count >= self.least:
            return Accepted()
        return Rejected(Feedback("too short", [Criterion("words", f">= {self.least}", str(count), False)]))


async def test_gates_joined_by_and_must_all_accept_and_their_criteria_are_joined(store, start):
    clean = gate(lambda output: Rejected(Feedback("dirty", [Criterion("clean", "yes", "no", False)])))
    engine = await start(scripted("one two", gates=[Words(3) & clean])[0])

    await ran(engine)

    (attempt,) = await store.get_attempts("a", "work")
    assert [criterion.name for criterion in attempt.feedback.criteria] == ["words", "clean"]
    assert attempt.error == "rejected: too short; dirty"


async def test_gates_joined_by_or_need_one_that_accepts(store, start):
    engine = await start(scripted("one two", gates=[Words(3) | gate(lambda output, item: Accepted())])[0])

    await ran(engine)

    assert await state(store) is StageState.COMPLETED


async def test_every_gate_of_a_stage_must_accept(store, start):
    engine = await start(scripted("one two", gates=[Words(1), Words(3)])[0])

    await ran(engine)

    assert (await store.get_status("a", "work")).error == "rejected: too short"


async def test_a_gate_sees_the_item_and_what_is_upstream(store, start):
    seen: list[Any] = []
    workflow = Workflow("docs")
    workflow.add_stage("before", ScriptedStage(["b"]))

    def judge(output: Any, ctx: Any, item: Any, before: Any) -> Any:
        seen.append((output, ctx.attempt, item["id"], before))
        return Accepted()

    workflow.add_stage("work", ScriptedStage(["w"]), gates=[judge])
    engine = await start(workflow)
    await ran(engine)

    assert seen == [("w", 1, "a", "b")]
