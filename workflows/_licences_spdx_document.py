"""The third document of a licence review, for tools that speak SPDX: `bom.spdx.json`, SPDX 2.3.

What was concluded is `licenseConcluded`; a package nobody has approved has NOASSERTION there, and its comment says why.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

from packaging.utils import canonicalize_name

from ._licences_spdx import normal

NOASSERTION = "NOASSERTION"


def spdx_document(entries: Sequence[dict[str, Any]]) -> str:
    """All packages in one document; the same entries give the same bytes, so it carries no time of day."""
    packages = {_reference(entry): _package(entry) for entry in entries}
    names = {canonicalize_name(entry["name"]): _reference(entry) for entry in entries}
    relations = [_relation("SPDXRef-DOCUMENT", "DESCRIBES", reference) for reference in packages]
    for entry in entries:
        needed = sorted({names[name] for name in entry.get("requires", ()) if name in names})
        relations += [_relation(_reference(entry), "DEPENDS_ON", other) for other in needed]
    content = json.dumps(list(packages.values()), sort_keys=True)
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "licence-review",
        "documentNamespace": f"urn:treadle:licence-review:{hashlib.sha256(content.encode()).hexdigest()[:32]}",
        "creationInfo": {"created": "1970-01-01T00:00:00Z", "creators": ["Tool: treadle-tui"]},
        "packages": list(packages.values()),
        "relationships": relations,
        "hasExtractedLicensingInfos": _extracted(packages.values()),
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _package(entry: dict[str, Any]) -> dict[str, Any]:
    decided = [entry.get("by") and f"approved by {entry['by']}", entry.get("at"), entry.get("note"), entry.get("obligation")]
    comment = "; ".join(part for part in [*(decided if entry["approved"] else ["not approved"]), *entry.get("why", ())] if part)
    name = canonicalize_name(entry["name"])
    package = {
        "SPDXID": _reference(entry),
        "name": entry["name"],
        "versionInfo": entry["version"],
        "downloadLocation": NOASSERTION,
        "filesAnalyzed": False,
        "licenseConcluded": _expression(entry.get("expression", "")) if entry["approved"] else NOASSERTION,
        "licenseDeclared": _expression(entry.get("declared", "")),
        "copyrightText": NOASSERTION,
        "externalRefs": [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": f"pkg:pypi/{name}@{entry['version']}"}
        ],
    }
    return {**package, **({"licenseComments": " ".join(comment.split())} if comment else {})}


def _reference(entry: dict[str, Any]) -> str:
    readable = re.sub(r"[^A-Za-z0-9.-]+", "-", f"{entry['name']}-{entry['version']}")
    return f"SPDXRef-{readable}-{hashlib.sha256(entry['id'].encode()).hexdigest()[:8]}"


def _relation(first: str, kind: str, second: str) -> dict[str, str]:
    return {"spdxElementId": first, "relationshipType": kind, "relatedSpdxElement": second}


def _expression(expression: str) -> str:
    """An expression that SPDX understands; a licence it has no word for by a reference of its own."""
    return normal(expression) or NOASSERTION


def _extracted(packages: Any) -> list[dict[str, str]]:
    """What every LicenseRef of the document stands for."""
    expressions = [package[key] for package in packages for key in ("licenseConcluded", "licenseDeclared")]
    used = {found for expression in expressions for found in re.findall(r"LicenseRef-[\w.-]+", expression)}
    return [{"licenseId": name, "name": name.removeprefix("LicenseRef-"), "extractedText": name} for name in sorted(used)]
