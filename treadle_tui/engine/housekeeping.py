"""Applies what a database is to keep: a little at a time, when there is nothing better to do, and never more than the rest can bear.

Ages are by the engine's clock; how fast it goes is by real time. Nothing is written when there is nothing to drop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import msgspec

from treadle_tui.engine.errors import StoreCorrupt, StoreError
from treadle_tui.engine.retention import Retention, Tidied
from treadle_tui.engine.store.retention_verbs import RetentionVerbs
from treadle_tui.engine.store.verbs.retaining import Progress

log = logging.getLogger("treadle.engine")

LOOK_SECONDS = 30.0
"""Between two looks while an engine runs, in real time."""
SWEEP_MS = 3600 * 1000
"""Between two sweeps over all items of a workflow, by the engine's clock."""
BUSY_REST = 9
"""While stages run, a batch is followed by a rest of so many times its length: a tenth of the writer's time, at most."""
SPARE_PAGES = 1024
"""Free pages a file keeps for what comes next (4 MiB); it is made smaller once a quarter of its size is free besides."""


class _Course(msgspec.Struct):
    """Where the housekeeping of one workflow stands."""

    policy: Retention
    searched: int = 0
    """No event up to there is left to be dropped."""
    next_sweep: int = 0
    """Milliseconds by the engine's clock."""


class Housekeeper:
    """Keeps one store for one engine."""

    def __init__(self, store: RetentionVerbs, now: Callable[[], int], is_busy: Callable[[], bool]) -> None:
        self._store = store
        self._now = now
        self._is_busy = is_busy
        self._courses: dict[int, _Course] = {}

    async def run(self) -> None:
        """Tidy up now and then, until cancelled. A store that refuses is asked again later."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.tidy()
            except StoreCorrupt:
                raise
            except StoreError as error:
                log.info("housekeeping is put off: %s", error)

    async def tidy(self, *, at_once: bool = False) -> Tidied:
        """Drop what is due to be dropped now. `at_once`: look at every item, though that was done not long ago."""
        total = Tidied()
        policies = await self._store.policies_by_number()
        for workflow, policy in policies.items():
            course = self._course(workflow, policy)
            keep_from = await self._store.keep_from(workflow, policy)
            if policy.events_days is not None or policy.events_count is not None:
                total += await self._drop_events(workflow, course, keep_from.event)
            if _looks_at_items(policy) and (at_once or self._now() >= course.next_sweep):
                total += await self._batches(
                    0,
                    lambda after, workflow=workflow, policy=policy, keep=keep_from: self._store.tidy_items(  # type: ignore[misc]
                        workflow, policy, after, keep, self._now()
                    ),
                )
                course.next_sweep = self._now() + SWEEP_MS
        if policies:
            total += await self._give_back()
        return total

    def _course(self, workflow: int, policy: Retention) -> _Course:
        course = self._courses.get(workflow)
        if course is None or course.policy != policy:
            course = self._courses[workflow] = _Course(policy)
        return course

    async def _drop_events(self, workflow: int, course: _Course, keep_from: int) -> Tidied:
        def drop(after: int) -> Awaitable[Progress]:
            return self._store.drop_events(workflow, course.policy, after, keep_from, self._now())

        def remember(reached: int) -> None:
            course.searched = reached

        return await self._batches(course.searched, drop, remember)

    async def _batches(
        self, start: int, do: Callable[[int], Awaitable[Progress]], remember: Callable[[int], None] = lambda reached: None
    ) -> Tidied:
        total, reached = Tidied(), start
        while True:
            began = time.monotonic()
            progress = await do(reached)
            total += progress.tidied
            reached = progress.reached
            remember(reached)
            if progress.is_over:
                return total
            took = time.monotonic() - began
            await asyncio.sleep(took * BUSY_REST if self._is_busy() else 0)

    async def _give_back(self) -> Tidied:
        """Let the file shrink when much of it is free; some room stays for what comes next."""
        room = await self._store.free_room()
        given = 0
        if not room.can_shrink or room.free_pages <= SPARE_PAGES + room.pages // 4:
            return Tidied()
        while room.free_pages - given > SPARE_PAGES:
            batch = await self._store.give_back()
            if not batch:
                break
            given += batch
            await asyncio.sleep(0)
        return Tidied(pages=given)


def _looks_at_items(policy: Retention) -> bool:
    return any(name.startswith(("attempts", "outputs", "items")) for name in policy.as_dict())
