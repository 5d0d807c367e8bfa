"""Between a review on the screen and the engine: reads what is shown, records what was decided, and words what came of it."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from treadle_tui.board.history_outline import decision_words
from treadle_tui.board.review_subject import ReviewSubject, review_subject
from treadle_tui.board.time_text import age
from treadle_tui.cli.settings import Settings
from treadle_tui.engine.attempt_record import AttemptRecord
from treadle_tui.engine.errors import ReviewConflict
from treadle_tui.engine.events import Event
from treadle_tui.engine.review import ReviewData, ReviewDecision
from treadle_tui.engine.states import StageStatus, SubTaskStatus

if TYPE_CHECKING:
    from treadle_tui.engine.store.protocol import StoreReads
    from treadle_tui.engine.workflow import Workflow
    from treadle_tui.engine_host import EngineHost

FindWorkflow = Callable[[str], "Workflow | None"]


class ReviewDesk:
    """Reads and decides for one person."""

    def __init__(
        self,
        host: EngineHost,
        reviewer: str,
        find_workflow: FindWorkflow,
        now: Callable[[], datetime],
        settings: Settings | None = None,
    ) -> None:
        self._host = host
        self._reviewer = reviewer
        self._find_workflow = find_workflow
        self._now = now
        self._settings = settings or Settings()

    @property
    def _store(self) -> StoreReads:
        assert self._host.store is not None, "nothing can be asked before the database is open"
        return self._host.store

    async def subject(self, item_id: str, workflow: str, stage: str, subtask: str | None) -> ReviewSubject | None:
        """The review as it stands now; None when there is no such stage or subtask any more."""
        status = await self._store.get_status(item_id, stage)
        if status is None:
            return None
        attempts = await self._store.get_attempts(item_id, stage, subtask)
        definition = self._definition(workflow, stage)
        policy, budget = None, None
        if definition is not None:
            part = definition.each if subtask is not None and definition.each is not None else definition
            policy, budget = part.review, part.retry
        hide = await self.masking(workflow)
        return review_subject(
            item_id,
            workflow,
            stage,
            subtask,
            hide.status(status),
            [hide.attempt(attempt) for attempt in attempts],
            max_attempts=budget.max_attempts if budget else None,
            reasons=self._settings.reasons_for(workflow, stage, tuple(policy.reasons) if policy else ()),
        )

    async def given(self, item_id: str, workflow: str, stage: str) -> tuple[Any, dict[str, Any]]:
        """The item's fields, and the outputs of what a stage directly depends on; without their secrets."""
        hide = await self.masking(workflow)
        item = await self._store.get_item(item_id)
        above = (await self._store.dependencies(workflow)).get(stage, [])
        statuses = await self._store.get_all_statuses(item_id)
        return (
            None if item is None else hide.value(item.data),
            {name: hide.value(statuses[name].output) for name in above if name in statuses},
        )

    async def newest_events(self, item_id: str, most: int) -> list[Event]:
        """What has happened to an item, newest first."""
        found: deque[Event] = deque(maxlen=most)
        async for event in self._store.events(0, item_id):
            if isinstance(event, Event):
                found.appendleft(event)
        return list(found)

    async def original(self, item_id: str, workflow: str, stage: str, subtask: str | None) -> tuple[Any, frozenset[str]]:
        """The output as it is, and which of its fields are not to be seen."""
        status = await self._store.get_status(item_id, stage)
        names = await self._store.secret_names(workflow)
        if status is None or subtask is None:
            return (None if status is None else status.output), names
        return next((each.output for each in status.subtasks if each.name == subtask), None), names

    def validate(self, workflow: str, stage: str, subtask: str | None, output: Any) -> None:
        """Raise `InvalidDecision` for an edit that is not what the stage says its output is."""
        definition = self._definition(workflow, stage)
        if definition is not None:
            (definition.output if subtask is None else definition.subtask_output).validate(output)

    def conflict_words(self, title: str, conflict: ReviewConflict) -> str:
        """One sentence: what was to be decided, who was first, and when."""
        if not conflict.by:
            return str(conflict)
        who = "you" if conflict.by == self._reviewer else conflict.by
        when = age(conflict.at, self._now())
        return f"{title}: {who} decided first{f', {when} ago' if when and when != 'now' else ''}; nothing was changed"

    def decided_words(self, title: str, decision: ReviewDecision) -> str:
        """ "rejected requests 2.32 › judge: too old"."""
        reason = getattr(decision, "reason", "")
        return f"{decision_words(decision)} {title}" + (f": {reason}" if reason else "")

    def settled_words(self, subject: ReviewSubject) -> str:
        """One sentence for a review that waits no longer."""
        if subject.decision is None:
            return f"{subject.title} waits no longer: it is {subject.state.word}"
        by = f" by {subject.decision.by}" if subject.decision.by else ""
        return f"{subject.title} was {decision_words(subject.decision)}{by} already"

    def _definition(self, workflow: str, stage: str) -> Any:
        found = self._find_workflow(workflow)
        return found.definition(stage) if found is not None and found.has_stage(stage) else None

    async def masking(self, workflow: str) -> Masking:
        """Hides what the workflow calls secret. From the database: what is secret stays so where the workflow's file is not at hand."""
        return Masking(await self._store.secret_names(workflow))


@dataclasses.dataclass(frozen=True, slots=True)
class Masking:
    """Hides the fields a workflow calls secret in everything that is shown."""

    names: frozenset[str]

    def value(self, value: Any) -> Any:
        """A JSON value, with bullets for what is secret at any depth."""
        from treadle_tui.engine.secrets import redact

        return redact(value, self.names) if self.names else value

    def status(self, status: StageStatus) -> StageStatus:
        """A stage, its subtasks included."""
        if not self.names:
            return status
        subtasks = [self.subtask(subtask) for subtask in status.subtasks]
        return dataclasses.replace(status, output=self.value(status.output), review=self.review(status.review), subtasks=subtasks)

    def subtask(self, subtask: SubTaskStatus) -> SubTaskStatus:
        """Output and review of a subtask."""
        return dataclasses.replace(subtask, output=self.value(subtask.output), review=self.review(subtask.review))

    def review(self, review: ReviewData | None) -> ReviewData | None:
        """What a person is shown."""
        return dataclasses.replace(review, details=self.value(review.details)) if review is not None else None

    def attempt(self, attempt: AttemptRecord) -> AttemptRecord:
        """The output of an attempt."""
        return dataclasses.replace(attempt, output=self.value(attempt.output)) if self.names else attempt
