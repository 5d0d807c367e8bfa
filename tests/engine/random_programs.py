"""Random small workflows and what their stages answer, and a simple model of where that should lead.

A program is a shape (stages, edges, budgets, policies) and a script of answers. Which answer an attempt gives follows from its item,
stage, subtask and number alone, so the same program runs the same way on every store, after every crash, and in the model.

The model knows no time, no engines, no transactions: delays are waited out, crashes leave no trace. It is what a reader of the
contract would do with pencil and paper.
"""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass, field
from typing import Any

from treadle_tui.engine import (
    Accepted,
    Completed,
    Engine,
    Failed,
    FanOut,
    NeedsReview,
    Rejected,
    Retry,
    RetryBudget,
    ReviewPolicy,
    Skipped,
    StageState,
    Workflow,
)
from treadle_tui.engine.testing import ManualClock, crash_engine

PENDING, RUNNING, RETRY_WAIT, AWAITING = StageState.PENDING, StageState.RUNNING, StageState.RETRY_WAIT, StageState.AWAITING_REVIEW
COMPLETED, SKIPPED, FAILED, CANCELLED = StageState.COMPLETED, StageState.SKIPPED, StageState.FAILED, StageState.CANCELLED
SATISFIED = (COMPLETED, SKIPPED)
ENDED = (COMPLETED, SKIPPED, FAILED, CANCELLED)

ANSWERS = ("ok", "raise", "retry", "fail", "skip", "review", "reject")
SUBTASKS = ("x", "y", "z")


@dataclass(frozen=True)
class StageShape:
    """One stage of a random workflow."""

    name: str
    after: tuple[str, ...]
    max_attempts: int = 1
    delay: float = 0.0
    escalates: bool = False
    always_reviewed: bool = False
    is_judged: bool = True
    """Whether it has a gate; without one it takes what it is given."""
    subtasks: int = 0
    """0: it does not fan out."""
    subtask_attempts: int = 1


@dataclass(frozen=True)
class Program:
    """A workflow, and what its stages answer."""

    shapes: tuple[StageShape, ...]
    script: tuple[str, ...]

    def answer(self, item_id: str, stage: str, subtask: str | None, attempt: int) -> str:
        """What that attempt answers."""
        place = zlib.crc32(f"{item_id}/{stage}/{subtask}/{attempt}".encode())
        return self.script[place % len(self.script)]


# --- the real thing -----------------------------------------------------------------------------------------------------------


class Interruption:
    """Lets a call of a stage hang, so that it can be interrupted."""

    def __init__(self) -> None:
        self.calls_left = -1
        """The call that hangs, counted from now; negative: none."""
        self.has_come = asyncio.Event()

    async def pass_or_hang(self) -> None:
        self.calls_left -= 1
        if self.calls_left == -1:
            self.has_come.set()
            await asyncio.Event().wait()


def workflow_of(program: Program, interruption: Interruption) -> Workflow:
    """The program as a workflow."""
    workflow = Workflow("docs")
    for shape in program.shapes:
        _add_stage(workflow, program, shape, interruption)
    return workflow.build()


def _add_stage(workflow: Workflow, program: Program, shape: StageShape, interruption: Interruption) -> None:
    async def run(item: Any, ctx: Any) -> Any:
        await interruption.pass_or_hang()
        answer = program.answer(ctx.item_id, shape.name, ctx.subtask, ctx.attempt)
        output = {"by": shape.name, "subtask": ctx.subtask, "attempt": ctx.attempt, "up": sorted(ctx.upstream)}
        match answer:
            case "raise":
                raise ValueError(f"attempt {ctx.attempt}")
            case "retry":
                return Retry("not now")
            case "fail":
                return Failed("never")
            case "skip":
                return Skipped("nothing")
        if shape.subtasks and ctx.subtask is None:
            return FanOut(SUBTASKS[: shape.subtasks])
        return NeedsReview(output) if answer == "review" else Completed(output)

    async def judge(output: Any, ctx: Any) -> Any:
        answer = program.answer(ctx.item_id, shape.name, None, ctx.attempt)
        return Rejected("thin") if answer == "reject" else Accepted()

    handle = workflow.add_stage(
        shape.name,
        run,
        after=shape.after,
        gates=[judge] if shape.is_judged else [],
        review=ReviewPolicy.ALWAYS if shape.always_reviewed else ReviewPolicy.NEVER,
        retry=RetryBudget(shape.max_attempts, shape.delay, on_exhausted="escalate" if shape.escalates else "fail"),
    )

    async def part(item: Any, subtask: str, ctx: Any) -> Any:
        return await run(item, ctx)

    handle.each(retry=RetryBudget(shape.subtask_attempts, shape.delay))(part)


class World:
    """A program on one store."""

    def __init__(self, program: Program, store: Any, concurrency: int) -> None:
        self.program = program
        self.store = store
        self.clock = ManualClock()
        self.concurrency = concurrency
        self.interruption = Interruption()
        self.engine: Engine

    async def open(self) -> None:
        """A new engine on the store."""
        self.interruption = Interruption()
        workflow = workflow_of(self.program, self.interruption)
        self.engine = await Engine(self.store, [workflow], clock=self.clock, concurrency=self.concurrency).__aenter__()

    async def run(self) -> None:
        """Until nothing is left to do; delays are waited out."""
        await asyncio.wait_for(self.clock.run(self.engine.run_until_idle()), 30)

    async def interrupted(self, calls: int, *, crash: bool) -> None:
        """Run, let the call after so many hang, and crash or stop there; then go on with a new engine."""
        self.interruption.calls_left = calls
        run = asyncio.ensure_future(self.run())
        hang = asyncio.ensure_future(self.interruption.has_come.wait())
        await asyncio.wait({run, hang}, return_when=asyncio.FIRST_COMPLETED)
        hang.cancel()
        if crash:
            await crash_engine(self.engine)
        run.cancel()
        await asyncio.wait({run})
        await self.close()
        await self.open()
        await self.run()

    async def close(self) -> None:
        """Close the engine; the store stays open."""
        await self.engine.close()

    async def snapshot(self) -> dict[str, Any]:
        """All that can be read about the items, but no version, and no time of a start that a crash may have repeated."""
        found: dict[str, Any] = {}
        for item_id in await self.store.list_items():
            found[item_id] = (await self.store.get_item(item_id)).state.value
            for stage, status in (await self.store.get_all_statuses(item_id)).items():
                found[f"{item_id}/{stage}"] = [_facts(status), *map(_facts, status.subtasks)]
                for subtask in (None, *(each.name for each in status.subtasks)):
                    records = await self.store.get_attempts(item_id, stage, subtask)
                    found[f"{item_id}/{stage}/{subtask} attempts"] = [
                        (each.number, each.outcome, each.error, each.output, each.verdict, each.feedback) for each in records
                    ]
        return found


def _facts(status: Any) -> tuple[Any, ...]:
    decision = status.decision
    return (
        getattr(status, "name", ""),
        status.state.value,
        status.attempt,
        status.error,
        status.output,
        None if status.review is None else status.review.summary,
        None if decision is None else (decision.verb, decision.by),
    )


# --- the model ----------------------------------------------------------------------------------------------------------------


@dataclass
class ModelTask:
    """A stage, or a subtask, with pencil and paper."""

    state: StageState = PENDING
    attempt: int = 0
    extra: int = 0
    is_open: bool = False
    outputs: set[int] = field(default_factory=set)
    decision: str | None = None

    def begin(self) -> None:
        if not self.is_open:
            self.attempt += 1
            self.is_open = True
        self.state = RUNNING

    def end(self, state: StageState) -> None:
        self.is_open = False
        self.state = state
        self.decision = None

    def start_over(self) -> None:
        self.state, self.extra, self.is_open, self.decision = PENDING, self.attempt, False, None


@dataclass
class ModelStage(ModelTask):
    """A stage with its subtasks."""

    phase: str = "declare"
    subtasks: dict[str, ModelTask] = field(default_factory=dict)

    def discard_subtasks(self) -> None:
        self.phase, self.subtasks = "declare", {}

    @property
    def has_failed_subtasks(self) -> bool:
        return any(task.state in (FAILED, CANCELLED) for task in self.subtasks.values())


class ModelItem:
    """An item and its stages."""

    def __init__(self, model: Model, item_id: str) -> None:
        self.model = model
        self.id = item_id
        self.is_paused = False
        self.is_cancelled = False
        self.stages = {shape.name: ModelStage() for shape in model.program.shapes}

    # --- running by itself ---

    def run(self) -> bool:
        """Do what can be done; whether anything was."""
        if self.is_paused:
            return False
        has_moved = False
        for shape in self.model.program.shapes:
            if shape.name in self.model.held:
                continue
            while self._move_stage(shape, self.stages[shape.name]) or self._move_subtasks(shape, self.stages[shape.name]):
                has_moved = True
        return has_moved

    def _is_free(self, shape: StageShape) -> bool:
        return all(self.stages[name].state in SATISFIED for name in shape.after)

    def _move_stage(self, shape: StageShape, stage: ModelStage) -> bool:
        is_joining = stage.state is RUNNING and stage.phase == "reduce"
        if not is_joining and (stage.state not in (PENDING, RETRY_WAIT) or not self._is_free(shape)):
            return False
        stage.begin()
        if stage.phase == "declare":
            self._declare(shape, stage)
        elif stage.phase == "reduce":
            self._judge(shape, stage)
        else:
            self._close_if_ended(stage)
        return True

    def _declare(self, shape: StageShape, stage: ModelStage) -> None:
        match self.model.program.answer(self.id, shape.name, None, stage.attempt):
            case "raise" | "retry":
                self._failed_attempt(shape, stage)
            case "fail":
                stage.end(FAILED)
            case "skip":
                stage.end(SKIPPED)
            case _ if shape.subtasks:
                stage.phase = "fanned out"
                stage.subtasks = {name: ModelTask() for name in SUBTASKS[: shape.subtasks]}
            case _:
                self._judge(shape, stage)

    def _judge(self, shape: StageShape, stage: ModelStage) -> None:
        answer = self.model.program.answer(self.id, shape.name, None, stage.attempt)
        stage.outputs.add(stage.attempt)
        if answer == "reject" and shape.is_judged:
            self._failed_attempt(shape, stage, is_rejected=True)
        elif shape.always_reviewed or (answer == "review" and not shape.subtasks):
            stage.end(AWAITING)
        else:
            stage.end(COMPLETED)

    def _failed_attempt(self, shape: StageShape, stage: ModelStage, is_rejected: bool = False) -> None:
        if stage.attempt < shape.max_attempts + stage.extra:
            stage.end(RETRY_WAIT)
        elif shape.escalates:
            stage.end(AWAITING)
            return
        else:
            stage.end(FAILED)
        if is_rejected:
            stage.discard_subtasks()

    def _move_subtasks(self, shape: StageShape, stage: ModelStage) -> bool:
        ready = [name for name, task in stage.subtasks.items() if task.state in (PENDING, RETRY_WAIT)]
        if stage.phase != "fanned out" or not ready:
            return False
        if stage.state is PENDING:
            stage.begin()
        task = stage.subtasks[ready[0]]
        task.begin()
        match self.model.program.answer(self.id, shape.name, ready[0], task.attempt):
            case "raise" | "retry":
                task.end(RETRY_WAIT if task.attempt < shape.subtask_attempts + task.extra else FAILED)
            case "fail":
                task.end(FAILED)
            case "skip":
                task.end(SKIPPED)
            case "review":
                task.outputs.add(task.attempt)
                task.end(AWAITING)
            case _:
                task.outputs.add(task.attempt)
                task.end(COMPLETED)
        self._close_if_ended(stage)
        return True

    def _close_if_ended(self, stage: ModelStage) -> None:
        if stage.state is not RUNNING or any(task.state not in ENDED for task in stage.subtasks.values()):
            return
        if stage.has_failed_subtasks:
            stage.end(FAILED)
        else:
            stage.phase = "reduce"

    # --- people ---

    def task(self, stage: str, subtask: str | None) -> ModelTask:
        return self.stages[stage] if subtask is None else self.stages[stage].subtasks[subtask]

    def decide(self, shape: StageShape, subtask: str | None, verb: str, number: int) -> bool:
        """Whether the decision was taken."""
        task, stage = self.task(shape.name, subtask), self.stages[shape.name]
        if task.state is not AWAITING:
            return False
        if verb in ("approve", "pick_attempt") and (number if verb == "pick_attempt" else task.attempt) not in task.outputs:
            return False
        task.end({"reject": FAILED, "request_changes": PENDING}.get(verb, COMPLETED))
        task.decision = verb
        if verb == "request_changes":
            task.extra += 1
            if subtask is None:
                stage.discard_subtasks()
        if subtask is not None:
            self._close_if_ended(stage)
        return True

    def reopen(self, shape: StageShape, subtask: str | None) -> bool:
        """Whether the decision was taken back."""
        task, stage = self.task(shape.name, subtask), self.stages[shape.name]
        if task.decision is None or task.state not in (COMPLETED, FAILED, PENDING):
            return False
        is_joining = stage.state is RUNNING and stage.phase == "reduce"
        if subtask is not None and not is_joining and (stage.phase != "fanned out" or stage.state not in (RUNNING, PENDING, FAILED)):
            return False
        behind = [self.stages[other.name] for other in self.model.program.shapes if shape.name in other.after]
        if subtask is None and task.state is COMPLETED and any(other.state is not PENDING for other in behind):
            return False
        if task.state is PENDING:
            task.extra -= 1
        task.end(AWAITING)
        if is_joining:
            stage.phase = "fanned out"
        if subtask is not None and stage.state is FAILED and not stage.has_failed_subtasks:
            stage.end(PENDING)
        return True

    def retry(self, shape: StageShape, subtask: str | None) -> bool:
        """Whether it is pending again."""
        task, stage = self.task(shape.name, subtask), self.stages[shape.name]
        if task.state not in (FAILED, CANCELLED):
            return False
        self.is_cancelled = False
        task.start_over()
        if subtask is not None:
            stage.phase = "fanned out"
            if stage.state is CANCELLED or (stage.state is FAILED and not stage.has_failed_subtasks):
                stage.start_over()
        elif stage.subtasks:
            again = [each for each in stage.subtasks.values() if each.state not in SATISFIED]
            for each in again:
                if each.state in (FAILED, CANCELLED):
                    each.start_over()
            stage.phase = "fanned out" if again else "reduce"
        return True

    def rerun(self, shape: StageShape) -> bool:
        """Whether it, and all behind it, are pending again."""
        if self.stages[shape.name].state not in ENDED:
            return False
        self.is_cancelled = False
        behind = {shape.name}
        for other in self.model.program.shapes:
            if behind & set(other.after):
                behind.add(other.name)
        for name in behind:
            stage = self.stages[name]
            stage.discard_subtasks()
            if stage.state is not PENDING:
                stage.start_over()
        return True

    def cancel(self) -> bool:
        """Whether there was something to call off, or had been."""
        unfinished = [stage for stage in self.stages.values() if stage.state not in ENDED]
        if not unfinished:
            return self.is_cancelled
        self.is_cancelled = True
        for stage in self.stages.values():
            for task in (stage, *stage.subtasks.values()):
                if task.state not in ENDED:
                    task.state, task.is_open = CANCELLED, False
        return True


class Model:
    """What should be."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.held: set[str] = set()
        self.items: dict[str, ModelItem] = {}

    def run(self) -> None:
        """Until nothing is left to do."""
        for item in self.items.values():
            while item.run():
                pass

    def states(self) -> dict[str, str]:
        """By item, stage and subtask."""
        found = {}
        for item in self.items.values():
            for name, stage in item.stages.items():
                found[f"{item.id}/{name}"] = stage.state.value
                found.update({f"{item.id}/{name}/{subtask}": task.state.value for subtask, task in stage.subtasks.items()})
        return found
