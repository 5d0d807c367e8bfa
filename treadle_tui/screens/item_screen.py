"""One item: when each stage ran, why it is where it is and the key that moves it; subtasks, attempts, events and data on tabs."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import ClassVar, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from treadle_tui.board.history_outline import DOT
from treadle_tui.board.item_tabs import TABS, ItemHistory, explanation_words, item_json, tab_counts, tab_nodes
from treadle_tui.board.moving import move_of
from treadle_tui.board.outline import Node
from treadle_tui.board.time_text import clock_time
from treadle_tui.engine.states import ItemState, StageState
from treadle_tui.screens.page import Page
from treadle_tui.screens.rereading import Rereading
from treadle_tui.widgets.key_bar import KeyBar
from treadle_tui.widgets.outline_view import OutlineView
from treadle_tui.widgets.plain_text import Line, PlainText, TitleLine
from treadle_tui.widgets.tab_line import TabLine, TabName

READ_SECONDS = 0.05
_RETRIED = (StageState.FAILED, StageState.CANCELLED)


class ItemReads(Protocol):
    """What the screen reads, and what it can have done."""

    async def history(self, item_id: str, *, with_events: bool) -> ItemHistory | None:
        """Everything about an item; None when it is gone."""
        ...

    def retry(self, item_id: str, stage: str, subtask: str | None) -> None:
        """Try a failed stage or subtask again."""
        ...

    def pause(self, item_id: str, *, is_paused: bool) -> None:
        """Start nothing new for the item; or let it go on, when it is paused."""
        ...

    def drop(self, item_id: str, stage: str) -> None:
        """Ask, and let go of a stage that its workflow has no longer."""
        ...

    def show_way(self, item_id: str, stage: str, go_to: Callable[[str], None]) -> None:
        """Show its way through the workflow; `go_to` gets the stage that is chosen there."""
        ...

    def copy(self, text: str, what: str) -> None:
        """Copy a text."""
        ...


class ItemScreen(Page):
    """An item's stages, folded; the one it was opened at unfolded."""

    BINDING_GROUP_TITLE = "Item"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "review", "Review", id="item.review", key_display="enter", tooltip="Review the stage under the cursor"),
        Binding("r", "retry", "Retry", id="item.retry", tooltip="Try the failed stage or subtask under the cursor again"),
        Binding("p", "pause", "Pause", id="item.pause", tooltip="Start nothing new for this item; or let it go on"),
        Binding("d", "drop", "Drop stage", id="item.drop", tooltip="Let go of a stage that the workflow has no longer"),
        Binding("tab", "tab(1)", "Tab", id="item.next_tab", tooltip="The next tab: subtasks, attempts, events, data"),
        Binding("shift+tab", "tab(-1)", "Tab before", show=False, id="item.previous_tab", tooltip="The tab before"),
        Binding("w", "way", "Way", id="item.way", tooltip="Its way through the workflow, as a picture"),
        Binding("y", "copy_id", "Copy id", show=False, id="item.copy_id", tooltip="Copy the item's id"),
        Binding("Y", "copy_json", "Copy JSON", show=False, id="item.copy_json", tooltip="Copy the item and its outputs as JSON"),
        Binding("escape", "leave", "Back", id="item.leave", key_display="esc", tooltip="Back to where it was opened"),
    ]

    DEFAULT_CSS = """
    ItemScreen {
        layout: vertical;
        background: $background;
        & > TitleLine { margin: 0 1; }
        & > TabLine { margin-bottom: 1; }
        & > OutlineView { height: 1fr; margin: 0 1; }
        & > #why { margin: 1 2 0 2; max-height: 4; }
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

    def __init__(self, desk: ItemReads, history: ItemHistory, stage: str) -> None:
        super().__init__()
        self.history = history
        self._desk = desk
        self._stage = stage
        self._tab = TABS[0]
        self._rereading = Rereading(self, self._read, self.say, READ_SECONDS)

    @property
    def item_id(self) -> str:
        """The item's id."""
        return self.history.item.id

    def compose(self) -> ComposeResult:
        """Name and standing, tabs, the outline, why, keys."""
        yield TitleLine(self.item_id, self._standing())
        yield TabLine(self._tabs(), self._tab)
        yield OutlineView()
        yield PlainText("", id="why")
        yield KeyBar()

    def on_mount(self) -> None:
        """The stage it was opened at is under the cursor."""
        view = self.query_one(OutlineView)
        view.focus()
        view.show(self._outline())
        self.call_after_refresh(view.go_to, ("stage", self._stage))
        self.call_after_refresh(self._tell_why)

    def on_resize(self) -> None:
        """Bars are as long as there is room."""
        self.call_after_refresh(self._show)

    def items_changed(self, items: AbstractSet[str] | None) -> None:
        """Ask to be shown the item as it is now, when it is among those that have changed."""
        if items is None or self.item_id in items:
            self._rereading.due()

    async def _read(self) -> None:
        history = await self._desk.history(self.item_id, with_events=self._tab == "Events")
        if history is not None and self.is_attached:
            self.show(history)

    def show(self, history: ItemHistory) -> None:
        """Show a newer reading; what was unfolded stays so."""
        self.history = history
        self._show()

    def _show(self) -> None:
        if not self._is_whole:
            return
        self.query_one(TitleLine).show(self.item_id, self._standing())
        self.query_one(TabLine).show(self._tabs(), self._tab)
        self.query_one(OutlineView).show(self._outline())
        self._tell_why()
        self.refresh_bindings()

    @property
    def _is_whole(self) -> bool:
        """Whether there is all of it: a resize comes before there is anything, and news while it is taken down, part by part."""
        return self.is_attached and all(self.query(part) for part in (TitleLine, TabLine, OutlineView, "#why"))

    def _outline(self) -> list[Node]:
        return tab_nodes(self._tab, self.history, self._stage, self.size.width)

    def _tabs(self) -> list[TabName]:
        counts = tab_counts(self.history)
        return [TabName(tab, tab, total=counts.get(tab, 0)) for tab in TABS]

    def _standing(self) -> str:
        item = self.history.item
        return DOT.join((item.workflow, item.state.value, f"added {clock_time(item.created_at, self.history.read_at)}"))

    # why ------------------------------------------------------------------------------------------------------------------------

    def _tell_why(self) -> None:
        if not self._is_whole:
            return
        stage = self._stage_at_cursor()
        lines: list[Line] = []
        if stage is not None:
            words = explanation_words(self.history, stage)
            lines = [words] if words else []
            move = move_of(stage, self.history.explanations, self.history.statuses, self.history.dependencies)
            if move is not None:
                lines.append((f"{self._key_of(move.binding)} ", "$accent", move.words))
        self.query_one("#why", PlainText).show(*lines)

    def _key_of(self, binding: str) -> str:
        """The key on which an action is now."""
        for active in self.active_bindings.values():
            if active.binding.id == binding:
                return self.app.get_key_display(active.binding)
        return ""

    def _key_at_cursor(self) -> tuple[str, ...]:
        view = self.query_one(OutlineView)
        return view.lines[view.cursor_line].node.key if view.cursor_line < len(view.lines) else ()

    def _stage_at_cursor(self) -> str | None:
        """The stage the cursor's line belongs to."""
        key = self._key_at_cursor()
        return key[1] if len(key) >= 2 and key[0] in ("stage", "attempt") and key[1] in self.history.statuses else None

    def _subtask_at_cursor(self) -> str | None:
        key = self._key_at_cursor()
        return key[3] if len(key) > 3 and key[0] == "stage" and key[2] == "subtasks" else None

    def _in_state(self, *states: StageState) -> tuple[str, str | None] | None:
        """The stage or subtask under the cursor, when it is in one of these states."""
        stage, subtask = self._stage_at_cursor(), self._subtask_at_cursor()
        if stage is None:
            return None
        status = self.history.statuses[stage]
        if subtask is not None:
            return (stage, subtask) if any(each.name == subtask and each.state in states for each in status.subtasks) else None
        return (stage, None) if status.state in states else None

    # what can be done -----------------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What would do nothing is not offered."""
        if not self.is_mounted:
            return True
        match action:
            case "review":
                return True if self._in_state(StageState.AWAITING_REVIEW) else None
            case "retry":
                return True if self._in_state(*_RETRIED) else None
            case "pause":
                return self.history.item.state in (ItemState.ACTIVE, ItemState.PAUSED)
            case "drop":
                return self._can_drop
        return True

    @property
    def _can_drop(self) -> bool:
        stage = self._stage_at_cursor()
        explanation = self.history.explanations.get(stage or "")
        return explanation is not None and "drop it" in explanation.action and stage not in self.history.dependencies

    def on_outline_view_cursor_moved(self) -> None:
        """Other keys may apply."""
        self._tell_why()
        self.refresh_bindings()

    def action_review(self) -> None:
        """Review what waits under the cursor."""
        waiting = self._in_state(StageState.AWAITING_REVIEW)
        if waiting is not None:
            self.post_message(self.ReviewWanted(self.item_id, self.history.item.workflow, *waiting))

    def action_retry(self) -> None:
        """Try what failed under the cursor again."""
        failed = self._in_state(*_RETRIED)
        if failed is not None:
            self._desk.retry(self.item_id, *failed)

    def action_pause(self) -> None:
        """Pause the item, or let it go on."""
        self._desk.pause(self.item_id, is_paused=self.history.item.state is ItemState.PAUSED)

    def action_drop(self) -> None:
        """Let go of the stage under the cursor."""
        stage = self._stage_at_cursor()
        if stage is not None and self._can_drop:
            self._desk.drop(self.item_id, stage)

    def action_tab(self, delta: int) -> None:
        """Another tab."""
        self._show_tab(TABS[(TABS.index(self._tab) + delta) % len(TABS)])

    @on(TabLine.Chosen)
    def _tab_clicked(self, event: TabLine.Chosen) -> None:
        self._show_tab(event.id)

    def _show_tab(self, tab: str) -> None:
        self._tab = tab
        self.query_one(OutlineView).action_top()
        self._show()
        if self._tab == "Events":
            self._rereading.due()

    def action_way(self) -> None:
        """Its way through the workflow."""
        self._desk.show_way(self.item_id, self._stage_at_cursor() or self._stage, self.go_to_stage)

    def go_to_stage(self, stage: str) -> None:
        """Put the cursor on a stage."""
        self._show_tab("Stages")
        self.query_one(OutlineView).go_to(("stage", stage))
        self._tell_why()

    def action_copy_id(self) -> None:
        """Copy the id."""
        self._desk.copy(self.item_id, "the id")

    def action_copy_json(self) -> None:
        """Copy everything as JSON."""
        self._desk.copy(item_json(self.history), "the item as JSON")

    def action_leave(self) -> None:
        """Back to where it was opened."""
        self.dismiss()
