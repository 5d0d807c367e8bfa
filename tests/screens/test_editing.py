"""Edits: checked before they are sent, kept when they are left, in place and in the person's own editor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.widgets import TextArea

from tests.screens.papers import Paper
from tests.screens.test_review_screen import HELD, inbox, work
from treadle_tui.editor import edit_in_editor, editor_command
from treadle_tui.engine import Criterion, Feedback, Rejected, RetryBudget, ReviewPolicy, Workflow
from treadle_tui.screens.edit_output import EditOutput
from treadle_tui.screens.one_line import OneLine
from treadle_tui.screens.review_modal import ReviewModal
from treadle_tui.screens.review_screen import ReviewScreen


class Priced(msgspec.Struct):
    title: str
    price: int


def priced() -> Workflow:
    workflow = Workflow("papers", item=Paper)

    @workflow.stage(review=ReviewPolicy.ALWAYS)
    async def offer(item: Paper) -> Priced:
        return Priced(item.id, 5)

    return workflow


def text(ui: Any) -> TextArea:
    found = ui.app.screen.query_one(TextArea)
    assert isinstance(found, TextArea)
    return found


async def test_an_edit_is_checked_on_its_line_before_it_can_be_sent() -> None:
    async with inbox("one", workflow=priced()) as ui:
        await ui.press("e")
        await ui.shows(EditOutput)
        text(ui).text = '{\n  "title": "one",\n  "price": 1,,\n}'
        await ui.press("ctrl+s")
        await ui.seen("line 3")
        text(ui).text = '{\n  "title": "one",\n  "price": "dear"\n}'
        await ui.press("ctrl+s")
        await ui.seen("line 3", "price")
        assert text(ui).cursor_location[0] == 2

        text(ui).text = '{\n  "title": "one",\n  "price": 7\n}'
        await ui.press("ctrl+s")
        await ui.shows(ReviewScreen)
        await ui.until(lambda: not work(ui).deciding.outbox.entries)
        assert (await ui.status("one", "offer")).output == {"title": "one", "price": 7}
        assert (await ui.bench.host.store.get_attempts("one", "offer"))[0].output == {"title": "one", "price": 5}


async def test_an_edit_that_was_left_is_a_draft_and_stands_there_again() -> None:
    async with inbox("one", workflow=priced(), settings=HELD) as ui:
        await ui.press("e")
        await ui.shows(EditOutput)
        text(ui).text = '{"title": "half'
        await ui.press("escape")
        await ui.shows(ReviewModal)
        await ui.press("escape")
        await ui.shows(ReviewScreen)
        await ui.seen("your draft")
        await ui.until(lambda: not work(ui)._tasks)
        (jotting,) = [each for each in await ui.bench.host.store.jottings("ana") if each.kind.value == "draft"]
        assert jotting.text == '{"title": "half'

        await ui.press("e")
        await ui.shows(EditOutput)
        assert text(ui).text == '{"title": "half'


async def test_letters_are_text_in_an_edit_and_decide_nothing() -> None:
    async with inbox("one", workflow=priced(), settings=HELD) as ui:
        await ui.press("e")
        await ui.shows(EditOutput)
        await ui.press("a", "x", "q")
        assert text(ui).text.startswith("axq")
        assert work(ui).deciding.outbox.entries == []


def secretive() -> Workflow:
    workflow = Workflow("papers", item=Paper)

    @workflow.stage(review=ReviewPolicy.ALWAYS, secrets=["token"])
    async def offer(item: Paper) -> dict[str, str]:
        return {"user": "ana", "token": "hunter22"}

    return workflow


async def test_what_is_secret_is_not_seen_in_an_edit_and_is_kept() -> None:
    async with inbox("one", workflow=secretive()) as ui:
        await ui.press("e")
        await ui.shows(EditOutput)
        assert "hunter22" not in text(ui).text
        text(ui).text = text(ui).text.replace("ana", "ben")
        await ui.press("ctrl+s")
        await ui.until(lambda: not work(ui).deciding.outbox.entries and not work(ui).queue.lines)
        assert (await ui.status("one", "offer")).output == {"user": "ben", "token": "hunter22"}


def retried() -> Workflow:
    workflow = Workflow("papers", item=Paper)

    @workflow.stage(retry=RetryBudget(max_attempts=2, on_exhausted="escalate"))
    async def write(item: Paper, ctx: Any) -> dict[str, int]:
        return {"words": 100 * ctx.attempt}

    @write.gate
    def long_enough(output: Any) -> Rejected:
        return Rejected(Feedback("too short", criteria=[Criterion("words", ">= 600", str(output["words"]), False)]))

    return workflow


async def test_attempts_are_compared_picked_and_sent_back_with_what_failed() -> None:
    async with inbox("one", workflow=retried()) as ui:
        await ui.press("enter")
        await ui.shows(ReviewModal)
        await ui.press("3")
        await ui.seen("compared", "✗ 100", "✗ 200", "attempt 1")
        await ui.press("2")
        await ui.seen("attempt 1 → attempt 2", "200")
        await ui.press("g")
        await ui.shows(OneLine)
        await ui.seen("words should be >= 600, it is 200")
        await ui.press("escape", "3", "end", "p")
        await ui.shows(ReviewScreen)
        await ui.until(lambda: not work(ui).deciding.outbox.entries)
        assert (await ui.status("one", "write")).output == {"words": 100}


async def test_what_the_stage_was_given_and_what_happened_have_tabs() -> None:
    async with inbox("one", workflow=priced(), size=(160, 40)) as ui:
        await ui.press("enter")
        await ui.shows(ReviewModal)
        await ui.press("4")
        await ui.seen("pages")
        await ui.press("5")
        await ui.seen("review required", "item added")
        await ui.seen("asked because:", "always reviewed")


# --- the person's own editor ---------------------------------------------------------------------------------------------------------


def script(folder: Path, code: str) -> str:
    """An editor that does this with the file it is given."""
    path = folder / "editor.py"
    path.write_text(f"import sys, pathlib, os\nfile = pathlib.Path(sys.argv[1])\n{code}\n")
    return f"{sys.executable} {path}"


class NoTerminal:
    def __enter__(self) -> None: ...
    def __exit__(self, *exc: object) -> None: ...


@pytest.mark.parametrize(
    ("code", "text", "problem"),
    [
        ("file.write_text(file.read_text().upper() + '\\n')", "BEFORE", ""),
        ("sys.exit(3)", "before", "ended with 3"),
        ("file.write_text('half'); os.kill(os.getpid(), 9)", "half", "was ended by signal 9"),
        ("file.unlink()", "before", "left no file behind"),
        ("file.write_bytes(b'\\xff\\xfe')", "before", "is no UTF-8 text"),
        ("assert file.stat().st_mode & 0o077 == 0", "before", ""),
    ],
)
async def test_whatever_the_editor_does_is_said_and_nothing_is_lost(tmp_path: Path, code: str, text: str, problem: str) -> None:
    written = await edit_in_editor("before", ".json", NoTerminal, {"EDITOR": script(tmp_path, code)})

    assert written.text == text
    assert problem in written.problem
    assert bool(problem) == bool(written.problem)


@pytest.mark.parametrize(
    ("environment", "words"), [({}, "no editor is named"), ({"EDITOR": "no-such-editor -w"}, "'no-such-editor' could not be started")]
)
async def test_an_editor_that_is_missing_is_said(environment: dict[str, str], words: str) -> None:
    written = await edit_in_editor("before", ".md", NoTerminal, environment)

    assert words in written.problem
    assert written.text == "before"


def test_visual_goes_before_editor_and_arguments_are_kept() -> None:
    assert editor_command({"VISUAL": "code --wait", "EDITOR": "vi"}) == ["code", "--wait"]
    assert editor_command({"EDITOR": "'"}) == []


async def test_what_the_editor_wrote_is_looked_at_before_it_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", script(tmp_path, "file.write_text(file.read_text().replace('5', 'nonsense'))"))
    async with inbox("one", workflow=priced()) as ui:
        work(ui)._suspend = NoTerminal  # a test has no terminal to hand over
        await ui.press("E")
        await ui.shows(EditOutput)
        await ui.seen("nonsense", "line 3")
        text(ui).text = text(ui).text.replace("nonsense", "6")
        await ui.press("ctrl+s")
        await ui.until(lambda: not work(ui).deciding.outbox.entries and not work(ui).queue.lines)
        assert (await ui.status("one", "offer")).output == {"title": "one", "price": 6}
