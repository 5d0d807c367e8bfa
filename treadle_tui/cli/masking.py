"""Hides what a workflow calls secret before a verb prints it.

Which fields those are stands in the database with the workflow's shape, so they are hidden also where its file is not at hand.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from treadle_tui.engine.record import Record

FREE_FIELDS = frozenset({"data", "output", "metadata", "details", "values", "guidance"})
"""Fields of the engine's types in which a user's own values stand; everything else is the engine's, whatever a secret is called."""


def masked(value: Any, names: Collection[str]) -> Any:
    """A copy of a value of the engine's types with the fields of these names masked, at any depth of a user's values."""
    from treadle_tui.engine.secrets import redact

    if not names:
        return value
    if isinstance(value, (list, tuple)):
        return [masked(each, names) for each in value]
    if isinstance(value, dict):
        return {key: masked(each, names) for key, each in value.items()}
    if not isinstance(value, Record):
        return value
    fields = {name: getattr(value, name) for name in value.__struct_fields__}
    changed = {name: redact(each, names) if name in FREE_FIELDS else masked(each, names) for name, each in fields.items()}
    return msgspec.structs.replace(value, **changed)
