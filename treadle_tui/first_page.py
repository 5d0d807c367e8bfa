"""The first rows of a board, read straight from the file: they are on the screen before an engine has been imported.

A page is everything a board needs to be shown as it was left, at one moment of the file. Who follows the file from the moment's `seq` on
misses nothing and shows nothing twice.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from treadle_tui.board.board import Board
from treadle_tui.board.cell_text import CellShows
from treadle_tui.board.tally import Counts, WaitingSubtasks, tally
from treadle_tui.board.view import Question as BoardQuestion
from treadle_tui.engine.errors import TreadleError
from treadle_tui.engine.status import ItemRow
from treadle_tui.engine.store.sqlite.columns import Question
from treadle_tui.engine.store.sqlite.file_reading import FileReading
from treadle_tui.engine.store.sqlite.questions import Questions
from treadle_tui.view_memory import RememberedView

#: A file that somebody holds for longer is left to the store, which waits for it and says so.
_PATIENCE_SECONDS = 0.2


class FirstPage(NamedTuple):
    """A board with its first rows, and the moment they are from."""

    board: Board
    counts: Counts
    waiting_subtasks: WaitingSubtasks
    workflow: str
    seq: int
    """The last event that is in it."""


class _Rows(NamedTuple):
    stages: list[str]
    counts: Counts
    waiting_subtasks: WaitingSubtasks
    workflow: str
    seq: int
    place: int
    """Of the row the cursor was on."""
    rows: list[ItemRow]
    """The page around it."""


def read_first_page(db: Path, view: RememberedView, height: int) -> FirstPage | None:
    """The board as this view of it was left, its cursor in the middle of `height` lines.

    None when there is nothing to show so soon: no items, a list with conditions or an order, or a file that a store must look at first.
    """
    if not view.question().is_plain:
        return None
    board = Board()
    try:
        with FileReading(db, _PATIENCE_SECONDS) as file:
            found = file.ask(_first_rows(file.questions, view, board.window.page_rows)) if file.is_current else None
    except TreadleError:
        return None
    if found is None:
        return None
    board.look_at(0, height)
    board.hidden = frozenset(view.hidden)
    board.shows = CellShows(view.shows) if view.shows in {each.value for each in CellShows} else board.shows
    total = tally(found.counts, found.workflow).items
    board.land(BoardQuestion(workflow=found.workflow), found.stages, None, total, found.place, found.rows)
    if view.cursor_stage in board.stages:
        board.cursor_stage = view.cursor_stage
    return FirstPage(board, found.counts, found.waiting_subtasks, found.workflow, found.seq)


def _first_rows(file: Questions, view: RememberedView, size: int) -> Question[_Rows | None]:
    seq = yield from file.last_seq()
    names = yield from file.stage_names()
    counts = yield from file.counts()
    subtasks = yield from file.waiting_subtasks()
    with_items = [name for name in names if tally(counts, name).items]
    workflow = view.workflow if view.workflow in with_items else next(iter(with_items), "")
    if not workflow:
        return None
    kept = (yield from file.rows([view.cursor_item])) if view.cursor_item else []
    place = (yield from file.place_of(kept[0].key, workflow)) if kept and kept[0].workflow == workflow else 0
    rows = yield from file.page(workflow=workflow, offset=place // size * size, limit=size)
    return _Rows(names[workflow], counts, subtasks, workflow, seq, place, rows) if place % size < len(rows) else None
