"""Where the folding of an item's events begins, when retention has dropped the first of them: what those told together.

An item has a baseline as soon as one of its events has been dropped. It is an `ItemFold`, kept in a few bytes: numbers of stages and
states, times as differences.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from treadle_tui.engine.record import Record
from treadle_tui.engine.states import ItemState, StageState
from treadle_tui.engine.store.item_fold import ItemFold, Standing
from treadle_tui.engine.store.rows import STATE_NUMBER, STATES

_ITEM_STATES = tuple(ItemState)
_FORMAT = 1


class BaselineRow(NamedTuple):
    """The baseline of one item, as it is kept."""

    item: int
    seq: int
    """The last event that was folded into it."""
    dropped: int
    """How many events that were."""
    fold: bytes


class ItemBaseline(Record, frozen=True):
    """The baseline of one item, for who folds events."""

    item_id: str
    workflow: str
    seq: int
    stages: dict[str, StageState] = msgspec.field(default_factory=dict)
    """Of the stages something had happened to."""
    subtasks: dict[str, dict[str, StageState]] = msgspec.field(default_factory=dict)
    untouched: StageState = StageState.PENDING
    """The state of the other stages."""


def packed(fold: ItemFold) -> bytes:
    """The fold in a few bytes."""
    standings = [*fold.stages.values(), *(each for named in fold.subtasks.values() for each in named.values())]
    base = max((each.at for each in standings if each.at is not None), default=0)
    parts: list[Any] = [
        _FORMAT,
        _ITEM_STATES.index(fold.state),
        STATE_NUMBER[fold.untouched],
        base,
        [number for stage, standing in fold.stages.items() for number in (stage, *_numbers(standing, base))],
    ]
    if fold.subtasks:
        parts.append({stage: [[name, *_numbers(each, base)] for name, each in named.items()] for stage, named in fold.subtasks.items()})
    return msgspec.msgpack.encode(parts)


def _numbers(standing: Standing, base: int) -> tuple[int, int, int | None]:
    return STATE_NUMBER[standing.state], standing.attempt, None if standing.at is None else base - standing.at


def unpacked(stored: bytes) -> ItemFold:
    """The fold again."""
    _, state, untouched, base, numbers, *rest = msgspec.msgpack.decode(stored, strict=False)
    fold = ItemFold()
    fold.state = _ITEM_STATES[state]
    fold.untouched = STATES[untouched]
    for place in range(0, len(numbers), 4):
        fold.stages[numbers[place]] = _standing(base, *numbers[place + 1 : place + 4])
    for stage, named in rest[0].items() if rest else ():
        fold.subtasks[int(stage)] = {name: _standing(base, *numbers) for name, *numbers in named}
    return fold


def _standing(base: int, state: int, attempt: int, before: int | None) -> Standing:
    return Standing(STATES[state], attempt, None if before is None else base - before)
