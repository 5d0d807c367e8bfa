"""The statistics as a person meets them."""

from __future__ import annotations

from tests.screens.driving import running
from tests.screens.papers import WAITING, Paper, papers
from treadle_tui.engine import Approve, Reject, ReviewPolicy, Workflow
from treadle_tui.screens.board_screen import BoardScreen
from treadle_tui.screens.statistics_screen import StatisticsScreen
from treadle_tui.widgets.pick_list import PickList


async def test_stages_and_reviewers_are_tables_that_follow() -> None:
    async with running(papers(), items=[Paper("one"), Paper("two")], size=(110, 30)) as ui:
        await ui.seen(WAITING)
        await ui.press("6")
        await ui.shows(StatisticsScreen)
        await ui.seen("stage", "p50", "p95", "nobody has decided anything yet", "from every run, and every decision")
        assert ui.line("fetch").split()[1] == "2"

        await ui.bench.host.call(lambda engine: engine.resolve_review("one", "publish", Approve(by="ana", seconds=3.0)))
        await ui.bench.host.call(lambda engine: engine.resolve_review("two", "publish", Reject("dull", by="ana", seconds=5.0)))

        await ui.seen("reviewer", "dull ×1")
        assert ui.line("ana").split()[:8] == ["ana", "2", "50", "%", "50", "%", "0", "%"]
        assert "4.0 s" in ui.line("ana")


async def test_what_a_sample_found_is_told() -> None:
    workflow = Workflow("papers", item=Paper)

    @workflow.stage(review=ReviewPolicy.sample(1.0))
    def publish(item: Paper) -> dict[str, str]:
        return {"url": item.id}

    async with running(workflow, items=[Paper("one"), Paper("two")], size=(80, 24)) as ui:
        await ui.seen(WAITING)
        await ui.press("enter")
        await ui.seen("sampled, 100 %")
        await ui.press("escape")
        await ui.shows(BoardScreen)
        await ui.counts(WAITING, 2)
        await ui.bench.host.call(lambda engine: engine.resolve_review("one", "publish", Approve(by="ana")))
        await ui.bench.host.call(lambda engine: engine.resolve_review("two", "publish", Reject("dull", by="ana")))
        await ui.press("6")
        await ui.shows(StatisticsScreen)
        await ui.seen("publish: of 2 sampled (100 %), 1 was not approved as it was")


async def test_enter_on_a_stage_leads_to_the_board() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await ui.press("6")
        await ui.seen("archive")
        await ui.press("tab", "tab")
        ui.app.screen.query_one("#stages", PickList).focus()
        await ui.press("down", "enter")
        await ui.shows(BoardScreen)
        await ui.until(lambda: ui.board.cursor_stage == "parts")


async def test_w_shows_the_next_workflow_and_nothing_says_what_to_do() -> None:
    async with running() as ui:
        await ui.press("6")
        await ui.seen("no workflow yet: 2 shows the board", "nobody has decided anything yet")
        await ui.press("w")
        await ui.seen("there is no other workflow")


async def test_it_fits_into_sixty_columns() -> None:
    async with running(papers(), items=[Paper("one")], size=(60, 16)) as ui:
        await ui.seen(WAITING)
        await ui.press("6")
        await ui.seen("p50", "publish")
