"""How wide each column is, and which fit beside the item column.

Widths follow from names and the size of the terminal, never from what a cell happens to say now: nothing moves sideways while
work goes on. The two things that may widen a column, a longer id or the first fan-out of a stage, only ever widen it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import NamedTuple

from treadle_tui.board.safe_text import safe_line, width_of
from treadle_tui.engine.record import Record

#: Cells left of the item: the mark, and a blank.
GUTTER = 2
#: Blank cells between columns.
GAP = 2
_ITEM_LEAST, _ITEM_READABLE, _ITEM_MOST, _ITEM_SHARE = 14, 18, 48, 0.42
_STAGE_LEAST, _STAGE_MOST = 5, 16
_FAN_OUT_LEAST = 10  # "▸ 4/5 ✗1" and one more
_SPREAD_MOST = 4
_MORE_MARGIN = 5  # room for “12 ›” at the right edge


class Column(NamedTuple):
    """A stage's column where it stands on the screen."""

    stage: str
    x: int
    width: int
    """Text cells, the gap behind them not counted."""


class VisibleColumns(NamedTuple):
    """What fits, and how many columns do not."""

    columns: list[Column]
    hidden_left: int
    hidden_right: int


class ColumnPlan(Record, frozen=True, dict=True):
    """Widths for one terminal width; hashable, so a drawn line can remember the plan it was drawn by."""

    width: int
    item_width: int
    """Text cells of the item column."""
    stages: tuple[tuple[str, int], ...]
    """Stage names and their text widths."""

    @cached_property
    def first_x(self) -> int:
        """Where the first stage column begins."""
        return GUTTER + self.item_width + GAP

    def visible(self, first: int) -> VisibleColumns:
        """The columns that fit when the one at `first` is the leftmost, at least one; with a margin when some do not."""
        columns = self._fitting(first, self.width)
        if first + len(columns) < len(self.stages):
            columns = self._fitting(first, self.width - _MORE_MARGIN)
        return VisibleColumns(columns, first, len(self.stages) - first - len(columns))

    def _fitting(self, first: int, width: int) -> list[Column]:
        columns: list[Column] = []
        x = self.first_x
        for stage, wide in self.stages[first:]:
            if columns and x + wide > width:
                break
            columns.append(Column(stage, x, max(1, min(wide, width - x))))
            x += wide + GAP
        return columns

    def least_first(self, first: int) -> int:
        """The leftmost column to begin with when there is room on the right for nothing more: columns come back from the left."""
        first = max(0, min(first, len(self.stages) - 1))
        while first > 0 and self.visible(first - 1).hidden_right == 0:
            first -= 1
        return first

    def first_showing(self, index: int, first: int) -> int:
        """The leftmost column to begin with so that the one at `index` is seen, moving as little as possible from `first`."""
        if index < first:
            return index
        while first < index and first + len(self.visible(first).columns) <= index:
            first += 1
        return first


def plan_columns(stages: Sequence[str], fan_outs: Collection[str], longest_id: int, width: int) -> ColumnPlan:
    """Columns for a terminal of `width` cells.

    The item column takes what the longest id needs, but gives way, as long as it can be read, to see every stage.
    """
    natural = [_natural_width(stage, stage in fan_outs) for stage in stages]
    room = width - GUTTER - sum(wide + GAP for wide in natural)
    most_item = room if room >= _ITEM_READABLE else int(width * _ITEM_SHARE)
    item = max(_ITEM_LEAST, min(longest_id, most_item, _ITEM_MOST))
    spare = width - GUTTER - item - sum(wide + GAP for wide in natural)
    spread = max(0, min(_SPREAD_MOST, spare // len(stages))) if stages else 0
    return ColumnPlan(width, item, tuple((stage, wide + spread) for stage, wide in zip(stages, natural, strict=True)))


def _natural_width(stage: str, is_fan_out: bool) -> int:
    least = _FAN_OUT_LEAST if is_fan_out else _STAGE_LEAST
    return max(least, min(width_of(safe_line(stage)), _STAGE_MOST))
