"""Every key of the screen it was opened from, with what it does; made from the live bindings, after any remapping."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen

from treadle_tui.board.outline import Node
from treadle_tui.engine.states import StageState
from treadle_tui.screens.modal import Modal
from treadle_tui.widgets.key_bar import KeyBar
from treadle_tui.widgets.outline_view import OutlineView
from treadle_tui.widgets.plain_text import TitleLine


class HelpScreen(Modal[None]):
    """Keys by where they work, and what the signs in cells mean."""

    BINDING_GROUP_TITLE = "Help"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark", "leave", "Back", id="help.leave", key_display="esc", tooltip="Close the help"),
    ]

    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        background: $background 70%;
        & > Vertical { width: 84; max-width: 94%; height: 86%; background: $surface; border: round $line; padding: 0 1; }
        & TitleLine { margin-bottom: 1; }
        & OutlineView { height: 1fr; background: $surface; }
        & KeyBar { margin-top: 1; background: $surface; }
    }
    """

    def __init__(self, opener: Screen[Any]) -> None:
        super().__init__()
        self._help = help_nodes(opener)

    def compose(self) -> ComposeResult:
        """The keys, then the signs."""
        with Vertical():
            yield TitleLine("Keys", "")
            yield OutlineView(self._help)
            yield KeyBar(indent=1)

    def on_mount(self) -> None:
        """Scrolling works at once."""
        self.query_one(OutlineView).focus()

    def action_leave(self) -> None:
        """Close."""
        self.dismiss()


def help_nodes(screen: Screen[Any]) -> list[Node]:
    """Bindings that have an id, one line per action, under the title of the part they belong to; those of the screen itself first."""
    actions: dict[str, dict[str, list[ActiveBinding]]] = {}
    for active in screen.active_bindings.values():
        if active.binding.id is not None:
            title = active.node.BINDING_GROUP_TITLE or "Everywhere"
            actions.setdefault(title, {}).setdefault(active.binding.id, []).append(active)
    nodes = [
        Node((title,), title, make_children=lambda rows=rows, title=title: _key_nodes(screen, title, rows), starts_open=True)  # type: ignore[misc]
        for title, rows in sorted(actions.items(), key=lambda each: each[0] != screen.BINDING_GROUP_TITLE)
    ]
    return [*nodes, Node(("signs",), "Signs", make_children=_sign_nodes, starts_open=True)]


def _key_nodes(screen: Screen[Any], title: str, rows: dict[str, list[ActiveBinding]]) -> list[Node]:
    return [
        Node(
            (title, binding_id),
            "  ".join(screen.app.get_key_display(active.binding) for active in found),
            paragraphs=(found[0].binding.tooltip or found[0].binding.description,),
        )
        for binding_id, found in rows.items()
    ]


def _sign_nodes() -> list[Node]:
    return [Node(("signs", state.value), f"{state.glyph} {state.letter}", paragraphs=(state.word,)) for state in StageState]
