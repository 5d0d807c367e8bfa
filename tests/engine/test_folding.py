"""An ordinary attempt is kept in its stage's row, and nobody notices."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.engine.workflows import chain
from treadle_tui.engine import Engine, SqliteStateStore, Workflow
from treadle_tui.engine.retention import Retention
from treadle_tui.engine.store.sqlite.folding import FOLDED_OUTPUT
from treadle_tui.engine.store.sqlite.schema import MIGRATIONS


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def of_size(size: int) -> Workflow:
    """One stage whose outputs are that many bytes of JSON."""
    workflow = Workflow("sized")

    @workflow.stage
    async def read(item: Any) -> Any:
        return "x" * (size - 2)

    return workflow


@pytest.mark.parametrize(("size", "kept_apart"), [(FOLDED_OUTPUT, 0), (FOLDED_OUTPUT + 1, 1), (200_000, 1)])
async def test_only_a_small_output_is_kept_in_its_stages_row(tmp_path: Path, size: int, kept_apart: int) -> None:
    path = tmp_path / "work.db"
    workflow = of_size(size)
    async with SqliteStateStore.open(path) as store, Engine(store, [workflow]) as engine:
        await engine.submit(workflow, [{"id": "a"}])
        await engine.run_until_idle()
        (attempt,) = await store.get_attempts("a", "read")
        status = await store.get_status("a", "read")

    assert len(rows(path, "SELECT * FROM treadle_attempts")) == kept_apart
    assert len(attempt.output) == size - 2
    assert status is not None
    assert status.output == attempt.output
    assert attempt.outcome == "completed"


async def test_an_attempt_stays_what_it_was_when_its_stage_runs_again(tmp_path: Path) -> None:
    path = tmp_path / "work.db"
    workflow = chain("read", "print")
    async with SqliteStateStore.open(path) as store, Engine(store, [workflow]) as engine:
        await engine.submit(workflow, [{"id": "a"}])
        await engine.run_until_idle()
        assert rows(path, "SELECT * FROM treadle_attempts") == []
        before = await store.get_attempts("a", "read")
        await engine.rerun_stage("a", "read")
        await engine.run_until_idle()
        after = await store.get_attempts("a", "read")

    assert len(before) == 1
    assert len(after) == 2
    assert after[0] == before[0]


async def test_outputs_that_retention_drops_are_gone_from_the_stages_rows_and_the_attempts_remain(tmp_path: Path) -> None:
    path = tmp_path / "work.db"
    workflow = chain("read", "print")
    async with SqliteStateStore.open(path) as store, Engine(store, [workflow]) as engine:
        await engine.submit(workflow, [{"id": "a"}])
        await engine.run_until_idle()
        await engine.set_retention(Retention(outputs_count=0))
        await engine.tidy()
        (attempt,) = await store.get_attempts("a", "read")

    assert attempt.output is None
    assert attempt.outcome == "completed"
    assert rows(path, "SELECT * FROM treadle_tasks WHERE output IS NOT NULL") == []


async def test_a_file_from_before_is_read_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "work.db"
    workflow = chain("read", "print")
    async with SqliteStateStore.open(path) as store, Engine(store, [workflow]) as engine:
        await engine.submit(workflow, [{"id": "a"}])
        await engine.run_until_idle()
        before = await store.get_attempts("a", "read")
    number = 1 + [name for name, _ in MIGRATIONS].index("fold ordinary attempts into their tasks")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO treadle_attempts SELECT item, stage, 0, 1, started_at, completed_at, 0, output, NULL FROM treadle_tasks"
        )
        connection.execute("ALTER TABLE treadle_tasks DROP COLUMN output")
        connection.execute("DELETE FROM treadle_migrations WHERE number >= ?", (number,))

    async with SqliteStateStore.open(path) as store, Engine(store, [workflow]) as engine:
        assert await store.get_attempts("a", "read") == before
        await engine.submit(workflow, [{"id": "b"}])
        await engine.run_until_idle()
        assert [attempt.output for attempt in await store.get_attempts("b", "read")] == [before[0].output]
        runs = await store.stage_runs("docs")

    assert {name: len(found) for name, found in runs.items()} == {"read": 2, "print": 2}
