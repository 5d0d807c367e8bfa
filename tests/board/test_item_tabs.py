"""An item's page without a screen: bars, tabs, why, and the key that moves a stage."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from treadle_tui.board.gantt import stage_bar, time_span
from treadle_tui.board.item_tabs import TABS, ItemHistory, explanation_words, item_json, tab_counts, tab_nodes
from treadle_tui.board.moving import Move, move_of
from treadle_tui.board.outline import Outline
from treadle_tui.engine import Approve, AttemptRecord, Explanation, StageState, StageStatus, StoredItem, SubTaskStatus
from treadle_tui.engine import events as ev
from treadle_tui.engine.states import ItemState

NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
C, P, A, F, W, R = (
    StageState.COMPLETED,
    StageState.PENDING,
    StageState.AWAITING_REVIEW,
    StageState.FAILED,
    StageState.RETRY_WAIT,
    StageState.RUNNING,
)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def tried(number: int, start: float, end: float | None, outcome: str = "completed", error: str | None = None) -> AttemptRecord:
    return AttemptRecord(
        number=number,
        started_at=at(start),
        completed_at=None if end is None else at(end),
        outcome=outcome if end is not None else None,  # type: ignore[arg-type]
        error=error,
    )


def history(statuses: dict[str, StageStatus], attempts: dict[str, list[AttemptRecord]] | None = None, **more: Any) -> ItemHistory:
    item = StoredItem(id="doc", workflow="papers", data={"pages": 3}, state=ItemState.ACTIVE, created_at=NOW)
    return ItemHistory(item, statuses, attempts or {}, at(100), **more)


def drawn(tab: str, shown: ItemHistory, width: int = 120) -> list[str]:
    outline = Outline(tab_nodes(tab, shown, "", width))
    return ["".join(span.text for span in line.spans).rstrip() for line in outline.lines(width)]


def bar(status: StageStatus, attempts: list[AttemptRecord], end: float, width: int = 10) -> str:
    shown = history({"a": status}, {"a": attempts, "b": [tried(1, 0, end)]})
    return "".join(span.text for span in stage_bar(status, attempts, time_span(shown.statuses, shown.attempts, at(end)), width))


# --- bars -------------------------------------------------------------------------------------------------------------


def test_a_bar_shows_attempts_pauses_and_the_wait_for_a_person() -> None:
    twice = [tried(1, 0, 10, "error"), tried(2, 50, 70)]

    assert bar(StageStatus(state=C), twice, 99.9) == "╍╍···━━━  "
    assert bar(StageStatus(state=A), twice, 99.9) == "╍╍···━━━◆◆"
    assert bar(StageStatus(state=W), [tried(1, 0, 10, "retry")], 99.9) == "╍╍········"
    assert bar(StageStatus(state=R), [tried(1, 50, None)], 99.9) == "     ▸▸▸▸▸"
    assert bar(StageStatus(state=C, decision=Approve(at=at(80))), [tried(1, 0, 19)], 99.9) == "━━◆◆◆◆◆◆◆ "


def test_a_bar_is_exactly_as_wide_as_asked_and_blank_before_anything_began() -> None:
    assert "".join(span.text for span in stage_bar(StageStatus(), [], None, 7)) == " " * 7
    for width in range(1, 30):
        assert len(bar(StageStatus(state=C), [tried(1, 0, 0), tried(2, 3, 99)], 99, width)) == width


def test_the_span_ends_with_the_last_end_unless_something_is_open() -> None:
    done, open_ = StageStatus(state=C, completed_at=at(5)), StageStatus(state=A)
    attempts = {"a": [tried(1, 0, 4)]}

    ended, going = time_span({"a": done}, attempts, at(50)), time_span({"a": open_}, attempts, at(50))
    assert ended is not None
    assert going is not None
    assert (ended.end, going.end) == (at(5), at(50))
    assert time_span({"a": StageStatus()}, {}, NOW) is None


# --- tabs -------------------------------------------------------------------------------------------------------------


def test_stages_have_bars_where_there_is_room() -> None:
    shown = history({"fetch": StageStatus(state=C, started_at=NOW, completed_at=at(4))}, {"fetch": [tried(1, 0, 4)]})

    assert "━━━━━━━━" in drawn("Stages", shown)[0]
    assert "━" not in drawn("Stages", shown, 70)[0]
    assert drawn("Stages", shown)[0].startswith("▸ fetch  ✓ C")


def test_an_error_shows_its_first_line_and_folds_its_traceback() -> None:
    shown = history(
        {"fetch": StageStatus(state=F, error="ValueError: no\nTraceback:\n  File x")}, {"fetch": [tried(1, 0, 1, "error", "no")]}
    )
    outline = Outline(tab_nodes("Stages", shown, "fetch", 120))

    text = "\n".join("".join(span.text for span in line.spans) for line in outline.lines(120))
    assert "ValueError: no" in text
    assert "Traceback" not in text
    node = next(line.node for line in outline.lines(120) if line.node.key[-1] == "error")
    outline.fold(node, True)
    assert "File x" in "\n".join("".join(span.text for span in line.spans) for line in outline.lines(120))


def test_the_other_tabs_list_subtasks_attempts_events_and_data() -> None:
    shown = history(
        {"parts": StageStatus(state=F, subtasks=[SubTaskStatus(name="left", state=C), SubTaskStatus(name="right", state=F, error="no")])},
        {"parts": [tried(1, 0, 4, "fan_out"), tried(2, 5, 9, "failed", "no such part")]},
        events=[ev.ItemAdded(seq=1, item_id="doc"), ev.StageStarted(seq=2, item_id="doc", stage="parts")],
    )

    assert drawn("Subtasks", shown) == ["▾ parts  1 of 2 done", "    left   ✓ C", "  ▸ right  ✗ F   no"]
    assert [line.split()[:3] for line in drawn("Attempts", shown)] == [["parts", "#1", "━" * 18], ["▸", "parts", "#2"]] or len(
        drawn("Attempts", shown)
    ) == 2
    assert "no such part" in drawn("Attempts", shown)[1]
    assert ["started" in drawn("Events", shown)[0], "added" in drawn("Events", shown)[1]] == [True, True]
    assert drawn("Data", shown) == ["pages  3"]
    assert tab_counts(shown) == {"Subtasks": 2, "Attempts": 2, "Events": 2}


@pytest.mark.parametrize("tab", TABS)
def test_an_item_nothing_has_happened_to_has_something_to_say_on_every_tab(tab: str) -> None:
    assert drawn(tab, history({"fetch": StageStatus()}))[0].strip()


def test_an_item_is_copied_with_its_outputs() -> None:
    found = json.loads(item_json(history({"fetch": StageStatus(state=C, output={"words": 7}, attempt=1)})))

    assert found["item"] == {"pages": 3}
    assert found["stages"]["fetch"] == {"state": "completed", "attempt": 1, "error": None, "output": {"words": 7}}


# --- why --------------------------------------------------------------------------------------------------------------

CHAIN = {"a": [], "b": ["a"], "c": ["b"]}


def explained(states: dict[str, StageState], actions: dict[str, str]) -> tuple[dict[str, Explanation], dict[str, StageStatus]]:
    explanations = {stage: Explanation(stage=stage, state=state, action=actions.get(stage, "")) for stage, state in states.items()}
    return explanations, {stage: StageStatus(state=state) for stage, state in states.items()}


@pytest.mark.parametrize(
    ("states", "action", "move"),
    [
        ({"a": A, "b": P, "c": P}, "approve, edit, request changes or reject", Move("item.review", "reviews it on a")),
        ({"a": F, "b": P, "c": P}, "retry stage 'a'", Move("item.retry", "tries it again on a")),
        ({"a": C, "b": C, "c": F}, "retry stage 'c'", Move("item.retry", "tries it again")),
        ({"a": C, "b": C, "c": P}, "resume the item", Move("item.pause", "lets the item go on")),
        ({"a": C, "b": C, "c": P}, "resume stage 'c', or run it by hand", Move("app.graph", "shows the graph: p on c there lets it go on")),
        ({"a": C, "b": C, "c": P}, "accept the plan", Move("app.dashboard", "shows the dashboard, with the plan to accept")),
        ({"a": C, "b": C, "c": R}, "decide on the subtask", Move("item.review", "on the subtask that waits reviews it")),
        ({"a": C, "b": C, "c": F}, "put it back, drop it, or cancel or delete the item", Move("item.drop", "lets go of it")),
        ({"a": C, "b": C, "c": P}, "open the database with that workflow", None),
        ({"a": C, "b": C, "c": C}, "", None),
    ],
)
def test_one_key_moves_a_stage(states: dict[str, StageState], action: str, move: Move | None) -> None:
    explanations, statuses = explained(states, {stage: action for stage, state in states.items() if state is not C})

    assert move_of("c", explanations, statuses, CHAIN) == move


def test_why_is_one_safe_sentence_of_first_lines() -> None:
    explanation = Explanation(stage="b", state=P, reasons=["waits for a, which is failed", "ValueError: \x1b[2J\n  File x"], action="retry")
    shown = history({"b": StageStatus()}, explanations={"b": explanation})

    assert explanation_words(shown, "b") == "b is pending: waits for a, which is failed; ValueError: ␛[2J"
    assert explanation_words(shown, "other") == ""
