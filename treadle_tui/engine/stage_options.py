"""The options of a stage, checked one by one; a refusal names the stage, the option, and what it must be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from treadle_tui.engine.errors import InvalidDefinition
from treadle_tui.engine.functions import UserFunction
from treadle_tui.engine.items import has_control_characters
from treadle_tui.engine.limits import check_concurrency
from treadle_tui.engine.quality import Gate, as_gate
from treadle_tui.engine.retry import RetryBudget
from treadle_tui.engine.review import ReviewPolicy
from treadle_tui.engine.stage_definition import SKIP_NAMES

RESERVED_NAMES = ("item", "ctx", "subtask", "output", "results")
"""Names with a meaning as parameters, so no stage may have them."""
MAX_NAME_LENGTH = 200
"""Characters; a name is a column of a board and a line of a log."""


def check_name(name: Any, what: str) -> str:
    """The name, when a stage or an included workflow may have it. Raises: `InvalidDefinition`."""
    if not isinstance(name, str):
        raise InvalidDefinition(f"{what} name={name!r} must be a text")
    if not name.strip():
        raise InvalidDefinition(f"{what} name={name!r} must not be empty")
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidDefinition(f"{what} name {name[:40]!r}… has {len(name)} characters; at most {MAX_NAME_LENGTH} are allowed")
    if has_control_characters(name):
        raise InvalidDefinition(f"{what} name={name!r} must not contain control characters or line breaks")
    return name


def check_stage_name(name: Any, what: str = "stage") -> str:
    """As `check_name`, without the names that mean something else."""
    check_name(name, what)
    if name in RESERVED_NAMES:
        raise InvalidDefinition(f"{what} name={name!r} is reserved for a parameter; reserved are {', '.join(RESERVED_NAMES)}")
    if "/" in name:
        raise InvalidDefinition(f"{what} name={name!r} must not contain '/', which separates the stages of an included workflow")
    return str(name)


def checked_retry(value: Any, where: str) -> RetryBudget:
    """The budget; the default one for None."""
    if value is None:
        return RetryBudget()
    if not isinstance(value, RetryBudget):
        raise InvalidDefinition(f"{where}: retry={value!r} must be a RetryBudget, such as RetryBudget(max_attempts=3)")
    return value


def checked_review(value: Any, where: str, *, has_gates: bool = False) -> ReviewPolicy:
    """The policy; for None NEVER, or ON_UNCERTAIN for a stage with a gate."""
    if value is None:
        return ReviewPolicy.ON_UNCERTAIN if has_gates else ReviewPolicy.NEVER
    if not isinstance(value, ReviewPolicy):
        raise InvalidDefinition(f"{where}: review={value!r} must be a ReviewPolicy, such as ReviewPolicy.ALWAYS")
    return value


def checked_gates(value: Any, where: str, namespace: Mapping[str, Any]) -> tuple[Gate, ...]:
    """The gates, from one or several; none for None."""
    if value is None:
        return ()
    candidates = list(value) if isinstance(value, (list, tuple)) else [value]
    try:
        return tuple(as_gate(candidate, namespace) for candidate in candidates)
    except InvalidDefinition as error:
        raise InvalidDefinition(f"{where}: {error}") from error


def checked_concurrency(value: Any, where: str) -> int | None:
    """A whole number, 1 or more, or None."""
    if value is None:
        return None
    check_concurrency(value, where)
    return int(value)


def checked_skip_if(value: Any, where: str, namespace: Mapping[str, Any]) -> UserFunction | None:
    """The condition as a function of `item`, `ctx` and upstream outputs."""
    if value is None:
        return None
    try:
        return UserFunction(value, allowed=SKIP_NAMES, namespace=namespace)
    except InvalidDefinition as error:
        raise InvalidDefinition(f"{where}: skip_if: {error}") from error


def checked_texts(value: Any, option: str, where: str) -> tuple[str, ...]:
    """Texts that are not empty, none twice; one text stands for itself, None for none."""
    if value is None:
        return ()
    texts: list[Any] = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else [None]
    if not all(isinstance(text, str) and text for text in texts):
        raise InvalidDefinition(f"{where}: {option}={value!r} must be a list of texts that are not empty")
    return tuple(dict.fromkeys(texts))


def checked_isolation(value: Any, where: str) -> Literal["process"] | None:
    """ "process", or None."""
    if value not in (None, "process"):
        raise InvalidDefinition(f"{where}: isolation={value!r} is unknown; the only one is 'process'")
    return None if value is None else "process"
