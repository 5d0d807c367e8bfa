"""Folding text: labelled values, paragraphs and tables under headings, drawn for a width and folded by a person.

What a review shows, and what an item's page shows, is an outline. Nodes make their children when they are opened, so a large
output costs what is unfolded of it. Fold state belongs to a node's key: it survives when the outline is made again from newer
data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import accumulate
from typing import NamedTuple

from treadle_tui.board.safe_text import fit, shorten, shorten_middle, width_of, wrap

INDENT = 2
OPEN_SIGN, CLOSED_SIGN = "▾ ", "▸ "
_LABEL_MOST = 32
_LABEL_GAP = 2
_TEXT_LEAST = 16
_MOST_SEARCHED = 20_000


class Tone(str, Enum):
    """How a piece of text is meant; themes decide how it looks."""

    PLAIN = "plain"
    MUTED = "muted"
    LABEL = "label"
    HEADING = "heading"
    PENDING = "pending"
    RUNNING = "running"
    RETRY_WAIT = "retry-wait"
    AWAITING_REVIEW = "awaiting-review"
    COMPLETED = "completed"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Span(NamedTuple):
    """Safe text in one tone."""

    text: str
    tone: Tone = Tone.PLAIN


Key = tuple[str, ...]
"""A node's path: its own name behind its parent's key."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of short texts under column names. Where not all columns have room, the first one stays and the others move past it."""

    names: tuple[str, ...]
    rows: tuple[tuple[Span, ...], ...]

    def widths(self) -> list[int]:
        """Cells each column needs."""
        columns = zip(self.names, *([span.text for span in row] for row in self.rows), strict=True)
        return [max(map(width_of, column)) for column in columns]

    def fits(self, width: int) -> bool:
        """Whether all of it can be drawn side by side in so many cells."""
        return _taken(self.widths()) <= width

    def moves(self, width: int) -> bool:
        """Whether it can be drawn some columns at a time: no column is too wide to stand beside the first one."""
        first, *others = self.widths()
        return _taken([first, max(others, default=0)]) <= width

    def columns(self, width: int, first: int) -> tuple[int, ...]:
        """The numbers of the columns that have room when `first` is how many are left out behind the first one; the last one at most."""
        widths = self.widths()
        if _taken(widths) <= width:
            return tuple(range(len(widths)))
        last = len(widths) - 1
        while last > 1 and _taken([widths[0], *widths[last - 1 :]]) <= width:
            last -= 1
        start = min(1 + first, last)
        shown = [0, start]
        while shown[-1] + 1 < len(widths) and _taken([widths[number] for number in (*shown, shown[-1] + 1)]) <= width:
            shown.append(shown[-1] + 1)
        return tuple(shown)

    def lines(self, columns: Sequence[int] | None = None) -> Iterator[tuple[Span, ...]]:
        """The column names, then the rows; below them, which columns these are when they are not all."""
        widths = self.widths()
        chosen = range(len(widths)) if columns is None else columns
        for row in ([Span(name, Tone.MUTED) for name in self.names], *self.rows):
            gaps = [_LABEL_GAP] * (len(chosen) - 1) + [0]
            yield tuple(
                Span(fit(row[number].text, widths[number]) + " " * gap, row[number].tone) for number, gap in zip(chosen, gaps, strict=True)
            )
        if len(chosen) < len(widths):
            others = f"{chosen[1] + 1} – {chosen[-1] + 1}" if len(chosen) > 2 else f"{chosen[-1] + 1}"
            yield (Span(f"columns 1, {others} of {len(widths)}; → and ← show the others", Tone.MUTED),)


def _taken(widths: Sequence[int]) -> int:
    return sum(widths) + _LABEL_GAP * (len(widths) - 1)


@dataclass(frozen=True, slots=True)
class Node:
    """A line of an outline, and what can be unfolded from it."""

    key: Key
    label: str = ""
    """Safe text in front; padded to the same width as the labels beside it."""
    spans: tuple[Span, ...] = ()
    """Behind the label, on the same line."""
    folded_spans: tuple[Span, ...] = ()
    """Shown behind these while it is folded: what unfolding would show."""
    paragraphs: tuple[str, ...] = ()
    """Safe lines behind the label, wrapped to the width; instead of `spans`."""
    tone: Tone = Tone.PLAIN
    """Of the paragraphs."""
    flow: tuple[Span, ...] = ()
    """Words in several tones, wrapped to the width like a paragraph; instead of `spans`, and without a label."""
    leads: tuple[str, str] = ("", "")
    """In front of the first line of the flow, and of the lines it goes on in."""
    label_tone: Tone = Tone.LABEL
    make_children: Callable[[], Sequence[Node]] | None = None
    table: Table | None = None
    starts_open: bool = False

    @property
    def is_foldable(self) -> bool:
        """Whether something can be unfolded from it."""
        return self.make_children is not None or self.table is not None


class OutlineLine(NamedTuple):
    """One line as it is drawn."""

    spans: tuple[Span, ...]
    node: Node
    is_first: bool
    """Whether it is the line of the node itself, where a cursor may stand."""
    parent: int
    """Number of the line of the node above; -1 at the top."""


@dataclass(slots=True)
class Folds:
    """What has been folded and unfolded by hand, by key: the same for all outlines that are shown in one place."""

    by_key: dict[Key, bool] = field(default_factory=dict)
    moved: dict[Key, int] = field(default_factory=dict)
    """How many columns are left out behind the first one, of tables that are wider than the place."""
    changes: int = 0

    def put(self, key: Key, is_open: bool) -> None:
        """Fold it, or unfold it."""
        self.by_key[key] = is_open
        self.changes += 1


@dataclass(slots=True)
class Outline:
    """Nodes, which of them are unfolded, and their lines for a width."""

    nodes: Sequence[Node] = ()
    _folds: Folds = field(default_factory=Folds)
    _children: dict[Key, Sequence[Node]] = field(default_factory=dict)
    _lines: list[OutlineLine] = field(default_factory=list)
    _rooms: dict[Key, int] = field(default_factory=dict)
    """Cells there were for each table that was drawn."""
    _drawn_for: tuple[int, int] = (-1, -1)
    """The width, and how often something had been folded by then."""
    stands_still: bool = False
    """Nobody can move a table sideways: one that is too wide is shown entry by entry."""

    def another(self, nodes: Sequence[Node]) -> Outline:
        """An outline of other nodes for the same place: what was unfolded by hand is so there as well."""
        return Outline(nodes, self._folds)

    def is_open(self, node: Node) -> bool:
        """Whether the node is unfolded."""
        return node.is_foldable and self._folds.by_key.get(node.key, node.starts_open)

    def fold(self, node: Node, is_open: bool) -> bool:
        """Fold or unfold a node; whether that changed anything."""
        if not node.is_foldable or self.is_open(node) == is_open:
            return False
        self._folds.put(node.key, is_open)
        return True

    def fold_all(self, is_open: bool) -> None:
        """Fold everything, or unfold everything one level at a time."""
        for line in list(self.lines(max(self._drawn_for[0], 1))):
            if line.is_first:
                self._folds.put(line.node.key, is_open)

    def move(self, node: Node, columns: int) -> bool:
        """Move an unfolded table that is too wide by so many columns; whether that changed anything."""
        if node.table is None or not self.is_open(node) or self.stands_still:
            return False
        room = self._rooms.get(node.key, 0)
        shown = node.table.columns(room, self._folds.moved.get(node.key, 0))
        if not room or len(shown) == len(node.table.names):
            return False
        after = max(0, shown[1] - 1 + columns)
        if after == shown[1] - 1 or node.table.columns(room, after) == shown:
            return False
        self._folds.moved[node.key] = after
        self._folds.changes += 1
        return True

    def reveal(self, has: Callable[[str], object], most: int = _MOST_SEARCHED) -> None:
        """Unfold whatever has to be for every node with such a text to be seen; looks at no more than so many nodes."""
        left = [most]
        for node in self.nodes:
            self._reveal(node, has, left)

    def _reveal(self, node: Node, has: Callable[[str], object], left: list[int]) -> bool:
        left[0] -= 1
        if left[0] < 0:
            return False
        places = [number for row in node.table.rows for number, span in enumerate(row) if has(span.text)] if node.table is not None else []
        inside = bool(places)
        if places:
            self._folds.moved[node.key] = max(0, min(places) - 1)
        for child in self._children_of(node) if node.make_children is not None else ():
            inside = self._reveal(child, has, left) or inside
        if inside:
            self._folds.put(node.key, True)
        own = "".join(span.text for span in (*node.spans, *node.flow))
        return inside or bool(has(node.label) or has(own) or any(map(has, node.paragraphs)))

    def _children_of(self, node: Node) -> Sequence[Node]:
        if node.key not in self._children and node.make_children is not None:
            self._children[node.key] = node.make_children()
        return self._children.get(node.key, ())

    def lines(self, width: int) -> list[OutlineLine]:
        """Every line of what is unfolded, none wider than `width`."""
        drawn_for = width, self._folds.changes
        if drawn_for != self._drawn_for:
            self._lines = []
            self._draw(self.nodes, 0, width, -1)
            self._drawn_for = drawn_for
        return self._lines

    def _draw(self, nodes: Sequence[Node], depth: int, width: int, parent: int) -> None:
        label_width = _label_width(nodes)
        has_folds = any(node.is_foldable for node in nodes)
        for node in nodes:
            at = len(self._lines)
            sign = (OPEN_SIGN if self.is_open(node) else CLOSED_SIGN) if node.is_foldable else "  " if has_folds or depth else ""
            indent = " " * (INDENT * depth)
            lead = Span(indent + sign, Tone.MUTED)
            spans_of_node = node.spans if self.is_open(node) else (*node.spans, *node.folded_spans)
            for number, spans in enumerate(_node_lines(node, spans_of_node, lead, label_width, width)):
                self._lines.append(OutlineLine(spans, node, number == 0, parent))
            if self.is_open(node):
                self._draw_inside(node, depth + 1, width, at)

    def _draw_inside(self, node: Node, depth: int, width: int, at: int) -> None:
        room = width - INDENT * depth - INDENT
        table = node.table
        if table is not None and (node.make_children is None or table.fits(room) or (table.moves(room) and not self.stands_still)):
            indent = Span(" " * (INDENT * depth + INDENT))
            self._rooms[node.key] = room
            for spans in table.lines(table.columns(room, self._folds.moved.get(node.key, 0))):
                self._lines.append(OutlineLine(_clip((indent, *spans), width), node, False, at))
        elif node.make_children is not None:
            self._draw(self._children_of(node), depth, width, at)


def _label_width(nodes: Sequence[Node]) -> int:
    """How wide labels that stand in front of a value are, so that the values stand in one column."""
    return max((min(width_of(node.label), _LABEL_MOST) for node in nodes if node.paragraphs or node.spans or node.folded_spans), default=0)


def _fitted(label: str, width: int) -> str:
    """The label in so many cells, the ends of a long one kept, and a gap."""
    return fit(shorten_middle(label, width), width) + " " * _LABEL_GAP


def _node_lines(node: Node, spans: Sequence[Span], lead: Span, label_width: int, width: int) -> Iterator[tuple[Span, ...]]:
    if node.flow:
        yield from _flow_lines(node, lead, width)
        return
    if not node.paragraphs:
        label = _fitted(node.label, label_width) if spans and node.label else shorten(node.label, width)
        yield _clip((lead, Span(label, node.label_tone), *spans), width)
        return
    label = _fitted(node.label, label_width) if node.label else ""
    margin = width_of(lead.text) + width_of(label)
    if label and width - margin < _TEXT_LEAST:  # too narrow to stand beside it: below it
        yield _clip((lead, Span(node.label, node.label_tone)), width)
        label, margin = "", width_of(lead.text) + INDENT
        lead = Span(" " * margin)
    first: tuple[Span, ...] = (lead, Span(label, node.label_tone))
    for paragraph in node.paragraphs:
        for text in wrap(paragraph, width - margin):
            yield _clip((*first, Span(text, node.tone)), width)
            first = (Span(" " * margin),)


def _flow_lines(node: Node, lead: Span, width: int) -> Iterator[tuple[Span, ...]]:
    room = width - width_of(lead.text) - max(map(width_of, node.leads))
    front = node.leads[0]
    for spans in wrap_spans(node.flow, room):
        yield _clip((lead, Span(front, Tone.MUTED), *spans), width)
        lead, front = Span(" " * width_of(lead.text)), node.leads[1]


def wrap_spans(spans: Sequence[Span], width: int) -> Iterator[tuple[Span, ...]]:
    """Spans broken into lines of at most `width` cells, at spaces where there are some; each keeps its tone."""
    whole = "".join(span.text for span in spans)
    bounds = list(accumulate((len(span.text) for span in spans), initial=0))
    at = 0
    for line in wrap(whole, width):
        start = whole.index(line, at)
        at = start + len(line)
        pieces = zip(spans, bounds, strict=False)
        yield tuple(
            Span(span.text[max(0, start - first) : at - first], span.tone)
            for span, first in pieces
            if first < at and first + len(span.text) > start
        )


def _clip(spans: Sequence[Span], width: int) -> tuple[Span, ...]:
    """The spans cut to `width` cells, empty ones left out."""
    clipped: list[Span] = []
    for text, tone in spans:
        taken = width_of(text)
        if taken > width:
            text = shorten(text, width)
        if text:
            clipped.append(Span(text, tone))
        width -= taken
        if width <= 0:
            break
    return tuple(clipped)
