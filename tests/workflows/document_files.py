"""Documents written by hand: PDFs with text at given places and sizes, and a web page with everything that stands around an article."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

Placed = tuple[float, float, float, str]
"""Left, bottom, size of the letters, text."""


def write_pdf(path: Path, pages: Sequence[Sequence[Placed]], title: str = "") -> Path:
    """A real PDF: one font, every text where it is said to be."""
    contents = ["\n".join(f"BT /F1 {size} Tf {x} {y} Td ({_escaped(text)}) Tj ET" for x, y, size, text in page) for page in pages]
    numbers = [6 + 2 * place for place in range(len(pages))]
    objects = {
        1: "<< /Type /Catalog /Pages 2 0 R >>",
        2: f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(f'{number} 0 R' for number in numbers)}] >>",
        3: "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        4: f"<< /Title ({_escaped(title)}) >>",
        5: "<< /Font << /F1 3 0 R >> >>",
    }
    for number, content in zip(numbers, contents, strict=True):
        objects[number] = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources 5 0 R /Contents {number + 1} 0 R >>"
        objects[number + 1] = f"<< /Length {len(content)} >>\nstream\n{content}\nendstream"
    body, offsets = "%PDF-1.4\n", []
    for number in sorted(objects):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{objects[number]}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    trailer = f"trailer\n<< /Size {len(offsets) + 1} /Root 1 0 R /Info 4 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    path.write_bytes(f"{body}xref\n0 {len(offsets) + 1}\n0000000000 65535 f \n{table}{trailer}".encode("latin-1"))
    return path


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def paragraph(lines: Sequence[str], top: float, left: float = 72) -> list[Placed]:
    """Lines below each other."""
    return [(left, top - 14 * number, 11, line) for number, line in enumerate(lines)]


WEAVING = [
    "The Persistent Loom Engine (PLE) keeps the state of every item on disk. A treadle is a",
    "lever that a foot presses, and the Persistent Loom Engine is named after it. When a",
    "stage of the PLE has fin-",
    "ished, its result is recorded. Ada Weaver wrote the first version, and Ada Weaver still",
    "maintains the storage of the engine. The storage is an SQLite file.",
]


def report_pdf(path: Path) -> Path:
    """A report: a large heading, prose with a divided word, a table in columns, a smaller heading."""
    page = [
        (72, 780, 22, "Weaving report"),
        *paragraph(WEAVING, 740),
        (72, 640, 15, "Yarn in stock"),
        *[
            (x, 610 - 16 * row, 11, cell)
            for row, cells in enumerate([("Colour", "Kilos", "Place"), ("red", "12", "shelf A"), ("blue", "7", "shelf B")])
            for x, cell in zip((72, 250, 400), cells, strict=True)
        ],
        *paragraph(["The yarn of shelf A is dyed, and the storage of the yarn is dry."], 520),
    ]
    return write_pdf(path, [page], "Weaving report 2026")


def plain_pdf(path: Path) -> Path:
    """Prose only: whatever way it is read in, it is the same."""
    return write_pdf(path, [paragraph(WEAVING, 740)], "The loom")


def two_column_pdf(path: Path) -> Path:
    """Prose in two columns, as papers are set; the second begins beside the first line of the first, and its words come in between."""
    left = [f"Left line {number} of a paper says a good deal" for number in range(1, 19)]
    right = [f"and right line {number} goes on about the loom" for number in range(1, 19)]
    rows = [(x, 780 - 14 * number, 10, (left, right)[x > 300][number]) for number in range(18) for x in (60, 330)]
    return write_pdf(path, [rows], "A paper")


def scanned_pdf(path: Path) -> Path:
    """Pages with nothing but a page number: what a scanner makes."""
    return write_pdf(path, [[(300, 40, 9, str(number))] for number in range(1, 5)])


ARTICLE = """<!doctype html><html><head><title>Treadles explained</title><style>p {}</style></head><body>
<nav><a href="/">Home</a> <a href="/shop">Shop</a></nav>
<main><h1>Treadles</h1><p>A <b>treadle</b> is a lever. The Persistent Loom Engine (PLE) has one, says the Weaving report 2026.</p>
<h2>Parts</h2><table><tr><th>Part</th><th>Made of</th></tr><tr><td>Pedal</td><td>oak</td></tr></table>
<p>The pedal moves the shaft; the shaft of a treadle moves the loom. See <a href="https://example.org/looms">looms</a>.</p>
<script>alert("no")</script></main><footer>Cookies!</footer></body></html>"""
