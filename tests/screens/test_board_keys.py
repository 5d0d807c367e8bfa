"""Every key of the board beyond moving about: filters, orders, marks, and what is done to items."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from tests.screens.driving import Driver, running
from treadle_tui.engine import NeedsReview, Workflow
from treadle_tui.engine.states import ItemState
from treadle_tui.full_screen import TreadleApp
from treadle_tui.screens.board_screen import BoardScreen
from treadle_tui.screens.column_chooser import ColumnChooser
from treadle_tui.screens.confirmation import Confirm
from treadle_tui.widgets.board_grid import BoardGrid


def checked() -> Workflow:
    """`read` fails for ids that begin with "bad"; `check` waits for a person when the id begins with "ask"; then `publish`."""
    workflow = Workflow("docs")

    @workflow.stage(tags=["io"])
    async def read(item: Any) -> Any:
        if item["id"].startswith("bad") and not mended:
            raise ValueError("timeout after 30 s")

    @workflow.stage(after=["read"])
    async def check(item: Any) -> Any:
        return NeedsReview(None) if item["id"].startswith("ask") else None

    @workflow.stage(after=["check"])
    async def publish(item: Any) -> Any:
        return None

    return workflow


mended: list[bool] = []


@pytest.fixture(autouse=True)
def _not_mended() -> None:
    mended.clear()


NAMES = ("bad-1", "good-2", "ask-3", "bad-4", "good-5")


def ids(ui: Driver) -> list[str]:
    """The items on the screen, from the top."""
    grid = ui.app.board_screen.grid
    lines = [ui.board.line(number) for number in range(ui.board.line_count)] if grid.display else []
    return [line.row.item_id for line in lines if line.row is not None]


def shown(ui: Driver, *names: str) -> Any:
    return ui.until(lambda: ids(ui) == list(names), f"the list is {names}, not {ids(ui)}")


def docs(**options: Any) -> Any:
    names = options.pop("names", NAMES)
    return running(checked(), items=[{"id": name} for name in names], **options)


async def settled(ui: Driver) -> None:
    await ui.seen("✗ F", "◆ ?", "✓ C")
    await ui.until(lambda: all(state.value != "running" for state in ui.app.main_screens._facts.tally.by_state), "nothing runs")


# filters ------------------------------------------------------------------------------------------------------------------------


async def test_a_filter_is_written_live_kept_with_enter_and_taken_away_with_escape() -> None:
    async with docs() as ui:
        await settled(ui)
        await ui.press("slash", *"good")
        await shown(ui, "good-2", "good-5")
        await ui.seen("2 of 5")

        await ui.press("enter")
        await ui.seen("/ good", "esc clears")
        await ui.press("escape")
        await shown(ui, *NAMES)


async def test_tab_completes_what_was_begun_and_nothing_jumps_meanwhile() -> None:
    async with docs() as ui:
        await settled(ui)
        await ui.press("slash", *"sta")
        await ui.pilot.pause(0.2)
        assert ids(ui) == list(NAMES)
        await ui.press("tab", *"fai", "tab", "enter")
        await shown(ui, "bad-1", "bad-4")
        await ui.seen("/ state:failed")


async def test_a_mistake_is_said_with_its_place_and_what_was_typed_stays() -> None:
    async with docs() as ui:
        await settled(ui)
        await ui.press("slash", *"state:fialed", "enter")
        await ui.seen("there is no state 'fialed': did you mean failed? (at 7)")
        assert ui.app.screen.query_one(Input).value == "state:fialed"
        await shown(ui, "bad-1", "bad-4")  # as far as it could be read: state:f

        await ui.press("escape")
        await shown(ui, *NAMES)
        await ui.gone("there is no state")


async def test_escape_in_the_field_goes_back_to_the_filter_there_was() -> None:
    async with docs() as ui:
        await settled(ui)
        await ui.press("slash", *"good", "enter")
        await shown(ui, "good-2", "good-5")
        await ui.press("slash", *"-5")
        await shown(ui, "good-5")
        await ui.press("escape")
        await shown(ui, "good-2", "good-5")
        await ui.seen("/ good   esc")


async def test_a_filter_nothing_fits_says_what_to_do() -> None:
    async with docs() as ui:
        await settled(ui)
        await ui.press("slash", *"nobody", "enter")
        await ui.seen("Nothing fits the filter.", "show everything again")
        await ui.press("escape")
        await shown(ui, *NAMES)


async def test_failures_only_and_hidden_completed_go_together() -> None:
    async with docs() as ui:
        await settled(ui)
        await ui.press("H")
        await shown(ui, "bad-1", "ask-3", "bad-4")
        await ui.press("f")
        await shown(ui, "bad-1", "bad-4")
        await ui.seen("/ !is:completed state:failed")
        await ui.press("H", "f")
        await shown(ui, *NAMES)


async def test_what_fits_no_longer_stays_until_the_list_is_asked_again() -> None:
    async with docs() as ui:
        await settled(ui)
        await ui.press("f")
        await shown(ui, "bad-1", "bad-4")
        mended.append(True)
        await ui.press("r")
        await ui.until(lambda: ui.board.gone, "the mended item fits no longer")
        assert ids(ui) == ["bad-1", "bad-4"]
        assert ui.cursor_item == "bad-1"

        await ui.press("f", "f")
        await shown(ui, "bad-4")


async def test_what_comes_to_fit_waits_behind_the_pill() -> None:
    names = [f"bad-{n:02}" for n in range(30)]
    async with docs(names=names, size=(80, 20)) as ui:
        await ui.seen("✗30")
        await ui.press("f")
        await ui.seen("30 of 30")
        await ui.submit(checked(), [{"id": "bad-new"}])
        await ui.seen("+1 new")
        assert ui.board.line_count == 30

        await ui.press("G")
        await ui.seen("31 of 31")


# orders -------------------------------------------------------------------------------------------------------------------------


async def test_sorting_keeps_the_cursor_on_its_item() -> None:
    async with docs() as ui:
        await settled(ui)
        await ui.press("down", "down", "o")
        await shown(ui, "ask-3", "bad-1", "bad-4", "good-2", "good-5")
        await ui.seen("sorted by id", "item ▴")
        assert ui.cursor_item == "ask-3"

        await ui.press("O")
        await shown(ui, "good-5", "good-2", "bad-4", "bad-1", "ask-3")
        assert ui.cursor_item == "ask-3"


async def test_a_click_on_a_head_sorts_by_its_stage() -> None:
    async with docs(size=(100, 30)) as ui:
        await settled(ui)
        grid = ui.app.board_screen.grid
        columns = {column.stage: column.x for column in grid._drawn_by().visible.columns}
        await ui.pilot.click(BoardGrid, offset=(columns["check"], 0))
        await shown(ui, "ask-3", "good-2", "good-5", "bad-1", "bad-4")
        await ui.seen("check ▴")
        await ui.pilot.click(BoardGrid, offset=(columns["check"], 0))
        await shown(ui, "bad-1", "bad-4", "good-2", "good-5", "ask-3")
        await ui.pilot.click(BoardGrid, offset=(columns["check"], 0))
        await shown(ui, *NAMES)
        await ui.pilot.click(BoardGrid, offset=(4, 0))
        await shown(ui, "ask-3", "bad-1", "bad-4", "good-2", "good-5")


# what is shown ------------------------------------------------------------------------------------------------------------------


async def test_cells_show_other_things_in_turn() -> None:
    async with docs() as ui:
        await settled(ui)
        for words, cell in (("the age", "s"), ("the duration", "ms"), ("the attempts", "✗ 1×"), ("the state", "✗ F")):
            await ui.press("t")
            await ui.seen(f"cells show {words}")
            await ui.until(lambda cell=cell: cell in ui.line("bad-1"), cell)


async def test_stages_can_be_hidden() -> None:
    async with docs() as ui:
        await settled(ui)
        await ui.press("c")
        await ui.shows(ColumnChooser)
        await ui.press("j", "space", "enter")
        await ui.shows(BoardScreen)
        assert ui.board.stages == ["read", "publish"]
        assert "check" not in ui.line("item ")

        await ui.press("c", "a", "enter")
        await ui.until(lambda: ui.board.stages == ["read", "check", "publish"])


async def test_leaving_the_columns_changes_nothing() -> None:
    async with docs() as ui:
        await ui.press("c")
        await ui.shows(ColumnChooser)
        await ui.press("space", "escape")
        await ui.shows(BoardScreen)
        assert ui.board.stages == ["read", "check", "publish"]


# marks --------------------------------------------------------------------------------------------------------------------------


async def test_marks_are_set_one_by_one_in_ranges_all_at_once_and_taken_away() -> None:
    async with docs() as ui:
        await settled(ui)
        await ui.press("space")
        assert (ui.board.marks, ui.cursor_item) == ({"bad-1"}, "good-2")
        await ui.press("down", "v", "down", "v")
        await ui.until(lambda: ui.board.marks == {"bad-1", "ask-3", "bad-4"})
        await ui.seen("●3 · 5 items")
        await ui.press("asterisk")
        await ui.until(lambda: ui.board.marks == set(NAMES))
        await ui.press("minus")
        assert ui.board.marks == set()


async def test_a_range_can_be_given_up() -> None:
    async with docs() as ui:
        await settled(ui)
        await ui.press("v", "down", "escape")
        assert (ui.board.range_start, ui.board.marks) == (None, set())


async def test_marks_stay_on_their_items_in_another_order() -> None:
    async with docs() as ui:
        await settled(ui)
        await ui.press("space", "o")
        await shown(ui, "ask-3", "bad-1", "bad-4", "good-2", "good-5")
        assert "●" in ui.line("bad-1")
        assert ui.board.marks == {"bad-1"}


async def test_the_mouse_marks_in_front_of_an_item_and_with_shift_a_range() -> None:
    async with docs() as ui:
        await settled(ui)
        await ui.pilot.click(BoardGrid, offset=(1, 3))
        assert ui.board.marks == {"good-2"}
        await ui.press("minus")
        await ui.pilot.click(BoardGrid, offset=(6, 2))
        await ui.pilot.click(BoardGrid, offset=(6, 4), shift=True)
        await ui.until(lambda: ui.board.marks == {"bad-1", "good-2", "ask-3"})


async def test_ids_are_copied() -> None:
    async with docs() as ui:
        await settled(ui)
        await ui.press("y")
        await ui.seen("copied bad-1")
        assert ui.app.clipboard == "bad-1"
        await ui.press("space", "space", "y")
        await ui.seen("copied 2 ids")
        assert ui.app.clipboard == "bad-1\ngood-2"


# doing something to items -------------------------------------------------------------------------------------------------------


async def test_retry_runs_what_failed_of_all_marked_and_counts_the_rest() -> None:
    async with docs() as ui:
        await settled(ui)
        mended.append(True)
        await ui.press("asterisk")
        await ui.until(lambda: ui.board.marks)
        await ui.press("r")
        await ui.seen("2 retried · 3 not failed")
        await ui.gone("✗ F")


async def test_retry_under_the_cursor_names_the_item() -> None:
    async with docs() as ui:
        await settled(ui)
        await ui.press("r")
        await ui.seen("bad-1 › read: retried")
        await ui.press("down", "r")
        await ui.seen("good-2: not failed")


async def test_pause_is_a_switch() -> None:
    async with docs() as ui:
        await settled(ui)
        store = ui.bench.host.store
        assert store is not None
        await ui.press("p")
        await ui.seen("bad-1: paused")
        await ui.until(lambda: "‖" in ui.line("bad-1"), "the row says so")
        await ui.press("p")
        await ui.seen("bad-1: resumed")
        assert (await store.get_item("bad-1")).state is ItemState.ACTIVE
        await ui.until(lambda: "‖" not in ui.line("bad-1"), "and no longer")


async def test_cancelling_asks_and_no_leaves_everything() -> None:
    async with docs() as ui:
        await settled(ui)
        await ui.press("X")
        await ui.shows(Confirm)
        await ui.seen("Cancel bad-1?", "What runs is interrupted")
        await ui.press("enter")  # No has the focus
        await ui.shows(BoardScreen)
        await ui.press("X", "n")
        assert "⊘" not in ui.text

        await ui.press("X", "y")
        await ui.seen("bad-1: cancelled", "⊘ X")


async def test_running_again_starts_over_from_the_stage_under_the_cursor() -> None:
    async with docs() as ui:
        await settled(ui)
        before = (await ui.status("good-2", "check")).version
        await ui.press("down", "tab", "R")
        await ui.seen("Run again good-2 from check?")
        await ui.press("y")
        await ui.seen("good-2 › check: run again")
        assert (await ui.status("good-2", "check")).version > before
        await ui.press("down", "down", "R", "y")
        await ui.seen("bad-4 › check: not finished")


async def test_deleting_marked_items_takes_them_off_the_board() -> None:
    async with docs() as ui:
        await settled(ui)
        await ui.press("space", "space", "D")
        await ui.seen("Delete 2 items?", "bad-1", "good-2")
        await ui.press("y")
        await ui.seen("2 deleted")
        await shown(ui, "ask-3", "bad-4", "good-5")
        assert ui.board.marks == set()


async def test_above_twenty_items_their_number_is_typed() -> None:
    names = [f"good-{n:02}" for n in range(21)]
    async with docs(names=names, size=(100, 40)) as ui:
        await ui.until(lambda: ui.text.count("✓ C") == 63, "everything is done")
        await ui.press("asterisk")
        await ui.until(lambda: len(ui.board.marks) == 21)
        await ui.press("D")
        await ui.seen("Delete 21 items?", "and 16 more", "type 21 to go on")
        await ui.press("y", "enter")
        assert isinstance(ui.app.screen, Confirm)
        await ui.press("backspace", *"21", "enter")
        await ui.seen("21 deleted")


# what is remembered -------------------------------------------------------------------------------------------------------------


async def test_the_board_is_shown_as_it_was_left(tmp_path: Path) -> None:
    from treadle_tui.engine import SqliteStateStore

    db = tmp_path / "work.db"

    async def again() -> Any:
        return await SqliteStateStore.open(db)

    def app() -> TreadleApp:
        from tests.screens.driving import Found

        return TreadleApp(db, Found([checked()]), "ana", open_store=again, state_folder=tmp_path / "state")

    first = app()
    async with first.run_test(size=(100, 30)) as pilot:
        ui = Driver(first, pilot)
        await ui.until(lambda: first.workbench and first.workbench.host.standing.phase.value == "running")
        await ui.submit(checked(), [{"id": name} for name in NAMES])
        await settled(ui)
        await ui.press("H")
        await shown(ui, "bad-1", "ask-3", "bad-4")
        await ui.press("o", "t", "c")
        await ui.shows(ColumnChooser)
        await ui.press("end", "space", "enter")
        await ui.until(lambda: ui.board.stages == ["read", "check"])
        await ui.press("down", "tab")

    second = app()
    async with second.run_test(size=(100, 30)) as pilot:
        ui = Driver(second, pilot)
        await ui.seen("/ !is:completed")
        await shown(ui, "ask-3", "bad-1", "bad-4")
        assert (ui.cursor_item, ui.board.cursor_stage) == ("bad-4", "check")
        assert (ui.board.stages, ui.board.shows.value) == (["read", "check"], "age")
    assert [name for name in os.listdir(tmp_path) if "work.db" not in name] == ["state"]


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (200, 60)])
async def test_filtering_and_asking_work_at_every_size(size: tuple[int, int]) -> None:
    async with docs(size=size) as ui:
        await ui.seen("bad-1", "ask-3")
        await ui.press("slash", *"state:f")
        await shown(ui, "bad-1", "bad-4")
        await ui.pilot.resize_terminal(20, 5)
        await ui.pilot.resize_terminal(*size)
        await ui.press("enter")
        await shown(ui, "bad-1", "bad-4")
        await ui.press("D")
        await ui.seen("Delete bad-1?", "No", "Yes")
        await ui.press("escape", "escape")
        await shown(ui, *NAMES)
