"""What the screen works with once there is a database: the engine's host, the board, its feed, and what a person asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from treadle_tui.board.board import Board
from treadle_tui.board.cell_text import CellShows
from treadle_tui.board.expansion import LineKey
from treadle_tui.board.standing import Attachment, Phase, Standing
from treadle_tui.board.tally import Counts, WaitingSubtasks, tally
from treadle_tui.board.view import CellRef, Changes, Question
from treadle_tui.board.workflow_choice import WorkflowChoices
from treadle_tui.desks.board import BoardDesk
from treadle_tui.engine.clock import to_ms
from treadle_tui.engine.errors import TreadleError
from treadle_tui.engine.review import Approve, Reject, ReviewDecision
from treadle_tui.engine.selection import Aspect, Condition, escaped_pattern
from treadle_tui.engine_host import AttachedReadOnly, EngineHost
from treadle_tui.event_feed import EventFeed, Listeners
from treadle_tui.main_screens import BOARD
from treadle_tui.screens.board_screen import BoardScreen, Wish
from treadle_tui.terminal_log import log_failure, log_place, log_to_file
from treadle_tui.view_memory import RememberedView, ViewMemory

if TYPE_CHECKING:
    from textual.screen import Screen

    from treadle_tui.board.review_line import ReviewKey, ReviewLine
    from treadle_tui.desks.migrations import MigrationDesk
    from treadle_tui.desks.review import ReviewDesk
    from treadle_tui.engine.engine import Engine
    from treadle_tui.engine.states import StageState
    from treadle_tui.engine.store.protocol import StateStore, StoreReads
    from treadle_tui.engine.workflow import Workflow
    from treadle_tui.first_page import FirstPage
    from treadle_tui.full_screen import TreadleApp
    from treadle_tui.review_work import ReviewWork

T = TypeVar("T")
#: The engine begins to work once the first rows are on the screen, or after so long without them.
_HEAD_START_SECONDS = 2.0


class Workbench:
    """One database being worked on. Lives on the screen's loop, but for what it hands to the engine's host."""

    def __init__(self, app: TreadleApp, page: FirstPage | None = None) -> None:
        """`page`: what is on the screen already, and what it shows."""
        log_to_file()
        self._app = app
        self._found = WorkflowChoices()
        self._workflows: dict[str, Workflow] = {}
        self._counts: Counts = {}
        self.waiting_subtasks: WaitingSubtasks = {}
        """Subtasks that wait for a person, as they were counted last."""
        self._adding: set[asyncio.Task[str]] = set()
        self._page = page
        self._asked_for = ""
        """The workflow a person has gone to; it stays in front also while it has no items."""
        self.board = Board() if page is None else page.board
        self.feed: EventFeed | None = None
        self.host = EngineHost(
            app.open_store or self._open_sqlite,
            self._load_workflows,
            self._hear_of_engine,
            self._sentence,
            _HEAD_START_SECONDS,
            app.attachment,
            app.clock,
        )
        self._review_desk: ReviewDesk | None = None
        self._migration_desk: MigrationDesk | None = None
        self.board_desk = BoardDesk(app, self, ViewMemory(app.state_folder, app.db))
        self._reviews: ReviewWork | None = None
        self._waiting = self._recorded_by_then = 0
        """How many waited when the totals were read last, and how many decisions had been recorded from here by then."""

    @property
    def _desk(self) -> ReviewDesk:
        """Reads and decides reviews; imported when the first one is asked for."""
        from treadle_tui.desks.review import ReviewDesk

        if self._review_desk is None:
            self._review_desk = ReviewDesk(self.host, self._app.reviewer, self._workflow, self.now, self._app.settings)
        return self._review_desk

    @property
    def reviews(self) -> ReviewWork:
        """The inbox and the outbox; imported when the first review is asked for, or when something was left in the outbox."""
        from treadle_tui.review_work import ReviewWork

        if self._reviews is None:
            self._reviews = ReviewWork(
                self.host,
                self._desk,
                self._app.reviewer,
                say=self._app.say,
                warn=self._app.warn,
                sentence=self._sentence,
                ask=self._app.push_screen_wait,
                suspend=self._app.hand_over_terminal,
                expect_dialog=lambda is_coming: self._app.typing_ahead.begin() if is_coming else self._app.typing_ahead.end(),
                may_change=self.may_change,
                is_read_only=self._app.attachment is Attachment.READ,
                now=self.now,
                undo_seconds=self._app.settings.undo_seconds,
            )
            self._reviews.listeners.append(self)
            self._app.run_worker(self._reviews.run(), name="reviews", group="reviews", exclusive=True)
        return self._reviews

    def inbox_changed(self) -> None:
        """The outbox holds something else: the header counts it, and the board goes on past what is decided."""
        held = self.reviews.deciding.outbox.held
        decided = {(entry.key.item_id, entry.key.stage, entry.key.subtask) for entry in held}
        if decided != self.board.decided:
            self.board.decided = decided
            self._show_changes(Changes(is_rearranged=True))
        self._app.main_screens.state(outbox=len(held))
        self._show_waiting()

    def _show_waiting(self) -> None:
        """What waits and has not been decided here, as the inbox counts it: a decision counts at once, recorded or not."""
        decided = 0
        if self._reviews is not None:
            deciding = self._reviews.deciding
            decided = len(deciding.outbox.held) + deciding.recorded - self._recorded_by_then
        waiting = max(0, self._waiting - decided)
        self._app.main_screens.state(waiting=waiting)
        self._app.show_title(waiting)

    def subject_ready(self, key: ReviewKey) -> None:
        """The board shows nothing of what a review is about."""

    async def _ask_about_left_over(self) -> None:
        """After a crash: what was decided and not sent is shown, and sent only when the person says so."""
        if self._app.attachment is Attachment.READ:
            return
        held = await self._store.held_decisions()
        if any(each.desk.reviewer == self._app.reviewer and each.desk.is_abandoned for each in held):
            await self.reviews.ask_about_left_over()

    @property
    def board_screen(self) -> BoardScreen:
        """The board on the screen."""
        return self._app.board_screen

    @property
    def store(self) -> StoreReads:
        """The open database."""
        assert self.host.store is not None, "what asks this is only offered once the database is open"
        return self.host.store

    @property
    def _store(self) -> StoreReads:
        return self.store

    @property
    def found(self) -> WorkflowChoices:
        """The workflows, and what was wrong with the rest."""
        return self._found

    @property
    def migrations(self) -> MigrationDesk:
        """Workflows that have changed, or could not be loaded; imported when it is asked for."""
        from treadle_tui.desks.migrations import MigrationDesk

        if self._migration_desk is None:
            self._migration_desk = MigrationDesk(self)
        return self._migration_desk

    @property
    def review_desk(self) -> ReviewDesk:
        """Reads and decides reviews."""
        return self._desk

    @property
    def reviewer(self) -> str:
        """Who sits at this terminal."""
        return self._app.reviewer

    async def ask(self, question: Screen[T]) -> T | None:
        """What a person answers to a question, called from work of the workbench."""
        return await self._app.push_screen_wait(question)

    def copy(self, text: str, what: str) -> None:
        """Copy a text, and say so."""
        from treadle_tui.clipboard import copy

        copy(self._app, text, what)

    def now(self) -> datetime:
        """The present moment."""
        return self._app.clock.now() if self._app.clock is not None else utc_now()

    def say(self, message: str) -> None:
        """Tell the person what has happened."""
        self._app.say(message)

    async def push_screen(self, screen: Screen[Any]) -> None:
        """Open a screen on top of the one in front."""
        await self._app.push_screen(screen)

    def workflow_named(self, name: str) -> Workflow | None:
        """The workflow of that name, when its file was found."""
        return self._workflows.get(name)

    def show_event(self, seq: int) -> None:
        """Put the log's cursor on an event, if the log is what is in front."""
        from treadle_tui.screens.events_screen import EventsScreen

        front = self._app.main_screens.front
        if isinstance(front, EventsScreen):
            front.go_to(seq)

    def change(self, ask: Callable[[Engine], Awaitable[None]], words: str) -> None:
        """Have the engine change something, and say so once it has."""
        self.work(self._change(ask, words), "change", is_exclusive=False)

    async def _change(self, ask: Callable[[Engine], Awaitable[None]], words: str) -> None:
        await self.host.call(ask)
        self.say(words)

    def _workflow(self, name: str) -> Workflow | None:
        return self._workflows.get(name)

    def tags_of(self, name: str) -> list[str]:
        """Tags of the stages of a workflow whose file was found."""
        workflow = self._workflows.get(name)
        return sorted({tag for stage in workflow.stages() for tag in workflow.definition(stage).tags}) if workflow else []

    # the engine -----------------------------------------------------------------------------------------------------------------

    async def _open_sqlite(self) -> StateStore:
        if self._app.attachment is Attachment.READ:
            from treadle_tui.engine.store.sqlite.read_only import ReadOnlySqliteStore

            return await ReadOnlySqliteStore.open(self._app.db)
        from treadle_tui.engine.store.sqlite.store import SqliteStateStore

        return await SqliteStateStore.open(self._app.db)

    def _load_workflows(self) -> list[Workflow]:
        """Called in a thread: workflow files are code, and importing them may take its time. Who only looks needs none of it."""
        if self._app.attachment is Attachment.READ:
            self._app.post_message(self._app.WorkflowsFound(WorkflowChoices(is_loaded=True)))
            return []
        from treadle_tui.item_adding import choices_of

        found = choices_of(self._app.loaded)
        workflows = self._app.loaded.workflows
        self._workflows = {workflow.name: workflow for workflow in workflows}
        self._app.post_message(self._app.WorkflowsFound(found))
        return workflows

    def _hear_of_engine(self, standing: Standing) -> None:
        self._app.post_message(self._app.EngineStands(standing))

    async def engine_stands(self, standing: Standing) -> None:
        """The engine is in another phase."""
        if not self._app.is_running:
            return
        if standing.phase is Phase.OPEN and self.feed is None:
            if self._page is None:
                self.board.look_at(0, self._app.size.height)  # read what will be on the screen before there is a grid to say so
                await self.board_screen.show_board(self.board)
            self.board_screen.grid.clock = self.now
            listeners = Listeners(self._show_changes, self._show_totals, self._items_have_changed, self._reading_failed)
            since = None if self._page is None else self._page.seq
            self.feed = EventFeed(self._store, self.board, listeners, lambda: self._app.app_focus, since)
            self._app.run_worker(self._feed(self.feed), name="event feed", group="feed", exclusive=True)
            self.work(self._ask_about_left_over(), "left over")
        elif standing.phase in (Phase.RUNNING, Phase.ATTACHED):
            self.work(self._choose_workflow(), "choose")
            self.work(self._tell_of_plans(), "plans")

    async def _tell_of_plans(self) -> None:
        plans = await self.migrations.plans()
        if plans:
            self._app.say(f"{', '.join(plans)}: the workflow has changed, and its items wait; 1 shows what that means")

    async def _feed(self, feed: EventFeed) -> None:
        await self._choose_workflow()
        if self._page is not None or not self.board.total:
            self.host.begin_work()
        await feed.run()

    def workflows_were_found(self, found: WorkflowChoices) -> None:
        """The workflow files have been loaded."""
        self._found = found
        for problem in found.problems[:3]:
            self._app.notify(problem, title="A workflow could not be loaded", severity="warning", markup=False, timeout=10)

    async def stop(self, seconds: float) -> None:
        """Stop following, and let the engine end in order; what has not ended in time goes with the process."""
        self._app.workers.cancel_group(self._app, "feed")
        self.board_desk.remember()
        if self._reviews is not None and self.host.store is not None and self._app.attachment is not Attachment.READ:
            with suppress(TimeoutError):  # what could not be sent in time is on disk, and asked about at the next start
                await asyncio.wait_for(self._guarded(self._reviews.finish()), seconds / 2)
        await self.host.stop(seconds)

    # what is shown --------------------------------------------------------------------------------------------------------------

    async def _choose_workflow(self, preferred: str = "") -> None:
        """Show the preferred workflow, else the one asked for before, the one shown, the first with items, the first that was found."""
        if self.feed is None:
            return
        self._asked_for = preferred or self._asked_for
        names, self._counts = await asyncio.gather(self._store.stage_names(), self._store.counts())
        shown = self.board.question.workflow or ""
        with_items = [name for name in names if tally(self._counts, name).items]
        view = RememberedView() if shown else self.board_desk.remembered()
        last = view.workflow if view.workflow in with_items else ""
        candidates = [self._asked_for, shown if shown in with_items else "", last, *with_items, shown, *self._found_names, *names]
        chosen = next((name for name in candidates if name and (name in names or name in self._workflows)), "")
        stages = names.get(chosen) or (self._workflows[chosen].stages() if chosen in self._workflows else [])
        if (chosen, stages) == (shown, self.board.every_stage):
            return
        if chosen and chosen == view.workflow:
            await self._show_as_before(view, stages)
        else:
            question = self.board.question if chosen == shown else Question(workflow=chosen or None)
            await self.board_desk.show(question, stages)
        self._app.main_screens.state(workflow=chosen)

    async def _show_as_before(self, view: RememberedView, stages: Sequence[str]) -> None:
        """As it was when this database was last open."""
        self.board.hidden = frozenset(view.hidden)
        if view.shows in {each.value for each in CellShows}:
            self.board_screen.grid.show_cells_as(CellShows(view.shows))
        await self.board_desk.show(view.question(), stages, view.cursor_item)
        if view.cursor_stage in self.board.stages:
            self.board.cursor_stage = view.cursor_stage
            self.board_screen.grid.rearrange()

    def _show_changes(self, changes: Changes) -> None:
        self.board_screen.show_changes(changes)
        if self.board.line(0).row is not None or not self.board.line_count:
            self._app.call_after_refresh(self.host.begin_work)  # its imports would hold up the drawing

    def _show_totals(self, counts: Counts, subtasks: WaitingSubtasks) -> None:
        self._counts, self.waiting_subtasks = counts, subtasks
        shown = tally(counts, self.board.question.workflow, subtasks)
        waiting = tally(counts, subtasks=subtasks).waiting
        self._waiting, self._recorded_by_then = waiting, self._reviews.deciding.recorded if self._reviews is not None else 0
        self._app.main_screens.state(tally=shown)
        self._show_waiting()
        self.board_screen.show_tally(shown)
        self._app.main_screens.totals_changed(counts, waiting)
        is_asked_for = self._asked_for and self._asked_for == self.board.question.workflow
        if not shown.items and not is_asked_for and any(tally(counts, name).items for name in counts):
            self.work(self._choose_workflow(), "choose")
        elif shown.items:
            self.board.welcomes_newcomers = bool(self._adding)

    def _items_have_changed(self, items: set[str] | None) -> None:
        self._app.main_screens.items_changed(items)

    def _reading_failed(self, words: str) -> None:
        if words:
            self._app.say(words)

    def read_what_is_looked_at(self) -> None:
        """The board lacks rows or subtasks that are on the screen."""
        if self.feed is not None:
            self.feed.need()

    def seek_waiting(self, direction: int) -> None:
        """Go to the next waiting cell, wherever in the list it is."""
        self.work(self._go_to_waiting(direction), "seek")

    async def _go_to_waiting(self, direction: int) -> None:
        from treadle_tui.waiting_search import find_waiting, waiting_stage

        key = self.board.cursor
        row = self.board.window.held(key.item_id) if key else None
        found = await find_waiting(self._store, self.board, row.key if row else 0, direction, to_ms(self.now()))
        stage = waiting_stage(found[0], self.board.stages) if found else None
        if found is None or stage is None:
            self._app.say("nothing here waits for you")
            return
        await self._go_to_row(found[1], found[0].item_id, stage)

    async def _go_to_row(self, index: int, item_id: str, stage: str) -> None:
        grid = self.board_screen.grid
        grid.go_to_line(self.board.expansions.line_of(index))
        size, ticket = self.board.window.page_rows, self.board.draw_ticket()
        keys = self.board.keys_of_page(index // size)
        if keys is None:
            rows = await self._store.page(workflow=self.board.question.workflow, offset=index // size * size, limit=size)
        else:
            rows = await self._store.rows_of(keys)
        self._show_changes(self.board.take_page(index // size, rows, ticket))
        grid.go_to(LineKey(item_id), stage)

    # what is wanted -------------------------------------------------------------------------------------------------------------

    def fulfil(self, wish: Wish, cell: CellRef | None) -> None:
        """Do what a person wants on the board."""
        if wish in (Wish.ADD, Wish.APPROVE, Wish.REJECT) and not self.may_change():
            return
        match wish, cell:
            case Wish.ADD, _:
                self._ask_what_to_add()
            case Wish.NEXT_WORKFLOW, _:
                self.show_next_workflow()
            case Wish.REVIEW, CellRef():
                self.review(cell.item_id, cell.workflow, cell.stage, cell.subtask)
            case Wish.ITEM, CellRef():
                self.work(self._show_item(cell.item_id, cell.stage), "item")
            case Wish.UNDO, _:
                self.reviews.undo()
            case Wish.APPROVE, CellRef():
                self._carry_out(cell, Approve())
            case Wish.REJECT, CellRef():
                self.work(self._ask_and_reject(cell), "review")

    def may_change(self) -> bool:
        """Whether anything can be changed from this terminal; if not, the person is told."""
        if self._app.attachment is Attachment.READ:
            self._app.typing_ahead.end()
            self._app.warn(str(AttachedReadOnly()))
        return self._app.attachment is not Attachment.READ

    def has_stirred(self) -> None:
        """A person is at the keyboard: what others change is to be seen soon."""
        if self.host.store is not None:
            self.host.store.stir()

    @property
    def workflow_names(self) -> list[str]:
        """Workflows with items, then those that could have some."""
        return list(dict.fromkeys([*self._counts, *self._found_names]))

    @property
    def _found_names(self) -> list[str]:
        """Workflows whose files were found, those with a source first: of these one most likely wants to add items."""
        return sorted(self._workflows, key=lambda name: self._workflows[name].source_function is None)

    @property
    def workflow_shown(self) -> str:
        """The workflow on the board; empty when there is none."""
        return self.board.question.workflow or ""

    def show_workflow(self, name: str) -> None:
        """Show its items on the board."""
        self.work(self._go_to_workflow(name), "choose")

    async def _go_to_workflow(self, name: str) -> None:
        await self._app.main_screens.show(BOARD)
        await self._choose_workflow(name)

    async def show_view(self, view: RememberedView) -> None:
        """Show the board by a view that was kept, the cursor where it is if that item is listed."""
        if self.feed is None:
            return
        await self._app.main_screens.show(BOARD)
        names = await self._store.stage_names()
        stages = names.get(view.workflow) or (self._workflows[view.workflow].stages() if view.workflow in self._workflows else [])
        if not stages:
            self._app.say(f"there is no workflow {view.workflow} in this database any more")
            return
        cursor = self.board.cursor
        self._asked_for = view.workflow
        await self._show_as_before(msgspec.structs.replace(view, cursor_item=cursor.item_id if cursor else ""), stages)
        self.board.choose_columns(self.board.hidden)
        self.board_screen.grid.rearrange()
        self._app.main_screens.state(workflow=view.workflow)
        self.board_desk.remember()

    def show_next_workflow(self) -> None:
        """Show the items of another workflow."""
        names = self.workflow_names
        shown = self.board.question.workflow or ""
        if len(names) < 2:
            self._app.say("there is no other workflow")
            return
        following = names[(names.index(shown) + 1) % len(names)] if shown in names else names[0]
        self.work(self._choose_workflow(following), "choose")

    def review(self, item_id: str, workflow: str, stage: str, subtask: str | None) -> None:
        """Show the review as it stands now, and carry out what is decided."""
        self.work(self._review(item_id, workflow, stage, subtask), "review")

    async def _review(self, item_id: str, workflow: str, stage: str, subtask: str | None) -> None:
        from treadle_tui.board.review_line import ReviewKey, ReviewLine

        await self.reviews.open(ReviewLine(ReviewKey(item_id, stage, subtask), workflow))

    async def _ask_and_reject(self, cell: CellRef) -> None:
        from treadle_tui.screens.reject_reason import RejectReason

        line = _line_of(cell)
        subject = await self._desk.subject(cell.item_id, cell.workflow, cell.stage, cell.subtask)
        typed, keep = self.reviews.typed(line, "reason"), lambda text: self.reviews.keep_typed(line, "reason", text)
        reason = await self._app.push_screen_wait(RejectReason(cell.title, subject.reasons if subject else (), typed, keep))
        if reason is not None:
            self._carry_out(cell, Reject(reason))

    def _carry_out(self, cell: CellRef, decision: ReviewDecision) -> None:
        """Decide the cell as it was looked at, and go on to the next."""
        self.reviews.decide([_line_of(cell)], decision)
        self._go_on_from(cell.item_id, cell.stage)

    def _go_on_from(self, item_id: str, stage: str) -> None:
        """After a decision on the cell under the cursor: to the next one that waits, when it is at hand."""
        key = self.board.cursor
        if key is None or key.item_id != item_id or self.board.cursor_stage != stage:
            return
        following = self.board.find_waiting(1)
        if following is not None:
            self.board_screen.grid.go_to(*following)
            self.board_screen.has_advanced()

    async def find_ids(self, text: str, limit: int) -> list[str]:
        """Ids that have the text in them, whatever the case of its letters; the one that is it first."""
        from treadle_tui.engine.selection import Aspect, Condition, Selection

        condition = Condition(Aspect.ID, (text,)) if set(text) & set("*?") else Condition(Aspect.WORD, (text,))
        keys = await self._store.select(Selection(conditions=(condition,)), int(self.now().timestamp() * 1000), limit)
        found = await self._store.ids_of(keys)
        exact = await self._store.get_item(text)
        return list(dict.fromkeys([exact.id, *found] if exact is not None else found))[:limit]

    def show_item(self, item_id: str, stage: str = "") -> None:
        """Show an item, at one of its stages."""
        self.work(self._show_item(item_id, stage), "item")

    def show_filtered(self, stage: str | None = None, states: Sequence[StageState] = ()) -> None:
        """Show the board with only what is in one of these states, in that stage or in any; the cursor in the stage's column."""
        self.work(self._show_filtered(stage, tuple(states)), "choose")

    async def _show_filtered(self, stage: str | None, states: tuple[StageState, ...]) -> None:
        if self.feed is None:
            return
        conditions: tuple[Condition, ...] = (Condition(Aspect.STAGE, (escaped_pattern(stage),)),) if stage and states else ()
        conditions += (Condition(Aspect.STATE, states),) if states else ()
        await self._app.main_screens.show(BOARD)
        await self.board_desk.show(Question(self.board.question.workflow, conditions), self.board.every_stage)
        if stage in self.board.stages:
            self.board.cursor_stage = str(stage)
            self._show_changes(Changes(is_rearranged=True))

    async def _show_item(self, item_id: str, stage: str) -> None:
        from treadle_tui.desks.item import ItemDesk
        from treadle_tui.screens.item_screen import ItemScreen

        desk = ItemDesk(self)
        history = await desk.history(item_id)
        if history is None:
            self._app.say(f"{item_id} is gone")
            return
        await self._app.push_screen(ItemScreen(desk, history, stage))

    # adding ---------------------------------------------------------------------------------------------------------------------

    def _ask_what_to_add(self) -> None:
        from treadle_tui.screens.add_items import AddItems

        self._app.push_screen(AddItems(self._found, self._add, preferred=self.board.question.workflow or ""), self._say_what_was_added)

    async def _add(self, name: str, argument: str, tell: Callable[[str], None]) -> str:
        """Add items in a task of the program's own: leaving the question does not stop it."""
        from treadle_tui.item_adding import add_items

        workflow = self._workflows[name]
        task = asyncio.create_task(add_items(self.host, workflow, argument, tell), name=f"add items to {name}")
        self._adding.add(task)
        self.board.welcomes_newcomers = True
        task.add_done_callback(self._adding_has_ended)
        try:
            return await asyncio.shield(task)
        except (TreadleError, ValueError, OSError):
            raise
        except Exception as error:
            raise TreadleError(self._sentence(error)) from error

    def _adding_has_ended(self, task: asyncio.Task[str]) -> None:
        self._adding.discard(task)
        if not task.cancelled():
            task.exception()  # it was told where the question is asked; here it only counts as heard

    def _say_what_was_added(self, added: tuple[str, str] | None) -> None:
        if added is not None:
            name, words = added
            self._app.say(f"{name}: {words}")
            self.work(self._choose_workflow(name), "choose")

    # beside the keys ------------------------------------------------------------------------------------------------------------

    def work(self, doing: Coroutine[Any, Any, None], group: str, *, is_exclusive: bool = True) -> None:
        """Do something that takes time beside the keys; of an exclusive group the latest wins. A failure is one sentence."""
        self._app.run_worker(_NotBegun(doing, self._guarded), group=group, exclusive=is_exclusive)

    async def _guarded(self, doing: Coroutine[Any, Any, None]) -> None:
        try:
            await doing
        except Exception as error:
            self._app.typing_ahead.end()
            self._app.warn(self._sentence(error))

    def _sentence(self, error: BaseException) -> str:
        """One sentence for a person; the traceback of what nobody expected goes to the log."""
        if isinstance(error, (TreadleError, OSError)):
            return str(error)
        log_failure("unexpected", error)
        return f"unexpected {type(error).__name__}: {error}; the details are in {log_place()}"


class _NotBegun(Awaitable[None]):
    """A coroutine that is closed when it is let go of before it was begun, as when the screen ends or a later wish takes its place."""

    def __init__(self, doing: Coroutine[Any, Any, None], run: Callable[[Coroutine[Any, Any, None]], Coroutine[Any, Any, None]]) -> None:
        self._doing: Coroutine[Any, Any, None] | None = doing
        self._run = run

    def __await__(self) -> Generator[Any, Any, None]:
        doing, self._doing = self._doing, None
        assert doing is not None, "it is begun once"
        return self._run(doing).__await__()

    def __del__(self) -> None:
        if self._doing is not None:
            self._doing.close()


def _line_of(cell: CellRef) -> ReviewLine:
    """A waiting cell as a review, at the version that was looked at."""
    from treadle_tui.board.review_line import ReviewKey, ReviewLine

    key = ReviewKey(cell.item_id, cell.stage, cell.subtask)
    return ReviewLine(key, cell.workflow, cell.version, since=cell.cell.updated_at)


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)
