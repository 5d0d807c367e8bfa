"""What earlier items tell: how long one that is under way still needs, and what a stage is like.

Pure, but for the `RunCache`, which asks the store now and then. An estimate is the longest way through the stages that are left, each
taking as long as half, or nine tenths, of its runs did, waiting for people included. Where a stage has never run there is no history,
and no number is made up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from treadle_tui.engine.clock import Clock
from treadle_tui.engine.states import StageState
from treadle_tui.engine.status import Eta, StageEntry, StageRun, StageStatistics

Runs = Mapping[str, Sequence[StageRun]]
"""By stage name, newest first."""

FRESH_SECONDS = 5.0
"""How long the runs of a workflow are kept, by the engine's clock, once every stage has some."""
STATISTICS_RUNS = 1000
"""Runs of each stage that statistics are made from."""


def quantile(values: Iterable[float], share: float) -> float | None:
    """The value that this share of them does not exceed, between two of them if need be; None of none."""
    ordered = sorted(values)
    if not ordered:
        return None
    place = (len(ordered) - 1) * share
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def estimate(entries: Sequence[StageEntry], dependencies: Mapping[str, Sequence[str]], runs: Runs, now: datetime) -> Eta | None:
    """The time an item has left; `Eta()` where a stage that is left has no history.

    None when it does not go on by itself: a stage has failed or was called off, or was removed from the workflow with work in it.
    `entries` in topological order; `dependencies` of the stages the workflow has.
    """
    if any(entry.state in _STUCK or (entry.name not in dependencies and not entry.state.is_satisfied) for entry in entries):
        return None
    p50, p90 = (_longest_way(entries, dependencies, runs, now, share) for share in (0.5, 0.9))
    return Eta(p50_seconds=p50, p90_seconds=p90)


_STUCK = (StageState.FAILED, StageState.CANCELLED)


def _longest_way(
    entries: Sequence[StageEntry], dependencies: Mapping[str, Sequence[str]], runs: Runs, now: datetime, share: float
) -> float | None:
    ends: dict[str, float] = {}
    for entry in entries:
        left = _left(entry, runs.get(entry.name, ()), now, share)
        if left is None:
            return None
        ends[entry.name] = left + max((ends.get(above, 0.0) for above in dependencies.get(entry.name, ())), default=0.0)
    return max(ends.values(), default=0.0)


def _left(entry: StageEntry, runs: Sequence[StageRun], now: datetime, share: float) -> float | None:
    """Seconds until dependents of the stage can start; None without history."""
    if entry.state.is_satisfied:
        return 0.0
    good = [run for run in runs if run.state.is_satisfied]
    if entry.state is StageState.AWAITING_REVIEW:
        waits = [run.waited_seconds for run in runs if run.waited_seconds is not None]
        return _less(quantile(waits, share), entry.updated_at, now)
    usual = quantile((run.total_seconds for run in good), share)
    return _less(usual, entry.started_at, now) if entry.state is StageState.RUNNING else usual


def _less(seconds: float | None, since: datetime | None, now: datetime) -> float | None:
    """What is left of a time that has been running since then."""
    if seconds is None or since is None:
        return seconds
    return max(0.0, seconds - max(0.0, (now - since).total_seconds()))


def statistics_of(runs: Sequence[StageRun]) -> StageStatistics:
    """What these runs of one stage have in common."""
    attempts = [seconds for run in runs if run.state is not StageState.SKIPPED for seconds in run.attempt_seconds]
    waits = [run.waited_seconds for run in runs if run.waited_seconds is not None]
    decisions = [run.decision for run in runs if run.decision is not None]
    verbs = Counter(decision.verb for decision in decisions)
    return StageStatistics(
        runs=len(runs),
        attempts=sum(len(run.attempt_seconds) for run in runs),
        retries=sum(len(run.attempt_seconds) - 1 for run in runs),
        failures=sum(run.state is StageState.FAILED for run in runs),
        skips=sum(run.state is StageState.SKIPPED for run in runs),
        p50_seconds=quantile(attempts, 0.5),
        p90_seconds=quantile(attempts, 0.9),
        p95_seconds=quantile(attempts, 0.95),
        reviews=len(decisions),
        approvals=sum(count for verb, count in verbs.items() if verb != "reject"),
        rejections=verbs["reject"],
        changes_requested=sum(run.changes_requested for run in runs),
        review_p50_seconds=quantile(waits, 0.5),
        review_p90_seconds=quantile(waits, 0.9),
        reviewers=dict(Counter(decision.by for decision in decisions if decision.by).most_common()),
    )


class RunCache:
    """The runs of each workflow, read from the store again when they are no longer fresh."""

    def __init__(self, store: Any, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._kept: dict[str, tuple[datetime, Runs]] = {}

    async def runs(self, workflow: str) -> Runs:
        """By stage name. As long as a stage has none, they are read every time: the first run makes a difference."""
        now = self._clock.now()
        kept = self._kept.get(workflow)
        if kept is not None and 0 <= (now - kept[0]).total_seconds() < FRESH_SECONDS:
            return kept[1]
        runs: Runs = await self._store.stage_runs(workflow)
        if runs and all(runs.values()):
            self._kept[workflow] = (now, runs)
        return runs
