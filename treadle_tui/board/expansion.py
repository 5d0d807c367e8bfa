"""Which fan-outs stand open, and how lines of the screen and rows of the list answer to each other.

An open fan-out puts one line per subtask under its item. Few are open at a time, so lines are found by bisecting the open ones;
nothing is kept per row.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from treadle_tui.engine.states import SubTaskStatus


class LineKey(NamedTuple):
    """What a line is about, whatever its number: an item, or with a stage and a subtask one of its subtasks."""

    item_id: str
    stage: str = ""
    subtask: str = ""

    @property
    def is_child(self) -> bool:
        """Whether the line is a subtask's."""
        return bool(self.subtask)


class OpenFanOut(msgspec.Struct):
    """The child lines of one fan-out."""

    item_id: str
    stage: str
    index: int
    """Of the item's row in the list, as last seen."""
    rank: int
    """The stage's place among the stages: fan-outs of one item follow one another in this order."""
    count: int
    """Child lines: as many as the cell has promised, until they have been read."""
    children: Sequence[SubTaskStatus] | None = None
    """In the order of declaration; None until they have been read."""
    place: dict[str, int] = msgspec.field(default_factory=dict)
    """Subtask name to its place among the children."""
    ticket: int = 0

    def take(self, children: Sequence[SubTaskStatus], ticket: int) -> bool:
        """Take newly read children in; False when a later reading is there already."""
        if ticket < self.ticket:
            return False
        self.ticket = ticket
        self.children = list(children)
        self.count = len(children)
        self.place = {child.name: place for place, child in enumerate(children)}
        return True


class Place(NamedTuple):
    """Where a line belongs: the row's index, and for a child line the fan-out and the place within it."""

    row_index: int
    fan_out: OpenFanOut | None = None
    child: int = -1


class Expansions:
    """The open fan-outs of a board."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], OpenFanOut] = {}
        self._order: list[int] = []  # indices of rows with open fan-outs, ascending
        self._starts: list[int] = []  # the line of each of these rows
        self._extra: list[int] = [0]  # child lines above each, and of all at the end
        self._of_row: dict[int, list[OpenFanOut]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[OpenFanOut]:
        return iter(list(self._open.values()))

    def get(self, item_id: str, stage: str) -> OpenFanOut | None:
        """The fan-out, when it is open."""
        return self._open.get((item_id, stage))

    def of_item(self, item_id: str) -> list[OpenFanOut]:
        """The item's open fan-outs, in the order of their lines."""
        return sorted((each for each in self._open.values() if each.item_id == item_id), key=lambda fan_out: fan_out.rank)

    @property
    def child_lines(self) -> int:
        """How many lines the open fan-outs add."""
        return self._extra[-1]

    def open(self, item_id: str, stage: str, index: int, count: int, rank: int = 0) -> None:
        """Show a line for each of `count` subtasks under the row at `index`; nothing when it is open already."""
        if (item_id, stage) not in self._open:
            self._open[item_id, stage] = OpenFanOut(item_id, stage, index, rank, count)
            self._arrange()

    def close(self, item_id: str, stage: str) -> None:
        """Take the fan-out's lines away; nothing when it is not open."""
        if self._open.pop((item_id, stage), None) is not None:
            self._arrange()

    def clear(self) -> None:
        """Close every fan-out."""
        self._open.clear()
        self._arrange()

    def take(self, item_id: str, stage: str, children: Sequence[SubTaskStatus], ticket: int) -> bool:
        """Take newly read subtasks in; whether they were for an open fan-out and not older than what it has."""
        fan_out = self._open.get((item_id, stage))
        if fan_out is None or not fan_out.take(children, ticket):
            return False
        self._arrange()
        return True

    def move(self, item_id: str, index: int) -> None:
        """The item's row stands at another place of the list now."""
        moved = [fan_out for fan_out in self.of_item(item_id) if fan_out.index != index]
        for fan_out in moved:
            fan_out.index = index
        if moved:
            self._arrange()

    def line_of(self, index: int) -> int:
        """The line on which the row at `index` stands."""
        return index + self._extra[bisect_left(self._order, index)]

    def line_of_child(self, item_id: str, stage: str, subtask: str) -> int | None:
        """The line of a subtask; None when its fan-out is closed or it has none of that name."""
        fan_out = self.get(item_id, stage)
        if fan_out is None or subtask not in fan_out.place:
            return None
        above = sum(other.count for other in self._before(fan_out))
        return self.line_of(fan_out.index) + 1 + above + fan_out.place[subtask]

    def place(self, line: int) -> Place:
        """What the line belongs to."""
        at = bisect_right(self._starts, line) - 1
        if at < 0:
            return Place(line)
        offset = line - self._starts[at]
        index = self._order[at]
        extra = self._extra[at + 1] - self._extra[at]
        if offset == 0:
            return Place(index)
        if offset > extra:
            return Place(index + offset - extra)
        return self._child_place(index, offset - 1)

    def _child_place(self, index: int, child: int) -> Place:
        for fan_out in self._of_row[index]:
            if child < fan_out.count:
                return Place(index, fan_out, child)
            child -= fan_out.count
        raise AssertionError("the lines of a row are the sum of its fan-outs' lines")

    def _before(self, fan_out: OpenFanOut) -> list[OpenFanOut]:
        of_row = self._of_row[fan_out.index]
        return of_row[: of_row.index(fan_out)]

    def _arrange(self) -> None:
        self._of_row = {}
        for fan_out in sorted(self._open.values(), key=lambda fan_out: fan_out.rank):
            self._of_row.setdefault(fan_out.index, []).append(fan_out)
        self._order = sorted(self._of_row)
        self._starts, self._extra = [], [0]
        for index in self._order:
            self._starts.append(index + self._extra[-1])
            self._extra.append(self._extra[-1] + sum(fan_out.count for fan_out in self._of_row[index]))
