"""The palette: found by a few letters, done at once."""

from __future__ import annotations

from tests.screens.driving import Driver, running
from tests.screens.papers import WAITING, Paper, papers
from treadle_tui.screens.add_items import AddItems
from treadle_tui.screens.help_screen import HelpScreen
from treadle_tui.screens.item_screen import ItemScreen
from treadle_tui.screens.palette import Palette
from treadle_tui.screens.review_modal import ReviewModal
from treadle_tui.widgets.choice_list import ChoiceList


async def palette(ui: Driver, typed: str = "") -> None:
    await ui.press(":")
    await ui.shows(Palette)
    await ui.press(*typed)


def first(ui: Driver) -> str:
    return ui.app.screen.query_one(ChoiceList).lines[0].title


async def test_an_action_is_found_by_a_few_letters_and_done() -> None:
    async with running(papers()) as ui:
        await palette(ui, "add")
        assert first(ui) == "Add items"
        assert ui.line("Add items").split()[-2:] == ["n", "│"]
        await ui.press("enter")
        await ui.shows(AddItems)


async def test_what_does_nothing_at_the_moment_is_listed_and_does_nothing() -> None:
    async with running(papers()) as ui:
        await palette(ui, "approve")
        await ui.press("enter")
        assert isinstance(ui.app.screen, Palette)
        await ui.press("escape")
        await ui.gone("Approve the waiting cell")


async def test_an_item_is_found_by_a_part_of_its_id() -> None:
    items = [Paper("alpha one"), Paper("alpha two"), Paper("beta")]
    async with running(papers(), items=items) as ui:
        await palette(ui, "HA T")
        await ui.seen("Show the item")
        await ui.press("enter")
        await ui.shows(ItemScreen)
        await ui.seen("alpha two")


async def test_hostile_ids_are_shown_as_text() -> None:
    async with running(papers(), items=[Paper("[red]wolf[/red]")]) as ui:
        await palette(ui, "wolf")
        await ui.seen("[red]wolf[/red]")


async def test_a_theme_is_tried_from_the_palette() -> None:
    async with running(papers()) as ui:
        await palette(ui, "light")
        await ui.press("enter")
        await ui.until(lambda: ui.app.theme == "treadle-light")


async def test_nothing_that_fits_says_so() -> None:
    async with running(papers()) as ui:
        await palette(ui, "qqzz")
        await ui.seen("nothing is called so")
        await ui.press("enter")
        assert isinstance(ui.app.screen, Palette)


async def test_the_arrows_choose_and_the_list_follows() -> None:
    async with running(papers(), size=(80, 16)) as ui:
        await palette(ui)
        choices = ui.app.screen.query_one(ChoiceList)
        for _ in range(len(choices.lines) + 3):
            await ui.press("down")
        assert choices.chosen == len(choices.lines) - 1
        await ui.seen(f"▸ {choices.lines[-1].title}")
        await ui.press("pageup", "up")
        assert choices.chosen < len(choices.lines) - 2


async def test_a_line_is_done_by_a_click() -> None:
    async with running(papers()) as ui:
        await palette(ui, "help")
        await ui.pilot.click(ChoiceList, offset=(4, 0))
        await ui.shows(HelpScreen)


async def test_it_opens_over_a_review_with_what_can_be_done_there() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await ui.press("]", "enter")
        await ui.shows(ReviewModal)
        await palette(ui, "approve")
        await ui.press("enter")
        await ui.gone(WAITING)
        assert (await ui.decision("one", "publish")).by == "ana"
