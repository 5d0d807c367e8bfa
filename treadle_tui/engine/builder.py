"""The crate's way to write a workflow: chained calls, names in any order, one `build` at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, Unpack

from treadle_tui.engine.errors import StageNotFound
from treadle_tui.engine.stage_draft import StageDraft, StageOptions

if TYPE_CHECKING:
    from treadle_tui.engine.retry import RetryBudget
    from treadle_tui.engine.review import ReviewPolicy
    from treadle_tui.engine.workflow import Workflow


class WorkflowBuilder:
    """What `Workflow.builder` returns. Every call but `build` returns the builder; names are looked up at `build`."""

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self._drafts: dict[str, StageDraft] = {}
        self._pending: list[tuple[str, str, Any]] = []
        """(verb, stage, what), in the order of the calls."""

    def stage(self, name: str, stage: Any, *, after: Any = (), **options: Unpack[StageOptions]) -> Self:
        """Add a stage, a `Stage` or a function, with the options of `Workflow.add_stage`; the name given here wins."""
        handle = self._workflow.add_stage(name, stage, after=after, **options)
        self._drafts.setdefault(name, handle.draft)
        return self

    def dependency(self, stage: str, depends_on: str) -> Self:
        """Let `stage` start only when `depends_on` is done. Either may be added later."""
        return self._note("dependency", stage, depends_on)

    def quality_gate(self, stage: str, gate: Any) -> Self:
        """Let this gate judge the stage's output, besides the gates there are."""
        return self._note("quality_gate", stage, gate)

    def retry_budget(self, stage: str, retry: RetryBudget) -> Self:
        """Give the stage this budget; the last call counts."""
        return self._note("retry_budget", stage, retry)

    def review_policy(self, stage: str, review: ReviewPolicy) -> Self:
        """Give the stage this policy; the last call counts."""
        return self._note("review_policy", stage, review)

    def build(self) -> Workflow:
        """The workflow, checked. May be called again.

        Raises: `DuplicateStage`, `StageNotFound`, `DagCycle`, `InvalidDefinition`.
        """
        pending, self._pending = self._pending, []
        for verb, stage, what in pending:
            if stage not in self._drafts:
                raise StageNotFound(stage, self._drafts, f"workflow {self._workflow.name!r}, {verb}")
            _apply(self._drafts[stage], verb, what)
        return self._workflow.build()

    def _note(self, verb: str, stage: str, what: Any) -> Self:
        self._workflow.begin_change(f"{verb} of stage {stage!r}")
        self._pending.append((verb, stage, what))
        return self


def _apply(draft: StageDraft, verb: str, what: Any) -> None:
    if verb == "dependency":
        draft.after = [*(draft.after if isinstance(draft.after, (list, tuple)) else [draft.after]), what]
    elif verb == "quality_gate":
        draft.added_gates.append(what)
    elif verb == "retry_budget":
        draft.options["retry"] = what
    else:
        draft.options["review"] = what
