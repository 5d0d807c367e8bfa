"""Stages that block the event loop: they are named, their engine stays alive, and the others go on when they return."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Sequence
from typing import Any

from treadle_tui.engine import Event, StageLogged, StageState, Workflow
from treadle_tui.engine.testing import ScriptedStage

from .workflows import ran, scripted, state, told


async def test_a_stage_that_blocks_the_loop_is_named_with_its_remedy_while_it_does(store, start):
    named = threading.Event()

    def listen(events: Sequence[Event]) -> None:
        if any(isinstance(event, StageLogged) for event in events):
            named.set()

    store.news.listen(store, listen, lambda: True)

    async def blocking(item: Any, ctx: Any) -> bool:
        return named.wait(10)  # holds up the loop, as a careless stage does

    workflow = Workflow("docs")
    workflow.add_stage("work", ScriptedStage([blocking]))
    workflow.add_stage("other", ScriptedStage([1]))
    engine = await start(workflow)

    await ran(engine)

    assert (await store.get_status("a", "work")).output is True
    (line,) = await told(store, StageLogged)
    assert (line.stage, line.item_id) == ("work", "a")
    assert "'work'" in line.message
    assert 'isolation="process"' in line.message
    assert await state(store, "other") is StageState.COMPLETED


async def test_the_heart_of_an_engine_beats_while_a_stage_blocks_its_loop(sqlite_store, clock, monkeypatch):
    from treadle_tui.engine import Engine

    monkeypatch.setattr("treadle_tui.engine.leases.BEAT_SECONDS", 0.02)
    monkeypatch.setattr("treadle_tui.engine.leases.LOOK_SECONDS", 0.01)

    async def blocking(item: Any, ctx: Any) -> int:
        """Look at the file past the loop until two beats are in it."""
        beats = 0
        with contextlib.closing(sqlite3.connect(sqlite_store.path)) as connection:
            for _ in range(1000):
                ((beats,),) = connection.execute("SELECT beat FROM treadle_workers").fetchall()
                if beats >= 2:
                    break
                threading.Event().wait(0.01)
        return int(beats)

    async with Engine(sqlite_store, [scripted(blocking)[0]], clock=clock) as engine:
        await ran(engine)

    assert (await sqlite_store.get_status("a", "work")).output >= 2


async def test_a_stage_that_only_takes_long_is_not_named(store, start, monkeypatch):
    monkeypatch.setattr("treadle_tui.engine.leases.BLOCKED_SECONDS", 0.1)
    monkeypatch.setattr("treadle_tui.engine.leases.LOOK_SECONDS", 0.01)
    engine = await start(scripted(lambda item, ctx: asyncio.sleep(0.3))[0])

    await ran(engine)

    assert await told(store, StageLogged) == []
