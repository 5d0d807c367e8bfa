"""What may be written next in a filter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from treadle_tui.board.filter_language import FIELDS, field_named
from treadle_tui.engine.selection import Aspect
from treadle_tui.engine.states import ItemState, StageState

#: As many as stand on one line.
_MOST = 12
_SPANS = (">10m", ">1h", ">1d", "<10m", "<1h")
_NUMBERS = (">1", ">2", "1")


@dataclass(frozen=True, slots=True)
class Completion:
    """What may stand in place of the characters from `start` to `end`."""

    start: int
    end: int
    candidates: tuple[str, ...] = ()

    def applied(self, text: str, candidate: str) -> tuple[str, int]:
        """The text with the candidate in it, and where the cursor is then. Behind a value there is a blank."""
        written = candidate if candidate.endswith(":") else candidate + " "
        rest = text[self.end :]
        return text[: self.start] + written + (rest[1:] if written.endswith(" ") and rest[:1] == " " else rest), self.start + len(written)


def complete(text: str, cursor: int, stages: Sequence[str], tags: Iterable[str] = ()) -> Completion:
    """What may stand at the cursor: a field, or a value of the field before it."""
    start = cursor
    while start and not text[start - 1].isspace():
        start -= 1
    written = text[start:cursor]
    start += len(written) - len(written.lstrip("!"))
    name, colon, values = text[start:cursor].partition(":")
    if not colon:
        return Completion(start, cursor, _beginning(name, [f"{aspect.value}:" for aspect in FIELDS]) if name else _first_fields())
    aspect = field_named(name)
    begun = values.rpartition(",")[2]
    if aspect is None or begun.startswith('"'):
        return Completion(cursor, cursor)
    return Completion(cursor - len(begun), cursor, _beginning(begun, _values(aspect, stages, tags)))


def without_begun_field(text: str) -> str:
    """A filter that is being written, without a last word that may yet become a field: `stat` is no part of an id as long as it is."""
    start = len(text)
    while start and not text[start - 1].isspace():
        start -= 1
    word = text[start:].lstrip("!").lower()
    return text[:start] if any(aspect.value.startswith(word) for aspect in FIELDS) else text


def _first_fields() -> tuple[str, ...]:
    return tuple(f"{aspect.value}:" for aspect in FIELDS)[:_MOST]


def _values(aspect: Aspect, stages: Sequence[str], tags: Iterable[str]) -> Iterable[str]:
    match aspect:
        case Aspect.STATE:
            return [state.value for state in StageState]
        case Aspect.IS:
            return [state.value for state in ItemState]
        case Aspect.STAGE:
            return [stage if stage.isprintable() and not set(stage) & set(' ",') else f'"{stage}"' for stage in stages if '"' not in stage]
        case Aspect.TAG:
            return sorted(tags)
        case Aspect.AGE | Aspect.ADDED:
            return _SPANS
        case Aspect.ATTEMPTS | Aspect.PRIORITY:
            return _NUMBERS
    return ()


def _beginning(begun: str, known: Iterable[str]) -> tuple[str, ...]:
    """Those that begin so first, then those that have it somewhere; none when it is written out already."""
    wanted, known = begun.lower(), list(known)
    first = [each for each in known if each.lower().startswith(wanted)]
    then = [each for each in known if wanted in each.lower() and each not in first]
    found = tuple([*first, *then][:_MOST])
    return () if found == (begun,) else found
