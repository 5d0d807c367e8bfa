"""The log, and the board as it was, as a person meets them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.screens.driving import Driver, Gate, running
from tests.screens.papers import WAITING, Paper, papers
from treadle_tui.desks import past as past_desk
from treadle_tui.desks.past import PastDesk
from treadle_tui.engine import Reject, Workflow
from treadle_tui.screens.board_screen import BoardScreen
from treadle_tui.screens.events_screen import EventFilterInput, EventsScreen
from treadle_tui.screens.item_screen import ItemScreen
from treadle_tui.screens.past_screen import PastScreen
from treadle_tui.widgets.event_view import EventView


def failing() -> Workflow:
    workflow = Workflow("failing")

    @workflow.stage
    def first(item: Any) -> None:
        raise ValueError(f"no {item['id']} here")

    return workflow


async def log(ui: Driver) -> EventsScreen:
    await ui.press("5")
    await ui.shows(EventsScreen)
    screen = ui.app.screen
    assert isinstance(screen, EventsScreen)
    return screen


async def test_it_follows_what_happens() -> None:
    gate = Gate()
    async with running(papers(gate), items=[Paper("one")]) as ui:
        screen = await log(ui)
        await ui.seen("following · 2 events", "one › fetch", "▸ started")
        gate.open()
        await ui.seen("◆ review required", "publish one?")
        await ui.until(lambda: screen.log_held.current and screen.log_held.current.seq == screen.log_held.bounds.last)
        assert screen.log_held.is_following


async def test_up_pauses_counts_what_comes_and_f_follows_again() -> None:
    workflow = papers()
    async with running(workflow, items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        screen = await log(ui)
        await ui.seen("following", "review required")
        await ui.press("up")
        await ui.seen("paused  +0")
        under = screen.log_held.current
        await ui.submit(workflow, [Paper("two")])
        await ui.seen("paused  +1")
        assert screen.log_held.current == under

        await ui.press("f")
        await ui.seen("following", "two › publish")
        await ui.press("p")
        await ui.seen("paused  +0")
        await ui.press("end")
        await ui.seen("following")


async def test_only_errors_only_some_and_all_again() -> None:
    async with running(failing(), items=[{"id": "one"}, {"id": "two"}]) as ui:
        await ui.seen("✗ F")
        screen = await log(ui)
        await ui.seen("+ added", "▸ started", "✗ failed")
        await ui.press("E")
        await ui.seen("errors only")
        await ui.gone("+ added")
        await ui.press("slash", *"item:tw", "enter")
        await ui.seen("item:tw · errors only", "no two here")
        await ui.gone("no one here")
        assert screen.focused is screen.view
        await ui.press("escape")
        await ui.seen("+ added", "no one here")
        await ui.press("escape")
        await ui.shows(BoardScreen)


async def test_a_filter_that_cannot_be_read_is_said_and_what_was_typed_stays() -> None:
    async with running(failing(), items=[{"id": "one"}]) as ui:
        await ui.seen("✗ F")
        screen = await log(ui)
        await ui.seen("failed")
        await ui.press("slash", *"event:faild", "enter")
        await ui.seen("no event is called 'faild'; did you mean 'failed'?")
        assert screen.query_one(EventFilterInput).value == "event:faild"
        await ui.press("escape")
        await ui.seen("following")
        await ui.press("slash", *"nowhere", "enter")
        await ui.seen("no event is like that; esc shows all of them")


async def test_times_are_told_both_ways() -> None:
    async with running(failing(), items=[{"id": "one"}]) as ui:
        await ui.seen("✗ F")
        await log(ui)
        await ui.seen("failed")
        await ui.press("t")
        await ui.until(lambda: "ago" in ui.text or "just now" in ui.text)
        await ui.press("t")
        await ui.until(lambda: "ago" not in ui.text and "just now" not in ui.text)


async def test_enter_shows_the_item_of_an_event() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await log(ui)
        await ui.seen("review required")
        await ui.press("enter")
        await ui.shows(ItemScreen)
        await ui.press("escape")
        await ui.shows(EventsScreen)
        await ui.bench.host.call(lambda engine: engine.pause_stage("papers", "archive"))
        await ui.seen("stage held")
        await ui.press("end", "enter")
        await ui.seen("this event is about no item")


async def test_keys_walk_through_a_log_longer_than_the_screen() -> None:
    async with running(papers(), items=[Paper(f"paper-{number:02}") for number in range(30)], size=(80, 24)) as ui:
        await ui.seen("◆ 30 waiting")
        screen = await log(ui)
        await ui.seen("following")
        await ui.until(lambda: screen.log_held.want() is None)
        last = screen.log_held.bounds.last
        places = []
        for key in ("home", "down", "j", "k", "pagedown", "pageup", "space", "end"):
            await ui.press(key)
            await ui.until(lambda: screen.log_held.want() is None)
            event = screen.log_held.current
            assert event is not None
            places.append(event.seq)
        step = screen.log_held.height - 1
        assert places == [1, 2, 3, 2, 2 + step, 2, 2 + step, last]

        await ui.pilot.click(EventView, offset=(5, 3))
        assert screen.log_held.cursor == screen.log_held.top + 3
        await ui.pilot.click(EventView, offset=(5, 3), times=2)
        await ui.shows(ItemScreen)


async def test_an_empty_log_says_what_to_do() -> None:
    async with running(papers()) as ui:
        await log(ui)
        await ui.seen("Nothing has happened yet. 2 shows the board: n there adds items.")


# --- the past ---------------------------------------------------------------------------------------------------------


async def past(ui: Driver) -> PastScreen:
    screen = await log(ui)
    await ui.until(lambda: screen.log_held.current is not None and screen.log_held.want() is None)
    await ui.press("less_than_sign")
    await ui.shows(PastScreen)
    found = ui.app.screen
    assert isinstance(found, PastScreen)
    await ui.seen("AS IT WAS")
    return found


async def test_the_board_is_shown_as_it_was_and_steps_through_the_log() -> None:
    async with running(papers(), items=[Paper("one")], size=(110, 30)) as ui:
        await ui.seen(WAITING)
        await past(ui)
        await ui.seen("◆ review required  one › publish", "◆ ?", "✓ 2/2")

        await ui.press("less_than_sign")
        await ui.seen("▸ started  one › publish", "▸ R")
        await ui.gone("◆ ?")
        await ui.press("left_curly_bracket")
        await ui.seen("+ added  one", "1 of 1")
        assert ui.line("▌ one").strip("┃ ").split()[-8:] == ["·", "P"] * 4
        await ui.press("greater_than_sign")
        await ui.seen("started  one › fetch")
        await ui.press("right_curly_bracket")
        await ui.seen("◆ review required  one › publish", "◆ ?")

        await ui.press("escape")
        await ui.shows(EventsScreen)
        await ui.press("2")
        await ui.seen("◆ 1 waiting")


async def test_the_past_has_its_own_totals_above_the_columns() -> None:
    async with running(papers(), items=[Paper("one"), Paper("two")], size=(110, 30)) as ui:
        await ui.counts(WAITING, 2)
        await past(ui)
        await ui.seen("2 items")
        await ui.until(lambda: "◆2" in ui.line("2 items"))
        while "+ added  one" not in ui.text:
            await ui.press("less_than_sign")
            await ui.pilot.pause(0.02)
        await ui.until(lambda: "1 item " in ui.text and "◆" not in ui.line("1 item "))
        for _ in range(3):
            await ui.press("right_curly_bracket")
        await ui.until(lambda: "2 items" in ui.text and "◆2" in ui.line("2 items"))


async def test_totals_of_the_past_are_those_counted_anew_at_every_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are told from the moment before, by what has changed since."""
    async with running(papers(), items=[Paper("one"), Paper("two")], size=(110, 30)) as ui:
        await ui.seen(WAITING)
        desk, last = PastDesk(ui.bench, "papers"), await ui.bench.store.last_seq()
        for seq in [*range(1, last + 1), last // 2, 1, last]:
            stepped = await desk.tally(seq)
            assert stepped == await PastDesk(ui.bench, "papers").tally(seq), seq
            assert stepped is not None
            assert stepped.items == await desk.count(seq)

        monkeypatch.setattr(past_desk, "MOST_COUNTED", 1)
        assert await PastDesk(ui.bench, "papers").tally(last) is None


async def test_the_past_does_not_move_while_the_present_goes_on_and_nothing_is_decided_in_it() -> None:
    workflow = papers()
    async with running(workflow, items=[Paper("one")], size=(110, 30)) as ui:
        await ui.seen(WAITING)
        await past(ui)
        await ui.seen("◆ ?")
        await ui.bench.host.call(lambda engine: engine.resolve_review("one", "publish", Reject("dull", by="ben")))
        await ui.submit(workflow, [Paper("two")])
        await ui.until(lambda: ui.bench.board.total == 2)
        assert "◆ ?" in ui.text
        assert "two" not in ui.text
        await ui.press("a", "x", "enter")
        await ui.seen("only to be looked at")
        assert (await ui.status("one", "publish")).state.value == "failed"

        await ui.press("right_curly_bracket")
        await ui.seen("✗ F", "two")


async def test_a_fan_out_opens_in_the_past_too() -> None:
    async with running(papers(), items=[Paper("one")], size=(110, 30)) as ui:
        await ui.seen(WAITING)
        screen = await past(ui)
        await ui.seen("✓ 2/2")
        await ui.press("tab", "right")
        await ui.seen("├ small", "└ large")
        while "▸ started  one › parts › " not in ui.text:
            await ui.press("less_than_sign")
            await ui.pilot.pause(0.05)
        assert screen.board.line(1).child is not None


async def test_leaving_the_past_leaves_the_log_at_that_moment() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await past(ui)
        await ui.press("left_curly_bracket")
        await ui.seen("+ added  one")
        await ui.press("escape")
        await ui.shows(EventsScreen)
        screen = ui.app.screen
        assert isinstance(screen, EventsScreen)
        await ui.until(lambda: screen.log_held.current is not None and screen.log_held.current.seq == 1)
