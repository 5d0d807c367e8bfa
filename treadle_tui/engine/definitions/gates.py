"""The `gate` of a definition file: comparisons on fields of the output, a program that looks, or a Python function."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from treadle_tui.engine.definitions.commands import run_command
from treadle_tui.engine.definitions.placeholders import Template, as_text, attempt_values
from treadle_tui.engine.definitions.section import Section
from treadle_tui.engine.errors import InvalidDefinition
from treadle_tui.engine.expressions import (
    Condition,
    MissingField,
    compile_condition,
    compile_value_condition,
    is_value_condition,
    look_up,
)
from treadle_tui.engine.feedback import Criterion, Feedback
from treadle_tui.engine.json_values import encode_json
from treadle_tui.engine.quality import Accepted, Gate, Rejected, Uncertain, Verdict
from treadle_tui.engine.stage import StageContext


@dataclass(frozen=True, slots=True)
class _Comparison:
    """What one field of the output must be."""

    field: str
    expected: str
    """As it was written."""
    holds: Callable[[Any], bool]


class ComparisonGate(Gate):
    """Fields of the output, each compared with what the file says; a missing field is uncertain, never accepted."""

    name = "comparisons"

    def __init__(self, comparisons: Collection[_Comparison]) -> None:
        self._comparisons = tuple(comparisons)

    async def evaluate(self, output: Any, ctx: StageContext, item: Any = None) -> Verdict:
        """Rejected with every criterion when one does not hold; else uncertain when one cannot be told; else accepted."""
        criteria: list[Criterion] = []
        doubts: list[str] = []
        for comparison in self._comparisons:
            try:
                actual = look_up(output, _path(comparison.field))
                criteria.append(Criterion(comparison.field, comparison.expected, _shown(actual), comparison.holds(actual)))
            except MissingField as missing:
                doubts.append(f"{comparison.field}: {missing}")
        failed = [criterion for criterion in criteria if not criterion.passed]
        if failed:
            summary = "; ".join(f"{criterion.name} is {criterion.actual}, expected {criterion.expected}" for criterion in failed)
            return Rejected(Feedback(summary, criteria))
        return Uncertain("; ".join(doubts)) if doubts else Accepted()


class ExpressionGate(Gate):
    """One condition on `output` and `item`; a missing field is uncertain, never accepted."""

    name = "expression"

    def __init__(self, text: str, condition: Condition) -> None:
        self._text = text
        self._condition = condition

    async def evaluate(self, output: Any, ctx: StageContext, item: Any = None) -> Verdict:
        """Rejected, with what was looked at, when it does not hold; uncertain when it cannot be told; else accepted."""
        try:
            if self._condition({"output": output, "item": item}):
                return Accepted()
        except MissingField as missing:
            return Uncertain(f"{self._text}: {missing}")
        return Rejected(Feedback(f"not so: {self._text}", [Criterion(self._text, "true", "false", passed=False)]))


class CommandGate(Gate):
    """A program that accepts by ending with 0; it finds the output as JSON on its standard input, and may use `{output.…}`."""

    name = "command"

    def __init__(self, arguments: Collection[Template], stage: str) -> None:
        self._arguments = tuple(arguments)
        self._stage = stage

    async def evaluate(self, output: Any, ctx: StageContext, item: Any = None) -> Verdict:
        """Rejected with the program's last words; a program that cannot be started raises, which is uncertain."""
        values = {**attempt_values(item, ctx), "output": output}
        arguments = [argument.text_for(values) for argument in self._arguments]
        result = await run_command(arguments, stage=self._stage, standard_input=encode_json(output))
        if not result.failure():
            return Accepted()
        said = result.text.strip()[-2000:]
        criterion = Criterion(" ".join(arguments)[:200], "exit 0", f"exit {result.exit_code}", passed=False)
        return Rejected(Feedback(result.failure(), [criterion], {"output": said} if said else None))


def gates_of(section: Section, templates: Callable[[str, str], Template], python: Callable[[Section, str], Any]) -> list[Any]:
    """Every gate a `gate` table describes; all must accept.

    `templates(key, text)` makes a template that may use `output` too, `python(section, key)` finds a function.
    """
    gates: list[Any] = []
    values = dict(section.values)
    if not values:
        raise section.error(None, "is empty; give comparisons on fields of the output, `command` or `python`")
    if isinstance(values.get("command"), list):
        words = section.going_on(lambda: _words(section), list[str]())
        gates.append(CommandGate([templates("command", word) for word in words], section.label))
        del values["command"]
    if isinstance(values.get("python"), str) and not is_value_condition(values["python"]):
        gates.append(section.going_on(lambda: python(section, "python"), None))
        del values["python"]
    found = [section.going_on(functools.partial(_comparison, section, *each), None) for each in _flattened(values)]
    comparisons = [comparison for comparison in found if comparison is not None]
    if comparisons:
        gates.append(ComparisonGate(comparisons))
    return gates


def expression_gate(section: Section, key: str) -> Gate:
    """The gate of a key whose value is one condition, such as "output.width >= 600 and output.height > 0"."""
    text = section.string(key) or ""
    try:
        return ExpressionGate(text, compile_condition(text, ("output", "item")))
    except InvalidDefinition as error:
        raise section.error(key, str(error)) from error


def _words(section: Section) -> list[str]:
    words = section.values["command"]
    if not words or not all(isinstance(word, str) for word in words) or not words[0]:
        raise section.error("command", f"{words!r} must be a list of a program and its arguments; no shell is started")
    return list(words)


def _flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted field → what it must be; `size.width = …` and `size = { width = … }` are the same in TOML."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _comparison(section: Section, field: str, expected: Any) -> _Comparison:
    if not isinstance(expected, str):
        return _Comparison(field, f"== {as_json(expected)}", lambda actual: _is_same(actual, expected))
    if not is_value_condition(expected):
        raise section.error(field, f"{expected!r} is no comparison; it begins with an operator, such as == {as_json(expected)}")
    try:
        return _Comparison(field, expected, compile_value_condition(expected))
    except InvalidDefinition as error:
        raise section.error(field, str(error)) from error


def _is_same(actual: Any, expected: Any) -> bool:
    """Equal as JSON is: true is not 1."""
    return isinstance(actual, bool) == isinstance(expected, bool) and bool(actual == expected)


def _path(field: str) -> list[str | int]:
    return [int(step) if step.isdecimal() else step for step in field.split(".")]


def _shown(value: Any) -> str:
    text = as_text(value) if value is not None else "null"
    return text if len(text) <= 200 else f"{text[:199]}…"


def as_json(value: Any) -> str:
    """A value as it stands in a file."""
    return encode_json(value).decode()
