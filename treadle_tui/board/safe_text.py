"""Foreign text, made safe to draw and exact in width.

Item ids, outputs, errors and reasons are data. Drawn as they come they could move the cursor, recolour the screen, reverse a
line or push a column aside; here they lose what a terminal would obey and keep what a person reads. What is left has the same
width in every terminal: joiners, variation selectors and skin tones go, because terminals disagree about them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from rich.cells import cell_len, get_character_cell_size

ELLIPSIS = "…"
#: Stands for what cannot be shown: C1 controls, lone surrogates, private and unassigned characters.
REPLACEMENT = "�"
#: Stands for a line break inside a single line.
LINE_BREAK = "⏎"

_CONTROL_PICTURES = 0x2400
_DELETE_PICTURE = "␡"
_REGIONAL_A, _REGIONAL_Z = 0x1F1E6, 0x1F1FF
_SKIN_TONES = range(0x1F3FB, 0x1F400)
# Everything `isprintable` lets through although its width is a matter of opinion.
_DISPUTED = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff\u1160-\u11ff\ud7b0-\ud7ff\u20e3]")
_LINE_BREAKS = re.compile("\r\n|[\n\r\v\f\x85\u2028\u2029]")


@lru_cache(maxsize=8192)
def safe_line(text: str) -> str:
    """One line without controls, escape sequences, bidirectional overrides or invisible characters.

    Line breaks become `⏎`, tabs a space, other C0 controls their picture (`␛`), what cannot be shown `�`.
    """
    if text.isascii() and text.isprintable():
        return text
    text = unicodedata.normalize("NFC", _LINE_BREAKS.sub(LINE_BREAK, text))
    if text.isprintable() and not _DISPUTED.search(text):
        return text
    return "".join(map(_safe_character, text))


def safe_paragraphs(text: str) -> list[str]:
    """The lines of a longer text, each safe to draw; tabs widened to four spaces, trailing blanks cut."""
    lines = _LINE_BREAKS.sub("\n", text).split("\n")
    return [safe_line(line.replace("\t", "    ")).rstrip() for line in lines]


@lru_cache(maxsize=2048)
def _safe_character(character: str) -> str:
    point = ord(character)
    if _REGIONAL_A <= point <= _REGIONAL_Z:  # a flag is two letters; half the terminals draw it so anyway
        return chr(ord("A") + point - _REGIONAL_A)
    if point in _SKIN_TONES or _DISPUTED.match(character):
        return ""
    match unicodedata.category(character):
        case "Cc":
            return _safe_control(point)
        case "Cf":
            return ""
        case "Cs" | "Cn" | "Co":
            return REPLACEMENT
        case "Zl" | "Zp":
            return LINE_BREAK
        case "Zs":
            return " "
        case _:
            return character


def _safe_control(point: int) -> str:
    if point == 0x09:
        return " "
    if point < 0x20:
        return chr(_CONTROL_PICTURES + point)
    return _DELETE_PICTURE if point == 0x7F else REPLACEMENT


def width_of(text: str) -> int:
    """Terminal cells that safe text takes."""
    return len(text) if text.isascii() else cell_len(text)


@lru_cache(maxsize=8192)
def fit(text: str, width: int) -> str:
    """Safe text in exactly `width` cells: padded with spaces, or cut with `…`."""
    if width <= 0:
        return ""
    taken = width_of(text)
    if taken <= width:
        return text + " " * (width - taken)
    head, cells = _head(text, width - 1)
    return head + ELLIPSIS + " " * (width - 1 - cells)


def shorten(text: str, width: int) -> str:
    """Safe text in at most `width` cells, cut with `…`; not padded."""
    return text if width_of(text) <= width else fit(text, width).rstrip(" ")


def shorten_middle(text: str, width: int) -> str:
    """Safe text in at most `width` cells, the middle cut out: for paths and names whose ends tell them apart."""
    if cell_len(text) <= width or width < 5:
        return shorten(text, width)
    head, cells = _head(text, (width - 1) // 2)
    tail = _tail(text, width - 1 - cells)
    return head + ELLIPSIS + tail


def wrap(text: str, width: int) -> list[str]:
    """Safe text broken into lines of at most `width` cells, at spaces where there are some; at least one line."""
    width = max(2, width)  # one wide character must always fit
    lines: list[str] = []
    rest = text
    while len(head := _head(rest, width)[0]) < len(rest):
        cut = len(head) if rest[len(head)] == " " else head.rfind(" ") + 1
        cut = cut if head[:cut].strip() else len(head)
        lines.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip(" ")
    return [*lines, rest]


def _head(text: str, width: int) -> tuple[str, int]:
    """The longest beginning that takes at most `width` cells, and how many it takes."""
    if text.isascii():
        return text[:width], min(width, len(text))
    cells = 0
    for index, character in enumerate(text):
        size = get_character_cell_size(character)
        if cells + size > width:
            return text[:index], cells
        cells += size
    return text, cells


def _tail(text: str, width: int) -> str:
    cells = 0
    for index in range(len(text) - 1, -1, -1):
        cells += get_character_cell_size(text[index])
        if cells > width:
            return text[index + 1 :]
    return text
