"""What differs between two values, as lines with + and −: under each other, or side by side where there is room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher, unified_diff
from typing import Any

from treadle_tui.board.edit_text import text_of
from treadle_tui.board.outline import Node, Span, Tone
from treadle_tui.board.safe_text import fit, safe_line

#: Cells from which two columns can be read.
SPLIT_FROM = 100
#: Lines of a text that are compared; a longer one is compared as far as that.
_MOST_LINES = 4000
_CONTEXT = 3


def diff_nodes(before: Any, after: Any, width: int, mode: str = "auto") -> list[Node]:
    """Lines that say what has changed. `mode`: "unified", "split", or "auto", which takes what fits."""
    old, new = _lines(before), _lines(after)
    if old == new:
        return [Node(("diff",), paragraphs=("nothing differs",), tone=Tone.MUTED)]
    is_split = mode == "split" or (mode == "auto" and width >= SPLIT_FROM)
    drawn = _split(old, new, max(20, (width - 8) // 2)) if is_split else _unified(old, new)
    return [Node(("diff", str(number)), spans=spans) for number, spans in enumerate(drawn)]


def unified_text(before: Any, after: Any) -> str:
    """The same as one text, for exports."""
    return "\n".join(unified_diff(_lines(before), _lines(after), "before", "after", lineterm="", n=_CONTEXT))


def _lines(value: Any) -> list[str]:
    return text_of(value).split("\n")[:_MOST_LINES]


def _unified(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[Span, ...]]:
    for line in list(unified_diff(old, new, lineterm="", n=_CONTEXT))[2:]:
        sign, text = line[:1], safe_line(line[1:])
        if sign == "@":
            yield (Span("⋯", Tone.MUTED),)
        elif sign == "+":
            yield (Span(f"+ {text}", Tone.COMPLETED),)
        elif sign == "-":
            yield (Span(f"− {text}", Tone.FAILED),)
        else:
            yield (Span(f"  {text}", Tone.MUTED),)


def _split(old: Sequence[str], new: Sequence[str], width: int) -> Iterator[tuple[Span, ...]]:
    for group in SequenceMatcher(a=old, b=new, autojunk=False).get_grouped_opcodes(_CONTEXT):
        for tag, first, last, start, end in group:
            if tag == "equal":
                for text in old[first:last]:
                    yield _pair(Span(f"  {safe_line(text)}", Tone.MUTED), Span(f"  {safe_line(text)}", Tone.MUTED), width)
                continue
            for place in range(max(last - first, end - start)):
                left = Span(f"− {safe_line(old[first + place])}", Tone.FAILED) if first + place < last else Span("")
                right = Span(f"+ {safe_line(new[start + place])}", Tone.COMPLETED) if start + place < end else Span("")
                yield _pair(left, right, width)
        yield (Span("⋯", Tone.MUTED),)


def _pair(left: Span, right: Span, width: int) -> tuple[Span, ...]:
    return Span(fit(left.text, width), left.tone), Span(" │ ", Tone.MUTED), Span(fit(right.text, width), right.tone)
