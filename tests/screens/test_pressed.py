"""Every binding has a test in which it is pressed. What is pressed is noted while the tests run: see pressing.py."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from tests.screens.pressed import PRESSED
from treadle_tui.full_screen import TreadleApp
from treadle_tui.key_contexts import actions_by_title

TESTS = Path(__file__).parent.parent


def test_every_binding_is_pressed_in_a_test_that_says_so() -> None:
    every = {action.id for actions in actions_by_title(TreadleApp).values() for action in actions}
    named = Counter(id for ids in PRESSED.values() for id in ids.split())

    assert every - set(named) == set(), "these have no behaviour test: write one, and name it in tests/screens/pressed.py"
    assert set(named) - every == set(), "these are gone"
    assert [id for id, times in named.items() if times > 1] == []


def test_every_test_that_is_named_is_there() -> None:
    """Else nothing would look whether it presses them."""
    found = {
        f"{path.stem}::{name}" for folder in ("screens", "widgets") for path in (TESTS / folder).glob("test_*.py") for name in _tests(path)
    }

    assert set(PRESSED) - found == set()


def _tests(path: Path) -> list[str]:
    return [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
