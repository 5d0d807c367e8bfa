"""The picture of a workflow on the screen: boxes with edges, or a tree; a cursor goes from stage to stage."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from treadle_tui.board.graph_facts import GraphFacts
from treadle_tui.board.graph_layout import Place
from treadle_tui.board.graph_picture import BOX_LINES, GraphPicture
from treadle_tui.board.outline import Span, Tone
from treadle_tui.board.safe_text import fit, safe_line, width_of
from treadle_tui.widgets.span_line import line_of

_TONES = tuple(tone.value for tone in Tone if tone is not Tone.PLAIN)
_NAME_MOST = 48


class GraphView(ScrollView, can_focus=True):
    """Draws what is in sight."""

    BINDING_GROUP_TITLE = "Stages"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Items", id="graph.open", key_display="enter", tooltip="Show the items of the stage under the cursor"),
        Binding("b", "other_form", "Tree or boxes", id="graph.form", tooltip="Show the workflow as boxes with edges, or as a tree"),
        Binding("up,k", "move(0, -1)", "Up", show=False, id="graph.up", tooltip="To the stage above"),
        Binding("down,j", "move(0, 1)", "Down", show=False, id="graph.down", tooltip="To the stage below"),
        Binding("left,h", "move(-1, 0)", "Left", show=False, id="graph.left", tooltip="To the stage on the left"),
        Binding("right,l", "move(1, 0)", "Right", show=False, id="graph.right", tooltip="To the stage on the right"),
        Binding("home", "end_of(-1)", "First", show=False, id="graph.first", tooltip="To the first stage"),
        Binding("end", "end_of(1)", "Last", show=False, id="graph.last", tooltip="To the last stage"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="graph.page_up", tooltip="One screen up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="graph.page_down", tooltip="One screen down"),
    ]

    COMPONENT_CLASSES: ClassVar[set[str]] = {"graph-view--cursor", *(f"graph-view--{tone}" for tone in _TONES)}
    """
    | Class | Description |
    | :- | :- |
    | `graph-view--cursor` | The line under the cursor, in the tree |
    | `graph-view--muted` … `graph-view--cancelled` | Tones of the text |
    """

    DEFAULT_CSS = """
    GraphView {
        background: $background;
        color: $foreground;
        height: 1fr;
        scrollbar-size: 1 1;
        & > .graph-view--cursor { background: $cursor-row; text-style: $line-cursor-style; }
        & > .graph-view--muted { color: $quiet; }
        & > .graph-view--label { color: $quiet; }
        & > .graph-view--heading { color: $foreground; text-style: bold; }
        & > .graph-view--pending { color: $state-pending; }
        & > .graph-view--running { color: $state-running; }
        & > .graph-view--retry-wait { color: $state-retry-wait; }
        & > .graph-view--awaiting-review { color: $state-awaiting-review; }
        & > .graph-view--completed { color: $state-completed; }
        & > .graph-view--skipped { color: $state-skipped; }
        & > .graph-view--failed { color: $state-failed; }
        & > .graph-view--cancelled { color: $state-cancelled; }
    }
    """

    ALLOW_SELECT = False

    class Opened(Message):
        """A stage was chosen."""

        def __init__(self, stage: str) -> None:
            super().__init__()
            self.stage = stage

    class Moved(Message):
        """The cursor stands on another stage."""

        def __init__(self, stage: str) -> None:
            super().__init__()
            self.stage = stage

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.facts: GraphFacts | None = None
        self.stage = ""
        """The stage under the cursor; empty when there is none."""
        self._wants_boxes: bool | None = None

    # what is shown --------------------------------------------------------------------------------------------------------------

    @property
    def picture(self) -> GraphPicture | None:
        """The picture, when it is boxes that are shown: wanted, or not said otherwise and there is room."""
        picture = self.facts.picture if self.facts is not None else None
        if picture is None or self._wants_boxes is False:
            return None
        return picture if self._wants_boxes or picture.width + 2 <= self.size.width else None

    def show(self, facts: GraphFacts) -> None:
        """Show newer facts; the cursor stays on its stage."""
        is_other = self.facts is None or self.facts.tree != facts.tree
        self.facts = facts
        if not any(line.stage == self.stage for line in facts.tree):
            self.stage = facts.tree[0].stage if facts.tree else ""
            self.post_message(self.Moved(self.stage))
        if is_other:
            self._measure()
        self.refresh()

    def go_to(self, stage: str) -> None:
        """Put the cursor on a stage; nothing for an unknown one."""
        if self.facts is not None and any(line.stage == stage for line in self.facts.tree):
            self.stage = stage
            self._show_cursor()
            self.refresh()
            self.post_message(self.Moved(stage))

    def _measure(self) -> None:
        picture = self.picture
        if picture is not None:
            self.virtual_size = Size(picture.width + 2, picture.height)
        else:
            self.virtual_size = Size(0, len(self.facts.tree) if self.facts is not None else 0)
        self._show_cursor()

    def on_resize(self) -> None:
        """There may be room for boxes now, or none any more."""
        self._measure()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """A line of the picture, or of the tree."""
        width, facts = self.scrollable_content_region.width, self.facts
        at = round(self.scroll_y) + y
        picture = self.picture
        if facts is None:
            return Strip.blank(width, self.rich_style)
        if picture is None:
            return self._tree_line(facts, at, width)
        if at >= picture.height:
            return Strip.blank(width, self.rich_style)
        spans = [Span(" "), *picture.line(at, facts.look, self.stage if self.has_focus else "")]
        strip = line_of([(text, self._tone(tone)) for text, tone in spans], [], picture.width + 2, self.rich_style)
        left = round(self.scroll_x)
        return strip.crop(left, left + width).extend_cell_length(width, self.rich_style)

    def _tree_line(self, facts: GraphFacts, at: int, width: int) -> Strip:
        if at >= len(facts.tree):
            return Strip.blank(width, self.rich_style)
        stage, prefix, also = facts.tree[at]
        look = facts.look(stage)
        names = max(width_of(line.prefix + safe_line(line.stage)) for line in facts.tree)
        room = min(names, _NAME_MOST, width * 3 // 5)
        base = self.rich_style
        if stage == self.stage and self.has_focus:
            base = self.get_component_rich_style("graph-view--cursor")
        spans = [Span(" " + prefix, Tone.MUTED), Span(fit(safe_line(stage), max(4, room - width_of(prefix))) + "  ", Tone.HEADING)]
        spans += [Span(f"{look.mark} ", Tone.AWAITING_REVIEW)] if look.mark else []
        spans += look.spans
        spans += [Span(f"  also after {', '.join(map(safe_line, also))}", Tone.MUTED)] if also else []
        return line_of([(text, self._tone(tone)) for text, tone in spans], [], width, base)

    def _tone(self, tone: Tone) -> Style:
        return Style.null() if tone is Tone.PLAIN else self.get_component_rich_style(f"graph-view--{tone.value}", partial=True)

    # moving ---------------------------------------------------------------------------------------------------------------------

    def _show_cursor(self) -> None:
        picture = self.picture
        if self.facts is None or not self.stage:
            return
        if picture is not None:
            box = picture.boxes[self.stage]
            self.scroll_to_region(Region(box.x, box.y, box.width + 2, BOX_LINES), animate=False, force=True)
            return
        line = next(number for number, each in enumerate(self.facts.tree) if each.stage == self.stage)
        self.scroll_to_region(Region(0, line, 1, 1), animate=False, force=True)

    def action_move(self, right: int, down: int) -> None:
        """To the next stage in that direction."""
        if self.facts is None or not self.stage:
            return
        picture = self.picture
        if picture is not None:
            self.go_to(neighbour(picture, self.stage, right, down))
            return
        names = [line.stage for line in self.facts.tree]
        self.go_to(names[max(0, min(names.index(self.stage) + right + down, len(names) - 1))])

    def action_end_of(self, direction: int) -> None:
        """To the first or the last stage."""
        if self.facts is not None and self.facts.tree:
            self.go_to(self.facts.tree[0 if direction < 0 else -1].stage)

    def action_page(self, direction: int) -> None:
        """Some screens up or down; the cursor stays where it is."""
        self.scroll_relative(y=direction * max(1, self.size.height - 2), animate=False, force=True)

    def action_other_form(self) -> None:
        """Boxes instead of the tree, or the other way round."""
        self._wants_boxes = self.picture is None
        self._measure()
        self.refresh()

    def action_open(self) -> None:
        """Choose the stage under the cursor."""
        if self.stage:
            self.post_message(self.Opened(self.stage))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the stage; a second click chooses it."""
        event.stop()
        y, picture = round(self.scroll_y) + event.y, self.picture
        if picture is not None:
            stage = picture.stage_at(round(self.scroll_x) + event.x - 1, y)
        else:
            stage = self.facts.tree[y].stage if self.facts is not None and y < len(self.facts.tree) else ""
        if stage and stage == self.stage and event.chain > 1:
            self.action_open()
        elif stage:
            self.go_to(stage)


def neighbour(picture: GraphPicture, stage: str, right: int, down: int) -> str:
    """The next stage in a direction; the stage itself when there is none. Down and up prefer a stage an edge leads to."""
    place = picture.layout.place(stage)
    if place is None:
        return stage
    if right:
        row = [each for each in picture.layout.layers[place.layer] if not each.is_line]
        at = next(number for number, each in enumerate(row) if each is place) + right
        return row[at].stage if 0 <= at < len(row) else stage
    linked = _beyond(place.below if down > 0 else place.above, down)
    others = (layer for layer in picture.layout.layers[place.layer + down :: down] if place.layer + down >= 0)
    nearest = linked or next((row for layer in others if (row := [each for each in layer if not each.is_line])), [])
    return min(nearest, key=lambda each: (abs(each.layer - place.layer), abs(each.port - place.port))).stage if nearest else stage


def _beyond(places: list[Place], down: int) -> list[Place]:
    """The stages at the ends of these lines."""
    found: list[Place] = []
    for each in places:
        found += _beyond(each.below if down > 0 else each.above, down) if each.is_line else [each]
    return found
