"""Where words to look for are typed, and how many places have them."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input

from treadle_tui.widgets.plain_text import PlainText


class SearchInput(Input):
    """While it has the focus every letter is text."""

    BINDING_GROUP_TITLE = "Search"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter,down", "done(True)", "Keep", id="search.keep", key_display="enter", tooltip="Back to the text; n and N walk the places"
        ),
        Binding("escape", "done(False)", "Clear", id="search.clear", key_display="esc", tooltip="Back to the text, nothing marked"),
    ]

    def action_done(self, keep: bool) -> None:
        """Back to the text."""
        if not keep:
            self.value = ""
        self.post_message(SearchLine.Left())


class SearchLine(Horizontal):
    """Shown while something is looked for."""

    DEFAULT_CSS = """
    SearchLine {
        display: none;
        height: 1;
        &.-active { display: block; layout: horizontal; }
        & #search-sign { width: 3; color: $accent; padding: 0 1; }
        & SearchInput { width: 1fr; background: $panel; padding: 0 1; }
        & #search-found { width: auto; min-width: 12; padding: 0 1; color: $quiet; }
    }
    """

    class Wanted(Message):
        """These words are looked for now."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    class Left(Message):
        """The person goes back to the text."""

    def compose(self) -> ComposeResult:
        """The words, and what was found."""
        yield PlainText("/", id="search-sign")
        yield SearchInput(compact=True, placeholder="words to look for", select_on_focus=True)
        yield PlainText(id="search-found")

    def begin(self) -> None:
        """Type here."""
        self.add_class("-active")
        self.query_one(SearchInput).focus()

    @property
    def words(self) -> str:
        """What is looked for."""
        return self.query_one(SearchInput).value if self.has_class("-active") else ""

    def show_found(self, number: int, total: int) -> None:
        """Say where one is; empty words take the line away, unless they are being typed."""
        words = "nothing has it" if not total else f"{number:,} of {total:,}"
        self.query_one("#search-found", PlainText).show(words if self.words.strip() else "")
        self.set_class(bool(self.words) or self.query_one(SearchInput).has_focus, "-active")

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Wanted(event.value))
