"""A cell says its state by glyph and letter, and a fan-out how far it is."""

import pytest
from rich.cells import cell_len

from tests.board.rows import cell
from treadle_tui.board.cell_text import cell_text, shown_state, waits
from treadle_tui.engine.states import StageState


@pytest.mark.parametrize("state", StageState)
def test_every_state_is_one_glyph_and_one_letter(state: StageState) -> None:
    text = cell_text(cell(state))

    assert text == f"{state.glyph} {state.letter}"
    assert cell_len(text) == 3


def test_the_attempt_is_named_from_the_second_on() -> None:
    assert cell_text(cell(StageState.RUNNING, attempt=1)) == "▸ R"
    assert cell_text(cell(StageState.RUNNING, attempt=2)) == "▸ R2"


def test_a_fan_out_counts_what_is_done_what_failed_and_what_waits() -> None:
    fan_out = cell(StageState.RUNNING, completed=3, skipped=1, failed=1, awaiting_review=2, running=1)

    assert cell_text(fan_out) == "▸ 4/8 ✗1 ◆2"
    assert shown_state(fan_out) is StageState.AWAITING_REVIEW
    assert waits(fan_out)


def test_a_finished_fan_out_keeps_its_own_state() -> None:
    assert cell_text(cell(StageState.FAILED, completed=4, failed=1)) == "✗ 4/5 ✗1"
    assert shown_state(cell(StageState.FAILED, completed=4, failed=1)) is StageState.FAILED
    assert not waits(cell(StageState.FAILED, completed=4, failed=1))
