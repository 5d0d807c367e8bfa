"""What is installed in a Python environment, read from its files: nothing is imported, nothing is executed, no network is used.

Finds the directories that hold packages, and reads what each package says of itself. Knows nothing of licences beyond the names of
their files, and nothing of the workflow.
"""

import os
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_string
from email.message import Message
from functools import lru_cache
from importlib.metadata import PathDistribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from treadle_tui.engine import InvalidItem


@dataclass
class Distribution:
    """A work item: one version of one package, so that an upgrade is reviewed again."""

    id: str
    """Name and version."""
    name: str
    version: str
    path: str
    """Of the .dist-info or .egg-info."""
    environment: str
    search_path: list[str]
    """The directories its dependencies are looked for in."""
    output: str
    """The folder of the documents."""
    baseline: list[str] = field(default_factory=list)
    """The directories of the environment it is compared with; empty for none."""


@dataclass
class Metadata:
    """What a package says of itself, shortened to what a licence review needs."""

    summary: str = ""
    expression: str = ""
    """License-Expression, PEP 639."""
    licence: str = ""
    """License: free text, sometimes the whole licence."""
    classifiers: list[str] = field(default_factory=list)
    """Those that begin with License."""
    files: list[str] = field(default_factory=list)
    """Licence texts and notices, relative to the directory that holds the .dist-info."""
    requires: list[str] = field(default_factory=list)
    required_by: list[str] = field(default_factory=list)
    """Names of the packages of the environment that require this one."""
    urls: dict[str, str] = field(default_factory=dict)
    python_files: int = 0
    binary_files: int = 0
    installed: str = ""
    """The date, or nothing when the files do not tell."""
    problem: str = ""
    """Why it could not be read properly."""


def installed_distributions(environment: str, output: str) -> Iterator[Distribution]:
    """Each name and version once, the first on the path, as an import would find it. Raises: InvalidItem before the first one."""
    label, search_path = find_environment(environment)
    seen: set[tuple[str, str]] = set()
    for path in distribution_paths(search_path):
        name, version = name_and_version(path)
        if (canonicalize_name(name), version) not in seen:
            seen.add((canonicalize_name(name), version))
            yield Distribution(f"{name} {version}", name, version, str(path), label, search_path, output)
    if not seen:
        raise InvalidItem(f"no packages are installed in {label}, so there is nothing to review")


def distribution_paths(search_path: Sequence[str]) -> Iterator[Path]:
    """The .dist-info and .egg-info of an environment, in the order of the path and of their names."""
    for place in search_path:
        paths = [Path(str(getattr(found, "_path", ""))) for found in distributions(path=[place])]  # the place has no public name
        yield from sorted(path for path in paths if not path.name.startswith("~"))  # "~ip-23.1.dist-info": left by an interrupted pip


def find_environment(environment: str) -> tuple[str, list[str]]:
    """A label and the directories to search. Raises: InvalidItem for a path that is no Python environment."""
    if not environment.strip():
        return sys.prefix, unique(Path(entry) for entry in sys.path if Path(entry).is_dir())
    path = Path(environment).expanduser().absolute()
    hint = "give a virtual environment, a site-packages directory or a python executable"
    try:
        if not path.exists():
            raise InvalidItem(f"{path} does not exist; {hint}")
        if path.is_file() and not path.name.lower().startswith(("python", "pypy")):
            raise InvalidItem(f"{path} is not a python executable; {hint}")
        search_path = site_directories(path)
    except OSError as error:
        raise InvalidItem(f"{path} cannot be read: {error.strerror}; {hint}") from error
    if not search_path:
        raise InvalidItem(f"{path} holds no site-packages; {hint}")
    return str(path), search_path


def site_directories(path: Path) -> list[str]:
    """The directories of an environment that hold packages. A link to a python is not followed: its place says which environment."""
    root = path if path.is_dir() else path.parent.parent if path.parent.name in ("bin", "Scripts") else path.parent
    if path.is_dir() and any(entry.suffix in (".dist-info", ".egg-info") for entry in path.iterdir()):
        return [str(path)]
    settings = (root / "pyvenv.cfg").read_text("utf-8", "replace") if (root / "pyvenv.cfg").is_file() else ""
    home = re.search(r"(?im)^home *= *(.+)$", settings)
    system = [Path(home[1].strip()).parent] if home and re.search(r"(?im)^include-system-site-packages *= *true", settings) else []
    version = re.search(r"(?im)^version\w* *= *(\d+\.\d+)", settings) or (path.is_file() and re.search(r"(\d\.\d+)$", path.resolve().name))
    python = f"python{version[1]}" if version else "python3*"
    places = [f"{lib}/{python}/{kind}-packages" for lib in ("lib", "lib64", "local/lib") for kind in ("site", "dist")]
    places += ["lib/pypy*/site-packages", "lib/python3/dist-packages", "Lib/site-packages", "site-packages", "dist-packages"]
    return unique(found for base in (root, *system) for place in places for found in sorted(base.glob(place)) if found.is_dir())


def unique(paths: Iterable[Path]) -> list[str]:
    """Each directory once, in order: lib64 is lib on many systems."""
    places: dict[Path, str] = {}
    for path in paths:
        places.setdefault(path.resolve(), str(path.absolute()))
    return list(places.values())


def clean(text: object) -> str:
    """One printable line; what old tools wrote for nothing is nothing."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in str(text or "")).split())
    return "" if line in ("UNKNOWN", "None") else line


def read_headers(path: Path) -> Message:
    """The core metadata, empty when there is none. Decoded here: importlib.metadata hides what may not be read, and refuses Latin-1."""
    for file in (path / "METADATA", path / "PKG-INFO", path):
        if file.is_file():
            text = file.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
            return message_from_string(text.partition("\n\n")[0])
    return Message()


def name_and_version(path: Path) -> tuple[str, str]:
    """From the metadata, or else from the name of the directory."""
    try:
        headers = read_headers(path)
    except OSError:  # told later by the stage `metadata`, which can show it
        headers = Message()
    name, _, version = path.name.rpartition(".")[0].partition("-")
    return clean(headers["Name"])[:120] or clean(name) or "unnamed", clean(headers["Version"])[:80] or clean(
        version.partition("-py")[0]
    ) or "?"


def read_metadata(path: Path) -> Metadata:
    """What one .dist-info or .egg-info says. Raises: OSError when it is gone, or may not be read."""
    newest = max((entry.stat().st_mtime for entry in [path, *(path.iterdir() if path.is_dir() else ())]), default=0.0)
    headers, recorded = read_headers(path), recorded_files(path)
    links = [("Homepage", headers["Home-page"]), *(str(url).partition(",")[::2] for url in headers.get_all("Project-URL", []))]
    return Metadata(
        summary=clean(headers["Summary"])[:200],
        expression=clean(headers["License-Expression"])[:500],
        licence=str(headers["License"] or "").strip()[:50_000] if clean(headers["License"]) else "",
        classifiers=[clean(entry) for entry in headers.get_all("Classifier", []) if str(entry).strip().startswith("License")],
        files=licence_files(path, [str(name) for name in headers.get_all("License-File", [])], recorded),
        requires=[clean(line) for line in headers.get_all("Requires-Dist", [])],
        urls={clean(label): clean(url) for label, url in links if clean(url)},
        python_files=sum(name.endswith(".py") for name in recorded),
        binary_files=sum(name.endswith((".so", ".pyd", ".dll", ".dylib", ".exe")) for name in recorded),
        installed=f"{datetime.fromtimestamp(newest, UTC):%Y-%m-%d}" if newest > 1e9 else "",  # earlier: a packer's fixed date
        problem="" if headers["Name"] else f"{path.name} has no readable metadata: a broken or half removed installation",
    )


def recorded_files(path: Path) -> list[str]:
    """The files a distribution lists as its own."""
    try:
        return [str(name).replace("\\", "/") for name in PathDistribution(path).files or []]
    except Exception:  # a RECORD that is no CSV, no UTF-8, or has letters for numbers, fails in as many ways
        return []


LICENCE_NAME = re.compile(r"licen[cs]e|copying|copyright|eula|notice|authors|patents", re.I)
NO_LICENCE_NAME = re.compile(r"\.(py\w*|so|json|toml)$|^(readme|change|history|contribut|code.of.conduct|security)", re.I)


def licence_files(path: Path, named: list[str], recorded: list[str]) -> list[str]:
    """Licence texts and notices, relative to the directory that holds `path`; nothing outside of it, whatever the metadata says."""
    places = [path / folder / name for folder in ("licenses", "") for name in named]
    if path.is_dir():
        places += [*(path / "licenses").rglob("*"), *(file for file in path.iterdir() if LICENCE_NAME.search(file.name))]
    near = [path.parent / name for name in recorded if name.count("/") < 2 and LICENCE_NAME.search(name.rpartition("/")[2])]
    found = _inside(path.parent, places) or _inside(path.parent, near)  # older packages put it beside their code
    return sorted({file.relative_to(path.parent).as_posix().encode("utf-8", "replace").decode() for file in found})


def _inside(base: Path, places: list[Path]) -> list[Path]:
    readable = [file for file in places if "\0" not in str(file) and not NO_LICENCE_NAME.search(file.name) and file.is_file()]
    return [file for file in readable if ".." not in file.parts and file.resolve().is_relative_to(base.resolve())]


def read_texts(path: Path, metadata: Metadata) -> dict[str, str]:
    """The licence texts by file name."""
    return {name: (path.parent / name).read_bytes()[:1_000_000].decode("utf-8", "replace") for name in metadata.files}


def needed(metadata: Metadata) -> tuple[list[str], list[str]]:
    """Canonical names of what the package requires here, extras left out, and the lines that cannot be read."""
    names, unreadable = set(), []
    for line in metadata.requires:
        try:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                names.add(str(canonicalize_name(requirement.name)))
        except Exception:  # InvalidRequirement, or a marker that names what does not exist
            unreadable.append(line)
    return sorted(names), unreadable


_reading = threading.Lock()


def environment_index(search_path: list[str]) -> tuple[dict[str, Path], dict[str, list[str]]]:
    """Where each package of the environment is, and who requires it, by canonical name; read once, and again after an installation."""
    with _reading:
        return _read_environment(
            tuple(search_path), tuple(os.stat(place).st_mtime_ns if os.path.isdir(place) else 0 for place in search_path)
        )


@lru_cache(maxsize=2)
def _read_environment(search_path: tuple[str, ...], _changed: tuple[int, ...]) -> tuple[dict[str, Path], dict[str, list[str]]]:
    places: dict[str, Path] = {}
    dependents: dict[str, list[str]] = {}
    for path in distribution_paths(search_path):
        name, _ = name_and_version(path)
        if places.setdefault(canonicalize_name(name), path) is path:
            try:
                wanted, _ = needed(Metadata(requires=read_headers(path).get_all("Requires-Dist", [])))
            except OSError:
                continue
            for other in wanted:
                dependents.setdefault(other, []).append(name)
    return places, {name: sorted(users) for name, users in dependents.items()}
