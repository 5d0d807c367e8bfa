"""Which items a list shows, and in which order: the question a store answers with its indexes.

Conditions about an item (`id`, a word, its state, priority, age) must each hold. Conditions about a stage (name, tag, state, error,
age of the state, attempts) describe *one* stage together: "stage review, state failed" is an item whose review has failed, not one
with a review and some failure. A subtask counts as its stage. A negated condition narrows that stage when others describe it;
alone, it rules out every item that has such a stage.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from treadle_tui.engine.states import ItemState, StageState

ERROR_STATES = frozenset({StageState.RETRY_WAIT, StageState.AWAITING_REVIEW, StageState.FAILED, StageState.CANCELLED})
"""The states in which an error is looked for."""


class Aspect(str, Enum):
    """What a condition is about."""

    #: Part of the id, whatever the case of its letters.
    WORD = "word"
    #: The whole id; `*` and `?` stand for anything and for one character.
    ID = "id"
    #: Where the item stands as a whole.
    IS = "is"
    #: The item's priority.
    PRIORITY = "priority"
    #: Seconds since the item was added.
    ADDED = "added"
    #: A stage's name; `*` and `?` as in ids.
    STAGE = "stage"
    #: A tag of a stage.
    TAG = "tag"
    #: A stage's state.
    STATE = "state"
    #: Part of a stage's error, whatever the case of its letters.
    ERROR = "error"
    #: Seconds since something last happened to a stage.
    AGE = "age"
    #: How often a stage was tried.
    ATTEMPTS = "attempts"

    @property
    def is_of_stage(self) -> bool:
        """Whether it describes a stage, not the item."""
        return self in _OF_STAGE


_OF_STAGE = frozenset({Aspect.STAGE, Aspect.TAG, Aspect.STATE, Aspect.ERROR, Aspect.AGE, Aspect.ATTEMPTS})


class Comparison(NamedTuple):
    """A number on one side of another."""

    operator: str
    """One of > >= < <= =."""
    number: int

    def holds(self, value: float) -> bool:
        """Whether it does for that value."""
        match self.operator:
            case ">":
                return value > self.number
            case ">=":
                return value >= self.number
            case "<":
                return value < self.number
            case "<=":
                return value <= self.number
        return value == self.number


Value = str | StageState | ItemState | Comparison


class Condition(NamedTuple):
    """One of the values must fit; none of them when it is negated."""

    aspect: Aspect
    values: tuple[Value, ...]
    is_negated: bool = False


class Order(str, Enum):
    """What a list is sorted by; items that are equal in it, by when they were added."""

    #: When an item was added.
    ADDED = "added"
    #: The id.
    ID = "id"
    #: When something last happened to an item.
    UPDATED = "updated"
    #: The priority.
    PRIORITY = "priority"
    #: The state of one stage, in the order of `READING_ORDER`.
    STAGE = "stage"


class Selection(NamedTuple):
    """The whole question."""

    workflow: str | None = None
    conditions: tuple[Condition, ...] = ()
    order: Order = Order.ADDED
    is_descending: bool = False
    stage: str = ""
    """For `Order.STAGE`."""

    @property
    def of_item(self) -> list[Condition]:
        """The conditions about the item itself."""
        return [each for each in self.conditions if not each.aspect.is_of_stage]

    def of_stage(self) -> list[tuple[bool, list[Condition]]]:
        """What stages there must be (True) and must not be (False), each as conditions that hold together."""
        about = [each for each in self.conditions if each.aspect.is_of_stage]
        if not about or any(not each.is_negated for each in about):
            return [(True, about)] if about else []
        return [(False, [each._replace(is_negated=False)]) for each in about]


def in_states(workflow: str | None, stage: str | None, states: Sequence[StageState]) -> Selection:
    """Items with a stage, the named one or any, in one of the states; every item when there are none."""
    conditions = []
    if states:
        conditions.append(Condition(Aspect.STATE, tuple(dict.fromkeys(states))))
        if stage is not None:
            conditions.append(Condition(Aspect.STAGE, (escaped_pattern(stage),)))
    return Selection(workflow, tuple(conditions))


def allowed_states(conditions: Iterable[Condition]) -> frozenset[StageState]:
    """The states a stage may be in, by all conditions about states and errors together."""
    states = set(StageState)
    for condition in conditions:
        if condition.aspect is Aspect.STATE:
            named = {value for value in condition.values if isinstance(value, StageState)}
            states = states - named if condition.is_negated else states & named
        elif condition.aspect is Aspect.ERROR and not condition.is_negated:
            states &= ERROR_STATES
    return frozenset(states)


def allows_stage(conditions: Iterable[Condition], name: str, spec: Mapping[str, Any]) -> bool:
    """Whether a stage of that name and definition fits the conditions about names and tags."""
    for condition in conditions:
        if condition.aspect is Aspect.STAGE:
            fits = any(pattern(str(value)).fullmatch(name) for value in condition.values)
        elif condition.aspect is Aspect.TAG:
            fits = not set(spec.get("tags") or ()).isdisjoint(condition.values)
        else:
            continue
        if fits is condition.is_negated:
            return False
    return True


_PIECES = re.compile(r"\\(.)|([*?])|([^\\*?]+|\\)", re.DOTALL)


def pattern(text: str) -> re.Pattern[str]:
    """`*` and `?` stand for anything and for one character; after a backslash for themselves."""
    parts = []
    for escaped, wild, plain in _PIECES.findall(text):
        parts.append({"*": ".*", "?": "."}[wild] if wild else re.escape(escaped or plain))
    return re.compile("".join(parts), re.DOTALL)


def glob(text: str) -> str:
    """The same in the language of SQL's GLOB."""
    parts = []
    for escaped, wild, plain in _PIECES.findall(text):
        parts.append(wild or re.sub(r"[*?\[]", lambda found: f"[{found[0]}]", escaped or plain))
    return "".join(parts)


def literal_start(text: str) -> tuple[str, bool]:
    """The characters a pattern begins with, and whether that is all of it."""
    start = ""
    for escaped, wild, plain in _PIECES.findall(text):
        if wild:
            return start, False
        start += escaped or plain
    return start, True


def escaped_pattern(text: str) -> str:
    """A pattern that only this very text fits."""
    return re.sub(r"[\\*?]", lambda found: f"\\{found[0]}", text)


def plain_lower(text: str) -> str:
    """Lower case of A to Z only: what a database compares by."""
    return text.translate(_LOWER)


_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
