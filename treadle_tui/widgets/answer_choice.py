"""One answer out of a few, all of them in sight on one line: picked with the arrows, by its first letters, or with the mouse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from treadle_tui.board.safe_text import safe_line, shorten, width_of
from treadle_tui.widgets.span_line import Piece, line_of, pieces_width

PICKED, OTHER = "● ", "○ "
_GAP = "  "
_MOST = 30  # cells of one choice


class AnswerChoice(Widget, can_focus=True):
    """While it has the focus every letter picks; nothing is picked until the person does."""

    BINDING_GROUP_TITLE = "Form"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "right,space", "pick(1)", "Pick", id="answer.pick_next", key_display="→", tooltip="Pick the next one; a letter picks by name"
        ),
        Binding("left", "pick(-1)", "Pick before", show=False, id="answer.pick_before", tooltip="Pick the one before"),
        Binding("backspace,delete", "clear", "None", show=False, id="answer.clear", tooltip="Pick none"),
        Binding("enter,down", "app.focus_next", "Next", id="answer.next", key_display="enter", tooltip="To the next question"),
        Binding("up", "app.focus_previous", "Previous", show=False, id="answer.previous", tooltip="To the question before"),
        Binding("escape", "leave", "Done", id="answer.leave", key_display="esc", tooltip="Back to the review; what was answered stays"),
    ]

    COMPONENT_CLASSES: ClassVar[set[str]] = {"answer-choice--picked", "answer-choice--other", "answer-choice--hint"}

    DEFAULT_CSS = """
    AnswerChoice {
        height: 1;
        width: 1fr;
        background: $surface;
        &:focus { background: $panel; }
        & > .answer-choice--picked { color: $accent; text-style: bold; }
        & > .answer-choice--other { color: $foreground; }
        & > .answer-choice--hint { color: $quiet; }
    }
    """

    ALLOW_SELECT = False

    class Left(Message):
        """The person is done with the form."""

    class Picked(Message):
        """Another one was picked, or none."""

        def __init__(self, choice: AnswerChoice) -> None:
            super().__init__()
            self.choice = choice

        @property
        def control(self) -> AnswerChoice:
            """Alias for `choice`."""
            return self.choice

    def __init__(self, choices: Sequence[str], picked: str = "", hint: str = "") -> None:
        """`hint`: said while none is picked."""
        super().__init__()
        self.choices = list(choices)
        self._words = [shorten(safe_line(choice), _MOST) for choice in self.choices]
        self._place = self.choices.index(picked) if picked in self.choices else -1
        self._hint = hint
        self._typed = ""

    @property
    def value(self) -> str:
        """The choice as it was given; empty for none."""
        return self.choices[self._place] if self._place >= 0 else ""

    def _pick(self, place: int) -> None:
        if place != self._place:
            self._place = place
            self.refresh()
            self.post_message(self.Picked(self))

    def action_pick(self, delta: int) -> None:
        """The next one, or the one before; round at the ends."""
        self._typed = ""
        start = self._place if self._place >= 0 else (-1 if delta > 0 else 0)
        self._pick((start + delta) % len(self.choices))

    def action_clear(self) -> None:
        """None of them."""
        self._typed = ""
        self._pick(-1)

    def action_leave(self) -> None:
        """Back to the review."""
        self.post_message(self.Left())

    def on_blur(self) -> None:
        """Letters typed later begin a name anew."""
        self._typed = ""

    def on_key(self, event: events.Key) -> None:
        """A letter goes on with the name begun, or begins another; a digit no name begins with is a place."""
        if event.character is None or not event.character.isprintable() or event.character == " ":
            return
        event.stop()
        event.prevent_default()
        letter = event.character.casefold()
        for typed in (self._typed + letter, letter):
            places = [place for place, words in enumerate(self._words) if words.casefold().startswith(typed)]
            if places:
                self._typed = typed
                self._pick(places[0])
                return
        if letter.isdecimal() and 1 <= int(letter) <= len(self.choices):
            self._pick(int(letter) - 1)

    def _first_shown(self) -> int:
        """Where the line begins so that what is picked is on it."""
        cells = [width_of(PICKED) + width_of(words) + width_of(_GAP) for words in self._words]
        first = 0
        while first < self._place and sum(cells[first : self._place + 1]) + 2 > self.size.width:
            first += 1
        return first

    def render_line(self, y: int) -> Strip:
        """All of them, or as many as fit around the picked one."""
        picked, other, hint = (
            self.get_component_rich_style(f"answer-choice--{name}", partial=True) for name in ("picked", "other", "hint")
        )
        first = self._first_shown()
        pieces: list[Piece] = [("‹ " if first else " ", hint)]
        for place, words in list(enumerate(self._words))[first:]:
            is_picked = place == self._place
            pieces.append(((PICKED if is_picked else OTHER) + words + _GAP, picked if is_picked else other))
        if self._place < 0 and pieces_width(pieces) + width_of(self._hint) <= self.size.width:
            pieces.append((self._hint, hint))
        return line_of(pieces, [], self.size.width, self.rich_style)

    def on_click(self, event: events.Click) -> None:
        """Pick what was clicked."""
        first = self._first_shown()
        x = 2 if first else 1
        for place in range(first, len(self._words)):
            cells = width_of(PICKED) + width_of(self._words[place]) + width_of(_GAP)
            if x <= event.x < x + cells:
                self._pick(place)
                return
            x += cells
