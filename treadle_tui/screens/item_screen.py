"""One item: every stage with its state, times, attempts, decision and output; what waits can be reviewed from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen

from treadle_tui.board.history_outline import DOT, Attempts, item_outline
from treadle_tui.board.outline import Node
from treadle_tui.board.time_text import clock_time
from treadle_tui.engine.attempt_record import AttemptRecord
from treadle_tui.engine.states import StageState, StageStatus, StoredItem
from treadle_tui.widgets.key_bar import KeyBar
from treadle_tui.widgets.outline_view import OutlineView
from treadle_tui.widgets.plain_text import TitleLine


@dataclass(frozen=True, slots=True)
class ItemHistory:
    """Everything the screen shows of an item, read together."""

    item: StoredItem
    statuses: Mapping[str, StageStatus]
    attempts: Mapping[str, Sequence[AttemptRecord]]
    read_at: datetime


class ItemScreen(Screen[None]):
    """An item's stages, folded; the one it was opened at unfolded."""

    BINDING_GROUP_TITLE = "Item"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "review", "Review", id="item.review", key_display="enter", tooltip="Review the stage under the cursor"),
        Binding("escape", "leave", "Back", id="item.leave", key_display="esc", tooltip="Back to the board"),
    ]

    DEFAULT_CSS = """
    ItemScreen {
        layout: vertical;
        background: $background;
        & > TitleLine { margin: 0 1 1 1; }
        & > OutlineView { height: 1fr; margin: 0 1; }
    }
    """

    class ReviewWanted(Message):
        """Show the review of a waiting stage or subtask of the item."""

        def __init__(self, item_id: str, workflow: str, stage: str, subtask: str | None) -> None:
            super().__init__()
            self.item_id = item_id
            self.workflow = workflow
            self.stage = stage
            self.subtask = subtask

    class Outdated(Message):
        """What is shown of the item has changed: it should be read again."""

        def __init__(self, screen: ItemScreen) -> None:
            super().__init__()
            self.screen = screen

    def __init__(self, history: ItemHistory, stage: str) -> None:
        super().__init__()
        self.history = history
        self._stage = stage

    @property
    def item_id(self) -> str:
        """The item's id."""
        return self.history.item.id

    def compose(self) -> ComposeResult:
        """Name and standing, the outline, keys."""
        yield TitleLine(self.item_id, self._standing())
        yield OutlineView(self._outline())
        yield KeyBar()

    def on_mount(self) -> None:
        """The stage it was opened at is under the cursor."""
        view = self.query_one(OutlineView)
        view.focus()
        self.call_after_refresh(view.go_to, ("stage", self._stage))

    def items_changed(self, items: Set[str] | None) -> None:
        """Something has happened to these items, or to any."""
        if items is None or self.item_id in items:
            self.post_message(self.Outdated(self))

    def show(self, history: ItemHistory) -> None:
        """Show a newer reading; what was unfolded stays so."""
        self.history = history
        self.query_one(TitleLine).show(self.item_id, self._standing())
        self.query_one(OutlineView).show(self._outline())
        self.refresh_bindings()

    def _outline(self) -> list[Node]:
        attempts: Attempts = self.history.attempts
        return item_outline(self.history.item, self.history.statuses, attempts, self.history.read_at, self._stage)

    def _standing(self) -> str:
        item = self.history.item
        return DOT.join((item.workflow, item.state.value, f"added {clock_time(item.created_at, self.history.read_at)}"))

    def _waiting_at_cursor(self) -> tuple[str, str | None] | None:
        """The waiting stage or subtask the cursor's line belongs to."""
        view = self.query_one(OutlineView)
        if view.cursor_line >= len(view.lines):
            return None
        key = view.lines[view.cursor_line].node.key
        if len(key) < 2 or key[0] != "stage" or key[1] not in self.history.statuses:
            return None
        status = self.history.statuses[key[1]]
        if len(key) > 3 and key[2] == "subtasks":
            subtask = next((each for each in status.subtasks if each.name == key[3]), None)
            return (key[1], key[3]) if subtask is not None and subtask.state is StageState.AWAITING_REVIEW else None
        return (key[1], None) if status.state is StageState.AWAITING_REVIEW else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Reviewing is offered where something waits."""
        if action == "review":
            return True if self.is_mounted and self._waiting_at_cursor() else None
        return True

    def on_outline_view_cursor_moved(self) -> None:
        """Other keys may apply."""
        self.refresh_bindings()

    def action_review(self) -> None:
        """Review what waits under the cursor."""
        waiting = self._waiting_at_cursor()
        if waiting is not None:
            self.post_message(self.ReviewWanted(self.item_id, self.history.item.workflow, *waiting))

    def action_leave(self) -> None:
        """Back to where it was opened."""
        self.dismiss()
