"""Any JSON value as an outline a person can read: labelled values, lists of records as tables, long things in portions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from treadle_tui.board.markdown_outline import looks_like_markdown, markdown_nodes
from treadle_tui.board.outline import Key, Node, Span, Table, Tone
from treadle_tui.board.safe_text import safe_line, safe_paragraphs, shorten_middle, width_of

#: Entries of one list or mapping shown together; the rest folds into portions of as many.
PORTION = 200
#: Characters of one text shown together.
TEXT_PORTION = 20_000
_SMALL = 12  # a value with at most so many parts starts unfolded
_LIST_ON_A_LINE = 60  # cells
_TABLE_CELL = 40  # cells
_TABLE_COLUMNS = 40
_PICTURES = frozenset(("png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff", "svg", "heic", "avif"))
_PATH_MOST = 1000  # characters
_PICTURE_CELLS = 60
_WRITTEN_OUT = "data:image/"


def data_nodes(value: Any, key: Key, *, depth: int = 0) -> list[Node]:
    """The entries of a mapping or list; any other value as one node without a label."""
    if isinstance(value, Mapping) and value:
        return _portions(value.items(), len(value), key, depth)
    if isinstance(value, (list, tuple)) and value:
        return _portions(((str(number), each) for number, each in enumerate(value, 1)), len(value), key, depth)
    return [data_node("", value, (*key, ""), depth=depth)]


def data_node(label: str, value: Any, key: Key, *, depth: int = 0) -> Node:
    """One value behind its label; what is in it unfolds."""
    label = safe_line(label)
    text = short_text(value)
    picture = picture_words(value)
    if picture:
        path = "" if value.startswith(_WRITTEN_OUT) else shorten_middle(safe_line(value), _PICTURE_CELLS) + "  "
        return Node(key, label, spans=(Span(path), Span(picture, Tone.MUTED)))
    if text is not None:
        return Node(key, label, paragraphs=(text,), tone=scalar_tone(value))
    if isinstance(value, str):
        return _text_node(label, value, key)
    return Node(
        key,
        label,
        folded_spans=(Span(_size_words(value), Tone.MUTED),),
        make_children=lambda: _long_table(value, key) or data_nodes(value, key, depth=depth + 1),
        table=record_table(value),
        starts_open=depth == 0 or _is_small(value),
    )


def picture_words(value: Any) -> str:
    """What a text that stands for a picture is: a path or address of one, or one written out in the text; empty for anything else."""
    if not isinstance(value, str) or "\n" in value:
        return ""
    if value.startswith(_WRITTEN_OUT):
        head, _, data = value.partition(",")
        kind = safe_line(head[len(_WRITTEN_OUT) :].partition(";")[0][:20])
        return f"a picture written out as text ({kind}, {len(data) * 3 // 4:,} bytes)"
    path = value.partition("?")[0] if "://" in value else value
    stem, _, suffix = path.lower().rpartition(".")
    if suffix not in _PICTURES or len(value) > _PATH_MOST or not stem:
        return ""
    return "picture"


def short_text(value: Any) -> str | None:
    """A value that needs one line only, as that line; None for anything longer."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return safe_line(str(value))
        case str():
            return safe_line(value) or "“”" if len(value) < TEXT_PORTION and "\n" not in value else None
        case Mapping() | list() | tuple():
            return _short_list(value)
        case _:
            return safe_line(repr(value))


def scalar_tone(value: Any) -> Tone:
    """Absent values step back."""
    return Tone.MUTED if value is None or value == "" or value == [] or value == {} else Tone.PLAIN


def record_table(value: Any) -> Table | None:
    """Several records with the same few short fields as a table; a mapping of records has its keys in the first column."""
    if isinstance(value, Mapping) and len(value) >= 2:
        named: list[tuple[str | None, Any]] = [(str(name), record) for name, record in islice(value.items(), PORTION + 1)]
    elif isinstance(value, (list, tuple)) and len(value) >= 2:
        named = [(None, record) for record in value[: PORTION + 1]]
    else:
        return None
    records = [record for _, record in named]
    if len(named) > PORTION or not all(isinstance(record, Mapping) and record for record in records):
        return None
    fields = list(dict.fromkeys(name for record in records for name in record))
    if len(fields) > _TABLE_COLUMNS or sum(map(len, records)) * 2 < len(fields) * len(records):
        return None
    rows = [_table_row(name, record, fields) for name, record in named]
    if any(row is None for row in rows):
        return None
    heads = [safe_line(str(name)) for name in fields]
    return Table(tuple(heads if named[0][0] is None else ["", *heads]), tuple(row for row in rows if row is not None))


def _long_table(value: Any, key: Key) -> list[Node]:
    """A list of more records than one table holds, as several; nothing when it is none."""
    if not isinstance(value, (list, tuple)) or len(value) <= PORTION:
        return []
    nodes: list[Node] = []
    for start in range(0, len(value), PORTION):
        rows = value[start : start + PORTION]
        table = record_table(rows)
        if table is None and (len(rows) > 1 or not nodes):
            return []
        nodes.append(
            Node(
                (*key, f"#{start}"),
                f"{start + 1:,} – {start + len(rows):,}",
                table=table,
                make_children=lambda rows=rows, start=start: [  # type: ignore[misc]
                    data_node(str(start + number), each, (*key, str(start + number))) for number, each in enumerate(rows, 1)
                ],
                starts_open=not nodes,
            )
        )
    return nodes


def _table_row(name: str | None, record: Mapping[str, Any], fields: Sequence[str]) -> tuple[Span, ...] | None:
    spans = [] if name is None else [Span(safe_line(name), Tone.LABEL)]
    for each in fields:
        text = short_text(record[each]) if each in record else ""
        if text is None or width_of(text) > _TABLE_CELL:
            return None
        spans.append(Span(text, scalar_tone(record.get(each))))
    return tuple(spans)


def _short_list(value: Any) -> str | None:
    if not value:
        return "none"
    if isinstance(value, Mapping) or len(value) > _LIST_ON_A_LINE // 2:
        return None
    texts = [short_text(each) if not isinstance(each, (list, tuple, Mapping)) else None for each in value]
    if any(text is None for text in texts):
        return None
    joined = ", ".join(text for text in texts if text is not None)
    return joined if width_of(joined) <= _LIST_ON_A_LINE else None


def _text_node(label: str, value: str, key: Key) -> Node:
    if looks_like_markdown(value):
        size = Span(f"{value.count(chr(10)) + 1:,} lines", Tone.MUTED)
        return Node(key, label, folded_spans=(size,), make_children=lambda: markdown_nodes(value, key), starts_open=True)
    if len(value) <= TEXT_PORTION:
        return Node(key, label, paragraphs=tuple(safe_paragraphs(value)))
    portions = [value[at : at + TEXT_PORTION] for at in range(0, len(value), TEXT_PORTION)]

    def children() -> list[Node]:
        return [
            Node(
                (*key, f"#{number}"),
                f"characters {number * TEXT_PORTION + 1:,} …",
                make_children=lambda portion=portion, number=number: [  # type: ignore[misc]
                    Node((*key, f"#{number}", ""), paragraphs=tuple(safe_paragraphs(portion)))
                ],
                starts_open=number == 0,
            )
            for number, portion in enumerate(portions)
        ]

    return Node(key, label, spans=(Span(f"{len(value):,} characters", Tone.MUTED),), make_children=children, starts_open=True)


def _portions(entries: Iterator[tuple[Any, Any]] | Any, count: int, key: Key, depth: int) -> list[Node]:
    """A node per entry; past the first portion, a node per portion."""
    pairs = list(entries)

    def nodes(start: int) -> list[Node]:
        return [data_node(str(name), each, (*key, str(name)), depth=depth) for name, each in pairs[start : start + PORTION]]

    return nodes(0) + [
        Node((*key, f"#{start}"), f"{start + 1:,} – {min(start + PORTION, count):,}", make_children=lambda start=start: nodes(start))  # type: ignore[misc]
        for start in range(PORTION, count, PORTION)
    ]


def _size_words(value: Any) -> str:
    return "1 entry" if len(value) == 1 else f"{len(value):,} entries"


def _is_small(value: Any, most: int = _SMALL) -> bool:
    """Whether a value has few parts, looking at no more of them than that."""
    left = most
    pending = [value]
    while pending:
        each = pending.pop()
        left -= 1
        if left < 0:
            return False
        if isinstance(each, Mapping):
            pending += islice(each.values(), left + 1)
        elif isinstance(each, (list, tuple)):
            pending += each[: left + 1]
    return True
