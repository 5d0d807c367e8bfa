"""Other keys for actions: which actions there are to remap, and which remappings cannot be.

A *context* is what may be asked at one place: the keys of a screen, of the parts on it, and, unless it is a modal, of the program. In
none may one key mean two things. Nothing here knows which screens there are: the contexts are handed in.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import Keys
from textual.widgets import Input, TextArea

#: Terminals send these for other keys (tab, enter, backspace, escape), or programs people work in take them (tmux, screen).
NEVER = ("ctrl+i", "ctrl+j", "ctrl+m", "ctrl+h", "ctrl+left_square_bracket", "ctrl+a", "ctrl+b")
#: The way back gives way: what was opened on top has one of its own on the same key.
GIVES_WAY = "app.back"
_OTHER_NAMES = {"esc": "escape", "return": "enter", "pgup": "pageup", "pgdn": "pagedown", "del": "delete", "backtab": "shift+tab"}


@dataclass(frozen=True, slots=True)
class Action:
    """Something a key does."""

    id: str
    word: str
    """What the key bar calls it."""
    about: str
    """The line of help."""
    keys: tuple[str, ...]
    """The keys it has when nobody says, by Textual's names."""
    is_in_text: bool = False
    """Whether it belongs to a text field, where letters are text."""

    def __str__(self) -> str:
        return f"{self.id} ({self.word or self.about})"


@dataclass(slots=True)
class Context:
    """The actions that may be asked at one place."""

    title: str
    actions: dict[str, Action] = field(default_factory=dict)
    """By id."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line of the keymap that is not followed."""

    id: str
    because: str


def actions_of(kind: type[DOMNode]) -> Iterator[Action]:
    """What a class declares, its bases included; only what has an id can be remapped."""
    by_key: dict[str, Binding] = {}
    for base in reversed(kind.__mro__):
        for binding in Binding.make_bindings(base.__dict__.get("BINDINGS", ())):
            by_key[binding.key] = binding
    by_id: dict[str, list[Binding]] = {}
    for binding in by_key.values():
        if binding.id is not None:
            by_id.setdefault(binding.id, []).append(binding)
    is_in_text = issubclass(kind, (Input, TextArea))
    for id, found in by_id.items():
        yield Action(id, found[0].description, found[0].tooltip, tuple(each.key for each in found), is_in_text)


def accepted_keymap(keymap: Mapping[str, str], contexts: Sequence[Context]) -> tuple[dict[str, str], list[Refusal]]:
    """The remappings that can be, by id and with the keys' names as Textual has them; and the others, each with the reason."""
    actions = {id: action for context in contexts for id, action in context.actions.items()}
    accepted: dict[str, tuple[str, ...]] = {}
    refusals: list[Refusal] = []
    for id, text in keymap.items():
        try:
            accepted[id] = _keys(text, _action(id, actions))
        except ValueError as wrong:
            refusals.append(Refusal(id, str(wrong)))
    while clash := _first_clash(accepted, contexts):
        refused, because = clash
        refusals += [Refusal(id, because) for id in refused]
        for id in refused:
            del accepted[id]
    return {id: ",".join(keys) for id, keys in accepted.items()}, refusals


def clashes(context: Context, keymap: Mapping[str, tuple[str, ...]] | None = None) -> list[tuple[str, Action, Action]]:
    """Keys that mean two things in a context. What an action has by itself in common with another one is its author's choice."""
    remapped = keymap or {}
    holders: dict[str, list[Action]] = {}
    found = []
    for action in context.actions.values():
        for key in remapped.get(action.id, action.keys):
            for other in holders.get(key, ()):
                if action.is_in_text == other.is_in_text and GIVES_WAY not in (action.id, other.id):
                    found.append((key, other, action))
            holders.setdefault(key, []).append(action)
    return found


def shown_key(key: str) -> str:
    """A key as a person would write it: `?` for `question_mark`."""
    return _CHARACTERS.get(key, key)


def _first_clash(accepted: Mapping[str, tuple[str, ...]], contexts: Iterable[Context]) -> tuple[list[str], str] | None:
    for context in contexts:
        for key, one, other in clashes(context, accepted):
            refused = [action.id for action in (one, other) if action.id in accepted]
            if refused and not (key in one.keys and key in other.keys):
                keep = "both keep their keys" if len(refused) == 2 else f"{refused[0]} keeps its key"
                return refused, f"{shown_key(key)!r} would mean both {one} and {other} on {context.title}; {keep}"
    return None


def _action(id: str, actions: Mapping[str, Action]) -> Action:
    if id in actions:
        return actions[id]
    from treadle_tui.engine.errors import nearest

    raise ValueError(f"no action has the id {id!r}; {nearest(id, actions)}")


def _keys(text: str, action: Action) -> tuple[str, ...]:
    keys = tuple(_key(each.strip()) for each in text.split(","))
    for key, written in zip(keys, text.split(","), strict=True):
        if key in NEVER:
            raise ValueError(f"{written.strip()!r} cannot be used: terminals send it for another key, or keep it for themselves")
        if action.is_in_text and (key in _CHARACTERS or key == "space"):
            raise ValueError(f"{written.strip()!r} is text where {action} works; take a key that writes nothing")
    return keys


def _key(written: str) -> str:
    if not written:
        raise ValueError("a key is missing; several are parted by commas, and the comma itself is called comma")
    *modifiers, name = written.split("+") if len(written) > 1 else [written]
    name = _OTHER_NAMES.get(name, name)
    name = _BY_CHARACTER.get(name, name)
    key = "+".join([*(modifier.lower() for modifier in modifiers), name])
    is_character = len(name) == 1 and name.isprintable() and set(modifiers) <= {"ctrl", "alt", "shift"}
    if key in _KNOWN or key in NEVER or is_character:
        return key
    from treadle_tui.engine.errors import nearest

    hint = nearest(written, [*_KNOWN, *_OTHER_NAMES]) if len(written) > 2 else "a key is a character, or a name such as enter or f5"
    raise ValueError(f"there is no key {written!r}; {hint}")


_BY_CHARACTER = {
    character: next(iter(Binding.make_bindings([(character, "none")]))).key
    for character in string.ascii_letters + string.digits + string.punctuation.replace(",", "")
} | {",": "comma"}
_CHARACTERS = {key: character for character, key in _BY_CHARACTER.items()}
_KNOWN = {key.value for key in Keys} | set(_CHARACTERS) | {"space"}
