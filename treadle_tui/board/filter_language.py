"""The language of filters: `stage:review state:failed age:>2h error:"timed out" id:doc-*,pdf-* !tag:slow word`.

Terms stand side by side and all hold; values with commas between them are alternatives; `!` turns a term round; quotes keep
blanks, commas and colons together. What terms mean is said in `engine/selection.py`. Parsing raises `FilterError` and nothing else;
what is printed parses to what was printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import NamedTuple

from treadle_tui.engine.selection import Aspect, Comparison, Condition, Value
from treadle_tui.engine.states import ItemState, StageState

Conditions = tuple[Condition, ...]

#: Fields in the order they are offered, and what they are for.
FIELDS: dict[Aspect, str] = {
    Aspect.STATE: "a stage is in this state",
    Aspect.STAGE: "the stage meant",
    Aspect.ERROR: "its error says this",
    Aspect.AGE: "it has been so for so long",
    Aspect.ATTEMPTS: "it was tried so often",
    Aspect.TAG: "the stage has this tag",
    Aspect.ID: "the item's id; * stands for anything",
    Aspect.IS: "the item as a whole",
    Aspect.PRIORITY: "the item's priority",
    Aspect.ADDED: "how long ago the item was added",
}
_BY_NAME = {aspect.value: aspect for aspect in FIELDS}
_STATE_ALIASES = {
    "review": StageState.AWAITING_REVIEW,
    "waiting": StageState.AWAITING_REVIEW,
    "retry": StageState.RETRY_WAIT,
    "done": StageState.COMPLETED,
}
_OPERATORS = (">=", "<=", ">", "<", "=")
_UNITS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
_MOST_DIGITS = 10  # three hundred years in seconds; a thousand times that still is a number databases know


class FilterError(ValueError):
    """A filter that cannot be read: what is wrong, and where."""

    def __init__(self, sentence: str, start: int, end: int) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.start = start
        """The first character it is about, 0 at the front."""
        self.end = max(end, start + 1)
        """Behind the last one."""

    def __str__(self) -> str:
        return f"{self.sentence} (at {self.start + 1})"


class Piece(NamedTuple):
    """Some text of a filter, and where it stood."""

    text: str
    start: int
    end: int


def parse_filter(text: str) -> Conditions:
    """The conditions of a filter, in the order they were written. Raises `FilterError`."""
    reader = _Reader(text)
    conditions = []
    while reader.skip_blanks():
        conditions.append(reader.term())
    return tuple(dict.fromkeys(conditions))


def print_filter(conditions: Iterable[Condition]) -> str:
    """The conditions as they are written."""
    return " ".join(_print_term(condition) for condition in conditions)


def toggled(conditions: Conditions, condition: Condition) -> Conditions:
    """With the condition when it was not among them, else without it."""
    if condition in conditions:
        return tuple(each for each in conditions if each != condition)
    return (*conditions, condition)


def field_named(name: str) -> Aspect | None:
    """The field of that name, whatever the case of its letters."""
    return _BY_NAME.get(name.lower())


# reading ------------------------------------------------------------------------------------------------------------------------


class _Reader:
    """Goes through a filter from the left."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def skip_blanks(self) -> bool:
        """To the next term; whether there is one."""
        while self._peek().isspace():
            self._at += 1
        return self._at < len(self._text)

    def term(self) -> Condition:
        """One term."""
        start = self._at
        is_negated = self._take("!")
        aspect = self._field()
        pieces = [self._value(aspect)]
        while self._take(","):
            pieces.append(self._value(aspect))
        if not pieces[0].text and len(pieces) == 1 and aspect is Aspect.WORD:
            raise FilterError("a word, or field:value, must stand behind !" if is_negated else "nothing is there", start, self._at)
        return Condition(aspect, tuple(dict.fromkeys(_value(aspect, piece) for piece in pieces)), is_negated)

    def _field(self) -> Aspect:
        """The field in front of a colon; a word has none."""
        end = self._at
        while end < len(self._text) and not self._text[end].isspace() and self._text[end] not in '":,':
            end += 1
        if end == len(self._text) or self._text[end] != ":":
            return Aspect.WORD
        name, start = self._text[self._at : end], self._at
        aspect = field_named(name)
        if aspect is None:
            raise FilterError(_unknown_field(name), start, end + 1)
        self._at = end + 1
        return aspect

    def _value(self, aspect: Aspect) -> Piece:
        start = self._at
        text = self._quoted() if self._peek() == '"' else self._bare()
        piece = Piece(text, start, self._at)
        for place, character in enumerate(text):
            if character == "\0" or "\ud800" <= character <= "\udfff":
                raise FilterError("a filter cannot hold this character", min(start + place, self._at), start + place + 1)
        following = self._peek()
        if following and following != "," and not following.isspace():
            if following == ":":
                raise FilterError("a text with a colon must stand in quotes", start, self._at + 1)
            raise FilterError("a blank must follow the quotes", self._at, self._at + 1)
        if not text and aspect is not Aspect.WORD:
            raise FilterError(f"{aspect.value}: needs a value, {_expected(aspect)}", start, self._at)
        if not text and (following == "," or self._text[start - 1 : start] == ","):
            raise FilterError("a value is missing beside the comma", start, self._at)
        if not text and self._at > start:
            raise FilterError("there is nothing between the quotes", start, self._at)
        return piece

    def _quoted(self) -> str:
        start = self._at
        self._at += 1
        found = []
        while (character := self._peek()) != '"':
            if not character:
                raise FilterError("the quotes are not closed", start, self._at)
            if character == "\\" and self._text[self._at + 1 : self._at + 2] in ('"', "\\"):
                self._at += 1
                character = self._peek()
            found.append(character)
            self._at += 1
        self._at += 1
        return "".join(found)

    def _bare(self) -> str:
        start = self._at
        stops = '",:' if self._is_word(start) else '",'
        while (character := self._peek()) and not character.isspace() and character not in stops:
            self._at += 1
        if self._peek() == '"':
            raise FilterError("quotes must stand around the whole value", self._at, self._at + 1)
        return self._text[start : self._at]

    def _is_word(self, start: int) -> bool:
        """Whether no field's colon stands before this value."""
        begin = start
        while begin and not self._text[begin - 1].isspace():
            begin -= 1
        head, colon, _ = self._text[begin:start].lstrip("!").partition(":")
        return not (colon and field_named(head))

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, character: str) -> bool:
        if self._peek() != character:
            return False
        self._at += 1
        return True


def _unknown_field(name: str) -> str:
    near = get_close_matches(name.lower(), _BY_NAME, n=1)
    if near:
        return f"there is no field {name}: did you mean {near[0]}:?"
    return f"there is no field {name}: put the text in quotes, or use {', '.join(f'{field}:' for field in _BY_NAME)}"


def _value(aspect: Aspect, piece: Piece) -> Value:
    match aspect:
        case Aspect.STATE:
            return _one_of(piece, {state.value: state for state in StageState} | _STATE_ALIASES, "state")
        case Aspect.IS:
            return _one_of(piece, {state.value: state for state in ItemState}, "item state")
        case Aspect.AGE | Aspect.ADDED:
            return _comparison(piece, ">", _seconds)
        case Aspect.ATTEMPTS | Aspect.PRIORITY:
            return _comparison(piece, "=", _whole_number)
    return piece.text


def _one_of(piece: Piece, names: dict[str, Value] | dict[str, StageState] | dict[str, ItemState], what: str) -> Value:
    name = piece.text.lower().replace("-", "_").replace(" ", "_")
    if name in names:
        return names[name]
    begun = {value for known, value in names.items() if known.startswith(name)}
    if len(begun) == 1:
        return begun.pop()
    near = get_close_matches(name, names, n=1)
    known = ", ".join(dict.fromkeys(value.value for value in names.values() if isinstance(value, (StageState, ItemState))))
    remedy = f"did you mean {near[0]}?" if near and not begun else f"there are {known}"
    raise FilterError(f"there is no {what} {piece.text!r}: {remedy}", piece.start, piece.end)


def _comparison(piece: Piece, default: str, number: Callable[[str, Piece], int]) -> Comparison:
    operator = next((each for each in _OPERATORS if piece.text.startswith(each)), "")
    return Comparison(operator or default, number(piece.text[len(operator) :], piece))


def _seconds(text: str, piece: Piece) -> int:
    unit = text[-1:].lower()
    if unit not in _UNITS or not _is_number(text[:-1]):
        raise FilterError(f"{piece.text!r} is no length of time: write >2h, with s, m, h, d or w", piece.start, piece.end)
    return int(text[:-1]) * _UNITS[unit]


def _whole_number(text: str, piece: Piece) -> int:
    digits = text.removeprefix("-")
    if not _is_number(digits):
        raise FilterError(f"{piece.text!r} is no number: write 3, >3 or <=3", piece.start, piece.end)
    return -int(digits) if text.startswith("-") else int(digits)


def _is_number(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS


def _expected(aspect: Aspect) -> str:
    match aspect:
        case Aspect.STATE:
            return "such as failed or running"
        case Aspect.IS:
            return f"one of {', '.join(state.value for state in ItemState)}"
        case Aspect.AGE | Aspect.ADDED:
            return "such as >2h or <10m"
        case Aspect.ATTEMPTS | Aspect.PRIORITY:
            return "such as 3 or >3"
    return "a text"


# printing -----------------------------------------------------------------------------------------------------------------------


def _print_term(condition: Condition) -> str:
    field = "" if condition.aspect is Aspect.WORD else f"{condition.aspect.value}:"
    values = ",".join(_print_value(condition.aspect, value) for value in condition.values)
    return f"{'!' if condition.is_negated else ''}{field}{values}"


def _print_value(aspect: Aspect, value: Value) -> str:
    if isinstance(value, Comparison):
        return _print_comparison(aspect, value)
    if isinstance(value, (StageState, ItemState)):
        return str(value.value)
    if any(character.isspace() or character in '",:!' for character in value):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return value


def _print_comparison(aspect: Aspect, value: Comparison) -> str:
    if aspect not in (Aspect.AGE, Aspect.ADDED):
        return f"{'' if value.operator == '=' else value.operator}{value.number}"
    unit = next(unit for unit, seconds in _UNITS.items() if value.number % seconds == 0 and (value.number or unit == "s"))
    return f"{value.operator}{value.number // _UNITS[unit]}{unit}"
