"""Which tasks of a `MemoryStateStore` are ready, due, leased or waiting: kept beside the rows, so that nobody searches them.

An entry may be out of date; whoever takes one out looks at the row. So what takes a change back need not mend the index, only name
the rows it has touched.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from treadle_tui.engine.store.rows import AWAITING_REVIEW, NOT_READY, READY, Task, TaskKey

ReadyKey = tuple[int, int, int, int]
""" (-priority, place, item, subtask number): the order of claims within a stage."""


class TaskIndex:
    """The index of one store's tasks."""

    def __init__(self, tasks: Mapping[TaskKey, Task]) -> None:
        """`tasks`: the rows themselves."""
        self.waiting: dict[TaskKey, Task] = {}
        """Tasks that await review, and some that do no longer."""
        self.touched: list[Task] = []
        """Rows that have changed since `look`."""
        self._tasks = tasks
        self._ready: dict[int, list[ReadyKey]] = defaultdict(list)
        self._due: list[tuple[int, TaskKey]] = []
        self._leased: dict[int, set[TaskKey]] = defaultdict(set)

    def look(self, edited: Collection[int]) -> None:
        """Take note of rows that have changed; those of `edited`, by `id`, may go on changing and are looked at once more."""
        for task in self.touched:
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
        self.touched = [task for task in self.touched if id(task) in edited]

    # --- ready ------------------------------------------------------------------------------------------------------

    def ready(self, stage: int, limit: int) -> list[Task]:
        """The first ready tasks of a stage."""
        heap = self._ready[stage]
        best: dict[ReadyKey, Task] = {}
        while heap and len(best) < limit:
            key = heapq.heappop(heap)
            task = self._tasks.get((key[2], stage, key[3]))
            if task is not None and task.ready == READY and (-task.priority, task.place) == key[:2]:
                best[key] = task
        for key in best:
            heapq.heappush(heap, key)
        return list(best.values())

    # --- due --------------------------------------------------------------------------------------------------------

    def due(self, state: int, now: int, limit: int) -> list[Task]:
        """Tasks in this state whose time has come and that are not ready."""
        seen: dict[TaskKey, int] = {}
        found: dict[TaskKey, Task] = {}
        for due_at, key in self._due_first():
            if due_at > now or len(found) >= limit:
                break
            seen[key] = due_at
            if self._tasks[key].state == state:
                found[key] = self._tasks[key]
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
        """The earliest moment at which one of these is due that is not ready."""
        live = [
            due_at
            for due_at, key in self._due
            if key[1] in stages and item in (None, key[0]) and self._is_due_at(key, due_at) and state in (None, self._tasks[key].state)
        ]
        return min(live, default=None)

    def _is_due_at(self, key: TaskKey, due_at: int) -> bool:
        task = self._tasks.get(key)
        return task is not None and task.due_at == due_at and task.ready == NOT_READY

    # --- leased -----------------------------------------------------------------------------------------------------

    def leased(self, worker: int) -> list[Task]:
        """What a worker holds."""
        keys = sorted(self._leased[worker])
        held = [self._tasks[key] for key in keys if key in self._tasks and self._tasks[key].worker == worker]
        self._leased[worker] = {task.key for task in held}
        return held

    def leased_keys(self, worker: int) -> set[TaskKey]:
        """The keys of what a worker holds, and of some that it does no longer; for whoever keeps them up by itself."""
        return self._leased[worker]

    def holders(self) -> list[int]:
        """Every worker that holds something, or did."""
        return list(self._leased)
