"""Where tracebacks go while the screen is open."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle_tui import terminal_log


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A log file of the test's own; the loggers are as they were afterwards."""
    path = tmp_path / "log" / "treadle.log"
    monkeypatch.setattr(terminal_log, "log_place", lambda: path)
    loggers = [logging.getLogger(name) for name in ("treadle_tui", "treadle")]
    before = [(list(each.handlers), each.propagate) for each in loggers]
    yield path
    for each, (handlers, propagates) in zip(loggers, before, strict=True):
        each.handlers, each.propagate = handlers, propagates


@pytest.mark.parametrize("name", ["treadle_tui.app", "treadle.engine", "treadle.store"])
def test_what_program_engine_and_store_log_goes_to_the_file_and_not_to_the_screen(place, capfd, name):
    terminal_log.log_to_file()
    terminal_log.log_to_file()

    logging.getLogger(name).error("no room is left")

    assert place.read_text().count("no room is left") == 1
    assert capfd.readouterr() == ("", "")
