"""What is pictured: keys that lead to it from the board, in one of several situations a person may find the program in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.screens.driving import Found
from treadle_tui.board.standing import Phase
from treadle_tui.cli.loader import LoadedWorkflows
from treadle_tui.cli.workflow_file import Problem
from treadle_tui.demo.showing import DemoWorkflows
from treadle_tui.engine import Approve, Engine, MemoryStateStore, NeedsReview, StoreError, Workflow
from treadle_tui.engine.desk import Desk, NewDecision
from treadle_tui.engine.testing import ManualClock
from treadle_tui.engine_host import OpensStore
from treadle_tui.full_screen import TreadleApp
from treadle_tui.main_screens import MAIN_SCREENS

NOW = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Scene:
    """Keys that lead from the board to what is pictured, and keys that lead back."""

    name: str
    keys: tuple[str, ...]
    back: tuple[str, ...] = ()
    seen: str = ""
    """A text that stands there then."""


@dataclass(frozen=True)
class Situation:
    """A database and workflows, and what is pictured of them."""

    name: str
    make: Callable[[], TreadleApp]
    scenes: tuple[Scene, ...]
    phase: Phase = Phase.RUNNING
    """Where the engine is when the first keys are pressed."""


def _app(workflows: LoadedWorkflows, open_store: OpensStore, shown_as: str) -> TreadleApp:
    app = TreadleApp(Path("demo.db"), workflows, "ana", open_store=open_store, clock=ManualClock(NOW), shown_as=shown_as)
    app.animation_level = "none"
    return app


# --- the demonstration ------------------------------------------------------------------------------------------------

_READ = {
    "dashboard": "a minute",
    "board": "papyrus-2001",
    "review": "lumen-2064",
    "graph": "◆9 ▸2",
    "events": "following · 2",
    "statistics": "p95",
}
"""What stands on each screen once it has been read."""
_TO_WAITING = ("home", "]", "]")


def _demonstration() -> TreadleApp:
    workflows, store = DemoWorkflows(is_held=True), MemoryStateStore()

    async def open_store() -> Any:
        await workflows.demonstration.fill(store, NOW, concurrency=1)
        return store

    return _app(workflows, open_store, "demonstration")


DEMONSTRATION = (
    *(Scene(entry.id, (entry.key,), ("2",), _READ[entry.id]) for entry in MAIN_SCREENS),
    Scene("board-fan-out", ("down", "down", "tab", "tab", "right"), ("left", "home", "shift+tab", "shift+tab")),
    Scene("board-filter", ("home", "slash", *"stage:checks st"), ("escape",)),
    Scene("board-marks", ("home", "v", *["down"] * 4, "v", "t"), ("t", "t", "t", "minus", "home")),
    Scene("columns", ("c",), ("escape",)),
    Scene("confirm", ("home", "X"), ("escape",)),
    Scene("save-view", ("V", *"morning"), ("escape",)),
    Scene("graph-tree", ("4", "b"), ("b", "2"), "↓ read"),
    Scene("breakpoint", ("4", "B"), ("escape", "2")),
    Scene("past", ("5", *["up"] * 12, "less_than_sign"), ("escape", "2"), "AS IT WAS"),
    Scene("item", ("home", "enter"), ("escape",)),
    Scene("item-subtasks", ("home", "enter", "tab"), ("escape",)),
    Scene("item-attempts", ("home", "enter", "tab", "tab"), ("escape",)),
    Scene("item-events", ("home", "enter", "tab", "tab", "tab"), ("escape",)),
    Scene("item-data", ("home", "enter", *["tab"] * 4), ("escape",)),
    Scene("way", ("home", "enter", "w"), ("escape", "escape"), "1.3 s"),
    Scene("review-modal", (*_TO_WAITING, "enter"), ("escape",)),
    Scene("edit", (*_TO_WAITING, "enter", "e"), ("escape", "escape")),
    Scene("reject", (*_TO_WAITING, "enter", "x"), ("escape", "escape")),
    Scene("changes", (*_TO_WAITING, "enter", "g"), ("escape", "escape")),
    Scene("bulk", ("3", "space", "space", "space", "a"), ("escape", "minus", "2")),
    Scene("add-items", ("home", "n"), ("escape",)),
    Scene("palette", (":",), ("escape",)),
    Scene("palette-found", (":", *"tanaka"), ("escape",)),
    Scene("help", ("?",), ("escape",)),
)


# --- nothing there yet ------------------------------------------------------------------------------------------------


def _empty() -> TreadleApp:
    async def open_store() -> Any:
        return MemoryStateStore()

    return _app(DemoWorkflows(is_held=True), open_store, "work.db")


EMPTY = tuple(Scene(f"empty-{entry.id}", (entry.key,), ("2",)) for entry in MAIN_SCREENS)


# --- what is wrong ----------------------------------------------------------------------------------------------------

BROKEN = Problem("workflows/report.py", 12, "NameError: name 'reqeusts' is not defined")


def _no_workflows() -> TreadleApp:
    async def open_store() -> Any:
        return MemoryStateStore()

    return _app(Found([], [BROKEN]), open_store, "work.db")


def letters(*stages: str) -> Workflow:
    """Stages behind one another; a letter waits in `write`."""
    workflow = Workflow("letters")
    for number, stage in enumerate(stages):
        workflow.add_stage(stage, _wait if stage == "write" else _pass, after=stages[max(0, number - 1) : number])
    return workflow


async def _wait(item: Any) -> Any:
    return NeedsReview("send this letter?")


async def _pass(item: Any) -> None: ...


async def _letters_waiting(names: list[str]) -> MemoryStateStore:
    store = MemoryStateStore()
    async with Engine(store, [letters("write", "send")], clock=ManualClock(NOW), concurrency=1) as engine:
        await engine.submit("letters", [{"id": name} for name in names])
        await engine.run_until_idle()
    return store


def _changed() -> TreadleApp:
    """Letters that wait in a stage the workflow has no longer, and a file that cannot be loaded."""

    async def open_store() -> Any:
        return await _letters_waiting([f"letter-{number}" for number in range(1, 13)])

    return _app(Found([letters("draft", "stamp", "send")], [BROKEN]), open_store, "work.db")


def _left_over() -> TreadleApp:
    """Decisions of an earlier program that ended before they were sent."""

    async def open_store() -> Any:
        names = ["letter-1", "letter-2"]
        store = await _letters_waiting(names)
        versions = [(await store.get_all_statuses(name))["write"].version for name in names]
        desk = Desk.here("before", "ana")
        decisions = [
            NewDecision(item_id=name, stage="write", version=version, decision=Approve(by="ana"))
            for name, version in zip(names, versions, strict=True)
        ]
        await store.hold(desk, decisions, NOW)
        desk.leave()
        return store

    return _app(Found([letters("write", "send")]), open_store, "work.db")


def _unopened() -> TreadleApp:
    async def open_store() -> Any:
        raise StoreError("work.db was written by a newer version of this program (schema 9; this one knows 8); install that version")

    return _app(DemoWorkflows(is_held=True), open_store, "work.db")


SITUATIONS = (
    Situation("demonstration", _demonstration, DEMONSTRATION),
    Situation("empty", _empty, EMPTY),
    Situation("no workflows", _no_workflows, (Scene("no-workflows", ()),)),
    Situation(
        "changed",
        _changed,
        (
            Scene("changed-dashboard", ("1",), ("2",), "has changed"),
            Scene("plan", ("1", "home", "enter"), ("escape", "2"), "Accept"),
            Scene("problem", ("1", "home", "down", "enter"), ("escape", "2"), "Its items keep"),
        ),
    ),
    Situation("left over", _left_over, (Scene("left-over", ()),)),
    Situation("unopened", _unopened, (Scene("unopened", ()),), Phase.UNOPENED),
)
SCENES = tuple(scene for situation in SITUATIONS for scene in situation.scenes)
