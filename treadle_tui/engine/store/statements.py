"""A user's SQL, kept with an attempt until it completes: as JSON, and guarded while it runs."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from treadle_tui.engine.store.results import Statement

PREFIX = "treadle_"

_REFUSED = {
    sqlite3.SQLITE_TRANSACTION: "transaction control",
    sqlite3.SQLITE_SAVEPOINT: "transaction control",
    sqlite3.SQLITE_PRAGMA: "PRAGMA",
    sqlite3.SQLITE_ATTACH: "ATTACH",
    sqlite3.SQLITE_DETACH: "DETACH",
}
_TABLE_FIRST = {
    sqlite3.SQLITE_INSERT,
    sqlite3.SQLITE_UPDATE,
    sqlite3.SQLITE_DELETE,
    sqlite3.SQLITE_DROP_TABLE,
    sqlite3.SQLITE_CREATE_TABLE,
    # A temporary table or view of our name would be found first by every statement of the engine's.
    sqlite3.SQLITE_CREATE_TEMP_TABLE,
    sqlite3.SQLITE_CREATE_TEMP_VIEW,
    sqlite3.SQLITE_CREATE_VIEW,
    sqlite3.SQLITE_CREATE_VTABLE,
}
_TABLE_SECOND = {
    sqlite3.SQLITE_ALTER_TABLE,
    sqlite3.SQLITE_CREATE_INDEX,
    sqlite3.SQLITE_CREATE_TRIGGER,
    sqlite3.SQLITE_CREATE_TEMP_TRIGGER,
    sqlite3.SQLITE_DROP_INDEX,
    sqlite3.SQLITE_DROP_TRIGGER,
}


class Guard:
    """An authorizer that refuses transaction control, PRAGMA, ATTACH and writes to the engine's tables, and says which."""

    def __init__(self) -> None:
        self.refused: str | None = None
        """What the last refused statement tried; None when none was."""

    def __call__(self, action: int, first: str | None, second: str | None, database: str | None, source: str | None) -> int:
        refused = _REFUSED.get(action)
        if refused is None and action in _TABLE_FIRST and (first or "").lower().startswith(PREFIX):
            refused = f"writing to the engine's table {first}"
        if refused is None and action in _TABLE_SECOND and (second or "").lower().startswith(PREFIX):
            refused = f"changing the engine's table {second}"
        if refused is None and action == sqlite3.SQLITE_FUNCTION and second == "load_extension":
            refused = "load_extension"
        if refused is None:
            return sqlite3.SQLITE_OK
        self.refused = refused
        return sqlite3.SQLITE_DENY


def to_json(statements: Sequence[Statement]) -> list[Any]:
    """Statements as JSON values. Raises TypeError for a parameter SQLite could not take."""
    return [[sql, _parameters(parameters, _plain), expect] for sql, parameters, expect in statements]


def from_json(stored: Sequence[Any]) -> list[Statement]:
    """The statements again."""
    return [(sql, _parameters(parameters, _again), expect) for sql, parameters, expect in stored]


def _parameters(parameters: Any, convert: Any) -> Any:
    if isinstance(parameters, Mapping):
        return {name: convert(value) for name, value in parameters.items()}
    return [convert(value) for value in parameters]


def _plain(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"bytes": base64.b64encode(bytes(value)).decode()}
    if value is None or isinstance(value, (int, float, str)):
        return value
    raise TypeError(f"a parameter of type {type(value).__name__} cannot be kept; use text, numbers, bytes or None")


def _again(value: Any) -> Any:
    return base64.b64decode(value["bytes"]) if isinstance(value, dict) else value
