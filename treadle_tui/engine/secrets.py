"""Values that must not be seen: the fields a stage names in `secrets=`, at any depth of its item and outputs.

They are stored as they are; events, errors, logs, exports and screens show `•••`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

MASK = "•••"


def redact(value: Any, names: Collection[str]) -> Any:
    """A copy of a JSON value in which the fields of these names are masked, at any depth."""
    if isinstance(value, Mapping):
        return {key: MASK if key in names else redact(part, names) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact(part, names) for part in value]
    return value


def secret_texts(value: Any, names: Collection[str]) -> set[str]:
    """The texts that stand in fields of these names, at any depth; shorter ones than three characters are left out."""
    found: set[str] = set()
    if isinstance(value, Mapping):
        for key, part in value.items():
            found |= _texts(part) if key in names else secret_texts(part, names)
    elif isinstance(value, (list, tuple)):
        for part in value:
            found |= secret_texts(part, names)
    return found


def _texts(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        return set().union(*(_texts(part) for part in value.values()))
    if isinstance(value, (list, tuple)):
        return set().union(*(_texts(part) for part in value))
    text = str(value)
    return {text} if len(text) >= 3 and not isinstance(value, bool) and value is not None else set()


def mask(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret in it masked, longest first."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def mask_all(value: Any, secrets: Collection[str]) -> Any:
    """A copy of a JSON value in which every secret is masked in every text; the value itself when there are no secrets."""
    if not secrets:
        return value
    if isinstance(value, str):
        return mask(value, secrets)
    if isinstance(value, Mapping):
        return {key: mask_all(part, secrets) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask_all(part, secrets) for part in value]
    return value
