"""A laid-out workflow as lines of text: boxes with a name and a standing, and edges of box characters with an arrow at their end.

Edges of one stage share one bar below it, and every edge comes into a box in a column of its own: lines that meet always come from the
same stage. A bar that passes a line of another stage goes under it. Pure: a layout and what stands in the boxes in, spans out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from treadle_tui.board.graph_layout import Layout, Place
from treadle_tui.board.outline import Span, Tone
from treadle_tui.board.safe_text import ELLIPSIS, safe_line, shorten, width_of

BOX_LINES = 3
ARROW = "▼"
_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
_STROKES = {
    _UP: "│",
    _DOWN: "│",
    _UP | _DOWN: "│",
    _LEFT: "─",
    _RIGHT: "─",
    _LEFT | _RIGHT: "─",
    _DOWN | _RIGHT: "┌",
    _DOWN | _LEFT: "┐",
    _UP | _RIGHT: "└",
    _UP | _LEFT: "┘",
    _UP | _DOWN | _RIGHT: "├",
    _UP | _DOWN | _LEFT: "┤",
    _DOWN | _LEFT | _RIGHT: "┬",
    _UP | _LEFT | _RIGHT: "┴",
    _UP | _DOWN | _LEFT | _RIGHT: "┼",
}


@dataclass(frozen=True, slots=True)
class BoxFacts:
    """What stands in a stage's box."""

    spans: tuple[Span, ...] = ()
    tone: Tone = Tone.MUTED
    """Of the frame."""
    mark: str = ""
    """Behind the name, in the frame: that it is held."""


Look = Callable[[str], BoxFacts]


@dataclass(frozen=True, slots=True)
class BoxPlace:
    """Where a stage's box stands on the picture."""

    x: int
    y: int
    width: int


class GraphPicture:
    """The picture of a layout: its edges are drawn once, what stands in the boxes at each look."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.width = layout.width
        self.boxes: dict[str, BoxPlace] = {}
        self._strokes: dict[tuple[int, int], int] = {}
        self._arrows: set[tuple[int, int]] = set()
        self._under: set[tuple[int, int]] = set()
        y = 0
        for number, layer in enumerate(layout.layers):
            for place in layer:
                if place.is_line:
                    self._vertical(place.port, y - 1, y + BOX_LINES)
                else:
                    self.boxes[place.stage] = BoxPlace(place.x, y, place.width)
            y += BOX_LINES
            if number + 1 < len(layout.layers):
                y += self._draw_channel(layer, y)
        self.height = y

    # edges ----------------------------------------------------------------------------------------------------------------------

    def _draw_channel(self, layer: Sequence[Place], top: int) -> int:
        """Draw the lines between a layer and the next from line `top` on; how many lines they take."""
        bars = [place for place in layer if any(column != place.port for column in place.exits())]
        rows = _assign_rows(bars)
        height = max(rows.values(), default=-1) + 2
        for place in layer:
            if not place.below:
                continue
            row = top + rows.get(id(place), 0)
            bottom = top + height
            is_bar = id(place) in rows
            if is_bar:
                self._vertical(place.port, top - 1, row)
            for below, column in zip(place.below, place.exits(), strict=True):
                self._vertical(column, row if is_bar else top - 1, bottom)
                self._horizontal(row, place.port, column)
                if not below.is_line:
                    self._arrows.add((column, bottom - 1))
        self._find_crossings(layer, bars, rows, top)
        return height

    def _find_crossings(self, layer: Sequence[Place], bars: Sequence[Place], rows: Mapping[int, int], top: int) -> None:
        """Where a bar passes a line of another stage."""
        for bar in bars:
            row, (start, end) = rows[id(bar)], _span(bar)
            for other in layer:
                if other is bar or not other.below:
                    continue
                other_row = rows.get(id(other), -1)
                columns = set(other.exits()) if other_row < row else {other.port}
                self._under |= {(column, top + row) for column in columns if start < column < end}

    def _vertical(self, x: int, top: int, bottom: int) -> None:
        """A line from the middle of line `top` to the middle of line `bottom`."""
        for y in range(top, bottom):
            self._stroke(x, y, _DOWN)
            self._stroke(x, y + 1, _UP)

    def _horizontal(self, y: int, start: int, end: int) -> None:
        for x in range(min(start, end), max(start, end)):
            self._stroke(x, y, _RIGHT)
            self._stroke(x + 1, y, _LEFT)

    def _stroke(self, x: int, y: int, direction: int) -> None:
        self._strokes[x, y] = self._strokes.get((x, y), 0) | direction

    def _edge_at(self, x: int, y: int) -> str:
        if (x, y) in self._arrows:
            return ARROW
        if (x, y) in self._under:
            return "│"
        return _STROKES.get(self._strokes.get((x, y), 0), " ")

    # lines ----------------------------------------------------------------------------------------------------------------------

    def line(self, y: int, look: Look, cursor: str = "") -> list[Span]:
        """One line, every stage looked at through `look`; the box under the cursor has a double frame."""
        spans: list[Span] = []
        at = 0
        for stage, box in sorted(self._boxes_on(y), key=lambda each: each[1].x):
            spans += self._edges(y, at, box.x)
            spans += self._box_line(stage, box, y - box.y, look(stage), is_at_cursor=stage == cursor)
            at = box.x + box.width
        return [*spans, *self._edges(y, at, self.width)]

    def stage_at(self, x: int, y: int) -> str:
        """The stage whose box is there; empty for none."""
        return next((stage for stage, box in self._boxes_on(y) if box.x <= x < box.x + box.width), "")

    def _boxes_on(self, y: int) -> Iterable[tuple[str, BoxPlace]]:
        return ((stage, box) for stage, box in self.boxes.items() if box.y <= y < box.y + BOX_LINES)

    def _edges(self, y: int, start: int, end: int) -> list[Span]:
        text = "".join(self._edge_at(x, y) for x in range(start, end))
        return [Span(text, Tone.MUTED)] if text else []

    def _box_line(self, stage: str, box: BoxPlace, number: int, facts: BoxFacts, *, is_at_cursor: bool) -> list[Span]:
        inner = box.width - 2
        place = self.layout.place(stage)
        assert place is not None
        sides = "┃" if is_at_cursor else "│"
        if number == 1:
            return [Span(sides, facts.tone), *fitted(facts.spans, inner), Span(sides, facts.tone)]
        left, bar, right = ("┏━┓" if number == 0 else "┗━┛") if is_at_cursor else ("╭─╮" if number == 0 else "╰─╯")
        if number == 0:
            mark = f" {facts.mark}" if facts.mark else ""
            name = shorten(safe_line(stage), inner - 3 - width_of(mark))
            rest = bar * (inner - 3 - width_of(name) - width_of(mark))
            return [
                Span(left + bar, facts.tone),
                Span(" " + name, Tone.HEADING),
                Span(mark, Tone.AWAITING_REVIEW),
                Span(" " + rest + right, facts.tone),
            ]
        port = place.port - box.x - 1
        joint = ("┯" if is_at_cursor else "┬") if place.below else bar
        return [Span(left + bar * port + joint + bar * (inner - port - 1) + right, facts.tone)]


def fitted(spans: Sequence[Span], width: int) -> list[Span]:
    """The spans behind a blank, in exactly so many cells: what does not fit as a whole is left out, not cut in two."""
    room = width - 1
    shown = [*spans[:-1], Span(spans[-1].text.rstrip(), spans[-1].tone)] if spans else []
    ends = list(accumulate(width_of(span.text) for span in shown))
    if ends and ends[-1] > room:
        count = sum(end + width_of(ELLIPSIS) <= room for end in ends)
        shown = [*shown[:count], Span(ELLIPSIS, Tone.MUTED)] if count else [Span(shorten(shown[0].text, room), shown[0].tone)]
    return [Span(" "), *shown, Span(" " * (room - sum(width_of(span.text) for span in shown)))]


def _assign_rows(bars: Sequence[Place]) -> dict[int, int]:
    """A row for each bar: two that overlap do not share one, and a stage's line down never runs into another stage's line down.

    A bar whose stage stands where another bar's line goes down must be above that bar; where that would go round in a circle one of the
    demands is dropped.
    """
    demands: dict[int, set[int]] = {id(bar): set() for bar in bars}
    for bar in bars:
        for other in bars:
            if bar is not other and bar.port in other.exits():
                demands[id(other)].add(id(bar))
    rows: dict[int, int] = {}
    taken: list[list[tuple[int, int]]] = []
    left = sorted(bars, key=lambda bar: (_span(bar)[1] - _span(bar)[0], bar.port))
    while left:
        free = [bar for bar in left if not (demands[id(bar)] & {id(other) for other in left})] or left[:1]
        bar = free[0]
        left.remove(bar)
        first = max((rows[each] + 1 for each in demands[id(bar)] if each in rows), default=0)
        start, end = _span(bar)
        row = next(
            (number for number in range(first, len(taken)) if all(end < s - 1 or e + 1 < start for s, e in taken[number])),
            max(first, len(taken)),
        )
        while len(taken) <= row:
            taken.append([])
        taken[row].append((start, end))
        rows[id(bar)] = row
    return rows


def _span(bar: Place) -> tuple[int, int]:
    columns = [bar.port, *bar.exits()]
    return min(columns), max(columns)
