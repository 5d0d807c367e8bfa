"""The ordinary claims, set-wise: many stages and subtasks that have never begun, and joins of fan-outs, those that are first in line.

What `claiming.claim` and `claiming.take` say, by a few statements for hundreds of rows. Nothing is decided anew here: the first in
line that is not ordinary (a retry, work that was handed back, a condition to be asked), and all behind it, is left to the verbs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from treadle_tui.engine import events as ev
from treadle_tui.engine.codec import decode_json
from treadle_tui.engine.store.event_codec import KIND_NUMBER
from treadle_tui.engine.store.results import Claim, StageRoom, Work
from treadle_tui.engine.store.rows import DECLARE, PENDING, READY, REDUCE, RUNNING, Item, TaskKey
from treadle_tui.engine.store.sqlite.columns import PLACE
from treadle_tui.engine.store.sqlite.rowwise import update_rows
from treadle_tui.engine.store.verbs import claiming
from treadle_tui.engine.store.verbs.outputs import standing_output
from treadle_tui.engine.store.verbs.plain_subtasks import is_fanned_out

if TYPE_CHECKING:
    from treadle_tui.engine.store.sqlite.unit import SqliteUnit

_STARTED_KINDS = KIND_NUMBER[ev.StageStarted], KIND_NUMBER[ev.SubTaskStarted]

_NEVER_BEGUN, _AT_ITS_END = 1, 2
_FIRST = (
    f"SELECT -priority, {PLACE}, item, stage, sub, fence, name, detail, started_at, CASE"
    f" WHEN state = {PENDING} AND attempt = 0 AND is_open = 0 AND phase = {DECLARE} AND extra = 0 AND completed_at IS NULL"
    f" THEN {_NEVER_BEGUN}"
    f" WHEN state = {RUNNING} AND attempt = 1 AND is_open = 1 AND phase = {REDUCE} AND extra = 0 AND detail IS NULL THEN {_AT_ITS_END} END"
    " FROM treadle_tasks"
)
_ORDER = f"ready = {READY} ORDER BY priority DESC, {PLACE}, item, sub LIMIT ?"
_FIRST_OF_ALL = f"{_FIRST} WHERE stage = ? AND {_ORDER}"
_FIRST_OF_ONE = f"{_FIRST} WHERE item = ? AND stage = ? AND +{_ORDER}"
"""With a plus, so that SQLite looks among the item's tasks, not among all that is ready of the stage."""
_BEGIN = (
    f"SET state = {RUNNING}, ready = 0, attempt = 1, is_open = 1, interruptions = 0, fence = fence + 1, version = version + 1,"
    " updated_at = {at}, started_at = {at}, due_at = NULL, worker = {worker}"
)
_START = (
    f"UPDATE treadle_tasks AS t {_BEGIN.format(at='v.column4', worker='v.column5')}"
    " FROM (VALUES {rows}) v WHERE t.item = v.column1 AND t.stage = v.column2 AND t.sub = v.column3"
)
_START_RUN = f"UPDATE treadle_tasks {_BEGIN.format(at='?4', worker='?5')} WHERE item = ?1 AND stage = ?2 AND sub BETWEEN ?3 AND ?6"
"""For subtasks of one stage that follow each other: half of what it takes to find each by itself."""
_GO_ON = (
    "UPDATE treadle_tasks SET ready = 0, version = version + 1, fence = fence + 1, worker = ?4 WHERE item = ?1 AND stage = ?2 AND sub = ?3"
)
_START_ONE = f"UPDATE treadle_tasks {_BEGIN.format(at='?4', worker='?5')} WHERE item = ?1 AND stage = ?2 AND sub = ?3"


class Waiting(NamedTuple):
    """A task that is ready; in the order of claims by its first five fields, which no two have in common."""

    minus_priority: int
    place: int
    item: int
    stage: int
    sub: int
    fence: int
    name: str | None
    detail: bytes | None
    started_at: int | None
    kind: int | None
    """`_NEVER_BEGUN`, `_AT_ITS_END` for a fan-out whose results are to be put together, None for what is not ordinary."""

    @property
    def key(self) -> TaskKey:
        """(item, stage, subtask number)"""
        return self[2:5]

    @property
    def is_ordinary(self) -> bool:
        """Whether nothing out of the common has happened to it yet, and nobody has said anything of it."""
        return bool(self.kind) and (self.detail is None or (self.sub > 0 and set(decode_json(self.detail)) == {"metadata"}))


def claim(
    unit: SqliteUnit,
    worker: int,
    wants: Sequence[StageRoom],
    room: int,
    tag_rooms: Mapping[str, int],
    condition: Callable[[str], claiming.Condition],
    item: int | None = None,
) -> list[Claim] | None:
    """As `claiming.claim`."""
    if not unit.knows_worker(worker):
        return None
    claiming.release_due(unit)
    line = _Line(unit, wants, room, tag_rooms, item)
    claims: list[Claim] = []
    while line.room > 0 and not line.is_through:
        claims += take(unit, worker, line.next())
    if line.room > 0 and line.is_for_the_verbs:
        claims += claiming.claim(unit, worker, line.wants, line.room, line.tags, condition, item) or ()
    return claims


class _Line:
    """Who comes next, by the rooms that are left."""

    def __init__(self, unit: SqliteUnit, wants: Sequence[StageRoom], room: int, tag_rooms: Mapping[str, int], item: int | None) -> None:
        self.room = room
        self.tags = dict(tag_rooms)
        self.is_through = False
        self.is_for_the_verbs = False
        self._unit = unit
        self._item = item
        self._holds = unit.holds()
        self._wants = {want.stage: want for want in wants if want.stage not in self._holds or self._holds[want.stage].when is not None}
        self._rooms = {want.stage: want.room for want in wants}

    @property
    def wants(self) -> list[StageRoom]:
        """What there is still room for."""
        return [StageRoom(stage=stage, room=self._rooms[stage], tags=want.tags) for stage, want in self._wants.items()]

    def _has_room(self, stage: int) -> bool:
        return self._rooms[stage] > 0 and all(self.tags.get(tag, 1) > 0 for tag in self._wants[stage].tags)

    def next(self) -> list[Waiting]:
        """The ordinary tasks that are first in line, counted as taken."""
        rooms = {stage: min(self.room, self._rooms[stage]) for stage in self._wants if self._has_room(stage)}
        waiting = first_in_line(self._unit, rooms, self._item)
        is_all = all(n < rooms[stage] for stage, n in Counter(each.stage for each in waiting).items())
        picked: list[Waiting] = []
        known: dict[tuple[int, int], bool] = {}
        for each in waiting:
            if self.room <= 0:
                break
            if not self._has_room(each.stage):
                continue
            if each.stage in self._holds or not may_begin(self._unit, each, known):
                self.is_for_the_verbs = True
                break
            picked.append(each)
            self._count(each.stage)
        self.is_through = is_all or self.is_for_the_verbs or not picked
        return picked

    def _count(self, stage: int) -> None:
        self.room -= 1
        self._rooms[stage] -= 1
        for tag in self._wants[stage].tags:
            if tag in self.tags:
                self.tags[tag] -= 1


def first_in_line(unit: SqliteUnit, rooms: Mapping[int, int], item: int | None = None) -> list[Waiting]:
    """The first ready tasks of these stages, at most so many of each, in the order of claims."""
    unit.flush()
    execute = unit.connection.execute
    found: list[Waiting] = []
    for stage, room in rooms.items():
        rows = execute(_FIRST_OF_ALL, (stage, room)) if item is None else execute(_FIRST_OF_ONE, (item, stage, room))
        found += map(Waiting._make, rows.fetchall())
    found.sort()
    unit.load_bare_items({each.item for each in found})
    return found


def may_begin(unit: SqliteUnit, waiting: Waiting, known: dict[tuple[int, int], bool]) -> bool:
    """Whether claiming it is the ordinary case. `known`: what has been found of (item, stage) for subtasks of it, kept by the caller."""
    if not waiting.is_ordinary:
        return False
    if not waiting.sub:
        item = unit.item(waiting.item)
        return item is not None and not item.flags
    fan_out = waiting.item, waiting.stage
    found = known.get(fan_out)
    if found is None:
        item = unit.item(waiting.item)
        found = known[fan_out] = item is not None and not item.flags and is_fanned_out(unit, item, waiting.stage)
    return found


def take(unit: SqliteUnit, worker: int, waiting: Sequence[Waiting]) -> list[Claim]:
    """Claim these, all of which may begin."""
    if not waiting:
        return []
    upstream = _upstream(unit, {each.key[:2] for each in waiting})
    unit.note_written()
    now, seq, tell = unit.now, unit.last_seq, unit.events.append
    _write(unit, worker, waiting)
    claims = []
    item: Item | None = None
    for each in waiting:
        if item is None or item.key != each.item:
            item = unit.item(each.item)
            assert item is not None, "may_begin has seen it"
        if each.kind == _NEVER_BEGUN:
            seq += 1
            tell((seq, now, _STARTED_KINDS[each.sub > 0], item.workflow, each.item, each.stage, each.name, 1, None))
        claims.append(_claim(unit, item, each, upstream[each.item, each.stage]))
    unit.last_seq = seq
    unit.forget_tasks(each.key for each in waiting)
    for (stage, is_subtask), n in Counter((each.stage, each.sub > 0) for each in waiting if each.kind == _NEVER_BEGUN).items():
        unit.count(stage, is_subtask, PENDING, -n)
        unit.count(stage, is_subtask, RUNNING, n)
    return claims


def _write(unit: SqliteUnit, worker: int, waiting: Sequence[Waiting]) -> None:
    fan_outs = {each.key[:2] for each in waiting}
    subs = [each.sub for each in waiting]
    first, last = min(subs), max(subs)
    if first and len(fan_outs) == 1 and last - first == len(subs) - 1:
        unit.connection.execute(_START_RUN, (*fan_outs.pop(), first, unit.now, worker, last))
        return
    begin = [(*each.key, unit.now, worker) for each in waiting if each.kind == _NEVER_BEGUN]
    update_rows(unit.connection, _START, _START_ONE, begin)
    unit.connection.executemany(_GO_ON, [(*each.key, worker) for each in waiting if each.kind == _AT_ITS_END])


def _upstream(unit: SqliteUnit, stages: Collection[tuple[int, int]]) -> dict[tuple[int, int], Mapping[int, bytes | None]]:
    """What the stages of items receive from those they depend on."""
    dependencies = {}
    for item_key, stage in stages:
        item = unit.item(item_key)
        assert item is not None, "may_begin has seen it"
        dependencies[item_key, stage] = unit.shape_of(item).by_id[stage].dependencies
    unit.load_items({item for (item, _), above in dependencies.items() if above})
    return {(item, stage): {number: _output(unit, item, number) for number in above} for (item, stage), above in dependencies.items()}


def _output(unit: SqliteUnit, item: int, stage: int) -> bytes | None:
    task = unit.stored_task(item, stage, 0)
    return None if task is None else standing_output(unit, task)


def _claim(unit: SqliteUnit, item: Item, waiting: Waiting, upstream: Mapping[int, bytes | None]) -> Claim:
    key = waiting.key
    work = Work.SUBTASK if waiting.sub else Work.STAGE if waiting.kind == _NEVER_BEGUN else Work.REDUCE
    return Claim(
        key=key,
        fence=waiting.fence + 1,
        work=work,
        workflow=item.workflow,
        item_id=item.id,
        item_data=item.data,
        priority=item.priority,
        created_at=item.created_at,
        stage=waiting.stage,
        subtask=waiting.name,
        metadata=None if waiting.detail is None else decode_json(waiting.detail)["metadata"],
        attempt=1,
        started_at=unit.now if waiting.kind == _NEVER_BEGUN else waiting.started_at,
        extra=0,
        idempotency_key=claiming.idempotency_key(unit.store_id, key, 1),
        upstream=upstream,
        results=unit.outputs_of_subtasks(waiting.item, waiting.stage) if work is Work.REDUCE else {},
    )
