"""What a person is shown, what they may answer, and when they are asked.

Treadle v1 keeps `ReviewData` only in an event and knows approve and reject; here the data is stored with the stage
and there are five answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal

from treadle_tui.engine.errors import InvalidDefinition, nearest
from treadle_tui.engine.feedback import Feedback
from treadle_tui.engine.record import Record, keep_text, refuse_changes

FieldKind = Literal["text", "number", "bool", "choice"]
When = Literal["never", "always", "on_escalation", "on_uncertain", "on_escalation_or_uncertain", "sample"]
OnExpiry = Literal["remind", "approve", "reject", "escalate"]

FIELD_KINDS = ("text", "number", "bool", "choice")
WHENS = ("never", "always", "on_escalation", "on_uncertain", "on_escalation_or_uncertain", "sample")
ON_EXPIRIES = ("remind", "approve", "reject", "escalate")


class ReviewField(Record, frozen=True):
    """One question of the small form a review may carry."""

    name: str
    kind: FieldKind = "text"
    label: str | None = None
    choices: Sequence[str] | None = None
    """For kind "choice": what may be answered."""
    default: Any = None
    required: bool = False

    def __post_init__(self) -> None:
        if self.kind not in FIELD_KINDS:
            raise InvalidDefinition(f"review field {self.name!r}: kind {self.kind!r} is unknown; {nearest(str(self.kind), FIELD_KINDS)}")
        if self.kind == "choice" and not self.choices:
            raise InvalidDefinition(f"review field {self.name!r}: kind 'choice' needs `choices`, at least one")


class ReviewData(Record, frozen=True):
    """What a stage tells the person who must decide."""

    summary: str
    details: Any = None
    """Any JSON value."""
    fields: list[ReviewField] | None = None
    created_at: datetime | None = None
    """When the review began to wait; set by the engine when it is left out."""

    def __post_init__(self) -> None:
        keep_text(self, "summary")


class ReviewDecision(Record, frozen=True, kw_only=True):
    """A person's answer; see the five classes below."""

    by: str = ""
    """Who decided."""
    note: str | None = None
    values: dict[str, Any] | None = None
    """Answers to the review's fields, by field name."""
    at: datetime | None = None
    """When it was recorded; set by the store."""
    seconds: float | None = None
    """How long the person looked before they decided; None when nobody measured."""

    verb: ClassVar[str] = ""
    """The word under which the decision is stored and shown."""


class Approve(ReviewDecision, frozen=True, kw_only=True):
    """Good as it is."""

    verb: ClassVar[str] = "approve"


class ApproveWithEdits(ReviewDecision, frozen=True):
    """Good with this output in place of the original, which is kept with its attempt."""

    output: Any
    verb: ClassVar[str] = "approve_with_edits"


class Reject(ReviewDecision, frozen=True):
    """Not good: the stage fails, and the reason is its error."""

    reason: str
    verb: ClassVar[str] = "reject"


class RequestChanges(ReviewDecision, frozen=True):
    """Run it again with this feedback; one attempt is granted beyond the budget."""

    feedback: str | Feedback
    verb: ClassVar[str] = "request_changes"


class PickAttempt(ReviewDecision, frozen=True):
    """Good, with the output of an earlier attempt."""

    number: int
    verb: ClassVar[str] = "pick_attempt"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class _PolicyOptions(Record, frozen=True, kw_only=True):
    """What may be said of a policy by name."""

    rate: float | None = None
    """For "sample": the share of items looked at, 0 to 1; decided once per item and stage."""
    group: str | None = None
    """Who is meant to answer; shown and filtered by, not enforced."""
    reasons: Sequence[str] = ()
    """Preset reasons for a rejection, offered under the digits."""
    expires_after: float | None = None
    """Seconds a review may wait; None for ever."""
    on_expiry: OnExpiry = "remind"


class ReviewPolicy(_PolicyOptions, frozen=True):
    """When a person is asked, and what happens when nobody answers."""

    when: When

    NEVER: ClassVar[ReviewPolicy]
    ALWAYS: ClassVar[ReviewPolicy]
    ON_ESCALATION: ClassVar[ReviewPolicy]
    ON_UNCERTAIN: ClassVar[ReviewPolicy]
    ON_ESCALATION_OR_UNCERTAIN: ClassVar[ReviewPolicy]

    def __post_init__(self) -> None:
        if self.when not in WHENS:
            raise InvalidDefinition(f"review policy: when={self.when!r} is unknown; {nearest(str(self.when), WHENS)}")
        if self.on_expiry not in ON_EXPIRIES:
            raise InvalidDefinition(f"review policy: on_expiry={self.on_expiry!r} is unknown; {nearest(str(self.on_expiry), ON_EXPIRIES)}")
        if self.when == "sample" and self.rate is None:
            raise InvalidDefinition("review policy: when='sample' needs a rate between 0 and 1")
        if self.rate is not None and not (_is_number(self.rate) and 0 <= self.rate <= 1):
            raise InvalidDefinition(f"review policy: rate={self.rate!r} must be between 0 and 1")
        if self.expires_after is not None and not (_is_number(self.expires_after) and self.expires_after > 0):
            raise InvalidDefinition(f"review policy: expires_after={self.expires_after!r} must be above 0 seconds")
        if self.group is not None and not isinstance(self.group, str):
            raise InvalidDefinition(f"review policy: group={self.group!r} must be a text")
        if isinstance(self.reasons, str) or not all(isinstance(reason, str) for reason in self.reasons):
            raise InvalidDefinition(f"review policy: reasons={self.reasons!r} must be a list of texts")

    @classmethod
    def sample(cls, rate: float, **options: Any) -> ReviewPolicy:
        """Ask for this share of the items, whatever the gates say; uncertain ones of the sample too."""
        return cls("sample", rate=rate, **options)

    @property
    def on_uncertain(self) -> bool:
        """Whether an uncertain gate calls a person at once."""
        return self.when in ("always", "on_uncertain", "on_escalation_or_uncertain")

    @property
    def on_escalation(self) -> bool:
        """Whether exhausted attempts call a person whatever the budget says."""
        return self.when in ("on_escalation", "on_escalation_or_uncertain")


ReviewPolicy.NEVER = ReviewPolicy("never")
ReviewPolicy.ALWAYS = ReviewPolicy("always")
ReviewPolicy.ON_ESCALATION = ReviewPolicy("on_escalation")
ReviewPolicy.ON_UNCERTAIN = ReviewPolicy("on_uncertain")
ReviewPolicy.ON_ESCALATION_OR_UNCERTAIN = ReviewPolicy("on_escalation_or_uncertain")

refuse_changes(ReviewField, ReviewData, ReviewDecision, ReviewPolicy)
