"""Random programs of store verbs, played on the memory store and on SQLite without an engine; at no step may the two differ.

`test_random_programs` plays whole engines against a model. Here are the moments that an engine seldom reaches: batches of results that
are half ordinary, work that was called off meanwhile, a workflow that changes with work in it, two connections to one file. A verb
finds out from the store what there is to act on, so a program stays one when steps are left out of it: a failing one is shrunk, and
printed as Python to paste into a test. `python -m tests.engine.random_verbs --minutes 10` plays new ones.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from treadle_tui.engine import MemoryStateStore, SqliteStateStore

from .verb_player import LONG, SHAPES, VERY_LONG, Player, Stages, Step

WEIGHTS = {
    "add": 6,
    "claim": 20,
    "end": 20,
    "look_at_leases": 4,
    "hand_back": 2,
    "look_ahead": 1,
    "explain": 1,
    "lose_worker": 1,
    "decide": 5,
    "reopen": 2,
    "retry": 2,
    "retry_many": 1,
    "rerun": 2,
    "rerun_many": 1,
    "cancel": 1,
    "pause": 1,
    "resume": 1,
    "resume_all": 2,
    "delete": 1,
    "hold": 2,
    "release": 1,
    "release_all": 2,
    "tidy": 1,
    "migrate": 2,
    "drop": 1,
}
"""How often each verb comes, beside the others."""
LOOK_EVERY = 4
"""After so many steps everything that can be read is compared, not only what the verbs said."""


@dataclass(frozen=True)
class Program:
    """What is played."""

    stages: Stages
    connections: int
    """To the SQLite file."""
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        steps = "".join(f"\n        {step}," for step in self.steps)
        return f"Program(\n    {self.stages},\n    {self.connections},\n    ({steps}\n    ),\n)"


def random_program(seed: int, connections: int, length: int = 40) -> Program:
    """The same for the same seed."""
    chance = random.Random(seed)
    verbs = ["add", *chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=length - 1)]
    return Program(chance.choice(SHAPES), connections, tuple(Step(verb, chance.randrange(1_000_000)) for verb in verbs))


# --- comparing ----------------------------------------------------------------------------------------------------------------


async def difference(program: Program) -> str | None:
    """Where the stores part, or contradict themselves; None when they never do."""
    with tempfile.TemporaryDirectory(prefix="treadle-verbs-") as folder:
        async with contextlib.AsyncExitStack() as opened:
            memory = Player([await opened.enter_async_context(MemoryStateStore())])
            path = Path(folder) / "verbs.db" if program.connections > 1 else ":memory:"
            connections = [SqliteStateStore.open(path, synchronous="OFF") for _ in range(program.connections)]
            sqlite = Player([await opened.enter_async_context(each) for each in connections])
            for player in (memory, sqlite):
                await player.begin(program.stages)
            for number, step in enumerate(program.steps):
                is_time_to_look = number % LOOK_EVERY == 0 or number == len(program.steps) - 1
                parted = await _difference_after(step, memory, sqlite, number if is_time_to_look else None)
                if parted is not None:
                    return f"step {number}, {step.verb}: {parted}"
    return None


async def _difference_after(step: Step, memory: Player, sqlite: Player, turn: int | None) -> str | None:
    try:
        parted = _first_difference({"said": await memory.play(step)}, {"said": await sqlite.play(step)})
        if parted is None and turn is not None:
            parted = _first_difference(await memory.everything(turn), await sqlite.everything(turn))
    except Exception:  # whatever a store raises that is not its word of refusal
        return traceback.format_exc()
    return parted


def _first_difference(memory: dict[Any, Any], sqlite: dict[Any, Any]) -> str | None:
    for key in (*memory, *(key for key in sqlite if key not in memory)):
        ours, theirs = memory.get(key), sqlite.get(key)
        if ours != theirs or (key == "contradictions" and ours):
            return f"{key}\n  memory: {_cut(ours)}\n  SQLite: {_cut(theirs)}"
    return None


def _cut(value: Any) -> str:
    return repr(value).replace(VERY_LONG.decode(), "VERY_LONG").replace(LONG.decode(), "LONG")[:3000]


async def shrunk(program: Program) -> Program:
    """A program that goes wrong too, of which no step can be left out."""
    size = len(program.steps) // 2
    while size:
        first = 0
        while first < len(program.steps):
            fewer = replace(program, steps=program.steps[:first] + program.steps[first + size :])
            if await difference(fewer) is not None:
                program = fewer
            else:
                first += size
        size //= 2
    return program


async def complaint(program: Program) -> str | None:
    """What to print about a program that goes wrong: the smallest like it, and how that goes wrong."""
    if await difference(program) is None:
        return None
    small = await shrunk(program)
    return f"{await difference(small)}\n{small}"


# --- for as long as you like --------------------------------------------------------------------------------------------------


async def _play_for(minutes: float, seed: int, length: int) -> int:
    until, played = time.monotonic() + minutes * 60, 0
    while time.monotonic() < until:
        found = await complaint(random_program(seed + played, 1 + played % 2, length))
        played += 1
        if found is not None:
            print(f"VIOLATION with seed {seed + played - 1}, {found}")
            return 1
    print(f"{played} programs of {length} steps from seed {seed}: both stores always said the same")
    return 0


def main() -> int:
    """Play new programs until the time is up, or one goes wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.engine.random_verbs", description="Play random verbs on both stores.")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default: %(default)g)")
    parser.add_argument("--steps", type=int, default=60, help="how long each program is (default: %(default)d)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="what chance begins with")
    options = parser.parse_args()
    return asyncio.run(_play_for(options.minutes, options.seed, options.steps))


if __name__ == "__main__":
    sys.exit(main())
