"""run, events: the engine without a screen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Call

SLOW = """
import time
from treadle_tui.engine import Workflow

slow = Workflow("slow")

@slow.source
def one():
    yield {"id": "a"}

@slow.stage
def wait(item, ctx):
    open(item["id"] + ".started", "w").close()
    while not ctx.cancelled:
        time.sleep(0.01)
"""


def test_running_until_idle_says_what_ended_and_what_needs_somebody(treadle: Call, folder: Path, db: Path) -> None:
    treadle("add", "papers", str(folder / "texts"))

    answer = treadle("run", "--until", "idle")

    assert answer.code == 0
    assert "plain · publish: stage completed" in answer.out
    assert "doubtful · publish: review required: fit to print?" in answer.out
    assert answer.out.endswith(f"idle: 5 of 6 stages done, 1 waiting for review, 0 failed\nsee them with: treadle-tui --db {db} reviews\n")


def test_running_as_json_prints_one_document_at_the_end(treadle: Call, folder: Path) -> None:
    treadle("add", "papers", str(folder / "texts"))

    answer = treadle("run", "--until", "idle", "--json").json

    assert answer == {
        "result": "idle",
        "stages": {"papers": {"read": {"completed": 2}, "sources": {"completed": 2}, "publish": {"awaiting_review": 1, "completed": 1}}},
        "reviews_waiting": 1,
        "failed": 0,
    }


def test_failed_stages_are_a_result_and_no_failure_of_the_program(treadle: Call, texts: Callable[..., None], folder: Path) -> None:
    texts(poor="broken")
    treadle("add", "papers", str(folder / "texts"))

    answer = treadle("run", "--until", "idle")

    assert answer.code == 0
    assert "poor · read: stage failed: " in answer.out
    assert "1 failed" in answer.out


def test_items_whose_workflow_has_changed_are_told_about_with_the_plan(
    treadle: Call, folder: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    treadle("add", "papers", str(folder / "texts"))
    treadle("run", "--until", "idle")
    file = folder / "workflows" / "papers.py"
    file.write_text(file.read_text().replace("def publish(item, read, sources)", "def print_it(item, read, sources)"))
    for name in [name for name in sys.modules if name.startswith("treadle_workflows_")]:
        monkeypatch.delitem(sys.modules, name)  # as in another process, which has not run the file yet

    answer = treadle("run", "--until", "idle")

    assert answer.code == 0
    assert "workflow 'papers' has changed, and has 2 items:" in answer.err
    assert "- publish: is unfinished (awaiting review in 1), and stays in the way of 1 item" in answer.err
    assert f"its items wait until this is accepted: treadle-tui --db {db}, then 1" in answer.err


def test_items_whose_workflow_is_gone_are_told_about(treadle: Call, folder: Path) -> None:
    treadle("add", "papers", str(folder / "texts"))
    (folder / "workflows" / "papers.py").unlink()

    answer = treadle("run", "--until", "idle")

    assert answer.code == 0
    assert "the items of workflow 'papers' wait, because its file was not found" in answer.err


def test_a_workflow_that_cannot_be_loaded_is_told_about_and_the_others_run(treadle: Call, folder: Path) -> None:
    treadle("add", "papers", str(folder / "texts"))
    (folder / "workflows" / "broken.py").write_text("def (:\n")

    answer = treadle("run", "--until", "idle")

    assert f"left out: {folder / 'workflows' / 'broken.py'}:1: SyntaxError" in answer.err
    assert "5 of 6 stages done" in answer.out


def test_events_are_printed_in_the_order_of_their_numbers(worked: Call) -> None:
    events = worked("events", "--json").json_lines

    numbers = [event["seq"] for event in events]
    assert numbers == sorted(numbers)
    assert events[0]["kind"] == "ItemAdded"
    assert {"ReviewRequired", "SubTaskCompleted", "WorkflowCompleted"} <= {event["kind"] for event in events}


def test_events_of_one_item_since_a_number(worked: Call) -> None:
    every = worked("events", "--json", "--item", "doubtful").json_lines
    later = worked("events", "--json", "--item", "doubtful", "--since", str(every[3]["seq"])).json_lines

    assert {event["item_id"] for event in every} == {"doubtful"}
    assert later == every[4:]


def test_more_events_than_are_read_at_once_all_arrive(worked: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    every = worked("events").out

    monkeypatch.setattr("treadle_tui.engine.store.sqlite.questions.EVENTS_AT_ONCE", 3)

    assert worked("events").out == every


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_in_good_order_and_the_work_is_handed_back(folder: Path, db: Path, treadle: Call, number: int, code: int) -> None:
    (folder / "workflows" / "slow.py").write_text(SLOW)
    treadle("add", "slow")
    started = folder / "here" / "a.started"

    process = subprocess.Popen(
        [sys.executable, "-m", "treadle_tui", "--db", str(db), "run"],
        cwd=folder / "here",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(started.exists)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)

    assert process.returncode == code, err
    assert "stopped: 0 of 1 stages done" in out
    assert err == ""
    assert treadle("list", "--json").json["items"][0]["stages"]["wait"]["state"] == "pending"
    assert "interrupted" not in treadle("show", "a", "--json").out


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
