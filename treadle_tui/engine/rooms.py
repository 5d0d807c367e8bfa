"""How much an engine takes on: in all, per stage, per tag; and how many starts a second per tag."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from treadle_tui.engine.record import Record
from treadle_tui.engine.store.results import StageRoom


class StageLimit(Record, frozen=True):
    """One stage's part in the limits, by its number."""

    stage: int
    concurrency: int | None
    tags: Sequence[str] = ()


class Rate:
    """At most so many starts in any window: `rate` a second, counted over a second or over the time of one start if that is longer."""

    def __init__(self, rate: float) -> None:
        self.starts = max(1, int(rate))
        self.window_ms = self.starts / rate * 1000
        self._recent: deque[int] = deque()

    def room(self, now: int) -> int:
        """Starts allowed at this moment, in milliseconds by the engine's clock."""
        if self._recent and self._recent[-1] > now:  # the clock was set back: none of them lies in the future
            self._recent = deque(min(start, now) for start in self._recent)
        while self._recent and self._recent[0] + self.window_ms <= now:
            self._recent.popleft()
        return self.starts - len(self._recent)

    def started(self, now: int) -> None:
        """Count a start."""
        self._recent.append(now)

    def take_back(self, at: int) -> None:
        """A start counted at that moment has not come to be; others that were counted since have."""
        with suppress(ValueError):  # its window is over, or the clock was set back meanwhile
            self._recent.remove(at)

    def next_room(self, now: int) -> int:
        """When the next start is allowed, in milliseconds."""
        if self.room(now) > 0 or not self._recent:
            return now
        return int(self._recent[0] + self.window_ms) + 1


class Limits:
    """What is running in one engine, and how much more it may claim."""

    def __init__(self, concurrency: int, stages: Iterable[StageLimit], tags: Mapping[str, tuple[int | None, float | None]]) -> None:
        """`tags`: tag → (concurrency, starts a second), None for no limit."""
        self.concurrency = concurrency
        self.stages: dict[int, StageLimit] = {}
        self._tag_concurrency: dict[str, int] = {}
        self._rates: dict[str, Rate] = {}
        self._running: dict[int, int] = {}
        self._running_tags: Counter[str] = Counter()
        self.total = 0
        """Attempts running in this engine."""
        self.add(stages, tags)

    def add(self, stages: Iterable[StageLimit], tags: Mapping[str, tuple[int | None, float | None]]) -> None:
        """Keep to these as well; what runs stays counted."""
        self.stages |= {stage.stage: stage for stage in stages}
        self._running |= {stage: 0 for stage in self.stages if stage not in self._running}
        self._tag_concurrency |= {tag: limit for tag, (limit, _) in tags.items() if limit is not None}
        self._rates |= {tag: Rate(rate) for tag, (_, rate) in tags.items() if rate is not None}

    @property
    def room(self) -> int:
        """How many more attempts may run."""
        return self.concurrency - self.total

    def started(self, stage: int, now: int) -> None:
        """An attempt of the stage was claimed."""
        self.total += 1
        self._running[stage] += 1
        self._count_tags(stage, now)

    def _count_tags(self, stage: int, now: int) -> None:
        for tag in self.stages[stage].tags:
            self._running_tags[tag] += 1
            if tag in self._rates:
                self._rates[tag].started(now)

    def take_room(self, stage: int, now: int) -> bool:
        """Count a start of the stage if there is room for one."""
        limit = self.stages.get(stage)
        if limit is None or self.total >= self.concurrency:
            return False
        if limit.concurrency is not None and self._running[stage] >= limit.concurrency:
            return False
        for tag in limit.tags:
            if self._running_tags[tag] >= self._tag_concurrency.get(tag, self.concurrency):
                return False
            if tag in self._rates and self._rates[tag].room(now) <= 0:
                return False
        self.total += 1
        self._running[stage] += 1
        if limit.tags:
            self._count_tags(stage, now)
        return True

    def give_back(self, stage: int, at: int) -> None:
        """A start that was counted at that moment has not come to be."""
        self.ended(stage)
        for tag in self.stages[stage].tags:
            if tag in self._rates:
                self._rates[tag].take_back(at)

    def ended(self, stage: int) -> None:
        """An attempt of the stage has ended."""
        self.total -= 1
        self._running[stage] -= 1
        for tag in self.stages[stage].tags:
            self._running_tags[tag] -= 1

    def stage_rooms(self) -> list[StageRoom]:
        """Every stage that can take on more."""
        rooms = []
        for stage in self.stages.values():
            room = self.room if stage.concurrency is None else stage.concurrency - self._running[stage.stage]
            if room > 0:
                rooms.append(StageRoom(stage=stage.stage, room=room, tags=stage.tags))
        return rooms

    def tag_rooms(self, now: int) -> dict[str, int]:
        """How many more attempts of each limited tag may start at this moment."""
        rooms = {tag: limit - self._running_tags[tag] for tag, limit in self._tag_concurrency.items()}
        for tag, rate in self._rates.items():
            rooms[tag] = min(rooms.get(tag, rate.starts), rate.room(now))
        return rooms

    def next_rate_room(self, now: int) -> int | None:
        """When a tag that has used up its rate may start again, in milliseconds; None when no tag has."""
        used_up = [rate.next_room(now) for rate in self._rates.values() if rate.room(now) <= 0]
        return min(used_up, default=None)
