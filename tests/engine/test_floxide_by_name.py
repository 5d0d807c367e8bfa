"""What people come to a workflow library for, each by the name they know it under: run, checkpoint, resume, cancel, split, merge, nest.

The list is that of floxide, a Rust library for workflows. Its names stand in the tests' names, ours in what they do.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from treadle_tui.engine import (
    ApproveWithEdits,
    Completed,
    Engine,
    FanOut,
    ItemNotFound,
    MemoryStateStore,
    NeedsReview,
    RetryBudget,
    SqliteStateStore,
    Stage,
    StageOutcome,
    StageState,
    Workflow,
    WorkflowCompleted,
)
from treadle_tui.engine.testing import ScriptedStage, crash_engine

from .workflows import chain, names_told, ran, states, submitted, told, until

ROOT = Path(__file__).resolve().parents[2]


def counted(calls: list[str], *names: str) -> Workflow:
    """Stages one after the other that note in `calls` that they were run."""

    def work(item: Any, ctx: Any) -> str:
        calls.append(ctx.stage_name)
        return f"{ctx.stage_name} done"

    workflow = Workflow("docs")
    for number, name in enumerate(names):
        workflow.add_stage(name, ScriptedStage([work], repeat=True), after=names[number - 1 : number])
    return workflow


# --- run ----------------------------------------------------------------------------------------------------------------------


async def test_a_workflow_runs_to_its_end_without_a_store_that_survives(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    calls: list[str] = []
    workflow = counted(calls, "fetch", "parse", "publish")

    async with MemoryStateStore() as store:
        await workflow.advance({"id": "a"}, store)

        assert await workflow.is_complete("a", store)
    assert calls == ["fetch", "parse", "publish"]
    assert list(tmp_path.iterdir()) == []


# --- run with checkpoints -----------------------------------------------------------------------------------------------------


async def test_a_stage_is_recorded_before_the_next_one_begins(store, start):
    seen: list[dict[str, str]] = []

    async def look(item: Any, ctx: Any) -> None:
        seen.append(await states(store))

    workflow = Workflow("docs")
    workflow.add_stage("first", ScriptedStage([1]))
    workflow.add_stage("second", ScriptedStage([look]), after=["first"])
    workflow.add_stage("third", ScriptedStage([look]), after=["second"])

    await ran(await start(workflow))

    assert seen == [
        {"first": "completed", "second": "running", "third": "pending"},
        {"first": "completed", "second": "completed", "third": "running"},
    ]


async def test_a_stage_is_on_disk_for_every_other_process_before_the_next_one_begins(tmp_path):
    path = tmp_path / "work.db"
    program = (
        "import asyncio, sys; from treadle_tui.engine import SqliteStateStore\n"
        "async def look():\n"
        "    async with SqliteStateStore.open(sys.argv[1]) as store:\n"
        "        print((await store.get_status('a', 'first')).output)\n"
        "asyncio.run(look())"
    )
    workflow = Workflow("docs")
    workflow.add_stage("first", lambda item: "on disk")

    @workflow.stage(after=["first"])
    def second(item: Any) -> str:
        return run_python(program, path).stdout.strip()

    async with SqliteStateStore.open(path) as store:
        await workflow.advance({"id": "a"}, store)

        assert (await store.get_all_statuses("a"))["second"].output == "on disk"


# --- resume -------------------------------------------------------------------------------------------------------------------


def run_python(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A Python process of its own."""
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


DYING = """
import asyncio, os, sys
from pathlib import Path
from treadle_tui.engine import Engine, SqliteStateStore, Workflow

folder, dies_in = Path(sys.argv[1]), sys.argv[2]
workflow = Workflow("docs")

def note(stage, ctx):
    with (folder / "calls.txt").open("a") as file:
        file.write(f"{stage} {ctx.attempt} {ctx.idempotency_key}\\n")
    if stage == dies_in:
        os._exit(9)
    return stage.upper()

@workflow.stage
def first(item, ctx): return note("first", ctx)
@workflow.stage
def second(first, ctx): return note("second", ctx)
@workflow.stage
def third(second, ctx): return note("third", ctx)

async def main():
    async with SqliteStateStore.open(folder / "work.db") as store, Engine(store, [workflow]) as engine:
        await engine.submit(workflow, [{"id": "a"}])
        await engine.run_until_idle()
        print(await workflow.is_complete("a", store))

asyncio.run(main())
"""


def calls_in(folder: Path) -> list[list[str]]:
    """The calls so far, each as stage, attempt and key."""
    return [line.split() for line in (folder / "calls.txt").read_text().splitlines()]


@pytest.mark.parametrize("stage", ["second", "third"])
def test_resume_after_the_process_is_gone_runs_only_what_had_not_ended(tmp_path, stage):
    """The last stage too: a crash inside it must not be taken for the end of the workflow."""
    killed = run_python(DYING, tmp_path, stage)
    before = calls_in(tmp_path)

    resumed = run_python(DYING, tmp_path, "")

    after = calls_in(tmp_path)[len(before) :]
    names = ["first", "second", "third"]
    assert killed.returncode == 9
    assert (resumed.stdout, resumed.stderr) == ("True\n", "")
    assert [name for name, _, _ in before] == names[: names.index(stage) + 1]
    assert [name for name, _, _ in after] == names[names.index(stage) :]
    assert after[0] == before[-1], "the same attempt, under the same key"


async def test_resume_goes_on_where_a_vanished_engine_was(store, start, clock):
    calls: list[str] = []
    is_hanging = asyncio.Event()
    workflow = counted(calls, "first", "second")

    async def hang(item: Any, ctx: Any) -> None:
        calls.append(f"third, attempt {ctx.attempt}")
        is_hanging.set()
        await asyncio.Event().wait()

    def answer(item: Any, ctx: Any) -> None:
        calls.append(f"third, attempt {ctx.attempt}")

    workflow.add_stage("third", ScriptedStage([hang, answer]), after=["second"])
    first_engine = await start(workflow)
    await submitted(first_engine, "a")
    driving = asyncio.ensure_future(first_engine.run_until_idle())
    await is_hanging.wait()
    await crash_engine(first_engine)
    await asyncio.wait({driving})

    await (await start(workflow)).run_until_idle()

    assert calls == ["first", "second", "third, attempt 1", "third, attempt 1"]
    assert await states(store) == dict.fromkeys(["first", "second", "third"], "completed")
    assert (await names_told(store)).count("StageRecovered") == 1


async def test_resume_needs_only_the_id_since_the_store_has_the_item(store):
    workflow = Workflow("docs")
    workflow.add_stage("ask", lambda item: NeedsReview(item["path"]))
    workflow.add_stage("publish", lambda item, ask: f"{item['path']} published")
    await workflow.advance({"id": "a", "path": "a.pdf"}, store)
    await workflow.approve_review("a", "ask", store)

    await workflow.advance("a", store)

    assert (await store.get_status("a", "publish")).output == "a.pdf published"


# --- already completed, not started -------------------------------------------------------------------------------------------


async def test_already_completed_is_told_from_not_started(store):
    workflow = counted([], "first", "second")
    await workflow.advance({"id": "done"}, store)

    done, fresh = await workflow.status("done", store), await workflow.status("never seen", store)

    assert await workflow.is_complete("done", store)
    assert (done.progress_percent(), {entry.state for entry in done.entries}) == (100.0, {StageState.COMPLETED})
    assert not await workflow.is_complete("never seen", store)
    assert (fresh.progress_percent(), {entry.state for entry in fresh.entries}) == (0.0, {StageState.PENDING})
    assert await workflow.ready_stages("never seen", store) == ["first"]
    assert await workflow.ready_stages("done", store) == []


async def test_what_was_not_started_cannot_be_resumed(store):
    workflow = counted([], "first")

    with pytest.raises(ItemNotFound, match="no item is called 'a'; submit it first"):
        await workflow.advance("a", store)
    with pytest.raises(ItemNotFound):
        await workflow.retry_stage("a", "first", store)


async def test_completion_is_a_recorded_state_and_advancing_again_runs_nothing(store):
    calls: list[str] = []
    workflow = counted(calls, "first", "second")
    await workflow.advance({"id": "a"}, store)
    before = await names_told(store)

    await workflow.advance({"id": "a"}, store)
    await workflow.advance("a", store)

    assert calls == ["first", "second"]
    assert await names_told(store) == before
    assert len(await told(store, WorkflowCompleted)) == 1


async def test_completion_is_still_recorded_when_the_store_is_opened_again(tmp_path):
    calls: list[str] = []
    workflow = counted(calls, "only")
    for _ in range(2):
        async with SqliteStateStore.open(tmp_path / "work.db") as store:
            await workflow.advance({"id": "a"}, store)

            assert await workflow.is_complete("a", store)
    assert calls == ["only"]


async def test_a_workflow_whose_last_stage_is_all_that_is_left_is_not_complete(store):
    workflow = chain("first", "last")
    async with Engine(store, [workflow]) as engine:
        await submitted(engine, "a")
        await engine.run_stage("a", "first")

        assert not await workflow.is_complete("a", store)
        assert await workflow.ready_stages("a", store) == ["last"]


# --- the context: cancel token and timeout ------------------------------------------------------------------------------------


async def test_the_cancel_token_reaches_a_plain_function_in_its_thread(store, start):
    is_running, has_seen = threading.Event(), threading.Event()

    def work(item: Any, ctx: Any) -> str:
        is_running.set()
        while not ctx.cancelled:
            has_seen.wait(0.001)
        has_seen.set()
        return "too late"

    workflow = Workflow("docs")
    workflow.add_stage("work", work)
    engine = await start(workflow)
    await submitted(engine, "a")
    driving = asyncio.ensure_future(engine.run_until_idle())
    await until(is_running.is_set)

    await engine.cancel("a", by="ana")
    await driving
    await until(has_seen.is_set)

    (attempt,) = await store.get_attempts("a", "work")
    status = await store.get_status("a", "work")
    assert (status.state, status.output) == (StageState.CANCELLED, None)
    assert (attempt.outcome, attempt.error, attempt.output) == ("interrupted", "cancelled", None)


async def test_cancelling_interrupts_an_async_stage_and_what_would_have_followed(store, start):
    endings: list[tuple[str, bool]] = []
    is_running = asyncio.Event()

    async def work(item: Any, ctx: Any) -> None:
        is_running.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            endings.append(("interrupted", ctx.cancelled))
            raise

    workflow = Workflow("docs")
    workflow.add_stage("fetch", ScriptedStage(["fetched"]))
    workflow.add_stage("work", work, after=["fetch"])
    workflow.add_stage("publish", ScriptedStage([]), after=["work"])
    engine = await start(workflow)
    await submitted(engine, "a")
    driving = asyncio.ensure_future(engine.run_until_idle())
    await is_running.wait()

    await engine.cancel("a")
    await driving

    assert endings == [("interrupted", True)]
    assert await states(store) == {"fetch": "completed", "work": "cancelled", "publish": "cancelled"}


async def test_the_token_of_one_item_says_nothing_to_the_others(store, start):
    release = asyncio.Event()
    seen: dict[str, bool] = {}

    async def work(item: Any, ctx: Any) -> None:
        try:
            await release.wait()
        finally:
            seen[item["id"]] = ctx.cancelled

    workflow = Workflow("docs")
    workflow.add_stage("work", work)
    engine = await start(workflow)
    await submitted(engine, "a", "b")
    driving = asyncio.ensure_future(engine.run_until_idle())
    await until(lambda: engine.running == 2)

    await engine.cancel("a")
    release.set()
    await driving

    assert seen == {"a": True, "b": False}
    assert [(await store.get_status(id, "work")).state.value for id in "ab"] == ["cancelled", "completed"]


async def test_what_is_interrupted_because_a_stage_before_it_is_run_again_stays_in_its_history(store, start):
    is_running = asyncio.Event()

    async def hang(item: Any, ctx: Any) -> None:
        is_running.set()
        await asyncio.Event().wait()

    workflow = Workflow("docs")
    workflow.add_stage("fetch", ScriptedStage(["old", "new"]))
    workflow.add_stage("work", ScriptedStage([hang, lambda item, ctx: ctx.upstream["fetch"]]), after=["fetch"])
    engine = await start(workflow)
    await submitted(engine, "a")
    driving = asyncio.ensure_future(engine.run_until_idle())
    await is_running.wait()

    await engine.rerun_stage("a", "fetch")
    await driving

    first, second = await store.get_attempts("a", "work")
    assert (first.number, first.outcome, first.error) == (1, "interrupted", "called off: fetch is run again")
    assert (second.number, second.outcome, second.output) == (2, "completed", "new")


async def test_an_attempt_that_takes_too_long_is_interrupted_told_so_and_tried_again(store, start, clock):
    told_off: list[bool] = []

    async def slow(item: Any, ctx: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            told_off.append(ctx.cancelled)

    workflow = Workflow("docs")
    workflow.add_stage("work", ScriptedStage([slow, "in time"]), retry=RetryBudget(max_attempts=2, attempt_timeout=30))
    engine = await start(workflow)
    await submitted(engine, "a")
    driving = asyncio.ensure_future(engine.run_until_idle())
    await clock.until_sleeping()

    clock.advance(29)
    await asyncio.sleep(0)
    assert told_off == []
    clock.advance(1)
    await driving

    first, second = await store.get_attempts("a", "work")
    assert told_off == [True]
    assert (first.outcome, first.error) == ("timeout", "the attempt took longer than 30 seconds")
    assert (second.outcome, second.output) == ("completed", "in time")


async def test_a_plain_function_that_takes_too_long_finds_its_token_cancelled(store, start, clock):
    has_seen = threading.Event()

    def slow(item: Any, ctx: Any) -> str:
        while not ctx.cancelled:
            has_seen.wait(0.001)
        has_seen.set()
        return "too late"

    workflow = Workflow("docs")
    workflow.add_stage("work", slow, retry=RetryBudget(attempt_timeout=30))
    engine = await start(workflow)
    await submitted(engine, "a")
    driving = asyncio.ensure_future(engine.run_until_idle())
    await clock.until_sleeping()

    clock.advance(30)
    await until(has_seen.is_set)
    await driving

    status = await store.get_status("a", "work")
    assert (status.state, status.output) == (StageState.FAILED, None)
    assert status.error == "the attempt took longer than 30 seconds"


# --- split and merge ----------------------------------------------------------------------------------------------------------


async def test_split_runs_its_parts_at_the_same_time_and_merge_sees_all_of_them(store, start):
    meeting = asyncio.Barrier(3)
    workflow = Workflow("docs")

    @workflow.stage
    def pages(item: Any) -> FanOut:
        return FanOut(["one", "two", "three"])

    @pages.each
    async def read(subtask: str) -> int:
        async with asyncio.timeout(10):
            await meeting.wait()
        return len(subtask)

    @pages.reduce
    def merge(results: dict[str, int]) -> int:
        return sum(results.values())

    workflow.add_stage("publish", lambda pages: f"{pages} letters")

    await ran(await start(workflow))

    assert (await store.get_status("a", "pages")).output == 11
    assert (await store.get_status("a", "publish")).output == "11 letters"


async def test_merge_holds_until_the_last_part_is_there_and_only_missing_parts_run_again(store, start):
    calls: list[str] = []
    workflow = Workflow("docs")

    @workflow.stage
    def pages(item: Any) -> FanOut:
        calls.append("split")
        return FanOut(["one", "two"])

    @pages.each
    def read(subtask: str) -> str:
        calls.append(subtask)
        if calls.count("two") == 1 and subtask == "two":
            raise OSError("no such page")
        return subtask.upper()

    @pages.reduce
    def merge(results: dict[str, str]) -> list[str]:
        calls.append("merge")
        return sorted(results.values())

    engine = await start(workflow)
    await ran(engine)
    assert (await states(store), "merge" in calls) == ({"pages": "failed"}, False)

    await engine.retry_stage("a", "pages")
    await engine.run_until_idle()

    assert sorted(calls) == ["merge", "one", "split", "two", "two"]
    assert (await store.get_status("a", "pages")).output == ["ONE", "TWO"]


async def test_branches_of_a_diamond_run_at_the_same_time_and_meet_once(store, start):
    meeting = asyncio.Barrier(2)
    workflow = Workflow("docs")

    async def branch(item: Any, ctx: Any) -> str:
        async with asyncio.timeout(10):
            await meeting.wait()
        return f"{ctx.upstream['split']} {ctx.stage_name}"

    join = ScriptedStage([lambda item, ctx: [ctx.upstream["left"], ctx.upstream["right"]]])
    workflow.add_stage("split", ScriptedStage(["from above"]))
    workflow.add_stage("left", ScriptedStage([branch]), after=["split"])
    workflow.add_stage("right", ScriptedStage([branch]), after=["split"])
    workflow.add_stage("join", join, after=["left", "right"])

    await ran(await start(workflow))

    assert (await store.get_status("a", "join")).output == ["from above left", "from above right"]
    assert len(join.calls) == 1


# --- nested workflows ---------------------------------------------------------------------------------------------------------


def cleaning() -> Workflow:
    inner = Workflow("cleaning")
    inner.add_stage("strip", lambda item: item["text"].strip())
    inner.add_stage("lower", lambda strip: strip.lower())
    return inner


async def test_a_nested_workflow_runs_as_stages_of_the_outer_one_each_recorded_by_itself(store, start):
    outer = Workflow("docs")
    outer.add_stage("fetch", lambda item: 1)
    outer.include("clean", cleaning(), after=["fetch"])
    outer.add_stage("publish", lambda clean: f"<p>{clean}</p>")

    await ran(await start(outer), text="  Warp and Weft ")

    statuses = await store.get_all_statuses("a")
    assert {name: status.output for name, status in statuses.items()} == {
        "fetch": 1,
        "clean/strip": "Warp and Weft",
        "clean/lower": "warp and weft",
        "publish": "<p>warp and weft</p>",
    }


async def test_a_nested_workflow_that_fails_holds_the_outer_one_and_goes_on_where_it_failed(store, start):
    inner, outer = Workflow("cleaning"), Workflow("docs")
    before, shaky, behind = ScriptedStage(["once"]), ScriptedStage([OSError("no"), "at last"]), ScriptedStage(["out"])
    inner.add_stage("before", before)
    inner.add_stage("shaky", shaky, after=["before"])
    outer.include("clean", inner)
    outer.add_stage("publish", behind, after=["clean"])
    engine = await start(outer)
    await ran(engine)
    assert await states(store) == {"clean/before": "completed", "clean/shaky": "failed", "publish": "pending"}

    await engine.retry_stage("a", "clean/shaky")
    await engine.run_until_idle()

    assert await states(store) == dict.fromkeys(["clean/before", "clean/shaky", "publish"], "completed")
    assert (len(before.calls), behind.contexts[0].upstream) == (1, {"clean": "at last"})


async def test_workflows_nest_in_nested_workflows(store, start):
    middle, outer = Workflow("middle"), Workflow("docs")
    middle.include("inner", cleaning())
    middle.add_stage("count", lambda inner: len(inner.split()))
    outer.include("middle", middle)
    outer.add_stage("publish", lambda middle: f"{middle} words")

    await ran(await start(outer), text=" Warp and Weft ")

    assert list(await states(store)) == ["middle/inner/strip", "middle/inner/lower", "middle/count", "publish"]
    assert (await store.get_status("a", "publish")).output == "3 words"


# --- terminal outputs ---------------------------------------------------------------------------------------------------------


async def test_the_outputs_of_all_terminal_stages_are_there_when_it_has_ended(store):
    workflow = Workflow("docs")
    workflow.add_stage("read", lambda item: "text")
    workflow.add_stage("html", lambda read: f"<p>{read}</p>")
    workflow.add_stage("count", lambda read: {"letters": len(read)})
    await workflow.advance({"id": "a"}, store)

    status = await workflow.status("a", store)

    terminal = {entry.name: entry.output for entry in status.entries if entry.name in workflow.leaf_stages()}
    assert terminal == {"html": "<p>text</p>", "count": {"letters": 4}}


async def test_the_output_of_a_terminal_stage_is_there_in_a_later_life_of_the_process(tmp_path):
    workflow = chain("first", "last", last={"pages": 3})
    async with SqliteStateStore.open(tmp_path / "work.db") as store:
        await workflow.advance({"id": "a"}, store)

    async with SqliteStateStore.open(tmp_path / "work.db") as store:
        status = await workflow.status("a", store)

    assert [entry.output for entry in status.entries if entry.name in workflow.leaf_stages()] == [{"pages": 3}]


async def test_a_terminal_output_that_a_person_edited_is_the_edited_one(store):
    workflow = Workflow("docs")
    workflow.add_stage("title", lambda item: NeedsReview("Wrap and Weft"))
    await workflow.advance({"id": "a"}, store)

    await workflow.resolve_review("a", "title", ApproveWithEdits("Warp and Weft", by="ana"), store)

    (entry,) = (await workflow.status("a", store)).entries
    (attempt,) = await store.get_attempts("a", "title")
    assert (entry.output, attempt.output) == ("Warp and Weft", "Wrap and Weft")


# --- hooks --------------------------------------------------------------------------------------------------------------------


class Hooked(Stage):
    """Notes the order in which it is called; its hooks may fail."""

    def __init__(self, fails: str = "") -> None:
        self.fails = fails
        self.calls: list[Any] = []

    def note(self, call: str, *facts: Any) -> None:
        self.calls.append((call, *facts))
        if self.fails == call:
            raise ValueError(f"{call} said no")

    async def before_execute(self, item: Any, ctx: Any) -> None:
        self.note("before", item["id"], ctx.attempt)

    async def execute(self, item: Any, ctx: Any) -> dict[str, int]:
        self.note("execute")
        return {"pages": 3}

    async def after_execute(self, item: Any, ctx: Any, outcome: StageOutcome) -> None:
        self.note("after", outcome)


async def test_hooks_are_called_before_and_after_the_stage_and_see_its_outcome(store, start):
    stage = Hooked()
    workflow = Workflow.builder("docs").stage("work", stage).build()

    await ran(await start(workflow))

    assert stage.calls == [("before", "a", 1), ("execute",), ("after", Completed({"pages": 3}))]


@pytest.mark.parametrize(("hook", "called"), [("before", ["before"]), ("after", ["before", "execute", "after"])])
async def test_a_hook_that_fails_fails_the_attempt_which_is_tried_again(store, start, hook, called):
    stage = Hooked(fails=hook)
    workflow = Workflow("docs")
    workflow.add_stage("work", stage, retry=RetryBudget(max_attempts=2))

    await ran(await start(workflow))

    status = await store.get_status("a", "work")
    assert [call for call, *_ in stage.calls] == called * 2
    assert (status.state, status.attempt, status.error) == (StageState.FAILED, 2, f"ValueError: {hook} said no")


# --- what an orchestrator and its workers do ----------------------------------------------------------------------------------


async def test_seeding_puts_work_in_place_and_runs_none_of_it(store, start):
    calls: list[str] = []
    engine = await start(counted(calls, "first", "second"))

    assert await engine.submit("docs", [{"id": "a"}, {"id": "b"}]) == 2
    assert await engine.submit("docs", [{"id": "a"}]) == 0

    assert (calls, await states(store)) == ([], {"first": "pending", "second": "pending"})


async def test_one_step_is_one_stage_and_the_next_one_is_ready_then(store, start):
    calls: list[str] = []
    workflow = counted(calls, "first", "second")
    engine = await start(workflow)
    await submitted(engine, "a")

    assert await engine.run_stage("a", "first") is StageState.COMPLETED

    assert (calls, await workflow.ready_stages("a", store)) == (["first"], ["second"])


async def test_two_workers_on_one_store_share_the_work_and_run_nothing_twice(store, start):
    calls: list[str] = []
    workflow = Workflow("docs")

    @workflow.stage
    async def work(item: Any) -> None:
        calls.append(item["id"])
        await asyncio.sleep(0)

    one, other = await start(workflow, concurrency=2), await start(workflow, concurrency=2)
    ids = [f"item {number}" for number in range(40)]
    await submitted(one, *ids)

    await asyncio.gather(one.run_until_idle(), other.run_until_idle())

    assert sorted(calls) == sorted(ids)


def test_the_graph_can_be_exported_for_graphviz():
    assert '"first" -> "second"' in chain("first", "second").to_dot()
