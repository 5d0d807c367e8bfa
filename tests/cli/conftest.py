"""A small workflow on disk, and the command line called as the program calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from treadle_tui.cli.main import run_command_line

ROOT = Path(__file__).resolve().parents[2]

PAPERS = '''
"""A folder of texts. What stands in a text decides what becomes of it."""
from pathlib import Path
from treadle_tui.engine import FanOut, NeedsReview, ReviewData, Workflow

papers = Workflow("papers")

@papers.source
def scan(folder: str, pattern: str = "*.txt"):
    if not Path(folder).is_dir():
        raise FileNotFoundError(2, "No such folder", folder)
    for file in sorted(Path(folder).glob(pattern)):
        yield {"id": file.stem, "text": file.read_text()}

@papers.stage
def read(item):
    if item["text"].startswith("broken"):
        raise ValueError(f"cannot be read: {item['text']}")
    return {"words": len(item["text"].split())}

@papers.stage
def sources(item, read):
    return FanOut(["crossref", "arxiv"])

@sources.each
def lookup(item, subtask):
    if item["text"] == "unsure" and subtask == "arxiv":
        return NeedsReview({"hits": 2}, ReviewData("two hits at arxiv"))
    return {"hits": 1}

@papers.stage
def publish(item, read, sources):
    if item["text"] == "doubtful":
        return NeedsReview(read, ReviewData("fit to print?", details={"words": read["words"]}))
    return "printed"
'''


@dataclass(frozen=True)
class Outcome:
    """What came of one call."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Call = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own settings, and its log and current directory somewhere else."""
    monkeypatch.delenv("TREADLE_DB", raising=False)
    monkeypatch.setenv("TREADLE_REVIEWER", "ana")
    monkeypatch.setenv("TREADLE_LOG", str(tmp_path / "log" / "treadle.log"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds `workflows/papers.py` and `texts/` with one text of each kind."""
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "papers.py").write_text(PAPERS)
    (tmp_path / "texts").mkdir()
    for name in ("plain", "doubtful"):
        (tmp_path / "texts" / f"{name}.txt").write_text(name)
    return tmp_path


@pytest.fixture
def db(folder: Path) -> Path:
    """Where the database is to be; it does not exist yet."""
    return folder / "work.db"


@pytest.fixture
def treadle(db: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls the command line with `--db` and these arguments."""

    def call(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = run_command_line(["--db", str(db), *arguments], no_screen)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


def no_screen(*_: object) -> int:
    raise AssertionError("no screen was asked for")


def program(*arguments: str, cwd: Path, environment: Mapping[str, str] | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own, without a terminal."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | ({} if "input" in options else {"stdin": subprocess.DEVNULL})
    return subprocess.run(
        [sys.executable, "-m", "treadle_tui", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        text=True,
        timeout=120,
        **(streams | options),
    )


@pytest.fixture
def texts(folder: Path) -> Callable[..., None]:
    """Write these texts, each a file of its own name, in place of the usual two."""

    def write(**contents: str) -> None:
        for file in (folder / "texts").iterdir():
            file.unlink()
        for name, content in contents.items():
            (folder / "texts" / f"{name}.txt").write_text(content)

    return write


@pytest.fixture
def worked(treadle: Call, folder: Path) -> Call:
    """The command line on a database whose items have run until idle: `doubtful` waits for a person."""
    assert treadle("add", "papers", str(folder / "texts")).code == 0
    assert treadle("run", "--until", "idle").code == 0
    return treadle
