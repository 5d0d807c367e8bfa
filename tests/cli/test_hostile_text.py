"""No verb lets text of items, errors and outputs do anything to a terminal, and none shows what is called secret."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cli.conftest import Call, Outcome
from tests.hostile import HOSTILE, MARK, NAME, SECRET, harmful, write_workflow
from treadle_tui.cli import output
from treadle_tui.cli.failures import complain
from treadle_tui.cli.main import command_line
from treadle_tui.cli.verbs import VERBS

LAST = ("delete", "cancel", "rerun")
"""Verbs that leave nothing for those after them."""
OTHERWISE = {"share", "schema", "new", "check", "completion", "trust"}
"""Verbs that print nothing of the database."""


@pytest.fixture
def attacked(treadle: Call, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """A database full of attacks, in which everything has run."""
    monkeypatch.setenv("TREADLE_STATE", str(folder / "state"))
    (folder / "workflows" / "papers.py").unlink()
    write_workflow(folder)
    for arguments in (("add", "hostile"), ("run", "--until", "idle")):
        answer = treadle(*arguments)
        assert answer.code == 0, answer.err
        assert harmful(answer.out + answer.err) == [], arguments
        assert SECRET not in answer.out + answer.err, arguments
    return treadle


def calls(verb: str, item: str) -> Iterator[list[str]]:
    """Ways to call a verb: with nothing, with an item, with an item and a stage; and with every flag that shows more."""
    command = command_line.get_command(click.Context(command_line), verb)
    assert command is not None
    known = ("--yes", "--all", "--long", "--now", "--plain")
    options = [each for each in command.params if isinstance(each, click.Option)]
    flags = [each.opts[0] for each in options if each.is_flag and each.opts[0] in known]
    endings: list[list[str]] = [[], ["--until", "idle"]] if verb == "run" else [[]]
    starts = [[], [item], [item, "judge"], [item, "fail"], ["hostile"]] if verb != "run" else [[]]
    if verb in ("reject", "request-changes"):
        endings = [["--reason", HOSTILE], ["--feedback", HOSTILE], [HOSTILE]]
    for start in starts:
        for ending in endings:
            yield [*start, *ending, *flags]
            yield [*start, *ending, *flags, "--json"]


def assert_harmless(answer: Outcome, arguments: list[str]) -> None:
    assert harmful(answer.out + answer.err) == [], arguments
    assert SECRET not in answer.out + answer.err, arguments
    if "--json" in arguments:
        assert answer.out.isascii(), arguments


def test_no_verb_prints_what_a_terminal_would_obey_or_a_secret(attacked: Call, folder: Path) -> None:
    item = f"{NAME} 0"
    assert MARK in attacked("show", item).out
    verbs = [verb for verb in VERBS if verb not in LAST and verb not in OTHERWISE and verb not in ("add", "backup")]
    for verb in [*verbs, *LAST]:
        for arguments in calls(verb, item):
            if verb == "run" and "--until" not in arguments:
                continue
            assert_harmless(attacked(verb, *arguments), [verb, *arguments])


def test_what_an_item_is_called_can_still_be_read_by_programs(attacked: Call) -> None:
    ids = [item["item_id"] for item in attacked("list", "--json").json["items"]]
    assert ids == [f"{NAME} 0", f"{NAME} 1"]


def test_what_stages_print_is_no_part_of_the_answer(treadle: Call, folder: Path) -> None:
    write_workflow(folder)
    treadle("add", "hostile")

    answer = treadle("run", "--until", "idle", "--json")

    assert answer.json["result"] == "idle"
    assert MARK in answer.err


def test_secrets_are_in_no_event_and_no_log(attacked: Call, folder: Path) -> None:
    events = attacked("events", "--json").out
    assert "StageLogged" in events
    assert "StageProgress" in events
    assert "StageFailed" in events
    assert SECRET not in events
    log = Path(os.environ["TREADLE_LOG"])
    assert not log.exists() or SECRET not in log.read_text()
    assert SECRET.encode() in b"".join(each.read_bytes() for each in folder.glob("work.db*"))  # stored as it is: stages need it


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)


@settings(max_examples=150, deadline=None)
@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=4))
def test_whatever_is_printed_is_harmless(texts: list[str]) -> None:
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        output.say(texts[0])
        output.say_paragraphs(texts[0], "  ")
        output.say_table(["A"] * len(texts), [texts, texts])
        output.say_facts([("name", text) for text in texts])
        complain(texts[0])
        output.say_json_line({"text": texts})
    printed = out.getvalue()
    assert harmful(printed + err.getvalue()) == []
    assert json.loads(printed.splitlines()[-1]) == {"text": texts}
