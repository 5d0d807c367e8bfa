"""A store that lives in memory: for tests, for trying things, for work that need not survive.

It keeps the rows themselves; a verb changes them in place and is taken back from photographs when it fails.
"""

from __future__ import annotations

import heapq
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

from treadle_tui.engine.errors import StoreError
from treadle_tui.engine.store.commits import CommitNews
from treadle_tui.engine.store.desk_verbs import DeskVerbs
from treadle_tui.engine.store.memory_desk import MemoryDesk, MemoryDeskReads
from treadle_tui.engine.store.memory_log_reads import MemoryLogReads
from treadle_tui.engine.store.memory_reads import MemoryReads
from treadle_tui.engine.store.memory_retention import MemoryRetention, MemoryRetentionReads
from treadle_tui.engine.store.results import Situation, Standing
from treadle_tui.engine.store.retention_verbs import RetentionVerbs
from treadle_tui.engine.store.rows import (
    AWAITING_REVIEW,
    NOT_READY,
    READY,
    READY_BUT_HELD,
    Attempt,
    Hold,
    Item,
    RawEvent,
    Row,
    Task,
    TaskKey,
    Worker,
)
from treadle_tui.engine.store.shape import WorkflowShape
from treadle_tui.engine.store.transactional import TransactionalStore
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs.outputs import standing_output

T = TypeVar("T")
ReadyKey = tuple[int, int, int, int]
""" (-priority, place, item, subtask number): the order of claims within a stage."""


class MemoryUnit(Unit):
    """The rows of a `MemoryStateStore`, and the questions verbs ask of them."""

    def __init__(self) -> None:
        super().__init__()
        self.last_seq = 0
        self.desk: MemoryDesk = MemoryDesk(self.undo_with)
        self.retention: MemoryRetention = MemoryRetention(self)
        self.store_id = uuid.uuid4().hex[:12]
        self.log: list[RawEvent] = []
        """Committed events, in order."""
        self.counts: dict[tuple[int, int, int], int] = defaultdict(int)
        self.items: dict[int, Item] = {}
        self.ids: dict[str, int] = {}
        self.tasks: dict[TaskKey, Task] = {}
        self.subs: dict[tuple[int, int], dict[int, Task]] = {}
        self.history: dict[TaskKey, list[Attempt]] = {}
        self.memos: dict[tuple[int, int, int, str], bytes] = {}
        self.waiting: dict[TaskKey, Task] = {}
        """Tasks that await review, and some that do no longer."""
        self._shapes: dict[int, WorkflowShape] = {}
        self._stage_ids: dict[tuple[int, str], int] = {}
        self._held: dict[int, Hold] = {}
        self._workers: dict[int, Worker] = {}
        self._last_item = 0
        self._last_worker = 0
        self._last_subs: dict[tuple[int, int], int] = {}
        self._ready: dict[int, list[ReadyKey]] = defaultdict(list)
        self._due: list[tuple[int, TaskKey]] = []
        self._leased: dict[int, set[TaskKey]] = defaultdict(set)
        self._touched: list[Task] = []

    # --- the transaction --------------------------------------------------------------------------------------------

    def commit(self) -> list[RawEvent]:
        """Make the verb's changes last; its events."""
        self._index()
        self._touched.clear()
        for key, change in self.deltas.items():
            self.counts[key] += change
        self.deltas.clear()
        told = cast("list[RawEvent]", self.events)  # as `emit` makes them
        self.log += told
        self.events = []
        self.begin_verb()
        return told

    def changed(self, row: Row) -> None:
        if isinstance(row, Task):
            self._touched.append(row)

    def _undo_edit(self, row: Row, values: tuple[Any, ...]) -> None:
        super()._undo_edit(row, values)
        self.changed(row)  # a question may have dropped it from an index while it was another

    def _index(self) -> None:
        for task in self._touched:
            if task.ready == READY:
                heapq.heappush(self._ready[task.stage], (-task.priority, task.place, task.item, task.sub))
            if task.due_at is not None:
                heapq.heappush(self._due, (task.due_at, task.key))
            if task.worker is not None:
                self._leased[task.worker].add(task.key)
            if task.state == AWAITING_REVIEW:
                self.waiting[task.key] = task
            else:
                self.waiting.pop(task.key, None)
        # The verb that is under way may go on changing the rows it has announced: they are looked at once more at the end.
        self._touched = [task for task in self._touched if id(task) in self._edited]

    # --- shapes -----------------------------------------------------------------------------------------------------

    @property
    def shapes(self) -> Mapping[int, WorkflowShape]:
        return self._shapes

    def save_shape(self, name: str, fingerprint: str, specs: Sequence[Mapping[str, Any]]) -> WorkflowShape:
        number = next((shape.id for shape in self._shapes.values() if shape.name == name), len(self._shapes) + 1)
        for spec in specs:
            self._stage_ids.setdefault((number, spec["name"]), len(self._stage_ids) + 1)
        ids = {stage: id for (workflow, stage), id in self._stage_ids.items() if workflow == number}
        before = self._shapes.get(number)
        shape = self._shapes[number] = WorkflowShape.assemble(number, name, fingerprint, specs, ids)
        self.undo_with(lambda: self._shapes.__setitem__(number, before) if before else self._shapes.pop(number, None))
        return shape

    def rename_stage(self, stage: int, name: str) -> None:
        key = next(key for key, id in self._stage_ids.items() if id == stage)
        del self._stage_ids[key]
        self._stage_ids[key[0], name] = stage

        def undo() -> None:
            del self._stage_ids[key[0], name]
            self._stage_ids[key] = stage

        self.undo_with(undo)

    def stage_number(self, workflow: int, name: str) -> int | None:
        return self._stage_ids.get((workflow, name))

    def stage_name(self, stage: int) -> str:
        """A stage's name by its number, also of one its workflow no longer has."""
        return next((name for (_, name), id in self._stage_ids.items() if id == stage), "")

    # --- rows -------------------------------------------------------------------------------------------------------

    def item(self, key: int) -> Item | None:
        return self.items.get(key)

    def find_items(self, ids: Sequence[str]) -> dict[str, Item]:
        return {id: self.items[self.ids[id]] for id in ids if id in self.ids}

    @property
    def last_item(self) -> int:
        return self._last_item

    def insert_item(self, id: str, workflow: int, data: bytes, priority: int) -> Item:
        self._last_item += 1
        item = Item(self._last_item, id, workflow, data, priority, self.now)
        self.items[item.key] = item
        self.ids[id] = item.key
        self.undo_with(lambda: (self.items.pop(item.key), self.ids.pop(id)))
        return item

    def delete_item(self, item: Item) -> None:
        self.desk.forget_item(item.key)
        self.retention.forget_item(item.key)
        del self.items[item.key]
        del self.ids[item.id]
        keys = [key for key in self.tasks if key[0] == item.key]
        gone = [self._drop_task(key) for key in keys]
        histories = {key: self.history.pop(key) for key in [key for key in self.history if key[0] == item.key]}
        memos = {key: self.memos.pop(key) for key in [key for key in self.memos if key[0] == item.key]}
        log, self.log = self.log, [event for event in self.log if event.item != item.key]

        def undo() -> None:
            self.items[item.key] = item
            self.ids[item.id] = item.key
            for task in gone:
                self._keep_task(task)
                self.changed(task)
            self.history.update(histories)
            self.memos.update(memos)
            self.log = log

        self.undo_with(undo)

    def stored_task(self, item: int, stage: int, sub: int) -> Task | None:
        return self.tasks.get((item, stage, sub))

    def insert_task(self, task: Task) -> None:
        self._keep_task(task)
        self._touched.append(task)
        self._edited.add(id(task))
        self.undo_with(lambda: self._drop_task(task.key))

    def _keep_task(self, task: Task) -> None:
        self.tasks[task.key] = task
        if task.sub:
            self.subs.setdefault((task.item, task.stage), {})[task.sub] = task

    def _drop_task(self, key: TaskKey) -> Task:
        task = self.tasks.pop(key)
        self.waiting.pop(key, None)
        if task.sub:
            self.subs[task.item, task.stage].pop(task.sub)
        return task

    def delete_task(self, task: Task) -> None:
        self._drop_task(task.key)
        self.undo_with(lambda: self._keep_task(task))

    def delete_subtasks(self, item: int, stage: int) -> None:
        gone = [self._drop_task(task.key) for task in self.subtasks(item, stage)]

        def undo() -> None:
            for task in gone:
                self._keep_task(task)
                self.changed(task)

        self.undo_with(undo)

    def subtasks(self, item: int, stage: int) -> list[Task]:
        return list(self.subs.get((item, stage), {}).values())

    def outputs_of_subtasks(self, item: int, stage: int) -> dict[str, bytes | None]:
        return {task.name or "": standing_output(self, task) for task in self.subtasks(item, stage)}

    def items_of(self, workflow: int) -> Iterable[Item]:
        return [item for item in self.items.values() if item.workflow == workflow]

    def situations(self, workflow: int) -> Iterable[tuple[int, Situation]]:
        stages = sorted(stage for (owner, _), stage in self._stage_ids.items() if owner == workflow)
        for item in self.items_of(workflow):
            rows = [task for stage in stages if (task := self.tasks.get((item.key, stage, 0))) is not None]
            standings = tuple(Standing(task.stage, task.state, task.attempt > 0 or task.subs > 0) for task in rows)
            yield item.key, Situation(item.flags, standings)

    def reserve_subs(self, item: int, stage: int, count: int) -> int:
        first = self._last_subs.get((item, stage), 0) + 1
        self._last_subs[item, stage] = first + count - 1
        return first

    def attempt(self, item: int, stage: int, sub: int, number: int) -> Attempt | None:
        for attempt in reversed(self.history.get((item, stage, sub), ())):
            if attempt.number == number:
                return attempt
        return None

    def attempts(self, item: int, stage: int, sub: int) -> list[Attempt]:
        return list(self.history.get((item, stage, sub), ()))

    def insert_attempt(self, attempt: Attempt) -> None:
        history = self.history.setdefault((attempt.item, attempt.stage, attempt.sub), [])
        history.append(attempt)
        self.undo_with(lambda: history.pop())

    def memo(self, item: int, stage: int, sub: int, key: str) -> bytes | None:
        return self.memos.get((item, stage, sub, key))

    def insert_memo(self, item: int, stage: int, sub: int, key: str, value: bytes) -> None:
        self.memos[item, stage, sub, key] = value
        self.undo_with(lambda: self.memos.pop((item, stage, sub, key)))

    # --- questions --------------------------------------------------------------------------------------------------

    def ready(self, stage: int, limit: int, item: int | None) -> list[Task]:
        self._index()
        if item is not None:
            tasks = [self.tasks.get((item, stage, 0)), *self.subs.get((item, stage), {}).values()]
            found = [task for task in tasks if task is not None and task.ready == READY]
            return sorted(found, key=lambda task: (-task.priority, task.place, task.sub))[:limit]
        heap = self._ready[stage]
        best: dict[ReadyKey, Task] = {}
        while heap and len(best) < limit:
            key = heapq.heappop(heap)
            task = self.tasks.get((key[2], stage, key[3]))
            if task is not None and task.ready == READY and (-task.priority, task.place) == key[:2]:
                best[key] = task
        for key in best:
            heapq.heappush(heap, key)
        return list(best.values())

    def due(self, state: int, now: int, limit: int) -> list[Task]:
        self._index()
        seen: dict[TaskKey, int] = {}
        found: dict[TaskKey, Task] = {}
        for due_at, key in self._due_first():
            if due_at > now or len(found) >= limit:
                break
            seen[key] = due_at
            if self.tasks[key].state == state:
                found[key] = self.tasks[key]
        for key, due_at in seen.items():
            heapq.heappush(self._due, (due_at, key))
        return list(found.values())

    def _due_first(self) -> Iterator[tuple[int, TaskKey]]:
        """Pops what is due or waits longest; what is not consumed is pushed back by the last look."""
        while self._due:
            due_at, key = self._due[0]
            if not self._is_due_at(key, due_at):
                heapq.heappop(self._due)
                continue
            yield due_at, key
            heapq.heappop(self._due)

    def next_due(self, stages: Collection[int], state: int | None, item: int | None) -> int | None:
        self._index()
        live = [
            due_at
            for due_at, key in self._due
            if key[1] in stages and item in (None, key[0]) and self._is_due_at(key, due_at) and state in (None, self.tasks[key].state)
        ]
        return min(live, default=None)

    def _is_due_at(self, key: TaskKey, due_at: int) -> bool:
        task = self.tasks.get(key)
        return task is not None and task.due_at == due_at and task.ready == NOT_READY

    def leased_elsewhere(self, worker: int, stages: Collection[int], item: int | None) -> bool:
        self._index()
        return any(
            task.stage in stages and item in (None, task.item)
            for other in list(self._leased)
            if other != worker
            for task in self.leased(other)
        )

    def held(self, stage: int) -> list[Task]:
        return [task for task in self.tasks.values() if task.stage == stage and task.ready == READY_BUT_HELD]

    def leased(self, worker: int) -> list[Task]:
        self._index()
        held = [self.tasks[key] for key in sorted(self._leased[worker]) if key in self.tasks and self.tasks[key].worker == worker]
        self._leased[worker] = {task.key for task in held}
        return held

    def orphaned(self) -> list[Task]:
        self._index()
        return [task for worker in list(self._leased) if worker not in self._workers for task in self.leased(worker)]

    # --- workers and holds ------------------------------------------------------------------------------------------

    def workers(self) -> list[Worker]:
        return list(self._workers.values())

    def knows_worker(self, worker: int) -> bool:
        return worker in self._workers

    def insert_worker(self, uuid: str, host: str, pid: int, pid_start: str) -> int:
        known = next((worker.id for worker in self._workers.values() if worker.uuid == uuid), None)
        if known is not None:
            return known
        self._last_worker += 1
        number = self._last_worker
        self._workers[number] = Worker(number, uuid, host, pid, pid_start, 0)
        self.undo_with(lambda: self._workers.pop(number))
        return number

    def delete_worker(self, worker: int) -> None:
        gone = self._workers.pop(worker, None)
        if gone is not None:
            self.undo_with(lambda: self._workers.__setitem__(worker, gone))

    def beat(self, worker: int) -> bool:
        found = self._workers.get(worker)
        if found is not None:
            self._workers[worker] = found._replace(beat=found.beat + 1)
        return found is not None

    def holds(self) -> dict[int, Hold]:
        return dict(self._held)

    def save_hold(self, hold: Hold) -> None:
        before = self._held.get(hold.stage)
        self._held[hold.stage] = hold
        self.undo_with(lambda: self._held.__setitem__(hold.stage, before) if before else self._held.pop(hold.stage))

    def delete_hold(self, stage: int) -> None:
        gone = self._held.pop(stage)
        self.undo_with(lambda: self._held.__setitem__(stage, gone))

    def run_statements(self, statements: Sequence[Any]) -> str | None:
        return "ctx.transaction needs a SQLite store, and this one lives in memory"


class MemoryStateStore(MemoryReads, MemoryLogReads, MemoryDeskReads, MemoryRetentionReads, DeskVerbs, RetentionVerbs, TransactionalStore):
    """Everything in memory, for as long as the object lives. May be used from several threads and event loops."""

    def __init__(self) -> None:
        self._unit = MemoryUnit()
        self._lock = threading.RLock()
        self._is_closed = False
        self._news = CommitNews(self)

    @property
    def news(self) -> CommitNews:
        """Who is told of commits."""
        return self._news

    @property
    def is_closed(self) -> bool:
        """Whether `close` has been called."""
        return self._is_closed

    async def __aenter__(self) -> MemoryStateStore:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Nothing can be asked any more; may be called again."""
        self._is_closed = True
        self.news.close()

    def _open_unit(self) -> MemoryUnit:
        if self._is_closed:
            raise StoreError("the store is closed; open a new one")
        return self._unit

    async def _run(self, verb: Callable[[Unit], T], now: int = 0) -> T:
        return self._run_now(verb, now)

    def _post(self, verb: Callable[[Unit], object], now: int = 0) -> None:
        if not self._is_closed:
            self._run_now(verb, now)

    def _run_now(self, verb: Callable[[Unit], T], now: int) -> T:
        with self._lock:
            unit = self._open_unit()
            unit.now = now
            unit.rings = False
            unit.begin_verb()
            try:
                result = verb(unit)
                self.before_commit()
            except BaseException:
                unit.take_back()
                unit.deltas.clear()
                raise
            told = unit.commit()
            if told:
                self.news.publish(told, unit.rings)  # under the lock, so that two threads tell in the order of their commits
        return result

    def before_commit(self) -> None:
        """Called inside every transaction before it commits; the test kit cuts here."""

    async def workers(self) -> list[Worker]:
        """Every engine that may hold leases."""
        with self._lock:
            return self._open_unit().workers()

    async def holds(self) -> dict[int, Hold]:
        """Stages that start no more."""
        with self._lock:
            return self._open_unit().holds()
