"""Keys pressed before a dialog can take them reach it, in their order, and nothing else."""

from __future__ import annotations

from textual import events
from textual.widgets import Input

from tests.screens.driving import Driver, running
from tests.screens.papers import WAITING, Paper, papers
from treadle_tui.board.standing import Attachment, Phase
from treadle_tui.screens.add_items import AddItems
from treadle_tui.screens.board_screen import BoardScreen
from treadle_tui.screens.reject_reason import RejectReason


def type_at_once(ui: Driver, keys: str) -> None:
    """As a terminal sends what was typed while the program was busy: one key straight after the other."""
    for key in keys:
        ui.app.post_message(events.Key(key, key))


async def test_letters_behind_the_key_that_opens_a_dialog_stand_in_it() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)

        type_at_once(ui, "nnine q")

        await ui.shows(AddItems)
        await ui.until(lambda: ui.app.screen.query_one(Input).value == "nine q", "what was typed")


async def test_a_reason_typed_before_its_field_is_there_decides_nothing_on_the_board() -> None:
    async with running(papers(), items=[Paper("one"), Paper("two")]) as ui:
        await ui.counts(WAITING, 2)
        await ui.press("]")

        type_at_once(ui, "xa bad, ranx")

        await ui.shows(RejectReason)
        await ui.until(lambda: ui.app.screen.query_one(Input).value == "a bad, ranx", "what was typed")
        assert not (await ui.status("one", "publish")).decision
        assert not (await ui.status("two", "publish")).decision


async def test_keys_work_as_ever_once_the_dialog_has_gone() -> None:
    async with running(papers(), items=[Paper("one"), Paper("two")]) as ui:
        await ui.counts(WAITING, 2)
        type_at_once(ui, "nten")
        await ui.until(lambda: isinstance(ui.app.screen, AddItems) and ui.app.screen.query_one(Input).value == "ten", "what was typed")
        await ui.press("escape")
        await ui.shows(BoardScreen)

        await ui.press("]", "a")

        assert (await ui.decision("one", "publish")).verb == "approve"


async def test_where_nothing_may_be_added_keys_go_on_at_once() -> None:
    async with running(papers(), attachment=Attachment.READ, waits_for=Phase.ATTACHED) as ui:
        ui.app.board_screen.action_wish("add")
        await ui.pilot.pause()

        assert not ui.app.typing_ahead.is_keeping
