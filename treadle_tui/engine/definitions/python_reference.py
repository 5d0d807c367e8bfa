"""`python = "module:function"` of a definition file: from installed modules, or from those beside the file."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

from treadle_tui.engine.definitions.section import Section
from treadle_tui.engine.errors import nearest


def find_function(section: Section, key: str, folder: str) -> Callable[..., Any]:
    """The function a key of the section names; modules beside the file count as installed ones.

    Raises: `InvalidDefinition` naming file, line, stage and what is missing.
    """
    reference = section.string(key) or ""
    module_name, colon, path = reference.partition(":")
    if not colon or not module_name or not all(part.isidentifier() for part in [*module_name.split("."), *path.split(".")]):
        raise section.error(key, f"{reference!r} must be written 'module:function'")
    found: Any = _imported(section, key, module_name, folder)
    for name in path.split("."):
        if not hasattr(found, name):
            known = [known for known in vars(found) if not known.startswith("_")] if hasattr(found, "__dict__") else []
            raise section.error(key, f"{module_name!r} has no {name!r}; {nearest(name, known)}")
        found = getattr(found, name)
    if not callable(found):
        raise section.error(key, f"{reference!r} is of type {type(found).__name__}, not a function")
    return found  # type: ignore[no-any-return]  # just seen to be callable


def _imported(section: Section, key: str, module_name: str, folder: str) -> Any:
    sys.path.insert(0, folder)
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and module_name.startswith(error.name):
            sentence = f"module {module_name!r} was not found; install it, or put it beside this file"
        else:
            sentence = f"module {module_name!r} cannot be imported: {error}"
        raise section.error(key, sentence) from error
    except Exception as error:  # a module of the user's may raise anything while it is imported
        raise section.error(key, f"module {module_name!r} cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
