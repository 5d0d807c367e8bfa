"""Selections: both stores answer every question alike, and patterns mean what they say."""

from __future__ import annotations

import asyncio
import fnmatch
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle_tui.engine import MemoryStateStore, SqliteStateStore
from treadle_tui.engine.clock import to_ms
from treadle_tui.engine.selection import Aspect, Comparison, Condition, Order, Selection, escaped_pattern, glob, literal_start, pattern
from treadle_tui.engine.states import ItemState, StageState
from treadle_tui.engine.testing import ManualClock
from treadle_tui.engine.testing.contract_lists import populate

WORDS = st.sampled_from(
    ["a", "bad", "*", "-?", "to*", "doc-1", "Bad[6]", "_", "%", "\\*", "new\\*5", "[", "", "publish", "p*", "io", "page"]
)
COMPARISONS = st.builds(Comparison, st.sampled_from([">", ">=", "<", "<=", "="]), st.sampled_from([-1, 0, 1, 5, 1800, 3600, 10**9]))
VALUES: dict[Aspect, st.SearchStrategy[Any]] = {
    Aspect.STATE: st.sampled_from(StageState),
    Aspect.IS: st.sampled_from(ItemState),
    Aspect.PRIORITY: COMPARISONS,
    Aspect.ADDED: COMPARISONS,
    Aspect.AGE: COMPARISONS,
    Aspect.ATTEMPTS: COMPARISONS,
}


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    aspect = draw(st.sampled_from(Aspect))
    values = draw(st.lists(VALUES.get(aspect, WORDS), min_size=1, max_size=3, unique=True))
    return Condition(aspect, tuple(values), draw(st.booleans()))


selections = st.builds(
    Selection,
    st.sampled_from([None, "docs", "docs", "other", "unknown"]),
    st.lists(conditions(), max_size=4).map(tuple),
    st.sampled_from(Order),
    st.booleans(),
    st.sampled_from(["read", "publish", "unknown"]),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_both_stores_select_the_same_items(data: st.DataObject, stores: tuple[asyncio.Runner, Any, Any, int]) -> None:
    runner, memory, sqlite, now = stores
    selection = data.draw(selections)

    assert runner.run(memory.select(selection, now)) == runner.run(sqlite.select(selection, now))


@pytest.fixture(scope="module")
def stores() -> Any:
    with asyncio.Runner() as runner:
        clocks = [ManualClock(), ManualClock()]
        memory, sqlite = MemoryStateStore(), runner.run(_opened())
        runner.run(populate(memory, clocks[0]))
        runner.run(populate(sqlite, clocks[1]))
        yield runner, memory, sqlite, to_ms(clocks[0].now())
        runner.run(sqlite.close())


async def _opened() -> SqliteStateStore:
    return await SqliteStateStore.open(":memory:")


@given(st.text(alphabet="ab*?[]\\^-", max_size=8), st.text(alphabet="ab*?[]\\^-", max_size=8))
def test_a_pattern_means_the_same_in_python_and_in_sql(text: str, candidate: str) -> None:
    assert (pattern(text).fullmatch(candidate) is not None) == fnmatch.fnmatchcase(candidate, glob(text))


@given(st.text(alphabet="ab*?\\", max_size=8))
def test_an_escaped_text_fits_itself_alone(text: str) -> None:
    assert pattern(escaped_pattern(text)).fullmatch(text)
    assert literal_start(escaped_pattern(text)) == (text, True)


async def test_failures_are_found_without_looking_at_every_item() -> None:
    async with SqliteStateStore.open(":memory:") as store:
        await populate(store, ManualClock())
        for state in (StageState.FAILED, StageState.RUNNING, StageState.AWAITING_REVIEW):
            plan = await _plan_of(store, Selection("docs", (Condition(Aspect.STATE, (state,)),)))

            assert "SCAN i" not in plan
            assert not any(line.startswith(("SCAN t", "SCAN treadle_tasks")) and "INDEX" not in line for line in plan.splitlines()), plan


async def _plan_of(store: SqliteStateStore, selection: Selection) -> str:
    from treadle_tui.engine.store.sqlite.selecting import chosen

    source = chosen(selection, await store._shapes(), 0)
    rows = await store._reader.fetch(f"EXPLAIN QUERY PLAN SELECT i.key {source.text}", source.parameters)
    return "\n".join(row[3] for row in rows)
