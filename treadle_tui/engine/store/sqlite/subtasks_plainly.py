"""The ordinary case of a fan-out, set-wise: many first attempts of subtasks that just completed, and the claims of those that come next.

What `plain_subtasks.finish_subtasks` says, by a few statements for hundreds of subtasks. What is not ordinary is left to the verbs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from treadle_tui.engine import events as ev
from treadle_tui.engine.store.event_codec import KIND_NUMBER
from treadle_tui.engine.store.results import Claim, Ended, Recorded
from treadle_tui.engine.store.rows import COMPLETED, DECLARE, RUNNING
from treadle_tui.engine.store.sqlite import claims_plainly
from treadle_tui.engine.store.sqlite.plainly import END, attempt_row, folded_output
from treadle_tui.engine.store.sqlite.rowwise import execute_rows, select_rows, update_rows
from treadle_tui.engine.store.verbs.moves import close_fan_out
from treadle_tui.engine.store.verbs.plain_subtasks import is_open

if TYPE_CHECKING:
    from treadle_tui.engine.store.sqlite.unit import SqliteUnit

_COMPLETED_KIND = KIND_NUMBER[ev.SubTaskCompleted]

_ORDINARY = (
    "SELECT v.column5, t.started_at FROM (VALUES {rows}) v"
    " JOIN treadle_tasks t ON t.item = v.column1 AND t.stage = v.column2 AND t.sub = v.column3"
    f" WHERE t.fence = v.column4 AND t.worker = v.column6 AND t.state = {RUNNING} AND t.attempt = 1 AND t.phase = {DECLARE} AND t.extra = 0"
    " AND (t.detail IS NULL OR json_remove(CAST(t.detail AS TEXT), '$.metadata') = '{}')"
)
"""Of (item, stage, subtask number, fence, place, worker) the ordinary first attempts that the worker still holds: place, beginning."""
_COMPLETE = (
    f"UPDATE treadle_tasks AS t {END.format(at='v.column4', output='v.column5')}"
    " FROM (VALUES {rows}) v WHERE t.item = v.column1 AND t.stage = v.column2 AND t.sub = v.column3"
)
_COMPLETE_ONE = f"UPDATE treadle_tasks {END.format(at='?4', output='?5')} WHERE item = ?1 AND stage = ?2 AND sub = ?3"
_ATTEMPTS = "INSERT INTO treadle_attempts VALUES {rows}"


def finish(unit: SqliteUnit, worker: int, batch: Sequence[Ended], contenders: Collection[int], fingerprints: Mapping[int, str]) -> Recorded:
    """Record completed subtasks and claim the next ones; those that are not the ordinary case are left as they are."""
    unit.flush()
    began = _ordinary(unit, worker, batch, fingerprints)
    taken = [each for place, each in enumerate(batch) if place in began]
    left = [each for place, each in enumerate(batch) if place not in began] if len(began) < len(batch) else []
    if not taken:
        return Recorded((), left)
    unit.note_written()
    unit.forget_tasks(each.claim.key for each in taken)
    folded = [folded_output(each, began[place]) for place, each in enumerate(batch) if place in began]
    ended = [(*each.claim.key, unit.now, output) for each, output in zip(taken, folded, strict=True)]
    update_rows(unit.connection, _COMPLETE, _COMPLETE_ONE, ended)
    apart = [each for each, output in zip(taken, folded, strict=True) if output is None]
    execute_rows(unit.connection, _ATTEMPTS, [attempt_row(unit, each) for each in apart])
    for stage, n in Counter(each.claim.stage for each in taken).items():
        unit.count(stage, True, RUNNING, -n)
        unit.count(stage, True, COMPLETED, n)
    is_over = _count_down(unit, taken)
    claims = _claim_next(unit, worker, taken, contenders)
    unit.rings = unit.rings or is_over or not claims
    return Recorded(claims, left)


def _ordinary(unit: SqliteUnit, worker: int, batch: Sequence[Ended], fingerprints: Mapping[int, str]) -> dict[int, int | None]:
    """The places in the batch of what is the ordinary case → when it began."""
    open_ones = {key for key, claim in {each.claim.key[:2]: each.claim for each in batch}.items() if is_open(unit, claim, fingerprints)}
    held = [(*each.claim.key, each.claim.fence, place, worker) for place, each in enumerate(batch) if each.claim.key[:2] in open_ones]
    return dict(select_rows(unit.connection, _ORDINARY, held))


def _count_down(unit: SqliteUnit, batch: Sequence[Ended]) -> bool:
    """Tell what has ended, and let go on every stage whose last subtask that was; whether there was one."""
    is_over = False
    now, tell = unit.now, unit.events.append
    for (item_key, number), ended in groupby(batch, key=lambda each: each.claim.key[:2]):
        stage, item = unit.stored_task(item_key, number, 0), unit.item(item_key)
        assert stage is not None, "is_open has seen it"
        assert item is not None, "is_open has seen it"
        unit.edit(stage)
        for each in ended:
            unit.last_seq += 1
            tell((unit.last_seq, now, _COMPLETED_KIND, item.workflow, item_key, number, each.claim.subtask, 1, None))
            stage.open_subs -= 1
            stage.version += 1
        stage.updated_at = now
        if stage.open_subs == 0:
            close_fan_out(unit, item, stage)
            is_over = True
    return is_over


def _claim_next(unit: SqliteUnit, worker: int, batch: Sequence[Ended], contenders: Collection[int]) -> list[Claim]:
    """The next subtasks of these items and stages, as far as there is room and nothing else comes before."""
    rooms = Counter(stage for each in batch for stage in each.onward)
    if not rooms:
        return []
    fan_outs = {each.claim.key[:2] for each in batch if each.onward}
    held = unit.holds()
    picked = []
    known: dict[tuple[int, int], bool] = {}
    for each in claims_plainly.first_in_line(unit, {stage: rooms[stage] or 1 for stage in {*contenders, *rooms}}):
        if rooms[each.stage] <= 0 or not each.sub or each.key[:2] not in fan_outs or each.stage in held:
            break
        if not claims_plainly.may_begin(unit, each, known):
            break
        rooms[each.stage] -= 1
        picked.append(each)
    return claims_plainly.take(unit, worker, picked)
