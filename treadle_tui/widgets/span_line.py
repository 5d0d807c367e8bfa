"""Lines put together from pieces of safe text, exact in width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from treadle_tui.board.safe_text import shorten, width_of

Piece = tuple[str, Style]


def pieces_width(pieces: Iterable[Piece]) -> int:
    """Cells the pieces take."""
    return sum(width_of(text) for text, _ in pieces)


def line_of(left: Sequence[Piece], right: Sequence[Piece], width: int, base: Style) -> Strip:
    """The left pieces, room, the right pieces; where there is not enough, the left gives way."""
    room = max(0, width - pieces_width(right))
    segments: list[Segment] = []
    taken = 0
    for text, style in left:
        text = shorten(text, room - taken) if room > taken else ""
        if text:
            segments.append(Segment(text, base + style))
            taken += width_of(text)
    segments.append(Segment(" " * (room - taken), base))
    segments += [Segment(text, base + style) for text, style in right]
    return Strip([segment for segment in segments if segment.text]).adjust_cell_length(width, base)
