"""Random workflows, decisions, crashes and stops, on both stores at once and against a simple model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, precondition, rule

from treadle_tui.engine import (
    Approve,
    ApproveWithEdits,
    PickAttempt,
    Reject,
    RequestChanges,
    TreadleError,
)
from treadle_tui.engine.testing import disagreements
from treadle_tui.engine.testing.crash import MemorySite, SqliteSite, _Knife

from .random_programs import ANSWERS, Model, ModelItem, Program, StageShape, World

NAMES = "abcde"


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """A small workflow and its answers; simple ones first."""
    shapes: list[StageShape] = []
    for name in NAMES[: draw(st.integers(1, 4))]:
        shapes.append(
            StageShape(
                name=name,
                after=tuple(draw(st.lists(st.sampled_from([shape.name for shape in shapes]), max_size=2, unique=True)) if shapes else ()),
                max_attempts=draw(st.integers(1, 3)),
                delay=draw(st.sampled_from([0.0, 10.0])),
                escalates=draw(st.booleans()),
                always_reviewed=draw(st.booleans()),
                is_judged=draw(st.booleans()),
                subtasks=draw(st.sampled_from([0, 0, 2, 3])),
                subtask_attempts=draw(st.integers(1, 2)),
            )
        )
    script = draw(st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=12))
    return Program(tuple(shapes), tuple(script))


DECISIONS = st.one_of(
    st.just(Approve(by="ana")),
    st.just(ApproveWithEdits({"edited": True}, by="ana")),
    st.just(Reject("no", by="ana")),
    st.just(RequestChanges("more", by="ana")),
    st.builds(PickAttempt, st.integers(0, 4)),
)


@dataclass(frozen=True)
class Refusal:
    """An error of the engine's."""

    kind: str
    words: str


class Programs(RuleBasedStateMachine):
    """The same program on a memory and a SQLite store, beside the model."""

    items = Bundle("items")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.worlds: list[World] = []
        self.sites: list[Any] = []
        self.model: Model
        self.submitted = 0
        self.is_exact = True
        """Whether even the events must be the same, one by one: not after a crash at a commit, which each store has its own of."""

    @initialize(program=programs(), concurrency=st.sampled_from([1, 8]))
    def begin(self, program: Program, concurrency: int) -> None:
        self.is_exact = concurrency == 1
        self.model = Model(program)
        self.sites = [MemorySite(), SqliteSite()]
        self.runner.run(self._open(program, concurrency))

    async def _open(self, program: Program, concurrency: int) -> None:
        for site in self.sites:
            world = World(program, await site.open(_Knife(None)), concurrency)
            await world.open()
            self.worlds.append(world)

    def teardown(self) -> None:
        self.runner.run(self._close())
        self.runner.close()

    async def _close(self) -> None:
        for world, site in zip(self.worlds, self.sites, strict=True):
            await world.close()
            await site.close(world.store)

    def both(self, act: Callable[[World], Awaitable[Any]]) -> list[Any]:
        """Do the same in both worlds; what came of it, an error by its class and words."""

        async def outcomes() -> list[Any]:
            found: list[Any] = []
            for world in self.worlds:
                try:
                    found.append(await act(world))
                except TreadleError as error:
                    found.append(Refusal(type(error).__name__, str(error) if self.is_exact else ""))
            return found

        found = self.runner.run(outcomes())
        assert found[0] == found[1], f"memory: {found[0]!r}, SQLite: {found[1]!r}"
        return found

    def changed(self, act: Callable[[World], Awaitable[Any]], by_model: bool) -> None:
        """Do the same in both worlds; the model says whether it is refused."""
        found = self.both(act)
        assert isinstance(found[0], Refusal) is not by_model, (
            f"the model {'does' if by_model else 'refuses'} it, the engine says {found[0]!r}"
        )

    # --- rules ------------------------------------------------------------------------------------------------------

    @rule(target=items, count=st.integers(1, 3), priority=st.integers(-1, 1))
    def submit(self, count: int, priority: int) -> Any:
        ids = [f"i{self.submitted + number}" for number in range(count)]
        self.submitted += count
        self.both(lambda world: world.engine.submit("docs", [{"id": id} for id in ids], priority=priority))
        for item_id in ids:
            self.model.items[item_id] = ModelItem(self.model, item_id)
        return multiple(*ids)

    @rule()
    def run(self) -> None:
        self.both(World.run)
        self.model.run()

    @rule(calls=st.integers(0, 6), crash=st.booleans())
    def interrupt(self, calls: int, crash: bool) -> None:
        self.both(lambda world: world.interrupted(calls, crash=crash))
        self.model.run()

    @rule(commits=st.integers(0, 12))
    def crash_at_a_commit(self, commits: int) -> None:
        self.is_exact = False
        self.runner.run(self._crash_at_a_commit(commits))
        self.model.run()

    async def _crash_at_a_commit(self, commits: int) -> None:
        from treadle_tui.engine.leases import declare_dead

        for world, site in zip(self.worlds, self.sites, strict=True):
            await world.close()
            await world.store.close()
            world.store = await site.open(_Knife(commits))
            try:
                await world.open()
                await world.run()
                await world.close()
            except TreadleError:
                await world.engine.close()
            await site.abandon(world.store)
            world.store = await site.open(_Knife(None))
            for worker in await world.store.workers():
                declare_dead(worker.uuid)
            await world.open()
            await world.run()

    @rule(seconds=st.sampled_from([1.0, 10.0, 3600.0]))
    def wait(self, seconds: float) -> None:
        for world in self.worlds:
            world.clock.advance(seconds)

    @rule(which=st.integers(0, 50), decision=DECISIONS, is_stale=st.booleans())
    def decide_what_waits(self, which: int, decision: Any, is_stale: bool) -> None:
        reviews = self.both(lambda world: _waiting(world))[0]
        if not reviews:
            return
        item_id, stage, subtask = reviews[which % len(reviews)]
        shape = next(shape for shape in self.model.program.shapes if shape.name == stage)
        number = getattr(decision, "number", 0)
        by_model = not is_stale and self.model.items[item_id].decide(shape, subtask, decision.verb, number)

        async def decide(world: World) -> Any:
            waiting = await world.engine.pending_reviews()
            (version,) = (each.version for each in waiting if (each.item_id, each.stage, each.subtask) == (item_id, stage, subtask))
            return await world.engine.resolve_review(item_id, stage, decision, version - is_stale, subtask)

        self.changed(decide, by_model)

    @rule(item_id=items, stage=st.integers(0, 3), decision=DECISIONS)
    def decide_anything(self, item_id: str, stage: int, decision: Any) -> None:
        item, shape = self._of(item_id, stage)
        by_model = item.decide(shape, None, decision.verb, getattr(decision, "number", 0))
        self.changed(lambda world: world.engine.resolve_review(item_id, shape.name, decision), by_model)

    @rule(item_id=items, stage=st.integers(0, 3), subtask=st.sampled_from([None, "x", "y"]))
    def reopen(self, item_id: str, stage: int, subtask: str | None) -> None:
        item, shape = self._of(item_id, stage)
        if subtask is not None and subtask not in item.stages[shape.name].subtasks:
            subtask = None
        self.changed(lambda world: world.engine.reopen_review(item_id, shape.name, "ben", subtask), item.reopen(shape, subtask))

    @rule(item_id=items, stage=st.integers(0, 3), subtask=st.sampled_from([None, "x", "y", "z"]))
    def retry(self, item_id: str, stage: int, subtask: str | None) -> None:
        item, shape = self._of(item_id, stage)
        if subtask is not None and subtask not in item.stages[shape.name].subtasks:
            subtask = None
        self.changed(lambda world: world.engine.retry_stage(item_id, shape.name, subtask), item.retry(shape, subtask))

    @rule(item_id=items, stage=st.integers(0, 3))
    def rerun(self, item_id: str, stage: int) -> None:
        item, shape = self._of(item_id, stage)
        self.changed(lambda world: world.engine.rerun_stage(item_id, shape.name), item.rerun(shape))

    @rule(item_id=items)
    def cancel(self, item_id: str) -> None:
        self.changed(lambda world: world.engine.cancel(item_id, by="ana"), self.model.items[item_id].cancel())

    @rule(item_id=items)
    def pause(self, item_id: str) -> None:
        self.both(lambda world: world.engine.pause(item_id))
        self.model.items[item_id].is_paused = True

    @rule(item_id=items)
    def resume(self, item_id: str) -> None:
        self.both(lambda world: world.engine.resume(item_id))
        self.model.items[item_id].is_paused = False

    @rule(item_id=consumes(items))
    def delete(self, item_id: str) -> None:
        self.both(lambda world: world.engine.delete_item(item_id))
        del self.model.items[item_id]
        self.is_exact = False  # when it happened is told by the machine's own clock

    @rule(stage=st.integers(0, 3))
    def hold(self, stage: int) -> None:
        name = self._shape(stage).name
        self.both(lambda world: world.engine.pause_stage("docs", name))
        self.model.held.add(name)

    @precondition(lambda self: self.model.held)
    @rule(data=st.data())
    def release(self, data: Any) -> None:
        name = data.draw(st.sampled_from(sorted(self.model.held)))
        self.both(lambda world: world.engine.resume_stage("docs", name))
        self.model.held.discard(name)

    def _shape(self, stage: int) -> StageShape:
        return self.model.program.shapes[stage % len(self.model.program.shapes)]

    def _of(self, item_id: str, stage: int) -> tuple[ModelItem, StageShape]:
        return self.model.items[item_id], self._shape(stage)

    # --- always -----------------------------------------------------------------------------------------------------

    @invariant()
    def both_stores_are_as_the_model_says(self) -> None:
        if not self.worlds:
            return
        memory, sqlite = self.runner.run(self._snapshots())
        assert memory == sqlite
        found = {}
        for place, facts in memory.items():
            if place.count("/") == 1:
                found[place] = facts[0][1]
                found.update({f"{place}/{fact[0]}": fact[1] for fact in facts[1:]})
        assert found == self.model.states()

    async def _snapshots(self) -> list[dict[str, Any]]:
        for world in self.worlds:
            assert await disagreements(world.store) == []
        if self.is_exact:
            told = [[event async for event in world.store.events()] for world in self.worlds]
            assert told[0] == told[1]
        return [await world.snapshot() for world in self.worlds]


async def _waiting(world: World) -> list[tuple[str, str, str | None]]:
    reviews = await world.engine.pending_reviews()
    return sorted(((each.item_id, each.stage, each.subtask) for each in reviews), key=str)


TestPrograms = Programs.TestCase
