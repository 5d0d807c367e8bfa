"""One item's page as a person meets it."""

from __future__ import annotations

import json
from typing import Any

from tests.screens.driving import Driver, Gate, running
from tests.screens.papers import WAITING, Paper, papers
from treadle_tui.engine import Engine, MemoryStateStore, RetryBudget, Workflow
from treadle_tui.screens.board_screen import BoardScreen
from treadle_tui.screens.confirmation import Confirm
from treadle_tui.screens.graph_screen import GraphScreen
from treadle_tui.screens.item_screen import ItemScreen
from treadle_tui.screens.review_modal import ReviewModal
from treadle_tui.screens.way_screen import ItemGraph
from treadle_tui.widgets.outline_view import OutlineView


def flaky(gate: list[bool]) -> Workflow:
    """Fetch fails until told otherwise; print follows."""
    workflow = Workflow("flaky")

    @workflow.stage(retry=RetryBudget(max_attempts=2))
    def fetch(item: Any) -> str:
        if not gate:
            raise ValueError("no such page\nsecond line")
        return "text"

    @workflow.stage
    def print_it(fetch: Any) -> None: ...

    return workflow


async def item(ui: Driver, stage: str = "") -> ItemScreen:
    item_id = ui.cursor_item
    ui.bench.show_item(item_id, stage)
    await ui.shows(ItemScreen)
    screen = ui.app.screen
    assert isinstance(screen, ItemScreen)
    return screen


async def test_it_says_why_and_the_key_that_moves_it_and_the_key_does() -> None:
    gate: list[bool] = []
    async with running(flaky(gate), items=[{"id": "one"}], size=(120, 30)) as ui:
        await ui.seen("✗ F")
        await item(ui, "print_it")
        await ui.seen("print_it is pending: waits for fetch, which is failed; ValueError: no such page", "r tries it again on fetch")
        await ui.press("home", "r")
        await ui.seen("fetch is failed: ValueError: no such page")
        gate.append(True)
        await ui.press("r")
        await ui.seen("print_it", "✓ C")
        await ui.until(lambda: ui.text.count("✓ C") == 2)


async def test_bars_show_the_attempts() -> None:
    async with running(flaky([]), items=[{"id": "one"}], size=(120, 30)) as ui:
        await ui.seen("✗ F")
        await item(ui, "fetch")
        await ui.seen("╍╍", "ValueError: no such page", "▸ error")
        assert "second line" not in ui.text


async def test_tabs_follow_each_other_and_events_are_read_when_they_are_looked_at() -> None:
    async with running(papers(), items=[Paper("one")], size=(110, 30)) as ui:
        await ui.seen(WAITING)
        screen = await item(ui)
        await ui.seen("Stages   Subtasks 2   Attempts 3   Events   Data")
        await ui.press("tab")
        await ui.seen("2 of 2 done", "small", "large")
        await ui.press("tab")
        await ui.seen("publish #1", "needs review")
        await ui.press("tab")
        await ui.seen("review required", "+ added", "Events 12")
        await ui.press("tab")
        await ui.seen("pages  3")
        await ui.press("tab")
        await ui.seen("archive")
        await ui.press("shift+tab")
        await ui.seen("pages  3")
        assert isinstance(screen, ItemScreen)


async def test_what_waits_is_reviewed_from_here() -> None:
    async with running(papers(), items=[Paper("one")], size=(110, 30)) as ui:
        await ui.seen(WAITING)
        await item(ui, "publish")
        await ui.seen("publish is awaiting review: a person must decide", "enter reviews it")
        await ui.press("enter")
        await ui.shows(ReviewModal)


async def test_an_item_is_paused_and_goes_on() -> None:
    gate = Gate()
    async with running(papers(gate), items=[Paper("one")]) as ui:
        await ui.seen("▸ R")
        await item(ui, "parts")
        await ui.seen("active")
        await ui.press("p")
        await ui.seen("paused")
        gate.open()
        await ui.seen("item 'one' is paused", "p lets the item go on")
        await ui.press("p")
        await ui.seen("active", "◆ ?")


async def test_its_way_is_a_picture() -> None:
    async with running(papers(), items=[Paper("one")], size=(110, 30)) as ui:
        await ui.seen(WAITING)
        await item(ui, "publish")
        await ui.seen("publish is awaiting review")
        await ui.press("w")
        await ui.shows(ItemGraph)
        await ui.seen("its way through papers", "┏━ publish ━", "◆ ?", "✓ C 2/2")
        await ui.bench.host.call(lambda engine: engine.cancel("one"))
        await ui.seen("⊘ X")
        await ui.press("escape")
        await ui.shows(ItemScreen)
        await ui.press("w", "enter")
        await ui.shows(ItemScreen)


async def test_id_and_json_are_copied() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await item(ui)
        await ui.press("y")
        assert ui.app.clipboard == "one"
        await ui.press("Y")
        assert json.loads(ui.app.clipboard)["stages"]["parts"]["state"] == "completed"


async def test_a_held_stage_leads_to_the_graph() -> None:
    async with running(papers(), items=[]) as ui:
        await ui.bench.host.call(lambda engine: engine.pause_stage("papers", "fetch"))
        await ui.submit(papers(), [Paper("one")])
        await ui.until(lambda: ui.cursor_item == "one")
        await item(ui, "fetch")
        await ui.seen("the stage is held", "4 shows the graph: p on fetch there lets it go on")
        await ui.press("4")
        await ui.shows(GraphScreen)


async def test_a_removed_stage_is_dropped_once_that_is_confirmed() -> None:
    store = MemoryStateStore()
    async with Engine(store, [papers()]) as engine:
        await engine.submit("papers", [Paper("one")])
        await engine.run_until_idle()
    newer = Workflow("papers", item=Paper)
    newer.add_stage("fetch", lambda item: None)
    newer.add_stage("parts", lambda item: None, after=["fetch"])

    async with running(newer, store=store, size=(110, 30)) as ui:
        await ui.until(lambda: ui.board.line_count == 1)
        plan = (await ui.bench.migrations.plans()).get("papers")
        assert plan is not None
        await ui.bench.host.call(lambda engine: engine.apply_migration("papers", plan))
        await item(ui, "publish")
        await ui.seen("was removed from the workflow while awaiting review", "enter reviews it", "d Drop stage")
        await ui.press("d")
        await ui.shows(Confirm)
        await ui.seen("Drop stage publish of one?")
        await ui.press("n")
        await ui.shows(ItemScreen)
        await ui.press("d", "y")
        await ui.seen("publish is skipped")


async def test_it_fits_into_sixty_columns_and_escape_goes_back() -> None:
    async with running(papers(), items=[Paper("one")], size=(60, 16)) as ui:
        await ui.seen(WAITING)
        screen = await item(ui, "archive")
        await ui.seen("archive", "archive is pending: waits for publish")
        assert screen.query_one(OutlineView).size.height >= 5
        await ui.press("escape")
        await ui.shows(BoardScreen)
