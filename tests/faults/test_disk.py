"""A disk that is full, read-only or failing while the engine works: it takes no more work, says so once, loses nothing, and goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.faults.disk import BUSY, FULL, IO_ERROR, READ_ONLY, Disk, Problem, begins, failing_disk, records_an_attempt
from tests.faults.full_disk import can_mount, full_now_and_then
from tests.faults.work import check, counting, items, with_table
from treadle_tui.engine import Approve, Engine, Event, SqliteStateStore, StageState, StoreError, StoreLocked, Workflow


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """On which every connection of the test lies."""
    monkeypatch.setattr("treadle_tui.engine.recording.STORE_PAUSES", (0.005,) * 4)
    monkeypatch.setattr("treadle_tui.engine.dispatch.REFUSED_PAUSE_SECONDS", 0.005)
    with failing_disk() as failing:
        yield failing


@pytest.fixture
async def store(disk: Disk, tmp_path: Path) -> AsyncIterator[SqliteStateStore]:
    """On the failing disk."""
    async with SqliteStateStore.open(with_table(tmp_path / "work.db"), synchronous="NORMAL") as opened:
        yield opened


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Return once it is so."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.002)


def said(caplog: pytest.LogCaptureFixture, level: int = logging.WARNING) -> list[str]:
    """Everything the engine has said at this level or above."""
    return [record.getMessage() for record in caplog.records if record.levelno >= level and record.name.startswith("treadle")]


@contextlib.asynccontextmanager
async def driven(engine: Engine) -> AsyncIterator[asyncio.Task[None]]:
    """The engine runs meanwhile."""
    drive = asyncio.create_task(engine.run_until_idle())
    try:
        yield drive
    finally:
        drive.cancel()
        await asyncio.wait({drive})


@pytest.mark.parametrize("problem", [FULL, IO_ERROR, READ_ONLY], ids=["full", "io", "read-only"])
@pytest.mark.parametrize("after", [0, 1, 2, 5, 9, 14])
async def test_work_stops_says_so_once_and_goes_on_when_the_disk_does(disk, store, caplog, problem: Problem, after):
    calls: list[str] = []
    ids = [str(number) for number in range(12)]
    async with Engine(store, counting(calls), concurrency=3) as engine:
        await engine.submit("docs", items(*ids))
        commits = store.commits
        async with driven(engine) as drive:
            await until(lambda: store.commits >= commits + after)
            with disk.failing(problem):
                await until(lambda: disk.refused >= 12)
                assert "work.db" in str(engine.trouble)
                begun = len(calls)
                refused = disk.refused
                await until(lambda: disk.refused >= refused + 8)
                assert len(calls) == begun
            await asyncio.wait_for(drive, 10)
        assert str(engine.trouble) == "None"

    assert sorted(calls) == sorted(ids)
    (refusal, recovery) = said(caplog)
    assert "results are kept" in refusal
    assert "takes changes again" in recovery
    await check(store.path, *ids)


async def test_results_that_wait_for_room_are_recorded_when_there_is_some(disk, store, caplog):
    """The stages have run, their results do not fit: they are kept, not run again."""
    calls: list[str] = []
    async with Engine(store, counting(calls)) as engine:
        await engine.submit("docs", items("a", "b"))
        async with driven(engine) as drive:
            with disk.failing(FULL, records_an_attempt):
                await until(lambda: disk.refused >= 10)
                assert await store.query_items("parse", StageState.RUNNING) == ["a", "b"]
            await asyncio.wait_for(drive, 10)

    assert calls == ["a", "b"]
    await check(store.path, "a", "b")


async def test_a_result_that_could_not_be_recorded_before_the_stop_is_told_and_its_stage_runs_again(disk, store, caplog, monkeypatch):
    monkeypatch.setattr("treadle_tui.engine.dispatch.STOP_SECONDS", 0.1)
    calls: list[str] = []
    async with Engine(store, counting(calls)) as engine:
        await engine.submit("docs", items("a"))
        with disk.failing(FULL, records_an_attempt):
            async with driven(engine):
                await until(lambda: disk.refused >= 3)
    assert any("could not be recorded before the stop" in line for line in said(caplog))

    async with Engine(store, counting(calls)) as engine:
        await engine.run_until_idle()

    assert calls == ["a", "a"]
    await check(store.path, "a")


async def test_a_result_is_told_when_the_store_is_closed_under_it(store, caplog):
    go = asyncio.Event()
    workflow = Workflow("docs")

    @workflow.stage
    async def work(item: Any) -> None:
        await go.wait()

    engine = Engine(store, workflow)
    await engine.__aenter__()
    await engine.submit("docs", items("a"))
    drive = asyncio.create_task(engine.run_until_idle())
    await until(lambda: engine.running == 1)
    await store.close()
    go.set()

    with pytest.raises(StoreError, match="is closed"):
        await asyncio.wait_for(drive, 10)
    await engine.close()

    assert any("could not be recorded" in line and "is closed" in line for line in said(caplog))


@pytest.mark.parametrize("statement", ["BEGIN", "INSERT", "COMMIT"])
async def test_a_person_is_told_that_a_decision_could_not_be_written_and_it_stays_open(disk, store, statement):
    async with Engine(store, counting()) as engine:
        await engine.submit("docs", items("a"))
        await engine.run_until_idle()
        with disk.failing(FULL, begins(statement)), pytest.raises(StoreError, match="no room is left"):
            await engine.resolve_review("a", "review", Approve())

        assert (await store.get_status("a", "review")).state is StageState.AWAITING_REVIEW
        assert await engine.resolve_review("a", "review", Approve()) is StageState.COMPLETED


async def test_a_transaction_that_cannot_even_be_taken_back_does_not_spoil_the_next(disk, store):
    async with Engine(store, counting()) as engine:
        await engine.submit("docs", items("a"))
        with disk.failing(IO_ERROR, begins("COMMIT", "ROLLBACK")), pytest.raises(StoreError):
            await engine.submit("docs", items("b"))

        assert await engine.submit("docs", items("b")) == 1
        await engine.run_until_idle()

    await check(store.path, "a", "b")


async def test_many_that_wait_for_a_held_file_are_refused_together_and_not_one_after_the_other(disk, store):
    """Each alone would wait ten seconds for the lock, all of them together for hours."""
    async with Engine(store, counting()) as engine:
        with disk.failing(BUSY, begins("BEGIN")):
            results = await asyncio.gather(*(engine.submit("docs", items(str(number))) for number in range(50)), return_exceptions=True)
            assert disk.refused < 10

    assert all(isinstance(result, StoreLocked) for result in results)


async def test_a_listener_that_fails_does_not_end_the_writer(store, caplog):
    def fails(events: Sequence[Event]) -> None:
        raise ValueError("a listener's own mistake")

    stop = store.news.listen(store, fails, lambda: True)
    async with Engine(store, counting()) as engine:
        await engine.submit("docs", items("a"))
        stop()
        await asyncio.wait_for(engine.run_until_idle(), 10)

    assert any("a listener failed" in line for line in said(caplog))
    await check(store.path, "a")


async def test_a_checkpoint_that_fails_leaves_the_patience_with_locks_as_it_was(disk, store, monkeypatch):
    monkeypatch.setattr(store._writer._checkpoints, "_next_size", 1)
    for size in ("CHECKPOINT_BYTES", "LARGE_BYTES"):
        monkeypatch.setattr(f"treadle_tui.engine.store.sqlite.checkpoints.{size}", 1)
    async with Engine(store, counting()) as engine:
        with disk.failing(IO_ERROR, begins("PRAGMA wal_checkpoint(TRUNCATE)")):
            await engine.submit("docs", items("a"))
            await until(lambda: disk.refused > 0)
        patience = await store.change(lambda unit: unit.connection.execute("PRAGMA busy_timeout").fetchone(), 0)

    assert patience == (10_000,)


@pytest.mark.skipif(not can_mount(), reason="needs a disk that can be filled up, and root to mount it")
def test_processes_on_a_disk_that_is_really_full_now_and_then_lose_nothing(tmp_path):
    found, times = full_now_and_then(tmp_path, seconds=2.0, seed=1)

    assert found.violations == []
    assert times >= 1
    assert found.items
