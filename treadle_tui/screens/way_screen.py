"""The way of one item through its workflow, as a picture: the same as of the workflow, with where the item stands in each box."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from treadle_tui.board.graph_facts import GraphFacts
from treadle_tui.screens.graph_screen import GraphReads
from treadle_tui.screens.page import Page
from treadle_tui.screens.rereading import Rereading
from treadle_tui.widgets.graph_view import GraphView
from treadle_tui.widgets.key_bar import KeyBar
from treadle_tui.widgets.plain_text import TitleLine
from treadle_tui.widgets.span_text import SpanText

_READ_SECONDS = 0.25


class WayView(GraphView):
    """The picture of one item's way; what is chosen is shown on the item."""

    BINDING_GROUP_TITLE = "Way of an item"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Stage", id="way.open", key_display="enter", tooltip="Back to the item, at the stage under the cursor"),
    ]


class ItemGraph(Page):
    """The way of one item through its workflow."""

    BINDING_GROUP_TITLE = "Way of an item"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="way.leave", key_display="esc", tooltip="Back to the item"),
    ]

    DEFAULT_CSS = """
    ItemGraph {
        layout: vertical;
        background: $background;
        & > TitleLine { margin: 0 1 1 1; }
        & > WayView { margin: 0 1; }
        & > #about { margin: 0 2; }
    }
    """

    def __init__(self, desk: GraphReads, item_id: str, stage: str, facts: GraphFacts) -> None:
        super().__init__()
        self._desk = desk
        self._stage = stage
        self._facts = facts
        self.item_id = item_id
        """The item whose way is shown."""
        self._rereading = Rereading(self, self._read, self.say, _READ_SECONDS)

    def compose(self) -> ComposeResult:
        """Title, picture, the stage under the cursor."""
        yield TitleLine(self.item_id, f"its way through {self._facts.workflow}")
        yield WayView()
        yield SpanText(id="about")
        yield KeyBar()

    def on_mount(self) -> None:
        """The stage it was opened at is under the cursor."""
        view = self.query_one(WayView)
        view.show(self._facts)
        view.focus()
        self.call_after_refresh(view.go_to, self._stage)

    def items_changed(self, items: AbstractSet[str] | None) -> None:
        """Read again, when it is this one."""
        if items is None or self.item_id in items:
            self._rereading.due()

    async def _read(self) -> None:
        facts = await self._desk.way_of(self.item_id)
        if facts is not None and self.is_attached:
            self.query_one(WayView).show(facts)
            self._tell_about()

    @on(GraphView.Moved)
    def _tell_about(self) -> None:
        view = self.query_one(WayView)
        if view.facts is not None:
            self.query_one("#about", SpanText).show([view.facts.about(view.stage)])

    @on(GraphView.Opened)
    def _opened(self, event: GraphView.Opened) -> None:
        self._desk.show_on_item(event.stage)
        self.dismiss()

    def action_leave(self) -> None:
        """Back to the item."""
        self.dismiss()
