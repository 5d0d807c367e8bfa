"""Conditions people write as text: `item.pages > 100`, and on one value `>= 600`. A small language, never Python's `eval`.

The text is parsed with Python's own parser and only a handful of node kinds are let through: comparisons, `and`/`or`/`not`, `in`,
lists, constants, names with dots and constant indexes. There are no calls, no arithmetic, and no names that begin with an
underscore, so a condition from a stranger can look at what it is given and do nothing else.
"""

from __future__ import annotations

import ast
import io
import operator
import tokenize
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any

from treadle_tui.engine.errors import InvalidDefinition, TreadleError, nearest

Condition = Callable[[Mapping[str, Any]], bool]
"""Takes the names the text may use, and says whether it holds."""

MAX_LENGTH = 2000
"""Characters; a condition is a line somebody wrote."""
MAX_DEPTH = 40
"""Of nested parts; deeper ones only appear in attacks, and would reach the interpreter's recursion limit."""

VALUE = "value"
"""What a condition on one value calls it, when it says so at all."""


class MissingField(TreadleError):
    """A field the condition asks for is not there, or holds something that cannot be compared. Neither true nor false."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


_COMPARISONS: dict[type[ast.cmpop], tuple[str, Callable[[Any, Any], bool]]] = {
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
    ast.In: ("in", lambda left, right: left in right),
    ast.NotIn: ("not in", lambda left, right: left not in right),
}
_CONSTANT_NAMES = {"true": True, "false": False, "null": None}
"""As TOML and JSON write them; Python's own spellings work too."""
_OPERATORS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_Part = Callable[[Mapping[str, Any]], Any]


def compile_condition(text: str, names: Collection[str] | None = None) -> Condition:
    """The condition as a function of the names it may use.

    With `names`, any other name is refused at once. The function raises `MissingField`.
    Raises: `InvalidDefinition` with the position of what is not understood.
    """
    return _compiled(text, text, names, lambda column: column)


def names_in(text: str) -> list[str]:
    """What the names of a condition begin with, in order of appearance; the condition is one that compiles."""
    names = [node for node in ast.walk(ast.parse(_one_line(text), mode="eval")) if isinstance(node, ast.Name)]
    ordered = sorted(names, key=lambda node: node.col_offset)
    return list(dict.fromkeys(node.id for node in ordered if node.id not in _CONSTANT_NAMES))


def compile_value_condition(text: str) -> Callable[[Any], bool]:
    """A condition on one value, in which the value need not be named: `>= 600`, `in ["a", "b"]`, `> 0 and < 10`.

    The function raises `MissingField`. Raises: `InvalidDefinition` with the position of what is not understood.
    """
    completed, inserted = _with_value_named(text)
    condition = _compiled(completed, text, (VALUE,), lambda column: column - sum(len(VALUE) + 1 for place in inserted if place < column))
    return lambda value: condition({VALUE: value})


def is_value_condition(text: str) -> bool:
    """Whether the text begins like a condition on one value."""
    words = text.split(None, 2)
    return bool(words) and (words[0][0] in "<>=!" or words[0] == "in" or words[:2] == ["not", "in"] or words[0] == VALUE)


def _compiled(text: str, shown: str, names: Collection[str] | None, column_in_shown: Callable[[int], int]) -> Condition:
    def refuse(column: int, what: str) -> InvalidDefinition:
        return InvalidDefinition(f"condition {_shortened(shown)!r}, character {max(1, column_in_shown(column) + 1)}: {what}")

    if not isinstance(text, str):
        raise InvalidDefinition(f"condition {shown!r} must be a text, such as 'item.pages > 100'")
    if not shown.strip():
        raise InvalidDefinition(f"condition {shown!r} is empty; write a comparison, such as item.pages > 100")
    if len(text) > MAX_LENGTH:
        raise InvalidDefinition(f"condition {_shortened(shown)!r} has {len(shown)} characters; at most {MAX_LENGTH} are allowed")
    source = _one_line(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the parser warns of odd escapes and comparisons; the compiler below has its own word
            tree = ast.parse(source, mode="eval")
    except SyntaxError as error:
        raise refuse(min(error.offset or len(source), len(source)) - 1, f"not understood ({error.msg})") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise refuse(0, f"not understood ({str(error) or 'nested too deeply'})") from error

    def refuse_node(node: ast.AST, what: str) -> InvalidDefinition:
        before = source.encode()[: getattr(node, "col_offset", 0)]  # the parser counts bytes
        return refuse(len(before.decode(errors="replace")), what)

    part = _Compiler(refuse_node, names).part(tree.body, 0)
    return lambda values: bool(part(values))


def _one_line(text: str) -> str:
    return text.strip().replace("\r", " ").replace("\n", " ")


def _shortened(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


class _Compiler:
    """Turns the allowed nodes into functions; refuses the others with their position."""

    def __init__(self, refuse: Callable[[ast.AST, str], InvalidDefinition], names: Collection[str] | None) -> None:
        self._refuse = refuse
        self._names = names

    def part(self, node: ast.expr, depth: int) -> _Part:
        if depth > MAX_DEPTH:
            raise self._refuse(node, "nested too deeply")
        match node:
            case ast.BoolOp():
                return self._joined(node, depth)
            case ast.UnaryOp(op=ast.Not()):
                inner = self.part(node.operand, depth + 1)
                return lambda values: not inner(values)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)) if not isinstance(number, bool):
                return _constant(-number)
            case ast.Compare():
                return self._comparison(node, depth)
            case ast.List() | ast.Tuple():
                parts = [self.part(element, depth + 1) for element in node.elts]
                return lambda values: [part(values) for part in parts]
            case ast.Constant(value=bool() | int() | float() | str() | None as value):
                return _constant(value)
            case ast.Name() | ast.Attribute() | ast.Subscript():
                return self._name(node)
        raise self._refuse(node, f"{_KINDS.get(type(node), 'this')} is not allowed; compare fields and join with and, or, not")

    def _joined(self, node: ast.BoolOp, depth: int) -> _Part:
        parts = [self.part(value, depth + 1) for value in node.values]
        if isinstance(node.op, ast.And):
            return lambda values: all(part(values) for part in parts)
        return lambda values: any(part(values) for part in parts)

    def _comparison(self, node: ast.Compare, depth: int) -> _Part:
        operands = [node.left, *node.comparators]
        parts = [self.part(operand, depth + 1) for operand in operands]
        steps = []
        for place, kind in enumerate(node.ops):
            if type(kind) not in _COMPARISONS:
                raise self._refuse(node, "`is` is not allowed; use == and !=")
            steps.append((*_COMPARISONS[type(kind)], _name_of(operands[place]), _name_of(operands[place + 1])))

        def compare(values: Mapping[str, Any]) -> bool:
            left = parts[0](values)
            for (symbol, holds, left_name, right_name), part in zip(steps, parts[1:], strict=True):
                right = part(values)
                if not _compared(symbol, holds, left, right, left_name or right_name):
                    return False
                left = right
            return True

        return compare

    def _name(self, node: ast.expr) -> _Part:
        steps: list[str | int] = []
        current = node
        while not isinstance(current, ast.Name):
            match current:
                case ast.Attribute(value=inner, attr=attribute):
                    steps.append(attribute)
                case ast.Subscript(value=inner, slice=ast.Constant(value=str() | int() as index)) if not isinstance(index, bool):
                    steps.append(index)
                case _:
                    raise self._refuse(current, "only names with dots and constant indexes can be looked up")
            current = inner
        if current.id in _CONSTANT_NAMES and not steps:
            return _constant(_CONSTANT_NAMES[current.id])
        path: list[str | int] = [current.id, *reversed(steps)]
        hidden = next((step for step in path if isinstance(step, str) and step.startswith("_")), None)
        if hidden is not None:
            raise self._refuse(node, f"{hidden!r} begins with an underscore, and such names cannot be looked up")
        if self._names is not None and current.id not in self._names:
            raise self._refuse(current, f"nothing is called {current.id!r} here; {nearest(current.id, self._names)}")
        return lambda values: look_up(values, path)


_KINDS: dict[type[ast.expr], str] = {
    ast.Call: "calling something",
    ast.BinOp: "arithmetic",
    ast.UnaryOp: "arithmetic",
    ast.Lambda: "a function",
    ast.IfExp: "`if`",
    ast.JoinedStr: "a formatted text",
    ast.NamedExpr: "an assignment",
    ast.Dict: "a table",
    ast.Set: "a set",
    ast.ListComp: "a loop",
    ast.SetComp: "a loop",
    ast.DictComp: "a loop",
    ast.GeneratorExp: "a loop",
    ast.Await: "`await`",
    ast.Starred: "`*`",
}


def _constant(value: Any) -> _Part:
    return lambda values: value


def _name_of(node: ast.expr) -> str:
    return ast.unparse(node) if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) else ""


def _compared(symbol: str, holds: Callable[[Any, Any], bool], left: Any, right: Any, name: str) -> bool:
    try:
        return bool(holds(left, right))
    except TypeError as error:
        called = name if name and name != VALUE else "the value"
        raise MissingField(name, f"{called}: {_shown(left)} {symbol} {_shown(right)} cannot be compared") from error


def _shown(value: Any) -> str:
    return "null" if value is None else _shortened(repr(value))


def look_up(values: Any, path: Collection[str | int]) -> Any:
    """What stands at the end of a path of keys, fields and indexes. Raises: `MissingField` naming the first that is not there."""
    current, walked = values, ""
    for step in path:
        name = f"{walked}[{step}]" if isinstance(step, int) else f"{walked}.{step}" if walked else step
        try:
            current = _step(current, step)
        except (KeyError, IndexError, AttributeError, TypeError) as error:
            raise MissingField(name, f"there is no {name!r}{_there_is(current, walked)}") from error
        walked = name
    return current


def _step(current: Any, step: str | int) -> Any:
    if isinstance(current, Mapping):
        return current[step]
    if isinstance(step, int):
        if not isinstance(current, (list, tuple, str)):
            raise TypeError
        return current[step]
    if isinstance(current, (str, bytes, int, float, list, tuple, type(None))):
        raise AttributeError(step)
    value = getattr(current, step)  # a field of a work item's class
    if callable(value):
        raise AttributeError(step)
    return value


def _there_is(current: Any, walked: str) -> str:
    if isinstance(current, Mapping):
        shown = ", ".join(str(key) for key in list(current)[:8])
        return f"; there is: {shown or 'nothing'}"
    if current is None:
        return f"; {walked} is null"
    return ""


def _with_value_named(text: str) -> tuple[str, list[int]]:
    """The text with `value` written wherever a comparison lacks its left side, and the columns where it was written."""
    if not isinstance(text, str):
        raise InvalidDefinition(f"condition {text!r} must be a text")
    stripped = _one_line(text)
    tokens: list[tokenize.TokenInfo] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(stripped).readline):
            if token.string.strip():
                tokens.append(token)
    except (tokenize.TokenError, SyntaxError):
        pass  # an open bracket or quote: the parser says it better
    places: list[int] = []
    expects_operand = True
    for index, token in enumerate(tokens):
        word = token.string
        is_not_in = word == "not" and tokens[index + 1 : index + 2] != [] and tokens[index + 1].string == "in"
        if expects_operand and (word in _OPERATORS or word == "in" or is_not_in):
            places.append(token.start[1])
            expects_operand = False
        else:
            expects_operand = word in ("and", "or", "not", "(") and not is_not_in
    for place in reversed(places):
        stripped = f"{stripped[:place]}{VALUE} {stripped[place:]}"
    return stripped, places
