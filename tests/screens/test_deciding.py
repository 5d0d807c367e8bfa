"""Reviews on the screen: looked at, approved, rejected with a reason, left, and decided by somebody else meanwhile."""

from __future__ import annotations

from typing import Any

from tests.screens.driving import Gate, running
from tests.screens.papers import WAITING, Paper, papers
from treadle_tui.cli.settings import Settings
from treadle_tui.cli.settings_files import LoadedSettings
from treadle_tui.engine import Accepted, Approve, FanOut, NeedsReview, ReviewData, ReviewField, ReviewPolicy, Uncertain, Workflow
from treadle_tui.screens.board_screen import BoardScreen
from treadle_tui.screens.item_screen import ItemScreen
from treadle_tui.screens.reject_reason import RejectReason
from treadle_tui.screens.review_modal import ReviewModal


async def test_enter_on_a_waiting_cell_shows_the_question_and_a_approves() -> None:
    async with running(papers(), items=[Paper("one", pages=41)]) as ui:
        await ui.seen(WAITING)
        await ui.press("]", "enter")
        await ui.shows(ReviewModal)
        await ui.seen("one › publish", "publish one?", "pages", "41", "spelling, links", "waiting")

        await ui.press("a")
        await ui.seen("approved one › publish")
        await ui.until(lambda: ui.line("▌ one").count("✓ C") == 3)
        decision = await ui.decision("one", "publish")
        assert (decision.by, decision.verb) == ("ana", "approve")
        assert decision.at is not None


async def test_x_in_the_review_asks_why_and_keeps_the_reason() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await ui.press("]", "enter")
        await ui.shows(ReviewModal)
        await ui.press("x")
        await ui.seen("Reject one › publish", "too short", "wrong language")

        await ui.press(*"axe", "enter")
        await ui.seen("rejected one › publish: axe")
        assert (await ui.status("one", "publish")).error == "axe"
        assert (await ui.decision("one", "publish")).by == "ana"


async def test_letters_never_decide_while_a_text_field_has_the_focus() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await ui.press("]", "x")
        await ui.shows(RejectReason)
        await ui.press("a", "x", "q", "9", "escape")
        await ui.shows(BoardScreen)

        assert WAITING in ui.text


async def test_a_digit_is_a_preset_reason_and_without_one_it_is_text() -> None:
    async with running(papers(), items=[Paper("one"), Paper("two")]) as ui:
        await ui.counts(WAITING, 2)
        await ui.press("]", "x")
        await ui.shows(RejectReason)
        await ui.press("2")
        await ui.seen("rejected one › publish: wrong language")

        await ui.press("]", "x")
        await ui.shows(RejectReason)
        await ui.press("7", "1", "enter")
        await ui.seen("rejected two › publish: 71")


async def test_a_rejection_may_have_no_reason() -> None:
    async with running(papers(reasons=()), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await ui.press("]", "x")
        await ui.shows(RejectReason)
        await ui.press("enter")
        await ui.seen("rejected one › publish", "✗ F")


async def test_esc_leaves_the_review_waiting() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await ui.press("]", "enter")
        await ui.shows(ReviewModal)
        await ui.press("escape")
        await ui.shows(BoardScreen)

        assert (await ui.status("one", "publish")).decision is None


async def test_a_on_the_board_approves_and_goes_on_to_the_next() -> None:
    async with running(papers(), items=[Paper("one"), Paper("two")]) as ui:
        await ui.counts(WAITING, 2)
        await ui.press("]", "a")
        await ui.seen("approved one › publish")
        await ui.until(lambda: ui.cursor_item == "two")
        await ui.press("a")
        await ui.seen("approved two › publish")
        await ui.gone(WAITING)


async def test_a_key_pressed_twice_does_not_decide_twice() -> None:
    async with running(papers(), items=[Paper("one"), Paper("two")]) as ui:
        await ui.counts(WAITING, 2)
        ui.app.board_screen._now = lambda: 5.0  # no time passes between the keys
        await ui.press("]", "a")
        await ui.seen("approved one › publish")
        await ui.until(lambda: ui.cursor_item == "two")
        await ui.press("a")
        await ui.pilot.pause()

        assert (await ui.status("two", "publish")).decision is None


async def test_whoever_decides_second_is_told_who_was_first() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await ui.press("]", "enter")
        await ui.shows(ReviewModal)
        await ui.bench.host.call(lambda engine: engine.resolve_review("one", "publish", Approve(by="ben")))
        await ui.press("x")
        await ui.shows(RejectReason)
        await ui.press("enter")

        await ui.seen("one › publish: ben decided first")
        assert (await ui.decision("one", "publish")).by == "ben"


async def test_a_review_can_be_opened_from_the_item() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await ui.press("enter")
        await ui.shows(ItemScreen)
        await ui.press("down", "down", "down", "down", "down", "down", "down", "enter")
        for _ in range(12):
            if isinstance(ui.app.screen, ReviewModal):
                break
            await ui.press("up", "enter")
            await ui.pilot.pause(0.05)
        await ui.shows(ReviewModal)
        await ui.press("a")
        await ui.seen("✓ C")
        await ui.shows(ItemScreen)


async def test_waiting_subtasks_are_reviewed_in_their_own_lines() -> None:
    workflow = Workflow("photos")

    @workflow.stage
    def sizes(item: Any) -> FanOut:
        return FanOut(["small", "large"])

    @sizes.each(review=ReviewPolicy.ALWAYS)
    def size(subtask: str) -> NeedsReview:
        return NeedsReview({"name": subtask}, ReviewData(f"is {subtask} sharp?"))

    async with running(workflow, items=[{"id": "cat"}]) as ui:
        await ui.seen("◆2")
        await ui.press("enter")
        await ui.seen("└ large", WAITING)
        await ui.press("down", "enter")
        await ui.seen("cat › sizes › small", "is small sharp?")
        await ui.press("a")
        await ui.seen("approved cat › sizes › small")
        await ui.counts(WAITING, 1)
        await ui.press("down", "a")
        await ui.seen("✓ 2/2")


async def test_what_a_gate_could_not_tell_is_shown_in_the_review() -> None:
    workflow = Workflow("checked")

    @workflow.stage
    def judge(item: Any) -> dict[str, None]:
        return {"licence": None}

    @judge.gate
    def known(output: Any) -> Accepted | Uncertain:
        return Accepted() if output["licence"] else Uncertain("no licence was found")

    async with running(workflow, items=[{"id": "thing"}]) as ui:
        await ui.seen(WAITING)
        await ui.press("enter")
        await ui.seen("the gate could not tell: no licence was found", "licence")


def surveyed() -> Workflow:
    """A review that asks three questions, one of which must be answered."""
    workflow = Workflow("survey")
    fields = [
        ReviewField("licence", label="Licence"),
        ReviewField("pages", kind="number"),
        ReviewField("size", kind="choice", choices=["small", "large"], required=True),
    ]

    @workflow.stage
    def ask(item: Any) -> NeedsReview:
        return NeedsReview({}, ReviewData("what is it?", fields=fields))

    return workflow


async def test_the_questions_of_a_review_are_answered_in_its_form() -> None:
    async with running(surveyed(), items=[{"id": "thing"}]) as ui:
        await ui.seen(WAITING)
        await ui.press("enter")
        await ui.seen("what is it?", "Licence", "○ small  ○ large  required")
        await ui.press("a")
        await ui.seen("an answer is required")
        await ui.press(*"la", "up", *"many", "escape", "a")
        await ui.seen("'many' is no number")
        await ui.press(*["backspace"] * 4, "7", "escape", "a")
        await ui.seen("approved thing › ask")

        assert (await ui.decision("thing", "ask")).values == {"pages": 7, "size": "large"}


async def test_letters_in_the_form_are_answers_and_not_decisions() -> None:
    async with running(surveyed(), items=[{"id": "thing"}]) as ui:
        await ui.seen(WAITING)
        await ui.press("enter", "f", "a", "x", "q", "escape", "escape")
        await ui.shows(BoardScreen)

        assert WAITING in ui.text


async def test_on_the_board_an_answer_that_cannot_be_recorded_is_a_sentence_and_the_review_stays() -> None:
    async with running(surveyed(), items=[{"id": "thing"}]) as ui:
        await ui.seen(WAITING)
        await ui.press("a")
        await ui.seen("size")

        assert (await ui.status("thing", "ask")).decision is None


async def test_a_review_decided_elsewhere_is_not_opened() -> None:
    async with running(papers(), items=[Paper("one")]) as ui:
        await ui.seen(WAITING)
        await ui.press("]")
        cell = ui.board.cell_at_cursor()
        assert cell is not None
        await ui.bench.host.call(lambda engine: engine.resolve_review("one", "publish", Approve(by="ben")))

        ui.bench.review(cell.item_id, cell.workflow, cell.stage, cell.subtask)

        await ui.seen("one › publish was approved by ben already")
        assert not isinstance(ui.app.screen, ReviewModal)


async def test_secret_fields_are_masked_in_reviews_and_items() -> None:
    workflow = Workflow("sealed")

    @workflow.stage(secrets=["token"])
    def fetch(item: Any) -> NeedsReview:
        return NeedsReview({"token": "hunter2", "size": 4}, ReviewData("keep it?", {"token": "hunter2"}))

    async with running(workflow, items=[{"id": "thing", "token": "hunter2"}]) as ui:
        await ui.seen(WAITING)
        await ui.press("enter")
        await ui.seen("keep it?", "•••")
        await ui.press("L")
        assert "hunter2" not in ui.text
        await ui.press("a")
        await ui.seen("✓ C")
        await ui.press("enter")
        await ui.shows(ItemScreen)
        await ui.press("L", "L")
        await ui.seen("•••")
        assert "hunter2" not in ui.text


async def test_a_cell_that_is_decided_shows_it_until_the_decision_is_sent() -> None:
    held = LoadedSettings(Settings(undo_seconds=60.0))
    async with running(papers(), items=[Paper("one"), Paper("two")], settings=held) as ui:
        await ui.counts(WAITING, 2)
        await ui.press("]", "a")
        await ui.until(lambda: "◇ ?" in ui.line("one"))
        assert WAITING in ui.line("two")

        await ui.press("u")
        await ui.counts(WAITING, 2)
        assert "◇" not in ui.text


async def test_cells_of_a_held_stage_say_so() -> None:
    gate = Gate()
    async with running(papers(gate), items=[Paper("one")]) as ui:
        await ui.seen("▸ R")
        await ui.bench.host.call(lambda engine: engine.pause_stage("papers", "publish"))
        await ui.seen("publish ‖", "‖ P")
        assert ui.line(" one").split()[-6:] == ["·", "P", "‖", "P", "·", "P"]

        await ui.bench.host.call(lambda engine: engine.resume_stage("papers", "publish"))
        await ui.gone("‖")
        gate.open()
        await ui.seen(WAITING)
