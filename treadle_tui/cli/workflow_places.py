"""Where workflows may come from, in which order, and why.

A workflow file is code. It is run only when it was named with `--workflows` or by the `pyproject.toml` beside the database, when it stands
in `workflows/` beside the database, when an installed package offers it, or when it came with the program; never because it happens
to lie in the current directory, and never out of a database.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from treadle_tui.cli.project_file import FILE_NAME, project_file
from treadle_tui.cli.workflow_file import Problem
from treadle_tui.engine.errors import TreadleError

BESIDE = "beside the database"
BUNDLED = "bundled"
"""Why the last place is looked at."""
INSTALLED = "installed packages"
"""Why entry points are looked at."""
GIVES_WAY = (BUNDLED, INSTALLED)
"""What stands there gives way without a word to a workflow of the same name."""
ENTRY_POINTS = "treadle.workflows"
"""The group under which a package offers workflows: `module:attr`, or a module with workflows in it."""
_MODULE_ATTRIBUTE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


class PlaceNotFound(TreadleError):
    """`--workflows` names nothing that exists."""


class Place(NamedTuple):
    """Somewhere workflows may be."""

    kind: Literal["file", "folder", "module", "packages"]
    target: str
    """An absolute path, `module:attr`, or the group of entry points."""
    why: str
    """Why it is looked at, in the words of `treadle-tui workflows`."""
    folder: str = ""
    """For a module: where it may lie besides on Python's path; empty for the current directory."""


def places_for(db: Path | None, extra: Sequence[str] = ()) -> tuple[list[Place], list[Problem]]:
    """Where to look for the workflows of a database, first to last; and what is wrong with those that were named for it.

    Args:
        db: the database. None, or ":memory:": there is no beside.
        extra: what `--workflows` named.

    Raises:
        PlaceNotFound: one of `extra` does not exist.
    """
    places = [_named_place(text) for text in extra]
    problems: list[Problem] = []
    if db is not None and str(db) != ":memory:":
        folder = db.absolute().parent
        project = project_file(folder)
        problems += project.problems
        is_heeded = not (is_everybodys(folder) or is_everybodys(folder / FILE_NAME))
        if project.workflows and not is_heeded:
            message = "everybody may write there, so nothing it names is run; change the permissions, or name it with --workflows"
            problems.append(Problem(str(folder / FILE_NAME), None, message))
        for text in project.workflows if is_heeded else ():
            _add_project_place(text, folder, places, problems)
        places.append(Place("folder", str(folder / "workflows"), BESIDE))
        places += _trusted_places(db)
    places.append(Place("packages", ENTRY_POINTS, INSTALLED))
    places.append(Place("folder", str(bundled_folder()), BUNDLED))
    return places, problems


def is_everybodys(folder: Path) -> bool:
    """Whether any account of the host could have put a file there."""
    try:
        return sys.platform != "win32" and bool(folder.stat().st_mode & 0o002)
    except OSError:
        return False


def _trusted_places(db: Path) -> list[Place]:
    """Folders somebody has allowed for this database."""
    from treadle_tui.cli.trust import trusted_folders

    return [Place("folder", folder, "you allowed it") for folder in trusted_folders(db)]


def _add_project_place(text: str, folder: Path, places: list[Place], problems: list[Problem]) -> None:
    path = folder / text
    if path.exists():
        places.append(Place("folder" if path.is_dir() else "file", str(path.absolute()), FILE_NAME))
    elif _MODULE_ATTRIBUTE.fullmatch(text):
        places.append(Place("module", text, FILE_NAME, str(folder)))
    else:
        message = f"tool.treadle, workflows: there is no {text}; give a file, a folder, or module:attr"
        problems.append(Problem(str(folder / FILE_NAME), None, message))


def bundled_folder() -> Path:
    """Where the workflows that came with the program are: inside the installed package, or in the source tree it runs from."""
    package = Path(__file__).absolute().parent.parent
    installed = package / "bundled"
    return installed if installed.is_dir() else package.parent / "workflows"


def _named_place(text: str) -> Place:
    path = Path(text).expanduser()
    if path.is_dir():
        return Place("folder", str(path.absolute()), "--workflows")
    if path.exists():
        return Place("file", str(path.absolute()), "--workflows")
    if _MODULE_ATTRIBUTE.fullmatch(text):
        return Place("module", text, "--workflows")
    raise PlaceNotFound(f"--workflows {text}: no such file or folder; give a .py, .toml or .json file, a folder of them, or module:attr")
