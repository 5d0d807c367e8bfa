"""The catalogue of recordings, the originals of changed files, and which recordings are one and the same.

    media-catalogue/catalogue.db      every recording; what the files below are made from
    media-catalogue/catalogue.csv     the same as a table, by artist, album and track
    media-catalogue/catalogue.json    the same for programs
    media-catalogue/originals/…       each changed file as it was

Knows nothing of the workflow and nothing of tags.
"""

import csv
import hashlib
import io
import json
import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ._media_likeness import LATER_SECONDS, is_alike

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sounds (id TEXT PRIMARY KEY, sound TEXT NOT NULL, seconds REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS prints (id TEXT PRIMARY KEY, print TEXT NOT NULL, seconds REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS recordings (id TEXT PRIMARY KEY, entry TEXT NOT NULL) STRICT;
"""


@dataclass
class Entry:
    """A line of the catalogue."""

    id: str
    path: str
    seconds: float
    decided_by: str
    """Empty: all sources agreed."""
    same_as: str
    artist: str = ""
    album: str = ""
    title: str = ""
    track: str = ""
    year: str = ""


@contextmanager
def _database(folder: Path) -> Iterator[sqlite3.Connection]:
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / "catalogue.db", timeout=60, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                connection.execute(statement)
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def note_sound(folder: Path, recording: str, sound: str, seconds: float, likeness: str = "") -> None:
    """Remember what a recording sounds like: a digest, and a print (`likeness_of`) where there is one."""
    with _database(folder) as connection:
        connection.execute("INSERT OR REPLACE INTO prints VALUES (?, ?, ?)", (recording, likeness, seconds))
        connection.execute("INSERT OR REPLACE INTO sounds VALUES (?, ?, ?)", (recording, sound, seconds))


def same_recordings(folder: Path, recording: str, sound: str, seconds: float) -> list[str]:
    """Other recordings noted so far with the same sound, or a like one of about the same length, in the order of their names."""
    query = "SELECT id FROM sounds WHERE sound = ? AND abs(seconds - ?) < 0.5 AND id <> ? ORDER BY id"
    with _database(folder) as connection:
        same = {name for (name,) in connection.execute(query, (sound, seconds, recording))}
        query = "SELECT id, print FROM prints WHERE print <> '' AND abs(seconds - ?) < ? AND id <> ?"
        others = connection.execute(query, (seconds, LATER_SECONDS, recording)).fetchall()
        own = connection.execute("SELECT print FROM prints WHERE id = ?", (recording,)).fetchone()
    return sorted(same | {name for name, other in others if own and is_alike(own[0], other)})


def publish(folder: Path, entry: Entry) -> int:
    """Replace the recording's line, and the files made from all lines; how many there are."""
    with _database(folder) as connection:
        connection.execute("INSERT OR REPLACE INTO recordings VALUES (?, ?)", (entry.id, json.dumps(asdict(entry))))
        entries = [json.loads(text) for (text,) in connection.execute("SELECT entry FROM recordings")]
        entries.sort(key=lambda each: (each["artist"].casefold(), each["album"].casefold(), int(each["track"] or 0), each["id"]))
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, list(asdict(entry)), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _harmless(value) for key, value in each.items()} for each in entries)
        replace_file(folder / "catalogue.csv", table.getvalue())
        replace_file(folder / "catalogue.json", json.dumps(entries, ensure_ascii=False, indent=1) + "\n")
        return len(entries)


def _harmless(value: object) -> object:
    """A text that a spreadsheet would take for a formula, as a text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t") else value


def backup_place(folder: Path, recording: str) -> Path:
    """Where the original of a changed file goes: readable, never outside the folder, different for different recordings."""
    readable = re.sub(r"[^\w .()-]+", "_", recording).strip("._ ")[-80:]
    return folder / "originals" / f"{hashlib.sha256(recording.encode()).hexdigest()[:8]}-{readable}"


def replace_file(path: Path, text: str) -> None:
    """Write the whole file or nothing."""
    written = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    written.write_text(text, encoding="utf-8", errors="replace", newline="")
    os.replace(written, path)
