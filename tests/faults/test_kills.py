"""A few kills of every kind; `python -m tests.faults` makes hundreds."""

from __future__ import annotations

import sys

import pytest

from tests.faults.crowd import crowd
from tests.faults.kills import kill_over_and_over
from tests.faults.memory import Memory

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_or_doubled_by_kills_at_any_place(tmp_path, seed):
    found, kills = kill_over_and_over(tmp_path, 12, seed=seed, check_each=6)

    assert found.violations == []
    assert kills >= 10
    assert found.effects == 7 * found.items


@pytest.mark.parametrize("engines", [2, 4])
def test_engines_and_people_on_one_file_stay_out_of_each_others_way_while_some_are_killed(tmp_path, engines):
    found, kills = crowd(tmp_path, engines=engines, seconds=1.5, seed=engines)

    assert found.violations == []
    assert kills >= 3
    assert found.items
    assert found.decisions >= found.items


@pytest.mark.parametrize(("late", "is_wrong"), [(31.0, False), (48.0, True)])
def test_memory_that_grows_with_finished_items_is_found_out(late, is_wrong):
    assert bool(Memory(items=1000, early_mib=30.0, late_mib=late).violations) is is_wrong
