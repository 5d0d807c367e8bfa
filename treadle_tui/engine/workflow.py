"""A workflow: what is written down with decorators, and what it answers about its structure once built.

Writing and asking are kept apart: `stage`, `include`, `limit` … only take notes; `build` checks everything and makes the
`StageDefinition`s the engine runs. Asking about the structure builds by itself. Running is `small_form` and `engine`.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

import msgspec

from treadle_tui.engine import graph
from treadle_tui.engine.builder import WorkflowBuilder
from treadle_tui.engine.building import Entry, build_definitions
from treadle_tui.engine.errors import InvalidDefinition, StageNotFound, nearest
from treadle_tui.engine.functions import function_name
from treadle_tui.engine.items import ItemType
from treadle_tui.engine.limits import Limit
from treadle_tui.engine.origin import Origin, origin_of_caller
from treadle_tui.engine.record import Record
from treadle_tui.engine.small_form import SmallForm
from treadle_tui.engine.source import ItemSource
from treadle_tui.engine.stage_definition import StageDefinition
from treadle_tui.engine.stage_draft import OPTIONS, IncludeDraft, StageDraft, StageHandle, StageOptions, local_names_of
from treadle_tui.engine.stage_options import check_name

if TYPE_CHECKING:
    import networkx

F = TypeVar("F", bound=Callable[..., Any])

_FINGERPRINTED = ("name", "depends_on", "retry", "review", "concurrency", "tags", "isolation", "skip_if", "each", "reduce")
"""What of a stage's shape makes it another one to a running item; former names, masks and type hints do not."""


class _Built(Record, frozen=True, dict=True):
    """The answers, worked out once."""

    name: str

    item_type: ItemType
    definitions: Mapping[str, StageDefinition]
    """Topological order."""
    dependents: Mapping[str, list[str]]
    limits: Mapping[str, Limit]

    @property
    def dependencies(self) -> dict[str, tuple[str, ...]]:
        return {name: definition.depends_on for name, definition in self.definitions.items()}

    def shape(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "item": str(self.item_type),
            "stages": [definition.shape() for definition in self.definitions.values()],
            "limits": {tag: {"concurrency": limit.concurrency, "rate": limit.rate} for tag, limit in sorted(self.limits.items())},
        }

    @functools.cached_property
    def fingerprint(self) -> str:
        shape = self.shape()
        stages = [
            {key: stage[key] for key in _FINGERPRINTED} | {"depends_on": sorted(stage["depends_on"]), "gates": len(stage["gates"])}
            for stage in sorted(shape["stages"], key=lambda stage: str(stage["name"]))
        ]
        import hashlib

        return hashlib.sha256(msgspec.json.encode({"stages": stages, "limits": shape["limits"]}, order="sorted")).hexdigest()


class Workflow(SmallForm):
    """Stages, how they depend on each other, and the type of the items that pass through them."""

    def __init__(self, name: str = "workflow", item: Any = None, *, backfill: bool = False) -> None:
        """`item` is the type of the work items: a dataclass, msgspec Struct, TypedDict, attrs or pydantic class, or None for dicts.

        `backfill`: a stage that is added later also runs for items that are complete, and where what depends on it has finished.
        """
        self.name = name
        """Unique among the workflows of one database."""
        self.backfill = backfill
        """Whether added stages run for finished work too; without it they are skipped there."""
        self._item = item
        self._origin = origin_of_caller()
        self._entries: list[Entry] = []
        self._sources: list[ItemSource] = []
        self._limits: dict[str, Limit] = {}
        self._built: _Built | None = None
        self._is_building = False
        self._is_in_use = False

    def __repr__(self) -> str:
        return f"<Workflow {self.name!r}>"

    # -- writing ---------------------------------------------------------------------------------------------------------------

    @overload
    def stage(self, function: F, /) -> StageHandle: ...

    @overload
    def stage(
        self, /, *, name: str | None = None, after: Any = (), **options: Unpack[StageOptions]
    ) -> Callable[[Callable[..., Any]], StageHandle]: ...

    def stage(self, function: Any = None, /, *, name: str | None = None, after: Any = (), **options: Any) -> Any:
        """Make the decorated function a stage, called after it or `name`. Its parameters are the item, `ctx`, and other stages.

        Options: `after`, `retry`, `review`, `gates`, `concurrency`, `skip_if`, `tags`, `isolation`, `was`, `secrets`.
        """
        if function is None:
            return functools.partial(self._add_function, name=name, after=after, options=options)
        if isinstance(function, str):
            raise InvalidDefinition(f"stage {function!r}: a name is given by keyword, @workflow.stage(name={function!r})")
        return self._add_function(function, name=name, after=after, options=options)

    def _add_function(self, function: Any, *, name: str | None, after: Any, options: dict[str, Any]) -> StageHandle:
        return self.add_stage(function_name(function) if name is None else name, function, after=after, **options)

    def add_stage(self, name: str, stage: Any, *, after: Any = (), **options: Unpack[StageOptions]) -> StageHandle:
        """Add a `Stage`, any object with `execute`, or a function under this name, with the options of `stage`.

        An option that is not given is read from the attribute of that name of a `Stage`'s class.
        """
        self.begin_change(f"stage {name!r}")
        _check_option_names(name, options)
        if isinstance(stage, StageHandle):
            stage = stage.stage_object
        draft = StageDraft(name, stage, after, dict(options), namespace=dict(local_names_of(stage)))
        self._entries.append(draft)
        return StageHandle(self, draft)

    def source(self, function: F) -> F:
        """Make the decorated function the way items enter: called with words, it yields work items. Returns it unchanged."""
        self.begin_change("source")
        self._sources.append(ItemSource(function, local_names_of(function)))
        return function

    def include(self, name: str, other: Workflow, *, after: Any = ()) -> str:
        """Add the stages of another workflow as `name/…`; those without dependencies wait for `after`.

        Depending on `name` means depending on the leaves of the other workflow. Returns the name, for other stages' `after`.
        """
        self.begin_change(f"include {name!r}")
        if not isinstance(other, Workflow):
            raise InvalidDefinition(f"include {name!r}: {other!r} is no Workflow")
        self._entries.append(IncludeDraft(name, other, after))
        return name

    def limit(self, tag: str, concurrency: int | None = None, rate: float | None = None) -> None:
        """Let at most so many stages with this tag run at once, and start per second, in one engine."""
        self.begin_change(f"limit {tag!r}")
        given: Any = tag
        if not (isinstance(given, str) and given):
            raise InvalidDefinition(f"limit: tag={tag!r} must be a text that is not empty")
        if concurrency is None and rate is None:
            raise InvalidDefinition(f"limit {tag!r}: give `concurrency`, `rate` (starts per second), or both")
        self._limits[tag] = Limit(concurrency, rate)

    def begin_change(self, what: str) -> None:
        """Forget the answers worked out so far. Raises: `InvalidDefinition` once an engine has taken the workflow up."""
        if self._is_in_use:
            raise InvalidDefinition(f"workflow {self.name!r} is in use already, so {what} cannot be added or changed; define it all first")
        self._built = None

    @classmethod
    def builder(cls, name: str = "workflow", item: Any = None, *, backfill: bool = False) -> WorkflowBuilder:
        """The other way to write a workflow: chained calls that end in `.build()`."""
        return WorkflowBuilder(cls(name, item, backfill=backfill))

    def build(self) -> Workflow:
        """Check everything; returns this workflow. May be called again.

        Raises: `DuplicateStage`, `StageNotFound`, `DagCycle`, `InvalidDefinition`.
        """
        self._structure()
        return self

    def _structure(self) -> _Built:
        if self._built is None:
            if self._is_building:
                raise InvalidDefinition(f"workflow {self.name!r} includes itself; a workflow can only include others")
            self._is_building = True
            try:
                self._built = self._build()
            finally:
                self._is_building = False
        return self._built

    def _build(self) -> _Built:
        check_name(self.name, "workflow")
        if len(self._sources) > 1:
            names = " and ".join(source.name for source in self._sources[:2])
            raise InvalidDefinition(f"workflow {self.name!r} has two sources, {names}; a workflow has one")
        item_type = ItemType(self._item)
        written = build_definitions(self.name, self._entries, item_type)
        order = graph.topological_order({name: definition.depends_on for name, definition in written.items()}, self.name)
        definitions = {name: written[name] for name in order}
        self._check_isolation(definitions.values())
        dependents = graph.dependents_of({name: definition.depends_on for name, definition in definitions.items()})
        return _Built(self.name, item_type, MappingProxyType(definitions), dependents, MappingProxyType(self._joined_limits()))

    def _check_isolation(self, definitions: Iterable[StageDefinition]) -> None:
        isolated = next((definition.name for definition in definitions if definition.isolation), None)
        if isolated is not None and self._origin.locate(self) is None:
            raise InvalidDefinition(
                f"stage {isolated!r}: isolation='process' needs a workflow another process can find again;"
                f" assign workflow {self.name!r} to a name of its module, in a file"
            )

    def _joined_limits(self) -> dict[str, Limit]:
        """Those of included workflows, where this one says nothing of the tag itself."""
        limits: dict[str, Limit] = {}
        for entry in self._entries:
            if isinstance(entry, IncludeDraft):
                limits |= entry.workflow.limits
        return limits | self._limits

    # -- asking ----------------------------------------------------------------------------------------------------------------

    def stages(self) -> list[str]:
        """Names of all stages, each after those it depends on, in insertion order where that allows a choice."""
        return list(self._structure().definitions)

    def dependencies(self, stage: str | StageHandle) -> list[str]:
        """Names of the stages it directly depends on. Raises: `StageNotFound`."""
        return list(self._known(stage).depends_on)

    def dependents(self, stage: str | StageHandle) -> list[str]:
        """Names of the stages that directly depend on it, topological order. Raises: `StageNotFound`."""
        return list(self._structure().dependents[self._known(stage).name])

    def root_stages(self) -> list[str]:
        """Names of the stages that depend on nothing."""
        return [name for name, definition in self._structure().definitions.items() if not definition.depends_on]

    def leaf_stages(self) -> list[str]:
        """Names of the stages nothing depends on."""
        return [name for name, dependents in self._structure().dependents.items() if not dependents]

    def has_stage(self, stage: str | StageHandle) -> bool:
        """Whether there is a stage of that name."""
        return _name_of(stage) in self._structure().definitions

    @property
    def graph(self) -> networkx.DiGraph[str]:
        """A new graph, edges from a stage to what depends on it."""
        return graph.to_networkx(self._structure().dependencies)

    def to_dot(self) -> str:
        """The graph in Graphviz's language."""
        return graph.to_dot(self.name, self._structure().dependencies)

    def to_mermaid(self) -> str:
        """The graph in Mermaid's language."""
        return graph.to_mermaid(self._structure().dependencies)

    @property
    def fingerprint(self) -> str:
        """64 hex digits that change with structure, budgets, policies and limits; never with source text or the order of writing."""
        return self._structure().fingerprint

    def shape(self) -> dict[str, Any]:
        """The whole workflow in plain JSON values, without any code: `name`, `item`, `stages` in topological order, `limits`."""
        return self._structure().shape()

    # -- what the engine takes up ----------------------------------------------------------------------------------------------

    def definitions(self) -> Mapping[str, StageDefinition]:
        """Every stage by name, topological order. From now on the workflow is in use and cannot be changed."""
        definitions = self._structure().definitions
        self._is_in_use = True
        return definitions

    def definition(self, stage: str | StageHandle) -> StageDefinition:
        """One stage; the workflow is in use from now on. Raises: `StageNotFound`."""
        definition = self._known(stage)
        self._is_in_use = True
        return definition

    @property
    def limits(self) -> Mapping[str, Limit]:
        """Limits by tag, those of included workflows among them."""
        return self._structure().limits

    @property
    def item_type(self) -> ItemType:
        """How items are checked, kept and read back."""
        return self._structure().item_type

    @property
    def source_function(self) -> Callable[..., Any] | None:
        """What `@workflow.source` decorated; None when there is none."""
        return self._sources[0].function if self._sources else None

    def items_from(self, *arguments: str) -> Iterable[Any] | AsyncIterable[Any]:
        """What the source yields for these words, converted to the annotated types of its parameters.

        Raises: `InvalidDefinition` without a source, `InvalidItem` for words it cannot be called with.
        """
        self._structure()
        if not self._sources:
            raise InvalidDefinition(f"workflow {self.name!r} has no source; decorate a function with @workflow.source, or submit items")
        return self._sources[0].items(arguments)

    @property
    def origin(self) -> Origin:
        """The module and file it was made in, or loaded from."""
        return self._origin.locate(self) or self._origin

    @origin.setter
    def origin(self, origin: Origin) -> None:
        """Set by whoever loads workflows from files of another kind."""
        self._origin = origin

    def _known(self, stage: str | StageHandle) -> StageDefinition:
        definitions = self._structure().definitions
        name = _name_of(stage)
        if name not in definitions:
            raise StageNotFound(name, definitions, f"workflow {self.name!r}")
        return definitions[name]


def _name_of(stage: str | StageHandle) -> str:
    return stage.name if isinstance(stage, StageHandle) else stage


def _check_option_names(stage: str, options: Mapping[str, Any]) -> None:
    for option in options:
        if option not in OPTIONS:
            raise InvalidDefinition(f"stage {stage!r} has no option {option!r}; {nearest(option, ('name', 'after', *OPTIONS))}")
