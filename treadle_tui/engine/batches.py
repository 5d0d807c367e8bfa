"""Work items as they are submitted: lists of a size for one transaction, from whatever yields them."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from itertools import islice
from typing import Any

from treadle_tui.engine.errors import InvalidItem

BATCH = 500
"""Items written in one transaction."""


async def in_batches(items: Any) -> AsyncIterator[list[Any]]:
    """Lists of at most `BATCH` items, from an iterable or async iterable. Raises: `InvalidItem` for what is neither, or a text."""
    if isinstance(items, AsyncIterable):
        batch: list[Any] = []
        async for item in items:
            batch.append(item)
            if len(batch) >= BATCH:
                yield batch
                batch = []
        if batch:
            yield batch
    elif isinstance(items, (str, bytes, Mapping)) or not isinstance(items, Iterable):
        raise InvalidItem(f"items must be an iterable of work items, not {type(items).__name__}; for one item submit [item]")
    else:
        rest = iter(items)
        while batch := list(islice(rest, BATCH)):
            yield batch
