"""A workflow whose annotations are postponed, made inside a function: the hardest place to find a class."""

from __future__ import annotations

from dataclasses import dataclass

from treadle_tui.engine.outcomes import FanOut
from treadle_tui.engine.workflow import Workflow


def outputs_of_a_local_class() -> list[str]:
    """The output types of two stages, as text."""

    @dataclass
    class Local:
        number: int

    workflow = Workflow()

    @workflow.stage
    def one(item) -> Local:
        return Local(1)

    @workflow.stage
    def many(item) -> FanOut:
        return FanOut([])

    @many.reduce
    def joined(results) -> list[Local]:
        return []

    return [str(definition.output) for definition in workflow.definitions().values()]
