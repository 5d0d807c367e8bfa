"""The workflow as a picture, as a person meets it."""

from __future__ import annotations

from typing import Any

from tests.screens.driving import Driver, Gate, running
from tests.screens.papers import WAITING, Paper, papers
from treadle_tui.board.filter_language import print_filter
from treadle_tui.engine import Workflow
from treadle_tui.screens.board_screen import BoardScreen
from treadle_tui.screens.graph_screen import GraphScreen
from treadle_tui.screens.hold_condition import HoldCondition
from treadle_tui.widgets.graph_view import GraphView


def forked() -> Workflow:
    workflow = Workflow("forked")
    for name, above in (("read", ()), ("left", ["read"]), ("right", ["read"]), ("join", ["left", "right"]), ("send", ["join", "read"])):
        workflow.add_stage(name, _pass, after=above)
    return workflow


async def _pass(item: Any) -> None: ...


async def graph(ui: Driver) -> GraphView:
    await ui.press("4")
    await ui.shows(GraphScreen)
    view = ui.app.screen.query_one(GraphView)
    await ui.until(lambda: view.facts is not None, "the picture is there")
    return view


async def test_it_shows_boxes_with_live_counts() -> None:
    gate = Gate()
    async with running(papers(gate), items=[Paper("one"), Paper("two")]) as ui:
        await graph(ui)
        await ui.seen("╭─ publish ────", "┃ ▸2", "▼", "fetch  ▸ 2 running")

        gate.open()

        await ui.seen("│ ◆2 ")


async def test_arrows_follow_the_edges() -> None:
    async with running(forked(), items=[{"id": "one"}]) as ui:
        view = await graph(ui)
        found = [view.stage]
        for key in ("j", "h", "left", "l", "right", "down", "down", "down", "up", "home", "end", "pageup", "pagedown", "k"):
            await ui.press(key)
            found.append(view.stage)

        assert found == [
            "read",
            "right",
            "left",
            "left",
            "right",
            "right",
            *["join", "send", "send", "join", "read", "send", "send", "send", "join"],
        ]


async def test_b_shows_the_tree_and_narrow_screens_begin_with_it() -> None:
    wide = Workflow("wide")
    wide.add_stage("root", _pass)
    for number in range(6):
        wide.add_stage(f"leaf {number}", _pass, after=["root"])
    async with running(wide, items=[{"id": "one"}], size=(80, 24)) as ui:
        view = await graph(ui)
        await ui.seen("├ leaf 0", "└ leaf 5")
        await ui.press("down", "right")
        assert view.stage == "leaf 1"
        await ui.press("b")
        await ui.seen("╭─ root ──", "╭─ leaf 0")
        await ui.press("b")
        await ui.seen("├ leaf 0")


async def test_the_tree_names_what_a_stage_waits_for_besides() -> None:
    async with running(forked(), items=[{"id": "one"}]) as ui:
        await graph(ui)
        await ui.press("b")
        await ui.seen("├ left", "└ right", "↓ join", "also after left", "also after read")


async def test_enter_shows_the_items_that_are_at_a_stage() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await graph(ui)
        await ui.press("down", "down", "enter")
        await ui.shows(BoardScreen)
        await ui.until(lambda: print_filter(ui.board.question.conditions) == "stage:publish state:awaiting_review")
        assert ui.board.cursor_stage == "publish"


async def test_a_stage_is_held_and_released() -> None:
    async with running(papers()) as ui:
        await ui.submit(papers(), [Paper("zero")])
        await graph(ui)
        await ui.press("p")
        await ui.seen("fetch ‖ held", "fetch starts no more; p lets it go on")
        await ui.submit(papers(), [Paper("one")])
        assert await ui.bench.store.held_stages("papers") == {"fetch": None}

        await ui.press("p")
        await ui.gone("‖ held")
        await ui.seen("fetch goes on")


async def test_a_breakpoint_holds_items_with_a_condition_and_a_wrong_one_is_said_so() -> None:
    async with running(papers(), items=[Paper("short", 3)]) as ui:
        await ui.seen(WAITING)
        await graph(ui)
        await ui.press("B")
        await ui.shows(HoldCondition)
        await ui.press(*"item.pages >", "enter")
        await ui.shows(GraphScreen)
        await ui.until(lambda: list(ui.app._notifications), "the mistake is told")
        assert await ui.bench.store.held_stages("papers") == {}

        await ui.press("B")
        await ui.shows(HoldCondition)
        await ui.press(*"item.pages > 100", "enter")
        await ui.seen("fetch ‖ if", "held for items with item.pages > 100")
        await ui.submit(papers(), [Paper("long", 300)])
        await ui.seen("·1")

        await ui.press("B", "escape")
        await ui.shows(GraphScreen)


async def test_without_a_workflow_it_says_what_to_do() -> None:
    async with running() as ui:
        await ui.press("4")
        await ui.seen("No workflow yet. 2 shows the board")


async def test_w_shows_the_next_workflow() -> None:
    other = forked()
    async with running(papers(), other, items=[Paper("one")]) as ui:
        await ui.submit(other, [{"id": "two"}])
        await graph(ui)
        await ui.seen("─ archive ─")
        await ui.press("w")
        await ui.seen("─ join ─")


async def test_a_click_moves_the_cursor_and_a_second_one_opens() -> None:
    async with running(forked(), items=[{"id": "one"}]) as ui:
        view = await graph(ui)
        await ui.seen("─ right ─")
        line = next(number for number, text in enumerate(ui.lines) if "─ right ─" in text)
        offset = (ui.lines[line].index("─ right ─") - view.region.x + 2, line - view.region.y + 1)
        await ui.pilot.click(GraphView, offset=offset)
        assert view.stage == "right"
        await ui.pilot.click(GraphView, offset=offset, times=2)
        await ui.shows(BoardScreen)
