"""What may be asked of the file: the one truth for the store, which asks from an event loop, and for verbs that only read and need none.

A question is a generator: it yields a statement with its parameters, is sent the rows, and returns its answer. Who asks decides how
the rows are fetched (`Reader.ask`, `FileReading.ask`); nothing here waits, connects, or knows of a thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from treadle_tui.engine.attempt_record import AttemptRecord
from treadle_tui.engine.states import StageState, StageStatus, StoredItem, SubTaskStatus
from treadle_tui.engine.status import ItemRow, PendingReview, StageRun
from treadle_tui.engine.store import views
from treadle_tui.engine.store.rows import (
    AWAITING_REVIEW,
    CANCELLED,
    COMPLETED,
    FAILED,
    SKIPPED,
    STATE_NUMBER,
    STATES,
    Attempt,
    Hold,
    Item,
    RawEvent,
    Task,
    Worker,
)
from treadle_tui.engine.store.shape import WorkflowShape
from treadle_tui.engine.store.sqlite.columns import TASK_COLUMNS, Question, Sql, item_from_row, shape_from_row, task_from_row, unpack
from treadle_tui.engine.store.sqlite.folding import ATTEMPTS, IS_FOLDED
from treadle_tui.engine.store.sqlite.lists import ListQuestions

if TYPE_CHECKING:
    from treadle_tui.engine.events import Event, Lagged

EVENTS_AT_ONCE = 1000
"""Events read by one question: many enough to be quick, few enough for any memory."""

ITEMS_PER_RUN = 2
"""Items looked at for each run that is wanted: not every one of them has come to every stage."""

NEWEST_BEGUN = (
    "coalesce(nullif(max((SELECT coalesce(max(item), 0) FROM (SELECT item, attempt FROM treadle_events ORDER BY seq DESC LIMIT 1000)"
    " WHERE attempt > 0), (SELECT coalesce(max(item), 0) FROM treadle_attempts)), 0), 9223372036854775807)"
)
"""No item behind this one is likely to have begun: a thousand that only wait need not be looked at."""

_TASK = ", ".join(f"t.{column}" for column in TASK_COLUMNS) + ", t.detail"
_ITEM = "i.key, i.id, i.workflow, i.data, i.priority, i.created_at, i.flags, i.open_stages"
_STATUS = (
    f"SELECT {_TASK}, coalesce(t.output, a.output), b.data FROM treadle_items i JOIN treadle_tasks t ON t.item = i.key"
    " LEFT JOIN treadle_attempts a ON a.item = t.item AND a.stage = t.stage AND a.sub = t.sub AND a.number = t.out"
    " LEFT JOIN treadle_blobs b ON typeof(a.output) = 'text' AND b.hash = a.output"
)


def _output(stored: Any, blob: bytes | None) -> bytes | None:
    return unpack(blob) if isinstance(stored, str) and blob is not None else stored


def _waiting_task(item: int, stage: int, sub: int, attempt: int, version: int, updated_at: int, name: str | None, detail: Any) -> Task:
    """What is told of a task that waits: a thousand are read again and again while a person decides."""
    task = Task(item, stage, sub)
    task.attempt, task.version, task.updated_at, task.name, task.raw_detail = attempt, version, updated_at, name, detail
    return task


def _standing(task: Task, output: bytes | None) -> bytes | None:
    """The edit of it, when a decision holds one."""
    if task.out >= 0:
        return output
    from treadle_tui.engine.codec import encode_json

    return encode_json(task.detail["decision"]["output"])


def _attempt(task: Task, row: Sequence[Any]) -> AttemptRecord:
    attempt = Attempt(task.item, task.stage, task.sub, row[0])
    attempt.started_at, attempt.completed_at, attempt.outcome, attempt.raw_detail = row[1:5]
    attempt.output = _output(row[5], row[6])
    return views.attempt_record(attempt)


_SHAPES = (
    "SELECT w.id, w.name, w.fingerprint, w.shape, s.id, s.name FROM treadle_workflows w"
    " LEFT JOIN treadle_stages s ON s.workflow = w.id ORDER BY w.id"
)
"""One statement: between two, another program may add a workflow, or rename a stage."""


class Questions(ListQuestions):
    """What is known of the file while it is being asked: only the shapes of its workflows, and those are compared each time."""

    def __init__(self) -> None:
        self._shape_rows: list[Any] = []
        self._shapes: dict[int, WorkflowShape] = {}
        self._stage_names: dict[int, str] = {}

    # --- names ------------------------------------------------------------------------------------------------------

    def shapes(self) -> Question[Mapping[int, WorkflowShape]]:
        """Every workflow in the file; decoded again only when one has changed."""
        newest = "SELECT max(id) FROM treadle_stages"  # a stage that came and went is not in any shape, but in events
        rows = yield f"SELECT id, name, fingerprint, shape, ({newest}) FROM treadle_workflows ORDER BY id", ()
        if rows != self._shape_rows:  # not their fingerprints: those say nothing of masks, nor of stages that were removed
            full = yield _SHAPES, ()
            self._stage_names = {row[4]: row[5] for row in full if row[4] is not None}
            ids: dict[int, dict[str, int]] = {}
            for workflow, _, _, _, number, name in full:
                ids.setdefault(workflow, {})[name] = number
            last = max(self._stage_names, default=None)
            self._shape_rows = [(*row, last) for row in dict.fromkeys(row[:4] for row in full)]
            self._shapes = {
                id: shape_from_row(id, name, fingerprint, shape, ids[id]) for id, name, fingerprint, shape, _ in self._shape_rows
            }
        return self._shapes

    def item_of(self, item_id: str) -> Question[Item | None]:
        rows = yield f"SELECT {_ITEM} FROM treadle_items i WHERE i.id = ?", (item_id,)
        return item_from_row(rows[0]) if rows else None

    # --- one item ---------------------------------------------------------------------------------------------------

    def get_status(self, item_id: str, stage: str) -> Question[StageStatus | None]:
        """The stage's status; None for an unknown item or stage."""
        found = yield from self._statuses(item_id, stage)
        return found.get(stage)

    def get_all_statuses(self, item_id: str) -> Question[dict[str, StageStatus]]:
        """Every stage of the item by name, topological order."""
        return (yield from self._statuses(item_id, None))

    def _statuses(self, item_id: str, only: str | None) -> Question[dict[str, StageStatus]]:
        shapes = yield from self.shapes()
        item = yield from self.item_of(item_id)
        if item is None or item.workflow not in shapes:
            return {}
        stages = [stage for stage in shapes[item.workflow].every if only in (None, stage.name)]
        if not stages:
            return {}
        sql, parameters = f"{_STATUS} WHERE i.key = ?", [item.key]
        if only is not None:
            sql += " AND t.stage = ?"
            parameters.append(stages[0].id)
        rows = yield f"{sql} ORDER BY t.stage, t.sub", parameters
        tasks: dict[int, tuple[Task, bytes | None]] = {}
        subtasks: dict[int, list[SubTaskStatus]] = {}
        for row in rows:
            task, output = task_from_row(row[:-2]), _output(row[-2], row[-1])
            output = _standing(task, output)
            if task.sub:
                subtasks.setdefault(task.stage, []).append(views.subtask_status(task, output))
            else:
                tasks[task.stage] = task, output
        return {
            stage.name: views.stage_status(*tasks[stage.id], subtasks.get(stage.id, ()))
            if stage.id in tasks
            else views.pending_status(item.created_at)
            for stage in stages
            if stage.id in tasks or not stage.is_removed
        }

    def get_attempts(self, item_id: str, stage: str, subtask: str | None = None) -> Question[list[AttemptRecord]]:
        """Every attempt, oldest first."""
        shapes = yield from self.shapes()
        item = yield from self.item_of(item_id)
        shape = None if item is None else shapes[item.workflow].by_name.get(stage)
        if item is None or shape is None:
            return []
        which, parameters = ("t.sub = 0", []) if subtask is None else ("t.sub > 0 AND t.name = ?", [subtask])
        tasks = yield (
            f"SELECT {_TASK} FROM treadle_tasks t WHERE t.item = ? AND t.stage = ? AND {which}",
            [item.key, shape.id, *parameters],
        )
        if not tasks:
            return []
        task = task_from_row(tasks[-1])
        rows = yield (
            f"SELECT a.number, a.started_at, a.completed_at, a.outcome, a.detail, a.output, b.data FROM ({ATTEMPTS}) a"
            " LEFT JOIN treadle_blobs b ON typeof(a.output) = 'text' AND b.hash = a.output ORDER BY a.number",
            task.key,
        )
        return views.with_running([_attempt(task, row) for row in rows], task)

    def get_item(self, item_id: str) -> Question[StoredItem | None]:
        """The item; None when there is none of that id."""
        item = yield from self.item_of(item_id)
        return None if item is None else views.stored_item(item, (yield from self.shapes())[item.workflow].name)

    # --- many items -------------------------------------------------------------------------------------------------

    def query_items(self, stage: str, state: StageState, workflow: str | None = None) -> Question[list[str]]:
        """Ids of the items whose stage of that name is in that state, oldest first."""
        found: list[tuple[int, str]] = []
        for shape in (yield from self.shapes()).values():
            if stage not in shape.by_name or workflow not in (None, shape.name):
                continue
            number = shape.by_name[stage].id
            missing = " OR t.state IS NULL" if state is StageState.PENDING and not shape.by_name[stage].is_removed else ""
            rows = yield (
                "SELECT i.key, i.id FROM treadle_items i LEFT JOIN treadle_tasks t ON t.item = i.key AND t.stage = ? AND t.sub = 0"
                f" WHERE i.workflow = ? AND (t.state = ?{missing})",
                (number, shape.id, STATE_NUMBER[state]),
            )
            found += rows
        return [item_id for _, item_id in sorted(found)]

    def list_items(self, workflow: str | None = None) -> Question[list[str]]:
        """Ids in the order of submission."""
        where, parameters = yield from self.of_workflow(workflow)
        rows = yield f"SELECT i.id FROM treadle_items i WHERE {where} ORDER BY i.key", parameters
        return [row[0] for row in rows]

    def of_workflow(self, workflow: str | None) -> Question[tuple[str, list[Any]]]:
        if workflow is None:
            return "1", []
        numbers = [shape.id for shape in (yield from self.shapes()).values() if shape.name == workflow]
        return "i.workflow = ?", numbers or [-1]

    def rows(self, item_ids: Sequence[str]) -> Question[list[ItemRow]]:
        """The board rows of these items as they stand now."""
        if not item_ids:
            return []
        marks = ", ".join("?" * len(item_ids))
        return (yield from self.item_rows(Sql(f"FROM treadle_items i WHERE i.id IN ({marks}) ORDER BY i.key", tuple(item_ids))))

    def waiting_count(self) -> Question[int]:
        """How many stages and subtasks wait for a person."""
        rows = yield f"SELECT coalesce(sum(n), 0) FROM treadle_counts WHERE state = {AWAITING_REVIEW}", ()
        return int(rows[0][0])

    def waiting_subtasks(self) -> Question[dict[str, dict[str, int]]]:
        """Subtasks that wait for a person, per workflow and stage."""
        rows = yield f"SELECT stage, n FROM treadle_counts WHERE is_subtask = 1 AND state = {AWAITING_REVIEW} AND n > 0", ()
        waiting = dict(rows)
        if not waiting:
            return {}
        shapes = (yield from self.shapes()).values()
        found = {shape.name: {stage.name: waiting[stage.id] for stage in shape.every if stage.id in waiting} for shape in shapes}
        return {workflow: stages for workflow, stages in found.items() if stages}

    def counts(self) -> Question[dict[str, dict[str, dict[StageState, int]]]]:
        """Items per workflow, stage and state."""
        shapes = yield from self.shapes()
        kept: dict[int, dict[StageState, int]] = {}
        rows = yield "SELECT stage, state, n FROM treadle_counts WHERE is_subtask = 0 AND n > 0", ()
        for stage, state, count in rows:
            kept.setdefault(stage, {})[STATES[state]] = count
        return {shape.name: {stage.name: kept.get(stage.id, {}) for stage in shape.every} for shape in shapes.values()}

    def pending_reviews(self, workflow: str | None = None) -> Question[list[PendingReview]]:
        """Everything that waits for a person, longest first, subtasks included."""
        shapes = yield from self.shapes()
        where, parameters = yield from self.of_workflow(workflow)
        rows = yield (
            "SELECT i.id, i.workflow, t.item, t.stage, t.sub, t.attempt, t.version, t.updated_at, t.name, t.detail"
            " FROM treadle_tasks t JOIN treadle_items i ON i.key = t.item"
            f" WHERE t.state = {AWAITING_REVIEW} AND {where} ORDER BY t.updated_at, t.item, t.stage, t.sub",
            parameters,
        )
        return [views.pending_review(row[0], shapes[row[1]], _waiting_task(*row[2:])) for row in rows]

    def stage_runs(self, workflow: str, limit: int = 200) -> Question[dict[str, list[StageRun]]]:
        """The stages that have ended, newest items first, at most `limit` of each."""
        shape = next((shape for shape in (yield from self.shapes()).values() if shape.name == workflow), None)
        if shape is None:
            return {}
        newest = views.stage_runs((yield from self._run_rows(shape, limit, "DESC")), shape, limit)
        if all(newest.values()):
            return newest
        oldest = views.stage_runs((yield from self._run_rows(shape, limit, "ASC")), shape, limit)
        return {name: runs or oldest[name] for name, runs in newest.items()}

    def _run_rows(self, shape: WorkflowShape, limit: int, order: str) -> Question[list[views.RunRow]]:
        marks = ", ".join("?" * len(shape.stages))
        rows = yield (
            f"WITH chosen AS (SELECT key FROM treadle_items WHERE workflow = ? AND key <= {NEWEST_BEGUN} ORDER BY key {order} LIMIT ?)"
            " SELECT t.item, t.stage, t.state, t.completed_at, t.extra, t.detail, coalesce(a.number, 1),"
            " iif(a.number IS NULL, t.started_at, a.started_at), iif(a.number IS NULL, t.completed_at, a.completed_at),"
            " coalesce(instr(a.detail, ?), 0) FROM chosen c"
            f" JOIN treadle_tasks t ON t.item = c.key AND t.stage IN ({marks}) AND t.sub = 0"
            f" AND t.state IN ({COMPLETED}, {SKIPPED}, {FAILED}, {CANCELLED})"
            " LEFT JOIN treadle_attempts a ON a.item = t.item AND a.stage = t.stage AND a.sub = 0"
            f" WHERE a.number IS NOT NULL OR t.{IS_FOLDED} ORDER BY t.item {order}, t.stage, a.number",
            (shape.id, limit * ITEMS_PER_RUN, views.SENT_BACK, *(stage.id for stage in shape.stages)),
        )
        return [views.RunRow._make((*row[:-1], bool(row[-1]))) for row in rows]

    def dependencies(self, workflow: str) -> Question[dict[str, list[str]]]:
        """What each stage of a workflow directly depends on, topological order."""
        return next((shape.dependencies() for shape in (yield from self.shapes()).values() if shape.name == workflow), {})

    def stage_names(self, workflow: str | None = None) -> Question[dict[str, list[str]]]:
        """Stages of every workflow the store knows, topological order; then those that were removed with work in them."""
        shapes = [shape for shape in (yield from self.shapes()).values() if workflow in (None, shape.name)]
        unfinished = (yield from self._unfinished_stages()) if any(shape.removed for shape in shapes) else set()
        return {shape.name: [stage.name for stage in shape.every if not stage.is_removed or stage.id in unfinished] for shape in shapes}

    def _unfinished_stages(self) -> Question[set[int]]:
        rows = yield (
            f"SELECT DISTINCT stage FROM treadle_counts WHERE is_subtask = 0 AND n > 0 AND state NOT IN ({COMPLETED}, {SKIPPED})",
            (),
        )
        return {row[0] for row in rows}

    # --- events -----------------------------------------------------------------------------------------------------

    def missed(self, since: int, item_id: str | None = None) -> Question[int]:
        """How many events after `since` have been dropped, of one item or of all; events of deleted items may be counted too."""
        if item_id is not None:
            rows = yield (
                "SELECT min(b.dropped, b.seq - ?) FROM treadle_baselines b JOIN treadle_items i ON i.key = b.item"
                " WHERE i.id = ? AND b.seq > ?",
                (since, item_id, since),
            )
            return int(rows[0][0]) if rows else 0
        rows = yield "SELECT coalesce(sum(dropped), 0), max(horizon) FROM treadle_retention WHERE horizon > ?", (since,)
        dropped, horizon = rows[0]
        if not dropped:
            return 0
        rows = yield "SELECT count(*) FROM treadle_events WHERE seq > ? AND seq <= ?", (since, horizon)
        return int(min(dropped, horizon - since - rows[0][0]))

    def event_batch(self, since: int, item_id: str | None = None) -> Question[list[Event | Lagged]]:
        """The next durable events after `since`, in commit order, at most `EVENTS_AT_ONCE`; fewer are the last there are."""
        condition, parameters = "e.seq > ?", [since]
        if item_id is not None:
            item = yield from self.item_of(item_id)
            if item is None:
                return []
            condition, parameters = "e.item = ? AND e.seq > ?", [item.key, since]
        rows = yield (
            "SELECT e.seq, e.at, e.kind, e.workflow, e.item, e.stage, e.subtask, e.attempt, e.data, i.id FROM treadle_events e"
            f" LEFT JOIN treadle_items i ON i.key = e.item WHERE {condition} ORDER BY e.seq LIMIT {EVENTS_AT_ONCE}",
            parameters,
        )
        from treadle_tui.engine.store.event_codec import decode_event  # thirty kinds of event: only for who reads them

        shapes = yield from self.shapes()
        ids = {row[4]: row[9] or "" for row in rows}
        names = {number: shape.name for number, shape in shapes.items()}
        return [decode_event(RawEvent(*row[:9]), names.__getitem__, ids.__getitem__, self.stage_name) for row in rows]

    def stage_name(self, stage: int) -> str:
        """A stage's name by its number, also of one its workflow no longer has."""
        return self._stage_names.get(stage, "")

    def last_seq(self) -> Question[int]:
        """The `seq` of the newest event."""
        rows = yield "SELECT value FROM treadle_meta WHERE key = 'last_seq'", ()
        return int(rows[0][0])

    # --- what an engine asks now and then ---------------------------------------------------------------------------

    def workers(self) -> Question[list[Worker]]:
        """Every engine that may hold leases."""
        rows = yield "SELECT id, uuid, host, pid, pid_start, beat FROM treadle_workers", ()
        return [Worker(*row) for row in rows]

    def holds(self) -> Question[dict[int, Hold]]:
        """Stages that start no more, by number."""
        rows = yield "SELECT stage, condition FROM treadle_holds", ()
        return {row[0]: Hold(*row) for row in rows}
