"""Turns lines of the board into strips of styled text. Knows columns and styles; decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from datetime import datetime
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from treadle_tui.board.cell_text import UNREAD, CellShows, cell_text, shown_state, subtask_text
from treadle_tui.board.columns import GAP, GUTTER, Column, ColumnPlan, VisibleColumns
from treadle_tui.board.expansion import LineKey
from treadle_tui.board.safe_text import fit, safe_line, shorten, shorten_middle, width_of
from treadle_tui.board.tally import Tally
from treadle_tui.board.view import BoardLine, Question
from treadle_tui.engine.record import Record
from treadle_tui.engine.selection import Order
from treadle_tui.engine.states import ItemState, StageState

CURSOR_BAR = "▌"
MARK = "●"
#: Behind an item that a person has paused.
PAUSED_SIGN = "‖"
#: In front of what waits no more: a person has decided, and the decision is about to be sent.
DECIDED_SIGN = "◇"
_BRANCH, _LAST_BRANCH = "  ├ ", "  └ "


class Sorting(NamedTuple):
    """What the list is sorted by, as the heads say it."""

    item_head: str = "item"
    stage: str = ""
    """The stage whose state counts."""
    arrow: str = ""

    @classmethod
    def of(cls, question: Question) -> Sorting:
        """As a question says it."""
        arrow = "▾" if question.is_descending else "▴"
        match question.order:
            case Order.ADDED:
                return cls(f"added {arrow}") if question.is_descending else PLAIN
            case Order.ID:
                return cls(f"item {arrow}")
            case Order.STAGE:
                return cls("item", question.stage, arrow)
        return cls(f"{question.order.value} {arrow}")


PLAIN = Sorting()


class Counted(NamedTuple):
    """What is counted above the items."""

    newcomers: int = 0
    listed: int | None = None
    """Items the filter has found; None without one."""
    is_whole: bool = True
    """Whether that is all it finds."""
    marked: int = 0

    def words(self, items: int, room: int) -> str:
        """ "300 items", "12 of 300", "●3 · 12 of 300": as much as there is room for."""
        if self.listed is None:
            ways = ["1 item" if items == 1 else f"{items:,} items", f"{items:,}"]
        else:
            listed = f"{self.listed:,}{'' if self.is_whole else '+'}"
            ways = [f"{listed} of {items:,}", f"{listed} found", listed]
        if self.marked:
            marked = f"{MARK}{self.marked:,}"
            ways = [*(f"{marked} · {way}" for way in ways), f"{marked} marked", marked]
        return next((way for way in ways if width_of(way) <= room), ways[-1])


class GridStyles(Record, frozen=True):
    """The styles of the grid's parts, resolved for the present theme."""

    base: Style
    cursor_row: Style
    cursor_cell: Style
    cursor_bar: Style
    head: Style
    head_at_cursor: Style
    child: Style
    faint: Style
    pill: Style
    states: dict[StageState, Style]

    @classmethod
    def resolve(cls, component: Callable[[str], Style], partial: Callable[[str], Style]) -> GridStyles:
        """Ask a widget for its component styles: whole ones for backgrounds, partial ones to lay over them."""
        return cls(
            base=component("base"),
            cursor_row=component("cursor-row"),
            cursor_cell=component("cursor-cell"),
            cursor_bar=partial("cursor-bar"),
            head=component("head"),
            head_at_cursor=partial("head-at-cursor"),
            child=partial("child"),
            faint=partial("faint"),
            pill=component("pill"),
            states={state: partial(state.value.replace("_", "-")) for state in StageState},
        )


class GridPainter(Record, frozen=True):
    """Draws for one plan of columns and one set of styles; made anew when either changes."""

    plan: ColumnPlan
    visible: VisibleColumns
    styles: GridStyles
    shows: CellShows = CellShows.STATE
    now: datetime | None = None
    """What ages are reckoned from."""
    held: Set[str] = frozenset()
    """Stages that start no more."""
    decided: Set[tuple[str, str, str | None]] = frozenset()
    """Cells whose decision is made, and not sent yet."""

    def line(self, line: BoardLine, cursor_stage: str | None, *, is_marked: bool, is_gone: bool = False) -> Strip:
        """An item's line or a subtask's; `cursor_stage` when the cursor is on it; `is_gone` when the filter fits it no longer."""
        base = self.styles.base if cursor_stage is None else self.styles.cursor_row
        segments = [*self._gutter(base, is_cursor=cursor_stage is not None, is_marked=is_marked), self._name(line, base, is_gone)]
        x = GUTTER + self.plan.item_width
        for column in self.visible.columns:
            text, style = self._cell(line, column)
            if column.stage == cursor_stage:
                segments += self._cursor_cell(text, style, column, x)
            else:
                segments += [Segment(" " * (column.x - x), base), Segment(fit(text, column.width), base + style)]
            x = column.x + column.width
        return self._finish(segments, x, base)

    def _cursor_cell(self, text: str, style: Style, column: Column, x: int) -> Iterator[Segment]:
        """The cell as a block that is one cell wider than its text on either side."""
        row = self.styles.cursor_row
        block = min(max(width_of(text), 3) + 1, column.width)
        yield Segment(" " * (column.x - x - 1), row)
        yield Segment(" " + fit(text, block), self.styles.cursor_cell)
        yield Segment(" " * (column.width - block), row)

    def blank(self) -> Strip:
        """Below the last line."""
        return Strip([Segment(" " * self.plan.width, self.styles.base)], self.plan.width)

    def head(self, cursor_stage: str, sorting: Sorting = PLAIN) -> Strip:
        """The stages' names; the cursor's stands out, and what the list is sorted by has an arrow."""
        head = self.styles.head
        left = f"‹ {self.visible.hidden_left}" if self.visible.hidden_left else ""
        lead = fit(shorten(sorting.item_head, self.plan.item_width - len(left)), self.plan.item_width - len(left)) + left
        segments = [Segment(" " * GUTTER, head), Segment(lead, head)]
        x = GUTTER + self.plan.item_width
        for column in self.visible.columns:
            style = head + self.styles.head_at_cursor if column.stage == cursor_stage else head
            arrow = f" {sorting.arrow}" if sorting.stage == column.stage else ""
            arrow = f" {PAUSED_SIGN}{arrow}" if column.stage in self.held else arrow
            name = shorten_middle(safe_line(column.stage), max(1, column.width - len(arrow))) + arrow
            segments.append(Segment(" " * (column.x - x), head))
            segments.append(Segment(fit(name, column.width), style))
            x = column.x + column.width
        return self._finish(segments, x, head)

    def tallies(self, tally: Tally, counted: Counted) -> Strip:
        """Under the names: how many there are, and what waits and what failed per stage."""
        head = self.styles.head
        segments = [Segment(" " * GUTTER, head), *self._count(tally.items, counted)]
        x = GUTTER + self.plan.item_width
        for column in self.visible.columns:
            segments.append(Segment(" " * (column.x - x), head))
            segments += self._stage_tally(tally, column)
            x = column.x + column.width
        return self._finish(segments, x, head)

    def _gutter(self, base: Style, *, is_cursor: bool, is_marked: bool) -> Iterator[Segment]:
        yield Segment(CURSOR_BAR if is_cursor else " ", base + self.styles.cursor_bar)
        yield Segment(MARK if is_marked else " ", base + self.styles.cursor_bar)

    def _name(self, line: BoardLine, base: Style, is_gone: bool) -> Segment:
        width = self.plan.item_width
        if line.stage:
            name = safe_line(line.child.name) if line.child else UNREAD
            text = (_LAST_BRANCH if line.is_last_child else _BRANCH) + name
            return Segment(fit(text, width), base + self.styles.child)
        if line.row is None:
            return Segment(fit(UNREAD, width), base + self.styles.faint)
        style = base + self.styles.faint if is_gone else base
        sign = f" {PAUSED_SIGN}" if line.row.state is ItemState.PAUSED else ""
        room = width - len(sign)
        return Segment(fit(shorten_middle(safe_line(line.row.item_id), room), room) + sign, style)

    def _cell(self, line: BoardLine, column: Column) -> tuple[str, Style]:
        if line.stage:
            if line.stage != column.stage or line.child is None:
                return "", self.styles.faint
            return self._marked(line, column, line.child.state, subtask_text(line.child), self.styles.states[line.child.state])
        cell = line.row.cells.get(column.stage) if line.row else None
        if cell is None:
            return "", self.styles.faint
        return self._marked(line, column, cell.state, cell_text(cell, self.shows, self.now), self.styles.states[shown_state(cell)])

    def _marked(self, line: BoardLine, column: Column, state: StageState, text: str, style: Style) -> tuple[str, Style]:
        """What is held, or decided and not sent yet, has another sign in front."""
        if state is StageState.PENDING and column.stage in self.held:
            return PAUSED_SIGN + text[1:], style
        place = (line.row.item_id if line.row else "", column.stage, line.child.name if line.child else None)
        if state is StageState.AWAITING_REVIEW and place in self.decided:
            return DECIDED_SIGN + text[1:], self.styles.faint
        return text, style

    def _count(self, items: int, counted: Counted) -> Iterator[Segment]:
        width = self.plan.item_width
        pill = f" +{counted.newcomers:,} new " if counted.newcomers else ""
        room = max(0, width - width_of(pill))
        yield Segment(fit(counted.words(items, room), room), self.styles.head)
        if pill:
            yield Segment(fit(pill, width - room), self.styles.pill)

    def _stage_tally(self, tally: Tally, column: Column) -> Iterator[Segment]:
        head = self.styles.head
        left = column.width
        for state, count in tally.needs_person(column.stage):
            text = f"{state.glyph}{count:,}"
            if width_of(text) > left:
                break
            yield Segment(text, head + self.styles.states[state])
            left -= width_of(text)
            if left:
                yield Segment(" ", head)
                left -= 1
        yield Segment(" " * left, head)

    def _finish(self, segments: list[Segment], x: int, base: Style) -> Strip:
        """Fill the line to the edge; columns that do not fit are announced there."""
        width = self.plan.width
        more = f"{self.visible.hidden_right} ›" if self.visible.hidden_right and base is self.styles.head else ""
        if more and x + GAP + width_of(more) <= width:
            segments += [Segment(" " * (width - x - width_of(more)), base), Segment(more, base)]
        else:
            segments.append(Segment(" " * max(0, width - x), base))
        return Strip([segment for segment in segments if segment.text]).adjust_cell_length(width, base)


class StripCache:
    """Drawn lines, by what they are about; one is drawn again when anything it shows is another object or value."""

    def __init__(self, most: int = 64) -> None:
        self.most = most
        """Lines that are kept. Textual keeps beside each of them every way in which it was ever cut: a dozen strips."""
        self._strips: dict[LineKey, tuple[BoardLine, str | None, bool, bool, Strip]] = {}

    def strip(self, painter: GridPainter, line: BoardLine, cursor_stage: str | None, *, is_marked: bool, is_gone: bool = False) -> Strip:
        """The line as the painter draws it, or has drawn it before."""
        if line.key is None:
            return painter.line(line, cursor_stage, is_marked=is_marked)
        known = self._strips.get(line.key)
        if known is not None and known[1:4] == (cursor_stage, is_marked, is_gone) and _shows_the_same(known[0], line):
            return known[4]
        strip = painter.line(line, cursor_stage, is_marked=is_marked, is_gone=is_gone)
        self._strips.pop(line.key, None)
        while len(self._strips) >= self.most:
            del self._strips[next(iter(self._strips))]
        self._strips[line.key] = (line, cursor_stage, is_marked, is_gone, strip)
        return strip

    def clear(self) -> None:
        """Columns or styles have changed."""
        self._strips.clear()


def _shows_the_same(one: BoardLine, other: BoardLine) -> bool:
    return one.row is other.row and one.child is other.child and one.is_last_child == other.is_last_child
