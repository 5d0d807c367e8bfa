"""However the program ends, the terminal is as it was: in a real pseudo-terminal, whose settings and modes are looked at."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("pty", reason="pseudo-terminals are of another kind here")

from tests.acceptance.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "from treadle_tui.__main__ import main; import sys; sys.argv[1:] = ['--db', 'work.db']; main()"
BROKEN = "from treadle_tui.screens.board_screen import BoardScreen\nBoardScreen.action_wish = lambda self, wish: 1 / 0\n" + PROGRAM

MODES = {"another screen": "1049", "the mouse": "1000", "the mouse's moves": "1003", "focus": "1004", "pasting": "2004"}
"""What the program turns on; each must be off at the end."""


@pytest.fixture
def start(tmp_path: Path) -> Callable[[str], object]:
    """Runs Python code in a terminal; what its settings were before comes with it."""

    @contextmanager
    def run(code: str = PROGRAM) -> Iterator[Terminal]:
        environment = {"PYTHONPATH": str(ROOT), "TREADLE_LOG": str(tmp_path / "log"), "TEXTUAL_ANIMATIONS": "none"}
        with Terminal([sys.executable, "-c", code], tmp_path, environment) as terminal:
            before = terminal.settings()
            terminal.wait_for("Nothing to do yet")
            terminal.wait_for("○ idle")
            assert terminal.settings() != before, "it takes the terminal over"
            yield terminal
            while terminal.read():
                pass
            assert terminal.settings() == before
            assert left_on(terminal.written) == []
            assert "Traceback" not in terminal.written

    return run


def left_on(written: str) -> list[str]:
    """The modes that were turned on last, a hidden cursor, and a title that was not put back."""
    found = []
    for name, number in MODES.items():
        switches = re.findall(rf"\x1b\[\?(?:\d+;)*{number}(?:;\d+)*([hl])", written)
        found += [name] if switches and switches[-1] == "h" else []
    found += ["a hidden cursor"] if re.findall(r"\x1b\[\?25([hl])", written)[-1] == "l" else []
    found += ["the title"] if "\x1b[22;2t" in written and "\x1b[23;2t" not in written else []
    return found


def test_after_quitting(start: Callable[..., Iterator[Terminal]]) -> None:
    with start() as terminal:  # type: ignore[attr-defined]
        assert "\x1b]2;treadle\x07" in terminal.written
        terminal.press("q")
        assert terminal.wait_for_end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda number: number.name)
def test_after_a_signal(start: Callable[..., Iterator[Terminal]], number: signal.Signals) -> None:
    with start() as terminal:  # type: ignore[attr-defined]
        assert terminal.kill(number) == 128 + number


def test_after_a_defect_of_the_program(start: Callable[..., Iterator[Terminal]], tmp_path: Path) -> None:
    with start(BROKEN) as terminal:  # type: ignore[operator, attr-defined]
        terminal.press("n")
        assert terminal.wait_for_end() == 1
        while terminal.read():
            pass
        assert re.search(r"treadle-tui stopped because of a defect; the\s+details\s+are\s+in", str(terminal.screen))

    assert "ZeroDivisionError" in (tmp_path / "log").read_text()


def test_a_terminal_that_becomes_tiny_and_large_again_shows_the_same(start: Callable[..., Iterator[Terminal]]) -> None:
    with start() as terminal:  # type: ignore[attr-defined]
        terminal.resize(20, 5)
        terminal.wait_for("Enlarge")
        terminal.press("145:")
        for columns in (21, 22):  # it has drawn anew twice: by then the keys have been heard, and had no meaning
            terminal.resize(columns, 5)
            terminal.wait_for("Enlarge")
        terminal.resize(100, 30)
        terminal.wait_for("Nothing to do yet")
        terminal.press("q")
        assert terminal.wait_for_end() == 0
