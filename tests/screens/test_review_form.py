"""The small form of a review: answered by keyboard alone, checked on sending, and handed on to later stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.screens.driving import Driver, running
from tests.screens.papers import WAITING
from treadle_tui.engine import NeedsReview, ReviewData, ReviewField, StageContext, StageState, Workflow
from treadle_tui.screens.one_line import LineInput
from treadle_tui.screens.reject_reason import RejectReason
from treadle_tui.screens.review_modal import ReviewModal
from treadle_tui.screens.review_screen import ReviewScreen
from treadle_tui.widgets.answer_choice import AnswerChoice
from treadle_tui.widgets.outline_view import OutlineView

FIELDS = [
    ReviewField("size", "choice", choices=["small", "medium", "large"], required=True, label="Size"),
    ReviewField("sharp", "bool", label="Is it sharp?"),
    ReviewField("pages", "number", label="Pages"),
    ReviewField("remark", label="Remark", default="none"),
]


def survey(fields: list[ReviewField] = FIELDS) -> Workflow:
    workflow = Workflow("survey")

    @workflow.stage
    def ask(item: Any) -> NeedsReview:
        return NeedsReview({"of": item["id"]}, ReviewData("what is it?", fields=fields))

    @workflow.stage
    def order(ask: Any, ctx: StageContext) -> dict[str, Any]:
        return dict(ctx.values["ask"])

    return workflow


async def opened(ui: Driver) -> None:
    await ui.seen(WAITING)
    await ui.press("enter")
    await ui.shows(ReviewModal)
    await ui.seen("what is it?", "○ small  ○ medium  ○ large")


async def test_answers_given_by_keyboard_reach_the_next_stage() -> None:
    async with running(survey(), items=[{"id": "thing"}], size=(80, 24)) as ui:
        await opened(ui)
        await ui.press("f", "right", "right", "enter", "n", "enter", *"12", "enter", *" at all", "escape")
        await ui.seen("○ small  ● medium  ○ large", "○ yes  ● no", "12", "none at all", "a Approve")
        await ui.press("a")

        async def is_ordered() -> bool:
            return (await ui.status("thing", "order")).state is StageState.COMPLETED

        for _ in range(500):
            if await is_ordered():
                break
            await ui.pilot.pause(0.01)
        assert (await ui.status("thing", "order")).output == {"size": "medium", "sharp": False, "pages": 12, "remark": "none at all"}


async def test_every_mistake_is_said_on_its_line_and_the_review_stays_open() -> None:
    async with running(survey(), items=[{"id": "thing"}], size=(80, 24)) as ui:
        await opened(ui)
        await ui.press("f", "down", "down", *"nan", "escape", "a")
        await ui.seen("an answer is required", "'nan' is no number")
        assert "an answer is required" in ui.line("Size")
        assert "'nan' is no number" in ui.line("Pages")
        assert isinstance(ui.app.screen, ReviewModal)
        assert isinstance(ui.app.focused, AnswerChoice)

        await ui.press("l")
        await ui.gone("an answer is required")
        assert "'nan' is no number" in ui.line("Pages")
        assert (await ui.status("thing", "ask")).decision is None


async def test_a_choice_is_picked_by_its_first_letters_its_number_or_taken_back() -> None:
    fields = [ReviewField("code", "choice", choices=["alpha", "alto", "beta [b]", "10"])]
    async with running(survey(fields), items=[{"id": "thing"}], size=(80, 24)) as ui:
        await ui.seen(WAITING)
        await ui.press("enter")
        await ui.shows(ReviewModal)
        await ui.press("f")
        choice = ui.app.screen.query_one(AnswerChoice)
        for keys, picked in (("alt", "alto"), ("b", "beta [b]"), ("2", "alto"), ("1", "10"), (["left"], "beta [b]"), (["backspace"], "")):
            await ui.press(*keys)
            assert choice.value == picked
        await ui.seen("○ beta [b]")
        await ui.pilot.click(choice, offset=(3, 0))
        assert choice.value == "alpha"


async def test_what_was_answered_and_left_stands_there_again_and_is_not_approved_unseen() -> None:
    async with running(survey([FIELDS[1], FIELDS[2]]), items=[{"id": "thing"}], size=(80, 24)) as ui:
        await ui.seen(WAITING)
        await ui.press("3")
        await ui.shows(ReviewScreen)
        await ui.seen("what is it?")
        await ui.press("enter")
        await ui.shows(ReviewModal)
        await ui.press("f", "y", "down", *"7", "escape", "escape")
        await ui.shows(ReviewScreen)
        await ui.pilot.pause(0.1)

        await ui.press("a")
        await ui.shows(ReviewModal)
        await ui.seen("● yes", "7")
        await ui.press("escape")
        await ui.until(lambda: isinstance(ui.app.focused, OutlineView))
        await ui.press("a")
        await ui.shows(ReviewScreen)
        await ui.until(lambda: not ui.bench.reviews.deciding.outbox.entries)
        assert (await ui.decision("thing", "ask")).values == {"sharp": True, "pages": 7}


async def test_what_was_answered_and_left_survives_a_restart(tmp_path: Path) -> None:
    db, workflow = tmp_path / "work.db", survey([FIELDS[1], FIELDS[2]])
    async with running(workflow, items=[{"id": "thing"}], db=db, size=(80, 24)) as ui:
        await ui.seen(WAITING)
        await ui.press("enter")
        await ui.shows(ReviewModal)
        await ui.press("f", "y", "down", "7", "escape", "x")
        await ui.shows(RejectReason)
        await ui.press(*"not yet", "escape")
        await ui.shows(ReviewModal)
        await ui.press("escape", "q")
        await ui.until(lambda: ui.app.return_code is not None)

    async with running(survey([FIELDS[1], FIELDS[2]]), db=db, size=(80, 24)) as ui:
        await ui.seen(WAITING)
        await ui.press("3")
        await ui.shows(ReviewScreen)
        await ui.seen("what is it?")
        await ui.press("a")
        await ui.shows(ReviewModal)
        await ui.seen("● yes", "7")
        await ui.press("escape")
        await ui.until(lambda: isinstance(ui.app.focused, OutlineView))
        await ui.press("x")
        await ui.shows(RejectReason)
        assert ui.app.screen.query_one(LineInput).value == "not yet"
