"""PDF, HTML, Markdown and plain text as clean Markdown, in more than one way each.

A way of reading is called a strategy. Which one is good is not known before it was tried: the gate of the workflow says what is
missing, and the next attempt reads in another way. Knows nothing of the workflow; pypdf, beautifulsoup4 and markdownify are imported
by the functions that need them.
"""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SUFFIXES = {
    ".pdf": "pdf",
    ".html": "html",
    ".htm": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
}
STRATEGIES = {
    "pdf": ("plain", "layout", "sized"),
    "html": ("article", "whole"),
    "markdown": ("as written",),
    "text": ("prose", "verbatim"),
}
"""What can be tried on each kind of file, in this order unless somebody asks for one by name."""

MODULES = {"pdf": ("pypdf",), "html": ("bs4", "markdownify")}

_TABLE_RULE = re.compile(r"^\s*\|?\s*:?-{3,}:?\s*(\|\s*:?-{3,}:?\s*)+\|?\s*$", re.MULTILINE)
_HEADING = re.compile(r"^(#{1,6}) +(\S.*?) *#*$", re.MULTILINE)
_NUMBERED = re.compile(r"^(\d+(?:\.\d+)*)\.? +([A-Z]\S.*)$")
_CELL = re.compile(r"\S+(?: {1,2}\S+)*")
_BULLETS = ("•", "·", "▪", "‣", "◦", "●")
_ITEM = re.compile(rf"([*+–-]|[{''.join(_BULLETS)}]|\(?\d{{1,2}}[.)]) +(\S)")
_LEADERS = re.compile(r" *(?:\. *){6,}")
_LEAST_LINES_OF_COLUMNS, _LEAST_WIDTH_OF_COLUMNS = 12, 22
_FENCE = re.compile(r"(```|~~~)")
_FENCED = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)


class Unreadable(Exception):
    """The file cannot be read in any way: trying again does not help."""


@dataclass
class Facts:
    """What can be said of a file before it is converted."""

    kind: str
    title: str
    pages: int
    size: int
    tables: int
    """Tables a good conversion keeps."""


@dataclass
class Markdown:
    """A document, converted."""

    text: str
    strategy: str
    words: int = 0
    tables: int = 0
    headings: list[str] = field(default_factory=list)
    """Each with the number signs in front."""
    garbled: float = 0.0
    """The share of characters that could not be decoded."""


def look_at(path: Path) -> Facts:
    """Facts of a file.

    Raises: `Unreadable` for an encrypted or damaged file, OSError for one that is not there.
    """
    kind = SUFFIXES[path.suffix.lower()]
    size = path.stat().st_size
    if kind == "pdf":
        reader = _pdf(path)
        title = str((reader.metadata.title if reader.metadata else None) or "").strip()
        tables = sum(_count_tables(_page_text(page, "layout").splitlines()) for page in reader.pages)
        return Facts(kind, title, len(reader.pages), size, tables)
    if kind == "html":
        soup = _soup(path)
        tables = sum(1 for table in _content(soup).find_all("table") if _holds_data(table))
        return Facts(kind, soup.title.get_text(" ", strip=True) if soup.title else "", 1, size, tables)
    text = _decoded(path)
    tables = len(_TABLE_RULE.findall(_FENCED.sub("", text))) if kind == "markdown" else 0
    return Facts(kind, "", 1, size, tables)


def convert(path: Path, strategy: str) -> Markdown:
    """The file as Markdown.

    Raises: `Unreadable` for an encrypted or damaged file, OSError for one that is not there.
    """
    text = tidied(_CONVERTERS[strategy](path))
    return described(without_gaps(text), strategy)


def without_gaps(text: str) -> str:
    """Headings at the level they really stand at: writers leave levels out for the looks of it."""
    lines, above, fence = text.split("\n"), list[int](), ""
    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if mark and (not fence or line.startswith(fence)):
            fence = "" if fence else mark[1]
        heading = _HEADING.match(line) if not fence else None
        if heading is None:
            continue
        level = len(heading[1])
        above = [*(each for each in above if each < level), level]
        lines[number] = "#" * len(above) + line[level:]
    return "\n".join(lines)


def described(text: str, strategy: str) -> Markdown:
    """Markdown with what a gate wants to know of it."""
    plain = _FENCED.sub("", text)
    return Markdown(
        text=text,
        strategy=strategy,
        words=len(re.findall(r"\w+", text)),
        tables=len(_TABLE_RULE.findall(plain)),
        headings=[found[0].strip() for found in _HEADING.finditer(plain)],
        garbled=text.count("\ufffd") / max(1, len(text)),
    )


def title_of(markdown: Markdown, facts: Facts, path: Path) -> str:
    """What the document calls itself: its own title, its first heading, or its file name."""
    first = markdown.headings[0].lstrip("# ") if markdown.headings else ""
    return " ".join((facts.title or first or path.stem.replace("_", " ").replace("-", " ")).split())


def tidied(text: str) -> str:
    """One empty line between paragraphs, no spaces at the ends of lines, nothing that moves a cursor."""
    text = re.sub(r"[^\S\n]+$", "", text.replace("\r\n", "\n").replace("\r", "\n"), flags=re.MULTILINE)
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


# ---------------------------------------------------------------- PDF


def _pdf(path: Path) -> Any:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").addHandler(logging.NullHandler())  # else its remarks go to standard error, across the screen
    try:
        reader = PdfReader(path)
        if reader.is_encrypted:
            raise Unreadable(f"{path.name} is encrypted; save it without a password")
        len(reader.pages)
    except (PyPdfError, ValueError, KeyError, RecursionError) as error:
        raise Unreadable(f"{path.name} is no readable PDF: {error}") from error
    return reader


def _page_text(page: Any, mode: str) -> str:
    try:
        return str(page.extract_text(extraction_mode=mode))
    except Exception:  # a page that pypdf trips over counts as empty; the gate notices missing words
        return ""


def _plain_pdf(path: Path) -> str:
    pages = _without_furniture([_page_text(page, "plain").splitlines() for page in _pdf(path).pages])
    return "\n\n".join(_prose(lines) for lines in pages)


def _layout_pdf(path: Path) -> str:
    """Everything in its place on the page, so that columns are columns; headings by the size of their letters."""
    reader = _pdf(path)
    levels = {line.lstrip("# "): line for lines in _sized_pages(reader) for line in lines if line.startswith("#")}
    pages = _without_furniture([_in_one_column(_page_text(page, "layout").splitlines()) for page in reader.pages])
    marked = ([levels.get(" ".join(line.split()), line) for line in lines] for lines in pages)
    return "\n\n".join(_with_tables(_with_whole_headings(lines)) for lines in marked)


def _sized_pdf(path: Path) -> str:
    return "\n\n".join(_prose(_with_whole_headings(lines)) for lines in _without_furniture(_sized_pages(_pdf(path))))


def _sized_pages(reader: Any) -> list[list[str]]:
    """The lines of each page, those in larger letters than most of the text marked as headings of up to three levels."""
    pages: list[list[tuple[str, float]]] = []
    for page in reader.pages:
        parts: list[tuple[str, float]] = []

        def see(text: str, cm: Any, tm: Any, _font: Any, size: float, parts: list[tuple[str, float]] = parts) -> None:
            parts.append((text, round(size * abs(tm[3] or 1.0) * abs(cm[3] or 1.0), 1)))

        try:
            page.extract_text(visitor_text=see)
        except Exception:  # as in _page_text
            parts.clear()
        pages.append(_lines_with_size(parts))
    letters: Counter[float] = Counter()
    for text, size in (line for page_lines in pages for line in page_lines):
        letters[size] += len(text)
    usual = letters.most_common(1)[0][0] if letters else 0.0
    larger = sorted((size for size in letters if size > usual * 1.12), reverse=True)[:3]
    return [[_sized_line(text, size, larger) for text, size in lines] for lines in pages]


def _lines_with_size(parts: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """What was shown, cut into lines; a line is as large as its largest part."""
    lines: list[tuple[str, float]] = [("", 0.0)]
    for text, size in parts:
        for number, piece in enumerate(text.split("\n")):
            if number:
                lines.append(("", 0.0))
            before, largest = lines[-1]
            lines[-1] = (before + piece, max(largest, size) if piece.strip() else largest)
    return [(text.strip(), size) for text, size in lines]


def _sized_line(text: str, size: float, larger: list[float]) -> str:
    is_heading = text and size in larger and len(text) < 120 and not _LEADERS.search(text)
    return f"{'#' * (larger.index(size) + 1)} {text}" if is_heading else text


def _with_whole_headings(lines: list[str]) -> list[str]:
    """Headings that were too long for their line, made whole."""
    whole: list[str] = []
    for line in lines:
        mark, _, rest = line.partition(" ")
        goes_on = mark.startswith("#") and bool(whole) and whole[-1].startswith(f"{mark} ") and len(whole[-1]) > 25
        if goes_on and not _NUMBERED.match(rest):
            whole[-1] += f" {rest}"
        else:
            whole.append(line)
    return whole


def _without_furniture(pages: list[list[str]]) -> list[list[str]]:
    """Without the first and last lines that most pages share, numbers aside: running heads and page numbers."""
    edges: Counter[str] = Counter()
    for lines in pages:
        filled = [line for line in lines if line.strip()]
        edges.update({_shape(line) for line in [*filled[:1], *filled[-1:]]})
    repeated = {shape for shape, count in edges.items() if count >= 3 and count > len(pages) / 2}
    return [[line for line in lines if _shape(line) not in repeated] for lines in pages]


def _shape(line: str) -> str:
    return re.sub(r"\d+", "0", " ".join(line.split()))


def _prose(lines: list[str]) -> str:
    """Lines joined to paragraphs, words divided at the end of a line made whole, lines that look like headings marked."""
    paragraphs: list[str] = []
    current = ""
    plain = [*(" ".join(line.split()) for line in lines), ""]
    for line, following in zip(plain, [*plain[1:], ""], strict=True):
        heading = line if line.startswith("#") else _as_heading(line, following) if not current else ""
        if heading or not line or _ITEM.match(line):
            paragraphs += [current] if current else []
            paragraphs += [heading] if heading else []
            current = "" if heading else _ITEM.sub(r"- \2", line) if line[:1] in _BULLETS else line
        elif _LEADERS.search(line):
            paragraphs += [current, _LEADERS.sub(" … ", f"- {line}")] if current else [_LEADERS.sub(" … ", f"- {line}")]
            current = ""
        elif current.endswith("-") and line[:1].islower():
            current = current[:-1] + line
        else:
            current = f"{current} {line}".strip()
            if len(line) < 45 and line.endswith((".", "!", "?", ":")):
                paragraphs.append(current)
                current = ""
    return "\n\n".join(paragraphs)


def _as_heading(line: str, following: str) -> str:
    """The line as a heading when it is numbered like one, and no sentence that goes on; else nothing."""
    numbered = _NUMBERED.match(line)
    goes_on = following[:1].islower() or (len(line) > 55 and following != "")
    if numbered and len(line) < 80 and not goes_on and not _LEADERS.search(line) and not line.endswith((".", ",", ";", ":")):
        return f"{'#' * min(6, numbered[1].count('.') + 1)} {line}"
    return ""


def _with_tables(lines: list[str]) -> str:
    """Lines in their places on the page: what stands in columns becomes a table, the rest prose."""
    parts: list[str] = []
    place = 0
    for start, rows in _tables(lines):
        parts += [_prose(lines[place:start]), _as_table(rows)]
        place = start + len(rows)
    return "\n\n".join(part for part in [*parts, _prose(lines[place:])] if part)


_Cells = list[tuple[int, int, str]]
"""Of a line that stands in columns: where each cell begins and ends, and what is in it."""


def _cells(line: str) -> _Cells:
    found = [(match.start(), match.end(), match[0]) for match in _CELL.finditer(line)]
    return [] if _LEADERS.search(line) else found  # a table of contents is a list


def _tables(lines: list[str]) -> Iterator[tuple[int, list[list[str]]]]:
    """Where a table begins, and its rows: two or more lines right below each other whose columns stand below each other."""
    rows: list[_Cells] = []
    for number, line in enumerate([*lines, ""]):
        cells = _cells(line)
        if len(cells) > 1 and (not rows or _are_aligned(cells, rows[-1])):
            rows.append(cells)
            continue
        if len(rows) > 1:
            yield number - len(rows), [[text for _, _, text in row] for row in rows]
        rows = [cells] if len(cells) > 1 else []


def _are_aligned(cells: _Cells, above: _Cells) -> bool:
    """Whether each cell begins or ends where the one above it does."""
    pairs = zip(cells, above, strict=False)
    return len(cells) == len(above) and all(abs(one[0] - other[0]) <= 2 or abs(one[1] - other[1]) <= 2 for one, other in pairs)


def _count_tables(lines: list[str]) -> int:
    """Tables that a good conversion keeps: of three rows or more, so that what only looks like one is not asked for."""
    return sum(1 for _, rows in _tables(_in_one_column(lines)) if len(rows) > 2)


def _in_one_column(lines: list[str]) -> list[str]:
    """A page set in two columns of prose, as its left column and then its right one; any other page as it is."""
    filled = [line for line in lines if line.strip()]
    pairs = [cells for cells in map(_cells, filled) if len(cells) == 2]
    if len(pairs) < _LEAST_LINES_OF_COLUMNS:
        return lines
    gutter, count = Counter(cells[1][0] for cells in pairs).most_common(1)[0]
    right = [cells[1][2] for cells in pairs if abs(cells[1][0] - gutter) <= 1]
    is_prose = sum(map(len, right)) / len(right) > _LEAST_WIDTH_OF_COLUMNS
    if count < len(filled) * 0.3 or not is_prose or any(line[:gutter].strip() and line[gutter - 2 : gutter].strip() for line in filled):
        return lines
    return [line[: gutter - 1].rstrip() for line in lines] + [""] + [line[gutter - 1 :].strip() for line in lines]


def _as_table(rows: list[list[str]]) -> str:
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in escaped]
    return "\n".join([lines[0], f"|{' --- |' * len(rows[0])}", *lines[1:]])


# ---------------------------------------------------------------- HTML, Markdown, text


def _soup(path: Path) -> Any:
    from bs4 import BeautifulSoup

    return BeautifulSoup(path.read_bytes(), "html.parser")


def _content(soup: Any) -> Any:
    """What the page is about: its main part, without what stands around it."""
    chosen = soup.find("main") or soup.find("article") or soup.find(attrs={"role": "main"}) or soup.body or soup
    for tag in chosen.find_all(["nav", "aside", "footer", "form", "script", "style", "noscript", "template"]):
        tag.decompose()
    return chosen


def _article(path: Path) -> str:
    return _markdown_of(_content(_soup(path)))


def _whole(path: Path) -> str:
    soup = _soup(path)
    for tag in soup.find_all(["script", "style", "noscript", "template", "head"]):
        tag.decompose()
    return _markdown_of(soup)


def _markdown_of(element: Any) -> str:
    from markdownify import MarkdownConverter

    for table in [table for table in element.find_all("table") if not _holds_data(table)]:
        for tag in [table, *(tag for tag in table.find_all(["tbody", "thead", "tr", "td", "th"]) if tag.find_parent("table") is table)]:
            tag.name = "div"
            tag.attrs = {}
    try:
        return str(MarkdownConverter(heading_style="ATX", bullets="-", strip=["img"]).convert_soup(element))
    except RecursionError as error:
        raise Unreadable("the page is nested too deeply to be read") from error


def _holds_data(table: Any) -> bool:
    """Whether it is a table, and not a way to place things on the page: two rows of two cells at least, and no table inside."""
    rows = [row.find_all(["td", "th"]) for row in table.find_all("tr")]
    return not table.find("table") and sum(1 for cells in rows if sum(1 for cell in cells if cell.get_text(strip=True)) > 1) > 1


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _as_written(path: Path) -> str:
    """Markdown without its front matter."""
    return re.sub(r"\A---\n.*?\n---\n", "", _decoded(path).replace("\r\n", "\n"), flags=re.DOTALL)


def _text_prose(path: Path) -> str:
    """Plain text; a line with a rule of = or - below it is a heading."""
    text = re.sub(
        r"^(\S.*)\n(=|-)\2{2,}[ \t]*$", lambda found: f"{'#' if found[2] == '=' else '##'} {found[1]}\n", _decoded(path), flags=re.M
    )
    return _prose(text.splitlines())


def _verbatim(path: Path) -> str:
    text = _decoded(path).rstrip().replace("```", "'''")
    return f"```text\n{text}\n```"


_CONVERTERS: dict[str, Callable[[Path], str]] = {
    "plain": _plain_pdf,
    "layout": _layout_pdf,
    "sized": _sized_pdf,
    "article": _article,
    "whole": _whole,
    "as written": _as_written,
    "prose": _text_prose,
    "verbatim": _verbatim,
}
