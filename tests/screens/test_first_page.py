"""Rows are on the screen before an engine has been imported; what happens until it follows the file is neither lost nor shown twice."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.screens.driving import Driver, Found
from tests.screens.papers import WAITING, Paper, papers
from treadle_tui import full_screen
from treadle_tui.board.standing import Phase
from treadle_tui.engine import Approve, Engine, SqliteStateStore
from treadle_tui.first_page import read_first_page
from treadle_tui.full_screen import TreadleApp
from treadle_tui.screens.review_modal import ReviewModal
from treadle_tui.view_memory import RememberedView, ViewMemory


@pytest.fixture
async def db(tmp_path: Path) -> Path:
    """Three papers, each waiting to be published."""
    path = tmp_path / "work.db"
    async with SqliteStateStore.open(path) as store, Engine(store, [papers()]) as engine:
        await engine.submit("papers", [Paper(name) for name in ("one", "two", "three")])
        await engine.run_until_idle()
    return path


@pytest.fixture
def engine_gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The engine is imported and started only once this is set."""
    gate = threading.Event()
    make = full_screen._make_workbench

    def make_later(*arguments):
        gate.wait(20)
        return make(*arguments)

    monkeypatch.setattr(full_screen, "_make_workbench", make_later)
    yield gate
    gate.set()


@asynccontextmanager
async def opened(db: Path) -> AsyncIterator[Driver]:
    app = TreadleApp(db, Found([papers()]), "ana")
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        yield Driver(app, pilot)


async def test_rows_and_totals_are_there_before_the_engine(db: Path, engine_gate: threading.Event) -> None:
    async with opened(db) as ui:
        await ui.seen("one", "two", "three", "papers")
        await ui.counts(WAITING, 3)
        assert "◆ 3" in ui.lines[0] + ui.lines[1] + ui.lines[2]
        assert ui.app.workbench is None

        engine_gate.set()
        await ui.until(lambda: ui.app.workbench and ui.bench.host.standing.phase is Phase.RUNNING)
        await ui.counts(WAITING, 3)


async def test_what_happens_before_the_engine_follows_is_shown(db: Path, engine_gate: threading.Event) -> None:
    async with opened(db) as ui:
        await ui.counts(WAITING, 3)
        async with SqliteStateStore.open(db) as store, Engine(store, [papers()]) as engine:
            await engine.resolve_review("two", "publish", Approve(by="ben"))
            await engine.submit("papers", [Paper("four")])

        engine_gate.set()

        await ui.seen("four")
        await ui.counts(WAITING, 3)


async def test_keys_pressed_before_the_engine_is_there_are_done_once_it_is(db: Path, engine_gate: threading.Event) -> None:
    async with opened(db) as ui:
        await ui.counts(WAITING, 3)
        await ui.press("down", "]", "enter")
        assert not isinstance(ui.app.screen, ReviewModal)

        engine_gate.set()

        await ui.seen("publish two?", "Approve")


async def test_the_cursor_stays_where_it_was_moved_when_the_engine_comes(db: Path, engine_gate: threading.Event) -> None:
    async with opened(db) as ui:
        await ui.counts(WAITING, 3)
        await ui.press("down", "down")

        engine_gate.set()
        await ui.until(lambda: ui.app.workbench and ui.bench.host.standing.phase is Phase.RUNNING)

        assert ui.cursor_item == "three"


async def test_quitting_before_the_engine_is_there(db: Path, engine_gate: threading.Event) -> None:
    async with opened(db) as ui:
        await ui.counts(WAITING, 3)
        await ui.press("q")
        await ui.until(lambda: ui.app.return_code is not None)

    assert ui.app.return_code == 0


async def test_a_page_is_where_the_board_was_left(tmp_path: Path) -> None:
    path = tmp_path / "work.db"
    async with SqliteStateStore.open(path) as store, Engine(store, [papers()]) as engine:
        await engine.submit("papers", [Paper(f"paper {number:03}") for number in range(300)])
        seq = await store.last_seq()
        rows = await store.page(workflow="papers", offset=128, limit=64)
    view = RememberedView(workflow="papers", cursor_item="paper 150", cursor_stage="publish", hidden=["fetch"], shows="attempt")

    page = read_first_page(path, view, 20)

    assert page is not None
    assert page.seq == seq
    assert page.board.total == page.board.shown == 300
    assert page.board.cursor is not None
    assert (page.board.cursor.item_id, page.board.cursor_stage) == ("paper 150", "publish")
    assert "fetch" not in page.board.stages
    assert [page.board.window.row(index) for index in (127, 128, 191, 192)] == [None, rows[0], rows[-1], None]


async def test_there_is_no_page_where_a_store_must_look_first(tmp_path: Path, db: Path) -> None:
    async with SqliteStateStore.open(tmp_path / "empty.db"):
        pass
    (tmp_path / "broken.db").write_bytes(b"this is no database" * 100)

    assert read_first_page(tmp_path / "missing.db", RememberedView(), 20) is None
    assert read_first_page(tmp_path / "empty.db", RememberedView(), 20) is None
    assert read_first_page(tmp_path / "broken.db", RememberedView(), 20) is None
    assert read_first_page(db, RememberedView(filter="state:failed"), 20) is None
    assert read_first_page(db, RememberedView(order="id"), 20) is None
    assert not (tmp_path / "missing.db").exists()


async def test_a_remembered_workflow_or_item_that_is_gone_does_not_matter(db: Path) -> None:
    page = read_first_page(db, RememberedView(workflow="gone", cursor_item="gone", cursor_stage="gone", shows="nonsense"), 20)

    assert page is not None
    assert (page.workflow, page.board.cursor.item_id) == ("papers", "one")


@pytest.mark.parametrize(("left_at", "top"), [("paper 002", "paper 000"), ("paper 150", "")])
async def test_the_row_the_board_was_left_at_is_in_sight_and_nothing_is_scrolled_for_less(tmp_path: Path, left_at: str, top: str) -> None:
    path = tmp_path / "work.db"
    async with SqliteStateStore.open(path) as store, Engine(store, [papers()]) as engine:
        await engine.submit("papers", [Paper(f"paper {number:03}") for number in range(300)])
    ViewMemory(tmp_path, path).write(RememberedView(workflow="papers", cursor_item=left_at, cursor_stage="publish"))
    app = TreadleApp(path, Found([papers()]), "ana", state_folder=tmp_path)

    async with app.run_test(size=(100, 30)) as pilot:
        ui = Driver(app, pilot)
        await ui.seen(left_at, top)
        await ui.until(lambda: app.workbench and ui.bench.host.standing.phase is Phase.RUNNING)
        await ui.seen(left_at, top)
