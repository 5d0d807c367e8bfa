"""The part of the store contract about what has been: the runs of stages, and what they depend on."""

from __future__ import annotations

from typing import Any

from treadle_tui.engine.engine import Engine
from treadle_tui.engine.review import Approve, RequestChanges
from treadle_tui.engine.states import StageState
from treadle_tui.engine.testing.clock import ManualClock
from treadle_tui.engine.testing.contract import every_store
from treadle_tui.engine.testing.contract_items import two_steps
from treadle_tui.engine.workflow import Workflow


@every_store
async def what_stages_depend_on_is_known_without_their_code(store: Any) -> None:
    """`dependencies(workflow)`: stage → the stages right above it, in topological order; `{}` for an unknown workflow."""
    workflow = two_steps()
    workflow.add_stage("index", _nothing, after=["publish", "parse"])
    async with Engine(store, [workflow, two_steps("other")]):
        depends = await store.dependencies("docs")

    assert list(depends) == ["parse", "review", "publish", "index"]
    assert {stage: sorted(above) for stage, above in depends.items()} == {
        "parse": [],
        "review": ["parse"],
        "publish": ["review"],
        "index": ["parse", "publish"],
    }
    assert await store.dependencies("?") == {}


async def _nothing(item: Any) -> None:
    return None


@every_store
async def the_runs_of_stages_are_told_with_the_time_they_took(store: Any) -> None:
    """`stage_runs(workflow, limit)`: stage → its runs, newest first, in seconds of the engine's clock; `[]` without any."""
    clock = ManualClock()
    workflow = Workflow("docs")

    @workflow.stage
    async def parse(item: Any) -> None:
        clock.advance(item["seconds"])

    workflow.add_stage("publish", _nothing, after=["parse"])
    async with Engine(store, [workflow], clock=clock) as engine:
        assert await store.stage_runs("docs") == {"parse": [], "publish": []}
        for seconds in (1, 2, 3):
            await engine.submit("docs", [{"id": str(seconds), "seconds": seconds}])
            await engine.advance(str(seconds))
        await engine.submit("docs", [{"id": "waiting", "seconds": 1}])

    runs = await store.stage_runs("docs")
    assert [run.seconds for run in runs["parse"]] == [3.0, 2.0, 1.0]
    assert [run.attempt_seconds for run in runs["parse"]] == [(3.0,), (2.0,), (1.0,)]
    assert {(run.state, run.waited_seconds, run.decision) for run in runs["parse"]} == {(StageState.COMPLETED, None, None)}
    assert len(runs["publish"]) == 3
    assert len((await store.stage_runs("docs", 2))["parse"]) == 2
    assert await store.stage_runs("?") == {}


@every_store
async def the_run_of_a_reviewed_stage_tells_how_long_a_person_took_and_what_they_sent_back(store: Any) -> None:
    """A run waits from the last time a review was asked for; changes requested before are counted."""
    clock = ManualClock()
    async with Engine(store, [two_steps()], clock=clock) as engine:
        await engine.submit("docs", [{"id": "a"}])
        await engine.advance("a")
        await engine.resolve_review("a", "review", RequestChanges("again"))
        await engine.advance("a")
        clock.advance(60)
        await engine.resolve_review("a", "review", Approve(by="ana"))
        await engine.advance("a")

    (run,) = (await store.stage_runs("docs"))["review"]
    assert (run.state, run.waited_seconds, run.changes_requested) == (StageState.COMPLETED, 60.0, 1)
    assert isinstance(run.decision, Approve)
    assert run.decision.by == "ana"
