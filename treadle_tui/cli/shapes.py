"""The JSON that `--json` prints: field names as in the engine's own types, times as ISO 8601 in UTC, states as their words.

docs/command-line.md shows each shape; a field may be added to one, and none is renamed or removed within a major version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from treadle_tui.engine.record import Record

if TYPE_CHECKING:
    from treadle_tui.engine.events import Event
    from treadle_tui.engine.status import ItemRow


def plain(value: Any) -> Any:
    """Any value of the engine's types as a plain JSON value."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, Record):
        fields = {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        verb = getattr(value, "verb", None)
        return {"verb": verb, **fields} if isinstance(verb, str) else fields
    if isinstance(value, Mapping):
        return {_key(key): plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [plain(each) for each in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)


def moment(value: datetime) -> str:
    """Milliseconds are what stores keep, so that is what is shown: 2026-11-20T13:00:00.123Z."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def item_row(row: ItemRow) -> dict[str, Any]:
    """One line of `list`."""
    return {
        "item_id": row.item_id,
        "workflow": row.workflow,
        "state": row.state.value,
        "created_at": moment(row.created_at),
        "stages": {
            name: {
                "state": cell.state.value,
                "attempt": cell.attempt,
                "updated_at": plain(cell.updated_at),
                "version": cell.version,
                "subtasks": plain(cell.subtasks_by_state),
            }
            for name, cell in row.cells.items()
        },
    }


def event(value: Event) -> dict[str, Any]:
    """One line of `events`; `kind` is the name of its class."""
    return {"kind": type(value).__name__, **plain(value)}


def _key(key: Any) -> str:
    return str(key.value) if isinstance(key, Enum) else str(key)
