"""Where workflows come from besides --workflows and workflows/: pyproject.toml, installed packages; and a database without any of them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Call
from treadle_tui.cli.loader import LoadedWorkflows, find_workflows
from treadle_tui.cli.main import run_command_line

FLOW = "from treadle_tui.engine import Workflow\n{name} = Workflow('{name}')\n@{name}.stage\ndef read(item): return {text!r}\n"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A folder for a database; modules imported from it are forgotten afterwards."""
    path, modules = list(sys.path), set(sys.modules)
    (tmp_path / "project").mkdir()
    yield tmp_path / "project"
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith(("ourflows", "offered")):
            del sys.modules[name]


def found(project: Path) -> LoadedWorkflows:
    return find_workflows(project / "work.db").load()


def test_a_project_names_files_folders_and_modules_relative_to_itself(project: Path) -> None:
    (project / "pipelines").mkdir()
    (project / "pipelines" / "first.py").write_text(FLOW.format(name="first", text="x"))
    (project / "ourflows.py").write_text(FLOW.format(name="second", text="x"))
    (project / "third.toml").write_text('[stages.a]\nshell = ["true"]\n')
    (project / "pyproject.toml").write_text('[tool.treadle]\nworkflows = ["pipelines", "ourflows:second", "third.toml"]\n')

    loaded = found(project)

    assert [each.name for each in loaded.workflows][:3] == ["first", "second", "third"]
    assert loaded.problems == []


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('[tool.treadle]\nworkflow = ["x"]\n', 2, "tool.treadle, workflow: unknown key; did you mean 'workflows'?"),
        ("[tool.treadle]\nworkflows = 3\n", 2, "tool.treadle, workflows: must be a list of paths and module:attr"),
        ('[tool.treadle]\nworkflows = ["nowhere"]\n', None, "there is no nowhere; give a file, a folder, or module:attr"),
        ("[tool.treadle\n", None, "no TOML"),
        ("[tool]\ntreadle = 3\n", 2, "tool.treadle must be a table"),
    ],
)
def test_a_mistake_in_the_project_file_is_a_problem_and_the_rest_is_found(project: Path, text: str, line: int | None, says: str) -> None:
    (project / "pyproject.toml").write_text(text)

    loaded = found(project)

    (problem,) = loaded.problems
    assert (problem.path, problem.line) == (str(project / "pyproject.toml"), line)
    assert says in problem.message
    assert "licences" in [each.name for each in loaded.workflows]


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
@pytest.mark.parametrize("place", [".", "pyproject.toml"])
def test_nothing_is_run_that_everybody_could_have_named(project: Path, place: str) -> None:
    (project / "pyproject.toml").write_text('[tool.treadle]\nworkflows = ["evil.py"]\n')
    (project / "evil.py").write_text("raise SystemExit('run')")
    (project / place).chmod(0o777)

    (problem,) = found(project).problems

    assert problem.message.startswith("everybody may write there, so nothing it names is run")


def test_a_project_file_of_the_current_directory_is_not_read(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.treadle]\nworkflows = ["evil.py"]\n')
    (project / "evil.py").write_text("raise SystemExit('run')")
    monkeypatch.chdir(project)

    loaded = find_workflows(tmp_path / "work.db").load()

    assert loaded.problems == []


def install(site: Path, name: str, entry_points: str, module: str) -> None:
    """A package as pip leaves it: a module, and metadata with entry points."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[treadle.workflows]\n{entry_points}\n")
    (site / f"{name}.py").write_text(module)


def test_installed_packages_offer_workflows_and_give_way_to_ones_own(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    install(site, "offered_one", "papers = offered_one:papers", FLOW.format(name="papers", text="theirs"))
    install(site, "offered_two", "all = offered_two", FLOW.format(name="books", text="x"))
    install(site, "offered_three", "broken = offered_three:flow", "import nowhere_to_be_found\n")
    monkeypatch.syspath_prepend(site)
    (project / "workflows").mkdir()
    (project / "workflows" / "papers.py").write_text(FLOW.format(name="papers", text="mine"))

    loaded = found(project)

    assert loaded.origin("papers") == str(project / "workflows" / "papers.py")
    assert loaded.origin("books") == "offered_two:books"
    (problem,) = loaded.problems
    assert (problem.path, "nowhere_to_be_found" in problem.message) == ("offered_three:flow", True)


def test_a_copied_database_is_read_and_reviewed_without_its_code(
    worked: Call, db: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    copy = tmp_path / "elsewhere" / "copied.db"
    assert worked("backup", str(copy)).code == 0
    shutil.rmtree(db.parent / "workflows")

    def ask(*words: str) -> str:
        capsys.readouterr()
        assert run_command_line(["--db", str(copy), *words], lambda *_: 0) == 0
        return capsys.readouterr().out

    assert "doubtful" in ask("list")
    assert "fit to print?" in ask("reviews")
    assert "after read, sources" in ask("graph")
    assert ask("approve", "doubtful") == "doubtful: publish approved by ana\n"
    assert "publish approved" in ask("events").replace("review resolved: ", "publish ") or "approve by ana" in ask("events")
    assert "papers" in ask("stats")
    assert worked("reviews", "--json").json["total"] == 1, "the original is as it was"
