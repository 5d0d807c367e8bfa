"""What README.md and docs/ print is what works: the two commands, the code, the shell lines, the JSON."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()

START = "python3 -m venv .venv && .venv/bin/pip install --quiet . && .venv/bin/treadle-tui --db work.db"
TEST = "python3 -m venv .venv && .venv/bin/pip install --quiet --editable '.[test]' && .venv/bin/python -m pytest"


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("command", [START, TEST])
def test_the_two_commands_stand_in_the_readme_once_each_on_a_line_of_its_own(command: str) -> None:
    assert README.splitlines().count(command) == 1


def test_the_continuous_check_runs_the_test_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    pattern = re.search(r"grep -E '(.*)' README.md", script)

    assert pattern is not None
    assert [line for line in README.splitlines() if re.fullmatch(pattern[1].strip("^$"), line)] == [TEST]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("page", sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]), ids=lambda page: page.name)
def test_links_lead_to_files_that_exist(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text())

    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


def test_the_pictures_are_small_enough_to_be_kept() -> None:
    sizes = {path.name: path.stat().st_size for path in (ROOT / "screenshots").glob("*.svg")}

    assert {name: size for name, size in sizes.items() if size > 300_000} == {}
    assert {"triage.svg", "board.svg", "review.svg"} <= sizes.keys()


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line as it stands, with this Python in place of the environment it would have made."""
    program = f"{shlex.quote(sys.executable)} -m treadle_tui"
    return subprocess.run(
        ["bash", "-c", line.replace(".venv/bin/treadle-tui", program)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TREADLE_LOG": str(folder / "treadle.log"), "TREADLE_REVIEWER": "ana"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_lines_for_the_shell_work_as_they_stand(tmp_path: Path) -> None:
    (code,) = blocks(README, "python")
    file = tmp_path / code.splitlines()[0].removeprefix("# ")
    file.parent.mkdir()
    file.write_text(code)
    lines = [line for block in blocks(README, "sh") for line in block.splitlines() if line not in (START, TEST)]

    done = {line: shell(line, tmp_path) for line in lines}

    assert {line: each.stderr for line, each in done.items() if each.returncode} == {}
    assert "ben: read approved by ana" in done[lines[-1]].stdout
    assert (tmp_path / "inbox" / "ana.html").read_text() == "<p>Dear Ana, the loom is yours on Friday.\n</p>"
    assert not (tmp_path / "inbox" / "ben.html").exists()


def keys_of(value: Any) -> Any:
    """The names in a JSON value, at any depth; of a list the names in its first entry."""
    if isinstance(value, dict):
        return {key: keys_of(each) for key, each in value.items()}
    if isinstance(value, list):
        return [keys_of(value[0])] if value else []
    return None


FLOW = """
from treadle_tui.engine import NeedsReview, ReviewData, Workflow
flow = Workflow("licences")
@flow.source
def one(environment: str = ""):
    yield {"id": "click 8.5.1"}
@flow.stage
def metadata(item): return {}
@flow.stage
def judge(metadata): return NeedsReview({}, ReviewData("licence unknown"))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each verb really prints, by the heading under which docs/command-line.md shows it."""
    folder = tmp_path_factory.mktemp("answers")
    (folder / "workflows").mkdir()
    (folder / "workflows" / "flow.py").write_text(FLOW)
    (folder / "workflows" / "broken.py").write_text("def (")

    def ask(words: str) -> str:
        done = shell(f".venv/bin/treadle-tui --db work.db {words} --json", folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    found: dict[str, Any] = {"add": json.loads(ask("add licences")), "run": json.loads(ask("run --until idle"))}
    found |= {verb: json.loads(ask(verb)) for verb in ("list", "reviews", "workflows", "info")}
    found["new"] = json.loads(ask("new ours"))
    found["check"] = json.loads(shell(".venv/bin/treadle-tui check workflows --json", folder).stdout)
    found["show"] = json.loads(ask("show 'click 8.5.1'"))
    found["events"] = next(json.loads(line) for line in ask("events").splitlines() if "StageCompleted" in line)
    found["approve, reject"] = json.loads(ask("reject 'click 8.5.1' --reason no"))
    found["retry"] = json.loads(ask("retry 'click 8.5.1' judge"))
    found |= {verb: json.loads(ask(verb)) for verb in ("graph", "stats")}
    shell(".venv/bin/treadle-tui --db work.db run --until idle", folder)
    found["request-changes"] = json.loads(ask("request-changes 'click 8.5.1' --feedback more"))
    found["rerun"] = json.loads(ask("rerun 'click 8.5.1' metadata"))
    found["pause, resume, cancel, delete"] = json.loads(ask("pause 'click 8.5.1'"))
    found["completion"] = json.loads(ask("completion bash"))
    return found


PAGE = (ROOT / "docs" / "command-line.md").read_text()
SECTIONS = {
    title: json.loads(blocks(text, "json")[0])
    for title, text in re.findall(r"^### (.*?)\n(.*?)(?=^### |\Z)", PAGE, re.DOTALL | re.MULTILINE)
}


VERBS = (
    *("add", "list", "show", "reviews", "approve, reject", "retry", "run", "events", "workflows", "info", "check", "new"),
    *("request-changes", "rerun", "pause, resume, cancel, delete", "graph", "stats", "completion"),
)


@pytest.mark.parametrize("verb", VERBS)
def test_the_json_shown_in_the_docs_has_the_names_of_the_real_one(verb: str, answers: dict[str, Any]) -> None:
    shown, real = SECTIONS[verb], answers[verb]

    assert missing_in(keys_of(real), keys_of(shown)) == []
    assert missing_in(keys_of(shown), keys_of(real)) == []


OPEN = {"workflows", "reviewers", "stages", "attempts", "subtasks", "data", "output", "licences", "details"}
"""Names under which any names may stand: of stages, states, fields of an item."""


def missing_in(wanted: Any, there: Any, path: str = "") -> list[str]:
    """Names of `wanted` that `there` lacks, where both have the same kind of value."""
    if isinstance(wanted, list) and isinstance(there, list):
        return missing_in(wanted[0], there[0], path) if wanted and there else []
    if not isinstance(wanted, dict) or not isinstance(there, dict):
        return []
    if path.rpartition(".")[2] in OPEN:
        return [name for key in set(wanted) & set(there) for name in missing_in(wanted[key], there[key], f"{path}.*")]
    found = [f"{path}.{key}" for key in wanted if key not in there]
    return found + [name for key in set(wanted) & set(there) for name in missing_in(wanted[key], there[key], f"{path}.{key}")]


def test_every_verb_is_in_the_docs() -> None:
    from treadle_tui.cli.verbs import VERBS

    assert {verb for verb in VERBS if f"`{verb}" not in PAGE} == set()
