"""Pictures of every screen, from the demonstration, with a clock that stands still: the same in every run."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input

from tests.snapshots.scenes import SITUATIONS, Scene, Situation
from tests.widgets.screen_text import screen_text
from treadle_tui.board.standing import Phase
from treadle_tui.full_screen import TreadleApp
from treadle_tui.widgets.board_header import BoardHeader

HERE = Path(__file__).parent
TEXTS, PICTURES = HERE / "texts", HERE / "pictures"
PICTURE_SIZE = (120, 40)
TEXT_SIZES = ((60, 16), (80, 24), (160, 50))
SIZES = (*TEXT_SIZES, PICTURE_SIZE)
DEADLINE_SECONDS = 30.0
_STILL_LOOKS, _FEW_LOOKS = 8, 1
"""A screen that looked the same so many times in a row stands still; between two keys fewer will do."""
_TURNING = re.compile("[◐◓◑◒]")
_CRISP = 'shape-rendering="crispEdges"'
_GROUND = re.compile(rf'<rect fill="([^"]+)" x="([^"]+)" y="([^"]+)" width="([^"]+)" height="([^"]+)" {_CRISP}/>')
_PICTURE_ID = re.compile(r"terminal-\d+")


@dataclass(frozen=True)
class Snapshot:
    """One scene at one size."""

    path: Path
    content: str
    screen: str
    """The class of the screen in front."""


async def snapshots(size: tuple[int, int], situations: Sequence[Situation] = SITUATIONS) -> list[Snapshot]:
    """Every scene at that size: as text, at the size of the pictures as a picture."""
    with _fixed_surroundings():
        return [snapshot for situation in situations for snapshot in await _of_situation(situation, size)]


async def _of_situation(situation: Situation, size: tuple[int, int]) -> list[Snapshot]:
    app = situation.make()
    async with app.run_test(size=size) as pilot:
        await _until_it_runs(pilot, situation.phase)
        taken = []
        for scene in situation.scenes:
            for key in scene.keys:
                await pilot.press(key)
                await _until_still(pilot, looks=_FEW_LOOKS)
            await _until_seen(pilot, scene)
            await _until_still(pilot)
            taken.append(_snapshot(app, scene, size))
            for key in scene.back:
                await pilot.press(key)
                await _until_still(pilot, looks=_FEW_LOOKS)
            for header in pilot.app.screen.query(BoardHeader):
                header.message = ""  # what a key has done goes by itself, after seconds that no two machines count alike
        return taken


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


async def _until_it_runs(pilot: Pilot[Any], phase: Phase) -> None:
    app = pilot.app
    assert isinstance(app, TreadleApp)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while app.workbench is None or app.workbench.host.standing.phase is not phase:
        assert time.monotonic() < deadline, screen_text(app)
        await pilot.pause(0.02)
    store = app.workbench.host.store
    seen, looks = -1, 0
    while store is not None and looks < _STILL_LOOKS:
        newest = await store.last_seq()
        seen, looks = newest, looks + 1 if newest == seen else 0
        await asyncio.sleep(0.03)
    await pilot.press("end", "home")  # away from where the first rows were still coming in
    await _until_still(pilot, least=0.4)


async def _until_seen(pilot: Pilot[Any], scene: Scene) -> None:
    """Wait for what is read from the database: until then nothing stands there, and stands still."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while scene.seen not in screen_text(pilot.app):
        assert time.monotonic() < deadline, f"{scene.name}: not there\n{screen_text(pilot.app)}"
        await pilot.pause(0.02)


async def _until_still(pilot: Pilot[Any], least: float = 0.0, looks: int = _STILL_LOOKS) -> None:
    """Let the program run until what stands on the screen has been the same for a while."""
    began, before, same = time.monotonic(), "", 0
    while same < looks or time.monotonic() < began + least:
        await pilot.pause(0.02)
        if pilot.app._exception is not None:
            raise pilot.app._exception
        now = _TURNING.sub("◐", screen_text(pilot.app))
        before, same = now, same + 1 if now == before else 0
        assert time.monotonic() < began + DEADLINE_SECONDS, f"this screen never stands still:\n{now}"


def _snapshot(app: TreadleApp, scene: Scene, size: tuple[int, int]) -> Snapshot:
    name = f"{scene.name}-{size[0]}x{size[1]}"
    if size == PICTURE_SIZE:
        picture = _PICTURE_ID.sub("terminal", app.export_screenshot(title="treadle"))
        return Snapshot(PICTURES / f"{name}.svg", _TURNING.sub("◐", _with_whole_grounds(picture)), type(app.screen).__name__)
    return Snapshot(TEXTS / f"{name}.txt", _TURNING.sub("◐", screen_text(app)) + "\n", type(app.screen).__name__)


def _with_whole_grounds(picture: str) -> str:
    """The picture with one ground where several of a colour stand side by side: in how many parts a line was drawn cannot be seen."""

    def joined(line: re.Match[str]) -> str:
        found: list[tuple[str, float, str, float, str]] = []
        for fill, x, y, width, height in _GROUND.findall(line[0]):
            if found and (found[-1][0], found[-1][2]) == (fill, y) and abs(found[-1][1] + found[-1][3] - float(x)) < 0.01:
                found[-1] = (*found[-1][:3], found[-1][3] + float(width), height)
            else:
                found.append((fill, float(x), y, float(width), height))
        rects = (
            f'<rect fill="{fill}" x="{x:g}" y="{y}" width="{width:g}" height="{height}" {_CRISP}/>' for fill, x, y, width, height in found
        )
        return "".join(rects)

    return re.sub(rf"(?:{_GROUND.pattern})+", joined, picture)
