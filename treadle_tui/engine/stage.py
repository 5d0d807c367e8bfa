"""A stage, and what its code is told while it runs.

`Stage` is the class form of treadle's `Stage` trait; functions become stages in `workflow`. `StageContext` is made by the engine,
one per attempt: it holds facts, and passes progress, log lines, memos and transaction statements on to `AttemptServices`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from treadle_tui.engine.attempt_record import AttemptRecord
from treadle_tui.engine.feedback import Feedback
from treadle_tui.engine.outcomes import StageOutcome
from treadle_tui.engine.review import ReviewDecision


class AttemptServices(Protocol):
    """What the engine does for a running attempt. Callable from any thread, except `memo`, which is awaited on the engine's loop."""

    def progress(self, fraction: float, message: str) -> None:
        """Tell how far the attempt is."""
        ...

    def log(self, message: str) -> None:
        """Tell one line."""
        ...

    async def memo(self, key: str, fn: Callable[[], Any]) -> Any:
        """The recorded result of `fn` under `key`, computing and recording it the first time."""
        ...

    @property
    def is_cancelled(self) -> bool:
        """Whether the attempt is wanted no longer."""
        ...


class StageContext:
    """What an attempt knows of itself, and what it may ask for."""

    __slots__ = (
        "_services",
        "_sleep",
        "attempt",
        "decisions",
        "feedback",
        "idempotency_key",
        "item_id",
        "max_attempts",
        "previous_attempts",
        "stage_name",
        "statements",
        "subtask",
        "subtask_metadata",
        "upstream",
        "values",
        "workflow",
    )

    def __init__(
        self,
        *,
        item_id: str,
        stage_name: str,
        workflow: str = "",
        attempt: int = 1,
        max_attempts: int = 1,
        subtask: str | None = None,
        subtask_metadata: Any = None,
        feedback: Feedback | None = None,
        previous_attempts: Sequence[AttemptRecord] = (),
        upstream: Mapping[str, Any] | None = None,
        values: Mapping[str, Mapping[str, Any]] | None = None,
        decisions: Mapping[str, ReviewDecision] | None = None,
        idempotency_key: str = "",
        services: AttemptServices | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.item_id = item_id
        self.stage_name = stage_name
        self.workflow = workflow
        self.attempt = attempt
        """The number of this attempt, from 1."""
        self.max_attempts = max_attempts
        """The number of the last attempt the budget allows, granted ones included."""
        self.subtask = subtask
        """The subtask's name; None in the stage itself."""
        self.subtask_metadata = subtask_metadata
        self.feedback = feedback
        """What was said of the last attempt; None when nothing was."""
        self.previous_attempts = list(previous_attempts)
        self.upstream = dict(upstream or {})
        """Outputs of direct dependencies by stage name, `after` included; None for a skipped one."""
        self.values = {stage: dict(answers) for stage, answers in values.items()} if values else {}
        """Answers to review forms upstream, by stage name."""
        self.decisions = dict(decisions or {})
        """What people decided upstream, by stage name: who, when, why, and their answers."""
        self.idempotency_key = idempotency_key
        """The same after a crash, new for a new attempt; printable ASCII, at most 255 characters."""
        self.statements: list[tuple[str, Any, int | None]] = []
        """SQL kept for the transaction that completes this stage: (sql, parameters, expected row count)."""
        self._services = services
        self._sleep = sleep

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` have passed by the engine's clock; in a test, by the test's."""
        await self._sleep(seconds)

    @property
    def cancelled(self) -> bool:
        """Whether the attempt is wanted no longer: the item was cancelled, the time is up, or the engine stops."""
        return self._services is not None and self._services.is_cancelled

    def progress(self, fraction: float, message: str = "") -> None:
        """Tell how far the attempt is, 0 to 1; at most ten rows a second are kept, the last always."""
        if self._services is not None:
            self._services.progress(fraction, message)

    def log(self, message: str) -> None:
        """Tell one line; at most ten rows a second are kept, the last always."""
        if self._services is not None:
            self._services.log(message)

    async def memo(self, key: str, fn: Callable[[], Any]) -> Any:
        """The result of `fn` (plain or async), computed once per item, stage and subtask, and reused by later attempts.

        The result must be a JSON value; it is recorded before this returns.
        """
        if self._services is None:
            result = fn()
            return await result if hasattr(result, "__await__") else result
        return await self._services.memo(key, fn)

    def transaction(self, sql: str, parameters: Any = (), expect_rows: int | None = None) -> None:
        """Keep a statement for the SQLite transaction in which this stage or subtask becomes completed.

        A failing statement, or another row count than `expect_rows`, fails the attempt and nothing is recorded.
        """
        self.statements.append((sql, parameters, expect_rows))


class Stage:
    """One step of a workflow, in class form. Subclasses answer `execute`; the two hooks are optional.

    May declare `retry`, `review`, `gates`, `concurrency`, `tags` … as class attributes read by `Workflow.add_stage`.
    """

    name: str = ""

    async def execute(self, item: Any, ctx: StageContext) -> StageOutcome | Any:
        """Do the work: an outcome, or a plain value meaning `Completed(value)`; raising is a failed attempt."""
        raise NotImplementedError(f"{type(self).__name__} must define `async def execute(self, item, ctx)`")

    async def before_execute(self, item: Any, ctx: StageContext) -> None:
        """Called first; raising is a failed attempt, and `execute` is not called."""

    async def after_execute(self, item: Any, ctx: StageContext, outcome: StageOutcome) -> None:
        """Called with the outcome, always as an outcome class, before gates."""
