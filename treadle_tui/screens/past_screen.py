"""The board as it was right after an event, clearly marked; `<` and `>` go through the log, `esc` returns to the present.

Nothing can be changed from here. What a row shows is folded from the events of its item; only rows on the screen are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Protocol

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from treadle_tui.board.board import Board
from treadle_tui.board.past import event_line, moment_words, scrub_line
from treadle_tui.board.safe_text import safe_line
from treadle_tui.board.tally import Tally
from treadle_tui.board.view import Changes, Question
from treadle_tui.engine.events import Event
from treadle_tui.engine.states import SubTaskStatus
from treadle_tui.engine.status import ItemRow
from treadle_tui.engine.store.log_view import LogBounds
from treadle_tui.screens.page import Page
from treadle_tui.screens.rereading import Rereading
from treadle_tui.widgets.board_grid import BoardGrid
from treadle_tui.widgets.key_bar import KeyBar
from treadle_tui.widgets.plain_text import TitleLine
from treadle_tui.widgets.span_text import SpanText

#: Events that a large step goes.
MANY = 50


class PastReads(Protocol):
    """What the screen reads."""

    workflow: str

    async def step(self, seq: int, delta: int) -> Event | None:
        """The event so many of the workflow's events behind or before that one; the outermost where there are fewer; None for none."""
        ...

    async def bounds(self) -> LogBounds:
        """The first and the last event."""
        ...

    async def count(self, seq: int) -> int:
        """How many items there were."""
        ...

    async def page(self, seq: int, offset: int, limit: int) -> list[ItemRow]:
        """Rows as they were."""
        ...

    async def tally(self, seq: int) -> Tally | None:
        """The totals as they were; None while there are too many items to count them."""
        ...

    async def subtasks(self, seq: int, item_id: str, stage: str) -> list[SubTaskStatus]:
        """Subtasks as they were."""
        ...

    def now(self) -> datetime:
        """The present moment."""
        ...

    def returned(self, event: Event) -> None:
        """The person has come back from that moment."""
        ...


class PastScreen(Page):
    """A grid that is not live."""

    BINDING_GROUP_TITLE = "The past"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("less_than_sign,<", "step(-1)", "Back", key_display="<", id="past.back", tooltip="The board before this event"),
        Binding("greater_than_sign,>", "step(1)", "On", key_display=">", id="past.on", tooltip="The board after the next event"),
        Binding("left_curly_bracket", f"step(-{MANY})", "Far back", key_display="{", id="past.far_back", tooltip=f"{MANY} events back"),
        Binding("right_curly_bracket", f"step({MANY})", "Far on", key_display="}", id="past.far_on", tooltip=f"{MANY} events on"),
        Binding("escape", "leave", "Back to now", id="past.leave", key_display="esc", tooltip="Return to the present"),
    ]

    DEFAULT_CSS = """
    PastScreen {
        layout: vertical;
        background: $background;
        border: heavy $state-awaiting-review;
        & > TitleLine { margin: 0 1; }
        & > #event { margin: 0 2; }
        & > #scrub { margin: 0 2 1 2; }
        & > BoardGrid { height: 1fr; }
    }
    """

    def __init__(self, desk: PastReads, event: Event, stages: Sequence[str]) -> None:
        super().__init__()
        self._desk = desk
        self._event = event
        self._bounds = LogBounds()
        self._steps = 0
        self._tally: Tally | None = None
        self.board = Board()
        self.board.ask(Question(desk.workflow), stages)
        self._rereading = Rereading(self, self._read, self.say, 0.02)

    def compose(self) -> ComposeResult:
        """The moment, what happened then, where in the log that is, the board."""
        yield TitleLine("", "")
        yield SpanText(id="event")
        yield SpanText(id="scrub")
        grid = BoardGrid(self.board)
        grid.clock = lambda: self._event.at or self._desk.now()
        yield grid
        yield KeyBar()

    def on_mount(self) -> None:
        """Read at once."""
        self.query_one(BoardGrid).focus()
        self._rereading.due()

    def on_resize(self) -> None:
        """The line of the log is as wide as the screen."""
        self.call_after_refresh(self._rereading.due)

    # reading --------------------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Go the steps that were asked for, and read what is looked at as it was then."""
        while self._steps:
            delta, self._steps = self._steps, 0
            self._event = await self._desk.step(self._event.seq, delta) or self._event
            self.board.take_unknown_changes()
        self._bounds = await self._desk.bounds()
        seq, size = self._event.seq, self.board.window.page_rows
        self.board.welcomes_newcomers = True
        changes = self.board.take_total(await self._desk.count(seq))
        while (wanted := self.board.wanted_pages()) and not self._steps:
            ticket = self.board.draw_ticket()
            found = self.board.take_page(wanted[0], await self._desk.page(seq, wanted[0] * size, size), ticket)
            changes.is_rearranged |= bool(found)
        for item_id, stage in self.board.wanted_children(self.board.visible_items()):
            ticket = self.board.draw_ticket()
            self.board.take_children(item_id, stage, await self._desk.subtasks(seq, item_id, stage), ticket)
            changes.is_rearranged = True
        if self.is_attached and self.app.is_running and self.query(KeyBar):
            self._show(changes)
            if not self._steps:
                self._tally = await self._desk.tally(seq)
                self._show_tally()

    def _show_tally(self) -> None:
        if self.is_attached and self.query(BoardGrid):
            self.query_one(BoardGrid).show_tally(self._tally or Tally(self.board.total))

    def _show(self, changes: Changes) -> None:
        self.query_one(TitleLine).show(moment_words(self._event, self._desk.now()), safe_line(self._desk.workflow))
        self.query_one("#event", SpanText).show([event_line(self._event)])
        self.query_one("#scrub", SpanText).show([scrub_line(self._event, self._bounds, max(20, self.size.width - 6))])
        grid = self.query_one(BoardGrid)
        if self._tally is None:
            self._show_tally()
        if changes.is_rearranged:
            grid.rearrange()

    def on_board_grid_needs(self, event: BoardGrid.Needs) -> None:
        """Rows are looked at that have not been read."""
        event.stop()
        self._rereading.due()

    def on_board_grid_opened(self, event: BoardGrid.Opened) -> None:
        """Nothing is opened from the past."""
        event.stop()
        self.say("this is the past, and only to be looked at")

    def on_board_grid_waiting_sought(self, event: BoardGrid.WaitingSought) -> None:
        """Only what has been read is looked through."""
        event.stop()

    def action_step(self, delta: int) -> None:
        """So many events on or back."""
        self._steps += delta
        self._rereading.due()

    def action_leave(self) -> None:
        """Return to the present."""
        self._desk.returned(self._event)
        self.dismiss()
