"""The `item` and `source` of a definition file: which fields a work item has, and where items come from."""

from __future__ import annotations

import dataclasses
import functools
import keyword
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from treadle_tui.engine.definitions.commands import run_command
from treadle_tui.engine.definitions.placeholders import Template
from treadle_tui.engine.definitions.section import Section
from treadle_tui.engine.errors import InvalidDefinition, InvalidItem, nearest

TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict}
SOURCE_KINDS = ("glob", "lines", "jsonl", "command")
_ARGUMENT = "argument"


def item_class(document: Section) -> type | None:
    """A dataclass with `id` and the fields the file declares; None without `item`, and items are dicts."""
    section = document.going_on(lambda: document.table("item"), None)
    if section is None:
        return None
    types = {name: section.going_on(functools.partial(_field_type, section, name, kind), None) for name, kind in section.values.items()}
    if None in types.values():
        return None  # what is asked of items is not refused on top of it
    fields = [("id", str), *((name, kind) for name, kind in types.items() if name != "id" and kind is not None)]
    return dataclasses.make_dataclass("Item", fields, namespace={"__module__": __name__})


def _field_type(section: Section, name: str, kind: Any) -> type | None:
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise section.error(name, "a field's name consists of letters, digits and underscores, and begins with a letter")
    if not isinstance(kind, str) or kind not in TYPES:
        raise section.error(name, f"{kind!r} is no type of a field; {nearest(str(kind), TYPES)}")
    if name == "id" and kind != "str":
        raise section.error(name, "the id of a work item is always a str")
    return TYPES[kind]


def item_source(document: Section, item: type | None) -> Callable[..., Any] | None:
    """The source function the file describes; None without `source`."""
    section = document.table("source")
    if section is None:
        return None
    section.check_keys(SOURCE_KINDS)
    kinds = [kind for kind in SOURCE_KINDS if section.has(kind)]
    if len(kinds) != 1:
        there = "are " + ", ".join(kinds) if kinds else "is none"
        raise section.missing(() if kinds else SOURCE_KINDS, f"give one of {', '.join(SOURCE_KINDS)}; there {there}")
    return _SOURCES[kinds[0]](section, item)


def _template(section: Section, key: str, text: str) -> Template:
    try:
        return Template(text, (_ARGUMENT,))
    except InvalidDefinition as error:
        raise section.error(key, str(error)) from error


def _glob_source(section: Section, item: type | None) -> Callable[..., Any]:
    pattern = _template(section, "glob", section.string("glob") or "")
    _check_fields(section, "glob", item, {"path"})

    def below_folder(argument: str = ".") -> Iterator[dict[str, Any]]:
        return _files(Path(argument), pattern.text)

    def with_argument(argument: str) -> Iterator[dict[str, Any]]:
        path = Path(pattern.text_for({_ARGUMENT: argument}))
        fixed = _fixed_part(path)
        return _files(fixed, str(path.relative_to(fixed)))

    return _named(with_argument if pattern.names else below_folder, "glob")


def _named(source: Callable[..., Any], kind: str) -> Callable[..., Any]:
    """Under the name a person finds in the file: "the source is glob(argument: str)"."""
    source.__name__ = source.__qualname__ = kind
    return source


def _fixed_part(pattern: Path) -> Path:
    """The folder before the first part with a wildcard."""
    fixed = Path(pattern.anchor)
    for part in pattern.relative_to(pattern.anchor).parts[:-1]:
        if set(part) & set("*?["):
            break
        fixed /= part
    return fixed


def _files(folder: Path, pattern: str) -> Iterator[dict[str, Any]]:
    """Every file that matches, by its path below the folder without the suffix; the order of their names."""
    if not folder.is_dir():
        raise InvalidItem(f"folder {str(folder)!r} does not exist; give one that does")
    try:
        files = sorted(folder.glob(pattern))
    except (ValueError, NotImplementedError) as error:
        raise InvalidItem(f"pattern {pattern!r} cannot be searched for: {error}") from error
    seen: dict[str, Path] = {}
    for file in files:
        if not file.is_file():
            continue
        item_id = file.relative_to(folder).with_suffix("").as_posix()
        if item_id in seen:
            names = f"{seen[item_id].name} and {file.name}"
            raise InvalidItem(f"two files would both be item {item_id!r}: {names}; narrow the pattern {pattern!r}")
        seen[item_id] = file
        yield {"id": item_id, "path": str(file.absolute())}


def _lines_source(section: Section, item: type | None) -> Callable[..., Any]:
    field = _line_field(section, "lines", item)

    def read(path: str) -> Iterator[dict[str, Any]]:
        with _opened(path) as file:
            for line in file:
                if line.strip():
                    yield _line_item(line.strip(), field)

    return _file_source(section, "lines", read)


def _jsonl_source(section: Section, item: type | None) -> Callable[..., Any]:
    def read(path: str) -> Iterator[dict[str, Any]]:
        with _opened(path) as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _json_item(line, f"{path}, line {number}")

    return _file_source(section, "jsonl", read)


def _file_source(section: Section, key: str, read: Callable[[str], Iterator[dict[str, Any]]]) -> Callable[..., Any]:
    path = _template(section, key, section.string(key) or "")

    def with_argument(argument: str) -> Iterator[dict[str, Any]]:
        return read(path.text_for({_ARGUMENT: argument}))

    return _named(with_argument if path.names else lambda: read(path.text_for({})), key)


def _command_source(section: Section, item: type | None) -> Callable[..., Any]:
    words = section.values["command"]
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words) or not words[0]:
        raise section.error("command", f"{words!r} must be a list of a program and its arguments; no shell is started")
    templates = [_template(section, "command", word) for word in words]
    field = _line_field(section, "command", item)

    async def printed(values: dict[str, str]) -> list[dict[str, Any]]:
        result = await run_command([template.text_for(values) for template in templates], stage="source")
        if result.failure():
            raise InvalidItem(f"the source failed: {result.failure()}")
        if result.left_out:
            raise InvalidItem(f"the source failed: command {result.command!r} printed {result.left_out} bytes more than is read")
        lines = [line.strip() for line in result.text.splitlines() if line.strip()]
        return [_json_item(line, "the source") if line.startswith("{") else _line_item(line, field) for line in lines]

    async def with_argument(argument: str) -> list[dict[str, Any]]:
        return await printed({_ARGUMENT: argument})

    takes_argument = any(template.names for template in templates)
    return _named(with_argument if takes_argument else lambda: printed({}), "command")


def _line_field(section: Section, kind: str, item: type | None) -> str | None:
    """The one field besides `id` that a line fills; None when there is none."""
    names = _field_names(item)
    if len(names) > 1:
        raise section.error(kind, f"a line fills `id` and one field more, but items have {', '.join(names)}; use JSON lines instead")
    return names[0] if names else None


def _check_fields(section: Section, kind: str, item: type | None, given: set[str]) -> None:
    names = set(_field_names(item))
    if item is not None and names != given:
        there = ", ".join(sorted(names)) or "nothing"
        raise section.error(kind, f"gives items `id` and {', '.join(sorted(given))}, but they have `id` and {there}")


def _field_names(item: type | None) -> list[str]:
    return [] if item is None else [field.name for field in dataclasses.fields(item) if field.name != "id"]


def _line_item(line: str, field: str | None) -> dict[str, Any]:
    return {"id": line} if field is None else {"id": line, field: line}


def _json_item(line: str, where: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidItem(f"{where}: no JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidItem(f"{where}: a work item is a JSON object with an `id`, not {line.strip()[:60]!r}")
    return found


def _opened(path: str) -> Any:
    try:
        return open(path, encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise InvalidItem(f"file {path!r} cannot be read: {error.strerror}") from error


_SOURCES: dict[str, Callable[[Section, type | None], Callable[..., Any]]] = {
    "glob": _glob_source,
    "lines": _lines_source,
    "jsonl": _jsonl_source,
    "command": _command_source,
}
