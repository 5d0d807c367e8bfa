"""Quality gates: what judges an output before anybody builds on it.

A verdict is accepted, rejected with feedback, or uncertain. Gates compose with `&` and `|`; both sides are always asked. A gate
that raises, or answers with something that is no verdict, is uncertain, never accepted: `ask` sees to that for every gate.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from treadle_tui.engine.errors import InvalidDefinition
from treadle_tui.engine.feedback import Criterion, Feedback
from treadle_tui.engine.functions import UserFunction, call_function, is_async_callable
from treadle_tui.engine.verdict import Accepted as Accepted
from treadle_tui.engine.verdict import Rejected as Rejected
from treadle_tui.engine.verdict import Uncertain as Uncertain
from treadle_tui.engine.verdict import Verdict as Verdict

if TYPE_CHECKING:
    from treadle_tui.engine.stage import StageContext

GATE_NAMES = ("output", "ctx", "item")
"""Parameter names with a meaning in a gate."""


class Gate:
    """What judges an output. Subclasses answer `evaluate`, as a coroutine or as a plain method, which then runs in a thread."""

    name: str = ""
    """How messages call it; the class name when empty."""
    stage_parameters: tuple[str, ...] = ()
    """Stages whose outputs it looks at as well."""
    optional_parameters: frozenset[str] = frozenset()
    """Those of them that need not be there."""

    async def evaluate(self, output: Any, ctx: StageContext, item: Any = None) -> Verdict:
        """Judge the output of an attempt. Raising, or answering no verdict, means uncertain."""
        raise NotImplementedError(f"{type(self).__name__} must define `async def evaluate(self, output, ctx, item=None)`")

    def __and__(self, other: Gate | Callable[..., Any]) -> Gate:
        """Rejected if either rejects, else uncertain if either is, else accepted."""
        return AllGates((self, other))

    def __rand__(self, other: Callable[..., Any]) -> Gate:
        return as_gate(other) & self

    def __or__(self, other: Gate | Callable[..., Any]) -> Gate:
        """Accepted if either accepts, else uncertain if either is, else rejected."""
        return AnyGate((self, other))

    def __ror__(self, other: Callable[..., Any]) -> Gate:
        return as_gate(other) | self


class FunctionGate(Gate):
    """A function of `output`, `ctx`, `item` or upstream outputs, by parameter name."""

    def __init__(self, function: Callable[..., Any], namespace: Mapping[str, Any] | None = None) -> None:
        self.function = UserFunction(function, allowed=GATE_NAMES, namespace=namespace)
        self.name = self.function.name
        self.stage_parameters = self.function.stage_parameters
        self.optional_parameters = self.function.optional_parameters

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Whatever the function answers, for those who call it themselves."""
        return self.function.function(*args, **kwargs)

    async def evaluate(self, output: Any, ctx: StageContext, item: Any = None) -> Verdict:
        """What the function answers; a plain one runs in a thread."""
        upstream = getattr(ctx, "upstream", {})
        bound = self.function.bind({**upstream, "output": output, "ctx": ctx, "item": item})
        answer: Verdict = await call_function(bound, self.function.is_async, self.name)
        return answer


class _ObjectGate(Gate):
    """A gate object of the user's: its `evaluate` may be plain, and may leave `item` out."""

    def __init__(self, gate: Any) -> None:
        self.gate = gate
        self.name = getattr(gate, "name", "") or type(gate).__name__
        self.stage_parameters = tuple(getattr(gate, "stage_parameters", ()))
        self._takes_item = _accepts(gate.evaluate, 3)

    async def evaluate(self, output: Any, ctx: StageContext, item: Any = None) -> Verdict:
        arguments = (output, ctx, item) if self._takes_item else (output, ctx)
        answer: Verdict = await call_function(lambda: self.gate.evaluate(*arguments), is_async_callable(self.gate.evaluate), self.name)
        return answer


class AllGates(Gate):
    """Every gate must accept; all are asked."""

    def __init__(self, gates: Iterable[Gate | Callable[..., Any]]) -> None:
        self.gates = tuple(as_gate(gate) for gate in gates)
        self.name = " & ".join(_nested_name(gate) for gate in self.gates)
        self.stage_parameters = tuple(dict.fromkeys(name for gate in self.gates for name in gate.stage_parameters))
        self.optional_parameters = frozenset(name for gate in self.gates for name in gate.optional_parameters)

    async def evaluate(self, output: Any, ctx: StageContext, item: Any = None) -> Verdict:
        """Rejected if any rejects, with all their criteria; else uncertain if any is; else accepted."""
        verdicts = [await ask(gate, output, ctx, item) for gate in self.gates]
        return _joined_rejection(verdicts) or _joined_doubt(verdicts) or Accepted()


class AnyGate(Gate):
    """One gate that accepts is enough; all are asked."""

    def __init__(self, gates: Iterable[Gate | Callable[..., Any]]) -> None:
        self.gates = tuple(as_gate(gate) for gate in gates)
        self.name = " | ".join(_nested_name(gate) for gate in self.gates)
        self.stage_parameters = tuple(dict.fromkeys(name for gate in self.gates for name in gate.stage_parameters))
        self.optional_parameters = frozenset(name for gate in self.gates for name in gate.optional_parameters)

    async def evaluate(self, output: Any, ctx: StageContext, item: Any = None) -> Verdict:
        """Accepted if any accepts; else uncertain if any is; else rejected, with all their criteria."""
        verdicts = [await ask(gate, output, ctx, item) for gate in self.gates]
        if any(isinstance(verdict, Accepted) for verdict in verdicts):
            return Accepted()
        return _joined_doubt(verdicts) or _joined_rejection(verdicts) or Accepted()


def gate(function: Callable[..., Any]) -> Gate:
    """A gate made of a function of `output`, `ctx` and optionally `item`; may be used as a decorator."""
    return as_gate(function)


def as_gate(candidate: Any, namespace: Mapping[str, Any] | None = None) -> Gate:
    """A `Gate`, an object with `evaluate`, or a function, as a `Gate` that `ask` can ask. Raises: `InvalidDefinition`."""
    if isinstance(candidate, (FunctionGate, AllGates, AnyGate, _ObjectGate)):
        return candidate
    if isinstance(candidate, type):
        raise InvalidDefinition(f"gate {candidate.__name__!r} is a class; give an object of it: {candidate.__name__}()")
    if isinstance(candidate, Gate) or callable(getattr(candidate, "evaluate", None)):
        return _ObjectGate(candidate)
    if not callable(candidate):
        raise InvalidDefinition(f"gates: {candidate!r} is no gate; give a function of `output` and `ctx`, or a Gate")
    return FunctionGate(candidate, namespace)


async def ask(gate: Gate, output: Any, ctx: StageContext, item: Any = None) -> Verdict:
    """The gate's verdict; `Uncertain` with the reason when it raised or answered none. Only cancellation passes through."""
    name = gate.name or type(gate).__name__
    try:
        answer = await as_gate(gate).evaluate(output, ctx, item)
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # a gate that cannot tell must never end the engine, nor accept
        detail = f": {error}" if str(error) else ""
        return Uncertain(f"gate {name!r} raised {type(error).__name__}{detail}")
    if isinstance(answer, (Accepted, Rejected, Uncertain)):
        return answer
    return Uncertain(f"gate {name!r} answered {_shown(answer)}, which is no verdict; return Accepted(), Rejected(…) or Uncertain(…)")


async def ask_all(gates: Sequence[Gate], output: Any, ctx: StageContext, item: Any = None) -> Verdict | None:
    """The joined verdict of all gates of a stage, all of them asked; None when there are none."""
    if not gates:
        return None
    if len(gates) == 1:
        return await ask(gates[0], output, ctx, item)
    return await AllGates(gates).evaluate(output, ctx, item)


def _accepts(method: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(method).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # a callable that does not tell its parameters
        return True
    return True


def _nested_name(gate: Gate) -> str:
    name = gate.name or type(gate).__name__
    return f"({name})" if isinstance(gate, (AllGates, AnyGate)) else name


def _shown(answer: Any) -> str:
    text = repr(answer)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _joined_doubt(verdicts: Sequence[Verdict]) -> Verdict | None:
    """One `Uncertain` for all of them; None when there is none."""
    reasons = [verdict.reason for verdict in verdicts if isinstance(verdict, Uncertain)]
    return Uncertain(_joined(reasons)) if reasons else None


def _joined_rejection(verdicts: Sequence[Verdict]) -> Verdict | None:
    """One `Rejected` for all of them: summaries in one line, criteria one after another; None when there is none."""
    feedbacks = [verdict.feedback for verdict in verdicts if isinstance(verdict, Rejected)]
    if len(feedbacks) < 2:
        return Rejected(feedbacks[0]) if feedbacks else None
    criteria: list[Criterion] = [criterion for feedback in feedbacks for criterion in feedback.criteria]
    guidance = _joined_guidance([feedback.guidance for feedback in feedbacks if feedback.guidance is not None])
    return Rejected(Feedback(_joined(feedback.summary for feedback in feedbacks), criteria, guidance))


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))


def _joined_guidance(guidances: list[Any]) -> Any:
    """None for none, the one there is, one dict when they are dicts that do not contradict each other, else a list of all."""
    if len(guidances) < 2:
        return guidances[0] if guidances else None
    if not all(isinstance(guidance, dict) for guidance in guidances):
        return guidances
    merged: dict[Any, Any] = {}
    for guidance in guidances:
        if any(merged.get(key, value) != value for key, value in guidance.items()):
            return guidances
        merged.update(guidance)
    return merged
