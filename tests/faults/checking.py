"""What must be true of a file after all that was done to it, against what the processes wrote down meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.faults.journal import Journal
from tests.faults.program import EFFECTIVE, PARTS
from treadle_tui.engine import Engine, SqliteStateStore, StageState
from treadle_tui.engine import events as ev
from treadle_tui.engine.testing import disagreements

Place = tuple[str, str, str | None]
"""Item, stage, subtask."""


@dataclass
class Findings:
    """Figures of one file, or of many together."""

    items: int = 0
    attempts: int = 0
    recovered: int = 0
    decisions: int = 0
    conflicts: int = 0
    effects: int = 0
    events: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)
    integrity: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    """Crashes of processes, and what they should not have had to say."""

    @property
    def violations(self) -> list[str]:
        """Everything that must not be."""
        kinds = ("lost", "doubled", "disagreements", "integrity", "words")
        return [f"{kind}: {each}" for kind in kinds for each in getattr(self, kind)]

    def __iadd__(self, other: Findings) -> Findings:
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


ALWAYS_EXPECTED_WORDS = ("clock was set back",)
EXPECTED_WORDS = ("came too late", "taken for dead", "nobody waits for any more")
"""What an engine may say when it was stopped past its lease."""


async def check(path: Path, journal: Journal, *, is_finished: bool, may_overlap: bool = False, may_say: tuple[str, ...] = ()) -> Findings:
    """Everything that is wrong with the file. `is_finished`: all of it has come to its end. `may_overlap`: processes were asleep."""
    found = Findings()
    facts = list(journal.facts())
    with contextlib.closing(sqlite3.connect(path)) as connection:
        answers = [answer for (answer,) in connection.execute("PRAGMA integrity_check").fetchall()]
        found.integrity += [answer for answer in answers if answer != "ok"]
        effects = Counter((row[0], row[1], row[2]) for row in connection.execute("SELECT item, stage, subtask FROM effects"))
    async with SqliteStateStore.open(path) as store:
        found.disagreements += await disagreements(store)
        told = [event async for event in store.events()]
        statuses = {id: await store.get_all_statuses(id) for id in await store.list_items()}
    found.items, found.events, found.effects = len(statuses), len(told), effects.total()
    _check_effects(found, statuses, effects)
    _check_events(found, told)
    _check_begins(found, told, facts)
    _check_what_was_promised(found, told, statuses, facts)
    if not may_overlap:
        _check_overlaps(found, facts)
    if is_finished:
        _check_ends(found, statuses)
    _check_words(found, facts, (*ALWAYS_EXPECTED_WORDS, *may_say, *(EXPECTED_WORDS if may_overlap else ())))
    return found


def _check_effects(found: Findings, statuses: dict[str, Any], effects: Counter[Place]) -> None:
    """One effect for what is completed, none for what is not."""
    wanted: Counter[Place] = Counter()
    for id, stages in statuses.items():
        for stage, status in stages.items():
            if stage in EFFECTIVE and status.state is StageState.COMPLETED:
                wanted[id, stage, None] = 1
            for subtask in status.subtasks:
                if subtask.state is StageState.COMPLETED:
                    wanted[id, stage, subtask.name] = 1
    found.lost += [f"the effect of {place}" for place in wanted - effects]
    found.doubled += [f"the effect of {place}" for place in effects - wanted]


def _place(event: Any) -> Place:
    return event.item_id, event.stage, event.subtask


def _check_events(found: Findings, told: list[Any]) -> None:
    """What is completed is told once, and never begun again."""
    done: set[Place] = set()
    for event in told:
        if isinstance(event, (ev.StageStarted, ev.SubTaskStarted)):
            found.attempts += 1
            if _place(event) in done:
                found.doubled.append(f"{_place(event)} was begun again after its end (event {event.seq})")
        elif isinstance(event, (ev.StageCompleted, ev.SubTaskCompleted)):
            if _place(event) in done:
                found.doubled.append(f"{_place(event)} was told twice to be completed (event {event.seq})")
            done.add(_place(event))
        elif isinstance(event, ev.StageRecovered):
            found.recovered += 1
    sequence = [event.seq for event in told]
    found.disagreements += [] if sequence == list(range(1, len(told) + 1)) else ["the events are not numbered without gaps"]


def _check_begins(found: Findings, told: list[Any], facts: list[dict[str, Any]]) -> None:
    """Code is called no more often than the file says it was begun."""
    starts: Counter[Any] = Counter()
    for event in told:
        if isinstance(event, (ev.StageStarted, ev.SubTaskStarted)):
            starts[(*_place(event), event.attempt)] += 1
    begins = Counter((fact["item"], fact["stage"], fact["subtask"], fact["attempt"]) for fact in facts if fact["what"] == "begin")
    found.doubled += [f"{place} was called {begins[place]} times, begun {starts[place]} times" for place in begins - starts]
    keys: defaultdict[Any, set[str]] = defaultdict(set)
    for fact in facts:
        if fact["what"] == "begin":
            keys[fact["item"], fact["stage"], fact["subtask"], fact["attempt"]].add(fact["key"])
    found.doubled += [f"{place} was called with the keys {sorted(known)}" for place, known in keys.items() if len(known) > 1]


def _check_what_was_promised(found: Findings, told: list[Any], statuses: dict[str, Any], facts: list[dict[str, Any]]) -> None:
    """What a call has returned from, and what was told after a commit, is in the file; each decision has one winner."""
    by_seq = {event.seq: event for event in told}
    decided: Counter[tuple[str, int]] = Counter()
    for fact in facts:
        if fact["what"] == "submitted" and fact["item"] not in statuses:
            found.lost.append(f"item {fact['item']}, which was added")
        elif fact["what"] == "heard":
            event = by_seq.get(fact["seq"])
            if event is None or (type(event).__name__, event.item_id) != (fact["kind"], fact["item"]):
                found.lost.append(f"event {fact['seq']} ({fact['kind']} of {fact['item']}), which was told")
        elif fact["what"] == "decided":
            decided[fact["item"], fact["version"]] += 1
        elif fact["what"] == "too late":
            found.conflicts += 1
    found.decisions = decided.total()
    found.doubled += [f"the decision on {review} has {count} winners" for review, count in decided.items() if count > 1]
    recorded = Counter(event.item_id for event in told if isinstance(event, ev.ReviewResolved))
    promised = Counter(item for item, _ in decided)
    found.lost += [f"{count} decisions on {item}" for item, count in (promised - recorded).items()]


def _check_overlaps(found: Findings, facts: list[dict[str, Any]]) -> None:
    """No stage runs in two processes at once: a run ends with its last line, or with its process.

    Or when its process is asked to stop: a thread cannot be interrupted, and what it does is handed back while it goes on.
    """
    deaths = {fact["whom"]: fact["ns"] for fact in reversed(facts) if fact["what"] in ("killed", "asked to stop")}
    open_runs: dict[tuple[Any, ...], dict[str, Any]] = {}
    runs: defaultdict[Place, list[tuple[int, int, int]]] = defaultdict(list)
    last = max((fact["ns"] for fact in facts), default=0)
    for fact in facts:
        if fact["what"] == "begin":
            open_runs[fact["pid"], fact["item"], fact["stage"], fact["subtask"]] = fact
        elif fact["what"] == "end":
            begun = open_runs.pop((fact["pid"], fact["item"], fact["stage"], fact["subtask"]), None)
            if begun is not None:
                ended = min(fact["ns"], deaths.get(fact["pid"], fact["ns"]))
                runs[fact["item"], fact["stage"], fact["subtask"]].append((begun["ns"], ended, fact["pid"]))
    for (pid, item, stage, subtask), begun in open_runs.items():
        runs[item, stage, subtask].append((begun["ns"], deaths.get(pid, last), pid))
    for place, times in runs.items():
        times.sort()
        for (_, ended, one), (began, _, other) in pairwise(times):
            if began < ended and one != other:
                found.doubled.append(f"{place} ran in process {other} {(ended - began) / 1e6:.1f} ms before it had ended in {one}")


def _check_ends(found: Findings, statuses: dict[str, Any]) -> None:
    for id, stages in statuses.items():
        ends = {stage: status.state.value for stage, status in stages.items()}
        if set(ends.values()) != {"completed"} or len(stages["parts"].subtasks) != len(PARTS):
            found.lost.append(f"item {id} has not come to its end: {ends}")


def _check_words(found: Findings, facts: list[dict[str, Any]], may_say: tuple[str, ...]) -> None:
    for fact in facts:
        words = str(fact.get("words", ""))
        if fact["what"] == "crash" or "database is locked" in words:
            found.words.append(words)
        elif fact["what"] == "log" and not any(expected in words for expected in may_say):
            found.words.append(f"{fact['level']} {words}")


async def retry_what_was_interrupted_thrice(path: Path) -> int:
    """An engine gives up on what has taken it down three times in a row; here that was us, so it is asked to try again."""
    async with SqliteStateStore.open(path) as store, Engine(store, []) as engine:
        again = 0
        for id in await store.list_items():
            for stage, status in (await store.get_all_statuses(id)).items():
                failed = [subtask.name for subtask in status.subtasks if subtask.state is StageState.FAILED]
                for name in failed:
                    await engine.retry_stage(id, stage, subtask=name)
                if status.state is StageState.FAILED and not failed:  # perhaps when its subtasks were through, at their join
                    await engine.retry_stage(id, stage)
                again += len(failed) or status.state is StageState.FAILED
        return again


def checked(path: Path, journal: Journal, **options: Any) -> Findings:
    """`check`, for callers without an event loop."""
    return asyncio.run(check(path, journal, **options))
