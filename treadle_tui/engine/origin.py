"""Where a workflow was made, so that another process can find it again.

A child process gets no objects: it is told a module or a file, and a workflow's name. What was made inside a function, at a prompt
or in text that was executed cannot be found that way, and `isolation="process"` is refused at once rather than at the first item.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

import msgspec

_ENGINE = "treadle_tui.engine"


class Place(msgspec.Struct, frozen=True, eq=False):
    """A module that may hold the workflow."""

    module: str
    file: str | None
    """Absolute path; None at a prompt or in executed text."""
    names: Mapping[str, Any]
    """The module's global names, as they are now."""

    def __repr__(self) -> str:
        return f"<place {self.module} {self.file}>"


class Origin:
    """The module and file a workflow was made in."""

    def __init__(self, places: tuple[Place, ...], definition_file: str | None = None) -> None:
        self._places = places
        self.definition_file = definition_file
        """The .toml or .json file it was loaded from; None for one written in Python."""

    @classmethod
    def of_file(cls, file: str | os.PathLike[str]) -> Origin:
        """Of a workflow loaded from a .toml or .json file, which every process can load again."""
        return cls((), os.path.abspath(file))

    def __repr__(self) -> str:
        return f"<origin {self.module} {self.file}>"

    @property
    def module(self) -> str | None:
        """Name of the module; None for a definition file."""
        return None if self.definition_file else self._places[0].module

    @property
    def file(self) -> str | None:
        """Absolute path of the module's file, or of the definition file; None at a prompt or in executed text."""
        return self.definition_file or self._places[0].file

    def locate(self, workflow: Any) -> Origin | None:
        """The origin whose module holds this very workflow under some name.

        Also while that module is still being executed, when it may yet get its name. None when it cannot be found again.
        """
        if self.definition_file:
            return self
        for place in self._places:
            if place.file is not None and any(value is workflow for value in list(place.names.values())):
                return Origin((place,))
        for place in self._places:
            if place.file is not None and _is_being_executed(place, must_be_import=place is not self._places[0]):
                return Origin((place,))
        return None


def origin_of_caller() -> Origin:
    """The nearest frame outside the engine, and the module-level frame that led to it (of a workflow made by a factory)."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_engine(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    if frame is None:
        return Origin((Place("__main__", None, {}),))
    places = [_place(frame)]
    while frame is not None and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    if frame is not None and frame.f_globals is not places[0].names:
        places.append(_place(frame))
    return Origin(tuple(places))


def _is_engine(module: str) -> bool:
    return module == _ENGINE or module.startswith(f"{_ENGINE}.")


def _place(frame: FrameType) -> Place:
    path = frame.f_globals.get("__file__") or frame.f_code.co_filename
    is_file = isinstance(path, str) and os.path.isfile(path)
    return Place(frame.f_globals.get("__name__", "__main__"), os.path.abspath(path) if is_file else None, frame.f_globals)


def _is_being_executed(place: Place, *, must_be_import: bool) -> bool:
    """Whether the module's own code is on the stack. `must_be_import`: not as the program, which is, and led to everything."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_globals is place.names:
            return not must_be_import or _is_called_by_import(frame)
        frame = frame.f_back
    return False


def _is_called_by_import(frame: FrameType) -> bool:
    """Whether the import system is right behind the frame, a loader of somebody's own in between at most."""
    behind = frame.f_back
    for _ in range(3):
        if behind is None:
            return False
        if behind.f_code.co_filename.startswith("<frozen importlib"):
            return True
        behind = behind.f_back
    return False
