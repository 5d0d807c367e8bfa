"""What every screen that fills the terminal does: stands still under a question, and says what a key has done."""

from __future__ import annotations

from typing import Any

from tests.screens.driving import running
from tests.screens.papers import WAITING, Paper, papers
from treadle_tui.engine import Workflow
from treadle_tui.full_screen import TreadleApp
from treadle_tui.screens.help_screen import HelpScreen
from treadle_tui.screens.item_screen import ItemScreen


class CountingApp(TreadleApp):
    """Counts what is painted."""

    painted = 0

    def _display(self, screen: Any, renderable: Any) -> None:
        if renderable is not None:
            type(self).painted += 1
        super()._display(screen, renderable)


def lonely() -> Workflow:
    workflow = Workflow("lonely")

    @workflow.stage
    def look(item: Any) -> None: ...

    return workflow


async def test_nothing_is_painted_behind_a_question_and_everything_once_it_is_answered() -> None:
    workflow = papers()
    async with running(workflow, items=[Paper("one")], app_type=CountingApp) as ui:
        await ui.seen(WAITING)
        await ui.press("?")
        await ui.shows(HelpScreen)
        await ui.pilot.pause(0.2)
        before = CountingApp.painted

        await ui.submit(workflow, [Paper("two")])
        await ui.until(lambda: ui.board.line_count == 2, "the board knows of the second item")
        await ui.until(lambda: ui.app.board_screen.facts.waiting == 2, "the header knows of it")
        await ui.pilot.pause(0.1)
        assert CountingApp.painted == before

        await ui.press("escape")
        await ui.seen("two", "◆ 2 waiting")


async def test_what_a_key_has_done_on_an_item_is_said_there() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        ui.bench.show_item("one")
        await ui.shows(ItemScreen)
        await ui.press("y")
        await ui.seen("copied the id")
        await ui.press("p")
        await ui.seen("one is paused; what runs finishes")


async def test_a_workflow_that_was_gone_to_stays_in_front_although_it_has_no_items() -> None:
    workflow = papers()
    async with running(workflow, lonely(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await ui.press("w")
        await ui.seen("lonely")
        await ui.submit(workflow, [Paper("two")])
        await ui.until(lambda: ui.app.main_screens.front.facts.waiting == 2, "newer totals")
        await ui.pilot.pause(0.1)
        assert ui.bench.workflow_shown == "lonely"

        await ui.press("w")
        await ui.seen("papers", "two")


def listed() -> Workflow:
    """Comes before `papers` by its name, and has no source."""
    workflow = Workflow("listed")

    @workflow.stage
    def look(item: Any) -> None: ...

    return workflow


async def test_the_first_workflow_is_one_with_a_source_and_the_others_take_ids() -> None:
    async with running(listed(), papers()) as ui:
        await ui.seen("· papers", "listed ID...", "papers [NAMES...]")
        assert "Open" not in ui.lines[-1], "nothing can be opened while the list is empty"
        await ui.press("n")
        await ui.seen("▸ papers")
        await ui.press("down", "enter")
        await ui.seen("listed has no source: give an id, or several")
        await ui.press(*"one", "space", *"two", "enter")
        await ui.seen("listed: 2 new", "one", "two")
