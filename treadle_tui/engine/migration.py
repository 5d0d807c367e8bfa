"""What becomes of items in flight when their workflow has changed: a plan, worked out before anything is touched.

Stages are the same by their name, or by a former one (`was=`). Pure: an old shape, the new stages and how items stand go in, a plan
and what to do with each kind of item come out. Doing it is `store/verbs/migrating`.

An added stage is pending where its output can still be used: something that is not finished depends on it, or nothing does and the
item is not complete. Elsewhere it is skipped, "added later", unless the workflow says `backfill`. A removed stage that has not begun
disappears; one that has keeps its history, and an item in which it is unfinished cannot become complete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import msgspec

from treadle_tui.engine.record import Record
from treadle_tui.engine.store.results import Situation
from treadle_tui.engine.store.rows import CANCELLED_ITEM, PENDING, SATISFIED, STATES
from treadle_tui.engine.store.shape import WorkflowShape

ADDED_LATER = "added later"
"""Why an added stage is skipped."""
REMOVED = "removed from the workflow"
"""Why a stage that had not begun is skipped, and gone."""

Kind = Literal["added", "removed", "renamed", "rewired", "changed"]
Fate = Literal["pending", "skipped", "cancelled"]

_MARKS: Mapping[str, str] = {"added": "+", "removed": "-", "renamed": "~", "rewired": ">", "changed": "="}
_POLICIES = ("retry", "review", "concurrency", "tags", "isolation", "skip_if", "each", "reduce")
"""Of a stage's spec, what takes effect with the next attempt and concerns nobody before."""


class Change(Record, frozen=True):
    """One stage that is not what it was."""

    kind: Kind
    stage: str
    """Its name in the new workflow; of a removed one the name it had."""
    detail: str
    """What happens to the items, as part of a sentence."""
    items: int = 0
    """How many items are concerned."""
    is_safe: bool = True
    """Whether it may be made without asking: nothing unfinished is lost, nothing finished is contradicted."""

    def __str__(self) -> str:
        return f"{_MARKS[self.kind]} {self.stage}: {self.detail}" + ("" if self.is_safe else " (must be accepted)")


class MigrationPlan(Record, frozen=True):
    """What a changed workflow means for its items."""

    workflow: str
    changes: list[Change] = msgspec.field(default_factory=list)
    """Stages of the new workflow in topological order, then the removed ones."""
    items: int = 0
    """How many items the workflow has."""
    from_fingerprint: str = ""
    """Of the workflow as the store has it; empty when it does not know it."""
    to_fingerprint: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether no stage has changed."""
        return not self.changes

    @property
    def is_additive(self) -> bool:
        """Whether it is applied by itself: every change of it is safe."""
        return all(change.is_safe for change in self.changes)

    def __str__(self) -> str:
        if self.is_empty:
            return f"workflow {self.workflow!r}: no stage has changed"
        return "\n".join([f"workflow {self.workflow!r} has changed, and has {_count(self.items)}:", *(f"  {c}" for c in self.changes)])


def _count(items: int) -> str:
    return "1 item" if items == 1 else f"{items} items"


def aside(name: str, number: int) -> str:
    """What a removed stage is called once another has taken its name."""
    return f"{name} (removed {number})"


# --- what is different ----------------------------------------------------------------------------------------------


class Difference:
    """An old shape against new stages; answers what becomes of an item in a given situation."""

    def __init__(self, old: WorkflowShape, specs: Sequence[Mapping[str, Any]], *, backfill: bool = False) -> None:
        """`specs`: the new stages (`StageDefinition.shape`), topological order."""
        self.old = old
        self.specs = {str(spec["name"]): spec for spec in specs}
        self.backfill = backfill
        old_names = {stage.name for stage in old.stages}
        self.former = {name: former for name, spec in self.specs.items() if (former := self._former_name(spec, old_names)) is not None}
        """New name → name in the old shape, of renamed stages."""
        self.new_names = {former: name for name, former in self.former.items()}
        self.added = [name for name in self.specs if name not in old_names and name not in self.former]
        self.removed = [stage.name for stage in old.stages if self.new_names.get(stage.name, stage.name) not in self.specs]
        self.rewired = [name for name in self.specs if name not in self.added and self.waits_for(name) != self.waited_for(name)]
        self.names = {stage.id: self.new_names.get(stage.name, stage.name) for stage in old.stages} | self._orphan_names()
        """Number → name in the new workflow; of removed stages the name they had."""
        self._live = [self.names[stage.id] for stage in old.stages]
        self._dependents = _dependents(self.specs)
        self.fate_of = lru_cache(maxsize=None)(self._fate_of)

    def _orphan_names(self) -> dict[int, str]:
        """Of stages that were removed before. One whose name now belongs to a renamed stage is called another way."""
        return {stage.id: aside(stage.name, stage.id) if stage.name in self.former else stage.name for stage in self.old.removed}

    def _former_name(self, spec: Mapping[str, Any], old_names: set[str]) -> str | None:
        if spec["name"] in old_names:
            return None
        return next((former for former in spec.get("was") or () if former in old_names), None)

    def waits_for(self, name: str) -> set[str]:
        """What a stage directly depends on."""
        return set(self.specs[name]["depends_on"])

    def waited_for(self, name: str) -> set[str]:
        """What a stage that stays directly depended on, by the new names."""
        stage = self.old.by_name[self.former.get(name, name)]
        names = (self.old.by_id[dependency].name for dependency in stage.dependencies)
        return {self.new_names.get(dependency, dependency) for dependency in names}

    def policies_changed(self, name: str) -> list[str]:
        """Which settings of a stage that stays are others now."""
        before = self.old.by_name[self.former.get(name, name)].spec
        after = self.specs[name]
        changed = [key for key in _POLICIES if before.get(key) != after.get(key)]
        return changed + (["gates"] if len(before.get("gates") or ()) != len(after.get("gates") or ()) else [])

    def _fate_of(self, situation: Situation) -> Fates:
        rows = {self.names[standing.stage]: standing for standing in situation.standings if standing.stage in self.names}
        fates = Fates(states={name: standing.state for name, standing in rows.items()})
        is_complete = all(fates.is_satisfied(name) for name in self._live) and all(row.state in SATISFIED for row in rows.values())
        self._decide_added(fates, situation, is_complete)
        for name in self.removed:
            row = rows.get(name)
            if row is None or not row.has_begun:
                fates.dropped[name] = row is not None
            elif row.state in SATISFIED:
                fates.kept.append(name)
            else:
                fates.blocking.append(name)
        fates.orphans += [name for stage in self.old.removed if (name := self.names[stage.id]) in rows and name not in self.specs]
        fates.contradicted += [name for name in self.rewired if fates.is_satisfied(name) and self._is_contradicted(name, fates)]
        return fates

    def _decide_added(self, fates: Fates, situation: Situation, is_complete: bool) -> None:
        for name in reversed(self.specs):
            if name not in self.added or name in fates.states:
                continue
            if situation.flags & CANCELLED_ITEM:
                fates.added[name] = "cancelled"
            elif self.backfill or (not is_complete and self._is_wanted(name, fates)):
                fates.added[name] = "pending"
            else:
                fates.added[name] = "skipped"

    def _is_wanted(self, name: str, fates: Fates) -> bool:
        """Whether something can still use its output, or it is an end in itself."""
        dependents = self._dependents[name]
        return not dependents or any(not fates.is_satisfied(dependent) for dependent in dependents)

    def _is_contradicted(self, name: str, fates: Fates) -> bool:
        new = self.waits_for(name) - self.waited_for(name)
        return any(not fates.is_satisfied(dependency) and not (self.backfill and dependency in self.added) for dependency in new)


class Fates(msgspec.Struct):
    """What becomes of the stages of items in one situation, by name in the new workflow."""

    states: dict[str, int]
    """Of stages with a row, as they stand."""
    added: dict[str, Fate] = msgspec.field(default_factory=dict)
    dropped: dict[str, bool] = msgspec.field(default_factory=dict)
    """Removed and not begun → whether there is a row to take away."""
    kept: list[str] = msgspec.field(default_factory=list)
    """Removed and finished."""
    blocking: list[str] = msgspec.field(default_factory=list)
    """Removed and unfinished."""
    orphans: list[str] = msgspec.field(default_factory=list)
    """Removed by an earlier change, and still kept."""
    contradicted: list[str] = msgspec.field(default_factory=list)
    """Finished without something it now waits for."""

    @property
    def leftovers(self) -> list[str]:
        """Removed stages of which a row stays."""
        return [*self.kept, *self.blocking, *self.orphans]

    def is_satisfied(self, name: str) -> bool:
        """Whether dependents of the stage may start, once the plan is applied."""
        if name in self.added:
            return self.added[name] == "skipped"
        return self.states.get(name, PENDING) in SATISFIED


def _dependents(specs: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    dependents: dict[str, list[str]] = {name: [] for name in specs}
    for name, spec in specs.items():
        for dependency in spec["depends_on"]:
            dependents[dependency].append(name)
    return dependents


# --- the plan -------------------------------------------------------------------------------------------------------


def make_plan(difference: Difference, to_fingerprint: str, situations: Mapping[Situation, int]) -> MigrationPlan:
    """The plan for items in these situations, so many in each."""
    tally = _Tally(difference, situations)
    changes = [change for name in difference.specs for change in tally.changes_of(name)]
    changes += [tally.removed(name) for name in difference.removed]
    return MigrationPlan(difference.old.name, changes, sum(situations.values()), difference.old.fingerprint, to_fingerprint)


class _Tally:
    """Counts items by what becomes of them."""

    def __init__(self, difference: Difference, situations: Mapping[Situation, int]) -> None:
        self._difference = difference
        self._fates = [(difference.fate_of(situation), situation, count) for situation, count in situations.items()]
        self._total = sum(situations.values())

    def changes_of(self, name: str) -> Iterable[Change]:
        """What is to be said of one stage of the new workflow."""
        difference = self._difference
        if name in difference.added:
            yield self._added(name)
            return
        if name in difference.former:
            yield Change("renamed", name, f"was {difference.former[name]!r}, and keeps all it has", self._total)
        if name in difference.rewired:
            yield self._rewired(name)
        policies = difference.policies_changed(name)
        if policies:
            yield Change("changed", name, f"{', '.join(policies)}, from the next attempt on")

    def _added(self, name: str) -> Change:
        counts: Counter[str] = Counter()
        for fates, _, count in self._fates:
            counts[fates.added.get(name, "there")] += count
        words = {
            "pending": "pending in {}",
            "skipped": f"skipped in {{}} as {ADDED_LATER!r}",
            "cancelled": "cancelled in {}, as the item is",
            "there": "goes on in {} that had it before",
        }
        parts = [text.format(_count(counts[fate])) for fate, text in words.items() if counts[fate]]
        return Change("added", name, "; ".join(parts) or "there are no items yet", self._total)

    def _rewired(self, name: str) -> Change:
        before, after = self._difference.waited_for(name), self._difference.waits_for(name)
        parts = []
        if after - before:
            parts.append(f"now waits for {', '.join(sorted(after - before))}")
        if before - after:
            parts.append(f"waits no longer for {', '.join(sorted(before - after))}")
        contradicted = sum(count for fates, _, count in self._fates if name in fates.contradicted)
        if contradicted:
            parts.append(f"has finished without it in {_count(contradicted)}")
        unfinished = sum(count for fates, _, count in self._fates if not fates.is_satisfied(name))
        return Change("rewired", name, "; ".join(parts), contradicted or unfinished, is_safe=not contradicted)

    def removed(self, name: str) -> Change:
        """What is to be said of a stage that is gone."""
        lost = blocked = kept = 0
        states: Counter[str] = Counter()
        for fates, situation, count in self._fates:
            if name in fates.blocking:
                blocked += count
                states[STATES[fates.states[name]].word] += count
            elif name in fates.kept:
                kept += count
            elif not situation.flags & CANCELLED_ITEM and fates.states.get(name, PENDING) == PENDING:
                lost += count
        parts = []
        if lost:
            parts.append(f"had not begun in {_count(lost)}, and disappears there")
        if blocked:
            words = ", ".join(f"{state} in {count}" for state, count in states.items())
            parts.append(f"is unfinished ({words}), and stays in the way of {_count(blocked)}")
        if kept:
            parts.append(f"has finished in {_count(kept)}, and stays part of the history")
        return Change("removed", name, "; ".join(parts) or "no item has it", lost + blocked, is_safe=not (lost or blocked))
