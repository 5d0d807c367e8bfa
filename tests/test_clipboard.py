"""Copying reaches the clipboard of the machine a person sits at, and is refused when it is more than a terminal takes."""

from __future__ import annotations

from typing import Any

import pytest

from treadle_tui import clipboard


class Terminal:
    """Stands in for the app: what was copied, written past it, and said."""

    def __init__(self) -> None:
        self.copied: list[str] = []
        self.written: list[str] = []
        self.said: list[str] = []
        self.workers: list[str] = []
        self._driver = self

    def copy_to_clipboard(self, text: str) -> None:
        self.copied.append(text)

    def write(self, text: str) -> None:
        self.written.append(text)

    def say(self, words: str) -> None:
        self.said.append(words)

    warn = say

    def run_worker(self, doing: Any, **_: Any) -> None:
        doing.close()
        self.workers.append("native")


@pytest.fixture(autouse=True)
def _far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "1 2 3 4")
    monkeypatch.delenv("TMUX", raising=False)


def test_over_ssh_the_terminal_gets_it_and_this_machine_does_not() -> None:
    terminal: Any = Terminal()

    clipboard.copy(terminal, "doc-1")

    assert (terminal.copied, terminal.workers, terminal.said) == (["doc-1"], [], ["copied doc-1"])


def test_within_tmux_it_is_sent_wrapped_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMUX", "/tmp/tmux")
    terminal: Any = Terminal()

    clipboard.copy(terminal, "doc-1")

    assert terminal.written == ["\x1bPtmux;\x1b\x1b]52;c;ZG9jLTE=\a\x1b\\"]


def test_more_than_a_terminal_takes_is_said_and_not_sent() -> None:
    terminal: Any = Terminal()

    clipboard.copy(terminal, "\n".join(f"item-{number}" for number in range(10_000)))

    assert terminal.copied == []
    assert terminal.said == ["10,000 ids are more than a terminal takes (74,000 bytes); nothing was copied"]


@pytest.mark.parametrize(
    ("environment", "is_local"),
    [({"DISPLAY": ":0"}, True), ({"WAYLAND_DISPLAY": "w"}, True), ({"DISPLAY": ":0", "SSH_TTY": "/dev/pts/1"}, False)],
)
def test_this_machine_is_where_the_person_sits_unless_they_came_by_ssh(environment: dict[str, str], is_local: bool) -> None:
    assert clipboard.is_local(environment) is is_local
