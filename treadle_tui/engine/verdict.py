"""What a quality gate can answer: accepted, rejected with feedback, or uncertain. Asking one is `quality`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treadle_tui.engine.feedback import Feedback
from treadle_tui.engine.record import Record, keep_text, refuse_changes


class Verdict(Record, frozen=True):
    """The base of the three answers."""


class Accepted(Verdict, frozen=True):
    """Good enough."""


class Rejected(Verdict, frozen=True):
    """Not good enough; the feedback goes to the next attempt."""

    feedback: Feedback
    """A text stands for feedback with that summary."""

    if TYPE_CHECKING:

        def __init__(self, feedback: Feedback | str) -> None: ...

    def __post_init__(self) -> None:
        """Raises TypeError for what is neither feedback nor a text."""
        given: Any = self.feedback
        if isinstance(given, str):
            msgspec.structs.force_setattr(self, "feedback", Feedback(given))
        elif not isinstance(given, Feedback):
            raise TypeError(f"Rejected takes a Feedback, or a text; it was given {given!r}")


class Uncertain(Verdict, frozen=True):
    """The gate cannot tell."""

    reason: str = ""

    def __post_init__(self) -> None:
        keep_text(self, "reason")


refuse_changes(Verdict)
