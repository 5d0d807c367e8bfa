"""How long an item still needs, and what the runs of a stage have in common: from the stages' own history."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.engine.conftest import Start
from treadle_tui.engine import (
    Approve,
    Engine,
    Eta,
    FanOut,
    NeedsReview,
    PickAttempt,
    Reject,
    RequestChanges,
    Retry,
    RetryBudget,
    ReviewData,
    Skipped,
    StageEntry,
    StageState,
    Workflow,
)
from treadle_tui.engine.history import estimate, quantile
from treadle_tui.engine.status import StageRun
from treadle_tui.engine.testing import ManualClock

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def papers() -> Workflow:
    """Two branches and a join: `read`, then `check` and `print`, then `send`. The item says how many seconds each takes."""
    workflow = Workflow("papers")
    for name, above in (("read", ()), ("check", ["read"]), ("print", ["read"]), ("send", ["check", "print"])):
        workflow.add_stage(name, _lasting(name), after=above, retry=RetryBudget(max_attempts=3))
    return workflow


def _lasting(name: str) -> Any:
    async def act(item: dict[str, Any], ctx: Any) -> Any:
        await ctx.sleep(item.get(name, 1))
        match item.get("do"):
            case "retry" if name == "read" and ctx.attempt == 1:
                return Retry("later", after=10.0)
            case "fail" if name == "read":
                raise ValueError("no good")
            case "skip" if name == "check":
                return Skipped("nothing to check")
            case "review" if name == "print":
                return NeedsReview("a draft", ReviewData("well?"))
            case "fan" if name == "read" and ctx.subtask is None:
                return FanOut(["x", "y"])
        return name

    return act


async def ran(engine: Engine, clock: ManualClock, *items: dict[str, Any]) -> None:
    """Run these items one after the other, waiting out what they take."""
    for item in items:
        await engine.submit("papers", [item])
        await clock.run(engine.advance(item["id"]))
        await clock.run(engine.run_until_idle())


async def left(engine: Engine, item_id: str = "i") -> Eta | None:
    return (await engine.status(item_id)).eta


# -- estimates ---------------------------------------------------------------------------------------------------------


async def test_there_is_no_history_until_every_stage_that_is_left_has_run(store: Any, start: Start, clock: ManualClock):
    engine = await start(papers())
    await engine.submit("papers", [{"id": "i"}])
    assert await left(engine) == Eta()
    assert str(await left(engine)) == "no history"

    await engine.submit("papers", [{"id": "j", "do": "fail"}])
    await clock.run(engine.advance("j"))
    assert await left(engine) == Eta()


async def test_a_fresh_item_needs_what_the_longest_way_through_the_stages_took(store: Any, start: Start, clock: ManualClock):
    """Ten items: reading takes 10 s, checking 1 to 10 s, printing 5 s, sending 2 s."""
    engine = await start(papers())
    items = [{"id": f"p{number}", "read": 10, "check": number, "print": 5, "send": 2} for number in range(1, 11)]
    await ran(engine, clock, *items)
    await engine.submit("papers", [{"id": "i"}])

    eta = await left(engine)

    assert eta is not None
    assert eta.p50_seconds == pytest.approx(10 + 5.5 + 2)
    assert eta.p90_seconds == pytest.approx(10 + 9.1 + 2)
    assert str(eta) == "about 18 s, at most 21 s nine times of ten"
    assert await left(engine, "p1") == Eta(p50_seconds=0.0, p90_seconds=0.0)


async def test_what_has_passed_is_taken_off(store: Any, start: Start, clock: ManualClock):
    engine = await start(papers())
    await ran(engine, clock, {"id": "before", "read": 10, "check": 5, "print": 5, "send": 2})
    await engine.submit("papers", [{"id": "i", "read": 10}])
    running = asyncio.create_task(engine.run_until_idle())
    await clock.until_sleeping()
    clock.advance(4)

    eta = await left(engine)
    assert eta is not None
    assert eta.p50_seconds == 6 + 5 + 2

    await clock.run(running)
    assert (await left(engine)) == Eta(p50_seconds=0.0, p90_seconds=0.0)


async def test_waiting_for_people_counts(store: Any, start: Start, clock: ManualClock):
    engine = await start(papers())
    items = [{"id": f"p{n}", "do": "review"} for n in range(3)]
    await ran(engine, clock, *items)
    clock.advance(100)
    for item in items:
        await engine.resolve_review(item["id"], "print", Approve(by="ana"))
    await clock.run(engine.run_until_idle())
    history = (await store.stage_runs("papers"))["print"]
    assert [run.waited_seconds for run in history] == [100, 102, 104]

    await ran(engine, clock, {"id": "i", "do": "review"})
    clock.advance(30)
    waiting = await left(engine)
    await engine.submit("papers", [{"id": "j"}])
    fresh = await left(engine, "j")

    assert waiting is not None
    assert fresh is not None
    assert waiting.p50_seconds == 102 - 30 + 1
    assert fresh.p50_seconds == 1 + (1 + 102) + 1


async def test_retries_and_the_pauses_between_them_count(store: Any, start: Start, clock: ManualClock):
    engine = await start(papers())
    await ran(engine, clock, {"id": "before", "do": "retry", "read": 5})
    await engine.submit("papers", [{"id": "i"}])

    run = (await store.stage_runs("papers"))["read"][0]
    assert (run.attempt_seconds, run.seconds) == ((5, 5), 20)
    eta = await left(engine)
    assert eta is not None
    assert eta.p50_seconds == 20 + 1 + 1


async def test_a_stage_that_was_run_again_counts_from_there(store: Any, start: Start, clock: ManualClock):
    engine = await start(papers())
    await ran(engine, clock, {"id": "before", "read": 5})
    clock.advance(3600)
    await engine.rerun_stage("before", "read")
    await clock.run(engine.run_until_idle())

    assert [run.seconds for run in (await store.stage_runs("papers"))["read"]] == [5]


async def test_an_item_that_cannot_go_on_by_itself_has_no_estimate(store: Any, start: Start, clock: ManualClock):
    engine = await start(papers())
    await ran(engine, clock, {"id": "before"}, {"id": "i", "do": "fail"}, {"id": "j", "do": "review"})
    await engine.cancel("j")

    assert await left(engine) is None
    assert await left(engine, "j") is None


async def test_a_skipped_stage_is_part_of_the_history(store: Any, start: Start, clock: ManualClock):
    engine = await start(papers())
    await ran(engine, clock, {"id": "before", "do": "skip", "check": 0, "print": 0})
    await engine.submit("papers", [{"id": "i"}])

    eta = await left(engine)
    assert eta is not None
    assert eta.p50_seconds == 1 + 0 + 1


async def test_a_fan_out_takes_as_long_as_all_of_it_did(store: Any, start: Start, clock: ManualClock):
    engine = await start(papers())
    await ran(engine, clock, {"id": "before", "do": "fan", "read": 4})

    assert [run.seconds for run in (await store.stage_runs("papers"))["read"]] == [8]


async def test_the_history_is_read_again_only_after_a_while(store: Any, start: Start, clock: ManualClock, monkeypatch: pytest.MonkeyPatch):
    engine = await start(papers())
    await ran(engine, clock, {"id": "before"})
    await engine.submit("papers", [{"id": "i"}])
    asked = []
    real = store.stage_runs

    async def counting(workflow: str, limit: int = 200) -> Any:
        asked.append(workflow)
        return await real(workflow, limit)

    monkeypatch.setattr(store, "stage_runs", counting)
    for _ in range(3):
        await left(engine)
    assert asked == ["papers"]

    clock.advance(6)
    await left(engine)
    assert asked == ["papers", "papers"]


# -- the sample --------------------------------------------------------------------------------------------------------


async def test_the_newest_items_make_the_history_and_the_oldest_where_none_of_them_has_come(store: Any, start: Start, clock: ManualClock):
    engine = await start(papers())
    await ran(engine, clock, *[{"id": f"p{number}", "read": number} for number in range(1, 4)])
    await ran(engine, clock, *[{"id": f"f{number}", "do": "fail", "read": number} for number in range(7, 10)])
    await engine.submit("papers", [{"id": f"q{number}"} for number in range(20)])

    runs = await store.stage_runs("papers", 1)

    assert [(run.state, run.seconds) for run in runs["read"]] == [(StageState.FAILED, 27)]
    assert [run.seconds for run in runs["send"]] == [1]
    assert {stage: len(found) for stage, found in (await store.stage_runs("papers", 5)).items()} == {
        "read": 5,
        "check": 3,
        "print": 3,
        "send": 3,
    }
    assert await store.stage_runs("nothing of that name") == {}
    assert await store.dependencies("papers") == {"read": [], "check": ["read"], "print": ["read"], "send": ["check", "print"]}
    assert await store.dependencies("nothing of that name") == {}


async def test_statistics_count_what_has_happened_to_every_stage(store: Any, start: Start, clock: ManualClock):
    engine = await start(papers())
    items = [{"id": name, "do": "review", "print": seconds} for name, seconds in (("a", 10), ("b", 20), ("c", 30), ("d", 40))]
    await ran(engine, clock, *items, {"id": "r", "do": "retry"}, {"id": "f", "do": "fail"}, {"id": "s", "do": "skip"})
    since = {review.item_id: review.waiting_since or NOW for review in await engine.pending_reviews()}
    await engine.resolve_review("a", "print", Approve(by="ana"))
    await engine.resolve_review("b", "print", PickAttempt(1, by="ana"))
    await engine.resolve_review("c", "print", Reject("bad", by="ben"))
    waited = [(clock.now() - since[name]).total_seconds() for name in "abc"]
    await engine.resolve_review("d", "print", RequestChanges("again", by="ben"))
    await clock.run(engine.run_until_idle())
    await engine.resolve_review("d", "print", Approve(by="ana"))
    await clock.run(engine.run_until_idle())

    statistics = await engine.statistics("papers")

    assert list(statistics) == ["read", "check", "print", "send"]
    read, check, printed = statistics["read"], statistics["check"], statistics["print"]
    assert (read.runs, read.attempts, read.retries, read.failures, read.reviews) == (7, 10, 3, 1, 0)
    assert (check.runs, check.skips) == (6, 1)
    assert (printed.runs, printed.reviews, printed.approvals, printed.rejections, printed.changes_requested) == (6, 4, 3, 1, 1)
    assert printed.failures == 1
    assert printed.reviewers == {"ana": 3, "ben": 1}
    assert (printed.attempts, printed.retries, printed.p50_seconds) == (7, 1, 20)
    assert printed.review_p50_seconds == pytest.approx(quantile([*waited, 0], 0.5))
    assert statistics["send"].p95_seconds == 1


# -- by itself ---------------------------------------------------------------------------------------------------------


def test_quantiles_lie_between_the_values():
    assert quantile([], 0.5) is None
    assert quantile([3], 0.9) == 3
    assert quantile([4, 1, 3, 2], 0.5) == 2.5
    assert quantile(range(11), 0.9) == 9


def entry(name: str, state: StageState, *, minutes_ago: float = 0) -> StageEntry:
    moment = NOW - timedelta(minutes=minutes_ago)
    return StageEntry(name=name, state=state, started_at=moment, updated_at=moment)


def test_what_takes_longer_than_it_ever_did_has_no_time_left():
    runs = {"a": [StageRun(state=StageState.COMPLETED, attempt_seconds=(60,), seconds=60)]}

    assert estimate([entry("a", StageState.RUNNING, minutes_ago=5)], {"a": []}, runs, NOW) == Eta(p50_seconds=0, p90_seconds=0)


def test_a_stage_that_was_removed_with_work_in_it_is_nothing_to_wait_for():
    assert estimate([entry("a", StageState.AWAITING_REVIEW)], {}, {}, NOW) is None
