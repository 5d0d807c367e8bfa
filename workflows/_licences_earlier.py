"""What was there before: another environment to compare with, and decisions on other versions of a package.

A decision is a **waiver** for another version when everything it was about is the same: the licence that was found, the licence texts
letter by letter, and the reasons for which somebody was asked. Knows the entries on disk; nothing of the workflow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from packaging.utils import canonicalize_name

from ._licences_documents import entries_on_disk, read_entry
from ._licences_environment import Distribution, environment_index, name_and_version, read_metadata, read_texts
from ._licences_spdx import Licence, classify, sha256


@dataclass
class Waiver:
    """A person's approval of another version, as far as it holds for this one."""

    id: str
    """The package and version that was approved."""
    by: str
    at: str
    licence: str
    """As it was concluded then."""
    note: str
    obligation: str


def waiver_for(item: Distribution, licence: Licence, reasons: Sequence[str]) -> Waiver | None:
    """The newest decision that holds for this package too; None when there is none, or something is different."""
    folder = Path(item.output)
    if not licence.expression or not (folder / "packages").is_dir():
        return None  # what nobody could name is asked again
    found: list[Waiver] = []
    for name, *stamp in entries_on_disk(folder):
        entry = read_entry(str(folder / "packages" / name), tuple(stamp))
        is_other_version = canonicalize_name(entry["name"]) == canonicalize_name(item.name) and entry["version"] != item.version
        if is_other_version and entry["approved"] and entry.get("by") and _is_about_the_same(entry, licence, reasons):
            approved = {key: str(entry.get(key) or "") for key in ("by", "at", "note", "obligation")}
            found.append(Waiver(entry["id"], licence=entry.get("expression", ""), **approved))
    return max(found, key=lambda waiver: (waiver.at, waiver.id), default=None)


def _is_about_the_same(entry: dict[str, object], licence: Licence, reasons: Sequence[str]) -> bool:
    texts = entry.get("texts")
    digests = sorted(sha256(text) for text in texts.values()) if isinstance(texts, dict) else []
    return (
        entry.get("declared") == licence.expression
        and sorted(text.sha256 for text in licence.texts.values()) == digests
        and sorted(map(str, reasons)) == sorted(entry.get("why") or [])  # type: ignore[call-overload]  # a list of texts, or damaged
    )


def is_unchanged(item: Distribution, baseline: Sequence[str]) -> bool:
    """Whether the other environment has the very same version."""
    return _baseline(tuple(baseline)).get(canonicalize_name(item.name), ("", ""))[0] == item.version


def compared(item: Distribution, licence: Licence) -> tuple[bool, str]:
    """Whether the licence is that of the other environment, and what is different there, in words."""
    version, path = _baseline(tuple(item.baseline)).get(canonicalize_name(item.name), ("", ""))
    if not version:
        return False, "it is not there"
    metadata = read_metadata(Path(path))
    before = classify(metadata, read_texts(Path(path), metadata)).expression or "unknown"
    now = licence.expression or "unknown"
    return before == now, f"{version} there, {item.version} here; {now}" + (f", and {before} there" if before != now else " in both")


@lru_cache(maxsize=8)
def _baseline(search_path: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Name → version and place of everything in an environment."""
    places, _ = environment_index(list(search_path))
    return {name: (name_and_version(path)[1], str(path)) for name, path in places.items()}
