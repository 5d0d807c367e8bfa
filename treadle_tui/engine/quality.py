"""Quality gates: what judges an output before anybody builds on it.

A verdict is accepted, rejected with feedback, or uncertain. Gates compose with `&` and `|`; both sides are always asked. A gate
that raises, or answers with something that is no verdict, is uncertain, never accepted.
"""

from __future__ import annotations

from dataclasses import dataclass

from treadle_tui.engine.feedback import Feedback


@dataclass(frozen=True, slots=True)
class Verdict:
    """The base of the three answers."""


@dataclass(frozen=True, slots=True)
class Accepted(Verdict):
    """Good enough."""


@dataclass(frozen=True, slots=True)
class Rejected(Verdict):
    """Not good enough; the feedback goes to the next attempt."""

    feedback: Feedback


@dataclass(frozen=True, slots=True)
class Uncertain(Verdict):
    """The gate cannot tell."""

    reason: str = ""
