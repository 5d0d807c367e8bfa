"""Workflows that somebody must look at: those that have changed under their items, and files that could not be loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle_tui.board.dashboard import Notice
from treadle_tui.board.plan_rows import confirmation_of, plan_words
from treadle_tui.board.safe_text import safe_paragraphs
from treadle_tui.board.standing import Phase
from treadle_tui.engine.errors import WorkflowChanged
from treadle_tui.engine.migration import MigrationPlan

if TYPE_CHECKING:
    from treadle_tui.engine.engine import Engine
    from treadle_tui.screens.plan_screen import PlanScreen
    from treadle_tui.workbench import Workbench


class MigrationDesk:
    """Finds them, shows them, and carries out what is accepted."""

    def __init__(self, workbench: Workbench) -> None:
        self._bench = workbench

    async def plans(self) -> dict[str, MigrationPlan]:
        """Plans that wait to be accepted, by workflow; none while no engine runs."""
        if self._bench.host.standing.phase is not Phase.RUNNING:
            return {}
        return await self._bench.host.call(_waiting)

    async def notices(self) -> list[Notice]:
        """A line each."""
        found = [
            Notice(name, f"{plan_words(plan)}; enter shows what that means", is_plan=True) for name, plan in (await self.plans()).items()
        ]
        return found + [Notice(*_split(problem)) for problem in self._bench.found.problems]

    def show(self, notice: Notice) -> None:
        """Show what there is to say, and what can be done."""
        self._bench.work(self._show_plan(notice.workflow) if notice.is_plan else self._show_problem(notice), "notice")

    async def _show_plan(self, workflow: str) -> None:
        from treadle_tui.screens.plan_screen import PlanScreen

        plan = (await self.plans()).get(workflow)
        if plan is None:
            self._bench.say(f"{workflow} waits no longer")
            return
        await self._bench.push_screen(PlanScreen(plan, self._accept))

    def _accept(self, screen: PlanScreen, plan: MigrationPlan) -> None:
        if self._bench.may_change():
            self._bench.work(self._ask_and_accept(screen, plan), "accept")

    async def _ask_and_accept(self, screen: PlanScreen, plan: MigrationPlan) -> None:
        from treadle_tui.screens.confirmation import Confirm

        if not await self._bench.ask(Confirm(confirmation_of(plan))):
            return
        try:
            await self._bench.host.call(lambda engine: engine.apply_migration(plan.workflow, plan))
        except WorkflowChanged:
            newer = (await self.plans()).get(plan.workflow)
            if newer is None:
                raise
            screen.show_newer(newer)
            return
        self._bench.say(f"{plan.workflow}: accepted, its items run again")
        if screen.is_attached:
            screen.dismiss()

    async def _show_problem(self, notice: Notice) -> None:
        from treadle_tui.screens.problem_screen import ProblemScreen

        await self._bench.push_screen(ProblemScreen(notice.workflow, safe_paragraphs(notice.words)))


async def _waiting(engine: Engine) -> dict[str, MigrationPlan]:
    return dict(engine.waiting_migrations)


def _split(problem: str) -> tuple[str, str]:
    """File and what is wrong with it: "/w/bad.py:12: SyntaxError" as "bad.py:12" and "SyntaxError", with the folder behind it."""
    place, _, words = problem.partition(": ")
    folder, _, name = place.rpartition("/")
    return name, f"{words} (in {folder})" if folder else words
