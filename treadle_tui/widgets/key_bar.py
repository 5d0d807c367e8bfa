"""The line at the bottom: which keys do what here, generated from the live bindings."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from rich.style import Style
from textual import events
from textual.app import App
from textual.screen import Screen
from textual.strip import Strip

from treadle_tui.board.safe_text import width_of
from treadle_tui.widgets.part_styles import PartStyles
from treadle_tui.widgets.span_line import Piece, line_of

_GAP = 3
#: What works everywhere stands last, and stays when there is not enough room for all.
_LAST = ("app.help", "app.quit")


def keys_of(screen: Screen[Any]) -> dict[str, str]:
    """The keys of the actions a screen offers now, as they are shown, by the actions' ids. Every action is asked: ask once a frame."""
    shown: dict[str, str] = {}
    for active in screen.active_bindings.values():
        shown.setdefault(active.binding.id or "", screen.app.get_key_display(active.binding))
    return shown


def key_of(screen: Screen[Any], id: str) -> str:
    """The key of an action on a screen, as it is shown; empty when it is not offered there."""
    return keys_of(screen).get(id, "")


def keys_everywhere(app: App[Any]) -> dict[str, str]:
    """By action id the keys that work everywhere, as they are shown, also those a field takes at the moment."""
    bindings = app._bindings.copy()
    bindings.apply_keymap(app._keymap)
    return {binding.id: app.get_key_display(binding) for _, binding in reversed(list(bindings)) if binding.id}


class _Hint(NamedTuple):
    key: str
    shown_key: str
    word: str
    is_enabled: bool
    id: str

    @property
    def cells(self) -> int:
        return width_of(self.shown_key) + 1 + width_of(self.word)


class KeyBar(PartStyles):
    """One line of keys and words; what does not fit is in the help. A click on a word presses its key."""

    PARTS = "key-bar"

    COMPONENT_CLASSES: ClassVar[set[str]] = {"key-bar--key", "key-bar--word", "key-bar--disabled"}
    """
    | Class | Description |
    | :- | :- |
    | `key-bar--key`, `key-bar--word` | A key, and what it does |
    | `key-bar--disabled` | Both, when it does nothing at the moment |
    """

    DEFAULT_CSS = """
    KeyBar {
        height: 1;
        width: 1fr;
        background: $surface;
        & > .key-bar--key { color: $accent; text-style: $key-style; }
        & > .key-bar--word { color: $quiet; }
        & > .key-bar--disabled { color: $faint; }
    }
    """

    ALLOW_SELECT = False

    def __init__(self, indent: int = 2) -> None:
        """`indent`: blank cells before the first key."""
        super().__init__()
        self._indent = indent

    def on_mount(self) -> None:
        """Follow the bindings of the screen."""
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_have_changed)

    def _bindings_have_changed(self, screen: Screen[object]) -> None:
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """As many hints as fit, in the order in which the bindings are declared."""
        key, word, disabled = (self.part(part) for part in ("key", "word", "disabled"))
        pieces: list[Piece] = [(" " * self._indent, Style.null())]
        for number, (_, hint) in enumerate(self._placed_hints()):
            pieces.append((" " * _GAP if number else "", Style.null()))
            pieces.append((hint.shown_key + " ", key if hint.is_enabled else disabled))
            pieces.append((hint.word, word if hint.is_enabled else disabled))
        return line_of(pieces, [], self.size.width, self.base)

    def on_click(self, event: events.Click) -> None:
        """Press the key whose hint is under the mouse."""
        event.stop()
        for x, hint in self._placed_hints():
            if x <= event.x < x + hint.cells and hint.is_enabled:
                self.app.simulate_key(hint.key)

    def _placed_hints(self) -> list[tuple[int, _Hint]]:
        """Hints with their places. What does nothing at the moment goes first when there is not enough room; help and quit stay."""
        hints = self._hints()
        room = self.size.width - 2 * self._indent
        while len(hints) > 1 and sum(hint.cells + _GAP for hint in hints) - _GAP > room:
            usual = [number for number, hint in enumerate(hints) if hint.id not in _LAST]
            idle = [number for number in usual if not hints[number].is_enabled]
            del hints[(idle or usual or [0])[-1]]
        placed = []
        x = self._indent
        for hint in hints:
            placed.append((x, hint))
            x += hint.cells + _GAP
        return placed

    def _hints(self) -> list[_Hint]:
        hints: dict[str, _Hint] = {}
        for _, binding, is_enabled, _ in self.screen.active_bindings.values():
            if binding.show and binding.action not in hints:
                shown = self.app.get_key_display(binding)
                hints[binding.action] = _Hint(binding.key, shown, binding.description, is_enabled, binding.id or "")
        return sorted(hints.values(), key=lambda hint: hint.id in _LAST)
