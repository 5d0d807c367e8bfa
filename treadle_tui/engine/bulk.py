"""What a person does to one item or to thousands: one call, one transaction, an answer per item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from treadle_tui.engine.store.verbs import bulk

if TYPE_CHECKING:
    from treadle_tui.engine.engine import Engine
    from treadle_tui.engine.store.unit import Unit


class Deed(str, Enum):
    """What is done to an item."""

    #: What has failed or was called off runs again: the stage or subtask that is named, else every one of the item.
    RETRY = "retry"
    #: Nothing new starts.
    PAUSE = "pause"
    #: It goes on.
    RESUME = "resume"
    #: What has not ended is called off.
    CANCEL = "cancel"
    #: It is removed with everything about it.
    DELETE = "delete"
    #: The stage that is named, and all behind it, run again.
    RERUN = "rerun"


class Target(NamedTuple):
    """What it is done to."""

    item_id: str
    stage: str | None = None
    subtask: str | None = None


async def carry_out(engine: Engine, deed: Deed, targets: Sequence[Target], by: str = "") -> list[bool | Exception]:
    """Do it to all of them in one transaction. Of each: whether there was anything to do, or why it could not be done."""
    verbs: list[Callable[[Unit], bulk.Done]] = [partial(bulk.do, deed=deed.value, target=target, by=by) for target in targets]
    results = await engine._store.each_in_one(verbs, engine._now())
    engine._dispatcher.call_off([lease for result in results if isinstance(result, bulk.Done) for lease in result.leases])
    engine._dispatcher.wake()
    return [result.is_done if isinstance(result, bulk.Done) else result for result in results]
