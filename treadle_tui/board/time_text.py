"""Moments and spans as a person reads them on a screen."""

from __future__ import annotations

from datetime import datetime

from treadle_tui.engine.status import duration_words

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def age(since: datetime | None, now: datetime) -> str:
    """How long ago, in at most four cells: "now", "14s", "14m", "3h", "12d"; empty for an unknown moment."""
    if since is None:
        return ""
    seconds = int((now - since).total_seconds())
    if seconds < 1:
        return "now"
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def clock_time(moment: datetime | None, now: datetime) -> str:
    """The local time; with the date when it was another day; empty for an unknown moment."""
    if moment is None:
        return ""
    local, today = moment.astimezone(), now.astimezone()
    if local.date() == today.date():
        return local.strftime("%H:%M:%S")
    if local.year == today.year:
        return local.strftime("%d %b %H:%M")
    return local.strftime("%d %b %Y")


def took(start: datetime | None, end: datetime | None) -> str:
    """The span between two moments, "40 ms", "4.0 s"; empty when one is unknown."""
    if start is None or end is None:
        return ""
    seconds = max(0.0, (end - start).total_seconds())
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else duration_words(seconds)


def short_span(start: datetime | None, end: datetime | None) -> str:
    """The span between two moments in at most five cells: "40ms", "4.0s", "14m", "3h", "12d"; empty when one is unknown."""
    if start is None or end is None:
        return ""
    seconds = max(0.0, (end - start).total_seconds())
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 10:
        return f"{seconds:.1f}s"
    return next(
        (f"{int(seconds) // size}{unit}" for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")) if seconds >= size),
        f"{seconds:.0f}s",
    )
