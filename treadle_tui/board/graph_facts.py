"""What stands in the boxes of a workflow's picture: totals of all items, or the way of one.

Pure: what was read goes in, the look of each stage comes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from treadle_tui.board.cell_text import state_text
from treadle_tui.board.graph_picture import BoxFacts, GraphPicture
from treadle_tui.board.graph_tree import TreeLine
from treadle_tui.board.history_outline import tone_of
from treadle_tui.board.numbers import counts_line
from treadle_tui.board.outline import Span, Tone
from treadle_tui.board.safe_text import safe_line, width_of
from treadle_tui.board.tally import Tally
from treadle_tui.board.time_text import age, took
from treadle_tui.engine.states import StageState, StageStatus

#: Widths of boxes: room for the counts of three states, or of five; and for most names.
_BOX_LEAST, _BOX_WIDE, _BOX_MOST = 20, 28, 30
HELD = "‖ held"
HELD_FOR_SOME = "‖ if"


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """Everything the picture shows, read together."""

    now: datetime
    workflow: str = ""
    picture: GraphPicture | None = None
    tree: tuple[TreeLine, ...] = ()
    tally: Tally = field(default_factory=Tally)
    holds: Mapping[str, str | None] = field(default_factory=dict)
    """Held stages, with the condition of the hold."""
    statuses: Mapping[str, StageStatus] | None = None
    """Of one item, when it is its way that is shown."""

    def look(self, stage: str) -> BoxFacts:
        """What stands in a stage's box."""
        mark = "" if stage not in self.holds else HELD if self.holds[stage] is None else HELD_FOR_SOME
        if self.statuses is not None:
            return _way(self.statuses.get(stage), self.now, mark)
        states = self.tally.of_stage(stage)
        needs = self.tally.needs_person(stage)
        tone = tone_of(needs[0][0]) if needs else Tone.RUNNING if states.get(StageState.RUNNING) else Tone.MUTED
        return BoxFacts(counts_line(states), tone, mark)

    def about(self, stage: str) -> tuple[Span, ...]:
        """The stage under the cursor in one line: its counts in full, and why it is held."""
        if not stage:
            return ()
        spans: list[Span] = [Span(safe_line(stage) + "  ", Tone.HEADING)]
        if self.statuses is not None:
            status = self.statuses.get(stage)
            words = "" if status is None else status.error or status.summary or status.state.word
            spans.append(Span(safe_line(words.split("\n", 1)[0]), Tone.FAILED if status is not None and status.error else Tone.PLAIN))
        else:
            states = self.tally.of_stage(stage)
            spans += [Span(f"{state.glyph} {count:,} {state.word}  ", tone_of(state)) for state, count in states.items()]
        if stage in self.holds:
            condition = self.holds[stage]
            words = f"held for items with {safe_line(condition)}" if condition else "held: it starts no more until p releases it"
            spans.append(Span(f"{HELD[0]} {words}", Tone.AWAITING_REVIEW))
        return tuple(spans)


def _way(status: StageStatus | None, now: datetime, mark: str) -> BoxFacts:
    if status is None:
        return BoxFacts((), Tone.MUTED, mark)
    since = took(status.started_at, status.completed_at) or (age(status.updated_at, now) if status.state.letter in "R?W" else "")
    done = sum(subtask.state.is_satisfied for subtask in status.subtasks)
    fan_out = f" {done}/{len(status.subtasks)}" if status.subtasks else ""
    tone = tone_of(status.state)
    return BoxFacts((Span(state_text(status.state, status.attempt) + fan_out, tone), Span(f"  {since}", Tone.MUTED)), tone, mark)


def box_widths(stages: list[str], *, is_wide: bool = False) -> dict[str, int]:
    """How wide each stage's box is: it does not change with what stands in it, so that nothing jumps."""
    least = _BOX_WIDE if is_wide else _BOX_LEAST
    return {stage: max(least, min(_BOX_MOST, width_of(safe_line(stage)) + 5)) for stage in stages}
