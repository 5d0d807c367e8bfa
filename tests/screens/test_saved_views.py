"""Views with a name, and what the board lists as a file: both from the palette."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.screens.driving import Driver, Found, running
from tests.screens.papers import WAITING, Paper, papers
from treadle_tui.full_screen import TreadleApp
from treadle_tui.saved_views import SavedViews, about
from treadle_tui.screens.one_line import OneLine
from treadle_tui.screens.palette import Palette
from treadle_tui.view_memory import RememberedView


async def palette(ui: Driver, typed: str, *keys: str) -> None:
    await ui.press(":")
    await ui.shows(Palette)
    await ui.press(*typed, *keys)


async def keep_as(ui: Driver, name: str) -> None:
    await ui.press("V")
    await ui.shows(OneLine)
    await ui.press(*name, "enter")


async def test_a_view_is_kept_under_a_name_and_shown_again_from_the_palette() -> None:
    async with running(papers(), items=[Paper("one"), Paper("two")]) as ui:
        await ui.counts(WAITING, 2)
        await ui.press("slash", *"one", "enter", "t")
        await ui.seen("1 of 2")
        await keep_as(ui, "mine")
        await ui.seen("kept as mine: papers · one · cells show age")
        await ui.press("escape", "t", "t", "t", "O")
        await ui.seen("2 items", "added ▾")

        await palette(ui, "view mine", "enter")
        await ui.seen("1 of 2")
        assert ui.board.shows.value == "age"
        assert "▾" not in ui.text

        await palette(ui, "forget view", "enter")
        await ui.seen("the view mine is forgotten")
        await palette(ui, "view mine")
        await ui.seen("nothing is called so")


async def test_a_view_needs_a_name_and_the_digit_of_an_old_one_replaces_it() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await keep_as(ui, "")
        await ui.seen("a view needs a name")
        await ui.press(*"[red]", "enter")
        await ui.seen("kept as [red]: papers · every item")
        await ui.press("f")
        await ui.seen("Nothing fits the filter")
        await ui.press("V")
        await ui.seen("1  replace [red]")
        await ui.press("1")
        await ui.seen("kept as [red]: papers · state:failed")
        assert list(ui.bench.board_desk.saved.views) == ["[red]"]


async def test_a_view_of_another_workflow_leads_there() -> None:
    other = papers()
    other.name = "letters"
    async with running(papers(), other, items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await keep_as(ui, "papers here")
        await ui.press("w")
        await ui.until(lambda: ui.bench.workflow_shown == "letters")
        await palette(ui, "view papers", "enter")
        await ui.until(lambda: ui.bench.workflow_shown == "papers")
        await ui.seen(WAITING)


def test_views_are_kept_beside_the_last_one_and_outlive_the_program(tmp_path: Path) -> None:
    view = RememberedView("papers", "state:failed", "updated", True, hidden=["publish"], cursor_item="one")
    SavedViews(tmp_path, Path("/a/work.db")).save("bad ones", view)
    SavedViews(tmp_path, Path("/a/work.db")).save("All", RememberedView("papers"))

    found = SavedViews(tmp_path, Path("/a/work.db")).views
    assert list(found) == ["All", "bad ones"]
    assert about(found["bad ones"]) == "papers · state:failed · by updated ▾ · 1 column hidden"
    assert found["bad ones"].cursor_item == ""
    assert SavedViews(tmp_path, Path("/b/work.db")).views == {}

    (path,) = (tmp_path / "views").iterdir()
    path.write_text("{")
    assert SavedViews(tmp_path, Path("/a/work.db")).views == {}


async def test_a_view_that_cannot_be_written_is_told_and_there_until_the_end(tmp_path: Path) -> None:
    (tmp_path / "views").write_text("a file where the folder should be")

    class App(TreadleApp):
        def __init__(self, *args: object, **named: object) -> None:
            super().__init__(*args, **{**named, "state_folder": tmp_path})  # type: ignore[arg-type]

    async with running(papers(), items=[Paper("one")], app_type=App) as ui:
        await ui.seen(WAITING)
        await keep_as(ui, "mine")
        await ui.seen("views")
        assert list(ui.bench.board_desk.saved.views) == ["mine"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path, suffix: str = "") -> str:
    """What stands in the only file there is; empty when there is none."""
    found = list(folder.iterdir())
    assert [path.suffix for path in found] == ([suffix] if suffix else [])
    return found[0].read_text() if found else ""


async def test_the_listed_items_are_written_as_json_lines(here: Path) -> None:
    async with running(papers(), items=[Paper("one"), Paper("tūe")]) as ui:
        await ui.counts(WAITING, 2)
        await palette(ui, "export json", "enter")
        await ui.seen("2 items written to papers-")

    rows = [json.loads(line) for line in written(here, ".jsonl").splitlines()]
    assert [row["item_id"] for row in rows] == ["one", "tūe"]
    assert rows[0]["stages"]["publish"]["state"] == "awaiting_review"


async def test_only_what_the_filter_lists_is_written_and_no_formula_is(here: Path) -> None:
    async with running(papers(), items=[Paper("one"), Paper("=two")]) as ui:
        await ui.counts(WAITING, 2)
        await ui.press("slash", *"two", "enter")
        await ui.seen("1 of 2")
        await palette(ui, "export csv", "enter")
        await ui.seen("1 item written to papers-")

    head, row = csv.reader(written(here, ".csv").splitlines())
    assert head == ["item_id", "workflow", "state", "created_at", "fetch", "parts", "publish", "archive"]
    assert (row[0], row[6]) == ("'=two", "awaiting_review")


async def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_left(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        monkeypatch.setattr(Path, "cwd", lambda: here / "gone")
        await palette(ui, "export json", "enter")
        await ui.seen("No such file or directory")
    assert written(here) == ""


async def test_nothing_is_exported_where_there_is_nothing() -> None:
    async with running(problems=()) as ui:
        assert isinstance(ui.app.loaded, Found)
        await palette(ui, "export csv", "enter")
        assert isinstance(ui.app.screen, Palette)
