"""What a start does not pay for: verbs import no screen, and help not even an event loop."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"textual", "networkx", "pydantic", "cyclonedx", "hypothesis", "IPython"}
NOT_FOR_HELP = HEAVY | {"rich", "asyncio", "aiosqlite", "msgspec", "sqlite3", "platformdirs"}
RICH_CELLS = {"rich", "rich.cells", "rich._extension", "rich._cell_widths"}
"""How wide a character is: Rich's table of widths, and nothing of what draws."""

VERBS = ("add", "run", "list", "show", "reviews", "approve", "reject", "retry", "events", "workflows", "info", "backup", "retain", "share")

RUN = """
import sys
before = set(sys.modules)
from treadle_tui.cli.main import run_command_line
code = run_command_line({arguments!r}, None)
print("\\n@" + " ".join(sorted(set(sys.modules) - before)))
sys.exit(code)
"""


def imported_by(code: str, cwd: Path | None = None) -> set[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=cwd, env=environment)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("@")[2].split())


def of_packages(modules: set[str], packages: set[str]) -> set[str]:
    return {module for module in modules if module.partition(".")[0] in packages}


def test_importing_the_engine_imports_no_screen() -> None:
    code = "import sys; before = set(sys.modules); import treadle_tui.engine; print('@' + ' '.join(set(sys.modules) - before))"

    assert of_packages(imported_by(code), HEAVY | {"rich", "click"}) == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([verb, "--help"] for verb in VERBS)], ids=" ".join)
def test_help_imports_little_more_than_click(arguments: list[str]) -> None:
    assert of_packages(imported_by(RUN.format(arguments=arguments)), NOT_FOR_HELP) == set()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hygiene")
    (folder / "workflows").mkdir()
    (folder / "workflows" / "papers.py").write_text(
        "from treadle_tui.engine import Workflow\n"
        "papers = Workflow('papers')\n"
        "@papers.source\n"
        "def two():\n    yield {'id': 'a'}\n    yield {'id': 'b'}\n"
        "@papers.stage\n"
        "def read(item): return 1\n"
    )
    imported_by(RUN.format(arguments=["--db", "work.db", "add", "papers"]), cwd=folder)
    return folder / "work.db"


@pytest.mark.parametrize(
    "arguments", [["list"], ["show", "a"], ["reviews"], ["events"], ["info"], ["workflows"], ["run", "--until", "idle"]], ids=" ".join
)
def test_a_verb_imports_no_screen(arguments: list[str], database: Path) -> None:
    modules = imported_by(RUN.format(arguments=["--db", str(database), *arguments]))

    assert of_packages(modules, HEAVY) == set()
    drawing = {module for module in of_packages(modules, {"rich"}) - RICH_CELLS if not module.startswith("rich._unicode_data")}
    assert drawing == set()


VALUES = "errors record feedback review verdict states status selection clock codec attempt_record"
STORE = "rows shape views sqlite sqlite.file_reading sqlite.questions sqlite.lists sqlite.selecting sqlite.columns"
FILE = "sqlite.opening sqlite.complaints sqlite.schema"
LIGHT = {*VALUES.split(), "store", *(f"store.{name}" for name in f"{STORE} {FILE}".split())}
"""What of the engine a verb that only reads may import: values and the questions to the file, nothing that runs anything."""

ALSO = {"show": {"secrets"}, "events": {"events", "store.event_codec"}}
"""By verb: to hide what is secret, and to tell what happened."""


@pytest.mark.parametrize("arguments", [["list"], ["show", "a"], ["reviews"], ["events"], ["events", "--item", "a"]], ids=" ".join)
def test_a_verb_that_only_reads_imports_no_event_loop_and_no_engine(arguments: list[str], database: Path) -> None:
    modules = imported_by(RUN.format(arguments=["--db", str(database), *arguments]))

    assert of_packages(modules, {"asyncio", "aiosqlite", "concurrent", "platformdirs"}) == set()
    prefix = "treadle_tui.engine."
    assert {module.removeprefix(prefix) for module in modules if module.startswith(prefix)} <= LIGHT | ALSO.get(arguments[0], set())
