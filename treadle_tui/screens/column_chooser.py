"""Which stages a board shows. Returns those it is to hide; None when nothing is to change."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import SelectionList
from textual.widgets.selection_list import Selection

from treadle_tui.board.safe_text import safe_line
from treadle_tui.screens.modal import Modal
from treadle_tui.widgets.key_bar import KeyBar
from treadle_tui.widgets.plain_text import TitleLine


class StageList(SelectionList[str]):
    """The stages, each shown or not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k", "cursor_up", "Up", show=False, id="columns.up", tooltip="The stage above"),
        Binding("j", "cursor_down", "Down", show=False, id="columns.down", tooltip="The stage below"),
        Binding("space", "select", "Show or hide", id="columns.toggle", tooltip="Show the stage, or hide it"),
        Binding("enter", "screen.take", "Done", id="columns.take", key_display="enter", tooltip="Show these stages"),
    ]


class ColumnChooser(Modal[frozenset[str] | None]):
    """Space shows or hides a stage; enter is done."""

    BINDING_GROUP_TITLE = "Columns"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "all", "All", id="columns.all", tooltip="Show every stage"),
        Binding("escape", "leave", "Back", id="columns.leave", key_display="esc", tooltip="Leave the columns as they were"),
    ]

    DEFAULT_CSS = """
    ColumnChooser {
        align: center middle;
        background: $background 60%;
        & > Vertical {
            width: 60%;
            max-width: 60;
            min-width: 36;
            height: auto;
            max-height: 96%;
            background: $surface;
            border: round $line;
            padding: 0 1;
        }
        & SelectionList { height: auto; max-height: 24; background: $surface; border: none; padding: 1 0; &:focus { border: none; } }
        & KeyBar { background: $surface; }
    }
    """

    def __init__(self, stages: Sequence[str], hidden: Collection[str]) -> None:
        super().__init__()
        self._stages = stages
        self._hidden = hidden

    def compose(self) -> ComposeResult:
        """The stages in their order."""
        from textual.content import Content

        with Vertical():
            yield TitleLine("Columns", "")
            yield StageList(*(Selection(Content(safe_line(stage)), stage, stage not in self._hidden) for stage in self._stages))
            yield KeyBar(indent=1)

    def on_mount(self) -> None:
        """Choosing can begin."""
        self.query_one(StageList).focus()

    def action_all(self) -> None:
        """Show every stage."""
        self.query_one(StageList).select_all()

    def action_take(self) -> None:
        """Show what is chosen."""
        self.dismiss(frozenset(self._stages) - set(self.query_one(StageList).selected))

    def action_leave(self) -> None:
        """Change nothing."""
        self.dismiss(None)
