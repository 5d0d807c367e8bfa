"""What `[tool.treadle]` of a `pyproject.toml` beside the database says about where workflows are.

Only the one beside the database is read, for the same reason for which only `workflows/` beside it is looked at: what lies in the
current directory by chance must not be run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from treadle_tui.cli.workflow_file import Problem

FILE_NAME = "pyproject.toml"
_KEYS = ("workflows",)


class ProjectFile(NamedTuple):
    """The places a project names, and what is wrong with how it names them."""

    folder: Path
    workflows: Sequence[str] = ()
    """Paths relative to the folder, or `module:attr`."""
    problems: Sequence[Problem] = ()


def project_file(folder: Path) -> ProjectFile:
    """What the file in this folder says; nothing when there is none, or no table of ours in it."""
    path = folder / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return ProjectFile(folder)
    except UnicodeDecodeError:
        return ProjectFile(folder)
    if "treadle" not in text:
        return ProjectFile(folder)  # most are not ours, and parsing takes longer than looking
    import tomllib

    try:
        table = tomllib.loads(text).get("tool", {}).get("treadle")
    except (tomllib.TOMLDecodeError, AttributeError, RecursionError) as error:
        return ProjectFile(folder, problems=[Problem(str(path), None, f"no TOML: {error}")])
    return ProjectFile(folder) if table is None else _checked(folder, path, text, table)


def _checked(folder: Path, path: Path, text: str, table: Any) -> ProjectFile:
    from treadle_tui.engine.errors import nearest

    if not isinstance(table, dict):
        return ProjectFile(folder, problems=[Problem(str(path), _line(text, "treadle"), "tool.treadle must be a table")])
    problems = [
        Problem(str(path), _line(text, key), f"tool.treadle, {key}: unknown key; {nearest(key, _KEYS)}")
        for key in table
        if key not in _KEYS
    ]
    named = table.get("workflows", [])
    named = [named] if isinstance(named, str) else named
    if not isinstance(named, list) or not all(isinstance(each, str) and each for each in named):
        problems.append(Problem(str(path), _line(text, "workflows"), "tool.treadle, workflows: must be a list of paths and module:attr"))
        named = []
    return ProjectFile(folder, named, problems)


def _line(text: str, key: str) -> int | None:
    """The line of the first key of that name; good enough to point."""
    return next(
        (number for number, line in enumerate(text.splitlines(), 1) if line.strip().lstrip("[").startswith((key, f"tool.{key}"))), None
    )
