"""Makes the pictures of the README from the running program: a licence review of the environment this runs in.

    python screenshots/make.py [FOLDER]     writes board.svg and review.svg

Nothing is drawn by hand: keys are pressed, and what stands on the screen is exported.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from treadle_tui.board.board import Board
from treadle_tui.board.standing import Phase
from treadle_tui.board.tally import Tally
from treadle_tui.board.view import Changes
from treadle_tui.cli.loader import find_workflows
from treadle_tui.engine.states import StageState
from treadle_tui.full_screen import TreadleApp
from treadle_tui.screens.review_modal import ReviewModal

HERE = Path(__file__).parent
SIZE = (112, 30)
DEADLINE_SECONDS = 120
#: The work takes two seconds; a machine that does something else at the wrong moment gets another chance.
TRIES = 6


async def until(pilot: Pilot[int], holds: Callable[[], object], what: str) -> None:
    """Let the program run until something holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"did not come about: {what}")
        await pilot.pause(0.02)


def count(board: Board, stage: str, state: StageState) -> int:
    """How many of the rows read so far have the stage in that state."""
    return sum(stage in row.cells and row.cells[stage].state is state for _, row in board.window.rows())


def has_ended(tally: Tally) -> bool:
    """Whether every item has been exported, or waits for a person."""
    export = tally.by_stage.get("export", {})
    left = export.get(StageState.PENDING, 0) - tally.by_state.get(StageState.AWAITING_REVIEW, 0)
    return tally.items > 0 and left <= 0 and not tally.is_unfinished


class PictureAtWork:
    """Watches the board while the work runs, which takes two seconds: opens a fan-out, and pictures what is half done."""

    def __init__(self, app: TreadleApp, folder: Path) -> None:
        self.is_taken = False
        self._app, self._folder = app, folder
        self._keys = ["tab", "tab", "right"]
        self._show = app.board_screen.show_changes
        app.board_screen.show_changes = self._show_and_look  # type: ignore[method-assign]

    def _show_and_look(self, changes: Changes) -> None:
        self._show(changes)
        board = self._app.board_screen.board
        if board is None or not board.line_count or self.is_taken:
            return
        if self._keys and (self._keys[0] == "tab" or board.fan_outs):
            self._app.simulate_key(self._keys.pop(0))
        if count(board, "export", StageState.COMPLETED) >= 3 and count(board, "checks", StageState.RUNNING) >= 3:
            self.is_taken = True
            self._app.call_after_refresh(self._app.save_screenshot, "board.svg", str(self._folder))


async def take_pictures(folder: Path, db: Path) -> bool:
    """Add the installed packages, picture the board at work, then the first review; whether the first was taken in time."""
    app = TreadleApp(db, find_workflows(db), "ana")
    screen = app.board_screen
    async with app.run_test(size=SIZE) as pilot:
        picture = PictureAtWork(app, folder)
        await until(pilot, lambda: screen.header.standing.phase is Phase.RUNNING, "the engine runs")
        await pilot.press("n")
        await pilot.pause(0.2)
        await pilot.press(*str(sys.prefix), "enter")
        await until(pilot, lambda: screen.header.tally and has_ended(screen.header.tally), "all have run")
        await pilot.press("home", "]", "enter")
        await until(pilot, lambda: isinstance(app.screen, ReviewModal), "a review is open")
        await pilot.pause(0.3)
        app.save_screenshot("review.svg", str(folder))
        await pilot.press("escape", "q")
    return picture.is_taken


def try_once(folder: Path, work: Path) -> bool:
    """Take the pictures in a directory of their own; whether both were taken."""
    work.mkdir()
    os.chdir(work)
    return asyncio.run(take_pictures(folder, Path("work.db")))


def main() -> None:
    """Write the pictures into a folder, this one by default."""
    folder = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else HERE
    with tempfile.TemporaryDirectory() as work:
        is_complete = any(try_once(folder, Path(work) / f"{number}") for number in range(TRIES))
        os.chdir(HERE)
    if not is_complete:
        sys.exit("the work was over before it could be pictured; try again while the machine does less else")
    print(f"{folder / 'board.svg'}\n{folder / 'review.svg'}")


if __name__ == "__main__":
    main()
