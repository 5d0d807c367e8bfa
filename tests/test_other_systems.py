"""Windows and macOS are not assumed away: everything imports and the plain verbs work where Unix's modules and calls do not exist.

This is no Windows. It is this interpreter without what Windows lacks, which is what a forgotten `import fcntl` or `os.kill` trips over.
What the type checker says of the other platforms' standard library, `.ci/run` asks it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from treadle_tui.board.command_words import command_words
from treadle_tui.engine import StageExecutionError, other_processes
from treadle_tui.engine.definitions.commands import _look_again_and_again, _refuse_batch_file

psutil = pytest.importorskip("psutil")
ROOT = Path(__file__).resolve().parents[1]

WINDOWS = '''
import asyncio, asyncio.runners, concurrent.futures, ctypes, multiprocessing, os, pathlib, selectors, shutil, signal, socket, sqlite3
import ssl, subprocess, sys, tempfile, types, unittest.mock, urllib.request, uuid
import aiosqlite, click, click.shell_completion, msgspec, platformdirs, psutil, rich.console, rich.progress, textual.app, textual.widgets
import pyperclip, textual.drivers.linux_driver, textual.drivers.headless_driver

missing = ("fcntl", "grp", "pwd", "termios", "tty", "pty", "resource", "syslog", "posix")
for name in missing:
    sys.modules[name] = None


class Locks(types.ModuleType):
    """As Windows locks: a byte of a file, which a second descriptor does not get."""

    LK_NBLCK, LK_UNLCK = 2, 0
    held = {}

    def locking(self, descriptor, mode, count):
        file = os.fstat(descriptor).st_ino
        if mode == self.LK_NBLCK and self.held.setdefault(file, descriptor) != descriptor:
            raise PermissionError(13, "Permission denied")
        if mode == self.LK_UNLCK:
            self.held.pop(file, None)


sys.modules["msvcrt"] = Locks("msvcrt")
for name in (
    "fork forkpty killpg getpgrp getpgid setsid getuid geteuid getgid getegid chown fchmod fchown uname sysconf pidfd_open statvfs openpty"
    " sched_getaffinity register_at_fork mkfifo wait3 wait4 getloadavg sync"
).split():
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGSTOP", "SIGCONT", "SIGTSTP", "SIGWINCH", "SIGCHLD", "SIGALRM", "SIGPIPE"):
    if hasattr(signal, name):
        delattr(signal, name)


def kill(pid, number):
    raise AssertionError(f"os.kill({pid}, {number}) interrupts or ends a process on Windows")


os.kill = kill
opened = pathlib.Path.open


def refuse_proc(self, *arguments, **options):
    if str(self).startswith("/proc"):
        raise FileNotFoundError(2, "there is no /proc", str(self))
    return opened(self, *arguments, **options)


pathlib.Path.open = refuse_proc
sys.platform = "win32"
'''


def on_windows(code: str, folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TREADLE_LOG": str(folder / "log"), "PYTHONWARNINGS": "error"}
    done = subprocess.run([sys.executable, "-c", WINDOWS + code], cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_every_module_imports_without_what_only_unix_has(tmp_path: Path) -> None:
    code = """
import importlib, pkgutil
import treadle_tui, workflows
names = [each.name for root in (treadle_tui, workflows) for each in pkgutil.walk_packages(root.__path__, root.__name__ + ".")]
for name in names:
    if not name.startswith("treadle_tui.engine.testing"):
        importlib.import_module(name)
print(len(names))
"""
    assert int(on_windows(code, tmp_path)) > 300


PROGRAM = """
import io, contextlib
from treadle_tui.cli.main import run_command_line
answers = []
for arguments in {verbs!r}:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert run_command_line(arguments, None) == 0, arguments
    answers.append(printed.getvalue())
print(msgspec.json.encode(answers).decode())
sys.stdout.flush()
os._exit(0)
"""


def test_a_workflow_is_checked_added_run_and_read_without_what_only_unix_has(tmp_path: Path) -> None:
    (tmp_path / "workflows").mkdir()
    shipped = (ROOT / "workflows" / "diamond.json").read_text().replace('"diamond"', '"rhombus"', 1)
    (tmp_path / "workflows" / "rhombus.json").write_text(shipped)
    on = ["--db", "work.db"]
    verbs = [
        ["--help"],
        ["check", "workflows/rhombus.json", "--json"],
        [*on, "add", "rhombus", "one", "--json"],
        [*on, "run", "--until", "idle", "--json"],
        [*on, "list", "--json"],
        [*on, "doctor", "--json"],
        [*on, "backup", "copy.db"],
    ]

    help_text, checked, added, ran, listed, health, _ = json.loads(on_windows(PROGRAM.format(verbs=verbs), tmp_path))

    assert "Usage: treadle-tui" in help_text
    assert json.loads(checked)["problems"] == []
    assert json.loads(added)["new"] == 1
    assert json.loads(ran)["result"] == "idle"
    assert [(item["item_id"], item["state"]) for item in json.loads(listed)["items"]] == [("one", "completed")]
    assert json.loads(health)["healthy"]
    assert (tmp_path / "copy.db").is_file()


# ---------------------------------------------------------------- the parts


@pytest.fixture
def without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_processes, "_has_proc", False)


@pytest.mark.usefixtures("without_proc")
def test_a_process_is_told_from_a_later_one_with_its_number_where_there_is_no_proc() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    start = other_processes.process_start(child.pid)

    assert start
    assert other_processes.process_is_alive(child.pid, start)
    assert not other_processes.process_is_alive(child.pid, "another")
    assert other_processes.process_is_alive(os.getpid(), other_processes.process_start(os.getpid()))

    child.kill()
    deadline = time.monotonic() + 10
    while other_processes.process_is_alive(child.pid, start) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert child.returncode is None, "it is a zombie, which is as good as gone"
    assert not other_processes.process_is_alive(child.pid, start)
    child.communicate()
    assert not psutil.pid_exists(child.pid)
    assert other_processes.process_start(child.pid) == ""


def test_a_program_is_watched_where_its_end_cannot_be_waited_for_with_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("treadle_tui.engine.definitions.commands._WATCH_SECONDS", 0.001)
    endless = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    looks = iter([True, True, False])

    assert not _look_again_and_again(endless, lambda: next(looks))

    endless.communicate(b"\n")
    assert _look_again_and_again(endless, lambda: True)


@pytest.mark.parametrize("command", ["tidy.bat", r"C:\tools\Tidy.CMD"])
def test_a_batch_file_is_refused_where_a_shell_would_read_what_items_say(command: str) -> None:
    with pytest.raises(StageExecutionError, match="is a batch file, which Windows reads with a shell"):
        _refuse_batch_file(command, "tidy", platform="win32")

    _refuse_batch_file(command, "tidy", platform="linux")
    _refuse_batch_file("tidy.exe", "tidy", platform="win32")


@pytest.mark.parametrize(
    ("line", "windows", "elsewhere"),
    [
        (r"C:\Music online", [r"C:\Music", "online"], ["C:Music", "online"]),
        (r'"C:\My Music" --wait', [r"C:\My Music", "--wait"], [r"C:\My Music", "--wait"]),
        (r"my\ music 'or that'", ["my\\", "music", "'or", "that'"], ["my music", "or that"]),
        ("# no comment", ["#", "no", "comment"], ["#", "no", "comment"]),
        ("", [], []),
    ],
)
def test_a_line_is_parted_into_words_as_the_systems_own_shell_does(line: str, windows: list[str], elsewhere: list[str]) -> None:
    assert command_words(line, platform="win32") == windows
    assert command_words(line, platform="linux") == elsewhere
