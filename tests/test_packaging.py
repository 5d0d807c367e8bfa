"""What is shipped: one wheel, workflows inside the program, licences, and every import declared."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

IMPORT_NAMES = {
    "markdown-it-py": "markdown_it",
    "cyclonedx-python-lib": "cyclonedx",
    "license-expression": "license_expression",
    "packageurl-python": "packageurl",
    "beautifulsoup4": "bs4",
    "scikit-learn": "sklearn",
}
"""Distributions whose import name is not their own, hyphens aside."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as an installer would, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    zipfile.ZipFile(built).extractall(folder / "site")
    return folder / "site"


def test_workflows_travel_inside_the_program_and_never_as_a_package_of_their_own(wheel: Path) -> None:
    tops = sorted(path.name for path in wheel.iterdir())

    assert tops == ["treadle_tui", next(name for name in tops if name.endswith(".dist-info"))]
    assert (wheel / "treadle_tui" / "bundled" / "licences.py").is_file()


def test_the_installed_program_finds_its_own_workflows(wheel: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(wheel)}
    command = [sys.executable, "-m", "treadle_tui", "workflows", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)

    answer = json.loads(done.stdout)
    origins = {each["name"]: each["origin"] for each in answer["workflows"]}
    assert origins["licences"] == str(wheel / "treadle_tui" / "bundled" / "licences.py")
    assert answer["problems"] == []


def test_the_installed_program_copies_its_own_workflows(wheel: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(wheel)}
    command = [sys.executable, "-m", "treadle_tui", "new", "ours", "--from", "documents", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)

    names = {Path(name).name for name in json.loads(done.stdout)["files"]}
    assert names == {path.name for path in (ROOT / "workflows").glob("_documents_*.py")} | {"_extras.py", "ours.py"}


def test_nothing_but_the_program_is_in_the_wheel(wheel: Path) -> None:
    (archive,) = wheel.parent.glob("*.whl")
    names = [Path(name) for name in zipfile.ZipFile(archive).namelist()]

    assert [name for name in names if {"__pycache__", "tests", ".ci"} & set(name.parts) or name.suffix in (".pyc", ".db")] == []
    assert Path("treadle_tui/py.typed") in names


def test_every_style_sheet_is_in_the_wheel(wheel: Path) -> None:
    sheets = {path.relative_to(ROOT) for path in (ROOT / "treadle_tui").rglob("*.tcss")}

    assert {sheet for sheet in sheets if not (wheel / sheet).is_file()} == set()


def test_both_licences_are_in_the_wheel(wheel: Path) -> None:
    names = {path.name for path in wheel.glob("*.dist-info/licenses/*")}

    assert names == {"LICENSE-MIT", "LICENSE-APACHE"}


EXTRAS = ("documents", "media", "moderation")
"""Extras that bring what a workflow imports within the stage that needs it."""


def declared(extras: Sequence[str] = EXTRAS) -> set[str]:
    listed = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    names = [re.split(r"[<>=!~;\[ ]", line)[0] for line in listed]
    return {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names}


def imported() -> set[str]:
    found: set[str] = set()
    for path in [*(ROOT / "treadle_tui").rglob("*.py"), *(ROOT / "workflows").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"treadle_tui"}


OPTIONAL = {"attr", "attrs", "pydantic", "pyperclip", "pytest"}
"""Imported only where somebody else has brought them: item types, a clipboard, the store contract."""


def test_everything_that_is_imported_is_declared() -> None:
    assert imported() - declared() - OPTIONAL == set()


def test_everything_that_is_declared_is_used() -> None:
    assert declared() - imported() == set()


CHECKERS = {"mypy", "ruff", "treadle-tui", "types-networkx"}
"""Of the extra `test`, what no test runs with."""


def test_the_lower_bounds_are_those_that_were_tried() -> None:
    """tests/lowest.txt is the set of versions the tests were run with; raising a bound means trying it."""
    tried = dict(line.split("==") for line in (ROOT / "tests" / "lowest.txt").read_text().splitlines() if line and not line.startswith("#"))
    extras = PROJECT["optional-dependencies"]
    listed = [*PROJECT["dependencies"], *(line for extra in (*EXTRAS, "test") for line in extras[extra])]
    bounds = dict(re.match(r"([\w-]+)(?:>=([\d.]+))?", line).groups() for line in listed)  # type: ignore[union-attr]

    assert tried == {name: bound for name, bound in bounds.items() if name not in CHECKERS}


def test_the_installed_program_shows_its_demonstration_and_leaves_nothing_behind(wheel: Path, tmp_path: Path) -> None:
    pytest.importorskip("pty", reason="pseudo-terminals are of another kind here")
    from tests.acceptance.terminal import Terminal

    (tmp_path / "tmp").mkdir()
    environment = {"PYTHONPATH": str(wheel), "TREADLE_LOG": str(tmp_path / "log"), "TMPDIR": str(tmp_path / "tmp"), "NO_COLOR": "1"}

    with Terminal([sys.executable, "-m", "treadle_tui", "--demo"], tmp_path, environment) as terminal:
        terminal.wait_for(r"demonstration · invoices.*◆ 4\d waiting")
        terminal.press("q")
        assert terminal.wait_for_end() == 0

    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_pip_installs_starts_runs_a_shipped_workflow_and_copies_one(wheel: Path, tmp_path: Path) -> None:
    """As pip, pipx and uvx do it, into a place of its own; what it depends on is taken from here, so that nothing is fetched."""
    (archive,) = wheel.parent.glob("*.whl")
    options = ["--quiet", "--no-index", "--no-deps", "--ignore-installed", "--no-compile", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--prefix", str(tmp_path / "own"), str(archive)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (package,) = (tmp_path / "own").rglob("treadle_tui/__main__.py")
    program = next((tmp_path / "own").rglob("treadle-tui*"))
    environment = {**os.environ, "PYTHONPATH": str(package.parents[1]), "TREADLE_LOG": str(tmp_path / "log")}

    def ask(*words: str) -> str:
        done = subprocess.run([program, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert ask("--version") == f"treadle-tui {importlib.metadata.version('treadle-tui')}\n"
    assert json.loads(ask("--db", "work.db", "add", "diamond", "one", "--json"))["new"] == 1
    assert json.loads(ask("--db", "work.db", "run", "--until", "idle", "--json"))["result"] == "idle"
    assert '"completed"' in ask("--db", "work.db", "show", "one", "--json")
    assert "wrote workflows/ours.py" in ask("new", "ours", "--from", "licences")
    assert json.loads(ask("workflows", "--json"))["problems"] == []
