"""The engine on both stores: what every test of its behaviour starts from."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from treadle_tui.engine import Engine, MemoryStateStore, SqliteStateStore, Workflow
from treadle_tui.engine.testing import ManualClock, disagreements

_SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile(
    "ci", max_examples=30, stateful_step_count=25, deadline=None, derandomize=True, suppress_health_check=_SLOW_IS_FINE
)
settings.register_profile("thorough", max_examples=1000, stateful_step_count=60, deadline=None, suppress_health_check=_SLOW_IS_FINE)
settings.register_profile(
    "hunt",
    max_examples=300,
    stateful_step_count=40,
    deadline=None,
    report_multiple_bugs=False,
    print_blob=True,
    suppress_health_check=_SLOW_IS_FINE,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

Start = Callable[..., Awaitable[Engine]]


async def opened(kind: str) -> Any:
    """A new, empty store of that kind."""
    if kind == "memory":
        return MemoryStateStore()
    return await SqliteStateStore.open(":memory:", synchronous="NORMAL")


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """An empty store, of each kind in turn; at the end it must not contradict itself."""
    opened_store = await opened(request.param)
    yield opened_store
    if not opened_store.is_closed:
        assert await disagreements(opened_store) == []
        await opened_store.close()


@pytest.fixture
async def sqlite_store() -> AsyncIterator[SqliteStateStore]:
    """For what only SQLite can do."""
    async with SqliteStateStore.open(":memory:", synchronous="NORMAL") as opened_store:
        yield opened_store
        if not opened_store.is_closed:
            assert await disagreements(opened_store) == []


@pytest.fixture
def clock() -> ManualClock:
    """Time that passes only when the test says so."""
    return ManualClock()


@pytest.fixture
async def start(store: Any, clock: ManualClock) -> AsyncIterator[Start]:
    """Opens an engine of these workflows on the store, and closes it in the end."""
    engines: list[Engine] = []

    async def start_engine(*workflows: Workflow, **options: Any) -> Engine:
        engine = Engine(options.pop("on", store), list(workflows), **{"clock": clock, **options})
        await engine.__aenter__()
        engines.append(engine)
        return engine

    yield start_engine
    for engine in engines:
        await engine.close()
