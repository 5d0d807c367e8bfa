"""Opening, sizes, failures and the end."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from textual.widget import Widget

from tests.screens.driving import Driver, Found, Gate, running
from tests.screens.papers import WAITING, Paper, papers
from treadle_tui.board.standing import Phase, Standing
from treadle_tui.engine import Engine, MemoryStateStore
from treadle_tui.full_screen import TreadleApp
from treadle_tui.screens.item_screen import ItemScreen
from treadle_tui.screens.too_small import TooSmall


@pytest.mark.parametrize("size", [(59, 30), (100, 15)])
async def test_a_terminal_too_small_says_so_and_recovers(size: tuple[int, int]) -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await ui.pilot.resize_terminal(*size)
        await ui.seen("Enlarge to at least 60×16")
        await ui.press("a", "enter", "x")
        assert isinstance(ui.app.screen, TooSmall)

        await ui.pilot.resize_terminal(80, 24)
        await ui.seen(WAITING)


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (160, 50), (200, 60)])
async def test_every_screen_fits_every_size(size: tuple[int, int]) -> None:
    async with running(papers(), items=[Paper("日本語 論文"), Paper("x" * 90)], size=size) as ui:
        await ui.counts(WAITING, 2)
        assert len(ui.lines) == size[1]
        await ui.press("]", "enter")
        await ui.seen("publish 日本語 論文?", "Approve")
        await ui.press("x")
        await ui.seen("too short")
        await ui.press("escape", "escape", "tab", "enter")
        await ui.shows(ItemScreen)
        await ui.seen("archive")


async def test_a_database_that_cannot_be_opened_is_a_sentence_and_exit_code_2(tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"this is no database, but it is longer than a header would be, by far" * 40)
    app = TreadleApp(broken, Found([papers()]), "ana")

    async with app.run_test(size=(120, 24)) as pilot:
        ui = Driver(app, pilot)
        await ui.seen("could not be opened", "not opened")
        await ui.press("q")
        await ui.until(lambda: app.return_code is not None)

    assert app.return_code == 2
    assert "broken.db" in app.unopened


async def test_quitting_hands_running_work_back() -> None:
    gate = Gate()
    async with running(papers(gate), items=[Paper("one")]) as ui:
        await ui.seen("▸ R")
        await ui.press("q")
        await ui.until(lambda: ui.app.return_code is not None)

        assert ui.app.return_code == 0
        assert ui.bench.host.wait_until_stopped(0)
        gate.open()


async def test_an_engine_that_fails_is_a_message_and_can_be_started_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TREADLE_LOG", str(tmp_path / "log"))
    works = Engine.run_forever
    workflow, store = papers(), MemoryStateStore()
    async with Engine(store, [workflow]) as engine:
        await engine.submit(workflow, [Paper("one")])

    async def fails(self: Engine) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(Engine, "run_forever", fails)
    async with running(workflow, store=store, size=(120, 24), waits_for=Phase.STOPPED) as ui:
        await ui.seen("engine stopped", "out of luck", "! starts it again", "Restart engine", "one")
        assert "Traceback" in (tmp_path / "log").read_text()

        monkeypatch.setattr(Engine, "run_forever", works)
        await ui.press("!")
        await ui.seen(WAITING)
        assert "engine stopped" not in ui.text


async def test_a_defect_of_the_screen_leaves_a_sentence_and_a_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TREADLE_LOG", str(tmp_path / "log"))
    printed = []
    monkeypatch.setattr(TreadleApp, "_print_error_renderables", lambda app: printed.extend(app._exit_renderables))

    async def fail() -> None:
        async with running(papers()) as ui:
            ui.app.call_later(lambda: 1 / 0)
            await ui.until(lambda: ui.app.return_code is not None)

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert "ZeroDivisionError" in (tmp_path / "log").read_text()
    assert str(printed[0]).startswith("treadle-tui stopped because of a defect; the details are in")


async def test_a_source_that_hangs_does_not_hold_up_the_quit() -> None:
    hangs = threading.Event()
    workflow = papers()
    workflow._sources[0].function = lambda: hangs.wait(60)  # type: ignore[misc]
    async with running(workflow) as ui:
        await ui.press("n", "enter")
        await ui.seen("reading …")
        await ui.press("escape", "q")
        await ui.until(lambda: ui.app.return_code == 0)
    hangs.set()


async def test_no_color_means_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        strips = [line for widget in ui.app.screen.query(Widget) for line in widget.render_lines(widget.size.region)]

        styles = [segment.style for strip in strips for segment in strip if segment.style is not None]
        colours = {colour for style in styles for colour in (style.color, style.bgcolor) if colour is not None and not colour.is_default}
        assert colours == set()
        assert any(style.reverse for style in styles), "the cursor is seen all the same"


@pytest.mark.parametrize("theme", ["treadle-dark", "treadle-light", "treadle-mono", "textual-light", "ansi-dark", "nord"])
async def test_every_theme_draws_every_screen(theme: str) -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        ui.app.theme = theme
        await ui.seen(WAITING)
        await ui.press("]", "enter")
        await ui.seen("publish one?")
        await ui.press("x")
        await ui.seen("too short")


async def test_a_database_that_disappears_is_a_sentence_and_the_program_ends_in_order(tmp_path: Path) -> None:
    db = tmp_path / "work.db"
    async with running(papers(), items=[Paper("one")], db=db, size=(140, 30)) as ui:
        await ui.seen(WAITING)
        remove(db)
        await ui.press("]", "a")
        await ui.seen("work.db is gone", "put it back", "◇ ?")
        assert "Traceback" not in ui.text

        await ui.press("q")
        await ui.until(lambda: ui.app.return_code is not None)
        assert ui.app.return_code == 0


def remove(db: Path) -> None:
    for path in db.parent.glob(f"{db.name}*"):
        path.unlink()


@pytest.mark.parametrize("width", [60, 140])
async def test_trouble_of_the_engine_is_a_sentence_that_leaves_the_header_its_place(width: int) -> None:
    async with running(papers(), size=(width, 24)) as ui:
        ui.app.main_screens.state(standing=Standing(Phase.RUNNING, "the disk is full, so nothing is recorded; make room there"))
        await ui.seen("treadle", "! in trouble", "the disk is full, so nothing is recorded")
