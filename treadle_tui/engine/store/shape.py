"""A workflow as the store knows it: names, order and edges, kept in the database without any code.

`StageShape.spec` is what `StageDefinition.shape()` gave: budgets, policies, limits; enough to review, explain and draw
a workflow whose file is not at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from treadle_tui.engine.record import Record


class StageShape(Record, frozen=True):
    """One stage, by its number in this store."""

    id: int
    name: str
    dependencies: tuple[int, ...]
    dependents: tuple[int, ...]
    spec: Mapping[str, Any] = msgspec.field(default_factory=dict)
    frees_dependents: bool = False
    """Whether each of its dependents waits for nothing else, so that its completion makes all of them ready."""

    @property
    def is_removed(self) -> bool:
        """Whether the workflow has it no longer, and only items that had begun it still do."""
        return bool(self.spec.get("removed"))


class WorkflowShape:
    """One workflow's stages in topological order, with their numbers in this store."""

    __slots__ = ("by_id", "by_name", "every", "fingerprint", "id", "name", "removed", "roots", "stages")

    def __init__(self, id: int, name: str, fingerprint: str, stages: Sequence[StageShape]) -> None:
        self.id = id
        self.name = name
        self.fingerprint = fingerprint
        self.stages = tuple(stage for stage in stages if not stage.is_removed)
        """Those the workflow has."""
        self.removed = tuple(stage for stage in stages if stage.is_removed)
        """Those it had, and items still have: only where there is a row. Nothing depends on them, and nothing runs them."""
        self.every = self.stages + self.removed
        self.by_id = {stage.id: stage for stage in self.every}
        self.by_name = {stage.name: stage for stage in self.every}
        self.roots = tuple(stage for stage in self.stages if not stage.dependencies)

    @classmethod
    def assemble(cls, id: int, name: str, fingerprint: str, specs: Iterable[Mapping[str, Any]], ids: Mapping[str, int]) -> WorkflowShape:
        """From the stored stage specs (each with `name` and `depends_on`) in topological order, and their numbers.

        A spec with `removed` is of a stage that only items that had begun it still have.
        """
        specs = list(specs)
        dependents: dict[str, list[int]] = {spec["name"]: [] for spec in specs}
        for spec in specs:
            for dependency in spec["depends_on"]:
                dependents[dependency].append(ids[spec["name"]])
        dependents_of_one = {ids[spec["name"]] for spec in specs if len(spec["depends_on"]) == 1}
        return cls(
            id,
            name,
            fingerprint,
            [
                StageShape(
                    ids[spec["name"]],
                    spec["name"],
                    tuple(ids[dependency] for dependency in spec["depends_on"]),
                    tuple(dependents[spec["name"]]),
                    spec,
                    dependents_of_one.issuperset(dependents[spec["name"]]),
                )
                for spec in specs
            ],
        )

    @property
    def secret_names(self) -> frozenset[str]:
        """Names of the fields that any of its stages calls secret."""
        return frozenset(name for stage in self.every for name in stage.spec.get("secrets") or ())

    def dependencies(self) -> dict[str, list[str]]:
        """Names of direct dependencies by stage name, topological order."""
        return {stage.name: [self.by_id[above].name for above in stage.dependencies] for stage in self.stages}

    def behind(self, stage: int) -> list[int]:
        """Every stage that depends on this one, directly or not, topological order; without the stage itself."""
        reached = {stage}
        for shape in self.stages:
            if not reached.isdisjoint(shape.dependencies):
                reached.add(shape.id)
        return [shape.id for shape in self.stages if shape.id in reached and shape.id != stage]

    def before(self, stage: int) -> list[int]:
        """Every stage this one depends on, directly or not, topological order; without the stage itself."""
        reached = {stage}
        for shape in reversed(self.stages):
            if shape.id in reached:
                reached.update(shape.dependencies)
        return [shape.id for shape in self.stages if shape.id in reached and shape.id != stage]


def policy_of(spec: Mapping[str, Any], *, is_subtask: bool) -> Mapping[str, Any]:
    """The review policy of a stage, or of its subtasks, in plain JSON values: a stage that runs them itself has one for both."""
    owner = spec.get("each") if is_subtask else None
    return (owner or spec).get("review") or {}
