"""Small workflows that many tests begin with, and short ways to look at an item."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from treadle_tui.engine import Engine, FanOut, NeedsReview, ReviewData, StageState, Workflow
from treadle_tui.engine.testing import ScriptedStage


def scripted(*script: Any, repeat: bool = False, **options: Any) -> tuple[Workflow, ScriptedStage]:
    """A workflow `docs` whose one stage `work` answers the script."""
    workflow = Workflow("docs")
    stage = ScriptedStage(script, repeat=repeat)
    workflow.add_stage("work", stage, **options)
    return workflow, stage


def chain(*names: str, **scripts: Any) -> Workflow:
    """Stages one after the other, each giving its name, or the single answer scripted for it."""
    workflow = Workflow("docs")
    for number, name in enumerate(names):
        answer = scripts.get(name, name)
        stage = answer if isinstance(answer, ScriptedStage) else ScriptedStage([answer], repeat=True)
        workflow.add_stage(name, stage, after=names[number - 1 : number])
    return workflow


def fan_out(names: list[Any], run: Callable[..., Any], *, each: dict[str, Any] | None = None, **options: Any) -> Workflow:
    """A workflow `docs` whose one stage `work` fans out; `run(name, ctx)`, async or plain, is called for each subtask."""
    workflow = Workflow("docs")

    @workflow.stage(**options)
    async def work() -> FanOut:
        return FanOut(names)

    @work.each(**(each or {}))
    async def part(subtask: Any, ctx: Any) -> Any:
        answer = run(subtask, ctx)
        return await answer if asyncio.iscoroutine(answer) else answer

    return workflow


async def submitted(engine: Engine, *ids: str, **fields: Any) -> None:
    """Submit items of these ids to the engine's first workflow."""
    await engine.submit(next(iter(engine.workflows)), [{"id": id, **fields} for id in ids])


async def ran(engine: Engine, *ids: str, **fields: Any) -> None:
    """Submit items of these ids, and run until nothing is left to do."""
    await submitted(engine, *(ids or ("a",)), **fields)
    await engine.run_until_idle()


async def states(store: Any, item_id: str = "a") -> dict[str, str]:
    """The state of every stage of an item, as text."""
    return {name: status.state.value for name, status in (await store.get_all_statuses(item_id)).items()}


async def state(store: Any, stage: str = "work", item_id: str = "a", subtask: str | None = None) -> StageState:
    """The state of one stage, or of one subtask."""
    status = await store.get_status(item_id, stage)
    if subtask is None:
        return status.state  # type: ignore[no-any-return]
    return next(each.state for each in status.subtasks if each.name == subtask)


async def told(store: Any, *kinds: type[Any], item_id: str | None = None) -> list[Any]:
    """The durable events of these kinds, or all."""
    return [event async for event in store.events(item_id=item_id) if not kinds or isinstance(event, kinds)]


async def names_told(store: Any, item_id: str | None = None) -> list[str]:
    """The names of all events, a subtask's with its name."""
    return [
        type(event).__name__ + (f"({event.subtask})" if getattr(event, "subtask", None) else "")
        for event in await told(store, item_id=item_id)
    ]


async def until(condition: Callable[[], Any]) -> None:
    """Let the loop turn until the condition holds; TimeoutError after ten seconds of real time."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  (the conditions of many tests, none of which tells)
            await asyncio.sleep(0.001)


def asked(output: Any = 1, **data: Any) -> NeedsReview:
    """A review of that output."""
    return NeedsReview(output, ReviewData("look", **data))


class Hanging:
    """A stage that hangs until it is let go, or interrupted."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.interrupted = 0
        self.saw_cancelled = False

    async def __call__(self, item: Any, ctx: Any) -> str:
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.interrupted += 1
            self.saw_cancelled = ctx.cancelled
            raise
        return "done"


def hanging(*behind: str) -> tuple[Workflow, Hanging]:
    """A stage `work` that hangs, and others behind it."""
    stage = Hanging()
    return chain("work", *behind, work=ScriptedStage([stage], repeat=True)), stage


class Parts:
    """Subtasks that fail while they are told to, and count their calls."""

    def __init__(self, *failing: str) -> None:
        self.failing = set(failing)
        self.calls: Counter[str] = Counter()
        self.keys: list[str] = []

    async def __call__(self, name: str, ctx: Any) -> str:
        self.calls[name] += 1
        self.keys.append(ctx.idempotency_key)
        if name in self.failing:
            raise ValueError(f"{name} fails")
        return name
