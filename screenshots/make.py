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
from treadle_tui.cli.loader import find_workflows
from treadle_tui.engine.states import StageState
from treadle_tui.full_screen import TreadleApp
from treadle_tui.screens.review_modal import ReviewModal

HERE = Path(__file__).parent
SIZE = (112, 30)
DEADLINE_SECONDS = 120


async def until(pilot: Pilot[int], holds: Callable[[], object], what: str) -> None:
    """Let the program run until something holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"did not come about: {what}")
        await pilot.pause(0.02)


def count(board: Board | None, stage: str, state: StageState) -> int:
    """How many of the rows read so far have the stage in that state."""
    return sum(stage in row.cells and row.cells[stage].state is state for _, row in (board.window.rows() if board else ()))


async def take_pictures(folder: Path) -> None:
    """Add the installed packages, picture the board at work, decide one review, picture the next."""
    app = TreadleApp(Path("work.db"), find_workflows(Path("work.db")), "ana")
    board = app.board_screen
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: board.header.standing.phase is Phase.RUNNING, "the engine runs")
        await pilot.press("n")
        await pilot.pause(0.2)
        await pilot.press(*str(sys.prefix), "enter")
        await until(pilot, lambda: board.board and board.board.line_count, "items are on the board")
        await pilot.press("tab", "tab")
        await until(pilot, lambda: board.board and board.board.fan_outs, "checks run")
        await pilot.press("right")
        await until(pilot, lambda: count(board.board, "export", StageState.COMPLETED) >= 1, "some are done")
        app.save_screenshot("board.svg", str(folder))
        await until(pilot, lambda: not board.grid.tally.is_unfinished, "all have run")
        await pilot.press("home", "]", "enter")
        await until(pilot, lambda: isinstance(app.screen, ReviewModal), "a review is open")
        await pilot.pause(0.3)
        app.save_screenshot("review.svg", str(folder))
        await pilot.press("escape", "q")


def main() -> None:
    """Write the pictures into a folder, this one by default."""
    folder = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else HERE
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        asyncio.run(take_pictures(folder))
        os.chdir(HERE)
    print(f"{folder / 'board.svg'}\n{folder / 'review.svg'}")


if __name__ == "__main__":
    main()
