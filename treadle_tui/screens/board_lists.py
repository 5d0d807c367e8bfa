"""The half of the board's screen that is about which items are listed, in which order, and what their cells say."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from textual.message import Message

from treadle_tui.board.header_facts import HeaderFacts
from treadle_tui.screens.main_screen import MainScreen
from treadle_tui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from treadle_tui.board.board import Board
    from treadle_tui.board.filter_language import FilterError
    from treadle_tui.board.view import Question
    from treadle_tui.widgets.board_grid import BoardGrid
    from treadle_tui.widgets.filter_bar import FilterBar


class BoardLists(MainScreen):
    """Turns keys into questions, and asks them."""

    class Request(Message):
        """Something is wanted that is not about one cell; whoever owns the board acts."""

    class Asked(Request):
        """Other items are to be listed, or in another order."""

        def __init__(self, question: Question) -> None:
            super().__init__()
            self.question = question

    class Acted(Request):
        """Something is to be done to the marked items, or to what is under the cursor: the name of a `Deed`."""

        def __init__(self, deed: str) -> None:
            super().__init__()
            self.deed = deed

    class ColumnsWanted(Request):
        """Which stages are shown is to be chosen."""

    class CopyWanted(Request):
        """The ids of what is marked, or under the cursor, are to be copied."""

    class RangeWanted(Request):
        """Rows of the list are to be marked, every one when `last` is None."""

        def __init__(self, first: int, last: int | None) -> None:
            super().__init__()
            self.first = first
            self.last = last

    class ViewChanged(Request):
        """Something is shown in another way."""

    class ViewKept(Request):
        """How the board is shown is to be kept under a name."""

    def __init__(self, facts: HeaderFacts) -> None:
        super().__init__(facts)
        self.board: Board | None = None
        """What is shown, once there is a database to show."""
        self.tags: Sequence[str] = ()
        """Tags of the workflow's stages, for completion."""
        self.before_dialog: Callable[[], None] = lambda: None
        """Called when a dialog to type in is asked for, before the next key is looked at."""
        self._before_editing: Question | None = None
        self._asked: Question | None = None

    @property
    def grid(self) -> BoardGrid:
        """The grid. There is one from `show_board` on."""
        from treadle_tui.widgets.board_grid import BoardGrid

        return self.query_one(BoardGrid)

    @abstractmethod
    def show_question(self) -> None:
        """Other items are listed from now on."""

    # which items, and how ----------------------------------------------------------------------------------------------------------

    @property
    def _bar(self) -> FilterBar | None:
        """The line of the filter; there is none before the first filter."""
        return cast("FilterBar | None", next(iter(self.query("FilterBar")), None))

    async def _made_bar(self) -> FilterBar:
        bar = self._bar
        if bar is None:
            from treadle_tui.widgets.filter_bar import FilterBar

            bar = FilterBar()
            await self.mount(bar, before=self.query_one(KeyBar))
        return bar

    @property
    def is_filter_edited(self) -> bool:
        """Whether the filter is being written."""
        bar = self._bar
        return bar is not None and bar.is_editing

    async def show_filter(self) -> None:
        """Say what is filtered."""
        text = self._filter_text
        if self.is_there and (text or self._bar is not None):
            bar = await self._made_bar()
            if not bar.is_editing:
                bar.show(text)

    @property
    def _question(self) -> Question:
        """What is listed, or will be as soon as it is known: the next key goes on from there."""
        assert self.board is not None, "what asks this is only offered once there is a board"
        return self._asked or self.board.question

    @property
    def _filter_text(self) -> str:
        if self.board is None or not self._question.conditions:
            return ""
        from treadle_tui.board.filter_language import print_filter

        return print_filter(self._question.conditions)

    def _ask(self, question: Question) -> None:
        self._asked = question
        self.post_message(self.Asked(question))

    def has_been_answered(self, question: Question) -> None:
        """What was asked is listed, or never will be."""
        if self._asked == question:
            self._asked = None
        self.show_question()

    async def action_filter(self) -> None:
        """Write the filter."""
        if self.board is not None:
            self.before_dialog()
            self._before_editing = self._question
            (await self._made_bar()).edit(self._filter_text, self.board.every_stage, self.tags)

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        """List what fits what stands there, when that can be read."""
        from treadle_tui.board.filter_completion import without_begun_field
        from treadle_tui.board.filter_language import FilterError, parse_filter

        event.stop()
        try:
            conditions = parse_filter(without_begun_field(event.text))
        except FilterError as error:
            self._say_error(error)
            return
        self._say_error(None)
        self._ask(replace(self._question, conditions=conditions))

    def on_filter_bar_kept(self, event: FilterBar.Kept) -> None:
        """Back to the list, unless what stands there cannot be read."""
        from treadle_tui.board.filter_language import FilterError, parse_filter, print_filter

        event.stop()
        try:
            conditions = parse_filter(event.text)
        except FilterError as error:
            self._say_error(error)
            return
        self._close_bar(print_filter(conditions))
        self._ask(replace(self._question, conditions=conditions))

    def on_filter_bar_left(self) -> None:
        """Back to the list as it was."""
        if self._before_editing is not None:
            self._ask(self._before_editing)
            self._close_bar_to(self._before_editing)

    def _close_bar_to(self, question: Question) -> None:
        from treadle_tui.board.filter_language import print_filter

        self._close_bar(print_filter(question.conditions))

    def _say_error(self, error: FilterError | None) -> None:
        if self._bar is not None:
            self._bar.say_error(error)

    def _close_bar(self, text: str) -> None:
        if self._bar is not None:
            self._bar.close(text)
        if self.has_class("-has-items"):
            self.grid.focus()
        else:
            self.set_focus(None)

    def action_only(self, what: str) -> None:
        """Failures only; complete items hidden; or all again."""
        from treadle_tui.board.filter_language import toggled
        from treadle_tui.engine.selection import Aspect, Condition
        from treadle_tui.engine.states import ItemState, StageState

        condition = {
            "failures": Condition(Aspect.STATE, (StageState.FAILED,)),
            "completed": Condition(Aspect.IS, (ItemState.COMPLETED,), True),
        }[what]
        self._ask(replace(self._question, conditions=toggled(self._question.conditions, condition)))

    def action_clear(self) -> None:
        """Give a range up; else take the filter away."""
        if self.board is not None and self.board.range_start is not None:
            self.board.range_start = None
            self.grid.show_marks()
            return
        self._ask(replace(self._question, conditions=()))

    def action_sort(self) -> None:
        """By what comes next."""
        from treadle_tui.board.sorting import next_order

        assert self.board is not None
        self._sort(next_order(self._question, self.board.cursor_stage))

    def action_reverse(self) -> None:
        """The other way round."""
        self._sort(replace(self._question, is_descending=not self._question.is_descending))

    def on_board_grid_sort_wanted(self, event: BoardGrid.SortWanted) -> None:
        """A click on a head: by that, then the other way round, then as added."""
        from treadle_tui.board.sorting import order_by_column

        event.stop()
        self._sort(order_by_column(self._question, event.stage))

    def _sort(self, question: Question) -> None:
        from treadle_tui.board.sorting import order_words

        self.say(order_words(question))
        self._ask(question)

    def on_board_grid_newcomers_wanted(self, event: BoardGrid.NewcomersWanted) -> None:
        """The same question again."""
        event.stop()
        self._ask(self._question)

    def action_cells(self) -> None:
        """Let cells say the next thing."""
        from treadle_tui.board.cell_text import CellShows

        assert self.board is not None
        every = list(CellShows)
        shows = every[(every.index(self.board.shows) + 1) % len(every)]
        self.grid.show_cells_as(shows)
        self.say(f"cells show the {shows.value}" if shows is not CellShows.ATTEMPTS else "cells show the attempts")
        self.post_message(self.ViewChanged())

    def action_columns(self) -> None:
        """Choose the stages that are shown."""
        self.post_message(self.ColumnsWanted())
