"""Numbers and shares as a screen shows them: in few cells, and never by colour alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from treadle_tui.board.history_outline import tone_of
from treadle_tui.board.outline import Span
from treadle_tui.engine.states import READING_ORDER, StageState

#: What bars are made of: the state's own sign, but for what is done.
_FILL = {StageState.COMPLETED: "━"}
#: The order in a bar: what is done grows from the left, what is left shrinks towards the right.
BAR_ORDER = (
    StageState.COMPLETED,
    StageState.SKIPPED,
    StageState.FAILED,
    StageState.CANCELLED,
    StageState.AWAITING_REVIEW,
    StageState.RETRY_WAIT,
    StageState.RUNNING,
    StageState.PENDING,
)
_BLOCKS = "▁▂▃▄▅▆▇█"
_UNITS = ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k"))


def short_count(number: int) -> str:
    """A whole number in at most four cells: 940, 1.2k, 45k, 1.3M."""
    for size, unit in _UNITS:
        if number >= size:
            return f"{number / size:.1f}{unit}" if number < 9.95 * size else f"{round(number / size)}{unit}"
    return str(number)


def bar(by_state: Mapping[StageState, int], width: int) -> list[Span]:
    """Shares of states in exactly so many cells; none that occurs is left out as long as there is a cell for each."""
    cells = _cells([by_state.get(state, 0) for state in BAR_ORDER], width)
    return [Span(_FILL.get(state, state.glyph) * count, tone_of(state)) for state, count in zip(BAR_ORDER, cells, strict=True) if count]


def _cells(numbers: Sequence[int], width: int) -> list[int]:
    total = sum(numbers)
    if not total or width <= 0:
        return [0] * len(numbers)
    cells = [max(1, width * number // total) if number else 0 for number in numbers]
    while sum(cells) > width:
        cells[max(range(len(cells)), key=cells.__getitem__)] -= 1
    by_rest = sorted(range(len(numbers)), key=lambda place: -((width * numbers[place]) % total))
    for place in by_rest:
        if sum(cells) < width and numbers[place]:
            cells[place] += 1
    while sum(cells) < width:
        cells[max(range(len(numbers)), key=numbers.__getitem__)] += 1
    return cells


def counts_line(by_state: Mapping[StageState, int]) -> tuple[Span, ...]:
    """The counts of the states that occur, what needs a person first: "◆4 ✗7 ▸2 ✓1.2k"."""
    found = [(state, by_state[state]) for state in READING_ORDER if by_state.get(state)]
    return tuple(Span(f"{state.glyph}{short_count(count)} ", tone_of(state)) for state, count in found)


def sparkline(values: Sequence[float]) -> str:
    """A cell per value; the lowest block for anything above zero, a blank dot for nothing."""
    most = max(values, default=0.0)
    if most <= 0:
        return "·" * len(values)
    return "".join("·" if value <= 0 else _BLOCKS[min(7, int(value / most * 7.999))] for value in values)
