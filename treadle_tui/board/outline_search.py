"""Where words stand in the lines of an outline, also where a line has been broken between them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from treadle_tui.board.outline import OutlineLine

#: Places that are marked; nobody walks through more.
_MOST_HITS = 10_000


class Place(NamedTuple):
    """Characters of one line."""

    line: int
    start: int
    end: int


Hit = tuple[Place, ...]
"""One place; more than one where the line is broken inside it."""


def pattern_of(words: str) -> re.Pattern[str]:
    """What is looked for: these words, whatever their case and however many spaces there are between them."""
    return re.compile(r"\s+".join(map(re.escape, words.split())), re.IGNORECASE)


def hits_in(lines: Sequence[OutlineLine], pattern: re.Pattern[str]) -> list[Hit]:
    """Every place of the pattern, from the top."""
    hits: list[Hit] = []
    for group in _nodes_of(lines):
        texts = ["".join(span.text for span in lines[number].spans) for number in group]
        starts = [len(text) - len(text.lstrip(" ")) for text in texts]
        whole, at = "", []
        for text, start in zip(texts, starts, strict=True):
            at.append(len(whole))
            whole += text[start:].rstrip(" ") + " "
        for found in pattern.finditer(whole):
            places = [
                Place(number, max(found.start(), first) - first + start, min(found.end(), last) - first + start)
                for number, start, first, last in zip(group, starts, at, [*at[1:], len(whole)], strict=True)
                if found.start() < last and found.end() > first
            ]
            hits.append(tuple(places))
            if len(hits) >= _MOST_HITS:
                return hits
    return hits


def _nodes_of(lines: Sequence[OutlineLine]) -> Iterator[range]:
    """The lines of each node, those it is wrapped into together."""
    start = 0
    for number in range(1, len(lines) + 1):
        if number == len(lines) or lines[number].is_first or lines[number].node.table is not None:
            yield range(start, number)
            start = number
