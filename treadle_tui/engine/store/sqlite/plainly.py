"""The ordinary case, set-wise: many items added; many first attempts that just completed, and the claims of what they set free.

What `items.submit` and `finishing.finish_plainly` say, done by a few statements for hundreds of stages, beside the engine's loop.
Nothing is decided anew here: what is not ordinary (a lost lease, a paused item, a decision upstream) is left to the verbs, and nothing
of it is done. That the two agree is tested on random batches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from treadle_tui.engine import events as ev
from treadle_tui.engine.store.event_codec import KIND_NUMBER
from treadle_tui.engine.store.results import OUTCOME_NUMBER, Ended, Recorded, Submitted
from treadle_tui.engine.store.rows import COMPLETED, NOT_READY, PENDING, READY, RUNNING
from treadle_tui.engine.store.shape import StageShape
from treadle_tui.engine.store.sqlite.columns import PLACE
from treadle_tui.engine.store.sqlite.folding import FOLDED_OUTPUT
from treadle_tui.engine.store.sqlite.rowwise import execute_rows, select_rows, update_rows
from treadle_tui.engine.store.verbs.claiming import claim_behind

if TYPE_CHECKING:
    from treadle_tui.engine.store.sqlite.unit import SqliteUnit

_ADDED_KIND = KIND_NUMBER[ev.ItemAdded]
_COMPLETED_KIND, _STARTED_KIND = KIND_NUMBER[ev.StageCompleted], KIND_NUMBER[ev.StageStarted]
_WORKFLOW_COMPLETED_KIND = KIND_NUMBER[ev.WorkflowCompleted]
_COMPLETED_OUTCOME = OUTCOME_NUMBER["completed"]

_ORDINARY = (
    "SELECT v.column4, t.started_at FROM (VALUES {rows}) v"
    " JOIN treadle_tasks t ON t.item = v.column1 AND t.stage = v.column2 AND t.sub = 0"
    " JOIN treadle_items i ON i.key = v.column1"
    f" WHERE t.fence = v.column3 AND t.worker = v.column5 AND t.state = {RUNNING} AND t.attempt = 1 AND t.phase = 0 AND t.extra = 0"
    " AND t.detail IS NULL AND i.flags = 0"
)
"""Of (item, stage, fence, place, worker) the ordinary first attempts that the worker still holds: place, and when its stage began."""
_HAVE_ROWS = "SELECT v.column3 FROM (VALUES {rows}) v JOIN treadle_tasks t ON t.item = v.column1 AND t.stage = v.column2 AND t.sub = 0"
"""Of (item, stage, place) the places of stages that have a row."""

_KNOWN = "SELECT i.id, i.workflow FROM (VALUES {rows}) v JOIN treadle_items i ON i.id = v.column1"
_ITEMS = "INSERT INTO treadle_items (key, id, workflow, data, priority, created_at, flags, open_stages) VALUES {rows}"
END = (
    f"SET state = {COMPLETED}, is_open = 0, worker = NULL, due_at = NULL, interruptions = 0, out = 1, version = version + 1,"
    " updated_at = {at}, completed_at = {at}, output = {output}"
)
_COMPLETE = (
    f"UPDATE treadle_tasks AS t {END.format(at='v.column3', output='v.column4')}"
    " FROM (VALUES {rows}) v WHERE t.item = v.column1 AND t.stage = v.column2 AND t.sub = 0"
)
_COMPLETE_ONE = f"UPDATE treadle_tasks {END.format(at='?3', output='?4')} WHERE item = ?1 AND stage = ?2 AND sub = 0"
_COUNT_DOWN = "UPDATE treadle_items AS i SET open_stages = open_stages - v.column2 FROM (VALUES {rows}) v WHERE i.key = v.column1"
_COUNT_DOWN_ONE = "UPDATE treadle_items SET open_stages = open_stages - ?2 WHERE key = ?1"
_ATTEMPTS = "INSERT INTO treadle_attempts VALUES {rows}"
_DEPENDENTS = (
    "INSERT INTO treadle_tasks (item, stage, sub, state, ready, attempt, is_open, open_deps, fence, version, out, updated_at,"
    " started_at, worker, priority, turn, extra, interruptions, phase, subs, open_subs, failed_subs)"
    " SELECT column1, column2, 0, column3, column4, column5, column5, 0, column5, column5, 0, column6,"
    " column7, column8, column9, column10, 0, 0, 0, 0, 0, 0 FROM (VALUES {rows})"
)
"""What is the same in all of them is written in the statement: handing over a value costs as much as storing it."""
_NEXT = f"SELECT -priority, {PLACE}, item FROM treadle_tasks WHERE stage = ? AND ready = 1 ORDER BY priority DESC, {PLACE}, item LIMIT 1"


class Finished(NamedTuple):
    """What became of a batch, its claims not yet made: that is done on the engine's thread, while this one goes on writing."""

    onward: Sequence[tuple[Ended, int]]
    """Dependents that were claimed, by the attempt that set them free and their stage number."""
    left: Sequence[Ended]
    at: int
    """When, in milliseconds."""
    store_id: str

    def recorded(self) -> Recorded:
        """The same with its claims."""
        return Recorded([claim_behind(self.store_id, each, stage, self.at) for each, stage in self.onward], self.left)


def finish(unit: SqliteUnit, worker: int, batch: Sequence[Ended], contenders: Collection[int], fingerprints: Mapping[int, str]) -> Finished:
    """Record completed attempts and claim what follows them; those that are not the ordinary case are left as they are.

    `contenders` are the stages this engine could claim something of: a dependent is claimed here only when nothing of those that is
    ready comes before it. One that is not claimed is ready.
    """
    unit.flush()
    began = _ordinary(unit, worker, batch, fingerprints)
    taken = [each for place, each in enumerate(batch) if place in began]
    left = [each for place, each in enumerate(batch) if place not in began] if len(began) < len(batch) else []
    if not taken:
        return Finished((), left, unit.now, unit.store_id)
    stages = [unit.shapes[each.claim.workflow].by_id[each.claim.stage] for each in taken]
    open_stages = Counter(each.claim.key[0] for each in taken)
    unit.note_written()
    unit.forget_items(open_stages)
    unit.forget_tasks(each.claim.key for each in taken)
    folded = [folded_output(each, began[place]) for place, each in enumerate(batch) if place in began]
    ended = [(*each.claim.key[:2], unit.now, output) for each, output in zip(taken, folded, strict=True)]
    update_rows(unit.connection, _COMPLETE, _COMPLETE_ONE, ended)
    update_rows(unit.connection, _COUNT_DOWN, _COUNT_DOWN_ONE, list(open_stages.items()))
    apart = [each for each, output in zip(taken, folded, strict=True) if output is None]
    execute_rows(unit.connection, _ATTEMPTS, [attempt_row(unit, each) for each in apart])
    return Finished(_go_on(unit, worker, taken, stages, contenders), left, unit.now, unit.store_id)


def folded_output(each: Ended, began_at: int | None) -> bytes | None:
    """The output, when its stage's row can tell all there is to tell of the attempt; see `folding`."""
    output = each.result.output
    return output if output is not None and len(output) <= FOLDED_OUTPUT and began_at == each.claim.started_at else None


def attempt_row(unit: SqliteUnit, each: Ended) -> tuple[object, ...]:
    """What `treadle_attempts` has of it when it is not folded."""
    return (*each.claim.key, 1, each.claim.started_at, unit.now, _COMPLETED_OUTCOME, unit.stored_output(each.result.output), None)


def submit(unit: SqliteUnit, workflow: int, batch: Sequence[tuple[str, bytes]], priority: int) -> Submitted:
    """Add items (id, JSON data); a known id is kept as it was. As `items.submit`, without a row's object for each."""
    unit.flush()
    shape = unit.shapes[workflow]
    known = dict(select_rows(unit.connection, _KNOWN, [(item_id,) for item_id, _ in batch]))
    elsewhere = [item_id for item_id, _ in batch if known.get(item_id, workflow) != workflow]
    new: dict[str, bytes] = {}
    for item_id, data in batch:
        if item_id not in known:
            new.setdefault(item_id, data)
    if not new:
        return Submitted(0, elsewhere)
    unit.note_written()
    unit.rings = True
    first, now, seq = unit.reserve_items(len(new)), unit.now, unit.last_seq
    items = [
        (first + place, item_id, workflow, data, priority, now, 0, len(shape.stages)) for place, (item_id, data) in enumerate(new.items())
    ]
    execute_rows(unit.connection, _ITEMS, items)
    roots = [(unit.turn(before), root.id) for before, root in enumerate(shape.roots)]
    execute_rows(unit.connection, _DEPENDENTS, [_row(item[0], root, READY, turn, priority, now) for item in items for turn, root in roots])
    unit.events += [(seq + place, now, _ADDED_KIND, workflow, item[0], None, None, 0, None) for place, item in enumerate(items, start=1)]
    unit.last_seq = seq + len(items)
    for stage in shape.stages:
        unit.count(stage.id, False, PENDING, len(items))
    return Submitted(len(items), elsewhere)


def _ordinary(unit: SqliteUnit, worker: int, batch: Sequence[Ended], fingerprints: Mapping[int, str]) -> dict[int, int | None]:
    """The places in the batch of what is the ordinary case → when its stage began."""
    held, dependents = [], []
    for place, each in enumerate(batch):
        claim = each.claim
        shape = unit.shapes.get(claim.workflow)
        stage = None if shape is None or fingerprints.get(shape.id) != shape.fingerprint else shape.by_id.get(claim.stage)
        if stage is None or stage.is_removed or not stage.frees_dependents:
            continue
        item = claim.key[0]
        held.append((item, stage.id, claim.fence, place, worker))
        dependents += [(item, dependent, place) for dependent in stage.dependents]
    began: dict[int, int | None] = dict(select_rows(unit.connection, _ORDINARY, held))
    for (place,) in select_rows(unit.connection, _HAVE_ROWS, dependents):
        began.pop(place, None)
    return began


def _go_on(
    unit: SqliteUnit, worker: int, batch: Sequence[Ended], stages: Sequence[StageShape], contenders: Collection[int]
) -> list[tuple[Ended, int]]:
    """Tell what has ended, make dependents ready, and let those begin that may: as `Finished.onward`."""
    first = _first_in_line(unit, contenders)
    held = unit.holds()
    finished = _finished_items(unit, batch, stages)
    onward: list[tuple[Ended, int]] = []
    rows: list[tuple[object, ...]] = []
    tell, seq, now = unit.events.append, unit.last_seq, unit.now
    for each, stage in zip(batch, stages, strict=True):
        claim = each.claim
        item, workflow = claim.key[0], claim.workflow
        seq += 1
        tell((seq, now, _COMPLETED_KIND, workflow, item, stage.id, None, 1, None))
        if not stage.dependents and finished.get(item) == stage.id:
            seq += 1
            tell((seq, now, _WORKFLOW_COMPLETED_KIND, workflow, item, None, None, 0, None))
        for before, dependent in enumerate(stage.dependents):
            turn = before and unit.turn(before)
            is_next = first is None or (-claim.priority, turn or item, item) < first
            if not (is_next and dependent in each.onward and dependent not in held):
                rows.append(_row(item, dependent, READY, turn, claim.priority, claim.created_at))
                unit.rings = True
                continue
            rows.append(_row(item, dependent, NOT_READY, turn, claim.priority, now, worker))
            seq += 1
            tell((seq, now, _STARTED_KIND, workflow, item, dependent, None, 1, None))
            onward.append((each, dependent))
    unit.last_seq = seq
    unit.rings = unit.rings or not onward
    execute_rows(unit.connection, _DEPENDENTS, rows)
    for number, n in Counter([stage.id for stage in stages]).items():
        unit.count(number, False, RUNNING, -n)
        unit.count(number, False, COMPLETED, n)
    for number, n in Counter([dependent for _, dependent in onward]).items():
        unit.count(number, False, PENDING, -n)
        unit.count(number, False, RUNNING, n)
    return onward


def _row(item: int, stage: int, ready: int, turn: int, priority: int, updated_at: int, worker: int | None = None) -> tuple[object, ...]:
    """What `_DEPENDENTS` takes: a stage's first row, running for that worker, or ready."""
    if worker is None:
        return item, stage, PENDING, ready, 0, updated_at, None, None, priority, turn
    return item, stage, RUNNING, ready, 1, updated_at, updated_at, worker, priority, turn


def _first_in_line(unit: SqliteUnit, contenders: Collection[int]) -> tuple[int, int, int] | None:
    """What of all that is ready comes first, as (-priority, place, item); None when nothing is ready."""
    found = [row for stage in contenders if (row := unit.connection.execute(_NEXT, (stage,)).fetchone()) is not None]
    return min(found, default=None)


def _finished_items(unit: SqliteUnit, batch: Sequence[Ended], stages: Sequence[StageShape]) -> dict[int, int]:
    """Items that are complete with this batch → the stage of theirs that comes last in it."""
    last = {each.claim.key[0]: stage.id for each, stage in zip(batch, stages, strict=True)}
    ends = [(each.claim.key[0],) for each, stage in zip(batch, stages, strict=True) if not stage.dependents]
    done: dict[int, int] = {}
    for at in range(0, len(ends), 500):
        part = ends[at : at + 500]
        marks = ", ".join("?" * len(part))
        rows = unit.connection.execute(
            f"SELECT key FROM treadle_items WHERE open_stages = 0 AND key IN ({marks})", [item for (item,) in part]
        )
        done |= {key: last[key] for (key,) in rows}
    return done
