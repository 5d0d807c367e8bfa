"""The board as a person meets it: empty, filling, at work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from tests.screens.driving import Gate, running
from tests.screens.papers import WAITING, Paper, papers
from treadle_tui.cli.workflow_file import Problem
from treadle_tui.engine import NeedsReview, ReviewData, Workflow
from treadle_tui.screens.add_items import AddItems
from treadle_tui.screens.board_screen import BoardScreen
from treadle_tui.screens.item_screen import ItemScreen
from treadle_tui.screens.reject_reason import RejectReason
from treadle_tui.widgets.key_bar import KeyBar


async def test_the_first_thing_seen_says_what_to_do() -> None:
    async with running(papers()) as ui:
        await ui.seen("Nothing to do yet", "add items", "papers [NAMES...]", "Papers by their names.", "idle")

        assert "treadle-tui --db work.db add papers" in ui.text
        assert ui.line("treadle").split()[:2] == ["treadle", "work.db"]


async def test_without_workflows_it_says_how_to_name_one() -> None:
    async with running() as ui:
        await ui.seen("No workflow was found", "--workflows FILE")


async def test_a_workflow_file_with_a_mistake_is_named_with_its_line() -> None:
    async with running(papers(), problems=[Problem("/w/bad.py", 12, "SyntaxError: invalid syntax")], size=(120, 30)) as ui:
        await ui.seen("Not loaded", "/w/bad.py:12: SyntaxError: invalid syntax", "papers [NAMES...]")


async def test_items_added_on_the_screen_run_before_ones_eyes() -> None:
    gate = Gate()
    async with running(papers(gate)) as ui:
        await ui.press("n")
        await ui.shows(AddItems)
        await ui.press(*"one two", "enter")
        await ui.seen("2 items", "▸ R", "papers: 2 new")
        assert ui.line("one").split()[-8:] == ["▸", "R", "·", "P", "·", "P", "·", "P"]

        gate.open()
        await ui.counts(WAITING, 2)
        assert "✓ 2/2" in ui.line("one")
        await ui.seen("◆ 2 waiting")


async def test_a_source_that_refuses_is_one_sentence_and_what_was_typed_stays() -> None:
    async with running(papers()) as ui:
        await ui.press("n")
        await ui.shows(AddItems)
        await ui.press(*"nowhere", "enter")
        await ui.seen("nowhere: no such paper; give names of papers that exist")
        assert isinstance(ui.app.screen, AddItems)

        await ui.press(*[*["backspace"] * 7, *"one", "enter"])
        await ui.seen("1 item")


async def test_quotes_that_do_not_match_are_said_so() -> None:
    async with running(papers()) as ui:
        await ui.press("n")
        await ui.shows(AddItems)
        await ui.press('"', "a", "enter")
        await ui.seen("no closing quotation")
        await ui.press("escape")
        await ui.shows(BoardScreen)


async def test_a_fan_out_opens_into_its_subtasks() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen("✓ 2/2")
        await ui.press("tab", "right")
        await ui.seen("├ small", "└ large")
        await ui.press("left")
        await ui.gone("└ large")


async def test_enter_on_any_other_cell_shows_the_item_with_its_decisions() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await ui.press("]", "x")
        await ui.shows(RejectReason)
        await ui.press(*"no", "enter")
        await ui.seen("✗ F")
        await ui.press("enter")
        await ui.shows(ItemScreen)
        await ui.seen("rejected by ana", "reason", "publish one?", "archive")

        await ui.press("escape")
        await ui.shows(BoardScreen)


async def test_help_lists_every_key_of_the_board() -> None:
    async with running(papers(), items=[Paper("one")], size=(100, 80)) as ui:
        await ui.press("?")
        await ui.seen("Keys", "Approve the waiting cell under the cursor", "Every key of this screen", "awaiting review")
        await ui.press("escape")
        await ui.gone("Every key of this screen")


async def test_help_can_be_asked_for_in_a_review() -> None:
    async with running(papers(), items=[Paper("one")], size=(100, 60)) as ui:
        await ui.seen(WAITING)
        await ui.press("]", "enter")
        await ui.seen("publish one?")
        await ui.press("?")
        await ui.seen("Keys", "Leave it waiting")
        await ui.press("escape")
        await ui.seen("publish one?")


async def test_items_from_elsewhere_wait_behind_a_pill_when_the_screen_is_full() -> None:
    workflow = papers(Gate())
    async with running(workflow, items=[Paper(f"paper-{n:02}") for n in range(40)], size=(80, 24)) as ui:
        await ui.seen("paper-00", "40 items")
        await ui.submit(workflow, [Paper("late-1"), Paper("late-2")])
        await ui.seen("+2 new")
        assert ui.board.line_count == 40

        await ui.press("end")
        await ui.seen("late-2")
        await ui.gone("+2 new")
        assert ui.cursor_item == "late-2"


async def test_items_added_here_are_shown_at_once_however_many() -> None:
    async with running(papers(Gate()), items=[Paper(f"paper-{n:02}") for n in range(40)], size=(80, 24)) as ui:
        await ui.press("n")
        await ui.shows(AddItems)
        await ui.press(*"mine", "enter")
        await ui.until(lambda: ui.board.line_count == 41)
        assert "new" not in ui.lines[3]


async def test_w_shows_the_items_of_the_next_workflow() -> None:
    other = Workflow("photos")

    @other.stage
    def develop(item: Any) -> None: ...

    async with running(papers(), other, items=[Paper("one")]) as ui:
        await ui.submit(other, [{"id": "cat"}])
        await ui.seen("work.db · papers", "archive")
        await ui.press("w")
        await ui.seen("work.db · photos", "cat", "develop", "✓ C")
        assert "archive" not in ui.text
        await ui.press("w")
        await ui.seen("work.db · papers", "one")


async def test_the_first_items_of_any_workflow_are_shown() -> None:
    other = Workflow("photos")

    @other.stage
    def develop(item: Any) -> None: ...

    async with running(papers(), other) as ui:
        await ui.seen("Nothing to do yet")
        await ui.submit(other, [{"id": "cat"}])
        await ui.seen("work.db · photos", "cat")


async def test_an_open_item_follows_what_happens_to_it() -> None:
    gate = Gate()
    async with running(papers(gate), items=[Paper("one")]) as ui:
        await ui.seen("▸ R")
        await ui.press("enter")
        await ui.shows(ItemScreen)
        await ui.seen("running")
        gate.open()
        await ui.seen("◆ ?")


async def test_a_click_on_a_word_at_the_bottom_presses_its_key() -> None:
    async with running(papers()) as ui:
        await ui.seen("Add items")
        await ui.pilot.click(KeyBar, offset=(ui.lines[-1].index("Add items"), 0))
        await ui.shows(AddItems)


async def test_the_source_reads_beside_the_keys_and_leaving_does_not_stop_it() -> None:
    reading = threading.Event()
    workflow = Workflow("slow")

    @workflow.source
    def slow() -> Iterator[dict[str, str]]:
        reading.wait(10)
        yield {"id": "late"}

    @workflow.stage
    def stage(item: Any) -> None: ...

    async with running(workflow) as ui:
        await ui.press("n")
        await ui.shows(AddItems)
        await ui.press("enter")
        await ui.seen("reading …")
        await ui.press("escape")
        await ui.shows(BoardScreen)
        reading.set()
        await ui.seen("late")


async def test_the_sign_beside_running_turns_only_while_something_runs() -> None:
    gate = Gate()
    async with running(papers(gate), items=[Paper("one")]) as ui:
        await ui.until(lambda: ui.app.board_screen.header.is_animated)
        await ui.seen("running")
        gate.open()
        await ui.seen("○ idle")
        assert ui.app.board_screen.header._animation is None


async def test_markup_and_escape_sequences_are_only_text() -> None:
    workflow = Workflow("texts")

    @workflow.stage
    def ask(item: Any) -> NeedsReview:
        return NeedsReview("\x1b[2Joutput", ReviewData("[red]keep[/red] \x1b[31mit?", {"\x1b]0;a\x07": "[b]c\u202e"}))

    async with running(workflow, items=[{"id": "[bold]x[/bold] 日本"}]) as ui:
        await ui.seen(WAITING, "[bold]x[/bold] 日本")
        await ui.press("enter")
        await ui.seen("[bold]x[/bold] 日本 › ask", "[red]keep[/red] ␛[31mit?", "␛]0;a␇", "[b]c", "␛[2Joutput")
        await ui.press("x")
        await ui.seen("Reject [bold]x[/bold] 日本 › ask")
        await ui.press(*"[no]", "enter")
        await ui.seen("rejected [bold]x[/bold] 日本 › ask: [no]")
        await ui.press("enter")
        await ui.seen("[red]keep[/red] ␛[31mit?", "[no]")
