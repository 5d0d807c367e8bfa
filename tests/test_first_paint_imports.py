"""The first paint waits for nothing: what opens a database, draws a grid or runs an engine is imported behind it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

NOT_YET = (
    "aiosqlite",
    "msgspec",
    "networkx",
    "pydantic",
    "sqlite3",
    "treadle_tui.engine",
    "treadle_tui.board.board",
    "treadle_tui.workbench",
)

CODE = """
import sys
import treadle_tui.full_screen
print(" ".join(sorted(sys.modules)))
"""


def test_the_first_paint_imports_no_engine_and_no_grid() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, env=environment)

    assert done.returncode == 0, done.stderr
    imported = done.stdout.split()
    assert [name for name in imported if name.startswith(NOT_YET)] == []
    assert "textual.widgets._data_table" not in imported
