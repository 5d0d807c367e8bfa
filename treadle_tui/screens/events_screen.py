"""The durable log: follows, waits while one reads, searches, and leads to items and into the past."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from treadle_tui.board.event_filter import EventFilterError, parse_event_filter
from treadle_tui.board.event_log import PAGE, EventLog
from treadle_tui.board.outline import Span, Tone
from treadle_tui.board.safe_text import safe_line
from treadle_tui.engine.events import Event, ItemEvent
from treadle_tui.engine.store.log_view import EventMatch, EventPage, LogBounds
from treadle_tui.screens.main_screen import MainScreen
from treadle_tui.screens.rereading import Rereading
from treadle_tui.widgets.event_view import EventView
from treadle_tui.widgets.span_text import SpanText

if TYPE_CHECKING:
    from treadle_tui.board.tally import Counts

READ_SECONDS = 0.05
CLOCK_SECONDS = 10.0


class EventReads(Protocol):
    """What the screen reads, and where it leads."""

    async def bounds(self) -> LogBounds:
        """The first and the last event."""
        ...

    async def page(self, is_after: bool, seq: int, limit: int, match: EventMatch) -> EventPage:
        """Events after `seq`, or before it."""
        ...

    def now(self) -> datetime:
        """The present moment."""
        ...

    def open_item(self, event: ItemEvent) -> None:
        """Show the item of an event."""
        ...

    def look_back(self, event: Event) -> None:
        """Show the board as it was right after an event."""
        ...


class EventFilterInput(Input):
    """Where the filter is typed."""

    BINDING_GROUP_TITLE = "Filter"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Search", id="event_filter.search", key_display="enter", tooltip="Show only events like this"),
        Binding("escape", "leave", "Back", id="event_filter.leave", key_display="esc", tooltip="Leave the filter as it was"),
    ]

    def action_leave(self) -> None:
        """Back to the log."""
        screen = self.screen
        assert isinstance(screen, EventsScreen)
        screen.leave_filter()


class EventsScreen(MainScreen):
    """Lines of the log; above them what is shown of it."""

    TITLE = "Events"
    BINDING_GROUP_TITLE = "Events"
    AUTO_FOCUS = "EventView"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="events.filter", key_display="/", tooltip="Show only some: item: stage: event: or words"),
        Binding("f", "follow", "Follow", id="events.follow", tooltip="To the last event, and stay there"),
        Binding("p", "pause", "Pause", id="events.pause", tooltip="Stay here while more come; what comes is counted"),
        Binding("E", "errors", "Errors", id="events.errors", tooltip="Only what tells of something that went wrong, or everything"),
        Binding("t", "times", "Times", id="events.times", tooltip="Times of day, or how long ago"),
        Binding("less_than_sign,<", "look_back", "Look back", key_display="<", id="events.look_back", tooltip="The board as it was then"),
        Binding(
            "greater_than_sign,>",
            "look_back",
            "Look back",
            show=False,
            key_display=">",
            id="events.look_forward",
            tooltip="The board as it was then; there > goes on in time",
        ),
        Binding("escape", "clear", "All", show=False, id="events.clear", key_display="esc", tooltip="Show every event again"),
    ]

    DEFAULT_CSS = """
    EventsScreen {
        & > #about { margin: 0 2; }
        & > EventView { margin: 0 1; }
        & > EventFilterInput { display: none; margin: 0 1; background: $panel; padding: 0 1; }
        &.-filtering > EventFilterInput { display: block; }
    }
    """

    def __init__(self, desk: EventReads) -> None:
        super().__init__()
        self._desk = desk
        self.log_held = EventLog()
        self._rereading = Rereading(self, self._read, self.say, READ_SECONDS)
        self._text = ""
        self._errors_only = False
        self._problem = ""

    def compose_body(self) -> ComposeResult:
        """What is shown, the log, the filter."""
        yield SpanText(id="about")
        yield EventView(self.log_held, self._desk.now)
        yield EventFilterInput(placeholder="item:doc-* stage:publish event:failed words", compact=True)

    @property
    def view(self) -> EventView:
        """The log on the screen."""
        return self.query_one(EventView)

    def on_mount(self) -> None:
        """Read at once."""
        self._rereading.due()
        self.set_interval(CLOCK_SECONDS, self._look_at_the_clock)

    def on_screen_resume(self) -> None:
        """What was not seen meanwhile is read."""
        self._rereading.due()

    def _look_at_the_clock(self) -> None:
        if self.view.is_relative and self.is_current and self.app.app_focus:
            self.view.refresh()

    def totals_changed(self, counts: Counts, waiting: int) -> None:
        """Something has happened."""
        self._rereading.due()

    def items_changed(self, items: AbstractSet[str] | None) -> None:
        """Something has happened."""
        self._rereading.due()

    # reading --------------------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Read pages until there are enough; each is shown as it comes, and the way through what does not match."""
        log = self.log_held
        log.take_bounds(await self._desk.bounds())
        while (want := log.want()) is not None and self.is_there:
            epoch = log.epoch
            page = await self._desk.page(want.is_after, want.seq, PAGE, log.match)
            if epoch == log.epoch:
                log.take(want, page)
                self._show()
        if self.is_there:
            self._show()

    def _show(self) -> None:
        if not self.query("#about"):
            return
        self.view.refresh()
        self.query_one("#about", SpanText).show([self._about()])
        self.refresh_bindings()

    def _about(self) -> tuple[Span, ...]:
        log = self.log_held
        if self._problem:
            return (Span(safe_line(self._problem), Tone.FAILED),)
        if not log.bounds.last:
            return (Span("Nothing has happened yet. 2 shows the board: n there adds items.", Tone.MUTED),)
        standing = Span("following", Tone.RUNNING) if log.is_following else Span(f"paused  +{log.newer:,}", Tone.AWAITING_REVIEW)
        shown = [Span(f" · {what}", Tone.HEADING) for what in (safe_line(self._text), "errors only" if self._errors_only else "") if what]
        total = Span(f" · {log.bounds.last - log.bounds.first + 1:,} events", Tone.MUTED)
        if not log.match.is_everything and log.want() is not None:
            return (standing, *shown, Span(f" · searching, at {log.low if log.is_begun else log.bounds.last:,} …", Tone.MUTED))
        if not log.events:
            return (standing, *shown, Span(" · no event is like that; esc shows all of them", Tone.MUTED))
        return (standing, *shown, total)

    @on(EventView.Moved)
    def _moved(self) -> None:
        self._rereading.due()
        self._show()

    # what is shown --------------------------------------------------------------------------------------------------------------

    def _ask(self, text: str, *, errors_only: bool) -> None:
        """Show only what is like that; the log stays as it is when the text cannot be read."""
        try:
            match = parse_event_filter(text, errors_only=errors_only)
        except EventFilterError as error:
            self._problem = str(error)
            self._show()
            return
        self._problem, self._text, self._errors_only = "", text, errors_only
        self.log_held.ask(match)
        self.leave_filter()
        self._rereading.due()
        self._show()

    def action_filter(self) -> None:
        """Ask what is wanted."""
        field = self.query_one(EventFilterInput)
        self.set_class(True, "-filtering")
        field.value = self._text
        field.focus()

    def leave_filter(self) -> None:
        """Back to the log."""
        self._problem = ""
        self.set_class(False, "-filtering")
        self.view.focus()
        self._show()

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        self._ask(event.value.strip(), errors_only=self._errors_only)

    @on(Input.Changed)
    def _typing(self) -> None:
        if self._problem:
            self._problem = ""
            self._show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """`esc` shows everything again where something is left out, and goes back otherwise; pausing is offered while it follows."""
        match action:
            case "clear":
                return bool(self._text or self._errors_only)
            case "pause":
                return self.log_held.is_following
            case "follow":
                return not self.log_held.is_following
            case "look_back":
                return True if self.log_held.current is not None else None
        return True

    def action_clear(self) -> None:
        """Everything again."""
        self._ask("", errors_only=False)

    def action_errors(self) -> None:
        """Only errors, or everything."""
        self._ask(self._text, errors_only=not self._errors_only)

    def action_follow(self) -> None:
        """To the end, and stay there."""
        self.view.action_last()

    def action_pause(self) -> None:
        """Stay here."""
        self.log_held.pause()
        self._moved()

    def action_times(self) -> None:
        """The other way to tell the time."""
        self.view.is_relative = not self.view.is_relative
        self._show()

    def go_to(self, seq: int) -> None:
        """Put the cursor on an event: where one has been in the past."""
        self.log_held.go_to(seq)
        self._moved()

    # where it leads -------------------------------------------------------------------------------------------------------------

    @on(EventView.Opened)
    def _opened(self, event: EventView.Opened) -> None:
        if isinstance(event.event, ItemEvent):
            self._desk.open_item(event.event)
        else:
            self.say("this event is about no item")

    def action_look_back(self) -> None:
        """The board as it was."""
        if self.log_held.current is not None:
            self.log_held.pause()
            self._desk.look_back(self.log_held.current)
