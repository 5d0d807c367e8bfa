"""Finds what a person means by a few letters: in the words of a list, best first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """A line that fits, how well, and which of its characters were typed."""

    index: int
    score: float
    places: tuple[int, ...]


def search(query: str, titles: Sequence[str], abouts: Sequence[str]) -> list[Found]:
    """Lines whose title, or else whose explanation, has what was typed; best first, else in their order.

    A title fits that has it somewhere, or whose words begin with it piece by piece ("ai" and "additem" find "Add items"). An
    explanation fits that has, for every word typed, one that begins so.
    """
    wanted = query.casefold().strip()
    if not wanted:
        return [Found(index, 0.0, ()) for index in range(len(titles))]
    found = []
    for index, (title, about) in enumerate(zip(titles, abouts, strict=True)):
        fit = _fit(wanted, title.casefold())
        if fit is not None:
            found.append(Found(index, *fit))
        elif _begins_words(wanted, about.casefold()):
            found.append(Found(index, 0.0, ()))
    return sorted(found, key=lambda each: (-each.score, each.index))


def _fit(wanted: str, title: str) -> tuple[float, tuple[int, ...]] | None:
    """How well it fits the title, and where; None when it does not."""
    whole = title.find(wanted)
    if whole >= 0:
        score = 3.0 if whole == 0 else 2.0 if _is_word_start(title, whole) else 1.0
        return score, tuple(range(whole, whole + len(wanted)))
    places = _pieces(wanted.replace(" ", ""), title, -1)
    return (1.5, places) if places is not None else None


def _pieces(wanted: str, title: str, last: int, dead: set[tuple[int, int]] | None = None) -> tuple[int, ...] | None:
    """Places of the letters, each right behind the one before, or at the beginning of a word.

    `dead`: letters left and last place from where nothing was found; without it "aaaab" in "a-a-a-a-…" takes for ever.
    """
    if not wanted:
        return ()
    dead = set() if dead is None else dead
    if (len(wanted), last) in dead:
        return None
    for at in range(last + 1, len(title)):
        if title[at] == wanted[0] and (_is_word_start(title, at) or (last >= 0 and at == last + 1)):
            rest = _pieces(wanted[1:], title, at, dead)
            if rest is not None:
                return (at, *rest)
    dead.add((len(wanted), last))
    return None


def _is_word_start(text: str, at: int) -> bool:
    return text[at].isalnum() and (at == 0 or not text[at - 1].isalnum())


def _begins_words(wanted: str, about: str) -> bool:
    words = re.findall(r"\w+", about)
    return all(any(word.startswith(typed) for word in words) for typed in wanted.split())
