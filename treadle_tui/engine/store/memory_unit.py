"""The rows of a store in memory, as the verbs see them: changed in place, and put back from photographs when a verb fails."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from treadle_tui.engine.store.memory_desk import MemoryDesk
from treadle_tui.engine.store.memory_index import TaskIndex
from treadle_tui.engine.store.memory_log import EventLog
from treadle_tui.engine.store.memory_retention import MemoryRetention
from treadle_tui.engine.store.results import Situation, Standing
from treadle_tui.engine.store.rows import READY, READY_BUT_HELD, Attempt, Hold, Item, Row, StoredEvent, Task, TaskKey, Worker
from treadle_tui.engine.store.shape import WorkflowShape
from treadle_tui.engine.store.unit import Unit
from treadle_tui.engine.store.verbs.outputs import standing_output


class MemoryUnit(Unit):
    """The rows of a `MemoryStateStore`, and the questions verbs ask of them."""

    def __init__(self) -> None:
        super().__init__()
        self.last_seq = 0
        self.desk: MemoryDesk = MemoryDesk(self.undo_with)
        self.retention: MemoryRetention = MemoryRetention(self)
        self.store_id = uuid.uuid4().hex[:12]
        self.log = EventLog()
        self.counts: dict[tuple[int, int, int], int] = defaultdict(int)
        self.items: dict[int, Item] = {}
        self.ids: dict[str, int] = {}
        self.tasks: dict[TaskKey, Task] = {}
        self.subs: dict[tuple[int, int], dict[int, Task]] = {}
        self.history: dict[TaskKey, tuple[Attempt, ...]] = {}
        """Tuples, which the interpreter need not look through for garbage, as it would lists."""
        self.memos: dict[tuple[int, int, int, str], bytes] = {}
        self.index = TaskIndex(self.tasks)
        self._shapes: dict[int, WorkflowShape] = {}
        self._stage_ids: dict[tuple[int, str], int] = {}
        self._held: dict[int, Hold] = {}
        self._workers: dict[int, Worker] = {}
        self._last_item = 0
        self._last_worker = 0
        self._last_subs: dict[tuple[int, int], int] = {}

    # --- the transaction --------------------------------------------------------------------------------------------

    def commit(self) -> list[StoredEvent]:
        """Make the verb's changes last; its events."""
        self._look()
        self.index.touched.clear()
        for key, change in self.deltas.items():
            self.counts[key] += change
        self.deltas.clear()
        told, self.events = self.events, []
        self.log.extend(told)
        self.begin_verb()
        return told

    def changed(self, row: Row) -> None:
        if isinstance(row, Task):
            self.index.touched.append(row)

    def _undo_edit(self, row: Row, values: tuple[Any, ...]) -> None:
        super()._undo_edit(row, values)
        self.changed(row)  # a question may have dropped it from an index while it was another

    def _look(self) -> TaskIndex:
        """The index, up to date. A verb that is under way may go on changing the rows it has announced."""
        self.index.look(self._edited)
        return self.index

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
        return self.insert_items(workflow, {id: data}, priority)[0]

    def insert_items(self, workflow: int, data: Mapping[str, bytes], priority: int) -> list[Item]:
        """New items, by id, in their order."""
        items = [Item(key, id, workflow, of, priority, self.now) for key, (id, of) in enumerate(data.items(), self._last_item + 1)]
        self._last_item += len(items)
        self.items.update((item.key, item) for item in items)
        self.ids.update((item.id, item.key) for item in items)

        def undo() -> None:
            self._last_item -= len(items)
            for item in items:
                del self.items[item.key]
                del self.ids[item.id]

        self.undo_with(undo)
        return items

    def delete_item(self, item: Item) -> None:
        self.desk.forget_item(item.key)
        self.retention.forget_item(item.key)
        del self.items[item.key]
        del self.ids[item.id]
        keys = [key for key in self.tasks if key[0] == item.key]
        gone = [self._drop_task(key) for key in keys]
        histories = {key: self.history.pop(key) for key in [key for key in self.history if key[0] == item.key]}
        memos = {key: self.memos.pop(key) for key in [key for key in self.memos if key[0] == item.key]}
        log, self.log = self.log, self.log.only(lambda event: event.item != item.key)

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
        self.index.touched.append(task)
        self._edited.add(id(task))
        self.undo_with(lambda: self._drop_task(task.key))

    def _keep_task(self, task: Task) -> None:
        self.tasks[task.key] = task
        if task.sub:
            self.subs.setdefault((task.item, task.stage), {})[task.sub] = task

    def _drop_task(self, key: TaskKey) -> Task:
        task = self.tasks.pop(key)
        self.index.waiting.pop(key, None)
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
        key = (attempt.item, attempt.stage, attempt.sub)
        self.history[key] = (*self.history.get(key, ()), attempt)
        self.undo_with(lambda: self.forget_last_attempt(key))

    def forget_last_attempt(self, key: TaskKey) -> None:
        """Take back that an attempt was recorded."""
        kept = self.history.pop(key)[:-1]
        if kept:
            self.history[key] = kept

    def memo(self, item: int, stage: int, sub: int, key: str) -> bytes | None:
        return self.memos.get((item, stage, sub, key))

    def insert_memo(self, item: int, stage: int, sub: int, key: str, value: bytes) -> None:
        self.memos[item, stage, sub, key] = value
        self.undo_with(lambda: self.memos.pop((item, stage, sub, key)))

    # --- questions --------------------------------------------------------------------------------------------------

    def ready(self, stage: int, limit: int, item: int | None) -> list[Task]:
        if item is None:
            return self._look().ready(stage, limit)
        tasks = [self.tasks.get((item, stage, 0)), *self.subs.get((item, stage), {}).values()]
        found = [task for task in tasks if task is not None and task.ready == READY]
        return sorted(found, key=lambda task: (-task.priority, task.place, task.sub))[:limit]

    def due(self, state: int, now: int, limit: int) -> list[Task]:
        return self._look().due(state, now, limit)

    def next_due(self, stages: Collection[int], state: int | None, item: int | None) -> int | None:
        return self._look().next_due(stages, state, item)

    def leased_elsewhere(self, worker: int, stages: Collection[int], item: int | None) -> bool:
        index = self._look()
        return any(
            task.stage in stages and item in (None, task.item)
            for other in index.holders()
            if other != worker
            for task in index.leased(other)
        )

    def held(self, stage: int) -> list[Task]:
        return [task for task in self.tasks.values() if task.stage == stage and task.ready == READY_BUT_HELD]

    def leased(self, worker: int) -> list[Task]:
        return self._look().leased(worker)

    def orphaned(self) -> list[Task]:
        index = self._look()
        return [task for worker in index.holders() if worker not in self._workers for task in index.leased(worker)]

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
