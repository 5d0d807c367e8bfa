"""The files on the disk do not grow for ever: a week of work around the clock, a log with readers all the time, room given back."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from tests.benchmarks.week import stated_size, week
from tests.engine.workflows import chain, ran
from treadle_tui.engine import Engine, SqliteStateStore
from treadle_tui.engine.retention import Retention
from treadle_tui.engine.store.sqlite import checkpoints
from treadle_tui.engine.store.sqlite.checkpoints import CHECKPOINT_BYTES, LARGE_BYTES


async def test_a_week_of_work_around_the_clock_stays_within_the_stated_size(tmp_path: Path) -> None:
    """The same as `python -m tests.benchmarks.week`, with fewer items."""
    days = await week(tmp_path / "work.db", days=7, items_per_day=60, rounds=6)

    assert [day.items <= 3 * 60 for day in days] == [True] * 7
    assert max(day.file_bytes for day in days) <= stated_size(60)
    assert days[-1].file_bytes <= 1.1 * days[3].file_bytes
    assert max(day.largest_wal_bytes for day in days) <= 1.5 * CHECKPOINT_BYTES


async def test_without_a_policy_nothing_is_dropped_and_the_file_grows(tmp_path: Path) -> None:
    days = await week(tmp_path / "work.db", days=3, items_per_day=60, rounds=2, policy=Retention())

    assert [day.items for day in days] == [60, 120, 180]
    assert days[2].file_bytes > 1.2 * days[0].file_bytes


async def test_the_log_stays_bounded_under_constant_readers(tmp_path: Path) -> None:
    """Readers that overlap, so that there is never a moment without one."""
    path = tmp_path / "work.db"
    stop = threading.Event()
    largest = 0

    def read() -> None:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as connection:
            while not stop.is_set():
                connection.execute("BEGIN")
                connection.execute("SELECT count(*) FROM treadle_items").fetchone()
                stop.wait(0.01)
                connection.execute("ROLLBACK")

    async with SqliteStateStore.open(path, synchronous="NORMAL") as store:
        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        try:
            shape = await store.save_shape("docs", "x", chain("read").shape()["stages"])
            for number in range(400):  # 100 MB in all
                await store.add_items(shape.id, [(f"{number}", b'"' + b"x" * 250_000 + b'"')], 0, 0)
                largest = max(largest, (tmp_path / "work.db-wal").stat().st_size)
        finally:
            stop.set()
            for reader in readers:
                reader.join()

    assert largest <= LARGE_BYTES + 3 * CHECKPOINT_BYTES


async def test_a_checkpoint_is_made_once_for_so_much_new_log_and_not_with_every_commit(tmp_path: Path) -> None:
    path = tmp_path / "work.db"
    made = 0

    class Counting(checkpoints.Checkpoints):
        def run(self, connection: sqlite3.Connection) -> None:
            nonlocal made
            made += 1
            super().run(connection)

    async with SqliteStateStore.open(path, synchronous="NORMAL") as store:
        store._writer._checkpoints = Counting(path)
        shape = await store.save_shape("docs", "x", chain("read").shape()["stages"])
        for number in range(200):  # 20 MB in all
            await store.add_items(shape.id, [(f"{number}", b'"' + b"x" * 100_000 + b'"')], 0, 0)

    assert 3 <= made <= 9


async def test_room_that_is_free_is_given_back_to_the_file_system(tmp_path: Path) -> None:
    path = tmp_path / "work.db"
    async with SqliteStateStore.open(path, synchronous="NORMAL") as store, Engine(store, chain("read")) as engine:
        await ran(engine, *(str(number) for number in range(100)), text="x" * 200_000)
        await engine.set_retention(Retention(items_count=0))
        tidied = await engine.tidy()
        assert tidied.pages > 2000
        free = (await store._reader.fetch("PRAGMA freelist_count"))[0][0]
        assert free <= 1024

    assert (await asyncio.to_thread(path.stat)).st_size < 8_000_000  # of twenty
