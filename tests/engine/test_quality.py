"""Gates: what they answer alone, together, and when they break."""

import asyncio
import itertools
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from treadle_tui.engine.errors import InvalidDefinition
from treadle_tui.engine.feedback import Criterion, Feedback
from treadle_tui.engine.quality import Accepted, Gate, Rejected, Uncertain, Verdict, as_gate, ask, ask_all, gate
from treadle_tui.engine.stage import StageContext

CTX = StageContext(item_id="a", stage_name="markdown", upstream={"sources": {"n": 2}})


def answers(verdict: Any) -> Gate:
    return gate(lambda output, ctx: verdict)


YES, NO, MAYBE = answers(Accepted()), answers(Rejected(Feedback("no"))), answers(Uncertain("maybe"))
VERDICTS = {YES: Accepted, NO: Rejected, MAYBE: Uncertain}


async def test_a_function_is_asked_by_parameter_name():
    seen = []

    def readable(item, ctx, output):
        seen.extend([item, ctx, output])
        return Accepted()

    assert await ask(gate(readable), {"text": ""}, CTX, "the item") == Accepted()
    assert seen == ["the item", CTX, {"text": ""}]


async def test_an_async_function_runs_on_the_loop_and_a_plain_one_in_a_thread():
    threads = []

    async def on_loop(output):
        threads.append(threading.current_thread())
        return Accepted()

    def elsewhere(output):
        threads.append(threading.current_thread())
        return Accepted()

    await ask(gate(on_loop), 1, CTX)
    await ask(gate(elsewhere), 1, CTX)

    assert threads[0] is threading.current_thread()
    assert threads[1] is not threading.current_thread()


async def test_a_gate_may_look_at_upstream_outputs():
    many = gate(lambda output, sources: Accepted() if sources["n"] > 1 else Rejected("few"))

    assert many.stage_parameters == ("sources",)
    assert await ask(many, {}, CTX) == Accepted()


async def test_the_output_is_converted_to_the_annotated_type():
    from treadle_tui.engine.feedback import Criterion as Anything

    def same(output: Anything):
        return Accepted() if isinstance(output, Anything) else Rejected("not converted")

    assert await ask(gate(same), {"name": "a", "expected": "b", "actual": "c", "passed": True}, CTX) == Accepted()


def test_a_gate_function_can_still_be_called():
    @gate
    def readable(output):
        return Accepted()

    assert readable(1) == Accepted()  # type: ignore[operator]
    assert readable.name == "readable"


class WithItem(Gate):
    async def evaluate(self, output, ctx, item=None):
        return Accepted() if item == "i" else Rejected("no item")


class PlainWithoutItem(Gate):
    name = "plain"

    def evaluate(self, output, ctx):  # type: ignore[override]
        return Accepted() if output == 1 else Rejected("no")


class Duck:
    async def evaluate(self, output, ctx, item):
        return Uncertain("quack")


async def test_gate_objects_may_be_async_plain_or_of_no_base_class():
    assert await ask(WithItem(), 1, CTX, "i") == Accepted()
    assert await ask(PlainWithoutItem(), 1, CTX, "i") == Accepted()
    assert await ask(as_gate(Duck()), 1, CTX, "i") == Uncertain("quack")
    assert [as_gate(WithItem()).name, as_gate(PlainWithoutItem()).name] == ["WithItem", "plain"]
    assert as_gate(YES) is YES


def test_what_is_no_gate_is_refused():
    with pytest.raises(InvalidDefinition, match=r"gate 'WithItem' is a class; give an object of it: WithItem()"):
        as_gate(WithItem)
    with pytest.raises(InvalidDefinition, match=r"gates: 3 is no gate; give a function of `output` and `ctx`, or a Gate"):
        as_gate(3)
    with pytest.raises(InvalidDefinition, match=r"has no name to be called by"):
        gate(lambda *args: Accepted())


async def test_the_base_class_is_uncertain():
    verdict = await ask(Gate(), 1, CTX)

    assert verdict == Uncertain(
        "gate 'Gate' raised NotImplementedError: Gate must define `async def evaluate(self, output, ctx, item=None)`"
    )


@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (ValueError("bad page"), "gate 'broken' raised ValueError: bad page"),
        (KeyError(), "gate 'broken' raised KeyError"),
        (SystemExit(1), "gate 'broken' raised StageExecutionError: 'broken' raised SystemExit: 1"),
        (KeyboardInterrupt(), "gate 'broken' raised StageExecutionError: 'broken' raised KeyboardInterrupt"),
    ],
)
async def test_a_gate_that_raises_is_uncertain_and_says_why(is_async, raised, reason):
    def broken(output):
        raise raised

    async def broken_async(output):
        raise raised

    broken_async.__name__ = "broken"

    verdict = await ask(gate(broken_async if is_async else broken), 1, CTX)

    assert isinstance(verdict, Uncertain)
    assert verdict.reason.startswith(reason)


@pytest.mark.parametrize("answer", [True, None, "fine", Accepted, Verdict(), 1])
async def test_an_answer_that_is_no_verdict_is_uncertain_never_accepted(answer):
    verdict = await ask(gate(lambda output: answer), 1, CTX)

    assert isinstance(verdict, Uncertain)
    assert f"answered {answer!r}, which is no verdict; return Accepted(), Rejected(…) or Uncertain(…)" in verdict.reason


async def test_a_long_answer_is_shortened():
    verdict = await ask(gate(lambda output: "x" * 500), 1, CTX)

    assert isinstance(verdict, Uncertain)
    assert len(verdict.reason) < 200


async def test_cancellation_passes_through():
    async def slow(output):
        await asyncio.sleep(60)

    task = asyncio.create_task(ask(gate(slow), 1, CTX))
    await asyncio.sleep(0.001)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(("left", "right"), list(itertools.product(VERDICTS, VERDICTS)))
async def test_and_rejects_before_it_doubts(left, right):
    answered = {VERDICTS[left], VERDICTS[right]}
    expected = Rejected if Rejected in answered else Uncertain if Uncertain in answered else Accepted

    assert type(await ask(left & right, 1, CTX)) is expected


@pytest.mark.parametrize(("left", "right"), list(itertools.product(VERDICTS, VERDICTS)))
async def test_or_accepts_before_it_doubts(left, right):
    answered = {VERDICTS[left], VERDICTS[right]}
    expected = Accepted if Accepted in answered else Uncertain if Uncertain in answered else Rejected

    assert type(await ask(left | right, 1, CTX)) is expected


@pytest.mark.parametrize("joined", ["&", "|"])
async def test_both_sides_are_always_asked(joined):
    asked = []

    def first(output):
        asked.append("first")
        return Rejected("no") if joined == "&" else Accepted()

    def second(output):
        asked.append("second")
        return Accepted()

    await ask(gate(first) & second if joined == "&" else gate(first) | second, 1, CTX)

    assert asked == ["first", "second"]


async def test_a_function_may_stand_on_the_left():
    assert await ask((lambda output: Accepted()) & NO, 1, CTX) == Rejected(Feedback("no"))
    assert await ask((lambda output: Accepted()) | NO, 1, CTX) == Accepted()


async def test_gate_objects_compose():
    assert await ask(WithItem() & PlainWithoutItem(), 1, CTX, "i") == Accepted()
    assert await ask(WithItem() | PlainWithoutItem(), 2, CTX, "x") == Rejected(Feedback("no item; no"))


def test_joined_gates_have_joined_names_and_parameters():
    joined = gate(lambda output, a, b=1: 1) & gate(lambda output, a: 1) | NO

    assert joined.name == "(<lambda> & <lambda>) | <lambda>"
    assert joined.stage_parameters == ("a", "b")
    assert joined.optional_parameters == {"b"}


async def test_joined_rejections_keep_every_summary_criterion_and_guidance():
    words = Criterion("words", ">= 600", "12", False)
    images = Criterion("images", "> 0", "0", False)
    left = answers(Rejected(Feedback("too short", [words], {"strategy": "layout"})))
    right = answers(Rejected(Feedback("no images", [images], {"dpi": 300})))

    assert await ask(left & right, 1, CTX) == Rejected(
        Feedback("too short; no images", [words, images], {"strategy": "layout", "dpi": 300})
    )
    assert await ask(left | right, 1, CTX) == await ask(left & right, 1, CTX)
    assert await ask(left & YES & MAYBE, 1, CTX) == Rejected(Feedback("too short", [words], {"strategy": "layout"}))


@pytest.mark.parametrize(
    ("left", "right", "joined"),
    [
        (None, None, None),
        ({"a": 1}, None, {"a": 1}),
        (None, "read it", "read it"),
        ({"a": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 2}, [{"a": 1}, {"a": 2}]),
        ("x", {"a": 2}, ["x", {"a": 2}]),
    ],
)
async def test_guidance_is_joined_without_losing_any(left, right, joined):
    verdict = await ask_all([answers(Rejected(Feedback("s", [], left))), answers(Rejected(Feedback("s", [], right)))], 1, CTX)

    assert verdict == Rejected(Feedback("s", [], joined))


async def test_joined_doubts_name_every_reason():
    assert await ask(MAYBE & answers(Uncertain("blurred")), 1, CTX) == Uncertain("maybe; blurred")
    assert await ask(NO | MAYBE, 1, CTX) == Uncertain("maybe")


async def test_a_broken_side_of_or_does_not_hide_an_accepting_one():
    def broken(output):
        raise ValueError

    assert await ask(gate(broken) | YES, 1, CTX) == Accepted()
    assert isinstance(await ask(gate(broken) & YES, 1, CTX), Uncertain)


async def test_all_gates_of_a_stage_must_accept():
    assert await ask_all([], 1, CTX) is None
    assert await ask_all([YES], 1, CTX) == Accepted()
    assert await ask_all([YES, MAYBE], 1, CTX) == Uncertain("maybe")
    assert await ask_all([MAYBE, YES, NO], 1, CTX) == Rejected(Feedback("no"))


def test_a_text_stands_for_feedback():
    assert Rejected("too short") == Rejected(Feedback("too short"))
    with pytest.raises(TypeError, match=r"Rejected takes a Feedback, or a text; it was given 3"):
        Rejected(3)  # type: ignore[arg-type]


async def test_a_context_without_upstream_is_enough():
    assert await ask(YES, 1, SimpleNamespace()) == Accepted()  # type: ignore[arg-type]
