"""Events in a list, up to the one a test waits for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable
from typing import Any

Until = type[Any] | Callable[[Any], bool] | int | None


async def collect_events(source: AsyncIterable[Any], until: Until = None, timeout: float = 10.0) -> list[Any]:
    """The events of a source, in order, up to and with the one that ends the collection.

    `until`: an event class (its first event is the last), a predicate of an event, a number of events, or None for a source that
    ends by itself. `source` is what `workflow.subscribe()`, `engine.events()` or `store.events()` gave; it is let go afterwards.

    Raises AssertionError, naming what came, when the source ends before, or after `timeout` seconds of real time.
    """
    collected: list[Any] = []
    iterator = aiter(source)
    try:
        async with asyncio.timeout(timeout):
            while not _is_enough(collected, until):
                collected.append(await anext(iterator))
    except StopAsyncIteration:
        if until is not None:
            raise AssertionError(f"the events ended before {_words(until)} came; {_told(collected)}") from None
    except TimeoutError:
        raise AssertionError(f"{_words(until)} did not come within {timeout:g} seconds; {_told(collected)}") from None
    finally:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            await close()
    return collected


def _is_enough(collected: list[Any], until: Until) -> bool:
    if until is None:
        return False
    if isinstance(until, int):
        return len(collected) >= until
    if not collected:
        return False
    return isinstance(collected[-1], until) if isinstance(until, type) else until(collected[-1])


def _words(until: Until) -> str:
    if until is None:
        return "the end"
    if isinstance(until, type):
        return until.__name__
    return f"{until} events" if isinstance(until, int) else "the event that was waited for"


def _told(collected: list[Any]) -> str:
    names = [type(event).__name__ for event in collected]
    return f"{len(names)} came: {', '.join(names)}" if names else "none came"
