"""Markdown as an outline: headings, lists, code and tables drawn, and nothing in it obeyed.

Text stays text: raw HTML is shown as it was written, a link shows where it leads beside its words, a picture is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
    return tuple(_spaced(_Drawing().blocks(tokens)))


def _spaced(blocks: Iterator[tuple[Block, bool]]) -> Iterator[Block]:
    """An empty line between blocks that do not belong together."""
    for number, (block, is_tight) in enumerate(blocks):
        if number and not is_tight:
            yield Block()
        yield block


@dataclass(slots=True)
class _List:
    """A list that is open."""

    number: int | None
    """Of its next entry; None for bullets."""
    margin: int
    """How wide the mark of its last entry is."""


class _Drawing:
    """Turns tokens into blocks, each with whether it follows the one before without an empty line."""

    def __init__(self) -> None:
        self._lists: list[_List] = []
        self._quotes = 0
        self._marker = ""
        """Stands before the next words: they begin an entry of a list."""
        self._is_tight = False
        self._tone = Tone.PLAIN
        self._rows: list[list[Span]] | None = None
        """Of the table it is in."""

    def blocks(self, tokens: Sequence[Token]) -> Iterator[tuple[Block, bool]]:
        """Every block of the text."""
        for token in tokens:
            match token.type:
                case "inline" if self._rows is not None:
                    self._rows[-1].append(Span("".join(span.text for line in _inline(token, self._tone) for span in line)))
                case "inline":
                    yield from self._words(token)
                case "fence" | "code_block":
                    yield from self._code(token.content)
                case "table_close":
                    yield from self._apart(Block(table=self._table()))
                case "hr":
                    yield from self._apart(Block((Span("─" * 24, Tone.MUTED),)))
                case _:
                    self._enter_or_leave(token)

    def _enter_or_leave(self, token: Token) -> None:
        match token.type:
            case "bullet_list_open":
                self._lists.append(_List(None, 2))
            case "ordered_list_open":
                self._lists.append(_List(int(token.attrGet("start") or 1), 3))
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
                self._is_tight = bool(self._lists)
            case "list_item_open":
                self._begin_entry(self._lists[-1])
            case "blockquote_open" | "blockquote_close":
                self._quotes += token.nesting
            case "heading_open":
                self._tone, self._is_tight = Tone.HEADING, False
            case "heading_close":
                self._tone = Tone.PLAIN
            case "table_open":
                self._rows = []
            case "tr_open":
                assert self._rows is not None
                self._rows.append([])

    def _begin_entry(self, innermost: _List) -> None:
        if innermost.number is None:
            self._marker = f"{_BULLETS[min(len(self._lists), 3) - 1]} "
        else:
            self._marker = f"{innermost.number}. "
            innermost.number += 1
        innermost.margin = len(self._marker)

    def _words(self, token: Token) -> Iterator[tuple[Block, bool]]:
        margins = [each.margin for each in self._lists]
        bars = "│ " * self._quotes
        rest = bars + " " * sum(margins)
        for flow in _inline(token, self._tone):
            first = bars + " " * sum(margins[:-1]) + self._marker if self._marker else rest
            yield Block(flow, (first, rest)), self._is_tight
            self._marker, self._is_tight = "", True
        self._is_tight = bool(self._lists)

    def _code(self, text: str) -> Iterator[tuple[Block, bool]]:
        lead = "│ " * self._quotes + " " * (sum(each.margin for each in self._lists) + 2)
        for line in safe_paragraphs(text.rstrip("\n")):
            yield Block((Span(line or " "),), (lead, lead)), self._is_tight
            self._is_tight = True
        self._is_tight = False

    def _table(self) -> Table:
        names, *rows = self._rows or [[]]
        self._rows = None
        return Table(tuple(span.text for span in names), tuple(tuple(row) for row in rows))

    def _apart(self, block: Block) -> Iterator[tuple[Block, bool]]:
        yield block, self._is_tight
        self._is_tight = False


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
