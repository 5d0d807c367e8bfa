"""The step lists that come with the program run as they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from treadle_tui.engine import Engine, MemoryStateStore, Workflow, load_definition
from treadle_tui.engine.testing import ManualClock

FOLDER = Path(__file__).resolve().parents[2] / "workflows"


ACTIONS = {
    "orders": ["validate_order", "charge_payment", "ship_order"],
    "etl": ["fetch_data", "transform_data", "load_data"],
    "diamond": ["start", "right_side", "left_side", "join"],
}
"""In the order of their dependencies; those in the middle of `diamond` run side by side."""


def load(name: str, acted: list[str]) -> Workflow:
    return load_definition(
        FOLDER / f"{name}.json", {action: lambda item, ctx, action=action: acted.append(action) for action in ACTIONS[name]}
    )


@pytest.mark.parametrize("name", ACTIONS)
async def test_a_step_list_runs_its_actions_in_the_order_of_its_dependencies(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("treadle_tui.engine.definitions.steps.random.random", lambda: 0.99)
    acted: list[str] = []
    workflow, clock = load(name, acted), ManualClock()

    async with MemoryStateStore() as store, Engine(store, [workflow], clock=clock) as engine:
        await engine.submit(workflow, [{"id": "one"}])
        await clock.run(engine.run_until_idle())
        assert (await engine.status("one")).is_complete()

    assert sorted(acted) == sorted(ACTIONS[name])
    assert (acted[0], acted[-1]) == (ACTIONS[name][0], ACTIONS[name][-1])


async def test_a_step_that_fails_by_chance_is_tried_as_often_as_its_list_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("treadle_tui.engine.definitions.steps.random.random", lambda: 0.0)
    acted: list[str] = []
    workflow, clock = load("orders", acted), ManualClock()

    async with MemoryStateStore() as store, Engine(store, [workflow], clock=clock) as engine:
        await engine.submit(workflow, [{"id": "one"}])
        await clock.run(engine.run_until_idle())
        attempts = await store.get_attempts("one", "charge")

    assert [attempt.number for attempt in attempts] == [1, 2, 3, 4]
    assert acted == ["validate_order"], "what is certain does not fail, and nothing follows what has failed"
