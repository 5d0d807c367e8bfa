"""What is found in a Python environment, and what a package is read as."""

from __future__ import annotations

import os
import sys
from collections import Counter
from importlib.metadata import distributions
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workflows.environment_folder import MIT, EnvironmentFolder, fill
from treadle_tui.engine import InvalidItem
from workflows._licences_environment import (
    Distribution,
    Metadata,
    environment_index,
    find_environment,
    installed_distributions,
    name_and_version,
    needed,
    read_metadata,
    read_texts,
)
from workflows._licences_spdx import CATEGORIES, PERMISSIVE, classify
from workflows.licences import CHECKS


@pytest.fixture
def environment(tmp_path: Path) -> EnvironmentFolder:
    return EnvironmentFolder(tmp_path / "venv" / "lib" / "python3.12" / "site-packages")


def ids(environment: str | Path) -> list[str]:
    return [item.id for item in installed_distributions(str(environment), "out")]


def test_a_virtual_environment_is_named_by_its_root_its_site_packages_or_its_python(environment: EnvironmentFolder) -> None:
    environment.add("plain", "1.0")
    root = environment.path.parents[2]
    (root / "bin").mkdir()
    (root / "bin" / "python").symlink_to(sys.executable)
    (root / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.1\n")

    assert ids(root) == ids(environment.path) == ids(root / "bin" / "python") == ["plain 1.0"]


def test_a_windows_environment_is_read_on_any_system(tmp_path: Path) -> None:
    EnvironmentFolder(tmp_path / "Lib" / "site-packages").add("plain", "1.0")
    (tmp_path / "Scripts").mkdir()
    (tmp_path / "Scripts" / "python.exe").touch()

    assert ids(tmp_path) == ids(tmp_path / "Scripts" / "python.exe") == ["plain 1.0"]


def test_an_environment_with_system_packages_has_those_too(environment: EnvironmentFolder, tmp_path: Path) -> None:
    environment.add("plain", "1.0")
    EnvironmentFolder(tmp_path / "usr" / "lib" / "python3" / "dist-packages").add("shared", "2.0")
    settings = f"home = {tmp_path}/usr/bin\ninclude-system-site-packages = true\nversion = 3.12.1\n"
    (environment.path.parents[2] / "pyvenv.cfg").write_text(settings)

    assert ids(environment.path.parents[2]) == ["plain 1.0", "shared 2.0"]


def test_of_several_pythons_the_one_that_is_named_counts(environment: EnvironmentFolder) -> None:
    environment.add("plain", "1.0")
    root = environment.path.parents[2]
    EnvironmentFolder(root / "lib" / "python3.11" / "site-packages").add("older", "1.0")
    (root / "bin").mkdir()
    (root / "bin" / "python3.12").touch()

    assert ids(root / "bin" / "python3.12") == ["plain 1.0"]
    assert ids(root) == ["older 1.0", "plain 1.0"]


def test_without_a_path_it_is_the_interpreter_that_runs_this() -> None:
    label, search_path = find_environment("")

    assert label == sys.prefix
    assert {Path(place).resolve() for place in search_path} == {Path(place).resolve() for place in sys.path if Path(place).is_dir()}


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("nowhere", "does not exist; give a virtual environment"),
        ("a file.txt", "is not a python executable"),
        ("empty", "holds no site-packages"),
        ("bare", "no packages are installed in"),
    ],
)
def test_what_is_no_environment_is_refused_in_one_sentence(tmp_path: Path, place: str, sentence: str) -> None:
    (tmp_path / "a file.txt").write_text("text")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bare" / "lib" / "python3.12" / "site-packages").mkdir(parents=True)

    with pytest.raises(InvalidItem, match=sentence) as refused:
        ids(tmp_path / place)

    assert str(tmp_path / place) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_directory_that_may_not_be_read_is_refused_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)

    with pytest.raises(InvalidItem, match="cannot be read: Permission denied"):
        ids(tmp_path)


def test_one_name_and_version_on_two_paths_is_one_item_and_two_versions_are_two(tmp_path: Path) -> None:
    first, second = (
        EnvironmentFolder(tmp_path / "lib/python3.12/site-packages"),
        EnvironmentFolder(tmp_path / "lib64/python3.12/site-packages"),
    )
    first.add("Some_Package", "1.0")
    second.add("some-package", "1.0")
    second.add("some-package", "2.0")

    items = list(installed_distributions(str(tmp_path), "out"))

    assert [(item.id, Path(item.path).parent) for item in items] == [("Some_Package 1.0", first.path), ("some-package 2.0", second.path)]


def test_what_an_interrupted_pip_left_behind_is_no_package(environment: EnvironmentFolder) -> None:
    environment.add("plain", "1.0")
    environment.add("~lain", "0.9")

    assert ids(environment.path) == ["plain 1.0"]


def test_a_directory_without_metadata_is_an_item_that_says_so(environment: EnvironmentFolder) -> None:
    (environment.path / "broken-0.1.dist-info").mkdir()

    assert ids(environment.path) == ["broken 0.1"]
    assert "a broken or half removed installation" in read_metadata(environment.path / "broken-0.1.dist-info").problem


def test_an_egg_info_may_be_a_file_or_a_directory(environment: EnvironmentFolder) -> None:
    (environment.path / "old-1.0-py3.12.egg-info").write_text("Metadata-Version: 1.1\nName: old\nVersion: 1.0\nLicense: MIT\n")
    (environment.path / "linked.egg-info").mkdir()
    (environment.path / "linked.egg-info" / "PKG-INFO").write_text("Name: linked\nVersion: 2.0\nLicense: BSD\n")
    (environment.path / "linked.egg-info" / "SOURCES.txt").write_text("LICENSE\nlinked/__init__.py\n")
    (environment.path / "LICENSE").write_text(MIT)

    assert ids(environment.path) == ["linked 2.0", "old 1.0"]
    assert read_metadata(environment.path / "old-1.0-py3.12.egg-info").licence == "MIT"
    assert read_metadata(environment.path / "linked.egg-info").files == ["LICENSE"]


def test_names_are_one_printable_line(environment: EnvironmentFolder) -> None:
    info = environment.path / "x-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_bytes(b"Name: a\x1b[31m/../..\n\tb\xff\nVersion: 1\x00\n\n")

    assert name_and_version(info) == ("a [31m/../.. b\N{REPLACEMENT CHARACTER}", "1")


def test_metadata_in_another_encoding_is_read(environment: EnvironmentFolder) -> None:
    info = environment.add("latin", "1.0")
    (info / "METADATA").write_bytes("Name: latin\nVersion: 1.0\nSummary: Grüße\nLicense: MIT\n".encode("latin-1"))

    assert read_metadata(info).licence == "MIT"
    assert ids(environment.path) == ["latin 1.0"]


def test_licence_files_are_found_wherever_packages_put_them(environment: EnvironmentFolder) -> None:
    new = environment.add("new", "1", "License-File: LICENSES/MIT.txt", files={"licenses/LICENSES/MIT.txt": MIT, "licenses/NOTICE": "N"})
    middle = environment.add("middle", "1", "License-File: COPYING.md", files={"COPYING.md": MIT, "AUTHORS": "Ana", "top_level.txt": "x"})
    old = environment.add("old", "1", record="old/__init__.py,,\nold/LICENSE,,\nold/vendor/deep/LICENSE,,\nold/license.py,,\n")
    (environment.path / "old").mkdir()
    for name in ("LICENSE", "license.py"):
        (environment.path / "old" / name).write_text(MIT)

    assert read_metadata(new).files == ["new-1.dist-info/licenses/LICENSES/MIT.txt", "new-1.dist-info/licenses/NOTICE"]
    assert read_metadata(middle).files == ["middle-1.dist-info/AUTHORS", "middle-1.dist-info/COPYING.md"]
    assert read_metadata(old).files == ["old/LICENSE"]


def test_no_file_outside_of_the_environment_is_read_whatever_the_metadata_says(environment: EnvironmentFolder, tmp_path: Path) -> None:
    (tmp_path / "secret-licence").write_text("secret")
    up = os.path.relpath(tmp_path / "secret-licence", environment.path / "evil-1.dist-info")
    info = environment.add("evil", "1", f"License-File: {up}", f"License-File: {tmp_path}/secret-licence", record=f"{up[3:]},,\n")
    (info / "LICENSE").symlink_to(tmp_path / "secret-licence")

    assert read_metadata(info).files == []


def test_links_code_and_the_date_of_the_installation_are_read(environment: EnvironmentFolder) -> None:
    record = "x/__init__.py,,\nx/fast.so,,\n"
    info = environment.add("x", "1", "Project-URL: Source, https://example.org/x", "Home-page: https://example.org", record=record)

    metadata = read_metadata(info)

    assert metadata.urls == {"Source": "https://example.org/x", "Homepage": "https://example.org"}
    assert metadata.installed.startswith("20")


def test_a_damaged_record_counts_as_no_record(environment: EnvironmentFolder) -> None:
    info = environment.add("x", "1", "License: MIT")
    (info / "RECORD").write_bytes(b"\xff\xfe,,not a number\n\x00")

    assert read_metadata(info).python_files == 0


def test_dependencies_are_those_of_this_python_without_extras() -> None:
    requires = ["Some_Thing>=1", "old; python_version < '3'", "extra-thing; extra == 'docs'", "web @ https://example.org/web.whl", "???"]

    assert needed(Metadata(requires=requires)) == (["some-thing", "web"], ["???"])


def test_the_index_knows_who_requires_whom_and_notices_an_installation(environment: EnvironmentFolder) -> None:
    environment.add("plain", "1.0")
    environment.add("user", "1.0", "Requires-Dist: Plain")
    assert environment_index([str(environment.path)])[1] == {"plain": ["user"]}

    environment.add("another", "1.0", "Requires-Dist: plain")
    os.utime(environment.path, ns=(1, 1))

    places, dependents = environment_index([str(environment.path)])
    assert dependents == {"plain": ["another", "user"]}
    assert sorted(places) == ["another", "plain", "user"]


def test_a_directory_of_the_search_path_may_be_gone() -> None:
    assert environment_index(["/nowhere/at/all"]) == ({}, {})


metadata_text = st.text(max_size=200) | st.lists(
    st.sampled_from(
        ["Name: x", "Version: 1", "License: MIT", "License-File: ../../x", "Requires-Dist: y; z", "Project-URL: a", "", " folded", "\r"]
    )
    | st.text(max_size=20),
    max_size=12,
).map("\n".join)


@given(metadata_text.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=200), st.binary(max_size=80))
@settings(max_examples=150, deadline=None)
def test_no_metadata_makes_reading_raise(tmp_path_factory: pytest.TempPathFactory, metadata: bytes, record: bytes) -> None:
    environment = EnvironmentFolder(tmp_path_factory.mktemp("any"))
    info = environment.path / "x-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_bytes(metadata)
    (info / "RECORD").write_bytes(record)

    items = list(installed_distributions(str(environment.path), "out"))
    known = read_metadata(info)

    assert len(items) == 1
    assert items[0].id.isprintable()
    result = classify(known, read_texts(info, known))
    for check in CHECKS.values():
        assert check(items[0], known, result).found


def test_every_package_of_this_interpreter_is_classified_and_most_are_permissive() -> None:
    items = list(installed_distributions("", "out"))
    categories: Counter[str] = Counter()
    for item in items:
        categories[checked_category(item)] += 1

    assert len(items) >= len({(found.metadata["Name"], found.version) for found in distributions() if found.metadata["Name"]}) > 10
    assert set(categories) <= set(CATEGORIES)
    assert categories[PERMISSIVE] > len(items) / 2


def checked_category(item: Distribution) -> str:
    metadata = read_metadata(Path(item.path))
    result = classify(metadata, read_texts(Path(item.path), metadata))
    for check in CHECKS.values():
        assert check(item, metadata, result).found
    return result.category


def test_a_filled_environment_lists_everything_that_is_really_there(environment: EnvironmentFolder) -> None:
    fill(environment)

    assert "grüße 1.0" in ids(environment.path)
    assert len(ids(environment.path)) == 11
