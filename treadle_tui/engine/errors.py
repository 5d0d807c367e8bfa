"""Everything the engine can refuse, one class per thing a caller can act on.

    TreadleError
    ├── DefinitionError            a workflow that cannot be built
    │   ├── DagCycle               its stages depend on each other in a circle
    │   ├── DuplicateStage         two stages of one name
    │   ├── StageNotFound          a name nobody defined
    │   └── InvalidDefinition      an impossible number, option or name (also a ValueError)
    ├── StoreError                 the database cannot be used as asked
    │   ├── StoreLocked            somebody else holds it too long
    │   ├── StoreCorrupt           not a database of ours, or a damaged one; left untouched
    │   └── StoreTooNew            written by a newer version
    ├── StageExecutionError        a stage's own code failed
    ├── InvalidTransition          a move the state table does not have
    ├── ReviewConflict             somebody decided first
    ├── WorkflowChanged            a workflow that runs no items until its change is accepted
    ├── InvalidDecision            an answer that cannot be recorded; the review stays open
    ├── ItemNotFound               no work item of that id
    └── InvalidItem                a work item that does not fit its type

A message names the thing, its state, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treadle_tui.engine.states import StageState


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause naming the known name most like `name`, or the known names, ready to follow a full stop."""
    import difflib  # only ever needed for a sentence

    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    if not names:
        return "there are none"
    shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    return f"known: {shown}"


class TreadleError(Exception):
    """The root of every error this engine raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and pickled by its message and attributes, whatever its `__init__` asks for."""
        return _made_again, (type(self), self.args), self.__dict__


def _made_again(kind: type[TreadleError], arguments: tuple[Any, ...]) -> TreadleError:
    return kind.__new__(kind, *arguments)


class DefinitionError(TreadleError):
    """A workflow that cannot be built."""

    also: tuple[DefinitionError, ...] = ()
    """Of a file with several mistakes: those behind this one."""


class DagCycle(DefinitionError):
    """Stages depend on each other in a circle."""

    def __init__(self, cycle: Iterable[str], workflow: str = "") -> None:
        self.cycle = list(cycle)
        """The stages of the circle, each depending on the one before it; the first is not repeated."""
        closed = [*self.cycle, *self.cycle[:1]]
        of = f" of workflow {workflow!r}" if workflow else ""
        super().__init__(f"the stages{of} depend on each other in a circle: {' → '.join(closed)}; remove one of these dependencies")


class DuplicateStage(DefinitionError):
    """Two stages of one name."""

    def __init__(self, stage: str, workflow: str = "") -> None:
        self.stage = stage
        of = f"workflow {workflow!r}" if workflow else "the workflow"
        super().__init__(f"{of} already has a stage {stage!r}; give one of the two another name")


class StageNotFound(DefinitionError):
    """A name that no stage of the workflow has."""

    def __init__(self, stage: str, known: Iterable[str] = (), where: str = "") -> None:
        self.stage = stage
        self.known = list(known)
        place = f"{where}: " if where else ""
        super().__init__(f"{place}no stage is called {stage!r}; {nearest(stage, self.known)}")


class InvalidDefinition(DefinitionError, ValueError):
    """An impossible number, option or reserved name; the message names the field."""


class StoreError(TreadleError):
    """The store cannot be used as asked."""


class StoreLocked(StoreError):
    """Another process held the database for longer than we wait."""


class StoreCorrupt(StoreError):
    """The file is no database of ours, or a damaged one; it was left untouched."""


class StoreTooNew(StoreError):
    """The database was written by a newer version; it was left untouched."""


class StageExecutionError(TreadleError):
    """A stage's own code failed."""

    def __init__(self, stage: str, message: str = "") -> None:
        self.stage = stage
        super().__init__(message or f"stage {stage!r} failed")


class InvalidTransition(TreadleError):
    """A move that the state table does not have."""

    def __init__(self, item_id: str, stage: str, from_state: StageState, to_state: StageState | None = None, remedy: str = "") -> None:
        self.item_id = item_id
        self.stage = stage
        self.from_state = from_state
        self.to_state = to_state
        target = f" and cannot become {to_state.value}" if to_state is not None else ""
        tail = f"; {remedy}" if remedy else ""
        super().__init__(f"stage {stage!r} of item {item_id!r} is {from_state.value}{target}{tail}")


class ReviewConflict(TreadleError):
    """Somebody decided first, or the stage has moved on since it was looked at."""

    def __init__(self, by: str = "", at: datetime | None = None, message: str = "") -> None:
        self.by = by
        """Who decided; empty when nobody did and the stage merely moved on."""
        self.at = at
        """When they did; None when nobody did."""
        super().__init__(message or (f"already decided by {by}" if by else "changed since it was looked at") + "; look at it again")


class WorkflowChanged(TreadleError):
    """The workflow is not the one its items were begun with, so this engine does not run them."""

    def __init__(self, workflow: str, message: str) -> None:
        self.workflow = workflow
        super().__init__(message)


class InvalidDecision(TreadleError):
    """An answer that cannot be recorded; the review stays open."""


class ItemNotFound(TreadleError):
    """No work item of that id is in the store."""

    def __init__(self, item_id: str) -> None:
        self.item_id = item_id
        super().__init__(f"no item is called {item_id!r}; submit it first, or check the spelling")


class InvalidItem(TreadleError):
    """A work item that does not fit its type; the message names the field."""
