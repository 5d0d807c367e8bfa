"""The code in docs/ is run as it stands: every Python block of a page in order, in one session, in a folder of its own.

A `text` block right behind a block of code is what that code prints. A block whose first line is a comment with a file name, or whose
fence names one, is written to that file. `sh` blocks are run too, and other `toml` and `json` is read. README.md is the business of
`test_readme`, the JSON of command-line.md as well. There is no way to have a block not run.

What a reader of a page does not need to see stands in a comment right above a block: `given:` and a line for the shell that is run first,
or `each line in a terminal of its own`.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import json
import os
import re
import signal
import subprocess
import sys
import tomllib
import types
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.acceptance.terminal import Terminal

ROOT = Path(__file__).resolve().parents[1]
PAGES = [page for page in sorted((ROOT / "docs").glob("*.md")) if re.search("^```(python|sh|toml)", page.read_text(), re.MULTILINE)]

_FENCE = re.compile(r"^(?:<!-- ([^\n]*) -->\n)?```(\w*) ?(\S*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_MARKS = re.compile("given: (?P<given>.+)|(?P<terminals>each line in a terminal of its own.*)")
_FILE_COMMENT = re.compile(r"# (\S+\.(?:py|toml))(, at the end)?\n")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    """Of its first line of code."""
    language: str
    code: str
    file: str | None
    """The file it belongs into, relative to the reader's folder; None when it is none."""
    is_continued: bool = False
    """Whether the file goes on with it, instead of beginning."""
    printed: str | None = None
    """What the page says it prints; None when it does not say."""
    mark: str = ""
    """What is said of it in a comment above it."""

    @property
    def where(self) -> str:
        return f"{self.page.name}, line {self.line}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text()
    blocks: list[Block] = []
    end = -1
    for fence in _FENCE.finditer(text):
        mark, language, file, code = fence.groups()
        comment = _FILE_COMMENT.match(code)
        is_right_behind = blocks != [] and text[end : fence.start()].strip() == ""
        if language == "text" and is_right_behind:
            code_block = blocks.pop()
            blocks.append(replace(code_block, printed=code))
        else:
            line = text.count("\n", 0, fence.start(4)) + 1
            named = file or (comment[1] if comment else None)
            blocks.append(Block(page, line, language, code, named, is_continued=bool(comment and comment[2]), mark=mark or ""))
        end = fence.end()
    return blocks


def read_as(language: str, code: str) -> None:
    """Refuses what is no TOML or JSON."""
    if language == "toml":
        tomllib.loads(code)
    if language == "json":
        json.loads(code)


HEADLESS = re.compile(r" run\b")
"""Of the lines that stay open, those that show no screen."""


class Reader:
    """Somebody who types in a page: one Python session with `await` at its top, a shell, and a folder."""

    def __init__(self, folder: Path, session: types.ModuleType, runner: asyncio.Runner) -> None:
        self.folder = folder
        self.session = session
        self.runner = runner
        programs = folder / ".bin"
        programs.mkdir()
        program = programs / "treadle-tui"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m treadle_tui "$@"\n')
        program.chmod(0o755)
        self.environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "TREADLE_LOG": str(folder / ".treadle.log"),
            "TREADLE_REVIEWER": "ana",
        }

    def type_in(self, block: Block) -> None:
        mark = _MARKS.fullmatch(block.mark)
        assert mark is not None or not block.mark, f"{block.where}: nobody knows what {block.mark!r} means"
        if mark is not None and mark["terminals"]:
            self.open_terminals(block)
            return
        if mark is not None:
            self.run_shell(replace(block, code=mark["given"]))
        if block.file is not None:
            file = self.folder / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{file.read_text()}\n\n{block.code}" if block.is_continued else block.code)
        if block.language == "python":
            printed = self.run_python(block)
        elif block.language == "sh":
            printed = self.run_shell(block)
        else:
            read_as(block.language, block.code)
            return
        if block.printed is not None:
            assert printed == block.printed, f"{block.where} prints something else than it says:\n{printed}"

    def open_terminals(self, block: Block) -> None:
        """All lines at once, each in a terminal, until all have something to show; then they are ended as a person does."""
        with contextlib.ExitStack() as opened:
            terminals = {
                line: opened.enter_context(Terminal(["bash", "-c", f"exec {line}"], self.folder, self.environment))
                for line in block.code.splitlines()
            }
            for line, terminal in terminals.items():
                terminal.wait_for("to review" if HEADLESS.search(line) else "waiting")
            for line, terminal in terminals.items():
                if HEADLESS.search(line):
                    assert terminal.kill(signal.SIGINT) == 130, f"{block.where}: {line}"
                else:
                    terminal.press("q")
                    assert terminal.wait_for_end() == 0, f"{block.where}: {line}\n{terminal.screen}"

    def run_python(self, block: Block) -> str:
        code = compile("\n" * (block.line - 1) + block.code, str(block.page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            awaited = types.FunctionType(code, self.session.__dict__)()
            if inspect.iscoroutine(awaited):
                self.runner.run(awaited)
        return printed.getvalue()

    def run_shell(self, block: Block) -> str:
        done = subprocess.run(
            ["bash", "-e", "-c", block.code],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{block.where}: {done.stderr}"
        return done.stdout


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.chdir(tmp_path)
    session = types.ModuleType("typed_in_from_the_docs")
    monkeypatch.setitem(sys.modules, session.__name__, session)
    with asyncio.Runner() as runner:
        reader = Reader(tmp_path, session, runner)
        for name in ("PATH", "PYTHONPATH", "TREADLE_LOG", "TREADLE_REVIEWER"):
            monkeypatch.setenv(name, reader.environment[name])
        yield reader


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs_as_it_stands_and_prints_what_the_page_says(page: Path, reader: Reader) -> None:
    try:
        for block in blocks_of(page):
            reader.type_in(block)
    except AssertionError as error:
        log = reader.folder / ".treadle.log"
        error.add_note(f"and the log ends: {log.read_text()[-3000:] if log.exists() else 'there is none'}")
        raise


def test_there_is_code_to_run() -> None:
    assert {"semantics", "writing-workflows", "how-to", "documents", "moderation", "media", "licences"} <= {page.stem for page in PAGES}


@pytest.mark.parametrize("page", sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]), ids=lambda page: page.name)
def test_every_block_says_what_it_is_so_that_it_can_be_run(page: Path) -> None:
    named = {fence[2] for fence in _FENCE.finditer(page.read_text())}

    assert named <= {"python", "sh", "toml", "json", "text"}


def test_the_layout_and_the_files_that_architecture_names_are_there() -> None:
    page = ROOT / "docs" / "architecture.md"
    (layout,) = [block.code for block in blocks_of(page) if block.language == "text"]
    folders = [ROOT]
    for line in layout.splitlines():
        names = re.split(r"floor \d| {3,}", line.strip())[0].split()
        depth = (len(line) - len(line.lstrip())) // 2
        for name in (name for name in names if name != "…"):
            folders[depth + 1 :] = [folders[depth] / name]
            assert folders[-1].is_dir() or folders[-1].with_suffix(".py").is_file(), f"{name} is not in {folders[depth]}"

    named = set(re.findall(r"[`(]([\w/]+\.py)[`):]", page.read_text()))
    tops = [ROOT, ROOT / "treadle_tui", ROOT / "treadle_tui" / "engine" / "store"]
    assert named
    assert {name for name in named if not any((top / name).is_file() for top in tops)} == set()


def anchors_of(page: Path) -> set[str]:
    """What a link may put behind `#`: every heading as GitHub writes it."""
    outside_code = _FENCE.sub("", page.read_text())
    headings = re.findall(r"^#+ (.+)$", outside_code, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]), ids=lambda page: page.name)
def test_links_into_a_page_lead_to_a_heading(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s:#]*)#([^)\s]+)\)", page.read_text())

    missing = [f"{target}#{anchor}" for target, anchor in links if anchor not in anchors_of(page.parent / target if target else page)]
    assert missing == []
