"""The small terminal of the acceptance test draws what a terminal would."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("pty", reason="pseudo-terminals are of another kind here")

from tests.acceptance.terminal import Screen, Terminal


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("one\r\ntwo", "one\ntwo"),
        ("\x1b[2;3Hhere", "\n  here"),
        ("abcdef\x1b[1;3H\x1b[K", "ab"),
        ("abc\x1b[2J", ""),
        ("\x1b[31mred\x1b[0m \x1b[?25l\x1b[>1uplain", "red plain"),
        ("\x1b]0;a title\x07text\x1b]52;c;eA==\x1b\\", "text"),
        ("日本x", "日本x"),
        ("ab\x1b[Dc", "ac"),
    ],
)
def test_what_is_written_is_drawn(written: str, shown: str) -> None:
    screen = Screen(20, 3)

    screen.feed(written)

    assert str(screen).rstrip("\n") == shown


def test_a_sequence_may_arrive_in_pieces() -> None:
    screen = Screen(20, 2)

    for piece in ("\x1b", "[", "2;", "2Hx", "\x1b]0;ti", "tle\x1b", "\\y"):
        screen.feed(piece)

    assert str(screen) == "\n xy"


def test_a_program_runs_in_it_and_its_exit_code_is_known(tmp_path: Path) -> None:
    code = "import os; print('size', *os.get_terminal_size()); raise SystemExit(len(input()))"

    with Terminal([sys.executable, "-c", code], tmp_path, {}, columns=90, rows=20) as terminal:
        terminal.wait_for("size 90 20")
        terminal.press("four\r")

        assert terminal.wait_for_end() == 4
