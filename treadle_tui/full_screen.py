"""The full screen: paints first, then opens the database, and ends in order whatever happens.

What can be done once there is a database is the `Workbench`'s; here is only what must be there before, and after.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.app import App, ScreenStackError
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.filter import Monochrome, NoColor
from textual.geometry import Size
from textual.message import Message

from treadle_tui.board.standing import Attachment, Phase, Standing
from treadle_tui.cli.settings import Settings
from treadle_tui.cli.settings_files import LoadedSettings
from treadle_tui.daemon_thread import in_daemon_thread
from treadle_tui.first_reading import FirstReading
from treadle_tui.key_order import KeyOrder
from treadle_tui.main_screens import BOARD, MAIN_SCREENS, MainScreenEntry, MainScreens
from treadle_tui.screens.board_screen import BoardScreen
from treadle_tui.screens.modal import HELP, PALETTE
from treadle_tui.screens.too_small import TooSmall, is_too_small
from treadle_tui.terminal_title import TerminalTitle
from treadle_tui.themes import COLOURLESS_THEME, DEFAULT_THEME, THEMES, VARIABLE_DEFAULTS
from treadle_tui.typing_ahead import TypingAhead

if TYPE_CHECKING:
    from treadle_tui.board.workflow_choice import WorkflowChoices
    from treadle_tui.cli.loader import LoadedWorkflows
    from treadle_tui.engine.clock import Clock
    from treadle_tui.engine_host import OpensStore
    from treadle_tui.first_page import FirstPage
    from treadle_tui.keymap import Refusal
    from treadle_tui.last_resort import LastResort
    from treadle_tui.screens.item_screen import ItemScreen
    from treadle_tui.widgets.board_grid import BoardGrid
    from treadle_tui.workbench import Workbench

#: How long an orderly stop may take; what still runs then is interrupted, and runs again at the next start.
QUIT_SECONDS = 4.0
#: How long leaving the terminal may take after that.
_GOODBYE_SECONDS = 2.0
EXIT_BAD_INPUT = 2
#: Rows that take longer to draw are drawn while other things go on.
_FRAME_SECONDS = 0.5
#: The first frame waits so long for rows; they take 20 ms, but a slow disk, or somebody who holds the file, is not waited for.
_ROWS_SECONDS = 0.1
#: By then the first rows are on the screen.
_START_SECONDS = 1.0
#: Below 90 columns one pane, from 140 two side by side, between them one over the other: classes of every screen.
BREAKPOINTS = [(0, "-one-pane"), (90, "-stacked"), (140, "-side-by-side")]
_STOP_SIGNALS = ("SIGTERM", "SIGHUP", "SIGINT")


class TreadleApp(App[int]):
    """One database on the screen."""

    TITLE = "treadle"
    BINDING_GROUP_TITLE = "Everywhere"
    BINDINGS: ClassVar[list[BindingType]] = [
        HELP,
        Binding("q", "quit", "Quit", id="app.quit", tooltip="Leave; everything finished is kept, the rest goes on at the next start"),
        PALETTE,
        Binding("exclamation_mark", "restart", "Restart engine", id="app.restart", tooltip="Start the engine again after it has stopped"),
        Binding("escape", "back", "Back", show=False, id="app.back", key_display="esc", tooltip="To the screen that was in front before"),
        *(entry.binding for entry in MAIN_SCREENS),
    ]
    DEFAULT_MODE = BOARD
    # Wider and flatter than Textual's own: a settings file with several mistakes has all of them told at once in 24 lines.
    CSS = "Toast { width: 76; max-width: 90%; padding: 0 1; }"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = BREAKPOINTS
    MAIN_SCREENS: ClassVar[tuple[MainScreenEntry, ...]] = MAIN_SCREENS

    class EngineStands(Message):
        """The engine is in another phase; posted from its thread."""

        def __init__(self, standing: Standing) -> None:
            super().__init__()
            self.standing = standing

    class WorkflowsFound(Message):
        """The workflow files have been loaded; posted from the engine's thread."""

        def __init__(self, found: WorkflowChoices) -> None:
            super().__init__()
            self.found = found

    def __init__(
        self,
        db: Path,
        loaded: LoadedWorkflows,
        reviewer: str,
        *,
        settings: LoadedSettings | None = None,
        open_store: OpensStore | None = None,
        last_resort: LastResort | None = None,
        attachment: Attachment = Attachment.RUN,
        state_folder: Path | None = None,
        clock: Clock | None = None,
        shown_as: str = "",
    ) -> None:
        """`open_store` is called in the engine's thread; by default it opens the SQLite file `db`, as the attachment allows.

        `last_resort` ends the process when an orderly end hangs; without one it may. `state_folder`: where it is kept how things
        were shown; without one it is not. `clock`: another time than the machine's. `shown_as`: what the header calls the database,
        when that is not its path.
        """
        super().__init__()
        self.db = db
        self.clock = clock
        self.loaded = loaded
        self.reviewer = reviewer
        self.loaded_settings = settings or LoadedSettings()
        """What the person has set, where, and what of it was wrong."""
        self.open_store = open_store
        self.attachment = attachment
        """What this terminal may do with the database."""
        self.state_folder = state_folder
        self.board_screen = BoardScreen(shown_as or str(db))
        self.workbench: Workbench | None = None
        """What works on the database; None until that is being opened."""
        self.main_screens = MainScreens(self, self.MAIN_SCREENS)
        """The screens on the number keys, the board first."""
        self._last_resort = last_resort
        self._first_reading: FirstReading | None = None
        self._first_page: FirstPage | None = None
        """What is on the screen before the database is open."""
        self._terminal_title = TerminalTitle(self._write_to_terminal) if self.settings.title else None
        self._is_leaving = False
        self._is_handed_over = False
        self.typing_ahead = TypingAhead(self)
        """Keys for a dialog that is being opened."""
        self._key_order = KeyOrder(self)
        self.board_screen.before_dialog = self.typing_ahead.begin
        self._asked_early: list[Callable[[Workbench], object]] = []
        for theme in THEMES:
            self.register_theme(theme)
        self._problems = list(self.loaded_settings.problems)
        self._begin_with_theme(self._theme_set() or (COLOURLESS_THEME if self.no_color else DEFAULT_THEME))
        # Textual turns colours into greys for NO_COLOR; what is asked for is none.
        self._filters = [NoColor() if isinstance(each, Monochrome) else each for each in self._filters]

    @property
    def settings(self) -> Settings:
        """What the person has set."""
        return self.loaded_settings.settings

    def _theme_set(self) -> str:
        """The theme that was asked for; empty when none was, or there is none of that name."""
        name = self.settings.theme
        if not name or name in self.available_themes:
            return name
        from treadle_tui.engine.errors import nearest

        known = sorted(self.available_themes, key=lambda each: (not each.startswith("treadle-"), each))
        because = f"cannot be {name!r}: there is none of that name; {nearest(name, known)}"
        self._problems.append(self.loaded_settings.refused("theme", because))
        return ""

    def _begin_with_theme(self, name: str) -> None:
        """What setting `theme` does, before there is a style sheet: Textual would parse that three times."""
        self.set_reactive(App.theme, name)
        self.add_class(f"-theme-{name}", update=False)
        self.set_class(self.current_theme.dark, "-dark-mode", update=False)
        self.set_class(not self.current_theme.dark, "-light-mode", update=False)
        self._refresh_truecolor_filter(self.ansi_theme)
        self.stylesheet.set_variables(self.get_css_variables())
        self.board_screen._css_update_count = self._css_update_count  # it has never been drawn in another theme

    # beginning ------------------------------------------------------------------------------------------------------------------

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our variables, for themes that do not set them."""
        return VARIABLE_DEFAULTS

    def on_load(self) -> None:
        """Nothing has been drawn: rows that are read at once are in the first frame, which costs less than to draw it without."""
        if self.open_store is not None:
            return
        self._first_reading = FirstReading(self.db, self.state_folder)
        if self._first_reading.has_ended(_ROWS_SECONDS) and (page := self._first_reading.page()) is not None:
            self.board_screen.begin_with(page.board)
            self._take_first_page(page)

    def on_mount(self) -> None:
        """Be ready to end in order, and for any size."""
        self._heed_signals()
        self._mind_the_size(self.size)
        self.set_timer(_START_SECONDS, collect_garbage_again)

    def on_ready(self) -> None:
        """The first frame has been painted: open the database."""
        self.run_worker(self._open(), group="open")
        if self.settings.keymap:
            self.run_worker(self._remap_keys(), group="keymap")
        for problem in self._problems:
            self._tell_problem(problem)

    async def _open(self) -> None:
        if self._first_page is None and self._first_reading is not None:
            page = await in_daemon_thread(_page_of, self._first_reading)
            if page is not None:
                await self.board_screen.show_board(page.board)
                self.board_screen.show_first_rows()
                self._take_first_page(page)
        await self._next_frame()
        self.workbench = await in_daemon_thread(_make_workbench, self, self._first_page)
        self.workbench.host.start()

    def _take_first_page(self, page: FirstPage) -> None:
        """Rows before there is an engine: what is asked of them meanwhile is kept until the database is open."""
        from treadle_tui.board.tally import tally

        self._first_page = page
        self.main_screens.state(workflow=page.workflow, tally=tally(page.counts, page.workflow, page.waiting_subtasks))

    async def _next_frame(self) -> None:
        """Return once what was asked to be drawn has been: the imports that come next would only hold it up."""
        drawn = asyncio.Event()
        self.call_after_refresh(drawn.set)
        with suppress(TimeoutError):
            await asyncio.wait_for(drawn.wait(), _FRAME_SECONDS)

    async def on_event(self, event: events.Event) -> None:
        """Whatever a person does, something may come of it elsewhere that they wait for."""
        if isinstance(event, events.InputEvent) and self.workbench is not None:
            self.workbench.has_stirred()
        if isinstance(event, events.Key) and self.typing_ahead.is_keeping:
            self.typing_ahead.keep(event)
        elif not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
        elif self._key_order.may_go(event):
            await super().on_event(event)
            self._key_order.follow()

    def on_key(self, event: events.Key) -> None:
        """A key that nothing has taken, on its way to the bindings: for the dialog that has just been asked for, when one has."""
        if self.typing_ahead.is_keeping:
            event.prevent_default().stop()
            self.typing_ahead.keep(event)

    async def _remap_keys(self) -> None:
        """Follow the keymap as far as it can be; every screen is imported for that, in a thread."""
        keymap, refusals = await in_daemon_thread(_checked_keymap, type(self), self.settings.keymap)
        self.set_keymap(keymap)
        for refusal in refusals:
            self._tell_problem(f"{self.loaded_settings.source(f'keymap.{refusal.id}')}: {refusal.because}")

    def _tell_problem(self, sentence: str) -> None:
        self.notify(sentence, title="A setting is not used", severity="warning", markup=False, timeout=12)

    # what is told, and asked ----------------------------------------------------------------------------------------------------

    @on(EngineStands)
    async def _engine_stands(self, event: EngineStands) -> None:
        self.main_screens.state(standing=event.standing)
        with suppress(ScreenStackError):  # the program's end takes the screens away while the engine still tells of its own
            self.refresh_bindings()
        self.board_screen.show_standing(event.standing)
        if event.standing.phase is Phase.UNOPENED and self.board_screen.board is not None:
            self.warn(event.standing.words)  # rows cover the place where it is told otherwise
        if self.workbench is not None:
            await self.workbench.engine_stands(event.standing)
            if event.standing.can_read:
                self._do_what_was_asked_early(self.workbench)

    def _with_database(self, do: Callable[[Workbench], object]) -> None:
        """Now, or as soon as the database is open."""
        if self.workbench is not None and self.workbench.host.store is not None:
            do(self.workbench)
        else:
            self._asked_early.append(do)

    def _do_what_was_asked_early(self, workbench: Workbench) -> None:
        asked, self._asked_early = self._asked_early, []
        for do in asked:
            do(workbench)

    @on(WorkflowsFound)
    async def _workflows_were_found(self, event: WorkflowsFound) -> None:
        self.board_screen.show_found(event.found)
        if self.workbench is not None:
            self.workbench.workflows_were_found(event.found)

    @on(BoardScreen.Wished)
    def _board_wish(self, event: BoardScreen.Wished) -> None:
        self._with_database(lambda bench: bench.fulfil(event.wish, event.cell))

    @on(BoardScreen.Request)
    def _board_request(self, event: BoardScreen.Request) -> None:
        self._with_database(lambda bench: bench.board_desk.serve(event))

    def on_board_grid_needs(self) -> None:
        """Rows are looked at that have not been read."""
        if self.workbench is not None:
            self.workbench.read_what_is_looked_at()

    def on_board_grid_waiting_sought(self, event: BoardGrid.WaitingSought) -> None:
        """The next waiting cell is not among the rows that are held."""
        self._with_database(lambda bench: bench.seek_waiting(event.direction))

    def on_item_screen_review_wanted(self, event: ItemScreen.ReviewWanted) -> None:
        """A stage or subtask of the item in front is to be reviewed."""
        if self.workbench is not None:
            self.workbench.review(event.item_id, event.workflow, event.stage, event.subtask)

    def say(self, message: str) -> None:
        """Tell the person what has happened, in the header."""
        self.main_screens.say(message)

    def warn(self, sentence: str) -> None:
        """Tell the person what could not be done, where it cannot be overlooked."""
        if self.is_running:
            self.notify(sentence, severity="error", markup=False, timeout=8)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Other screens are offered where they can be seen; the way back when there is one. What cannot be seen is not acted on."""
        if isinstance(self.screen, TooSmall):
            return action in ("quit", "help_quit")
        if action == "show_main":
            return self.main_screens.can_show(str(parameters[0]))
        if action == "restart":
            return self.workbench is not None and self.workbench.host.standing.phase is Phase.STOPPED
        return self.main_screens.can_go_back if action == "back" else True

    async def action_show_main(self, id: str) -> None:
        """Bring a main screen to the front."""
        await self.main_screens.show(id)

    async def action_back(self) -> None:
        """To the main screen that was in front before."""
        await self.main_screens.back()

    def action_restart(self) -> None:
        """Start a failed engine again."""
        if self.workbench is not None:
            self.workbench.host.restart()

    async def action_help(self) -> None:
        """Every key of the screen in front."""
        from treadle_tui.screens.help_screen import HelpScreen

        await self.push_screen(HelpScreen(self.screen))

    @work(group="palette", exclusive=True)
    async def action_palette(self) -> None:
        """Everything there is to do or to go to."""
        from treadle_tui.palette_lines import item_finder, palette_lines
        from treadle_tui.screens.palette import Palette

        line = await self.push_screen_wait(Palette(palette_lines(self, self.screen), item_finder(self)))
        done = line.run() if line is not None else None
        if inspect.isawaitable(done):
            await done

    def pop_screen(self) -> AwaitComplete:
        """Close the screen on top, and let go of how it was drawn."""
        closing = super().pop_screen()
        self.call_later(_let_go_of_what_was_drawn)
        return closing

    def export_picture(self) -> None:
        """Write what is on the screen as an SVG file into the current directory."""
        try:
            self.say(f"written to {self.save_screenshot()}")
        except OSError as error:
            self.warn(f"the picture could not be written: {error}")

    def action_help_quit(self) -> None:
        """ctrl+c ends many programs; here it says which key does."""
        self.say("q leaves the program; everything finished is kept")

    def show_title(self, waiting: int) -> None:
        """Tell in the terminal's title how many reviews wait."""
        if self._terminal_title is not None:
            self._terminal_title.show(waiting)

    @contextmanager
    def hand_over_terminal(self) -> Iterator[None]:
        """The terminal is another program's meanwhile: nothing is written to it, and it is taken back whatever happened there.

        Textual takes it back only when all went well, and waits for ever for a writer that has ended once a few frames were drawn.
        """
        failure: BaseException | None = None
        self._is_handed_over = True
        try:
            with self.batch_update(), self.suspend():
                try:
                    yield
                except BaseException as error:
                    failure = error
        finally:
            self._is_handed_over = False
        self.refresh()
        if failure is not None:
            raise failure

    def _write_to_terminal(self, sequence: str) -> None:
        if self._driver is not None and not self.is_headless and not self._is_handed_over:
            self._driver.write(sequence)

    # size -----------------------------------------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Say so while the terminal is too small, and go on when it is not."""
        self._mind_the_size(event.size)

    def _mind_the_size(self, size: Size) -> None:
        is_small, is_shown = is_too_small(size), isinstance(self.screen, TooSmall)
        if is_small and not is_shown:
            self.push_screen(TooSmall())
        elif is_shown and not is_small:
            self.pop_screen()

    # end ------------------------------------------------------------------------------------------------------------------------

    async def action_quit(self) -> None:
        """Leave in order: running work is handed back; a second time, at once."""
        code = EXIT_BAD_INPUT if self.unopened else 0
        if self._is_leaving:
            self.exit(code, return_code=code)
            return
        if not self.unopened:
            self.main_screens.state(standing=Standing(Phase.STOPPING, attachment=self.attachment))
        self._leave(code)

    @property
    def unopened(self) -> str:
        """Why the database could not be opened, in a sentence; empty when it could, or nobody knows yet."""
        standing = self.workbench.host.standing if self.workbench is not None else Standing()
        return standing.words if standing.phase is Phase.UNOPENED else ""

    def _leave(self, code: int) -> None:
        self._is_leaving = True
        self.run_worker(self._stop_and_exit(code), group="quit")

    async def _stop_and_exit(self, code: int) -> None:
        await self._stop_working(code)
        self.exit(code, return_code=code)

    async def on_unmount(self) -> None:
        """However the screen ends, the engine ends in order."""
        if self._terminal_title is not None:
            self._terminal_title.put_back()
        await self._stop_working(self.return_code or 0)

    async def _stop_working(self, code: int) -> None:
        if self._last_resort is not None:
            self._last_resort.arm(code, QUIT_SECONDS + _GOODBYE_SECONDS)
        if self.workbench is not None:
            await self.workbench.stop(QUIT_SECONDS)

    def _heed_signals(self) -> None:
        """End in order, and leave the terminal as it was, when the program is told to stop or its terminal goes."""
        loop = asyncio.get_running_loop()
        for name in _STOP_SIGNALS:
            number = getattr(signal, name, None)
            if number is not None:
                with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows; a test's thread
                    loop.add_signal_handler(number, self._leave, 128 + int(number))

    def _handle_exception(self, error: Exception) -> None:
        """A defect of the program itself: the traceback goes to the log, a sentence to the terminal once that is itself again."""
        from treadle_tui.terminal_log import log_failure

        log_failure("the screen has failed", error)
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        from rich.text import Text

        from treadle_tui.terminal_log import log_place

        self._exit_renderables.append(Text(f"treadle-tui stopped because of a defect; the details are in {log_place()}"))
        self._close_messages_no_wait()


def collect_garbage_again() -> None:
    """End what `run_app` began; what the start has built stays for good and need never be looked through again."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _checked_keymap(app: type[TreadleApp], keymap: Mapping[str, str]) -> tuple[dict[str, str], list[Refusal]]:
    from treadle_tui.key_contexts import key_contexts
    from treadle_tui.keymap import accepted_keymap

    return accepted_keymap(keymap, key_contexts(app))


def _make_workbench(app: TreadleApp, page: FirstPage | None) -> Workbench:
    """Imported only now, and in a thread: the screen has been painted, and goes on answering keys."""
    import treadle_tui.widgets.filter_bar  # noqa: F401 - for the first key that asks for it
    from treadle_tui.workbench import Workbench

    return Workbench(app, page)


def _let_go_of_what_was_drawn() -> None:
    """Textual remembers two colours for each of a thousand widgets, and with them every line that a closed one has drawn."""
    from textual._styles_cache import StylesCache

    clear = getattr(StylesCache.get_inner_outer, "cache_clear", None)
    if clear is not None:
        clear()


def _page_of(reading: FirstReading) -> FirstPage | None:
    """In a thread as well, with what draws it."""
    page = reading.page()
    if page is not None:
        import treadle_tui.widgets.board_grid  # noqa: F401
    return page
