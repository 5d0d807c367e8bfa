"""The two lines at the top: which database and workflow, how the engine is, what waits, and totals by state."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from textual.reactive import reactive
from textual.strip import Strip
from textual.timer import Timer

from treadle_tui.board.header_facts import HeaderFacts
from treadle_tui.board.safe_text import safe_line, shorten_middle, width_of
from treadle_tui.board.standing import Phase, Standing
from treadle_tui.widgets.key_bar import key_of, keys_everywhere
from treadle_tui.widgets.part_styles import PartStyles
from treadle_tui.widgets.plain_text import MESSAGE_SECONDS
from treadle_tui.widgets.span_line import Piece, line_of, pieces_width

if TYPE_CHECKING:
    from treadle_tui.board.tally import Tally

_RUNNING_FRAMES = "◐◓◑◒"
_FRAME_SECONDS = 0.4  # slow enough to be calm, fast enough to be alive
_GAP = "   "
#: Cells that database and workflow keep before the list of screens gives way.
_PLACE_LEAST = 24
#: Cells the database's name keeps in any case.
_NAME_LEAST = 8
_PHASE_WORDS = {
    Phase.OPENING: "opening …",
    Phase.OPEN: "loading workflows …",
    Phase.STOPPED: "engine stopped",
    Phase.UNOPENED: "not opened",
    Phase.STOPPING: "stopping …",
    Phase.CLOSED: "closed",
}


class BoardHeader(PartStyles):
    """Two lines; nothing in them moves unless something runs."""

    PARTS = "board-header"

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "board-header--name",
        "board-header--screen",
        "board-header--place",
        "board-header--quiet",
        "board-header--badge",
        "board-header--trouble",
        "board-header--message",
        "board-header--pending",
        "board-header--running",
        "board-header--retry-wait",
        "board-header--awaiting-review",
        "board-header--completed",
        "board-header--skipped",
        "board-header--failed",
        "board-header--cancelled",
    }
    """
    | Class | Description |
    | :- | :- |
    | `board-header--name`, `--place` | The program's name; database and workflow |
    | `board-header--screen` | The main screen in front, among the others |
    | `board-header--badge` | How many reviews wait |
    | `board-header--trouble`, `--message`, `--quiet` | A failure, the latest message, everything else |
    | `board-header--pending` … `--cancelled` | Totals, by state |
    """

    DEFAULT_CSS = """
    BoardHeader {
        height: 2;
        width: 1fr;
        background: $background;
        color: $foreground;
        & > .board-header--name { color: $accent; text-style: bold; }
        & > .board-header--screen { color: $foreground; text-style: bold; }
        & > .board-header--place { color: $foreground; }
        & > .board-header--quiet { color: $quiet; }
        & > .board-header--badge { color: $state-awaiting-review; text-style: bold; }
        & > .board-header--trouble { color: $state-failed; text-style: bold; }
        & > .board-header--message { color: $foreground; }
        & > .board-header--pending { color: $state-pending; }
        & > .board-header--running { color: $state-running; }
        & > .board-header--retry-wait { color: $state-retry-wait; }
        & > .board-header--awaiting-review { color: $state-awaiting-review; }
        & > .board-header--completed { color: $state-completed; }
        & > .board-header--skipped { color: $state-skipped; }
        & > .board-header--failed { color: $state-failed; }
        & > .board-header--cancelled { color: $state-cancelled; }
    }
    """

    ALLOW_SELECT = False

    facts: reactive[HeaderFacts] = reactive(HeaderFacts())
    """What is said."""
    message: reactive[str] = reactive("")
    """The latest thing that happened because of the person; goes by itself."""

    def __init__(self, facts: HeaderFacts, title: str) -> None:
        """`title`: the main screen it belongs to."""
        super().__init__()
        self.set_reactive(BoardHeader.facts, facts)
        self._title = title
        self._frame = 0
        self._animation: Timer | None = None
        self._forgetting: Timer | None = None

    @property
    def standing(self) -> Standing:
        """How the engine is."""
        return self.facts.standing

    @property
    def tally(self) -> Tally | None:
        """Totals of the workflow shown."""
        return self.facts.tally

    def show(self, facts: HeaderFacts) -> None:
        """Say something else."""
        self.facts = facts

    def say(self, message: str) -> None:
        """Show a message for a while."""
        if self._forgetting is not None:
            self._forgetting.stop()
        self.message = safe_line(message)
        self._forgetting = self.set_timer(MESSAGE_SECONDS, self._forget)

    def render_line(self, y: int) -> Strip:
        """The place and the engine above; totals and the message below."""
        return self._place_line() if y == 0 else self._totals_line()

    @property
    def is_animated(self) -> bool:
        """Whether something runs, so that the sign beside it turns."""
        return self.tally is not None and self.tally.is_running and self.standing.phase in (Phase.RUNNING, Phase.ATTACHED)

    def watch_facts(self) -> None:
        """Turn the sign only while something runs."""
        self._turn_sign()

    def _turn_sign(self) -> None:
        if self.is_animated and self._animation is None:
            self._animation = self.set_interval(_FRAME_SECONDS, self._next_frame)
        elif not self.is_animated and self._animation is not None:
            self._animation.stop()
            self._animation = None

    def _next_frame(self) -> None:
        self._frame = (self._frame + 1) % len(_RUNNING_FRAMES)
        self.refresh()

    def _forget(self) -> None:
        self.message = ""

    def _place_line(self) -> Strip:
        name: list[Piece] = [("  treadle", self.part("name")), ("  ", Style.null())]
        right = self._engine_pieces()
        room = self.size.width - pieces_width([*name, *right]) - len(_GAP)
        workflow = f" · {safe_line(self.facts.workflow)}" if self.facts.workflow else ""
        screens = self._screen_pieces(room, _NAME_LEAST + width_of(workflow))
        place = shorten_middle(safe_line(self.facts.database), max(_NAME_LEAST, room - pieces_width(screens) - width_of(workflow)))
        left = [*name, (place, self.part("place")), (workflow, self.part("quiet")), *screens]
        return line_of(left, right, self.size.width, self.base)

    def _screen_pieces(self, room: int, least: int) -> list[Piece]:
        """The main screens with their keys, or only the keys of the others, or the one in front, as room allows when so much is kept."""
        if len(self.facts.screens) < 2:
            return []
        key_by_id = keys_everywhere(self.app)  # also while it is typed into a field: this line does not change with every focus
        pieces: list[Piece] = [(_GAP, Style.null())]
        for id, title in self.facts.screens:
            pieces.append((f"{key_by_id.get(f'app.{id}', '')} {title}", self.part("screen" if title == self._title else "quiet")))
            pieces.append(("  ", Style.null()))
        if pieces_width(pieces) <= room - max(least, _PLACE_LEAST):
            return pieces
        keys: list[Piece] = [(_GAP, Style.null())]
        for id, title in self.facts.screens:
            key = key_by_id.get(f"app.{id}", "")
            words = f"{key} {title}" if title == self._title else key
            keys += [(words, self.part("screen" if title == self._title else "quiet")), (" ", Style.null())]
        if pieces_width(keys) <= room - least:
            return keys
        front: list[Piece] = [(_GAP, Style.null()), (self._title, self.part("screen"))]
        return front if pieces_width(front) <= room - least else []

    def _engine_pieces(self) -> list[Piece]:
        pieces: list[Piece] = []
        waiting, outbox = self.facts.waiting, self.facts.outbox
        if outbox:
            pieces += [(f"{outbox:,} in the outbox", self.part("message")), (_GAP, Style.null())]
        if waiting:
            from treadle_tui.engine.states import StageState

            words = f"{StageState.AWAITING_REVIEW.glyph} {waiting:,} waiting"
            pieces += [(words, self.part("badge")), (_GAP, Style.null())]
        pieces += [self._engine_piece(), ("  ", Style.null())]
        return pieces

    def _engine_piece(self) -> Piece:
        standing = self.standing
        if standing.phase is Phase.RUNNING and standing.words:
            return "! in trouble", self.part("trouble")
        if standing.phase is Phase.RUNNING:
            sign = _RUNNING_FRAMES[self._frame] if self.is_animated else "○"
            return (f"{sign} running", self.part("running")) if self.is_animated else (f"{sign} idle", self.part("quiet"))
        if standing.phase is Phase.ATTACHED:
            sign = _RUNNING_FRAMES[self._frame] if self.is_animated else "◌"
            return f"{sign} {standing.attachment.words}", self.part("running" if self.is_animated else "quiet")
        sign = "!" if standing.is_failed else "…"
        return f"{sign} {_PHASE_WORDS[standing.phase]}", self.part("trouble" if standing.is_failed else "quiet")

    def _totals_line(self) -> Strip:
        width = self.size.width
        if self.standing.words:
            key = key_of(self.screen, "app.restart")
            remedy: list[Piece] = [(f" · {key} starts it again  ", self.part("quiet"))] if key else []
            return line_of([(f"  {safe_line(self.standing.words)}", self.part("trouble"))], remedy, width, self.base)
        message: list[Piece] = [(self.message + "  ", self.part("message"))] if self.message else []
        totals = self._totals(with_words=True)
        if pieces_width(totals) + pieces_width(message) + 4 > width:
            totals = self._totals(with_words=False)
        if pieces_width(totals) > width:
            totals = self._brief_totals()
        if message and pieces_width(totals) + pieces_width(message) + 2 > width:
            return line_of([("  ", Style.null()), *message], [], width, self.base)
        return line_of(totals, message, width, self.base)

    def _brief_totals(self) -> list[Piece]:
        """As the board and the graph put it: the sign tells the state."""
        pieces: list[Piece] = [("  ", Style.null())]
        for state, count in self.tally.in_order() if self.tally is not None else ():
            pieces.append((f"{state.glyph}{count:,}  ", self.part(state.value.replace("_", "-"))))
        return pieces

    def _totals(self, *, with_words: bool) -> list[Piece]:
        pieces: list[Piece] = [("  ", Style.null())]
        for state, count in self.tally.in_order() if self.tally is not None else ():
            name = state.word if with_words else state.letter
            pieces.append((f"{state.glyph} {count:,} {name}{_GAP}", self.part(state.value.replace("_", "-"))))
        return pieces
