"""Ordinary completions recorded many at once: the same rows, events and claims as verb by verb; what is not ordinary is left."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle_tui.engine import MemoryStateStore, SqliteStateStore, StageState, Workflow
from treadle_tui.engine.store.results import Claim, Ended, Move, Result, StageRoom
from treadle_tui.engine.testing import disagreements

CHAIN = (("a", ()), ("b", ("a",)), ("c", ("b",)))
FORK = (("a", ()), ("b", ("a",)), ("c", ("a",)), ("d", ("b",)))
JOIN = (("a", ()), ("b", ()), ("c", ("a", "b")))


class Played:
    """One store, driven by its verbs, without an engine."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.worker = 0
        self.shape: Any = None
        self.held: list[Claim] = []
        self.said: list[Any] = []
        self.left: list[str] = []
        self.now = 1_000_000

    async def begin(self, stages: Any, items: int, priorities: list[int]) -> None:
        workflow = Workflow("docs")
        for name, after in stages:
            workflow.add_stage(name, _nothing, after=list(after))
        self.shape = await self.store.take_up("docs", workflow.fingerprint, workflow.shape()["stages"], False, None, self.now)
        self.worker = await self.store.add_worker("me", "here", 1, "1")
        for number in range(items):
            await self.store.add_items(self.shape.id, [(f"i{number}", b'{"id":1}')], priorities[number], self.now)

    async def claim(self, room: int) -> None:
        self.now += 7
        wants = [StageRoom(stage=stage.id, room=room) for stage in self.shape.stages]
        claims = await self.store.claim(self.worker, wants, room, {}, lambda text: lambda names: True, None, self.now)
        self.held += claims
        self.said.append([self.told(claim) for claim in claims])

    async def finish(self, count: int, goes_on: bool) -> None:
        """End the oldest `count` claims in one call."""
        self.now += 13
        batch, rest = self.held[:count], self.held[count:]
        ended = [
            Ended(
                claim,
                Result(move=Move.COMPLETE, output=b'"%d"' % claim.stage),
                [dependent for dependent in self.shape.by_id[claim.stage].dependents if goes_on],
            )
            for claim in batch
        ]
        contenders = [stage.id for stage in self.shape.stages]
        fingerprints = {self.shape.id: self.shape.fingerprint}
        recorded = await self.store.finish_plainly(self.worker, ended, contenders, fingerprints, self.now)
        self.left = [each.claim.item_id for each in recorded.left]
        self.said.append(([self.told(claim) for claim in recorded.claims], self.left))
        left = [each.claim for each in recorded.left]
        self.held = left + rest + list(recorded.claims)

    def told(self, claim: Claim) -> tuple[Any, ...]:
        fields = {name: getattr(claim, name) for name in claim.__struct_fields__ if name != "idempotency_key"}
        return tuple(sorted((name, repr(value)) for name, value in fields.items()))

    async def everything(self) -> Any:
        """What anybody can read of it."""
        ids = await self.store.list_items()
        return (
            self.said,
            [await self.store.get_all_statuses(id) for id in ids],
            [await self.store.get_attempts(id, name) for id in ids for name in self.shape.by_name],
            [repr(event) for event in [each async for each in self.store.events()]],
            await self.store.counts(),
            [task async for task in _ready(self)],
        )


async def _ready(played: Played) -> Any:
    """What can be claimed next, in order; nothing stays claimed."""
    before = list(played.held)
    await played.claim(1000)
    for claim in played.held[len(before) :]:
        yield played.told(claim)


async def _nothing(item: Any) -> None:
    return None


@contextlib.asynccontextmanager
async def both() -> Any:
    async with MemoryStateStore() as memory, SqliteStateStore.open(":memory:") as sqlite:
        yield Played(memory), Played(sqlite)


steps = st.lists(
    st.one_of(st.tuples(st.just("claim"), st.integers(1, 5)), st.tuples(st.just("finish"), st.integers(1, 4), st.booleans())),
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stages=st.sampled_from([CHAIN, FORK, JOIN]), priorities=st.lists(st.integers(0, 2), min_size=1, max_size=5), steps=steps)
async def test_many_at_once_is_the_same_on_both_stores(stages, priorities, steps):
    async with both() as (memory, sqlite):
        for played in (memory, sqlite):
            await played.begin(stages, len(priorities), priorities)
            for step in steps:
                await (played.claim(step[1]) if step[0] == "claim" else played.finish(step[1], step[2]))

        assert await memory.everything() == await sqlite.everything()


@pytest.mark.parametrize("spoil", ["pause", "cancel", "reap", "twice", "hold"])
async def test_what_is_not_ordinary_is_left_and_its_neighbours_are_recorded(spoil):
    async with both() as players:
        for played in players:
            await played.begin(CHAIN, 3, [0, 0, 0])
            await played.claim(3)
            match spoil:
                case "pause":
                    await played.store.pause("i1", played.now)
                case "cancel":
                    await played.store.cancel("i1", "ana", played.now)
                case "reap":
                    await played.store.reap([played.worker], played.now)
                case "twice":
                    await played.store.finish(played.worker, played.held[1].key, played.held[1].fence, Result(move=Move.FAIL), played.now)
                case "hold":
                    await played.store.hold_stage(played.shape.id, "b", None, played.now)
            before = await played.store.get_all_statuses("i1")
            await played.finish(3, True)

            completed = [id for id in ("i0", "i1", "i2") if (await played.store.get_status(id, "a")).state is StageState.COMPLETED]
            begun = [id for id in ("i0", "i1", "i2") if (await played.store.get_status(id, "b")).state is StageState.RUNNING]
            match spoil:
                case "hold":  # what ends is ordinary; only what follows is held
                    assert (completed, begun, played.left) == (["i0", "i1", "i2"], [], [])
                case "reap":
                    assert (completed, begun, played.left) == ([], [], ["i0", "i1", "i2"])
                case _:
                    assert (completed, begun, played.left) == (["i0", "i2"], ["i0", "i2"], ["i1"])
                    assert await played.store.get_all_statuses("i1") == before


async def test_what_comes_before_is_claimed_before_what_a_completion_sets_free():
    async with both() as players:
        for played in players:
            await played.begin(CHAIN, 2, [0, 5])
            await played.claim(1)
            assert [claim.item_id for claim in played.held] == ["i1"]
            await played.claim(1)
            await played.store.add_items(played.shape.id, [("urgent", b"{}")], 9, played.now)

            await played.finish(2, True)

            assert played.held == []
            await played.claim(1)
            assert [claim.item_id for claim in played.held] == ["urgent"]


async def test_a_batch_that_is_lost_before_its_commit_changes_nothing_in_memory(monkeypatch):
    def lost() -> None:
        raise OSError("the commit was lost")

    async def refused(step: Any) -> None:
        monkeypatch.setattr(memory.store, "before_commit", lost)
        with pytest.raises(OSError, match="lost"):
            await step
        monkeypatch.undo()

    async with both() as (memory, sqlite):
        for played in (memory, sqlite):
            await played.begin(FORK, 2, [0, 1])
            await played.claim(2)
        await refused(memory.store.add_items(memory.shape.id, [("i9", b"{}")], 0, memory.now))
        claimed, now = list(memory.held), memory.now
        for goes_on in (True, False):
            await refused(memory.finish(2, goes_on))
            memory.held, memory.now = list(claimed), now
        assert await memory.store.leases_of(memory.worker) == {(claim.key, claim.fence) for claim in claimed}

        for played in (memory, sqlite):
            await played.finish(2, True)
            await played.store.add_items(played.shape.id, [("i9", b"{}")], 0, played.now)
            await played.claim(9)
            await played.finish(9, True)

        assert await memory.everything() == await sqlite.everything()


@pytest.mark.parametrize("look", ["leases_of", "hand_back_all_but"])
async def test_what_was_looked_at_while_it_ran_is_known_to_have_ended(look):
    async with both() as players:
        for played in players:
            await played.begin(CHAIN, 1, [0])
            await played.claim(1)
            await played.finish(1, True)
            if look == "leases_of":  # as every engine does now and then, to see what another has called off
                await played.store.leases_of(played.worker)
            else:
                await played.store.hand_back_all_but(played.worker, [(claim.key, claim.fence) for claim in played.held], played.now)
            await played.finish(1, False)

            await played.store.pause("i0", played.now)
            await played.store.resume("i0", played.now)
            await played.store.rerun("i0", "b", "ana", played.now)

            assert await played.store.get_attempts("i0", "b") != []
            found = await played.store.get_all_statuses("i0")
            assert {name: status.state.value for name, status in found.items()} == {"a": "completed", "b": "pending", "c": "pending"}
            assert await disagreements(played.store) == []
