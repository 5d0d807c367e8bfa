"""What a reviewer has before them: the reviews that wait, in an order that stays, with a cursor and marks that are names.

Every review gets a rank when it is first seen and keeps it: one that was decided and taken back returns to where it stood, and
nothing is ever re-ordered under the cursor. While the list is longer than the screen, newcomers gather until they are asked for.

Pure state: whoever owns a store hands readings in, and draws what `lines` says.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from treadle_tui.board.review_line import ReviewKey, ReviewLine, Tab


class ReviewQueue:
    """See the module's first lines."""

    def __init__(self) -> None:
        self.tab = Tab.WAITING
        self.filter = ""
        """What a person typed; lines must have every word of it."""
        self.marks: set[ReviewKey] = set()
        self.newcomers = 0
        """Reviews that have come and are not shown yet."""
        self.others: dict[Tab, list[ReviewLine]] = {Tab.OUTBOX: [], Tab.DECIDED: []}
        """The lists that are shown as they were read."""
        self.held: set[ReviewKey] = set()
        """Decided here, and not recorded yet."""
        self._known: dict[ReviewKey, ReviewLine] = {}
        self._later: dict[ReviewKey, tuple[int, datetime | None]] = {}
        self._ranks: dict[ReviewKey, int] = {}
        self._last_rank = 0
        self._shown: set[ReviewKey] = set()
        self._lines: list[ReviewLine] = []
        self._order: list[int] = []
        self._deferred: list[ReviewLine] = []
        self._cursors: dict[Tab, tuple[ReviewKey, int] | None] = {}
        self._places: dict[Tab, int] = dict.fromkeys(Tab, 0)
        self._height = 0
        self._mark_from: ReviewKey | None = None

    # readings -------------------------------------------------------------------------------------------------------------------

    def look_at(self, height: int) -> None:
        """How many lines the screen has."""
        self._height = height

    def take_waiting(self, lines: Iterable[ReviewLine], now: datetime) -> list[ReviewKey]:
        """Take in what waits now; the keys that were shown and are gone, decided here or elsewhere."""
        known = {line.key: line for line in lines}
        gone = [key for key in self._shown if key not in known]
        is_first = not self._known
        room = max(0, self._height - len(self._lines))
        for key in known:
            if key not in self._known:
                self._last_rank += 1
                self._ranks[key] = self._last_rank
        self._shown.intersection_update(known)
        fresh = [key for key in known if key not in self._shown and key not in self.held]
        if is_first or not self._lines:
            self._shown.update(fresh)
        else:
            self._shown.update(fresh[:room])
        self._known = known
        self.marks.intersection_update(known)
        self._arrange(now)
        return gone

    def take_later(self, later: Mapping[ReviewKey, tuple[int, datetime | None]], now: datetime) -> None:
        """Take in what was put off: at which version, and until when (None: until it is fetched back)."""
        self._later = dict(later)
        self._arrange(now)

    def take_other(self, tab: Tab, lines: Sequence[ReviewLine]) -> None:
        """Take in the outbox, or the log."""
        self.others[tab] = list(lines)
        self._settle(tab)

    def show_newcomers(self, now: datetime) -> int:
        """Take every newcomer in, below the last line; how many there were."""
        count = self.newcomers
        self._shown.update(self._known)
        self._arrange(now)
        return count

    def ask(self, text: str, now: datetime) -> None:
        """Show only what has every word of the text."""
        self.filter = text.strip()
        self._arrange(now)
        for tab in self.others:
            self._settle(tab)

    # deciding -------------------------------------------------------------------------------------------------------------------

    def hold(self, keys: Collection[ReviewKey]) -> None:
        """These have been decided: they leave the list, the cursor goes on to the next, the marks go."""
        self.held.update(keys)
        self.marks.difference_update(keys)
        if len(keys) > 8:
            self._lines = [line for line in self._lines if line.key not in self.held]
            self._order = [self._ranks[line.key] for line in self._lines]
        else:
            for key in keys:
                self._remove(key)
        self._deferred = [line for line in self._deferred if line.key not in self.held]
        self._settle(Tab.WAITING)
        self._settle(Tab.DEFERRED)

    def release(self, keys: Iterable[ReviewKey], now: datetime, *, go_to: bool = False) -> None:
        """These are held no longer: those that still wait are back where they stood, and the cursor may go there."""
        released = list(keys)
        self.held.difference_update(released)
        self._shown.update(key for key in released if key in self._known)
        self._arrange(now)
        if go_to and released:
            self.go_to(released[0])

    def settle(self, keys: Iterable[ReviewKey]) -> None:
        """These are recorded and wait no longer; one that waits again later is a newcomer."""
        for key in keys:
            self.held.discard(key)
            self._shown.discard(key)
            self._known.pop(key, None)

    def _remove(self, key: ReviewKey) -> None:
        rank = self._ranks.get(key, -1)
        place = bisect_left(self._order, rank)
        if place < len(self._order) and self._order[place] == rank:
            del self._order[place], self._lines[place]

    def _arrange(self, now: datetime) -> None:
        """Make both lists anew."""
        words = self._words
        waiting: list[tuple[int, ReviewLine]] = []
        self._deferred = []
        hidden = 0
        for key, line in self._known.items():
            if key in self.held:
                continue
            is_put_off, until = self._put_off(line, now)
            if is_put_off:
                self._shown.add(key)
            elif key not in self._shown:
                hidden += 1
                continue
            if words and not line.matches(words):
                continue
            if is_put_off:
                self._deferred.append(line._replace(until=until))
            else:
                waiting.append((self._ranks[key], line))
        waiting.sort(key=lambda pair: pair[0])
        self._order = [rank for rank, _ in waiting]
        self._lines = [line for _, line in waiting]
        self.newcomers = hidden
        self._settle(Tab.WAITING)
        self._settle(Tab.DEFERRED)

    def _put_off(self, line: ReviewLine, now: datetime) -> tuple[bool, datetime | None]:
        """Whether it is put off still, and until when. A review that has changed since is looked at again."""
        version, until = self._later.get(line.key, (None, None))
        return version == line.version and (until is None or until > now), until

    @property
    def next_return(self) -> datetime | None:
        """When the next of those that were put off comes back."""
        moments = [line.until for line in self._deferred if line.until is not None]
        return min(moments, default=None)

    @property
    def _words(self) -> list[str]:
        return self.filter.lower().split()

    # what is shown --------------------------------------------------------------------------------------------------------------

    @property
    def lines(self) -> list[ReviewLine]:
        """The lines of the tab that is shown."""
        return self.lines_of(self.tab)

    def lines_of(self, tab: Tab) -> list[ReviewLine]:
        """The lines of a tab, those the filter lets through."""
        if tab is Tab.WAITING:
            return self._lines
        if tab is Tab.DEFERRED:
            return self._deferred
        words = self._words
        return [line for line in self.others[tab] if line.matches(words)] if words else self.others[tab]

    @property
    def waiting(self) -> int:
        """Reviews that wait and are neither decided nor put off, filtered out or not, newcomers included."""
        return len(self._known) - sum(key in self._known for key in self.held) - len(self._deferred)

    def line_of(self, key: ReviewKey) -> ReviewLine | None:
        """A review that waits, whatever list it is in."""
        return self._known.get(key)

    # cursor ---------------------------------------------------------------------------------------------------------------------

    @property
    def place(self) -> int:
        """The number of the cursor's line, 0 at the top."""
        return self._places[self.tab]

    @property
    def current(self) -> ReviewLine | None:
        """The line under the cursor."""
        lines = self.lines
        return lines[self.place] if self.place < len(lines) else None

    @property
    def next_lines(self) -> list[ReviewLine]:
        """What a person will most likely look at next, likeliest first."""
        lines, at = self.lines, self.place
        return lines[at + 1 : at + 5] + lines[max(0, at - 1) : at]

    def move(self, delta: int) -> None:
        """The cursor some lines up or down."""
        self.move_to(self.place + delta)

    def move_to(self, place: int) -> None:
        """The cursor on a line, the nearest there is."""
        lines = self.lines
        self._places[self.tab] = max(0, min(place, len(lines) - 1))
        self._cursors[self.tab] = _identity(lines[self.place]) if lines else None

    def go_to(self, key: ReviewKey) -> bool:
        """The cursor on a review of the tab that is shown; False when it is not there."""
        for place, line in enumerate(self.lines):
            if line.key == key:
                self.move_to(place)
                return True
        return False

    def show(self, tab: Tab) -> None:
        """Show another list."""
        self.tab = tab
        self._mark_from = None
        self._settle(tab)

    def _settle(self, tab: Tab) -> None:
        """Follow the cursor's line to where it stands now; when it is gone, its place is taken by the one behind it."""
        lines, place, cursor = self.lines_of(tab), self._places[tab], self._cursors.get(tab)
        if cursor is not None and not (place < len(lines) and _identity(lines[place]) == cursor):
            place = next((at for at, line in enumerate(lines) if _identity(line) == cursor), place)
        self._places[tab] = max(0, min(place, len(lines) - 1))
        self._cursors[tab] = _identity(lines[self._places[tab]]) if lines else None

    # marks ----------------------------------------------------------------------------------------------------------------------

    def toggle_mark(self) -> None:
        """Mark the line under the cursor, or unmark it, and go on to the next."""
        line = self.current
        if line is not None and self.tab in (Tab.WAITING, Tab.DEFERRED):
            self.marks ^= {line.key}
            self._mark_from = line.key
            self.move(1)

    def mark_range(self) -> None:
        """Mark from the line that was marked last to the cursor."""
        line, lines = self.current, self.lines
        places = {each.key: place for place, each in enumerate(lines)}
        if line is None or self.tab not in (Tab.WAITING, Tab.DEFERRED):
            return
        start = places.get(self._mark_from, self.place) if self._mark_from is not None else self.place
        first, last = sorted((start, self.place))
        self.marks.update(each.key for each in lines[first : last + 1])
        self._mark_from = line.key

    def mark_all(self) -> int:
        """Mark everything the filter lets through; how many."""
        if self.tab in (Tab.WAITING, Tab.DEFERRED):
            self.marks.update(line.key for line in self.lines)
        return len(self.marks)

    def clear_marks(self) -> None:
        """Mark nothing."""
        self.marks.clear()
        self._mark_from = None

    @property
    def chosen(self) -> list[ReviewLine]:
        """What a key is about: the marked lines in the order they stand, also those filtered out, or else the one under the cursor."""
        if not self.marks or self.tab not in (Tab.WAITING, Tab.DEFERRED):
            return [self.current] if self.current is not None else []
        marked = [self._known[key] for key in self.marks if key in self._known]
        return sorted(marked, key=lambda line: self._ranks.get(line.key, 0))


def _identity(line: ReviewLine) -> tuple[ReviewKey, int]:
    """What a cursor holds on to: in the lists of decisions a review may stand several times."""
    return line.key, line.number
