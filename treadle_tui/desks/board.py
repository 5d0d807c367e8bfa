"""What a person asks of the board beyond one cell: other items, another order, marks, and doing something to many of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from treadle_tui.board.view import CellRef, Question
from treadle_tui.screens.board_screen import BoardScreen
from treadle_tui.view_memory import RememberedView, ViewMemory

if TYPE_CHECKING:
    from treadle_tui.engine.bulk import Deed, Target
    from treadle_tui.engine.store.protocol import StoreReads
    from treadle_tui.full_screen import TreadleApp
    from treadle_tui.saved_views import SavedViews
    from treadle_tui.workbench import Workbench

#: As many items are changed in one transaction; between two of them the progress is told, and keys are answered.
AT_ONCE = 1000
#: Between a key in the filter's field and the question: who types on is not answered yet.
_TYPING_SECONDS = 0.06


class BoardDesk:
    """Serves the requests of the board's screen."""

    def __init__(self, app: TreadleApp, bench: Workbench, memory: ViewMemory) -> None:
        self._app = app
        self._bench = bench
        self._memory = memory
        self._saved: SavedViews | None = None

    @property
    def _store(self) -> StoreReads:
        assert self._bench.host.store is not None, "what asks this is only offered once the database is open"
        return self._bench.host.store

    def serve(self, request: BoardScreen.Request) -> None:
        """Do what is wanted."""
        match request:
            case BoardScreen.Asked():
                self._bench.work(self._ask(request.question), "ask")
            case BoardScreen.ColumnsWanted():
                self._bench.work(self._choose_columns(), "columns")
            case BoardScreen.RangeWanted():
                self._bench.work(self._mark(request.first, request.last), "mark")
            case BoardScreen.CopyWanted():
                self._copy()
            case BoardScreen.ViewChanged():
                self.remember()
            case BoardScreen.Acted():
                self._act(request.deed)
            case BoardScreen.ViewKept():
                self._bench.work(self._save_view(), "view")

    # which items, and how -------------------------------------------------------------------------------------------------------

    async def show(self, question: Question, stages: Sequence[str], keep: str = "") -> None:
        """Show the answer to a question, the cursor on an item when it is among them."""
        if self._bench.feed is None:
            return
        await self._bench.feed.ask(question, stages, keep)
        self._bench.board_screen.tags = self._bench.tags_of(question.workflow or "")
        self._bench.board_screen.show_question()

    async def _ask(self, question: Question) -> None:
        await asyncio.sleep(_TYPING_SECONDS)
        board = self._bench.board
        cursor = board.cursor
        try:
            await self.show(replace(question, workflow=board.question.workflow), board.every_stage, cursor.item_id if cursor else "")
        finally:
            self._bench.board_screen.has_been_answered(question)
        self.remember()

    async def _choose_columns(self) -> None:
        from treadle_tui.screens.column_chooser import ColumnChooser

        board = self._bench.board
        hidden = await self._app.push_screen_wait(ColumnChooser(board.every_stage, board.hidden))
        if hidden is None:
            return
        if hidden >= set(board.every_stage):
            self._app.say("one stage at least is shown")
            hidden = hidden - {board.every_stage[0]}
        board.choose_columns(hidden)
        self._bench.board_screen.grid.rearrange()
        self._bench.board_screen.grid.scroll_to_cursor()
        self.remember()

    # what is remembered ---------------------------------------------------------------------------------------------------------

    def remembered(self) -> RememberedView:
        """How the board was shown when this database was last open."""
        return self._memory.read()

    def remember(self) -> None:
        """Keep how the board is shown, and where the cursor is."""
        board = self._bench.board
        if board.every_stage:
            self._memory.write(RememberedView.of(board))

    @property
    def saved(self) -> SavedViews:
        """Views with a name; read when they are first asked for."""
        from treadle_tui.saved_views import SavedViews

        if self._saved is None:
            self._saved = SavedViews(self._app.state_folder, self._app.db)
        return self._saved

    async def _save_view(self) -> None:
        from treadle_tui.saved_views import about, refused_name
        from treadle_tui.screens.one_line import OneLine

        board = self._bench.board
        offers = [(name, f"replace {name}") for name in self.saved.views]
        title = "Keep this view as"
        name = await self._app.push_screen_wait(OneLine(title, placeholder="a name", offers=offers, refuse=refused_name))
        if name is None:
            return
        view = RememberedView.of(board)
        self.saved.save(name, view)
        self._app.say(f"kept as {name}: {about(view)}; the palette shows it")

    def show_saved(self, name: str) -> None:
        """Show the board by the view of that name."""
        self._bench.work(self._bench.show_view(self.saved.views[name]), "choose")

    def forget_saved(self, name: str) -> None:
        """Keep the view of that name no longer."""
        self.saved.forget(name)
        self._app.say(f"the view {name} is forgotten")

    def export(self, form: str) -> None:
        """Write what is listed into a file in the current directory."""
        self._bench.work(self._export(form), "export", is_exclusive=False)

    async def _export(self, form: str) -> None:
        from treadle_tui.list_export import export_listed, file_name

        board, now = self._bench.board, self._bench.now()
        path = Path.cwd() / file_name(board.question, form, now)

        def tell(count: int) -> None:
            self._app.say(f"{count:,} written …")

        count = await export_listed(self._store, board.question, board.every_stage, path, now, tell)
        self._app.say(f"{count:,} {'item' if count == 1 else 'items'} written to {path.name}")

    # marks ----------------------------------------------------------------------------------------------------------------------

    async def _mark(self, first: int, last: int | None) -> None:
        """Mark rows of the list by their places: from here on they are ids."""
        board = self._bench.board
        ids = await self._ids(first, last)
        board.marks |= set(ids)
        self._bench.board_screen.grid.show_marks()
        self._app.say(f"{len(board.marks):,} marked")

    async def _ids(self, first: int, last: int | None) -> list[str]:
        board, store = self._bench.board, self._store
        if board.listing is not None:
            return await store.ids_of(board.listing.keys[first : None if last is None else last + 1])
        workflow = board.question.workflow
        if last is None:
            return await store.list_items(workflow)
        ends = [await store.page(workflow=workflow, offset=index, limit=1) for index in (first, last)]
        if not all(ends):
            return []
        return await store.ids_between(ends[0][0].key, ends[1][0].key, workflow)

    def _copy(self) -> None:
        from treadle_tui.clipboard import copy

        ids = self._bench.board.targets()
        if ids:
            copy(self._app, "\n".join(ids))

    # doing something to them ----------------------------------------------------------------------------------------------------

    def _act(self, name: str) -> None:
        from treadle_tui.board.deed_words import ASKED
        from treadle_tui.engine.bulk import Deed

        if not self._bench.may_change():
            return
        board = self._bench.board
        deed, cell = Deed(name), board.cell_at_cursor()
        targets = self._targets(deed, cell)
        if not targets:
            return
        if deed is Deed.PAUSE and self._is_paused(targets):
            deed = Deed.RESUME
        self._bench.work(self._ask_and_act(deed, targets) if deed in ASKED else self._start(deed, targets), "act", is_exclusive=False)

    def _targets(self, deed: Deed, cell: CellRef | None) -> list[Target]:
        """All marked items; else what is under the cursor: a failed cell by itself, otherwise its item."""
        from treadle_tui.engine.bulk import Deed, Target

        board = self._bench.board
        stage = board.cursor_stage if deed is Deed.RERUN else None
        if board.marks or cell is None:
            return [Target(item_id, stage) for item_id in board.targets()]
        is_that_cell = deed is Deed.RETRY and (cell.subtask is not None or cell.state.value in ("failed", "cancelled"))
        return [Target(cell.item_id, cell.stage, cell.subtask) if is_that_cell else Target(cell.item_id, stage)]

    def _is_paused(self, targets: Sequence[Target]) -> bool:
        """Whether every one of them that can be seen is paused: the same key lets them go on."""
        rows = [self._bench.board.window.held(target.item_id) for target in targets]
        states = {row.state.value for row in rows if row is not None}
        return states == {"paused"}

    async def _ask_and_act(self, deed: Deed, targets: Sequence[Target]) -> None:
        from treadle_tui.board.deed_words import confirmation
        from treadle_tui.screens.confirmation import Confirm

        if await self._app.push_screen_wait(Confirm(confirmation(deed, targets))):
            await self._start(deed, targets)

    async def _start(self, deed: Deed, targets: Sequence[Target]) -> None:
        """Do it beside the keys; leaving the board does not stop it."""
        from treadle_tui.board.deed_words import Outcome, one_sentence, progress
        from treadle_tui.engine import bulk

        outcome = Outcome(deed)
        for start in range(0, len(targets), AT_ONCE):
            if start:
                self._app.say(progress(deed, start, len(targets)))
            some = targets[start : start + AT_ONCE]
            outcome.add(await self._bench.host.call(partial(bulk.carry_out, deed=deed, targets=some, by=self._app.reviewer)))
        board = self._bench.board
        if deed is bulk.Deed.DELETE:
            board.marks -= {target.item_id for target in targets}
        self._app.say(one_sentence(outcome, targets[0]) if len(targets) == 1 else outcome.sentence)
        self._bench.board_screen.grid.show_marks()
