"""The library of converted documents: a folder of Markdown files, and beside it a database with a full-text index.

    document-library/pages/….md       one page per approved document
    document-library/INDEX.md         all of them, each with the documents that speak of the same things
    document-library/library.db       full text (SQLite FTS5), concepts and approvals; made again by running `index` again

Stages finish side by side, in threads and in several processes. SQLite keeps their writes apart; INDEX.md is made from the database
inside the writing transaction, so the last one to finish leaves a complete one.
"""

import hashlib
import json
import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ._documents_knowledge import Chunk, ConceptGraph

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, path TEXT NOT NULL, page TEXT, approved_by TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS concepts (
    document TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE, name TEXT NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (document, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS concepts_by_name ON concepts (name);
CREATE VIRTUAL TABLE IF NOT EXISTS pieces USING fts5 (document UNINDEXED, heading, text, tokenize = 'unicode61 remove_diacritics 2');
"""
_TELLING = ("abbreviation", "definition", "name", "heading", "code", "link")
"""Kinds of concepts that two documents have in common for a reason; ordinary words are not among them."""


@dataclass
class Related:
    """Another document that speaks of the same things."""

    id: str
    title: str
    shared: list[str]
    """Concepts in both, or the words by which one names the other."""


@dataclass
class Hit:
    """A place the full-text index found."""

    id: str
    title: str
    heading: str
    snippet: str


@contextmanager
def library(folder: Path) -> Iterator[sqlite3.Connection]:
    """The database of the library, in one transaction: all that is written in the block, or nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / "library.db", timeout=60, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                connection.execute(statement)
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def index_document(folder: Path, document: str, title: str, path: str, pieces: list[Chunk], graph: ConceptGraph) -> int:
    """Replace what the library knows of a document; how many pieces are in the index now."""
    with library(folder) as connection:
        connection.execute(
            "INSERT INTO documents (id, title, path) VALUES (?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET title = excluded.title, path = excluded.path",
            (document, title, path),
        )
        connection.execute("DELETE FROM pieces WHERE document = ?", (document,))
        connection.executemany("INSERT INTO pieces VALUES (?, ?, ?)", [(document, " / ".join(piece.path), piece.text) for piece in pieces])
        connection.execute("DELETE FROM concepts WHERE document = ?", (document,))
        named = {node.name.casefold(): node.kind for node in graph.nodes}
        connection.executemany("INSERT INTO concepts VALUES (?, ?, ?)", [(document, name, kind) for name, kind in named.items()])
        (count,) = connection.execute("SELECT count(*) FROM pieces").fetchone()
        return int(count)


def related(folder: Path, document: str, title: str) -> list[Related]:
    """Documents that share telling concepts with this one, or that one of the two names, the closest first; at most ten."""
    with library(folder) as connection:
        return _related(connection, document, title)


def _related(connection: sqlite3.Connection, document: str, title: str) -> list[Related]:
    marks = ", ".join("?" * len(_TELLING))
    shared = f"""
        SELECT theirs.document, documents.title, mine.name
        FROM concepts mine JOIN concepts theirs ON theirs.name = mine.name AND theirs.document <> mine.document
        JOIN documents ON documents.id = theirs.document
        WHERE mine.document = ? AND mine.kind IN ({marks}) ORDER BY mine.name
    """
    found: dict[str, Related] = {}
    for other, name, concept in connection.execute(shared, (document, *_TELLING)):
        found.setdefault(other, Related(other, name, [])).shared.append(concept)
    others = connection.execute("SELECT id, title FROM documents WHERE id <> ?", (document,)).fetchall()
    for other, name in others:
        named = _names(connection, document, name) or _names(connection, other, title)
        if named:
            found.setdefault(other, Related(other, name, [])).shared.insert(0, f"“{named}”")
    return sorted(found.values(), key=lambda each: (-len(each.shared), each.id))[:10]


def _names(connection: sqlite3.Connection, document: str, title: str) -> str:
    """The title, when it has three words or more and the text of the document has them in this order."""
    query = "SELECT 1 FROM pieces WHERE pieces MATCH ? AND document = ? LIMIT 1"
    words = re.findall(r"\w+", title)
    is_there = len(words) > 2 and connection.execute(query, (f'text : "{" ".join(words)}"', document)).fetchone()
    return title if is_there else ""


def search(folder: Path, words: str, limit: int = 10) -> list[Hit]:
    """Places with all of these words, the best first."""
    query = """
        SELECT document, title, heading, snippet(pieces, 2, '', '', '…', 12) FROM pieces JOIN documents ON documents.id = document
        WHERE pieces MATCH ? ORDER BY rank LIMIT ?
    """
    asked = " ".join(f'"{word}"' for word in re.findall(r"\w+", words))
    with library(folder) as connection:
        return [Hit(*row) for row in connection.execute(query, (asked, limit))] if asked else []


def publish(folder: Path, document: str, title: str, text: str, *, approved_by: str, source: str) -> str:
    """Write the page of an approved document, and INDEX.md anew; the page's path within the folder."""
    page = f"pages/{page_name(document)}"
    (folder / "pages").mkdir(parents=True, exist_ok=True)
    head = json.dumps({"title": title, "source": source, "approved by": approved_by}, ensure_ascii=False)
    replace_file(folder / page, f"---\n{head}\n---\n\n{text}")
    with library(folder) as connection:
        connection.execute("UPDATE documents SET page = ?, approved_by = ? WHERE id = ?", (page, approved_by, document))
        replace_file(folder / "INDEX.md", _index(connection))
    return page


def _index(connection: sqlite3.Connection) -> str:
    pages = connection.execute("SELECT id, title, page, approved_by FROM documents WHERE page IS NOT NULL ORDER BY title, id").fetchall()
    places = {document: page for document, _, page, _ in pages}
    lines = ["# Documents", "", f"{len(pages)} approved.", ""]
    for document, title, page, approved_by in pages:
        lines += [f"## [{plain(title)}]({page})", "", f"Approved by {plain(approved_by)}.", ""]
        see_also = [each for each in _related(connection, document, title) if each.id in places]
        lines += [f"- [{plain(each.title)}]({places[each.id]}): {plain(', '.join(each.shared[:5]))}" for each in see_also]
        lines += [""] if see_also else []
    return "\n".join(lines).rstrip() + "\n"


def page_name(document: str) -> str:
    """A file name for any id: readable, never a path, and different for different ids on every file system."""
    readable = re.sub(r"[^A-Za-z0-9._+-]+", "_", document).strip("._")[:80]
    return f"{readable or 'document'}-{hashlib.sha256(document.encode()).hexdigest()[:8]}.md"


def plain(text: str) -> str:
    """One line that Markdown takes for text."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", " ".join(text.split()))


def replace_file(path: Path, text: str) -> None:
    """Write the whole file or nothing."""
    written = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    written.write_text(text, encoding="utf-8", errors="replace", newline="\n")
    os.replace(written, path)
