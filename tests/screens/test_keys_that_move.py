"""Keys that only move, fold, mark or take back: what they do is looked at, screen by screen."""

from __future__ import annotations

from typing import Any

from tests.screens.driving import Driver, running
from tests.screens.papers import WAITING, Paper, papers
from tests.screens.test_editing import priced, text
from tests.screens.test_review_screen import inbox, left_over, shown, work
from treadle_tui.engine import NeedsReview, Workflow
from treadle_tui.screens.add_items import AddItems
from treadle_tui.screens.board_screen import BoardScreen
from treadle_tui.screens.bulk_sheet import BulkQuestion
from treadle_tui.screens.column_chooser import ColumnChooser, StageList
from treadle_tui.screens.confirmation import Confirm
from treadle_tui.screens.edit_output import EditOutput
from treadle_tui.screens.help_screen import HelpScreen
from treadle_tui.screens.item_screen import ItemScreen
from treadle_tui.screens.left_over import LeftOver
from treadle_tui.screens.palette import Palette
from treadle_tui.screens.past_screen import PastScreen
from treadle_tui.screens.review_modal import ReviewModal
from treadle_tui.screens.way_screen import ItemGraph
from treadle_tui.widgets.choice_list import ChoiceList
from treadle_tui.widgets.outline_view import OutlineView

NAMES = [f"p{number:02}" for number in range(40)]


def long_work() -> Workflow:
    """Each item waits with an output that is longer than a screen."""
    workflow = Workflow("papers", item=Paper)

    @workflow.stage
    def publish(item: Paper) -> Any:
        return NeedsReview([{"line": number} for number in range(60)], summary=f"publish {item.id}?")

    return workflow


def outline(ui: Driver) -> OutlineView:
    found = ui.app.screen.query_one(OutlineView)
    assert isinstance(found, OutlineView)
    return found


async def test_pages_and_ends_of_the_inbox() -> None:
    async with inbox(*NAMES, size=(150, 24)) as ui:
        queue = work(ui).queue
        await ui.press("end")
        await ui.until(lambda: shown(ui)[-1] == "p39*")
        await ui.press("pageup")
        above = queue.place
        assert 0 < above < 39
        await ui.press("pagedown")
        assert queue.place == 39
        await ui.press("home")
        assert shown(ui)[0] == "p00*"


async def test_a_range_is_marked_in_the_inbox_and_given_up() -> None:
    async with inbox("one", "two", "three", "four") as ui:
        await ui.press("space", "j", "v")
        await ui.seen("3 marked")
        await ui.press("minus")
        await ui.gone("marked")


async def test_no_decides_none_of_many() -> None:
    async with inbox("one", "two") as ui:
        await ui.press("asterisk", "a")
        await ui.shows(BulkQuestion)
        await ui.press("n")
        await ui.until(lambda: not isinstance(ui.app.screen, BulkQuestion))
        assert len(work(ui).queue.lines) == 2
        assert not work(ui).deciding.outbox.entries


async def test_what_a_review_is_about_is_scrolled_without_leaving_the_list() -> None:
    workflow = long_work()
    async with inbox("one", "two", workflow=workflow, size=(150, 20)) as ui:
        await ui.seen("output")
        before, cursor = outline(ui).scroll_y, next(name for name in shown(ui) if name.endswith("*"))
        await ui.press("J", "J", "J")
        await ui.seen("│      40")
        await ui.submit(workflow, [Paper("three")])
        await ui.seen("three")
        assert "│      40" in ui.text
        await ui.press("K", "K", "K")
        await ui.until(lambda: outline(ui).scroll_y == before)
        assert cursor in shown(ui)


async def test_tabs_and_pages_of_a_review_in_depth() -> None:
    async with inbox("one", workflow=long_work(), size=(120, 20)) as ui:
        await ui.press("enter")
        await ui.shows(ReviewModal)
        await ui.press("2")
        await ui.seen("2 Diff", "auto")
        await ui.press("d")
        await ui.seen("unified")
        await ui.press("1")
        await ui.seen("▾ output")
        before = outline(ui).cursor_line
        await ui.press("pagedown")
        assert outline(ui).cursor_line > before
        await ui.press("pageup")
        assert outline(ui).cursor_line == before


async def test_what_is_under_the_cursor_is_folded_and_unfolded() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        ui.bench.show_item("one", "fetch")
        await ui.shows(ItemScreen)
        await ui.seen("▾ fetch")
        await ui.press("left")
        await ui.seen("▸ fetch")
        await ui.press("right")
        await ui.seen("▾ fetch")


async def test_an_edit_is_given_up_for_the_original() -> None:
    async with inbox("one", workflow=priced()) as ui:
        await ui.press("e")
        await ui.shows(EditOutput)
        original = text(ui).text
        text(ui).text = "{}"
        await ui.press("ctrl+r")
        await ui.until(lambda: text(ui).text == original)


async def test_what_was_left_over_stays_in_the_outbox_for_later() -> None:
    store = await left_over(["one"])
    async with running(papers(), store=store) as ui:
        await ui.shows(LeftOver)
        await ui.press("escape")
        await ui.shows(BoardScreen)
        assert len(await store.held_decisions()) == 1


async def test_arrows_choose_between_the_answers_of_a_question() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await ui.press("D")
        await ui.shows(Confirm)
        await ui.press("right", "enter")
        await ui.until(lambda: ui.board.total == 0)


async def test_stages_of_the_columns_and_workflows_to_add_are_walked_both_ways() -> None:
    other = papers()
    other.name = "letters"
    async with running(papers(), other, items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await ui.press("c")
        await ui.shows(ColumnChooser)
        stages = ui.app.screen.query_one(StageList)
        await ui.press("j", "j", "k")
        assert stages.highlighted == 1
        await ui.press("escape", "n")
        await ui.shows(AddItems)
        await ui.seen("▸ papers")
        await ui.press("down")
        await ui.seen("▸ letters")
        await ui.press("up")
        await ui.seen("▸ papers")


async def test_pages_of_the_board_the_palette_and_the_help() -> None:
    async with running(papers(), items=[Paper(name) for name in NAMES], size=(80, 20)) as ui:
        await ui.seen("p00", "p12")
        await ui.press("pagedown")
        assert ui.cursor_item > "p05"
        await ui.press("pageup", "tab", "shift+tab")
        assert (ui.cursor_item, ui.board.cursor_stage) == ("p00", "fetch")

        await ui.press(":")
        await ui.shows(Palette)
        choices = ui.app.screen.query_one(ChoiceList)
        await ui.press("pagedown")
        assert choices.chosen > 3
        await ui.press("escape", "?")
        await ui.shows(HelpScreen)
        await ui.press("pagedown")
        assert outline(ui).cursor_line > 3


async def test_both_signs_lead_into_the_past() -> None:
    async with running(papers(), items=[Paper("one")], size=(110, 30)) as ui:
        await ui.seen(WAITING)
        await ui.press("5")
        await ui.seen("review required")
        await ui.press("greater_than_sign")
        await ui.shows(PastScreen)
        await ui.seen("AS IT WAS")


async def test_enter_on_the_way_of_an_item_leads_to_the_stage() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        ui.bench.show_item("one", "fetch")
        await ui.shows(ItemScreen)
        await ui.press("w")
        await ui.shows(ItemGraph)
        await ui.seen("enter Stage")
        await ui.press("end", "enter")
        await ui.shows(ItemScreen)
        screen = ui.app.screen
        assert isinstance(screen, ItemScreen)
        await ui.until(lambda: screen._stage_at_cursor() == "archive")
