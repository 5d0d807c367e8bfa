"""Small work for quick fault tests, and what must be true of a file afterwards."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from treadle_tui.engine import Engine, NeedsReview, SqliteStateStore, Workflow
from treadle_tui.engine.testing import disagreements


def counting(calls: list[str] | None = None) -> Workflow:
    """`parse`, then `keep`, which writes a row of a user's own table, then `review`, which waits for a person."""
    workflow = Workflow("docs")

    @workflow.stage
    async def parse(item: Any) -> Any:
        if calls is not None:
            calls.append(item["id"])
        return {"n": 1}

    @workflow.stage
    async def keep(item: Any, parse: Any, ctx: Any) -> Any:
        ctx.transaction("INSERT INTO kept VALUES (?)", (item["id"],))
        return parse

    @workflow.stage
    async def review(keep: Any) -> Any:
        return NeedsReview(keep)

    return workflow


def with_table(path: Path) -> Path:
    """A file with the user's table that `keep` writes to."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE kept (item TEXT)")
        connection.commit()
    return path


def items(*ids: str) -> list[dict[str, str]]:
    """Items of these ids."""
    return [{"id": id} for id in ids]


async def worked_on(path: Path, *ids: str) -> None:
    """Add the items, and run what is ready."""
    async with SqliteStateStore.open(path) as store, Engine(store, counting()) as engine:
        await engine.submit("docs", items(*ids))
        await engine.run_until_idle()


def rows(path: Path, sql: str) -> list[Any]:
    """What a statement answers, past the engine."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


async def check(path: Path, *ids: str) -> None:
    """The file is whole, does not contradict itself, and every item of these is done up to its review, exactly once."""
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    async with SqliteStateStore.open(path) as store:
        assert await disagreements(store) == []
        assert sorted(await store.list_items()) == sorted(ids)
        for id in ids:
            states = {name: status.state.value for name, status in (await store.get_all_statuses(id)).items()}
            assert states == {"parse": "completed", "keep": "completed", "review": "awaiting_review"}, (id, states)
    assert sorted(rows(path, "SELECT item FROM kept")) == sorted((id,) for id in ids)
