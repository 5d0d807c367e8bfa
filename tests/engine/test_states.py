"""The table of states: every pair, legal and illegal, and every illegal verb that a person can reach."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from treadle_tui.engine import (
    TRANSITIONS,
    Approve,
    Failed,
    InvalidTransition,
    ItemState,
    NeedsReview,
    RequestChanges,
    Retry,
    RetryBudget,
    ReviewConflict,
    Skipped,
    StageState,
)
from treadle_tui.engine.states import check_transition

from .workflows import ran, scripted, state, submitted

LEGAL = {
    "pending": {"running", "skipped", "cancelled", "awaiting_review"},
    "running": {"completed", "failed", "awaiting_review", "retry_wait", "skipped", "pending", "cancelled"},
    "retry_wait": {"pending", "running", "cancelled"},
    "awaiting_review": {"completed", "failed", "pending", "cancelled"},
    "completed": {"awaiting_review", "pending"},
    "skipped": {"pending"},
    "failed": {"pending", "awaiting_review"},
    "cancelled": {"pending"},
}
"""As the contract has it, written down a second time."""


def test_the_states_are_these_eight_with_upper_case_members():
    assert [(each.name, each.value) for each in StageState] == [(name.upper(), name) for name in LEGAL]
    assert all(isinstance(each, str) for each in StageState)


@pytest.mark.parametrize(("from_state", "to_state"), list(itertools.product(StageState, StageState)), ids=lambda each: each.value)
def test_every_pair_of_states_is_a_legal_move_or_refused(from_state: StageState, to_state: StageState):
    assert (to_state in TRANSITIONS[from_state]) is (to_state.value in LEGAL[from_state.value])
    if to_state in TRANSITIONS[from_state]:
        check_transition("a", "work", from_state, to_state)
        return

    with pytest.raises(InvalidTransition) as caught:
        check_transition("a", "work", from_state, to_state, "try something else")

    error = caught.value
    assert (error.item_id, error.stage, error.from_state, error.to_state) == ("a", "work", from_state, to_state)
    assert str(error) == f"stage 'work' of item 'a' is {from_state.value} and cannot become {to_state.value}; try something else"


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        TRANSITIONS[StageState.PENDING] = frozenset()  # type: ignore[index]


def test_every_state_has_a_glyph_a_letter_and_a_word_of_its_own():
    assert len({each.glyph for each in StageState}) == 8
    assert len({each.letter for each in StageState}) == 8
    assert all(each.letter.isascii() and len(each.letter) == 1 for each in StageState)
    assert StageState.AWAITING_REVIEW.word == "awaiting review"


@pytest.mark.parametrize(
    ("property_name", "names"),
    [("is_satisfied", {"completed", "skipped"}), ("is_finished", {"completed", "skipped", "failed", "cancelled"})],
)
def test_some_states_end_a_stage(property_name: str, names: set[str]):
    assert {each.value for each in StageState if getattr(each, property_name)} == names


# --- the engine refuses what the table does not have ----------------------------------------------------------------------------


async def stage_in(wanted: str, start: Any) -> Any:
    """An engine with one item `a` whose one stage `work` is in that state."""
    answers: dict[str, Any] = {
        "completed": 1,
        "skipped": Skipped(),
        "failed": Failed("no"),
        "awaiting_review": NeedsReview(1),
        "retry_wait": Retry("later", after=60),
    }
    workflow, _ = scripted(answers.get(wanted, 1), repeat=True, retry=RetryBudget(max_attempts=2))
    engine = await start(workflow)
    await submitted(engine, "a")
    if wanted != "pending":
        await engine.advance("a")
    if wanted == "cancelled":
        await engine.rerun_stage("a", "work")
        await engine.cancel("a")
    assert (await state(engine.store)).value == wanted
    return engine


STATES = ["pending", "retry_wait", "awaiting_review", "completed", "skipped", "failed", "cancelled"]


@pytest.mark.parametrize("at", STATES)
async def test_only_what_awaits_review_can_be_decided(store, start, at):
    engine = await stage_in(at, start)

    if at == "awaiting_review":
        assert await engine.resolve_review("a", "work", Approve()) is StageState.COMPLETED
        return
    with pytest.raises(InvalidTransition, match="awaits review") as caught:
        await engine.resolve_review("a", "work", Approve())
    assert caught.value.from_state.value == at
    assert (await state(store)).value == at


@pytest.mark.parametrize("at", STATES)
async def test_only_what_failed_or_was_cancelled_can_be_retried(store, start, at):
    engine = await stage_in(at, start)

    if at in ("failed", "cancelled"):
        await engine.retry_stage("a", "work")
        assert await state(store) is StageState.PENDING
        return
    with pytest.raises(InvalidTransition, match="failed or cancelled") as caught:
        await engine.retry_stage("a", "work")
    assert ("rerun" in str(caught.value)) is (at in ("completed", "skipped"))
    assert (await state(store)).value == at


@pytest.mark.parametrize("at", STATES)
async def test_only_what_is_finished_can_be_run_again(store, start, at):
    engine = await stage_in(at, start)

    if at in ("completed", "skipped", "failed", "cancelled"):
        await engine.rerun_stage("a", "work")
        assert await state(store) is StageState.PENDING
        return
    with pytest.raises(InvalidTransition, match="finished"):
        await engine.rerun_stage("a", "work")
    assert (await state(store)).value == at


@pytest.mark.parametrize("at", STATES)
async def test_only_what_was_decided_can_be_reopened(store, start, at):
    engine = await stage_in(at, start)

    with pytest.raises(InvalidTransition):
        await engine.reopen_review("a", "work")

    assert (await state(store)).value == at


@pytest.mark.parametrize("at", STATES)
async def test_cancelling_needs_something_that_has_not_ended(store, start, at):
    engine = await stage_in(at, start)

    if at in ("completed", "skipped", "failed"):
        with pytest.raises(InvalidTransition, match="ended"):
            await engine.cancel("a")
        assert (await state(store)).value == at
        return
    await engine.cancel("a")
    assert await state(store) is StageState.CANCELLED
    assert (await store.get_item("a")).state is ItemState.CANCELLED


@pytest.mark.parametrize("at", STATES)
async def test_only_what_is_ready_can_be_run_by_hand(store, start, at):
    engine = await stage_in(at, start)

    if at == "pending":
        assert await engine.run_stage("a", "work") is StageState.COMPLETED
        return
    with pytest.raises(InvalidTransition, match="cannot become running"):
        await engine.run_stage("a", "work")
    assert (await state(store)).value == at


async def test_a_stage_with_requested_changes_was_decided_so_a_second_decision_conflicts(store, start):
    engine = await start(scripted(NeedsReview(1), NeedsReview(2))[0])
    await ran(engine)
    await engine.resolve_review("a", "work", RequestChanges("more", by="ana"))

    with pytest.raises(ReviewConflict, match="already decided by ana"):
        await engine.resolve_review("a", "work", Approve())

    assert await state(store) is StageState.PENDING
