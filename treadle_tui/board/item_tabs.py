"""The tabs of an item's page, each as an outline: Stages, Subtasks, Attempts, Events, Data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from treadle_tui.board.data_outline import data_nodes
from treadle_tui.board.event_text import event_spans, place_of
from treadle_tui.board.gantt import attempt_bar, stage_bar, time_span
from treadle_tui.board.history_outline import DOT, Attempts, attempt_details, stage_node, subtasks_node
from treadle_tui.board.outline import Node, Span, Tone
from treadle_tui.board.safe_text import safe_line, width_of
from treadle_tui.board.time_text import clock_time, took
from treadle_tui.engine.events import Event
from treadle_tui.engine.states import StageStatus, StoredItem
from treadle_tui.engine.status import Explanation

TABS = ("Stages", "Subtasks", "Attempts", "Events", "Data")
#: Cells of a bar, and how narrow a screen may be for one.
_BAR_MOST, _BAR_FROM = 48, 86


@dataclass(frozen=True, slots=True)
class ItemHistory:
    """Everything the page shows of an item, read together."""

    item: StoredItem
    statuses: Mapping[str, StageStatus]
    attempts: Attempts
    read_at: datetime
    explanations: Mapping[str, Explanation] = field(default_factory=dict)
    """Empty where no engine is at hand to say them."""
    dependencies: Mapping[str, Sequence[str]] = field(default_factory=dict)
    events: Sequence[Event] = ()
    """The newest ones, oldest first."""


def tab_nodes(tab: str, history: ItemHistory, open_stage: str, width: int) -> list[Node]:
    """The outline of a tab, for a screen of so many columns."""
    match tab:
        case "Subtasks":
            return _subtasks(history)
        case "Attempts":
            return _attempts(history, width)
        case "Events":
            return _events(history, width)
        case "Data":
            return data_nodes(history.item.data, ("item",))
    return _stages(history, open_stage, width)


def tab_counts(history: ItemHistory) -> dict[str, int]:
    """How many there are on each tab that lists something."""
    return {
        "Subtasks": sum(len(status.subtasks) for status in history.statuses.values()),
        "Attempts": sum(map(len, history.attempts.values())),
        "Events": len(history.events),
    }


def _bar_cells(width: int) -> int:
    return 0 if width < _BAR_FROM else min(_BAR_MOST, (width - 40) // 2)


def _stages(history: ItemHistory, open_stage: str, width: int) -> list[Node]:
    span = time_span(history.statuses, history.attempts, history.read_at)
    cells = _bar_cells(width)
    nodes = []
    for stage, status in history.statuses.items():
        attempts = history.attempts.get(stage, ())
        bar = (*stage_bar(status, attempts, span, cells), Span("  ")) if cells else ()
        nodes.append(stage_node(stage, status, attempts, history.read_at, starts_open=stage == open_stage, bar=bar))
    return nodes


def _subtasks(history: ItemHistory) -> list[Node]:
    nodes = []
    for stage, status in history.statuses.items():
        if status.subtasks:
            nodes.append(subtasks_node(status.subtasks, ("stage", stage), history.read_at, label=safe_line(stage)))
    return nodes or [_nothing("no stage of this item has fanned out into subtasks")]


def _attempts(history: ItemHistory, width: int) -> list[Node]:
    span = time_span(history.statuses, history.attempts, history.read_at)
    cells = _bar_cells(width)
    every = [(stage, attempt) for stage, attempts in history.attempts.items() for attempt in attempts]
    every.sort(key=lambda each: (each[1].started_at is None, each[1].started_at or history.read_at))
    nodes = []
    for stage, attempt in every:
        outcome = (attempt.outcome or "running").replace("_", " ")
        facts = DOT.join(filter(None, (took(attempt.started_at, attempt.completed_at), clock_time(attempt.started_at, history.read_at))))
        key = ("attempt", stage, str(attempt.number))
        details = attempt_details(attempt, key)
        nodes.append(
            Node(
                key,
                f"{safe_line(stage)} #{attempt.number}",
                spans=(
                    *(attempt_bar(attempt, span, cells) if cells else ()),
                    Span(f"  {outcome:<12}  ", Tone.FAILED if attempt.error else Tone.PLAIN),
                    Span(facts, Tone.MUTED),
                ),
                folded_spans=(Span(f"  {safe_line((attempt.error or attempt.summary or '').strip().split(chr(10), 1)[0])}"),),
                make_children=(lambda details=details: details) if details else None,  # type: ignore[misc]
                label_tone=Tone.HEADING,
            )
        )
    return nodes or [_nothing("no stage of this item has been tried yet")]


def _events(history: ItemHistory, width: int) -> list[Node]:
    longest = max((width_of(place_of(event, of_item=True)) for event in history.events), default=0)
    cells = min(longest, max(14, width // 3))
    return [
        Node(("event", str(event.seq)), spans=event_spans(event, history.read_at, is_relative=False, place_cells=cells, of_item=True))
        for event in reversed(history.events)
    ] or [_nothing("nothing is told of this item any more")]


def _nothing(words: str) -> Node:
    return Node(("nothing",), paragraphs=(words,), tone=Tone.MUTED)


def explanation_words(history: ItemHistory, stage: str) -> str:
    """Why a stage is where it is, in a sentence; empty when that is not known."""
    explanation = history.explanations.get(stage)
    if explanation is None:
        return ""
    reasons = "; ".join(safe_line(reason.strip().split("\n", 1)[0]) for reason in explanation.reasons)
    return f"{safe_line(stage)} is {explanation.state.word}" + (f": {reasons}" if reasons else "")


def item_json(history: ItemHistory) -> str:
    """The item as JSON: its fields, and where each stage stands, with its output."""
    stages: dict[str, Any] = {
        stage: {"state": status.state.value, "attempt": status.attempt, "error": status.error, "output": status.output}
        for stage, status in history.statuses.items()
    }
    item = history.item
    found = {"id": item.id, "workflow": item.workflow, "state": item.state.value, "item": item.data, "stages": stages}
    return json.dumps(found, indent=2, ensure_ascii=False, default=str)
