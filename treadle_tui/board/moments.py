"""When something that was put off comes back, as a person says it: "10m", "2h", "tomorrow", "mon", "15:30"."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MORNING = 9
#: What is offered under the digits: a word and what it says.
OFFERS = (("10m", "in ten minutes"), ("1h", "in an hour"), ("tomorrow", "tomorrow at nine"), ("mon", "Monday at nine"))


class NoMoment(ValueError):
    """A text that says no moment."""


def moment_of(text: str, now: datetime) -> datetime:
    """The moment a text says, in the local time of `now`.

    Raises: `NoMoment` with what would be one.
    """
    words = text.strip().lower()
    local = now.astimezone()
    span = re.fullmatch(r"(?:in )?(\d+(?:\.\d+)?) ?([a-z]+)", words)
    if span and span[2] in _UNITS:
        seconds = float(span[1]) * _UNITS[span[2]]
        if seconds <= 366 * 86400:
            return now + timedelta(seconds=seconds)
    clock = re.fullmatch(r"(\d{1,2}):(\d{2})", words)
    if clock and int(clock[1]) < 24 and int(clock[2]) < 60:
        found = local.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        return found if found > local else found + timedelta(days=1)
    morning = local.replace(hour=_MORNING, minute=0, second=0, microsecond=0)
    if words in ("tomorrow", "tom"):
        return morning + timedelta(days=1)
    days = [place for place, day in enumerate(_DAYS) if len(words) >= 2 and day.startswith(words)]
    if len(days) == 1:
        return morning + timedelta(days=(days[0] - local.weekday() - 1) % 7 + 1)
    raise NoMoment(f"{text.strip()!r} says no moment; say for example 10m, 2h, tomorrow, mon or 15:30")
