"""How much runs at once, how fast it starts, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from treadle_tui.engine import FanOut, InvalidDefinition, StageState, Workflow
from treadle_tui.engine.rooms import Limits, StageLimit

from .workflows import fan_out, submitted, until


class Gauge:
    """A stage that counts how many of it run at once, and finishes when told."""

    def __init__(self) -> None:
        self.running: Counter[str] = Counter()
        self.peaks: Counter[str] = Counter()
        self.order: list[str] = []
        self.turns = 5

    def stage(self, name: str) -> Any:
        async def run(item: Any, ctx: Any) -> None:
            self.order.append(f"{name} {item['id']}")
            for key in (name, "all"):
                self.running[key] += 1
                self.peaks[key] = max(self.peaks[key], self.running[key])
            for _ in range(self.turns):
                await asyncio.sleep(0)
            for key in (name, "all"):
                self.running[key] -= 1

        return run


IDS = [f"{number:02}" for number in range(20)]


async def test_an_engine_runs_at_most_so_many_attempts_at_once(store, start):
    gauge = Gauge()
    workflow = Workflow("docs")
    workflow.add_stage("one", gauge.stage("one"))
    workflow.add_stage("two", gauge.stage("two"))
    engine = await start(workflow, concurrency=3)
    await submitted(engine, *IDS)

    await engine.run_until_idle()

    assert gauge.peaks["all"] == 3
    assert len(gauge.order) == 40


async def test_a_stage_runs_at_most_so_often_at_once(store, start):
    gauge = Gauge()
    workflow = Workflow("docs")
    workflow.add_stage("narrow", gauge.stage("narrow"), concurrency=2)
    workflow.add_stage("wide", gauge.stage("wide"))
    engine = await start(workflow)
    await submitted(engine, *IDS)

    await engine.run_until_idle()

    assert gauge.peaks["narrow"] == 2
    assert gauge.peaks["wide"] > 2


async def test_subtasks_count_towards_the_limit_of_their_stage(store, start):
    gauge = Gauge()
    run = gauge.stage("part")
    workflow = Workflow("docs")

    @workflow.stage(concurrency=2)
    async def work() -> FanOut:
        return FanOut(IDS)

    @work.each
    async def part(item: Any, subtask: str, ctx: Any) -> None:
        await run(item, ctx)

    engine = await start(workflow)
    await submitted(engine, "a", "b")

    await engine.run_until_idle()

    assert gauge.peaks["part"] == 2
    assert len(gauge.order) == 40


async def test_stages_of_one_tag_share_a_limit(store, start):
    gauge = Gauge()
    workflow = Workflow("docs")
    workflow.limit("api", concurrency=2)
    workflow.add_stage("one", gauge.stage("one"), tags=["api"])
    workflow.add_stage("two", gauge.stage("two"), tags=["other", "api"])
    workflow.add_stage("free", gauge.stage("free"))
    engine = await start(workflow)
    await submitted(engine, *IDS)

    await engine.run_until_idle()

    assert gauge.peaks["one"] + gauge.peaks["two"] >= 2
    assert gauge.peaks["one"] <= 2
    assert gauge.peaks["two"] <= 2
    assert gauge.peaks["free"] > 2


async def test_tags_are_shared_by_the_workflows_of_an_engine(store, start):
    gauge = Gauge()
    engines = []
    for name in ("docs", "other"):
        workflow = Workflow(name)
        workflow.limit("api", concurrency=1)
        workflow.add_stage("work", gauge.stage("work"), tags=["api"])
        engines.append(workflow)
    engine = await start(*engines)
    await engine.submit("docs", [{"id": f"a{id}"} for id in IDS[:5]])
    await engine.submit("other", [{"id": f"b{id}"} for id in IDS[:5]])

    await engine.run_until_idle()

    assert gauge.peaks["work"] == 1
    assert len(gauge.order) == 10


async def test_a_rate_spreads_the_starts_of_a_tag_over_the_clock(store, start, clock):
    began = clock.now()
    starts: list[float] = []
    workflow = Workflow("docs")
    workflow.limit("api", rate=2)

    @workflow.stage(tags=["api"])
    async def work() -> None:
        starts.append((clock.now() - began).total_seconds())

    engine = await start(workflow)
    await submitted(engine, *IDS[:7])

    await asyncio.wait_for(clock.run(engine.run_until_idle()), 10)

    assert len(starts) == 7
    assert starts[:2] == [0, 0]
    for index, second in enumerate(starts):
        assert sum(second <= other < second + 1 for other in starts[index:]) <= 2
    assert 3 <= starts[-1] <= 3.1


async def test_a_slow_rate_counts_over_the_time_of_one_start(store, start, clock):
    began = clock.now()
    starts: list[float] = []
    workflow = Workflow("docs")
    workflow.limit("api", rate=0.1)

    @workflow.stage(tags="api")
    async def work() -> None:
        starts.append(round((clock.now() - began).total_seconds(), 1))

    engine = await start(workflow)
    await submitted(engine, *IDS[:3])

    await asyncio.wait_for(clock.run(engine.run_until_idle()), 10)

    assert starts == [0, 10, 20]


async def test_advance_does_not_wait_for_a_rate(store, start, clock):
    workflow = Workflow("docs")
    workflow.limit("api", rate=1)
    workflow.add_stage("work", Gauge().stage("work"), tags=["api"])
    engine = await start(workflow)
    await submitted(engine, "a", "b")

    await asyncio.wait_for(engine.advance("a"), 10)
    await asyncio.wait_for(engine.advance("b"), 10)

    assert await store.query_items("work", StageState.PENDING) == ["b"]
    clock.advance(1.1)
    await engine.advance("b")
    assert await store.query_items("work", StageState.PENDING) == []


async def test_stages_without_the_tag_do_not_wait_for_its_rate(store, start, clock):
    gauge = Gauge()
    workflow = Workflow("docs")
    workflow.limit("api", rate=1)
    workflow.add_stage("slow", gauge.stage("slow"), tags=["api"])
    workflow.add_stage("quick", gauge.stage("quick"))
    engine = await start(workflow)
    await submitted(engine, *IDS[:4])

    run = asyncio.create_task(engine.run_until_idle())
    await clock.until_sleeping()
    await until(lambda: not engine.running)

    assert Counter(entry.split()[0] for entry in gauge.order) == {"quick": 4, "slow": 1}
    await clock.run(run)


async def test_higher_priorities_go_first(store, start):
    gauge = Gauge()
    workflow = Workflow("docs")
    workflow.add_stage("work", gauge.stage("work"))
    engine = await start(workflow, concurrency=1)
    for priority, id in ((0, "normal"), (-5, "low"), (10, "high"), (0, "also normal")):
        await engine.submit(workflow, [{"id": id}], priority=priority)

    await engine.run_until_idle()

    assert gauge.order == ["work high", "work normal", "work also normal", "work low"]


async def test_an_item_with_many_subtasks_does_not_starve_the_others(store, start):
    order: list[str] = []

    async def part(name: str, ctx: Any) -> None:
        order.append(ctx.item_id)

    engine = await start(fan_out(IDS, part), concurrency=1)
    await submitted(engine, "a", "b", "c")

    await engine.run_until_idle()

    for turn in range(len(IDS) - 1):
        assert set(order[turn * 3 : turn * 3 + 3]) == {"a", "b", "c"}


async def test_a_later_item_is_not_kept_waiting_by_the_subtasks_of_an_earlier_one(store, start):
    order: list[str] = []

    async def part(name: str, ctx: Any) -> None:
        order.append(ctx.item_id)
        if len(order) == 5:
            await engine.submit("docs", [{"id": "late"}])

    engine = await start(fan_out(IDS, part), concurrency=1)
    await submitted(engine, "early")

    await engine.run_until_idle()

    assert order.index("late") < 10


@pytest.mark.parametrize("last", ["c", "work/2"])
async def test_nothing_waits_for_ever_while_ever_more_items_are_submitted(store, start, last):
    """Two items come for each stage that ends: the second dependent of the first item, and its third subtask, still have their turn."""
    order: list[str] = []
    late = 0

    async def part(item: Any, ctx: Any) -> None:
        nonlocal late
        order.append(f"{ctx.stage_name}{'/' if ctx.subtask else ''}{ctx.subtask or ''} {item['id']}")
        if late < 3000 and f"{last} first" not in order:
            late += 2
            await engine.submit("docs", [{"id": f"late {late - each}"} for each in (0, 1)])

    async def work(item: Any, ctx: Any) -> Any:
        if item["id"] == "first" and ctx.subtask is None and last.startswith("work"):
            return FanOut([str(number) for number in range(3)])
        return await part(item, ctx)

    workflow = Workflow("docs")
    workflow.add_stage("work", work)
    workflow.add_stage("b", part, after=["work"])
    workflow.add_stage("c", part, after=["work"])
    engine = await start(workflow, concurrency=1)
    await submitted(engine, "first")

    await engine.run_until_idle()

    assert late < 3000, "it waited until nothing more was submitted"
    assert f"{last} first" in order


async def test_items_that_come_later_go_before_what_is_second_of_an_earlier_one(store, start):
    order: list[str] = []

    async def note(item: Any, ctx: Any) -> None:
        order.append(f"{ctx.stage_name} {item['id']}")
        if order == ["a first"]:
            await engine.submit("docs", [{"id": f"late {number}"} for number in range(5)])

    workflow = Workflow("docs")
    workflow.add_stage("a", note)
    for name in ("b", "c"):
        workflow.add_stage(name, note, after=["a"])
    engine = await start(workflow, concurrency=1)
    await submitted(engine, "first")

    await engine.run_until_idle()

    assert order[:2] == ["a first", "b first"]
    assert order.index("c first") > max(order.index(f"{stage} late {number}") for stage in "ab" for number in range(5))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": 1.5}, "concurrency"),
        ({"rate": 0}, "rate"),
        ({"rate": -1}, "rate"),
        ({"rate": float("inf")}, "rate"),
        ({"rate": "1"}, "rate"),
        ({}, "concurrency"),
    ],
)
def test_impossible_limits_are_refused(options: dict[str, Any], named: str):
    with pytest.raises(InvalidDefinition, match=named):
        Workflow("docs").limit("api", **options)


@pytest.mark.parametrize("priority", [1.5, "high", True, None, 2**40])
async def test_impossible_priorities_are_refused(store, start, priority):
    from treadle_tui.engine import InvalidItem

    engine = await start(fan_out(["x"], lambda name, ctx: 1))

    with pytest.raises(InvalidItem, match="priority"):
        await engine.submit("docs", [{"id": "a"}], priority=priority)


def test_a_start_that_did_not_come_to_be_takes_none_of_those_counted_since_with_it():
    limits = Limits(64, [StageLimit(1, None, ["polite"])], {"polite": (None, 2.0)})
    assert limits.take_room(1, 1000)
    limits.started(1, 1900)

    limits.give_back(1, 1000)

    assert limits.tag_rooms(1900) == {"polite": 1}
    assert limits.tag_rooms(2001) == {"polite": 1}  # the one at 1900 still counts
    assert limits.tag_rooms(2900) == {"polite": 2}
