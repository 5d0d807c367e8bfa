"""What a start does not pay for: verbs import no screen, and help not even an event loop."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from treadle_tui.cli.verbs import VERBS

HEAVY = {"textual", "networkx", "pydantic", "cyclonedx", "hypothesis", "IPython"}
NOT_FOR_HELP = HEAVY | {"rich", "asyncio", "aiosqlite", "msgspec", "sqlite3", "platformdirs"}
RICH_CELLS = {"rich", "rich.cells", "rich._extension", "rich._cell_widths"}
"""How wide a character is: Rich's table of widths, and nothing of what draws."""


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


def test_what_a_program_imports_of_the_engine_brings_along_nothing_it_may_never_need() -> None:
    """Values are records (`engine/record.py`): a dataclass takes half a millisecond to make. The rest is imported where it is used."""
    ordinary = "from treadle_tui.engine import Engine, SqliteStateStore, Workflow, NeedsReview, ReviewData"
    beside = "import aiosqlite, msgspec, sys; before = set(sys.modules)"

    modules = imported_by(f"{beside}; {ordinary}; print('@' + ' '.join(set(sys.modules) - before))")

    seldom = {
        "dataclasses",
        "json",
        "statistics",
        "random",
        "tempfile",
        "shutil",
        "hashlib",
        "difflib",
        "fractions",
        "tomllib",
        "http",
        "unicodedata",
    }
    assert of_packages(modules, seldom | HEAVY) == set()
    parts = {
        "definitions",
        "expressions",
        "testing",
        "runner.process",
        "selection",
        "store.sqlite.selecting",
    }
    assert modules & {f"treadle_tui.engine.{part}" for part in parts} == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([verb, "--help"] for verb in VERBS)], ids=" ".join)
def test_help_imports_little_more_than_click(arguments: list[str]) -> None:
    assert of_packages(imported_by(RUN.format(arguments=arguments)), NOT_FOR_HELP) == set()


FOR_HELP = {
    "treadle_tui",
    "treadle_tui.cli",
    *(f"treadle_tui.cli.{name}" for name in ("main", "verbs", "failures", "invocation", "output")),
}


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        (["--help"], []),
        (["--version"], []),
        (["list", "--help"], [f"treadle_tui.cli.{name}" for name in ("items", "choosing", "completing")]),
    ],
)
def test_help_imports_of_the_program_only_what_it_prints(arguments: list[str], more: list[str]) -> None:
    modules = imported_by(RUN.format(arguments=arguments))

    assert of_packages(modules, {"treadle_tui"}) <= FOR_HELP | set(more)
    assert {module.partition(".")[0] for module in modules} - sys.stdlib_module_names - {"treadle_tui", "click", "org"} == set()


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


VALUES = "errors record feedback review verdict states status clock codec attempt_record"
STORE = "rows shape views sqlite sqlite.file_reading sqlite.questions sqlite.lists sqlite.columns sqlite.folding"
FILE = "sqlite.opening sqlite.complaints sqlite.schema"
LIGHT = {*VALUES.split(), "store", *(f"store.{name}" for name in f"{STORE} {FILE}".split())}
"""What of the engine a verb that only reads may import: values and the questions to the file, nothing that runs anything."""

ALSO = {"list": {"selection", "store.sqlite.selecting"}, "show": {"secrets"}, "events": {"events", "store.event_codec"}}
"""By verb: to choose items, to hide what is secret, and to tell what happened."""


@pytest.mark.parametrize("arguments", [["list"], ["show", "a"], ["reviews"], ["events"], ["events", "--item", "a"]], ids=" ".join)
def test_a_verb_that_only_reads_imports_no_event_loop_and_no_engine(arguments: list[str], database: Path) -> None:
    modules = imported_by(RUN.format(arguments=["--db", str(database), *arguments]))

    assert of_packages(modules, {"asyncio", "aiosqlite", "concurrent", "platformdirs"}) == set()
    prefix = "treadle_tui.engine."
    assert {module.removeprefix(prefix) for module in modules if module.startswith(prefix)} <= LIGHT | ALSO.get(arguments[0], set())
