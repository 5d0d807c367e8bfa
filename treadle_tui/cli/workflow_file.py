"""Runs one workflow file, and says what it defines or where it is wrong.

A workflow file is code of its own: it is run under a private module name, so nothing of the program and no other workflow can be
shadowed by it or collide with it. The files beside it are its siblings: `from . import shared` finds `shared.py` in the same
folder, also later, while a stage runs. The folder is never put on `sys.path`, where a `json.py` in it would become everybody's.

Knows nothing of where files are looked for; see `loader`.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple

PACKAGE_PREFIX = "treadle_workflows_"
"""The private package of a folder is called this, and a digest of the folder's path."""


class Problem(NamedTuple):
    """Something that kept a workflow from being loaded."""

    path: str
    """The file, folder or `module:attr` it is about."""
    line: int | None
    """The line in that file; None when it is about no line."""
    message: str

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.message}"


class FileProblem(Exception):
    """A file could not be run; `problem` says why and where."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


class _FreshLoader(importlib.machinery.SourceFileLoader):
    """Always compiles what stands in the file: a `.pyc` cannot tell two edits within one second apart."""

    def get_code(self, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def module_name(path: Path) -> str:
    """The private name under which a workflow file is imported; the same in every process."""
    stem = path.stem
    if not stem.isidentifier():
        readable = "".join(letter if letter.isalnum() else "_" for letter in stem)
        stem = f"{readable}_{_digest(stem)[:8]}"
    return f"{_package_name(path.parent)}.{stem}"


def run_file(path: Path) -> ModuleType:
    """The module of a workflow file, run now unless a sibling has imported it already.

    Raises:
        FileProblem: it cannot be read or compiled, or raised while it ran.
    """
    name = module_name(path)
    already = sys.modules.get(name)
    if already is not None:
        return already
    package = _package_of(path.parent)
    spec = importlib.util.spec_from_file_location(name, path, loader=_FreshLoader(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        sys.modules.pop(name, None)
        raise
    except BaseException as error:  # SystemExit as well: a script that calls sys.exit() must not end the program
        sys.modules.pop(name, None)
        raise FileProblem(_problem_of(path, error)) from error
    setattr(package, name.rpartition(".")[2], module)
    return module


def line_of_name(path: Path, name: str) -> int | None:
    """The line on which a module assigns `name` at its top level; None when it cannot be told."""
    import ast

    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return node.lineno
    return None


def error_words(error: BaseException) -> str:
    """An exception as one line: its kind and what it says."""
    said = " ".join(str(error).split())
    kind = type(error).__name__
    return f"{kind}: {said}" if said else kind


def deepest_line(error: BaseException, folder: Path) -> tuple[str, int] | None:
    """The innermost place within `folder` that the exception passed through, as file and line; None when it passed through none."""
    import traceback

    inside = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if Path(frame.f_code.co_filename).parent == folder
    ]
    return inside[-1] if inside else None


def _problem_of(path: Path, error: BaseException) -> Problem:
    if isinstance(error, OSError) and error.filename == str(path):
        return Problem(str(path), None, f"cannot be read: {error.strerror or error}")
    if isinstance(error, SyntaxError) and error.filename is not None:
        return Problem(error.filename, error.lineno, f"{type(error).__name__}: {error.msg}")
    file, line = deepest_line(error, path.parent) or (str(path), None)
    return Problem(file, line, error_words(error) + _sibling_hint(path, error))


def _sibling_hint(path: Path, error: BaseException) -> str:
    """A file beside it is imported relatively; somebody who wrote a plain `import` is told so."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return ""
    top = error.name.partition(".")[0]
    if (path.parent / f"{top}.py").is_file():
        return f" (a file in the same folder is imported with `from . import {top}`)"
    return ""


def _package_name(folder: Path) -> str:
    return PACKAGE_PREFIX + _digest(str(folder))[:12]


def _digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def _package_of(folder: Path) -> ModuleType:
    """The private package whose submodules are the files of `folder`; it runs no code of its own."""
    name = _package_name(folder)
    package = sys.modules.get(name)
    if package is None:
        spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
        package = importlib.util.module_from_spec(spec)
        sys.modules[name] = package
    return package
