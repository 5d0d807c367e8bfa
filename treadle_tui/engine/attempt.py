"""One attempt of one stage, from a claim to a result, in small named steps.

    told      what the code is told (`prepare`)
    called    the runner calls it, within its time (`Runner`)
    judged    gates look at what it gave
    resolved  budget and policy decide where that leads (`Resolution`)

Nothing here touches a store or publishes anything: the result says all there is to record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec
from msgspec.structs import replace

from treadle_tui.engine.codec import (
    decode_json,
    encode_json,
    feedback_from_json,
    feedback_to_json,
    review_from_json,
    review_to_json,
    verdict_from_json,
    verdict_to_json,
)
from treadle_tui.engine.errors import StageExecutionError, TreadleError
from treadle_tui.engine.feedback import Feedback
from treadle_tui.engine.items import OutputType
from treadle_tui.engine.json_values import encode_json as encode_plain
from treadle_tui.engine.outcomes import Completed, Failed, FanOut, NeedsReview, Retry, Skipped, StageOutcome, SubTask
from treadle_tui.engine.quality import Rejected, Uncertain, Verdict, ask_all
from treadle_tui.engine.retry import MAX_DELAY_SECONDS, RetryBudget
from treadle_tui.engine.review import ReviewData, ReviewPolicy
from treadle_tui.engine.secrets import mask, mask_all, redact, secret_texts
from treadle_tui.engine.stage import StageContext
from treadle_tui.engine.stage_definition import StageDefinition
from treadle_tui.engine.store.results import Claim, Move, Result, Statement, Work
from treadle_tui.engine.store.statements import to_json

MAX_ERROR_LENGTH = 4000
"""Characters of an error that are kept; the log has all of it."""


class AttemptTimedOut(TreadleError):
    """The attempt took longer than its budget allows."""


def writable_text(value: object) -> str:
    """Whatever somebody's code gave as a text, as one that can be kept: half a surrogate pair becomes a question mark."""
    try:
        return str(value).encode("utf-8", "replace").decode()
    except Exception:  # an object whose own `__str__` fails
        return f"a {type(value).__name__} that cannot be shown"


def error_text(error: BaseException) -> str:
    """An exception as one kept sentence: its class and message; our own errors speak for themselves."""
    text = writable_text(error)
    if not isinstance(error, (StageExecutionError, AttemptTimedOut)):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= MAX_ERROR_LENGTH else text[: MAX_ERROR_LENGTH - 1] + "…"


def said(words: Any) -> str:
    """What a stage gave as its reason or error, as text, whatever it gave."""
    return error_text(words) if isinstance(words, BaseException) else "" if words is None else str(words)


def is_sampled(workflow: str, stage: str, item_id: str, rate: float) -> bool:
    """Whether this item's stage is of the sample: drawn once, from the names, so it is the same in every process."""
    import hashlib

    drawn = hashlib.blake2b(f"{workflow}\0{stage}\0{item_id}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(drawn, "big") < rate * 2**64


def is_straight(definition: StageDefinition, work: Work) -> bool:
    """Whether a completed attempt is simply that: nobody judges or reviews it, it has no time limit, and it keeps no secrets."""
    if definition.secrets or work is Work.REDUCE:
        return False
    if work is Work.SUBTASK:
        each = definition.each
        return definition.retry.attempt_timeout is None if each is None else is_always_plain(each.retry, each.review)
    return not definition.gates and is_always_plain(definition.retry, definition.review)


def is_always_plain(budget: RetryBudget, policy: ReviewPolicy) -> bool:
    """Whether neither a clock nor a person has a part in an attempt that completes."""
    return budget.attempt_timeout is None and policy.when == "never"


def straight_result(definition: StageDefinition, work: Work, ctx: StageContext | None, outcome: StageOutcome) -> Result | None:
    """What completing means for work that `is_straight`; None when `Resolution` must say where the answer leads."""
    if type(outcome) is not Completed or outcome.summary is not None or (ctx is not None and ctx.statements):
        return None
    output_type = definition.subtask_output if work is Work.SUBTASK else definition.output
    return Result(move=Move.COMPLETE, output=output_type.encode(outcome.output))


class Resolution(msgspec.Struct):
    """Turns what an attempt's code answered, or raised, into a `Result`."""

    definition: StageDefinition
    claim: Claim
    workflow: str
    ctx: StageContext
    item: Any
    secrets: AbstractSet[str] = frozenset()
    """Texts that must not be seen in errors and logs."""

    @property
    def budget(self) -> RetryBudget:
        """The budget that counts: the subtask's own, or the stage's."""
        each = self.definition.each
        return each.retry if self.claim.work is Work.SUBTASK and each is not None else self.definition.retry

    @property
    def policy(self) -> ReviewPolicy:
        """The review policy that counts."""
        if self.claim.work is not Work.SUBTASK:
            return self.definition.review
        return self.definition.each.review if self.definition.each is not None else ReviewPolicy.NEVER

    @property
    def output_type(self) -> OutputType:
        """What the output must be."""
        return self.definition.subtask_output if self.claim.work is Work.SUBTASK else self.definition.output

    @property
    def max_attempts(self) -> int:
        """The number of the last attempt allowed."""
        return self.budget.max_attempts + self.claim.extra

    async def of_outcome(self, outcome: StageOutcome) -> Result:
        """Where an answer leads. Raises for an answer that cannot be kept."""
        return self._as_kept(await self._of_outcome(outcome))

    def _as_kept(self, result: Result) -> Result:
        """The result with its parts besides the output as every store gives them back: plain JSON values of the right shape.

        Raises: `StageExecutionError` for what no store could keep, or could keep and not give back.
        """
        try:
            encode_json((result.subtasks, to_json(result.statements)))
        except (TypeError, ValueError, RecursionError) as error:
            raise StageExecutionError(self.definition.name, f"what the stage said cannot be kept as JSON: {error}") from error
        if not (result.verdict or result.feedback or result.review):
            return result
        return replace(
            result,
            verdict=self._part_as_kept(result.verdict, "the verdict", verdict_from_json),
            feedback=self._part_as_kept(result.feedback, "the feedback", feedback_from_json),
            review=self._part_as_kept(result.review, "the review it asks for", review_from_json),
        )

    def _part_as_kept(self, part: Any, what: str, read: Callable[[Any], Any]) -> Any:
        kept = decode_json(encode_plain(part, what, self.definition.name))
        try:
            read(kept)
        except msgspec.ValidationError as error:
            raise StageExecutionError(self.definition.name, f"{what} is not of its type: {error}") from error
        return kept

    async def _of_outcome(self, outcome: StageOutcome) -> Result:
        match outcome:
            case Completed(output, summary):
                return await self._of_output(output, summary, None)
            case NeedsReview(output, data, summary):
                if data is not None and not isinstance(data, (ReviewData, str)):
                    raise StageExecutionError(self.definition.name, f"NeedsReview takes a ReviewData, or a text; it was given {data!r}")
                asked = data if isinstance(data, ReviewData) else ReviewData(data or summary or "the stage asks for a review")
                return await self._of_output(output, summary, asked)
            case Skipped(reason):
                return Result(move=Move.SKIP, outcome="skipped", reason=self._masked(said(reason)))
            case FanOut(subtasks):
                return await self._of_fan_out(list(subtasks))
            case Retry(reason, after):
                return self.failed_attempt("retry", self._masked(said(reason)), after=after)
            case Failed(error):
                return Result(move=Move.FAIL, outcome="failed", error=self._masked(said(error)) or "failed")
            case _:
                kind = type(outcome).__name__
                raise StageExecutionError(self.definition.name, f"answered with {kind}, which is no outcome this engine knows")

    def of_error(self, error: BaseException) -> Result:
        """Where a raised exception leads."""
        label = "timeout" if isinstance(error, AttemptTimedOut) else "error"
        return self.failed_attempt(label, self._masked(error_text(error)), raised=error)

    # --- an output --------------------------------------------------------------------------------------------------

    async def _of_output(self, output: Any, summary: str | None, asked: ReviewData | None, output_type: OutputType | None = None) -> Result:
        encoded = (output_type or self.output_type).encode(output)
        if self.definition.secrets:
            self.secrets |= secret_texts(decode_json(encoded), self.definition.secrets)
        summary = None if summary is None else self._masked(summary)
        verdict = None
        if self.claim.work is not Work.SUBTASK:
            verdict = await ask_all(self.definition.gates, output, self.ctx, self.item)
        given = Result(
            move=Move.COMPLETE,
            output=encoded,
            summary=summary,
            verdict=None if verdict is None else mask_all(verdict_to_json(verdict), self.secrets),
            statements=self._statements(),
            if_statements_fail=self._statements_failed,
        )
        return self._judged(given, verdict, asked)

    def _judged(self, given: Result, verdict: Verdict | None, asked: ReviewData | None) -> Result:
        is_looked_at = self.policy.when == "always" or self._is_sampled()
        match verdict:
            case Rejected(feedback):
                error = f"rejected: {feedback.summary}" if feedback.summary else "rejected by the quality gate"
                return self.failed_attempt("rejected", self._masked(error), given=given, feedback=feedback)
            case Uncertain(reason) if asked is None and not (self.policy.on_uncertain or is_looked_at):
                feedback = Feedback(reason or "the quality gate could not tell")
                return self.failed_attempt("uncertain", self._masked(f"uncertain: {reason}"), given=given, feedback=feedback)
            case Uncertain(reason):
                asked = asked or ReviewData(self._masked(f"the quality gate is uncertain: {reason}"))
                feedback_json = feedback_to_json(Feedback(self._masked(reason)))
                return self._for_review(replace(given, outcome="uncertain", feedback=feedback_json), asked, f"uncertain: {reason}")
            case _ if asked is not None:
                return self._for_review(replace(given, outcome="needs_review"), asked, "asked by the stage")
            case _ if is_looked_at:
                why = f"sampled, {(self.policy.rate or 0) * 100:g} %" if self.policy.when == "sample" else "always reviewed"
                asked = ReviewData(given.summary or f"{self.definition.name}: {why}")
                return self._for_review(replace(given, outcome="needs_review"), asked, why)
            case _:
                return given

    def _statements(self) -> Sequence[Statement]:
        """The attempt's SQL. Raises TypeError for a parameter that cannot be kept."""
        to_json(self.ctx.statements)
        return tuple(self.ctx.statements)

    def _is_sampled(self) -> bool:
        policy = self.policy
        name = self.definition.name if self.claim.subtask is None else f"{self.definition.name}/{self.claim.subtask}"
        return policy.when == "sample" and is_sampled(self.workflow, name, self.claim.item_id, policy.rate or 0.0)

    def _statements_failed(self, problem: str) -> Result:
        return self.failed_attempt("error", self._masked(f"the transaction failed: {problem}"))

    def _for_review(self, given: Result, asked: ReviewData, why: str, escalated: str | None = None) -> Result:
        from treadle_tui.engine.clock import from_ms

        created = asked.created_at or from_ms(self.claim_now)
        review = review_to_json(replace(asked, created_at=created))
        encode_json(review)
        if self.definition.secrets:
            review = mask_all(redact(review, self.definition.secrets), self.secrets)
        expires = self.policy.expires_after
        return replace(
            given,
            move=Move.REVIEW,
            review=review,
            why=self._masked(why),
            escalated=escalated,
            expires_after_ms=None if expires is None else int(min(expires, MAX_DELAY_SECONDS) * 1000),
        )

    claim_now: int = 0
    """Milliseconds by the engine's clock, when the result is made."""

    # --- a fan-out --------------------------------------------------------------------------------------------------

    async def _of_fan_out(self, declared: Sequence[str | SubTask]) -> Result:
        if self.claim.work is not Work.STAGE:
            raise StageExecutionError(self.definition.name, "a subtask, or a reduce, cannot fan out again; return a value")
        subtasks: list[tuple[str, Any]] = []
        for each in declared:
            subtask = each if isinstance(each, SubTask) else SubTask(each)
            if not isinstance(subtask.name, str) or not subtask.name:
                raise StageExecutionError(self.definition.name, f"subtask {each!r} has no name; a name is a text that is not empty")
            subtasks.append((subtask.name, self._metadata(subtask)))
        names = [name for name, _ in subtasks]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise StageExecutionError(self.definition.name, f"subtask {twice!r} was declared twice; names must differ")
        if not subtasks:
            return await self._of_output({}, "no subtasks", None, output_type=OutputType())
        return Result(move=Move.FAN_OUT, outcome="fan_out", subtasks=subtasks, statements=self._statements())

    def _metadata(self, subtask: SubTask) -> Any:
        return None if subtask.metadata is None else decode_json(OutputType().encode(subtask.metadata))

    # --- a failed attempt -------------------------------------------------------------------------------------------

    def failed_attempt(
        self,
        outcome: str,
        error: str,
        *,
        given: Result | None = None,
        feedback: Feedback | None = None,
        raised: BaseException | None = None,
        after: float | None = None,
    ) -> Result:
        """Another attempt, a person, or failure: what the budget and the policy say."""
        base = replace(
            given or Result(move=Move.FAIL),
            outcome=outcome,
            error=error,
            feedback=None if feedback is None else mask_all(feedback_to_json(feedback), self.secrets),
            max_attempts=self.max_attempts,
        )
        worth_it = raised is None or isinstance(raised, AttemptTimedOut) or self.budget.is_worth_retrying(raised)
        if worth_it and self.claim.attempt < self.max_attempts:
            failures = self.claim.attempt - self.claim.extra
            seconds = self.budget.delay_after(failures) if after is None else min(max(0.0, after), MAX_DELAY_SECONDS)
            return replace(base, move=Move.RETRY, delay_ms=round(seconds * 1000))
        if self.budget.on_exhausted == "escalate" or self.policy.on_escalation:
            spent = f"{self.claim.attempt} of {self.max_attempts} attempts failed" if worth_it else "not worth another attempt"
            reason = f"{spent}: {error}"
            return self._for_review(base, ReviewData(reason), f"escalated: {spent}", escalated=reason)
        return replace(base, move=Move.FAIL)

    def _masked(self, text: object) -> str:
        """A text as it may be kept and seen."""
        kept = writable_text(text)
        return mask(kept, self.secrets) if self.secrets else kept


def upstream_by_name(claim: Claim, names: Mapping[int, str]) -> dict[str, Any]:
    """Outputs of direct dependencies by full stage name, as plain JSON values."""
    return {names[stage]: None if output is None else decode_json(output) for stage, output in claim.upstream.items()}
