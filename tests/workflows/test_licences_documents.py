"""The documents hold every package, whole, whoever writes them and whenever they are killed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.environment_folder import MIT
from workflows._licences_documents import entry_name, publish
from workflows._licences_environment import Distribution

ROOT = Path(__file__).resolve().parents[2]


def package(tmp_path: Path, name: str, version: str = "1.0") -> Distribution:
    path = tmp_path / "site-packages" / f"{re.sub('[^a-z0-9]', '_', name)}-{version}.dist-info"
    path.mkdir(parents=True, exist_ok=True)
    return Distribution(f"{name} {version}", name, version, str(path), "venv", [str(path.parent)], str(tmp_path / "licence-review"))


def bom(tmp_path: Path) -> dict[str, Any]:
    text = (tmp_path / "licence-review" / "bom.cdx.json").read_text("utf-8")
    validate(text)
    document: dict[str, Any] = json.loads(text)
    return document


def validate(text: str) -> None:
    """By CycloneDX's own schema, where what it needs is installed."""
    from cyclonedx.exception import MissingOptionalDependencyException
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    try:
        problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    except MissingOptionalDependencyException:
        return
    assert problem is None


def notice(tmp_path: Path) -> str:
    return (tmp_path / "licence-review" / "NOTICE.md").read_text("utf-8")


APPROVED: dict[str, Any] = {"approved": True, "expression": "MIT", "category": "permissive", "note": "permissive and consistent"}


def test_the_bom_says_what_was_approved_by_whom_and_why(tmp_path: Path) -> None:
    facts = {"approved": True, "expression": "GPL-3.0-only", "category": "strong copyleft", "by": "ana", "at": "2026-11-20 13:00 UTC"}
    links = {
        "Source": "https://example.org/x",
        "Codecov": "https://codecov.io/x",
        "Odd": "no address",
        "Chat": "https://matrix.to/#/#room:example.org",
    }
    publish(
        package(tmp_path, "copyleft"), **facts, note="tool only", obligation="ship source", why=["strong"], urls=links, summary="Does it"
    )

    document = bom(tmp_path)

    assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.6", 1)
    (component,) = document["components"]
    assert (component["name"], component["version"], component["purl"]) == ("copyleft", "1.0", "pkg:pypi/copyleft@1.0")
    assert (component["type"], component["description"]) == ("library", "Does it")
    assert component["licenses"] == [{"license": {"acknowledgement": "concluded", "id": "GPL-3.0-only"}}]
    assert component["externalReferences"] == [
        {"type": "vcs", "url": "https://example.org/x"},
        {"type": "website", "url": "https://codecov.io/x"},
    ]
    assert {entry["name"].rpartition(":")[2]: entry["value"] for entry in component["properties"]} == {
        "approved": "yes",
        "approved by": "ana",
        "at": "2026-11-20 13:00 UTC",
        "note": "tool only",
        "category": "strong copyleft",
        "obligation": "ship source",
        "asked because": "strong",
    }
    assert "| copyleft 1.0 | GPL-3.0-only | ana | strong; tool only; obligation: ship source; 2026-11-20 13:00 UTC |" in notice(tmp_path)


@pytest.mark.parametrize(
    ("expression", "licences"),
    [
        ("MIT", [{"license": {"id": "MIT", "acknowledgement": "concluded"}}]),
        ("MIT OR Apache-2.0", [{"expression": "MIT OR Apache-2.0", "acknowledgement": "concluded"}]),
        (
            "GPL-2.0-only WITH Classpath-exception-2.0",
            [{"expression": "GPL-2.0-only WITH Classpath-exception-2.0", "acknowledgement": "concluded"}],
        ),
        ("LicenseRef-BSD-unspecified", [{"license": {"name": "LicenseRef-BSD-unspecified", "acknowledgement": "concluded"}}]),
        ("ask our lawyer", [{"license": {"name": "ask our lawyer", "acknowledgement": "concluded"}}]),
        ("", None),
    ],
)
def test_any_conclusion_has_a_place_in_cyclonedx(tmp_path: Path, expression: str, licences: Any) -> None:
    publish(package(tmp_path, "x"), **(APPROVED | {"expression": expression}))

    assert bom(tmp_path)["components"][0].get("licenses") == licences


def test_what_is_not_approved_is_listed_as_such(tmp_path: Path) -> None:
    publish(package(tmp_path, "fine"), **APPROVED)
    publish(package(tmp_path, "waiting"), why=["strong copyleft"], expression="GPL-3.0-only")

    approved, refused = notice(tmp_path).split("## Not approved")

    assert "2 packages: 1 approved, 1 not approved." in approved
    assert "| fine 1.0 | MIT | rule | permissive and consistent |" in approved
    assert "| waiting 1.0 | GPL-3.0-only | strong copyleft |" in refused
    properties = {c["name"]: {p["name"]: p["value"] for p in c["properties"]} for c in bom(tmp_path)["components"]}
    assert properties["waiting"]["treadle:licence-review:approved"] == "no"


def test_texts_travel_once_with_the_packages_that_need_them(tmp_path: Path) -> None:
    publish(package(tmp_path, "a"), **APPROVED, texts={"a-1.0.dist-info/LICENSE": MIT})
    publish(package(tmp_path, "b"), **APPROVED, texts={"b-1.0.dist-info/licenses/LICENSE": MIT, "NOTICE": "```\nnot a fence\n"})
    publish(package(tmp_path, "c"), **APPROVED)
    publish(package(tmp_path, "d"), texts={"LICENSE": "of what is not approved"})

    texts = notice(tmp_path).partition("## Licence texts")[2]

    assert texts.count("Permission is hereby granted") == 1
    assert "### a 1.0, LICENSE; b 1.0, LICENSE" in texts
    assert "````text\n```\nnot a fence\n````" in texts
    assert "Installed without a licence text: c 1.0." in texts
    assert "of what is not approved" not in texts


def test_dependencies_are_those_that_are_listed(tmp_path: Path) -> None:
    publish(package(tmp_path, "base"), **APPROVED)
    publish(package(tmp_path, "user"), **APPROVED, requires=["base", "not-installed"])

    assert bom(tmp_path)["dependencies"] == [
        {"ref": "pkg:pypi/base@1.0", "dependsOn": []},
        {"ref": "pkg:pypi/user@1.0", "dependsOn": ["pkg:pypi/base@1.0"]},
    ]


def test_the_same_decisions_give_the_same_bytes_in_any_order_and_however_often(tmp_path: Path) -> None:
    items = [package(tmp_path, name) for name in ("zebra", "Alpha", "beta")]
    for item in items:
        publish(item, **APPROVED)
    first = (json.dumps(bom(tmp_path)), notice(tmp_path))

    for item in [*reversed(items), items[0]]:
        publish(item, **APPROVED)

    assert (json.dumps(bom(tmp_path)), notice(tmp_path)) == first
    assert [component["name"] for component in bom(tmp_path)["components"]] == ["Alpha", "beta", "zebra"]


def test_many_threads_leave_documents_that_hold_everything(tmp_path: Path) -> None:
    items = [package(tmp_path, f"package{number}") for number in range(60)]
    threads = [threading.Thread(target=publish, args=(item,), kwargs=APPROVED) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(bom(tmp_path)["components"]) == 60
    assert "60 packages: 60 approved, 0 not approved." in notice(tmp_path)
    assert [file.name for file in (tmp_path / "licence-review").rglob("*.tmp")] == []


def test_two_processes_leave_documents_that_hold_everything(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from tests.workflows.test_licences_documents import APPROVED, package, publish\n"
        "for number in range(25): publish(package(Path(sys.argv[2]), f'{sys.argv[3]}{number}'), **APPROVED)"
    )
    commands = [[sys.executable, "-c", script, str(ROOT), str(tmp_path), name] for name in ("one", "two")]

    for process in [subprocess.Popen(command, cwd=tmp_path) for command in commands]:
        assert process.wait(60) == 0

    assert len(bom(tmp_path)["components"]) == 50


def test_after_a_kill_between_entry_and_documents_the_next_export_mends_them(tmp_path: Path) -> None:
    publish(package(tmp_path, "first"), **APPROVED)
    folder = tmp_path / "licence-review"
    entry = json.loads(next((folder / "packages").glob("first*.json")).read_text("utf-8"))
    orphan = entry | {"id": "orphan 1.0", "name": "orphan"}
    (folder / "packages" / entry_name("orphan 1.0")).write_text(json.dumps(orphan), "utf-8")
    (folder / "packages" / ".half.json.1-1.tmp").write_text('{"id":', "utf-8")
    (folder / "bom.cdx.json").unlink()

    publish(package(tmp_path, "second"), **APPROVED)

    assert "3 packages: 3 approved" in notice(tmp_path)
    assert bom(tmp_path)["bomFormat"] == "CycloneDX"


def test_documents_that_were_deleted_come_back(tmp_path: Path) -> None:
    publish(package(tmp_path, "first"), **APPROVED)
    (tmp_path / "licence-review" / "bom.cdx.json").unlink()

    publish(package(tmp_path, "first"), **APPROVED)

    assert len(bom(tmp_path)["components"]) == 1


def test_half_written_files_of_killed_processes_are_removed_when_they_are_old(tmp_path: Path) -> None:
    folder = tmp_path / "licence-review" / "packages"
    folder.mkdir(parents=True)
    old, young = folder / ".old.json.1-1.tmp", folder / ".young.json.1-1.tmp"
    old.touch()
    young.touch()
    os.utime(old, (1, 1))

    publish(package(tmp_path, "first"), **APPROVED)

    assert (old.exists(), young.exists()) == (False, True)


def test_a_damaged_entry_is_named_and_not_left_out(tmp_path: Path) -> None:
    publish(package(tmp_path, "first"), **APPROVED)
    (damaged,) = (tmp_path / "licence-review" / "packages").iterdir()
    damaged.write_text('{"id": "first 1.0"}')

    with pytest.raises(OSError, match="it is damaged; delete it") as refused:
        publish(package(tmp_path, "second"), **APPROVED)

    assert refused.value.filename == str(damaged)
    damaged.unlink()
    publish(package(tmp_path, "second"), **APPROVED)
    assert "1 package: 1 approved" in notice(tmp_path)


def test_an_upgrade_takes_the_old_version_out_and_a_deleted_environment_takes_nothing_out(tmp_path: Path) -> None:
    old, other = package(tmp_path, "x", "1.0"), package(tmp_path, "y")
    publish(old, **APPROVED)
    publish(other, **APPROVED)

    Path(old.path).rmdir()
    publish(package(tmp_path, "x", "2.0"), **APPROVED)
    assert [component["version"] for component in bom(tmp_path)["components"]] == ["2.0", "1.0"]

    for path in (tmp_path / "site-packages").iterdir():
        path.rmdir()
    (tmp_path / "site-packages").rmdir()
    publish(other, **APPROVED)
    assert "x 2.0" in notice(tmp_path)


@pytest.mark.parametrize(
    "name", ["../../../escape", "/etc/passwd", "..", "con", "a" * 400, "\x00\n", "Ünïcode/…", ".hidden", "a\\b", "🎉", "| *x* | <b>`"]
)
def test_no_name_escapes_the_folder_or_breaks_the_documents(tmp_path: Path, name: str) -> None:
    publish(package(tmp_path, "x"), **APPROVED)
    before = {path for path in tmp_path.rglob("*") if "licence-review" not in path.parts}
    item = Distribution(f"{name} 1.0", name, "1.0", str(tmp_path), "venv", [], str(tmp_path / "licence-review"))

    publish(item, **APPROVED)

    assert {path for path in tmp_path.rglob("*") if "licence-review" not in path.parts} == before
    assert len(list((tmp_path / "licence-review" / "packages").iterdir())) == 2
    assert "2 packages: 2 approved" in notice(tmp_path)
    rows = [line for line in notice(tmp_path).splitlines() if line.startswith("| ") and "rule" in line]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [5, 5]
    assert len(bom(tmp_path)["components"]) == 2


def test_ids_that_differ_only_in_case_or_signs_keep_entries_of_their_own() -> None:
    names = {entry_name(item_id).lower() for item_id in ("A b", "a b", "a_b", "a/b", "a:b")}

    assert len(names) == 5
