"""Two workers and some people that act on a store by its verbs, without an engine: what `random_verbs` plays its programs with."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from treadle_tui.engine import (
    MemoryStateStore,
    MigrationPlan,
    SqliteStateStore,
    StageState,
    StageStatus,
    SubTaskStatus,
    TreadleError,
    Workflow,
)
from treadle_tui.engine.dispatch import condition_of
from treadle_tui.engine.retention import Retention
from treadle_tui.engine.store.results import Claim, Ended, Move, Result, StageRoom, Work, is_plain
from treadle_tui.engine.store.rows import Lease
from treadle_tui.engine.store.shape import WorkflowShape
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs import items, running_again
from treadle_tui.engine.testing import disagreements

Store = MemoryStateStore | SqliteStateStore
Status = StageStatus | SubTaskStatus
Place = tuple[str, str, str | None]
"""Item, stage, subtask."""
Stages = tuple[tuple[str, tuple[str, ...]], ...]
"""Names, each with those it comes after."""

SHAPES: tuple[Stages, ...] = (
    (("a", ()), ("b", ("a",)), ("c", ("b",))),
    (("a", ()), ("b", ("a",)), ("c", ("a",)), ("d", ("b", "c"))),
    (("a", ()), ("b", ("a",)), ("d", ("b",)), ("e", ("d",))),
    (("a", ()), ("b", ())),
    (("b", ()), ("c", ("b",))),
)
"""The workflow begins as one of them, and may be changed into any other."""
SUBTASKS = ("x", "y", "z", "w", "v")


@dataclass(frozen=True)
class Step:
    """One verb, and the seed of what it chooses."""

    verb: str
    chance: int


class Player:
    """Two workers and some people, on one store or on several connections to one file."""

    def __init__(self, stores: Sequence[Store]) -> None:
        self.stores = stores
        self.store = stores[0]
        """The one this step goes through."""
        self.shape: WorkflowShape
        self.workers: list[int] = []
        self.held: list[tuple[int, Claim]] = []
        self.added = 0
        self.now = 1_000_000

    async def begin(self, stages: Stages) -> None:
        """Take up the workflow."""
        workflow = _workflow(stages)
        shape = await self.store.take_up("docs", workflow.fingerprint, workflow.shape()["stages"], False, None, self.now)
        assert isinstance(shape, WorkflowShape)
        self.shape = shape
        self.workers = [await self.store.add_worker(f"worker {number}", "here", 1, "1") for number in range(2)]

    async def play(self, step: Step) -> Any:
        """What the verb said, or why it refused."""
        self.now += 60 if step.chance % 7 == 0 else 7
        self.store = self.stores[step.chance % len(self.stores)]
        try:
            return await getattr(self, step.verb)(random.Random(step.chance))
        except TreadleError as error:
            return type(error).__name__, str(error)

    async def everything(self, turn: int) -> dict[Any, Any]:
        """All that can be read, through one connection or another."""
        store = self.stores[turn % len(self.stores)]
        found: dict[Any, Any] = {
            "contradictions": await disagreements(store),
            "events": [event async for event in store.events()],
            "counts": await store.counts(),
            "leases": [await store.leases_of(worker) for worker in self.workers],
        }
        for item_id in await store.list_items():
            found[item_id] = await store.get_item(item_id)
            for stage, status in (await store.get_all_statuses(item_id)).items():
                found[item_id, stage] = status
                for subtask in (None, *(each.name for each in status.subtasks)):
                    found[item_id, stage, subtask] = await store.get_attempts(item_id, stage, subtask)
        return found

    # --- work ---

    async def add(self, chance: random.Random) -> Any:
        batch = [(f"i{self.added + number}", b'{"n":%d}' % number) for number in range(chance.randint(1, 4))]
        self.added += len(batch)
        return await self.store.add_items(self.shape.id, batch, chance.randint(0, 2), self.now)

    async def claim(self, chance: random.Random) -> Any:
        worker = chance.choice(self.workers)
        stages = [stage.id for stage in self.shape.stages if chance.random() < 0.9]
        wants = [StageRoom(stage=stage, room=chance.randint(1, 6), tags=chance.choice([(), (), ("tag",)])) for stage in stages]
        item = await self.store.item_key(await self._item(chance)) if chance.random() < 0.1 else None
        tag_rooms = {"tag": chance.randint(0, 4)}
        claims = await self.store.claim(worker, wants, chance.randint(1, 8), tag_rooms, condition_of, item, self.now, self._fingerprints)
        return None if claims is None else self._take(worker, claims)

    async def end(self, chance: random.Random) -> Any:
        worker = chance.choice([each for each, _ in self.held] or self.workers)
        mine = [claim for each, claim in self.held if each == worker]
        batch = chance.sample(mine, min(len(mine), chance.randint(1, 8)))
        is_calm, goes_on = chance.random() < 0.6, chance.random() < 0.8
        if chance.random() > 0.05:  # else they are ended once more later
            ended = {(claim.key, claim.fence) for claim in batch}
            self.held = [(each, claim) for each, claim in self.held if (claim.key, claim.fence) not in ended]

        plain: list[Ended] = []
        of_subtasks: list[Ended] = []
        others: list[Ended] = []
        for claim in batch:
            result = _calm_result(chance, claim) if is_calm else _any_result(chance, claim)
            among = others if not is_plain(claim, result) else plain if claim.subtask is None else of_subtasks
            among.append(Ended(claim, result, self._onward(claim) if goes_on else ()))

        said: list[Any] = []
        contenders = [stage.id for stage in self.shape.stages]
        for together, finish in ((plain, self.store.finish_plainly), (of_subtasks, self.store.finish_subtasks)):
            if together:
                recorded = await finish(worker, together, contenders, self._fingerprints, self.now)
                said += [self._take(worker, recorded.claims), [each.claim.key for each in recorded.left]]
                others += recorded.left
        for each in others:
            said.append(await self.store.finish(worker, each.claim.key, each.claim.fence, each.result, self.now))
        return said

    async def look_at_leases(self, chance: random.Random) -> Any:
        return await self.store.leases_of(chance.choice(self.workers))

    async def hand_back(self, chance: random.Random) -> Any:
        worker = chance.choice(self.workers)
        held: set[Lease] = {(claim.key, claim.fence) for each, claim in self.held if each == worker}
        return await self.store.hand_back_all_but(worker, held, self.now)

    async def look_ahead(self, chance: random.Random) -> Any:
        """But for stages held by a condition: how many of those that wait have been asked yet is a store's own affair."""
        holds = await self.store.holds()
        stages = [stage.id for stage in self.shape.stages if stage.id not in holds]
        return await self.store.outlook(chance.choice(self.workers), stages, None, self.now)

    async def lose_worker(self, chance: random.Random) -> Any:
        place = chance.randrange(2)
        lost = self.workers[place]
        said = await (self.store.reap([lost], self.now) if chance.random() < 0.5 else self.store.remove_worker(lost, self.now))
        self.workers[place] = await self.store.add_worker(f"worker of {self.now}", "here", 1, "1")
        self.held = [(worker, claim) for worker, claim in self.held if worker != lost]
        return said

    # --- people ---

    async def explain(self, chance: random.Random) -> Any:
        """But for which of those that wait have been asked by a condition yet, as in `look_ahead`."""
        facts = await self.store.facts_of(await self._item(chance))
        return msgspec.structs.replace(facts, ready=sorted({*facts.ready, *facts.held_back}), held_back=frozenset())

    async def decide(self, chance: random.Random) -> Any:
        waiting = [place async for place, status in self._all() if status.state is StageState.AWAITING_REVIEW]
        if not waiting:
            return None
        item_id, stage, subtask = chance.choice(waiting)
        decisions: list[dict[str, Any]] = [
            {"verb": "approve"},
            {"verb": "approve_with_edits", "output": {"edited": True}},
            {"verb": "reject", "reason": "no"},
            {"verb": "request_changes", "feedback": {"summary": "more"}},
            {"verb": "pick_attempt", "number": chance.randint(1, 2)},
        ]
        return await self.store.decide(item_id, stage, {**chance.choice(decisions), "by": "ana"}, None, subtask, self.now)

    async def reopen(self, chance: random.Random) -> Any:
        item_id, stage, subtask = await self._place(chance, lambda status: status.decision is not None)
        return await self.store.reopen(item_id, stage, "ben", subtask, self.now)

    async def retry(self, chance: random.Random) -> Any:
        item_id, stage, subtask = await self._place(chance, _is_lost)
        return await self.store.retry(item_id, stage, "ben", subtask, self.now)

    async def retry_many(self, chance: random.Random) -> Any:
        def retry(place: Place) -> Callable[[Unit], Any]:
            return lambda unit: running_again.retry(unit, place[0], place[1], "ben", None)

        return await self._each(retry(place) async for place, status in self._stages() if _is_lost(status) or chance.random() < 0.1)

    async def rerun(self, chance: random.Random) -> Any:
        item_id, stage, _ = await self._place(chance, _has_ended)
        return await self.store.rerun(item_id, stage, "ben", self.now)

    async def rerun_many(self, chance: random.Random) -> Any:
        def rerun(place: Place) -> Callable[[Unit], Any]:
            return lambda unit: running_again.rerun(unit, place[0], place[1], "ben")

        return await self._each(rerun(place) async for place, _ in self._stages() if chance.random() < 0.2)

    async def cancel(self, chance: random.Random) -> Any:
        return await self.store.cancel(await self._item(chance), "ana", self.now)

    async def pause(self, chance: random.Random) -> Any:
        return await self.store.pause(await self._item(chance), self.now)

    async def resume(self, chance: random.Random) -> Any:
        return await self.store.resume(await self._item(chance), self.now)

    async def resume_all(self, chance: random.Random) -> Any:
        for item_id in await self.store.list_items():
            await self.store.resume(item_id, self.now)

    async def delete(self, chance: random.Random) -> Any:
        item_id = await self._item(chance)
        return await self.store.change(lambda unit: items.delete(unit, item_id), self.now)

    # --- workflows ---

    async def hold(self, chance: random.Random) -> Any:
        stage = chance.choice(self.shape.stages).name
        return await self.store.hold_stage(self.shape.id, stage, chance.choice([None, "item.n > 0"]), self.now)

    async def release(self, chance: random.Random) -> Any:
        return await self.store.release_stage(self.shape.id, chance.choice(self.shape.stages).name, self.now)

    async def release_all(self, chance: random.Random) -> Any:
        for stage in self.shape.stages:
            await self.store.release_stage(self.shape.id, stage.name, self.now)

    async def tidy(self, chance: random.Random) -> Any:
        policy = chance.choice(
            [
                Retention(attempts_count=1),
                Retention(outputs_count=0),
                Retention(events_count=5),
                Retention(items_count=chance.randint(0, 3)),
                Retention(attempts_count=1, outputs_count=1, events_count=0),
            ]
        )
        keep_from = await self.store.keep_from(self.shape.id, policy)
        return [
            await self.store.tidy_items(self.shape.id, policy, 0, keep_from, self.now),
            await self.store.drop_events(self.shape.id, policy, 0, keep_from.event, self.now),
        ]

    async def migrate(self, chance: random.Random) -> Any:
        workflow = _workflow(chance.choice(SHAPES))
        specs, backfill = workflow.shape()["stages"], chance.random() < 0.4
        found = await self.store.take_up("docs", workflow.fingerprint, specs, backfill, None, self.now)
        plan = found if isinstance(found, MigrationPlan) else None
        if plan is not None and chance.random() < 0.7:
            found = await self.store.take_up("docs", workflow.fingerprint, specs, backfill, plan, self.now)
        if isinstance(found, WorkflowShape):
            self.shape = found
        return plan, self.shape.fingerprint, [(stage.id, stage.name) for stage in self.shape.every]

    async def drop(self, chance: random.Random) -> Any:
        known = {stage.name for stage in self.shape.stages}
        removed = [place async for place, _ in self._stages() if place[1] not in known]
        item_id, stage, _ = chance.choice(removed) if removed else await self._place(chance, _has_ended)
        return await self.store.drop_stage(item_id, stage, "ben", self.now)

    # --- what there is to act on ---

    @property
    def _fingerprints(self) -> dict[int, str]:
        return {self.shape.id: self.shape.fingerprint}

    def _take(self, worker: int, claims: Iterable[Claim]) -> list[Any]:
        """Keep them until they end; what they tell."""
        taken = list(claims)
        self.held += [(worker, claim) for claim in taken]
        return [_told(claim) for claim in taken]

    def _onward(self, claim: Claim) -> Sequence[int]:
        stage = self.shape.by_id.get(claim.stage)
        if stage is None:
            return ()
        return tuple(stage.dependents) if claim.subtask is None else (stage.id,)

    async def _item(self, chance: random.Random) -> str:
        return chance.choice(await self.store.list_items() or ["nobody"])

    async def _place(self, chance: random.Random, suits: Callable[[Status], bool]) -> Place:
        """Mostly one that suits the verb."""
        places = [(place, suits(status)) async for place, status in self._all()]
        suitable = [place for place, is_suitable in places if is_suitable]
        if suitable and chance.random() < 0.8:
            return chance.choice(suitable)
        return chance.choice([place for place, _ in places] or [("nobody", "a", None)])

    async def _all(self) -> AsyncIterator[tuple[Place, Status]]:
        for item_id in await self.store.list_items():
            for stage, status in (await self.store.get_all_statuses(item_id)).items():
                yield (item_id, stage, None), status
                for each in status.subtasks:
                    yield (item_id, stage, each.name), each

    async def _stages(self) -> AsyncIterator[tuple[Place, Status]]:
        async for place, status in self._all():
            if place[2] is None:
                yield place, status

    async def _each(self, verbs: AsyncIterator[Callable[[Unit], Any]]) -> list[Any]:
        return [repr(said) for said in await self.store.each_in_one([verb async for verb in verbs], self.now)]


def _told(claim: Claim) -> Any:
    """All that a stage is told, but for the name of the store; with the order of a join's results."""
    decisions = msgspec.to_builtins(claim.decisions, str_keys=True)
    without = msgspec.structs.replace(claim, idempotency_key="", previous=(), decisions={})
    return without, list(claim.results), decisions, [attempt.photograph() for attempt in claim.previous]


def _is_lost(status: Status) -> bool:
    return status.state in (StageState.FAILED, StageState.CANCELLED)


def _has_ended(status: Status) -> bool:
    return status.state in (StageState.COMPLETED, StageState.SKIPPED, StageState.FAILED, StageState.CANCELLED)


async def _nothing(item: Any) -> None:
    return None


def _workflow(stages: Stages) -> Workflow:
    workflow = Workflow("docs")
    for name, after in stages:
        workflow.add_stage(name, _nothing, after=list(after))
    return workflow


LONG = b'"%s"' % (b"m" * 300)
VERY_LONG = b'"%s"' % (b"v" * 70_000)


def _calm_result(chance: random.Random, claim: Claim) -> Result:
    """As most are."""
    if claim.work is Work.STAGE and claim.stage % 2 and chance.random() < 0.3:
        return _fan_out(chance)
    return Result(move=Move.COMPLETE, output=LONG if chance.random() < 0.2 else b'"%d"' % claim.stage)


def _any_result(chance: random.Random, claim: Claim) -> Result:
    if claim.work is Work.STAGE and claim.stage % 2 and chance.random() < 0.3:
        return _fan_out(chance)
    output = chance.choice([b'"short"', b'{"parts":[1,2]}', b"null", LONG, VERY_LONG])
    thin: dict[str, Any] = {"summary": "thin"}
    verdict = {"verdict": "rejected", "feedback": thin}
    asked = {"summary": "look", "created_at": "2020-01-01T00:00:00+00:00"}
    weighted: list[tuple[int, Result]] = [
        (40, Result(move=Move.COMPLETE, output=output)),
        (4, Result(move=Move.COMPLETE, output=output, summary="in short")),
        (4, Result(move=Move.COMPLETE)),
        (8, Result(move=Move.FAIL, outcome="error", error="broken")),
        (8, Result(move=Move.RETRY, outcome="error", error="again", delay_ms=chance.choice([0, 0, 50]), max_attempts=3)),
        (4, Result(move=Move.RETRY, outcome="rejected", output=output, error="thin", feedback=thin, verdict=verdict, max_attempts=3)),
        (4, Result(move=Move.SKIP, outcome="skipped", reason="nothing")),
        (24, Result(move=Move.REVIEW, outcome="needs_review", output=output, review=asked, why="asked")),
        (2, Result(move=Move.HAND_BACK)),
    ]
    return chance.choices([result for _, result in weighted], [weight for weight, _ in weighted])[0]


def _fan_out(chance: random.Random) -> Result:
    names = SUBTASKS[: chance.randint(0, len(SUBTASKS))]
    return Result(move=Move.FAN_OUT, outcome="fan_out", subtasks=[(name, chance.choice([None, {"m": 1}, [2], "text"])) for name in names])
