"""Items from standard input, from ids, and from a folder that is watched; completion; graph and statistics."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Call, program
from treadle_tui.cli.source_items import SourceFailed, read_items
from treadle_tui.engine import Workflow

STEPS = '{"name": "steps", "steps": [{"id": "one"}, {"id": "two", "depends_on": ["one"]}]}'


def piped(db: Path, folder: Path, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    return program("--db", str(db), *words, cwd=folder, input=text)


def test_items_come_from_standard_input_as_json_lines_and_as_ids(treadle: Call, folder: Path, db: Path) -> None:
    first = piped(db, folder, '{"id": "a", "text": "plain"}\n\n{"id": "b", "text": "plain"}\n', "add", "papers", "-")
    again = piped(db, folder, '{"id": "b", "text": "other"}\nc\n', "add", "-", "--json")

    assert first.stdout == "papers: 2 new, 0 already known\n"
    assert json.loads(again.stdout) == {"workflow": "papers", "items": 2, "new": 1, "known": 1, "elsewhere": []}
    assert treadle("show", "c", "--json").json["data"] == {"id": "c"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"id": "a"}\n{"id": }\n', "standard input, line 2: no JSON"),
        ("[1]\n", "line 1: a work item is a JSON object with an `id`"),
        ('{"text": "x"}\n', "line 1: "),
        ('{"id": ""}\n', "line 1: "),
    ],
)
def test_a_line_that_is_no_item_is_named_and_nothing_is_stored(folder: Path, db: Path, text: str, says: str) -> None:
    answer = piped(db, folder, text, "add", "papers", "-")

    assert answer.returncode == 2
    assert says in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert not db.exists()


def test_a_line_that_is_no_utf_8_is_refused_for_two_ids_could_become_one() -> None:
    workflow = Workflow("any")

    with pytest.raises(SourceFailed, match=r"standard input, line 2: no UTF-8 text \(byte 12 of the line\); save it as UTF-8"):
        read_items(workflow, [b'{"id": "good"}\n', b'{"id": "bad\xff"}\n'])


def test_a_list_of_steps_takes_ids(treadle: Call, folder: Path) -> None:
    (folder / "workflows" / "steps.json").write_text(STEPS)

    assert treadle("add", "steps", "order 1", "order 2").out == "steps: 2 new, 0 already known\n"
    assert treadle("run", "--until", "idle", "--json").json["stages"]["steps"]["two"] == {"completed": 2}


def test_with_several_workflows_somebody_has_to_say_which(treadle: Call, folder: Path, db: Path) -> None:
    (folder / "workflows" / "steps.json").write_text(STEPS)
    treadle("add", "steps", "order 1")
    treadle("add", "papers", str(folder / "texts"))

    answer = piped(db, folder, "x\n", "add", "-")

    assert (answer.returncode, "say for which: add WORKFLOW -" in answer.stderr) == (2, True)


def test_new_files_of_a_watched_folder_become_items(treadle: Call, folder: Path, db: Path) -> None:
    words = [sys.executable, "-m", "treadle_tui", "--db", str(db), "run", "--watch", str(folder / "texts"), "--workflow", "papers"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        try:
            assert wait_for(lambda: treadle("list").out.count(" papers ") == 2)
            (folder / "texts" / "later.txt").write_text("plain")
            assert wait_for(lambda: "publish: stage completed" in treadle("events", "--item", "later").out)
        finally:
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=30)

    assert running.returncode == 130
    assert "later · publish: stage completed" in out
    assert f"treadle-tui: papers: 1 new from {folder / 'texts'}" in err


def wait_for(condition: object, seconds: float = 30.0) -> bool:
    """Whether the condition became true; looked at ten times a second."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--watch", "nowhere", "--workflow", "papers"], "--watch nowhere: there is no such folder"),
        (["--watch", ".", "--workflow", "papers", "--until", "idle"], "give one of them"),
        (["--workflow", "papers"], "name one with --watch"),
        (["--watch", ".", "--workflow", "steps"], "workflow 'steps' has no source"),
        (["--watch", ".", "--workflow", "paper"], "no workflow is called 'paper'; did you mean 'papers'?"),
    ],
)
def test_a_watch_that_cannot_be_meant_is_refused(worked: Call, folder: Path, words: list[str], says: str) -> None:
    (folder / "workflows" / "steps.json").write_text(STEPS)

    answer = worked("run", *words)

    assert answer.code == 2
    assert says in answer.err


def complete(db: Path, folder: Path, *words: str) -> list[str]:
    """What bash would be offered for the last of these words."""
    environment = {
        "_TREADLE_TUI_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["treadle-tui", *(f"'{word}'" if " " in word else word for word in words)]),
        "COMP_CWORD": str(len(words)),
        "TREADLE_DB": str(db),
    }
    answer = program(cwd=folder, environment=environment)
    assert answer.stderr == ""
    return [line.partition(",")[2] for line in answer.stdout.splitlines() if line]


def test_ids_stages_and_workflows_are_completed_from_the_database(worked: Call, folder: Path, db: Path) -> None:
    assert complete(db, folder, "show", "") == ["doubtful", "plain"] or complete(db, folder, "show", "") == ["plain", "doubtful"]
    assert complete(db, folder, "approve", "dou") == ["doubtful"]
    assert complete(db, folder, "approve", "doubtful", "") == ["read", "sources", "publish"]
    assert complete(db, folder, "rerun", "plain", "pu") == ["publish"]
    assert complete(db, folder, "list", "--workflow", "pa") == ["papers"]
    assert complete(db, folder, "add", "lic") == ["licences"]
    assert complete(db, folder, "req") == ["request-changes"]


def test_completion_offers_nothing_and_complains_of_nothing_without_a_database(folder: Path) -> None:
    assert complete(folder / "none.db", folder, "show", "") == []
    (folder / "noise.db").write_text("no database")
    assert complete(folder / "noise.db", folder, "show", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_is_printed(treadle: Call, shell: str) -> None:
    answer = treadle("completion", shell)

    assert answer.code == 0
    assert "_TREADLE_TUI_COMPLETE" in answer.out
    assert treadle("completion", shell, "--json").json["script"].strip() == answer.out.strip()


def test_bash_completes_verbs_items_and_stages(worked: Call, folder: Path, db: Path) -> None:
    """A real bash: it reads the script, and its completion function is called as it would be for a Tab."""
    program_file = folder / "treadle-tui"
    program_file.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m treadle_tui "$@"\n')
    program_file.chmod(0o755)
    script = worked("completion", "bash").out
    for words in (["appr"], ["--db", str(db), "approve", "dou"], ["--db", str(db), "rerun", "plain", "so"]):
        typed = " ".join(f'"{word}"' for word in ["treadle-tui", *words])
        script += f"\nCOMP_WORDS=({typed}); COMP_CWORD={len(words)}; COMPREPLY=()"
        script += '; _treadle_tui_completion treadle-tui; echo "${COMPREPLY[@]}"'

    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=folder, env=environment, timeout=60)

    assert done.stdout.splitlines() == ["approve", "doubtful", "sources"], done.stderr


def test_the_graph_shows_what_stands_where(worked: Call) -> None:
    assert worked("graph").out.splitlines() == [
        "papers",
        "  read         ✓ 2   first",
        "    sources    ✓ 2   after read",
        "      publish  ◆ 1  ✓ 1   after read, sources",
    ]
    assert worked("graph", "papers", "--json").json["stages"][2] == {
        "name": "publish",
        "depends_on": ["read", "sources"],
        "items": {"awaiting_review": 1, "completed": 1},
    }
    assert worked("graph", "--mermaid").out.startswith("flowchart LR\n")
    assert worked("graph", "--dot").out.startswith('digraph "papers" {\n')


def test_the_graph_of_a_workflow_without_items_is_read_from_its_file(treadle: Call) -> None:
    assert treadle("graph", "licences").out.splitlines()[1] == "  metadata          first"
    answer = treadle("graph")
    assert (answer.code, "name a workflow" in answer.err) == (2, True)


def test_statistics_count_runs_and_decisions(worked: Call) -> None:
    worked("approve", "doubtful", "--as", "ben")

    lines = worked("stats").out.splitlines()
    stage = worked("stats", "--workflow", "papers", "--json").json["workflows"]["papers"]["publish"]

    assert lines[0].split() == ["papers", "RUNS", "P50", "P95", "RETRIES", "FAILED", "SKIPPED", "DECIDED", "REJECTED", "BY"]
    assert lines[3].split()[-3:] == ["·", "ben", "1"]
    assert (stage["runs"], stage["approvals"], stage["reviewers"]) == (2, 1, {"ben": 1})
    assert worked("stats", "--workflow", "nothing").code == 2
