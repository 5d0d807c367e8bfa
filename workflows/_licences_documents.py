"""The documents of a licence review: one entry per package on disk, and two documents made from all entries.

    licence-review/packages/…json   one entry each: approved or not, by whom, when, why, with the licence texts
    licence-review/bom.cdx.json     CycloneDX 1.6, every package, with the decision as properties
    licence-review/bom.spdx.json    SPDX 2.3, the same
    licence-review/NOTICE.md        the same to read, and the licence texts of what is approved

Stages finish one at a time, side by side, in threads and in several processes, and may be killed at any moment. So an entry is
replaced as a whole, the documents are always made from the entries that stand on disk, and whoever wrote a document looks once more
whether an entry has changed meanwhile: the last one to look leaves documents that hold everything. Sorted, and without the time of
day, so that the same decisions give the same bytes.
"""

import errno
import hashlib
import itertools
import json
import os
import re
import threading
import time
import uuid
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from ._licences_environment import Distribution
from ._licences_spdx import normal
from ._licences_spdx_document import spdx_document

Entry = dict[str, Any]
SOURCE_LABEL = re.compile(r"\b(source|repo|repository|code|git|github|gitlab)\b", re.I)
Listing = tuple[tuple[str, int, int, int], ...]

_documents = threading.Lock()
_tickets = itertools.count(1)
_taken_along: dict[str, int] = {}
_seconds_needed: dict[str, float] = {}


def publish(item: Distribution, **facts: Any) -> None:
    """Replace the package's entry, and bring the documents up to date.

    Facts: approved, by, at, note, why, expression, declared, category, obligation, summary, urls, requires, texts (file name to text).
    """
    write_entry(item, **facts)
    bring_up_to_date(Path(item.output))


def write_entry(item: Distribution, **facts: Any) -> None:
    """Replace the package's entry; the documents have it from the next time they are made."""
    entry = {"id": item.id, "name": item.name, "version": item.version, "path": item.path, "approved": False, **facts}
    folder = Path(item.output) / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / entry_name(item.id), json.dumps(entry | {"component": component(entry)}, ensure_ascii=False))


def entry_name(item_id: str) -> str:
    """A file name for any id: readable, never a path, and different for different ids on every file system."""
    readable = re.sub(r"[^A-Za-z0-9._+-]+", "_", item_id).strip("._")[:80]
    return f"{readable or 'package'}-{hashlib.sha256(item_id.encode()).hexdigest()[:12]}.json"


def replace_file(path: Path, text: str) -> None:
    """Write the whole file or nothing; on disk when this returns."""
    written = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    with written.open("w", encoding="utf-8", errors="replace", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(written, path)


def bring_up_to_date(folder: Path) -> None:
    """Make the documents from the entries.

    Whoever comes while they are being made waits, and mostly finds its entry taken along by the next one: that one first waits
    as long as the documents needed last, so that a thousand packages that pass at once cost some thirty makings and not a thousand.
    """
    key, ticket = str(folder), next(_tickets)
    with _documents:
        if key not in _seconds_needed:
            remove_leftovers(folder)
        while _taken_along.get(key, 0) < ticket:
            time.sleep(min(1.0, _seconds_needed.get(key, 0.0)))
            newest, started = next(_tickets), time.perf_counter()
            listing = entries_on_disk(folder)
            make_documents(folder, listing)
            _seconds_needed[key] = time.perf_counter() - started
            if entries_on_disk(folder) == listing:  # else somebody, perhaps another process, wrote an entry meanwhile
                _taken_along[key] = newest


def remove_leftovers(folder: Path) -> None:
    """Half written files of processes that were killed: an hour old, so that nobody is writing them."""
    for file in folder.rglob(".*.tmp"):
        try:
            if time.time() - file.stat().st_mtime > 3600:
                file.unlink()
        except FileNotFoundError:  # it was being written after all, and has its own name now
            continue


def make_documents(folder: Path, listing: Listing) -> None:
    """All documents, from these entries."""
    entries = [read_entry(str(folder / "packages" / name), tuple(stamp)) for name, *stamp in listing]
    current = sorted(filter(is_current, entries), key=lambda entry: (canonicalize_name(entry["name"]), entry["version"], entry["id"]))
    replace_file(folder / "bom.cdx.json", bom(current))
    replace_file(folder / "bom.spdx.json", spdx_document(current))
    replace_file(folder / "NOTICE.md", notice(current))


def entries_on_disk(folder: Path) -> Listing:
    """Name, file number, time and size of each entry: different as soon as one is replaced."""
    with os.scandir(folder / "packages") as files:
        stats = [(file.name, file.stat()) for file in files if file.name.endswith(".json")]
    return tuple(sorted((name, stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in stats))


@lru_cache(maxsize=5_000)
def read_entry(path: str, _stamp: tuple[int, ...]) -> Entry:
    """One entry, read again only when it was replaced. Raises: OSError for a damaged one, which is never left out silently."""
    try:
        entry: Entry = json.loads(Path(path).read_text("utf-8"))
        _ = entry["name"], entry["version"], entry["path"], entry["approved"], entry["component"]["bom-ref"]
        return entry
    except (ValueError, KeyError, TypeError) as error:
        raise OSError(errno.EINVAL, "it is damaged; delete it, and run `metadata` and what follows for that package", path) from error


def is_current(entry: Entry) -> bool:
    """Whether the package still stands where it was reviewed: an upgrade takes the old version out, a deleted environment nothing."""
    return os.path.lexists(entry["path"]) or not os.path.isdir(os.path.dirname(entry["path"]))


# ---------------------------------------------------------------- CycloneDX


def component(entry: Entry) -> dict[str, Any]:
    """The package as CycloneDX has it. Imported here: the library takes a tenth of a second, and a board without exports needs none."""
    from cyclonedx.model import Property
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component
    from packageurl import PackageURL

    purl = PackageURL("pypi", name=canonicalize_name(entry["name"]), version=entry["version"])
    facts = {"approved": "yes" if entry["approved"] else "no", "approved by": approver(entry)} | {
        name: entry.get(name) for name in ("at", "note", "category", "obligation")
    }
    facts["asked because"] = "; ".join(entry.get("why", ()))
    described = Component(
        name=entry["name"],
        version=entry["version"],
        purl=purl,
        bom_ref=str(purl),
        description=entry.get("summary") or None,
        licenses=cyclonedx_licences(entry.get("expression", "")),
        properties=[Property(name=f"treadle:licence-review:{name}", value=value) for name, value in facts.items() if value],
        external_references=links_of(entry),
    )
    first: dict[str, Any] = _as_json(Bom(components=[described]))["components"][0]
    return first


def links_of(entry: Entry) -> list[Any]:
    """The package's links, those left out that are no web address."""
    from cyclonedx.exception.model import InvalidUriException
    from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri

    links: dict[str, Any] = {}
    for label, url in sorted(entry.get("urls", {}).items()):
        kind = ExternalReferenceType.VCS if SOURCE_LABEL.search(label) else ExternalReferenceType.WEBSITE
        if re.fullmatch(r"https?://[!-~]+", url):
            try:
                links.setdefault(url, ExternalReference(type=kind, url=XsUri(url)))
            except InvalidUriException:
                continue
    return list(links.values())


def cyclonedx_licences(expression: str) -> list[Any]:
    """One identifier, one expression, or a name for what SPDX has no word for."""
    from cyclonedx.model.license import DisjunctiveLicense, LicenseAcknowledgement, LicenseExpression
    from cyclonedx.spdx import is_supported_id

    concluded = LicenseAcknowledgement.CONCLUDED
    if not expression:
        return []
    if is_supported_id(expression):
        return [DisjunctiveLicense(id=expression, acknowledgement=concluded)]
    if " " in normal(expression):
        return [LicenseExpression(normal(expression), acknowledgement=concluded)]
    return [DisjunctiveLicense(name=expression, acknowledgement=concluded)]


def bom(entries: list[Entry]) -> str:
    """All components in one document. The serial number follows from the content."""
    from cyclonedx.model.bom import Bom

    document = _as_json(Bom())
    document.pop("metadata", None)  # holds nothing but the time of day
    components = {entry["component"]["bom-ref"]: entry["component"] for entry in entries}
    places = {canonicalize_name(entry["name"]): entry["component"]["bom-ref"] for entry in entries}
    document["components"] = list(components.values())
    document["dependencies"] = [
        {"ref": entry["component"]["bom-ref"], "dependsOn": sorted({places[name] for name in entry.get("requires", ()) if name in places})}
        for entry in {entry["component"]["bom-ref"]: entry for entry in entries}.values()
    ]
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document['components']))}"
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _as_json(document: Any) -> dict[str, Any]:
    from cyclonedx.output import make_outputter
    from cyclonedx.schema import OutputFormat, SchemaVersion

    parsed: dict[str, Any] = json.loads(make_outputter(document, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string())
    return parsed


# ---------------------------------------------------------------- NOTICE.md


def notice(entries: list[Entry]) -> str:
    """The list to sign, and the texts that must travel with what is on it."""
    approved = [entry for entry in entries if entry["approved"]]
    others = [entry for entry in entries if not entry["approved"]]
    count = f"{len(entries)} package{'' if len(entries) == 1 else 's'}: {len(approved)} approved, {len(others)} not approved."
    lines = ["# Licences", "", count, "", "## Approved", ""]
    lines += table(("package", "licence", "approved by", "why"), [(e["id"], licence_of(e), approver(e), why(e)) for e in approved])
    lines += ["", "## Not approved", "", "Rejected, or not decided yet.", ""]
    lines += table(("package", "licence", "why"), [(e["id"], licence_of(e), why(e)) for e in others])
    return "\n".join([*lines, "", "## Licence texts", "", *licence_texts(approved)]).rstrip() + "\n"


def licence_texts(approved: list[Entry]) -> list[str]:
    """Each text once, under the packages that carry it, fenced so that nothing in it is taken for Markdown."""
    lines: list[str] = []
    users: dict[str, list[str]] = {}
    for entry in approved:
        for name, text in sorted(entry.get("texts", {}).items()):
            users.setdefault(text.strip(), []).append(f"{entry['id']}, {name.rpartition('/')[2]}")
    for text, named in users.items():
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
        lines += [f"### {plain('; '.join(named))}", "", f"{fence}text", text, fence, ""]
    bare = [entry["id"] for entry in approved if not entry.get("texts")]
    return lines + ([f"Installed without a licence text: {plain(', '.join(bare))}."] if bare else [])


def licence_of(entry: Entry) -> str:
    """The expression, or that there is none."""
    return entry.get("expression") or "unknown"


def approver(entry: Entry) -> str:
    """Who approved it, empty when nobody did."""
    return (entry.get("by") or "rule") if entry["approved"] else ""


def why(entry: Entry) -> str:
    """What was asked, and what was answered."""
    parts = [*entry.get("why", ()), entry.get("note"), entry.get("obligation") and f"obligation: {entry['obligation']}", entry.get("at")]
    return "; ".join(part for part in parts if part)


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """A Markdown table; one word when it would be empty."""
    body = [f"| {' | '.join(plain(cell) for cell in row)} |" for row in rows]
    return [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}", *body] if body else ["None."]


def plain(text: str) -> str:
    """One line that Markdown takes for text, whatever stands in it."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", " ".join(text.split()))
