"""What reviewers' terminals keep: decisions held and sent, jottings, and the log; on both stores."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from treadle_tui.engine import (
    Approve,
    ApproveWithEdits,
    Engine,
    FanOut,
    InvalidTransition,
    NeedsReview,
    Reject,
    RequestChanges,
    ReviewConflict,
    ReviewPolicy,
    SqliteStateStore,
    StageState,
    Workflow,
)
from treadle_tui.engine.desk import Desk, JottingKind, NewDecision, reviewer_statistics
from treadle_tui.engine.store.sqlite import schema
from treadle_tui.engine.testing import ManualClock

from .conftest import Start
from .workflows import ran, scripted, state

ANA = Desk("session-a", "ana", "here", 1, "1")
BEN = Desk("session-b", "ben", "here", 2, "2")


def asking(*names: str) -> Workflow:
    """Every item waits at `work`."""
    return scripted(NeedsReview({"n": 1}), repeat=True)[0]


async def approvals(store: Any, *ids: str, **more: Any) -> list[NewDecision]:
    """An approval of each item's `work`, as it stands."""
    return [
        NewDecision(item_id=id, stage="work", version=(await store.get_status(id, "work")).version, decision=Approve(by="ana", **more))
        for id in ids
    ]


async def test_a_held_decision_changes_nothing_until_it_is_sent(start: Start, store: Any, clock: ManualClock) -> None:
    await ran(await start(asking()))

    ids = await store.hold(ANA, await approvals(store, "a", seconds=4.5), clock.now())
    (held,) = await store.held_decisions()

    assert await state(store) is StageState.AWAITING_REVIEW
    assert (held.id, held.item_id, held.stage, held.workflow, held.desk) == (ids[0], "a", "work", "docs", ANA)
    assert (held.decision, held.made_at, held.problem) == (Approve(by="ana", seconds=4.5), clock.now(), None)

    clock.advance(5)
    assert await store.send(ids, clock.now()) == [(ids[0], StageState.COMPLETED)]
    assert await store.held_decisions() == []
    decision = (await store.get_status("a", "work")).decision
    assert (decision.by, decision.seconds, decision.at) == ("ana", 4.5, clock.now())


async def test_a_decision_that_was_taken_back_is_not_sent(start: Start, store: Any, clock: ManualClock) -> None:
    await ran(await start(asking()))
    ids = await store.hold(ANA, await approvals(store, "a"), clock.now())

    assert await store.take_back(ids) == ids
    assert await store.take_back(ids) == []
    assert await store.send(ids, clock.now()) == []
    assert await state(store) is StageState.AWAITING_REVIEW


async def test_many_held_decisions_are_recorded_in_one_transaction(start: Start, store: Any, clock: ManualClock) -> None:
    names = [f"d{number}" for number in range(20)]
    engine = await start(asking())
    await ran(engine, *names)
    lines = await approvals(store, *names)
    await engine.resolve_review("d3", "work", Reject("no", by="ben"))
    ids = await store.hold(ANA, lines, clock.now())

    commits = getattr(store, "commits", 0)
    results = dict(await store.send(ids, clock.now()))

    assert getattr(store, "commits", 1) - commits == 1
    assert sum(result is StageState.COMPLETED for result in results.values()) == 19
    conflict = results[ids[3]]
    assert isinstance(conflict, ReviewConflict)
    assert conflict.by == "ben"


async def test_a_decision_that_came_too_late_stays_with_its_text_and_says_why(start: Start, store: Any, clock: ManualClock) -> None:
    engine = await start(asking())
    await ran(engine)
    version = (await store.get_status("a", "work")).version
    edit = ApproveWithEdits({"n": 42}, by="ana", note="took me an hour")
    ids = await store.hold(ANA, [NewDecision(item_id="a", stage="work", version=version, decision=edit)], clock.now())
    await engine.resolve_review("a", "work", Approve(by="ben"))

    ((_, conflict),) = await store.send(ids, clock.now())
    (held,) = await store.held_decisions()

    assert isinstance(conflict, ReviewConflict)
    assert held.decision == edit
    assert "already decided by ben" in (held.problem or "")
    assert (await store.get_status("a", "work")).output == {"n": 1}


async def test_two_terminals_never_decide_the_same_review_twice(start: Start, store: Any, clock: ManualClock) -> None:
    await ran(await start(asking()))
    lines = await approvals(store, "a")
    of_ana, of_ben = await store.hold(ANA, lines, clock.now()), await store.hold(BEN, lines, clock.now())

    ((_, first),), ((_, second),) = await store.send(of_ana, clock.now()), await store.send(of_ben, clock.now())

    assert first is StageState.COMPLETED
    assert isinstance(second, ReviewConflict)
    assert len(await store.decisions()) == 1


async def test_a_decision_on_a_cancelled_item_says_so(start: Start, store: Any, clock: ManualClock) -> None:
    engine = await start(asking())
    await ran(engine)
    ids = await store.hold(ANA, await approvals(store, "a"), clock.now())
    await engine.cancel("a")

    ((_, refused),) = await store.send(ids, clock.now())

    assert isinstance(refused, InvalidTransition)
    assert "cancelled" in str(refused)


async def test_what_is_held_goes_with_a_deleted_item(start: Start, store: Any, clock: ManualClock) -> None:
    engine = await start(asking())
    await ran(engine, "a", "b")
    ids = await store.hold(ANA, await approvals(store, "a", "b"), clock.now())
    await store.keep_jotting("ana", JottingKind.NOTE, ("a", "work", None), clock.now(), version=1, text="hm")
    await engine.delete_item("a")

    assert [held.item_id for held in await store.held_decisions()] == ["b"]
    assert await store.jottings() == []
    assert [result for _, result in await store.send(ids, clock.now())] == [StageState.COMPLETED]


async def test_a_subtask_is_held_and_sent_by_its_name(start: Start, store: Any, clock: ManualClock) -> None:
    workflow = Workflow("docs")

    @workflow.stage
    async def work() -> FanOut:
        return FanOut(["x", "y"])

    @work.each(review=ReviewPolicy.ALWAYS)
    async def part(subtask: str) -> str:
        return subtask

    await ran(await start(workflow))
    status = await store.get_status("a", "work")
    lines = [NewDecision(item_id="a", stage="work", subtask="y", version=status.subtasks[1].version, decision=Approve(by="ana"))]
    ids = await store.hold(ANA, lines, clock.now())
    await store.send(ids, clock.now())

    assert [await state(store, subtask=name) for name in "xy"] == [StageState.AWAITING_REVIEW, StageState.COMPLETED]
    assert (await store.decisions())[0].subtask == "y"


async def test_jottings_are_kept_per_reviewer_and_kind(start: Start, store: Any, clock: ManualClock) -> None:
    await ran(await start(asking()))
    review, tomorrow = ("a", "work", None), clock.now() + timedelta(days=1)
    await store.keep_jotting("ana", JottingKind.DRAFT, review, clock.now(), version=3, text='{"n": 2')
    await store.keep_jotting("ana", JottingKind.DRAFT, review, clock.now(), version=3, text='{"n": 2}')
    await store.keep_jotting("ana", JottingKind.LATER, review, clock.now(), version=3, until=tomorrow)
    await store.keep_jotting("ben", JottingKind.LOOK, review, clock.now(), version=3)

    of_ana = {jotting.kind: jotting for jotting in await store.jottings("ana")}
    assert of_ana[JottingKind.DRAFT].text == '{"n": 2}'
    assert of_ana[JottingKind.LATER].until == tomorrow
    assert len(await store.jottings()) == 3

    await store.forget_jotting("ana", JottingKind.DRAFT, review)
    await store.forget_jotting("ben", JottingKind.LOOK)
    assert [jotting.kind for jotting in await store.jottings()] == [JottingKind.LATER]


async def test_the_log_keeps_every_decision_with_its_attempt_and_what_was_taken_back(start: Start, store: Any, clock: ManualClock) -> None:
    engine = await start(asking())
    await ran(engine)
    await engine.resolve_review("a", "work", RequestChanges("shorter", by="ana", seconds=3.0))
    await engine.run_until_idle()
    await engine.resolve_review("a", "work", Reject("worse", by="ana", seconds=5.0))
    await engine.reopen_review("a", "work", by="ana")
    await engine.resolve_review("a", "work", Approve(by="ben"))

    log = await store.decisions()

    assert [(line.decision.verb, line.decision.by, line.attempt, line.is_undone) for line in log] == [
        ("approve", "ben", 2, False),
        ("reject", "ana", 2, True),
        ("request_changes", "ana", 1, False),
    ]
    assert [line.decision.verb for line in await store.decisions(before=log[0].number, limit=1)] == ["reject"]
    assert await store.decisions(workflow="other") == []
    ana, ben = reviewer_statistics(log)
    assert (ana.reviewer, ana.decisions, ana.median_seconds, ana.reasons) == ("ana", 1, 3.0, {})
    assert (ben.reviewer, ben.median_seconds) == ("ben", None)


async def test_a_refused_decision_leaves_no_line_in_the_log(start: Start, store: Any, clock: ManualClock) -> None:
    engine = await start(asking())
    await ran(engine)
    await engine.resolve_review("a", "work", Approve(by="ana"))
    with pytest.raises(ReviewConflict):
        await engine.resolve_review("a", "work", Approve(by="ben"))

    assert [line.decision.by for line in await store.decisions()] == ["ana"]


async def test_why_a_person_is_asked_is_told(start: Start, store: Any) -> None:
    await ran(await start(scripted(1, review=ReviewPolicy.ALWAYS)[0]))

    (review,) = await store.pending_reviews()
    assert review.why == "always reviewed"


async def test_the_log_keeps_why_a_person_was_asked_and_a_sample_its_rate(start: Start, store: Any) -> None:
    engine = await start(scripted(1, review=ReviewPolicy.sample(1.0))[0])
    await ran(engine)
    (review,) = await store.pending_reviews()
    assert review.why == "sampled, 100 %"
    await engine.resolve_review(review.item_id, review.stage, Reject("dull", by="ana"))
    (line,) = await store.decisions()
    assert (line.why, line.decision.verb) == ("sampled, 100 %", "reject")


async def test_what_is_held_survives_the_program(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "work.db"
    async with SqliteStateStore.open(path) as store, Engine(store, [asking()], clock=clock) as engine:
        await ran(engine)
        await store.hold(ANA, await approvals(store, "a"), clock.now())
    async with SqliteStateStore.open(path) as store:
        (held,) = await store.held_decisions()
        await store.adopt([held.id], BEN)
        assert [each.desk for each in await store.held_decisions()] == [replace(BEN, reviewer="ana")]
        assert await store.send([held.id], clock.now()) == [(held.id, StageState.COMPLETED)]


def test_a_desk_is_abandoned_once_its_program_has_ended() -> None:
    mine = Desk.here("mine", "ana")

    assert not mine.is_abandoned
    assert not Desk("theirs", "ana", "another machine", 1, "1").is_abandoned
    assert Desk("before", "ana", mine.host, 2**22 + 1, "1").is_abandoned
    assert Desk("before", "ana", mine.host, os.getppid(), "long ago").is_abandoned
    mine.leave()
    assert mine.is_abandoned


async def test_an_older_file_gets_the_log_of_what_was_decided_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: ManualClock
) -> None:
    path = tmp_path / "work.db"
    async with SqliteStateStore.open(path) as store, Engine(store, [asking()], clock=clock) as engine:
        await ran(engine, "a", "b")
        await engine.resolve_review("a", "work", Reject("too old", by="ana"))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for table in ("outbox", "jottings", "decisions"):
            connection.execute(f"DROP TABLE treadle_{table}")
        schema.create_review_desk(connection)
        connection.commit()

    async with SqliteStateStore.open(path) as store:
        (line,) = await store.decisions()
        assert (line.item_id, line.attempt, line.decision.by, line.decision.verb) == ("a", 1, "ana", "reject")
