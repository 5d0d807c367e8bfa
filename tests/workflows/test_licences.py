"""The licence workflow from end to end: a filled environment goes in, decided documents come out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.environment_folder import ACCEPTED, UNCERTAIN, EnvironmentFolder, fill
from treadle_tui.engine import (
    Approve,
    ApproveWithEdits,
    Engine,
    InvalidItem,
    MemoryStateStore,
    NeedsReview,
    Reject,
    RequestChanges,
    Skipped,
    SqliteStateStore,
    StageExecutionError,
    StageState,
)
from treadle_tui.engine.testing import ManualClock
from workflows import _licences_environment
from workflows import licences as module
from workflows._licences_environment import Distribution, Metadata
from workflows._licences_spdx import Licence
from workflows.licences import Check, Verdict, installed, last_release_age, licences, source_available

STAGES = ["metadata", "licence", "checks", "judge", "review", "export"]


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    opened: Any = MemoryStateStore() if request.param == "memory" else await SqliteStateStore.open(tmp_path / "work.db")
    async with opened:
        yield opened


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EnvironmentFolder:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return EnvironmentFolder(tmp_path / "site-packages")


def notice(tmp_path: Path) -> str:
    return (tmp_path / "work" / "licence-review" / "NOTICE.md").read_text("utf-8")


def properties(tmp_path: Path) -> dict[str, dict[str, str]]:
    document = json.loads((tmp_path / "work" / "licence-review" / "bom.cdx.json").read_text("utf-8"))
    return {
        component["name"]: {entry["name"].rpartition(":")[2]: entry["value"] for entry in component["properties"]}
        for component in document["components"]
    }


async def states(engine: Engine, item_id: str) -> dict[str, str]:
    return {entry.name: entry.state.value for entry in (await engine.status(item_id)).entries}


def test_the_stages_stand_in_the_order_of_the_work() -> None:
    assert licences.stages() == STAGES
    assert licences.root_stages() == ["metadata"]
    assert licences.leaf_stages() == ["export"]


async def test_permissive_packages_pass_and_the_others_wait_for_a_person_once(
    store: Any, environment: EnvironmentFolder, tmp_path: Path
) -> None:
    fill(environment)

    async with Engine(store, [licences]) as engine:
        new = await engine.submit(licences, installed(str(environment.path)))
        await engine.run_until_idle()
        waiting = await engine.pending_reviews()
        passed = [await states(engine, item_id) for item_id in sorted(ACCEPTED)]

    assert new == len(ACCEPTED | UNCERTAIN)
    assert sorted((review.item_id, review.stage) for review in waiting) == sorted((item_id, "review") for item_id in UNCERTAIN)
    assert passed == [dict.fromkeys(STAGES, "completed") | {"review": "skipped"}] * len(ACCEPTED)
    assert f"11 packages: {len(ACCEPTED)} approved, {len(UNCERTAIN)} not approved." in notice(tmp_path)
    assert {name for name, facts in properties(tmp_path).items() if facts["approved"] == "yes"} == {item.split()[0] for item in ACCEPTED}


async def test_a_reviewer_sees_everything_a_decision_needs(store: Any, environment: EnvironmentFolder) -> None:
    fill(environment)

    async with Engine(store, [licences]) as engine:
        await engine.submit(licences, installed(str(environment.path)))
        await engine.run_until_idle()
        reviews: dict[str, Any] = {review.item_id: review.review for review in await engine.pending_reviews()}

    copyleft = reviews["copyleft 4.0"]
    assert copyleft.summary == "GPL-3.0-or-later: strong copyleft; dependency of user"
    assert copyleft.details["why you are asked"] == ["GPL-3.0-or-later: strong copyleft"]
    assert copyleft.details["declared"] == {"License": "GPL-3.0-or-later (GPLv3+)"}
    assert copyleft.details["licence files"] == {"copyleft-4.0.dist-info/COPYING": "GPL-3.0-only"}
    assert list(copyleft.details["checks"]) == list(module.CHECKS)
    assert copyleft.details["checks"]["licence file present"] == "✓ passed: COPYING"
    assert copyleft.details["checks"]["metadata and file agree"] == "✓ passed: the files say GPL-3.0-only, which agrees"
    assert copyleft.details["package"]["required by"] == ["user"]
    assert [field.name for field in copyleft.fields or []] == ["concluded", "obligation"]

    assert reviews["twofaced 6.0"].summary == "licence files (GPL-3.0-only) against License-Expression (MIT)"
    assert reviews["silent 7.0"].summary == "no licence found: proprietary or unknown"
    assert reviews["silent 7.0"].details["declared"] == "nothing"
    assert reviews["library 5.0"].summary == "LGPL-2.1-or-later: weak copyleft"
    homemade = reviews["homemade 8.0"].details
    assert "License not understood: Be nice to me" in homemade["why you are asked"]
    assert homemade["text not recognised"] == {"homemade-8.0.dist-info/LICENSE": "You may use this on Sundays."}
    assert "half removed installation" in " ".join(reviews["broken 0.1"].details["why you are asked"])


async def test_dependencies_are_named_with_their_licences(store: Any, environment: EnvironmentFolder) -> None:
    fill(environment)

    async with Engine(store, [licences]) as engine:
        await engine.submit(licences, installed(str(environment.path)))
        await engine.run_until_idle()
        status = await store.get_status("user 9.0", "checks")

    assert {subtask.name: subtask.state for subtask in status.subtasks} == dict.fromkeys(module.CHECKS, StageState.COMPLETED)
    found = status.output["dependencies' licences"]
    assert found == {"passed": False, "found": "absent is not installed, copyleft GPL-3.0-or-later, plain MIT"}


async def test_an_approval_is_written_down_with_who_when_why_and_what_follows(
    store: Any, environment: EnvironmentFolder, tmp_path: Path
) -> None:
    fill(environment)
    clock = ManualClock(start=datetime(2026, 11, 20, 13, 0, tzinfo=UTC))

    async with Engine(store, [licences], clock=clock) as engine:
        await engine.submit(licences, installed(str(environment.path)))
        await engine.run_until_idle()
        decision = Approve(by="ana", note="build tool only", values={"obligation": "do not ship it"})
        await engine.resolve_review("copyleft 4.0", "review", decision)
        decision = Approve(by="bo", note="asked the author", values={"concluded": "BSD-3-Clause"})
        await engine.resolve_review("homemade 8.0", "review", decision)
        await engine.run_until_idle()
        ended = await states(engine, "copyleft 4.0")

    assert ended == dict.fromkeys(STAGES, "completed")
    facts = properties(tmp_path)
    assert facts["copyleft"] == {
        "approved": "yes",
        "approved by": "ana",
        "at": "2026-11-20 13:00 UTC",
        "note": "build tool only",
        "category": "strong copyleft",
        "obligation": "do not ship it",
        "asked because": "GPL-3.0-or-later: strong copyleft",
    }
    assert "| homemade 8.0 | BSD-3-Clause | bo |" in notice(tmp_path)
    assert facts["homemade"]["category"] == "permissive"
    assert "version 3, 29 june 2007" in notice(tmp_path).lower()
    assert f"{len(ACCEPTED) + 2} approved, {len(UNCERTAIN) - 2} not approved." in notice(tmp_path)


async def test_a_rejected_package_stays_in_the_documents_as_not_approved(
    store: Any, environment: EnvironmentFolder, tmp_path: Path
) -> None:
    fill(environment)

    async with Engine(store, [licences]) as engine:
        await engine.submit(licences, installed(str(environment.path)))
        await engine.run_until_idle()
        await engine.resolve_review("copyleft 4.0", "review", Reject("copyleft is not acceptable here", by="ana"))
        await engine.resolve_review("silent 7.0", "review", Approve(by="ana"))
        await engine.run_until_idle()
        ended = await states(engine, "copyleft 4.0")

    assert (ended["review"], ended["export"]) == ("failed", "pending")
    assert properties(tmp_path)["copyleft"]["approved"] == "no"
    assert "| copyleft 4.0 | GPL-3.0-or-later |" in notice(tmp_path).partition("## Not approved")[2]
    assert "| silent 7.0 | unknown | ana |" in notice(tmp_path).partition("## Not approved")[0]


async def test_a_licence_corrected_by_the_reviewer_is_the_one_that_is_exported(
    store: Any, environment: EnvironmentFolder, tmp_path: Path
) -> None:
    environment.add("silent", "7.0")

    async with Engine(store, [licences]) as engine:
        await engine.submit(licences, installed(str(environment.path)))
        await engine.run_until_idle()
        edited = ApproveWithEdits({"licence": "MIT", "reasons": ["said so by mail"]}, by="ana")
        await engine.resolve_review("silent 7.0", "review", edited)
        await engine.run_until_idle()

    assert "| silent 7.0 | MIT | ana | said so by mail;" in notice(tmp_path)


async def test_asking_for_changes_looks_again(store: Any, environment: EnvironmentFolder) -> None:
    environment.add("silent", "7.0")

    async with Engine(store, [licences]) as engine:
        await engine.submit(licences, installed(str(environment.path)))
        await engine.run_until_idle()
        await engine.resolve_review("silent 7.0", "review", RequestChanges("look again", by="ana"))
        await engine.run_until_idle()
        waiting = await engine.pending_reviews()

    assert [(review.item_id, review.stage) for review in waiting] == [("silent 7.0", "review")]


async def test_an_upgrade_is_reviewed_again_and_what_is_known_is_not(store: Any, environment: EnvironmentFolder) -> None:
    environment.add("plain", "1.0", "License: MIT")

    async with Engine(store, [licences]) as engine:
        first = await engine.submit(licences, installed(str(environment.path)))
        environment.add("plain", "2.0", "License: GPLv3")
        second = await engine.submit(licences, installed(str(environment.path)))
        third = await engine.submit(licences, installed(str(environment.path)))
        await engine.run_until_idle()
        waiting = [review.item_id for review in await engine.pending_reviews()]

    assert (first, second, third) == (1, 1, 0)
    assert waiting == ["plain 2.0"]


async def test_a_path_that_is_no_environment_stores_nothing(store: Any, tmp_path: Path) -> None:
    async with Engine(store, [licences]) as engine:
        with pytest.raises(InvalidItem, match="does not exist"):
            await engine.submit(licences, installed(str(tmp_path / "nowhere")))

    assert await store.list_items() == []


async def test_a_licence_file_changed_after_the_review_is_not_exported(store: Any, environment: EnvironmentFolder, tmp_path: Path) -> None:
    info = environment.add("copyleft", "4.0", "License: GPLv3", files={"COPYING": "GNU GENERAL PUBLIC LICENSE Version 3, 29 June 2007"})

    async with Engine(store, [licences]) as engine:
        await engine.submit(licences, installed(str(environment.path)))
        await engine.run_until_idle()
        (info / "COPYING").write_text("something else")
        await engine.resolve_review("copyleft 4.0", "review", Approve(by="ana"))
        await engine.run_until_idle()
        status = await store.get_status("copyleft 4.0", "export")

    assert status.state is StageState.FAILED
    assert "COPYING has changed since copyleft 4.0 was reviewed" in status.error
    assert properties(tmp_path)["copyleft"]["approved"] == "no"


async def test_what_may_not_be_read_fails_its_stage_in_one_sentence_and_can_be_retried(
    store: Any, environment: EnvironmentFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.add("plain", "1.0", "License-Expression: MIT")
    items = list(installed(str(environment.path)))
    read_bytes = Path.read_bytes

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    async with Engine(store, [licences]) as engine:
        await engine.submit(licences, items)
        monkeypatch.setattr(Path, "read_bytes", refuse)
        await engine.run_until_idle()
        status = await store.get_status("plain 1.0", "metadata")
        monkeypatch.setattr(Path, "read_bytes", read_bytes)
        await engine.retry_stage("plain 1.0", "metadata")
        await engine.run_until_idle()
        mended = await states(engine, "plain 1.0")

    assert status.state is StageState.FAILED
    assert (
        status.error
        == f"plain 1.0: {environment.path}/plain-1.0.dist-info/METADATA cannot be used: Permission denied; mend that, then retry"
    )
    assert mended["export"] == "completed"


async def test_a_package_that_could_not_be_read_is_in_the_documents_of_the_others(
    store: Any, environment: EnvironmentFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.add("locked", "1.0", "License-Expression: MIT", files={"licenses/LICENSE": "Ours."})
    environment.add("plain", "1.0", "License-Expression: MIT")
    read_bytes = Path.read_bytes

    def refuse_one(path: Path) -> bytes:
        if path.name == "LICENSE":
            raise PermissionError(13, "Permission denied", str(path))
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refuse_one)
    async with Engine(store, [licences]) as engine:
        await engine.submit(licences, installed(str(environment.path)))
        await engine.run_until_idle()
        ended = await states(engine, "locked 1.0")

    assert ended["licence"] == "failed"
    assert "| locked 1.0 | unknown | not decided yet |" in notice(tmp_path)
    assert "2 packages: 1 approved, 1 not approved." in notice(tmp_path)


async def test_a_folder_that_cannot_be_written_is_tried_again(store: Any, environment: EnvironmentFolder, tmp_path: Path) -> None:
    environment.add("copyleft", "4.0", "License: GPLv3")
    clock = ManualClock(start=datetime(2026, 11, 20, tzinfo=UTC))

    async with Engine(store, [licences], clock=clock) as engine:
        await engine.submit(licences, installed(str(environment.path)))
        await engine.run_until_idle()
        folder = tmp_path / "work" / "licence-review"
        folder.rename(tmp_path / "work" / "away")
        folder.write_text("a file stands in the way")
        await engine.resolve_review("copyleft 4.0", "review", Approve(by="ana"))
        await engine.advance("copyleft 4.0")
        waiting = await store.get_status("copyleft 4.0", "export")
        folder.unlink()
        clock.advance(2.0)
        await engine.run_until_idle()
        ended = await store.get_status("copyleft 4.0", "export")

    assert waiting.state is StageState.RETRY_WAIT
    assert "cannot be used" in (waiting.error or "")
    assert (ended.state, ended.attempt) == (StageState.COMPLETED, 2)


async def test_the_real_interpreter_goes_through(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    async with Engine(store, [licences]) as engine:
        new = await engine.submit(licences, installed())
        await engine.run_until_idle()
        waiting = len(await engine.pending_reviews())
        counts = (await engine.summary())["licences"]

    assert new > 10
    assert counts["export"][StageState.COMPLETED] + waiting == new
    assert waiting < new / 2
    assert f"{new} packages: {new - waiting} approved, {waiting} not approved." in notice(tmp_path)


async def test_the_small_form_reviews_one_package(store: Any, environment: EnvironmentFolder, tmp_path: Path) -> None:
    environment.add("copyleft", "4.0", "License: GPLv3")
    (item,) = installed(str(environment.path))

    await licences.advance(item, store)
    assert (await licences.status(item.id, store)).review_stages() == ["review"]
    await licences.resolve_review(item.id, "review", Approve(by="ana"), store)
    await licences.advance(item, store)

    assert await licences.is_complete(item.id, store)
    assert "1 package: 1 approved" in notice(tmp_path)


# ---------------------------------------------------------------- stages are functions, and can be called


def some_licence(category: str = "permissive", **facts: Any) -> Licence:
    empty: dict[str, Any] = {"basis": "License", "statements": {}, "texts": {}, "contradictions": [], "doubts": []}
    return Licence(**{"expression": "MIT", "category": category, **empty, **facts})


def item(version: str = "1.0") -> Distribution:
    return Distribution(f"x {version}", "x", version, "/nowhere/x.dist-info", "venv", [], "out")


@pytest.mark.parametrize(
    ("licence", "reasons"),
    [
        (some_licence(), []),
        (some_licence("weak copyleft", expression="MPL-2.0"), ["MPL-2.0: weak copyleft"]),
        (some_licence("proprietary or unknown", expression=""), ["no licence found: proprietary or unknown"]),
        (some_licence(contradictions=["A against B"]), ["A against B"]),
        (some_licence(doubts=["BSD: which one is said nowhere"]), ["BSD: which one is said nowhere"]),
    ],
)
def test_only_permissive_and_consistent_is_accepted(licence: Licence, reasons: list[str], tmp_path: Path) -> None:
    item = Distribution("a 1", "a", "1", "", "", [], str(tmp_path))
    outcome = module.judge(item, Metadata(), licence, {"source available": Check(False, "nowhere")})

    verdict = outcome.output
    assert (verdict.accepted, verdict.reasons) == (not reasons, reasons)
    assert [criterion.passed for criterion in verdict.criteria[:2]] == [
        licence.category == "permissive",
        not (licence.contradictions or licence.doubts),
    ]
    assert verdict.criteria[2].actual == "✗ failed: nowhere"


def test_an_accepted_package_asks_nobody() -> None:
    assert module.review(item(), Metadata(), some_licence(), {}, Verdict(True, [], [])) == Skipped("permissive and consistent")


def test_an_uncertain_one_is_listed_before_anybody_is_asked(tmp_path: Path) -> None:
    waiting = item()
    waiting.output = str(tmp_path / "licence-review")

    outcome = module.review(waiting, Metadata(), some_licence("weak copyleft"), {}, Verdict(False, ["MPL-2.0: weak copyleft"], []))

    assert isinstance(outcome, NeedsReview)
    assert "| x 1.0 | MIT | MPL-2.0: weak copyleft |" in (tmp_path / "licence-review" / "NOTICE.md").read_text("utf-8")


def test_an_error_of_the_file_system_names_the_file_the_reason_and_the_remedy() -> None:
    with pytest.raises(StageExecutionError) as refused, module.plain_errors("export", item()):
        raise OSError(28, "No space left on device", "/data/x")

    assert str(refused.value) == "x 1.0: /data/x cannot be used: No space left on device; mend that, then retry"


@pytest.mark.parametrize(
    ("version", "passed", "found"),
    [
        ("2020.1.2", False, "by its version 2020-01, "),
        ("2099.12", True, "by its version 2099-12, "),
        ("3.6.1.20990114", True, "by its version 2099-01, "),
        ("2024.13.1", None, "unknown: not in the metadata; installed 2026-01-01"),
        ("1.2.3", None, "unknown: not in the metadata; installed 2026-01-01"),
        ("2024", None, "unknown"),
        ("2099", None, "unknown"),
    ],
)
def test_the_age_of_a_release_is_told_only_where_the_version_is_a_date(version: str, passed: bool | None, found: str) -> None:
    check = last_release_age(item(version), Metadata(installed="2026-01-01"), some_licence())

    assert check.passed is passed
    assert check.found.startswith(found)


@pytest.mark.parametrize(
    ("metadata", "passed"),
    [
        (Metadata(urls={"Source": "https://example.org"}), True),
        (Metadata(urls={"Homepage": "https://github.com/somebody/x"}), True),
        (Metadata(python_files=3), True),
        (Metadata(binary_files=1, python_files=1, urls={"Homepage": "https://example.org"}), False),
        (Metadata(urls={"Homepage": "https://example.org"}), None),
        (Metadata(), None),
    ],
)
def test_source_is_available_when_it_is_installed_or_linked(metadata: Metadata, passed: bool | None) -> None:
    assert source_available(item(), metadata, some_licence()).passed is passed


def test_the_link_called_source_is_shown_before_another_link_to_its_host() -> None:
    urls = {"Issue Tracker": "https://github.com/x/x/issues", "Source Code": "https://github.com/x/x", "Codecov": "https://codecov.io/x"}

    assert source_available(item(), Metadata(urls=urls), some_licence()).found == "https://github.com/x/x"


def test_the_workflow_is_read_by_the_program_that_bundles_it(tmp_path: Path) -> None:
    from treadle_tui.cli.loader import find_workflows

    found = find_workflows(tmp_path / "work.db")

    assert found.by_name("licences").stages() == STAGES
    assert found.problems == []


def test_reading_an_environment_imports_nothing_of_it(environment: EnvironmentFolder) -> None:
    environment.add("trap", "1.0", record="trap/__init__.py,,\n")
    (environment.path / "trap").mkdir()
    (environment.path / "trap" / "__init__.py").write_text("raise SystemExit('imported')")

    (found,) = installed(str(environment.path))

    assert _licences_environment.read_metadata(Path(found.path)).python_files == 1
