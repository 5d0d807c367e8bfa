"""The person's own editor has the terminal for a while: the program is back afterwards, whatever the editor was or did."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.acceptance.terminal import Terminal

WORKFLOW = """
import asyncio
from treadle_tui.engine import NeedsReview, ReviewData, Workflow
docs = Workflow("docs")
@docs.source
def made(count: str):
    for number in range(int(count)):
        yield {"id": f"doc-{number}"}
@docs.stage
async def ask(item):
    if item["id"] == "doc-0":
        return NeedsReview({"title": "one"}, ReviewData("is it right?"))
    await asyncio.sleep(0.02)
"""
SLOW = 'import sys, time, pathlib\ntime.sleep(4)\npathlib.Path(sys.argv[1]).write_text(\'{"title": "two"}\')\n'


@pytest.mark.parametrize(
    ("editor", "said"),
    [("no-such-editor", r"could not be started"), ("{python} {slow}", r'"title": "two"')],
    ids=["missing", "slow, while stages run"],
)
def test_the_screen_is_back_after_the_editor(tmp_path: Path, editor: str, said: str) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "docs.py").write_text(WORKFLOW)
    slow = tmp_path / "slow.py"
    slow.write_text(SLOW)
    program = [sys.executable, "-m", "treadle_tui", "--db", "work.db", "--as", "ana"]
    environment = {"EDITOR": editor.format(python=sys.executable, slow=slow), "TREADLE_LOG": str(tmp_path / "log")}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    with Terminal([*program, "--workflows", "workflows", "add", "docs", "3000"], tmp_path, environment) as adding:
        assert adding.wait_for_end() == 0
    with Terminal([*program, "--workflows", "workflows"], tmp_path, environment) as terminal:
        terminal.wait_for("1 waiting")
        terminal.press("3")
        terminal.wait_for(r"is it right\?")
        terminal.press("E")
        terminal.wait_for(said)
        terminal.press("\x1b")
        terminal.wait_for("Upstream")
