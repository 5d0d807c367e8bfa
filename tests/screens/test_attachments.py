"""Several terminals on one database: one that only looks, one that decides and runs nothing, beside engines elsewhere."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.screens.driving import Driver, running
from treadle_tui.board.standing import Attachment, Phase
from treadle_tui.engine import Engine, NeedsReview, ReviewData, SqliteStateStore, StageState, Workflow
from treadle_tui.engine.store.sqlite.read_only import ReadOnlySqliteStore
from treadle_tui.screens.reject_reason import RejectReason


def letters() -> Workflow:
    workflow = Workflow("letters")

    @workflow.stage
    def check(item: dict[str, str]) -> NeedsReview:
        return NeedsReview(item["id"], ReviewData("fit to print?"))

    @workflow.stage
    def publish(check: str) -> str:
        return check

    return workflow


ROOT = Path(__file__).resolve().parents[2]
ADD_BEN = """
import asyncio, sys
from tests.screens.test_attachments import letters
from treadle_tui.engine import Engine, SqliteStateStore
async def add():
    async with SqliteStateStore.open(sys.argv[1]) as store, Engine(store, letters()) as engine:
        await engine.submit("letters", [{"id": "ben"}])
        await engine.run_until_idle()
asyncio.run(add())
"""


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A database in which `ana` waits for a person."""
    place = tmp_path / "work.db"
    async with SqliteStateStore.open(place) as store, Engine(store, letters()) as engine:
        await engine.submit("letters", [{"id": "ana"}])
        await engine.run_until_idle()
    return place


@asynccontextmanager
async def looking(path: Path) -> AsyncIterator[Driver]:
    async with running(
        letters(), store=await ReadOnlySqliteStore.open(path), waits_for=Phase.ATTACHED, attachment=Attachment.READ
    ) as driver:
        await driver.seen("ana")
        await driver.until(lambda: driver.app.board_screen._found.is_loaded)
        yield driver


async def test_the_header_says_that_a_terminal_only_looks(path: Path) -> None:
    async with looking(path) as driver:
        assert "read-only" in driver.lines[0]


@pytest.mark.parametrize("key", ["a", "x", "n"])
async def test_a_key_that_would_change_something_is_refused_with_a_sentence(path: Path, key: str) -> None:
    async with looking(path) as driver:
        await driver.press("right_square_bracket")
        await driver.press(key)
        await driver.seen("this terminal is attached read-only")
        assert not isinstance(driver.app.screen, RejectReason)

        assert (await driver.status("ana", "check")).state is StageState.AWAITING_REVIEW


async def test_what_others_do_is_seen_by_who_only_looks(path: Path) -> None:
    async with looking(path) as driver:
        # A process of its own, as another terminal is: within one, SQLite shares a file's mapping, the read-only one too.
        other = await asyncio.create_subprocess_exec(sys.executable, "-c", ADD_BEN, str(path), cwd=ROOT)
        assert await other.wait() == 0
        await driver.seen("ben")


async def test_who_runs_nothing_decides_and_an_engine_elsewhere_goes_on(path: Path) -> None:
    async with running(
        letters(), store=await SqliteStateStore.open(path), waits_for=Phase.ATTACHED, attachment=Attachment.DECIDE
    ) as driver:
        await driver.seen("ana", "runs nothing here")
        await driver.press("right_square_bracket", "a")
        await driver.seen("approved")
        await driver.decision("ana", "check")
        assert (await driver.status("ana", "check")).state is StageState.COMPLETED
        assert (await driver.status("ana", "publish")).state is StageState.PENDING

        async with SqliteStateStore.open(path) as store, Engine(store, letters()) as engine:
            await engine.run_until_idle()
        assert (await driver.status("ana", "publish")).state is StageState.COMPLETED


async def test_who_runs_nothing_leaves_a_workflow_as_others_run_it(path: Path) -> None:
    changed = letters()
    changed.add_stage("archive", lambda: 1, after=["publish"])

    async with running(changed, store=await SqliteStateStore.open(path), waits_for=Phase.ATTACHED, attachment=Attachment.DECIDE) as driver:
        await driver.seen("ana")
        await driver.press("right_square_bracket", "a")
        await driver.seen("approved")
        await driver.decision("ana", "check")

    async with SqliteStateStore.open(path) as store:
        assert await store.stage_names() == {"letters": ["check", "publish"]}
