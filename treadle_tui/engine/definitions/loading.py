"""Workflows from files: TOML, and JSON of the same structure or as a list of steps.

This module reads and parses; what a file says is the business of its neighbours: `items`, `stages`, `gates`, and `steps` for step lists.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from treadle_tui.engine.definitions.items import item_class, item_source
from treadle_tui.engine.definitions.policies import limits_of
from treadle_tui.engine.definitions.section import DefinitionText, Section, json_line_of, json_lines, located, toml_lines
from treadle_tui.engine.definitions.stages import add_stages
from treadle_tui.engine.definitions.steps import Actions, add_steps
from treadle_tui.engine.errors import DagCycle, DefinitionError, InvalidDefinition
from treadle_tui.engine.origin import Origin
from treadle_tui.engine.workflow import Workflow

_KEYS = ("name", "item", "source", "stages", "limits", "backfill", "$schema")
_SUFFIXES = (".toml", ".json")
_TOML_PLACE = re.compile(r" ?\(at line (\d+), column (\d+)\)$")


def load_definition(path: str | os.PathLike[str], actions: Actions | None = None) -> Workflow:
    """The workflow a file describes, built and checked.

    `actions` maps the names in a step list to callables of `(item, ctx)`, plain or async; an unknown name does nothing.

    Raises: `DefinitionError` naming file, line where known, stage and field; further mistakes of the file are in its `also`.
    """
    file = Path(path)
    _check_actions(actions or {})
    document = _parsed(file)
    workflow = document.going_on(lambda: _read_workflow(document, file, actions or {}), None)
    if workflow is None or document.text.mistakes:
        first, *rest = document.text.mistakes
        first.also = tuple(rest)
        raise first
    workflow.origin = Origin.of_file(file)
    try:
        return workflow.build()
    except DefinitionError as error:
        raise located(error, _where(document, error)) from error


def _read_workflow(document: Section, file: Path, actions: Actions) -> Workflow | None:
    if "steps" not in document.values:
        return _from_stages(document, file)
    workflow = Workflow(document.going_on(lambda: _name(document, file), file.stem))
    add_steps(workflow, document, actions)
    return workflow


def _where(document: Section, error: DefinitionError) -> str:
    """The place of a mistake that is only seen in the whole: of a circle, the dependency that closes it."""
    if not isinstance(error, DagCycle):
        return document.text.file
    first, last = error.cycle[0], error.cycle[-1]
    if "steps" in document.values:
        place = [step["id"] for step in document.values["steps"]].index(first)
        return Section(document.text, {}, ("steps", place), f"step {first!r}").where("depends_on")
    stage = Section(document.text, document.values["stages"][first], ("stages", first), f"stage {first!r}")
    return stage.where("after" if last in stage.strings("after") else None)


def _from_stages(document: Section, file: Path) -> Workflow:
    document.check_keys(_KEYS)
    document.going_on(lambda: document.string("$schema"), None)
    name = document.going_on(lambda: _name(document, file), file.stem)
    if not document.values.get("stages"):
        raise document.missing(("stages", "steps"), "has no stages; give at least one table [stages.name], or a list `steps`")
    item = item_class(document)
    workflow = Workflow(name, item, backfill=document.going_on(lambda: document.boolean("backfill"), False))
    source = document.going_on(lambda: item_source(document, item), None)
    if source is not None:
        workflow.source(source)
    fields = None if item is None else [field.name for field in dataclasses.fields(item) if field.name != "id"]
    add_stages(workflow, document, str(file.absolute().parent), fields)
    limits_of(document, workflow)
    return workflow


def _name(document: Section, file: Path) -> str:
    return document.string("name") or file.stem


def _check_actions(actions: Actions) -> None:
    given: Any = actions
    if not isinstance(given, Mapping) or not all(callable(action) for action in given.values()):
        raise InvalidDefinition(f"actions={given!r} must map names to callables of (item, ctx)")


def _parsed(file: Path) -> Section:
    if file.suffix not in _SUFFIXES:
        raise InvalidDefinition(f"{file}: a definition is a .toml or .json file, not {file.suffix or 'one without a suffix'!r}")
    text = _read(file)
    values, lines = (_toml if file.suffix == ".toml" else _json)(file, text)
    if not isinstance(values, dict):
        raise InvalidDefinition(f"{file}: a definition is a table with `name` and `stages` or `steps`, not a {type(values).__name__}")
    return Section(DefinitionText(str(file), lines), values)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidDefinition(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidDefinition(f"{file}: is no UTF-8 text (byte {error.start}); save it as UTF-8") from error


def _toml(file: Path, text: str) -> tuple[Any, dict[Any, int]]:
    try:
        return tomllib.loads(text), toml_lines(text)
    except tomllib.TOMLDecodeError as error:
        told = _TOML_PLACE.search(str(error))
        line, column = (told[1], f" (column {told[2]})") if told else (text.count("\n", 0, len(text.rstrip())) + 1, "")
        what = str(error)[: told.start()] if told else str(error)
        raise InvalidDefinition(f"{file}, line {line}: no TOML: {what}{column}") from error
    except RecursionError as error:
        raise InvalidDefinition(f"{file}: no TOML: nested too deeply") from error


def _json(file: Path, text: str) -> tuple[Any, dict[Any, int]]:
    try:
        values = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except _Refused as refused:
        raise InvalidDefinition(f"{file}, line {refused.line_in(text)}: {refused}") from None
    except json.JSONDecodeError as error:
        raise InvalidDefinition(f"{file}, line {error.lineno}: no JSON: {error.msg} (column {error.colno})") from error
    except RecursionError as error:
        raise InvalidDefinition(f"{file}: no JSON: nested too deeply") from error
    return values, json_lines(text)


class _Refused(Exception):
    """What JSON allows, or Python's reader does, and a definition does not."""

    def __init__(self, sentence: str, word: str, is_key: bool) -> None:
        super().__init__(sentence)
        self._word, self._is_key = word, is_key

    def line_in(self, text: str) -> int:
        """The line of the second such key of one table, or of the first such word."""
        return json_line_of(text, self._word, self._is_key)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise _Refused(f"the key {key!r} appears twice in one table; leave one out", key, is_key=True)
        values[key] = value
    return values


def _no_number(name: str) -> Any:
    raise _Refused(f"{name} is no JSON number", name, is_key=False)
