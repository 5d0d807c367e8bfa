"""What all main screens have in common: the header, the keys, and hearing of changes while they are in front."""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from textual.app import ComposeResult

from treadle_tui.board.header_facts import HeaderFacts
from treadle_tui.screens.page import Page
from treadle_tui.widgets.board_header import BoardHeader
from treadle_tui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from treadle_tui.board.tally import Counts


@runtime_checkable
class HearsOfItems(Protocol):
    """A screen that is told which items have changed, while it is on the screen, at most 20 times a second."""

    def items_changed(self, items: Set[str] | None) -> None:
        """These items have changed since the last time; None: any may have."""
        ...


@runtime_checkable
class HearsOfTotals(Protocol):
    """A screen that is told newer totals, while it is on the screen, at most 4 times a second."""

    def totals_changed(self, counts: Counts, waiting: int) -> None:
        """Workflow → stage → state → how many items; and how many reviews wait."""
        ...


class MainScreen(Page):
    """One of the screens on the number keys. Yields its middle from `compose_body`, and may hear of changes (see above)."""

    DEFAULT_CSS = """
    MainScreen { layout: vertical; background: $background; }
    """

    def __init__(self, facts: HeaderFacts | None = None) -> None:
        super().__init__()
        self.facts = facts or HeaderFacts()
        """What the header says; whoever owns the screens keeps it up to date."""

    def compose(self) -> ComposeResult:
        """Header, what the screen is about, keys."""
        yield BoardHeader(self.facts, self.title or "")
        yield from self.compose_body()
        yield KeyBar()

    def compose_body(self) -> ComposeResult:
        """What stands between the header and the keys."""
        yield from ()

    @property
    def header(self) -> BoardHeader:
        """The header."""
        return self.query_one(BoardHeader)

    @property
    def is_there(self) -> bool:
        """Whether there is something to show on: the program's end takes the screen down while news may still come in."""
        return self.is_attached and self.app.is_running

    def show_facts(self, facts: HeaderFacts) -> None:
        """The header says something else from now on."""
        self.facts = facts
        if self.is_there and self.is_mounted:
            self.header.show(facts)

    def say(self, message: str) -> None:
        """Tell a person what their key has done."""
        if self.is_there and self.is_mounted:
            self.header.say(message)
