"""The inbox: deciding without opening anything, taking it back, many at once, and what happens when somebody else was first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.screens.driving import Driver, running
from tests.screens.papers import Paper
from treadle_tui.board.outbox import Outbox
from treadle_tui.board.review_line import Tab
from treadle_tui.cli.settings import Settings
from treadle_tui.cli.settings_files import LoadedSettings
from treadle_tui.deciding import Deciding, Hears
from treadle_tui.engine import Approve, Engine, MemoryStateStore, NeedsReview, Reject, ReviewData, ReviewField, ReviewPolicy, Workflow
from treadle_tui.engine.desk import Desk, JottingKind, NewDecision
from treadle_tui.review_work import ReviewWork
from treadle_tui.screens.bulk_sheet import BulkQuestion
from treadle_tui.screens.left_over import LeftOver
from treadle_tui.screens.one_line import OneLine
from treadle_tui.screens.reject_reason import RejectReason
from treadle_tui.screens.review_modal import ReviewModal
from treadle_tui.screens.review_screen import ReviewScreen
from treadle_tui.widgets.review_list import ReviewList
from treadle_tui.widgets.review_preview import ReviewPreview

#: Long enough that nothing is sent while a test looks.
HELD = LoadedSettings(Settings(undo_seconds=60.0))


def asking() -> Workflow:
    """Papers that wait in the order they came."""
    workflow = Workflow("papers", item=Paper)

    @workflow.stage(review=ReviewPolicy("always", reasons=["too short", "wrong language"]))
    async def publish(item: Paper) -> NeedsReview:
        return NeedsReview({"url": item.id}, ReviewData(f"publish {item.id}?", {"pages": item.pages}))

    @workflow.stage
    async def archive(publish: Any) -> dict[str, int]:
        return {"shelf": 7}

    return workflow


@asynccontextmanager
async def inbox(
    *names: str, settings: LoadedSettings | None = None, size: tuple[int, int] = (150, 30), workflow: Workflow | None = None
) -> AsyncIterator[Driver]:
    """The inbox in front, with a review of each of these papers."""
    async with running(workflow or asking(), items=[Paper(name) for name in names], settings=settings, size=size) as ui:
        await ui.until(lambda: ui.bench.host.standing.words == "")
        await ui.seen(f"◆ {len(names)} waiting")
        await ui.press("3")
        await ui.shows(ReviewScreen)
        await ui.until(lambda: len(work(ui).queue.lines) == len(names), "the inbox has been read")
        await ui.pilot.pause()
        work(ui).monotonic = iter(range(10**9)).__next__  # a second between any two keys
        yield ui


def work(ui: Driver) -> ReviewWork:
    return ui.bench.reviews


def shown(ui: Driver) -> list[str]:
    """Ids of the items in the list, the one under the cursor with a star."""
    queue = work(ui).queue
    return [line.key.item_id + ("*" if place == queue.place else "") for place, line in enumerate(queue.lines)]


async def test_a_key_decides_and_the_next_one_is_there_at_once() -> None:
    async with inbox("one", "two", "three") as ui:
        await ui.seen("publish one?")
        await ui.press("a")

        assert shown(ui) == ["two*", "three"]
        await ui.seen("publish two?", "approved one › publish · u takes it back", "✓1")
        await ui.until(lambda: not work(ui).deciding.outbox.entries, "it is sent")
        decision = await ui.decision("one", "publish")
        assert (decision.verb, decision.by) == ("approve", "ana")
        assert decision.seconds is not None


async def test_what_comes_next_has_been_read_before_it_is_asked_for() -> None:
    async with inbox("one", "two", "three", settings=HELD) as ui:
        queue = work(ui).queue
        await ui.until(lambda: all(work(ui).subject(line) is not None for line in queue.lines))
        await ui.press("a")

        current = queue.current
        assert current is not None
        assert work(ui).subject(current) is not None


async def test_a_decision_draws_what_was_prepared_and_lays_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"paper-{number}" for number in range(60)]
    async with inbox(*names, settings=HELD, size=(160, 20)) as ui:
        screen = ui.app.screen
        preview, listed = screen.query_one(ReviewPreview), screen.query_one(ReviewList)
        following = work(ui).queue.lines[1]
        await ui.until(lambda: following.key in preview._prepared, "the next one is prepared")
        moment = work(ui).now()
        listed._now = lambda: moment
        await ui.pilot.pause(0.1)
        prepared, third = preview._prepared[following.key][1], listed.draw_line(2)
        layouts: list[object] = []
        monkeypatch.setattr(type(screen), "_refresh_layout", lambda *asked, **how: layouts.append(asked))
        await ui.press("a")
        await ui.seen("publish paper-1?", "approved paper-0")

        assert preview.outline.outline is prepared
        assert listed.draw_line(1) is third, "a line that has only moved is not drawn again"
        assert layouts == []


async def test_a_decision_is_held_and_u_takes_it_back_to_where_it_stood() -> None:
    async with inbox("one", "two", "three", settings=HELD) as ui:
        await ui.press("j", "a")
        await ui.seen("1 in the outbox", "◆ 2 waiting")
        assert (await ui.status("two", "publish")).decision is None

        await ui.press("k", "u")
        await ui.seen("taken back: two › publish")
        assert shown(ui) == ["one", "two*", "three"]
        await ui.until(lambda: not work(ui).deciding._writing)
        assert await ui.bench.host.store.held_decisions() == []


async def test_what_has_been_sent_is_reopened_until_something_was_built_on_it() -> None:
    workflow = Workflow("papers", item=Paper)

    @workflow.stage
    def publish(item: Paper) -> NeedsReview:
        return NeedsReview({"url": item.id}, ReviewData(f"publish {item.id}?"))

    async with inbox("one", "two", workflow=workflow) as ui:
        await ui.press("a")
        await ui.until(lambda: not work(ui).deciding.outbox.entries)
        await ui.press("u")
        await ui.seen("reopened: one › publish")
        await ui.until(lambda: len(shown(ui)) == 2)


async def test_reject_asks_why_and_dot_repeats_it_with_its_reason() -> None:
    async with inbox("one", "two", "three", settings=HELD) as ui:
        await ui.press("x")
        await ui.shows(RejectReason)
        await ui.press("2")
        await ui.shows(ReviewScreen)
        await ui.press("full_stop")

        decided = [entry.decision for entry in work(ui).deciding.outbox.held]
        assert decided == [Reject("wrong language", by="ana", seconds=each.seconds) for each in decided]
        assert shown(ui) == ["three*"]


async def test_what_was_typed_and_left_stands_there_again() -> None:
    async with inbox("one", settings=HELD) as ui:
        await ui.press("x")
        await ui.shows(RejectReason)
        await ui.press(*"half a reason", "escape")
        await ui.shows(ReviewScreen)
        await ui.press("x")
        await ui.shows(RejectReason)
        await ui.seen("half a reason")
        assert shown(ui) == ["one*"]


async def test_requested_changes_need_words_and_go_to_the_next_attempt() -> None:
    async with inbox("one") as ui:
        await ui.press("g")
        await ui.shows(OneLine)
        await ui.press("enter")
        await ui.seen("say what should be different")
        await ui.press(*"shorter", "enter")
        await ui.until(lambda: bool(work(ui).queue.lines) and work(ui).queue.lines[0].attempt == 2, "it ran again")


async def test_a_key_that_is_held_down_decides_only_once() -> None:
    async with inbox("one", "two", "three", settings=HELD) as ui:
        work(ui).monotonic = lambda: 5.0  # no time passes between the keys
        await ui.press("a", "a", "a", "a")

        assert shown(ui) == ["two*", "three"]


async def test_a_key_decides_what_was_on_the_screen_when_it_went_down() -> None:
    """The review has changed, and that has not been painted yet: the key does nothing."""
    async with inbox("one", "two", settings=HELD) as ui:
        queue = work(ui).queue
        queue.take_waiting([line._replace(version=line.version + 1) for line in queue.lines], work(ui).now())
        await ui.app.screen.run_action("decide('approve')")
        assert work(ui).deciding.outbox.entries == []


async def test_letters_are_text_in_the_filter_and_marks_go_beyond_it() -> None:
    async with inbox("axe", "box", "cat", settings=HELD) as ui:
        await ui.press("slash", *"ax", "enter")
        assert shown(ui) == ["axe*"]
        await ui.press("space", "slash", "escape")
        assert shown(ui) == ["axe*", "box", "cat"]
        await ui.seen("1 marked")


async def test_many_are_decided_by_one_key_after_a_look_at_what_they_are() -> None:
    async with inbox("one", "two", "three", "four") as ui:
        await ui.press("space", "space", "x")
        await ui.shows(BulkQuestion)
        await ui.seen("Reject 2 reviews", "2  publish", "one › publish")
        await ui.press(*"not", "enter")
        await ui.seen("2 rejected")
        await ui.until(lambda: shown(ui) == ["three*", "four"])
        assert (await ui.status("two", "publish")).error == "not"


async def test_above_twenty_the_number_is_typed() -> None:
    names = [f"p{number}" for number in range(21)]
    async with inbox(*names) as ui:
        await ui.press("asterisk", "a")
        await ui.shows(BulkQuestion)
        await ui.press("y", "enter")
        await ui.press(*"20", "enter")
        assert isinstance(ui.app.screen, BulkQuestion)
        await ui.press(*"21", "enter")
        await ui.seen("21 approved", "Nothing waits for you.", "21 decided")


async def test_the_result_of_many_says_how_many_somebody_else_had_decided() -> None:
    async with inbox("one", "two", "three") as ui:
        await ui.press("asterisk", "a")
        await ui.shows(BulkQuestion)
        await ui.bench.host.call(lambda engine: engine.resolve_review("two", "publish", Approve(by="ben")))
        await ui.press("y")
        await ui.seen("2 approved · 1 already decided by ben")
        assert (await ui.decision("two", "publish")).by == "ben"


async def test_one_that_somebody_else_decided_leaves_the_list_with_a_word_on_by_whom() -> None:
    async with inbox("one", "two") as ui:
        await ui.bench.host.call(lambda engine: engine.resolve_review("one", "publish", Approve(by="ben")))
        await ui.seen("one › publish was approved by ben already")
        assert shown(ui) == ["two*"]


async def test_a_decision_that_came_too_late_is_in_the_outbox_with_its_text() -> None:
    async with inbox("one", "two", settings=HELD) as ui:
        await ui.press("x")
        await ui.shows(RejectReason)
        await ui.press(*"far too long", "enter")
        await ui.bench.host.call(lambda engine: engine.resolve_review("one", "publish", Approve(by="ben")))
        await ui.press("dollar_sign")
        await ui.seen("one › publish: ben decided first")
        await ui.press("U")
        await ui.seen("far too long", "rejected")
        assert work(ui).queue.tab is Tab.OUTBOX
        await ui.press("u")
        await ui.seen("let go: one › publish", "The outbox is empty")


async def test_put_off_waits_in_its_own_list_and_can_be_fetched_back() -> None:
    async with inbox("one", "two", settings=HELD) as ui:
        await ui.press("s")
        assert shown(ui) == ["two*"]
        await ui.press("S")
        await ui.shows(OneLine)
        await ui.press(*"never", "enter")
        await ui.seen("'never' says no moment")
        await ui.press(*["backspace"] * 5, "2")
        await ui.seen("Nothing waits for you.", "2 put off")
        await ui.press("right_square_bracket")
        await ui.seen("until")
        await ui.press("s")
        await ui.press("left_square_bracket")
        await ui.until(lambda: shown(ui) == ["one*"])


async def test_a_note_goes_with_the_decision() -> None:
    async with inbox("one") as ui:
        await ui.press("n")
        await ui.shows(OneLine)
        await ui.press(*"ask Ben", "enter")
        await ui.seen("your note", "ask Ben")
        await ui.press("a")
        await ui.until(lambda: not work(ui).deciding.outbox.entries)
        assert (await ui.decision("one", "publish")).note == "ask Ben"


async def test_a_required_answer_is_asked_for_before_approving() -> None:
    workflow = Workflow("papers", item=Paper)

    @workflow.stage
    def publish(item: Paper) -> NeedsReview:
        return NeedsReview(1, ReviewData("which?", fields=[ReviewField("size", "choice", choices=["small", "large"], required=True)]))

    async with inbox("one", workflow=workflow) as ui:
        await ui.press("a")
        await ui.shows(ReviewModal)
        await ui.press(*"large", "escape", "a")
        await ui.shows(ReviewScreen)
        await ui.until(lambda: not work(ui).deciding.outbox.entries)
        assert (await ui.decision("one", "publish")).values == {"size": "large"}


async def test_the_log_shows_who_decided_what() -> None:
    async with inbox("one", "two") as ui:
        await ui.bench.host.call(lambda engine: engine.resolve_review("one", "publish", Reject("too long", by="ben")))
        await ui.press("left_square_bracket")
        await ui.seen("one › publish", "rejected", "ben", "too long")


async def test_others_see_who_looks() -> None:
    async with inbox("one") as ui:
        store = ui.bench.host.store
        await store.keep_jotting("ben", JottingKind.LOOK, ("one", "publish", None), work(ui).now(), version=1)
        work(ui).want()
        await ui.seen("ben looks")


async def test_leaving_sends_what_is_held() -> None:
    store = MemoryStateStore()
    workflow = asking()
    closing = store.close
    store.close = _nothing  # type: ignore[method-assign]
    async with running(workflow, items=[Paper("one")], store=store, settings=HELD) as ui:
        await ui.seen("◆ 1 waiting")
        await ui.press("]", "a")
        await ui.seen("1 in the outbox")
        await ui.press("q")
    assert (await store.get_status("one", "publish")).decision.by == "ana"
    await closing()


async def _nothing() -> None:
    pass


async def left_over(ui_names: Sequence[str]) -> Any:
    """A store in which an earlier program held an approval of `one` and ended."""
    store = MemoryStateStore()
    async with Engine(store, [asking()]) as engine:
        await engine.submit("papers", [Paper(name) for name in ui_names])
        await engine.run_until_idle()
    version = (await store.get_status("one", "publish")).version
    desk = Desk.here("before", "ana")
    lines = [NewDecision(item_id="one", stage="publish", version=version, decision=Approve(by="ana"))]
    await store.hold(desk, lines, datetime.now(UTC))
    desk.leave()
    return store


async def test_after_a_crash_what_was_not_sent_is_shown_and_sent_when_the_person_says_so() -> None:
    store = await left_over(["one", "two"])
    async with running(asking(), store=store) as ui:
        await ui.shows(LeftOver)
        await ui.seen("1 decision was not sent", "approved one › publish")
        await ui.press("s")
        await ui.until(lambda: not work(ui).deciding.outbox.entries)
        assert (await ui.decision("one", "publish")).by == "ana"


async def test_after_a_crash_it_may_be_let_go_and_the_review_waits() -> None:
    store = await left_over(["one"])
    async with running(asking(), store=store) as ui:
        await ui.shows(LeftOver)
        await ui.press("d")
        await ui.until(lambda: not work(ui).deciding._writing)
        assert await store.held_decisions() == []
        assert (await ui.status("one", "publish")).decision is None


async def test_nobody_else_is_asked_what_ana_left() -> None:
    store = await left_over(["one"])
    hears = Hears(lambda: None, lambda outcomes: None, lambda error: None)
    deciding = Deciding(lambda: store, Desk.here("now", "ben"), Outbox(), hears, lambda: datetime.now(UTC))

    assert await deciding.pick_up() == []
    assert len(await store.held_decisions()) == 1


async def test_every_width_shows_the_list() -> None:
    for size in ((60, 16), (80, 24), (100, 30), (200, 60)):
        async with inbox("one", "two", size=size) as ui:
            assert "one › publish" in ui.text
