"""An outline on the screen: folds under headings, scrolled and folded by keys or mouse."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from treadle_tui.board.outline import Node, Outline, OutlineLine, Span, Tone
from treadle_tui.board.outline_search import Hit, Place, hits_in, pattern_of
from treadle_tui.widgets.line_view import LineView

_MOST_DRAWN = 2048


class OutlineView(LineView, can_focus=True):
    """Folding text; draws only what is on the screen."""

    PARTS = "outline-view"

    BINDING_GROUP_TITLE = "Text"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="outline.up", tooltip="One line up"),
        Binding("down,j", "move(1)", "Down", show=False, id="outline.down", tooltip="One line down"),
        Binding("pageup,K", "page(-1)", "Page up", show=False, id="outline.page_up", tooltip="One screen up"),
        Binding("pagedown,J,space", "page(1)", "Page down", show=False, id="outline.page_down", tooltip="One screen down"),
        Binding("home", "top", "Top", show=False, id="outline.top", tooltip="To the beginning"),
        Binding("end", "bottom", "Bottom", show=False, id="outline.bottom", tooltip="To the end"),
        Binding(
            "right,l",
            "unfold",
            "Unfold",
            id="outline.unfold",
            key_display="→",
            tooltip="Unfold it; in a wide table: columns to the right",
        ),
        Binding(
            "left,h",
            "fold",
            "Fold",
            show=False,
            id="outline.fold",
            tooltip="Fold it; in a wide table: columns to the left",
        ),
        Binding("L", "unfold_all", "Unfold all", show=False, id="outline.unfold_all", tooltip="Unfold or fold everything shown"),
    ]

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "outline-view--cursor",
        "outline-view--muted",
        "outline-view--label",
        "outline-view--heading",
        "outline-view--pending",
        "outline-view--running",
        "outline-view--retry-wait",
        "outline-view--awaiting-review",
        "outline-view--completed",
        "outline-view--skipped",
        "outline-view--failed",
        "outline-view--cancelled",
        "outline-view--hit",
        "outline-view--hit-shown",
    }
    """
    | Class | Description |
    | :- | :- |
    | `outline-view--cursor` | The line under the cursor |
    | `outline-view--muted`, `--label`, `--heading` | Tones of the text |
    | `outline-view--pending` … `--cancelled` | Tones of states |
    | `outline-view--hit`, `--hit-shown` | What was looked for; the place the cursor is at |
    """

    DEFAULT_CSS = """
    OutlineView {
        & > .outline-view--cursor { background: $cursor-row; text-style: $line-cursor-style; }
        & > .outline-view--muted { color: $quiet; }
        & > .outline-view--label { color: $quiet; }
        & > .outline-view--heading { color: $foreground; text-style: bold; }
        & > .outline-view--pending { color: $state-pending; }
        & > .outline-view--running { color: $state-running; }
        & > .outline-view--retry-wait { color: $state-retry-wait; }
        & > .outline-view--awaiting-review { color: $state-awaiting-review; }
        & > .outline-view--completed { color: $state-completed; }
        & > .outline-view--skipped { color: $state-skipped; }
        & > .outline-view--failed { color: $state-failed; }
        & > .outline-view--cancelled { color: $state-cancelled; }
        & > .outline-view--hit { color: $accent; text-style: underline; }
        & > .outline-view--hit-shown { color: $accent; text-style: reverse; }
    }
    """

    class CursorMoved(Message):
        """The cursor is on another line."""

        def __init__(self, view: OutlineView, node: Node | None) -> None:
            super().__init__()
            self.view = view
            self.node = node

        @property
        def control(self) -> OutlineView:
            """Alias for `view`."""
            return self.view

    def __init__(self, nodes: Sequence[Node] = (), *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._drawn: dict[tuple[Span, ...], Strip] = {}
        self.outline = Outline(nodes)
        self.cursor_line = 0
        self._pattern: re.Pattern[str] | None = None
        self._hits: list[Hit] = []
        self._hit = -1
        self._places: dict[int, list[tuple[Place, bool]]] = {}

    @property
    def lines(self) -> list[OutlineLine]:
        """The lines as they are drawn now."""
        return self.outline.lines(self._line_width)

    @property
    def _line_width(self) -> int:
        return max(10, self.text_width - 1)

    def show(self, nodes: Sequence[Node]) -> None:
        """Show newer nodes; what was unfolded stays so, and the cursor on its node."""
        self.show_prepared(self.outline.another(nodes))

    def prepare(self, nodes: Sequence[Node]) -> Outline:
        """Nodes that will be shown soon: the lines they begin with are drawn now."""
        prepared = self.outline.another(nodes)
        for line in prepared.lines(self._line_width)[: max(1, self.size.height)]:
            self._drawn_before(line.spans)
        return prepared

    def show_prepared(self, outline: Outline) -> None:
        """Show what has been prepared; the cursor stays on its line of its node, also where a node takes many."""
        key, offset = self._place()
        self.outline = outline
        self.set_line_count(len(self.lines))
        self._return_to(key, offset)
        self._rearrange()

    def _place(self) -> tuple[tuple[str, ...], int]:
        """The node under the cursor, and on which of its lines that is."""
        lines, at = self.lines, self.cursor_line
        if at >= len(lines):
            return (), 0
        first = at
        while first > 0 and not lines[first].is_first:
            first -= 1
        return lines[at].node.key, at - first

    def _return_to(self, key: tuple[str, ...], offset: int) -> None:
        lines = self.lines
        first = next((number for number, line in enumerate(lines) if line.is_first and line.node.key == key), None)
        if first is None:
            return
        self.cursor_line = first
        while offset and self.cursor_line + 1 < len(lines) and not lines[self.cursor_line + 1].is_first:
            self.cursor_line, offset = self.cursor_line + 1, offset - 1
        self.show_line(self.cursor_line)

    def go_to(self, key: tuple[str, ...]) -> None:
        """Put the cursor on the node's line; nothing when it is not shown."""
        for number, line in enumerate(self.lines):
            if line.is_first and line.node.key == key:
                self.cursor_line = number
                self.show_line(number)
                self.repaint()
                return

    def forget_drawn(self) -> None:
        """Width or styles have changed."""
        super().forget_drawn()
        self._drawn.clear()

    def draw_line(self, number: int) -> Strip:
        """One line of the text: the one under the cursor and those with what was looked for anew, others as they were drawn before."""
        spans = self.lines[number].spans if number < len(self.lines) else ()
        if number < len(self.lines) and number == self.cursor_line and self.has_focus:
            base = self.whole_part("cursor")
        elif number in self._places:
            base = self.base
        else:
            return self._drawn_before(spans)
        return self.finish([Segment(" ", base), *self._marked(spans, base, self._places.get(number, ()))], base)

    def _drawn_before(self, spans: tuple[Span, ...]) -> Strip:
        strip = self._drawn.get(spans)
        if strip is None:
            if len(self._drawn) >= _MOST_DRAWN:
                self._drawn.clear()
            strip = self.finish([Segment(" ", self.base), *self._marked(spans, self.base, ())], self.base)
            self._drawn[spans] = strip
        return strip

    def _marked(self, spans: Sequence[Span], base: Style, places: Sequence[tuple[Place, bool]]) -> Iterator[Segment]:
        """The spans, those characters of them in other styles that were looked for."""
        first = 0
        for text, tone in spans:
            style, last, at = base + self._tone(tone), first + len(text), first
            for place, is_shown in places:
                start, end = max(place.start, first), min(place.end, last)
                if start < end:
                    hit = self.part("hit-shown" if is_shown else "hit")
                    yield Segment(text[at - first : start - first], style)
                    yield Segment(text[start - first : end - first], style + hit)
                    at = end
            yield Segment(text[at - first :], style)
            first = last

    def _tone(self, tone: Tone) -> Style:
        return Style.null() if tone is Tone.PLAIN else self.part(tone.value)

    # looking for words -----------------------------------------------------------------------------------------------------------

    def look_for(self, words: str) -> None:
        """Mark every place of these words, unfold what has them, and go to the first one from the cursor on; empty: mark nothing."""
        self._pattern = pattern_of(words) if words.strip() else None
        if self._pattern is not None:
            self.outline.reveal(self._pattern.search)
        self._rearrange()
        ahead = [number for number, hit in enumerate(self._hits) if hit[0].line >= self.cursor_line]
        self._go_to_hit(ahead[0] if ahead else 0)

    def next_hit(self, delta: int) -> None:
        """To the next place, or the one before; from the last one on to the first."""
        self._go_to_hit(self._hit + delta if self._hit >= 0 else 0)

    @property
    def hits(self) -> tuple[int, int]:
        """Which place the cursor is at, from 1; and how many there are."""
        return self._hit + 1, len(self._hits)

    def _go_to_hit(self, number: int) -> None:
        self._hit = number % len(self._hits) if self._hits else -1
        self._mark_hits()
        if self._hit >= 0:
            self._move_to(self._hits[self._hit][0].line)

    def _find(self) -> None:
        self._hits = hits_in(self.lines, self._pattern) if self._pattern is not None else []
        self._hit = min(self._hit, len(self._hits) - 1)
        self._mark_hits()

    def _mark_hits(self) -> None:
        self._places = {}
        for number, hit in enumerate(self._hits):
            for place in hit:
                self._places.setdefault(place.line, []).append((place, number == self._hit))
        self.repaint()

    @property
    def node(self) -> Node | None:
        """What the cursor is on."""
        return self._node()

    def _node(self) -> Node | None:
        return self.lines[self.cursor_line].node if self.cursor_line < len(self.lines) else None

    def _rearrange(self) -> None:
        self.cursor_line = max(0, min(self.cursor_line, len(self.lines) - 1))
        self.set_line_count(len(self.lines))
        if self._pattern is not None or self._hits:
            self._find()
        self.repaint()

    def _move_to(self, line: int) -> None:
        self.cursor_line = max(0, min(line, len(self.lines) - 1))
        self.show_line(self.cursor_line)
        self.repaint()
        self.post_message(self.CursorMoved(self, self._node()))

    def on_resize(self) -> None:
        """Lines wrap at another width."""
        key, offset = self._place()
        self._rearrange()
        self._return_to(key, offset)

    def on_click(self, event: events.Click) -> None:
        """Fold or unfold what was clicked."""
        event.stop()
        line = self.first_line + event.y
        if line < len(self.lines):
            self._move_to(line)
            node = self.lines[line].node
            if self.lines[line].is_first and self.outline.fold(node, not self.outline.is_open(node)):
                self._rearrange()

    def action_move(self, delta: int) -> None:
        """Some lines up or down."""
        self._move_to(self.cursor_line + delta)

    def action_page(self, delta: int) -> None:
        """Some screens up or down."""
        self._move_to(self.cursor_line + delta * max(1, self.size.height - 1))

    def page_through(self, delta: int) -> None:
        """Some screens up or down by what is seen, for who has no cursor in here."""
        height = max(1, self.size.height)
        top = max(0, min(self.first_line + delta * max(1, height - 1), len(self.lines) - height))
        self.scroll_to(y=top, animate=False, force=True)
        self.cursor_line = top
        self.repaint()

    def action_top(self) -> None:
        """To the beginning."""
        self._move_to(0)

    def action_bottom(self) -> None:
        """To the end."""
        self._move_to(len(self.lines) - 1)

    def action_unfold(self) -> None:
        """Unfold the node under the cursor."""
        node = self._node()
        if node is not None and (self.outline.fold(node, True) or self.outline.move(node, 1)):
            self._rearrange()

    def action_fold(self) -> None:
        """Fold the node under the cursor; when it is folded or cannot be, the one it is in."""
        if self.cursor_line >= len(self.lines):
            return
        line = self.lines[self.cursor_line]
        if self.outline.move(line.node, -1):
            self._rearrange()
            return
        if line.is_first and self.outline.fold(line.node, False):
            self._rearrange()
            return
        if line.parent >= 0:
            self.outline.fold(self.lines[line.parent].node, False)
            self._move_to(line.parent)
            self._rearrange()

    def action_unfold_all(self) -> None:
        """Unfold everything that is shown, or fold everything when nothing is left to unfold."""
        foldable = [line.node for line in self.lines if line.is_first and line.node.is_foldable]
        self.outline.fold_all(any(not self.outline.is_open(node) for node in foldable))
        self._rearrange()
