"""How a child process finds the stage it is to run: the workflow's file or module again, under the name it had, and the names.

Knows nothing of the loader: a module that cannot be imported by its name is run from its file, under that very name, and the files
beside it are its siblings when the name is a dotted one. A script is run as something else than `__main__`, so that what stands
under `if __name__ == "__main__":` does not happen again.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

from treadle_tui.engine.errors import StageExecutionError, TreadleError

if TYPE_CHECKING:
    from treadle_tui.engine.workflow import Workflow

MAIN = "__treadle_main__"
"""What a child process calls the module that its parent calls `__main__`."""

_being_loaded: list[str] = []


def refuse_while_loading() -> None:
    """Raise `TreadleError` while a child process is running a workflow file to find its stage in it.

    A script that drives an engine at its top level would otherwise start the whole program once more in every child.
    """
    if _being_loaded:
        raise TreadleError(
            f"{_being_loaded[0]} runs an engine whenever it is imported, and a stage with isolation='process' imports it in a process of"
            ' its own; put what drives the engine under `if __name__ == "__main__":`'
        )


@contextmanager
def _loading(file: str) -> Iterator[None]:
    _being_loaded.append(file)
    try:
        yield
    finally:
        _being_loaded.pop()


def main_module_name(package: str) -> str:
    """What the parent's `__main__` is called here; `package` is the one it belongs to, if any."""
    return f"{package}.{MAIN}" if package else MAIN


def find_workflow(module: str, file: str, package: str, workflow: str) -> Workflow:
    """The workflow of that name, loaded from its definition file, or from its module.

    Raises: `StageExecutionError` when there is none any more, and what the file raises when it is run.
    """
    if not module:
        from treadle_tui.engine.definitions.loading import load_definition

        return load_definition(file)
    with _loading(file or module):
        loaded = _module(module, file, package)
    return _workflow_in(loaded, workflow, file or module)


def _workflow_in(module: ModuleType, name: str, where: str) -> Workflow:
    from treadle_tui.engine.workflow import Workflow

    for value in list(vars(module).values()):
        if isinstance(value, Workflow) and value.name == name:
            return value
    raise StageExecutionError(
        name,
        f"{where} has no workflow {name!r} when it is imported in a process of its own, as isolation='process' needs;"
        " assign it to a name of the module",
    )


def _module(name: str, file: str, package: str) -> ModuleType:
    if name == "__main__":
        if package:
            importlib.import_module(package)
        module = _run(main_module_name(package), file)
        sys.modules["__main__"] = module
        return module
    if not file or _is_importable(name, file):
        return importlib.import_module(name)
    _make_packages(name, file)
    return _run(name, file)


def _is_importable(name: str, file: str) -> bool:
    """Whether importing the name leads to that file."""
    from importlib.util import find_spec

    try:
        spec = find_spec(name)
        return spec is not None and spec.origin is not None and os.path.samefile(spec.origin, file)
    except (ImportError, AttributeError, ValueError, OSError):  # a parent that is none, or a file that is gone
        return False


def _make_packages(name: str, file: str) -> None:
    """Stand-ins for the packages a dotted name begins with, the innermost of which holds the files beside this one."""
    from importlib.util import module_from_spec

    parts = name.split(".")[:-1]
    for count in range(1, len(parts) + 1):
        package = ".".join(parts[:count])
        if package in sys.modules:
            continue
        spec = importlib.machinery.ModuleSpec(package, None, is_package=True)
        spec.submodule_search_locations = [os.path.dirname(file)] if count == len(parts) else []
        sys.modules[package] = module_from_spec(spec)


def _run(name: str, file: str) -> ModuleType:
    """The module of a file, run under this name. Its source is compiled anew: a cached one cannot tell two edits of one second apart."""
    from importlib.util import module_from_spec, spec_from_file_location

    already = sys.modules.get(name)
    if already is not None:
        return already
    spec = spec_from_file_location(name, file, loader=importlib.machinery.SourceFileLoader(name, file))
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    with open(file, "rb") as source:
        code = compile(source.read(), file, "exec", dont_inherit=True)
    exec(code, module.__dict__)
    return module
