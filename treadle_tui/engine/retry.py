"""How often a stage may try, and how long it waits in between."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal

import msgspec

from treadle_tui.engine.errors import InvalidDefinition, nearest
from treadle_tui.engine.record import Record, refuse_changes

RetryOn = type[BaseException] | Collection[type[BaseException]] | Callable[[BaseException], bool]


class RetryBudget(Record, frozen=True):
    """Attempts and pauses of a stage. Seconds everywhere; `max_attempts` counts the first."""

    max_attempts: int = 1
    delay: float = 0.0
    """Seconds before the second attempt."""
    backoff: float = 1.0
    """Factor from one delay to the next."""
    max_delay: float | None = None
    """Cap of a delay, before jitter."""
    jitter: float = 0.0
    """Multiplies a delay by 1 ± jitter, at random."""
    attempt_timeout: float | None = None
    """Covers the stage and its gates, not the subtasks of a fan-out, which have their own."""
    retry_on: RetryOn | None = None
    """Exception types, or a predicate of the exception: which failures are worth another attempt. None: all."""
    on_exhausted: Literal["fail", "escalate"] = "fail"

    def __post_init__(self) -> None:
        def refuse(field: str, rule: str) -> None:
            raise InvalidDefinition(f"retry budget: {field}={getattr(self, field)!r} must be {rule}")

        if isinstance(self.max_attempts, bool) or not isinstance(self.max_attempts, int) or self.max_attempts < 1:
            refuse("max_attempts", "a whole number, 1 or more")
        for field in ("delay", "backoff", "jitter"):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
                refuse(field, "a number")
        if self.delay < 0:
            refuse("delay", "0 seconds or more")
        if self.backoff < 1:
            refuse("backoff", "1 or more")
        if not 0 <= self.jitter <= 1:
            refuse("jitter", "between 0 and 1")
        for field in ("max_delay", "attempt_timeout"):
            value = getattr(self, field)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value != value):
                refuse(field, "a number of seconds")
        if self.max_delay is not None and self.max_delay < 0:
            refuse("max_delay", "0 seconds or more")
        if self.attempt_timeout is not None and not self.attempt_timeout > 0:
            refuse("attempt_timeout", "above 0 seconds")
        if self.on_exhausted not in ("fail", "escalate"):
            raise InvalidDefinition(
                f"retry budget: on_exhausted={self.on_exhausted!r} is unknown; {nearest(str(self.on_exhausted), ('fail', 'escalate'))}"
            )

        self._check_retry_on()

    def _check_retry_on(self) -> None:
        wanted = self.retry_on
        if isinstance(wanted, list | set | frozenset):
            wanted = tuple(wanted)
            msgspec.structs.force_setattr(self, "retry_on", wanted)
        types = wanted if isinstance(wanted, tuple) else (wanted,) if isinstance(wanted, type) else ()
        if any(not (isinstance(each, type) and issubclass(each, BaseException)) for each in types) or not (
            wanted is None or isinstance(wanted, tuple) or callable(wanted)
        ):
            raise InvalidDefinition(f"retry budget: retry_on={self.retry_on!r} must be exception types, or a function of the exception")

    def delay_after(self, failures: int, random_source: Callable[[], float] | None = None) -> float:
        """Seconds to wait after so many failed attempts of this budget (1 or more); jitter drawn from `random_source` in [0, 1)."""
        try:
            seconds = self.delay * self.backoff ** max(0, failures - 1)
        except OverflowError:
            seconds = float("inf")
        if self.max_delay is not None:
            seconds = min(seconds, self.max_delay)
        if self.jitter:
            seconds *= 1 + self.jitter * (2 * (random_source or _drawn)() - 1)
        return min(seconds, MAX_DELAY_SECONDS)

    def is_worth_retrying(self, error: BaseException | None) -> bool:
        """Whether a failure with this exception may be retried at all; a predicate that raises means yes."""
        if self.retry_on is None or error is None:
            return True
        if isinstance(self.retry_on, (tuple, type)):
            return isinstance(error, self.retry_on)
        try:
            return bool(self.retry_on(error))  # type: ignore[operator]
        except Exception:
            return True


def _drawn() -> float:
    import random  # brings hashing along, for the few who jitter

    return random.random()


MAX_DELAY_SECONDS = 366 * 24 * 3600.0
"""A year: longer waits are capped here, so that a runaway backoff stays a date that can be written."""


refuse_changes(RetryBudget)
