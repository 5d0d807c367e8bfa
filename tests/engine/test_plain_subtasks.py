"""Subtasks recorded and claimed many at once: the same rows, events and claims as verb by verb; what is not ordinary is left."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from treadle_tui.engine import MemoryStateStore, SqliteStateStore, StageState, TreadleError
from treadle_tui.engine.store.results import Claim, Ended, Move, Result, StageRoom, Work

from .test_plainly import Played

WIDE = (("split", ()), ("join", ("split",)))
BEHIND = (("first", ()), ("split", ("first",)), ("other", ()))

NAMES = [("x", None), ("y", {"n": 1}), ("z", None), ("w", [2])]


class FannedOut(Played):
    """A store in which stage `split` fans out into as many subtasks as the item's priority says, and two more."""

    async def declare(self) -> None:
        """End every claimed stage: `split` declares its subtasks, the others complete."""
        self.now += 5
        split = self.shape.by_name["split"].id
        for claim in [claim for claim in self.held if claim.work is not Work.SUBTASK]:
            subtasks = NAMES[: claim.priority + 2]
            result = Result(move=Move.COMPLETE, output=b'"done"')
            if claim.work is Work.STAGE and claim.stage == split:
                result = Result(move=Move.FAN_OUT, outcome="fan_out", subtasks=subtasks)
            await self.store.finish(self.worker, claim.key, claim.fence, result, self.now)
        self.held = [claim for claim in self.held if claim.work is Work.SUBTASK]

    async def finish_subtasks(self, count: int, goes_on: bool) -> None:
        """End the oldest `count` subtasks in one call."""
        self.now += 13
        subtasks = [claim for claim in self.held if claim.work is Work.SUBTASK][:count]
        await self.finish_these(subtasks, goes_on)

    async def finish_these(self, subtasks: list[Claim], goes_on: bool, fingerprint: str | None = None) -> None:
        ended = [
            Ended(claim, Result(move=Move.COMPLETE, output=b'"%s"' % (claim.subtask or "").encode()), [claim.stage] if goes_on else [])
            for claim in subtasks
        ]
        contenders = [stage.id for stage in self.shape.stages]
        fingerprints = {self.shape.id: fingerprint or self.shape.fingerprint}
        recorded = await self.store.finish_subtasks(self.worker, ended, contenders, fingerprints, self.now)
        self.left = [f"{each.claim.item_id}/{each.claim.subtask}" for each in recorded.left]
        self.said.append(([self.told(claim) for claim in recorded.claims], self.left))
        left = [each.claim for each in recorded.left]
        self.held = left + [claim for claim in self.held if claim not in subtasks] + list(recorded.claims)

    async def spoil(self, how: str) -> None:
        """Something that is not ordinary happens to the oldest subtask, or its item."""
        self.now += 3
        claim = next((claim for claim in self.held if claim.work is Work.SUBTASK), None)
        if claim is None:
            return
        match how:
            case "fail":
                result = Result(move=Move.FAIL, outcome="error", error="broken")
                await self.store.finish(self.worker, claim.key, claim.fence, result, self.now)
                self.held.remove(claim)
            case "retry":
                result = Result(move=Move.RETRY, outcome="error", error="broken", delay_ms=0, max_attempts=3)
                await self.store.finish(self.worker, claim.key, claim.fence, result, self.now)
                self.held.remove(claim)
            case "hand back":
                await self.store.hand_back(self.worker, [(claim.key, claim.fence)], self.now)
                self.held.remove(claim)
            case "pause":
                await self.store.pause(claim.item_id, self.now)
            case "resume":
                await self.store.resume(claim.item_id, self.now)
            case "cancel":
                await self.store.cancel(claim.item_id, "ana", self.now)
            case "hold":
                await self.store.hold_stage(self.shape.id, "split", None, self.now)
            case "hold some":
                await self.store.hold_stage(self.shape.id, "split", "item.id > 5", self.now)
            case "release":
                await self.store.release_stage(self.shape.id, "split", self.now)

    async def run_again(self) -> None:
        """Whatever has ended of the first item's fan-out is pending again, and whatever ran is not."""
        with contextlib.suppress(TreadleError):
            leases = await self.store.rerun("i0", "split", "ana", self.now)
            self.held = [claim for claim in self.held if (claim.key, claim.fence) not in leases]

    def told(self, claim: Claim) -> tuple[Any, ...]:
        previous = [attempt.photograph() for attempt in claim.previous]
        return *super().told(replace(claim, previous=())), str(previous)

    async def everything(self) -> Any:
        ids = await self.store.list_items()
        names = [name for name, _ in NAMES]
        attempts = [await self._attempts(id, "split", name) for id in ids for name in names]
        return await super().everything(), attempts

    async def _attempts(self, id: str, stage: str, name: str) -> Any:
        known = {each.name for each in (await self.store.get_status(id, stage)).subtasks}
        return await self.store.get_attempts(id, stage, name) if name in known else None


async def played_on_both(stages: Any, priorities: list[int], steps: list[Any]) -> list[Any]:
    """What there is to be read in either store when all is done."""
    found = []
    async with MemoryStateStore() as memory, SqliteStateStore.open(":memory:", synchronous="OFF") as sqlite:
        for store in (memory, sqlite):
            played = FannedOut(store)
            await played.begin(stages, len(priorities), priorities)
            for name, *arguments in steps:
                await getattr(played, name)(*arguments)
            found.append(await played.everything())
    return found


SPOILT = ["fail", "retry", "hand back", "pause", "resume", "cancel", "hold", "hold some", "release"]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("claim"), st.integers(1, 6)),
        st.tuples(st.just("declare")),
        st.tuples(st.just("finish_subtasks"), st.integers(1, 6), st.booleans()),
        st.tuples(st.just("finish_subtasks"), st.integers(1, 6), st.just(True)),
        st.tuples(st.just("spoil"), st.sampled_from(SPOILT)),
        st.tuples(st.just("run_again")),
    ),
    max_size=14,
)
BEGUN: list[Any] = [("claim", 9), ("declare",), ("claim", 3), ("declare",), ("claim", 3)]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stages=st.sampled_from([WIDE, BEHIND]), priorities=st.lists(st.integers(0, 2), min_size=1, max_size=4), steps=steps)
async def test_subtasks_many_at_once_are_the_same_on_both_stores(stages, priorities, steps):
    memory, sqlite = await played_on_both(stages, priorities, BEGUN + steps)

    assert memory == sqlite


@pytest.mark.parametrize("spoil", SPOILT)
async def test_an_end_of_a_fan_out_is_the_same_on_both_stores(spoil):
    rest = [("finish_subtasks", 6, True), ("declare",), ("claim", 9)] * 4
    memory, sqlite = await played_on_both(WIDE, [2, 2], [*BEGUN, ("spoil", spoil), *rest, ("run_again",), *rest])

    assert memory == sqlite


@pytest.fixture(params=["memory", "sqlite"])
async def played(request):
    async with MemoryStateStore() if request.param == "memory" else SqliteStateStore.open(":memory:", synchronous="OFF") as store:
        yield FannedOut(store)


async def fanned_out(played: FannedOut, *priorities: int) -> None:
    """Every item has declared its subtasks, and nothing is claimed."""
    await played.begin(WIDE, len(priorities), list(priorities))
    await played.claim(len(priorities))
    await played.declare()


async def test_the_next_subtasks_are_claimed_with_the_end_of_others_and_the_last_end_frees_the_join(played):
    await fanned_out(played, 2)
    await played.claim(2)

    await played.finish_subtasks(2, True)

    assert [claim.subtask for claim in played.held] == ["z", "w"]
    assert [claim.metadata for claim in played.held] == [None, [2]]
    await played.finish_subtasks(2, True)
    assert played.held == []
    await played.claim(5)
    assert [(claim.work, claim.results) for claim in played.held] == [
        (Work.REDUCE, {"x": b'"x"', "y": b'"y"', "z": b'"z"', "w": b'"w"'}),
    ]


@pytest.mark.parametrize("spoil", ["pause", "cancel", "retry", "fail", "hand back"])
async def test_what_is_not_ordinary_is_left(played, spoil):
    await fanned_out(played, 1, 1)
    await played.claim(6)
    first, *others = played.held
    await played.spoil(spoil)
    others = [claim for claim in others if claim.item_id == first.item_id]

    await played.finish_these([first, *others], True)

    still_ordinary = spoil in ("retry", "fail", "hand back")
    assert played.left == [f"{each.item_id}/{each.subtask}" for each in ([first] if still_ordinary else [first, *others])]


async def test_subtasks_of_a_workflow_that_is_another_by_now_are_left(played):
    await fanned_out(played, 0)
    await played.claim(2)

    await played.finish_these(list(played.held), True, fingerprint="another")

    assert played.left == ["i0/x", "i0/y"]
    assert (await played.store.get_status("i0", "split")).state is StageState.RUNNING


async def test_what_comes_before_is_not_passed_over_by_the_next_subtask(played):
    await fanned_out(played, 2)
    await played.claim(1)
    await played.store.add_items(played.shape.id, [("urgent", b"{}")], 9, played.now)

    await played.finish_subtasks(1, True)

    assert played.held == []
    await played.claim(1)
    assert [claim.item_id for claim in played.held] == ["urgent"]


async def test_claims_keep_to_the_rooms_of_stages_and_tags(played):
    await fanned_out(played, 2, 2)
    split, join = (played.shape.by_name[name].id for name in ("split", "join"))
    wants = [StageRoom(stage=split, room=3, tags=["api"]), StageRoom(stage=join, room=5)]

    claims = await played.store.claim(played.worker, wants, 9, {"api": 2}, lambda text: lambda names: True, None, played.now)
    more = await played.store.claim(played.worker, wants, 9, {"api": 9}, lambda text: lambda names: True, None, played.now)

    assert [(claim.item_id, claim.subtask) for claim in claims] == [("i0", "x"), ("i1", "x")]
    assert [(claim.item_id, claim.subtask) for claim in more] == [("i0", "y"), ("i1", "y"), ("i0", "z")]


@pytest.mark.parametrize("taken", ["y", "w"])
async def test_subtasks_with_one_missing_among_them_are_claimed_without_it(played, taken):
    await fanned_out(played, 2)
    by_hand = await played.store.claim_one(played.worker, "i0", "split", taken, played.now)
    assert by_hand.subtask == taken

    await played.claim(9)

    assert [claim.subtask for claim in played.held] == [name for name, _ in NAMES if name != taken]
    assert await played.store.leases_of(played.worker) == {(claim.key, 1) for claim in [by_hand, *played.held]}


# --- what it costs ------------------------------------------------------------------------------------------------------------


async def statements_of(played: FannedOut, room: int) -> int:
    """How many statements write tasks while so many are claimed."""
    statements: list[str] = []
    await played.store.change(lambda unit: unit.connection.set_trace_callback(statements.append), played.now)
    await played.claim(room)
    await played.store.change(lambda unit: unit.connection.set_trace_callback(None), played.now)
    return sum("treadle_tasks" in each and each.startswith("INSERT") for each in statements)


async def test_claiming_many_retries_does_not_write_all_of_them_for_each():
    async with SqliteStateStore.open(":memory:", synchronous="OFF") as store:
        played = FannedOut(store)
        await played.begin(WIDE, 50, [0] * 50)
        await played.claim(50)
        for claim in played.held:
            result = Result(move=Move.RETRY, outcome="error", error="broken", max_attempts=3)
            await store.finish(played.worker, claim.key, claim.fence, result, played.now)
        played.held = []

        assert await statements_of(played, 50) < 10

        assert [(claim.attempt, len(claim.previous)) for claim in played.held] == [(2, 1)] * 50


async def test_claiming_many_joins_does_not_write_all_of_them_for_each():
    async with SqliteStateStore.open(":memory:", synchronous="OFF") as store:
        played = FannedOut(store)
        await played.begin(WIDE, 51, [0] * 51)
        await played.claim(51)
        first = played.held.pop(0)
        await played.declare()
        await played.claim(100)
        await played.finish_these(list(played.held), False)
        await store.hand_back(played.worker, [(first.key, first.fence)], played.now)  # first in line, and for the verbs, as all behind it

        assert await statements_of(played, 51) < 10

        assert [claim.work for claim in played.held] == [Work.STAGE, *[Work.REDUCE] * 50]
        assert [dict(claim.results) for claim in played.held[1:]] == [{"x": b'"x"', "y": b'"y"'}] * 50
