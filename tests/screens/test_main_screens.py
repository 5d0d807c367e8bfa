"""Getting from one main screen to another, and hearing of changes only where they are seen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Set
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest
from textual.app import ComposeResult
from textual.widgets import Input

from tests.screens.driving import Driver, running
from tests.screens.papers import WAITING, Paper, papers
from treadle_tui.board.tally import Counts
from treadle_tui.full_screen import TreadleApp
from treadle_tui.main_screens import BOARD, MAIN_SCREENS, MainScreenEntry
from treadle_tui.screens.board_screen import BoardScreen
from treadle_tui.screens.item_screen import ItemScreen
from treadle_tui.screens.main_screen import MainScreen
from treadle_tui.widgets.plain_text import PlainText


class Ledger(MainScreen):
    """Writes down what it hears."""

    TITLE = "Ledger"
    AUTO_FOCUS = ""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[set[str] | None] = []
        self.totals: list[int] = []

    def compose_body(self) -> ComposeResult:
        yield PlainText("the ledger")
        yield Input(placeholder="note")

    def items_changed(self, items: Set[str] | None) -> None:
        self.heard.append(None if items is None else set(items))

    def totals_changed(self, counts: Counts, waiting: int) -> None:
        self.totals.append(waiting)


class Index(MainScreen):
    """Hears of nothing."""

    TITLE = "Index"

    def compose_body(self) -> ComposeResult:
        yield PlainText("the index")


EXTRA = (
    MainScreenEntry("8", "ledger", "Ledger", "What was heard", lambda workbench: Ledger()),
    MainScreenEntry("9", "index", "Index", "Nothing", lambda workbench: Index()),
)


class AppWithMore(TreadleApp):
    MAIN_SCREENS: ClassVar[tuple[MainScreenEntry, ...]] = (*(each for each in MAIN_SCREENS if each.id == BOARD), *EXTRA)
    BINDINGS: ClassVar[list[Any]] = [entry.binding for entry in EXTRA]


@asynccontextmanager
async def with_more(*items: Paper, **more: Any) -> AsyncIterator[Driver]:
    async with running(papers(), items=items, app_type=AppWithMore, **more) as ui:
        if items:
            await ui.seen(WAITING)
        yield ui


def ledger(ui: Driver) -> Ledger:
    assert isinstance(ui.app.screen, Ledger)
    return ui.app.screen


async def test_a_number_shows_a_screen_and_escape_goes_back() -> None:
    async with with_more(Paper("one")) as ui:
        await ui.press("8")
        await ui.seen("the ledger")
        await ui.press("9")
        await ui.seen("the index")
        await ui.press("escape")
        await ui.seen("the ledger")
        await ui.press("escape")
        await ui.seen(WAITING)
        await ui.press("escape")
        assert isinstance(ui.app.screen, BoardScreen)


async def test_the_board_behind_stays_as_it_was_left() -> None:
    async with with_more(Paper("one"), Paper("two")) as ui:
        await ui.press("down")
        board = ui.app.screen
        await ui.press("8")
        await ui.seen("the ledger")
        await ui.press("2")

        assert ui.app.screen is board
        assert ui.cursor_item == "two"


async def test_going_back_finds_what_was_opened_on_top_and_a_number_does_not() -> None:
    async with with_more(Paper("one")) as ui:
        await ui.press("enter")
        await ui.shows(ItemScreen)
        await ui.press("8")
        await ui.shows(Ledger)
        await ui.press("escape")
        await ui.shows(ItemScreen)
        await ui.press("8", "2")
        await ui.shows(BoardScreen)


async def test_every_main_screen_has_the_same_header() -> None:
    async with with_more(Paper("one"), size=(120, 30)) as ui:
        await ui.seen("◆ 1 waiting", "○ idle")
        before = ui.lines[:2]
        await ui.press("9")
        await ui.seen("the index")
        assert ui.lines[:2] == before

        ui.app.main_screens.state(outbox=3)
        await ui.seen("3 in the outbox")
        await ui.press("2")
        await ui.seen(WAITING, "3 in the outbox")


@pytest.mark.parametrize(("width", "screens"), [(200, ("2 Board", "8 Ledger  9 Index")), (62, ("work.db · papers   2 Board 8 9 ",))])
async def test_the_header_names_the_screens_as_far_as_there_is_room(width: int, screens: tuple[str, ...]) -> None:
    async with with_more(size=(width, 24)) as ui:
        await ui.seen(*screens)


async def test_what_is_not_seen_hears_of_it_when_it_comes_back() -> None:
    async with with_more(Paper("one")) as ui:
        await ui.press("8")
        await ui.until(lambda: ledger(ui).totals[-1:] == [1])
        heard = ledger(ui)
        heard.heard.clear()
        await ui.press("2", "]", "a")
        await ui.gone(WAITING)
        assert heard.heard == []

        await ui.press("8")
        await ui.until(lambda: heard.heard == [{"one"}])
        await ui.until(lambda: heard.totals[-1] == 0)


async def test_an_item_left_behind_is_read_again() -> None:
    async with with_more(Paper("one")) as ui:
        await ui.press("enter")
        await ui.seen(WAITING)
        await ui.press("8")
        await ui.shows(Ledger)
        await ui.bench.host.call(lambda engine: engine.resolve_review("one", "publish", _approve()))
        await ui.until(lambda: ledger(ui).heard)
        await ui.press("escape")
        await ui.gone(WAITING)


async def test_letters_and_numbers_are_text_where_text_is_typed() -> None:
    async with with_more() as ui:
        await ui.press("8")
        await ui.seen("the ledger")
        await ui.press("tab", "9", "2")

        assert ledger(ui).query_one(Input).value == "92"


async def test_no_other_screen_is_offered_while_the_terminal_is_too_small() -> None:
    async with with_more() as ui:
        await ui.pilot.resize_terminal(20, 5)
        await ui.press("8", "9")
        await ui.pilot.resize_terminal(80, 24)
        await ui.shows(BoardScreen)


@pytest.mark.parametrize(("width", "name"), [(80, "-one-pane"), (90, "-stacked"), (139, "-stacked"), (140, "-side-by-side")])
async def test_the_width_is_a_class_of_every_screen(width: int, name: str) -> None:
    async with with_more(size=(width, 24)) as ui:
        await ui.press("9")
        await ui.seen("the index")
        assert [each for each in ("-one-pane", "-stacked", "-side-by-side") if ui.app.screen.has_class(each)] == [name]


def _approve() -> Any:
    from treadle_tui.engine import Approve

    return Approve()
