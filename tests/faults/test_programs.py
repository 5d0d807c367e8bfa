"""Programs that stages have started, when the engine that started them is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.crew import until
from treadle_tui.engine import Engine, SqliteStateStore, StageState, load_definition
from treadle_tui.engine.definitions.commands import run_command
from treadle_tui.engine.runner.group_watch import GroupWatch

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process groups, signals")

ENGINE = """
import asyncio, pathlib, sys
from treadle_tui.engine import Engine, SqliteStateStore, load_definition
from treadle_tui.engine.definitions import commands

async def say_when_it_is_watched():
    while True:
        with commands._groups._lock:
            if commands._groups._groups:
                return pathlib.Path(sys.argv[3]).touch()
        await asyncio.sleep(0.01)

async def main():
    saying = asyncio.create_task(say_when_it_is_watched())
    workflow = load_definition(sys.argv[2])
    async with SqliteStateStore.open(sys.argv[1]) as store, Engine(store, [workflow]) as engine:
        await engine.submit(workflow, [{"id": "a"}])
        await engine.run_until_idle()

asyncio.run(main())
"""
PROGRAM = """
import os, subprocess, sys, time
again = os.path.exists(sys.argv[1])
helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
with open(sys.argv[1] + ".new", "w") as file:
    file.write(f"{os.getpid()} {helper.pid}")
os.replace(sys.argv[1] + ".new", sys.argv[1])
if not again:
    time.sleep(60)
helper.kill()
"""


def is_alive(pid: int) -> bool:
    """Whether it runs: one that has ended and is not yet buried does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


@pytest.fixture
def hired(tmp_path) -> Iterator[Callable[..., tuple[subprocess.Popen[bytes], list[int]]]]:
    """Starts Python programs; gives them, and the process numbers they have written to `pids`."""
    begun: list[subprocess.Popen[bytes]] = []
    pids = tmp_path / "pids"

    def start(program: str, *arguments: str) -> tuple[subprocess.Popen[bytes], list[int]]:
        process = subprocess.Popen([sys.executable, "-c", program, *arguments])
        begun.append(process)
        assert until(pids.exists, 20), "it has not begun"
        return process, [int(pid) for pid in pids.read_text().split()]

    yield start
    for process in begun:
        process.kill()
        process.wait()


async def test_a_program_and_what_it_started_end_with_the_engine_that_is_killed_and_the_stage_runs_again(tmp_path, hired):
    pids = tmp_path / "pids"
    definition = tmp_path / "docs.toml"
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    definition.write_text(f"[stages.work]\nshell = ['{sys.executable}', '{program}', '{pids}']\n")
    engine, started = hired(ENGINE, *(str(tmp_path / name) for name in ("work.db", "docs.toml", "watched")))
    assert until((tmp_path / "watched").exists, 20)
    assert all(map(is_alive, started))

    engine.send_signal(signal.SIGKILL)

    assert until(lambda: not any(map(is_alive, started)), 10), "it has outlived its engine"
    workflow = load_definition(definition)
    async with SqliteStateStore.open(tmp_path / "work.db") as store, Engine(store, [workflow]) as again:
        await again.run_until_idle()
        status = await store.get_status("a", "work")
    assert (status.state, status.attempt) == (StageState.COMPLETED, 1)
    assert pids.read_text() != " ".join(map(str, started))


FORKS = """
import os, subprocess, sys, time
from treadle_tui.engine.runner.group_watch import GroupWatch
program = subprocess.Popen(["sleep", "60"], start_new_session=True)
watch = GroupWatch()
watch.stands_by()
watch.begins(program.pid)
fork = os.fork()
if not fork:
    time.sleep(60)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(f"{program.pid} {fork}")
os.replace(sys.argv[1] + ".new", sys.argv[1])
time.sleep(60)
"""


def test_a_fork_of_the_killed_process_that_holds_the_pipe_keeps_nothing_alive(tmp_path, hired):
    process, (program, fork) = hired(FORKS, str(tmp_path / "pids"))

    process.send_signal(signal.SIGKILL)

    try:
        assert until(lambda: not is_alive(program), 10), "it has outlived its parent"
    finally:
        os.kill(fork, signal.SIGKILL)


def test_what_a_program_that_has_ended_leaves_behind_is_left_alone(tmp_path, hired):
    watched = """
import asyncio, os, sys, time
from treadle_tui.engine.definitions import commands
result = asyncio.run(commands.run_command(["sh", "-c", "sleep 60 & echo $!"]))
with open(sys.argv[1] + ".new", "w") as file:
    file.write(f"{result.text} {commands._groups._process.pid}")
os.replace(sys.argv[1] + ".new", sys.argv[1])
time.sleep(60)
"""
    process, (left_behind, watch) = hired(watched, str(tmp_path / "pids"))

    process.send_signal(signal.SIGKILL)

    assert until(lambda: not is_alive(watch), 10), "the watch has not noticed"
    assert is_alive(left_behind)
    os.kill(left_behind, signal.SIGKILL)


def test_a_watch_that_has_ended_is_started_again_and_told_of_all(tmp_path):
    watch = GroupWatch()
    programs = [subprocess.Popen(["sleep", "60"], start_new_session=True) for _ in range(2)]
    try:
        watch.stands_by()
        watch.begins(programs[0].pid)
        assert watch._process is not None
        watch._process.kill()
        watch._process.wait()
        watch.stands_by()
        watch.begins(programs[1].pid)
        watch._end()

        assert [program.wait(10) for program in programs] == [-signal.SIGKILL] * 2
    finally:
        for program in programs:
            program.kill()
            program.wait()


async def test_a_program_that_ended_is_not_watched_any_more():
    from treadle_tui.engine.definitions import commands

    await run_command(["true"])

    assert commands._groups._groups == set()
