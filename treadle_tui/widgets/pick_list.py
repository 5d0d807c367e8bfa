"""A list one walks through and picks from: rows of safe text on the Line API, a cursor that belongs to a row's key.

A list alone on a screen scrolls; several on one screen are as high as their rows, and hand the cursor on at their ends.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.containers import ScrollableContainer
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from treadle_tui.board.outline import Span, Tone
from treadle_tui.widgets.span_line import Piece, line_of

TONES = tuple(tone.value for tone in Tone if tone is not Tone.PLAIN)


@dataclass(frozen=True, slots=True)
class PickRow:
    """One line of a list."""

    key: Hashable
    left: tuple[Span, ...]
    """Gives way where there is not enough room."""
    right: tuple[Span, ...] = ()
    is_choice: bool = True
    """Whether the cursor may stand on it; a heading is none."""


class PickList(ScrollView, can_focus=True):
    """Rows, a title above them, and what to do while there are none."""

    BINDING_GROUP_TITLE = "List"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "pick", "Open", id="list.open", key_display="enter", tooltip="Open what is under the cursor"),
        Binding("up,k", "move(-1)", "Up", show=False, id="list.up", tooltip="One line up"),
        Binding("down,j", "move(1)", "Down", show=False, id="list.down", tooltip="One line down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="list.page_up", tooltip="One screen up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="list.page_down", tooltip="One screen down"),
        Binding("home", "end_of_list(-1)", "Top", show=False, id="list.top", tooltip="To the beginning"),
        Binding("end", "end_of_list(1)", "Bottom", show=False, id="list.bottom", tooltip="To the end"),
    ]

    COMPONENT_CLASSES: ClassVar[set[str]] = {"pick-list--title", "pick-list--cursor", *(f"pick-list--{tone}" for tone in TONES)}
    """
    | Class | Description |
    | :- | :- |
    | `pick-list--title` | The line above the rows |
    | `pick-list--cursor` | The row under the cursor |
    | `pick-list--muted` … `pick-list--cancelled` | Tones of the text |
    """

    DEFAULT_CSS = """
    PickList {
        background: $background;
        color: $foreground;
        height: 1fr;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        &.-in-full { height: auto; }
        & > .pick-list--title { color: $quiet; text-style: bold; }
        & > .pick-list--cursor { background: $cursor-row; text-style: $line-cursor-style; }
        & > .pick-list--muted { color: $quiet; }
        & > .pick-list--label { color: $quiet; }
        & > .pick-list--heading { color: $foreground; text-style: bold; }
        & > .pick-list--pending { color: $state-pending; }
        & > .pick-list--running { color: $state-running; }
        & > .pick-list--retry-wait { color: $state-retry-wait; }
        & > .pick-list--awaiting-review { color: $state-awaiting-review; }
        & > .pick-list--completed { color: $state-completed; }
        & > .pick-list--skipped { color: $state-skipped; }
        & > .pick-list--failed { color: $state-failed; }
        & > .pick-list--cancelled { color: $state-cancelled; }
    }
    """

    ALLOW_SELECT = False

    class Picked(Message):
        """A row was chosen."""

        def __init__(self, pick_list: PickList, row: PickRow) -> None:
            super().__init__()
            self.pick_list = pick_list
            self.row = row

        @property
        def control(self) -> PickList:
            """Alias for `pick_list`."""
            return self.pick_list

    class Moved(Message):
        """The cursor stands on another row."""

        def __init__(self, pick_list: PickList) -> None:
            super().__init__()
            self.pick_list = pick_list

        @property
        def control(self) -> PickList:
            """Alias for `pick_list`."""
            return self.pick_list

    def __init__(
        self,
        title: str = "",
        empty: str = "",
        *,
        in_full: bool = False,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`in_full`: as high as its rows, among others on one screen. `empty`: what to do, while there are no rows."""
        super().__init__(id=id, classes=classes)
        self._title = title
        self._empty = empty
        self._in_full = in_full
        self.set_class(in_full, "-in-full")
        self.rows: Sequence[PickRow] = ()
        self._key: Hashable = None
        self._at = 0

    # rows -----------------------------------------------------------------------------------------------------------------------

    @property
    def row(self) -> PickRow | None:
        """The row under the cursor; None when there is none."""
        return self.rows[self._at] if self._at < len(self.rows) and self.rows[self._at].is_choice else None

    def show(self, rows: Sequence[PickRow], *, title: str | None = None, empty: str | None = None) -> None:
        """Show other rows; the cursor stays with its row's key, or near where that was."""
        is_other_size = len(rows) != len(self.rows)
        is_same = rows == self.rows and title in (None, self._title) and empty in (None, self._empty)
        if is_same and self.virtual_size.height:
            return
        was_empty = self.row is None
        self._title = self._title if title is None else title
        self._empty = self._empty if empty is None else empty
        self.rows = rows
        found = next((number for number, row in enumerate(rows) if row.key == self._key and row.is_choice), None)
        self._at = self._nearest(min(self._at, max(0, len(rows) - 1))) if found is None else found
        self._remember()
        if (self.row is None) != was_empty:
            self.refresh_bindings()
        self.virtual_size = Size(self.scrollable_content_region.width, self._line_count)
        self.refresh(layout=is_other_size and self._in_full)

    @property
    def _line_count(self) -> int:
        return self._head + max(len(self.rows), 1 if self._empty else 0)

    @property
    def _head(self) -> int:
        return 1 if self._title else 0

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As high as the rows."""
        return self._line_count

    def _nearest(self, at: int) -> int:
        """The choice at that place, else the next one, else the one before."""
        choices = [number for number, row in enumerate(self.rows) if row.is_choice]
        return next((number for number in choices if number >= at), choices[-1] if choices else 0)

    def _remember(self) -> None:
        self._key = self.row.key if self.row else None

    def render_line(self, y: int) -> Strip:
        """The title, or a row."""
        width = self.scrollable_content_region.width
        number = round(self.scroll_y) + y - self._head
        base = self.rich_style
        if number < 0:
            return line_of([(" " + self._title, self._style("title"))], [], width, base)
        if not self.rows and number == 0 and self._empty:
            return line_of([(" " + self._empty, self._style("muted"))], [], width, base)
        if number >= len(self.rows):
            return Strip.blank(width, base)
        row = self.rows[number]
        if number == self._at and self.has_focus and row.is_choice:
            base = self.get_component_rich_style("pick-list--cursor")
        return line_of([(" ", Style.null()), *self._pieces(row.left)], [*self._pieces(row.right), (" ", Style.null())], width, base)

    def _pieces(self, spans: Sequence[Span]) -> list[Piece]:
        return [(text, Style.null() if tone is Tone.PLAIN else self._style(tone.value)) for text, tone in spans]

    def _style(self, part: str) -> Style:
        return self.get_component_rich_style(f"pick-list--{part}", partial=True)

    # moving ---------------------------------------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        """The cursor stays in sight."""
        self.virtual_size = Size(self.scrollable_content_region.width, self._line_count)
        self._show_cursor()

    def move_to(self, at: int) -> None:
        """Put the cursor on a row, or the nearest one that can be chosen."""
        self._at = self._nearest(max(0, min(at, len(self.rows) - 1)))
        self._remember()
        self._show_cursor()
        self.refresh()
        self.post_message(self.Moved(self))

    def go_to(self, key: Hashable) -> None:
        """Put the cursor on the row of that key; nothing when there is none."""
        found = next((number for number, row in enumerate(self.rows) if row.key == key), None)
        if found is not None:
            self.move_to(found)

    def _show_cursor(self) -> None:
        line = self._at + self._head
        if self._in_full:
            self._show_in_parent(line)
            return
        first, height = round(self.scroll_y), max(1, self.size.height)
        if line < first or (self._at == 0 and first):
            self.scroll_to(y=0 if self._at == 0 else line, animate=False, force=True)
        elif line >= first + height:
            self.scroll_to(y=line - height + 1, animate=False, force=True)

    def _show_in_parent(self, line: int) -> None:
        around = next((each for each in self.ancestors if isinstance(each, ScrollableContainer)), None)
        if not self.has_focus or around is None:
            return
        if self._at == self._nearest(0) and self._lists()[:1] == [self]:
            around.scroll_to(y=0, animate=False, force=True)  # what stands above the first list can only be reached with its cursor
            return
        title = int(line == self._head)  # comes into sight with the first row
        y = line - title
        for each in itertools.takewhile(lambda each: each is not around, self.ancestors_with_self):
            y += each.virtual_region.y if isinstance(each, Widget) else 0
        around.scroll_to_region(Region(0, y, 1, 1 + title), animate=False, force=True)

    def _lists(self) -> list[PickList]:
        """The lists of the screen one goes through with the cursor."""
        return [each for each in self.screen.query(PickList) if each.display and each._in_full and each.row is not None]

    def on_focus(self) -> None:
        """The cursor is shown: after Textual, which brings the middle of the list into sight."""
        self.screen.call_later(self._show_cursor)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row; a second click opens it."""
        event.stop()
        at = round(self.scroll_y) + event.y - self._head
        if 0 <= at < len(self.rows) and self.rows[at].is_choice:
            was_there = at == self._at
            self.move_to(at)
            if was_there and event.chain > 1:
                self.action_pick()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Opening is offered where there is something to open."""
        return action != "pick" or self.row is not None

    def action_pick(self) -> None:
        """Choose the row under the cursor."""
        if self.row is not None:
            self.post_message(self.Picked(self, self.row))

    def action_move(self, delta: int) -> None:
        """Up or down; at the end of a list among others, on to the next one."""
        choices = [number for number, row in enumerate(self.rows) if row.is_choice]
        beyond = [number for number in choices if (number > self._at if delta > 0 else number < self._at)]
        if beyond:
            self.move_to(beyond[0] if delta > 0 else beyond[-1])
        elif self._in_full:
            self._hand_on(delta)

    def _hand_on(self, delta: int) -> None:
        lists = self._lists()
        at = lists.index(self) + delta if self in lists else 0
        if 0 <= at < len(lists):
            lists[at].focus()
            lists[at].move_to(0 if delta > 0 else len(lists[at].rows) - 1)

    def action_page(self, delta: int) -> None:
        """Some screens up or down."""
        self.move_to(self._at + delta * max(1, self.size.height - 1))

    def action_end_of_list(self, direction: int) -> None:
        """To the beginning or the end."""
        self.move_to(0 if direction < 0 else len(self.rows) - 1)
