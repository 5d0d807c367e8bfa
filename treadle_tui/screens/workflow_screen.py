"""A main screen about the workflow that the board shows: read at first, when it comes back, and when something has happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from treadle_tui.screens.main_screen import MainScreen
from treadle_tui.screens.rereading import Rereading

if TYPE_CHECKING:
    from treadle_tui.board.header_facts import HeaderFacts
    from treadle_tui.board.tally import Counts


class WorkflowChoice(Protocol):
    """Who knows which workflow is shown."""

    def next_workflow(self) -> None:
        """Show the next workflow, here and on the board."""
        ...


class WorkflowScreen(MainScreen):
    """Calls `read` whenever what it shows may have changed. The key for `next_workflow` is the subclass's, with an id of its own."""

    READ_SECONDS: ClassVar[float]
    """At least so long between two readings."""

    def __init__(self, workflows: WorkflowChoice) -> None:
        super().__init__()
        self._workflows = workflows
        self.rereading = Rereading(self, self.read, self.say, self.READ_SECONDS)

    async def read(self) -> None:
        """Read what is shown, and show it."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Read at once."""
        self.rereading.due()

    def on_screen_resume(self) -> None:
        """What was not seen meanwhile is read."""
        self.rereading.due()

    def show_facts(self, facts: HeaderFacts) -> None:
        """Another workflow may be shown now."""
        is_other = facts.workflow != self.facts.workflow
        super().show_facts(facts)
        if is_other:
            self.rereading.due()

    def totals_changed(self, counts: Counts, waiting: int) -> None:
        """Something has happened."""
        self.rereading.due()

    def action_next_workflow(self) -> None:
        """Show the next workflow."""
        self._workflows.next_workflow()
