"""What is done to many items at once: one transaction, an answer per item, nothing half done."""

from __future__ import annotations

from typing import Any

from tests.engine.conftest import Start
from treadle_tui.engine import FanOut, Workflow
from treadle_tui.engine.bulk import Deed, Target, carry_out
from treadle_tui.engine.errors import ItemNotFound, StageNotFound
from treadle_tui.engine.states import ItemState, StageState


def two_ways_to_fail() -> Workflow:
    """`read` fails for "bad", `parts/two` for "torn", as long as they are not mended; `publish` comes last."""
    workflow = Workflow("docs")

    @workflow.stage
    async def read(item: Any) -> Any:
        if item["id"] == "bad":
            raise ValueError("unreadable")

    @workflow.stage
    def parts(read: Any) -> FanOut:
        return FanOut(["one", "two"])

    @parts.each
    async def part(subtask: str, item: Any) -> Any:
        if item["id"] == "torn" and subtask == "two":
            raise ValueError("torn")

    @workflow.stage(after=["parts"])
    async def publish(item: Any) -> Any:
        return item["id"]

    return workflow


async def worked(start: Start) -> Any:
    engine = await start(two_ways_to_fail())
    await engine.submit("docs", [{"id": name} for name in ("good", "bad", "torn")])
    await engine.run_until_idle()
    return engine


def targets(*names: str, stage: str | None = None) -> list[Target]:
    return [Target(name, stage) for name in names]


async def test_retrying_items_retries_what_has_failed_of_them_and_says_where_nothing_had(start: Start, store: Any) -> None:
    engine = await worked(start)
    commits = getattr(store, "commits", 0)

    results = await carry_out(engine, Deed.RETRY, targets("good", "bad", "torn", "nobody"), "ana")

    assert results[:3] == [False, True, True]
    assert isinstance(results[3], ItemNotFound)
    assert getattr(store, "commits", 0) - commits in (0, 1)
    assert (await store.get_status("bad", "read")).state is StageState.PENDING
    torn = await store.get_status("torn", "parts")
    assert [(each.name, each.state) for each in torn.subtasks] == [("one", StageState.COMPLETED), ("two", StageState.PENDING)]


async def test_a_named_stage_is_retried_alone(start: Start, store: Any) -> None:
    engine = await worked(start)

    assert await carry_out(engine, Deed.RETRY, targets("bad", "torn", stage="read")) == [True, False]
    assert await carry_out(engine, Deed.RETRY, [Target("torn", "parts", "two")]) == [True]
    (wrong,) = await carry_out(engine, Deed.RETRY, targets("bad", stage="raed"))

    assert isinstance(wrong, StageNotFound)


async def test_pausing_twice_is_pausing_once(start: Start, store: Any) -> None:
    engine = await worked(start)

    assert await carry_out(engine, Deed.PAUSE, targets("good", "bad")) == [False, True]
    assert await carry_out(engine, Deed.PAUSE, targets("bad")) == [False]
    assert await carry_out(engine, Deed.RESUME, targets("good", "bad")) == [False, True]

    assert (await store.get_item("bad")).state is ItemState.ACTIVE


async def test_cancelling_leaves_alone_what_has_ended(start: Start, store: Any) -> None:
    engine = await worked(start)

    assert await carry_out(engine, Deed.CANCEL, targets("good", "bad")) == [False, True]
    assert await carry_out(engine, Deed.CANCEL, targets("bad")) == [False]

    assert (await store.get_item("bad")).state is ItemState.CANCELLED
    assert await carry_out(engine, Deed.RETRY, targets("bad")) == [True]


async def test_running_again_from_a_stage(start: Start, store: Any) -> None:
    engine = await worked(start)

    assert await carry_out(engine, Deed.RERUN, targets("good", "bad", stage="parts"), "ana") == [True, False]

    assert (await store.get_status("good", "publish")).state is StageState.PENDING
    await engine.run_until_idle()
    assert (await store.get_status("good", "publish")).state is StageState.COMPLETED


async def test_deleting_takes_everything_away(start: Start, store: Any) -> None:
    engine = await worked(start)

    results = await carry_out(engine, Deed.DELETE, targets("good", "bad", "good"))

    assert results[:2] == [True, True]
    assert isinstance(results[2], ItemNotFound)
    assert await store.list_items() == ["torn"]
