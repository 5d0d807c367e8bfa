"""Reads the settings: flags over environment over the project's file over the user's file over what is built in.

Nothing that is wrong in a file keeps the program from starting: it is told with file, line and key, and the next place counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from treadle_tui.cli.failures import BadInput
from treadle_tui.cli.settings import FILE_NAME, SETTINGS, Kind, Setting, SettingRefused, Settings, checked, checked_entry

_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
BUILT_IN = "built in"


class Place(NamedTuple):
    """A file that settings may stand in."""

    path: Path
    why: str


class LoadedSettings(NamedTuple):
    """The settings of one run, where each is from, and what was wrong."""

    settings: Settings = Settings()
    sources: Mapping[str, str] = MappingProxyType({})
    """Where a setting is from, by its name; entries of tables by `name.entry`. What is missing is built in."""
    problems: tuple[str, ...] = ()
    """One sentence each."""
    places: tuple[Place, ...] = ()

    def source(self, name: str) -> str:
        """Where a value is from, in words."""
        return self.sources.get(name, BUILT_IN)

    def refused(self, name: str, because: str) -> str:
        """A sentence for a value that turned out, only later, to be one the setting cannot have."""
        return f"{self.source(name)}: {name} {because}"


def settings_places(db: Path | None) -> tuple[Place, ...]:
    """The project's file, then the user's. The project is where the database lies, else the current directory."""
    import platformdirs

    project = Place(Path(FILE_NAME).absolute(), "the current directory")
    if db is not None and str(db) != ":memory:":
        beside = db.absolute().parent / FILE_NAME
        if beside.exists() or not project.path.exists():
            project = Place(beside, "beside the database")
    return project, Place(Path(platformdirs.user_config_dir("treadle-tui", appauthor=False)) / FILE_NAME, "the user's")


def load_settings(db: Path | None = None, flags: Mapping[str, str] | None = None) -> LoadedSettings:
    """What holds for this run. `flags`: values by the setting's name, as they were typed.

    Raises:
        BadInput: a flag names no setting, or a value it cannot have.
    """
    reading = _Reading()
    places = settings_places(db)
    for place in reversed(places):
        reading.take_file(place.path)
    reading.take_environment(os.environ)
    for name, text in (flags or {}).items():
        reading.take_flag(name, text)
    return LoadedSettings(Settings(**reading.values), reading.sources, tuple(reading.problems), places)


class _Reading:
    """Values gathered so far; each place overrides what was taken before."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = {}
        self.problems: list[str] = []

    def take_file(self, path: Path) -> None:
        text = self._text(path)
        if not text:
            return
        import tomllib

        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            self.problems.append(f"{path}: {_decapitalised(str(error))}; nothing of this file is used")
            return
        for keys, value in _leaves(table, ()):
            line = line_of_key(text, keys)
            self._take_key(keys, value, f"{path}:{line}")

    def _text(self, path: Path) -> str:
        try:
            return path.read_bytes().decode()
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except UnicodeDecodeError as error:
            self.problems.append(f"{path}: byte {error.start} is not UTF-8; nothing of this file is used")
        except OSError as error:
            self.problems.append(f"{path}: {error.strerror or error}; nothing of this file is used")
        return ""

    def _take_key(self, keys: tuple[str, ...], value: Any, source: str) -> None:
        found = _find(keys)
        if found is None:
            self.problems.append(f"{source}: {unknown_words('.'.join(keys))}")
            return
        setting, entry = found
        try:
            self._keep(setting, {entry: checked_entry(setting, value)} if entry else checked(setting, value), source)
        except SettingRefused as refused:
            self.problems.append(f"{source}: {'.'.join(keys)} {refused}; {_instead(setting)}")

    def take_environment(self, environment: Mapping[str, str]) -> None:
        for setting in SETTINGS:
            text = environment.get(setting.variable or "", "").strip()
            if not text:
                continue
            try:
                self._keep(setting, checked(setting, _parsed(setting.kind, text)), str(setting.variable))
            except SettingRefused as refused:
                self.problems.append(f"{setting.variable} {refused}; {_instead(setting)}")

    def take_flag(self, name: str, text: str) -> None:
        found = _find(tuple(name.split(".")))
        if found is None:
            raise BadInput(unknown_words(name))
        setting, entry = found
        flag = setting.flag or "--set"
        try:
            if entry:
                self._keep(setting, {entry: checked_entry(setting, _parsed(setting.kind.of_entry, text))}, flag)
            else:
                self._keep(setting, checked(setting, _parsed(setting.kind, text)), flag)
        except SettingRefused as refused:
            raise BadInput(f"{flag}: {name} {refused}") from refused

    def _keep(self, setting: Setting, value: Any, source: str) -> None:
        if not setting.kind.is_table:
            self.values[setting.field] = value
            self.sources[setting.name] = source
            return
        self.values[setting.field] = {**self.values.get(setting.field, {}), **value}
        self.sources.update({f"{setting.name}.{entry}": source for entry in value})


def unknown_words(name: str) -> str:
    """ "no setting is called 'them'; did you mean 'theme'?"."""
    from treadle_tui.engine.errors import nearest

    return f"no setting is called {name!r}; {nearest(name, [setting.name for setting in SETTINGS])}"


def line_of_key(text: str, keys: tuple[str, ...]) -> int:
    """The line on which a key of a valid TOML text is written: the first line without which the text does not hold it yet."""
    import tomllib

    complete = 0
    lines = text.splitlines()
    for number in range(1, len(lines) + 1):
        try:
            table: Any = tomllib.loads("\n".join(lines[:number]))
        except tomllib.TOMLDecodeError:  # in the middle of a value
            continue
        for key in keys:
            table = table.get(key) if isinstance(table, dict) else None
        if table is not None:
            return complete + 1
        complete = number
    return len(lines)


def _leaves(table: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Keys and values; a dot in a key and a table in a table are the same."""
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _find(keys: Iterable[str]) -> tuple[Setting, str] | None:
    """The setting a key is, or is an entry of; and the entry's name."""
    name = ".".join(keys)
    for setting in SETTINGS:
        if setting.name == name:
            return setting, ""
        if setting.kind.is_table and name.startswith(f"{setting.name}."):
            return setting, name[len(setting.name) + 1 :]
    return None


def _parsed(kind: Kind, text: str) -> Any:
    """A value typed outside a file."""
    match kind:
        case Kind.TEXT:
            return text
        case Kind.SWITCH:
            lowered = text.lower()
            return lowered in _YES if lowered in _YES + _NO else text
        case Kind.NUMBER:
            try:
                return float(text)
            except ValueError:
                return text
    return _toml(text)


def _toml(text: str) -> Any:
    import tomllib

    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _instead(setting: Setting) -> str:
    default = "nothing" if setting.default in ("", ()) or setting.kind.is_table else f"{shown(setting.default)}"
    return f"what another place says is used instead, else {default}"


def shown(value: Any) -> str:
    """A value as a file would have it."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
        case tuple():
            return "[" + ", ".join(shown(each) for each in value) + "]"
        case Mapping():
            return "{" + ", ".join(f"{shown(key)} = {shown(each)}" for key, each in value.items()) + "}"
    import json

    return json.dumps(value, ensure_ascii=False)


def _decapitalised(text: str) -> str:
    return text[:1].lower() + text[1:]
