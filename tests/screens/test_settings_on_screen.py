"""What settings change on the screen, and what is said of those that cannot be."""

from __future__ import annotations

from tests.screens.driving import running
from tests.screens.papers import WAITING, Paper, papers
from treadle_tui.cli.settings import Settings
from treadle_tui.cli.settings_files import LoadedSettings


async def test_a_theme_is_the_one_that_was_set() -> None:
    async with running(papers(), settings=LoadedSettings(Settings(theme="treadle-light"))) as ui:
        assert ui.app.theme == "treadle-light"


async def test_a_theme_that_does_not_exist_is_named_and_the_usual_one_is_used() -> None:
    settings = LoadedSettings(Settings(theme="treadle-lite"), {"theme": "/w/treadle-tui.toml:3"})
    async with running(papers(), settings=settings, size=(120, 30)) as ui:
        await ui.seen("/w/treadle-tui.toml:3: theme cannot be", "'treadle-light'?")
        assert ui.app.theme == "treadle-dark"


async def test_what_is_wrong_in_a_file_is_told_on_the_screen() -> None:
    settings = LoadedSettings(problems=("/w/treadle-tui.toml:2: no setting is called 'them'; did you mean 'theme'?",))
    async with running(papers(), settings=settings, size=(120, 30)) as ui:
        await ui.seen("A setting is not used", "/w/treadle-tui.toml:2: no setting is called 'them'", "mean 'theme'?")


async def test_five_mistakes_are_all_told_at_once_in_a_small_terminal() -> None:
    mistakes = tuple(f"/w/treadle-tui.toml:{line}: no setting is called 'setting-{line}'; did you mean 'theme'?" for line in range(1, 6))
    async with running(papers(), settings=LoadedSettings(problems=mistakes), size=(80, 24)) as ui:
        await ui.seen(*(f"toml:{line}:" for line in range(1, 6)))


async def test_reasons_that_are_set_can_be_chosen_where_a_stage_names_none() -> None:
    settings = LoadedSettings(Settings(reasons=("unreadable", "wrong file")))
    async with running(papers(reasons=()), items=[Paper("one")], settings=settings) as ui:
        await ui.seen(WAITING)
        await ui.press("]", "x")
        await ui.seen("unreadable", "wrong file")
        await ui.press("2")
        await ui.seen("wrong file")
