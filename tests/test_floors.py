"""The floors of the house: a file imports from its own floor or below, and nothing goes round in a circle (docs/architecture.md)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

FLOORS = {
    "treadle_tui": 0,
    "treadle_tui.engine": 0,
    "treadle_tui.board": 1,
    "treadle_tui.cli": 1,
    "treadle_tui.demo": 1,
    "treadle_tui.widgets": 2,
    "treadle_tui.themes": 2,
    "treadle_tui.keymap": 2,
    "treadle_tui.screens": 3,
    "treadle_tui.__main__": 5,
}
"""The floor of a module is that of the longest name here that it starts with."""

APP = 4
"""The floor of every other file right under treadle_tui/: the app, and what it consists of."""

FORBIDDEN = {
    "treadle_tui.engine": {"textual", "rich", "click"},
    "treadle_tui.board": {"textual", "click"},
    "treadle_tui.cli": {"textual"},
    "treadle_tui.demo": {"textual", "rich", "click"},
}
"""What must not be imported there, not even within a function."""


@dataclass(frozen=True)
class Import:
    """One imported module, and when it is imported."""

    module: str
    line: int
    at_start: bool
    """When the importing file is imported; not for type checkers only, not inside a function."""


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted((ROOT / "treadle_tui").rglob("*.py"))}


def imports_of(path: Path, name: str) -> list[Import]:
    return list(_walk(ast.parse(path.read_bytes()).body, name, path.name == "__init__.py", at_start=True))


def _walk(body: list[ast.stmt], name: str, is_package: bool, *, at_start: bool) -> Iterator[Import]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, at_start) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (Import(module, node.lineno, at_start) for module in _targets(node, name, is_package))
        else:
            later = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or _is_for_type_checkers(node)
            for field in ("body", "orelse", "finalbody", "handlers", "cases"):
                inner = list(getattr(node, field, []))
                yield from _walk(inner, name, is_package, at_start=at_start and not (later and field == "body"))


def _targets(node: ast.ImportFrom, name: str, is_package: bool) -> list[str]:
    base = node.module or ""
    if node.level:
        parents = name.split(".")
        keep = len(parents) - node.level + (1 if is_package else 0)
        base = ".".join([*parents[:keep], *([node.module] if node.module else [])])
    return [f"{base}.{alias.name}" if f"{base}.{alias.name}" in FILES else base for alias in node.names]


def _is_for_type_checkers(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def floor_of(name: str) -> int:
    place = name
    while place not in FLOORS:
        place = place.rpartition(".")[0]
    return APP if place == "treadle_tui" and name != place else FLOORS[place]


@pytest.mark.parametrize("name", FILES)
def test_a_file_imports_from_its_own_floor_or_below(name: str) -> None:
    own = floor_of(name)

    climbing = [
        f"line {each.line}: {each.module} (floor {floor_of(each.module)})"
        for each in imports_of(FILES[name], name)
        if each.module in FILES and floor_of(each.module) > own
    ]

    assert climbing == [], f"{name} is on floor {own}"


@pytest.mark.parametrize("name", FILES)
def test_a_floor_does_not_import_what_it_must_not_know(name: str) -> None:
    forbidden = {top for place, tops in FORBIDDEN.items() if name == place or name.startswith(f"{place}.") for top in tops}

    found = [f"line {each.line}: {each.module}" for each in imports_of(FILES[name], name) if each.module.partition(".")[0] in forbidden]

    assert found == []


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    graph = {
        name: {each.module for each in imports_of(path, name) if each.at_start and each.module in FILES and each.module != name}
        for name, path in FILES.items()
    }

    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(reversed(error.args[1])))


def test_the_package_root_imports_nothing() -> None:
    assert imports_of(FILES["treadle_tui"], "treadle_tui") == []


def test_only_the_progress_bar_of_the_command_line_imports_rich() -> None:
    importing = {
        name
        for name, path in FILES.items()
        if name.startswith("treadle_tui.cli") and any(each.module.partition(".")[0] == "rich" for each in imports_of(path, name))
    }

    assert importing == {"treadle_tui.cli.progress"}


@pytest.mark.parametrize("path", sorted((ROOT / "workflows").glob("*.py")), ids=lambda path: path.name)
def test_a_workflow_knows_only_the_engine(path: Path) -> None:
    ours = {each.module for each in imports_of(path, path.stem) if each.module.partition(".")[0] == "treadle_tui"}

    assert ours <= {"treadle_tui.engine"}
