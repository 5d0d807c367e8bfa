"""The seam between the engine and the place where stage code runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from treadle_tui.engine.outcomes import StageOutcome
from treadle_tui.engine.stage import StageContext
from treadle_tui.engine.stage_definition import StageDefinition
from treadle_tui.engine.store.results import Work


class StageCall(msgspec.Struct, kw_only=True):
    """One attempt's code, and everything it is told."""

    definition: StageDefinition
    work: Work
    item: Any
    ctx: StageContext
    origin: tuple[str, str] = ("", "")
    """Module name and file of the workflow, for a runner that must find it again."""
    workflow: str = ""
    results: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """For `Work.REDUCE`: outputs by subtask name."""


class Runner(Protocol):
    """Where stage code runs: this process, a child process, later a cluster."""

    async def run(self, call: StageCall) -> StageOutcome:
        """What the code answered, as an outcome. Raises what the code raised; stops the code when cancelled, as far as it can."""
        ...

    async def close(self) -> None:
        """Let go of processes and connections."""
        ...
