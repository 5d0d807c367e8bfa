"""Pictures of every screen, from the demonstration, with a clock that stands still: the same in every run."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input

from tests.widgets.screen_text import screen_text
from treadle_tui.board.standing import Phase
from treadle_tui.demo.showing import DemoWorkflows
from treadle_tui.engine import MemoryStateStore
from treadle_tui.engine.testing import ManualClock
from treadle_tui.full_screen import TreadleApp
from treadle_tui.main_screens import MAIN_SCREENS

HERE = Path(__file__).parent
TEXTS, PICTURES = HERE / "texts", HERE / "pictures"
NOW = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
PICTURE_SIZE = (120, 40)
TEXT_SIZES = ((60, 16), (80, 24), (160, 50))
SIZES = (*TEXT_SIZES, PICTURE_SIZE)
DEADLINE_SECONDS = 30.0
_STILL_LOOKS = 6
"""A screen that looked the same so many times in a row stands still."""
_TURNING = re.compile("[◐◓◑◒]")
_PICTURE_ID = re.compile(r"terminal-\d+")


@dataclass(frozen=True)
class Scene:
    """Keys that lead from the board to what is pictured, and keys that lead back."""

    name: str
    keys: tuple[str, ...]
    back: tuple[str, ...]


SCENES = (
    *(Scene(entry.id, (entry.key,), ("2",)) for entry in MAIN_SCREENS),
    Scene("board-fan-out", ("down", "down", "tab", "tab", "right"), ("left", "home", "shift+tab", "shift+tab")),
    Scene("item", ("home", "enter"), ("escape",)),
    Scene("review-modal", ("home", "]", "]", "enter"), ("escape",)),
    Scene("reject", ("home", "]", "]", "enter", "x"), ("escape", "escape")),
    Scene("add-items", ("home", "n"), ("escape",)),
    Scene("palette", (":",), ("escape",)),
    Scene("palette-found", (":", "t", "a", "n", "a", "k", "a"), ("escape",)),
    Scene("help", ("?",), ("escape",)),
)


@dataclass(frozen=True)
class Snapshot:
    """One scene at one size."""

    path: Path
    content: str


async def snapshots(size: tuple[int, int]) -> list[Snapshot]:
    """Every scene at that size: as text, at the size of the pictures as a picture."""
    with _fixed_surroundings():
        app = _app()
        async with app.run_test(size=size) as pilot:
            await _until_it_runs(pilot)
            taken = []
            for scene in SCENES:
                for key in scene.keys:
                    await pilot.press(key)
                    await _until_still(pilot)
                taken.append(_snapshot(app, scene, size))
                for key in scene.back:
                    await pilot.press(key)
                    await _until_still(pilot)
            return taken


def _app() -> TreadleApp:
    workflows = DemoWorkflows(is_held=True)
    store = MemoryStateStore()

    async def open_store() -> Any:
        await workflows.demonstration.fill(store, NOW, concurrency=1)
        return store

    app = TreadleApp(Path("demo.db"), workflows, "ana", open_store=open_store, clock=ManualClock(NOW), shown_as="demonstration")
    app.animation_level = "none"
    return app


@contextmanager
def _fixed_surroundings() -> Iterator[None]:
    """UTC, whatever the machine's own time is, and cursors that do not blink."""
    before, blink = os.environ.get("TZ"), Input.cursor_blink
    os.environ["TZ"] = "UTC"
    time.tzset()
    Input.cursor_blink = False  # type: ignore[assignment]
    try:
        yield
    finally:
        Input.cursor_blink = blink  # type: ignore[assignment]
        del os.environ["TZ"]
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


async def _until_it_runs(pilot: Pilot[Any]) -> None:
    app = pilot.app
    assert isinstance(app, TreadleApp)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while app.workbench is None or app.workbench.host.standing.phase is not Phase.RUNNING:
        assert time.monotonic() < deadline, screen_text(app)
        await pilot.pause(0.02)
    store = app.workbench.host.store
    assert store is not None
    seen, looks = -1, 0
    while looks < _STILL_LOOKS:
        newest = await store.last_seq()
        seen, looks = newest, looks + 1 if newest == seen else 0
        await asyncio.sleep(0.03)
    await pilot.press("end", "home")  # away from where the first rows were still coming in
    await _until_still(pilot, least=0.4)


async def _until_still(pilot: Pilot[Any], least: float = 0.0) -> None:
    """Let the program run until what stands on the screen has been the same for a while."""
    began, before, looks = time.monotonic(), "", 0
    while looks < _STILL_LOOKS or time.monotonic() < began + least:
        await pilot.pause(0.012)
        now = _TURNING.sub("◐", screen_text(pilot.app))
        before, looks = now, looks + 1 if now == before else 0
        assert time.monotonic() < began + DEADLINE_SECONDS, f"this screen never stands still:\n{now}"


def _snapshot(app: TreadleApp, scene: Scene, size: tuple[int, int]) -> Snapshot:
    name = f"{scene.name}-{size[0]}x{size[1]}"
    if size == PICTURE_SIZE:
        picture = _PICTURE_ID.sub("terminal", app.export_screenshot(title="treadle"))
        return Snapshot(PICTURES / f"{name}.svg", _TURNING.sub("◐", picture))
    return Snapshot(TEXTS / f"{name}.txt", _TURNING.sub("◐", screen_text(app)) + "\n")
