"""A running program in a test: the real engine, small workflows, and waiting for what must come."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from textual.pilot import Pilot
from textual.screen import Screen

from tests.widgets.screen_text import line_with, screen_lines, screen_text
from treadle_tui.board.board import Board
from treadle_tui.board.standing import Attachment, Phase
from treadle_tui.cli.loader import LoadedWorkflows
from treadle_tui.cli.settings import Settings
from treadle_tui.cli.settings_files import LoadedSettings
from treadle_tui.cli.workflow_file import Problem
from treadle_tui.engine import MemoryStateStore, ReviewDecision, StageStatus, Workflow
from treadle_tui.full_screen import TreadleApp
from treadle_tui.workbench import Workbench

DEADLINE_SECONDS = 10.0


class Found(LoadedWorkflows):
    """Stands in for the loader: these workflows, and nothing wrong unless said so."""

    def __init__(self, workflows: Iterable[Workflow], problems: Iterable[Problem] = ()) -> None:
        super().__init__([])
        self._workflows = list(workflows)
        self._problems = list(problems)

    @property
    def workflows(self) -> list[Workflow]:
        return self._workflows

    @property
    def problems(self) -> list[Problem]:
        return self._problems


class Driver:
    """The program under a test's hands."""

    def __init__(self, app: TreadleApp, pilot: Pilot[int]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def bench(self) -> Workbench:
        assert self.app.workbench is not None
        return self.app.workbench

    @property
    def board(self) -> Board:
        return self.bench.board

    @property
    def text(self) -> str:
        return screen_text(self.app)

    @property
    def lines(self) -> list[str]:
        return screen_lines(self.app)

    def line(self, text: str) -> str:
        return line_with(self.app, text)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def until(self, holds: Callable[[], object], what: str = "") -> None:
        """Let the program run until something holds; fails with the screen when it never does."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"did not come about: {what or holds}\n{self.text}")
            await self.pilot.pause(0.01)

    async def seen(self, *texts: str) -> None:
        """Let the program run until all the texts stand on the screen."""
        await self.until(lambda: all(text in self.text for text in texts), f"{texts} on the screen")

    async def gone(self, text: str) -> None:
        """Let the program run until the text stands on the screen no longer."""
        await self.until(lambda: text not in self.text, f"{text!r} gone")

    async def shows(self, screen: type[Screen[Any]]) -> None:
        """Let the program run until that screen is in front."""
        await self.until(lambda: isinstance(self.app.screen, screen), f"{screen.__name__} in front")

    async def counts(self, text: str, times: int) -> None:
        """Let the program run until the text stands on the screen so many times."""
        await self.until(lambda: self.text.count(text) == times, f"{text!r} {times} times")

    async def decision(self, item_id: str, stage: str) -> ReviewDecision:
        """What was decided, once the store has it: the screen shows a decision before that is recorded."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (decision := (await self.status(item_id, stage)).decision) is None:
            assert time.monotonic() < deadline, f"{item_id} › {stage} is not decided\n{self.text}"
            await self.pilot.pause(0.01)
        return decision

    @property
    def cursor_item(self) -> str:
        """The id of the item under the cursor."""
        return self.board.cursor.item_id if self.board.cursor else ""

    async def status(self, item_id: str, stage: str) -> StageStatus:
        """The stage as the store has it."""
        assert self.bench.host.store is not None
        status = await self.bench.host.store.get_status(item_id, stage)
        assert status is not None
        return status

    async def submit(self, workflow: Workflow, items: Sequence[Any]) -> None:
        """Items from elsewhere: nobody added them on this screen."""
        await self.bench.host.call(lambda engine: engine.submit(workflow, items))


@asynccontextmanager
async def running(
    *workflows: Workflow,
    items: Sequence[Any] = (),
    size: tuple[int, int] = (100, 30),
    store: Any = None,
    problems: Iterable[Problem] = (),
    waits_for: Phase = Phase.RUNNING,
    app_type: type[TreadleApp] = TreadleApp,
    settings: LoadedSettings | None = None,
    attachment: Attachment = Attachment.RUN,
    db: Path | None = None,
) -> AsyncIterator[Driver]:
    """The program on a store in memory, or on the file `db`, its engine running, with `items` submitted to the first workflow.

    Decisions are sent at once unless the settings say otherwise.
    """
    settings = settings or LoadedSettings(Settings(undo_seconds=0.0))
    store = store or MemoryStateStore()

    async def open_store() -> Any:
        return store

    app = app_type(
        db or Path("work.db"),
        Found(workflows, problems),
        "ana",
        settings=settings,
        open_store=None if db else open_store,
        attachment=attachment,
    )
    app.board_screen._now = cast("Callable[[], float]", iter(range(10**9)).__next__)  # a second between any two keys: none is a slip
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.until(lambda: app.workbench and app.workbench.host.standing.phase is waits_for, f"the engine is {waits_for.value}")
        if items:
            await driver.submit(workflows[0], items)
            await driver.until(lambda: driver.board.line_count >= len(items), "the items are on the board")
        yield driver


class Gate:
    """Holds a stage until it is opened, from any event loop or thread."""

    def __init__(self) -> None:
        self._flag = threading.Event()

    def open(self) -> None:
        self._flag.set()

    async def wait(self) -> None:
        while not await asyncio.to_thread(self._flag.wait, 0.05):
            pass
