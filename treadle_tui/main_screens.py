"""The main screens: which there are, on which key, and how one gets from one to another.

Each has a stack of its own (a Textual mode), so that what was opened on top of one is still there when one comes back, and none is
made before it is asked for. The board is made first and lives as long as the program. To add a screen, add a line to `MAIN_SCREENS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.binding import Binding
from textual.screen import Screen

from treadle_tui.screens.main_screen import HearsOfItems, HearsOfTotals, MainScreen
from treadle_tui.screens.page import Page

if TYPE_CHECKING:
    from treadle_tui.board.tally import Counts
    from treadle_tui.full_screen import TreadleApp
    from treadle_tui.workbench import Workbench

BOARD = "board"
#: A screen that is not in front remembers so many changed items; with more, it reads everything again when it comes back.
_MOST_MISSED = 400


class MainScreenEntry(NamedTuple):
    """One main screen."""

    key: str
    id: str
    title: str
    about: str
    """The line of help."""
    make: Callable[[Workbench], MainScreen]
    """Called the first time the screen is asked for; imports it then."""

    @property
    def binding(self) -> Binding:
        """The key that shows it."""
        return Binding(self.key, f"show_main('{self.id}')", self.title, show=False, id=f"app.{self.id}", tooltip=self.about)


def _board(workbench: Workbench) -> MainScreen:
    return workbench.board_screen


def _dashboard(workbench: Workbench) -> MainScreen:
    from treadle_tui.desks.dashboard import DashboardDesk
    from treadle_tui.screens.dashboard_screen import DashboardScreen

    return DashboardScreen(DashboardDesk(workbench))


def _graph(workbench: Workbench) -> MainScreen:
    from treadle_tui.desks.graph import GraphDesk
    from treadle_tui.screens.graph_screen import GraphScreen

    return GraphScreen(GraphDesk(workbench))


def _events(workbench: Workbench) -> MainScreen:
    from treadle_tui.desks.events import EventDesk
    from treadle_tui.screens.events_screen import EventsScreen

    return EventsScreen(EventDesk(workbench))


def _statistics(workbench: Workbench) -> MainScreen:
    from treadle_tui.desks.statistics import StatisticsDesk
    from treadle_tui.screens.statistics_screen import StatisticsScreen

    return StatisticsScreen(StatisticsDesk(workbench))


def _review(workbench: Workbench) -> MainScreen:
    from treadle_tui.screens.review_screen import ReviewScreen

    screen = ReviewScreen(workbench.reviews)
    workbench.reviews.listeners.append(screen)
    return screen


MAIN_SCREENS: tuple[MainScreenEntry, ...] = (
    MainScreenEntry("1", "dashboard", "Dashboard", "How the workflow stands, on one page", _dashboard),
    MainScreenEntry("2", BOARD, "Board", "Items × stages, live", _board),
    MainScreenEntry("3", "review", "Review", "What waits for you: look, decide, next", _review),
    MainScreenEntry("4", "graph", "Graph", "The workflow as a picture, with live counts", _graph),
    MainScreenEntry("5", "events", "Events", "What has happened, and the board as it was", _events),
    MainScreenEntry("6", "statistics", "Statistics", "What the stages are like, and what the reviewers do", _statistics),
)
"""In the order of their keys."""


class MainScreens:
    """Those of one running program: shows them, finds the way back, and tells the ones that are seen what has changed."""

    def __init__(self, app: TreadleApp, entries: Sequence[MainScreenEntry]) -> None:
        self._app = app
        self._entries = {entry.id: entry for entry in entries}
        self._living: dict[str, MainScreen] = {BOARD: app.board_screen}
        self._way = [BOARD]
        self._missed: dict[Screen[Any], set[str] | None] = {}
        self._totals: tuple[Counts, int] | None = None
        self._facts = app.board_screen.facts._replace(screens=tuple((entry.id, entry.title) for entry in entries))
        app.add_mode(BOARD, lambda: app.board_screen)
        app.board_screen.show_facts(self._facts)

    @property
    def front(self) -> MainScreen:
        """The main screen that is in front, or under what was opened on top of it."""
        return self._living[self._app.current_mode]

    # going ----------------------------------------------------------------------------------------------------------------------

    def can_show(self, id: str) -> bool | None:
        """False when there is no such screen; None as long as there is no database for it to show."""
        if id not in self._entries:
            return False
        return True if id in self._living or self._app.workbench is not None else None

    @property
    def can_go_back(self) -> bool:
        """Whether another main screen was in front before, and nothing has been opened on top of this one."""
        return len(self._way) > 1 and len(self._app.screen_stack) == 1

    async def show(self, id: str, *, from_start: bool = True) -> None:
        """Bring a main screen to the front. `from_start`: without what had been opened on top of it."""
        await self._switch(id)
        before = [each for each in self._way[1:] if each != id]
        self._way = [BOARD] if id == BOARD and from_start else [BOARD, *before, id]
        while from_start and len(self._app.screen_stack) > 1:
            await self._app.pop_screen()

    async def back(self) -> None:
        """To the main screen that was in front before."""
        if self.can_go_back:
            self._way.pop()
            await self._switch(self._way[-1])

    async def _switch(self, id: str) -> None:
        if id == self._app.current_mode:
            return
        if id not in self._living:
            assert self._app.workbench is not None, "main screens are offered once there is something to show"
            screen = self._entries[id].make(self._app.workbench)
            self._living[id] = screen
            self._app.add_mode(id, lambda: screen)
        self._living[id].show_facts(self._facts)
        await self._app.switch_mode(id)
        self._tell_what_was_missed()

    # telling --------------------------------------------------------------------------------------------------------------------

    def say(self, message: str) -> None:
        """Tell a person what their key has done, on the screen they look at; under a question, for when it has been answered."""
        pages = [screen for screen in self._app.screen_stack if isinstance(screen, Page)]
        (pages[-1] if pages else self.front).say(message)

    def state(self, **facts: Any) -> None:
        """Some facts of the header are others now: see `HeaderFacts`."""
        self._facts = self._facts._replace(**facts)
        self.front.show_facts(self._facts)

    def items_changed(self, items: Set[str] | None) -> None:
        """Tell what is seen, and keep it for what is not."""
        for screen, is_seen in self._screens():
            if not isinstance(screen, HearsOfItems):
                continue
            if is_seen:
                screen.items_changed(items)
            else:
                self._missed[screen] = _joined(self._missed.get(screen, set()), items)

    def totals_changed(self, counts: Counts, waiting: int) -> None:
        """Tell what is seen; what is not seen hears the newest when it comes back."""
        self._totals = counts, waiting
        for screen, is_seen in self._screens():
            if is_seen and isinstance(screen, HearsOfTotals):
                screen.totals_changed(counts, waiting)

    def _tell_what_was_missed(self) -> None:
        living = {screen for screen, _ in self._screens()}
        for screen in self._app.screen_stack:
            if screen in self._missed and isinstance(screen, HearsOfItems):
                screen.items_changed(self._missed[screen])
            if self._totals is not None and isinstance(screen, HearsOfTotals):
                screen.totals_changed(*self._totals)
        seen = set(self._app.screen_stack)
        self._missed = {screen: items for screen, items in self._missed.items() if screen in living - seen}

    def _screens(self) -> Iterator[tuple[Screen[Any], bool]]:
        """Every screen, also those opened on top of main screens, and whether it belongs to what is seen."""
        for id in list(self._living):
            is_seen = id == self._app.current_mode
            try:
                stack = self._app.get_screen_stack(id)
            except KeyError:  # being made
                continue
            for screen in stack:
                yield screen, is_seen


def _joined(missed: set[str] | None, items: Set[str] | None) -> set[str] | None:
    if missed is None or items is None or len(missed) + len(items) > _MOST_MISSED:
        return None
    return missed | items
