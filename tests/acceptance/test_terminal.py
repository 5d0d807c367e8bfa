"""The real program in a pseudo-terminal: items added by keyboard, the process killed, started again, a review decided, and quit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pty", reason="pseudo-terminals are of another kind here")

from tests.acceptance.terminal import Terminal
from tests.workflows.environment_folder import GPL_3, MIT, EnvironmentFolder

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, "-m", "treadle_tui", "--db", "work.db", "--as", "ana"]

GATED = '''
"""Waits at its second stage until a file says go."""
import time
from pathlib import Path

from treadle_tui.engine import Workflow

gated = Workflow("gated")


@gated.source
def one():
    yield {"id": "lorry"}


@gated.stage
def arrive(item):
    with open("arrived", "a") as file:
        file.write("once ")


@gated.stage
def wait(arrive, ctx):
    while not Path("go").exists():
        time.sleep(0.01)
    return {"attempt": ctx.attempt}
'''


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT), "TREADLE_LOG": str(tmp_path / "treadle.log"), "TEXTUAL_ANIMATIONS": "none", "NO_COLOR": "1"}


@pytest.fixture
def start(tmp_path: Path, surroundings: dict[str, str]) -> Callable[[], Terminal]:
    """Starts the program on `work.db` in a terminal."""
    return lambda: Terminal(PROGRAM, tmp_path, surroundings)


@pytest.fixture
def ask(tmp_path: Path, surroundings: dict[str, str]) -> Callable[..., Any]:
    """Asks the database by a verb, in a process of its own; the JSON answer."""

    def run(*arguments: str) -> Any:
        command = [*PROGRAM, *arguments, "--json"]
        done = subprocess.run(command, cwd=tmp_path, env={**os.environ, **surroundings}, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def write_environment(folder: Path) -> None:
    """Two installed packages: one that a person must look at, one that passes by itself."""
    environment = EnvironmentFolder(folder)
    environment.add("copyleft", "1.0", "License-Expression: GPL-3.0-or-later", files={"licenses/COPYING": GPL_3})
    environment.add("plain", "1.0", "License-Expression: MIT", files={"licenses/LICENSE": MIT})


def stages_of(listed: Any, item: str) -> dict[str, Any]:
    """The stages of one item in the answer of `list`."""
    stages: dict[str, Any] = next(each["stages"] for each in listed["items"] if each["item_id"] == item)
    return stages


def test_a_review_survives_a_kill_and_is_decided_by_keyboard_after_a_new_start(
    tmp_path: Path, start: Callable[[], Terminal], ask: Callable[..., Any]
) -> None:
    write_environment(tmp_path / "site-packages")

    with start() as terminal:
        terminal.wait_for("Nothing to do yet")
        terminal.wait_for("○ idle")
        terminal.press("n")
        terminal.wait_for("▸ documents")
        terminal.press("\x1b[B")
        terminal.wait_for("▸ licences")
        terminal.press("site-packages\r")
        terminal.wait_for(r"copyleft 1\.0 .*◆ \?")
        terminal.wait_for(r"plain 1\.0 .*− S +✓ C")
        terminal.wait_for("○ idle")
        before, reviews = ask("list"), ask("reviews")
        terminal.kill()

    assert ask("list") == before, "what was finished stays finished, with the same versions and times"
    assert ask("reviews") == reviews, "what waited still waits, with all its data"
    assert reviews["reviews"][0]["review"]["details"]

    with start() as terminal:
        terminal.wait_for(r"copyleft 1\.0 .*◆ \?")
        terminal.wait_for("○ idle")
        terminal.press("]")
        terminal.press("\r")
        terminal.wait_for(r"copyleft 1\.0 › review")
        terminal.wait_for(r"GPL-3\.0-or-later: strong copyleft")
        terminal.press("a")
        terminal.wait_for(r"copyleft 1\.0 +✓ C +✓ C +✓ 5/5 +✓ C +✓ C +✓ C")
        terminal.press("q")
        assert terminal.wait_for_end() == 0

    after = ask("list")
    assert after["items"][1] == before["items"][1]
    assert {stage["state"] for stage in stages_of(after, "copyleft 1.0").values()} == {"completed"}
    decision = next(stage["decision"] for stage in ask("show", "copyleft 1.0")["stages"] if stage["name"] == "review")
    assert (decision["verb"], decision["by"]) == ("approve", "ana")
    assert decision["at"]
    assert "copyleft" in (tmp_path / "licence-review" / "NOTICE.md").read_text()


def test_work_that_a_kill_interrupts_runs_again_and_finished_work_does_not(
    tmp_path: Path, start: Callable[[], Terminal], ask: Callable[..., Any]
) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "gated.py").write_text(GATED)
    ask("add", "gated")

    with start() as terminal:
        terminal.wait_for(r"lorry .*✓ C +▸ R")
        terminal.kill()

    assert stages_of(ask("list"), "lorry")["wait"]["state"] == "running"
    (tmp_path / "go").touch()

    with start() as terminal:
        terminal.wait_for(r"lorry .*✓ C +✓ C")
        terminal.press("q")
        assert terminal.wait_for_end() == 0

    shown = {stage["name"]: stage for stage in ask("show", "lorry")["stages"]}
    assert shown["wait"]["output"] == {"attempt": 1}, "an interruption uses no attempt"
    assert (tmp_path / "arrived").read_text() == "once "


def test_quitting_while_something_runs_hands_it_back(tmp_path: Path, start: Callable[[], Terminal], ask: Callable[..., Any]) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "gated.py").write_text(GATED)
    ask("add", "gated")

    with start() as terminal:
        terminal.wait_for(r"lorry .*✓ C +▸ R")
        terminal.press("q")
        assert terminal.wait_for_end() == 0

    assert stages_of(ask("list"), "lorry")["wait"]["state"] == "pending"


def test_items_added_by_another_process_appear_on_the_screen(
    tmp_path: Path, start: Callable[[], Terminal], ask: Callable[..., Any]
) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "gated.py").write_text(GATED)
    (tmp_path / "go").touch()

    with start() as terminal:
        terminal.wait_for("Nothing to do yet")
        ask("add", "gated")
        terminal.wait_for(r"lorry .*✓ C +✓ C")
        terminal.press("q")
        assert terminal.wait_for_end() == 0
