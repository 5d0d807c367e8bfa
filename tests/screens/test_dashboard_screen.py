"""The dashboard as a person meets it, and the screens for workflows that changed or could not be loaded."""

from __future__ import annotations

from typing import Any

from tests.screens.driving import Driver, Gate, running
from tests.screens.papers import WAITING, Paper, papers
from treadle_tui.board.filter_language import print_filter
from treadle_tui.cli.workflow_file import Problem
from treadle_tui.engine import Engine, MemoryStateStore, Workflow
from treadle_tui.screens.board_screen import BoardScreen
from treadle_tui.screens.confirmation import Confirm
from treadle_tui.screens.dashboard_screen import DashboardScreen
from treadle_tui.screens.item_screen import ItemScreen
from treadle_tui.screens.plan_screen import PlanScreen
from treadle_tui.screens.problem_screen import ProblemScreen
from treadle_tui.screens.review_modal import ReviewModal
from treadle_tui.widgets.pick_list import PickList


def failing() -> Workflow:
    workflow = Workflow("failing")

    @workflow.stage
    def first(item: Any) -> None:
        raise ValueError(f"no {item['id']} here")

    @workflow.stage
    def second(first: Any) -> None: ...

    return workflow


async def dashboard(ui: Driver) -> None:
    await ui.press("1")
    await ui.shows(DashboardScreen)


async def focus(ui: Driver, name: str) -> None:
    ui.app.screen.query_one(f"#{name}", PickList).focus()
    await ui.pilot.pause()


async def test_it_shows_states_stages_and_who_is_waited_for() -> None:
    async with running(papers(), items=[Paper("one"), Paper("two")]) as ui:
        await ui.seen(WAITING)
        await dashboard(ui)

        await ui.seen("awaiting review           2", "fetch", "2/2", "one › publish  publish one?", "nothing has failed")
        assert "4 in 15 minutes" in ui.text
        assert "nothing goes on by itself · ◆ 2 waiting for a person" in ui.text


async def test_it_follows_what_happens() -> None:
    gate = Gate()
    async with running(papers(gate), items=[Paper("one")]) as ui:
        await dashboard(ui)
        await ui.seen("running                   1", "nobody is waited for")

        gate.open()

        await ui.seen("one › publish")


async def test_enter_on_a_state_shows_the_board_with_only_that() -> None:
    async with running(papers(), items=[Paper("one"), Paper("two")]) as ui:
        await ui.seen(WAITING)
        await dashboard(ui)
        await ui.seen("awaiting review")
        await ui.press("enter")
        await ui.shows(BoardScreen)
        await ui.until(lambda: ui.board.line_count == 2)

        await dashboard(ui)
        await ui.press("down", "enter")  # completed
        await ui.shows(BoardScreen)
        await ui.until(lambda: print_filter(ui.board.question.conditions) == "state:completed")


async def test_enter_on_a_stage_puts_the_boards_cursor_into_its_column() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await dashboard(ui)
        await ui.seen("archive")
        await focus(ui, "stages")
        await ui.press("end", "enter")

        await ui.shows(BoardScreen)
        await ui.until(lambda: ui.board.cursor_stage == "archive")


async def test_enter_on_what_waits_opens_its_review_and_on_what_failed_its_item() -> None:
    async with running(failing(), papers(), items=[{"id": "doc"}]) as ui:
        await dashboard(ui)
        await ui.seen("doc › first  ValueError: no doc here")
        await focus(ui, "failures")
        await ui.press("enter")
        await ui.shows(ItemScreen)

    async with running(papers(), items=[Paper("one")]) as ui:
        await dashboard(ui)
        await ui.seen("one › publish")
        await focus(ui, "reviews")
        await ui.press("enter")
        await ui.shows(ReviewModal)


async def test_the_cursor_walks_from_one_list_into_the_next() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await dashboard(ui)
        await ui.seen("archive", "one › publish")
        states = ui.app.screen.query_one("#states", PickList)
        for _ in states.rows:
            await ui.press("down")
        assert ui.app.screen.focused is ui.app.screen.query_one("#stages", PickList)
        await ui.press("up")
        assert ui.app.screen.focused is states
        assert states.row == states.rows[-1]
        await ui.press("tab", "k", "j", "pagedown", "pageup", "home", "end", "shift+tab")
        assert ui.app.screen.focused is states


async def test_w_shows_the_next_workflow() -> None:
    other = Workflow("photos")

    @other.stage
    def develop(item: Any) -> None: ...

    async with running(papers(), other, items=[Paper("one")]) as ui:
        await ui.submit(other, [{"id": "cat"}])
        await dashboard(ui)
        await ui.seen("archive")
        await ui.press("w")
        await ui.seen("develop", "everything is done")


async def test_without_items_it_says_what_to_do() -> None:
    async with running(papers()) as ui:
        await dashboard(ui)
        await ui.seen("no items yet: 2 shows the board, n there adds some", "nobody is waited for")


async def test_it_can_be_read_in_sixty_columns() -> None:
    async with running(papers(), items=[Paper("one")], size=(60, 16)) as ui:
        await ui.seen(WAITING)
        await dashboard(ui)
        await ui.seen("Stages by state", "awaiting review")
        await ui.until(lambda: ui.app.screen.query_one("#reviews", PickList).rows, "what waits has been read")
        await ui.pilot.pause()
        await focus(ui, "reviews")
        await ui.seen("one › publish")


# --- workflows that somebody must look at -----------------------------------------------------------------------------


def changed(stages: list[str]) -> Workflow:
    workflow = Workflow("letters")
    for number, stage in enumerate(stages):
        workflow.add_stage(stage, _wait if stage == "write" else _pass, after=stages[number - 1 : number])
    return workflow


async def _wait(item: Any) -> Any:
    from treadle_tui.engine import NeedsReview

    return NeedsReview("a letter")


async def _pass(item: Any) -> None: ...


async def store_with_letters(count: int) -> MemoryStateStore:
    """Letters that wait in `write`, a stage the newer workflow has no longer."""
    store = MemoryStateStore()
    async with Engine(store, [changed(["write", "send"])]) as engine:
        await engine.submit("letters", [{"id": f"letter {number}"} for number in range(count)])
        await engine.run_until_idle()
    return store


async def test_a_changed_workflow_is_a_row_a_screen_and_a_question() -> None:
    async with running(changed(["stamp", "send"]), store=await store_with_letters(3)) as ui:
        await ui.seen("letters: the workflow has changed, and its items wait; 1 shows what that means")
        await dashboard(ui)
        await ui.seen("! letters  has changed: 3 stages, 1 of them must be accepted; 3 items wait")
        await focus(ui, "notices")
        await ui.press("enter")
        await ui.shows(PlanScreen)
        await ui.seen("write", "gone", "is unfinished (awaiting review in 3), and stays in the way of 3 items", "stamp", "new")

        await ui.press("y")  # nothing was asked yet
        await ui.press("a")
        await ui.shows(Confirm)
        await ui.seen("Move 3 items of letters into the workflow as it is now?")
        await ui.press("n")
        await ui.shows(PlanScreen)
        await ui.press("a")
        await ui.shows(Confirm)
        await ui.press("y")

        await ui.shows(DashboardScreen)
        await ui.gone("must be accepted")
        assert list(await ui.bench.store.dependencies("letters")) == ["stamp", "send"]


async def test_of_many_items_the_number_is_typed() -> None:
    async with running(changed(["stamp", "send"]), store=await store_with_letters(21)) as ui:
        await dashboard(ui)
        await ui.seen("21 items wait")
        await focus(ui, "notices")
        await ui.press("enter")
        await ui.shows(PlanScreen)
        await ui.press("a")
        await ui.shows(Confirm)
        await ui.press(*"20", "enter")
        await ui.shows(Confirm)
        await ui.press("backspace", "1", "enter")
        await ui.shows(DashboardScreen)
        await ui.gone("must be accepted")


async def test_a_plan_that_is_out_of_date_is_shown_again() -> None:
    async with running(changed(["stamp", "send"]), store=await store_with_letters(2)) as ui:
        await dashboard(ui)
        await ui.seen("2 items wait")
        await focus(ui, "notices")
        await ui.press("enter")
        await ui.shows(PlanScreen)
        await ui.bench.host.call(lambda engine: engine.cancel("letter 0"))
        await ui.press("a")
        await ui.shows(Confirm)
        await ui.press("y")
        await ui.seen("Something has happened since", "cancelled in 1, awaiting review in 1")
        await ui.press("escape")
        await ui.shows(DashboardScreen)


async def test_a_file_that_could_not_be_loaded_is_a_row_and_a_screen() -> None:
    async with running(papers(), problems=[Problem("/w/bad.py", 12, "SyntaxError: invalid syntax")], size=(120, 40)) as ui:
        await dashboard(ui)
        await ui.seen("! bad.py:12  SyntaxError: invalid syntax (in /w)")
        await focus(ui, "notices")
        await ui.press("enter")
        await ui.shows(ProblemScreen)
        await ui.seen("bad.py:12", "not loaded", "SyntaxError: invalid syntax (in /w)", "Mend the file")
        await ui.press("escape")
        await ui.shows(DashboardScreen)


async def test_the_cursor_stays_in_sight_in_a_low_terminal_and_what_is_above_the_lists_can_be_reached() -> None:
    async with running(papers(), items=[Paper("one")], size=(60, 16)) as ui:
        await ui.seen(WAITING)
        await ui.press("1")
        await ui.seen("a minute", "Stages by state")

        await ui.press(*["down"] * 12)
        await ui.seen("publish one?")
        await ui.press(*["up"] * 12)
        await ui.seen("a minute", "Stages by state")
