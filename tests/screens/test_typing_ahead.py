"""Keys pressed before a dialog can take them reach it, in their order, and nothing else."""

from __future__ import annotations

from textual import events
from textual.widgets import Input

from tests.screens.driving import Driver, running
from tests.screens.papers import WAITING, Paper, papers
from tests.screens.test_review_screen import HELD, inbox, work
from treadle_tui.board.standing import Attachment, Phase
from treadle_tui.engine import Reject
from treadle_tui.screens.add_items import AddItems
from treadle_tui.screens.board_screen import BoardScreen
from treadle_tui.screens.reject_reason import RejectReason
from treadle_tui.screens.review_modal import ReviewModal
from treadle_tui.screens.review_screen import ReviewScreen


def type_at_once(ui: Driver, keys: str) -> None:
    """As a terminal sends what was typed while the program was busy: one key straight after the other."""
    for key in keys:
        ui.app.post_message(events.Key("enter" if key == "\r" else key, key))


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


async def test_a_reason_typed_before_its_field_is_there_decides_nothing_in_the_inbox() -> None:
    async with inbox("one", "two", settings=HELD) as ui:
        type_at_once(ui, "xa bad scan")

        await ui.shows(RejectReason)
        await ui.until(lambda: ui.app.screen.query_one(Input).value == "a bad scan", "what was typed")
        assert not work(ui).deciding.outbox.entries


async def test_nor_in_a_review_in_depth() -> None:
    async with inbox("one", "two", settings=HELD) as ui:
        await ui.press("enter")
        await ui.shows(ReviewModal)

        type_at_once(ui, "xa bad scan")

        await ui.shows(RejectReason)
        await ui.until(lambda: ui.app.screen.query_one(Input).value == "a bad scan", "what was typed")
        assert not work(ui).deciding.outbox.entries


async def test_a_question_for_one_key_gets_the_key_that_was_typed_for_it() -> None:
    async with inbox("one", "two", "three", settings=HELD) as ui:
        await ui.press("asterisk")
        type_at_once(ui, "ay")

        await ui.until(lambda: len(work(ui).deciding.outbox.held) == 3, "all are decided")


async def test_a_key_right_behind_enter_is_not_part_of_what_was_sent() -> None:
    async with inbox("one", "two", settings=HELD) as ui:
        type_at_once(ui, "xtoo short\ra")

        await ui.until(lambda: work(ui).deciding.outbox.entries and isinstance(ui.app.screen, ReviewScreen), "it is rejected")
        decision = work(ui).deciding.outbox.entries[0].decision
        assert isinstance(decision, Reject)
        assert decision.reason == "too short"


async def test_where_nothing_may_be_added_keys_go_on_at_once() -> None:
    async with running(papers(), attachment=Attachment.READ, waits_for=Phase.ATTACHED) as ui:
        ui.app.board_screen.action_wish("add")
        await ui.pilot.pause()

        assert not ui.app.typing_ahead.is_keeping
