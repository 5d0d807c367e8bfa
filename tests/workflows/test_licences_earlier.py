"""What was there before: another environment, decisions on other versions; and the document for SPDX."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.environment_folder import GPL_3, LGPL_21, MIT, EnvironmentFolder, fill
from treadle_tui.engine import Approve, Engine, InvalidItem, MemoryStateStore, Reject, SqliteStateStore
from workflows.licences import installed, licences


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    opened: Any = MemoryStateStore() if request.param == "memory" else await SqliteStateStore.open(tmp_path / "work.db")
    async with opened:
        yield opened


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EnvironmentFolder:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return EnvironmentFolder(tmp_path / "new")


async def waiting(engine: Engine, environment: EnvironmentFolder, baseline: str = "") -> dict[str, Any]:
    await engine.submit(licences, installed(str(environment.path), baseline))
    await engine.run_until_idle()
    return {review.item_id: review.review for review in await engine.pending_reviews()}


def upgrade(environment: EnvironmentFolder, version: str, licence: str = "LGPL-2.1-or-later", text: str = LGPL_21) -> None:
    """The library in another version, in place of the one that is there."""
    for path in environment.path.glob("library-*"):
        for file in sorted(path.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        path.rmdir()
    environment.add("library", version, f"License-Expression: {licence}", files={"licenses/COPYING": text})


async def approve(engine: Engine, item: str, **more: Any) -> None:
    await engine.resolve_review(item, "review", Approve(by="ana", note="linked, not changed", **more))
    await engine.run_until_idle()


async def test_an_approval_holds_for_a_version_about_which_everything_is_the_same(store: Any, environment: EnvironmentFolder) -> None:
    upgrade(environment, "5.0")

    async with Engine(store, [licences]) as engine:
        assert list(await waiting(engine, environment)) == ["library 5.0"]
        await approve(engine, "library 5.0", values={"obligation": "ship the source"})
        upgrade(environment, "5.1")
        assert await waiting(engine, environment) == {}
        upgrade(environment, "5.2")
        assert await waiting(engine, environment) == {}
        assert (await engine.status("library 5.2")).is_complete()

    assert (await store.get_status("library 5.1", "judge")).summary == "as ana has approved library 5.0"
    notice = (environment.path.parent / "work" / "licence-review" / "NOTICE.md").read_text()
    assert "| library 5.2 | LGPL-2.1-or-later | ana |" in notice
    assert "as for library 5.0: linked, not changed; obligation: ship the source" in notice


@pytest.mark.parametrize(
    ("licence", "text"),
    [("LGPL-3.0-or-later", LGPL_21), ("LGPL-2.1-or-later", f"{LGPL_21}\nNot on Sundays.\n"), ("GPL-3.0-only", GPL_3), ("", "Be nice.")],
)
async def test_anything_that_is_different_is_asked_again(licence: str, text: str, environment: EnvironmentFolder) -> None:
    upgrade(environment, "5.0")

    async with MemoryStateStore() as store, Engine(store, [licences]) as engine:
        await waiting(engine, environment)
        await approve(engine, "library 5.0")
        upgrade(environment, "5.1", licence, text)

        assert list(await waiting(engine, environment)) == ["library 5.1"]


async def test_a_rejection_is_no_waiver_and_what_nobody_can_name_is_asked_again(environment: EnvironmentFolder) -> None:
    upgrade(environment, "5.0")
    environment.add("silent", "7.0")

    async with MemoryStateStore() as store, Engine(store, [licences]) as engine:
        await waiting(engine, environment)
        await engine.resolve_review("library 5.0", "review", Reject("no copyleft here", by="ana"))
        await approve(engine, "silent 7.0")
        upgrade(environment, "5.1")
        environment.add("silent", "7.1")

        assert sorted(await waiting(engine, environment)) == ["library 5.1", "silent 7.1"]


async def test_of_two_environments_only_what_is_different_is_reviewed_and_says_how(environment: EnvironmentFolder, tmp_path: Path) -> None:
    old = EnvironmentFolder(tmp_path / "old")
    for each in (old, environment):
        each.add("same", "1.0", "License-Expression: GPL-3.0-only", files={"licenses/COPYING": GPL_3})
    old.add("turned", "1.0", "License-Expression: MIT", files={"licenses/LICENSE": MIT})
    environment.add("turned", "2.0", "License-Expression: GPL-3.0-only", files={"licenses/COPYING": GPL_3})
    environment.add("added", "1.0", "License-Expression: GPL-3.0-only", files={"licenses/COPYING": GPL_3})

    async with MemoryStateStore() as store, Engine(store, [licences]) as engine:
        reviews = await waiting(engine, environment, str(old.path))
        items = await store.list_items()

    assert sorted(items) == ["added 1.0", "turned 2.0"]
    checks = {item: review.details["checks"]["the other environment"] for item, review in reviews.items()}
    assert checks == {
        "added 1.0": "✗ failed: it is not there",
        "turned 2.0": "✗ failed: 1.0 there, 2.0 here; GPL-3.0-only, and MIT there",
    }


def test_an_environment_to_compare_with_must_be_one(environment: EnvironmentFolder) -> None:
    environment.add("plain", "1.0")

    with pytest.raises(InvalidItem, match="nowhere does not exist"):
        list(installed(str(environment.path), "nowhere"))


async def test_the_spdx_document_is_one_to_the_library_of_spdx(store: Any, environment: EnvironmentFolder) -> None:
    fill(environment)

    async with Engine(store, [licences]) as engine:
        await waiting(engine, environment)
        await approve(engine, "library 5.0")

    file = environment.path.parent / "work" / "licence-review" / "bom.spdx.json"
    packages = {each["name"]: each for each in json.loads(file.read_text())["packages"]}
    assert packages["library"]["licenseConcluded"] == "LGPL-2.1-or-later"
    assert packages["copyleft"]["licenseConcluded"] == "NOASSERTION"
    assert packages["copyleft"]["licenseComments"].startswith("not approved; GPL-3.0-or-later: strong copyleft")
    pytest.importorskip("spdx_tools")
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    assert [problem.validation_message for problem in validate_full_spdx_document(parse_file(str(file)))] == []
