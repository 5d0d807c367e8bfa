"""How verbs print: plain lines and tables for a person, JSON for a program.

What comes out of items is data, so nothing in it may move the cursor or recolour the terminal.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

COLUMN_LIMIT = 60
"""Cells a column of a table takes at most; `show` and `--json` have the whole text."""


_place: TextIO | None = None


def use(stream: TextIO | None) -> None:
    """Print there from now on; None: to whatever standard output is."""
    global _place
    _place = stream


def own_stdout() -> TextIO:
    """Where verbs print, whatever code of others prints to meanwhile."""
    return _place or sys.stdout


def say(line: str = "") -> None:
    """Print one line of text."""
    from treadle_tui.board.safe_text import safe_line

    own_stdout().write(safe_line(line) + "\n")


def say_paragraphs(text: str, indent: str = "") -> None:
    """Print a longer text, each of its lines indented."""
    from treadle_tui.board.safe_text import safe_paragraphs

    for line in safe_paragraphs(text):
        own_stdout().write(f"{indent}{line}\n")


def say_json(value: Any) -> None:
    """Print one JSON document; pure ASCII, so that no terminal and no encoding can trip over it."""
    own_stdout().write(json.dumps(value, indent=2) + "\n")


def say_json_line(value: Mapping[str, Any]) -> None:
    """Print one JSON object on one line and hand it over at once, for readers that follow."""
    own_stdout().write(json.dumps(value) + "\n")
    own_stdout().flush()


def say_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns, each as wide as its widest cell; the last column is not padded, and never cut."""
    from treadle_tui.board.safe_text import fit, safe_line, shorten, width_of

    table = [list(headings), *([safe_line(cell) for cell in row] for row in rows)]
    last = len(headings) - 1
    for row in table:
        row[:last] = [shorten(cell, COLUMN_LIMIT) for cell in row[:last]]
    widths = [max(width_of(row[column]) for row in table) for column in range(last)]
    lines = ("  ".join([*map(fit, row, widths), row[last]]).rstrip() + "\n" for row in table)
    own_stdout().write("".join(lines))


def say_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print names and values, the values below each other."""
    from treadle_tui.board.safe_text import safe_line

    pairs = list(facts)
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        own_stdout().write(f"{name:<{width}}  {safe_line(value)}".rstrip() + "\n")


def prepare_streams() -> None:
    """Have something to read, somewhere to write, and let characters through that its encoding does not have.

    A stream that was closed (`<&-`, `>&-`) is nothing at all in Python; what the encoding lacks is written as an escape.
    """
    if sys.stdin is None:  # first, so that no file of ours gets the number 0
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - open as long as the program runs
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open as long as the program runs
        reconfigure = getattr(getattr(sys, name), "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def can_print(text: str) -> bool:
    """Whether standard output's encoding has these characters."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
