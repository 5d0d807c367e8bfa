"""Random programs of store verbs say and leave the same on both stores; and a store that is wrong is found out, with a short program."""

from __future__ import annotations

import pytest

from treadle_tui.engine.store.sqlite.row_cache import RowCache

from .random_verbs import WEIGHTS, Program, complaint, difference, random_program, shrunk
from .verb_player import Player, Step

SEEDS = range(40)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("connections", [1, 2])
async def test_both_stores_say_and_leave_the_same(connections: int, seed: int) -> None:
    found = await complaint(random_program(seed, connections))

    assert found is None, found


async def test_a_store_that_keeps_rows_it_should_let_go_of_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RowCache, "forget_tasks", lambda self, keys: None)
    for seed in SEEDS:
        program = random_program(seed, 1)
        if await difference(program) is not None:
            break
    small = await shrunk(program)

    assert len(small.steps) < 10
    again = eval(str(small), {"Program": Program, "Step": Step})
    assert again == small
    assert await difference(again)
    monkeypatch.undo()
    assert await difference(again) is None


def test_every_verb_is_played() -> None:
    played = {step.verb for seed in SEEDS for step in random_program(seed, 1).steps}

    assert played == set(WEIGHTS)
    assert all(callable(getattr(Player, verb)) for verb in WEIGHTS)
