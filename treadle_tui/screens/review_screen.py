"""The inbox: what waits on the left, what it is about on the right, and every decision one key.

Nothing here waits for the database. A decision takes the line away and shows the next one in the same frame; what that is about was
read before it was asked for. A key decides what was on the screen when it went down, and one that is held down decides nothing more.
"""

from __future__ import annotations

from collections.abc import Coroutine, Set
from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.timer import Timer
from textual.widgets import Input

from treadle_tui.board.review_line import ReviewKey, ReviewLine, Tab
from treadle_tui.board.review_queue import ReviewQueue
from treadle_tui.board.review_session import ReviewSession
from treadle_tui.board.safe_text import safe_line
from treadle_tui.engine.review import Approve
from treadle_tui.screens.main_screen import MainScreen
from treadle_tui.screens.review_asking import ReviewAsking
from treadle_tui.screens.review_bench import ReviewBench
from treadle_tui.widgets.plain_text import PlainText
from treadle_tui.widgets.review_list import ReviewList
from treadle_tui.widgets.review_preview import ReviewPreview
from treadle_tui.widgets.tab_line import TabLine, TabName

#: The same deciding key again within this time is one that is held down.
GUARD_SECONDS = 0.15
#: A review is looked at once the cursor has rested on it so long; only then are others told.
_LOOK_SECONDS = 1.0
#: How often the ages, and who else is looking, are drawn again.
_TICK_SECONDS = 5.0
_TABS = (Tab.WAITING, Tab.DEFERRED, Tab.OUTBOX, Tab.DECIDED)
_OPEN_TABS = (Tab.WAITING, Tab.DEFERRED)


class FilterInput(Input):
    """What the list must have; while it has the focus every letter is text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,down", "leave", "Done", id="filter.done", key_display="enter", tooltip="To the list; the filter stays"),
        Binding("escape", "clear", "Clear", id="filter.clear", key_display="esc", tooltip="To the list, without a filter"),
    ]

    def action_leave(self) -> None:
        """To the list."""
        self.screen.query_one(ReviewList).focus()
        self.display = bool(self.value)

    def action_clear(self) -> None:
        """To the list, showing everything again."""
        self.value = ""
        self.action_leave()


class ReviewScreen(MainScreen):
    """See the module's first lines."""

    TITLE = "Review"
    BINDING_GROUP_TITLE = "Inbox"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "decide('approve')", "Approve", id="review.approve", tooltip="Approve this one, or all that are marked"),
        Binding("x", "decide('reject')", "Reject", id="review.reject", tooltip="Reject with a reason: this one, or all that are marked"),
        Binding("g", "decide('changes')", "Changes", id="review.changes", tooltip="Request changes: it runs again with what you say"),
        Binding("e", "open('edit')", "Edit", id="review.edit", tooltip="Edit the output, and approve the edit"),
        Binding("E", "open('editor')", "$EDITOR", show=False, id="review.editor", tooltip="Edit the output in your own editor"),
        Binding("s", "later", "Later", id="review.later", tooltip="Put it off; in Deferred: fetch it back"),
        Binding("S", "later_until", "Later until", show=False, id="review.later_until", tooltip="Put it off until a moment"),
        Binding("n", "note", "Note", show=False, id="review.note", tooltip="A remark that goes with your decision"),
        Binding("u", "undo", "Undo", id="review.undo", tooltip="Take the latest decision back; in Outbox and Decided: this one"),
        Binding("U", "show('Outbox')", "Outbox", show=False, id="review.outbox", tooltip="What is decided and not recorded yet"),
        Binding(
            "full_stop", "again", "Again", show=False, id="review.again", key_display=".", tooltip="The same decision and reason again"
        ),
        Binding("space", "mark", "Mark", show=False, id="review.mark", tooltip="Mark it, or unmark it, and go on"),
        Binding("v", "mark_range", "Range", show=False, id="review.mark_range", tooltip="Mark from the last mark to here"),
        Binding("asterisk", "mark_all", "All", show=False, id="review.mark_all", key_display="*", tooltip="Mark everything shown"),
        Binding("minus", "clear_marks", "Unmark", show=False, id="review.unmark", key_display="-", tooltip="Mark nothing"),
        Binding("slash", "filter", "Filter", id="review.filter", key_display="/", tooltip="Show only what has these words"),
        Binding("right_square_bracket", "tab(1)", "List", id="review.next_tab", key_display="]", tooltip="The next list"),
        Binding("left_square_bracket", "tab(-1)", "List before", show=False, id="review.previous_tab", tooltip="The list before"),
        Binding("J", "scroll_body(1)", "Scroll", show=False, id="review.scroll_down", tooltip="Scroll what it is about down"),
        Binding("K", "scroll_body(-1)", "Scroll up", show=False, id="review.scroll_up", tooltip="Scroll what it is about up"),
        Binding("dollar_sign", "send", "Send", show=False, id="review.send", key_display="$", tooltip="Send what is held without waiting"),
    ]

    DEFAULT_CSS = """
    ReviewScreen {
        & > FilterInput { display: none; margin: 0 2; background: $surface; padding: 0 1; }
        & #panes { height: 1fr; layout: vertical; }
        & ReviewList { height: 1fr; }
        & ReviewPreview { height: 1fr; padding: 0 1; }
        & #nothing { height: 1fr; padding: 2 4; display: none; }
        &.-empty #panes { display: none; }
        &.-empty #nothing { display: block; }
        &.-one-pane ReviewPreview { display: none; }
        &.-stacked ReviewPreview { border-top: solid $line; height: 3fr; }
        &.-stacked ReviewList { height: 2fr; min-height: 5; }
        &.-side-by-side #panes { layout: horizontal; }
        &.-side-by-side ReviewList { width: 4fr; }
        &.-side-by-side ReviewPreview { width: 5fr; border-left: solid $line; }
    }
    """

    def __init__(self, bench: ReviewBench) -> None:
        super().__init__()
        self.bench = bench
        self._asking = ReviewAsking(bench, lambda question: self.app.push_screen_wait(question), self.say)
        self._painted: ReviewLine | None = None
        self._decided_at = (float("-inf"), "")
        self._offered: tuple[bool, Tab, bool] | None = None
        """What the keys that are offered depend on."""
        self._look: Timer | None = None
        self._looked_at: ReviewKey | None = None

    @property
    def queue(self) -> ReviewQueue:
        """What is shown."""
        return self.bench.queue

    def compose_body(self) -> ComposeResult:
        """Lists by name, the filter, the list and what is under its cursor."""
        yield TabLine()
        yield FilterInput(placeholder="words, or stage: workflow: group: why: by:", compact=True, select_on_focus=False)
        with Container(id="panes"):
            yield ReviewList(self.queue, self.bench.now)
            yield ReviewPreview()
        yield PlainText(id="nothing")

    def on_mount(self) -> None:
        """The list has the keys; what is shown is read."""
        self.query_one(ReviewList).focus()
        self.set_interval(_TICK_SECONDS, self._tick)
        self.bench.want()
        self._show_all()

    def on_screen_resume(self) -> None:
        """In front again: time counts, and there may be news."""
        self.bench.session.come_back(self.bench.monotonic())
        self.bench.want()

    def on_screen_suspend(self) -> None:
        """Something else is in front."""
        self.bench.session.leave(self.bench.monotonic())

    def on_app_blur(self) -> None:
        """The window has lost the focus: time does not count."""
        self.bench.session.leave(self.bench.monotonic())

    def on_app_focus(self) -> None:
        """The person looks again."""
        self.bench.session.come_back(self.bench.monotonic())

    def on_key(self, event: events.Key) -> None:
        """Somebody is there."""
        self.bench.touch()

    # news -----------------------------------------------------------------------------------------------------------------------

    def items_changed(self, items: Set[str] | None) -> None:
        """Reviews may have come or gone."""
        self.bench.want()

    def inbox_changed(self) -> None:
        """The lists are others now."""
        if self.is_there and self.is_mounted:
            self._show_all()

    def subject_ready(self, key: ReviewKey) -> None:
        """What a review is about has been read."""
        if not (self.is_there and self.is_mounted):
            return
        line = self.queue.current
        if line is not None and line.key == key:
            self._show_preview()
        else:
            self._prepare(next((each for each in self.queue.next_lines if each.key == key), None))

    def _prepare(self, line: ReviewLine | None) -> None:
        """Draw what will most likely be asked for next, before it is."""
        subject = self.bench.subject(line) if line is not None else None
        if line is not None and subject is not None:
            self.query_one(ReviewPreview).prepare(line, subject, self.bench.now(), *self._kept_on(line))

    def _kept_on(self, line: ReviewLine) -> tuple[str, bool]:
        """The note, and whether an edit was begun."""
        return self.bench.note_on(line.key), self.bench.draft_on(line.key) is not None

    def _tick(self) -> None:
        if self.is_current and self.app.app_focus:
            self.query_one(ReviewList).repaint()
            self.query_one(ReviewPreview).forget_prepared()
            if self.queue.lines:
                self.bench.want()

    # showing --------------------------------------------------------------------------------------------------------------------

    def _show_all(self) -> None:
        queue = self.queue
        counts = {tab: len(queue.lines_of(tab)) for tab in (Tab.DEFERRED, Tab.OUTBOX)} | {Tab.WAITING: queue.waiting, Tab.DECIDED: 0}
        tabs = [TabName(tab.value, tab.value, "", counts[tab]) for tab in _TABS]
        marked = f"{len(queue.marks):,} marked · " if queue.marks else ""
        self.query_one(TabLine).show(tabs, queue.tab.value, marked + self.bench.session.progress(queue.waiting))
        self._show_nothing()
        self.query_one(ReviewList).show()
        self._show_preview()
        offered = bool(queue.lines), queue.tab, bool(queue.marks)
        if offered != self._offered:
            self._offered = offered
            self.refresh_bindings()

    def _show_preview(self) -> None:
        """What is under the cursor, from what has been read; what comes next is read meanwhile."""
        line = self.queue.current
        subject = self.bench.subject(line) if line is not None else None
        note, has_draft = self._kept_on(line) if line is not None else ("", False)
        self.query_one(ReviewPreview).show(line, subject, self.bench.now(), note, has_draft)
        self.bench.session.show(line.key if line is not None and self.queue.tab in _OPEN_TABS else None, self.bench.monotonic())
        self.bench.prepare([*([line] if line is not None else []), *self.queue.next_lines])
        self.call_after_refresh(self._has_painted, line)
        self._note_look(line)

    def _has_painted(self, line: ReviewLine | None) -> None:
        self._painted = line

    def _note_look(self, line: ReviewLine | None) -> None:
        """Tell others, once the cursor rests."""
        key = line.key if line is not None and self.queue.tab in _OPEN_TABS else None
        if key == self._looked_at:
            return
        self._looked_at = key
        if self._look is not None:
            self._look.stop()
        if line is not None and key is not None:
            self._look = self.set_timer(_LOOK_SECONDS, lambda: self.bench.look(line) if self.is_current else None)

    def _show_nothing(self) -> None:
        is_empty = not self.queue.lines
        self.set_class(is_empty, "-empty")
        if is_empty:
            nothing = self.query_one("#nothing", PlainText)
            nothing.show(*_nothing_words(self.queue, self.bench.session, is_read=self.bench.is_read))

    @on(ReviewList.CursorMoved)
    def _cursor_moved(self) -> None:
        self._show_all()

    @on(TabLine.Chosen)
    def _tab_chosen(self, event: TabLine.Chosen) -> None:
        self.bench.show_tab(Tab(event.id))

    def action_tab(self, delta: int) -> None:
        """The next list, or the one before."""
        self.bench.show_tab(_TABS[(_TABS.index(self.queue.tab) + delta) % len(_TABS)])

    def action_show(self, tab: str) -> None:
        """A list by name; away from it again by the same key."""
        self.bench.show_tab(Tab.WAITING if self.queue.tab is Tab(tab) else Tab(tab))

    def action_scroll_body(self, delta: int) -> None:
        """Scroll what it is about."""
        self.query_one(ReviewPreview).outline.page_through(delta)

    # filter ---------------------------------------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Type what the list must have."""
        field = self.query_one(FilterInput)
        field.display = True
        field.focus()

    @on(Input.Changed)
    def _filter_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.queue.ask(event.value, self.bench.now())
        self._show_all()

    # deciding -------------------------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would do nothing are shown as such."""
        tab, line = self.queue.tab, self.queue.current
        match action:
            case "decide" | "open" | "later_until" | "note" | "mark" | "mark_range" | "mark_all":
                return True if line is not None and tab in _OPEN_TABS else None
            case "later":
                return True if line is not None and tab in _OPEN_TABS else None
            case "again":
                return True if line is not None and tab in _OPEN_TABS else None
            case "clear_marks":
                return True if self.queue.marks else None
        return True

    def _chosen(self, key: str) -> list[ReviewLine]:
        """What a key is about, as it was painted; nothing when the key is held down, or the line has changed since."""
        now, (decided_at, last_key) = self.bench.monotonic(), self._decided_at
        is_held_down = last_key == key and now - decided_at < GUARD_SECONDS
        self._decided_at = now, key
        if is_held_down:
            return []
        chosen = self.queue.chosen
        if self.queue.marks:
            return chosen
        if not chosen or self._painted is None or (self._painted.key, self._painted.version) != (chosen[0].key, chosen[0].version):
            return []
        return chosen

    def action_decide(self, what: str) -> None:
        """Approve, reject or send back the line under the cursor, or all that are marked."""
        lines = self._chosen(what)
        if len(lines) > 1 or (lines and self.queue.marks):
            self._ask(self._asking.decide_many(what, lines))
        elif lines:
            self._decide_one(what, lines[0])

    def _ask(self, asking: Coroutine[Any, Any, None]) -> None:
        """Ask the person something: what they type from now on is for the dialog that is being opened."""
        self.bench.expect_dialog(True)
        self.run_worker(asking, exclusive=True, group="ask")

    def _decide_one(self, what: str, line: ReviewLine) -> None:
        if what == "approve":
            subject = self.bench.subject(line)
            if (subject is not None and subject.must_be_filled_in) or self.bench.typed(line, "answers"):
                self._ask(self.bench.open(line, "fill_in"))
            else:
                self.bench.decide([line], Approve())
        else:
            self._ask(self._asking.decide_one(what, line))

    def action_again(self) -> None:
        """The same decision and reason as the last time."""
        lines = self._chosen("again")
        if len(lines) > 1:
            self.say("one at a time: unmark with -, or use a and x")
        elif lines and not self.bench.again(lines):
            self.say("there is no decision to repeat yet")

    def action_undo(self) -> None:
        """Take back the latest decision, or the one under the cursor of Outbox and Decided."""
        line = self.queue.current
        if self.queue.tab is Tab.OUTBOX and line is not None:
            self.bench.let_go(line)
        elif self.queue.tab is Tab.DECIDED and line is not None:
            self.bench.reopen(line)
        else:
            self.bench.undo()

    def action_send(self) -> None:
        """Send what is held; in the outbox, what is under the cursor."""
        self.bench.send_now(self.queue.current if self.queue.tab is Tab.OUTBOX else None)

    # opening --------------------------------------------------------------------------------------------------------------------

    @on(ReviewList.Opened)
    def _opened(self) -> None:
        line = self.queue.current
        if line is not None and self.queue.tab in _OPEN_TABS:
            self._ask(self.bench.open(line))

    def action_open(self, doing: str) -> None:
        """Open what is under the cursor, and go on with something there."""
        line = self.queue.current
        if line is not None:
            self._ask(self.bench.open(line, doing))

    # putting off, and noting ----------------------------------------------------------------------------------------------------

    def action_later(self) -> None:
        """Put these off; in Deferred, fetch them back."""
        self.bench.defer(self.queue.chosen, None)

    def action_later_until(self) -> None:
        """Put these off until a moment."""
        lines = self.queue.chosen
        if lines:
            self._ask(self._asking.put_off(lines))

    def action_note(self) -> None:
        """A remark that goes with the decision to come."""
        line = self.queue.current
        if line is not None:
            self._ask(self._asking.note(line))

    # marks ----------------------------------------------------------------------------------------------------------------------

    def action_mark(self) -> None:
        """Mark, or unmark, and go on."""
        self.queue.toggle_mark()
        self._show_all()

    def action_mark_range(self) -> None:
        """Mark from the last mark to here."""
        self.queue.mark_range()
        self._show_all()

    def action_mark_all(self) -> None:
        """Mark everything the filter shows."""
        self.say(f"{self.queue.mark_all():,} marked")
        self._show_all()

    def action_clear_marks(self) -> None:
        """Mark nothing."""
        self.queue.clear_marks()
        self._show_all()


def _nothing_words(queue: ReviewQueue, session: ReviewSession, *, is_read: bool) -> list[str | tuple[str, ...]]:
    """What stands in place of an empty list: what to do next, and, when everything is decided, how it went."""
    if queue.filter:
        return [f"Nothing here has “{queue.filter}”.", "", ("/", "$accent", "   another filter, esc in it for none")]
    if queue.tab is Tab.DEFERRED:
        return ["Nothing is put off.", "", ("s", "$accent", "   puts a review off, "), ("S", "$accent", "   until a moment you name")]
    if queue.tab is Tab.OUTBOX:
        return ["The outbox is empty: everything you decided is recorded.", "", ("]", "$accent", "   what was decided")]
    if queue.tab is Tab.DECIDED:
        return ["Nothing has been decided in this database yet." if is_read else ("reading …", "$quiet", "")]
    if not is_read:
        return [("reading …", "$quiet", "")]
    words: list[str | tuple[str, ...]] = ["Nothing waits for you."]
    for heading, told in session.summary():
        words += ["", (heading, "$accent", ""), *map(safe_line, told)]
    if queue.lines_of(Tab.DEFERRED):
        words += ["", (f"{len(queue.lines_of(Tab.DEFERRED)):,} put off: ", "$quiet", "]", "$accent", "  shows them")]
    words += ["", ("u", "$accent", "   takes the latest decision back"), ("2", "$accent", "   the board")]
    return words
