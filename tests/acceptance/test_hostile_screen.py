"""The real program in a terminal, on a database full of attacks: what it sends to the terminal is its own, wherever one looks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pty", reason="pseudo-terminals are of another kind here")

from tests.acceptance.terminal import Terminal
from tests.hostile import MARK, SECRET, SEQUENCES, harmful, obeyed, write_workflow

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, "-m", "treadle_tui", "--db", "work.db", "--as", "ana"]
KEYS = (*"12]", "\r", "\x1b", *"2]x1", "\x1b", *"3x1", "\x1b", *"3e", "\x1b", *"3g", "\x1b", *"456", "\x1b")
KEYS += (*"2", "\x1b[C", "\r", *"512?", "\x1b", ":")
"""Every main screen, an item, a review, its tabs, help, the palette."""


class Listening(Terminal):
    """Keeps all that was written to the terminal."""

    def __init__(self, cwd: Path, environment: dict[str, str]) -> None:
        super().__init__(PROGRAM, cwd, environment, columns=160, rows=50)
        self.heard = ""
        feed = self.screen.feed

        def listen(text: str) -> None:
            self.heard += text
            feed(text)

        self.screen.feed = listen  # type: ignore[method-assign]

    def settle(self) -> None:
        """Read until nothing comes for a while."""
        while self.read(0.4):
            pass


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    write_workflow(tmp_path)
    environment = {
        "PYTHONPATH": str(ROOT),
        "TREADLE_LOG": str(tmp_path / "treadle.log"),
        "TREADLE_STATE": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "TEXTUAL_ANIMATIONS": "none",
    }
    for arguments in (["add", "hostile"], ["run", "--until", "idle", "--quiet"]):
        done = subprocess.run([*PROGRAM, *arguments], cwd=tmp_path, env={**os.environ, **environment}, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr
    return environment


def test_no_attack_and_no_secret_reaches_the_terminal(tmp_path: Path, surroundings: dict[str, str]) -> None:
    with Listening(tmp_path, surroundings) as terminal:
        terminal.wait_for(MARK)
        terminal.settle()
        for key in KEYS:
            terminal.press(key)
            terminal.settle()
            assert obeyed(terminal.heard)[:3] == [], f"after {key!r}:\n{terminal.screen}"
        seen = str(terminal.screen)
        terminal.press("\x1b")
        terminal.settle()
        terminal.press("q")
        terminal.settle()

    assert obeyed(terminal.heard) == []
    assert SECRET not in terminal.heard
    printed = SEQUENCES.sub("", terminal.heard)
    assert harmful(printed, allowed="\n\r\x08\t\x00") == [], seen
    assert printed.count(MARK) > 10  # it was there to be seen
