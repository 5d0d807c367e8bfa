"""The durable log on the screen: one line per event, of however many there are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from treadle_tui.board.event_log import EventLog
from treadle_tui.board.event_text import PLACE_CELLS, event_spans
from treadle_tui.board.outline import Tone
from treadle_tui.engine.events import Event
from treadle_tui.widgets.span_line import line_of

_TONES = tuple(tone.value for tone in Tone if tone is not Tone.PLAIN)
_BAR, _HANDLE = "│", "┃"
#: From so many columns on there is room for the date of another day.
_WIDE = 110


class EventView(Widget, can_focus=True):
    """Draws what the log holds for its lines; asks for more as one comes near an end."""

    BINDING_GROUP_TITLE = "Log"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Item", id="events.open", key_display="enter", tooltip="Show the item of the event under the cursor"),
        Binding("up,k", "move(-1)", "Up", show=False, id="events.up", tooltip="One event up"),
        Binding("down,j", "move(1)", "Down", show=False, id="events.down", tooltip="One event down; beyond the last one, follow"),
        Binding("pageup,K", "page(-1)", "Page up", show=False, id="events.page_up", tooltip="One screen up"),
        Binding("pagedown,J,space", "page(1)", "Page down", show=False, id="events.page_down", tooltip="One screen down"),
        Binding("home", "first", "First", show=False, id="events.first", tooltip="To the first event that is kept"),
        Binding("end", "last", "Last", show=False, id="events.last", tooltip="To the last event, and follow"),
    ]

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "event-view--cursor",
        "event-view--bar",
        "event-view--handle",
        *(f"event-view--{tone}" for tone in _TONES),
    }
    """
    | Class | Description |
    | :- | :- |
    | `event-view--cursor` | The event under the cursor |
    | `event-view--bar`, `--handle` | Where in the whole log one is |
    | `event-view--muted` … `event-view--cancelled` | Tones of the text |
    """

    DEFAULT_CSS = """
    EventView {
        height: 1fr;
        background: $background;
        color: $foreground;
        & > .event-view--cursor { background: $cursor-row; text-style: $line-cursor-style; }
        & > .event-view--bar { color: $line; }
        & > .event-view--handle { color: $quiet; }
        & > .event-view--muted { color: $quiet; }
        & > .event-view--label { color: $quiet; }
        & > .event-view--heading { color: $foreground; text-style: bold; }
        & > .event-view--pending { color: $state-pending; }
        & > .event-view--running { color: $state-running; }
        & > .event-view--retry-wait { color: $state-retry-wait; }
        & > .event-view--awaiting-review { color: $state-awaiting-review; }
        & > .event-view--completed { color: $state-completed; }
        & > .event-view--skipped { color: $state-skipped; }
        & > .event-view--failed { color: $state-failed; }
        & > .event-view--cancelled { color: $state-cancelled; }
    }
    """

    ALLOW_SELECT = False

    class Moved(Message):
        """Other events are looked at, or the cursor is on another one."""

    class Opened(Message):
        """An event was chosen."""

        def __init__(self, event: Event) -> None:
            super().__init__()
            self.event = event

    def __init__(self, log: EventLog, now: Callable[[], datetime], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.log_held = log
        self._now = now
        self.is_relative = False

    def render_line(self, y: int) -> Strip:
        """One event, and a cell of the bar."""
        log, width = self.log_held, self.size.width - 1
        shown = log.visible()
        bar = self._bar(y)
        if y >= len(shown):
            return Strip.join([Strip.blank(width, self.rich_style), bar])
        event = shown[y]
        is_cursor = log.top + y == log.cursor and self.has_focus
        base = self.get_component_rich_style("event-view--cursor") if is_cursor else self.rich_style
        place_cells = max(14, min(PLACE_CELLS, width // 3))
        spans = event_spans(event, self._now(), is_relative=self.is_relative, place_cells=place_cells, is_narrow=width < _WIDE)
        pieces = [(" ", Style.null()), *((text, self._tone(tone)) for text, tone in spans)]
        return Strip.join([line_of(pieces, [], width, base), bar])

    def _bar(self, y: int) -> Strip:
        start, share = self.log_held.share()
        height = max(1, self.size.height)
        first = min(height - 1, int(start * height))
        is_handle = first <= y <= max(first, int((start + share) * height - 0.001))
        is_all = share >= 1.0
        style = self.get_component_rich_style(f"event-view--{'handle' if is_handle else 'bar'}", partial=True)
        return line_of([(" " if is_all else _HANDLE if is_handle else _BAR, style)], [], 1, self.rich_style)

    def _tone(self, tone: Tone) -> Style:
        return Style.null() if tone is Tone.PLAIN else self.get_component_rich_style(f"event-view--{tone.value}", partial=True)

    def on_resize(self, event: events.Resize) -> None:
        """There is room for more events, or fewer."""
        self.log_held.look(event.size.height)
        self._moved()

    def _moved(self) -> None:
        self.refresh()
        self.post_message(self.Moved())

    def action_move(self, delta: int) -> None:
        """Some events up or down."""
        self.log_held.move(delta)
        self._moved()

    def action_page(self, direction: int) -> None:
        """Some screens up or down."""
        self.log_held.move(direction * max(1, self.log_held.height - 1))
        self._moved()

    def action_first(self) -> None:
        """To the first event."""
        self.log_held.to_start()
        self._moved()

    def action_last(self) -> None:
        """To the last event, and stay there."""
        self.log_held.follow()
        self._moved()

    def action_open(self) -> None:
        """Choose the event under the cursor."""
        event = self.log_held.current
        if event is not None:
            self.post_message(self.Opened(event))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Three events up."""
        event.stop()
        self.action_move(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Three events down."""
        event.stop()
        self.action_move(3)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the event; a second click chooses it."""
        event.stop()
        log = self.log_held
        at = log.top + event.y
        if at >= len(log.events):
            return
        log.pause()
        is_there, log.cursor = at == log.cursor, at
        self._moved()
        if is_there and event.chain > 1:
            self.action_open()
