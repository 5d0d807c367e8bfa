"""A table of a definition file that knows where it stands, so that every refusal names file, line, stage and field."""

from __future__ import annotations

import difflib
import functools
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from treadle_tui.engine.errors import DefinitionError, InvalidDefinition, nearest

Path = tuple[str | int, ...]
"""Keys and list positions from the top of the file."""
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class DefinitionText:
    """A file by name, and the lines its keys are on."""

    file: str
    lines: Mapping[Path, int]
    mistakes: list[DefinitionError] = field(default_factory=list)
    """What was found to be wrong while reading went on."""

    def line_of(self, path: Path) -> int | None:
        """The line of the key, or of the nearest table around it that has one."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[:-1]
        return None


class Section:
    """A table, its keys taken one by one and checked as they are."""

    def __init__(self, text: DefinitionText, values: Mapping[str, Any], path: Path = (), label: str = "") -> None:
        self.text = text
        self.values = values
        self.path = path
        self.label = label
        """What a person calls the table: "stage 'resize'"; empty for the whole file."""
        self._meant: set[str] = set()
        """Known keys that unknown ones are slips of."""

    def going_on(self, read: Callable[[], Read], otherwise: Read) -> Read:
        """What is read. A mistake in it is noted, and the other value stands in for it, so that the rest of the file is looked at too."""
        try:
            return read()
        except _ToldAlready:
            pass
        except DefinitionError as error:
            self.note(error)
        return otherwise

    def note(self, error: DefinitionError) -> None:
        """A mistake behind which reading goes on; whoever reads the file raises it at the end."""
        self.text.mistakes.append(error)

    def where(self, key: str | int | None = None) -> str:
        """File, line where known, table and key, ready to begin a sentence."""
        line = self.text.line_of(self.path if key is None else (*self.path, key))
        parts = [self.text.file, f"line {line}" if line else "", self.label, "" if key is None else str(key)]
        return ", ".join(part for part in parts if part)

    def error(self, key: str | int | None, sentence: str) -> InvalidDefinition:
        """An error at one key."""
        return InvalidDefinition(f"{self.where(key)}: {sentence}")

    def missing(self, keys: Iterable[str], sentence: str, key: str | None = None) -> DefinitionError:
        """An error about keys that are not there, unless one that is there is a slip of one of them."""
        return _ToldAlready() if self._meant & set(keys) else self.error(key, sentence)

    def check_keys(self, known: Iterable[str]) -> None:
        """Note every key that is not known, with the nearest that is."""
        known = list(known)
        for key in self.values:
            if key not in known:
                self._meant |= set(difflib.get_close_matches(key, known, n=1))
                self.note(self.error(key, f"unknown key; {nearest(key, known)}"))

    def note_slips(self, known: Iterable[str]) -> None:
        """Note the keys that look like slips of known ones; others are somebody else's."""
        known = list(known)
        for key in self.values:
            close = difflib.get_close_matches(key, known, n=1, cutoff=0.8)
            if key not in known and close:
                self._meant.add(close[0])
                self.note(self.error(key, f"unknown key; did you mean {close[0]!r}?"))

    def has(self, key: str) -> bool:
        """Whether the key is there and not null."""
        return self.values.get(key) is not None

    def string(self, key: str, default: str | None = None) -> str | None:
        """A text that is not empty."""
        value = self.values.get(key)
        if value is None:
            return default
        if not isinstance(value, str) or not value:
            raise self.error(key, f"{_shown(value)} must be a text that is not empty")
        return value

    def number(self, key: str, default: float, *, least: float = 0.0, most: float | None = None) -> float:
        """A number within bounds."""
        value = self.values.get(key)
        if value is None:
            return default
        limits = f"{least:g} or more" if most is None else f"between {least:g} and {most:g}"
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= (float("inf") if most is None else most):
            raise self.error(key, f"{_shown(value)} must be a number, {limits}")
        if value == float("inf"):
            raise self.error(key, f"{_shown(value)} must be a finite number")
        return value

    def whole_number(self, key: str, default: int, *, least: int = 0) -> int:
        """A whole number, `least` or more."""
        value = self.values.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.error(key, f"{_shown(value)} must be a whole number, {least} or more")
        return value

    def boolean(self, key: str) -> bool:
        """True or false; a missing key is false."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.error(key, f"{_shown(value)} must be true or false")
        return bool(value)

    def strings(self, key: str) -> list[str]:
        """A list of texts; one text stands for itself, a missing key for none."""
        value = self.values.get(key)
        if value is None:
            return []
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
            raise self.error(key, f"{_shown(value)} must be a list of texts")
        return list(texts)

    def table(self, key: str, label: str | None = None) -> Section | None:
        """A table within this one; None for a missing key."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.error(key, f"{_shown(value)} must be a table")
        inner = f"{self.label}, {key}" if self.label else key
        return Section(self.text, value, (*self.path, key), inner if label is None else label)

    def tables(self, key: str) -> Iterator[tuple[str, Section]]:
        """Every table of a table of tables, by name; their labels are left to the caller."""
        if isinstance(self.values.get(key), list):
            written = f'"{key}": {{"NAME": {{…}}}}' if self.text.file.endswith(".json") else f"[{key}.NAME]"
            self.note(self.error(key, f"is a list, and must be a table with a table for each, by its name: write {written}"))
            return
        outer = self.going_on(functools.partial(self.table, key), None)
        if outer is None:
            return
        for name in outer.values:
            inner = self.going_on(functools.partial(outer.table, name, ""), None)
            if inner is not None:
                yield name, inner


class _ToldAlready(DefinitionError):
    """A key is missing because it is there under a mistyped name, which has been noted."""


def located(error: DefinitionError, where: str) -> DefinitionError:
    """The same error with the place in front of its sentence."""
    error.args = (f"{where}: {error}",)
    return error


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


_TOML_HEADER = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
_TOML_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")


def toml_lines(text: str) -> dict[Path, int]:
    """Key path → line, for tables and for keys that begin a line; good enough to point, since tomllib tells no positions."""
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TOML_HEADER.match(line):
            table = _toml_path(header[2])
            lines.setdefault(table, number)
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
                lines.setdefault(table, number)
        elif key := _TOML_KEY.match(line):
            lines.setdefault((*table, *_toml_path(key[1])), number)
    return lines


def _toml_path(dotted: str) -> Path:
    """The parts of a dotted key, read by tomllib itself."""
    try:
        found: Any = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:  # a line inside a longer text that only looks like a header
        return (dotted,)
    path: list[str | int] = []
    while isinstance(found, dict):
        path.append(next(iter(found)))
        found = found[path[-1]]
    return tuple(path)


_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],]|[^\s{}\[\],:"]+', re.DOTALL)


def json_lines(text: str) -> dict[Path, int]:
    """Path → line, for every key and list element of a JSON text that is known to be well formed."""
    lines: dict[Path, int] = {}
    for path, line, _, _ in _json_words(text):
        lines.setdefault(path, line)
    return lines


def json_line_of(text: str, wanted: str, is_key: bool) -> int:
    """The line of the first key that its table has already, or of the first word, that is this one; the text may end in a mistake."""
    seen: set[Path] = set()
    try:
        for path, line, word, word_is_key in _json_words(text):
            if word_is_key and is_key and path in seen and path[-1] == wanted:
                return line
            if not word_is_key and not is_key and word == wanted:
                return line
            seen |= {path} if word_is_key else set()
    except (IndexError, ValueError):
        pass
    return 1


def _json_words(text: str) -> Iterator[tuple[Path, int, str, bool]]:
    """Every key, value and opening bracket: its path, its line, itself, and whether it is a key."""
    containers: list[str] = []
    path: list[str | int] = []
    expects_key = False
    line, place = 1, 0
    for token in _JSON_TOKEN.finditer(text):
        line += text.count("\n", place, token.start())
        place = token.start()
        match token[0]:
            case "{" | "[" as bracket:
                yield tuple(path), line, bracket, False
                containers.append(bracket)
                path.append(0 if bracket == "[" else "")
                expects_key = bracket == "{"
            case "}" | "]":
                containers.pop()
                path.pop()
                expects_key = False
            case ",":
                if containers[-1] == "[":
                    path[-1] = int(path[-1]) + 1
                expects_key = containers[-1] == "{"
            case word:
                is_key = expects_key
                if is_key:
                    path[-1] = json.loads(word, strict=False)
                    expects_key = False
                yield tuple(path), line, word, is_key
