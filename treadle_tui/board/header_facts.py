"""What the header of every main screen says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from treadle_tui.board.standing import Standing

if TYPE_CHECKING:
    from treadle_tui.board.tally import Tally

_BEGINNING = Standing()


class HeaderFacts(NamedTuple):
    """One set of facts for all main screens, so that none of them can differ from another."""

    database: str = ""
    """The database's name, as it was given."""
    workflow: str = ""
    """The workflow whose items are shown; empty before one is known."""
    standing: Standing = _BEGINNING
    """How the engine is."""
    tally: Tally | None = None
    """Totals of the workflow shown; None before they are known."""
    waiting: int = 0
    """Reviews that wait, of all workflows, subtasks included."""
    outbox: int = 0
    """Decisions that are made, and not sent yet."""
    screens: tuple[tuple[str, str], ...] = ()
    """Ids and titles of the main screens on offer."""
