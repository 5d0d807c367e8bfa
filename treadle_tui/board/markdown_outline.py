"""Markdown as an outline: headings, lists, code and tables drawn, and nothing in it obeyed.

Text stays text: raw HTML is shown as it was written, a link shows where it leads beside its words, a picture is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from treadle_tui.board.outline import Key, Node, Span, Table, Tone
from treadle_tui.board.safe_text import safe_line, safe_paragraphs

if TYPE_CHECKING:
    from markdown_it.token import Token

#: Characters of a text that are read as Markdown; a longer one is shown as it is.
MOST_CHARACTERS = 20_000
_CERTAIN = re.compile(r"^ {0,3}(#{1,6} \S|```|~~~|\|? *:?-{3,}:? *\|)", re.MULTILINE)
_LIKELY = re.compile(r"^ {0,3}(?:[-*+] \S|\d{1,3}[.)] \S|> )|\*\*\S[^*\n]*\*\*|`[^`\n]+`|\[[^\]\n]+\]\([^)\s]+\)", re.MULTILINE)
_LIKELY_LEAST = 2
_BULLETS = "•◦▪"


class Block(NamedTuple):
    """One block of the text: words in tones behind a lead, or a table."""

    flow: tuple[Span, ...] = ()
    leads: tuple[str, str] = ("", "")
    table: Table | None = None


def looks_like_markdown(text: str) -> bool:
    """Whether a text has marks that only Markdown gives a meaning to: a heading, a fence, a table, or several lesser ones."""
    if "\n" not in text or len(text) > MOST_CHARACTERS:
        return False
    return bool(_CERTAIN.search(text)) or len(_LIKELY.findall(text)) >= _LIKELY_LEAST


def markdown_nodes(text: str, key: Key) -> list[Node]:
    """The text, block by block."""
    return [_node(block, (*key, f"¶{number}")) for number, block in enumerate(_blocks(text))]


def _node(block: Block, key: Key) -> Node:
    if block.table is None:
        return Node(key, flow=block.flow or (Span(" "),), leads=block.leads)
    table = block.table
    rows = f"{len(table.rows)} row" + "s" * (len(table.rows) != 1)

    def children() -> list[Node]:
        names = table.names
        return [
            Node((*key, str(row), str(column)), names[column], paragraphs=(span.text,))
            for row, spans in enumerate(table.rows)
            for column, span in enumerate(spans)
        ]

    return Node(key, "table", spans=(Span(rows, Tone.MUTED),), table=table, make_children=children, starts_open=True)


@lru_cache(maxsize=64)
def _blocks(text: str) -> tuple[Block, ...]:
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).parse(text)
    return tuple(_spaced(_drawn(tokens)))


def _spaced(blocks: Iterator[tuple[Block, bool]]) -> Iterator[Block]:
    """An empty line between blocks that do not belong together."""
    for number, (block, is_tight) in enumerate(blocks):
        if number and not is_tight:
            yield Block()
        yield block


def _drawn(tokens: Sequence[Token]) -> Iterator[tuple[Block, bool]]:
    """Each block, and whether it follows the one before without an empty line."""
    lists: list[int | None] = []
    """The lists it is in: the next number, None for bullets."""
    margins: list[int] = []
    """How wide their marks are."""
    quotes, marker, is_tight, tone = 0, "", False, Tone.PLAIN
    rows: list[tuple[Span, ...]] = []
    cells: list[Span] = []
    in_table = False
    for token in tokens:
        match token.type:
            case "bullet_list_open":
                lists.append(None)
                margins.append(2)
            case "ordered_list_open":
                lists.append(int(token.attrGet("start") or 1))
                margins.append(3)
            case "bullet_list_close" | "ordered_list_close":
                lists.pop()
                margins.pop()
                is_tight = bool(lists)
            case "list_item_open":
                number = lists[-1]
                marker = f"{number}. " if number is not None else f"{_BULLETS[min(len(lists), 3) - 1]} "
                margins[-1] = len(marker)
                lists[-1] = None if number is None else number + 1
            case "blockquote_open":
                quotes += 1
            case "blockquote_close":
                quotes -= 1
            case "heading_open":
                tone, is_tight = Tone.HEADING, False
            case "heading_close":
                tone = Tone.PLAIN
            case "table_open":
                in_table, rows = True, []
            case "tr_open":
                cells = []
            case "tr_close":
                rows.append(tuple(cells))
            case "table_close":
                in_table = False
                yield Block(table=Table(tuple(span.text for span in rows[0]), tuple(rows[1:]))), is_tight
                is_tight = False
            case "inline" if in_table:
                cells.append(Span("".join(span.text for line in _inline(token, tone) for span in line)))
            case "inline":
                bars, rest = "│ " * quotes, "│ " * quotes + " " * sum(margins)
                for flow in _inline(token, tone):
                    yield Block(flow, (bars + " " * sum(margins[:-1]) + marker if marker else rest, rest)), is_tight
                    marker, is_tight = "", True
                is_tight = bool(lists)
            case "fence" | "code_block":
                rest = "│ " * quotes + " " * (sum(margins) + 2)
                for line in safe_paragraphs(token.content.rstrip("\n")):
                    yield Block((Span(line or " "),), (rest, rest)), is_tight
                    is_tight = True
                is_tight = False
            case "hr":
                yield Block((Span("─" * 24, Tone.MUTED),)), is_tight
                is_tight = False


def _inline(token: Token, tone: Tone) -> Iterator[tuple[Span, ...]]:
    """The words of a block, a tuple for each line that was broken on purpose."""
    spans: list[Span] = []
    strong, leads_to = 0, ""
    for child in token.children or ():
        match child.type:
            case "hardbreak":
                yield tuple(spans)
                spans = []
            case "softbreak":
                spans.append(Span(" ", tone))
            case "strong_open" | "strong_close":
                strong += 1 if child.nesting > 0 else -1
            case "link_open":
                leads_to = str(child.attrGet("href") or "")
            case "link_close":
                if leads_to and not (spans and spans[-1].text == safe_line(leads_to)):
                    spans.append(Span(f" ({safe_line(leads_to)})", Tone.MUTED))
            case "image":
                spans.append(Span(f"picture: {safe_line(child.content)} ({safe_line(str(child.attrGet('src') or ''))})", Tone.MUTED))
            case "code_inline":
                spans.append(Span(safe_line(child.content), Tone.HEADING if tone is Tone.HEADING else Tone.LABEL))
            case "s_open" | "s_close":
                spans.append(Span("~~", tone))
            case _:
                if child.content:
                    spans.append(Span(safe_line(child.content), Tone.HEADING if strong else tone))
    if spans:
        yield tuple(spans)
