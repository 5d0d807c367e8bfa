"""Which events are wanted, as a person writes it: `item:doc-* stage:publish event:failed word`."""

from __future__ import annotations

import shlex
from difflib import get_close_matches

from treadle_tui.board.event_text import ERROR_KINDS, WORDS
from treadle_tui.engine.events import Event
from treadle_tui.engine.store.log_view import EventMatch

FIELDS = ("item", "stage", "event", "workflow")


class EventFilterError(ValueError):
    """A filter that cannot be read, in a sentence."""


def parse_event_filter(text: str, *, errors_only: bool = False) -> EventMatch:
    """What to look for. A word without a field is looked for in ids, stages, subtasks and what events say.

    Raises: `EventFilterError`.
    """
    try:
        terms = shlex.split(text)
    except ValueError:
        raise EventFilterError("a quote is open; put another one behind what belongs together") from None
    found: dict[str, str] = {}
    words: list[str] = []
    for term in terms:
        field, colon, value = term.partition(":")
        if not colon or field not in FIELDS:
            near = get_close_matches(field, FIELDS, 1, 0.7) if colon else []
            if near:
                raise EventFilterError(f"there is no field {field!r}; did you mean {near[0]}:?")
            words.append(term)
            continue
        if not value:
            raise EventFilterError(f"{field}: of what? Write {field}:NAME without a blank")
        if field in found:
            raise EventFilterError(f"{field}: stands there twice; one is enough")
        found[field] = value
    kinds = _kinds(found.get("event", ""), errors_only=errors_only)
    return EventMatch(
        kinds=kinds, workflow=found.get("workflow", ""), item=found.get("item", ""), stage=found.get("stage", ""), text=" ".join(words)
    )


def _kinds(wanted: str, *, errors_only: bool) -> tuple[type[Event], ...]:
    if not wanted:
        return ERROR_KINDS if errors_only else ()
    kinds = tuple(kind for kind, words in WORDS.items() if wanted.lower() in words or wanted.lower() == kind.__name__.lower())
    if not kinds:
        near = get_close_matches(wanted.lower(), sorted(set(WORDS.values())), 1, 0.5)
        raise EventFilterError(f"no event is called {wanted!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    both = tuple(kind for kind in kinds if kind in ERROR_KINDS) if errors_only else kinds
    if not both:
        raise EventFilterError(f"{wanted!r} is no error, and only errors are shown; E shows everything")
    return both
