"""One transaction, as the verbs see it.

A verb reads rows, changes them after `edit`, and tells events; a store makes that atomic. Two stores implement the abstract part:
memory keeps the rows themselves, SQLite loads them and writes the changed ones back. What a failing verb has changed is put
back from photographs, so many verbs can share one commit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from treadle_tui.engine import events as ev
from treadle_tui.engine.codec import encode_json
from treadle_tui.engine.errors import TreadleError
from treadle_tui.engine.store.desk_rows import DeskRows
from treadle_tui.engine.store.event_codec import KIND_NUMBER
from treadle_tui.engine.store.results import Situation
from treadle_tui.engine.store.retention_rows import RetentionRows
from treadle_tui.engine.store.rows import PENDING, TURN, Attempt, Hold, Item, RawEvent, Row, StoredEvent, Task, Worker
from treadle_tui.engine.store.shape import WorkflowShape

T = TypeVar("T")
Undo = Callable[[], object]


class Unit(ABC):
    """Rows, events and counts of one transaction. Not for use from two threads at once."""

    def __init__(self) -> None:
        self.now = 0
        """Milliseconds since 1970 UTC, by the clock of whoever called the verb."""
        self.events: list[StoredEvent] = []
        """Told since the transaction began."""
        self.rings = False
        """Whether somebody who waits for something to do should look again: whatever is told says so, but for ordinary progress."""
        self.deltas: defaultdict[tuple[int, int, int], int] = defaultdict(int)
        """Changes of the kept counts, by (stage, 1 for subtasks else 0, state)."""
        self._undos: list[Undo] = []
        self._edited: set[int] = set()
        self._marks: tuple[int, int] = (0, 0)
        self._delta_log: list[tuple[tuple[int, int, int], int]] = []

    # --- one verb ---------------------------------------------------------------------------------------------------

    def begin_verb(self) -> None:
        """Forget how to take back what came before."""
        self._undos.clear()
        self._edited.clear()
        self._delta_log.clear()
        self._marks = (len(self.events), self.last_seq)

    def take_back(self) -> None:
        """Undo everything since `begin_verb`."""
        for undo in reversed(self._undos):
            undo()
        for key, change in self._delta_log:
            self.deltas[key] -= change
        events, seq = self._marks
        del self.events[events:]
        self.last_seq = seq
        self.begin_verb()

    def attempt_verb(self, verb: Callable[[Unit], T]) -> T | Exception:
        """Run a verb inside this one; what it returned, or its error, with nothing of it done."""
        undos, deltas, marks = self._undos, self._delta_log, self._marks
        self._undos, self._delta_log = [], []  # put aside, not copied: a thousand verbs in one must not cost a million steps
        self.begin_verb()
        try:
            return verb(self)
        except TreadleError as error:
            self.take_back()
            return error
        finally:
            undos += self._undos
            deltas += self._delta_log
            self._undos, self._delta_log = undos, deltas
            self._edited.clear()
            self._marks = marks

    def edit(self, row: Row) -> None:
        """Announce that a row is about to change. Call it before the first change of each verb; repeating it is free."""
        identity = id(row)
        if identity in self._edited:
            return
        self._edited.add(identity)
        values = row.photograph()
        self._undos.append(lambda: self._undo_edit(row, values))
        self.changed(row)

    def _undo_edit(self, row: Row, values: tuple[Any, ...]) -> None:
        row.put_back(values)

    def undo_with(self, undo: Undo) -> None:
        """Remember how to take back something that is no row."""
        self._undos.append(undo)

    def count(self, stage: int, is_subtask: bool, state: int, change: int) -> None:
        """Change a kept count."""
        key = (stage, int(is_subtask), state)
        self.deltas[key] += change
        self._delta_log.append((key, change))

    def turn(self, before: int) -> int:
        """The `Task.turn` of a task before which so many others of its item have become ready in this moment."""
        return before and self.last_item + before * TURN

    def set_state(self, task: Task, state: int) -> None:
        """Move a task that is being edited; keeps its times, its version and the counts. Legality is the verbs' duty."""
        self.count(task.stage, task.sub > 0, task.state, -1)
        self.count(task.stage, task.sub > 0, state, 1)
        task.state = state
        task.updated_at = self.now
        task.version += 1

    def emit(self, kind: type[ev.Event], task: Task | None = None, *, workflow: int, item: int | None = None, **own: Any) -> None:
        """Tell an event about a task, an item, or a workflow."""
        data = encode_json(own) if own else None
        self.rings = True
        self.last_seq += 1
        self.events.append(
            RawEvent(
                self.last_seq,
                self.now,
                KIND_NUMBER[kind],
                workflow,
                task.item if task is not None else item,
                task.stage if task is not None else None,
                task.name if task is not None else None,
                task.attempt if task is not None else 0,
                data,
            )
        )

    def emit_for_stage(self, kind: type[ev.Event], stage: int, *, workflow: int, **own: Any) -> None:
        """Tell an event about a stage of a workflow, whatever the item."""
        self.rings = True
        self.last_seq += 1
        data = encode_json(own) if own else None
        self.events.append(RawEvent(self.last_seq, self.now, KIND_NUMBER[kind], workflow, None, stage, None, 0, data))

    # --- shapes -----------------------------------------------------------------------------------------------------

    def shape_of(self, item: Item) -> WorkflowShape:
        """The shape of the item's workflow."""
        return self.shapes[item.workflow]

    @property
    @abstractmethod
    def shapes(self) -> Mapping[int, WorkflowShape]:
        """Every workflow the store knows, by its number."""

    @abstractmethod
    def save_shape(self, name: str, fingerprint: str, specs: Sequence[Mapping[str, Any]]) -> WorkflowShape:
        """Record a workflow's shape, in place of an older one of that name; stages keep their numbers by name."""

    @abstractmethod
    def rename_stage(self, stage: int, name: str) -> None:
        """Give a stage another name, which no other stage of its workflow has; everything about it stays."""

    @abstractmethod
    def stage_number(self, workflow: int, name: str) -> int | None:
        """The number of a stage that the workflow has, or has ever had; None when it never had one of that name."""

    # --- rows -------------------------------------------------------------------------------------------------------

    last_seq: int
    """The `seq` of the newest event."""

    @property
    @abstractmethod
    def last_item(self) -> int:
        """The number of the newest item there has been."""

    store_id: str
    """Drawn once per store; part of every idempotency key."""

    @abstractmethod
    def changed(self, row: Row) -> None:
        """A row is about to change: write it at the end."""

    @abstractmethod
    def item(self, key: int) -> Item | None:
        """An item by its number."""

    def load_items(self, keys: Collection[int]) -> None:  # noqa: B027  # a store that has them at hand need do nothing
        """These items and their stages are about to be asked for: a store that reads them from afar does it at once."""

    @abstractmethod
    def find_items(self, ids: Sequence[str]) -> dict[str, Item]:
        """Items by id; unknown ones are left out."""

    @abstractmethod
    def insert_item(self, id: str, workflow: int, data: bytes, priority: int) -> Item:
        """A new item."""

    @abstractmethod
    def delete_item(self, item: Item) -> None:
        """Remove the item, its tasks, attempts, memos and events."""

    @abstractmethod
    def stored_task(self, item: int, stage: int, sub: int) -> Task | None:
        """A task that has a row; one that nothing has happened to yet has none."""

    @abstractmethod
    def insert_task(self, task: Task) -> None:
        """Give a task a row."""

    def insert_subtasks(self, stage: Task, first: int, declared: Sequence[tuple[str, Any]], ready: int) -> None:
        """Give the subtasks that a stage has declared, (name, metadata) in order, their rows: pending, each a turn after the one before."""
        for turn, (name, metadata) in enumerate(declared):
            subtask = Task(stage.item, stage.stage, first + turn)
            subtask.name = name
            subtask.priority = stage.priority
            subtask.updated_at = self.now
            subtask.ready = ready
            subtask.turn = self.turn(turn)
            if metadata is not None:
                subtask.put(metadata=metadata)
            self.insert_task(subtask)

    @abstractmethod
    def delete_task(self, task: Task) -> None:
        """Take a stage's row away: nothing has happened to it."""

    @abstractmethod
    def delete_subtasks(self, item: int, stage: int) -> None:
        """Remove the subtasks of a stage; their attempts stay."""

    @abstractmethod
    def subtasks(self, item: int, stage: int) -> list[Task]:
        """The subtasks of a stage, in the order they were declared."""

    @abstractmethod
    def items_of(self, workflow: int) -> Iterable[Item]:
        """Every item of a workflow."""

    @abstractmethod
    def situations(self, workflow: int) -> Iterable[tuple[int, Situation]]:
        """How every item of a workflow stands, by its number."""

    @abstractmethod
    def outputs_of_subtasks(self, item: int, stage: int) -> dict[str, bytes | None]:
        """The outputs that stand of a stage's subtasks by name, in the order they were declared, as JSON."""

    @abstractmethod
    def reserve_subs(self, item: int, stage: int, count: int) -> int:
        """The first of so many subtask numbers that were never used for this stage, so that keys are never used twice."""

    @abstractmethod
    def attempt(self, item: int, stage: int, sub: int, number: int) -> Attempt | None:
        """A recorded attempt."""

    @abstractmethod
    def attempts(self, item: int, stage: int, sub: int) -> list[Attempt]:
        """Every recorded attempt, oldest first."""

    @abstractmethod
    def insert_attempt(self, attempt: Attempt) -> None:
        """Record an attempt."""

    @abstractmethod
    def memo(self, item: int, stage: int, sub: int, key: str) -> bytes | None:
        """A recorded sub-result as JSON."""

    @abstractmethod
    def insert_memo(self, item: int, stage: int, sub: int, key: str, value: bytes) -> None:
        """Record a sub-result."""

    desk: DeskRows
    """Held decisions, jottings, and the log of decisions."""

    retention: RetentionRows
    """What is kept, and what may be dropped."""

    # --- questions --------------------------------------------------------------------------------------------------

    @abstractmethod
    def ready(self, stage: int, limit: int, item: int | None) -> list[Task]:
        """Ready tasks of a stage, of one item or of all, best first: priority, then place in line, then age."""

    @abstractmethod
    def due(self, state: int, now: int, limit: int) -> list[Task]:
        """Tasks in this state whose `due_at` has come and that are not yet ready: those of one state never hide another's."""

    @abstractmethod
    def next_due(self, stages: Collection[int], state: int | None, item: int | None) -> int | None:
        """The earliest `due_at` of tasks of these stages that are not ready, in one state or in any, of one item or of all."""

    @abstractmethod
    def leased_elsewhere(self, worker: int, stages: Collection[int], item: int | None) -> bool:
        """Whether another worker holds a task of these stages, of one item or of any."""

    @abstractmethod
    def held(self, stage: int) -> list[Task]:
        """Tasks of the stage that a hold's condition has stopped."""

    @abstractmethod
    def leased(self, worker: int) -> list[Task]:
        """Tasks a worker holds."""

    @abstractmethod
    def orphaned(self) -> list[Task]:
        """Leased tasks whose worker has no row any more."""

    # --- workers and holds ------------------------------------------------------------------------------------------

    @abstractmethod
    def workers(self) -> list[Worker]:
        """Every engine that may hold leases."""

    @abstractmethod
    def knows_worker(self, worker: int) -> bool:
        """Whether the worker has a row; one that was taken for dead has none."""

    @abstractmethod
    def insert_worker(self, uuid: str, host: str, pid: int, pid_start: str) -> int:
        """A new worker's number, never used again; of one that is known by its uuid, the number it has."""

    @abstractmethod
    def delete_worker(self, worker: int) -> None:
        """Forget a worker."""

    @abstractmethod
    def beat(self, worker: int) -> bool:
        """Count one heartbeat; False when the worker has no row."""

    @abstractmethod
    def holds(self) -> dict[int, Hold]:
        """Stages that start no more, by number."""

    @abstractmethod
    def save_hold(self, hold: Hold) -> None:
        """Hold a stage, in place of an earlier hold of it."""

    @abstractmethod
    def delete_hold(self, stage: int) -> None:
        """Let a stage go on."""

    # --- a user's own SQL -------------------------------------------------------------------------------------------

    runs_sql = False
    """Whether `run_statements` can do anything but refuse."""

    @abstractmethod
    def run_statements(self, statements: Sequence[Any]) -> str | None:
        """Run an attempt's statements inside this transaction; what went wrong, with nothing of them done, or None."""

    # --- derived ----------------------------------------------------------------------------------------------------

    def task(self, item: Item, stage: int, sub: int = 0) -> Task | None:
        """A task; for a stage nothing has happened to yet, a fresh one that gets its row with its first `edit`-and-`insert`."""
        found = self.stored_task(item.key, stage, sub)
        if found is not None or sub:
            return found
        shape = self.shape_of(item).by_id.get(stage)
        return None if shape is None or shape.is_removed else self.fresh_task(item, stage, len(shape.dependencies))

    def fresh_task(self, item: Item, stage: int, open_deps: int) -> Task:
        """A pending stage of the item, with its row."""
        task = Task(item.key, stage)
        task.priority = item.priority
        task.open_deps = open_deps
        task.state = PENDING
        task.updated_at = item.created_at
        self.insert_task(task)
        return task
