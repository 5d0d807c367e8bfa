"""From what was written down to what runs: names are resolved, options checked, included workflows unfolded, stages ordered.

Pure: drafts in, definitions out, or the first error.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from treadle_tui.engine.annotations import mentions_outcome, output_annotation
from treadle_tui.engine.errors import DuplicateStage, InvalidDefinition, StageNotFound
from treadle_tui.engine.functions import UserFunction
from treadle_tui.engine.items import ItemType, OutputType
from treadle_tui.engine.outcomes import FanOut
from treadle_tui.engine.quality import Gate
from treadle_tui.engine.stage import Stage
from treadle_tui.engine.stage_definition import (
    EACH_NAMES,
    REDUCE_NAMES,
    EachDefinition,
    FunctionStage,
    StageDefinition,
    as_stage,
    output_type,
    return_annotation,
)
from treadle_tui.engine.stage_draft import OPTIONS, EachDraft, IncludeDraft, StageDraft, StageHandle
from treadle_tui.engine.stage_options import (
    check_stage_name,
    checked_concurrency,
    checked_gates,
    checked_isolation,
    checked_retry,
    checked_review,
    checked_skip_if,
    checked_texts,
)

Entry = StageDraft | IncludeDraft
Targets = Mapping[str, tuple[str, ...]]
"""Every name that can be depended on → the full names of the stages it stands for."""


def build_definitions(workflow: str, entries: Sequence[Entry], item_type: ItemType) -> dict[str, StageDefinition]:
    """Every stage by its full name, in insertion order, an included workflow's in its place.

    Raises: `DuplicateStage`, `StageNotFound`, `InvalidDefinition`.
    """
    _check_names(workflow, entries)
    included = {entry.name: _included(workflow, entry, item_type) for entry in entries if isinstance(entry, IncludeDraft)}
    targets = _targets(entries, included)
    definitions: dict[str, StageDefinition] = {}
    for entry in entries:
        if isinstance(entry, StageDraft):
            definitions[entry.name] = _StageBuilder(entry, targets).definition()
        else:
            for definition in _unfolded(entry, included[entry.name], targets):
                definitions[definition.name] = definition
    _check_former_names(definitions)
    return definitions


def _check_names(workflow: str, entries: Iterable[Entry]) -> None:
    seen: set[str] = set()
    for entry in entries:
        check_stage_name(entry.name, "stage" if isinstance(entry, StageDraft) else "include")
        if entry.name in seen:
            raise DuplicateStage(entry.name, workflow)
        seen.add(entry.name)


def _check_former_names(definitions: Mapping[str, StageDefinition]) -> None:
    claimed: dict[str, str] = {}
    for definition in definitions.values():
        for former in definition.was:
            if former in definitions:
                raise InvalidDefinition(f"stage {definition.name!r}: was={former!r} is still the name of a stage; leave one of the two out")
            if former in claimed:
                raise InvalidDefinition(f"stage {definition.name!r}: was={former!r} is claimed by stage {claimed[former]!r} too")
            claimed[former] = definition.name


def _included(workflow: str, entry: IncludeDraft, item_type: ItemType) -> Mapping[str, StageDefinition]:
    """The stages of the included workflow by the names they have there."""
    other = entry.workflow
    definitions = other.build().definitions()
    if not definitions:
        raise InvalidDefinition(f"include {entry.name!r}: workflow {other.name!r} has no stages")
    wanted, given = other.item_type.annotation, item_type.annotation
    if wanted is not None and not _is_kind_of(given, wanted):
        raise InvalidDefinition(
            f"include {entry.name!r}: the items of workflow {other.name!r} are {other.item_type}, those of {workflow!r} are {item_type};"
            f" give both the same `item=`"
        )
    return definitions


def _is_kind_of(given: Any, wanted: Any) -> bool:
    if given == wanted:
        return True
    try:
        return issubclass(given, wanted)
    except TypeError:  # a dict, a TypedDict, or None: no class to ask
        return False


def _targets(entries: Iterable[Entry], included: Mapping[str, Mapping[str, StageDefinition]]) -> dict[str, tuple[str, ...]]:
    targets: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        if isinstance(entry, StageDraft):
            targets[entry.name] = (entry.name,)
        else:
            definitions = included[entry.name]
            needed = {dependency for definition in definitions.values() for dependency in definition.depends_on}
            targets[entry.name] = tuple(f"{entry.name}/{name}" for name in definitions if name not in needed)
    for prefix, definitions in included.items():
        targets.update({f"{prefix}/{name}": (f"{prefix}/{name}",) for name in definitions})
    return targets


def _unfolded(entry: IncludeDraft, definitions: Mapping[str, StageDefinition], targets: Targets) -> Iterable[StageDefinition]:
    """The stages of an included workflow under their full names; its roots wait for what the include comes after."""
    after = after_names(entry.after, entry, f"include {entry.name!r}", targets)
    prefix = f"{entry.name}/"
    for definition in definitions.values():
        local_names = {name: _prefixed(prefix, target) for name, target in definition.local_names.items()}
        depends_on = [prefix + name for name in definition.depends_on]
        if not depends_on:
            depends_on = list(dict.fromkeys(name for names in after.values() for name in names))
            local_names.update({name: _view_target(names) for name, names in after.items()})
        yield replace(
            definition,
            name=prefix + definition.name,
            depends_on=tuple(depends_on),
            was=tuple(prefix + name for name in definition.was),
            local_names=MappingProxyType(local_names),
            scope=prefix + definition.scope if definition.depends_on else "",
        )


def _prefixed(prefix: str, target: str | tuple[str, ...]) -> str | tuple[str, ...]:
    return prefix + target if isinstance(target, str) else tuple(prefix + name for name in target)


def _view_target(names: tuple[str, ...]) -> str | tuple[str, ...]:
    return names[0] if len(names) == 1 else names


def after_names(after: Any, owner: Entry, where: str, targets: Targets) -> dict[str, tuple[str, ...]]:
    """What `after` lists, name → full names; one name or handle stands for a list of one."""
    if after is None:
        return {}
    listed = list(after) if isinstance(after, (list, tuple)) else sorted(after, key=str) if isinstance(after, (set, frozenset)) else [after]
    resolved: dict[str, tuple[str, ...]] = {}
    for one in listed:
        name = one.name if isinstance(one, StageHandle) else one
        if not isinstance(name, str):
            raise InvalidDefinition(f"{where}: after={one!r} must be a list of stage names, or of what @workflow.stage returned")
        if name not in targets:
            raise StageNotFound(name, [known for known in targets if known != owner.name], f"{where}, after")
        resolved[name] = targets[name]
    return resolved


class _StageBuilder:
    """One draft on its way to a definition."""

    def __init__(self, draft: StageDraft, targets: Targets) -> None:
        self.draft = draft
        self.targets = targets
        self.where = f"stage {draft.name!r}"
        self.uses: dict[str, tuple[str, ...]] = {}
        """Every name the stage depends on by, in order → full names."""

    def definition(self) -> StageDefinition:
        draft, where = self.draft, self.where
        stage = as_stage(draft.stage_object, draft.name, draft.namespace)
        own = return_annotation(stage, draft.namespace)
        options = self._options()
        gates = checked_gates(options["gates"], where, draft.namespace) + checked_gates(draft.added_gates, where, draft.namespace)
        skip_if = checked_skip_if(options["skip_if"], where, draft.namespace)
        each = self._each(draft.each)
        reduce = self._function(draft.reduce, REDUCE_NAMES, "reduce")
        self._use_parameters(stage, each, reduce, gates, skip_if)
        self.uses.update(after_names(draft.after, draft, where, self.targets))
        return StageDefinition(
            name=draft.name,
            stage=stage,
            depends_on=tuple(dict.fromkeys(name for names in self.uses.values() for name in names)),
            retry=checked_retry(options["retry"], where),
            review=checked_review(options["review"], where, has_gates=bool(gates)),
            gates=gates,
            concurrency=checked_concurrency(options["concurrency"], where),
            skip_if=skip_if,
            tags=checked_texts(options["tags"], "tags", where),
            isolation=checked_isolation(options["isolation"], where),
            was=checked_texts(options["was"], "was", where),
            secrets=checked_texts(options["secrets"], "secrets", where),
            each=each,
            reduce=reduce,
            output=_output_of(draft.name, own, reduce),
            subtask_output=each.output if each else output_type(own, draft.name),
            local_names=MappingProxyType({name: _view_target(names) for name, names in self.uses.items()}),
        )

    def _options(self) -> dict[str, Any]:
        """What was said of the stage, or else what its class says."""
        defaults = self.draft.stage_object if isinstance(self.draft.stage_object, Stage) else None
        options = {option: self.draft.options.get(option) for option in OPTIONS}
        return {option: getattr(defaults, option, None) if value is None else value for option, value in options.items()}

    def _each(self, each: EachDraft | None) -> EachDefinition | None:
        if each is None:
            return None
        where = f"{self.where}, each"
        function = self._function(each.function, EACH_NAMES, "each")
        assert function is not None
        return EachDefinition(
            stage=FunctionStage(function, self.draft.name),
            retry=checked_retry(each.retry, where),
            review=checked_review(each.review, where),
            output=output_type(function.return_annotation, self.draft.name),
        )

    def _function(self, function: Any, allowed: Sequence[str], part: str) -> UserFunction | None:
        if function is None:
            return None
        try:
            return UserFunction(function, allowed=allowed, namespace=self.draft.namespace)
        except InvalidDefinition as error:
            raise InvalidDefinition(f"{self.where}, {part}: {error}") from error

    def _use_parameters(
        self, stage: Stage, each: EachDefinition | None, reduce: UserFunction | None, gates: Iterable[Gate], skip_if: UserFunction | None
    ) -> None:
        """Every parameter that is a stage, of whatever part, makes the stage depend on it."""
        functions: list[tuple[str, UserFunction | None]] = [
            ("", stage.function if isinstance(stage, FunctionStage) else None),
            (", each", each.stage.function if each and isinstance(each.stage, FunctionStage) else None),
            (", reduce", reduce),
            (", skip_if", skip_if),
        ]
        for part, function in functions:
            if function is not None:
                self._use(function.stage_parameters, function.optional_parameters, part)
        for gate in gates:
            self._use(gate.stage_parameters, gate.optional_parameters, f", gate {gate.name!r}")

    def _use(self, parameters: Iterable[str], optional: frozenset[str], part: str) -> None:
        for parameter in parameters:
            if parameter == self.draft.name and part:
                instead = "results" if part == ", reduce" else "output" if part.startswith(", gate") else None
                remedy = f"take `{instead}`" if instead else "there is no output yet"
                raise InvalidDefinition(f"{self.where}{part}: parameter {parameter!r} is the stage itself; {remedy}")
            if parameter in self.targets:
                self.uses[parameter] = self.targets[parameter]
            elif parameter not in optional:
                known = [name for name in self.targets if name != self.draft.name]
                raise StageNotFound(parameter, known, f"{self.where}{part}, parameter {parameter!r}")


def _output_of(name: str, own: Any, reduce: UserFunction | None) -> OutputType:
    """What the stage's output is checked against.

    Of a stage that may fan out, what its own annotation says besides `FanOut` and what `reduce` says both count; without a
    `reduce` the output may be {subtask: result} too, so nothing can be said.
    """
    parts = _union_parts(own)
    if reduce is None:
        return OutputType(None, name) if FanOut in parts else output_type(own, name)
    reduced = output_annotation(reduce.return_annotation)
    stated = output_annotation(own)
    if stated is None or not mentions_outcome(own):
        return OutputType(reduced, name)
    return OutputType(None if reduced is None else typing.Union[stated, reduced], name)  # noqa: UP007  (built from values)


def _union_parts(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)
